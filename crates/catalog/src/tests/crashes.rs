//! A real process that writes is killed a hundred times: what it was told to be kept is there, and nothing is half there.
//!
//! The process is this test program, started anew with nothing but [`writes_until_it_is_killed`] to run.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use model::{DeliveryState, NotificationQuery, Timestamp};

use super::fixture::{Fixture, at, clock, record, transition};
use crate::{Catalog, Changes};

/// Names the directory to the process that is to be killed.
const DIRECTORY: &str = "CATALOG_CRASH_DIRECTORY";

const KILLS: u64 = 100;

/// What stands before a number that is safe; the test harness writes lines of its own.
const SAFE: &str = "safe: ";

#[tokio::test]
async fn what_was_committed_survives_kill_9() {
    let fixture = Fixture::new();
    let mut found = 0;
    let mut cut_off = 0;
    for kill in 0..KILLS {
        // While it opens the file, or after some commits and a varying part of the next one.
        let acknowledged = write_and_kill(fixture.directory(), kill % 7, kill * 37 % 100);
        let catalog = fixture.open().await;
        let kept = assert_whole(&catalog).await;
        let least = acknowledged.unwrap_or(found);
        assert!(
            kept >= least,
            "kill {kill}: {least} was safe, {kept} is there"
        );
        cut_off += u64::from(kept > least);
        found = kept;
        if kill % 10 == 9 {
            catalog.close().await.unwrap();
        }
    }
    assert!(found > KILLS, "only {found} commits in {KILLS} rounds");
    println!("{found} commits, {cut_off} rounds killed between commit and answer");
}

#[tokio::test]
#[ignore = "runs until it is killed: what_was_committed_survives_kill_9 starts it"]
async fn writes_until_it_is_killed() {
    let directory = std::env::var_os(DIRECTORY).expect("a directory");
    let catalog = Catalog::open(Path::new(&directory), clock()).await.unwrap();
    let mut number = catalog.last_notification_id().await.unwrap();
    assert_eq!(number, assert_whole(&catalog).await);
    loop {
        number += 1;
        // What is not synced survives the death of the process all the same.
        let committed = match number % 3 {
            0 => catalog.commit(changes(number)).await,
            _ => catalog.commit_unsynced(changes(number)).await,
        };
        committed.unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "{SAFE}{number}").unwrap();
        out.flush().unwrap();
    }
}

/// Starts the process, reads as many answers as told, goes round in a circle, kills it, and reads what it had still said;
/// the last answer.
fn write_and_kill(directory: &Path, answers: u64, circles: u64) -> Option<u64> {
    let name = "tests::crashes::writes_until_it_is_killed";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let answer = |line: Result<String, _>| line.ok()?.split_once(SAFE)?.1.parse().ok();
    let mut last = None;
    if answers > 0 {
        last = lines.by_ref().filter_map(answer).nth(answers as usize - 1);
        assert!(last.is_some(), "the process ended by itself");
    } else {
        // It has begun, no more.
        lines.next();
    }
    for _ in 0..circles * 1_000 {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    lines.filter_map(answer).last().or(last)
}

/// Each commit sends a notification, ends the one before, and keeps how far it is in two places.
fn changes(number: u64) -> Changes {
    let mut changes = Changes::new();
    changes
        .put_state("first", "number", number.to_le_bytes().to_vec())
        .intend(record(number))
        .transition(transition("shop", number));
    if number > 1 {
        changes.finished(number - 1, DeliveryState::Delivered, "", at(number as i64));
    }
    // Larger than a page, so that a commit takes several writes.
    let large = number.to_le_bytes().repeat(2_000);
    changes.put_state("last", "number", large);
    changes
}

/// The number of the last commit, all parts of which are there, and all of those before.
async fn assert_whole(catalog: &Catalog) -> u64 {
    let last = catalog.last_notification_id().await.unwrap();
    if last == 0 {
        assert_eq!(catalog.states("first").await.unwrap(), []);
        return 0;
    }
    let number = last.to_le_bytes().to_vec();
    let first = catalog.state("first", "number").await.unwrap();
    assert_eq!(first, Some(number.clone()));
    let large = catalog.state("last", "number").await.unwrap();
    assert_eq!(large, Some(number.repeat(2_000)));
    let pending = NotificationQuery {
        state: Some(DeliveryState::Pending),
        limit: 10,
        ..NotificationQuery::default()
    };
    assert_eq!(
        catalog.notifications(&pending).await.unwrap(),
        [record(last)]
    );
    let transitions = catalog
        .transitions("shop", Timestamp::MIN, Timestamp::MAX, u32::MAX)
        .await
        .unwrap();
    let numbers: Vec<u64> = transitions.iter().map(|each| each.number).collect();
    assert_eq!(numbers, (1..=last).rev().collect::<Vec<_>>());
    last
}

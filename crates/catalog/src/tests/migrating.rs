//! A catalog of version 1 becomes one of this version, whole or not at all: whoever is killed on the way, and however many
//! come at once.
//!
//! The processes are this test program, started anew with nothing but [`migrates_until_it_is_told_to_stop`] to run.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use access::{AccessStore, Change, Directory};
use sqlx::Connection;

use super::fixture::{Fixture, at, on_both};
use crate::place::Place;
use crate::schema;
use crate::writer::{Durability, Writer};
use crate::{Catalog, file};

on_both! {
    a_catalog_of_version_1_is_brought_up_to_date
    kill_9_in_the_middle_of_a_migration_leaves_the_old_version_whole
    processes_that_migrate_at_once_take_turns
}

/// Names the catalog to a process.
const PLACE: &str = "CATALOG_MIGRATION_PLACE";

/// After how many statements it waits to be killed; it opens the catalog as the program does if this is 0.
const STOP: &str = "CATALOG_MIGRATION_STOP";

/// What stands before its answers; the test harness writes lines of its own.
const SAYS: &str = "migration: ";

async fn a_catalog_of_version_1_is_brought_up_to_date(fixture: Fixture) {
    begin_as_version_1(&fixture).await;
    assert_whole(&fixture.open().await).await;
}

async fn kill_9_in_the_middle_of_a_migration_leaves_the_old_version_whole(fixture: Fixture) {
    let is_remote = fixture.url().is_some();
    let mut stop = 0;
    loop {
        stop += 1;
        let fixture = match is_remote {
            true => Fixture::on_postgres().unwrap(),
            false => Fixture::new(),
        };
        begin_as_version_1(&fixture).await;
        let mut process = Process::start(&fixture, stop);
        let said = process.answer();
        if said == "end" {
            break;
        }
        assert_eq!(said, stop.to_string());
        process.child.kill().unwrap();
        process.child.wait().unwrap();

        let mut foreign = fixture.foreign_connection().await;
        let version = schema::version(&mut foreign).await.unwrap();
        assert_eq!(version, Some(1), "killed after {stop} statements");
        foreign.close().await.unwrap();
        assert_whole(&fixture.open().await).await;
    }
    assert!(stop > 15, "only {stop} statements");
}

async fn processes_that_migrate_at_once_take_turns(fixture: Fixture) {
    begin_as_version_1(&fixture).await;
    let mut processes: Vec<Process> = (0..4).map(|_| Process::start(&fixture, 0)).collect();
    for process in &mut processes {
        assert_eq!(process.answer(), "ready");
    }
    for process in &mut processes {
        writeln!(process.child.stdin.as_mut().unwrap(), "go").unwrap();
    }
    for process in &mut processes {
        assert_eq!(process.answer(), "end");
        assert!(process.child.wait().unwrap().success());
    }
    assert_whole(&fixture.open().await).await;
}

#[tokio::test]
#[ignore = "runs until it is killed: the tests of this file start it"]
async fn migrates_until_it_is_told_to_stop() {
    let place = std::env::var(PLACE).expect("a place");
    let stop: usize = std::env::var(STOP).expect("a number").parse().unwrap();
    let is_remote = place.starts_with("postgres://");
    if stop == 0 {
        say("ready");
        std::io::stdin().lines().next().unwrap().unwrap();
        let clock = super::fixture::clock();
        let catalog = match is_remote {
            true => Catalog::connect(&place, clock).await,
            false => Catalog::open(place.as_ref(), clock).await,
        };
        catalog.unwrap();
    } else {
        let place = match is_remote {
            true => Place::server(&place).unwrap(),
            false => Place::File {
                path: std::path::Path::new(&place).join(file::FILE_NAME),
                busy_timeout: Default::default(),
            },
        };
        let writer = Writer::new(place);
        let mut transaction = writer.begin(Durability::Synced).await.unwrap();
        let mut after = |statements: usize| {
            if statements == stop {
                say(&statements.to_string());
                loop {
                    std::thread::park();
                }
            }
        };
        let result = schema::migrate(&mut transaction.connection, &mut after).await;
        let version = schema::version(&mut transaction.connection).await.unwrap();
        assert_eq!(version, Some(schema::VERSION));
        transaction.end(result).await.unwrap();
    }
    say("end");
}

fn say(what: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{SAYS}{what}").unwrap();
    out.flush().unwrap();
}

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(fixture: &Fixture, stop: usize) -> Self {
        let name = "tests::migrating::migrates_until_it_is_told_to_stop";
        let directory = fixture.directory().to_str().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--ignored", "--nocapture"])
            .env(PLACE, fixture.url().unwrap_or(directory))
            .env(STOP, stop.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn answer(&mut self) -> String {
        let said = |line: Result<String, _>| Some(line.ok()?.split_once(SAYS)?.1.to_owned());
        let answer = self.lines.by_ref().find_map(said);
        answer.expect("the process ended by itself")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What it still says is for nobody; whether it has ended already makes no difference.
        self.lines.by_ref().for_each(drop);
        let _ = self.child.wait();
    }
}

async fn begin_as_version_1(fixture: &Fixture) {
    let statements = include_str!("../../testdata/version-1.sql");
    match fixture.url() {
        None => fixture.execute(statements).await,
        // The databases write bytes in two ways.
        Some(_) => {
            let statements = statements.replace("X'0001FF'", r"'\x0001FF'");
            fixture.execute(&statements).await;
        }
    }
}

/// All that version 1 had is there, and what came later is there and empty.
async fn assert_whole(catalog: &Catalog) {
    assert_eq!(
        catalog.states("monitor").await.unwrap(),
        [("shop".to_owned(), b"\0\x01\xff".to_vec())]
    );
    let entry = catalog.notification(41).await.unwrap().unwrap();
    assert_eq!(entry.group_labels.get("alertname"), Some("Full"));
    assert_eq!(entry.alerts.len(), 2);
    assert_eq!(entry.finished_at, Some(at(1_760_000_002_500)));
    assert_eq!(catalog.last_notification_id().await.unwrap(), 42);
    let transitions = catalog
        .transitions("shop", at(0), at(i64::MAX), 10)
        .await
        .unwrap();
    assert_eq!(transitions.len(), 2);
    assert_eq!(transitions[0].cause, "connection refused");

    assert_eq!(catalog.directory().await, Ok(Directory::default()));
    let entry = super::entering::entry(1);
    assert_eq!(catalog.apply(Change::Nothing, entry).await, Ok(0));
    assert_eq!(schema::VERSION, 2);
}

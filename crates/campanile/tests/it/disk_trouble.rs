//! A disk that is full or cannot be written, and files that are gone, cut or flipped: what the program says and does.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::{Labels, Sample, Timestamp};
use reqwest::Method;
use serde_json::Value;

use crate::program::{Program, command, directory, escape, get, get_json, run, send, until};
use crate::small_disk::SmallDisk;

/// Series of each request.
const SERIES: usize = 1000;

/// Steps that a test sends at most until the disk is full.
const STEPS_MAX: i64 = 3000;

/// What each test is configured with: nothing is written but what the test sends, and blocks come soon.
const CONFIG: &str =
    "host: {enabled: false}\nself: false\nstorage: {admin_api: true}\nlimits: {memory: 64MiB}\n";

/// Sends one step after the other, and remembers which were acknowledged.
struct Sender {
    start: i64,
    acknowledged: i64,
}

impl Sender {
    fn new() -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
        Self {
            start: i64::try_from(now).unwrap() - 3600 * 1000,
            acknowledged: 0,
        }
    }

    /// Sends the next step; it comes again if it was refused.
    fn send(&mut self, program: &Program) -> (u16, String) {
        let headers = [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
            ("x-prometheus-remote-write-version", "0.1.0"),
        ];
        let step = self.acknowledged + 1;
        let url = program.url("/api/v1/write");
        let answer = send(Method::POST, &url, &headers, self.request(step));
        if matches!(answer.0, 200 | 204) {
            self.acknowledged = step;
        }
        answer
    }

    fn send_some(&mut self, program: &Program, steps: i64) {
        for _ in 0..steps {
            let (status, body) = self.send(program);
            assert!(matches!(status, 200 | 204), "{status} {body}");
        }
    }

    /// Sends until it is refused; with what.
    fn send_until_refused(&mut self, program: &Program) -> (u16, String) {
        for _ in 0..STEPS_MAX {
            let (status, body) = self.send(program);
            if !matches!(status, 200 | 204) {
                return (status, body);
            }
        }
        panic!("{STEPS_MAX} steps were taken, none was refused");
    }

    fn request(&self, step: i64) -> Vec<u8> {
        let timestamp = Timestamp::from_millis(self.start + step * 1000);
        let mut series: Vec<_> = (0..SERIES)
            .map(|index| {
                let labels = [("__name__", "noise"), ("index", &index.to_string())];
                let value = value(step, index);
                (
                    Labels::from_pairs(labels).unwrap(),
                    [Sample { timestamp, value }],
                )
            })
            .collect();
        if step == 1 {
            let gone = Labels::from_pairs([("__name__", "gone")]).unwrap();
            series.push((
                gone,
                [Sample {
                    timestamp,
                    value: 7.0,
                }],
            ));
        }
        let series = series.iter();
        let series = series.map(|(labels, samples)| (labels, samples.as_slice()));
        wire::remote_write::compress(&wire::remote_write::encode(series))
    }

    /// Every step that was acknowledged is there; one more may be, which was refused after it was written.
    fn check(&self, program: &Program) {
        let end = (self.start + self.acknowledged * 1000) as f64 / 1000.0;
        let ask = |expression: &str| {
            let query = escape(expression);
            get_json(&program.url(&format!("/api/v1/query?query={query}&time={end}")))
        };
        let expression = format!("count(count_over_time(noise[2h]) == {})", self.acknowledged);
        let answer = ask(&expression);
        let found = &answer["data"]["result"][0]["value"][1];
        assert_eq!(
            *found,
            SERIES.to_string(),
            "{} steps were acknowledged",
            self.acknowledged
        );
        for index in [0, SERIES - 1] {
            let answer = ask(&format!("noise{{index=\"{index}\"}}[2h]"));
            let samples = answer["data"]["result"][0]["values"].as_array().unwrap();
            for (step, sample) in (1..).zip(samples) {
                let found: f64 = sample[1].as_str().unwrap().parse().unwrap();
                assert_eq!(found.to_bits(), value(step, index).to_bits(), "step {step}");
            }
        }
    }
}

/// Something that does not compress.
fn value(step: i64, index: usize) -> f64 {
    let mut mixed = (step as u64) << 32 | index as u64;
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        mixed = (mixed ^ mixed >> 30).wrapping_mul(factor);
    }
    (mixed >> 12) as f64 / 1e3
}

fn serve_on(disk: &SmallDisk) -> Program {
    fs::write(disk.outside().join("campanile.yml"), CONFIG).unwrap();
    let program = Program::start_as(disk.command(&serve_command(disk.inside())));
    program.wait_until_ready();
    program
}

fn serve_command(directory: &Path) -> Command {
    let mut serve = command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log-format",
        "json",
        "--auth",
        "off",
    ]);
    serve.arg("--config").arg(directory.join("campanile.yml"));
    serve.arg("--data-dir").arg(directory.join("data"));
    serve
}

/// What is said about the store: its state, and why.
fn store_health(program: &Program) -> (String, String) {
    let (_, body) = get(&program.url("/health/detailed"));
    let health: Value = serde_json::from_str(&body).unwrap();
    let components = health["components"]
        .as_array()
        .unwrap_or_else(|| panic!("{health}"));
    let store = components.iter().find(|part| part["component"] == "store");
    let text = |name: &str| store.unwrap()[name].as_str().unwrap().to_owned();
    (text("status"), text("reason"))
}

/// The log lines that need a person.
fn errors(program: &Program) -> Vec<String> {
    let lines = [program.passed_over().to_vec(), program.new_lines()].concat();
    let serious = lines.iter().filter(|line| line["level"] == "error");
    serious.map(Value::to_string).collect()
}

#[test]
fn a_full_disk_stops_samples_and_nothing_else_until_there_is_room_again() {
    let Some(disk) = SmallDisk::create(64) else {
        return;
    };
    let program = serve_on(&disk);
    let mut sender = Sender::new();
    sender.send_some(&program, 20);
    for free in [7 << 20, 0] {
        // In the second round it is full from one moment to the next.
        disk.leave_free(free);
        let (status, body) = sender.send_until_refused(&program);
        eprintln!(
            "refused after {} steps: {status} {}",
            sender.acknowledged,
            body.trim()
        );
        assert_eq!(status, 503, "{body}");
        assert!(
            body.contains("full") || body.contains("No space left"),
            "{body}"
        );
        let (state, reason) = store_health(&program);
        eprintln!("health: {state}: {reason}");
        assert_eq!(state, "unhealthy");
        assert!(
            reason.contains("full") || reason.contains("No space left"),
            "{reason}"
        );
        assert_eq!(get(&program.url("/health/ready")).0, 503);
        assert_eq!(get(&program.url("/health/live")).0, 200);
        sender.check(&program);
        disk.make_room();
        until("samples are taken again", || sender.send(&program).0 < 300);
        until("the store is healthy", || {
            store_health(&program).0 == "healthy"
        });
        sender.send_some(&program, 20);
        sender.check(&program);
    }
    for line in errors(&program) {
        eprintln!("logged: {line}");
    }
    program.kill();
    sender.check(&serve_on(&disk));
}

#[test]
fn a_directory_that_cannot_be_written_is_named_at_the_start() {
    let Some(disk) = SmallDisk::create(16) else {
        return;
    };
    fs::write(disk.outside().join("campanile.yml"), CONFIG).unwrap();
    disk.run(&format!("mount -o remount,ro {}", disk.inside().display()));
    let output = disk
        .command(&serve_command(disk.inside()))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    eprintln!("{said}");
    assert_eq!(output.status.code(), Some(73), "{said}");
    assert!(
        said.contains("data") && said.contains("Read-only file system"),
        "{said}"
    );
}

#[test]
fn a_directory_that_cannot_be_written_any_more_stops_samples_until_it_can() {
    let Some(disk) = SmallDisk::create(256) else {
        return;
    };
    let program = serve_on(&disk);
    let mut sender = Sender::new();
    sender.send_some(&program, 20);
    let directories = ["wal", "blocks"].map(|name| disk.inside().join("data").join(name));
    for directory in &directories {
        let directory = directory.display();
        disk.run(&format!(
            "mount --bind {directory} {directory} && mount -o remount,bind,ro {directory}"
        ));
    }
    // Files that are open can still be written; the next ones cannot be created.
    let (status, body) = sender.send_until_refused(&program);
    eprintln!(
        "refused after {} steps: {status} {}",
        sender.acknowledged,
        body.trim()
    );
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("Read-only file system"), "{body}");
    let (state, reason) = store_health(&program);
    eprintln!("health: {state}: {reason}");
    assert!(
        state != "healthy" && reason.contains("Read-only file system"),
        "{state} {reason}"
    );
    sender.check(&program);
    for directory in &directories {
        disk.run(&format!("umount {}", directory.display()));
    }
    until("samples are taken again", || sender.send(&program).0 < 300);
    until("the store is healthy", || {
        store_health(&program).0 == "healthy"
    });
    sender.send_some(&program, 20);
    sender.check(&program);
    program.kill();
    sender.check(&serve_on(&disk));
}

/// Milliseconds between the steps in the block and those in the log.
const PAUSE: i64 = 1800 * 1000;

/// A stopped store: steps 1 to 10 of each series in a block, 11 to 20 in the log, and another series deleted.
struct Stopped {
    directory: tempfile::TempDir,
    sender: Sender,
}

impl Stopped {
    fn new() -> Self {
        let directory = directory();
        let mut sender = Sender::new();
        let program = serve_in(directory.path());
        sender.send_some(&program, 10);
        let delete = program.url("/api/v1/admin/tsdb/delete_series?match[]=gone");
        let (status, body) = send(Method::POST, &delete, &[], Vec::new());
        assert_eq!(status, 204, "{body}");
        sender.start += PAUSE;
        sender.send_some(&program, 10);
        program.kill();
        Self { directory, sender }
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The largest of the store's files with such a name.
    fn file(&self, below: &str, ending: &str) -> PathBuf {
        let directory = self.directory().join("data").join(below);
        let files = fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.to_str().unwrap().ends_with(ending));
        files
            .max_by_key(|path| fs::metadata(path).unwrap().len())
            .unwrap()
    }

    /// How many steps each series has, by `count_over_time`, and whether the deleted series is back.
    fn answers(&self, program: &Program) -> (Vec<u64>, bool) {
        let end = (self.sender.start + 20_000) as f64 / 1000.0;
        let ask = |expression: &str| {
            let query = escape(expression);
            get_json(&program.url(&format!("/api/v1/query?query={query}&time={end}")))
        };
        let answer = ask("count_over_time(noise[2h])");
        let series = answer["data"]["result"].as_array().unwrap().clone();
        let count = |series: &Value| series["value"][1].as_str().unwrap().parse().unwrap();
        let back = ask("count_over_time(gone[2h])")["data"]["result"][0].is_object();
        (series.iter().map(count).collect(), back)
    }
}

fn serve_in(directory: &Path) -> Program {
    fs::write(directory.join("campanile.yml"), CONFIG).unwrap();
    let program = Program::start_as(serve_command(directory));
    program.wait_until_ready();
    program
}

fn storage(command: &str, directory: &Path) -> (Option<i32>, String) {
    let data = directory.join("data");
    let output = run(&["storage", command, "--data-dir", data.to_str().unwrap()]);
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Prints what is said at the start, in `/health/detailed` and by `verify` and `repair`.
fn said(what: &str, stopped: &Stopped) -> (Program, String) {
    let (code, verified) = storage("verify", stopped.directory());
    let broken = verified
        .lines()
        .filter(|line| line.contains("BROKEN") || line.starts_with("    "));
    let broken: Vec<_> = broken
        .map(|line| line.rsplit('/').next().unwrap())
        .collect();
    eprintln!("== {what}\nverify {code:?}: {broken:?}");
    let program = serve_in(stopped.directory());
    let logged = errors(&program);
    for line in &logged {
        eprintln!("logged: {line}");
    }
    let (state, reason) = store_health(&program);
    eprintln!("health: {state}: {reason}");
    (
        program,
        [logged.join("\n"), state, reason, verified].join("\n"),
    )
}

/// Each series has lost some of its steps, and nothing deleted is back.
fn some_steps_are_left(stopped: &Stopped, program: &Program, left: Range<u64>) {
    let (steps, back) = stopped.answers(program);
    eprintln!("steps that are left: {}, {}", steps[0], steps[SERIES - 1]);
    assert!(
        steps.iter().all(|steps| left.contains(steps)) && !back,
        "{steps:?}"
    );
}

#[test]
fn a_block_that_is_gone_takes_its_own_samples_only() {
    let stopped = Stopped::new();
    fs::remove_file(stopped.file("blocks", ".block")).unwrap();
    let (program, _) = said("a deleted block", &stopped);
    assert_eq!(stopped.answers(&program), (vec![10; SERIES], false));
}

#[test]
fn a_log_that_was_cut_is_read_as_far_as_it_goes() {
    let stopped = Stopped::new();
    let log = stopped.file("wal", ".wal");
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() / 2]).unwrap();
    let (program, _) = said("a truncated log", &stopped);
    some_steps_are_left(&stopped, &program, 12..20);
}

#[test]
fn flipped_bits_in_a_block_take_what_they_hit_and_a_repair_saves_the_rest() {
    let stopped = Stopped::new();
    // In its first page, which is one of values.
    flip(&stopped.file("blocks", ".block"), |_| 1000);
    let (program, _) = said("a flipped bit in the values of a block", &stopped);
    // What needs the page is answered with an error that names it; what does not, as ever.
    let end = (stopped.sender.start + 20_000) as f64 / 1000.0;
    let query = |expression: &str| {
        get(&program.url(&format!(
            "/api/v1/query?query={}&time={end}",
            escape(expression)
        )))
    };
    let (status, body) = query("count_over_time(noise[2h])");
    eprintln!("all series: {status} {}", &body[..body.len().min(300)]);
    assert!(status >= 500 && body.contains("damaged"), "{status} {body}");
    let (status, body) = query("count_over_time(noise[5s])");
    assert_eq!(status, 200, "{body}");
    let (state, reason) = store_health(&program);
    eprintln!("health: {state}: {reason}");
    assert!(
        state == "degraded" && reason.contains("damaged"),
        "{state} {reason}"
    );
    program.kill();
    let (code, repaired) = storage("repair", stopped.directory());
    eprintln!("repair {code:?}: {repaired}");
    assert!(
        code == Some(0) && repaired.contains("written anew"),
        "{repaired}"
    );
    let program = serve_in(stopped.directory());
    let (steps, back) = stopped.answers(&program);
    let whole = steps.iter().filter(|steps| **steps == 20).count();
    eprintln!("series with all steps after the repair: {whole} of {SERIES}");
    assert!(steps.len() == SERIES && steps.iter().all(|steps| *steps >= 10) && !back);
    assert_eq!(store_health(&program).0, "healthy");
}

#[test]
fn a_block_without_an_end_is_set_aside() {
    let stopped = Stopped::new();
    flip(&stopped.file("blocks", ".block"), |length| length - 12);
    let (program, text) = said("a flipped bit in the end of a block", &stopped);
    assert!(
        text.contains("degraded") && text.contains("set aside"),
        "{text}"
    );
    assert_eq!(stopped.answers(&program), (vec![10; SERIES], false));
}

#[test]
fn flipped_bits_in_a_log_take_what_they_hit() {
    let stopped = Stopped::new();
    flip(&stopped.file("wal", ".wal"), |length| length / 2);
    let (program, text) = said("a flipped bit in a log", &stopped);
    assert!(
        text.contains("a broken part of the log was skipped"),
        "{text}"
    );
    some_steps_are_left(&stopped, &program, 10..20);
}

#[test]
fn flipped_bits_in_the_list_of_deletions_bring_back_what_was_deleted_and_say_so() {
    let stopped = Stopped::new();
    flip(&stopped.file("blocks", "tombstones"), |length| length / 2);
    let (program, text) = said("a flipped bit in the tombstones", &stopped);
    assert!(text.contains("deleted samples may be back"), "{text}");
    assert_eq!(stopped.answers(&program), (vec![20; SERIES], true));
}

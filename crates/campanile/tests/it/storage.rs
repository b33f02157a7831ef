//! `campanile storage`: beside a running server, on a damaged store, and on what is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use reqwest::Method;
use serde_json::Value;

use crate::program::{Program, directory, query_value, run, send};

/// Runs a server in `data` that stores some samples; it is killed when it is dropped.
fn serve(data: &Path) -> Program {
    let config = data.join("campanile.yml");
    fs::write(&config, "host: {enabled: false}\nself: false\n").unwrap();
    let program = Program::start(data, &["--config", config.to_str().unwrap()]);
    program.wait_until_ready();
    let series: Vec<String> = (0..200)
        .map(|number| {
            format!(r#"{{"name":"orders","type":"gauge","value":{number}.5,"labels":{{"shop":"{number}"}}}}"#)
        })
        .collect();
    let body = format!(r#"{{"metrics":[{}]}}"#, series.join(","));
    let json = [("content-type", "application/json")];
    let url = program.url("/api/v1/metrics/batch");
    let (status, answer) = send(Method::POST, &url, &json, body.into_bytes());
    assert_eq!(status, 201, "{answer}");
    program
}

fn storage(command: &str, data: &Path) -> Output {
    run(&["storage", command, "--data-dir", data.to_str().unwrap()])
}

fn shown(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(text).unwrap()
}

/// The files of the store, as `inspect --json` tells them.
fn inspected(data: &Path) -> Vec<Value> {
    let data = data.to_str().unwrap();
    let output = run(&["storage", "inspect", "--json", "--data-dir", data]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The largest file of the store.
fn largest(data: &Path) -> PathBuf {
    let files = inspected(data).into_iter();
    let largest = files.max_by_key(|file| file["bytes"].as_u64()).unwrap();
    PathBuf::from(largest["path"].as_str().unwrap())
}

#[test]
fn a_running_server_s_files_are_examined_and_not_repaired() {
    let data = directory();
    let program = serve(data.path());
    let verified = storage("verify", data.path());
    assert_eq!(verified.status.code(), Some(0), "{}", shown(&verified));
    assert!(shown(&verified).contains("none is broken"));
    let files = inspected(data.path());
    assert!(files.iter().all(|file| file["sound"] == true), "{files:?}");
    let samples = files.iter().map(|file| &file["details"]["samples"]);
    assert!(
        samples.clone().any(|count| count == "200"),
        "{:?}",
        samples.collect::<Vec<_>>()
    );
    let repaired = storage("repair", data.path());
    assert_eq!(repaired.status.code(), Some(1));
    assert!(
        shown(&repaired).contains("in use by another server"),
        "{}",
        shown(&repaired)
    );
    assert_eq!(query_value(&program, "count(orders)"), Some(200.0));
}

#[test]
fn a_damaged_file_is_found_and_the_store_opens_after_a_repair() {
    let data = directory();
    serve(data.path()).kill();
    let file = largest(data.path());
    let mut bytes = fs::read(&file).unwrap();
    bytes[..8].fill(0);
    fs::write(&file, bytes).unwrap();

    let verified = storage("verify", data.path());
    assert_eq!(verified.status.code(), Some(1), "{}", shown(&verified));
    let broken = format!("{}: ", file.display());
    assert!(
        shown(&verified).contains(&broken) && shown(&verified).contains("BROKEN"),
        "{}",
        shown(&verified)
    );
    let inspected = run(&["storage", "inspect", file.to_str().unwrap()]);
    assert!(
        shown(&inspected).contains("    broken: "),
        "{}",
        shown(&inspected)
    );
    let repaired = storage("repair", data.path());
    assert!(shown(&repaired).contains(&broken), "{}", shown(&repaired));
    let program = serve(data.path());
    assert_eq!(query_value(&program, "count(orders)"), Some(200.0));
}

#[test]
fn a_directory_without_a_store_is_an_error() {
    let empty = directory();
    for command in ["verify", "inspect", "repair"] {
        let output = storage(command, empty.path());
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(
            shown(&output).contains("no store is there"),
            "{}",
            shown(&output)
        );
    }
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn a_file_outside_the_store_is_not_repaired() {
    let (data, elsewhere) = (directory(), directory());
    serve(data.path()).kill();
    let file = elsewhere.path().join("00000001.wal");
    fs::write(&file, "no log").unwrap();
    let data = data.path().to_str().unwrap();
    let output = run(&[
        "storage",
        "repair",
        "--data-dir",
        data,
        file.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(shown(&output).contains("is not in"), "{}", shown(&output));
}

//! The program ends when it is told to, keeps what it has, and its exit code says why it ended.

use std::time::Duration;

use reqwest::Method;

use crate::program::{Program, command, directory, query_value, send};

#[test]
fn sigterm_ends_it_in_order_and_nothing_is_lost() {
    let data = directory();
    let mut program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    let body = br#"{"name": "kept", "type": "gauge", "value": 7}"#.to_vec();
    let json = [("content-type", "application/json")];
    let (status, answer) = send(
        Method::POST,
        &program.url("/api/v1/metrics/ingest"),
        &json,
        body,
    );
    assert_eq!((status, answer.as_str()), (201, r#"{"accepted":1}"#));
    program.signal("TERM");
    let stopped = program.wait_for_event("stopped");
    assert_eq!(stopped["reason"], "SIGTERM");
    assert_eq!(program.wait().code(), Some(0));

    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    assert_eq!(query_value(&program, "kept"), Some(7.0));
}

#[test]
fn a_second_server_on_one_data_directory_is_refused() {
    let data = directory();
    let _first = Program::start(data.path(), &[]);
    let second = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data.path())
        .output();
    let second = second.unwrap();
    assert_eq!(second.status.code(), Some(73));
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(
        message.contains("another") && message.contains("lock"),
        "{message}"
    );
}

#[test]
fn an_address_in_use_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let data = directory();
    let output = command(&["serve", "--listen", &address, "--data-dir"])
        .arg(data.path())
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(69));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&address), "{message}");
}

#[test]
fn a_client_that_never_finishes_its_request_does_not_hold_up_the_end() {
    use std::io::Write as _;
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    let address = program.url("").replace("http://", "");
    let mut slow = std::net::TcpStream::connect(address).unwrap();
    slow.write_all(b"POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")
        .unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn a_reload_that_waits_for_its_file_does_not_hold_up_the_end() {
    let data = directory();
    let config = data.path().join("campanile.yml");
    std::fs::write(&config, "self: false\n").unwrap();
    let mut program = Program::start(data.path(), &["--config", config.to_str().unwrap()]);
    program.wait_until_ready();
    std::fs::remove_file(&config).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&config).status();
    assert!(made.unwrap().success());
    program.signal("HUP");
    program.signal("TERM");
    program.wait_for_event("stopped");
    assert_eq!(program.wait().code(), Some(0));
}

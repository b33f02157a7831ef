//! Who is let in: users and tokens that commands make beside a running server, and what survives its death.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use base64::Engine as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::program::{
    Program, command, directory, get, run, run_with_input, send, send_for_answer, until,
};
use crate::terminal::OnTerminal;

pub(crate) const PASSWORD: &str = "correct horse battery";
const METRIC: &str = r#"{"name": "orders", "type": "gauge", "value": 7}"#;

/// The header of a login with user and password.
pub(crate) fn basic(user: &str, password: &str) -> String {
    let login = format!("{user}:{password}");
    let code = base64::engine::general_purpose::STANDARD.encode(login);
    format!("Basic {code}")
}

/// The status of a GET request with such a header.
pub(crate) fn status(program: &Program, path: &str, authorization: &str) -> u16 {
    let headers = [("authorization", authorization)];
    send(Method::GET, &program.url(path), &headers, Vec::new()).0
}

/// Adds a user by the command line.
pub(crate) fn add_user(data: &Path, name: &str, role: &str) {
    let output = run_with_input(
        &[
            "user",
            "add",
            name,
            "--role",
            role,
            "--password-stdin",
            "--data-dir",
            data.to_str().unwrap(),
        ],
        &format!("{PASSWORD}\n"),
    );
    assert!(output.status.success(), "{output:?}");
}

/// Makes a token by the command line.
pub(crate) fn token(data: &Path, arguments: &[&str]) -> String {
    let output = command(&["token", "create"])
        .args(arguments)
        .arg("--data-dir")
        .arg(data)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let token = String::from_utf8(output.stdout).unwrap();
    assert!(
        token.starts_with("cmp_") && token.lines().count() == 1,
        "{token}"
    );
    assert!(
        !String::from_utf8(output.stderr)
            .unwrap()
            .contains(token.trim())
    );
    token.trim().to_owned()
}

fn user(data: &Path, arguments: &[&str]) -> String {
    let output = command(&["user"])
        .args(arguments)
        .arg("--data-dir")
        .arg(data)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn push(program: &Program, authorization: &str) -> u16 {
    let headers = [
        ("authorization", authorization),
        ("content-type", "application/json"),
    ];
    let url = program.url("/api/v1/metrics/ingest");
    send(Method::POST, &url, &headers, METRIC.into()).0
}

#[test]
fn what_commands_change_beside_a_running_server_holds_at_once() {
    let data = directory();
    let program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    assert_eq!(get(&program.url("/api/v1/query?query=up")).0, 401);
    add_user(data.path(), "root", "admin");
    add_user(data.path(), "ann", "viewer");
    let ann = basic("ann", PASSWORD);
    until("ann is known", || {
        status(&program, "/api/v1/query?query=up", &ann) == 200
    });
    assert_eq!(push(&program, &ann), 403);

    user(data.path(), &["role", "ann", "editor"]);
    until("ann is an editor", || push(&program, &ann) == 201);
    user(data.path(), &["disable", "ann"]);
    until("ann is kept out", || push(&program, &ann) == 401);
    user(data.path(), &["enable", "ann"]);
    until("ann is let in again", || push(&program, &ann) == 201);

    let passwd = [
        "user",
        "passwd",
        "ann",
        "--password-stdin",
        "--data-dir",
        data.path().to_str().unwrap(),
    ];
    let output = run_with_input(&passwd, "another horse battery\n");
    assert!(output.status.success(), "{output:?}");
    let anew = basic("ann", "another horse battery");
    until("the new password counts", || push(&program, &anew) == 201);
    assert_eq!(push(&program, &ann), 401);

    let list = user(data.path(), &["list"]);
    assert!(list.contains("ann   editor  password  enabled"), "{list}");
    assert!(!list.contains("argon2"), "{list}");
    user(data.path(), &["remove", "ann"]);
    until("ann is gone", || push(&program, &anew) == 401);

    let root = [("authorization", &*basic("root", PASSWORD))];
    let (_, audit) = send(
        Method::GET,
        &program.url("/api/v1/audit?limit=100"),
        &root,
        Vec::new(),
    );
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let actions: Vec<&str> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["who"] == "command line" && entry["object"] == "user:ann")
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    let expected = [
        "user.remove",
        "user.password",
        "user.enable",
        "user.disable",
        "user.role",
        "user.add",
    ];
    assert_eq!(actions, expected, "{audit}");
    assert!(!audit.to_string().contains("argon2"));
}

#[test]
fn who_gets_the_name_of_somebody_who_left_gets_no_more_than_that() {
    let data = directory();
    let program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    add_user(data.path(), "root", "admin");
    add_user(data.path(), "ann", "viewer");
    let login = json!({"username": "ann", "password": PASSWORD}).to_string();
    let headers = [("content-type", "application/json")];
    let url = program.url("/auth/login");
    let mut bearer = String::new();
    until("ann has logged in", || {
        let (status, body) = send(Method::POST, &url, &headers, login.clone().into());
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap_or(""));
        status == 200
    });
    let path = "/api/v1/query?query=up";
    assert_eq!(status(&program, path, &bearer), 200);
    user(data.path(), &["remove", "ann"]);
    until("ann is gone", || status(&program, path, &bearer) == 401);
    add_user(data.path(), "ann", "admin");
    let namesake = basic("ann", PASSWORD);
    until("another ann is known", || {
        status(&program, path, &namesake) == 200
    });
    assert_eq!(status(&program, path, &bearer), 401);
}

#[test]
fn a_token_does_its_one_job_until_it_is_revoked() {
    let data = directory();
    let program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    let ingest = token(
        data.path(),
        &["agent", "--scope", "ingest", "--expires", "90d"],
    );
    let query = token(data.path(), &["grafana", "--scope", "query"]);
    let (ingest, query) = (format!("Bearer {ingest}"), format!("Bearer {query}"));
    until("the tokens are known", || push(&program, &ingest) == 201);
    assert_eq!(status(&program, "/api/v1/query?query=orders", &ingest), 403);
    until("both are known", || {
        status(&program, "/api/v1/query?query=orders", &query) == 200
    });
    assert_eq!(push(&program, &query), 403);

    let list = command(&["token", "list", "--data-dir"])
        .arg(data.path())
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let row = list.lines().find(|row| row.contains("agent")).unwrap();
    let id = row.split_whitespace().next().unwrap();
    let revoke = command(&["token", "revoke", id, "--data-dir"])
        .arg(data.path())
        .output();
    assert!(revoke.unwrap().status.success());
    until("it is revoked", || push(&program, &ingest) == 401);
    assert_eq!(status(&program, "/api/v1/query?query=orders", &query), 200);
}

#[test]
fn commands_say_what_is_wrong_and_change_nothing() {
    let data = directory();
    add_user(data.path(), "root", "admin");
    let place = data.path().to_str().unwrap();
    for (arguments, words) in [
        (
            vec!["user", "add", "root", "--role", "admin"],
            "exists already",
        ),
        (
            vec!["user", "add", "a b", "--role", "admin"],
            "a name has no ' '",
        ),
        (
            vec!["user", "add", "bob", "--role", "king"],
            "viewer, editor and admin",
        ),
        (
            vec!["user", "add", "bob", "--role", "viewer"],
            "--password-stdin",
        ),
        (vec!["user", "remove", "root"], "another admin first"),
        (vec!["user", "disable", "root"], "another admin first"),
        (
            vec!["user", "role", "rot", "viewer"],
            "did you mean \"root\"?",
        ),
        (
            vec!["token", "create", "t", "--scope", "all"],
            "ingest, query, viewer",
        ),
        (
            vec![
                "token",
                "create",
                "t",
                "--scope",
                "ingest",
                "--expires",
                "soon",
            ],
            "--expires",
        ),
        (vec!["token", "revoke", "nothing"], "there is no token"),
    ] {
        let output = run(&[arguments.clone(), vec!["--data-dir", place]].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.contains(words), "{arguments:?}: {message}");
    }
    let before = user(data.path(), &["list"]);
    let short = [
        "user",
        "passwd",
        "root",
        "--password-stdin",
        "--data-dir",
        place,
    ];
    let output = run_with_input(&short, "1234567\n");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && !message.contains("1234567"),
        "{message}"
    );
    assert_eq!(user(data.path(), &["list"]), before);
    let nowhere = directory();
    let output = run(&[
        "user",
        "list",
        "--data-dir",
        nowhere.path().to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(std::fs::read_dir(nowhere.path()).unwrap().next().is_none());
}

#[test]
fn at_a_terminal_a_password_is_asked_for_twice_and_never_shown() {
    let data = directory();
    let add = || {
        let mut add = command(&["user", "add", "ann", "--role", "admin", "--data-dir"]);
        add.arg(data.path());
        OnTerminal::start(add)
    };
    let mut program = add();
    program.wait_for("Password: ", 1);
    program.type_in(&format!("{PASSWORD}\n"));
    program.wait_for("The same again: ", 1);
    program.type_in("something else\n");
    let (ended, screen) = program.wait_and_see("differ");
    assert_eq!(ended.code(), Some(1), "{screen}");
    assert!(
        !screen.contains(PASSWORD) && !screen.contains("something else"),
        "{screen}"
    );

    let mut program = add();
    program.wait_for("Password: ", 1);
    program.type_in("correct hoXs\x7f\x7frse battery\n");
    program.wait_for("The same again: ", 1);
    program.type_in(&format!("{PASSWORD}\n"));
    let (ended, screen) = program.wait_and_see("was added");
    assert_eq!(ended.code(), Some(0), "{screen}");
    assert!(!screen.contains("battery"), "{screen}");

    let mut program = add();
    program.wait_for("exists already", 1);
    program.type_in("\n");
    assert_eq!(program.wait().0.code(), Some(1));

    let server = Program::start_guarded(data.path(), &[]);
    server.wait_until_ready();
    assert_eq!(status(&server, "/auth/me", &basic("ann", PASSWORD)), 200);
}

#[test]
fn kill_9_ends_no_session_and_brings_no_revoked_token_back() {
    let data = directory();
    add_user(data.path(), "ann", "editor");
    let good = format!(
        "Bearer {}",
        token(data.path(), &["good", "--scope", "ingest"])
    );
    let bad = token(data.path(), &["bad", "--scope", "ingest"]);
    let program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    let json = [
        ("content-type", "application/json"),
        ("x-requested-with", "campanile"),
    ];
    let login = json!({"username": "ann", "password": PASSWORD}).to_string();
    let (code, pair) = send(
        Method::POST,
        &program.url("/auth/login"),
        &json,
        login.clone().into(),
    );
    assert_eq!(code, 200, "{pair}");
    let pair: Value = serde_json::from_str(&pair).unwrap();
    let session = send_for_answer(
        Method::POST,
        &program.url("/auth/session"),
        &json,
        login.into(),
    );
    assert_eq!(session.status, 204, "{}", session.body);
    let cookie = session
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let bad_header = format!("Bearer {bad}");
    assert_eq!(push(&program, &bad_header), 201);
    let revoke = command(&["token", "revoke", &bad, "--data-dir"])
        .arg(data.path())
        .output();
    assert!(revoke.unwrap().status.success());
    until("it is revoked", || push(&program, &bad_header) == 401);
    program.kill();

    let program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    assert_eq!(push(&program, &good), 201);
    assert_eq!(push(&program, &bad_header), 401);
    let access = format!("Bearer {}", pair["access_token"].as_str().unwrap());
    assert_eq!(
        push(&program, &access),
        201,
        "the key that signed it is kept"
    );
    let cookie = [("cookie", cookie.as_str())];
    assert_eq!(
        send(Method::GET, &program.url("/auth/me"), &cookie, Vec::new()).0,
        200
    );
    let refresh = json!({"refresh_token": pair["refresh_token"]}).to_string();
    let again = || {
        send(
            Method::POST,
            &program.url("/auth/refresh"),
            &json,
            refresh.clone().into(),
        )
    };
    assert_eq!(again().0, 200);
    assert_eq!(again().0, 401, "each refresh token is used once");
}

#[test]
fn the_command_line_shows_a_server_who_asks() {
    let data = directory();
    add_user(data.path(), "ann", "viewer");
    let query = token(data.path(), &["q", "--scope", "query"]);
    let program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    let server = program.url("");
    let ask = |server: &str, more: &[&str]| {
        let first = ["query", "instant", "vector(6)", "--server", server];
        let output = run(&[&first, more].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), message)
    };
    let (is_good, message) = ask(&server, &[]);
    assert!(!is_good && message.contains("--token"), "{message}");
    assert!(ask(&server, &["--token", &query]).0);
    let login = |password: &str| {
        let password = password.replace(' ', "%20");
        server.replace("http://", &format!("http://ann:{password}@"))
    };
    assert!(ask(&login(PASSWORD), &[]).0);
    let (is_good, message) = ask(&login("wr0ng-password"), &[]);
    assert!(!is_good && !message.contains("wr0ng"), "{message}");

    let output = run(&["health", "--server", &server]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "whether it is well is no secret"
    );
    let output = run(&["health", "--server", &login(PASSWORD)]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("\nstore "), "{said}");
}

#[test]
fn at_the_end_readiness_goes_first_and_requests_are_finished() {
    let directory = directory();
    let config = directory.path().join("campanile.yml");
    std::fs::write(&config, "shutdown_delay: 3s\nhost: {enabled: false}\n").unwrap();
    let mut program = Program::start(
        &directory.path().join("data"),
        &["--config", config.to_str().unwrap()],
    );
    program.wait_until_ready();
    let address = program.url("").replace("http://", "");
    let mut slow = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /api/v1/metrics/ingest HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        METRIC.len()
    );
    slow.write_all(head.as_bytes()).unwrap();
    program.signal("TERM");
    until("it is no longer ready", || {
        get(&program.url("/-/ready")).0 == 503
    });
    // Whoever has not heard of it yet is served.
    assert_eq!(get(&program.url("/api/v1/query?query=vector(1)")).0, 200);
    slow.write_all(METRIC.as_bytes()).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let stopped = program.wait_for_event("stopped");
    assert_eq!(
        stopped["reason"], "SIGTERM",
        "the log is written to its end"
    );
    assert_eq!(program.wait().code(), Some(0));
}

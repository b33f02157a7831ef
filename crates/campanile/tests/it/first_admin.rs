//! The first start: how the first admin comes in.

use std::path::Path;

use reqwest::Method;
use serde_json::Value;

use crate::access::{basic, status};
use crate::program::{
    Program, command, directory, run_with_input, send, send_for_answer, serve, until,
};
use crate::terminal::OnTerminal;

const PASSWORD: &str = "correct horse battery";

fn start(data: &Path, variable: &str, value: &str) -> Program {
    let mut serve = serve(data);
    serve.env(variable, value);
    let program = Program::start_as(serve);
    program.wait_until_ready();
    program
}

fn is_let_in(program: &Program, password: &str) -> bool {
    status(program, "/auth/me", &basic("admin", password)) == 200
}

#[test]
fn a_password_of_the_environment_is_the_first_admin_s_and_changes_nothing_later() {
    let data = directory();
    let program = start(data.path(), "CAMPANILE_ADMIN_PASSWORD", PASSWORD);
    assert!(is_let_in(&program, PASSWORD));
    assert!(!is_let_in(&program, "wrong horse battery"));
    let log = format!("{:?}{:?}", program.passed_over(), program.new_lines());
    assert!(
        !log.contains(PASSWORD) && !log.contains("/auth/link/"),
        "{log}"
    );
    program.kill();

    let program = start(
        data.path(),
        "CAMPANILE_ADMIN_PASSWORD",
        "another horse battery",
    );
    assert!(is_let_in(&program, PASSWORD));
    assert!(!is_let_in(&program, "another horse battery"));
}

#[test]
fn a_password_of_a_file_is_the_first_admin_s() {
    let directory = directory();
    let file = directory.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let data = directory.path().join("data");
    let program = start(
        &data,
        "CAMPANILE_ADMIN_PASSWORD_FILE",
        file.to_str().unwrap(),
    );
    assert!(is_let_in(&program, PASSWORD));
}

#[test]
fn a_password_that_cannot_be_used_is_refused_before_anything_starts() {
    let directory = directory();
    let missing = directory.path().join("missing");
    let missing = missing.to_str().unwrap();
    for variables in [
        vec![("CAMPANILE_ADMIN_PASSWORD", "short")],
        vec![("CAMPANILE_ADMIN_PASSWORD_FILE", missing)],
        vec![
            ("CAMPANILE_ADMIN_PASSWORD", PASSWORD),
            ("CAMPANILE_ADMIN_PASSWORD_FILE", missing),
        ],
    ] {
        let mut serve = serve(&directory.path().join("data"));
        let output = serve.envs(variables.clone()).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{variables:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(variables[0].0), "{message}");
        assert!(
            !message.contains("short\"") && !message.contains(PASSWORD),
            "{message}"
        );
    }
}

#[test]
fn without_a_terminal_and_a_password_the_log_says_once_what_to_do() {
    let data = directory();
    let mut program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    program.signal("TERM");
    program.wait_for_event("stopped");
    let log: Vec<String> = program.passed_over().iter().map(Value::to_string).collect();
    let told: Vec<&String> = log
        .iter()
        .filter(|line| line.contains("nobody can log in"))
        .collect();
    assert_eq!(told.len(), 1, "{log:#?}");
    let command = format!(
        "campanile user add admin --role admin --password-stdin --data-dir {}",
        data.path().display()
    );
    assert!(
        told[0].contains(&command) && told[0].contains("CAMPANILE_ADMIN_PASSWORD"),
        "{told:?}"
    );
    assert!(
        log.iter().all(|line| !line.contains("/auth/link/")),
        "{log:#?}"
    );

    // What it says is right.
    let output = run_with_input(
        &[
            "user",
            "add",
            "admin",
            "--role",
            "admin",
            "--password-stdin",
            "--data-dir",
            data.path().to_str().unwrap(),
        ],
        PASSWORD,
    );
    assert!(output.status.success(), "{output:?}");
    drop(program);
    let program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    assert!(is_let_in(&program, PASSWORD));
}

fn serve_on_terminal(data: &Path) -> OnTerminal {
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    serve.arg(data);
    OnTerminal::start(serve)
}

#[test]
fn at_a_terminal_a_link_is_shown_that_is_good_once() {
    let data = directory();
    let program = serve_on_terminal(data.path());
    program.wait_for("/auth/link/", 1);
    program.wait_for("It is good once, for 24 hours", 1);
    let screen = program.screen();
    let link = screen
        .split_whitespace()
        .find(|word| word.contains("/auth/link/"));
    let link = link.unwrap().to_owned();
    let (server, _) = link.split_once("/auth/link/").unwrap();
    until("it answers", || {
        send(Method::GET, &format!("{server}/-/ready"), &[], Vec::new()).0 == 200
    });

    let answer = send_for_answer(Method::GET, &link, &[], Vec::new());
    assert_eq!(answer.status, 303, "{}", answer.body);
    let cookie = answer
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let cookie = [
        ("cookie", cookie.as_str()),
        ("x-requested-with", "campanile"),
        ("content-type", "application/json"),
    ];
    let (code, me) = send(
        Method::GET,
        &format!("{server}/auth/me"),
        &cookie,
        Vec::new(),
    );
    let me: Value = serde_json::from_str(&me).unwrap();
    assert_eq!(
        (code, &me["name"], &me["role"]),
        (200, &Value::from("admin"), &Value::from("admin"))
    );
    assert_eq!(me["must_set_password"], true);
    let again = send_for_answer(Method::GET, &link, &[], Vec::new());
    assert_ne!(again.status, 303, "the link is good once");

    let body = serde_json::json!({"new_password": PASSWORD}).to_string();
    let (code, answer) = send(
        Method::PUT,
        &format!("{server}/auth/password"),
        &cookie,
        body.into_bytes(),
    );
    assert_eq!(code, 204, "{answer}");
    let authorization = basic("admin", PASSWORD);
    let header = [("authorization", authorization.as_str())];
    assert_eq!(
        send(
            Method::GET,
            &format!("{server}/auth/me"),
            &header,
            Vec::new()
        )
        .0,
        200
    );
    drop(program);

    let program = serve_on_terminal(data.path());
    program.wait_for("listening", 1);
    let address = program.screen();
    let page = address
        .split_whitespace()
        .find_map(|word| word.strip_prefix("page="))
        .unwrap();
    until("it is ready", || {
        send(Method::GET, &format!("{page}-/ready"), &[], Vec::new()).0 == 200
    });
    assert!(
        !program.screen().contains("/auth/link/"),
        "somebody can log in by now"
    );
}

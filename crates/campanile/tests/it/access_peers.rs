//! Programs of others come in with credentials, and not with wrong ones: promtool, curl, Prometheus, Grafana.

use std::process::Command;

use reqwest::Method;

use crate::access::{PASSWORD, add_user, basic, token};
use crate::peer::{Peer, free_port, installed};
use crate::program::{Program, directory, escape, send, send_for_answer, until};

#[test]
fn promtool_asks_with_a_login_in_the_url_and_with_a_file_of_credentials() {
    if !installed("promtool") {
        return;
    }
    let directory = directory();
    let data = directory.path().join("data");
    add_user(&data, "ann", "viewer");
    let good = token(&data, &["promtool", "--scope", "query"]);
    let program = Program::start_guarded(&data, &[]);
    program.wait_until_ready();
    let ask = |arguments: &[&str]| {
        let mut promtool = Command::new("promtool");
        promtool
            .args(["query", "instant"])
            .args(arguments)
            .arg("vector(42)");
        let output = promtool.output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains("42")
    };
    let with_login = |login: &str| {
        program
            .url("")
            .replace("http://", &format!("http://{login}@"))
    };
    assert!(ask(&[&with_login("ann:correct%20horse%20battery")]));
    assert!(ask(&[&with_login(&format!("any:{good}"))]));
    assert!(!ask(&[&with_login("ann:wrong-password")]));
    assert!(!ask(&[&with_login(&format!("any:{good}x"))]));
    assert!(!ask(&[&program.url("")]));

    // Debian 12's version takes no such file yet.
    let help = Command::new("promtool")
        .args(["query", "instant", "--help"])
        .output()
        .unwrap();
    if !String::from_utf8_lossy(&help.stdout).contains("--http.config.file") {
        eprintln!("SKIPPED: this promtool has no --http.config.file");
        return;
    }
    let file = directory.path().join("http.yml");
    let ask_with = |credentials: &str| {
        std::fs::write(&file, credentials).unwrap();
        let file = format!("--http.config.file={}", file.display());
        ask(&[&file, &program.url("")])
    };
    assert!(ask_with(&format!(
        "basic_auth: {{username: ann, password: '{PASSWORD}'}}\n"
    )));
    assert!(ask_with(&format!(
        "authorization: {{credentials: {good}}}\n"
    )));
    assert!(!ask_with(
        "basic_auth: {username: ann, password: wrong-password}\n"
    ));
    assert!(!ask_with(&format!(
        "authorization: {{credentials: {good}x}}\n"
    )));
}

#[test]
fn curl_comes_by_basic_and_by_bearer() {
    if !installed("curl") {
        return;
    }
    let data = directory();
    add_user(data.path(), "ann", "viewer");
    let good = token(data.path(), &["curl", "--scope", "viewer"]);
    let program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    // As amtool does, which takes a login in its URL.
    let in_url = program
        .url("/api/v1/alerts")
        .replace("http://", "http://ann:correct%20horse%20battery@");
    let asked = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args([
                "-sS",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "--noproxy",
                "*",
            ])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let url = program.url("/api/v1/alerts");
    let (login, bearer) = (
        format!("ann:{PASSWORD}"),
        format!("authorization: Bearer {good}"),
    );
    let as_password = format!("anything:{good}");
    assert_eq!(asked(&["-u", &login, &url]), "200");
    assert_eq!(asked(&["-u", &as_password, &url]), "200");
    assert_eq!(asked(&["-H", &bearer, &url]), "200");
    assert_eq!(asked(&[&in_url]), "200");
    assert_eq!(asked(&[&url]), "401");
    assert_eq!(asked(&["-u", "ann:wrong-password", &url]), "401");
    assert_eq!(
        asked(&["-H", "authorization: Bearer cmp_nothing", &url]),
        "401"
    );
}

#[test]
fn grafana_s_data_source_comes_in_both_of_its_ways() {
    let data = directory();
    add_user(data.path(), "grafana", "viewer");
    let good = token(data.path(), &["grafana", "--scope", "query"]);
    let program = Program::start_guarded(data.path(), &[]);
    program.wait_until_ready();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let ask = |authorization: &str| {
        let headers = [("authorization", authorization), form];
        let info = send(
            Method::GET,
            &program.url("/api/v1/status/buildinfo"),
            &headers,
            Vec::new(),
        );
        let body = format!("query={}&time=0", escape("1 + 1"));
        let answer = send(
            Method::POST,
            &program.url("/api/v1/query"),
            &headers,
            body.into_bytes(),
        );
        (info.0, answer.0)
    };
    assert_eq!(ask(&basic("grafana", PASSWORD)), (200, 200));
    assert_eq!(ask(&format!("Bearer {good}")), (200, 200));
    assert_eq!(ask(&basic("grafana", "wrong-password")), (401, 401));
    assert_eq!(ask("Bearer eyJhbGciOiJub25lIn0.e30."), (401, 401));
    let nothing = send_for_answer(
        Method::GET,
        &program.url("/api/v1/query?query=up"),
        &[],
        Vec::new(),
    );
    assert_eq!(nothing.status, 401);
    assert!(
        nothing
            .header("www-authenticate")
            .starts_with("Basic realm=")
    );
}

#[test]
fn prometheus_writes_with_a_login_and_with_a_token_and_scrapes_with_one() {
    if !installed("prometheus") {
        return;
    }
    let directory = directory();
    let data = directory.path().join("data");
    add_user(&data, "writer", "editor");
    let ingest = token(&data, &["writer", "--scope", "ingest"]);
    let viewer = token(&data, &["reader", "--scope", "viewer"]);
    let program = Program::start_guarded(&data, &[]);
    program.wait_until_ready();
    let target = program.url("").replace("http://", "");
    let port = free_port();
    let write = |way: &str, credentials: &str| {
        format!(
            "- url: http://{target}/api/v1/write\n  {credentials}\n  queue_config: {{batch_send_deadline: 1s}}\n  \
             write_relabel_configs: [{{target_label: way, replacement: {way}}}]\n"
        )
    };
    let config = directory.path().join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs:\n- job_name: open\n  static_configs: [{{targets: ['{target}']}}]\n\
         - job_name: scraped\n  authorization: {{credentials: {viewer}}}\n  static_configs: [{{targets: ['{target}']}}]\n\
         remote_write:\n{}{}{}{}",
        write(
            "login",
            &format!("basic_auth: {{username: writer, password: '{PASSWORD}'}}")
        ),
        write(
            "token",
            &format!("authorization: {{credentials: {ingest}}}")
        ),
        write(
            "wrong",
            "basic_auth: {username: writer, password: wrong-password}"
        ),
        write(
            "reader",
            &format!("authorization: {{credentials: {viewer}}}")
        ),
    );
    std::fs::write(&config, text).unwrap();
    let _peer = Peer::start(
        "prometheus",
        &[
            format!("--config.file={}", config.display()),
            format!(
                "--storage.tsdb.path={}",
                directory.path().join("peer").display()
            ),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=error".to_owned(),
        ],
    );
    let reader = format!("Bearer {viewer}");
    let count = |expression: &str| {
        let url = program.url(&format!("/api/v1/query?query={}", escape(expression)));
        let headers = [("authorization", reader.as_str())];
        let (status, body) = send(Method::GET, &url, &headers, Vec::new());
        assert_eq!(status, 200, "{body}");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        answer["data"]["result"].as_array().unwrap().len()
    };
    until("both ways have written", || {
        count("up{job=\"scraped\",way=\"login\"} == 1") == 1
            && count("up{job=\"scraped\",way=\"token\"} == 1") == 1
    });
    until("a scrape without credentials failed", || {
        count("up{job=\"open\",way=\"token\"} == 0") == 1
    });
    assert_eq!(count("{way=~\"wrong|reader\"}"), 0);
}

//! Without any configuration the program watches the machine it runs on.

use crate::program::{Program, directory, get, get_json, query_value, run, until};

#[test]
fn a_first_start_shows_this_machine() {
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    let live = get_json(&program.url("/metrics/live"));

    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let field = |name: &str| {
        let line = meminfo.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<f64>()
            .unwrap()
            * 1024.0
    };
    let used = field("MemTotal:") - field("MemAvailable:");
    let shown = live["memory_used_bytes"].as_f64().unwrap();
    assert!(
        (shown - used).abs() < 0.1 * field("MemTotal:"),
        "{shown} shown, {used} used"
    );
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(live["host"], host.trim());
    assert_eq!(live["load"].as_array().unwrap().len(), 3);
    let cpu = live["cpu_percent"].as_f64().unwrap();
    assert!((0.0..=100.0).contains(&cpu), "{cpu}");
}

#[test]
fn what_was_collected_can_be_queried() {
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    until("host metrics are stored", || {
        query_value(&program, "count(node_load1{job=\"node\"})") == Some(1.0)
    });
    let load = query_value(&program, "node_load1").unwrap();
    let shown = get_json(&program.url("/metrics/live"))["load"][0]
        .as_f64()
        .unwrap();
    assert!((load - shown).abs() < 5.0, "{load} stored, {shown} shown");
    until("own metrics are stored", || {
        query_value(&program, "count(campanile_build_info{job=\"campanile\"})") == Some(1.0)
    });
}

#[test]
fn health_names_each_part() {
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    let health = get_json(&program.url("/health"));
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    let detailed = get_json(&program.url("/health/detailed")).to_string();
    for component in ["store", "host"] {
        assert!(detailed.contains(component), "{detailed}");
    }
    for path in ["/health/live", "/health/ready", "/-/healthy", "/-/ready"] {
        assert_eq!(get(&program.url(path)).0, 200, "{path}");
    }
}

#[test]
fn the_command_line_asks_the_server() {
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    let server = program.url("");
    let output = run(&["query", "instant", "vector(6) * 7", "--server", &server]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "SERIES  VALUE\n{}         42\n"
    );
    let output = run(&[
        "query", "range", "time()", "--start", "60", "--end", "120", "--step", "1m", "--server",
        &server,
    ]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("1970-01-01T00:02:00Z    120\n"), "{table}");
    let output = run(&["health", "--server", &format!("{server}/")]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("healthy, ready\n"), "{said}");
    for part in ["store", "host", "catalog", "loops"] {
        assert!(said.contains(&format!("\n{part} ")), "{said}");
    }
    drop(program);
    let output = run(&["health", "--server", &server]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&server), "{message}");
}

#[test]
fn a_query_with_a_mistake_is_answered_with_it() {
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    let server = program.url("");
    let output = run(&["query", "instant", "1 +", "--server", &server]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("parse error"), "{message}");
}

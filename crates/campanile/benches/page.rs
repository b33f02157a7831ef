//! How quickly the web pages stand, and how quickly they show that a monitor has changed, with a thousand monitors and a
//! hundred alerts: `cargo xtask bench page`.
//!
//! 1. A page is opened in a fresh browser on the loopback address, several times. The browser says when it painted first;
//!    a script that runs before all others notes when the first chart, or the last row of a table, was there.
//! 2. A site stops and comes back, again and again. From the moment at which the program found the change, as it stands in
//!    the history of the monitor, to the one at which the page's text has changed, both by the clock of this machine.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark tells its numbers, and ends where it cannot go on"
)]
#![allow(
    dead_code,
    reason = "of what the end to end tests share only a part is used here"
)]

#[path = "../tests/it/browser.rs"]
mod browser;
#[path = "../tests/it/peer.rs"]
mod peer;
#[path = "../tests/it/program.rs"]
mod program;
#[path = "../tests/it/web_server.rs"]
mod web_server;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use browser::{Browser, Look, Page};
use program::{Program, directory, get_json, until};
use serde_json::Value;
use web_server::{Reply, WebServer};

const MONITORS: usize = 1_000;
const ALERTS: usize = 100;
const OPENINGS: usize = 10;
const CHANGES: usize = 50;

/// Notes when the thing that a page is for is there.
const STOPWATCH: &str = "(() => { \
    const look = () => { if (window.isThere?.()) window.thereAt = performance.now(); else requestAnimationFrame(look); }; \
    requestAnimationFrame(look); })()";

/// The state of the one monitor in the list, in the page's words.
const STATE: &str = "window.state = () => document.querySelector('main [role=row] a') \
    ?.closest('[role=row]').innerText.match(/Up|Down|Pending|Unknown/)?.[0]; 0";

/// The pages, and when what they are for is there.
const PAGES: [(&str, &str); 4] = [
    ("", "document.querySelector('.uplot canvas')"),
    ("monitors", "document.querySelector('main [role=row] a')"),
    (
        "alerts",
        "document.querySelector('main')?.innerText.includes('number 99')",
    ),
    (
        "explore?query=node_load1&range=5m",
        "document.querySelector('.uplot canvas')",
    ),
];

fn main() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let is_open = Arc::new(AtomicBool::new(true));
    let open = is_open.clone();
    let sites = WebServer::start(move |request| {
        match request.path == "/flip" && !open.load(Ordering::SeqCst) {
            true => Reply::With(503, Vec::new(), String::new()),
            false => Reply::ok("all is well"),
        }
    });
    let folder = directory();
    let config = folder.path().join("campanile.yml");
    std::fs::write(&config, configuration(&sites)).unwrap();
    std::fs::write(folder.path().join("rules.yml"), rules()).unwrap();
    let data = folder.path().join("data");
    let program = Program::start(&data, &["--config", config.to_str().unwrap()]);
    program.wait_until_ready();
    until("all monitors were checked and all alerts fire", || {
        let monitors = get_json(&program.url("/api/v1/monitors"));
        let monitors = monitors["data"]["monitors"].as_array().unwrap().clone();
        let alerts = get_json(&program.url("/api/v1/alerts"));
        monitors.iter().all(|monitor| monitor["state"] == "up")
            && alerts["data"]["alerts"].as_array().unwrap().len() == ALERTS
    });

    println!(
        "{MONITORS} monitors, {ALERTS} alerts, each page opened {OPENINGS} times without a cache; milliseconds"
    );
    println!(
        "{:<12} {:>22} {:>22}",
        "page", "first paint", "chart or rows"
    );
    for (path, is_there) in PAGES {
        openings(&browser, &program, path, is_there);
    }
    changes(&browser, &program, &is_open);
}

fn configuration(sites: &WebServer) -> String {
    let sites = sites.address();
    let mut text = String::from("host: {interval: 1s}\nrule_files: [rules.yml]\nmonitors:\n");
    writeln!(
        text,
        "  - {{name: flip, type: http, url: \"http://{sites}/flip\", interval: 1s, timeout: 500ms, retries: 0}}"
    )
    .unwrap();
    for number in 1..MONITORS {
        writeln!(
            text,
            "  - {{name: site-{number:03}, type: http, url: \"http://{sites}/{number}\", interval: 30s, labels: {{team: web}}}}"
        )
        .unwrap();
    }
    text
}

fn rules() -> String {
    let mut text = String::from("groups:\n- name: many\n  interval: 5s\n  rules:\n");
    for number in 0..ALERTS {
        writeln!(
            text,
            "  - {{alert: Raised, expr: vector({number}), labels: {{number: \"{number}\", severity: warning}}, annotations: {{summary: \"number {number}\"}}}}"
        )
        .unwrap();
    }
    text
}

fn openings(browser: &Browser, program: &Program, path: &str, is_there: &str) {
    let (mut paints, mut there) = (Vec::new(), Vec::new());
    for _ in 0..OPENINGS {
        let mut page = fresh(browser);
        let stopwatch = format!("window.isThere = () => {is_there}; {STOPWATCH}");
        page.call(
            "Page.addScriptToEvaluateOnNewDocument",
            serde_json::json!({"source": stopwatch}),
        );
        page.open(&program.url(&format!("/{path}")));
        page.wait_for("window.thereAt");
        let paint =
            page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime");
        paints.push(paint.as_f64().unwrap());
        there.push(page.evaluate("window.thereAt").as_f64().unwrap());
    }
    let name = path.split('?').next().unwrap();
    println!(
        "{:<12} {:>22} {:>22}",
        format!("/{name}"),
        summary(paints),
        summary(there)
    );
}

fn changes(browser: &Browser, program: &Program, is_open: &AtomicBool) {
    let mut page = fresh(browser);
    page.open(&program.url("/monitors?search=flip"));
    page.evaluate(STATE);
    page.wait_for("state() === 'Up'");
    page.evaluate(
        "window.seen = []; new MutationObserver(() => { \
            const now = state(); \
            if (now && now !== window.seen.at(-1)?.[0]) window.seen.push([now, Date.now()]); \
         }).observe(document.querySelector('main'), {subtree: true, childList: true, attributes: true, characterData: true}); 0",
    );
    for change in 0..CHANGES {
        let opens = change % 2 == 1;
        is_open.store(opens, Ordering::SeqCst);
        let state = if opens { "Up" } else { "Down" };
        page.wait_for(&format!("state() === '{state}'"));
    }
    let seen = page.evaluate("window.seen");
    let history = get_json(&program.url("/api/v1/monitors/flip"));
    let history = history["data"]["transitions"].as_array().unwrap();
    let found = history
        .iter()
        .rev()
        .filter(|change| change["from"] != "pending");
    let delays: Vec<f64> = found
        .zip(seen.as_array().unwrap())
        .map(|(change, seen)| {
            let shown = seen[0].as_str().unwrap().to_lowercase();
            assert_eq!(change["to"], shown);
            seen[1].as_f64().unwrap() - millis(&change["at"])
        })
        .collect();
    assert_eq!(delays.len(), CHANGES);
    println!(
        "a change on the page after it was found: {}",
        summary(delays)
    );
}

/// A page in a context of its own, with an empty cache.
fn fresh(browser: &Browser) -> Page {
    let mut page = browser.page();
    page.call(
        "Network.setCacheDisabled",
        serde_json::json!({"cacheDisabled": true}),
    );
    page.look(Look::LIGHT);
    page
}

/// A moment as RFC 3339 in milliseconds since 1970.
fn millis(moment: &Value) -> f64 {
    let moment = wire::time::parse_rfc3339(moment.as_str().unwrap()).unwrap();
    moment.as_millis() as f64
}

fn summary(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    format!("p50 {:.0} p99 {:.0} max {:.0}", at(0.5), at(0.99), at(1.0))
}

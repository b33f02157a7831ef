//! The web pages in a real browser, with real data: each page in each look, by mouse and by keyboard, and live.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::browser::{Browser, Look, Page};
use crate::program::{Program, command, directory, get_json, until};
use crate::web_server::{Reply, WebServer};

/// Each page, and what stands on it once its data are there.
const PAGES: [(&str, &str); 6] = [
    (
        "",
        "document.querySelectorAll('.uplot canvas').length >= 4 && document.body.innerText.includes('blog')",
    ),
    ("monitors", "shown().includes('shop')"),
    (
        "monitor?name=shop",
        "document.querySelector('.uplot canvas')",
    ),
    ("alerts", "shown().includes('<b>no markup</b>')"),
    ("notifications", "shown().includes('Delivered')"),
    (
        "explore?query=rate(node_cpu_seconds_total%5B1m%5D)&range=5m",
        "document.querySelector('.uplot canvas') && editor()",
    ),
];

pub(crate) const LOOKS: [Look; 3] = [Look::LIGHT, Look::DARK, Look::PHONE];

/// What tests ask each page for: the text of its main part, the row of a monitor, the editor of an expression.
const HELPERS: &str = r#"
    var shown = () => document.querySelector('main').innerText;
    var row = (name) => [...document.querySelectorAll('main [role=row]')]
        .find((row) => row.querySelector('a')?.textContent === name);
    var editor = () => [...document.querySelectorAll('main *')]
        .map((element) => element.shadowRoot?.querySelector('.cm-content')).find(Boolean);
    var button = (name) => [...document.querySelectorAll('dialog button'), ...document.querySelectorAll('main button, main label')]
        .find((button) => button.innerText.trim() === name);
    var field = (label) => [...document.querySelectorAll('main label')]
        .find((one) => one.innerText.trim() === label)?.control;
"#;

/// The accessibility checker, installed when the pages are built.
pub(crate) const AXE: &str = "../../target/web/node_modules/axe-core/axe.min.js";

/// Sites, a receiver, and a program that watches them.
struct Town {
    program: Program,
    /// Whether the shop answers.
    shop_is_open: Arc<AtomicBool>,
    _sites: WebServer,
    _directory: TempDir,
}

impl Town {
    fn build() -> Self {
        let shop_is_open = Arc::new(AtomicBool::new(true));
        let open = shop_is_open.clone();
        let sites = WebServer::start(move |request| match request.path.as_str() {
            "/shop" if !open.load(Ordering::SeqCst) => {
                Reply::With(503, Vec::new(), "closed".to_owned())
            }
            "/blog" => Reply::With(500, Vec::new(), "broken".to_owned()),
            _ => Reply::ok("all is well"),
        });
        let directory = directory();
        let config = directory.path().join("campanile.yml");
        std::fs::write(&config, configuration(&sites)).unwrap();
        std::fs::write(directory.path().join("rules.yml"), RULES).unwrap();
        let program = Program::start(
            &directory.path().join("data"),
            &["--config", config.to_str().unwrap()],
        );
        program.wait_until_ready();
        until("messages are delivered and alerts wait", || {
            let alerts = get_json(&program.url("/api/v1/alerts"));
            let journal = get_json(&program.url("/api/v1/notifications?state=delivered"));
            alerts.to_string().contains("NotYet")
                && alerts.to_string().contains("MonitorDown")
                && !journal["data"]["notifications"]
                    .as_array()
                    .unwrap()
                    .is_empty()
        });
        Self {
            program,
            shop_is_open,
            _sites: sites,
            _directory: directory,
        }
    }
}

fn configuration(sites: &WebServer) -> String {
    let sites = sites.address();
    format!(
        r#"
host: {{interval: 1s}}
monitors:
  - {{name: shop, type: http, url: "http://{sites}/shop", interval: 1s, timeout: 500ms, retries: 0, labels: {{team: web}}}}
  - {{name: blog, type: http, url: "http://{sites}/blog", interval: 1s, timeout: 500ms, retries: 0}}
rule_files: [rules.yml]
alerting:
  route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
  receivers:
    - {{name: ops, webhook_configs: [{{url: "http://{sites}/hook"}}]}}
"#
    )
}

const RULES: &str = r#"
groups:
  - name: always
    interval: 1s
    rules:
      - alert: AlwaysFiring
        expr: vector(42)
        labels: {severity: warning}
        annotations: {summary: "the answer is {{ $value }}", description: "<b>no markup</b>"}
      - alert: NotYet
        expr: vector(1)
        for: 1h
"#;

#[test]
fn each_page_shows_what_there_is_in_every_look() {
    let Some((_browser, town, mut page)) = visit() else {
        return;
    };
    let axe = std::fs::read_to_string(AXE);
    if axe.is_err() {
        eprintln!("SKIPPED: accessibility is not checked, since {AXE} is not there");
    }
    for look in LOOKS {
        page.look(look);
        for (path, is_there) in PAGES {
            page.open(&town.program.url(&format!("/{path}")));
            page.wait_for(is_there);
            let place = format!("/{path} in {}", look.name);
            assert_eq!(page.complaints(), [""; 0], "{place}");
            let overflow =
                page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
            assert!(
                overflow.as_i64().unwrap() <= 0,
                "{place} is too wide: {overflow}"
            );
            if let Ok(axe) = &axe {
                assert_eq!(
                    findings(&mut page, axe),
                    Value::Array(Vec::new()),
                    "{place}"
                );
            }
            page.screenshot(&picture(path, look));
        }
    }
}

#[test]
fn a_person_finds_the_way_by_mouse() {
    let Some((_browser, town, mut page)) = visit() else {
        return;
    };
    page.open(&town.program.url("/"));
    page.click("nav a[href='./monitors']");
    page.wait_for("location.pathname === '/monitors' && row('shop') && row('blog')");
    assert_eq!(
        page.evaluate("document.title"),
        "1 down · Monitors · Campanile"
    );

    // What is searched for stands in the address, and a reload keeps it.
    page.click("input[type=search]");
    page.enter("blo");
    page.wait_for("row('blog') && !row('shop') && location.search.includes('blo')");
    page.call("Page.reload", serde_json::json!({}));
    page.wait_for("row('blog') && !row('shop')");

    page.evaluate("row('blog').querySelector('a').id = 'blog'");
    page.click("#blog");
    page.wait_for("location.pathname === '/monitor' && shown().includes('the status is 500')");
    page.evaluate("history.back()");
    page.wait_for("location.pathname === '/monitors' && row('blog') && !row('shop')");

    // From an alert to the expression that raised it.
    page.click("nav a[href='./alerts']");
    page.wait_for("shown().includes('the answer is 42')");
    page.click("main a[href^='./explore?query=vector(42)'], main a[href^='./explore?query=vector%2842%29']");
    page.wait_for("location.pathname === '/explore' && document.querySelector('.uplot canvas')");
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn an_expression_is_written_with_help_and_its_mistakes_are_shown() {
    let Some((_browser, town, mut page)) = visit() else {
        return;
    };
    page.open(&town.program.url("/explore?range=5m"));
    page.wait_for("editor()");
    page.evaluate("editor().focus()");
    page.enter("node_loa");
    // The list of names comes from the server.
    page.wait_for("editor().getRootNode().querySelector('.cm-tooltip-autocomplete')?.innerText.includes('node_load15')");
    page.press("Escape", 27);
    page.enter("d1");
    page.press("Enter", 13);
    page.wait_for(
        "location.search.includes('query=node_load1') && document.querySelector('.uplot canvas')",
    );
    page.evaluate("button('Table').click()");
    page.wait_for("location.search.includes('tab=table') && shown().includes('node_load1')");
    assert_eq!(page.complaints(), [""; 0]);

    page.evaluate("editor().focus()");
    page.press("End", 35);
    page.enter(" +");
    page.press("Enter", 13);
    page.wait_for("shown().includes('unexpected end of input')");
    // The refusal of the server is the one thing that the browser notes.
    let complaints = page.complaints();
    assert!(
        complaints.iter().all(|complaint| complaint.contains("400")),
        "{complaints:?}"
    );

    // A link that someone was sent shows the same.
    page.open(&town.program.url("/graph?g0.expr=vector%281%29&g0.tab=1"));
    page.wait_for("location.pathname === '/explore' && shown().includes('1') && editor().innerText.includes('vector(1)')");
}

#[test]
fn a_person_finds_the_way_by_keyboard() {
    let Some((_browser, town, mut page)) = visit() else {
        return;
    };
    page.open(&town.program.url("/monitors"));
    page.wait_for("row('shop')");
    page.press("Tab", 9);
    assert_eq!(
        page.evaluate("document.activeElement.textContent"),
        "Skip to the content"
    );
    // Every stop can be seen: it has an outline, or something around it has.
    let mut stops = Vec::new();
    for _ in 0..12 {
        page.press("Tab", 9);
        let is_seen = page.evaluate(
            "[...document.querySelectorAll(':focus-within')] \
                .some((element) => getComputedStyle(element).outlineStyle !== 'none')",
        );
        assert_eq!(
            is_seen,
            true,
            "{}",
            page.evaluate("document.activeElement.outerHTML")
        );
        stops.push(
            page.evaluate("document.activeElement.textContent.trim()")
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    for wanted in ["Campanile", "Overview", "Explore"] {
        assert!(
            stops.iter().any(|stop| stop.starts_with(wanted)),
            "{stops:?}"
        );
    }
    page.evaluate("row('blog').querySelector('a').focus()");
    page.press("Enter", 13);
    page.wait_for("location.pathname === '/monitor' && shown().includes('blog')");
}

#[test]
fn what_changes_shows_without_loading_again() {
    let Some((_browser, town, mut page)) = visit() else {
        return;
    };
    page.open(&town.program.url("/monitors"));
    page.wait_for("row('shop')?.innerText.includes('Up')");
    page.evaluate("window.isTheSame = true");
    town.shop_is_open.store(false, Ordering::SeqCst);
    page.wait_for(
        "row('shop').innerText.includes('Down') && row('shop').innerText.includes('503')",
    );
    town.shop_is_open.store(true, Ordering::SeqCst);
    page.wait_for("row('shop').innerText.includes('Up')");
    assert_eq!(page.evaluate("window.isTheSame"), true);
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_page_outlives_its_server() {
    let Some((_browser, town, mut page)) = visit() else {
        return;
    };
    let address = town.program.url("/monitors");
    page.open(&address);
    page.wait_for("row('shop')?.innerText.includes('Up')");
    let Town {
        program,
        _directory: directory,
        shop_is_open,
        _sites: sites,
    } = town;
    program.kill();
    page.wait_for("document.body.innerText.includes('live connection is lost')");
    assert_eq!(
        page.evaluate("Boolean(row('shop'))"),
        true,
        "what was known stays"
    );

    shop_is_open.store(false, Ordering::SeqCst);
    let listen = address
        .trim_start_matches("http://")
        .trim_end_matches("/monitors");
    let mut serve = command(&[
        "serve",
        "--listen",
        listen,
        "--log-format",
        "json",
        "--auth",
        "off",
    ]);
    serve
        .arg("--config")
        .arg(directory.path().join("campanile.yml"));
    serve.arg("--data-dir").arg(directory.path().join("data"));
    let _program = Program::start_as(serve);
    page.wait_for("!document.body.innerText.includes('live connection is lost')");
    page.wait_for("row('shop').innerText.includes('Down')");
    drop(sites);
}

#[test]
fn nothing_to_show_is_said() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let directory = directory();
    let config = directory.path().join("campanile.yml");
    std::fs::write(&config, "host: {enabled: false}\nrule_files: []\n").unwrap();
    let program = Program::start(
        &directory.path().join("data"),
        &["--config", config.to_str().unwrap()],
    );
    program.wait_until_ready();
    let mut page = page_of(&browser);
    page.look(Look::LIGHT);
    for (path, said) in [
        ("", "host"),
        ("monitors", "monitors:"),
        ("monitor?name=nothing", "nothing"),
        ("alerts", "fires"),
        ("notifications", "otification"),
        ("explore?query=nothing_at_all", "no series"),
        ("nowhere", "no such page"),
    ] {
        page.open(&program.url(&format!("/{path}")));
        page.wait_for(&format!(
            "shown().toLowerCase().includes({})",
            Value::from(said.to_lowercase())
        ));
        page.screenshot(&picture(&format!("empty-{path}"), Look::LIGHT));
    }
    // Of the two pages that do not exist the browser notes that, and nothing else.
    let complaints = page.complaints();
    assert!(
        complaints.iter().all(|complaint| complaint.contains("404")),
        "{complaints:?}"
    );
}

/// A browser, a town, and a page that is still empty; none if there is no browser to be had here.
fn visit() -> Option<(Browser, Town, Page)> {
    let browser = Browser::start()?;
    let town = Town::build();
    let mut page = page_of(&browser);
    page.look(Look::LIGHT);
    Some((browser, town, page))
}

pub(crate) fn page_of(browser: &Browser) -> Page {
    let mut page = browser.page();
    page.call(
        "Page.addScriptToEvaluateOnNewDocument",
        serde_json::json!({"source": HELPERS}),
    );
    page
}

/// Serious findings of the accessibility checker: rule and elements.
pub(crate) fn findings(page: &mut Page, axe: &str) -> Value {
    page.evaluate(axe);
    page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations \
            .filter((finding) => ['serious', 'critical'].includes(finding.impact)) \
            .map((finding) => [finding.id, finding.nodes.map((node) => node.html)]))",
    )
}

/// Where a picture of a page is put, for whoever wants to look.
pub(crate) fn picture(path: &str, look: Look) -> PathBuf {
    let name = path.split('?').next().unwrap();
    let name = if name.is_empty() { "overview" } else { name };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{name}-{}.png", look.name))
}

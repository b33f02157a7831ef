//! Who may see and do what, in a real browser: logging in and out, the first link, users and tokens, and pages of other
//! sites that try what they can.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::{Browser, Look, Page};
use crate::program::{Program, command, directory, send};
use crate::terminal::OnTerminal;
use crate::web_pages::{AXE, LOOKS, findings, page_of, picture};
use crate::web_server::{Reply, WebServer};

const PASSWORD: &str = "a bell in a tower";

/// The pages of access, and what stands on each for an admin.
const PAGES: [(&str, &str); 5] = [
    ("users", "shown().includes('vera')"),
    ("teams", "shown().includes('ringers')"),
    ("tokens", "shown().includes('prometheus-berlin')"),
    ("audit", "shown().includes('user.add')"),
    ("password", "field('Current password')"),
];

/// A program that lets nobody in but its admin and those whom the admin adds.
struct House {
    program: Program,
    _directory: TempDir,
}

impl House {
    fn build() -> Self {
        let directory = directory();
        let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
        serve.arg("--data-dir").arg(directory.path().join("data"));
        serve.env("CAMPANILE_ADMIN_PASSWORD", PASSWORD);
        let program = Program::start_as(serve);
        program.wait_until_ready();
        Self {
            program,
            _directory: directory,
        }
    }

    /// What the admin asks for, as a program does.
    fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, String) {
        let proof = format!("Basic {}", STANDARD.encode(format!("admin:{PASSWORD}")));
        let headers = [
            ("authorization", &*proof),
            ("content-type", "application/json"),
        ];
        let body = match body.is_null() {
            true => Vec::new(),
            false => body.to_string().into_bytes(),
        };
        send(method, &self.program.url(path), &headers, body)
    }

    fn add(&self, path: &str, body: &Value) {
        let (status, answer) = self.ask(Method::POST, path, body);
        assert_eq!(status, 201, "{path} {body}: {answer}");
    }

    fn add_vera(&self) {
        self.add(
            "/api/v1/users",
            &json!({"name": "vera", "role": "viewer", "password": PASSWORD}),
        );
    }

    fn names(&self, list: &str) -> Vec<String> {
        let (status, answer) = self.ask(Method::GET, list, &Value::Null);
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let names = answer["data"].as_array().unwrap().iter();
        names
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[test]
fn a_person_logs_in_to_the_page_that_was_asked_for_and_out_again() {
    let Some((_browser, house, mut page)) = visit() else {
        return;
    };
    page.open(&house.program.url("/alerts?of=link"));
    page.wait_for("location.pathname === '/login' && document.activeElement.name === 'username'");
    log_in(&mut page, "admin", "a bell in a cellar");
    page.wait_for("shown().includes('Name or password is wrong')");
    assert_eq!(
        page.evaluate("field('Password').value"),
        "",
        "a wrong one is typed anew"
    );
    log_in(&mut page, "admin", PASSWORD);
    page.wait_for("location.pathname === '/alerts' && location.search === '?of=link' && shown().includes('Alerts')");
    // The cookie is nothing for scripts.
    assert_eq!(page.evaluate("document.cookie"), "");

    open_menu(&mut page);
    let menu = page.evaluate("document.querySelector('#session').innerText");
    let menu = menu.as_str().unwrap();
    for part in ["admin", "Admin", "Users", "Tokens", "Audit log", "Log out"] {
        assert!(menu.contains(part), "{menu}");
    }
    page.press("Escape", 27);
    page.wait_for(
        "!document.querySelector('#session') && document.activeElement.className.includes('who')",
    );
    open_menu(&mut page);
    page.evaluate("[...document.querySelectorAll('#session button')].find((one) => one.innerText === 'Log out').click()");
    page.wait_for("location.pathname === '/login'");
    page.open(&house.program.url("/tokens"));
    page.wait_for("location.pathname === '/login' && new URLSearchParams(location.search).get('next').includes('tokens')");
    let complaints = page.complaints();
    assert!(
        complaints.iter().all(|one| one.contains("401")),
        "{complaints:?}"
    );
}

#[test]
fn an_address_leads_a_login_nowhere_else() {
    let Some((_browser, house, mut page)) = visit() else {
        return;
    };
    page.open(
        &house
            .program
            .url("/login?next=%2F%2Fevil.example%2Fmonitors"),
    );
    log_in(&mut page, "admin", PASSWORD);
    page.wait_for("location.pathname === '/' && document.querySelector('main h1')");
    assert_eq!(
        page.evaluate("location.origin"),
        house.program.url("").as_str()
    );
}

#[test]
fn the_first_link_lets_in_and_asks_for_a_password() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let data = directory();
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0"]);
    serve.arg("--data-dir").arg(data.path());
    let terminal = OnTerminal::start(serve);
    terminal.wait_for("Whoever has it is admin", 1);
    let screen = terminal.screen();
    let link = screen
        .split_whitespace()
        .find(|word| word.contains("/auth/link/"))
        .unwrap();
    let mut page = page_of(&browser);
    page.look(Look::LIGHT);
    page.open(link);
    page.wait_for("location.pathname === '/password' && shown().includes('Choose a password')");
    page.screenshot(&picture("first-password", Look::LIGHT));

    // It may wait.
    page.evaluate("button('Later').click()");
    page.wait_for("location.pathname === '/' && document.querySelector('main h1')");
    open_menu(&mut page);
    page.evaluate("document.querySelector('#session a[href=\"./password\"]').click()");
    page.wait_for("field('New password')");
    type_into(&mut page, "New password", "short");
    type_into(&mut page, "New password, again", "short");
    page.press("Enter", 13);
    page.wait_for("shown().includes('at least 8 characters')");
    type_into(&mut page, "New password", PASSWORD);
    type_into(&mut page, "New password, again", PASSWORD);
    page.press("Enter", 13);
    page.wait_for("location.pathname === '/'");
    assert_eq!(page.complaints(), [""; 0]);

    // The link was good once; the password is from now on.
    page.call("Network.clearBrowserCookies", json!({}));
    page.open(link);
    let origin = link.split("/auth/").next().unwrap();
    page.open(&format!("{origin}/login"));
    log_in(&mut page, "admin", PASSWORD);
    page.wait_for("location.pathname === '/' && document.querySelector('main h1')");
}

#[test]
fn a_viewer_is_offered_nothing_that_is_for_admins() {
    let Some((_browser, house, mut page)) = visit() else {
        return;
    };
    house.add_vera();
    enter_as(&mut page, &house, "vera");
    open_menu(&mut page);
    let menu = page.evaluate("document.querySelector('#session').innerText");
    let menu = menu.as_str().unwrap();
    assert!(
        menu.contains("Viewer") && menu.contains("Change my password"),
        "{menu}"
    );
    for missing in ["Users", "Teams", "Tokens", "Audit"] {
        assert!(!menu.contains(missing), "{menu}");
    }
    // Who knows the address sees as much.
    for path in ["users", "teams", "tokens", "audit"] {
        page.open(&house.program.url(&format!("/{path}")));
        page.wait_for("shown().includes('You may not see this') && shown().includes('viewer')");
        assert_eq!(
            page.evaluate("document.querySelectorAll('main button').length"),
            0
        );
    }
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn where_everybody_may_do_everything_nobody_is_named() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    let mut page = page_of(&browser);
    page.look(Look::LIGHT);
    page.open(&program.url("/users"));
    page.wait_for("shown().includes('Access control is off')");
    assert_eq!(
        page.evaluate("Boolean(document.querySelector('.who[aria-expanded]'))"),
        false
    );
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn users_are_added_changed_and_removed() {
    let Some((_browser, house, mut page)) = visit() else {
        return;
    };
    enter_as(&mut page, &house, "admin");
    page.open(&house.program.url("/users"));
    press_button(&mut page, "Add a user");
    type_into(&mut page, "Name", "no such name");
    press_button(&mut page, "Add");
    page.wait_for("shown().includes('A name has no')");
    type_into(&mut page, "Name", "vera");
    type_into(&mut page, "Password", PASSWORD);
    page.press("Enter", 13);
    page.wait_for("!document.querySelector('dialog') && shown().includes('2 users')");
    assert_eq!(house.names("/api/v1/users"), ["admin", "vera"]);

    page.click("button[aria-label='Change vera']");
    page.evaluate("document.querySelector('dialog input[value=editor]').click()");
    press_button(&mut page, "Save");
    page.wait_for("!document.querySelector('dialog') && shown().includes('Editor')");

    page.click("button[aria-label='Remove vera']");
    page.press("Escape", 27);
    page.wait_for("!document.querySelector('dialog')");
    assert_eq!(
        house.names("/api/v1/users"),
        ["admin", "vera"],
        "Escape does nothing"
    );
    page.click("button[aria-label='Remove vera']");
    press_button(&mut page, "Remove");
    page.wait_for("!document.querySelector('dialog') && shown().includes('1 user')");
    assert_eq!(house.names("/api/v1/users"), ["admin"]);

    page.open(&house.program.url("/audit"));
    page.wait_for(
        "['user.add', 'user.remove', 'viewer', 'editor'].every((word) => shown().includes(word))",
    );
    assert_eq!(page.evaluate("shown().includes('argon2')"), false);
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_token_is_shown_once_and_is_worth_nothing_once_revoked() {
    let Some((_browser, house, mut page)) = visit() else {
        return;
    };
    enter_as(&mut page, &house, "admin");
    page.open(&house.program.url("/tokens"));
    page.wait_for("shown().includes('No tokens yet')");
    press_button(&mut page, "Create a token");
    page.evaluate("document.querySelector('dialog input[value=query]').click()");
    type_into(&mut page, "Name", "grafana");
    page.press("Enter", 13);
    page.wait_for("document.querySelector('.secret code')");
    let token = page.evaluate("document.querySelector('.secret code').innerText");
    let token = token.as_str().unwrap().to_owned();
    assert!(token.starts_with("cmp_"), "{token}");
    let lines = page.evaluate("document.querySelector('pre').innerText");
    assert!(lines.as_str().unwrap().contains(&token), "{lines}");
    let query = house.program.url("/api/v1/query?query=vector(1)");
    let bearer = format!("Bearer {token}");
    let status = || {
        send(
            Method::GET,
            &query,
            &[("authorization", &bearer)],
            Vec::new(),
        )
        .0
    };
    assert_eq!(status(), 200);

    page.call("Page.reload", json!({}));
    page.wait_for("shown().includes('1 token')");
    let rest = page.evaluate("document.documentElement.outerHTML");
    assert!(!rest.as_str().unwrap().contains(&token));
    page.click("button[aria-label='Revoke grafana']");
    press_button(&mut page, "Revoke");
    page.wait_for("shown().includes('No tokens yet')");
    assert_eq!(status(), 401);
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_session_that_is_ended_elsewhere_leads_to_the_login_page() {
    let Some((_browser, house, mut page)) = visit() else {
        return;
    };
    house.add_vera();
    enter_as(&mut page, &house, "vera");
    page.open(&house.program.url("/monitors"));
    page.wait_for(
        "shown().includes('No monitors yet') && document.querySelector('.who[aria-expanded]')",
    );
    let (status, answer) = house.ask(
        Method::PATCH,
        "/api/v1/users/vera",
        &json!({"is_disabled": true}),
    );
    assert_eq!(status, 200, "{answer}");
    page.evaluate("document.querySelector('nav a[href=\"./notifications\"]').click()");
    page.wait_for("location.pathname === '/login' && field('Name')");
    let next = page.evaluate("new URLSearchParams(location.search).get('next')");
    assert_eq!(next, "notifications");
}

#[test]
fn a_page_of_another_site_does_nothing_in_the_name_of_who_is_logged_in() {
    let Some((_browser, house, mut page)) = visit() else {
        return;
    };
    let target = house.program.url("");
    let evil = WebServer::start(move |_| {
        let page = format!(
            "<title>evil</title><form id=add method=post enctype=text/plain action='{target}/api/v1/users'>\
             <input name='{{\"name\":\"eve\",\"role\":\"admin\",\"password\":\"' value='a bell in a tower\"}}'></form>\
             <form id=logout method=post action='{target}/auth/logout'></form>"
        );
        let kind = vec![("content-type", "text/html".to_owned())];
        Reply::With(200, kind, page)
    });
    enter_as(&mut page, &house, "admin");
    let port = evil.address().port();
    // Of another host, and of another port only, which browsers take for the same site and send the cookie along.
    for site in [format!("http://localhost:{port}"), evil.url("")] {
        for form in ["add", "logout"] {
            page.open(&format!("{site}/"));
            page.wait_for("document.title === 'evil'");
            page.evaluate(&format!("document.querySelector('#{form}').submit()"));
            page.wait_for("document.title !== 'evil' && document.readyState === 'complete'");
            let said = page.evaluate("document.body.innerText");
            assert!(
                said.as_str().unwrap().contains("error"),
                "{site} {form}: {said}"
            );
        }
        page.open(&format!("{site}/"));
        let socket = house.program.url("/ws/metrics").replace("http", "ws");
        let opened = page.evaluate(&format!(
            "new Promise((done) => {{ const socket = new WebSocket('{socket}'); \
             socket.onopen = () => done(true); socket.onerror = () => done(false); }})"
        ));
        assert_eq!(opened, false, "{site}");
        let read = page.evaluate(&format!(
            "fetch('{}', {{credentials: 'include'}}).then((answer) => answer.text(), () => null)",
            house.program.url("/api/v1/users")
        ));
        assert_eq!(read, Value::Null, "{site}");
    }
    assert_eq!(house.names("/api/v1/users"), ["admin"]);
    page.open(&house.program.url("/users"));
    page.wait_for("location.pathname === '/users' && shown().includes('1 user')");
}

#[test]
fn the_pages_of_access_fit_every_look() {
    let Some((_browser, house, mut page)) = visit() else {
        return;
    };
    house.add_vera();
    house.add(
        "/api/v1/teams",
        &json!({"name": "ringers", "role": "editor", "members": ["vera"]}),
    );
    for (name, scope) in [("prometheus-berlin", "ingest"), ("grafana", "query")] {
        house.add(
            "/api/v1/tokens",
            &json!({"name": name, "scope": scope, "expires_in": "90d"}),
        );
    }
    let axe = std::fs::read_to_string(AXE);
    if axe.is_err() {
        eprintln!("SKIPPED: accessibility is not checked, since {AXE} is not there");
    }
    let inspect = |page: &mut Page, name: &str, look: Look| {
        let place = format!("/{name} in {}", look.name);
        assert_eq!(page.complaints(), [""; 0], "{place}");
        let overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
        assert!(
            overflow.as_i64().unwrap() <= 0,
            "{place} is too wide: {overflow}"
        );
        if let Ok(axe) = &axe {
            assert_eq!(findings(page, axe), Value::Array(Vec::new()), "{place}");
        }
        page.screenshot(&picture(name, look));
    };
    for look in LOOKS {
        page.look(look);
        page.open(&house.program.url("/login"));
        page.wait_for("field('Name')");
        inspect(&mut page, "login", look);
    }
    enter_as(&mut page, &house, "admin");
    for look in LOOKS {
        page.look(look);
        for (path, is_there) in PAGES {
            page.open(&house.program.url(&format!("/{path}")));
            page.wait_for(is_there);
            page.wait_for("document.querySelector('.who[aria-expanded]')");
            inspect(&mut page, path, look);
        }
        page.open(&house.program.url("/tokens"));
        press_button(&mut page, "Create a token");
        type_into(&mut page, "Name", "agent");
        inspect(&mut page, "token-dialog", look);
        page.press("Enter", 13);
        page.wait_for("document.querySelector('.secret code')");
        inspect(&mut page, "token-made", look);
    }
}

/// A browser, a house, and a page that is still empty; none if there is no browser to be had here.
fn visit() -> Option<(Browser, House, Page)> {
    let browser = Browser::start()?;
    let house = House::build();
    let mut page = page_of(&browser);
    page.look(Look::LIGHT);
    Some((browser, house, page))
}

/// Fills in the form of the login page.
fn log_in(page: &mut Page, name: &str, password: &str) {
    type_into(page, "Name", name);
    type_into(page, "Password", password);
    page.press("Enter", 13);
}

/// Logs in, and sees the overview.
fn enter_as(page: &mut Page, house: &House, name: &str) {
    page.open(&house.program.url("/login"));
    log_in(page, name, PASSWORD);
    page.wait_for("location.pathname === '/' && document.querySelector('.who[aria-expanded]')");
}

fn open_menu(page: &mut Page) {
    page.click(".who[aria-expanded]");
    page.wait_for("document.querySelector('#session')");
}

/// Types a text into a field in place of what is in it.
fn type_into(page: &mut Page, label: &str, text: &str) {
    let label = Value::from(label);
    page.wait_for(&format!("field({label})"));
    page.evaluate(&format!("field({label}).focus(), field({label}).select()"));
    page.enter(text);
}

fn press_button(page: &mut Page, name: &str) {
    let name = Value::from(name);
    page.wait_for(&format!("button({name})"));
    page.evaluate(&format!("button({name}).click()"));
}

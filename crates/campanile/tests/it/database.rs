//! A catalog on a real PostgreSQL server: the first start, commands beside a server, the journal, and two servers.

use std::path::{Path, PathBuf};

use reqwest::Method;
use tempfile::TempDir;
use testkit::Postgres;

use crate::access::{PASSWORD, basic, status};
use crate::program::{Program, command, directory, run_with_input, send, serve, until};
use crate::receivers::{Channel, StandIn, WEBHOOK_PASSWORD, WEBHOOK_PATH};
use crate::web_server::{Reply, WebServer};

/// Servers that share a database, each with a data directory of its own.
struct Town {
    directory: TempDir,
}

impl Town {
    fn build(postgres: &Postgres, more: &str) -> Self {
        let town = Self {
            directory: directory(),
        };
        std::fs::write(town.path("database_url"), postgres.database()).unwrap();
        let text = "host: {enabled: false}\nself: false\ndatabase_url_file: database_url\n";
        std::fs::write(town.config(), format!("{text}{more}")).unwrap();
        town
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("campanile.yml")
    }

    /// Starts a server; the password counts if it is the first start of all.
    fn start(&self, data: &str) -> Program {
        let mut serve = serve(&self.path(data));
        serve.arg("--config").arg(self.config());
        serve.env("CAMPANILE_ADMIN_PASSWORD", PASSWORD);
        let program = Program::start_as(serve);
        program.wait_until_ready();
        program
    }

    /// Carries out a command beside the servers; what it says.
    fn command(&self, arguments: &[&str], input: &str) -> String {
        let config = self.config();
        let place = ["--config", config.to_str().unwrap()];
        let output = run_with_input(&[arguments, &place].concat(), input);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn me(program: &Program, authorization: &str) -> u16 {
    status(program, "/auth/me", authorization)
}

fn has_catalog(data: &Path) -> bool {
    data.join("catalog.sqlite").exists()
}

#[test]
fn users_and_tokens_are_those_of_the_database_for_each_server_and_command() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let town = Town::build(postgres, "");
    let north = town.start("north");
    let admin = basic("admin", PASSWORD);
    assert_eq!(me(&north, &admin), 200);

    let add = ["user", "add", "ann", "--role", "viewer", "--password-stdin"];
    town.command(&add, PASSWORD);
    let ann = basic("ann", PASSWORD);
    until("ann is known", || me(&north, &ann) == 200);
    let token = town.command(&["token", "create", "agent", "--scope", "ingest"], "");
    let token = format!("Bearer {}", token.trim());
    let push = |program: &Program| {
        let headers = [
            ("authorization", &*token),
            ("content-type", "application/json"),
        ];
        let metric = r#"{"name": "orders", "type": "gauge", "value": 7}"#;
        let url = program.url("/api/v1/metrics/ingest");
        send(Method::POST, &url, &headers, metric.into()).0
    };
    until("the token is known", || push(&north) == 201);

    // Another server on the same database knows them all, and what one changes the other learns.
    let south = town.start("south");
    assert_eq!((me(&south, &admin), me(&south, &ann)), (200, 200));
    assert_eq!(push(&south), 201);
    let headers = [
        ("authorization", &*admin),
        ("content-type", "application/json"),
    ];
    let body = format!(r#"{{"name": "bob", "role": "viewer", "password": "{PASSWORD}"}}"#);
    let url = north.url("/api/v1/users");
    let (code, told) = send(Method::POST, &url, &headers, body.into_bytes());
    assert_eq!(code, 201, "{told}");
    let bob = basic("bob", PASSWORD);
    until("bob is known there too", || me(&south, &bob) == 200);
    let url = south.url("/api/v1/users/ann");
    let (code, told) = send(Method::DELETE, &url, &headers, Vec::new());
    assert!((200..300).contains(&code), "{told}");
    until("ann is gone here too", || me(&north, &ann) == 401);
    assert!(!town.command(&["user", "list"], "").contains("ann"));

    // Nothing of it depends on a process or on a data directory.
    north.kill();
    let north = town.start("elsewhere");
    assert_eq!(
        (me(&north, &admin), me(&north, &bob), me(&north, &ann)),
        (200, 200, 401)
    );
    for data in ["north", "south", "elsewhere"] {
        assert!(!has_catalog(&town.path(data)), "{data}");
    }
}

#[test]
fn an_outage_is_told_once_however_the_program_ends() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let hook = StandIn::start(Channel::Webhook, |_| None);
    // A port on which nobody listens.
    let gone = WebServer::start(|_| Reply::Nothing).url("/");
    let more = format!(
        r#"
monitors: [{{name: shop, type: http, url: '{gone}', interval: 1s, timeout: 500ms, retries: 0}}]
alerting:
  route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
  receivers:
    - name: hook
      webhook_configs:
        - url: {url}
          http_config: {{authorization: {{credentials: {WEBHOOK_PASSWORD}}}}}
"#,
        url = hook.url(WEBHOOK_PATH)
    );
    let town = Town::build(postgres, &more);
    let program = town.start("data");
    until("the outage is told", || !hook.log.all().is_empty());
    let history = || {
        let history = town.command(&["notify", "history", "--json"], "");
        serde_json::from_str::<serde_json::Value>(&history).unwrap()
    };
    until("the journal says so", || {
        history()[0]["state"] == "delivered"
    });
    program.kill();

    let program = town.start("data");
    let admin = basic("admin", PASSWORD);
    let headers = [("authorization", &*admin)];
    let url = program.url("/api/v1/alerts");
    until("it fires on", || {
        let (_, alerts) = send(Method::GET, &url, &headers, Vec::new());
        alerts.contains("MonitorDown")
    });
    program.signal("TERM");
    assert!(program.wait().success());
    assert_eq!(hook.log.all().len(), 1, "{:#?}", hook.log.all());
    assert_eq!(history().as_array().unwrap().len(), 1);
    hook.assert_no_violations();
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let directory = directory();
    let nobody = WebServer::start(|_| Reply::Nothing).address();
    let url = format!("postgres://campanile:hunter2@{nobody}/campanile");
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    serve.arg(directory.path());
    let output = serve.env("CAMPANILE_DATABASE_URL", url).output().unwrap();
    assert_eq!(output.status.code(), Some(73), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("cannot open the catalog"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

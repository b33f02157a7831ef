//! Requests by the thousand against a running program: does it answer as its description says, and never with 500?
//!
//! The program that is tested is the debug build, with a data directory and a configuration of its own. What is asked comes
//! from schemathesis, a Python program that reads `/openapi.json`; it is no part of the build, and who does not have it is
//! told how to get it. Half of the time it asks as the admin, and half as nobody.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Context as _, Result, bail};

use crate::process;

/// How long it runs unless the command line says otherwise, in seconds.
const SECONDS: u32 = 600;

/// The password of the admin of a server that nobody else reaches and that ends with the test.
const PASSWORD: &str = "correct-horse-battery";

/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,negative_data_rejection,\
                      unsupported_method,allow_header_conformance";

/// One of everything that a route may tell of, and nothing that leaves this machine.
const RULES: &str = "groups:
  - name: nodes
    interval: 5s
    rules:
      - {alert: Always, expr: vector(1), labels: {severity: page}}
      - {record: 'job:up:sum', expr: sum by (job) (up)}
";

/// Starts the program and schemathesis; what the latter finds is printed, and fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let seconds = match arguments {
        [] => SECONDS,
        [flag, seconds] if flag == "--seconds" => seconds
            .parse()
            .with_context(|| format!("{seconds:?} is no whole number of seconds"))?,
        _ => bail!("unexpected arguments; `--seconds 60` says how long it runs"),
    };
    let schemathesis = find()?;
    process::run("cargo build --package campanile")?;
    let root = process::root()?;
    let folder = root.join("target/schemathesis");
    let address = free_address()?;
    prepare(&folder, &address)?;
    let _program = Program::start(&root, &folder)?;
    // Those who show nothing may not read the description, so it is read once for all.
    process::run_in(
        &folder,
        &format!(
            "curl --silent --show-error --fail --retry 30 --retry-connrefused --retry-delay 1 --user admin:{PASSWORD} \
             --output openapi.json http://{address}/openapi.json"
        ),
    )?;
    let config = root.join("xtask/schemathesis/schemathesis.toml");
    for credentials in [&format!("--auth admin:{PASSWORD}"), ""] {
        let result = process::run_in(
            &folder,
            &format!(
                "{schemathesis} --config-file {config} run openapi.json --url http://{address} {credentials} \
                 --max-time {half} --request-timeout 30 --continue-on-failure --checks {CHECKS}",
                config = config.display(),
                half = (seconds / 2).max(1),
            ),
        );
        result.with_context(|| {
            format!("the log of the program is {}", folder.join("log").display())
        })?;
    }
    Ok(())
}

/// The program to start: what `SCHEMATHESIS` names, or the one in the path.
fn find() -> Result<String> {
    let program = std::env::var("SCHEMATHESIS").unwrap_or_else(|_| "schemathesis".to_owned());
    let found = Command::new(&program).arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        bail!(
            "`{program}` cannot be started. Install it with `pip install schemathesis` (in a virtual environment: \
             `python3 -m venv DIR && DIR/bin/pip install schemathesis`, then SCHEMATHESIS=DIR/bin/schemathesis)"
        );
    }
    Ok(program)
}

/// An address on which nobody listens.
fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.to_string())
}

fn prepare(folder: &Path, address: &str) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder.join("data"))?;
    let configuration = format!(
        "listen: {address}\n\
         data_dir: ./data\n\
         storage: {{admin_api: true}}\n\
         rule_files: [rules.yml]\n\
         monitors:\n\
         - {{name: shop, type: http, url: \"http://{address}/health\", interval: 10s}}\n"
    );
    std::fs::write(folder.join("campanile.yml"), configuration)?;
    std::fs::write(folder.join("rules.yml"), RULES)?;
    let hooks = process::root()?.join("xtask/schemathesis/hooks.py");
    std::fs::copy(hooks, folder.join("hooks.py"))?;
    Ok(())
}

/// The program, which ends with its owner.
struct Program(Child);

impl Program {
    fn start(root: &Path, folder: &Path) -> Result<Self> {
        let log = std::fs::File::create(folder.join("log"))?;
        let child = Command::new(root.join("target/debug/campanile"))
            .args(["serve", "--config", "campanile.yml", "--auth", "on"])
            .env("CAMPANILE_ADMIN_PASSWORD", PASSWORD)
            .current_dir(folder)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the program")?;
        Ok(Self(child))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself, which its log tells.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

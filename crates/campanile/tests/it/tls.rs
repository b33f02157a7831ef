//! The running program with a certificate of its own: who is answered, and what happens when the files change.

use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Identity;
use tempfile::TempDir;
use testkit::Certificate;

use crate::program::{PATIENCE, Program, directory, send, serve};

/// A server's directory: its configuration, and the certificate and key that it names.
struct Tower {
    directory: TempDir,
}

impl Tower {
    fn build(certificate: &Certificate, more: &str) -> Self {
        let tower = Self {
            directory: directory(),
        };
        tower.put(certificate, certificate);
        let text = format!("tls: {{cert_file: cert.pem, key_file: key.pem{more}}}\nself: false\n");
        std::fs::write(tower.path("campanile.yml"), text).unwrap();
        tower
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Exchanges both files, which need not belong together.
    fn put(&self, certificate: &Certificate, key: &Certificate) {
        replace(&certificate.cert_file, &self.path("cert.pem"));
        replace(&key.key_file, &self.path("key.pem"));
    }

    fn command(&self) -> Command {
        let mut serve = serve(&self.path("data"));
        serve.args(["--auth", "off", "--config"]);
        serve.arg(self.path("campanile.yml"));
        serve
    }
}

fn replace(from: &Path, to: &Path) {
    let new = to.with_extension("new");
    std::fs::copy(from, &new).unwrap();
    std::fs::rename(&new, to).unwrap();
}

fn certificate() -> Certificate {
    Certificate::for_names(&["127.0.0.1"])
}

/// The status of an answer over https, for a client that believes one authority and may show a certificate of its own.
fn ask(program: &Program, authority: &Certificate, own: Option<&Certificate>) -> Option<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // It may have been set by another test, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = std::fs::read(&authority.ca_file).unwrap();
    let root = reqwest::Certificate::from_pem(&pem).unwrap();
    let mut client = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
    if let Some(own) = own {
        let mut pem = std::fs::read(&own.cert_file).unwrap();
        pem.extend(std::fs::read(&own.key_file).unwrap());
        client = client.identity(Identity::from_pem(&pem).unwrap());
    }
    let url = program.url("/-/healthy").replace("http://", "https://");
    runtime.block_on(async {
        let answer = client.build().unwrap().get(url).timeout(PATIENCE).send();
        answer.await.ok().map(|answer| answer.status().as_u16())
    })
}

fn plain(program: &Program) -> (u16, String) {
    send(
        reqwest::Method::GET,
        &program.url("/-/healthy"),
        &[],
        Vec::new(),
    )
}

#[test]
fn a_certificate_is_exchanged_without_a_restart_and_a_wrong_one_changes_nothing() {
    let (first, second) = (certificate(), certificate());
    let tower = Tower::build(&first, "");
    let mut program = Program::start_as(tower.command());
    assert_eq!(ask(&program, &first, None), Some(200));
    assert_eq!(ask(&program, &second, None), None);
    let (status, told) = plain(&program);
    assert_eq!(status, 400);
    assert!(told.contains("https"), "{told}");

    tower.put(&second, &second);
    program.signal("HUP");
    program.wait_for_event("configuration reloaded");
    assert_eq!(ask(&program, &second, None), Some(200));
    assert_eq!(ask(&program, &first, None), None);

    tower.put(&first, &second);
    program.signal("HUP");
    let failed = program.wait_for_event("reload failed").to_string();
    assert!(
        failed.contains("tls.key_file") && failed.contains("does not belong to the certificate"),
        "{failed}"
    );
    assert_eq!(ask(&program, &second, None), Some(200));

    tower.put(&first, &first);
    program.signal("HUP");
    program.wait_for_event("configuration reloaded");
    assert_eq!(ask(&program, &first, None), Some(200));
}

#[test]
fn a_start_with_files_that_do_not_fit_says_why() {
    let (certificate, other) = (certificate(), certificate());
    let tower = Tower::build(&certificate, "");
    tower.put(&certificate, &other);
    let output = tower.command().output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("tls.key_file") && told.contains("does not belong to the certificate"),
        "{told}"
    );
}

#[test]
fn where_clients_must_show_a_certificate_only_those_of_the_authority_are_answered() {
    let (certificate, known) = (certificate(), Certificate::for_names(&["agent"]));
    let unknown = Certificate::for_names(&["agent"]);
    let authority = format!(", client_ca_file: {}", known.ca_file.display());
    let tower = Tower::build(&certificate, &authority);
    let program = Program::start_as(tower.command());
    assert_eq!(ask(&program, &certificate, Some(&known)), Some(200));
    assert_eq!(ask(&program, &certificate, Some(&unknown)), None);
    assert_eq!(ask(&program, &certificate, None), None);
}

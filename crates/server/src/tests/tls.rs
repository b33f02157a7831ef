//! Encrypted connections, over real sockets with certificates of an authority that nobody else knows.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use testkit::Certificate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::socket::{Listening, until};
use crate::{Config, TlsProblem, TlsSettings};

const REQUEST: &[u8] = b"GET /-/healthy HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn settings(certificate: &Certificate) -> TlsSettings {
    TlsSettings {
        cert_file: certificate.cert_file.clone(),
        key_file: certificate.key_file.clone(),
        client_ca_file: None,
    }
}

/// A client that believes one authority, and shows a certificate of its own if it has one.
fn client(authority: &Certificate, own: Option<&Certificate>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&authority.ca_file).unwrap())
        .unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let builder = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain = vec![CertificateDer::from_pem_file(&own.cert_file).unwrap()];
            let key = PrivateKeyDer::from_pem_file(&own.key_file).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

/// The answer to a request, or why there is none.
async fn ask(listening: &Listening, client: ClientConfig) -> std::io::Result<String> {
    let stream = TcpStream::connect(listening.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect(name, stream).await?;
    stream.write_all(REQUEST).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn listening(certificate: &Certificate) -> Listening {
    let listening = Listening::new(Config::default()).await;
    let server = &listening.bench.server;
    assert_eq!(server.set_tls(Some(settings(certificate))), Ok(Vec::new()));
    listening
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_answered_over_http_1() {
    let certificate = Certificate::for_names(&["localhost"]);
    let listening = listening(&certificate).await;
    let mut trusting = client(&certificate, None);
    trusting.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let answer = ask(&listening, trusting).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("strict-transport-security: max-age="),
        "{answer}"
    );
    let stranger = Certificate::for_names(&["localhost"]);
    assert!(ask(&listening, client(&stranger, None)).await.is_err());
    let failures = "campanile_tls_handshake_failures_total 1";
    listening.until_shown(failures).await;
    let expiry = listening.bench.get("/metrics").await;
    let line = expiry
        .text()
        .lines()
        .find(|line| line.starts_with("campanile_tls_certificate_expiry_timestamp_seconds "));
    let seconds: f64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(seconds > 1.7e9, "{seconds}");
}

#[tokio::test]
async fn who_speaks_plain_http_is_told_so() {
    let certificate = Certificate::for_names(&["localhost"]);
    let listening = listening(&certificate).await;
    let mut stream = listening.send(REQUEST).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.contains("this port speaks https"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_come_costs_the_connection() {
    let certificate = Certificate::for_names(&["localhost"]);
    let listening = listening(&certificate).await;
    for beginning in [&b""[..], &[0x16, 3, 1]] {
        let started = tokio::time::Instant::now();
        let mut stream = listening.send(beginning).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(started.elapsed().as_secs(), 30);
    }
}

#[tokio::test]
async fn where_clients_must_show_a_certificate_others_are_not_answered() {
    let certificate = Certificate::for_names(&["localhost"]);
    let (known, unknown) = (
        Certificate::for_names(&["agent"]),
        Certificate::for_names(&["agent"]),
    );
    let listening = Listening::new(Config::default()).await;
    let demanding = TlsSettings {
        client_ca_file: Some(known.ca_file.clone()),
        ..settings(&certificate)
    };
    listening.bench.server.set_tls(Some(demanding)).unwrap();
    let answer = ask(&listening, client(&certificate, Some(&known))).await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 200"));
    for own in [None, Some(&unknown)] {
        let answer = ask(&listening, client(&certificate, own)).await;
        assert!(answer.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn the_live_feed_is_encrypted_too() {
    let certificate = Certificate::for_names(&["localhost"]);
    let listening = listening(&certificate).await;
    let stream = TcpStream::connect(listening.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(client(&certificate, None)));
    let stream = connector.connect(name, stream).await.unwrap();
    let url = "wss://localhost/ws/metrics";
    let (socket, answer) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    assert_eq!(answer.status(), 101);
    let clients = "campanile_websocket_connections 1";
    listening.until_shown(clients).await;
    drop(socket);
    let clients = "campanile_websocket_connections 0";
    listening.until_shown(clients).await;
}

/// Copies a certificate over another, as a renewal does.
fn renew(old: &Certificate, new: &Certificate, ahead: u64) {
    for (from, to) in [
        (&new.cert_file, &old.cert_file),
        (&new.key_file, &old.key_file),
    ] {
        fs::copy(from, to).unwrap();
        touch(to, ahead);
    }
}

/// A file that changes twice within one tick of the kernel's clock is still another.
fn touch(file: &std::path::Path, ahead: u64) {
    let file = fs::File::options().write(true).open(file).unwrap();
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000 + ahead);
    file.set_modified(moment).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_renewed_certificate_is_used_and_a_broken_one_is_not() {
    let first = Certificate::for_names(&["localhost"]);
    let listening = listening(&first).await;
    let server = &listening.bench.server;
    let is_well = || {
        let parts = server.health();
        parts[0].reason.is_empty()
    };
    assert!(is_well());
    let old = client(&first, None);
    assert!(ask(&listening, old.clone()).await.is_ok());
    // Half of a renewal.
    let second = Certificate::for_names(&["localhost"]);
    fs::copy(&second.cert_file, &first.cert_file).unwrap();
    touch(&first.cert_file, 1);
    until_later(|| !is_well()).await;
    let reason = server.health()[0].reason.clone();
    assert!(
        reason.contains("the key does not belong to the certificate"),
        "{reason}"
    );
    assert!(ask(&listening, old.clone()).await.is_ok());
    let shown = listening.bench.get("/health/detailed").await;
    assert!(
        shown
            .text()
            .contains(r#""component":"tls","status":"degraded""#)
    );
    // The other half.
    renew(&first, &second, 2);
    until_later(is_well).await;
    assert!(ask(&listening, client(&second, None)).await.is_ok());
    assert!(ask(&listening, old).await.is_err());
}

/// Lets simulated time pass until something is so.
async fn until_later(is_so: impl Fn() -> bool) {
    for _ in 0..100 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("it never came to be so");
}

#[tokio::test]
async fn everything_that_is_wrong_with_the_files_is_told_at_once() {
    let good = Certificate::for_names(&["localhost"]);
    let other = Certificate::for_names(&["localhost"]);
    let bench = super::Bench::new();
    let set = |cert: &std::path::Path, key: &std::path::Path, ca: Option<&std::path::Path>| {
        let settings = TlsSettings {
            cert_file: cert.to_owned(),
            key_file: key.to_owned(),
            client_ca_file: ca.map(ToOwned::to_owned),
        };
        let problems = bench.server.set_tls(Some(settings)).unwrap_err();
        let told = |problem: &TlsProblem| format!("{} {}", problem.setting, problem.reason);
        problems.iter().map(told).collect::<Vec<_>>()
    };
    let missing = good.cert_file.with_file_name("missing.pem");
    let told = set(&good.key_file, &good.cert_file, Some(&missing));
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].starts_with("cert_file there is no certificate in it"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("key_file there is no private key in it"),
        "{told:?}"
    );
    assert!(
        told[2].starts_with("client_ca_file cannot be read"),
        "{told:?}"
    );
    let told = set(&good.cert_file, &other.key_file, None);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("key_file the key does not belong"),
        "{told:?}"
    );
    let secret = fs::read_to_string(&other.key_file).unwrap();
    assert!(!told[0].contains(secret.lines().nth(1).unwrap()));
    // Nothing has changed: there is still no TLS.
    assert!(bench.server.health().is_empty());
}

#[tokio::test]
async fn an_expired_certificate_is_used_with_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let mut made = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    made.not_before = rcgen::date_time_ymd(2001, 1, 1);
    made.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = made.self_signed(&key).unwrap();
    let (cert_file, key_file) = (directory.path().join("cert"), directory.path().join("key"));
    fs::write(&cert_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let bench = super::Bench::new();
    let warnings = bench.server.set_tls(Some(TlsSettings {
        cert_file,
        key_file,
        client_ca_file: None,
    }));
    let warnings = warnings.unwrap();
    assert!(
        warnings[0]
            .to_string()
            .contains("has expired at 2002-01-01"),
        "{warnings:?}"
    );
    let health = bench.server.health();
    assert!(health[0].reason.contains("expired"), "{health:?}");
}

#[tokio::test]
async fn encryption_can_be_switched_on_and_off_while_it_listens() {
    let certificate = Certificate::for_names(&["localhost"]);
    let listening = listening(&certificate).await;
    assert!(ask(&listening, client(&certificate, None)).await.is_ok());
    listening.bench.server.set_tls(None).unwrap();
    let mut stream = listening.send(REQUEST).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until(|| listening.bench.server.health().is_empty()).await;
}

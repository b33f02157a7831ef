//! Whom a check believes, and what it says of those whom it does not.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

use super::server::{Reaction, Server};
use super::*;

pub(super) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An authority, and what it signs.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        Self::named("Example Root, Inc.")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Example");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2090, 2, 3);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn options(&self) -> Options {
        Options {
            roots: Roots::Given(vec![self.0.der().to_vec()]),
            ..Options::default()
        }
    }

    /// A server whose certificate is for `name` and expires in the given year.
    pub(super) fn config(&self, name: &str, year: i32) -> rustls::ServerConfig {
        let mut params =
            CertificateParams::new(vec![name.to_owned(), "alt.example.org".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "shop.example.org");
        params.distinguished_name.push(DnType::CountryName, "CH");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 5, 6);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        server_config(certificate.der().to_vec(), &key)
    }
}

fn server_config(certificate: Vec<u8>, key: &KeyPair) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)
        .unwrap()
}

async fn https(config: rustls::ServerConfig) -> Server {
    Server::start_tls(config, |_| Reaction::Answer(OK.to_vec())).await
}

fn url(server: &Server) -> Monitor {
    monitor(&format!(
        "url: 'https://localhost:{}/'",
        server.address.port()
    ))
}

#[tokio::test]
async fn a_certificate_of_a_trusted_root_is_believed_and_told() {
    let authority = Authority::new();
    let server = https(authority.config("localhost", 2080)).await;
    let probe = prober_with(authority.options()).check(&url(&server)).await;
    assert_eq!(probe.outcome, Outcome::Success);
    let samples = samples(&probe);
    // 2080-05-06
    let expiry = Some(3_482_179_200.0);
    assert_eq!(value(&samples, "probe_http_ssl"), Some(1.0));
    assert_eq!(value(&samples, "probe_ssl_earliest_cert_expiry"), expiry);
    assert_eq!(
        value(&samples, "probe_ssl_last_chain_expiry_timestamp_seconds"),
        expiry
    );
    assert_eq!(
        value(&samples, "probe_tls_version_info{version=\"TLS 1.3\"}"),
        Some(1.0)
    );
    let info = samples
        .iter()
        .find(|(labels, _, _)| labels.metric_name() == "probe_ssl_last_chain_info");
    let (info, _, _) = info.unwrap();
    for (label, expected) in [
        ("subject", "CN=shop.example.org,C=CH"),
        ("issuer", "CN=Example Root\\, Inc.,O=Example"),
        ("subjectalternative", "localhost,alt.example.org"),
    ] {
        assert_eq!(info.get(label), Some(expected));
    }
    assert_eq!(info.get("fingerprint_sha256").unwrap().len(), 64);
}

#[tokio::test]
async fn a_chain_expires_with_its_root_if_that_is_first() {
    let authority = Authority::new();
    let server = https(authority.config("localhost", 2099)).await;
    let probe = prober_with(authority.options()).check(&url(&server)).await;
    let samples = samples(&probe);
    // 2099-05-06 and 2090-02-03
    assert_eq!(
        value(&samples, "probe_ssl_earliest_cert_expiry"),
        Some(4_081_708_800.0)
    );
    assert_eq!(
        value(&samples, "probe_ssl_last_chain_expiry_timestamp_seconds"),
        Some(3_789_763_200.0)
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_the_targets_fault_and_said_in_words() {
    let authority = Authority::new();
    let stranger = Authority::named("Stranger");
    let impostor = Authority::new();
    let self_signed = {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        server_config(params.self_signed(&key).unwrap().der().to_vec(), &key)
    };
    for (config, expected) in [
        (
            authority.config("localhost", 2021),
            "its certificate has expired on 2021-05-06",
        ),
        (
            authority.config("other.example.org", 2080),
            "its certificate is for another name: ",
        ),
        (
            stranger.config("localhost", 2080),
            "nobody whom this machine trusts has signed its certificate",
        ),
        (
            impostor.config("localhost", 2080),
            "its certificate is not signed by whom it says",
        ),
        (
            self_signed,
            "nobody whom this machine trusts has signed its certificate",
        ),
    ] {
        let server = https(config).await;
        let probe = prober_with(authority.options()).check(&url(&server)).await;
        let expected = format!(
            "no TLS with localhost:{}: {expected}",
            server.address.port()
        );
        assert!(
            failure(&probe).starts_with(&expected),
            "{}",
            failure(&probe)
        );
        assert_eq!(value(&samples(&probe), "probe_http_ssl"), Some(0.0));
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_a_failure() {
    let server = Server::answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let silent = Server::start(|_| Reaction::Reset).await;
    let authority = Authority::new();
    let prober = prober_with(authority.options());
    // It waits for the end of a request that never comes.
    let target = monitor(&format!(
        "url: 'https://localhost:{}/', timeout: 200ms",
        silent.address.port()
    ));
    let probe = prober.check(&target).await;
    let text = failure(&probe);
    assert!(
        text.contains("takes the connection, but does not shake hands for TLS within 200ms"),
        "{text}"
    );
    drop(server);
}

#[tokio::test]
async fn without_roots_it_is_own_trouble() {
    let authority = Authority::new();
    let server = https(authority.config("localhost", 2080)).await;
    let options = Options {
        roots: Roots::Given(Vec::new()),
        ..Options::default()
    };
    let probe = prober_with(options).check(&url(&server)).await;
    assert!(
        own_trouble(&probe).contains("no usable root certificates"),
        "{}",
        own_trouble(&probe)
    );
}

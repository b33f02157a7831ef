//! The TLS side of a check: whom we trust, the handshake, and what is told of the session.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use model::Clock;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ProtocolVersion, RootCertStore,
    SupportedCipherSuite,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::warn;

use super::certificate::Certificate;
use super::fault::{Blame, Fault};
use super::target::Target;

/// Whom a check trusts to say who a server is.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Whom this machine trusts: its bundle of certificates, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    #[default]
    System,
    /// These and no others, as DER.
    Given(Vec<Vec<u8>>),
}

/// All that handshakes share.
pub(crate) struct Tls {
    /// None if there are no roots; then nobody could be believed.
    connector: Option<TlsConnector>,
    /// Until when each root is valid, in seconds since 1970, by its subject.
    roots: HashMap<Vec<u8>, i64, RandomState>,
}

/// What is told of a session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    pub(crate) version: &'static str,
    pub(crate) cipher: Option<String>,
    pub(crate) leaf: Option<Certificate>,
    /// When the first certificate that was sent expires, in seconds since 1970.
    pub(crate) earliest_expiry: Option<i64>,
    /// When the first certificate of the chain that was believed expires, its root included.
    pub(crate) chain_expiry: Option<i64>,
}

impl Tls {
    /// Loads the roots. Those that cannot be read are left out, which is logged.
    ///
    /// Errors: TLS itself cannot be set up.
    pub(crate) fn new(roots: &Roots, clock: Arc<dyn Clock>) -> Result<Self, rustls::Error> {
        let certificates = match roots {
            Roots::System => system_roots(),
            Roots::Given(certificates) => certificates
                .iter()
                .map(|bytes| CertificateDer::from(bytes.clone()))
                .collect(),
        };
        let mut store = RootCertStore::empty();
        let mut expiries: HashMap<Vec<u8>, i64, RandomState> = HashMap::default();
        for certificate in certificates {
            if let Some(parsed) = Certificate::parse(&certificate) {
                let expiry = expiries
                    .entry(parsed.subject_der)
                    .or_insert(parsed.not_after);
                *expiry = parsed.not_after.max(*expiry);
            }
            store.add_parsable_certificates([certificate]);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(ClockTime(clock)))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A handshake that is cut short tells less than a whole one.
        config.resumption = Resumption::disabled();
        let connector = (!store.is_empty()).then(|| TlsConnector::from(Arc::new(config)));
        Ok(Self {
            connector,
            roots: expiries,
        })
    }

    /// Shakes hands with the target.
    ///
    /// Errors: in words, and whose fault it is.
    pub(crate) async fn handshake(
        &self,
        target: &Target,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Fault> {
        let Some(connector) = &self.connector else {
            return Err(Fault::own(format!(
                "cannot check the certificate of {target}: this machine has no usable root certificates (package ca-certificates)"
            )));
        };
        let name = ServerName::try_from(target.host.clone()).map_err(|_| {
            Fault::target(format!("{target} is no name that a certificate can hold"))
        })?;
        connector
            .connect(name, stream)
            .await
            .map_err(|error| self.fault(target, &error))
    }

    /// What is told of a session that stands.
    pub(crate) fn session(&self, stream: &TlsStream<TcpStream>) -> Session {
        let connection = stream.get_ref().1;
        let sent = connection.peer_certificates().unwrap_or_default();
        let sent: Vec<Certificate> = sent
            .iter()
            .filter_map(|certificate| Certificate::parse(certificate))
            .collect();
        Session {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "unknown",
            },
            cipher: connection.negotiated_cipher_suite().map(cipher_name),
            earliest_expiry: sent.iter().map(|certificate| certificate.not_after).min(),
            chain_expiry: self.chain_expiry(&sent),
            leaf: sent.into_iter().next(),
        }
    }

    /// Follows the issuers from the leaf up to a root; the chain was believed, so there is one.
    fn chain_expiry(&self, sent: &[Certificate]) -> Option<i64> {
        let mut certificate = sent.first()?;
        let mut expiry = certificate.not_after;
        // Each step takes another certificate, so no more steps than certificates lead anywhere.
        for _ in 0..sent.len() {
            if let Some(root) = self.roots.get(&certificate.issuer_der) {
                return Some(expiry.min(*root));
            }
            certificate = sent
                .iter()
                .find(|other| other.subject_der == certificate.issuer_der)?;
            expiry = expiry.min(certificate.not_after);
        }
        None
    }

    fn fault(&self, target: &Target, error: &io::Error) -> Fault {
        let doing = format!("no TLS with {target}");
        match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            Some(error) => Fault::target(format!("{doing}: {}", in_words(error))),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Fault::new(
                Blame::TargetUnlessOurs,
                format!("{doing}: it has closed the connection during the handshake"),
            ),
            None => Fault::of(&doing, error),
        }
    }
}

fn system_roots() -> Vec<CertificateDer<'static>> {
    let loaded = rustls_native_certs::load_native_certs();
    if let Some(error) = loaded.errors.first() {
        let errors = loaded.errors.len();
        warn!(%error, errors, "cannot read all root certificates of this machine");
    }
    loaded.certs
}

/// As Go and so blackbox_exporter names it; rustls writes `TLS13_…` for the suites of TLS 1.3.
fn cipher_name(suite: SupportedCipherSuite) -> String {
    let name = format!("{:?}", suite.suite());
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name,
    }
}

fn in_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate_in_words(error),
        rustls::Error::InvalidMessage(_) => "its answer is not TLS".to_owned(),
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "it does not know this name".to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!("it refuses ({alert:?})"),
        rustls::Error::PeerIncompatible(why) => {
            format!("it offers nothing that is safe today ({why:?})")
        }
        error => error.to_string(),
    }
}

fn certificate_in_words(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired => "its certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its certificate has expired on {}", date(*not_after))
        }
        CertificateError::NotValidYet => "its certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("its certificate is not valid before {}", date(*not_before))
        }
        CertificateError::NotValidForName => "its certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("its certificate is for another name: {}", presented.join(", "))
        }
        CertificateError::UnknownIssuer => {
            "nobody whom this machine trusts has signed its certificate (it is self-signed, or an intermediate certificate is missing)"
                .to_owned()
        }
        CertificateError::BadSignature => "its certificate is not signed by whom it says".to_owned(),
        CertificateError::Revoked => "its certificate was revoked".to_owned(),
        error => format!("its certificate is not valid: {error}"),
    }
}

fn date(time: UnixTime) -> String {
    let days = i64::try_from(time.as_secs() / 86_400).unwrap_or(i64::MAX / 2);
    let (year, month, day) = model::date::date_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The time by which certificates are judged.
struct ClockTime(Arc<dyn Clock>);

impl fmt::Debug for ClockTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClockTime")
    }
}

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from(self.0.now().as_millis()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }
}

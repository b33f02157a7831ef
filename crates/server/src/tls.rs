//! The server's own certificate: read from files, judged before it is used, and read anew when the files change.
//!
//! What is wrong with the files is told all at once. Once a good certificate is in use, only another good one replaces it: a
//! renewal that has written one file and not yet the other, or something broken, changes nothing but the health.

mod validity;

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use model::{ComponentHealth, HealthState, MetricFamily, MetricKind, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_util::sync::CancellationToken;

use crate::Server;
use validity::Validity;

/// How often it is looked whether the files have changed: a renewal has weeks.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Bytes of one file; a chain has some kilobytes, a list of authorities some hundred.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// So long before its end a certificate is a worry: those that renew themselves are renewed long before.
const WORRY: Duration = Duration::from_secs(7 * 86_400);

/// Where the server's certificate lies; all files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate, and behind it those that lead to the authority.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// If given, clients must show a certificate that one of these authorities has signed.
    pub client_ca_file: Option<PathBuf>,
}

/// Something about one of the files; the text holds nothing of their contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsProblem {
    /// The key of the configuration that names the file, such as `key_file`.
    pub setting: &'static str,
    /// The file.
    pub file: PathBuf,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// A certificate that can be used.
#[derive(Clone, Debug)]
pub struct TlsIdentity {
    config: Arc<ServerConfig>,
    validity: Validity,
    warnings: Vec<TlsProblem>,
}

/// The certificate in use, and what the files were when it was read.
pub(crate) struct Tls {
    current: ArcSwapOption<ServerConfig>,
    watched: Mutex<Option<Watched>>,
}

struct Watched {
    settings: TlsSettings,
    validity: Validity,
    /// As of the last attempt, good or bad.
    stamps: Vec<Stamp>,
    /// Why the files as they are now are not used, and since when.
    trouble: Option<(Timestamp, String)>,
}

/// By what a file is known to have changed; none if it cannot be asked.
type Stamp = Option<(SystemTime, u64)>;

impl TlsSettings {
    /// Reads and judges the files. It blocks.
    ///
    /// Errors: everything that is wrong. What is merely suspicious, such as an end in the past, is a warning of the identity.
    pub fn load(&self, now: Timestamp) -> Result<TlsIdentity, Vec<TlsProblem>> {
        let mut problems = Vec::new();
        let mut note = |setting, file: &Path, reason: String| {
            problems.push(TlsProblem {
                setting,
                file: file.to_owned(),
                reason,
            });
        };
        let chain = read(&self.cert_file).and_then(|pem| certificates(&pem));
        let validity = match &chain {
            Ok(chain) => Validity::parse(&chain[0]),
            Err(reason) => {
                note("cert_file", &self.cert_file, reason.clone());
                None
            }
        };
        if chain.is_ok() && validity.is_none() {
            let reason = "the first certificate in it is broken: it has no dates";
            note("cert_file", &self.cert_file, reason.to_owned());
        }
        let key = read(&self.key_file).and_then(|pem| private_key(&pem));
        if let Err(reason) = &key {
            note("key_file", &self.key_file, reason.clone());
        }
        let roots = self.client_ca_file.as_deref().map(|file| {
            let roots = read(file).and_then(|pem| authorities(&pem));
            roots.map_err(|reason| note("client_ca_file", file, reason))
        });
        let (Ok(chain), Ok(key), Some(validity)) = (chain, key, validity) else {
            return Err(problems);
        };
        let roots = match roots {
            Some(Err(())) => return Err(problems),
            Some(Ok(roots)) => Some(roots),
            None => None,
        };
        let config = configure(chain, key, roots).map_err(|error| {
            let (setting, file, reason) = match error {
                rustls::Error::InconsistentKeys(_) => (
                    "key_file",
                    &self.key_file,
                    format!(
                        "the key does not belong to the certificate in {}",
                        self.cert_file.display()
                    ),
                ),
                error => ("cert_file", &self.cert_file, error.to_string()),
            };
            vec![TlsProblem {
                setting,
                file: file.clone(),
                reason,
            }]
        })?;
        let mut warnings = Vec::new();
        if let Some(reason) = validity.trouble_at(now) {
            warnings.push(TlsProblem {
                setting: "cert_file",
                file: self.cert_file.clone(),
                reason,
            });
        }
        Ok(TlsIdentity {
            config: Arc::new(config),
            validity,
            warnings,
        })
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.cert_file, &self.key_file];
        let files = files.into_iter().chain(&self.client_ca_file);
        files.map(PathBuf::as_path)
    }

    fn stamps(&self) -> Vec<Stamp> {
        let stamp = |file: &Path| {
            let about = file.metadata().ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        self.files().map(stamp).collect()
    }
}

impl TlsIdentity {
    /// What is suspicious, though it can be used.
    pub fn warnings(&self) -> &[TlsProblem] {
        &self.warnings
    }

    /// After which moment no client believes it any more.
    pub fn expires(&self) -> Timestamp {
        self.validity.not_after
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, reason) = (self.file.display(), &self.reason);
        write!(formatter, "{} {file}: {reason}", self.setting)
    }
}

impl Tls {
    pub(crate) fn new() -> Self {
        Self {
            current: ArcSwapOption::empty(),
            watched: Mutex::new(None),
        }
    }

    /// What connections are to be encrypted with; none if they are not.
    pub(crate) fn current(&self) -> Option<Arc<ServerConfig>> {
        self.current.load_full()
    }

    /// Uses other files, or none. It blocks.
    ///
    /// Errors: everything that is wrong with them; then nothing has changed.
    pub(crate) fn set(
        &self,
        settings: Option<TlsSettings>,
        now: Timestamp,
    ) -> Result<Vec<TlsProblem>, Vec<TlsProblem>> {
        let Some(settings) = settings else {
            let mut watched = self.watched();
            *watched = None;
            self.current.store(None);
            return Ok(Vec::new());
        };
        // Before they are read: what changes meanwhile is read once more.
        let stamps = settings.stamps();
        let identity = settings.load(now)?;
        let mut watched = self.watched();
        *watched = Some(Watched {
            settings,
            validity: identity.validity,
            stamps,
            trouble: None,
        });
        self.current.store(Some(identity.config));
        Ok(identity.warnings)
    }

    /// Reads the files again if they have changed. It blocks, but nobody else: whoever asks how it is need not wait for a disk.
    pub(crate) fn look(&self, now: Timestamp) {
        let known = self.watched();
        let Some((settings, known_stamps)) = known
            .as_ref()
            .map(|watched| (watched.settings.clone(), watched.stamps.clone()))
        else {
            return;
        };
        drop(known);
        let stamps = settings.stamps();
        if stamps == known_stamps {
            return;
        }
        let loaded = settings.load(now);
        let mut watched = self.watched();
        // Other files may have been set meanwhile.
        let watched = watched.as_mut();
        let Some(watched) = watched.filter(|watched| watched.settings == settings) else {
            return;
        };
        watched.stamps = stamps;
        match loaded {
            Ok(identity) => {
                let file = settings.cert_file.display();
                let expires = model::date::format_rfc3339(identity.expires()).to_string();
                tracing::info!(%file, expires, "the certificate was read anew");
                for warning in identity.warnings() {
                    tracing::warn!(%warning, "the certificate is in use all the same");
                }
                watched.validity = identity.validity;
                watched.trouble = None;
                self.current.store(Some(identity.config));
            }
            Err(problems) => {
                let reason = told(&problems);
                tracing::warn!(
                    reason,
                    "the new certificate is not used, the one before stays"
                );
                let since = watched.trouble.take().map_or(now, |(since, _)| since);
                watched.trouble = Some((since, reason));
            }
        }
    }

    /// How well it is; none without TLS.
    pub(crate) fn health(&self, now: Timestamp) -> Option<ComponentHealth> {
        let watched = self.watched();
        let watched = watched.as_ref()?;
        let Validity {
            not_before,
            not_after,
        } = watched.validity;
        let (state, since, reason) = match &watched.trouble {
            Some((since, reason)) => {
                let reason = format!("the new certificate is not used: {reason}");
                (HealthState::Degraded, *since, reason)
            }
            None => match watched.validity.trouble_at(now) {
                Some(reason) if now >= not_after => (HealthState::Degraded, not_after, reason),
                Some(reason) => (HealthState::Degraded, not_before.min(now), reason),
                None if not_after.since(now) < WORRY => {
                    let end = model::date::format_rfc3339(not_after);
                    let reason = format!("the certificate ends at {end}, in less than a week");
                    (HealthState::Degraded, not_before, reason)
                }
                None => (HealthState::Healthy, not_before, String::new()),
            },
        };
        Some(ComponentHealth {
            component: "tls",
            state,
            since,
            reason,
        })
    }

    /// `campanile_tls_certificate_expiry_timestamp_seconds`; none without TLS.
    pub(crate) fn family(&self) -> Option<MetricFamily> {
        let watched = self.watched();
        let mut family = MetricFamily::new(
            "campanile_tls_certificate_expiry_timestamp_seconds",
            MetricKind::Gauge,
            "When the server's certificate ends, in seconds since 1970.",
        );
        let end = watched.as_ref()?.validity.not_after;
        family.push(&[], end.as_seconds()).ok()?;
        Some(family)
    }

    fn watched(&self) -> MutexGuard<'_, Option<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks after the files until `ending`.
pub(crate) async fn watch(server: Server, ending: CancellationToken) {
    loop {
        tokio::select! {
            () = ending.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let looking = server.clone();
        // Only a panic ends it early, which has been logged.
        let _ = server
            .blocking(move || looking.tls().look(looking.clock().now()))
            .await;
    }
}

/// Several problems in one line.
pub(crate) fn told(problems: &[TlsProblem]) -> String {
    let told: Vec<String> = problems.iter().map(TlsProblem::to_string).collect();
    told.join("; ")
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(cannot)?;
    let read = opened.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    if read.map_err(cannot)? as u64 == FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

/// At least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match parsed {
        Ok(chain) if chain.is_empty() => {
            Err("there is no certificate in it; PEM is needed (-----BEGIN CERTIFICATE-----)".into())
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!("a certificate in it is broken: {error}")),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            "there is no private key in it; PEM without a password is needed (-----BEGIN PRIVATE KEY-----)".to_owned()
        }
        error => format!("the key in it is broken: {error}"),
    })
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        let added = roots.add(certificate);
        added.map_err(|error| format!("a certificate in it is broken: {error}"))?;
    }
    Ok(roots)
}

fn configure(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    client_roots: Option<RootCertStore>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match client_roots {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let verifier = verifier.map_err(|error| rustls::Error::General(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

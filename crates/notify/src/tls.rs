//! Whom a TLS connection trusts: the system's roots or those of a file, for HTTP and SMTP alike.

use std::path::Path;
use std::sync::Arc;

use document::{Section, Value};
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::secret::read_file;

/// Of Prometheus' `tls_config`, what this version cannot do.
const UNSUPPORTED: [&str; 6] = [
    "cert",
    "cert_file",
    "key",
    "key_file",
    "max_version",
    "min_version",
];

/// The settings of `tls_config`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Certificates in PEM that are trusted instead of the system's.
    ca: Option<Arc<str>>,
    insecure_skip_verify: bool,
    /// The name that the certificate must have instead of the host's.
    server_name: Option<String>,
}

impl Tls {
    /// Reads a `tls_config`; notes what is wrong.
    pub(crate) fn read(mut section: Section<'_>, directory: &Path) -> Self {
        section.unsupported(UNSUPPORTED);
        let mut tls = Self::default();
        let direct = section.value("ca");
        let file = section.value("ca_file");
        if let (Some(_), Some(file)) = (&direct, &file) {
            file.refuse("either ca or ca_file is needed, not both");
        }
        if let Some(value) = direct {
            let text = value.clone().text().map(str::to_owned);
            tls.ca = text.and_then(|text| certificates(&value, text));
        } else if let Some(value) = file
            && let Some(path) = value.clone().file_path(directory)
        {
            match read_file(&path) {
                Ok(text) => tls.ca = certificates(&value, text),
                Err(reason) => value.refuse(format!("cannot read {}: {reason}", path.display())),
            }
        }
        let insecure = section.value("insecure_skip_verify");
        tls.insecure_skip_verify = insecure.and_then(Value::boolean) == Some(true);
        if let Some(value) = section.value("server_name")
            && let Some(name) = value.clone().text()
        {
            match ServerName::try_from(name.to_owned()) {
                Ok(_) => tls.server_name = Some(name.to_owned()),
                Err(_) => {
                    value.refuse("this is no name of a server; write for example mail.example.org")
                }
            }
        }
        section.finish();
        tls
    }

    /// For HTTP.
    ///
    /// Errors: the system has no roots of trust.
    pub(crate) fn client(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let inner = self.verifier(provider)?;
        let name = self.server_name.clone();
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let verifier = Verifier { inner, name };
        Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth())
    }

    /// For SMTP with a server of this name.
    ///
    /// Errors: the system has no roots of trust.
    pub(crate) fn smtp(&self, host: &str) -> Result<TlsParameters, lettre::transport::smtp::Error> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let mut builder = TlsParameters::builder(name.to_owned())
            .dangerous_accept_invalid_certs(self.insecure_skip_verify);
        if let Some(pem) = &self.ca {
            let certificate = Certificate::from_pem(pem.as_bytes())?;
            builder = builder
                .certificate_store(CertificateStore::None)
                .add_root_certificate(certificate);
        } else if self.insecure_skip_verify {
            builder = builder.certificate_store(CertificateStore::None);
        }
        builder.build_rustls()
    }

    fn verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ServerCertVerifier>>, rustls::Error> {
        if self.insecure_skip_verify {
            return Ok(None);
        }
        let Some(pem) = &self.ca else {
            let verifier = rustls_platform_verifier::Verifier::new(provider)?;
            return Ok(Some(Arc::new(verifier)));
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()).flatten() {
            roots.add(certificate)?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        Ok(Some(verifier))
    }
}

/// A text that holds at least one certificate, and nothing broken.
fn certificates(value: &Value<'_>, text: String) -> Option<Arc<str>> {
    let mut roots = RootCertStore::empty();
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        if let Err(reason) = added {
            value.refuse(format!("a certificate in it is broken: {reason}"));
            return None;
        }
        count += 1;
    }
    if count == 0 {
        value.refuse("it holds no certificate; PEM is needed (-----BEGIN CERTIFICATE-----)");
        return None;
    }
    Some(text.into())
}

/// Checks a certificate, perhaps under another name than the host's, or not at all.
#[derive(Debug)]
struct Verifier {
    /// None if every certificate is taken.
    inner: Option<Arc<dyn ServerCertVerifier>>,
    name: Option<ServerName<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let name = self.name.as_ref().unwrap_or(server_name);
        match &self.inner {
            Some(inner) => {
                inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
            }
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let provider = rustls::crypto::ring::default_provider();
        let algorithms = &provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let provider = rustls::crypto::ring::default_provider();
        let algorithms = &provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

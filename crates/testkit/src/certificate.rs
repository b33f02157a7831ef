//! Certificates for servers on this machine, of an authority that nobody else knows.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// A server's certificate in files, which last as long as this value.
pub struct Certificate {
    /// The authority's certificate in PEM: what a client must trust.
    pub ca_file: PathBuf,
    /// The server's certificate in PEM.
    pub cert_file: PathBuf,
    /// The server's key in PEM.
    pub key_file: PathBuf,
    _directory: TempDir,
}

impl Certificate {
    /// For a server with these names or addresses.
    pub fn for_names(names: &[&str]) -> Self {
        let mut authority =
            CertificateParams::new(Vec::new()).expect("no names are no wrong names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("ring makes keys");
        let authority_pem = authority
            .self_signed(&authority_key)
            .expect("an authority signs itself")
            .pem();
        let issuer = Issuer::new(authority, authority_key);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let server = CertificateParams::new(names).expect("these are names");
        let key = KeyPair::generate().expect("ring makes keys");
        let signed = server
            .signed_by(&key, &issuer)
            .expect("an authority signs a server");

        let directory = tempfile::tempdir().expect("a directory for tests");
        let write = |name: &str, pem: String| {
            let path = directory.path().join(name);
            fs::write(&path, pem).expect("a file for tests");
            path
        };
        Self {
            ca_file: write("ca.pem", authority_pem),
            cert_file: write("cert.pem", signed.pem()),
            key_file: write("key.pem", key.serialize_pem()),
            _directory: directory,
        }
    }
}

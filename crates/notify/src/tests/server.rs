//! A small strict HTTP server: it gives prepared answers one after the other and tells what it was asked.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use testkit::Certificate;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    /// `POST /path`.
    pub(crate) line: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

pub(crate) struct Server {
    /// `http://127.0.0.1:PORT`, without a slash.
    pub(crate) url: String,
    requests: Receiver<Request>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Gives these answers (status, headers, body), each on a connection of its own.
    pub(crate) fn start(answers: &[(u16, &str, &str)]) -> Self {
        Self::listen(answers, None)
    }

    /// The same with encryption.
    pub(crate) fn start_tls(answers: &[(u16, &str, &str)], certificate: &Certificate) -> Self {
        let chain = CertificateDer::from_pem_file(&certificate.cert_file).unwrap();
        let key = PrivateKeyDer::from_pem_file(&certificate.key_file).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let config = ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        Self::listen(answers, Some(Arc::new(config)))
    }

    fn listen(answers: &[(u16, &str, &str)], tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let answers: Vec<String> = answers
            .iter()
            .map(|(status, headers, body)| {
                let length = body.len();
                format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
                )
            })
            .collect();
        let (sender, requests) = channel();
        let thread = std::thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let request = match &tls {
                    None => exchange(stream, &answer),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        exchange(StreamOwned::new(connection, stream), &answer)
                    }
                };
                // A client that does not trust the server asks nothing.
                if let Some(request) = request {
                    sender.send(request).unwrap();
                }
            }
        });
        Self {
            url,
            requests,
            thread: Some(thread),
        }
    }

    /// All requests, once every answer was given.
    pub(crate) fn finish(mut self) -> Vec<Request> {
        self.thread.take().unwrap().join().unwrap();
        self.requests.try_iter().collect()
    }
}

fn exchange(stream: impl Read + Write, answer: &str) -> Option<Request> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let line = line
        .trim_end()
        .strip_suffix(" HTTP/1.1")
        .unwrap()
        .to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).unwrap();
        let header = header.trim_end();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ").unwrap();
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.unwrap().1.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    stream.get_mut().write_all(answer.as_bytes()).unwrap();
    stream.get_mut().flush().unwrap();
    Some(Request {
        line,
        headers,
        body: serde_json::from_slice(&body).unwrap(),
    })
}

//! What a request reaches, and what it does not, over real sockets of 127.0.0.0/8.
//!
//! 127.0.0.2 plays the public internet: it is allowed. 127.0.0.1 is what only this machine reaches.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::names::Lookup;
use crate::{Allowed, Answer, Client, Error, Limits, Names, Trust};

/// Answers every request alike, and remembers what it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn new(host: &str, head: String) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let seen = Arc::clone(&asked);
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut text = String::new();
                while !text.contains("\r\n\r\n") {
                    let mut bytes = [0; 1024];
                    match stream.read(&mut bytes).await {
                        Ok(0) | Err(_) => break,
                        Ok(read) => text.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
                    }
                }
                seen.lock().unwrap().push(text.to_lowercase());
                let answer = format!("{head}content-length: 2\r\nconnection: close\r\n\r\nok");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }

    async fn good(host: &str) -> Self {
        Self::new(host, "HTTP/1.1 200 OK\r\n".to_owned()).await
    }

    async fn redirecting(host: &str, to: &str) -> Self {
        Self::new(host, format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\n")).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers a lookup with the next of these addresses, and at last with the last.
struct Scripted(Mutex<VecDeque<IpAddr>>);

impl Scripted {
    fn new(addresses: &[&str]) -> Arc<Self> {
        let parsed = addresses.iter().map(|text| text.parse().unwrap());
        Arc::new(Self(Mutex::new(parsed.collect())))
    }
}

impl Names for Scripted {
    fn look_up(&self, host: &str) -> Lookup {
        assert_eq!(host, "example.org");
        let mut left = self.0.lock().unwrap();
        let address = match left.len() {
            0 => Err(io::Error::other("no such name")),
            1 => Ok(vec![left[0]]),
            _ => Ok(left.pop_front().into_iter().collect()),
        };
        Box::pin(async move { address })
    }
}

fn client(trust: Trust, names: Arc<dyn Names>) -> Client {
    let allowed = Allowed::new(["127.0.0.2".parse().unwrap()]);
    let tls = crate::default_tls().unwrap();
    Client::with_names(trust, allowed, tls, names).unwrap()
}

async fn get(client: &Client, url: &str) -> Result<Answer, Error> {
    let url = Url::parse(url).unwrap();
    client.get(&url, HeaderMap::new(), &Limits::default()).await
}

fn refused(result: Result<Answer, Error>) -> String {
    match result {
        Err(Error::Refused(refused)) => refused.address.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_person_reaches_what_is_allowed_and_not_this_machine() {
    let inside = Server::good("127.0.0.1").await;
    let outside = Server::good("127.0.0.2").await;
    let names = Scripted::new(&["127.0.0.2"]);
    let person = client(Trust::Person, names);
    let url = format!("http://{}/", outside.address);
    assert_eq!(get(&person, &url).await.unwrap().body, b"ok");
    let named = format!("http://example.org:{}/", outside.address.port());
    assert_eq!(get(&person, &named).await.unwrap().status, 200);
    let url = format!("http://{}/", inside.address);
    assert_eq!(refused(get(&person, &url).await), "127.0.0.1");
    assert!(inside.asked().is_empty());
    let configured = client(Trust::Configuration, Scripted::new(&["127.0.0.1"]));
    assert_eq!(get(&configured, &url).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_name_whose_address_changes_reaches_nothing_inside() {
    let inside = Server::good("127.0.0.1").await;
    let listener = TcpListener::bind(("127.0.0.2", inside.address.port())).await;
    // The same port on both, so that only the address decides.
    let _outside = listener.unwrap();
    let person = client(Trust::Person, Scripted::new(&["127.0.0.1"]));
    let url = format!("http://example.org:{}/", inside.address.port());
    assert_eq!(refused(get(&person, &url).await), "127.0.0.1");

    let outside = Server::good("127.0.0.2").await;
    let names = Scripted::new(&["127.0.0.2", "127.0.0.1"]);
    let person = client(Trust::Person, names);
    let url = format!("http://example.org:{}/", outside.address.port());
    assert_eq!(get(&person, &url).await.unwrap().status, 200);
    // The second look finds another address; the first connection is not kept for it either.
    assert_eq!(refused(get(&person, &url).await), "127.0.0.1");
    assert_eq!(inside.asked().len() + outside.asked().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_judged_anew() {
    let inside = Server::good("127.0.0.1").await;
    for target in [
        format!("http://{}/", inside.address),
        format!("http://2130706433:{}/", inside.address.port()),
        format!("http://[::ffff:7f00:1]:{}/", inside.address.port()),
        format!("//localhost.:{}/", inside.address.port()),
    ] {
        let outside = Server::redirecting("127.0.0.2", &target).await;
        let person = client(Trust::Person, Arc::new(crate::SystemNames));
        let answer = get(&person, &format!("http://{}/", outside.address)).await;
        assert!(
            matches!(&answer, Err(Error::Refused(_) | Error::Failed(_))),
            "{target} {answer:?}"
        );
        assert_eq!(outside.asked().len(), 1, "{target}");
    }
    assert!(inside.asked().is_empty());
    // Inside may lead further inside, if the configuration has led there.
    let first = Server::redirecting("127.0.0.3", &format!("http://{}/", inside.address)).await;
    let configured = client(Trust::Configuration, Scripted::new(&[]));
    let answer = get(&configured, &format!("http://{}/", first.address)).await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_host_or_port() {
    let last = Server::good("127.0.0.1").await;
    let first = Server::redirecting("127.0.0.1", &format!("http://{}/", last.address)).await;
    let configured = client(Trust::Configuration, Scripted::new(&[]));
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer word"));
    headers.insert("accept", HeaderValue::from_static("text/plain"));
    let url = Url::parse(&format!("http://{}/", first.address)).unwrap();
    let answer = configured.get(&url, headers, &Limits::default()).await;
    assert_eq!(answer.unwrap().status, 200);
    assert!(first.asked()[0].contains("bearer word"));
    let second = &last.asked()[0];
    assert!(
        second.contains("accept: text/plain") && !second.contains("word"),
        "{second}"
    );
}

#[tokio::test]
async fn an_answer_has_limits() {
    let server = Server::good("127.0.0.1").await;
    let configured = client(Trust::Configuration, Scripted::new(&[]));
    let url = Url::parse(&format!("http://{}/", server.address)).unwrap();
    let limits = Limits {
        bytes: 1,
        ..Limits::default()
    };
    let answer = configured.get(&url, HeaderMap::new(), &limits).await;
    assert!(matches!(answer, Err(Error::TooLarge(1))), "{answer:?}");
    let circle = Server::redirecting("127.0.0.1", "/again").await;
    let answer = get(&configured, &format!("http://{}/", circle.address)).await;
    assert!(matches!(answer, Err(Error::Redirects(3))), "{answer:?}");
    assert_eq!(circle.asked().len(), 4);
    for url in ["file:///etc/passwd", "gopher://127.0.0.1/"] {
        let asked = configured.request(Method::GET, &Url::parse(url).unwrap());
        assert!(matches!(asked, Err(Error::NotHttp(_))), "{url}");
    }
}

/// How somebody may write an address of IPv4.
fn spellings(number: u32) -> Vec<String> {
    let [a, b, c, d] = number.to_be_bytes();
    let rest = number & 0xff_ffff;
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{number}"),
        format!("0x{number:x}"),
        format!("0X{number:08X}"),
        format!("0{number:o}"),
        format!("{a}.{rest}"),
        format!("0x{a:x}.0{b:o}.{}", u16::from_be_bytes([c, d])),
        format!("0{a:o}.0x{b:x}.{c}.0{d:o}"),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::FFFF:{:x}:{:x}]", number >> 16, number & 0xffff),
        format!("[0:0:0:0:0:ffff:{:x}:{:x}]", number >> 16, number & 0xffff),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[2002:{:x}:{:x}::1]", number >> 16, number & 0xffff),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However an address is spelled, it is refused, or no URL at all; and it is never taken for a name.
    #[test]
    fn no_spelling_of_an_inner_address_is_let_through(
        low in any::<u32>(),
        net in prop::sample::select(vec![0x7f00_0000_u32, 0x0a00_0000, 0xa9fe_0000, 0xc0a8_0000]),
    ) {
        let mask = if net >> 24 == 0x7f || net >> 24 == 0x0a { 0xff_ffff } else { 0xffff };
        let person = client(Trust::Person, Scripted::new(&[]));
        for spelling in spellings(net | (low & mask)) {
            let url = format!("http://user:word@{spelling}:8080/path");
            let Ok(url) = Url::parse(&url) else { continue };
            let asked = person.request(Method::GET, &url);
            prop_assert!(matches!(asked, Err(Error::Refused(_))), "{spelling} {asked:?}");
        }
    }
}

#[test]
fn zones_and_odd_hosts_are_no_urls_or_refused() {
    let person = client(Trust::Person, Scripted::new(&[]));
    for host in [
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1]",
        "[::]",
        "0",
        "0.0.0.0",
        "127.1",
        "１２７.0.0.1",
        "127%2e0.0.1",
    ] {
        let asked = Url::parse(&format!("http://{host}/")).ok();
        let asked = asked.map(|url| person.request(Method::GET, &url));
        assert!(
            matches!(asked, None | Some(Err(Error::Refused(_)))),
            "{host} {asked:?}"
        );
    }
}

//! Names, and servers that know them, do not know them, fail, or keep silent.

use std::net::{IpAddr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::server::Server;
use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// How a server answers a question for a name.
#[derive(Clone, Copy)]
enum Manner {
    /// With these addresses, for as many seconds.
    Knows(&'static [&'static str], u32),
    /// With this code and nothing else.
    Says(u8),
    Silent,
}

/// A DNS server on a free port; it goes when it is dropped.
struct Dns {
    address: SocketAddr,
    asked: Arc<std::sync::Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Dns {
    async fn start(manner: impl Fn(&str) -> Manner + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&asked);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let question = &question[..length];
                let name = name_of(question);
                heard.lock().unwrap().push(name.clone());
                if let Some(answer) = answer(question, manner(&name)) {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn name_of(question: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = &question[12..];
    while rest[0] != 0 {
        let (label, after) = rest[1..].split_at(usize::from(rest[0]));
        labels.push(String::from_utf8(label.to_vec()).unwrap());
        rest = after;
    }
    labels.join(".")
}

fn answer(question: &[u8], manner: Manner) -> Option<Vec<u8>> {
    let (addresses, code, seconds) = match manner {
        Manner::Knows(addresses, seconds) => (addresses, 0, seconds),
        Manner::Says(code) => (&[][..], code, 0),
        Manner::Silent => return None,
    };
    let is_v6 = question[question.len() - 3] == 28;
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let addresses: Vec<IpAddr> = addresses
        .into_iter()
        .filter(|address| address.is_ipv6() == is_v6)
        .collect();
    let mut answer = question.to_vec();
    answer[2..8].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, addresses.len() as u8]);
    for address in addresses {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        answer.extend([0xC0, 12, 0, if is_v6 { 28 } else { 1 }, 0, 1]);
        answer.extend(seconds.to_be_bytes());
        answer.extend([0, bytes.len() as u8]);
        answer.extend(bytes);
    }
    Some(answer)
}

/// A prober that knows only these servers, and no file of this machine.
fn asking(servers: &[SocketAddr]) -> (Arc<Prober>, tempfile::TempDir) {
    let etc = tempfile::tempdir().unwrap();
    let options = Options {
        dns_servers: Some(servers.to_vec()),
        etc: etc.path().to_owned(),
        ..Options::default()
    };
    (prober_with(options), etc)
}

fn shop(port: u16, more: &str) -> Monitor {
    monitor(&format!("url: 'http://Shop.example.org:{port}/'{more}"))
}

#[tokio::test]
async fn a_name_is_looked_up_once_within_its_time_to_live() {
    let server = Server::answering(OK).await;
    let dns = Dns::start(|_| Manner::Knows(&["127.0.0.1"], 300)).await;
    let (prober, _etc) = asking(&[dns.address]);
    let shop = shop(server.address.port(), "");
    for _ in 0..3 {
        let probe = prober.check(&shop).await;
        assert_eq!(probe.outcome, Outcome::Success);
    }
    assert_eq!(dns.asked(), 2, "once for each family");
    let host = format!("host: shop.example.org:{}\r\n", server.address.port());
    assert!(server.asked()[0].contains(&host), "{}", server.asked()[0]);
}

#[tokio::test]
async fn an_address_that_refuses_is_asked_for_again_and_the_other_family_is_tried() {
    let server = Server::answering(OK).await;
    let dns = Dns::start(|_| Manner::Knows(&["::1", "127.0.0.1"], 300)).await;
    let (prober, _etc) = asking(&[dns.address]);
    let probe = prober.check(&shop(server.address.port(), "")).await;
    assert_eq!(probe.outcome, Outcome::Success);
    assert_eq!(value(&samples(&probe), "probe_ip_protocol"), Some(4.0));
    let port = server.address.port();
    drop(server);
    let asked = dns.asked();
    assert!(
        failure(&prober.check(&shop(port, "")).await)
            .starts_with("cannot connect to shop.example.org")
    );
    prober.check(&shop(port, "")).await;
    assert_eq!(dns.asked(), asked + 2);
}

#[tokio::test]
async fn what_a_server_says_of_a_name_is_the_targets_fault() {
    for (code, expected) in [
        (3, "the name shop.example.org does not exist"),
        (
            2,
            "cannot look up shop.example.org: the DNS servers of its domain fail (SERVFAIL)",
        ),
        (0, "the name shop.example.org has no address"),
    ] {
        let dns = Dns::start(move |_| Manner::Says(code)).await;
        let (prober, _etc) = asking(&[dns.address]);
        let probe = prober.check(&shop(80, "")).await;
        assert_eq!(failure(&probe), expected);
        let samples = samples(&probe);
        assert_eq!(value(&samples, "probe_ip_protocol"), Some(0.0));
        let lookup = value(&samples, "probe_dns_lookup_time_seconds").unwrap();
        let phase = value(&samples, r#"probe_http_duration_seconds{phase="resolve"}"#);
        assert_eq!(phase, Some(lookup));
    }
}

#[tokio::test]
async fn servers_that_do_not_answer_are_own_trouble() {
    let silent = Dns::start(|_| Manner::Silent).await;
    let closed = {
        let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        gone.local_addr().unwrap()
    };
    let refusing = Dns::start(|_| Manner::Says(5)).await;
    for (servers, expected) in [
        (vec![silent.address], "no DNS server answers"),
        (vec![closed], "connection refused"),
        (vec![closed, silent.address], "no DNS server"),
        (vec![refusing.address], "refuses to answer this machine"),
        (vec![], "no DNS server is configured"),
    ] {
        let (prober, _etc) = asking(&servers);
        let probe = prober.check(&shop(80, ", timeout: 400ms")).await;
        let text = own_trouble(&probe);
        assert!(
            text.starts_with("cannot look up shop.example.org"),
            "{text}"
        );
        assert!(text.contains(expected), "{text}");
        assert_eq!(samples(&probe), []);
    }
}

#[tokio::test]
async fn a_server_that_is_silent_is_passed_over() {
    let server = Server::answering(OK).await;
    let silent = Dns::start(|_| Manner::Silent).await;
    let dns = Dns::start(|_| Manner::Knows(&["127.0.0.1"], 0)).await;
    let (prober, _etc) = asking(&[silent.address, dns.address]);
    let shop = shop(server.address.port(), ", timeout: 2s");
    for _ in 0..2 {
        let probe = prober.check(&shop).await;
        assert_eq!(probe.outcome, Outcome::Success);
    }
    assert_eq!(
        silent.asked(),
        2,
        "the second check begins with the one that answered"
    );
}

#[tokio::test]
async fn hosts_and_search_domains_come_from_the_files_of_the_machine() {
    let server = Server::answering(OK).await;
    let dns = Dns::start(|name| match name {
        "db.svc.example.org" => Manner::Knows(&["127.0.0.1"], 300),
        _ => Manner::Says(3),
    })
    .await;
    let (prober, etc) = asking(&[dns.address]);
    std::fs::write(etc.path().join("hosts"), "127.0.0.1 known # here\n").unwrap();
    std::fs::write(
        etc.path().join("resolv.conf"),
        "search svc.example.org example.org\noptions ndots:5\n",
    )
    .unwrap();
    let port = server.address.port();
    for host in ["known", "db", "localhost"] {
        let probe = prober
            .check(&monitor(&format!("url: 'http://{host}:{port}/'")))
            .await;
        assert_eq!(probe.outcome, Outcome::Success, "{host}");
    }
    assert_eq!(dns.asked(), 2);
    let probe = prober
        .check(&monitor(&format!("url: 'http://other:{port}/'")))
        .await;
    assert_eq!(failure(&probe), "the name other does not exist");
    let asked = dns.asked.lock().unwrap()[2..].join(" ");
    assert!(
        asked.contains("other.svc.example.org other.svc.example.org other.example.org"),
        "{asked}"
    );
}

/// Of the addresses of this machine 127.0.0.2 plays the public world: only it is allowed.
fn world(dns: &Dns) -> (Arc<Prober>, tempfile::TempDir) {
    let etc = tempfile::tempdir().unwrap();
    let options = Options {
        dns_servers: Some(vec![dns.address]),
        etc: etc.path().to_owned(),
        allowed: outbound::Allowed::new(["127.0.0.2".parse().unwrap()]),
        ..Options::default()
    };
    (prober_with(options), etc)
}

#[tokio::test]
async fn a_name_that_moves_inside_leads_a_person_nowhere() {
    let inside = Server::start(|_| super::server::Reaction::Answer(OK.into())).await;
    let moved = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let has_moved = Arc::clone(&moved);
    let dns = Dns::start(
        move |_| match has_moved.load(std::sync::atomic::Ordering::Relaxed) {
            false => Manner::Knows(&["127.0.0.2"], 0),
            true => Manner::Knows(&["127.0.0.1"], 0),
        },
    )
    .await;
    let (prober, _etc) = world(&dns);
    let shop = shop(inside.address.port(), "");
    let probe = prober.check_for(&shop, outbound::Trust::Person).await;
    // It may go there, where nobody listens.
    assert!(failure(&probe).contains("127.0.0.2: connection refused"));
    moved.store(true, std::sync::atomic::Ordering::Relaxed);
    let probe = prober.check_for(&shop, outbound::Trust::Person).await;
    assert!(failure(&probe).contains("127.0.0.1 is an address of this machine"));
    assert!(inside.asked().is_empty());
    let probe = prober.check(&shop).await;
    assert_eq!(probe.outcome, Outcome::Success);
}

#[tokio::test]
async fn an_address_is_refused_to_a_person_in_every_spelling() {
    let inside = Server::start(|_| super::server::Reaction::Answer(OK.into())).await;
    let dns = Dns::start(|_| Manner::Says(3)).await;
    let (prober, _etc) = world(&dns);
    let port = inside.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
    ] {
        let monitor = monitor(&format!("url: 'http://{host}:{port}/'"));
        let probe = prober.check_for(&monitor, outbound::Trust::Person).await;
        assert_ne!(probe.outcome, Outcome::Success, "{host}");
    }
    assert!(inside.asked().is_empty());
}

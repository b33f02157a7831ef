//! What follows from two answers, and answers that do not fit into a datagram.

use tokio::net::TcpListener;

use super::*;

fn answer(code: Code, addresses: &[&str], seconds: u64) -> Option<Answer> {
    Some(Answer {
        code,
        is_cut: false,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        time_to_live: Duration::from_secs(seconds),
    })
}

fn shown(answers: [Option<Answer>; 2]) -> String {
    match combine(answers) {
        None => "nothing".to_owned(),
        Some(reply) => format!(
            "{:?} {:?} {}",
            reply.code,
            reply.addresses,
            reply.time_to_live.as_secs()
        ),
    }
}

#[test]
fn one_family_with_addresses_is_enough_and_one_that_is_missing_is_not() {
    use Code::{Failed, NoError, NoName};
    for (v6, v4, expected) in [
        (
            answer(NoError, &["::1", "::2"], 9),
            answer(NoError, &["127.0.0.1"], 5),
            "NoError [::1, 127.0.0.1, ::2] 5",
        ),
        (
            None,
            answer(NoError, &["127.0.0.1"], 5),
            "NoError [127.0.0.1] 5",
        ),
        (
            answer(Failed, &[], 0),
            answer(NoError, &["127.0.0.1"], 5),
            "NoError [127.0.0.1] 5",
        ),
        (
            answer(NoError, &[], 0),
            answer(NoError, &[], 0),
            "NoError [] 0",
        ),
        (answer(NoName, &[], 0), None, "NoName [] 0"),
        (
            answer(NoError, &[], 0),
            answer(Failed, &[], 0),
            "Failed [] 0",
        ),
        (answer(NoError, &[], 0), None, "nothing"),
        (None, None, "nothing"),
    ] {
        assert_eq!(shown([v6, v4]), expected);
    }
}

/// Sets an answer's flags and adds one address of IPv4.
fn with_address(question: &[u8]) -> Vec<u8> {
    let mut bytes = question.to_vec();
    bytes[2..4].copy_from_slice(&[0x81, 0x80]);
    if bytes[bytes.len() - 3] == 1 {
        bytes[7] = 1;
        bytes.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7]);
    }
    bytes
}

#[tokio::test]
async fn an_answer_that_is_cut_is_asked_for_over_tcp() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(server).await.unwrap();
    let serving = async {
        let mut datagram = [0; 512];
        loop {
            tokio::select! {
                received = udp.recv_from(&mut datagram) => {
                    let (length, from) = received.unwrap();
                    let mut cut = datagram[..length].to_vec();
                    cut[2..4].copy_from_slice(&[0x83, 0x80]);
                    udp.send_to(&cut, from).await.unwrap();
                }
                accepted = tcp.accept() => {
                    let (mut stream, _) = accepted.unwrap();
                    let length = stream.read_u16().await.unwrap();
                    let mut question = vec![0; usize::from(length)];
                    stream.read_exact(&mut question).await.unwrap();
                    let whole = with_address(&question);
                    stream.write_u16(whole.len() as u16).await.unwrap();
                    stream.write_all(&whole).await.unwrap();
                }
            }
        }
    };
    let reply = tokio::select! {
        reply = ask(server, "Shop.example.org", Duration::from_secs(5)) => reply.unwrap(),
        () = serving => unreachable!("it serves for ever"),
    };
    assert_eq!(reply.addresses, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
}

#[tokio::test]
async fn an_answer_that_is_cut_says_nothing_without_tcp() {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = udp.local_addr().unwrap();
    let serving = async {
        let mut datagram = [0; 512];
        loop {
            let (length, from) = udp.recv_from(&mut datagram).await.unwrap();
            let mut cut = datagram[..length].to_vec();
            cut[2..4].copy_from_slice(&[0x83, 0x80]);
            udp.send_to(&cut, from).await.unwrap();
        }
    };
    let silence = tokio::select! {
        reply = ask(server, "shop.example.org", Duration::from_secs(5)) => reply.unwrap_err(),
        () = serving => unreachable!("it serves for ever"),
    };
    let Silence::Theirs(why) = silence else {
        panic!("the server is silent: {silence:?}");
    };
    assert!(why.contains("TCP"), "{why}");
}

//! What is said when the time is over, and when a server on this machine fails.

use testkit::SimulatedClock;
use tokio::net::UdpSocket;

use super::*;
use crate::probe::fault::Blame;

#[test]
fn a_lookup_without_end_is_ours_only_if_nobody_has_answered() {
    let server = "192.0.2.53:53".parse().unwrap();
    let mut progress = Progress::default();
    let fault = progress.timed_out("shop", "10s");
    assert_eq!(
        fault,
        Fault::own("cannot look up shop: no DNS server has answered within 10s")
    );
    progress.silent.push(server);
    let fault = progress.timed_out("shop", "10s");
    assert_eq!(
        fault,
        Fault::own(
            "cannot look up shop: no DNS server has answered within 10s (asked 192.0.2.53:53)"
        )
    );
    progress.answered = Some((server, Code::Failed));
    let fault = progress.timed_out("shop", "10s");
    assert_eq!(
        fault,
        Fault::target(
            "no address of shop within 10s: the last answer was that the servers of its domain fail (SERVFAIL), by 192.0.2.53:53"
        )
    );
}

#[test]
fn a_lookup_that_is_refused_to_us_is_our_own_trouble_also_if_its_time_is_over() {
    let server = SocketAddr::from(([192, 0, 2, 1], 53));
    for (code, blame) in [
        (Code::Refused, Blame::Own),
        (Code::Failed, Blame::Target),
        (Code::NoName, Blame::Target),
    ] {
        let progress = Progress {
            answered: Some((server, code)),
            ..Progress::default()
        };
        let fault = progress.timed_out("shop.test", "5s");
        assert_eq!(fault.blame, blame, "{}", fault.text);
    }
}

/// What is said of a name when the server on this machine says that it fails.
async fn fault_of_local_server(leads_out: fn() -> bool) -> Fault {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap();
    let clock = Arc::new(SimulatedClock::new(model::Timestamp::from_millis(0)));
    let mut resolver = Resolver::new(PathBuf::new(), Some(vec![server]), clock);
    resolver.leads_out = leads_out;
    let failing = async {
        let mut datagram = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut datagram).await.unwrap();
            let mut answer = datagram[..length].to_vec();
            answer[2..4].copy_from_slice(&[0x81, 0x82]);
            socket.send_to(&answer, from).await.unwrap();
        }
    };
    let mut progress = Progress::default();
    let budget = Duration::from_secs(10);
    tokio::select! {
        resolved = resolver.resolve("shop.example.org", budget, &mut progress) => resolved.unwrap_err(),
        () = failing => unreachable!("it fails for ever"),
    }
}

#[tokio::test]
async fn a_server_on_this_machine_that_fails_without_a_network_says_nothing_of_the_name() {
    let fault = fault_of_local_server(|| false).await;
    assert_eq!(fault.blame, Blame::Own, "{}", fault.text);
    let fault = fault_of_local_server(|| true).await;
    assert_eq!(fault.blame, Blame::Target, "{}", fault.text);
}

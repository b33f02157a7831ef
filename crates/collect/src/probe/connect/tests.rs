//! Several addresses, of which some take no connection.

use tokio::net::TcpListener;

use super::*;

fn target(port: u16) -> Target {
    Target::of(&format!("http://shop.example.org:{port}/").parse().unwrap()).unwrap()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn the_first_address_that_takes_a_connection_is_used() {
    let listener = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let target = target(listener.local_addr().unwrap().port());
    let all = addresses(&["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    let (_, address) = connect(&target, &all).await.unwrap();
    assert_eq!(address.to_string(), "127.0.0.3");
}

#[tokio::test]
async fn if_none_does_some_are_told() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let all = addresses(&["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    let fault = connect(&target(port), &all).await.unwrap_err();
    assert_eq!(fault.blame, Blame::Target);
    let expected =
        format!("cannot connect to shop.example.org:{port} (127.0.0.1: connection refused; ");
    assert!(fault.text.starts_with(&expected), "{}", fault.text);
    assert_eq!(fault.text.matches("refused").count(), TOLD_MAX);
}

#[test]
fn it_is_our_own_fault_only_if_it_is_for_every_address() {
    use rustix::io::Errno;
    for (errnos, expected) in [
        ([Errno::NETUNREACH, Errno::NETUNREACH], Blame::Own),
        ([Errno::NETUNREACH, Errno::CONNREFUSED], Blame::Target),
        (
            [Errno::NETUNREACH, Errno::TIMEDOUT],
            Blame::TargetUnlessOurs,
        ),
    ] {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let failures = errnos.map(|errno| (address, io::Error::from(errno)));
        assert_eq!(fault(&target(80), &failures).blame, expected);
    }
}

//! What is said when the time is over.

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

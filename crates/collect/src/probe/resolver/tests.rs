//! What is said when the time is over.

use super::*;

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

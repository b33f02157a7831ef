//! Every error has somebody to blame.

use proptest::prelude::*;

use super::*;

fn blame_of(errno: Errno) -> Blame {
    classify(&io::Error::from(errno), || true)
}

#[test]
fn what_every_target_would_give_us_is_our_own() {
    for errno in [
        Errno::NETUNREACH,
        Errno::NETDOWN,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOBUFS,
        Errno::ADDRNOTAVAIL,
        Errno::ADDRINUSE,
        Errno::ACCESS,
        Errno::PERM,
        Errno::AFNOSUPPORT,
    ] {
        assert_eq!(blame_of(errno), Blame::Own, "{errno:?}");
    }
}

#[test]
fn what_the_target_does_or_leaves_undone_is_its_own() {
    for (errno, expected) in [
        (Errno::CONNREFUSED, Blame::Target),
        (Errno::HOSTUNREACH, Blame::Target),
        (Errno::CONNRESET, Blame::TargetUnlessHeldUp),
        (Errno::CONNABORTED, Blame::TargetUnlessHeldUp),
        (Errno::PIPE, Blame::TargetUnlessHeldUp),
        (Errno::TIMEDOUT, Blame::TargetUnlessHeldUp),
    ] {
        assert_eq!(blame_of(errno), expected, "{errno:?}");
    }
}

#[test]
fn a_host_that_cannot_be_reached_is_ours_only_without_a_network() {
    let error = io::Error::from(Errno::HOSTUNREACH);
    assert_eq!(classify(&error, || true), Blame::Target);
    assert_eq!(classify(&error, || false), Blame::Own);
}

#[test]
fn a_network_is_any_address_besides_loopback_and_links() {
    let head = "Iface\tDestination\tGateway\n";
    let route = format!("{head}eth0\t0011A8C0\t00000000\n");
    let lo = "00000000000000000000000000000001 01 80 10 80       lo\n";
    let link = "fe800000000000000000000000000001 02 40 20 80     eth0\n";
    let global = "20010db8000000000000000000000001 02 40 00 80     eth0\n";
    for (routes, addresses, expected) in [
        (head, lo, false),
        (head, link, false),
        (head, global, true),
        (&route, lo, true),
        ("", "", false),
    ] {
        assert_eq!(
            any_interface(routes, addresses),
            expected,
            "{routes} {addresses}"
        );
    }
}

#[test]
fn errors_are_told_in_words_and_with_what_to_do() {
    for (errno, expected) in [
        (Errno::CONNREFUSED, "connection refused"),
        (
            Errno::MFILE,
            "too many open files (raise the limit of open files)",
        ),
        (
            Errno::NETUNREACH,
            "network is unreachable (this machine has no route to it)",
        ),
    ] {
        assert_eq!(in_words(&io::Error::from(errno)), expected);
    }
}

#[test]
fn only_our_own_faults_are_own_trouble() {
    for (blame, expected) in [
        (Blame::Own, Outcome::OwnTrouble("x".to_owned())),
        (Blame::Target, Outcome::Failure("x".to_owned())),
        (Blame::TargetUnlessHeldUp, Outcome::Failure("x".to_owned())),
    ] {
        assert_eq!(Outcome::from(Fault::new(blame, "x")), expected);
    }
}

proptest! {
    #[test]
    fn any_files_of_the_kernel_are_read_without_a_panic(routes in ".{0,200}", addresses in "[ 0-9a-z\n]{0,200}") {
        any_interface(&routes, &addresses);
    }
}

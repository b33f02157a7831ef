//! Every error has somebody to blame.

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
        (Errno::HOSTUNREACH, Blame::TargetUnlessOurs),
        (Errno::CONNRESET, Blame::TargetUnlessOurs),
        (Errno::CONNABORTED, Blame::TargetUnlessOurs),
        (Errno::PIPE, Blame::TargetUnlessOurs),
        (Errno::TIMEDOUT, Blame::TargetUnlessOurs),
    ] {
        assert_eq!(blame_of(errno), expected, "{errno:?}");
    }
}

#[test]
fn a_host_that_cannot_be_reached_is_ours_only_without_a_way_to_it() {
    let error = io::Error::from(Errno::HOSTUNREACH);
    assert_eq!(classify(&error, || true), Blame::TargetUnlessOurs);
    assert_eq!(classify(&error, || false), Blame::Own);
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
        (Blame::TargetUnlessOurs, Outcome::Failure("x".to_owned())),
    ] {
        assert_eq!(Outcome::from(Fault::new(blame, "x")), expected);
    }
}

//! Refresh tokens against a model that remembers every token that was ever given out.

use proptest::prelude::*;

use super::*;

const LIFETIME: Duration = Duration::from_secs(100);

fn begun() -> (Session, SessionToken) {
    let token = SessionToken::generate();
    let session = Session {
        id: token.id.clone(),
        kind: SessionKind::Refresh,
        user: "ann".parse().unwrap(),
        epoch: 0,
        hash: token.hash(),
        generation: 0,
        created: Timestamp::from_millis(0),
        expires: later(Timestamp::from_millis(0), LIFETIME),
    };
    (session, token)
}

/// What happens next: which of the tokens is shown, counted from the newest, whether it is falsified, and after how long.
#[derive(Clone, Debug)]
struct Step {
    back: usize,
    is_false: bool,
    after: i64,
}

fn step() -> impl Strategy<Value = Step> {
    let back = prop_oneof![8 => Just(0), 1 => 1_usize..4];
    let after = prop_oneof![8 => 0_i64..60_000, 1 => 90_000_i64..110_000];
    (back, prop::bool::weighted(0.1), after).prop_map(|(back, is_false, after)| Step {
        back,
        is_false,
        after,
    })
}

/// Another secret of the same session and generation.
fn falsified(token: &SessionToken) -> SessionToken {
    let (_, secret) = token
        .text()
        .rsplit_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let other: String = secret.chars().rev().collect();
    SessionToken::parse(&token.text().replace(&secret, &other)).unwrap()
}

proptest! {
    #[test]
    fn each_token_is_good_once_and_a_copy_ends_all(steps in prop::collection::vec(step(), 1..20)) {
        let (session, first) = begun();
        let mut session = Some(session);
        // The naive model: all tokens in order, and until when the newest is good.
        let (mut given, mut good_until, mut now) = (vec![first], 100_000, 0);
        for step in steps {
            now += step.after;
            let index = given.len().saturating_sub(1 + step.back);
            let mut shown = given[index].clone();
            if step.is_false {
                shown = falsified(&shown);
            }
            let Some(state) = &session else { break };
            let came = state.refresh(&shown, Timestamp::from_millis(now), LIFETIME);
            let is_newest = index + 1 == given.len();
            if now >= good_until {
                prop_assert_eq!(came, Refresh::Refused);
            } else if !is_newest {
                prop_assert_eq!(came, Refresh::Replayed(SessionChange::End(state.id.clone())));
                session = None;
            } else if step.is_false {
                prop_assert_eq!(came, Refresh::Refused);
            } else {
                let Refresh::Next(SessionChange::Continue { from, session: after }, next) = came else {
                    return Err(TestCaseError::fail("the newest token is good"));
                };
                prop_assert_eq!(from, state.generation);
                prop_assert_eq!(after.hash, next.hash());
                good_until = now + 100_000;
                given.push(next);
                session = Some(after);
            }
        }
    }
}

#[test]
fn of_two_uses_at_once_one_is_stale() {
    let (session, token) = begun();
    let now = Timestamp::from_millis(5);
    let uses = [(); 2].map(|()| session.refresh(&token, now, LIFETIME));
    let [
        Refresh::Next(
            SessionChange::Continue {
                from: 0,
                session: after,
            },
            _,
        ),
        Refresh::Next(SessionChange::Continue { from: 0, .. }, _),
    ] = uses
    else {
        panic!("both have seen generation 0: {uses:?}");
    };
    // The store takes one; the other's token is now that of an older generation.
    let late = after.refresh(&token, now, LIFETIME);
    assert_eq!(late, Refresh::Replayed(SessionChange::End(session.id)));
}

#[test]
fn a_cookie_is_no_refresh_token() {
    let (mut session, token) = begun();
    session.kind = SessionKind::Cookie;
    let came = session.refresh(&token, Timestamp::from_millis(1), LIFETIME);
    assert_eq!(came, Refresh::Refused);
}

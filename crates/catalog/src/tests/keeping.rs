//! What is kept is found again as it was, within the limits.

use model::{DeliveryState, NotificationQuery, Timestamp};

use super::fixture::{Fixture, at, on_both, record, state, transition};
use crate::states::STATE_BYTES_MAX;
use crate::{Catalog, Changes, Error};

on_both! {
    what_was_committed_is_there_after_reopening
    of_changes_one_of_which_is_refused_none_happens
    the_first_outcome_of_a_notification_stays
    the_journal_is_read_page_by_page_from_the_newest
    a_transition_is_kept_once_and_another_with_its_number_is_refused
    all_transitions_come_page_by_page
    pruning_leaves_what_is_pending_and_what_numbers_count_on_from
    pruning_takes_a_bounded_number_at_a_time_the_oldest_first
    what_is_too_large_is_cut_or_refused
}

async fn what_was_committed_is_there_after_reopening(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut changes = state("alerts", "state", b"\0\xff");
    changes
        .intend(record(7))
        .attempted(7, 2, 1, "timeout")
        .finished(7, DeliveryState::Failed, "given up", at(9))
        .transition(transition("shop", 1));
    catalog.commit(changes).await.unwrap();
    catalog.close().await.unwrap();

    let catalog = fixture.open().await;
    assert_eq!(
        catalog.state("alerts", "state").await.unwrap().unwrap(),
        b"\0\xff"
    );
    let mut expected = record(7);
    expected.state = DeliveryState::Failed;
    expected.attempts = 2;
    expected.parts_delivered = 1;
    expected.error = "given up".to_owned();
    expected.finished_at = Some(at(9));
    assert_eq!(catalog.notification(7).await.unwrap(), Some(expected));
    assert_eq!(catalog.last_notification_id().await.unwrap(), 7);
    let transitions = catalog
        .transitions("shop", Timestamp::MIN, Timestamp::MAX, 10)
        .await
        .unwrap();
    assert_eq!(transitions, [transition("shop", 1)]);
}

async fn of_changes_one_of_which_is_refused_none_happens(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut changes = state("rules", "a", b"1");
    changes
        .intend(record(1))
        .finished(99, DeliveryState::Delivered, "", at(5));
    let error = catalog.commit(changes).await.unwrap_err();
    assert!(error.to_string().contains("notification 99"), "{error}");
    assert_eq!(catalog.states("rules").await.unwrap(), []);
    assert_eq!(catalog.last_notification_id().await.unwrap(), 0);
    // It goes on as if nothing had been.
    catalog.commit(state("rules", "a", b"2")).await.unwrap();
    assert_eq!(
        catalog.states("rules").await.unwrap(),
        [("a".to_owned(), b"2".to_vec())]
    );
}

async fn the_first_outcome_of_a_notification_stays(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    changes
        .intend(record(1))
        .finished(1, DeliveryState::Delivered, "", at(5));
    catalog.commit(changes).await.unwrap();
    let delivered = catalog.notification(1).await.unwrap();

    let mut again = Changes::new();
    let mut other = record(1);
    other.receiver = "another".to_owned();
    again.intend(other).attempted(1, 9, 9, "late").finished(
        1,
        DeliveryState::Failed,
        "late",
        at(6),
    );
    catalog.commit(again).await.unwrap();
    assert_eq!(catalog.notification(1).await.unwrap(), delivered);

    let mut pending = Changes::new();
    pending.finished(1, DeliveryState::Pending, "", at(7));
    let refused = catalog.commit(pending).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
}

async fn the_journal_is_read_page_by_page_from_the_newest(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    for id in 1..=10 {
        let mut entry = record(id);
        entry.receiver = if id % 2 == 0 { "even" } else { "odd" }.to_owned();
        changes.intend(entry);
        if id > 5 {
            changes.finished(id, DeliveryState::Delivered, "", at(50));
        }
    }
    catalog.commit(changes).await.unwrap();
    let wanted = |before, receiver: Option<&str>, state, limit| NotificationQuery {
        before,
        receiver: receiver.map(str::to_owned),
        state,
        limit,
    };
    let pending = Some(DeliveryState::Pending);
    for (query, expected) in [
        (wanted(None, None, None, 3), vec![10, 9, 8]),
        (wanted(Some(8), None, None, 3), vec![7, 6, 5]),
        (wanted(Some(u64::MAX), Some("even"), None, 2), vec![10, 8]),
        (wanted(None, None, pending, 9), vec![5, 4, 3, 2, 1]),
        (wanted(Some(5), Some("odd"), pending, 9), vec![3, 1]),
        (wanted(None, Some("none"), None, 9), vec![]),
        (wanted(None, None, None, 0), vec![]),
    ] {
        assert_eq!(ids(&catalog, &query).await, expected, "{query:?}");
    }
}

async fn a_transition_is_kept_once_and_another_with_its_number_is_refused(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    for number in 1..=3 {
        changes.transition(transition("shop", number));
    }
    changes
        .transition(transition("shop", 3))
        .transition(transition("mail", 1));
    catalog.commit(changes).await.unwrap();
    let window = catalog.transitions("shop", at(2), at(3), 10).await.unwrap();
    assert_eq!(window, [transition("shop", 2)]);
    let last = catalog
        .transitions("shop", Timestamp::MIN, at(3), 1)
        .await
        .unwrap();
    assert_eq!(last, [transition("shop", 2)]);

    let mut other = transition("shop", 3);
    other.to = "unknown".to_owned();
    let mut changes = Changes::new();
    changes.transition(other.clone());
    let error = catalog.commit(changes).await.unwrap_err();
    assert!(error.to_string().contains("\"shop\""), "{error}");

    let mut changes = Changes::new();
    changes.delete_transitions("shop").transition(other.clone());
    catalog.commit(changes).await.unwrap();
    let all = catalog
        .transitions("shop", Timestamp::MIN, Timestamp::MAX, 10)
        .await
        .unwrap();
    assert_eq!(all, [other]);
}

async fn all_transitions_come_page_by_page(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    for number in 1..=5 {
        changes.transition(transition("shop", number));
    }
    for monitor in ["blog", "shop 2"] {
        changes.transition(transition(monitor, 1));
        changes.transition(transition(monitor, 2));
    }
    catalog.commit(changes).await.unwrap();
    for limit in [1, 2, 3, 100] {
        let (mut seen, mut place) = (Vec::new(), (String::new(), 0));
        loop {
            let page = catalog.all_transitions(&place.0, place.1, limit).await;
            let page = page.unwrap();
            assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else {
                break;
            };
            place = (last.monitor.clone(), last.number);
            seen.extend(page.into_iter().map(|each| (each.monitor, each.number)));
        }
        let expected = [("blog", 1..=2), ("shop", 1..=5), ("shop 2", 1..=2)];
        let expected: Vec<(String, u64)> = expected
            .into_iter()
            .flat_map(|(monitor, numbers)| numbers.map(move |number| (monitor.to_owned(), number)))
            .collect();
        assert_eq!(seen, expected, "{limit}");
    }
}

async fn pruning_leaves_what_is_pending_and_what_numbers_count_on_from(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut changes = Changes::new();
    for id in 1..=10 {
        changes.intend(record(id));
        if id != 2 {
            changes.finished(id, DeliveryState::Delivered, "", at(100 + id as i64));
        }
    }
    for number in 1..=5 {
        changes.transition(transition("shop", number));
    }
    changes.transition(transition("mail", 1));
    catalog.commit(changes).await.unwrap();
    let all = NotificationQuery {
        limit: 100,
        ..NotificationQuery::default()
    };

    assert_eq!(catalog.prune(at(104), 100).await.unwrap(), 6);
    assert_eq!(ids(&catalog, &all).await, [10, 9, 8, 7, 6, 5, 4, 2]);
    assert_eq!(catalog.prune(at(104), 100).await.unwrap(), 0);
    assert_eq!(numbers(&catalog, "shop").await, [5]);
    assert_eq!(numbers(&catalog, "mail").await, [1]);

    assert_eq!(catalog.prune(at(0), 3).await.unwrap(), 4);
    assert_eq!(ids(&catalog, &all).await, [10, 9, 8, 2]);
    catalog.prune(Timestamp::MAX, 0).await.unwrap();
    assert_eq!(ids(&catalog, &all).await, [10, 2]);
    assert_eq!(catalog.last_notification_id().await.unwrap(), 10);
}

async fn pruning_takes_a_bounded_number_at_a_time_the_oldest_first(fixture: Fixture) {
    let catalog = fixture.open().await;
    let rows = crate::prune::ROWS_MAX as u64;
    let mut changes = Changes::new();
    for number in 1..=rows + 11 {
        changes.transition(transition("shop", number));
    }
    catalog.commit(changes).await.unwrap();
    assert_eq!(catalog.prune(at(0), 10).await.unwrap(), rows);
    assert_eq!(
        numbers(&catalog, "shop").await,
        (rows + 1..=rows + 11).rev().collect::<Vec<_>>()
    );
    assert_eq!(catalog.prune(at(0), 10).await.unwrap(), 1);
    assert_eq!(catalog.prune(at(0), 10).await.unwrap(), 0);
}

async fn what_is_too_large_is_cut_or_refused(fixture: Fixture) {
    let catalog = fixture.open().await;
    let mut long = record(1);
    long.alerts = vec![long.alerts[0].clone(); 10_000];
    long.target = "x".repeat(100_000);
    let mut changes = Changes::new();
    changes
        .intend(long)
        .attempted(1, 1, 0, &"e\0".repeat(100_000));
    catalog.commit(changes).await.unwrap();
    let kept = catalog.notification(1).await.unwrap().unwrap();
    assert!((100..10_000).contains(&kept.alerts.len()));
    assert_eq!(kept.target.chars().count(), 1_001);
    assert_eq!(kept.error.chars().count(), 1_001);

    let largest = vec![1; STATE_BYTES_MAX];
    catalog.commit(state("a", "b", &largest)).await.unwrap();
    assert_eq!(catalog.state("a", "b").await.unwrap(), Some(largest));
    for refused in [
        state("a", "b", &vec![1; STATE_BYTES_MAX + 1]),
        state("a", &"k".repeat(10_000), b""),
        state("a\0", "b", b""),
    ] {
        let error = catalog.commit(refused).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error}");
    }
    let mut changes = Changes::new();
    changes.intend(record(u64::MAX));
    let error = catalog.commit(changes).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
}

async fn ids(catalog: &Catalog, query: &NotificationQuery) -> Vec<u64> {
    let entries = catalog.notifications(query).await.unwrap();
    entries.iter().map(|entry| entry.id).collect()
}

async fn numbers(catalog: &Catalog, monitor: &str) -> Vec<u64> {
    let transitions = catalog
        .transitions(monitor, Timestamp::MIN, Timestamp::MAX, 10_000)
        .await
        .unwrap();
    transitions.iter().map(|each| each.number).collect()
}

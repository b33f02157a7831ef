//! What every [`AccessStore`] must do, as a suite that its own tests run.

mod builders;
mod concurrent;
mod directory;
mod sessions;

use std::sync::Arc;

use access::{AccessStore, AuditEntry, AuditQuery, Audited, Change, StoreError};

use builders::entry;

/// Two handles on one new, empty store, as two processes hold them.
type Handles = [Arc<dyn AccessStore>; 2];

/// Checks a store of users, teams, tokens, keys, sessions and the audit log; only that there may be no more than so many
/// is left to its own tests, since that takes ten thousand of them.
///
/// `make` gives two handles on a new, empty store, by which two processes use it.
pub async fn check_access(make: impl AsyncFn() -> Handles) {
    let [one, other] = make().await;
    directory::what_is_added_is_read_back_and_removed(&*one).await;
    directory::each_handle_sees_what_the_other_does(&*one, &*other).await;
    directory::names_are_taken_once(&*make().await[0]).await;
    directory::what_is_not_there_is_missing(&*make().await[0]).await;
    directory::somebody_can_always_administer(&*make().await[0]).await;
    directory::a_user_of_an_earlier_epoch_is_stale(&*make().await[0]).await;
    directory::old_keys_go_when_a_new_one_comes(&*make().await[0]).await;
    the_audit_log_has_what_happened_and_nothing_else(&*make().await[0]).await;
    sessions::a_session_begins_goes_on_and_ends(&*make().await[0]).await;
    sessions::a_secret_is_changed_by_one_of_two(make().await).await;
    sessions::they_end_with_the_epoch_and_with_the_user(&*make().await[0]).await;
    sessions::the_oldest_go_when_there_are_too_many(&*make().await[0]).await;
    sessions::what_has_expired_is_pruned(&*make().await[0]).await;
    concurrent::of_two_admins_who_remove_each_other_one_stays(make().await).await;
    concurrent::of_two_who_take_a_name_one_gets_it(make().await).await;
    concurrent::each_change_has_a_revision_and_an_entry_of_its_own(make().await).await;
    concurrent::nobody_logs_in_while_they_are_removed(make().await).await;
}

/// Makes a change that must be taken; its revision.
async fn done(store: &dyn AccessStore, change: Change) -> u64 {
    let named = format!("{change:?}");
    match store.apply(change, entry("done")).await {
        Ok(revision) => revision,
        Err(error) => panic!("{named}: {error}"),
    }
}

/// Why a change is refused, after which everything must be as before.
async fn refused(store: &dyn AccessStore, change: Change) -> StoreError {
    let named = format!("{change:?}");
    let before = (read(store).await, log(store).await);
    let refused = store.apply(change, entry("refused")).await;
    let after = (read(store).await, log(store).await);
    assert_eq!(
        before, after,
        "{named} was refused and has changed something"
    );
    refused.expect_err(&named)
}

async fn read(store: &dyn AccessStore) -> access::Directory {
    let directory = store.directory().await.expect("the directory is read");
    let revision = store.revision().await.expect("the revision is read");
    assert_eq!(directory.revision, revision);
    directory
}

async fn log(store: &dyn AccessStore) -> Vec<Audited> {
    let query = AuditQuery {
        before: None,
        limit: u32::MAX,
    };
    store.audit(query).await.expect("the audit log is read")
}

async fn the_audit_log_has_what_happened_and_nothing_else(store: &dyn AccessStore) {
    assert_eq!(log(store).await, []);
    let ann = builders::user("ann", access::Role::Admin);
    let entries: Vec<AuditEntry> = (0..5).map(|n| entry(&format!("{n}: \"ü\"\n"))).collect();
    let taken = store.apply(Change::AddUser(ann.clone()), entries[0].clone());
    assert_eq!(taken.await, Ok(1));
    // What is only remembered changes no directory.
    for entry in &entries[1..] {
        assert_eq!(store.apply(Change::Nothing, entry.clone()).await, Ok(1));
    }
    refused(store, Change::AddUser(ann)).await;
    let kept = log(store).await;
    let newest_first: Vec<AuditEntry> = entries.into_iter().rev().collect();
    let of = |kept: &[Audited]| -> Vec<AuditEntry> {
        kept.iter().map(|each| each.entry.clone()).collect()
    };
    assert_eq!(of(&kept), newest_first);
    let falling = kept.windows(2).all(|pair| pair[0].id > pair[1].id);
    assert!(falling, "{kept:?}");
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let query = AuditQuery { before, limit: 2 };
        let page = store.audit(query).await.expect("a page is read");
        assert!(page.len() <= 2);
        let Some(last) = page.last() else {
            break;
        };
        before = Some(last.id);
        pages.extend(page);
    }
    assert_eq!(pages, kept);
    let none = AuditQuery {
        before: None,
        limit: 0,
    };
    assert_eq!(store.audit(none).await, Ok(Vec::new()));
    for _ in 0..1_000 {
        done(store, Change::Nothing).await;
    }
    assert_eq!(log(store).await.len(), 1_000, "no answer is longer");
}

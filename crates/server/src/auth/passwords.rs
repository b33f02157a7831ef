//! Comparing passwords: slow by intent, so few at once, a bounded queue, and a memory of what was right.
//!
//! HTTP Basic shows the password with each request. What is remembered is a hash of name and password under a key that only this process
//! knows, and the user's epoch; a new password changes the epoch.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use access::LoginEvent::{Asked, Begun, GivenUp, Succeeded};
use access::{Change, User, UserName, Verified, random_secret, verify_password};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::visitor::{Visitor, counted};
use super::{Audit, Known};
use crate::Server;
use crate::error::{ApiError, ErrorType};

/// Passwords that are hashed at once: each takes a core and 19 MiB.
const AT_ONCE: usize = 2;

/// Passwords that wait for their turn: about a second's worth.
const QUEUE_MAX: usize = 64;

/// Passwords that are remembered as right.
const REMEMBERED_MAX: usize = 1000;

/// Letters of a name that nobody has, in the log: somebody may have typed their password there.
const SHOWN_LETTERS: usize = 16;

/// Compares passwords.
pub(super) struct Passwords {
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    key: String,
    /// Which epoch of their users they are right for.
    right: Mutex<HashMap<[u8; 32], u64>>,
}

/// Counts one who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Passwords {
    pub(super) fn new() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: AtomicUsize::new(0),
            key: random_secret(),
            right: Mutex::default(),
        }
    }

    fn mark(&self, username: &str, password: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.key);
        hash.update(username.len().to_le_bytes());
        hash.update(username);
        hash.update(password);
        hash.finalize().into()
    }

    fn is_right(&self, mark: &[u8; 32], user: Option<&User>) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = right.get(mark).copied();
        user.is_some_and(|user| !user.is_disabled && epoch == Some(user.epoch))
    }

    fn remember(&self, mark: [u8; 32], epoch: u64) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        // It fills up slowly, and each comes back at the cost of one hash.
        if right.len() >= REMEMBERED_MAX {
            right.clear();
        }
        right.insert(mark, epoch);
    }

    /// A turn to hash a password.
    ///
    /// Errors: 503, too many wait.
    async fn turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit, ApiError> {
        let waits = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if waits >= QUEUE_MAX {
            return Err(ApiError::unavailable(
                "too many passwords are being compared: try again later",
            ));
        }
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        Ok(slot.expect("invariant: the semaphore is never closed"))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Hashes a password when there is room for it.
///
/// Errors: 503 when too many wait, 400 when it may not be a password.
pub(crate) async fn hash(server: &Server, password: String) -> Result<Arc<str>, ApiError> {
    access::check_password(&password).map_err(ApiError::bad_data)?;
    let slot = server.access().passwords.turn().await?;
    let hashed = server.blocking(move || {
        let _slot = slot;
        access::hash_password(&password)
    });
    Ok(hashed.await?.map_err(ApiError::internal)?.into())
}

/// The user of a name and password. `remembered` says whether it may be remembered that they fit, for those who show them again and
/// again.
///
/// Errors: 401 if they do not fit, 429 if too many did not, 503 if there is no room.
pub(crate) async fn verify(
    server: &Server,
    username: &str,
    password: &str,
    address: Option<IpAddr>,
    remembered: bool,
) -> Result<User, ApiError> {
    let passwords = &server.access().passwords;
    let mark = passwords.mark(username, password);
    let from = counted(address);
    if remembered && let Some(user) = remembered_user(server, username, &mark) {
        return Ok(user);
    }
    if !server.access().known().is_read {
        return Err(ApiError::unavailable(
            "users and tokens cannot be read yet: try again later",
        ));
    }
    server.throttle(Asked, username, from)?;
    let slot = passwords.turn().await?;
    // Another request of the same client may have found it out while this one waited.
    if remembered && let Some(user) = remembered_user(server, username, &mark) {
        return Ok(user);
    }
    server.throttle(Begun, username, from)?;
    let user = find(&server.access().known(), username);
    let kept = user.as_ref().and_then(|user| user.password.clone());
    let shown = password.to_owned();
    let verified = server.blocking(move || {
        let _slot = slot;
        verify_password(&shown, kept.as_deref())
    });
    let verified = match verified.await {
        Ok(verified) => verified,
        Err(error) => {
            server.throttle(GivenUp, username, from)?;
            return Err(error);
        }
    };
    match user.filter(|user| verified != Verified::Wrong && !user.is_disabled) {
        Some(user) => {
            server.throttle(Succeeded, username, from)?;
            passwords.remember(mark, user.epoch);
            if verified == Verified::Outdated {
                renew(server, &user, password).await;
            }
            Ok(user)
        }
        None => Err(refuse(server, username, address).await),
    }
}

fn remembered_user(server: &Server, username: &str, mark: &[u8; 32]) -> Option<User> {
    let user = find(&server.access().known(), username);
    let is_right = server.access().passwords.is_right(mark, user.as_ref());
    user.filter(|_| is_right)
}

fn find(known: &Known, username: &str) -> Option<User> {
    let name: UserName = username.parse().ok()?;
    known.directory.users.get(&name).cloned()
}

/// Tells the log and the audit log that somebody was refused.
async fn refuse(server: &Server, username: &str, address: Option<IpAddr>) -> ApiError {
    let object = match find(&server.access().known(), username) {
        Some(user) => format!("user:{}", user.name),
        None => {
            let cut: String = username.chars().take(SHOWN_LETTERS).collect();
            let shown = cut.escape_debug();
            format!("no user:{shown}")
        }
    };
    let visitor = Visitor::unknown(address);
    let address = visitor.shown_address();
    tracing::warn!(who = %object, address, "a login was refused: the user name and password do not fit");
    server
        .audit(&visitor, Audit::of("login.refused", object))
        .await;
    ApiError::new(ErrorType::Unauthorized, "wrong user name or password")
}

/// Keeps a hash of today's parameters.
async fn renew(server: &Server, user: &User, password: &str) {
    let Ok(hash) = hash(server, password.to_owned()).await else {
        return;
    };
    let visitor = Visitor::unknown(None);
    let renewed = server.change_access(&visitor, |known| {
        let mut now = known.directory.users.get(&user.name).cloned();
        // Somebody may have changed the password in the meantime.
        let now = now.take().filter(|now| now.password == user.password);
        let mut now = now.ok_or_else(|| ApiError::conflict("the user has changed"))?;
        now.password = Some(hash);
        let audit = Audit::of("user.rehash", format!("user:{}", now.name));
        Ok((Change::ReplaceUser(now), audit, ()))
    });
    if let Err(error) = renewed.await {
        tracing::debug!(
            reason = error.message(),
            "a password's hash was not renewed"
        );
    }
}

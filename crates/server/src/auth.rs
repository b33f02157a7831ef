//! Who sends a request, and whether they may: from credentials to a principal, for every route.
//!
//! 1. `layer` looks up what the route asks for, reads the credentials, and lets the request pass or not.
//! 2. `credentials` are read from the headers; whom they belong to is found in the directory, which is held in memory.
//! 3. Only passwords (`passwords`) and sessions (`sessions`) take longer: they are hashed on threads of their own, or asked of the store;
//!    what was found out is remembered.
//!
//! The directory is read anew when its revision has grown, which is asked every second, and after each change that is made here. While
//! the store cannot be read, what was read last holds.

pub(crate) mod cookie;
mod credentials;
pub(crate) mod first_link;
pub(crate) mod layer;
pub(crate) mod login;
pub(crate) mod oidc;
pub(crate) mod page;
mod passwords;
mod sessions;
pub(crate) mod settings;
pub(crate) mod visitor;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use access::{
    AuditEntry, Change, Directory, Principal, Role, Scope, SigningKey, StoreError, Throttle, User,
    UserName,
};
use arc_swap::ArcSwap;
use model::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::Server;
use crate::error::ApiError;
use passwords::Passwords;
pub(crate) use passwords::hash as hash_password;
use sessions::SessionCache;
use settings::AccessSettings;
use visitor::Visitor;

/// How often it is asked whether another process has changed the directory.
const FOLLOW: Duration = Duration::from_secs(1);

/// The identity of the key that stands in the configuration.
const CONFIGURED_KEY: &str = "configured";

/// All that the server knows of who may come in.
pub(crate) struct Access {
    settings: ArcSwap<AccessSettings>,
    known: ArcSwap<Known>,
    /// Tells those who wait that something has changed.
    changed: watch::Sender<()>,
    /// Changes are made one after the other, each from what the one before has left.
    changing: tokio::sync::Mutex<()>,
    throttle: Mutex<Throttle>,
    passwords: Passwords,
    sessions: SessionCache,
    first_link: first_link::FirstLink,
    flows: oidc::Flows,
    provider: oidc::ProviderCache,
}

/// The directory as it was read last, and what is asked of it at each request.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) directory: Directory,
    /// What each user may do, teams included.
    roles: HashMap<UserName, Role>,
    /// Whether it was ever read.
    pub(crate) is_read: bool,
}

impl Access {
    pub(crate) fn new(settings: AccessSettings, now: Duration) -> Self {
        Self {
            settings: ArcSwap::from_pointee(settings),
            known: ArcSwap::default(),
            changed: watch::Sender::new(()),
            changing: tokio::sync::Mutex::new(()),
            throttle: Mutex::new(Throttle::new()),
            passwords: Passwords::new(),
            sessions: SessionCache::default(),
            first_link: first_link::FirstLink::new(now),
            flows: oidc::Flows::default(),
            provider: oidc::ProviderCache::default(),
        }
    }

    pub(crate) fn settings(&self) -> Arc<AccessSettings> {
        self.settings.load_full()
    }

    pub(crate) fn set(&self, settings: AccessSettings) {
        self.settings.store(Arc::new(settings));
        // The key of the configuration is part of what is known.
        self.known
            .rcu(|known| Known::new(self.with_key(known.directory.clone()), known.is_read));
        self.changed.send_replace(());
    }

    pub(crate) fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// Wakes whenever who may come in has changed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The directory with the key that stands in the configuration, if one does; it signs.
    fn with_key(&self, mut directory: Directory) -> Directory {
        directory.keys.remove(CONFIGURED_KEY);
        if let Some(secret) = &self.settings.load().jwt_secret {
            let key = SigningKey {
                id: CONFIGURED_KEY.into(),
                secret: secret.reveal().as_bytes().into(),
                created: Timestamp::from_millis(i64::MAX),
            };
            directory.keys.insert(key.id.clone(), key);
        }
        directory
    }
}

impl Known {
    fn new(directory: Directory, is_read: bool) -> Self {
        let mut roles: HashMap<UserName, Role> = HashMap::new();
        for user in directory.users.values() {
            roles.insert(user.name.clone(), user.role);
        }
        // Not by `Directory::role`, which looks through all teams for each user.
        for team in directory.teams.values() {
            for member in team.role.iter().flat_map(|_| &team.members) {
                if let (Some(role), Some(own)) = (team.role, roles.get_mut(member)) {
                    *own = role.max(*own);
                }
            }
        }
        Self {
            directory,
            roles,
            is_read,
        }
    }

    /// What a user may do, teams included.
    pub(crate) fn role(&self, user: &User) -> Role {
        self.roles.get(&user.name).copied().unwrap_or(user.role)
    }

    fn principal(&self, user: &User) -> Principal {
        Principal {
            subject: access::Subject::User(user.name.clone()),
            scope: Scope::Role(self.role(user)),
        }
    }
}

impl Server {
    /// Reads users, teams, tokens and keys anew, and makes the first signing key if there is none.
    ///
    /// Errors: the store cannot be used; what was read before still holds.
    pub async fn load_access(&self) -> Result<(), StoreError> {
        let store = &self.ports().access;
        let mut directory = store.directory().await?;
        let access = self.access();
        let has_key = !directory.keys.is_empty() || access.settings().jwt_secret.is_some();
        if !has_key && access.settings().mode == settings::AccessMode::On {
            let now = self.clock().now();
            let policy = access.settings().token_policy();
            if let Ok(change) = directory.rotation(now, policy) {
                let entry = AuditEntry {
                    at: now,
                    who: "server".to_owned(),
                    address: String::new(),
                    action: "key.rotate".to_owned(),
                    object: "key".to_owned(),
                    before: String::new(),
                    after: String::new(),
                };
                store.apply(change, entry).await?;
                directory = store.directory().await?;
            }
        }
        let known = Known::new(access.with_key(directory), true);
        access.known.store(Arc::new(known));
        access.changed.send_replace(());
        Ok(())
    }

    pub(crate) async fn reload_access_if_changed(&self) -> Result<(), StoreError> {
        let known = self.access().known();
        if known.is_read && self.ports().access.revision().await? == known.directory.revision {
            return Ok(());
        }
        self.load_access().await
    }

    /// Makes a change that follows from the directory as it is at that moment, and enters it into the audit log.
    ///
    /// Errors: why `decide` makes none, or why the store refuses it.
    pub(crate) async fn change_access<T>(
        &self,
        visitor: &Visitor,
        decide: impl FnOnce(&Known) -> Result<(Change, Audit, T), ApiError>,
    ) -> Result<T, ApiError> {
        let _turn = self.access().changing.lock().await;
        self.reload_access_if_changed().await?;
        let (change, audit, answer) = decide(&self.access().known())?;
        let entry = audit.entry(visitor, self.clock().now());
        self.ports().access.apply(change, entry).await?;
        // What was changed is changed; that it cannot be read now is found out again in a second.
        if let Err(error) = self.load_access().await {
            tracing::warn!(%error, "cannot read users and tokens after a change");
        }
        Ok(answer)
    }

    /// Remembers what somebody has done that changes no user and no token.
    pub(crate) async fn audit(&self, visitor: &Visitor, audit: Audit) {
        let entry = audit.entry(visitor, self.clock().now());
        if let Err(error) = self.ports().access.apply(Change::Nothing, entry).await {
            tracing::error!(%error, "cannot write the audit log");
        }
    }

    /// Reads the directory anew whenever it has changed, until shutdown.
    pub(crate) async fn follow_access(self, shutdown: CancellationToken) {
        let mut is_readable = true;
        let mut turns = tokio::time::interval(FOLLOW);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = turns.tick() => {}
            }
            match self.reload_access_if_changed().await {
                Ok(()) => {
                    if !std::mem::replace(&mut is_readable, true) {
                        tracing::info!("users and tokens can be read again");
                    }
                }
                Err(error) => {
                    if std::mem::take(&mut is_readable) {
                        tracing::warn!(%error, "cannot read users and tokens: those known last hold");
                    }
                }
            }
        }
    }

    /// Notes what happens to the login of an account.
    ///
    /// Errors: 429 with how long to wait.
    fn throttle(
        &self,
        event: access::LoginEvent,
        account: &str,
        address: IpAddr,
    ) -> Result<(), ApiError> {
        let now = self.clock().monotonic();
        let throttle = &self.access().throttle;
        // What it has counted is still right if somebody has panicked elsewhere.
        let mut throttle = throttle.lock().unwrap_or_else(PoisonError::into_inner);
        throttle
            .apply(event, account, address, now)
            .map_err(|wait| {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let message = format!("too many failed logins: wait {seconds} s");
                ApiError::too_many_requests(message, wait)
            })
    }
}

/// What is entered into the audit log, but for who and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audit {
    pub(crate) action: &'static str,
    pub(crate) object: String,
    /// As JSON objects without secrets.
    pub(crate) before: Option<serde_json::Value>,
    pub(crate) after: Option<serde_json::Value>,
}

impl Audit {
    /// That somebody did something to an object.
    pub(crate) fn of(action: &'static str, object: impl Into<String>) -> Self {
        Self {
            action,
            object: object.into(),
            ..Self::default()
        }
    }

    pub(crate) fn before(mut self, before: serde_json::Value) -> Self {
        self.before = Some(before);
        self
    }

    pub(crate) fn after(mut self, after: serde_json::Value) -> Self {
        self.after = Some(after);
        self
    }

    fn entry(self, visitor: &Visitor, now: Timestamp) -> AuditEntry {
        let text =
            |value: Option<serde_json::Value>| value.map_or(String::new(), |v| v.to_string());
        AuditEntry {
            at: now,
            who: visitor.principal.name(),
            address: visitor.shown_address(),
            action: self.action.to_owned(),
            object: self.object,
            before: text(self.before),
            after: text(self.after),
        }
    }
}

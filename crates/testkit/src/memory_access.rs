//! Who may come in, kept in memory: the simplest [`AccessStore`], which can also be out of order.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access::{
    AccessStore, Answer, AuditEntry, AuditQuery, Audited, Change, Directory, Session,
    SessionChange, StoreError, Team, User,
};

/// The most entries of the audit log that one question is answered with.
const ENTRIES_MAX: u32 = 1_000;

/// A store that forgets all when its last clone goes; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct MemoryAccess {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    directory: Directory,
    sessions: BTreeMap<Arc<str>, Session>,
    audit: Vec<Audited>,
    is_broken: bool,
}

impl MemoryAccess {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the directory as another process would, and asks nobody whether that is right.
    pub fn edit(&self, edit: impl FnOnce(&mut Directory)) {
        let mut kept = self.lock();
        kept.directory.revision += 1;
        edit(&mut kept.directory);
    }

    /// Refuses all from now on as [`StoreError::Unavailable`], as a database that is away.
    pub fn break_down(&self) {
        self.lock().is_broken = true;
    }

    /// The whole audit log, the oldest first.
    pub fn audit_log(&self) -> Vec<AuditEntry> {
        let kept = self.lock();
        kept.audit.iter().map(|each| each.entry.clone()).collect()
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.lock().sessions.len()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something as a whole: after an error nothing of it happened.
    fn attempt<T>(
        &self,
        work: impl FnOnce(&mut Kept) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut kept = self.working()?;
        let mut next = kept.clone();
        let done = work(&mut next)?;
        *kept = next;
        Ok(done)
    }

    /// What is kept, if it can be had.
    fn working(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        let kept = self.lock();
        match kept.is_broken {
            true => Err(StoreError::Unavailable("it is broken".to_owned())),
            false => Ok(kept),
        }
    }
}

impl AccessStore for MemoryAccess {
    fn revision(&self) -> Answer<'_, u64> {
        let revision = self.working().map(|kept| kept.directory.revision);
        Box::pin(ready(revision))
    }

    fn directory(&self) -> Answer<'_, Directory> {
        let directory = self.working().map(|kept| kept.directory.clone());
        Box::pin(ready(directory))
    }

    fn apply(&self, change: Change, entry: AuditEntry) -> Answer<'_, u64> {
        Box::pin(ready(self.attempt(|kept| kept.apply(change, entry))))
    }

    fn session(&self, id: Arc<str>) -> Answer<'_, Option<Session>> {
        let session = self.working().map(|kept| kept.sessions.get(&id).cloned());
        Box::pin(ready(session))
    }

    fn apply_to_sessions(&self, change: SessionChange) -> Answer<'_, ()> {
        Box::pin(ready(self.attempt(|kept| kept.apply_to_sessions(change))))
    }

    fn audit(&self, query: AuditQuery) -> Answer<'_, Vec<Audited>> {
        let entries = self.working().map(|kept| {
            let before = query.before.unwrap_or(u64::MAX);
            let entries = kept.audit.iter().rev().filter(|each| each.id < before);
            let limit = query.limit.min(ENTRIES_MAX) as usize;
            entries.take(limit).cloned().collect()
        });
        Box::pin(ready(entries))
    }
}

impl Kept {
    fn apply(&mut self, change: Change, entry: AuditEntry) -> Result<u64, StoreError> {
        if change != Change::Nothing {
            self.directory.revision += 1;
        }
        let had_admin = self.directory.has_admin();
        self.change(change)?;
        if had_admin && !self.directory.has_admin() {
            return Err(StoreError::LastAdmin);
        }
        let id = self.audit.last().map_or(1, |last| last.id + 1);
        self.audit.push(Audited { id, entry });
        Ok(self.directory.revision)
    }

    fn change(&mut self, change: Change) -> Result<(), StoreError> {
        let directory = &mut self.directory;
        match change {
            Change::Nothing => {}
            Change::AddUser(user) => {
                if directory.users.contains_key(&user.name) {
                    return Err(exists("user", user.name.as_str()));
                }
                limit(directory.users.len(), Directory::USERS_MAX, "users")?;
                self.put_user(user)?;
            }
            Change::ReplaceUser(user) => {
                let Some(present) = directory.users.get(&user.name) else {
                    return Err(missing("user", user.name.as_str()));
                };
                if user.epoch < present.epoch {
                    return Err(StoreError::Stale);
                }
                if user.epoch > present.epoch {
                    self.sessions.retain(|_, session| session.user != user.name);
                }
                self.put_user(user)?;
            }
            Change::RemoveUser(name) => {
                if directory.users.remove(&name).is_none() {
                    return Err(missing("user", name.as_str()));
                }
                for team in directory.teams.values_mut() {
                    team.members.remove(&name);
                }
                self.sessions.retain(|_, session| session.user != name);
            }
            Change::AddTeam(team) => {
                if directory.teams.contains_key(&team.name) {
                    return Err(exists("team", &team.name));
                }
                limit(directory.teams.len(), Directory::USERS_MAX, "teams")?;
                self.put_team(team)?;
            }
            Change::ReplaceTeam(team) => {
                if !directory.teams.contains_key(&team.name) {
                    return Err(missing("team", &team.name));
                }
                self.put_team(team)?;
            }
            Change::RemoveTeam(name) => {
                if directory.teams.remove(&name).is_none() {
                    return Err(missing("team", &name));
                }
            }
            Change::AddToken(token) => {
                if directory.tokens.contains_key(&token.id) {
                    return Err(exists("token", &token.id));
                }
                limit(directory.tokens.len(), Directory::TOKENS_MAX, "tokens")?;
                directory.tokens.insert(Arc::clone(&token.id), token);
            }
            Change::RevokeToken(id) => {
                if directory.tokens.remove(&id).is_none() {
                    return Err(missing("token", &id));
                }
            }
            Change::AddKey { key, keep_from } => {
                directory.keys.retain(|_, key| key.created >= keep_from);
                if directory.keys.contains_key(&key.id) {
                    return Err(exists("key", &key.id));
                }
                directory.keys.insert(Arc::clone(&key.id), key);
            }
        }
        Ok(())
    }

    fn put_user(&mut self, user: User) -> Result<(), StoreError> {
        if let Some(identity) = &user.identity {
            let mut others = self.directory.users.values();
            if others.any(|other| other.name != user.name && other.identity == user.identity) {
                return Err(exists("identity", identity));
            }
        }
        self.directory.users.insert(user.name.clone(), user);
        Ok(())
    }

    fn put_team(&mut self, team: Team) -> Result<(), StoreError> {
        for member in &team.members {
            if !self.directory.users.contains_key(member) {
                return Err(missing("user", member.as_str()));
            }
        }
        self.directory.teams.insert(Arc::clone(&team.name), team);
        Ok(())
    }

    fn apply_to_sessions(&mut self, change: SessionChange) -> Result<(), StoreError> {
        match change {
            SessionChange::Begin(session) => self.begin(session)?,
            SessionChange::Continue { from, session } => {
                let present = self.sessions.get_mut(&session.id);
                match present {
                    Some(present) if present.generation == from && present.user == session.user => {
                        *present = session;
                    }
                    _ => return Err(StoreError::Stale),
                }
            }
            SessionChange::End(id) => {
                self.sessions.remove(&id);
            }
            SessionChange::EndAll { user, except } => self
                .sessions
                .retain(|id, session| session.user != user || Some(id) == except.as_ref()),
            SessionChange::Prune(before) => {
                self.sessions.retain(|_, session| session.expires >= before);
            }
        }
        Ok(())
    }

    fn begin(&mut self, session: Session) -> Result<(), StoreError> {
        let Some(user) = self.directory.users.get(&session.user) else {
            return Err(missing("user", session.user.as_str()));
        };
        if user.epoch != session.epoch {
            return Err(StoreError::Stale);
        }
        if self.sessions.contains_key(&session.id) {
            return Err(exists("session", &session.id));
        }
        let own = self.sessions.values();
        let own = own.filter(|other| other.user == session.user);
        let mut own: Vec<_> = own.map(|other| (other.created, other.id.clone())).collect();
        own.sort();
        // The new one is one of them.
        let surplus = (own.len() + 1).saturating_sub(SessionChange::PER_USER_MAX);
        for (_, id) in own.drain(..surplus) {
            self.sessions.remove(&id);
        }
        self.sessions.insert(Arc::clone(&session.id), session);
        Ok(())
    }
}

fn exists(what: &str, name: &str) -> StoreError {
    StoreError::Exists(format!("{what} {name:?}"))
}

fn missing(what: &str, name: &str) -> StoreError {
    StoreError::Missing(format!("{what} {name:?}"))
}

fn limit(count: usize, max: usize, what: &str) -> Result<(), StoreError> {
    match count >= max {
        true => Err(StoreError::Full(format!("{max} {what}"))),
        false => Ok(()),
    }
}

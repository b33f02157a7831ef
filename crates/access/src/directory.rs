//! All that is known of who may come in, as it is at one moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::Timestamp;

use crate::{ApiToken, Principal, Role, Scope, SigningKey, Subject, Team, User, UserName};

/// All users, teams, tokens and keys at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Grows with every change.
    pub revision: u64,
    /// All users, by name.
    pub users: BTreeMap<UserName, User>,
    /// All teams, by name.
    pub teams: BTreeMap<Arc<str>, Team>,
    /// All tokens for machines, by identity.
    pub tokens: HashMap<Arc<str>, ApiToken>,
    /// The keys that sign access tokens, by identity.
    pub keys: HashMap<Arc<str>, SigningKey>,
}

impl Directory {
    /// As many users as there may be, and as many teams; the next one is refused.
    pub const USERS_MAX: usize = 10_000;
    /// As many tokens as there may be.
    pub const TOKENS_MAX: usize = 10_000;

    /// What a user may do: the most that they or one of their teams may.
    pub fn role(&self, user: &User) -> Role {
        let teams = self.teams.values();
        let teams = teams.filter(|team| team.members.contains(&user.name));
        let roles = teams.filter_map(|team| team.role);
        roles.fold(user.role, Role::max)
    }

    /// Whether somebody is left who can administer.
    pub fn has_admin(&self) -> bool {
        let mut users = self.users.values();
        users.any(|user| !user.is_disabled && self.role(user) == Role::Admin)
    }

    /// The user of this name if they may come in, and nothing has happened since that epoch that would end what they were given.
    pub fn user_of_epoch(&self, name: &UserName, epoch: u64) -> Option<&User> {
        let user = self.users.get(name)?;
        (!user.is_disabled && user.epoch == epoch).then_some(user)
    }

    /// The user whose identity at the OpenID provider it is, disabled or not.
    pub fn user_of_identity(&self, identity: &str) -> Option<&User> {
        let mut users = self.users.values();
        users.find(|user| user.identity.as_deref() == Some(identity))
    }

    /// Who a user is as the sender of a request.
    pub fn principal_of(&self, user: &User) -> Principal {
        Principal {
            subject: Subject::User(user.name.clone()),
            scope: Scope::Role(self.role(user)),
        }
    }

    /// The token whose text was shown, if it is worth something.
    pub fn token_of(&self, text: &str, now: Timestamp) -> Option<&ApiToken> {
        let token = self.tokens.get(ApiToken::id_in(text)?)?;
        let is_good = token.hash == ApiToken::hash_of(text) && token.is_good_at(now);
        is_good.then_some(token)
    }

    /// The key that signs now.
    pub fn signing_key(&self) -> Option<&SigningKey> {
        self.keys.values().max_by_key(|key| (key.created, &key.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, role: Role) -> User {
        User {
            name: name.parse().unwrap(),
            role,
            password: None,
            identity: Some(format!("https://id.example.org#{name}").into()),
            is_disabled: false,
            epoch: 3,
            created: Timestamp::from_millis(0),
        }
    }

    fn directory(users: &[User]) -> Directory {
        let mut directory = Directory::default();
        for user in users {
            directory.users.insert(user.name.clone(), user.clone());
        }
        directory
    }

    #[test]
    fn a_team_gives_its_members_more_and_nobody_less() {
        let (ann, bob) = (user("ann", Role::Viewer), user("bob", Role::Admin));
        let mut directory = directory(&[ann.clone(), bob.clone()]);
        let team = Team {
            name: "web".into(),
            role: Some(Role::Editor),
            members: [ann.name.clone(), bob.name.clone()].into(),
        };
        assert_eq!(directory.role(&ann), Role::Viewer);
        directory.teams.insert(team.name.clone(), team);
        assert_eq!(directory.role(&ann), Role::Editor);
        assert_eq!(
            directory.principal_of(&ann).scope,
            Scope::Role(Role::Editor)
        );
        assert_eq!(directory.role(&bob), Role::Admin);
    }

    #[test]
    fn who_is_disabled_or_of_another_epoch_stays_out() {
        let mut ann = user("ann", Role::Viewer);
        let name = ann.name.clone();
        assert_eq!(
            directory(&[ann.clone()]).user_of_epoch(&name, 3),
            Some(&ann)
        );
        assert_eq!(directory(&[ann.clone()]).user_of_epoch(&name, 2), None);
        assert_eq!(directory(&[]).user_of_epoch(&name, 3), None);
        ann.is_disabled = true;
        let directory = directory(&[ann.clone()]);
        assert_eq!(directory.user_of_epoch(&name, 3), None);
        assert_eq!(
            directory.user_of_identity("https://id.example.org#ann"),
            Some(&ann)
        );
        assert_eq!(directory.user_of_identity("https://evil.example#ann"), None);
    }

    #[test]
    fn a_token_is_good_until_its_end_and_with_its_secret_only() {
        let (id, text) = ApiToken::generate();
        let token = ApiToken {
            id: id.clone(),
            name: "agent".into(),
            scope: Scope::Ingest,
            hash: ApiToken::hash_of(&text),
            created_by: "user:ann".into(),
            created: Timestamp::from_millis(0),
            expires: Some(Timestamp::from_millis(1000)),
        };
        let mut directory = Directory::default();
        directory.tokens.insert(id.clone(), token.clone());
        let at = Timestamp::from_millis;
        assert_eq!(directory.token_of(&text, at(999)), Some(&token));
        assert_eq!(directory.token_of(&text, at(1000)), None);
        let (other, _) = ApiToken::generate();
        assert_eq!(directory.token_of(&text.replace(&*id, &other), at(0)), None);
        let (_, others) = ApiToken::generate();
        let mixed = format!("{}{}", &text[..17], &others[17..]);
        assert_eq!(ApiToken::id_in(&mixed), Some(&*id));
        assert_eq!(directory.token_of(&mixed, at(0)), None);
    }
}

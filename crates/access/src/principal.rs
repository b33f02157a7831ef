//! Who a request comes from, once its credentials are believed.

use std::sync::Arc;

use crate::{Permission, Scope, UserName};

/// Who a request comes from, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who it is.
    pub subject: Subject,
    /// What they may do.
    pub scope: Scope,
}

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A person.
    User(UserName),
    /// A machine with a token.
    Token {
        /// The token's identity.
        id: Arc<str>,
        /// What it was named when it was made.
        name: Arc<str>,
    },
    /// Nobody in particular, where `auth.anonymous` lets them in.
    Anonymous,
    /// Anybody, since access control is off.
    Anybody,
    /// Whoever runs commands on the server's machine.
    CommandLine,
}

impl Principal {
    /// Whether they may do it.
    pub fn may(&self, permission: Permission) -> bool {
        self.scope.allows(permission)
    }

    /// Who did it, for the audit log: `user:ann`, `token:agent (k3n5…)`, `anonymous`, `anybody`, `command line`.
    pub fn name(&self) -> String {
        match &self.subject {
            Subject::User(name) => format!("user:{name}"),
            Subject::Token { id, name } => format!("token:{name} ({id})"),
            Subject::Anonymous => "anonymous".to_owned(),
            Subject::Anybody => "anybody".to_owned(),
            Subject::CommandLine => "command line".to_owned(),
        }
    }
}

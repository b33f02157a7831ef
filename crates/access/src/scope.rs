//! What somebody is allowed: the role of a person, or one job of a machine.

use std::fmt;
use std::str::FromStr;

use crate::Permission;

/// What a person may do; a later one may do all that an earlier one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees everything that is no secret.
    Viewer,
    /// Also writes samples, and changes what is watched and who is told.
    Editor,
    /// Also decides about users, tokens and the store itself.
    Admin,
}

/// What the bearer of a token, or a person, may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Writes samples, and nothing else.
    Ingest,
    /// Reads samples, and nothing else.
    Query,
    /// All that a person of this role may do.
    Role(Role),
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Editor, Self::Admin];

    /// Its name, such as `viewer`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Ingest,
        Self::Query,
        Self::Role(Role::Viewer),
        Self::Role(Role::Editor),
        Self::Role(Role::Admin),
    ];

    /// Whether it contains a permission.
    pub fn allows(self, permission: Permission) -> bool {
        let role = match self {
            Self::Ingest => return permission == Permission::Ingest,
            Self::Query => return permission == Permission::Query,
            Self::Role(role) => role,
        };
        role >= match permission {
            Permission::Query | Permission::View => Role::Viewer,
            Permission::Ingest | Permission::Edit => Role::Editor,
            Permission::Administer => Role::Admin,
        }
    }

    /// Its name, such as `ingest` or `viewer`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Query => "query",
            Self::Role(role) => role.name(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| role.name() == text);
        role.ok_or_else(|| format!("{text:?} is no role: there are viewer, editor and admin"))
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scope = Self::ALL.into_iter().find(|scope| scope.name() == text);
        scope.ok_or_else(|| {
            format!("{text:?} is no scope: there are ingest, query, viewer, editor and admin")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_lesser_ones_may() {
        for permission in Permission::ALL {
            let allowed = Role::ALL.map(|role| Scope::Role(role).allows(permission));
            assert!(allowed.is_sorted(), "{permission:?}");
            assert!(allowed[2], "an admin may {permission:?}");
        }
    }

    #[test]
    fn machines_do_one_thing() {
        for (scope, own) in [
            (Scope::Ingest, Permission::Ingest),
            (Scope::Query, Permission::Query),
        ] {
            for permission in Permission::ALL {
                assert_eq!(scope.allows(permission), permission == own);
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
        }
        let error = "root".parse::<Role>().unwrap_err();
        assert!(error.contains("viewer, editor and admin"), "{error}");
    }
}

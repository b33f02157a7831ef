//! Who sends a request, for its handler: a principal, from where, and by what they have shown it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use access::{Principal, Role, Scope, Subject, UserName};
use axum::http::Extensions;
use model::Timestamp;

use super::settings::AccessMode;
use crate::Server;
use crate::origin::RequestOrigin;

/// Who sends a request; each request behind the access layer has one among its extensions.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) principal: Principal,
    /// From where; none if that is not known.
    pub(crate) address: Option<IpAddr>,
    pub(crate) proof: Proof,
}

/// By what somebody has shown who they are, so that it can be asked later whether it still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// By nothing.
    Nothing,
    /// By a password, or an access token that is good until then.
    User {
        name: UserName,
        epoch: u64,
        until: Option<Timestamp>,
    },
    /// By the cookie of a session.
    Session {
        name: UserName,
        epoch: u64,
        id: Arc<str>,
    },
    /// By a token for machines.
    Token { id: Arc<str> },
}

impl Visitor {
    /// Somebody who has shown nothing and of whom nothing was asked.
    pub(crate) fn anybody(subject: Subject, scope: Scope, extensions: &Extensions) -> Self {
        Self {
            principal: Principal { subject, scope },
            address: address(extensions),
            proof: Proof::Nothing,
        }
    }

    /// Somebody of whom it is not known who they are.
    pub(crate) fn unknown(address: Option<IpAddr>) -> Self {
        Self {
            principal: Principal {
                subject: Subject::Anonymous,
                scope: Scope::Role(Role::Viewer),
            },
            address,
            proof: Proof::Nothing,
        }
    }

    /// Their address for people; empty if it is not known.
    pub(crate) fn shown_address(&self) -> String {
        let shown = self.address.map(|address| address.to_string());
        shown.unwrap_or_default()
    }

    /// Their name if they are a person.
    pub(crate) fn user(&self) -> Option<&UserName> {
        match &self.principal.subject {
            Subject::User(name) => Some(name),
            _ => None,
        }
    }

    /// Whether what they have shown still holds, and with it what they may do.
    pub(crate) async fn still_holds(&self, server: &Server) -> bool {
        let access = server.access();
        let settings = access.settings();
        if settings.mode == AccessMode::Off {
            return true;
        }
        let known = access.known();
        let now = server.clock().now();
        let has_role = |name: &UserName, epoch: u64| {
            let user = known.directory.user_of_epoch(name, epoch);
            user.is_some_and(|user| Scope::Role(known.role(user)) >= self.principal.scope)
        };
        match &self.proof {
            Proof::Nothing => match self.principal.subject {
                Subject::Anonymous => settings
                    .anonymous
                    .is_some_and(|role| Scope::Role(role) >= self.principal.scope),
                _ => false,
            },
            Proof::User { name, epoch, until } => {
                until.is_none_or(|until| now < until) && has_role(name, *epoch)
            }
            Proof::Session { name, epoch, id } => {
                has_role(name, *epoch) && access.session(server, id).await.is_some()
            }
            Proof::Token { id } => {
                let token = known.directory.tokens.get(id);
                token.is_some_and(|token| token.is_good_at(now))
            }
        }
    }
}

/// What those may do of whom nothing is asked since access control is off.
pub(crate) const EVERYTHING: Scope = Scope::Role(Role::Admin);

/// Where a request comes from.
pub(crate) fn address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<RequestOrigin>()?.address
}

/// The address under which failed logins are counted of those whose address is not known.
pub(crate) fn counted(address: Option<IpAddr>) -> IpAddr {
    address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

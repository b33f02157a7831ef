//! Who may do what: users, teams, tokens, sessions, and what each of them is allowed.
//!
//! A request's credentials become a [`Principal`]; a route names the [`Permission`] that it asks for; the principal's
//! [`Scope`] says whether it has it. All users, teams and tokens are a [`Directory`], small enough to be held in memory; an
//! [`AccessStore`] keeps it, and every [`Change`] of it is written together with its [`AuditEntry`].
//!
//! What it is not: it opens no file and no connection, and asks nobody for the time.

mod audit;
mod change;
mod directory;
mod error;
mod family;
mod id_token;
mod jwt;
mod key_ring;
mod password;
mod permission;
mod principal;
mod random;
mod scope;
mod secret;
mod session;
mod session_token;
mod store;
mod team;
mod throttle;
mod token;
mod user;

pub use audit::{AuditEntry, AuditQuery, Audited};
pub use change::Change;
pub use directory::Directory;
pub use error::StoreError;
pub use family::Refresh;
pub use id_token::{IdToken, IdTokenCheck, IdTokenError, ProviderKeys};
pub use jwt::{AccessToken, TokenError, TokenPolicy};
pub use key_ring::RotationError;
pub use password::{
    PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN, Verified, check_password, hash_password,
    verify_password,
};
pub use permission::Permission;
pub use principal::{Principal, Subject};
pub use random::random_secret;
pub use scope::{Role, Scope};
pub use secret::SecretHash;
pub use session::{Session, SessionChange, SessionKind};
pub use session_token::SessionToken;
pub use store::{AccessStore, Answer};
pub use team::Team;
pub use throttle::{LoginEvent, Throttle};
pub use token::{ApiToken, SigningKey};
pub use user::{User, UserName};

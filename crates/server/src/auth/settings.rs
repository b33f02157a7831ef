//! What the configuration says about who may come in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use access::{Role, TokenPolicy};

/// Who may come in; the users, tokens and keys themselves are in the store of `Ports::access`.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessSettings {
    /// Whether anybody is asked at all.
    pub mode: AccessMode,
    /// What those may do who show nothing; none if they stay out.
    pub anonymous: Option<Role>,
    /// Whether `/metrics` answers whoever asks.
    pub metrics_open: bool,
    /// For how long an access token of `/auth/login` is good.
    pub access_token_lifetime: Duration,
    /// For how long a refresh token is good, from when it was given.
    pub refresh_lifetime: Duration,
    /// For how long a browser stays logged in after its last request.
    pub session_lifetime: Duration,
    /// By how much clocks may differ when an access token is read.
    pub leeway: Duration,
    /// A key that signs access tokens instead of those in the store; at least 32 bytes. It is never rotated here.
    pub jwt_secret: Option<Hidden>,
    /// The secret of the address `/auth/link/SECRET`, which the program prints at its first start: good once, for 24 hours from when the
    /// server was made, and only while no admin has a password.
    pub first_link: Option<Hidden>,
    /// Who vouches for people from elsewhere; none if nobody does.
    pub oidc: Option<OidcSettings>,
}

/// Whether anybody is asked who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// Each request needs the permission of its route.
    On,
    /// Whoever reaches the server may do everything.
    Off,
}

/// An OpenID provider.
#[derive(Clone, Debug, PartialEq)]
pub struct OidcSettings {
    /// Its issuer, an `https://` URL, under which it describes itself at `/.well-known/openid-configuration`.
    pub issuer: String,
    /// As whom it knows us.
    pub client_id: String,
    /// The secret that it has given us.
    pub client_secret: Option<Hidden>,
    /// How people know it: what stands on the button.
    pub name: String,
    /// What is asked for; `openid` is always among it.
    pub scopes: Vec<String>,
    /// The claim that says what somebody may do, a text or a list of texts; none if all are of the default role.
    pub role_claim: Option<String>,
    /// The role of each value of that claim; the most counts.
    pub roles: BTreeMap<String, Role>,
    /// The role of those of whom the claim says nothing; none if they stay out.
    pub default_role: Option<Role>,
}

/// A text that nobody is to see: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl AccessSettings {
    /// Everybody may do everything, as on a machine of one's own.
    pub fn off() -> Self {
        Self {
            mode: AccessMode::Off,
            ..Self::default()
        }
    }

    pub(crate) fn token_policy(&self) -> TokenPolicy {
        TokenPolicy {
            lifetime: self.access_token_lifetime,
            leeway: self.leeway,
        }
    }
}

impl Hidden {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            mode: AccessMode::On,
            anonymous: None,
            metrics_open: false,
            access_token_lifetime: Duration::from_mins(15),
            refresh_lifetime: Duration::from_hours(30 * 24),
            session_lifetime: Duration::from_hours(30 * 24),
            leeway: Duration::from_secs(30),
            jwt_secret: None,
            first_link: None,
            oidc: None,
        }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hidden(…)")
    }
}

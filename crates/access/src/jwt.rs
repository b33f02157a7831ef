//! Access tokens: who somebody is, signed by us, good for some minutes.
//!
//! A JSON Web Token (RFC 7519) with HMAC-SHA256 and nothing else: the header of a token chooses a key by its identity, never the
//! algorithm. What its bearer may do does not stand in it: that is looked up anew at each request.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Directory, SigningKey, UserName};

/// Who issues our tokens, and for whom.
const CAMPANILE: &str = "campanile";

/// Bytes of a token beyond which none is read; ours have some 350.
const BYTES_MAX: usize = 2048;

/// For how long tokens are good, and how far clocks may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// From when it was issued until it is over.
    pub lifetime: Duration,
    /// By how much the clocks of servers that share their keys may differ.
    pub leeway: Duration,
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Who its bearer is.
    pub user: UserName,
    /// The user's epoch when it was issued.
    pub epoch: u64,
    /// From when on it is worth nothing, leeway not counted.
    pub expires: Timestamp,
}

/// Why an access token is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// We have not issued it.
    #[error("the access token is none of ours, or its key is gone")]
    Invalid,
    /// It was good once.
    #[error("the access token is over: get another one from /auth/refresh")]
    Expired,
    /// It will be good.
    #[error("the access token is from the future: a clock is wrong")]
    Future,
}

/// As it stands in the token; times in whole seconds.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    epoch: u64,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl AccessToken {
    /// A token for a user, signed by a key.
    pub fn issue(
        key: &SigningKey,
        user: &UserName,
        epoch: u64,
        now: Timestamp,
        policy: TokenPolicy,
    ) -> String {
        let issued = now.as_millis().div_euclid(1000);
        let claims = Claims {
            iss: CAMPANILE.to_owned(),
            aud: CAMPANILE.to_owned(),
            sub: user.as_str().to_owned(),
            epoch,
            iat: issued,
            nbf: issued,
            exp: issued.saturating_add(seconds(policy.lifetime)),
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.id.to_string());
        let signing = EncodingKey::from_secret(&key.secret);
        jsonwebtoken::encode(&header, &claims, &signing)
            .expect("invariant: texts and numbers can be written, and any secret signs")
    }

    /// Reads a token that one of the directory's keys has signed.
    ///
    /// Errors: why it is worth nothing. That the user exists and has this epoch is not looked at.
    pub fn verify(
        text: &str,
        directory: &Directory,
        now: Timestamp,
        policy: TokenPolicy,
    ) -> Result<Self, TokenError> {
        let invalid = |_| TokenError::Invalid;
        if text.len() > BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(text).map_err(invalid)?;
        // An extension that must be understood is none that we understand.
        if header.alg != Algorithm::HS256 || header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let id = header.kid.ok_or(TokenError::Invalid)?;
        let key = directory.keys.get(&*id).ok_or(TokenError::Invalid)?;

        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[CAMPANILE]);
        validation.set_audience(&[CAMPANILE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        // It would ask the system for the time; below we ask ours.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let verifying = DecodingKey::from_secret(&key.secret);
        let decoded = jsonwebtoken::decode::<Claims>(text, &verifying, &validation);
        let claims = decoded.map_err(invalid)?.claims;

        let (now, leeway) = (now.as_millis(), seconds(policy.leeway));
        if now < millis(claims.iat.max(claims.nbf).saturating_sub(leeway)) {
            return Err(TokenError::Future);
        }
        if now >= millis(claims.exp.saturating_add(leeway)) {
            return Err(TokenError::Expired);
        }
        Ok(Self {
            user: claims.sub.parse().map_err(|_| TokenError::Invalid)?,
            epoch: claims.epoch,
            expires: Timestamp::from_millis(millis(claims.exp)),
        })
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn millis(seconds: i64) -> i64 {
    seconds.saturating_mul(1000)
}

#[cfg(test)]
mod tests;

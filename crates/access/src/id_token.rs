//! What an OpenID provider says of somebody, signed by it: the checks of OpenID Connect Core 1.0, section 3.1.3.7.
//!
//! 1. The algorithm is one with a public key: with a shared secret, or none, anybody could sign who has seen our configuration.
//! 2. The key is one of the provider's own, by its identity, and of the kind that the algorithm asks for.
//! 3. Issuer, audience and authorized party are the provider and we; the nonce is that of our own question.
//! 4. It is neither over nor from the future.

use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use model::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::SecretHash;

/// Bytes of a token beyond which none is read: those of people with very many groups fit.
const BYTES_MAX: usize = 64 << 10;

/// Characters of a subject, as the standard bounds it.
const SUBJECT_MAX: usize = 255;

/// Keys of a provider of which one is sought.
const KEYS_MAX: usize = 100;

/// Algorithms with a public key.
const ALGORITHMS: [(Algorithm, KeyAlgorithm); 9] = [
    (Algorithm::RS256, KeyAlgorithm::RS256),
    (Algorithm::RS384, KeyAlgorithm::RS384),
    (Algorithm::RS512, KeyAlgorithm::RS512),
    (Algorithm::PS256, KeyAlgorithm::PS256),
    (Algorithm::PS384, KeyAlgorithm::PS384),
    (Algorithm::PS512, KeyAlgorithm::PS512),
    (Algorithm::ES256, KeyAlgorithm::ES256),
    (Algorithm::ES384, KeyAlgorithm::ES384),
    (Algorithm::EdDSA, KeyAlgorithm::EdDSA),
];

/// The keys of a provider, as it publishes them.
#[derive(Clone, Debug, Default)]
pub struct ProviderKeys(Vec<Jwk>);

/// What a token must say to be the answer to our question.
#[derive(Clone, Copy, Debug)]
pub struct IdTokenCheck<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// As whom it knows us.
    pub client_id: &'a str,
    /// What we have asked with.
    pub nonce: &'a str,
    /// By how much its clock may differ from ours.
    pub leeway: Duration,
}

/// Of whom the provider has spoken.
#[derive(Clone, Debug, PartialEq)]
pub struct IdToken {
    /// Who it is for the provider; it never gives this to anybody else.
    pub subject: String,
    /// All that it says of them.
    pub claims: Value,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// The provider has changed its keys, or it is none of its own: look at its keys anew.
    #[error("the provider's token is signed by a key that the provider does not publish")]
    UnknownKey,
    /// It has not the form of one, or is not signed as it should be.
    #[error("the provider's token is not signed as it should be")]
    Invalid,
    /// It is not the answer to our question.
    #[error("the provider's token is not for this login: its {0} is another")]
    Foreign(&'static str),
    /// It is over, or from the future.
    #[error("the provider's token is over or not yet good: the clocks may differ")]
    Time,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl ProviderKeys {
    /// Reads a JSON Web Key Set; keys of kinds that we do not know are left out.
    ///
    /// Errors: it is none.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let set: KeySet =
            serde_json::from_slice(json).map_err(|error| format!("no set of keys: {error}"))?;
        let keys = set.keys.into_iter().take(KEYS_MAX);
        let keys = keys.filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        // A shared secret has no place in what is published.
        let is_public = |key: &Jwk| {
            matches!(
                key.algorithm,
                AlgorithmParameters::RSA(_)
                    | AlgorithmParameters::EllipticCurve(_)
                    | AlgorithmParameters::OctetKeyPair(_)
            )
        };
        Ok(Self(keys.filter(is_public).collect()))
    }

    /// The key for a token's header: by its identity, or the only one that fits if the header has none.
    fn find(&self, kid: Option<&str>, algorithm: KeyAlgorithm) -> Option<&Jwk> {
        let mut fitting = self.0.iter().filter(|key| {
            let common = &key.common;
            let signs = common.public_key_use.as_ref();
            signs.is_none_or(|signs| *signs == PublicKeyUse::Signature)
                && common.key_algorithm.is_none_or(|own| own == algorithm)
        });
        match kid {
            Some(_) => fitting.find(|key| key.common.key_id.as_deref() == kid),
            None => {
                let first = fitting.next();
                first.filter(|_| fitting.next().is_none())
            }
        }
    }
}

impl IdToken {
    /// Reads a token that a provider has signed.
    ///
    /// Errors: why it is not believed.
    pub fn verify(
        text: &str,
        keys: &ProviderKeys,
        check: IdTokenCheck<'_>,
        now: Timestamp,
    ) -> Result<Self, IdTokenError> {
        let invalid = |_| IdTokenError::Invalid;
        if text.len() > BYTES_MAX {
            return Err(IdTokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(text).map_err(invalid)?;
        let mut known = ALGORITHMS.iter();
        let known = known.find(|(algorithm, _)| *algorithm == header.alg);
        let (algorithm, key_algorithm) = *known.ok_or(IdTokenError::Invalid)?;
        if header.crit.is_some() {
            return Err(IdTokenError::Invalid);
        }
        let key = keys.find(header.kid.as_deref(), key_algorithm);
        let key = DecodingKey::from_jwk(key.ok_or(IdTokenError::UnknownKey)?).map_err(invalid)?;
        let mut validation = Validation::new(algorithm);
        // All of these are looked at below, by our clock and with an answer that says which it is.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let decoded = jsonwebtoken::decode::<Value>(text, &key, &validation);
        let claims = decoded.map_err(invalid)?.claims;
        check.claims(&claims, now)?;
        let subject = claims["sub"].as_str().unwrap_or_default();
        if subject.is_empty() || subject.chars().count() > SUBJECT_MAX {
            return Err(IdTokenError::Invalid);
        }
        Ok(Self {
            subject: subject.to_owned(),
            claims,
        })
    }

    /// The texts of a claim, which is a text or a list of them; `a.b` is `b` within `a` unless there is a claim of that whole name.
    pub fn texts(&self, claim: &str) -> Vec<&str> {
        let whole = self.claims.get(claim);
        let found = whole.or_else(|| {
            let mut parts = claim.split('.');
            parts.try_fold(&self.claims, |value, part| value.get(part))
        });
        match found {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

impl IdTokenCheck<'_> {
    fn claims(&self, claims: &Value, now: Timestamp) -> Result<(), IdTokenError> {
        if claims["iss"].as_str() != Some(self.issuer) {
            return Err(IdTokenError::Foreign("issuer"));
        }
        let (audience, others) = match &claims["aud"] {
            Value::String(one) => (one == self.client_id, false),
            Value::Array(all) => (
                all.iter().any(|one| one.as_str() == Some(self.client_id)),
                all.len() > 1,
            ),
            _ => (false, false),
        };
        if !audience {
            return Err(IdTokenError::Foreign("audience"));
        }
        let party = claims.get("azp");
        let is_for_us = party.map_or(!others, |party| party.as_str() == Some(self.client_id));
        if !is_for_us {
            return Err(IdTokenError::Foreign("authorized party"));
        }
        let nonce = claims["nonce"].as_str().unwrap_or_default();
        if !SecretHash::of(self.nonce).is_of(nonce) {
            return Err(IdTokenError::Foreign("nonce"));
        }
        let seconds = |name: &str| claims.get(name).and_then(Value::as_f64);
        let (now, leeway) = (now.as_seconds(), self.leeway.as_secs_f64());
        let expires = seconds("exp").ok_or(IdTokenError::Time)?;
        let issued = seconds("iat").ok_or(IdTokenError::Time)?;
        let begins = seconds("nbf").unwrap_or(issued).max(issued);
        if now >= expires + leeway || now + leeway < begins {
            return Err(IdTokenError::Time);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Tokens of a provider whose key is made here, and every way in which one may be false.

use jsonwebtoken::{EncodingKey, Header};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use serde_json::json;
use std::sync::LazyLock;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

const CHECK: IdTokenCheck<'_> = IdTokenCheck {
    issuer: "https://id.example.org",
    client_id: "campanile",
    nonce: "a nonce",
    leeway: Duration::from_secs(30),
};

/// Making a key takes a while, so all tests share two.
static KEYS: LazyLock<[EncodingKey; 2]> = LazyLock::new(|| [(); 2].map(|()| made()));

fn made() -> EncodingKey {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes())
}

fn published() -> ProviderKeys {
    let mut key = Jwk::from_encoding_key(&KEYS[0], Algorithm::RS256).unwrap();
    key.common.key_id = Some("one".to_owned());
    let keys = json!({"keys": [{"kty": "XYZ", "kid": "strange"}, key, {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}]});
    ProviderKeys::parse(keys.to_string().as_bytes()).unwrap()
}

fn claims() -> Value {
    let now = NOW.as_millis() / 1000;
    json!({"iss": "https://id.example.org", "aud": "campanile", "sub": "4711", "nonce": "a nonce",
        "iat": now, "exp": now + 300, "groups": ["ops", "dev"], "realm": {"roles": ["x"]}, "a.b": "whole"})
}

fn signed(kid: &str, key: &EncodingKey, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn verify(text: &str) -> Result<IdToken, IdTokenError> {
    IdToken::verify(text, &published(), CHECK, NOW)
}

fn with(name: &str, value: Value) -> Result<IdToken, IdTokenError> {
    let mut claims = claims();
    claims[name] = value;
    verify(&signed("one", &KEYS[0], &claims))
}

#[test]
fn what_the_provider_says_is_believed() {
    let token = verify(&signed("one", &KEYS[0], &claims())).unwrap();
    assert_eq!(token.subject, "4711");
    assert_eq!(token.texts("groups"), ["ops", "dev"]);
    assert_eq!(token.texts("realm.roles"), ["x"]);
    assert_eq!(token.texts("a.b"), ["whole"]);
    assert_eq!(token.texts("nothing"), [""; 0]);
    let both = json!(["campanile", "other"]);
    assert_eq!(
        with("aud", both),
        Err(IdTokenError::Foreign("authorized party"))
    );
    assert!(with("aud", json!(["campanile"])).is_ok());
}

#[test]
fn what_is_meant_for_others_is_not() {
    for (name, value, error) in [
        (
            "iss",
            json!("https://evil.example"),
            IdTokenError::Foreign("issuer"),
        ),
        (
            "iss",
            json!("https://id.example.org/"),
            IdTokenError::Foreign("issuer"),
        ),
        ("aud", json!("another"), IdTokenError::Foreign("audience")),
        ("aud", json!(["another"]), IdTokenError::Foreign("audience")),
        ("aud", json!(null), IdTokenError::Foreign("audience")),
        (
            "azp",
            json!("another"),
            IdTokenError::Foreign("authorized party"),
        ),
        ("nonce", json!("another"), IdTokenError::Foreign("nonce")),
        ("nonce", json!(null), IdTokenError::Foreign("nonce")),
        ("exp", json!(1_759_999_970), IdTokenError::Time),
        ("exp", json!(null), IdTokenError::Time),
        ("iat", json!(1_760_000_031), IdTokenError::Time),
        ("nbf", json!(1_760_000_031), IdTokenError::Time),
        ("sub", json!(""), IdTokenError::Invalid),
        ("sub", json!(12), IdTokenError::Invalid),
    ] {
        assert_eq!(with(name, value.clone()), Err(error), "{name}: {value}");
    }
    assert!(
        with("exp", json!(1_759_999_971)).is_ok(),
        "clocks may differ"
    );
}

#[test]
fn what_another_key_or_algorithm_has_signed_is_not() {
    let others = signed("one", &KEYS[1], &claims());
    assert_eq!(verify(&others), Err(IdTokenError::Invalid));
    let unknown = signed("two", &KEYS[0], &claims());
    assert_eq!(verify(&unknown), Err(IdTokenError::UnknownKey));
    let right = signed("one", &KEYS[0], &claims());
    let (_, rest) = right.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    // {"alg":"none","kid":"one"}
    let none = "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0";
    assert_eq!(
        verify(&format!("{none}.{payload}.")),
        Err(IdTokenError::Invalid)
    );
    assert_eq!(
        verify(&format!("{none}.{payload}.{signature}")),
        Err(IdTokenError::Invalid)
    );
    // A public key used as a shared secret, and a shared secret that is published.
    for (kid, secret) in [("one", b"modulus".as_slice()), ("secret", b"secret")] {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid.to_owned());
        let key = EncodingKey::from_secret(secret);
        let text = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
        assert_eq!(verify(&text), Err(IdTokenError::Invalid), "{kid}");
    }
    for text in ["", "a.b.c", &"x".repeat(BYTES_MAX + 1)] {
        assert_eq!(verify(text), Err(IdTokenError::Invalid));
    }
}

#[test]
fn a_token_without_the_name_of_a_key_is_of_the_only_one() {
    let header = Header::new(Algorithm::RS256);
    let text = jsonwebtoken::encode(&header, &claims(), &KEYS[0]).unwrap();
    // Of the three that are published, only one is a key of which we know how it signs.
    let keys = published();
    assert!(IdToken::verify(&text, &keys, CHECK, NOW).is_ok());
    assert_eq!(
        IdToken::verify(&text, &ProviderKeys::default(), CHECK, NOW),
        Err(IdTokenError::UnknownKey)
    );
    assert!(ProviderKeys::parse(b"{}").is_err());
}

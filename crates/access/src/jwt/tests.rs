//! Tokens of ours, and every kind that is none.

use jsonwebtoken::jwk;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_123);

const POLICY: TokenPolicy = TokenPolicy {
    lifetime: Duration::from_mins(15),
    leeway: Duration::from_secs(30),
};

fn ann() -> UserName {
    "ann".parse().unwrap()
}

fn directory() -> (Directory, SigningKey) {
    let key = SigningKey::generate(NOW);
    let mut directory = Directory::default();
    directory.keys.insert(key.id.clone(), key.clone());
    (directory, key)
}

fn after(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + seconds * 1000)
}

/// A token with any header and claims, signed with HMAC-SHA256 by a key, or with an empty signature.
fn forged(
    header: &serde_json::Value,
    claims: &serde_json::Value,
    algorithm: Option<Algorithm>,
    secret: &[u8],
) -> String {
    let part = |value: &serde_json::Value| base64(value.to_string().as_bytes());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = algorithm.map_or(String::new(), |algorithm| {
        let key = EncodingKey::from_secret(secret);
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap()
    });
    format!("{message}.{signature}")
}

/// Base64 for URLs without padding, by its definition.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(
                LETTERS[(bits >> (18 - 6 * place) & 63) as usize],
            ));
        }
    }
    text
}

fn claims() -> serde_json::Value {
    let issued = NOW.as_millis() / 1000;
    json!({"iss": "campanile", "aud": "campanile", "sub": "ann", "epoch": 7, "iat": issued, "nbf": issued, "exp": issued + 900})
}

#[test]
fn a_token_is_read_back_until_it_is_over() {
    let (directory, key) = directory();
    let text = AccessToken::issue(&key, &ann(), 7, NOW, POLICY);
    let read = |now| AccessToken::verify(&text, &directory, now, POLICY);
    let token = read(NOW).unwrap();
    assert_eq!((token.user, token.epoch), (ann(), 7));
    assert_eq!(token.expires.as_millis(), 1_760_000_900_000);
    assert!(read(after(929)).is_ok());
    assert_eq!(read(after(930)), Err(TokenError::Expired));
    assert!(read(after(-30)).is_ok());
    assert_eq!(read(after(-31)), Err(TokenError::Future));
}

#[test]
fn an_algorithm_that_is_not_ours_is_refused() {
    let (directory, key) = directory();
    let kid = &*key.id;
    let verify = |text: &str| AccessToken::verify(text, &directory, NOW, POLICY);
    let ours = forged(
        &json!({"alg": "HS256", "typ": "JWT", "kid": kid}),
        &claims(),
        Some(Algorithm::HS256),
        &key.secret,
    );
    assert!(verify(&ours).is_ok(), "the forger can forge");
    for (name, signed) in [
        ("none", None),
        ("None", None),
        ("NONE", None),
        ("", None),
        ("none", Some(Algorithm::HS256)),
        ("HS384", Some(Algorithm::HS384)),
        ("HS512", Some(Algorithm::HS512)),
        ("HS384", Some(Algorithm::HS256)),
        // A key for all to see, used as a secret: here our secret, as if it were public.
        ("RS256", Some(Algorithm::HS256)),
        ("ES256", Some(Algorithm::HS256)),
        ("EdDSA", Some(Algorithm::HS256)),
        ("hs256", Some(Algorithm::HS256)),
    ] {
        let text = forged(
            &json!({"alg": name, "kid": kid}),
            &claims(),
            signed,
            &key.secret,
        );
        assert_eq!(verify(&text), Err(TokenError::Invalid), "{name} {signed:?}");
    }
    // The key that the token itself brings along.
    let own =
        jwk::Jwk::from_encoding_key(&EncodingKey::from_secret(b"mine"), Algorithm::HS256).unwrap();
    let header = json!({"alg": "HS256", "kid": kid, "jwk": own});
    let text = forged(&header, &claims(), Some(Algorithm::HS256), b"mine");
    assert_eq!(verify(&text), Err(TokenError::Invalid));
    let header = json!({"alg": "HS256", "kid": kid, "crit": ["exp"]});
    let text = forged(&header, &claims(), Some(Algorithm::HS256), &key.secret);
    assert_eq!(verify(&text), Err(TokenError::Invalid));
}

#[test]
fn a_key_that_is_not_ours_is_refused() {
    let (directory, key) = directory();
    for kid in [
        "",
        "other",
        "../../../../dev/null",
        "/dev/null",
        "' OR 1=1 --",
        "\u{0}",
    ] {
        for secret in [&*key.secret, b"".as_slice()] {
            let header = json!({"alg": "HS256", "kid": kid});
            let text = forged(&header, &claims(), Some(Algorithm::HS256), secret);
            let read = AccessToken::verify(&text, &directory, NOW, POLICY);
            assert_eq!(read, Err(TokenError::Invalid), "{kid:?}");
        }
    }
    let without = forged(
        &json!({"alg": "HS256"}),
        &claims(),
        Some(Algorithm::HS256),
        &key.secret,
    );
    let read = AccessToken::verify(&without, &directory, NOW, POLICY);
    assert_eq!(read, Err(TokenError::Invalid));
}

#[test]
fn what_is_not_meant_for_us_or_has_a_gap_is_refused() {
    let (directory, key) = directory();
    let header = json!({"alg": "HS256", "kid": &*key.id});
    let verify = |claims: &serde_json::Value| {
        let text = forged(&header, claims, Some(Algorithm::HS256), &key.secret);
        AccessToken::verify(&text, &directory, NOW, POLICY)
    };
    for name in ["iss", "aud", "sub", "epoch", "iat", "nbf", "exp"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(verify(&without), Err(TokenError::Invalid), "without {name}");
    }
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("another")),
        ("sub", json!("ann\r\nx-admin: 1")),
        ("epoch", json!(-1)),
        ("exp", json!("never")),
    ] {
        let mut other = claims();
        other[name] = value;
        assert_eq!(verify(&other), Err(TokenError::Invalid), "{name}");
    }
    let mut future = claims();
    future["nbf"] = json!(NOW.as_millis() / 1000 + 31);
    assert_eq!(verify(&future), Err(TokenError::Future));
}

#[test]
fn a_changed_letter_is_noticed() {
    let (directory, key) = directory();
    let text = AccessToken::issue(&key, &ann(), 7, NOW, POLICY);
    for index in 0..text.len() - 1 {
        let mut bytes = text.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let read = AccessToken::verify(&changed, &directory, NOW, POLICY);
        assert_eq!(read, Err(TokenError::Invalid), "{index}");
    }
    for text in ["", ".", "..", "a.b.c", &"a".repeat(3000)] {
        let read = AccessToken::verify(text, &directory, NOW, POLICY);
        assert_eq!(read, Err(TokenError::Invalid));
    }
}

//! Coming in by an OpenID provider, which is played here with a key of its own, and lies where a test wants it to.

use std::sync::{Arc, LazyLock, Mutex};

use access::Role;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{cookie, get};
use crate::tests::{Answer, Bench, NOW};
use crate::{
    AccessSettings, Config, Hidden, OidcSettings, Provider, ProviderAnswer, ProviderRequest,
};

const ISSUER: &str = "https://id.example.org/realm";

static KEY: LazyLock<EncodingKey> = LazyLock::new(|| {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes())
});

/// The provider: what it puts into the next token besides what is right, and what it was asked.
#[derive(Default)]
struct Fake {
    /// Claims of the next token, over those that are right.
    claims: Value,
    /// The token itself instead of one that is signed.
    token: Option<fn(&str) -> String>,
    nonce: String,
    challenge: String,
    forms: Vec<ProviderRequest>,
}

fn answer(fake: &Mutex<Fake>, request: ProviderRequest) -> ProviderAnswer {
    let mut fake = fake.lock().unwrap();
    let mut status = 200;
    let body = match request.url.strip_prefix(ISSUER).unwrap() {
        "/.well-known/openid-configuration" => json!({
            "issuer": ISSUER,
            "authorization_endpoint": format!("{ISSUER}/authorize?tenant=1"),
            "token_endpoint": format!("{ISSUER}/token"),
            "jwks_uri": format!("{ISSUER}/keys"),
        }),
        "/keys" => {
            let mut key = Jwk::from_encoding_key(&KEY, Algorithm::RS256).unwrap();
            key.common.key_id = Some("one".to_owned());
            json!({"keys": [key]})
        }
        "/token" => {
            let form = request.form.clone().unwrap();
            let verifier = value(&form, "code_verifier");
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
            if value(&form, "code") != "the-code" || challenge != fake.challenge {
                status = 400;
            }
            let mut claims = json!({"iss": ISSUER, "aud": "campanile", "sub": "4711", "nonce": fake.nonce,
                "iat": NOW / 1000, "exp": NOW / 1000 + 300, "preferred_username": "ann"});
            for (name, claim) in fake.claims.as_object().into_iter().flatten() {
                claims[name] = claim.clone();
            }
            let mut header = Header::new(Algorithm::RS256);
            header.kid = Some("one".to_owned());
            let mut token = jsonwebtoken::encode(&header, &claims, &KEY).unwrap();
            if let Some(change) = fake.token {
                token = change(&token);
            }
            match status {
                200 => json!({"id_token": token, "token_type": "Bearer", "access_token": "x"}),
                _ => json!({"error": "invalid_grant"}),
            }
        }
        _ => Value::Null,
    };
    fake.forms.push(request);
    ProviderAnswer {
        status,
        body: body.to_string().into_bytes(),
    }
}

async fn bench() -> (Bench, Arc<Mutex<Fake>>) {
    let oidc = OidcSettings {
        issuer: ISSUER.to_owned(),
        client_id: "campanile".to_owned(),
        client_secret: Some(Hidden::new("client secret")),
        name: "Example".to_owned(),
        scopes: vec!["profile".to_owned()],
        role_claim: Some("groups".to_owned()),
        roles: [("ops".to_owned(), Role::Admin)].into(),
        default_role: Some(Role::Viewer),
    };
    let access = AccessSettings {
        oidc: Some(oidc),
        ..AccessSettings::default()
    };
    let fake = Arc::new(Mutex::new(Fake::default()));
    let own = fake.clone();
    let provider: Provider = Arc::new(move |request| {
        let answer = answer(&own, request);
        Box::pin(async move { Ok(answer) })
    });
    let config = Config {
        access,
        ..Config::default()
    };
    let bench = Bench::by_provider(config, Some(provider));
    bench.server.load_access().await.unwrap();
    (bench, fake)
}

/// The value of a parameter in a query or form.
fn value(query: &str, name: &str) -> String {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let pair = pairs.find(|(known, _)| known == name);
    pair.map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Begins a login; the cookie of the browser, and the state.
async fn begin(bench: &Bench, fake: &Mutex<Fake>, next: &str) -> (String, String) {
    let uri = format!("/auth/oidc?next={next}");
    let sent = get(bench, &uri, &[("host", "watch.example")]).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    let set = sent.header("set-cookie");
    assert!(
        set.contains("; Path=/auth/oidc; HttpOnly; SameSite=Lax; Max-Age=600"),
        "{set}"
    );
    let (endpoint, query) = sent.header("location").split_once("?tenant=1&").unwrap();
    assert_eq!(endpoint, format!("{ISSUER}/authorize"));
    for (name, expected) in [
        ("response_type", "code"),
        ("client_id", "campanile"),
        ("redirect_uri", "http://watch.example/auth/oidc/callback"),
        ("scope", "openid profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(value(query, name), expected);
    }
    let mut fake = fake.lock().unwrap();
    fake.nonce = value(query, "nonce");
    fake.challenge = value(query, "code_challenge");
    (cookie(&sent), value(query, "state"))
}

async fn come_back(bench: &Bench, browser: &str, state: &str) -> Answer {
    let uri = format!("/auth/oidc/callback?code=the-code&state={state}");
    get(bench, &uri, &[("cookie", browser)]).await
}

#[tokio::test]
async fn a_person_comes_in_by_the_provider() {
    let (bench, fake) = bench().await;
    let ways = get(&bench, "/auth/ways", &[]).await.json();
    assert_eq!(ways["oidc"], json!({"name": "Example"}));
    let (browser, state) = begin(&bench, &fake, "/alerts?x=1").await;
    let came = come_back(&bench, &browser, &state).await;
    assert_eq!(
        came.header("location"),
        "../../alerts?x=1",
        "{}",
        came.text()
    );
    let me = get(&bench, "/auth/me", &[("cookie", &cookie(&came))])
        .await
        .json();
    assert_eq!(
        (&me["name"], &me["role"], &me["must_set_password"]),
        (&json!("ann"), &json!("viewer"), &json!(false))
    );
    // The same person, who is in another group by now.
    fake.lock().unwrap().claims = json!({"groups": ["ops"], "preferred_username": "renamed"});
    let (browser, state) = begin(&bench, &fake, "//evil.example/").await;
    let came = come_back(&bench, &browser, &state).await;
    assert_eq!(came.header("location"), "../../");
    let me = get(&bench, "/auth/me", &[("cookie", &cookie(&came))])
        .await
        .json();
    assert_eq!((&me["name"], &me["role"]), (&json!("ann"), &json!("admin")));
    let asked = &fake.lock().unwrap().forms;
    let token = asked.iter().find(|request| request.form.is_some()).unwrap();
    assert_eq!(
        token.authorization.as_deref(),
        Some("Basic Y2FtcGFuaWxlOmNsaWVudCtzZWNyZXQ=")
    );
    let described = asked
        .iter()
        .filter(|request| request.url.ends_with("configuration"));
    assert_eq!(described.count(), 1, "it is remembered");
}

#[tokio::test]
async fn what_belongs_to_another_login_is_refused() {
    let (bench, fake) = bench().await;
    let (browser, state) = begin(&bench, &fake, "/").await;
    for (browser, state) in [
        (browser.as_str(), "another"),
        (&browser, ""),
        ("", &state),
        // The state is gone by now, even for the right browser.
        (&browser, &state),
    ] {
        let came = come_back(&bench, browser, state).await;
        assert_eq!(came.status, 403, "{}", came.text());
        assert!(came.text().contains("begin again") && came.header("set-cookie").is_empty());
    }
    let (browser, state) = begin(&bench, &fake, "/").await;
    bench.clock.advance(std::time::Duration::from_secs(600));
    assert_eq!(come_back(&bench, &browser, &state).await.status, 403);
    // The code of somebody else, which was asked for with another challenge.
    let (browser, state) = begin(&bench, &fake, "/").await;
    fake.lock().unwrap().challenge = "another".to_owned();
    assert_eq!(come_back(&bench, &browser, &state).await.status, 502);
    let (browser, state) = begin(&bench, &fake, "/").await;
    let uri = format!("/auth/oidc/callback?code=the-code&iss=https://evil.example&state={state}");
    assert_eq!(get(&bench, &uri, &[("cookie", &browser)]).await.status, 403);
    let (browser, state) = begin(&bench, &fake, "/").await;
    let uri = format!("/auth/oidc/callback?error=%3Cscript%3E&state={state}");
    let refused = get(&bench, &uri, &[("cookie", &browser)]).await;
    assert!(
        refused.status == 403 && refused.text().contains("&lt;script&gt;"),
        "{}",
        refused.text()
    );
    assert_eq!(bench.audited(), ["server key.rotate key"]);
}

#[tokio::test]
async fn a_token_that_is_not_as_it_should_be_is_refused() {
    let (bench, fake) = bench().await;
    fn none(token: &str) -> String {
        let payload = token.split('.').nth(1).unwrap();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"one"}"#);
        format!("{header}.{payload}.")
    }
    fn unknown_key(token: &str) -> String {
        let (_, rest) = token.split_once('.').unwrap();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"two"}"#);
        format!("{header}.{rest}")
    }
    fn broken(token: &str) -> String {
        format!("{}AAAA", &token[..token.len() - 4])
    }
    let past = NOW / 1000 - 31;
    for claims in [
        json!({"nonce": "another"}),
        json!({"aud": "another"}),
        json!({"iss": "https://evil.example"}),
        json!({"exp": past}),
        json!({"iat": NOW / 1000 + 60}),
        json!({"sub": ""}),
    ] {
        fake.lock().unwrap().claims = claims.clone();
        let (browser, state) = begin(&bench, &fake, "/").await;
        let came = come_back(&bench, &browser, &state).await;
        assert_eq!(came.status, 502, "{claims}");
        assert_eq!(came.header("set-cookie"), "");
    }
    fake.lock().unwrap().claims = Value::Null;
    for change in [none, unknown_key, broken] {
        fake.lock().unwrap().token = Some(change);
        let (browser, state) = begin(&bench, &fake, "/").await;
        assert_eq!(come_back(&bench, &browser, &state).await.status, 502);
    }
    assert_eq!(bench.audited(), ["server key.rotate key"]);
    fake.lock().unwrap().token = None;
    let (browser, state) = begin(&bench, &fake, "/").await;
    assert_eq!(
        come_back(&bench, &browser, &state).await.status,
        303,
        "else it works"
    );
    bench.accounts.edit(|directory| {
        for user in directory.users.values_mut() {
            user.is_disabled = true;
        }
    });
    let (browser, state) = begin(&bench, &fake, "/").await;
    let came = come_back(&bench, &browser, &state).await;
    assert!(
        came.status == 403 && came.text().contains("disabled"),
        "{}",
        came.text()
    );
}

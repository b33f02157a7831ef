//! Coming in by an OpenID provider over the network, as a browser goes from one to the other.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, Url};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use serde_json::{Value, json};

use crate::program::{Program, directory, send, send_for_answer, serve};
use crate::web_server::{Reply, Request, WebServer};

static KEY: LazyLock<EncodingKey> = LazyLock::new(|| {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes())
});

/// What the provider knows of the person that is logging in there.
#[derive(Default)]
struct Person {
    nonce: String,
    groups: Value,
}

/// A provider that takes the code `the-code` of a client with the secret `client-secret`.
fn provider(person: Arc<Mutex<Person>>) -> WebServer {
    WebServer::start(move |request| {
        let issuer = format!("http://{}", request.header("host").unwrap());
        let body = match &*request.path {
            "/.well-known/openid-configuration" => json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/keys"),
            }),
            "/keys" => {
                let mut key = Jwk::from_encoding_key(&KEY, Algorithm::RS256).unwrap();
                key.common.key_id = Some("one".to_owned());
                json!({"keys": [key]})
            }
            "/token" if is_good(request) => {
                let token = id_token(&issuer, &person.lock().unwrap());
                json!({"id_token": token, "token_type": "Bearer", "access_token": "x"})
            }
            _ => return Reply::With(400, Vec::new(), String::new()),
        };
        Reply::ok(&body.to_string())
    })
}

fn is_good(request: &Request) -> bool {
    let login = format!("Basic {}", STANDARD.encode("campanile:client-secret"));
    let is_known = request.header("authorization") == Some(&*login);
    is_known && request.body.contains("code=the-code") && request.body.contains("code_verifier=")
}

fn id_token(issuer: &str, person: &Person) -> String {
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = json!({"iss": issuer, "aud": "campanile", "sub": "4711", "nonce": person.nonce, "iat": now,
        "exp": now + 300, "preferred_username": "ann", "groups": person.groups});
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("one".to_owned());
    jsonwebtoken::encode(&header, &claims, &KEY).unwrap()
}

/// Goes to the provider and comes back; the answer of the last step.
fn log_in(program: &Program, person: &Mutex<Person>) -> crate::program::Answer {
    let away = send_for_answer(
        Method::GET,
        &program.url("/auth/oidc?next=/alerts"),
        &[],
        Vec::new(),
    );
    assert_eq!(away.status, 303, "{}", away.body);
    let browser = cookie(&away);
    let place: Url = away.header("location").parse().unwrap();
    let value = |name: &str| {
        let mut pairs = place.query_pairs();
        pairs
            .find(|(known, _)| known == name)
            .unwrap()
            .1
            .into_owned()
    };
    assert_eq!(place.path(), "/authorize");
    assert_eq!(
        value("redirect_uri"),
        "http://watch.example.org/auth/oidc/callback"
    );
    person.lock().unwrap().nonce = value("nonce");
    let back = format!("/auth/oidc/callback?code=the-code&state={}", value("state"));
    let headers = [("cookie", &*browser)];
    send_for_answer(Method::GET, &program.url(&back), &headers, Vec::new())
}

fn cookie(answer: &crate::program::Answer) -> String {
    let set = answer.header("set-cookie");
    set.split(';').next().unwrap().to_owned()
}

#[test]
fn a_person_comes_in_with_the_role_that_the_provider_says() {
    let person = Arc::new(Mutex::new(Person::default()));
    let provider = provider(person.clone());
    let directory = directory();
    let config = directory.path().join("campanile.yml");
    let text = format!(
        r#"
self: false
external_url: http://watch.example.org/
auth:
  oidc:
    issuer: {issuer}
    client_id: campanile
    client_secret: client-secret
    role_claim: groups
    roles: {{ringers: editor}}
"#,
        issuer = provider.url("")
    );
    std::fs::write(&config, text).unwrap();
    let mut serve = serve(&directory.path().join("data"));
    serve.arg("--config").arg(&config);
    let program = Program::start_as(serve);
    program.wait_until_ready();

    let kept_out = log_in(&program, &person);
    assert_eq!(kept_out.status, 403, "{}", kept_out.body);
    person.lock().unwrap().groups = json!(["ringers"]);
    let came = log_in(&program, &person);
    assert_eq!(
        (came.status, came.header("location")),
        (303, "../../alerts")
    );
    let session = cookie(&came);
    let headers = [("cookie", &*session), ("x-requested-with", "campanile")];
    let (code, me) = send(Method::GET, &program.url("/auth/me"), &headers, Vec::new());
    let me: Value = serde_json::from_str(&me).unwrap();
    assert_eq!(
        (code, &me["name"], &me["role"]),
        (200, &json!("ann"), &json!("editor"))
    );
}

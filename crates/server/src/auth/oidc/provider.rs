//! What we ask the provider: how it describes itself, its keys, and a token for a code.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use access::{IdToken, IdTokenCheck, IdTokenError, ProviderKeys};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Failure;
use super::flows::Flow;
use crate::auth::settings::OidcSettings;
use crate::{ProviderAnswer, ProviderRequest, Server};

/// For how long what the provider has said of itself is believed.
const BELIEVED: Duration = Duration::from_hours(1);

/// Its keys are not asked for again within this time, whoever shows tokens of unknown keys.
const KEYS_AGAIN: Duration = Duration::from_secs(30);

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Time for an answer; the person waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the provider has said, and when.
#[derive(Default)]
pub(in crate::auth) struct ProviderCache(Mutex<Option<Arc<Said>>>);

struct Said {
    issuer: String,
    description: Description,
    keys: ProviderKeys,
    at: Duration,
}

/// How the provider describes itself; what else it says is not needed.
#[derive(Clone, Deserialize)]
pub(super) struct Description {
    issuer: String,
    pub(super) authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
}

/// How the provider describes itself.
pub(super) async fn description(
    server: &Server,
    settings: &OidcSettings,
) -> Result<Description, Failure> {
    Ok(said(server, settings, BELIEVED).await?.description.clone())
}

/// Shows the provider a code, and reads who it is.
pub(super) async fn exchange(
    server: &Server,
    settings: &OidcSettings,
    flow: &Flow,
    code: &str,
) -> Result<IdToken, Failure> {
    let said = said(server, settings, BELIEVED).await?;
    let request = token_request(settings, &said.description, flow, code);
    let answer = send(server, request).await?;
    if answer.status != 200 {
        let error = serde_json::from_slice::<TokenError>(&answer.body);
        let error = error.map_or(String::new(), |answer| answer.error);
        let shown: String = error.chars().take(100).collect();
        return Err(Failure::provider(&format!(
            "the token endpoint answered {} {:?}",
            answer.status, shown
        )));
    }
    let answer: TokenAnswer = parse(&answer, "the token endpoint")?;
    let check = IdTokenCheck {
        issuer: &settings.issuer,
        client_id: &settings.client_id,
        nonce: &flow.nonce,
        leeway: server.access().settings().leeway,
    };
    let now = server.clock().now();
    let mut token = IdToken::verify(&answer.id_token, &said.keys, check, now);
    if token == Err(IdTokenError::UnknownKey) {
        // It may have changed them since.
        let said = self::said(server, settings, KEYS_AGAIN).await?;
        token = IdToken::verify(&answer.id_token, &said.keys, check, now);
    }
    token.map_err(|error| Failure::provider(&error.to_string()))
}

fn token_request(
    settings: &OidcSettings,
    description: &Description,
    flow: &Flow,
    code: &str,
) -> ProviderRequest {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", &flow.redirect)
        .append_pair("client_id", &settings.client_id)
        .append_pair("code_verifier", &flow.verifier);
    // Basic is what every provider takes that says nothing else.
    let methods = description.token_endpoint_auth_methods_supported.as_deref();
    let takes = |method: &str| methods.is_none_or(|all| all.iter().any(|one| one == method));
    let mut authorization = None;
    if let Some(secret) = &settings.client_secret {
        if takes("client_secret_basic") || !takes("client_secret_post") {
            let encoded = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            let pair = format!(
                "{}:{}",
                encoded(&settings.client_id),
                encoded(secret.reveal())
            );
            authorization = Some(format!("Basic {}", STANDARD.encode(pair)));
        } else {
            form.append_pair("client_secret", secret.reveal());
        }
    }
    ProviderRequest {
        url: description.token_endpoint.clone(),
        form: Some(form.finish()),
        authorization,
    }
}

/// What the provider has said of itself within this time, or says now.
async fn said(
    server: &Server,
    settings: &OidcSettings,
    within: Duration,
) -> Result<Arc<Said>, Failure> {
    let cache = &server.access().provider;
    let now = server.clock().monotonic();
    let known = cache
        .get()
        .filter(|said| said.issuer == settings.issuer && now.saturating_sub(said.at) < within);
    if let Some(said) = known {
        return Ok(said);
    }
    let base = settings.issuer.trim_end_matches('/');
    let url = format!("{base}/.well-known/openid-configuration");
    let answer = get(server, url).await?;
    let description: Description = parse(&answer, "the provider's description")?;
    if description.issuer != settings.issuer {
        return Err(Failure::provider(&format!(
            "the provider calls itself {:?}: auth.oidc.issuer must be the same",
            description.issuer
        )));
    }
    for (name, url) in [
        (
            "authorization_endpoint",
            &description.authorization_endpoint,
        ),
        ("token_endpoint", &description.token_endpoint),
        ("jwks_uri", &description.jwks_uri),
    ] {
        // Without TLS only where the issuer is so too, which is for trying out.
        let is_fit = url.starts_with("https://")
            || (url.starts_with("http://") && settings.issuer.starts_with("http://"));
        if !is_fit || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::provider(&format!(
                "the provider's {name} is no https:// URL"
            )));
        }
    }
    let answer = get(server, description.jwks_uri.clone()).await?;
    let keys = ProviderKeys::parse(&answer.body).map_err(|error| Failure::provider(&error))?;
    let said = Arc::new(Said {
        issuer: settings.issuer.clone(),
        description,
        keys,
        at: now,
    });
    cache.put(said.clone());
    Ok(said)
}

async fn get(server: &Server, url: String) -> Result<ProviderAnswer, Failure> {
    let request = ProviderRequest {
        url,
        form: None,
        authorization: None,
    };
    let url = request.url.clone();
    let answer = send(server, request).await?;
    match answer.status {
        200 => Ok(answer),
        status => Err(Failure::provider(&format!("{url} answered {status}"))),
    }
}

async fn send(server: &Server, request: ProviderRequest) -> Result<ProviderAnswer, Failure> {
    let Some(provider) = &server.ports().provider else {
        return Err(Failure::provider("there is no way to the provider"));
    };
    let answer = tokio::time::timeout(PATIENCE, provider(request)).await;
    let answer = answer.map_err(|_| Failure::provider("the provider does not answer"))?;
    let answer = answer.map_err(|reason| Failure::provider(&reason))?;
    match answer.body.len() > ANSWER_BYTES_MAX {
        true => Err(Failure::provider("the provider's answer is too long")),
        false => Ok(answer),
    }
}

fn parse<'a, T: Deserialize<'a>>(answer: &'a ProviderAnswer, what: &str) -> Result<T, Failure> {
    // The parser's message may quote what is secret.
    serde_json::from_slice(&answer.body).map_err(|error| {
        Failure::provider(&format!(
            "{what} is not as expected, at line {} column {}",
            error.line(),
            error.column()
        ))
    })
}

impl ProviderCache {
    fn get(&self) -> Option<Arc<Said>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn put(&self, said: Arc<Said>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }
}

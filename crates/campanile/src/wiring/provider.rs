//! The way to the OpenID provider: one request at a time, within bounds of time and size.

use std::sync::Arc;

use outbound::{Allowed, Client, Error, Limits, Trust};
use reqwest::{Method, Url, header};
use server::{Provider, ProviderAnswer, ProviderRequest};

/// The provider that the configuration names may have any address: whoever writes that file may do everything here. Where
/// its redirects would lead is not followed.
pub(super) fn provider() -> Provider {
    Arc::new(|request| {
        Box::pin(async move { send(request).await.map_err(|error| error.to_string()) })
    })
}

async fn send(request: ProviderRequest) -> Result<ProviderAnswer, Error> {
    // People log in so rarely that a client which is kept would only grow old.
    let client = Client::new(
        Trust::Configuration,
        Allowed::default(),
        outbound::default_tls()?,
    )?;
    let url = Url::parse(&request.url)
        .map_err(|_| Error::Failed("the provider's address is no URL".to_owned()))?;
    let method = match request.form {
        Some(_) => Method::POST,
        None => Method::GET,
    };
    let mut sent = client
        .request(method, &url)?
        .header(header::ACCEPT, "application/json");
    if let Some(authorization) = request.authorization {
        sent = sent.header(header::AUTHORIZATION, authorization);
    }
    if let Some(form) = request.form {
        sent = sent
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
    }
    let answer = client.send(sent, &Limits::default()).await?;
    Ok(ProviderAnswer {
        status: answer.status.as_u16(),
        body: answer.body,
    })
}

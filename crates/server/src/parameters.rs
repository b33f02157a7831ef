//! A request's parameters, from its address and, if it is a form, from its body.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, header};
use model::Timestamp;

use crate::body;
use crate::compression::Coding;
use crate::error::ApiError;
use crate::origin::RequestOrigin;
use crate::running::Asker;
use crate::server::Server;

/// Parameters of one request; more are refused, since each costs memory beyond its bytes.
const PARAMETERS_MAX: usize = 10_000;

/// Bytes of one parameter: more than the longest expression, which says by itself that it is too long.
const VALUE_BYTES_MAX: usize = 2 << 20;

/// Names and values in order: those of the body first, which therefore win, as in Prometheus.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    coding: Coding,
    asker: Asker,
}

impl Parameters {
    /// Reads the address and the body of a request.
    ///
    /// Errors: a body that is no form, or that cannot be read.
    pub(crate) async fn read(server: &Server, request: Request) -> Result<Self, ApiError> {
        let (head, stream) = request.into_parts();
        let mut parameters = Self {
            coding: Coding::negotiate(&head.headers),
            asker: asker(&head.headers, &head.extensions),
            ..Self::default()
        };
        if head.method == Method::POST || head.method == Method::PUT {
            let received = body::read(server, &head.headers, stream).await?;
            if !received.bytes().is_empty() {
                require_form(&head.headers)?;
                parameters.extend(received.bytes())?;
            }
        }
        parameters.extend(head.uri.query().unwrap_or("").as_bytes())?;
        Ok(parameters)
    }

    /// Who asks.
    pub(crate) fn asker(&self) -> &Asker {
        &self.asker
    }

    /// How the answer is to be compressed if it is written as it is sent.
    pub(crate) fn coding(&self) -> Coding {
        self.coding
    }

    /// The first value of a parameter; one that is empty counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next().filter(|value| !value.is_empty())
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs
            .iter()
            .filter(move |(candidate, _)| candidate == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name)
            .ok_or_else(|| ApiError::parameter(name, "it is missing"))
    }

    /// A moment, in seconds or as RFC 3339.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        self.get(name)
            .map(|text| {
                wire::time::parse_time(text).map_err(|error| ApiError::parameter(name, error))
            })
            .transpose()
    }

    /// A length of time, in seconds or as `1h30m`.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<Duration>, ApiError> {
        self.get(name)
            .map(|text| {
                wire::time::parse_step(text).map_err(|error| ApiError::parameter(name, error))
            })
            .transpose()
    }

    /// How many answers are wanted; none when all are.
    pub(crate) fn limit(&self, name: &str) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let limit: usize = text.parse().map_err(|_| {
            ApiError::parameter(name, format_args!("{text:?} is no whole number from 0 up"))
        })?;
        Ok((limit > 0).then_some(limit))
    }

    /// A switch, in the words that Go takes for booleans.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.to_lowercase().as_str() {
            "0" | "f" | "false" => Ok(Some(false)),
            "1" | "t" | "true" => Ok(Some(true)),
            other => {
                let reason = format_args!("{other:?} is neither true nor false");
                Err(ApiError::parameter(name, reason))
            }
        }
    }

    fn extend(&mut self, encoded: &[u8]) -> Result<(), ApiError> {
        for (name, value) in form_urlencoded::parse(encoded) {
            if self.pairs.len() == PARAMETERS_MAX {
                return Err(ApiError::bad_data(format!(
                    "more than {PARAMETERS_MAX} parameters"
                )));
            }
            if name.len() + value.len() > VALUE_BYTES_MAX {
                return Err(ApiError::bad_data(format!(
                    "a parameter is longer than {VALUE_BYTES_MAX} bytes"
                )));
            }
            self.pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(())
    }
}

/// Who sends a request.
pub(crate) fn asker(headers: &HeaderMap, extensions: &Extensions) -> Asker {
    let origin = extensions.get::<RequestOrigin>();
    let address = origin.and_then(|origin| origin.address);
    let address = address.map(|address| address.to_string());
    let user_agent = headers.get(header::USER_AGENT);
    let user_agent = user_agent.and_then(|value| value.to_str().ok());
    Asker::client(address.unwrap_or_default(), user_agent.unwrap_or(""))
}

/// A part of the path that stands for a name.
///
/// Errors: bytes that are no UTF-8.
pub(crate) fn path_name(path: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    let name = path.map(|Path(name)| name);
    name.map_err(|_| ApiError::bad_data("the name in the path is not UTF-8"))
}

fn require_form(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = media_type(headers);
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(());
    }
    Err(ApiError::bad_data(format!(
        "content type {kind:?} is not supported here: send parameters as application/x-www-form-urlencoded"
    ))
    .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// The `Content-Type` without its parameters; "" if there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    text.split(';').next().unwrap_or("").trim()
}

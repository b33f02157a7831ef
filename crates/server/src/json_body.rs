//! Small bodies in JSON, of requests that change users and tokens or show a password.

use axum::extract::Request;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::ingest::require_plain_json;
use crate::{Server, body};

/// Bytes of such a body: the longest passwords and a team of some thousand members fit.
const BYTES_MAX: usize = 256 << 10;

/// Reads a body.
///
/// Errors: it is no JSON, too long, or not what is expected; the message never holds a value of it, which may be a password.
pub(crate) async fn read<T: DeserializeOwned>(
    server: &Server,
    request: Request,
) -> Result<T, ApiError> {
    let (head, stream) = request.into_parts();
    require_plain_json(&head.headers)?;
    let received = body::read_at_most(server, &head.headers, stream, BYTES_MAX).await?;
    parse(received.bytes())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A list of the fields' values in their order would be taken for the object too.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| matches!(byte, b'[')) {
        let message = "the request's body: a list stands where an object must stand";
        return Err(ApiError::bad_data(message));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        ApiError::bad_data(format!(
            "the request's body: {}",
            without_values(&error.to_string())
        ))
    })
}

/// A message of the parser without what it quotes: `invalid type: string "secret", expected u32` says what was expected only. Names of
/// fields stay, unless somebody has put a value there.
fn without_values(message: &str) -> String {
    let quotes = ["invalid type: ", "invalid value: ", "unknown variant "];
    if !quotes.iter().any(|start| message.starts_with(start)) {
        let shown: String = message.chars().take(200).collect();
        return shown;
    }
    match message.rfind("expected ") {
        Some(index) => message[index..].to_owned(),
        None => "a value is not what is expected".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Login {
        #[serde(rename = "username")]
        _username: String,
        #[serde(rename = "password")]
        _password: String,
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for (body, reason) in [
            (r#"{"username":"ann"}"#, "missing field `password`"),
            (
                r#"{"username":"ann","password":12345678}"#,
                "expected a string",
            ),
            (
                r#"{"username":"ann","password":["hunter22"]}"#,
                "expected a string",
            ),
            (r#""hunter22""#, "expected struct Login"),
            (r#"{"username":"ann","pass":"x"}"#, "unknown field `pass`"),
            (r#" ["ann", "hunter22"]"#, "a list stands where an object"),
            ("{", "EOF while parsing"),
        ] {
            let error = parse::<Login>(body.as_bytes()).unwrap_err();
            assert!(error.message().contains(reason), "{body}: {error:?}");
            assert!(!error.message().contains("hunter22"), "{error:?}");
            assert!(!error.message().contains("12345678"), "{error:?}");
        }
    }
}

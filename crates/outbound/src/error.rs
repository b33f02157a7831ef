//! Why a request did not leave the house, or brought nothing back.

use std::error::Error as _;

use thiserror::Error;

use crate::Refused;

/// Why there is no answer. No message repeats a URL, whose path may be a secret.
#[derive(Debug, Error)]
pub enum Error {
    /// It must not go there.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The URL is none of http or https, or it names no host.
    #[error("{0:?} is no address of http or https")]
    NotHttp(String),
    /// No connection, no TLS, no answer in time, or one that breaks off.
    #[error("{0}")]
    Failed(String),
    /// The answer is larger than the limit, in bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// More redirects than the limit.
    #[error("more than {0} redirects")]
    Redirects(usize),
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut told = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(refused) = error.downcast_ref::<Refused>() {
                return Self::Refused(refused.clone());
            }
            let reason = error.to_string();
            // Libraries repeat what lies below.
            if !told.contains(&reason) {
                told.push_str(": ");
                told.push_str(&reason);
            }
            cause = error.source();
        }
        Self::Failed(told)
    }
}

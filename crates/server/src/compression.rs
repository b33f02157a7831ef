//! Answers compressed with zstd or gzip for clients that take it: scrapers, Grafana and browsers all do.

use std::io::Write as _;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Server;
use crate::stream::{self, PIECE_BYTES};

/// Below it the headers would outweigh what is saved.
const BYTES_MIN: u64 = 1024;

/// The fastest levels: they cost a fifth of the default ones and still make text ten times smaller. Zstd's window is
/// half a megabyte then.
const ZSTD_LEVEL: i32 = 1;

/// How an answer is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Not at all.
    #[default]
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// The one that a client likes best; of two that it likes as much, the faster one.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Self {
        let mut best = (0.0, Self::Identity);
        for coding in [Self::Zstd, Self::Gzip] {
            let quality = quality(headers, coding.as_str());
            if quality > best.0 {
                best = (quality, coding);
            }
        }
        best.1
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Tells the client.
    pub(crate) fn set_header(self, headers: &mut HeaderMap) {
        if self != Self::Identity {
            let value = HeaderValue::from_static(self.as_str());
            headers.insert(header::CONTENT_ENCODING, value);
        }
    }
}

/// Compresses bytes as they come.
pub(crate) enum Encoder {
    Identity(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Encoder {
    pub(crate) fn new(coding: Coding) -> Self {
        let out = Vec::new();
        match coding {
            Coding::Identity => Self::Identity(out),
            Coding::Gzip => Self::Gzip(Box::new(GzEncoder::new(out, Compression::fast()))),
            Coding::Zstd => zstd::stream::write::Encoder::new(out, ZSTD_LEVEL).map_or_else(
                |_| Self::Identity(Vec::new()),
                |zstd| Self::Zstd(Box::new(zstd)),
            ),
        }
    }

    /// Takes bytes in, and tells how many are ready to be taken out.
    pub(crate) fn write(&mut self, plain: Vec<u8>) -> usize {
        let written = match self {
            Self::Identity(out) if out.is_empty() => {
                *out = plain;
                Ok(())
            }
            Self::Identity(out) => out.write_all(&plain),
            Self::Gzip(gzip) => gzip.write_all(&plain),
            Self::Zstd(zstd) => zstd.write_all(&plain),
        };
        written.expect("invariant: a vector takes everything");
        self.out().len()
    }

    /// Takes out what is ready.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.out())
    }

    /// What is left, with the end.
    pub(crate) fn finish(self) -> Vec<u8> {
        let finished = match self {
            Self::Identity(out) => Ok(out),
            Self::Gzip(gzip) => gzip.finish(),
            Self::Zstd(zstd) => zstd.finish(),
        };
        finished.expect("invariant: a vector takes everything")
    }

    fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Identity(out) => out,
            Self::Gzip(gzip) => gzip.get_mut(),
            Self::Zstd(zstd) => zstd.get_mut(),
        }
    }
}

/// Compresses answers that lie in memory. Those that are written as they are sent are compressed where that is done.
pub(crate) async fn compress(
    State(server): State<Server>,
    request: Request,
    next: Next,
) -> Response {
    let coding = Coding::negotiate(request.headers());
    let mut response = next.run(request).await;
    let vary = HeaderValue::from_static("accept-encoding");
    response.headers_mut().insert(header::VARY, vary);
    let length = response.body().size_hint().exact().unwrap_or(0);
    let is_encoded = response.headers().contains_key(header::CONTENT_ENCODING);
    if coding == Coding::Identity || is_encoded || length < BYTES_MIN {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(plain) = axum::body::to_bytes(body, usize::MAX).await else {
        return head.into_response();
    };
    if plain.len() > PIECE_BYTES {
        coding.set_header(&mut head.headers);
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, stream::packed(stream::Sliced(plain), coding));
    }
    match server.blocking(move || pack(&plain, coding)).await {
        Ok(packed) => {
            coding.set_header(&mut head.headers);
            Response::from_parts(head, Body::from(packed))
        }
        Err(error) => error.into_response(),
    }
}

fn pack(plain: &Bytes, coding: Coding) -> Vec<u8> {
    let mut encoder = Encoder::new(coding);
    encoder.write(plain.to_vec());
    encoder.finish()
}

/// Whether a client takes a coding.
pub(crate) fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    quality(headers, coding) > 0.0
}

/// How much a client likes a coding, from 0 to 1; 0 if neither it nor `*` is listed.
fn quality(headers: &HeaderMap, coding: &str) -> f32 {
    let listed = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    let mut of_others = 0.0;
    for item in listed
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
    {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let quality = parameters.trim().strip_prefix("q=").unwrap_or("1");
        let quality = quality.trim().parse().unwrap_or(0.0);
        match name.trim() {
            "*" => of_others = quality,
            name if name.eq_ignore_ascii_case(coding) => return quality,
            _ => {}
        }
    }
    of_others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_compressed_as_the_client_likes_it() {
        for (value, expected) in [
            ("gzip", Coding::Gzip),
            ("deflate, gzip;q=0.5", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("gzip, zstd;q=0.9", Coding::Gzip),
            ("*", Coding::Zstd),
            ("zstd;q=0, *", Coding::Gzip),
            ("gzip;q=0, *;q=0", Coding::Identity),
            ("gzip;q=0.0", Coding::Identity),
            ("identity", Coding::Identity),
            ("", Coding::Identity),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            assert_eq!(Coding::negotiate(&headers), expected, "{value}");
        }
        assert_eq!(Coding::negotiate(&HeaderMap::new()), Coding::Identity);
    }
}

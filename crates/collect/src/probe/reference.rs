//! Where a `Location` leads from a URL (RFC 3986, section 5.2).
//!
//! 1. What follows `#` is cut off, and what may not stand in a URL is percent-encoded, as browsers do.
//! 2. A reference with a scheme stands for itself; one that begins with `//` takes the scheme, one with `/` scheme and
//!    host, one with `?` the path too.
//! 3. Any other path begins in the folder of the present one; then `.` and `..` are taken out.

use http::Uri;

/// The URL to which `reference` leads from `base`; none if it is none. A login in it is left out.
pub(crate) fn resolve(base: &Uri, reference: &[u8]) -> Option<Uri> {
    let reference = encode(reference.trim_ascii());
    let reference = reference.split('#').next().unwrap_or_default();
    let scheme = base.scheme_str()?;
    let authority = base.authority()?.as_str();
    if let Some((own, rest)) = split_scheme(reference) {
        return absolute(&own.to_ascii_lowercase(), rest.strip_prefix("//")?);
    }
    if let Some(rest) = reference.strip_prefix("//") {
        return absolute(scheme, rest);
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let (path, query) = if path.is_empty() {
        (base.path().to_owned(), query.or(base.query()))
    } else if path.starts_with('/') {
        (without_dots(path), query)
    } else {
        let folder = base
            .path()
            .rfind('/')
            .map_or("/", |end| &base.path()[..=end]);
        (without_dots(&format!("{folder}{path}")), query)
    };
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    absolute(scheme, &format!("{authority}{path}{query}"))
}

fn absolute(scheme: &str, rest: &str) -> Option<Uri> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{host}{slash}{path}").parse().ok()
}

/// `https` and `//host` of `https://host`; a colon later on is a part of the path.
fn split_scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                text.push_str(&format!("%{byte:02X}"));
            }
            b'!'..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests;

//! What a setting takes, how that is read, and how it is called in the reference.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use document::{Amount, Value, show_size};
use http::Uri;
use model::Network;
use server::{Rate, WebOrigin};

use super::{Draft, MemoryLimit, Secret, lists};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What a setting takes, and where it is put.
pub(super) enum Kind {
    Address(fn(&mut Draft<'_>, SocketAddr)),
    Boolean(fn(&mut Draft<'_>, bool)),
    /// Words, each with what it does.
    Choice(&'static [(&'static str, Choose)]),
    Duration(Duration, Duration, fn(&mut Draft<'_>, Duration)),
    Integer(u32, u64, fn(&mut Draft<'_>, u64)),
    /// A file that need not be given.
    File(fn(&mut Draft<'_>, Option<PathBuf>)),
    /// The name of a label.
    LabelName(fn(&mut Draft<'_>, String)),
    Memory(fn(&mut Draft<'_>, MemoryLimit)),
    /// Networks, as a list or with commas between them.
    Networks(fn(&mut Draft<'_>, Vec<Network>)),
    /// Origins of web pages, likewise.
    Origins(fn(&mut Draft<'_>, Vec<WebOrigin>)),
    Path(fn(&mut Draft<'_>, PathBuf)),
    /// So many in a time, or without a limit.
    Rate(fn(&mut Draft<'_>, Option<Rate>)),
    /// A text that is shown nowhere; none if it is empty.
    Secret(fn(&mut Draft<'_>, Option<Secret>)),
    /// Any text.
    Text(fn(&mut Draft<'_>, String)),
    /// An address of web pages; empty if it is not given.
    Url(fn(&mut Draft<'_>, String)),
    /// A share of something, or none.
    Share(fn(&mut Draft<'_>, Option<u8>)),
    Size(u64, u64, fn(&mut Draft<'_>, u64)),
    /// `on` or `off`.
    Switch(fn(&mut Draft<'_>, bool)),
    /// Words, as a list or with commas between them.
    Words(fn(&mut Draft<'_>, Vec<String>)),
}

/// Does what one word of a [`Kind::Choice`] says.
pub(super) type Choose = fn(&mut Draft<'_>);

/// The least and most memory that can be given in bytes.
const MEMORY: (u64, u64) = (64 * MIB, 1024 * 1024 * GIB);

impl Kind {
    /// Puts a value where it belongs; gives nothing if the value was refused.
    pub(super) fn read(
        &self,
        value: Value<'_>,
        directory: &Path,
        draft: &mut Draft<'_>,
    ) -> Option<()> {
        match self {
            Self::Address(put) => put(draft, value.socket_address()?),
            Self::Boolean(put) => put(draft, value.boolean()?),
            Self::Choice(choices) => {
                let words: Vec<&'static str> = choices.iter().map(|(word, _)| *word).collect();
                let chosen = value.choice(&words)?;
                let (_, put) = choices.iter().find(|(word, _)| *word == chosen)?;
                put(draft);
            }
            Self::Duration(least, most, put) => put(draft, value.duration_within(*least..=*most)?),
            Self::Integer(least, most, put) => {
                let most = i64::try_from(*most).unwrap_or(i64::MAX);
                let number = value.integer(i64::from(*least)..=most)?;
                put(draft, number.unsigned_abs());
            }
            Self::File(put) => {
                let is_given = value.clone().text().is_none_or(|text| !text.is_empty());
                let path = match is_given {
                    true => Some(value.file_path(directory)?),
                    false => None,
                };
                put(draft, path);
            }
            Self::LabelName(put) => put(draft, label_name(value)?),
            Self::Memory(put) => {
                let limit = match value.amount(MEMORY.0..=MEMORY.1)? {
                    Amount::Percent(share) => MemoryLimit::Share(share),
                    Amount::Bytes(size) => MemoryLimit::Bytes(size),
                };
                put(draft, limit);
            }
            Self::Networks(put) => put(draft, lists::networks(value)?),
            Self::Origins(put) => put(draft, lists::origins(value)?),
            Self::Path(put) => put(draft, value.file_path(directory)?),
            Self::Rate(put) => put(draft, rate(value)?),
            Self::Secret(put) => {
                let text = value.text()?;
                put(draft, (!text.is_empty()).then(|| Secret::new(text)));
            }
            Self::Share(put) => put(draft, share(value)?),
            Self::Url(put) => put(draft, url(value)?),
            Self::Size(least, most, put) => put(draft, value.size(*least..=*most)?),
            Self::Switch(put) => put(draft, value.switch()?),
            Self::Text(put) => put(draft, value.text()?.to_owned()),
            Self::Words(put) => put(draft, lists::words(value)?),
        }
        Some(())
    }

    /// The type in words, for the reference.
    pub(super) fn description(&self) -> String {
        let duration = |duration: &Duration| model::duration::format(*duration).to_string();
        match self {
            Self::Address(_) => "IP address and port".to_owned(),
            Self::Boolean(_) => "`true` or `false`".to_owned(),
            Self::Choice(choices) => {
                let words: Vec<_> = choices
                    .iter()
                    .map(|(word, _)| format!("`{word}`"))
                    .collect();
                words.join(", ")
            }
            Self::Duration(least, most, _) => {
                format!("duration, `{}` to `{}`", duration(least), duration(most))
            }
            Self::Integer(least, most, _) => format!("whole number, {least} to {most}"),
            Self::File(_) | Self::Path(_) => "path".to_owned(),
            Self::LabelName(_) => "name of a label".to_owned(),
            Self::Memory(_) => format!(
                "share, `1%` to `100%`, or size, `{}` to `{}`",
                show_size(MEMORY.0),
                show_size(MEMORY.1)
            ),
            Self::Networks(_) => "list of networks".to_owned(),
            Self::Origins(_) => "list of origins".to_owned(),
            Self::Rate(_) => "rate such as `10/m`, or `0`".to_owned(),
            Self::Secret(_) => "secret".to_owned(),
            Self::Share(_) => "share, `1%` to `100%`, or `0`".to_owned(),
            Self::Url(_) => "URL".to_owned(),
            Self::Size(least, most, _) => {
                format!("size, `{}` to `{}`", show_size(*least), show_size(*most))
            }
            Self::Switch(_) => "`on`, `off`".to_owned(),
            Self::Text(_) => "text".to_owned(),
            Self::Words(_) => "list of words".to_owned(),
        }
    }
}

/// Reads a rate; 0 is no limit.
fn rate(value: Value<'_>) -> Option<Option<Rate>> {
    match Rate::parse(value.clone().text()?) {
        Ok(rate) => Some(rate),
        Err(error) => {
            value.refuse(error.to_string());
            None
        }
    }
}

fn label_name(value: Value<'_>) -> Option<String> {
    let name = value.clone().text()?;
    if name.is_empty() {
        value.refuse("the name of a label is needed here, such as job");
        return None;
    }
    Some(name.to_owned())
}

/// Reads a share; 0 is none.
fn share(value: Value<'_>) -> Option<Option<u8>> {
    let text = value.clone().text()?;
    if text == "0" {
        return Some(None);
    }
    if !text.ends_with('%') {
        let shown = value.shown();
        value.refuse(format!(
            "{shown} is no share: write it as in 80%, or 0 for no limit"
        ));
        return None;
    }
    match value.amount(0..=0)? {
        Amount::Percent(share) => Some(Some(share)),
        Amount::Bytes(_) => None,
    }
}

/// Reads an address of web pages, without a slash at its end.
fn url(value: Value<'_>) -> Option<String> {
    let text = value.clone().text()?;
    if text.is_empty() {
        return Some(String::new());
    }
    let url = text.parse::<Uri>().ok().filter(|url| {
        let is_web = matches!(url.scheme_str(), Some("http" | "https"));
        let has_login = url
            .authority()
            .is_some_and(|host| host.as_str().contains('@'));
        is_web
            && url.host().is_some_and(|host| !host.is_empty())
            && url.query().is_none()
            && !has_login
    });
    if url.is_none() {
        let shown = value.shown();
        value.refuse(format!(
            "{shown} is no address of web pages; write it as in https://watch.example.org/path, without login and query"
        ));
    }
    url.map(|_| text.trim_end_matches('/').to_owned())
}

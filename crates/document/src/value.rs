//! A value on its way to its meaning: each reader gives what was asked for, or notes a problem and gives nothing.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::hidden::is_telling_path;
use crate::nearest::nearest;
use crate::path::Path;
use crate::problem::Problem;
use crate::section::Section;
use crate::size::{InvalidSize, parse_size, show_size};
use crate::source::Span;
use crate::tree::{Content, Document, NodeId, Scalar, Style};

/// What [`Value::amount`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// A share, 1 to 100.
    Percent(u8),
    /// A size.
    Bytes(u64),
}

/// A value of a [`Document`], with its place and the field's path.
///
/// Readers that return an `Option` give `None` after they noted a problem; the caller takes any default, since a
/// document with problems is refused as a whole.
#[derive(Debug, Clone)]
pub struct Value<'d> {
    document: &'d Document,
    id: NodeId,
    path: Path,
}

impl<'d> Value<'d> {
    pub(crate) fn root(document: &'d Document, id: NodeId) -> Self {
        Self::new(document, id, Path::default())
    }

    pub(crate) fn new(document: &'d Document, id: NodeId, path: Path) -> Self {
        Self { document, id, path }
    }

    /// Names the field of a value that has no path of its own, such as a flag's.
    pub fn at(mut self, path: &str) -> Self {
        self.path = Path::default().key(path);
        self
    }

    /// The place in the text.
    pub fn span(&self) -> Span {
        self.document.node(self.id).span
    }

    /// Whether the value is left out: empty, `~` or `null`.
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| {
            scalar.style == Style::Plain
                && matches!(&*scalar.text, "" | "~" | "null" | "Null" | "NULL")
        })
    }

    /// Whether a scalar stands here without quotes, so that it may be a number, a boolean or nothing.
    pub fn is_plain(&self) -> bool {
        self.scalar()
            .is_some_and(|scalar| scalar.style == Style::Plain)
    }

    /// What stands here: `section`, `list` or `text` (any scalar).
    pub fn kind(&self) -> &'static str {
        match &self.document.node(self.id).content {
            Content::Mapping(_) => "section",
            Content::Sequence(_) => "list",
            Content::Scalar(_) => "text",
        }
    }

    /// A problem at this value, for a check that needs more than one value; it is not noted yet.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.document.source(), self.span(), &self.path, message)
    }

    /// Notes a problem at this value.
    pub fn refuse(&self, message: impl Into<String>) {
        let problem = self.problem(message);
        self.document.note(problem);
    }

    /// The keys below this value; nothing (`host:` alone) is an empty section.
    pub fn section(self) -> Option<Section<'d>> {
        match &self.document.node(self.id).content {
            Content::Mapping(entries) => {
                let span = self.span();
                Some(Section::new(self.document, entries, span, self.path))
            }
            Content::Scalar(_) if self.is_null() => {
                let span = self.span();
                Some(Section::new(self.document, &[], span, self.path))
            }
            _ => self.wrong("a section (lines such as key: value)"),
        }
    }

    /// The values of a list; nothing is an empty list.
    pub fn items(self) -> Option<Vec<Value<'d>>> {
        match &self.document.node(self.id).content {
            Content::Sequence(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, id)| Self::new(self.document, *id, self.path.index(index)))
                    .collect(),
            ),
            Content::Scalar(_) if self.is_null() => Some(Vec::new()),
            _ => self.wrong("a list (lines that begin with -, or [a, b])"),
        }
    }

    /// Any scalar, as it is written.
    pub fn text(self) -> Option<&'d str> {
        match self.scalar() {
            Some(scalar) => Some(&scalar.text),
            None => self.wrong("a text"),
        }
    }

    /// A duration as Prometheus writes it, of any length: `1h30m`.
    pub fn duration(self) -> Option<Duration> {
        self.duration_within(Duration::ZERO..=Duration::MAX)
    }

    /// A duration within bounds.
    pub fn duration_within(self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let Some(scalar) = self.scalar() else {
            return self.wrong("a duration such as 30s or 1h30m");
        };
        match model::duration::parse(&scalar.text) {
            Ok(duration) => self.within(duration, range, |bound| {
                model::duration::format(*bound).to_string()
            }),
            Err(error) => match meant_duration(&scalar.text) {
                Some(meant) if scalar.style != Style::Substituted => {
                    self.no(scalar, "duration", format!("did you mean {meant}?"))
                }
                _ => self.no(scalar, "duration", error.reason),
            },
        }
    }

    /// `true` or `false`, and what YAML 1.1 took for them without quotes: `yes`, `no`, `on`, `off`.
    pub fn boolean(self) -> Option<bool> {
        let Some(scalar) = self.scalar() else {
            return self.wrong("true or false");
        };
        match boolean(&scalar.text) {
            Some(boolean) if scalar.style != Style::Quoted => Some(boolean),
            Some(_) => self.no(scalar, "boolean", "write it without quotes: true or false"),
            None => self.no(scalar, "boolean", "write true or false"),
        }
    }

    /// `on` or `off`, in quotes or without: YAML 1.1 makes booleans of them, so `true` and `false` are taken too.
    pub fn switch(self) -> Option<bool> {
        let Some(scalar) = self.scalar() else {
            return self.wrong("on or off");
        };
        boolean(&scalar.text).or_else(|| self.no(scalar, "switch", "write on or off"))
    }

    /// One of some words.
    pub fn choice(self, words: &[&'static str]) -> Option<&'static str> {
        let expected = one_of(words);
        let Some(scalar) = self.scalar() else {
            return self.wrong(&expected);
        };
        if let Some(word) = words.iter().find(|word| **word == &*scalar.text) {
            return Some(word);
        }
        let guess = match nearest(&scalar.text, words.iter().copied()) {
            Some(word) if scalar.style != Style::Substituted => format!("; did you mean {word}?"),
            _ => String::new(),
        };
        let shown = self.shown_scalar(scalar);
        self.refuse(format!(
            "{shown} is not known here; write {expected}{guess}"
        ));
        None
    }

    /// A whole number within bounds; `1_000` and `0x1f` are numbers too.
    pub fn integer(self, range: RangeInclusive<i64>) -> Option<i64> {
        let Some(scalar) = self.scalar() else {
            return self.wrong("a whole number");
        };
        match integer(&scalar.text) {
            Err(reason) => self.no(scalar, "whole number", reason),
            Ok(_) if scalar.style == Style::Quoted => {
                self.no(scalar, "whole number", "write it without quotes")
            }
            Ok(number) => self.within(number, range, i64::to_string),
        }
    }

    /// A number with or without fraction, also `.inf` and `.nan`.
    pub fn float(self) -> Option<f64> {
        let Some(scalar) = self.scalar() else {
            return self.wrong("a number");
        };
        match float(&scalar.text) {
            None => self.no(scalar, "number", "write for example 12 or 0.5"),
            Some(_) if scalar.style == Style::Quoted => {
                self.no(scalar, "number", "write it without quotes")
            }
            number => number,
        }
    }

    /// A size in bytes within bounds: `512MiB`, `1GB`, `4096`.
    pub fn size(self, range: RangeInclusive<u64>) -> Option<u64> {
        let Some(scalar) = self.scalar() else {
            return self.wrong("a size such as 512MiB");
        };
        match parse_size(&scalar.text) {
            Ok(size) => self.within(size, range, |bound| show_size(*bound).to_string()),
            Err(InvalidSize(reason)) => self.no(scalar, "size", reason),
        }
    }

    /// A share of something (`60%`, 1 to 100), or a size in bytes within bounds.
    pub fn amount(self, sizes: RangeInclusive<u64>) -> Option<Amount> {
        let Some(scalar) = self.scalar() else {
            return self.wrong("a share such as 60% or a size such as 512MiB");
        };
        let Some(number) = scalar.text.strip_suffix('%') else {
            return self.size(sizes).map(Amount::Bytes);
        };
        match number.trim_end().parse() {
            Ok(percent) => self
                .within(percent, 1..=100, |bound| format!("{bound}%"))
                .map(Amount::Percent),
            Err(_) => self.no(
                scalar,
                "share",
                "write a whole number from 1 to 100 before the %",
            ),
        }
    }

    /// An IP address and a port: `127.0.0.1:9595`, `[::1]:9595`; `localhost` is `127.0.0.1`.
    pub fn socket_address(self) -> Option<SocketAddr> {
        let Some(scalar) = self.scalar() else {
            return self.wrong("an address such as 127.0.0.1:9595");
        };
        match socket_address(&scalar.text) {
            Ok(address) => Some(address),
            Err(_) if scalar.style == Style::Substituted => {
                self.no(scalar, "address", "write for example 127.0.0.1:9595")
            }
            Err(reason) => self.no(scalar, "address", &reason),
        }
    }

    /// A path; a relative one is taken from `directory`.
    pub fn file_path(self, directory: &std::path::Path) -> Option<PathBuf> {
        let Some(scalar) = self.scalar() else {
            return self.wrong("a path");
        };
        if scalar.text.is_empty() || scalar.text.contains('\0') {
            return self.no(
                scalar,
                "path",
                "write for example ./data or /var/lib/campanile",
            );
        }
        Some(directory.join(&*scalar.text))
    }

    fn scalar(&self) -> Option<&'d Scalar> {
        match &self.document.node(self.id).content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    fn within<T: PartialOrd>(
        self,
        value: T,
        range: RangeInclusive<T>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        let scalar = self.scalar()?;
        let (least, most) = (show(range.start()), show(range.end()));
        let (word, bound) = if value < *range.start() {
            ("small", format!("the least is {least}"))
        } else {
            ("large", format!("the most is {most}"))
        };
        let shown = self.shown_scalar(scalar);
        self.refuse(format!(
            "{shown} is too {word}; {bound} (allowed: {least} to {most})"
        ));
        None
    }

    /// Notes that a section or list stands where a scalar should, or the other way round.
    fn wrong<T>(&self, expected: &str) -> Option<T> {
        let found = self.shown();
        self.refuse(format!("{expected} is needed here, not {found}"));
        None
    }

    fn no<T>(&self, scalar: &Scalar, kind: &str, reason: impl Display) -> Option<T> {
        let shown = self.shown_scalar(scalar);
        self.refuse(format!("{shown} is no {kind}: {reason}"));
        None
    }

    /// The value for a message, in quotes; what came from a variable may be a secret, so only its name is shown.
    pub fn shown(&self) -> String {
        match &self.document.node(self.id).content {
            Content::Mapping(_) => "a section".to_owned(),
            Content::Sequence(_) => "a list".to_owned(),
            Content::Scalar(scalar) => self.shown_scalar(scalar),
        }
    }

    fn shown_scalar(&self, scalar: &Scalar) -> String {
        const SHOWN_MAX: usize = 60;
        if scalar.style == Style::Substituted {
            let written = self.document.source().slice(self.span());
            let written = written.trim().trim_matches(['"', '\'']);
            return format!("the value of {written}");
        }
        if scalar.text.is_empty() {
            return "an empty text".to_owned();
        }
        if is_telling_path(&self.path.to_string()) {
            return "this".to_owned();
        }
        if scalar.text.chars().count() > SHOWN_MAX {
            let begin: String = scalar.text.chars().take(SHOWN_MAX).collect();
            return format!("{begin:?}…");
        }
        format!("{:?}", scalar.text)
    }
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

/// The duration that someone meant who wrote `10 seconds`, `5 min` or `1.5h`.
fn meant_duration(text: &str) -> Option<String> {
    let digits = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" | "millis" | "millisecond" | "milliseconds" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
        "m" | "min" | "mins" | "minute" | "minutes" => 60e3,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600e3,
        "d" | "day" | "days" => 86400e3,
        "w" | "week" | "weeks" => 7.0 * 86400e3,
        "y" | "year" | "years" => 365.0 * 86400e3,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * milliseconds / 1e3;
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    let meant = model::duration::format(duration).to_string();
    model::duration::parse(&meant).is_ok().then_some(meant)
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            Some(true)
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            Some(false)
        }
        _ => None,
    }
}

fn integer(text: &str) -> Result<i64, &'static str> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        _ => (10, digits),
    };
    if radix == 10 && digits.len() > 1 && digits.starts_with('0') {
        return Err("a leading zero would make it octal; write it without");
    }
    let is_number = digits.starts_with(|first: char| first.is_digit(radix))
        && digits
            .chars()
            .all(|digit| digit.is_digit(radix) || digit == '_');
    if !is_number {
        return Err("write for example 100");
    }
    let digits = digits.replace('_', "");
    i64::from_str_radix(&format!("{sign}{digits}"), radix)
        .map_err(|_| "it is larger than any number that is read")
}

fn float(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        ".inf" | "+.inf" => return Some(f64::INFINITY),
        "-.inf" => return Some(f64::NEG_INFINITY),
        ".nan" => return Some(f64::NAN),
        _ => {}
    }
    // Rust's own "inf" and "nan" are texts in YAML.
    let is_number = text.bytes().any(|byte| byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE_".contains(&byte));
    is_number
        .then(|| text.replace('_', "").parse().ok())
        .flatten()
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:")
        && let Ok(port) = port.parse()
    {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err("write an IP address and a port, for example 127.0.0.1:9595".to_owned());
    };
    if port.parse::<u16>().is_err() {
        return Err(format!(
            "{port:?} is no port, a port is a number from 0 to 65535, as in 127.0.0.1:9595"
        ));
    }
    if host.is_empty() {
        return Err(format!(
            "the IP address is missing; write 127.0.0.1:{port} for this machine only, 0.0.0.0:{port} for all"
        ));
    }
    if host.contains(':') {
        return Err(format!(
            "an IPv6 address stands in brackets, for example [::1]:{port}"
        ));
    }
    Err(format!(
        "{host:?} is no IP address; write for example 127.0.0.1:{port}, or 0.0.0.0:{port} for all networks"
    ))
}

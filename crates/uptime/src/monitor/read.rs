//! `monitors:` of the configuration; every mistake is noted at its place, and all of them come at once.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use document::{Problem, Section, Value};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Uri};
use model::{Labels, duration, is_plain_label_name};

use super::{HttpCheck, Monitor, StatusRange};

/// What a machine checks at most; at 10 s each, a thousand checks in a second.
const MONITORS_MAX: usize = 10_000;
/// A name stands in every series and in subjects of messages.
const NAME_BYTES_MAX: usize = 200;
const LABELS_MAX: usize = 50;
const LABEL_VALUE_BYTES_MAX: usize = 1_000;
const HEADERS_MAX: usize = 100;
const STATUSES_MAX: usize = 100;
const BODY_BYTES_MAX: usize = 1 << 20;
/// Long enough for any sentence; a search for it costs the length of the page times this.
const KEYWORD_BYTES_MAX: usize = 1_000;
const RETRIES_MAX: i64 = 100;

const SHORTEST: Duration = Duration::from_secs(1);
/// A shorter interval is taken, with a warning: it costs the target more than it tells.
const SHORTEST_WITHOUT_WARNING: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);
/// One lost packet is no outage.
const DEFAULT_RETRIES: u32 = 1;
/// A second look soon after the first: an outage is told early, and a hiccup is over by then.
const DEFAULT_RETRY_INTERVAL: Duration = Duration::from_secs(10);
const SUCCESS: StatusRange = StatusRange {
    first: 200,
    last: 299,
};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Types that have their names already.
const LATER_TYPES: [&str; 6] = ["tcp", "icmp", "dns", "tls", "grpc", "heartbeat"];
/// Labels that we set ourselves on the alert or on some series.
const OWN_LABELS: [&str; 3] = ["alertname", "monitor", "phase"];

/// The monitors of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonitorList {
    /// Those without a mistake; the list counts only if the document has no problems.
    pub monitors: Vec<Monitor>,
    /// What is allowed, but should be thought over.
    pub warnings: Vec<Problem>,
}

/// Reads the list below `monitors`; mistakes are noted with the document.
pub fn read_monitors(list: Value<'_>) -> MonitorList {
    let mut read = MonitorList::default();
    let whole = list.clone();
    let items = list.items().unwrap_or_default();
    if items.len() > MONITORS_MAX {
        whole.refuse(format!(
            "these are {} monitors, at most {MONITORS_MAX} are allowed",
            items.len()
        ));
        return read;
    }
    let mut names = HashSet::new();
    for item in items {
        if let Some(section) = item.section() {
            let monitor = read_monitor(section, &mut names, &mut read.warnings);
            read.monitors.extend(monitor);
        }
    }
    read
}

/// Reads every key, so that all mistakes are seen, and only then asks whether the needed ones were good.
fn read_monitor<'d>(
    mut section: Section<'d>,
    names: &mut HashSet<&'d str>,
    warnings: &mut Vec<Problem>,
) -> Option<Monitor> {
    let name = section.required("name").and_then(|value| {
        let name = read_name(value.clone())?;
        if !names.insert(name) {
            value.refuse(format!(
                "another monitor is named {name:?} already; names are unique"
            ));
        }
        Some(name)
    });
    let known_type = section.required("type").and_then(read_type);
    let url = section.required("url").and_then(read_url);
    let times = read_times(&mut section, warnings);
    let retries = section
        .value("retries")
        .map_or(Some(i64::from(DEFAULT_RETRIES)), |value| {
            value.integer(0..=RETRIES_MAX)
        });
    let labels = section
        .value("labels")
        .map_or(Some(Labels::empty()), read_labels);
    let method = section.value("method").map_or(Some(Method::GET), |value| {
        value.choice(&METHODS)?.parse().ok()
    });
    let is_head = method == Some(Method::HEAD);
    let headers = section
        .value("headers")
        .map_or(Some(HeaderMap::new()), read_headers);
    let body = section.value("body").map_or(Some(""), |value| {
        if is_head {
            value.refuse("a HEAD request has no body; remove it, or write method: POST");
        }
        bounded_text(value, BODY_BYTES_MAX)
    });
    let follow_redirects = section
        .value("follow_redirects")
        .map_or(Some(true), |value| value.boolean());
    let accepted_statuses = section
        .value("accepted_statuses")
        .map_or(Some(vec![SUCCESS]), read_statuses);
    let keyword = read_keyword(section.value("keyword"), is_head);
    let keyword_absent = read_keyword(section.value("keyword_absent"), is_head);
    section.finish();

    known_type?;
    let (interval, timeout, retry_interval) = times?;
    Some(Monitor {
        name: Arc::from(name?),
        interval,
        timeout,
        retries: u32::try_from(retries?).ok()?,
        retry_interval,
        labels: labels?,
        check: HttpCheck {
            url: url?,
            method: method?,
            headers: headers?,
            body: body?.to_owned(),
            follow_redirects: follow_redirects?,
            accepted_statuses: accepted_statuses?,
            keyword: keyword?,
            keyword_absent: keyword_absent?,
        },
    })
}

fn read_name(value: Value<'_>) -> Option<&str> {
    let name = value.clone().text()?;
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        value.refuse(
            "a name is a line of text that is not empty; write for example shop, or Main site",
        );
        return None;
    }
    if name.len() > NAME_BYTES_MAX {
        value.refuse(format!(
            "this name has {} bytes, at most {NAME_BYTES_MAX} are allowed",
            name.len()
        ));
        return None;
    }
    Some(name)
}

fn read_type(value: Value<'_>) -> Option<()> {
    let text = value.clone().text()?;
    if LATER_TYPES.contains(&text) {
        value.refuse(format!(
            "the type {text} is not supported yet; http is the only one"
        ));
        return None;
    }
    value.choice(&["http"]).map(|_| ())
}

fn read_url(value: Value<'_>) -> Option<Uri> {
    let text = value.clone().text()?;
    let refuse = |reason: &str| {
        let shown = value.shown();
        value.refuse(format!("{shown} is no URL to check: {reason}"));
        None
    };
    let Ok(url) = text.parse::<Uri>() else {
        return refuse(
            "write for example https://shop.example.org/, with other characters percent-encoded",
        );
    };
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return refuse("it begins with https:// or http://");
    }
    let Some(authority) = url
        .authority()
        .filter(|authority| !authority.host().is_empty())
    else {
        return refuse("the name of the host is missing");
    };
    if authority.as_str().contains('@') {
        // It would be shown wherever the URL is, and so it is not shown here.
        value.refuse("a login does not belong into a URL; write headers: {Authorization: …}");
        return None;
    }
    let after_host = &authority.as_str()[authority.host().len()..];
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
    if !after_host.is_empty() && !after_host.strip_prefix(':').is_some_and(is_port) {
        return refuse("its port is a number from 1 to 65535");
    }
    Some(url)
}

/// Interval, timeout and retry interval, which must fit each other.
fn read_times(
    section: &mut Section<'_>,
    warnings: &mut Vec<Problem>,
) -> Option<(Duration, Duration, Duration)> {
    let written = section.value("interval");
    let interval = match written.clone() {
        Some(value) => value.duration_within(SHORTEST..=LONGEST),
        None => Some(DEFAULT_INTERVAL),
    };
    if let (Some(value), Some(interval)) = (&written, interval)
        && interval < SHORTEST_WITHOUT_WARNING
    {
        warnings.push(value.problem(format!(
            "checking every {} is a load for the target; {} is enough for most",
            duration::format(interval),
            duration::format(SHORTEST_WITHOUT_WARNING)
        )));
    }
    let timeout = section.value("timeout");
    let retry_interval = section.value("retry_interval");
    let timeout = match timeout {
        None => interval.map(default_timeout),
        Some(value) => {
            let timeout = value.clone().duration_within(SHORTEST_TIMEOUT..=LONGEST);
            match (timeout, interval) {
                (Some(timeout), Some(interval)) if timeout >= interval => {
                    value.refuse(format!(
                        "the timeout must be less than the interval ({})",
                        duration::format(interval)
                    ));
                    None
                }
                _ => timeout,
            }
        }
    };
    let retry_interval = match retry_interval {
        None => interval.map(|interval| interval.min(DEFAULT_RETRY_INTERVAL)),
        Some(value) => value.duration_within(SHORTEST..=LONGEST),
    };
    Some((interval?, timeout?, retry_interval?))
}

/// Ten seconds, or for short intervals four fifths of them, so that it is less.
fn default_timeout(interval: Duration) -> Duration {
    DEFAULT_TIMEOUT.min(interval * 4 / 5)
}

fn read_labels(value: Value<'_>) -> Option<Labels> {
    let whole = value.clone();
    let pairs = value.section()?.pairs();
    if pairs.len() > LABELS_MAX {
        whole.refuse(format!("at most {LABELS_MAX} labels are allowed"));
        return None;
    }
    let mut labels = Some(Vec::new());
    for (name, value) in pairs {
        if OWN_LABELS.contains(&name) {
            value.refuse(format!(
                "the label {name} is set by campanile; choose another name"
            ));
            labels = None;
            continue;
        }
        if !is_plain_label_name(name) || name.starts_with("__") {
            value.refuse(format!(
                "{name:?} is no name for a label: use letters, digits and _, and do not begin with a digit or with __"
            ));
            labels = None;
            continue;
        }
        match bounded_text(value, LABEL_VALUE_BYTES_MAX) {
            Some(text) => labels
                .iter_mut()
                .for_each(|labels| labels.push((name, text))),
            None => labels = None,
        }
    }
    Labels::from_pairs(labels?)
        .map_err(|error| whole.refuse(error.to_string()))
        .ok()
}

fn read_headers(value: Value<'_>) -> Option<HeaderMap> {
    let whole = value.clone();
    let pairs = value.section()?.pairs();
    if pairs.len() > HEADERS_MAX {
        whole.refuse(format!("at most {HEADERS_MAX} headers are allowed"));
        return None;
    }
    let mut headers = HeaderMap::new();
    let mut is_good = true;
    for (name, value) in pairs {
        match read_header(name, value.clone()) {
            Some((name, _)) if headers.contains_key(&name) => {
                value.refuse(format!(
                    "the header {name} is given twice; upper and lower case are the same"
                ));
                is_good = false;
            }
            Some((name, text)) => {
                headers.insert(name, text);
            }
            None => is_good = false,
        }
    }
    is_good.then_some(headers)
}

fn read_header(name: &str, value: Value<'_>) -> Option<(HeaderName, HeaderValue)> {
    let Ok(header) = name.parse::<HeaderName>() else {
        value.refuse(format!(
            "{name:?} is no name of a header; write for example X-Token"
        ));
        return None;
    };
    if [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&header) {
        value.refuse(format!(
            "the header {header} is set by campanile; remove it"
        ));
        return None;
    }
    let Ok(mut text) = HeaderValue::from_str(value.clone().text()?) else {
        value.refuse(format!(
            "the value of the header {header} is one line of ASCII text"
        ));
        return None;
    };
    text.set_sensitive(true);
    Some((header, text))
}

fn read_statuses(value: Value<'_>) -> Option<Vec<StatusRange>> {
    let whole = value.clone();
    let items = value.items()?;
    if items.is_empty() || items.len() > STATUSES_MAX {
        whole.refuse(format!(
            "1 to {STATUSES_MAX} codes or ranges are needed, for example [200, 301-308]"
        ));
        return None;
    }
    let count = items.len();
    let statuses: Vec<StatusRange> = items.into_iter().filter_map(read_status).collect();
    (statuses.len() == count).then_some(statuses)
}

fn read_status(value: Value<'_>) -> Option<StatusRange> {
    let text = value.clone().text()?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let code = |text: &str| {
        let is_number = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        let code: u16 = is_number.then(|| text.parse().ok()).flatten()?;
        (100..=599).contains(&code).then_some(code)
    };
    match (code(first.trim()), code(last.trim())) {
        (Some(first), Some(last)) if first <= last => Some(StatusRange { first, last }),
        _ => {
            let shown = value.shown();
            value.refuse(format!(
                "{shown} is no status: write a code from 100 to 599, or a range such as 200-299"
            ));
            None
        }
    }
}

/// `None` is a mistake, `Some(None)` no keyword.
fn read_keyword(value: Option<Value<'_>>, is_head: bool) -> Option<Option<String>> {
    let Some(value) = value else {
        return Some(None);
    };
    if is_head {
        value.refuse("the answer to HEAD has no body; write method: GET");
        return None;
    }
    let text = bounded_text(value.clone(), KEYWORD_BYTES_MAX)?;
    if text.is_empty() {
        value.refuse("an empty text is in every answer; write the text to look for");
        return None;
    }
    Some(Some(text.to_owned()))
}

fn bounded_text(value: Value<'_>, bytes_max: usize) -> Option<&str> {
    let text = value.clone().text()?;
    if text.len() > bytes_max {
        value.refuse(format!(
            "this text has {} bytes, at most {bytes_max} are allowed",
            text.len()
        ));
        return None;
    }
    Some(text)
}

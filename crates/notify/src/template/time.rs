//! Moments and spans of time in templates: records with the methods of Go that people use.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use model::Timestamp as Moment;
use template::{Failure, Outcome, Value, kind, record, string, type_name};

use super::layout;
use crate::moment;

/// Nanoseconds since 1970; a moment before jiff's calendar is Go's zero time.
const NANOS: &str = "nanos";
const ZONE: &str = "zone";

/// A moment of an alert.
pub(crate) fn of(at: Moment) -> Value {
    let nanos = moment::moment(at).as_nanosecond();
    of_nanos(i64::try_from(nanos).unwrap_or(i64::MAX), "UTC")
}

/// Go's zero time.
pub(crate) fn never() -> Value {
    of_nanos(i64::MIN, "UTC")
}

/// A span of time.
pub(crate) fn span(nanos: i64) -> Value {
    record("duration", [(NANOS, Value::Int(nanos))])
}

fn of_nanos(nanos: i64, zone: &str) -> Value {
    record("time", [(NANOS, Value::Int(nanos)), (ZONE, string(zone))])
}

/// The same moment elsewhere; `Local` is the system's zone, which is taken to be UTC.
pub(crate) fn in_zone(value: &Value, zone: &str) -> Outcome {
    let (nanos, _) = parts(value)?;
    if !matches!(zone, "UTC" | "Local" | "") && TimeZone::get(zone).is_err() {
        return Err(Failure::new(format!("unknown time zone {zone}")));
    }
    let zone = if zone.is_empty() { "UTC" } else { zone };
    Ok(of_nanos(nanos, zone))
}

/// How much time has passed until another moment.
pub(crate) fn until(value: &Value, later: Moment) -> Outcome {
    let (nanos, _) = parts(value)?;
    let (later, _) = parts(&of(later))?;
    Ok(span(later.saturating_sub(nanos)))
}

/// A moment in Go's layout.
pub(crate) fn formatted(value: &Value, format: &str) -> Outcome {
    Ok(string(layout::format(&zoned(value)?, format)))
}

/// A text as a moment, by Go's layout.
pub(crate) fn parsed(format: &str, text: &str) -> Outcome {
    let Some(pattern) = layout::strptime(format) else {
        return Err(Failure::new(format!(
            "the layout {format:?} is not supported yet"
        )));
    };
    let broken = jiff::fmt::strtime::BrokenDownTime::parse(&pattern, text)
        .map_err(|_| Failure::new(format!("cannot parse {text:?} as {format:?}")))?;
    let moment = broken.to_timestamp().or_else(|_| {
        let date = broken.to_date()?;
        let time = broken.to_time().unwrap_or_default();
        let zoned = date.to_datetime(time).to_zoned(TimeZone::UTC)?;
        Ok::<_, jiff::Error>(zoned.timestamp())
    });
    let moment =
        moment.map_err(|_| Failure::new(format!("cannot parse {text:?} as {format:?}")))?;
    let nanos = i64::try_from(moment.as_nanosecond());
    Ok(of_nanos(nanos.unwrap_or(i64::MAX), "UTC"))
}

/// Seconds of a span, for `humanizeDuration`.
pub(crate) fn seconds(value: &Value) -> Option<f64> {
    if kind(value) != "duration" {
        return None;
    }
    let (nanos, _) = parts(value).ok()?;
    Some(nanos as f64 / 1e9)
}

/// A moment or span as Go shows it.
pub(crate) fn shown(value: &Value) -> Option<String> {
    match kind(value) {
        "time" => {
            let layout = "2006-01-02 15:04:05.999999999 -0700 MST";
            Some(layout::format(&zoned(value).ok()?, layout))
        }
        "duration" => Some(go_duration(parts(value).ok()?.0)),
        _ => None,
    }
}

/// As in webhooks.
pub(crate) fn json(value: &Value) -> serde_json::Value {
    let Ok((nanos, _)) = parts(value) else {
        return serde_json::Value::Null;
    };
    if kind(value) == "duration" {
        return nanos.into();
    }
    match zoned(value) {
        Ok(zoned) => layout::format(&zoned, "2006-01-02T15:04:05.999999999Z07:00").into(),
        Err(_) => serde_json::Value::Null,
    }
}

/// What a method of a moment or span gives.
pub(crate) fn method(value: &Value, name: &str, given: &[Value]) -> Outcome {
    if kind(value) == "duration" {
        return of_span(value, name, given);
    }
    let (nanos, zone) = parts(value)?;
    let other = |value: &Value| parts(value).map(|(nanos, _)| nanos);
    match (name, given) {
        ("Format", [Value::String(format)]) => formatted(value, format),
        ("String", []) => Ok(string(shown(value).unwrap_or_default())),
        ("Unix", []) => Ok(Value::Int(nanos.div_euclid(1_000_000_000))),
        ("UnixMilli", []) => Ok(Value::Int(nanos.div_euclid(1_000_000))),
        ("UnixNano", []) => Ok(Value::Int(nanos)),
        ("IsZero", []) => Ok(Value::Bool(nanos == i64::MIN)),
        ("UTC" | "Local", []) => Ok(of_nanos(nanos, "UTC")),
        ("Sub", [earlier]) => Ok(span(nanos.saturating_sub(other(earlier)?))),
        ("Add", [span]) => {
            let added = other(span).or_else(|error| match span {
                Value::Int(nanos) => Ok(*nanos),
                _ => Err(error),
            })?;
            Ok(of_nanos(nanos.saturating_add(added), &zone))
        }
        ("Before", [later]) => Ok(Value::Bool(nanos < other(later)?)),
        ("After", [earlier]) => Ok(Value::Bool(nanos > other(earlier)?)),
        ("Equal", [same]) => Ok(Value::Bool(nanos == other(same)?)),
        ("Year", []) => Ok(Value::Int(zoned(value)?.year().into())),
        ("Day", []) => Ok(Value::Int(zoned(value)?.day().into())),
        ("Hour", []) => Ok(Value::Int(zoned(value)?.hour().into())),
        ("Minute", []) => Ok(Value::Int(zoned(value)?.minute().into())),
        ("Second", []) => Ok(Value::Int(zoned(value)?.second().into())),
        ("Month", []) => formatted(value, "January"),
        ("Weekday", []) => formatted(value, "Monday"),
        _ => Err(Failure::new(format!(
            "can't evaluate field {name} in type time.Time with {} arguments",
            given.len()
        ))),
    }
}

fn of_span(value: &Value, name: &str, given: &[Value]) -> Outcome {
    const SECOND: i64 = 1_000_000_000;
    let (nanos, _) = parts(value)?;
    let step = |given: &Value| match given {
        Value::Int(step) if *step > 0 => Ok(*step),
        other => parts(other).map(|(step, _)| step.max(1)),
    };
    match (name, given) {
        ("Seconds", []) => Ok(Value::Float(nanos as f64 / SECOND as f64)),
        ("Minutes", []) => Ok(Value::Float(nanos as f64 / (60 * SECOND) as f64)),
        ("Hours", []) => Ok(Value::Float(nanos as f64 / (3600 * SECOND) as f64)),
        ("Milliseconds", []) => Ok(Value::Int(nanos / 1_000_000)),
        ("Nanoseconds", []) => Ok(Value::Int(nanos)),
        ("String", []) => Ok(string(go_duration(nanos))),
        ("Truncate", [to]) => Ok(span(nanos - nanos % step(to)?)),
        ("Round", [to]) => {
            let step = step(to)?;
            let half = nanos.saturating_add(nanos.signum().saturating_mul(step / 2));
            Ok(span(half - half % step))
        }
        _ => Err(Failure::new(format!(
            "can't evaluate field {name} in type time.Duration with {} arguments",
            given.len()
        ))),
    }
}

fn zoned(value: &Value) -> Result<Zoned, Failure> {
    let (nanos, zone) = parts(value)?;
    let at = match nanos {
        i64::MIN => "0001-01-01T00:00:00Z".parse(),
        nanos => Timestamp::from_nanosecond(i128::from(nanos)),
    };
    let at = at.map_err(|_| Failure::new("the moment is beyond the calendar"))?;
    let zone = match &*zone {
        "UTC" | "Local" => TimeZone::UTC,
        zone => {
            TimeZone::get(zone).map_err(|_| Failure::new(format!("unknown time zone {zone}")))?
        }
    };
    Ok(at.to_zoned(zone))
}

fn parts(value: &Value) -> Result<(i64, Arc<str>), Failure> {
    if let Value::Map(fields) = value
        && matches!(kind(value), "time" | "duration")
        && let Some(Value::Int(nanos)) = fields.get(NANOS)
    {
        let zone = match fields.get(ZONE) {
            Some(Value::String(zone)) => Arc::clone(zone),
            _ => "UTC".into(),
        };
        return Ok((*nanos, zone));
    }
    Err(Failure::new(format!(
        "wrong type for value; expected a time; got {}",
        type_name(value)
    )))
}

/// `1h2m3.5s`, as Go shows a span.
fn go_duration(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".to_owned();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let fraction = |value: u64, digits: usize| {
        let text = format!("{:0digits$}", value % 10_u64.pow(digits as u32));
        match text.trim_end_matches('0') {
            "" => String::new(),
            text => format!(".{text}"),
        }
    };
    match nanos {
        0..1_000 => return format!("{sign}{nanos}ns"),
        1_000..1_000_000 => return format!("{sign}{}{}µs", nanos / 1000, fraction(nanos, 3)),
        1_000_000..1_000_000_000 => {
            return format!("{sign}{}{}ms", nanos / 1_000_000, fraction(nanos, 6));
        }
        _ => {}
    }
    let whole = nanos / 1_000_000_000;
    let seconds = format!("{}{}s", whole % 60, fraction(nanos, 9));
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}"),
    }
}

//! Model to text.
//!
//! 1. Families of one name become one group, with the first type, help and unit that say something.
//! 2. Each group gets the name and type under which the format can show it.
//! 3. Points join the group of their family, or, if the type has no series of their name, a group of that name.
//! 4. Groups are written in order of appearance; one without points is left out.

use std::collections::HashMap;
use std::fmt::Write as _;

use model::{
    Metadata, MetricFamily, MetricKind, NAME, Point, Timestamp, is_plain_label_name,
    is_plain_metric_name,
};

use super::{Format, suffix};
use crate::float;

/// Shows families as a whole exposition; points without a name are left out.
///
/// OpenMetrics calls a counter by its name without `_total`; one whose name lacks it is shown as unknown, as is a
/// point that its family's type has no place for. Names that are not plain identifiers stand quoted in the braces,
/// as Prometheus 3 reads them.
pub fn encode(families: &[MetricFamily], format: Format) -> String {
    let mut out = String::new();
    for group in &collect_groups(families, format) {
        if !group.points.is_empty() {
            push_group(&mut out, group, format);
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

/// What is shown under one name.
struct Group<'a> {
    /// The name after `# TYPE`.
    shown_name: &'a str,
    kind: MetricKind,
    help: &'a str,
    unit: &'a str,
    points: Vec<&'a Point>,
}

impl<'a> Group<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            shown_name: name,
            kind: MetricKind::Unknown,
            help: "",
            unit: "",
            points: Vec::new(),
        }
    }

    fn describe(&mut self, metadata: &'a Metadata) {
        if self.kind == MetricKind::Unknown {
            self.kind = metadata.kind;
        }
        if self.help.is_empty() {
            self.help = &metadata.help;
        }
        if self.unit.is_empty() {
            self.unit = &metadata.unit;
        }
    }

    /// Has the type place for a series of this name?
    fn takes(&self, series_name: &str, format: Format) -> bool {
        series_name
            .strip_prefix(self.shown_name)
            .is_some_and(|suffix| suffix::is_allowed(self.kind, suffix, format))
    }
}

fn collect_groups(families: &[MetricFamily], format: Format) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for family in families {
        let index = *by_name.entry(&family.name).or_insert_with(|| {
            groups.push(Group::new(&family.name));
            groups.len() - 1
        });
        groups[index].describe(&family.metadata);
    }
    for group in &mut groups {
        (group.shown_name, group.kind) = shown_as(group, format, &by_name);
    }
    for family in families {
        let own_group = by_name[family.name.as_str()];
        for point in &family.points {
            let series_name = point.labels.metric_name();
            if series_name.is_empty() {
                continue;
            }
            let index = if groups[own_group].takes(series_name, format) {
                own_group
            } else {
                *by_name.entry(series_name).or_insert_with(|| {
                    groups.push(Group::new(series_name));
                    groups.len() - 1
                })
            };
            groups[index].points.push(point);
        }
    }
    groups
}

/// The name and type under which a format shows a family.
fn shown_as<'a>(
    group: &Group<'a>,
    format: Format,
    names: &HashMap<&str, usize>,
) -> (&'a str, MetricKind) {
    let name = group.shown_name;
    let as_gauge = matches!(group.kind, MetricKind::Info | MetricKind::StateSet);
    if format == Format::Text {
        let kind = match group.kind {
            MetricKind::GaugeHistogram => MetricKind::Unknown,
            _ if as_gauge => MetricKind::Gauge,
            kind => kind,
        };
        return (name, kind);
    }
    let Some(implied) = suffix::implied(group.kind) else {
        return (name, group.kind);
    };
    match name.strip_suffix(implied) {
        // Two families must not share a name, which a gauge `queue` and a counter `queue_total` would.
        Some(base) if !base.is_empty() && !names.contains_key(base) => (base, group.kind),
        _ if as_gauge => (name, MetricKind::Gauge),
        _ => (name, MetricKind::Unknown),
    }
}

fn push_group(out: &mut String, group: &Group<'_>, format: Format) {
    let open_metrics = format == Format::OpenMetrics;
    if !group.help.is_empty() {
        push_comment(out, "HELP", group.shown_name);
        push_escaped(out, group.help, open_metrics);
        out.push('\n');
    }
    let kind = match group.kind {
        MetricKind::Unknown if !open_metrics => "untyped",
        kind => kind.as_str(),
    };
    push_type(out, group.shown_name, kind);
    // OpenMetrics allows only a unit that ends the name, and none where the value is no quantity.
    let has_unit = group
        .shown_name
        .strip_suffix(group.unit)
        .is_some_and(|rest| rest.ends_with('_'))
        && !matches!(group.kind, MetricKind::Info | MetricKind::StateSet);
    if open_metrics && has_unit && !group.unit.is_empty() {
        push_comment(out, "UNIT", group.shown_name);
        out.push_str(group.unit);
        out.push('\n');
    }
    for point in &group.points {
        let name = point.labels.metric_name();
        let labels = point.labels.iter().filter(|(name, _)| *name != NAME);
        push_series(out, name, labels);
        out.push(' ');
        float::push_exposition(out, point.value);
        if let Some(timestamp) = point.timestamp {
            push_timestamp(out, timestamp, format);
        }
        out.push('\n');
    }
}

/// Appends the line of the text format that gives the metrics of a name their type.
pub fn push_type(out: &mut String, name: &str, kind: &str) {
    push_comment(out, "TYPE", name);
    out.push_str(kind);
    out.push('\n');
}

/// Appends a sample's line of the text format; its labels may be empty, and its timestamp is in milliseconds since
/// 1970-01-01 UTC.
pub fn push_sample<'a>(
    out: &mut String,
    name: &str,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    value: f64,
    timestamp: Timestamp,
) {
    push_series(out, name, labels);
    out.push(' ');
    float::push_exposition(out, value);
    push_timestamp(out, timestamp, Format::Text);
    out.push('\n');
}

fn push_comment(out: &mut String, keyword: &str, name: &str) {
    out.push_str("# ");
    out.push_str(keyword);
    out.push(' ');
    if is_plain_metric_name(name) {
        out.push_str(name);
    } else {
        push_quoted(out, name);
    }
    out.push(' ');
}

fn push_series<'a>(out: &mut String, name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) {
    let plain = is_plain_metric_name(name);
    let mut separator = '{';
    if plain {
        out.push_str(name);
    } else {
        out.push('{');
        push_quoted(out, name);
        separator = ',';
    }
    for (name, value) in labels {
        out.push(separator);
        separator = ',';
        if is_plain_label_name(name) {
            out.push_str(name);
        } else {
            push_quoted(out, name);
        }
        out.push('=');
        push_quoted(out, value);
    }
    if separator == ',' {
        out.push('}');
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text, true);
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str, escape_quotes: bool) {
    let mut written = 0;
    for (index, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'"' if escape_quotes => "\\\"",
            _ => continue,
        };
        out.push_str(&text[written..index]);
        out.push_str(escape);
        written = index + 1;
    }
    out.push_str(&text[written..]);
}

/// Milliseconds in the text format, seconds in OpenMetrics.
fn push_timestamp(out: &mut String, timestamp: Timestamp, format: Format) {
    let millis = timestamp.as_millis();
    let result = match format {
        Format::Text => write!(out, " {millis}"),
        Format::OpenMetrics => {
            let sign = if millis < 0 { "-" } else { "" };
            let magnitude = millis.unsigned_abs();
            write!(out, " {sign}{}.{:03}", magnitude / 1000, magnitude % 1000)
        }
    };
    result.expect("invariant: a string takes everything");
}

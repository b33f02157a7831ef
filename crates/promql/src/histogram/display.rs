//! Histograms as text.

use std::fmt;

use model::CounterReset;

use super::{Bucket, Buckets, FloatHistogram};

/// As Prometheus prints it: `{count:4, sum:5, (1,2]:4}`, without empty buckets.
impl fmt::Display for FloatHistogram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, sum) = (General(self.count), General(self.sum));
        write!(formatter, "{{count:{count}, sum:{sum}")?;
        let negative = self.negative_buckets().rev();
        let buckets = negative.chain([self.zero_bucket()]);
        for bucket in buckets.chain(self.positive_buckets()) {
            if bucket.count != 0.0 {
                write!(formatter, ", {bucket}")?;
            }
        }
        formatter.write_str("}")
    }
}

/// As Prometheus prints it: `(1,2]:4`.
impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let (lower, upper) = (General(self.lower), General(self.upper));
        let count = General(self.count);
        write!(formatter, "{open}{lower},{upper}{close}:{count}")
    }
}

impl FloatHistogram {
    /// As the test language writes it: `{{count:4 sum:5 offset:1 buckets:[4]}}`.
    ///
    /// The language knows one row of buckets for each side; of buckets too far apart to be one only the first are shown.
    pub fn test_expression(&self) -> String {
        let mut compact = self.clone();
        compact.compact(usize::MAX);
        let mut parts = Vec::new();
        if compact.schema != 0 {
            parts.push(format!("schema:{}", compact.schema));
        }
        let numbers = [
            ("count", compact.count),
            ("sum", compact.sum),
            ("z_bucket", compact.zero_count),
            ("z_bucket_w", compact.zero_threshold),
        ];
        for (name, value) in numbers {
            if value != 0.0 {
                parts.push(format!("{name}:{}", General(value)));
            }
        }
        if compact.has_custom_buckets() {
            parts.push(format!("custom_values:{}", list(&compact.custom_bounds)));
        }
        match compact.reset {
            CounterReset::Unknown => {}
            CounterReset::Yes => parts.push("counter_reset_hint:reset".to_owned()),
            CounterReset::No => parts.push("counter_reset_hint:not_reset".to_owned()),
            CounterReset::Gauge => parts.push("counter_reset_hint:gauge".to_owned()),
        }
        push_row(&mut parts, ["offset", "buckets"], &compact.positive);
        push_row(&mut parts, ["n_offset", "n_buckets"], &compact.negative);
        format!("{{{{{}}}}}", parts.join(" "))
    }
}

fn push_row(parts: &mut Vec<String>, [offset, row]: [&str; 2], buckets: &Buckets) {
    let Some(span) = buckets.spans.first() else {
        return;
    };
    if span.offset != 0 {
        parts.push(format!("{offset}:{}", span.offset));
    }
    let length = buckets.counts.len().min(span.length as usize);
    parts.push(format!("{row}:{}", list(&buckets.counts[..length])));
}

fn list(values: &[f64]) -> String {
    let shown: Vec<String> = values
        .iter()
        .map(|value| General(*value).to_string())
        .collect();
    format!("[{}]", shown.join(" "))
}

/// A number as Go's `%g` writes it: as short as possible, with an exponent below -4 and from 6 on.
struct General(f64);

/// Go writes an exponent from here on.
const EXPONENT_MIN: i32 = 6;

impl fmt::Display for General {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if value.is_infinite() {
            return formatter.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
        let scientific = format!("{value:e}");
        let Some((digits, exponent)) = scientific.split_once('e') else {
            return formatter.write_str(&scientific);
        };
        match exponent.parse::<i32>() {
            Ok(exponent) if !(-4..EXPONENT_MIN).contains(&exponent) => {
                let sign = if exponent < 0 { '-' } else { '+' };
                write!(formatter, "{digits}e{sign}{:02}", exponent.abs())
            }
            _ => write!(formatter, "{value}"),
        }
    }
}

//! Histograms written as the test language writes them, and what each operation makes of them.

use model::{BucketSpan, CUSTOM_BUCKETS, CounterReset};

use super::*;

mod combine;
mod measures;
mod properties;
mod reset;
mod text;
mod trim;

/// Reads `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`.
#[track_caller]
fn parse(text: &str) -> FloatHistogram {
    let inner = text
        .strip_prefix("{{")
        .and_then(|text| text.strip_suffix("}}"));
    let mut rest = inner
        .unwrap_or_else(|| panic!("no histogram: {text}"))
        .trim();
    let mut histogram = FloatHistogram::empty(0);
    let mut offsets = [0, 0];
    let mut rows = [Vec::new(), Vec::new()];
    while !rest.is_empty() {
        let (key, after) = rest.split_once(':').expect("a key");
        let (value, after) = match after.strip_prefix('[') {
            Some(list) => list.split_once(']').expect("the end of a list"),
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        let number = || value.parse::<f64>().expect("a number");
        let list = || -> Vec<f64> {
            let words = value.split_whitespace();
            words.map(|word| word.parse().expect("a number")).collect()
        };
        match key {
            "schema" => histogram.schema = value.parse().expect("a schema"),
            "count" => histogram.count = number(),
            "sum" => histogram.sum = number(),
            "z_bucket" => histogram.zero_count = number(),
            "z_bucket_w" => histogram.zero_threshold = number(),
            "custom_values" => histogram.custom_bounds = list().into(),
            "offset" => offsets[0] = value.parse().expect("an offset"),
            "n_offset" => offsets[1] = value.parse().expect("an offset"),
            "buckets" => rows[0] = list(),
            "n_buckets" => rows[1] = list(),
            "counter_reset_hint" => {
                histogram.reset = match value {
                    "reset" => CounterReset::Yes,
                    "not_reset" => CounterReset::No,
                    "gauge" => CounterReset::Gauge,
                    _ => panic!("unknown hint {value}"),
                }
            }
            _ => panic!("unknown key {key}"),
        }
        rest = after.trim_start();
    }
    let [positive, negative] = rows;
    histogram.positive = row(offsets[0], positive);
    histogram.negative = row(offsets[1], negative);
    histogram
}

fn row(offset: i32, counts: Vec<f64>) -> Buckets {
    let length = u32::try_from(counts.len()).unwrap();
    let spans = match length {
        0 => Vec::new(),
        _ => vec![BucketSpan { offset, length }],
    };
    Buckets { spans, counts }
}

/// Asserts that both are the same up to rounding, however their spans are written; hints are not compared.
#[track_caller]
fn assert_close(found: &FloatHistogram, expected: &str) {
    let (mut one, mut other) = (found.clone(), parse(expected));
    one.compact(0);
    other.compact(0);
    let numbers = |it: &FloatHistogram| {
        let mut numbers = vec![it.zero_threshold, it.zero_count, it.count, it.sum];
        numbers.extend(&it.positive.counts);
        numbers.extend(&it.negative.counts);
        numbers.extend(it.custom_bounds.iter());
        numbers
    };
    let same = one.schema == other.schema
        && one.positive.spans == other.positive.spans
        && one.negative.spans == other.negative.spans
        && numbers(&one).len() == numbers(&other).len()
        && numbers(&one)
            .iter()
            .zip(numbers(&other))
            .all(|(one, other)| is_close(*one, other));
    assert!(same, "{}\nis not {expected}", found.test_expression());
}

fn is_close(one: f64, other: f64) -> bool {
    one == other
        || (one.is_nan() && other.is_nan())
        || (one - other).abs() <= 1e-12 * one.abs().max(other.abs())
}

#[track_caller]
fn assert_number(found: f64, expected: f64) {
    assert!(is_close(found, expected), "{found} is not {expected}");
}

#[test]
fn what_is_stored_comes_back_from_the_store() {
    let text = "{{schema:1 count:15 sum:18.4 z_bucket:2 z_bucket_w:0.001 offset:-3 buckets:[1 3 4] n_buckets:[5]}}";
    let histogram = parse(text);
    assert_eq!(histogram.validate(), Ok(()));
    assert!(FloatHistogram::from(&histogram.to_model()).equals(&histogram));
    let mut integers = histogram.to_model();
    integers.counts = BucketCounts::Integer(Counts {
        total: 15,
        zero: 2,
        positive: vec![1, 3, 4],
        negative: vec![5],
    });
    assert!(FloatHistogram::from(&integers).equals(&histogram));
    let stale = FloatHistogram::from(&Histogram::stale());
    assert!(stale.is_stale());
    assert!(stale.to_model().is_stale());
    let custom = parse("{{schema:-53 count:1 sum:1 custom_values:[5 10] buckets:[1]}}");
    assert!(FloatHistogram::from(&custom.to_model()).equals(&custom));
}

#[test]
fn counts_are_multiplied_and_divided() {
    let text = "{{count:30 sum:33 z_bucket:3 z_bucket_w:0.001 buckets:[3 3 3] n_buckets:[6 6 6]}}";
    let change = |change: &dyn Fn(&mut FloatHistogram)| {
        let mut histogram = parse(text);
        change(&mut histogram);
        histogram.compact(0);
        histogram
    };
    let tripled = change(&|it| it.mul(3.0));
    assert_close(
        &tripled,
        "{{count:90 sum:99 z_bucket:9 z_bucket_w:0.001 buckets:[9 9 9] n_buckets:[18 18 18]}}",
    );
    assert_eq!(tripled.reset, CounterReset::Unknown);
    let negated = change(&|it| it.div(-3.0));
    assert_close(
        &negated,
        "{{count:-10 sum:-11 z_bucket:-1 z_bucket_w:0.001 buckets:[-1 -1 -1] n_buckets:[-2 -2 -2]}}",
    );
    assert_eq!(negated.reset, CounterReset::Gauge);
    assert_eq!(change(&|it| it.mul(-1.0)).reset, CounterReset::Gauge);
    assert_close(&change(&|it| it.mul(0.0)), "{{z_bucket_w:0.001}}");
    assert_close(
        &change(&|it| it.div(0.0)),
        "{{count:Inf sum:Inf z_bucket_w:0.001 z_bucket:Inf}}",
    );
    let none = change(&|it| {
        it.mul(0.0);
        it.div(0.0);
    });
    assert_close(&none, "{{count:NaN sum:NaN z_bucket_w:0.001 z_bucket:NaN}}");
    assert!(change(&|it| it.mul(1e308)).has_overflow());
    assert!(!change(&|it| it.mul(1e300)).has_overflow());
}

#[test]
fn compacting_drops_empty_buckets_and_joins_spans() {
    let span = |offset, length| BucketSpan { offset, length };
    let buckets = Buckets {
        spans: vec![span(-2, 3), span(0, 2), span(3, 0), span(1, 4)],
        counts: vec![0.0, 1.0, 0.0, 0.0, 2.0, 3.0, 0.0, 4.0, 0.0],
    };
    let compact = |empty_max| {
        let mut compact = buckets.clone();
        compact.compact(empty_max);
        compact
    };
    assert_eq!(
        compact(0).spans,
        [span(-1, 1), span(2, 1), span(4, 1), span(1, 1)]
    );
    assert_eq!(compact(0).counts, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(compact(1).spans, [span(-1, 1), span(2, 1), span(4, 3)]);
    assert_eq!(compact(1).counts, [1.0, 2.0, 3.0, 0.0, 4.0]);
    assert_eq!(compact(2).spans, [span(-1, 4), span(4, 3)]);
    assert_eq!(compact(4).spans, [span(-1, 11)]);
    let mut far = Buckets {
        spans: vec![span(i32::MIN, 1), span(i32::MAX, 0), span(i32::MAX, 1)],
        counts: vec![1.0, 1.0],
    };
    far.compact(usize::MAX);
    assert_eq!(far.spans.iter().map(|span| span.length).sum::<u32>(), 2);
}

#[test]
fn buckets_are_joined_to_a_coarser_schema() {
    let mut histogram = parse("{{schema:2 count:9 offset:-3 buckets:[1 2 3 4 5 6 7 8 9]}}");
    histogram.reduce(3);
    assert_eq!(histogram.schema, 2);
    histogram.reduce(0);
    assert_close(&histogram, "{{count:9 offset:0 buckets:[10 26 9]}}");
    let custom = parse("{{schema:-53 count:1 sum:1 custom_values:[5 10] buckets:[1]}}");
    let mut same = custom.clone();
    same.reduce(-60);
    assert!(same.equals(&custom));
}

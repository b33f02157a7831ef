//! Bodies, and the series or the problems that come of them.

use expect_test::{Expect, expect};
use model::MetricKind;
use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(body: &str, expected: Expect) {
    let shown = match parse_one(body.as_bytes()) {
        Ok(metric) => {
            let mut shown = format!("{} {:?}", metric.name, metric.metadata);
            if let Some(timestamp) = metric.timestamp {
                shown.push_str(&format!(" @{}", timestamp.as_millis()));
            }
            for (labels, value) in metric.samples {
                shown.push_str(&format!("\n{labels} {value}"));
            }
            shown
        }
        Err(IngestError::Invalid(problems)) => problems.join("\n"),
        Err(other) => other.to_string(),
    };
    expected.assert_eq(&shown);
}

#[test]
fn a_gauge_is_read() {
    check(
        r#"{"name": "room_celsius", "type": "gauge", "value": 21.5, "labels": {"room": "a", "floor": ""},
            "timestamp": "2026-11-21T08:11:26.5+01:00", "help_text": "Warmth.", "unit": "celsius"}"#,
        expect![[r#"
            room_celsius Metadata { kind: Gauge, help: "Warmth.", unit: "celsius" } @1795245086500
            room_celsius{room="a"} 21.5"#]],
    );
}

#[test]
fn a_counter_needs_neither_labels_nor_time() {
    check(
        r#"{"name": "my.jobs", "type": "counter", "value": 3, "timestamp": null}"#,
        expect![[r#"
            my.jobs Metadata { kind: Counter, help: "", unit: "" }
            {"my.jobs"} 3"#]],
    );
}

#[test]
fn seconds_may_have_a_fraction() {
    check(
        r#"{"name": "a", "type": "gauge", "value": "-Inf", "timestamp": 1795245086.781}"#,
        expect![[r#"
            a Metadata { kind: Gauge, help: "", unit: "" } @1795245086781
            a -inf"#]],
    );
}

#[test]
fn a_histogram_becomes_its_classic_series() {
    check(
        r#"{"name": "h", "type": "histogram", "labels": {"a": "b"}, "buckets": {"10": 4, "0.5": 3, "+Inf": 5}, "sum": 20.5, "count": 5}"#,
        expect![[r#"
            h Metadata { kind: Histogram, help: "", unit: "" }
            h_bucket{a="b",le="0.5"} 3
            h_bucket{a="b",le="10"} 4
            h_bucket{a="b",le="+Inf"} 5
            h_sum{a="b"} 20.5
            h_count{a="b"} 5"#]],
    );
}

#[test]
fn the_last_bucket_is_added() {
    check(
        r#"{"name": "h", "type": "histogram", "buckets": {"1": 3}, "sum": 2, "count": 5}"#,
        expect![[r#"
            h Metadata { kind: Histogram, help: "", unit: "" }
            h_bucket{le="1"} 3
            h_bucket{le="+Inf"} 5
            h_sum 2
            h_count 5"#]],
    );
}

#[test]
fn a_summary_becomes_its_classic_series() {
    check(
        r#"{"name": "s", "type": "summary", "quantiles": {"0.99": 2.5, "0.5": "NaN"}, "sum": 9, "count": 4}"#,
        expect![[r#"
            s Metadata { kind: Summary, help: "", unit: "" }
            s{quantile="0.5"} NaN
            s{quantile="0.99"} 2.5
            s_sum 9
            s_count 4"#]],
    );
}

#[test]
fn all_faults_are_told_at_once() {
    check(
        r#"{"nmae": "a", "type": "guage", "labels": {"": "x", "__name__": "y", "__z": "z", "n": 1}, "timestamp": 1795245086781, "unit": 3, "quantum": 1, "unit": "s"}"#,
        expect![[r#"
            unknown field "nmae": did you mean "name"?
            unknown field "quantum": did you mean "quantiles"?
            unit is given twice
            name is missing or empty: write the metric's name
            type is "guage", it must be gauge, counter, histogram or summary
            labels: a name is empty
            labels: __name__ is given by the field name
            labels: "__z" starts with __, which is reserved
            labels: "n" is a number, it must be a string
            timestamp is after the year 9999: it must be in seconds, not milliseconds
            unit is a number, it must be a string"#]],
    );
}

#[test]
fn a_value_must_be_there_and_be_a_number() {
    check(
        r#"{"name": "", "type": "gauge", "value": "12"}"#,
        expect![[r#"
            name is missing or empty: write the metric's name
            value is "12", it must be a number or "NaN", "+Inf" or "-Inf""#]],
    );
    check(
        r#"{"name": 5, "type": "gauge", "timestamp": "now"}"#,
        expect![[r#"
            name is a number, it must be a string
            timestamp: "now" is no time: its form is not RFC 3339's, write for example 2026-01-31T13:45:00Z, or seconds since 1970 as a number
            value is missing, it must be a number"#]],
    );
    check(
        r#"{"name": "a", "type": "counter", "value": true, "timestamp": -1, "labels": []}"#,
        expect![[r#"
            labels is a list, it must be an object of strings
            timestamp is before 1970
            value is true or false, it must be a number or "NaN", "+Inf" or "-Inf""#]],
    );
}

#[test]
fn fields_of_another_type_are_refused() {
    check(
        r#"{"name": "a", "type": "gauge", "value": 1, "sum": 1, "count": 1, "buckets": {}}"#,
        expect![[r#"
            buckets does not belong to a gauge: it has value
            sum does not belong to a gauge: it has value
            count does not belong to a gauge: it has value"#]],
    );
    check(
        r#"{"name": "a", "type": "histogram", "value": 1}"#,
        expect![[r#"
            buckets is missing, it must be an object of numbers
            sum is missing, it must be a number
            count is missing, it must be a number
            value does not belong to a histogram: it has buckets, sum and count"#]],
    );
}

#[test]
fn buckets_must_rise_and_agree_with_the_count() {
    check(
        r#"{"name": "h", "type": "histogram", "labels": {"le": "1"}, "buckets": {"1": 3, "1.0": 3, "2": 2, "3": 2.5, "x": 1, "+Inf": 4}, "sum": 2, "count": 5}"#,
        expect![[r#"
            labels: "le" is given by the buckets or quantiles
            buckets: "x" is no number
            buckets: "1" and "1.0" are the same number
            buckets: "+Inf" is 4, it must equal count, which is 5
            buckets: "2" is 2, less than the bucket before it, which is 3: a bucket holds the smaller ones too
            buckets: "3" is 2.5, less than the bucket before it, which is 3: a bucket holds the smaller ones too"#]],
    );
    check(
        r#"{"name": "h", "type": "histogram", "buckets": {"1": -1, "2": "NaN"}, "sum": 2, "count": -5}"#,
        expect!["count is -5, it must not be negative or infinite"],
    );
    check(
        r#"{"name": "h", "type": "histogram", "buckets": {"1": -1, "2": "NaN"}, "sum": 2, "count": 5}"#,
        expect![[r#"
            buckets: "1" is -1, it must be a count
            buckets: "2" is NaN, it must be a count"#]],
    );
}

#[test]
fn quantiles_lie_between_0_and_1() {
    check(
        r#"{"name": "s", "type": "summary", "labels": {"quantile": "1"}, "quantiles": {"1.5": 3, "NaN": 1}, "sum": 2, "count": 5}"#,
        expect![[r#"
            labels: "quantile" is given by the buckets or quantiles
            quantiles: "NaN" is no number
            quantiles: "1.5" is no quantile, it must be from 0 to 1"#]],
    );
}

#[test]
fn a_label_given_twice_is_refused() {
    check(
        r#"{"name": "a", "type": "gauge", "value": 1, "labels": {"a": "1", "a": "1"}}"#,
        expect![[r#"labels: label "a" is given twice"#]],
    );
}

#[test]
fn broken_json_is_refused_with_its_place() {
    check(
        "{\"name\": \"a\",\n  \"type\" \"gauge\"}",
        expect!["the body is no JSON: expected `:` at line 2 column 10"],
    );
    check(
        "",
        expect!["the body is no JSON: EOF while parsing a value at line 1 column 0"],
    );
    check("[]", expect!["a list stands where an object must stand"]);
    check(
        &"[".repeat(1000),
        expect!["the body is no JSON: values are nested deeper than 8 levels at line 1 column 9"],
    );
    check(
        r#"{"name": "a", "type": "gauge", "value": 1e999}"#,
        expect!["the body is no JSON: number out of range at line 1 column 45"],
    );
    check(
        r#"{"name": "a", "type": "gauge", "value": NaN}"#,
        expect!["the body is no JSON: expected value at line 1 column 41"],
    );
}

#[test]
fn numbers_keep_their_last_digit() {
    // A fast reader of decimals misses these by one unit in the last place.
    for text in [
        "0.1",
        "5.0606008101462645e-309",
        "1.7976931348623157e308",
        "31.245270191439438",
    ] {
        let body = format!(r#"{{"name": "a", "type": "gauge", "value": {text}}}"#);
        let metric = parse_one(body.as_bytes()).unwrap();
        assert_eq!(metric.samples[0].1, text.parse::<f64>().unwrap());
    }
}

#[test]
fn a_batch_tells_which_metric_is_wrong() {
    let body = br#"{"metrics": [{"name": "a", "type": "gauge", "value": 1}, {"name": "b"}, 7]}"#;
    let metrics = parse_batch(body, 3).unwrap();
    assert_eq!(metrics.len(), 3);
    assert_eq!(
        metrics[0].as_ref().unwrap().metadata.kind,
        MetricKind::Gauge
    );
    let errors: Vec<String> = metrics[1..]
        .iter()
        .map(|metric| metric.as_ref().unwrap_err().to_string())
        .collect();
    assert_eq!(
        errors,
        [
            "type is missing, it must be gauge, counter, histogram or summary",
            "a number stands where an object must stand"
        ]
    );
}

#[test]
fn a_batch_that_is_none_is_refused() {
    let refused = |body: &str| parse_batch(body.as_bytes(), 2).unwrap_err().to_string();
    assert_eq!(
        refused(r#"{"metric": []}"#),
        "unknown field \"metric\": did you mean \"metrics\"?; metrics is missing: write {\"metrics\": […]}"
    );
    assert_eq!(
        refused(r#"{"metrics": {}}"#),
        "metrics is an object, it must be a list"
    );
    assert_eq!(refused("[]"), "a list stands where an object must stand");
    assert!(refused(r#"{"metrics": [}"#).contains("line 1 column 14"));
    assert_eq!(
        parse_batch(br#"{"metrics": [1, 2, 3]}"#, 2),
        Err(IngestError::TooMany {
            what: "entries in a list",
            limit: 2
        })
    );
}

#[test]
fn a_body_of_too_many_values_is_not_read_to_its_end() {
    // What comes after the limit is no JSON, which would be told if it were read.
    let entries = "0,".repeat(10);
    let batch = format!("{{\"metrics\": [{entries}]}} ?");
    let refused = parse_batch(batch.as_bytes(), 9).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "more than 9 entries in a list in one request: send smaller requests"
    );
    let buckets = "\"1\":0,".repeat(1_000_000);
    let metric = format!("{{\"buckets\": {{{buckets}}} ?");
    let refused = parse_one(metric.as_bytes()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "more than 1000000 values in one request: send smaller requests"
    );
}

#[test]
fn a_long_label_is_not_repeated_without_end() {
    let label = "x".repeat(900_000);
    let buckets: Vec<String> = (0..100).map(|bound| format!("\"{bound}\": 1")).collect();
    let buckets = buckets.join(",");
    let body = format!(
        r#"{{"metrics": [
            {{"name": "h", "type": "histogram", "labels": {{"a": "{label}"}}, "buckets": {{{buckets}}}, "sum": 1, "count": 1}},
            {{"name": "g", "type": "gauge", "labels": {{"a": "{label}"}}, "value": 1}}
        ]}}"#
    );
    let metrics = parse_batch(body.as_bytes(), 2).unwrap();
    let refused = metrics[0].as_ref().unwrap_err().to_string();
    assert!(
        refused
            .contains("repeated in 103 series they make this request longer than 67108864 bytes"),
        "{refused}"
    );
    assert!(metrics[1].is_ok());
}

#[test]
fn a_flood_of_faults_is_cut() {
    let body: String = (0..100_000)
        .map(|index| format!("\"x{index}\": 1,"))
        .collect();
    let body = format!("{{{}\"name\": \"a\"}}", body);
    let Err(IngestError::Invalid(problems)) = parse_one(body.as_bytes()) else {
        panic!("unknown fields were accepted");
    };
    assert_eq!(problems.len(), 21);
    assert_eq!(problems[20], "and 99981 more problems");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_batch(&bytes, 10);
    }

    #[test]
    fn any_fields_are_read_or_refused(
        fields in prop::collection::vec((
            "name|type|value|labels|timestamp|unit|buckets|quantiles|sum|count|x",
            r#"1|-1e300|"a"|"NaN"|"gauge"|"histogram"|"summary"|null|\[1\]|\{"1": 1\}|\{"a": "b"\}|\{"1":2,"\+Inf":1\}"#,
        ), 0..12),
    ) {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let body = format!("{{{}}}", fields.join(", "));
        match parse_one(body.as_bytes()) {
            Ok(metric) => prop_assert!(!metric.samples.is_empty()),
            Err(IngestError::Invalid(problems)) => prop_assert!(!problems.is_empty()),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn a_gauge_is_read_as_it_was_written(value: f64, name in "\\PC{1,20}", label in "[a-z][^\\x00]{0,10}", text in ".{0,20}") {
        let mut shown = String::new();
        crate::float::push_json(&mut shown, value);
        let value_text = if value.is_finite() { shown } else { format!("\"{shown}\"") };
        let body = format!(
            r#"{{"name": {}, "type": "gauge", "value": {value_text}, "labels": {{{}: {}}}}}"#,
            serde_json::to_string(&name).unwrap(),
            serde_json::to_string(&label).unwrap(),
            serde_json::to_string(&text).unwrap(),
        );
        let metric = parse_one(body.as_bytes()).unwrap();
        let expected = Labels::from_pairs([("__name__", &name), (&label, &text)]).unwrap();
        prop_assert_eq!(&metric.samples[0].0, &expected);
        let read = metric.samples[0].1;
        prop_assert!(read.to_bits() == value.to_bits() || read.is_nan() && value.is_nan());
    }
}

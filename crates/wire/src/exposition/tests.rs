//! Each file of testdata/exposition is read; what is shown is compared; properties tie both directions together.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect, expect_file};
use model::{Labels, Metadata, MetricFamily, MetricKind, Point, Timestamp};
use proptest::prelude::*;

use super::*;

mod own_metrics;

fn point(labels: &[(&str, &str)], value: f64) -> Point {
    Point {
        labels: Labels::from_pairs(labels.iter().copied()).unwrap(),
        value,
        timestamp: None,
    }
}

fn family(name: &str, kind: MetricKind, points: &[(&str, f64)]) -> MetricFamily {
    let mut family = MetricFamily::new(name, kind, "");
    let named = |(name, value): &(&str, f64)| point(&[("__name__", name)], *value);
    family.points = points.iter().map(named).collect();
    family
}

/// The same families in both formats, one after the other.
#[track_caller]
fn check_encoding(families: &[MetricFamily], expected: Expect) {
    let mut shown = encode(families, Format::Text);
    shown.push_str("----\n");
    shown.push_str(&encode(families, Format::OpenMetrics));
    expected.assert_eq(&shown);
}

fn files(ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/exposition");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no file ends with {ending}");
    found
}

fn described(exposition: &Exposition) -> String {
    let mut shown = String::new();
    for MetricFamily {
        name,
        metadata,
        points,
    } in &exposition.families
    {
        shown.push_str(&format!("{name}: {metadata:?}\n"));
        for point in points {
            shown.push_str(&format!("    {} {}", point.labels, point.value));
            if let Some(timestamp) = point.timestamp {
                shown.push_str(&format!(" @{}", timestamp.as_millis()));
            }
            shown.push('\n');
        }
    }
    if exposition.exemplars > 0 {
        shown.push_str(&format!("exemplars: {}\n", exposition.exemplars));
    }
    for problem in &exposition.problems {
        shown.push_str(&format!("{problem}\n"));
    }
    shown
}

#[test]
fn each_file_says_what_stands_beside_it() {
    for (ending, format) in [(".txt", Format::Text), (".om", Format::OpenMetrics)] {
        for path in files(ending) {
            let text = std::fs::read_to_string(&path).unwrap();
            let exposition = parse(&text, format);
            let is_good = path.to_str().unwrap().contains(".good.");
            assert_eq!(exposition.problems.is_empty(), is_good, "{path:?}");
            expect_file![format!("{}.expected", path.display())].assert_eq(&described(&exposition));
        }
    }
}

#[test]
fn the_client_gets_the_format_it_prefers() {
    use Format::{OpenMetrics, Text};
    let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let text_first =
        "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5";
    for (accept, expected) in [
        (prometheus_2, OpenMetrics),
        (prometheus_3, OpenMetrics),
        (text_first, Text),
        ("", Text),
        ("*/*", Text),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Text),
        ("text/plain", Text),
        ("text/*", Text),
        ("application/*", OpenMetrics),
        ("application/openmetrics-text", OpenMetrics),
        (
            "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.5",
            OpenMetrics,
        ),
        ("application/openmetrics-text, text/plain", OpenMetrics),
        ("text/plain, application/openmetrics-text", Text),
        ("application/openmetrics-text, */*", OpenMetrics),
        ("*/*, application/openmetrics-text", OpenMetrics),
        ("application/openmetrics-text;q=0.1, */*", Text),
        (
            "application/openmetrics-text;version=2.0.0, text/plain;q=0.1",
            Text,
        ),
        ("application/openmetrics-text;q=0", Text),
        ("*/*;q=1, text/plain;q=0", OpenMetrics),
        (
            "application/openmetrics-text;q=high, text/plain;q=0.1",
            Text,
        ),
        ("application/json", Text),
    ] {
        assert_eq!(Format::negotiate(Some(accept)), expected, "{accept}");
    }
    assert_eq!(Format::negotiate(None), Text);
}

#[test]
fn counters_and_infos_lose_their_suffix_in_openmetrics() {
    check_encoding(
        &[
            family(
                "jobs_total",
                MetricKind::Counter,
                &[("jobs_total", 3.0), ("jobs_created", 1e9)],
            ),
            family("jobs", MetricKind::Counter, &[("jobs", 1.0)]),
            family(
                "seconds_total",
                MetricKind::Counter,
                &[("seconds_total", 0.5)],
            ),
            family("build_info", MetricKind::Info, &[("build_info", 1.0)]),
            family("plain", MetricKind::Info, &[("plain", 1.0)]),
        ],
        expect![[r#"
            # TYPE jobs_total counter
            jobs_total 3
            # TYPE jobs counter
            jobs 1
            # TYPE seconds_total counter
            seconds_total 0.5
            # TYPE build_info gauge
            build_info 1
            # TYPE plain gauge
            plain 1
            # TYPE jobs_created untyped
            jobs_created 1e+09
            ----
            # TYPE jobs_total unknown
            jobs_total 3
            # TYPE jobs unknown
            jobs 1
            # TYPE seconds counter
            seconds_total 0.5
            # TYPE build info
            build_info 1
            # TYPE plain gauge
            plain 1
            # TYPE jobs_created unknown
            jobs_created 1e+09
            # EOF
        "#]],
    );
}

#[test]
fn a_family_given_twice_is_shown_once() {
    let mut first = family("a", MetricKind::Unknown, &[("a", 1.0)]);
    first.metadata.unit = "bytes".to_owned();
    let mut second = family("a", MetricKind::Gauge, &[("a", 2.0)]);
    second.metadata.help = "Said later.".to_owned();
    let third = family("a", MetricKind::Counter, &[("a", 3.0)]);
    let between = family("b", MetricKind::Gauge, &[("b", 1.0)]);
    check_encoding(
        &[first, between, second, third],
        expect![[r#"
        # HELP a Said later.
        # TYPE a gauge
        a 1
        a 2
        a 3
        # TYPE b gauge
        b 1
        ----
        # HELP a Said later.
        # TYPE a gauge
        a 1
        a 2
        a 3
        # TYPE b gauge
        b 1
        # EOF
    "#]],
    );
}

#[test]
fn points_that_the_type_has_no_place_for_are_shown_under_their_own_name() {
    check_encoding(
        &[
            family(
                "h",
                MetricKind::Histogram,
                &[("h_sum", 1.0), ("h", 2.0), ("other", 3.0), ("h_gsum", 4.0)],
            ),
            family("other", MetricKind::Gauge, &[("other", 5.0), ("", 6.0)]),
            family("empty", MetricKind::Gauge, &[]),
            family(
                "g",
                MetricKind::GaugeHistogram,
                &[("g_gsum", 1.0), ("g_gcount", 2.0)],
            ),
            family("s", MetricKind::StateSet, &[("s", 1.0)]),
        ],
        expect![[r#"
            # TYPE h histogram
            h_sum 1
            h 2
            # TYPE other gauge
            other 3
            other 5
            # TYPE s gauge
            s 1
            # TYPE h_gsum untyped
            h_gsum 4
            # TYPE g_gsum untyped
            g_gsum 1
            # TYPE g_gcount untyped
            g_gcount 2
            ----
            # TYPE h histogram
            h_sum 1
            h 2
            # TYPE other gauge
            other 3
            other 5
            # TYPE g gaugehistogram
            g_gsum 1
            g_gcount 2
            # TYPE s stateset
            s 1
            # TYPE h_gsum unknown
            h_gsum 4
            # EOF
        "#]],
    );
}

#[test]
fn names_and_texts_are_escaped() {
    let labels = [("__name__", "a.b"), ("c.d", "e\"\\\n"), ("f", "ü")];
    let mut quoted = family("a.b", MetricKind::Gauge, &[]);
    quoted.metadata.help = "\"Quoted\\\"\nin two lines.".to_owned();
    quoted.points = vec![point(&labels, 1.0), point(&labels[..1], 2.0)];
    check_encoding(
        &[quoted],
        expect![[r##"
        # HELP "a.b" "Quoted\\"\nin two lines.
        # TYPE "a.b" gauge
        {"a.b","c.d"="e\"\\\n",f="ü"} 1
        {"a.b"} 2
        ----
        # HELP "a.b" \"Quoted\\\"\nin two lines.
        # TYPE "a.b" gauge
        {"a.b","c.d"="e\"\\\n",f="ü"} 1
        {"a.b"} 2
        # EOF
    "##]],
    );
}

#[test]
fn units_are_shown_where_openmetrics_allows_them() {
    let mut families = vec![
        family("a_seconds", MetricKind::Gauge, &[("a_seconds", 1.0)]),
        family(
            "b_seconds_total",
            MetricKind::Counter,
            &[("b_seconds_total", 1.0)],
        ),
        family("c", MetricKind::Gauge, &[("c", 1.0)]),
        family("seconds", MetricKind::Gauge, &[("seconds", 1.0)]),
        family(
            "d_seconds_info",
            MetricKind::Info,
            &[("d_seconds_info", 1.0)],
        ),
    ];
    for family in &mut families {
        family.metadata.unit = "seconds".to_owned();
    }
    check_encoding(
        &families,
        expect![[r#"
        # TYPE a_seconds gauge
        a_seconds 1
        # TYPE b_seconds_total counter
        b_seconds_total 1
        # TYPE c gauge
        c 1
        # TYPE seconds gauge
        seconds 1
        # TYPE d_seconds_info gauge
        d_seconds_info 1
        ----
        # TYPE a_seconds gauge
        # UNIT a_seconds seconds
        a_seconds 1
        # TYPE b_seconds counter
        # UNIT b_seconds seconds
        b_seconds_total 1
        # TYPE c gauge
        c 1
        # TYPE seconds gauge
        seconds 1
        # TYPE d_seconds info
        d_seconds_info 1
        # EOF
    "#]],
    );
}

#[test]
fn timestamps_are_milliseconds_or_seconds() {
    let mut family = family("a", MetricKind::Gauge, &[("a", 0.0); 4]);
    let times = [0, 1_795_245_086_781, -1500, i64::MIN];
    for (point, millis) in family.points.iter_mut().zip(times) {
        point.timestamp = Some(Timestamp::from_millis(millis));
    }
    check_encoding(
        &[family],
        expect![[r#"
        # TYPE a gauge
        a 0 0
        a 0 1795245086781
        a 0 -1500
        a 0 -9223372036854775808
        ----
        # TYPE a gauge
        a 0 0.000
        a 0 1795245086.781
        a 0 -1.500
        a 0 -9223372036854775.808
        # EOF
    "#]],
    );
}

#[test]
fn only_the_first_hundred_problems_are_told() {
    let problems = parse(&"!\n".repeat(1000), Format::Text).problems;
    assert_eq!(problems.len(), 100);
    assert!(problems[99].message.ends_with("(and 900 more problems)"));
}

/// A family as it comes back unchanged from the format.
fn any_family(format: Format) -> impl Strategy<Value = MetricFamily> {
    use MetricKind::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown};
    let kinds = match format {
        Format::Text => vec![Counter, Gauge, Histogram, Summary, Unknown],
        Format::OpenMetrics => {
            vec![
                Counter,
                Gauge,
                Histogram,
                Summary,
                Unknown,
                Info,
                StateSet,
                GaugeHistogram,
            ]
        }
    };
    let values = prop_oneof![
        any::<f64>(),
        any::<i32>().prop_map(f64::from),
        Just(f64::NAN)
    ];
    let timestamp = prop::option::of(-100_000_000_000_000..100_000_000_000_000_i64);
    let label_name = prop_oneof!["[a-z]{1,5}", "[a-zé. ]{1,5}x"];
    let labels = prop::collection::btree_map(label_name, "[a-zü \"\\\\\n\t{},=#]{1,9}", 0..4);
    let points = prop::collection::vec((labels, values, timestamp, 0..4_usize), 1..6);
    let name = prop_oneof!["[a-z:]{1,6}", "[a-zß. \"\\\\]{1,6}"];
    (
        name,
        prop::sample::select(kinds),
        "[ -~ü\n\\\\\"]{0,20}",
        any::<bool>(),
        points,
    )
        .prop_map(move |(name, kind, help, has_unit, points)| {
            let has_unit =
                has_unit && format == Format::OpenMetrics && !matches!(kind, Info | StateSet);
            let shown = if has_unit {
                format!("{name}_bytes")
            } else {
                name
            };
            let (suffixes, name): (&[&str], String) = match kind {
                Histogram => (&["_bucket", "_sum", "_count"], shown.clone()),
                GaugeHistogram => (&["_bucket", "_gsum", "_gcount"], shown.clone()),
                Summary => (&["", "_sum", "_count"], shown.clone()),
                Counter => (&["_total"], format!("{shown}_total")),
                Info => (&["_info"], format!("{shown}_info")),
                _ => (&[""], shown.clone()),
            };
            let points = points
                .into_iter()
                .map(|(mut labels, value, timestamp, pick)| {
                    let series_name = format!("{shown}{}", suffixes[pick % suffixes.len()]);
                    labels.insert("__name__".to_owned(), series_name);
                    Point {
                        labels: Labels::from_pairs(labels).unwrap(),
                        value,
                        timestamp: timestamp.map(Timestamp::from_millis),
                    }
                });
            let unit = if has_unit { "bytes" } else { "" }.to_owned();
            let metadata = Metadata { kind, help, unit };
            MetricFamily {
                name,
                metadata,
                points: points.collect(),
            }
        })
}

/// Families whose names are so different that none can take another's series.
fn any_families(format: Format) -> impl Strategy<Value = Vec<MetricFamily>> {
    prop::collection::vec(any_family(format), 0..6).prop_map(|mut families| {
        let mut names: Vec<String> = Vec::new();
        families.retain(|family| {
            let base = family.name.split('_').next().unwrap().to_owned();
            let is_new = !names.contains(&base);
            names.push(base);
            is_new
        });
        families
    })
}

/// As text, since NaN does not equal itself.
fn shown(families: &[MetricFamily]) -> String {
    format!("{families:#?}")
}

fn is_read_back(families: &[MetricFamily], format: Format) -> Result<(), TestCaseError> {
    let text = encode(families, format);
    let exposition = parse(&text, format);
    prop_assert_eq!(&exposition.problems, &[], "{}", text);
    prop_assert_eq!(shown(&exposition.families), shown(families), "{}", text);
    Ok(())
}

/// Every series and value, sorted; the order and the families' names may change on the way.
fn values(families: &[MetricFamily]) -> Vec<String> {
    let points = families.iter().flat_map(|family| &family.points);
    let mut values: Vec<String> = points
        .map(|point| format!("{} {}", point.labels, point.value))
        .collect();
    values.sort();
    values
}

fn can_be_shown(text: &str) -> Result<(), TestCaseError> {
    for format in [Format::Text, Format::OpenMetrics] {
        let read = parse(text, format);
        let lines = text.split('\n').count();
        for problem in &read.problems {
            prop_assert!((1..=lines).contains(&problem.line) && problem.column >= 1);
        }
        for shown_format in [Format::Text, Format::OpenMetrics] {
            let shown = encode(&read.families, shown_format);
            let again = parse(&shown, shown_format);
            prop_assert_eq!(&again.problems, &[], "{}", shown);
            prop_assert_eq!(values(&again.families), values(&read.families), "{}", shown);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn text_is_read_back(families in any_families(Format::Text)) {
        is_read_back(&families, Format::Text)?;
    }

    #[test]
    fn openmetrics_is_read_back(families in any_families(Format::OpenMetrics)) {
        is_read_back(&families, Format::OpenMetrics)?;
    }

    #[test]
    fn any_text_is_read_and_what_was_read_can_be_shown(text in "\\PC{0,60}\n\\PC{0,60}") {
        can_be_shown(&text)?;
    }

    #[test]
    fn any_words_are_read_and_what_was_read_can_be_shown(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "# TYPE ", "# HELP ", "# UNIT ", "# EOF", "a", "a_total", "a_bucket", "a_info", "{", "}", "\"", "\\",
                "le=\"1\"", "a=\"ü\"", ",", "=", " ", "\n", "1", "NaN", "counter\n", "histogram\n", "info\n", " 1\n", "#", "\r",
            ]),
            0..40,
        ),
    ) {
        can_be_shown(&words.concat())?;
    }

    #[test]
    fn a_damaged_exposition_is_read(
        families in any_families(Format::OpenMetrics),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..6),
    ) {
        let mut characters: Vec<char> = encode(&families, Format::OpenMetrics).chars().collect();
        for (index, character) in damage {
            let at = index.index(characters.len());
            characters[at] = character;
        }
        can_be_shown(&characters.into_iter().collect::<String>())?;
    }
}

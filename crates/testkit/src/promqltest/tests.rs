//! The runner itself: it must see what passes and what fails.

use super::*;

fn run_script(text: &str) -> FileReport {
    super::run_script(text, &mut InMemory::default())
}

const SCRIPT: &str = "\
# A comment.
load 1m
  up{job=\"a\"} 1 2+1x2 _ stale
  down{job=\"a\"}@st -1mx2
  down 0x2

eval instant at 1m up
  up{job=\"a\"} 2

eval range from 0 to 2m step 1m sum(down)
  {} 0 0 0

eval instant at 1m up
  up{job=\"a\"} 3

eval instant at 1m down
  expect fail

eval instant at 1m sum(
  expect fail regex: unclosed left parenthesis

clear
eval instant at 1m up
eval instant at 0 1 + 1
  2
";

#[test]
fn statements_pass_and_fail_one_by_one() {
    let report = run_script(SCRIPT);
    let lines: Vec<usize> = report.failures.iter().map(|failure| failure.line).collect();
    assert_eq!((report.passed, lines), (5, vec![13, 16]));
    assert_eq!(
        report.failures[0].reason,
        "up{job=\"a\"}: expected [3@60000], got [2@60000]"
    );
    let reason = &report.failures[1].reason;
    assert!(reason.starts_with("expected an error, got"), "{reason}");
}

/// What fails in a script with these lines below `load 1m`, as line numbers and reasons.
fn failures(text: &str) -> Vec<(usize, String)> {
    let failures = run_script(text).failures.into_iter();
    failures
        .map(|failure| (failure.line, failure.reason))
        .collect()
}

#[test]
fn what_cannot_be_evaluated_again_is_told() {
    let report = run_script(
        "load 1m\n  a 1 2\n\neval instant at 1m sort(a)\n  expect ordered\n  a 2\n\n\
         eval instant at 1m time()\n  60\n\neval instant at 0 \"a\"\n  expect string \"a\"\n",
    );
    assert_eq!((report.passed, report.failures.len()), (3, 0));
    let omissions = report.omissions.iter();
    let omissions: Vec<_> = omissions.map(|it| (it.line, it.reason.as_str())).collect();
    let expected = [
        (
            4,
            "as a range query only its order by labels is checked: another is expected",
        ),
        (8, "not pinned by @: time() depends on the moment"),
        (11, "not as a range query: a range query gives no strings"),
    ];
    assert_eq!(omissions, expected);
}

#[test]
fn histograms_are_compared_field_by_field() {
    let script = |expected: &str| {
        format!(
            "load 1m\n  h {{{{schema:1 sum:5 count:4 buckets:[1 2 0 1] z_bucket_w:0.5}}}}x1\n\n\
             eval instant at 1m h\n  h {{{{{expected}}}}}\n"
        )
    };
    for same in [
        "schema:1 sum:5 count:4 buckets:[1 2 0 1] z_bucket_w:0.5",
        "schema:1 sum:5.000001 count:4 offset:-1 buckets:[0 1 2 0 1 0] z_bucket_w:0.5",
        "schema:1 sum:5 count:4 buckets:[1 2 0 1] z_bucket_w:0.5 counter_reset_hint:not_reset",
    ] {
        assert_eq!(failures(&script(same)), [], "{same}");
    }
    for other in [
        "schema:0 sum:5 count:4 buckets:[1 2 0 1] z_bucket_w:0.5",
        "schema:1 sum:5.1 count:4 buckets:[1 2 0 1] z_bucket_w:0.5",
        "schema:1 sum:5 count:5 buckets:[1 2 0 1] z_bucket_w:0.5",
        "schema:1 sum:5 count:4 buckets:[1 2 0 1] z_bucket_w:0.6",
        "schema:1 sum:5 count:4 buckets:[1 2 0 1] z_bucket:1 z_bucket_w:0.5",
        "schema:1 sum:5 count:4 buckets:[1 2 1] z_bucket_w:0.5",
        "schema:1 sum:5 count:4 n_buckets:[1 2 0 1] z_bucket_w:0.5",
        "schema:1 sum:5 count:4 buckets:[1 2 0 1] z_bucket_w:0.5 counter_reset_hint:gauge",
    ] {
        assert_eq!(failures(&script(other)).len(), 1, "{other}");
    }
}

#[test]
fn histograms_come_back_with_the_hints_of_a_store() {
    let script = "\
load 1m
  h {{count:2 buckets:[2]}} {{count:3 buckets:[3]}} {{count:1 buckets:[1]}} stale {{count:2 buckets:[2]}}
  g {{count:2 buckets:[2] counter_reset_hint:gauge}}-{{count:1 buckets:[1]}}x1
  r {{count:1 buckets:[1]}} {{count:2 buckets:[2] counter_reset_hint:reset}}
  s {{count:1 schema:1 buckets:[1]}} {{count:2 schema:0 buckets:[2]}}

eval range from 0 to 4m step 1m h
  h {{count:2 buckets:[2] counter_reset_hint:unknown}} {{count:3 buckets:[3] counter_reset_hint:not_reset}} {{count:1 buckets:[1] counter_reset_hint:unknown}} _ {{count:2 buckets:[2] counter_reset_hint:unknown}}

eval range from 0 to 1m step 1m g
  g {{count:2 buckets:[2] counter_reset_hint:gauge}} {{count:1 buckets:[1] counter_reset_hint:gauge}}

eval instant at 1m r
  r {{count:2 buckets:[2] counter_reset_hint:unknown}}

eval instant at 1m s
  s {{count:2 buckets:[2] counter_reset_hint:unknown}}
";
    assert_eq!(failures(script), []);
}

#[test]
fn classic_histograms_are_loaded_as_custom_buckets_too() {
    let script = "\
load_with_nhcb 1m
  h_bucket{le=\"1\", a=\"b\"} 1 2
  h_bucket{le=\"2\", a=\"b\"} 3 5
  h_bucket{le=\"+Inf\", a=\"b\"} 4 7
  h_sum{a=\"b\"} 10 20

eval instant at 1m h
  h{a=\"b\"} {{schema:-53 sum:20 count:7 custom_values:[1 2] buckets:[2 3 2]}}

eval instant at 1m h_bucket{le=\"1\"}
  h_bucket{le=\"1\", a=\"b\"} 2
";
    assert_eq!(failures(script), []);
}

#[test]
fn mistakes_in_a_script_are_failures() {
    let script = "\
load 1m
  a 1x1000000000

load 1m
  h {{count:x}}

load

evaluate everything
eval instant at 0 a
  expect nothing
eval range from 0 to 1m a
eval instant at 0 vector(1)
  {} 1 2
";
    let lines: Vec<usize> = failures(script).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 4, 7, 9, 10, 12, 13]);
}

#[test]
fn starts_lie_before_their_samples() {
    let starts = points::starts("_ -30s-1mx2 1ms _x2 0").unwrap();
    let expected = [
        None,
        Some(-30_000),
        Some(-90_000),
        Some(-150_000),
        Some(1),
        None,
        None,
        Some(0),
    ];
    assert_eq!(starts, expected);
}

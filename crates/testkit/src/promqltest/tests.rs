//! The runner itself: it must see what passes and what fails.

use super::*;

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
    assert_eq!(report.failures[1].reason, "it was expected to fail");
}

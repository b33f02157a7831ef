//! Everything a change must pass, cheapest first. The first failing step ends it.

use std::fmt;

use anyhow::{Context, Result};

use crate::{packages, process, tidy, web};

/// How many tests ran, over all test programs.
#[derive(Debug, Default, PartialEq)]
struct TestCount {
    passed: u64,
    failed: u64,
    ignored: u64,
}

type Step<'a> = (&'static str, &'a mut dyn FnMut() -> Result<()>);

/// Runs all steps; prints each with its duration, and the number of tests at the end.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    crate::no_arguments(arguments)?;
    let mut count = TestCount::default();
    let steps: [Step<'_>; 6] = [
        ("packages", &mut packages::ensure),
        ("format", &mut || {
            process::run("cargo fmt --all --check").context("`make format` sets it right")
        }),
        ("tidy", &mut || tidy::run(&[])),
        ("web", &mut web::check),
        ("clippy", &mut || {
            process::run("cargo clippy --workspace --all-targets -- -D warnings")
        }),
        ("tests", &mut || {
            // Without fail-fast, so that one run shows every broken test.
            let tests = "cargo test --workspace --no-fail-fast";
            let result = process::run_seeing(tests, |line| count.add(line));
            result.with_context(|| count.to_string())
        }),
    ];

    let start = process::moment();
    let mut done = Vec::new();
    for (name, step) in steps {
        println!("\n=== {name}");
        let step_start = process::moment();
        step().with_context(|| format!("step `{name}` failed"))?;
        let duration = process::since(step_start);
        println!("=== {name} passed in {duration}");
        done.push(format!("{name} {duration}"));
    }
    println!(
        "\nci passed in {}: {}",
        process::since(start),
        done.join(", ")
    );
    println!("tests: {count}");
    Ok(())
}

impl TestCount {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`; other lines count nothing.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in result.split(['.', ';']) {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for TestCount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            ignored,
        } = self;
        write!(
            formatter,
            "{passed} passed; {failed} failed; {ignored} ignored"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_all_test_programs_are_added() {
        let mut count = TestCount::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            count.add(line);
        }
        let expected = TestCount {
            passed: 4,
            failed: 2,
            ignored: 1,
        };
        assert_eq!(count, expected);
        assert_eq!(count.to_string(), "4 passed; 2 failed; 1 ignored");
    }
}

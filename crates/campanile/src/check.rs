//! `campanile check rules`, `alertmanager` and `query`: each file or expression by itself, all its problems, and an exit code for scripts.

mod alertmanager;
mod rules;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use document::Problem;

use crate::{print, print_error};

/// Checks rule files.
pub(crate) fn rules(files: &[PathBuf]) -> ExitCode {
    each(files, |path| {
        let (summary, warnings) = rules::check_rules(path)?;
        for warning in warnings {
            print_error(&format!("{}: warning: {warning}\n", path.display()));
        }
        Ok(summary)
    })
}

/// Checks files in Alertmanager's format.
pub(crate) fn alertmanager(files: &[PathBuf]) -> ExitCode {
    each(files, alertmanager::check_alertmanager)
}

/// Checks expressions.
pub(crate) fn queries(expressions: &[String]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for text in expressions {
        match promql::parse(text) {
            Ok(expression) => {
                let kind = expression.value_type();
                print(format!("{expression}: no problems found ({kind})\n").as_bytes());
                if let Err(experiment) = expression.check_features(&promql::Features::STABLE) {
                    print_error(&format!("warning: {experiment}\n"));
                }
            }
            Err(error) => {
                let pointed = promql::point_at(text, error.position);
                print_error(&format!("{error}\n  {}\n", pointed.replace('\n', "\n  ")));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// Says of each file what it holds or what is wrong with it; the code tells whether all are good.
fn each<S: Display>(
    files: &[PathBuf],
    check: impl Fn(&Path) -> Result<S, Vec<Problem>>,
) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match check(file) {
            Ok(summary) => {
                let line = format!("{}: no problems found ({summary})\n", file.display());
                print(line.as_bytes());
            }
            Err(problems) => {
                for problem in &problems {
                    print_error(&format!("{problem}\n"));
                }
                let count = counted(problems.len(), "problem");
                print_error(&format!("{count} in {}\n", file.display()));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// A number of things, such as `1 rule` and `2 rules`.
fn counted(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

//! A script, command by command.

use model::Labels;

use super::points::{self, Points};
use super::statement::{Expectations, Moment, Statement};
use super::{Failure, FileReport};
use crate::MemoryStore;

/// Runs a script from its first line to its last.
pub(super) fn run(text: &str) -> FileReport {
    let lines: Vec<&str> = text.lines().collect();
    let mut report = FileReport::default();
    let mut store = MemoryStore::with_samples([]);
    let mut native_histograms = false;
    let mut next = 0;
    while next < lines.len() {
        let start = next;
        let line = content(lines[start]);
        next += 1;
        // What belongs to a command stands below it, up to an empty line or the next command.
        while next < lines.len() && !content(lines[next]).is_empty() && is_indented(lines[next]) {
            next += 1;
        }
        let body: Vec<&str> = lines[start + 1..next]
            .iter()
            .map(|line| content(line))
            .collect();
        let outcome = match line.split_whitespace().next() {
            None => continue,
            Some("clear") => {
                store = MemoryStore::with_samples([]);
                native_histograms = false;
                continue;
            }
            Some(command @ ("load" | "load_with_nhcb")) => {
                native_histograms |= command == "load_with_nhcb";
                match load(&store, line, &body) {
                    Ok(histograms) => {
                        native_histograms |= histograms;
                        continue;
                    }
                    Err(reason) => Err(reason),
                }
            }
            Some("eval" | "eval_fail" | "eval_ordered" | "eval_warn" | "eval_info") => {
                native_histograms |= body.iter().any(|line| line.contains("{{"));
                read_statement(line, &body).and_then(|statement| statement.check(&store))
            }
            Some(other) => Err(format!("unknown command {other:?}")),
        };
        match outcome {
            Ok(()) => report.passed += 1,
            Err(reason) => report.failures.push(Failure {
                line: start + 1,
                statement: line.to_owned(),
                reason,
                native_histograms,
            }),
        }
    }
    report
}

/// A line without its comment and its indentation.
fn content(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') { "" } else { line }
}

fn is_indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

/// Puts series into the store; says whether there were native histograms, which are left out.
fn load(store: &MemoryStore, line: &str, body: &[&str]) -> Result<bool, String> {
    let step = line.split_whitespace().nth(1).ok_or("load needs a step")?;
    let step = points::duration_ms(step)?;
    let mut native_histograms = false;
    for line in body {
        // Start timestamps are not known yet; what needs them fails.
        if line[series_end(line)..].starts_with("@st") {
            continue;
        }
        let (labels, points) = series(line)?;
        native_histograms |= points.native_histograms;
        for (index, value) in (0_i64..).zip(points.values) {
            if let Some(value) = value {
                store.insert(&labels, index * step, value);
            }
        }
    }
    Ok(native_histograms)
}

/// `eval instant at T EXPR` or `eval range from A to B step S EXPR`, and what is expected of it.
fn read_statement(line: &str, body: &[&str]) -> Result<Statement, String> {
    let (command, rest) = word(line);
    let (kind, rest) = word(rest);
    let (moment, expression) = match kind {
        "instant" => {
            let ([at], expression) = times(rest, ["at"])?;
            (Moment::Instant(at), expression)
        }
        "range" => {
            let ([start, end, step], expression) = times(rest, ["from", "to", "step"])?;
            (Moment::Range { start, end, step }, expression)
        }
        _ => return Err(format!("neither an instant nor a range statement: {line}")),
    };
    let mut expectations = Expectations::default();
    // The older way to say it: `eval_fail` for `expect fail`.
    if let Some(expectation) = command.strip_prefix("eval_") {
        expectations.read(expectation)?;
    }
    for line in body {
        match line.strip_prefix("expect ") {
            Some(expectation) => expectations.read(expectation.trim())?,
            None => match points::scalar(line) {
                Some(value) => expectations.scalar = Some(value),
                None => expectations.series.push(series(line)?),
            },
        }
    }
    Ok(Statement {
        expression: expression.to_owned(),
        moment,
        expectations,
    })
}

/// Words and the times behind them, and what follows.
pub(super) fn times<'a, const COUNT: usize>(
    text: &'a str,
    names: [&str; COUNT],
) -> Result<([i64; COUNT], &'a str), String> {
    let mut rest = text;
    let mut times = [0; COUNT];
    for (name, time) in names.into_iter().zip(&mut times) {
        let (found, after) = word(rest);
        if found != name {
            return Err(format!("expected {name:?}, found {found:?}"));
        }
        let (duration, after) = word(after);
        *time = points::duration_ms(duration)?;
        rest = after;
    }
    Ok((times, rest))
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `name{label="value"} points`
fn series(line: &str) -> Result<(Labels, Points), String> {
    let end = series_end(line);
    let (selector, rest) = line.split_at(end);
    let labels = if selector
        .trim()
        .strip_prefix('{')
        .is_some_and(|rest| rest.trim() == "}")
    {
        Labels::empty()
    } else {
        let matchers =
            promql::parse_selector(selector).map_err(|error| format!("{selector}: {error}"))?;
        let pairs = matchers
            .iter()
            .map(|matcher| (matcher.name(), matcher.value()));
        Labels::from_pairs(pairs).map_err(|error| error.to_string())?
    };
    Ok((labels, points::read(rest)?))
}

/// Where a series' name and labels end.
fn series_end(line: &str) -> usize {
    let name = line
        .find(|letter: char| letter.is_whitespace() || letter == '{')
        .unwrap_or(line.len());
    let after = line[name..].trim_start();
    if !after.starts_with('{') || after.starts_with("{{") {
        return name;
    }
    let mut quote = None;
    let mut escaped = false;
    for (index, letter) in line.char_indices().skip_while(|(index, _)| *index < name) {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if letter == '\\' => escaped = true,
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            None if letter == '}' => return index + 1,
            None => {}
        }
    }
    line.len()
}

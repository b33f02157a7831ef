//! A script, command by command.

use model::Labels;

use super::engine::{Engine, Moment};
use super::expectations::Expectations;
use super::points::{self, Point};
use super::statement::Statement;
use super::{Failure, FileReport, Omission, load};

/// Runs a script from its first line to its last, over nothing at first.
pub(super) fn run(text: &str, engine: &mut dyn Engine) -> FileReport {
    let lines: Vec<&str> = text.lines().map(content).collect();
    let indented: Vec<bool> = text.lines().map(is_indented).collect();
    let mut run = Run {
        engine,
        lacks_starts: false,
        report: FileReport::default(),
    };
    if let Err(reason) = run.engine.clear() {
        run.fail(1, "", reason);
    }
    let mut next = 0;
    while next < lines.len() {
        let start = next;
        let line = lines[start];
        next += 1;
        // What belongs to a command stands below it, up to an empty line or the next command.
        let belongs =
            |next: usize| !lines[next].is_empty() && (indented[next] || !is_command(lines[next]));
        while !line.is_empty() && next < lines.len() && belongs(next) {
            next += 1;
        }
        run.command(start + 1, line, &lines[start + 1..next]);
    }
    run.report
}

/// A script that is being run.
struct Run<'a> {
    engine: &'a mut dyn Engine,
    /// Whether there are start timestamps that the engine does not take.
    lacks_starts: bool,
    report: FileReport,
}

impl Run<'_> {
    /// Carries a command out, with the lines below it.
    fn command(&mut self, number: usize, line: &str, body: &[&str]) {
        let outcome = match word(line).0 {
            "" => return,
            "clear" => {
                self.lacks_starts = false;
                self.engine.clear()
            }
            "load" | "load_with_nhcb" => self.load(line, body),
            command if command.starts_with("eval") => {
                return self.statement(number, line, body);
            }
            other => Err(format!("unknown command {other:?}")),
        };
        if let Err(reason) = outcome {
            self.fail(number, line, reason);
        }
    }

    fn load(&mut self, line: &str, body: &[&str]) -> Result<(), String> {
        let series = load::read(line, body)?;
        let has_starts = series.iter().any(|series| !series.starts.is_empty());
        self.lacks_starts |= has_starts && !self.engine.takes_starts();
        self.engine.load(&series)
    }

    fn statement(&mut self, number: usize, line: &str, body: &[&str]) {
        let mut omitted = Vec::new();
        if self.lacks_starts {
            omitted
                .push("not at all: the start timestamps of its data cannot be loaded".to_owned());
        } else {
            let statement = read_statement(line, body);
            match statement.and_then(|it| it.check(self.engine, &mut omitted)) {
                Ok(()) => self.report.passed += 1,
                Err(reason) => self.fail(number, line, reason),
            }
        }
        let omissions = omitted.into_iter().map(|reason| Omission {
            line: number,
            reason,
        });
        self.report.omissions.extend(omissions);
    }

    fn fail(&mut self, line: usize, statement: &str, reason: String) {
        self.report.failures.push(Failure {
            line,
            statement: statement.to_owned(),
            reason,
        });
    }
}

/// A line without its indentation; one that is a comment is empty.
fn content(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') { "" } else { line }
}

fn is_indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

fn is_command(line: &str) -> bool {
    let (first, _) = word(line);
    let commands = [
        "clear",
        "load",
        "load_with_nhcb",
        "eval",
        "eval_fail",
        "eval_warn",
        "eval_info",
        "eval_ordered",
    ];
    commands.contains(&first)
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
    Ok(Statement {
        expression: expression.to_owned(),
        moment,
        expectations: Expectations::read(command, body)?,
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
pub(super) fn read_series(line: &str) -> Result<(Labels, Vec<Point>), String> {
    let (selector, rest) = line.split_at(series_end(line));
    Ok((series_labels(selector)?, points::read(rest)?))
}

/// The labels that `name{label="value"}` stands for; `{}` has none.
pub(super) fn series_labels(selector: &str) -> Result<Labels, String> {
    let selector = selector.trim();
    let braces = selector.strip_prefix('{');
    if braces.is_some_and(|rest| rest.trim() == "}") {
        return Ok(Labels::empty());
    }
    let matchers =
        promql::parse_selector(selector).map_err(|error| format!("{selector}: {error}"))?;
    let pairs = matchers
        .iter()
        .map(|matcher| (matcher.name(), matcher.value()));
    Labels::from_pairs(pairs).map_err(|error| error.to_string())
}

/// Where a series' name and labels end.
pub(super) fn series_end(line: &str) -> usize {
    let name = line
        .find(|letter: char| letter.is_whitespace() || letter == '{' || letter == '@')
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
            // Backquotes know no escapes.
            Some(open) if letter == '\\' && open != '`' => escaped = true,
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if matches!(letter, '"' | '\'' | '`') => quote = Some(letter),
            None if letter == '}' => return index + 1,
            None => {}
        }
    }
    line.len()
}

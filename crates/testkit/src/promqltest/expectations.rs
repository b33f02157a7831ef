//! What a statement says about its answer: `expect …` lines, series with their points, or one number.

use promql::{ExprKind, parse};
use regex::Regex;

use super::compare::{self, Expected};
use super::engine::{Refusal, Series, Value};
use super::points::{self, Point};
use super::script::{read_series, times};

/// What a statement says about its answer.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    scalar: Option<f64>,
    series: Vec<(model::Labels, Vec<Point>)>,
    string: Option<String>,
    range_vector: Option<[i64; 3]>,
    ordered: bool,
    fail: Vec<Text>,
    warnings: Annotations,
    infos: Annotations,
}

#[derive(Debug, Default)]
struct Annotations {
    none: bool,
    texts: Vec<Text>,
}

/// What a message must be like.
#[derive(Debug)]
enum Text {
    Any,
    Exactly(String),
    Matches(Regex),
}

impl Text {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        if let Some(exact) = text.strip_prefix("msg:") {
            return Ok(Self::Exactly(exact.trim().to_owned()));
        }
        match text.strip_prefix("regex:") {
            Some(pattern) => Regex::new(pattern.trim())
                .map(Self::Matches)
                .map_err(|error| error.to_string()),
            None => Err(format!("expected `msg:` or `regex:`, found {text:?}")),
        }
    }

    fn fits(&self, message: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(text) => message == text,
            Self::Matches(regex) => regex.is_match(message),
        }
    }
}

impl Annotations {
    fn check(&self, kind: &str, got: &[String]) -> Result<(), String> {
        if self.none && !got.is_empty() {
            return Err(format!("unexpected {kind}: {}", got.join("; ")));
        }
        if self.texts.is_empty() {
            return Ok(());
        }
        let fitting = |text: &&Text| got.iter().any(|got| text.fits(got));
        if let Some(text) = self.texts.iter().find(|text| !fitting(text)) {
            return Err(format!(
                "no {kind} fits {text:?}, there are: {}",
                got.join("; ")
            ));
        }
        match got
            .iter()
            .find(|got| !self.texts.iter().any(|text| text.fits(got)))
        {
            Some(got) => Err(format!("unexpected {kind}: {got}")),
            None => Ok(()),
        }
    }
}

impl Expectations {
    /// Reads the lines below a statement; the older way to say `expect fail` was `eval_fail`, and so on.
    pub(super) fn read(command: &str, body: &[&str]) -> Result<Self, String> {
        let mut expectations = Self::default();
        if let Some(older) = command.strip_prefix("eval_") {
            expectations.read_line(older)?;
        }
        for line in body {
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            match word {
                "expect" => expectations.read_line(rest.trim())?,
                // The older way to say what an error is like.
                "expected_fail_message" => {
                    expectations.fail = vec![Text::Exactly(rest.trim().to_owned())];
                }
                "expected_fail_regexp" => {
                    expectations.fail = vec![Text::read(&format!("regex:{rest}"))?];
                }
                _ => match points::scalar(line) {
                    Some(value) => expectations.scalar = Some(value),
                    None => expectations.series.push(read_series(line)?),
                },
            }
        }
        Ok(expectations)
    }

    /// Takes one `expect` line without that word.
    fn read_line(&mut self, line: &str) -> Result<(), String> {
        let (kind, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match kind {
            "ordered" => self.ordered = true,
            "no_warn" => self.warnings.none = true,
            "no_info" => self.infos.none = true,
            "fail" => self.fail.push(Text::read(rest)?),
            "warn" => self.warnings.texts.push(Text::read(rest)?),
            "info" => self.infos.texts.push(Text::read(rest)?),
            "string" => match parse(rest).map_err(|error| error.to_string())?.kind {
                ExprKind::String(text) => self.string = Some(text),
                _ => return Err(format!("no string: {rest}")),
            },
            "range" => {
                let rest = rest.strip_prefix("vector").unwrap_or(rest);
                self.range_vector = Some(times(rest, ["from", "to", "step"])?.0);
            }
            _ => return Err(format!("unknown expectation {line:?}")),
        }
        Ok(())
    }

    /// Whether it is to fail.
    pub(super) const fn fails(&self) -> bool {
        !self.fail.is_empty()
    }

    /// Why a range query cannot give what is expected, if so.
    pub(super) const fn no_range(&self) -> Option<&'static str> {
        if self.range_vector.is_some() {
            return Some("a range query gives no range vectors");
        }
        if self.string.is_some() {
            return Some("a range query gives no strings");
        }
        None
    }

    pub(super) const fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// Compares an error with what it is to be; it fits with or without its position.
    pub(super) fn check_failure(&self, refusal: &Refusal) -> Result<(), String> {
        let Refusal { message, whole } = refusal;
        if self.fail.is_empty() {
            return Err(format!("expected an answer, got the error: {whole}"));
        }
        let wrong = |text: &&Text| !text.fits(message) && !text.fits(whole);
        match self.fail.iter().find(wrong) {
            Some(text) => Err(format!("expected an error like {text:?}, got: {whole}")),
            None => Ok(()),
        }
    }

    /// Compares warnings and infos.
    pub(super) fn check_annotations(
        &self,
        warnings: &[String],
        infos: &[String],
    ) -> Result<(), String> {
        self.warnings.check("warning", warnings)?;
        self.infos.check("info", infos)
    }

    /// Compares the answer of a range query, whose series are sorted.
    pub(super) fn check_range(&self, start: i64, step: i64, value: &Value) -> Result<(), String> {
        match value {
            Value::Matrix(series) if !is_sorted(series) => {
                Err("the series are not sorted".to_owned())
            }
            Value::Matrix(series) => compare::series(&self.series(start, step), series),
            other => Err(format!("expected a matrix, got {other:?}")),
        }
    }

    /// Compares the answer of an instant query.
    pub(super) fn check_instant(&self, at: i64, value: &Value) -> Result<(), String> {
        match value {
            Value::Scalar(got) => match self.scalar {
                Some(expected) if compare::agree(expected, *got) => Ok(()),
                Some(expected) => Err(format!("expected {expected}, got {got}")),
                None => Err(format!("expected no scalar, got {got}")),
            },
            Value::String(value) => match &self.string {
                Some(text) if text == value => Ok(()),
                other => Err(format!("expected {other:?}, got the string {value:?}")),
            },
            Value::Matrix(series) => {
                let [start, _, step] = self.range_vector.ok_or("expected no range vector")?;
                compare::series(&self.series(start, step), series)
            }
            Value::Vector(got) => {
                if self.scalar.is_some() || self.string.is_some() || self.range_vector.is_some() {
                    return Err(format!("expected no instant vector, got {got:?}"));
                }
                let wanted = self.series(at, 1);
                compare::series(&wanted, got)?;
                let wanted: Vec<_> = wanted.iter().map(|(labels, _)| labels).collect();
                let got: Vec<_> = got.iter().map(|series| &series.labels).collect();
                if self.ordered && wanted != got {
                    return Err(format!("wrong order: {got:?}"));
                }
                Ok(())
            }
        }
    }

    /// The expected series with their points, the first at `start`.
    fn series(&self, start: i64, step: i64) -> Vec<Expected> {
        let at_times = |points: &[Point]| -> Vec<(i64, Point)> {
            let times = (0_i64..).map(|index| start + index * step);
            times.zip(points.iter().cloned()).collect()
        };
        let series = self.series.iter();
        series
            .map(|(labels, points)| (labels.clone(), at_times(points)))
            .collect()
    }
}

/// Whether the series of a matrix are sorted by their labels.
pub(super) fn is_sorted(series: &[Series]) -> bool {
    series.is_sorted_by(|a, b| a.labels < b.labels)
}

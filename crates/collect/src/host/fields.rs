//! Reading the fields of a line one after the other; what is missing or no number becomes a problem with its place.

use std::str::{FromStr, SplitAsciiWhitespace};

use crate::Problem;

/// How much of a faulty field an error shows.
const SHOWN_MAX: usize = 40;

/// What a text holds, and what in it could not be understood. A faulty line is left out, the others count.
#[derive(Debug)]
pub(crate) struct Parsed<T> {
    /// What was understood.
    pub(crate) value: T,
    /// What was not: the first fault, and how many there are.
    pub(crate) problems: Problems,
}

/// The faults of a text. Only the first is kept, so that a file full of them costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(crate) first: Option<Problem>,
    pub(crate) count: usize,
}

impl Problems {
    /// Remembers the fault if there is one, and passes on the value if there is none.
    pub(crate) fn check<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.count += 1;
                self.first.get_or_insert(problem);
                None
            }
        }
    }

    /// Remembers that something the whole file should hold is not there.
    pub(crate) fn absent(&mut self, what: &str) {
        let message = format!("{what} is missing in the whole file");
        let _: Option<()> = self.check(Err(Problem {
            line: 1,
            field: 1,
            message,
        }));
    }

    pub(crate) fn with<T>(self, value: T) -> Parsed<T> {
        Parsed {
            value,
            problems: self,
        }
    }
}

/// The lines of a text with their fields; empty lines are left out.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Fields<'_>> {
    let numbered = text.lines().zip(1..);
    numbered
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| Fields::new(line, number))
}

/// The fields of one line, from left to right.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    words: SplitAsciiWhitespace<'a>,
    line: usize,
    field: usize,
}

impl<'a> Fields<'a> {
    /// The fields of a text that stands in line `line`.
    pub(crate) fn new(text: &'a str, line: usize) -> Self {
        Self {
            words: text.split_ascii_whitespace(),
            line,
            field: 0,
        }
    }

    /// The same fields, counted from the one behind the `before` fields that were cut off.
    pub(crate) fn behind(mut self, before: usize) -> Self {
        self.field = before;
        self
    }

    /// The next field if there is one.
    pub(crate) fn next(&mut self) -> Option<&'a str> {
        self.field += 1;
        self.words.next()
    }

    /// The next field; `what` it is stands in the problem if it is missing.
    pub(crate) fn text(&mut self, what: &str) -> Result<&'a str, Problem> {
        match self.next() {
            Some(text) => Ok(text),
            None => Err(self.problem(format!("{what} is missing"))),
        }
    }

    /// The next field as a number.
    pub(crate) fn number<T: FromStr>(&mut self, what: &str) -> Result<T, Problem> {
        let text = self.text(what)?;
        self.parse(text, what)
    }

    /// The next field as a number; none at the end of the line.
    pub(crate) fn optional<T: FromStr>(&mut self, what: &str) -> Result<Option<T>, Problem> {
        match self.next() {
            Some(text) => self.parse(text, what).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a part of the current field as a number.
    pub(crate) fn parse<T: FromStr>(&self, text: &str, what: &str) -> Result<T, Problem> {
        text.parse().map_err(|_| {
            let shown: String = text.chars().take(SHOWN_MAX).collect();
            self.problem(format!("{what} is {shown:?}, not a number in range"))
        })
    }

    /// A problem at the current field.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem {
            line: self.line,
            field: self.field.max(1),
            message: message.into(),
        }
    }
}

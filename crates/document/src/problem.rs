//! One thing that is wrong with a document, and how it is shown: place, field, message, excerpt, caret. What may be a
//! secret is shown neither in the message nor in the excerpt; see `hidden.rs`.

use std::fmt;
use std::sync::Arc;

use crate::hidden;
use crate::source::{Source, Span};

/// How much of a long line an excerpt shows, in characters; a terminal shows it in one row.
const EXCERPT_WIDTH: usize = 100;

/// Stands for each letter that is not shown.
const HIDDEN: char = '•';

/// Something wrong, its place, and what would be right; `Display` shows it with an excerpt, over several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    source: Arc<Source>,
    span: Option<Span>,
    related: Option<(Span, String)>,
    path: String,
    message: String,
}

impl Problem {
    /// A problem at a span of a source; `path` is the field (`host.interval`), empty if there is none.
    pub fn new(
        source: &Arc<Source>,
        span: Span,
        path: impl fmt::Display,
        message: impl Into<String>,
    ) -> Self {
        let (line, start) = source.line_of(span.start);
        let message = hidden::without(message.into(), source, line, start);
        Self {
            span: source.has_lines().then_some(span),
            path: path.to_string(),
            ..Self::of_source(source, message)
        }
    }

    /// A problem of a whole source, for example that it cannot be opened.
    pub fn of_source(source: &Arc<Source>, message: impl Into<String>) -> Self {
        Self {
            source: Arc::clone(source),
            span: None,
            related: None,
            path: String::new(),
            message: message.into(),
        }
    }

    /// Adds a second place that belongs to the problem, and what stands there.
    pub fn with_related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related = Some((span, label.into()));
        self
    }

    /// The name of the file, flag or variable.
    pub fn source_name(&self) -> &str {
        self.source.name()
    }

    /// Line and column, both from 1; absent if the problem is of the whole source.
    pub fn position(&self) -> Option<(usize, usize)> {
        Some(self.source.position(self.span?.start))
    }

    /// The field, for example `host.interval`; may be empty.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong and what would be right, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.source.name())?;
        if let Some((line, column)) = self.position() {
            write!(formatter, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(formatter, ": {}", self.path)?;
        }
        write!(formatter, ": {}", self.message)?;
        let Some(span) = self.span else {
            return Ok(());
        };
        let mut places = vec![(span, '^', "")];
        if let Some((related, label)) = &self.related {
            places.push((*related, '-', label.as_str()));
        }
        places.sort_by_key(|(span, ..)| span.start);
        let last = places.last().map_or(0, |(span, ..)| span.start);
        let width = self.source.position(last).0.to_string().len();
        let mut shown = None;
        for (span, mark, label) in places {
            let (line, start) = self.source.line_of(span.start);
            let is_new = shown != Some(start) || line.len() > EXCERPT_WIDTH;
            shown = Some(start);
            let excerpt = Excerpt::of(&self.source, span, width);
            excerpt.write(formatter, is_new, mark, label)?;
        }
        Ok(())
    }
}

/// Problems of one document; after the first hundred they are only counted, since nobody reads on, and each costs.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    kept: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    const KEPT_MAX: usize = 100;

    /// Adds the problem that is made only if it is kept.
    pub(crate) fn add(&mut self, make: impl FnOnce() -> Problem) {
        if self.kept.len() < Self::KEPT_MAX {
            self.kept.push(make());
        } else {
            self.left_out += 1;
        }
    }

    /// All problems from the top of the text to its end, and how many more there are.
    pub(crate) fn into_list(self, source: &Arc<Source>) -> Vec<Problem> {
        let mut list = in_reading_order(self.kept);
        if self.left_out > 0 {
            let message = format!("{} more problems are not shown", self.left_out);
            list.push(Problem::of_source(source, message));
        }
        list
    }
}

/// Puts problems in the order in which a reader meets them: source by source, from the top.
fn in_reading_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    let mut names: Vec<String> = Vec::new();
    for problem in &problems {
        if !names.iter().any(|name| name == problem.source_name()) {
            names.push(problem.source_name().to_owned());
        }
    }
    problems.sort_by_cached_key(|problem| {
        let source = names.iter().position(|name| name == problem.source_name());
        (source, problem.span.map(|span| span.start))
    });
    problems
}

/// The part of a line that is shown, and where in it the marks stand.
struct Excerpt {
    number: usize,
    /// Characters of the line number.
    width: usize,
    text: String,
    indent: usize,
    marked: usize,
}

impl Excerpt {
    fn of(source: &Source, span: Span, width: usize) -> Self {
        let (line, line_start) = source.line_of(span.start);
        let (number, column) = source.position(span.start);
        let before = column - 1;
        let end = span.end.min(line_start + line.len()).max(span.start);
        let marked = source.slice(Span::from(span.start..end)).chars().count();

        // A long line is cut so that the marked text stands well inside the window.
        let skipped = if before + marked.min(EXCERPT_WIDTH / 2) > EXCERPT_WIDTH {
            before - EXCERPT_WIDTH / 4
        } else {
            0
        };
        let head = if skipped > 0 { "… " } else { "" };
        let hidden = hidden::parts(source, line, line_start);
        let shown = line.char_indices().skip(skipped).take(EXCERPT_WIDTH);
        let shown = shown.map(|(at, character)| {
            let is_hidden = hidden.iter().any(|part| part.contains(&at));
            if is_hidden {
                HIDDEN
            } else {
                visible(character)
            }
        });
        let indent = before - skipped;
        Self {
            number,
            width,
            text: head.chars().chain(shown).collect(),
            indent: head.chars().count() + indent,
            marked: marked.clamp(1, EXCERPT_WIDTH.saturating_sub(indent).max(1)),
        }
    }

    /// Writes the line, unless it stands there already, and under it the marks.
    fn write(
        &self,
        formatter: &mut fmt::Formatter<'_>,
        with_text: bool,
        mark: char,
        label: &str,
    ) -> fmt::Result {
        let Self {
            number,
            width,
            text,
            indent,
            marked,
        } = self;
        if with_text {
            write!(formatter, "\n  {number:>width$} | {text}")?;
        }
        let marks: String = std::iter::repeat_n(mark, *marked).collect();
        write!(formatter, "\n  {:width$} | {:indent$}{marks}", "", "")?;
        if !label.is_empty() {
            write!(formatter, " {label}")?;
        }
        Ok(())
    }
}

/// A tab is shown as an arrow, one column wide, and what would steer a terminal as a dot.
fn visible(character: char) -> char {
    match character {
        '\t' => '→',
        other if other.is_control() => '·',
        other => other,
    }
}

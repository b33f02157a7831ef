//! Text to model, one line at a time: what is wrong in a line costs that line and is told with its place.
//!
//! As tolerant as Prometheus: types may be missing, lines empty, blanks doubled, the last newline absent; an escape that
//! is none stands for itself. The result is in proportion to the text, whose size the caller limits: the shortest
//! line (4 bytes) becomes a family of its own (about 250 bytes).

use std::borrow::Cow;
use std::collections::HashMap;

use model::{
    Labels, Metadata, MetricFamily, MetricKind, NAME, Point, Timestamp, is_plain_metric_name,
};

use super::line::{Cursor, Fault, Sample};
use super::{Format, suffix};
use crate::Problem;

/// Who reads a list of problems reads its beginning.
const PROBLEMS_MAX: usize = 100;

/// What an exposition says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    /// The families in order of appearance, with the points of all lines that are right.
    pub families: Vec<MetricFamily>,
    /// How many exemplars stand in the text; they are checked, but the model has no place for them yet.
    pub exemplars: usize,
    /// What is wrong, in order; after the first hundred only their number is told.
    pub problems: Vec<Problem>,
}

/// Reads an exposition.
pub fn parse(text: &str, format: Format) -> Exposition {
    let mut parser = Parser::new(format);
    let mut line_count = 0;
    for line in text.split('\n') {
        line_count += 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        let result = if parser.ended && !line.is_empty() {
            Err(Fault::new(0, "nothing may follow \"# EOF\""))
        } else {
            parser.line(line)
        };
        if let Err(fault) = result {
            parser.report(line_count, line, &fault);
        }
    }
    if format == Format::OpenMetrics && !parser.ended {
        let last = text.rsplit('\n').next().unwrap_or_default();
        let message = "the text ends without \"# EOF\": it may have been cut";
        parser.report(line_count, last, &Fault::new(last.len(), message));
    }
    parser.finish()
}

struct Parser<'a> {
    format: Format,
    families: Vec<MetricFamily>,
    /// Families by the name that stands after `# TYPE`, which in OpenMetrics may lack `_total`.
    by_name: HashMap<Cow<'a, str>, usize>,
    /// Families by the names of their series.
    by_series_name: HashMap<Cow<'a, str>, usize>,
    /// The family of the line before, which is mostly that of the next.
    latest: Option<(Cow<'a, str>, usize)>,
    /// The labels of one line; kept for its memory.
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    exemplars: usize,
    problems: Vec<Problem>,
    problems_left_out: usize,
    ended: bool,
}

impl<'a> Parser<'a> {
    fn new(format: Format) -> Self {
        Self {
            format,
            families: Vec::new(),
            by_name: HashMap::new(),
            by_series_name: HashMap::new(),
            latest: None,
            labels: Vec::new(),
            exemplars: 0,
            problems: Vec::new(),
            problems_left_out: 0,
            ended: false,
        }
    }

    fn line(&mut self, line: &'a str) -> Result<(), Fault> {
        let mut cursor = Cursor::new(line);
        cursor.skip_blanks();
        match cursor.peek() {
            None => Ok(()),
            Some(b'#') => self.comment(cursor),
            Some(_) => self.sample(cursor),
        }
    }

    fn comment(&mut self, mut cursor: Cursor<'a>) -> Result<(), Fault> {
        cursor.expect(b'#')?;
        if cursor.skip_blanks() == 0 {
            return Ok(());
        }
        match (cursor.word(), self.format) {
            ("EOF", Format::OpenMetrics) => {
                self.ended = true;
                cursor.expect_end()
            }
            ("HELP", _) => {
                let name = cursor.described_name()?;
                let help = cursor.help(self.format);
                self.metadata(name).help = help;
                Ok(())
            }
            ("TYPE", _) => {
                let name = cursor.described_name()?;
                cursor.skip_blanks();
                let at = cursor.position();
                let kind: MetricKind = cursor
                    .word()
                    .parse()
                    .map_err(|error: model::UnknownMetricKind| Fault::new(at, error.to_string()))?;
                cursor.expect_end()?;
                self.metadata(name).kind = kind;
                Ok(())
            }
            ("UNIT", Format::OpenMetrics) => {
                let name = cursor.described_name()?;
                cursor.skip_blanks();
                let unit = cursor.word().to_owned();
                cursor.expect_end()?;
                self.metadata(name).unit = unit;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn metadata(&mut self, name: Cow<'a, str>) -> &mut Metadata {
        let index = self.family(name);
        &mut self.families[index].metadata
    }

    fn family(&mut self, name: Cow<'a, str>) -> usize {
        if let Some(index) = self.by_name.get(&name) {
            return *index;
        }
        let index = self.families.len();
        self.families
            .push(MetricFamily::new(&*name, MetricKind::Unknown, ""));
        self.by_name.insert(name, index);
        index
    }

    fn sample(&mut self, mut cursor: Cursor<'a>) -> Result<(), Fault> {
        let start = cursor.position();
        self.labels.clear();
        let Sample {
            name,
            value,
            timestamp,
            has_exemplar,
        } = cursor.sample(&mut self.labels, self.format)?;
        let pairs = self.labels.iter().map(|(name, value)| (&**name, &**value));
        let labels = Labels::from_pairs(pairs.chain([(NAME, &*name)]))
            .map_err(|error| Fault::new(start, error.to_string()))?;
        self.exemplars += usize::from(has_exemplar);
        let family = self.family_of_series(name);
        self.families[family].points.push(Point {
            labels,
            value,
            timestamp,
        });
        Ok(())
    }

    fn family_of_series(&mut self, series_name: Cow<'a, str>) -> usize {
        if let Some((latest_name, index)) = &self.latest
            && *latest_name == series_name
        {
            return *index;
        }
        let known = self.by_series_name.get(&series_name).copied();
        let index = known.unwrap_or_else(|| {
            let index = self
                .declared_family(&series_name)
                .unwrap_or_else(|| self.family(series_name.clone()));
            self.by_series_name.insert(series_name.clone(), index);
            index
        });
        self.latest = Some((series_name, index));
        index
    }

    fn declared_family(&self, series_name: &str) -> Option<usize> {
        if let Some(index) = self.by_name.get(series_name) {
            return Some(*index);
        }
        let (base, suffix) = suffix::split(series_name)?;
        let index = *self.by_name.get(base)?;
        let kind = self.families[index].metadata.kind;
        suffix::is_allowed(kind, suffix, self.format).then_some(index)
    }

    fn report(&mut self, line_number: usize, line: &str, fault: &Fault) {
        if self.problems.len() == PROBLEMS_MAX {
            self.problems_left_out += 1;
            return;
        }
        let before = line.get(..fault.at).unwrap_or(line);
        self.problems.push(Problem {
            line: line_number,
            column: before.chars().count() + 1,
            message: fault.message.to_string(),
        });
    }

    fn finish(mut self) -> Exposition {
        if self.format == Format::OpenMetrics {
            for family in &mut self.families {
                name_after_series(family);
            }
        }
        if self.problems_left_out > 0
            && let Some(last) = self.problems.last_mut()
        {
            let more = format!(" (and {} more problems)", self.problems_left_out);
            last.message.push_str(&more);
        }
        Exposition {
            families: self.families,
            exemplars: self.exemplars,
            problems: self.problems,
        }
    }
}

/// Gives a counter or info family of OpenMetrics the name of its series, unless they have its own already.
fn name_after_series(family: &mut MetricFamily) {
    let Some(implied) = suffix::implied(family.metadata.kind) else {
        return;
    };
    let own = |point: &Point| point.labels.metric_name() == family.name;
    if !family.points.iter().any(own) {
        family.name.push_str(implied);
    }
}

/// Whether an unquoted name may stand after `# TYPE` or at the start of a line.
pub(super) fn check_plain_name(name: &str, at: usize) -> Result<(), Fault> {
    if is_plain_metric_name(name) {
        return Ok(());
    }
    if name.is_empty() {
        return Err(Fault::new(at, "a metric name is missing"));
    }
    let message = format!(
        "{name:?} is no metric name: write letters, digits, _ and :, not starting with a digit, or quote it"
    );
    Err(Fault::new(at, message))
}

/// Seconds with a fraction (OpenMetrics) or whole milliseconds (text).
pub(super) fn parse_timestamp(word: &str, format: Format) -> Option<Timestamp> {
    match format {
        Format::Text => word.parse().ok().map(Timestamp::from_millis),
        Format::OpenMetrics => crate::float::parse(word)
            .filter(|seconds| seconds.is_finite())
            .map(Timestamp::from_seconds),
    }
}

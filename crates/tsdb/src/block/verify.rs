//! Reads everything of a block and tells all that is wrong.

use model::{Labels, Matcher, packed_pairs};

use super::file::{PageReader, Section};
use super::postings::Gathered;
use super::read::BlockReader;
use super::scan::SeriesView;
use super::values::Go;
use super::{Block, BlockError};
use crate::codec::aggregate;

impl Block {
    /// Reads every page and checks that they fit together; each problem is one line.
    pub(crate) fn verify(&self, each_problem: &mut dyn FnMut(String)) {
        let mut broken_pages = 0;
        for section in Section::ALL {
            for (number, location) in self.table(section).locations.iter().enumerate() {
                if let Err(error) = self.file.load(section, Some(number), *location) {
                    broken_pages += 1;
                    each_problem(error.to_string());
                }
            }
        }
        // What follows from a broken page is no problem of its own.
        if broken_pages == 0 {
            self.verify_series(each_problem);
            if let Err(error) = self.verify_index(each_problem) {
                each_problem(error.to_string());
            }
        }
    }

    fn verify_series(&self, each_problem: &mut dyn FnMut(String)) {
        let path = self.path().display();
        let mut scan = self.scan();
        let mut reader = self.reader();
        let mut previous: Option<Labels> = None;
        let mut samples = 0;
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        loop {
            let series = match scan.next() {
                Ok(Some(series)) => series,
                Ok(None) => break,
                Err(error) => {
                    each_problem(error.to_string());
                    continue;
                }
            };
            let ordinal = series.ordinal;
            let mut wrong = |what: &str| each_problem(format!("{path}: series {ordinal}: {what}"));
            match Labels::from_packed(series.labels.as_bytes()) {
                Err(error) => wrong(&error.to_string()),
                Ok(labels) => {
                    if previous
                        .as_ref()
                        .is_some_and(|previous| *previous >= labels)
                    {
                        wrong("its labels are out of order");
                    }
                    previous = Some(labels);
                }
            }
            if !series.timestamps.is_sorted_by(|left, right| left < right) {
                wrong("its timestamps do not rise");
            }
            match summaries_fit(&mut reader, &series) {
                Ok(true) => {}
                Ok(false) => wrong("what it tells about its chunks is not what is in them"),
                Err(error) => wrong(&error.to_string()),
            }
            samples += series.timestamps.len() as u64;
            let ends = series
                .timestamps
                .first()
                .into_iter()
                .chain(series.timestamps.last());
            let ends = ends.map(|timestamp| (*timestamp, *timestamp));
            let attached = series.attachments.iter();
            let attached = attached.map(|attachment| (attachment.first, attachment.last));
            for (start, end) in ends.chain(attached) {
                first = first.min(start);
                last = last.max(end);
            }
        }
        let meta = self.meta();
        if (samples, first, last) != (meta.samples, meta.first, meta.last) {
            each_problem(format!("{path}: holds other samples than its footer tells"));
        }
    }

    /// Compares the postings of each label with the labels of the series.
    fn verify_index(&self, each_problem: &mut dyn FnMut(String)) -> Result<(), BlockError> {
        let path = self.path().display();
        let mut pages = PageReader::sequential(self);
        let mut before: Option<(String, String)> = None;
        let mut present = None;
        let mut seen = 0;
        let mut wrong = |name: &str, value: &str, what: &str| {
            each_problem(format!(
                "{path}: index of {}: {what}",
                Matcher::equal(name, value)
            ));
        };
        let mut pairs = 0;
        self.values_from(&mut pages, "", "", &mut |pages, name, value, posting| {
            let entry = (name.to_owned(), value.to_owned());
            if before.as_ref().is_some_and(|before| *before >= entry) {
                wrong(name, value, "out of order");
            }
            before = Some(entry);
            let mut gathered = Gathered::default();
            gathered.add(pages, posting)?;
            let series = gathered.into_bitmap();
            if series.len() != posting.len() {
                wrong(name, value, "another number of series than it says");
            }
            if value.is_empty() {
                if present
                    .replace(series.len())
                    .is_some_and(|present| present != seen)
                {
                    wrong(
                        name,
                        value,
                        "the label before has other series than its values",
                    );
                }
                seen = 0;
                return Ok(Go::Continue(()));
            }
            seen += series.len();
            pairs += series.len();
            Ok(Go::Continue(()))
        })?;
        if present.is_some_and(|present| present != seen) {
            wrong("", "", "the last label has other series than its values");
        }
        let mut labels = 0;
        self.labels(&self.everything(), &mut |_, packed| {
            labels += packed_pairs(packed).count() as u64;
        })?;
        if labels != pairs {
            each_problem(format!(
                "{path}: the index has {pairs} labels, the series {labels}"
            ));
        }
        Ok(())
    }
}

/// Whether the summaries of the chunks of a series are those of its samples.
fn summaries_fit(
    reader: &mut BlockReader<'_>,
    series: &SeriesView<'_>,
) -> Result<bool, BlockError> {
    let mut rest = series.timestamps.iter().zip(series.values);
    let mut bits = Vec::new();
    let mut fit = true;
    reader.chunks(series.ordinal, i64::MIN, i64::MAX, &mut |summary| {
        bits.clear();
        let chunk = rest.by_ref().take(summary.samples as usize);
        bits.extend(chunk.map(|(_, value)| value.to_bits()));
        let truth = aggregate(&bits);
        let equal = |told: f64, truth: f64| told == truth || told.is_nan() && truth.is_nan();
        // Sums of decimals are rounded, and others depend on the order of adding.
        let close = |told: f64, truth: f64| {
            equal(told, truth) || (told - truth).abs() <= SUM_TOLERANCE * (told.abs() + truth.abs())
        };
        fit &= bits.len() == summary.samples as usize
            && truth.count == summary.count
            && (truth.count == 0
                || equal(summary.min, truth.min)
                    && equal(summary.max, truth.max)
                    && (close(summary.sum, truth.sum) || truth.min < 0.0 && truth.max > 0.0));
    })?;
    Ok(fit && rest.next().is_none())
}

/// How far two ways to add the same numbers may be apart, as a part of the sum; where signs differ anything may be left.
const SUM_TOLERANCE: f64 = 1e-9;

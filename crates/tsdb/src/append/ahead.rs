//! What blocks say about new series, asked before the writer makes others wait.
//!
//! A new series may have newer samples on disk, which decides whether its first sample is late. As a rule no block has
//! anything newer; in imports, and while one clock is ahead, many have, and asking takes I/O. So the rows of a batch are
//! looked through first, the blocks are asked without the writer's lock, and the batch begins anew with the answers.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Labels, SampleBatch, Timestamp};

use super::{Bounds, Writer};
use crate::registry::UNKNOWN;
use crate::shared::Shared;
use crate::view::View;

/// The newest sample of a series on disk: its timestamp, and its value if that is known and a number.
pub(super) type Newest = Option<(i64, Option<u64>)>;

/// New series that are asked about at once; others are asked about when they are created.
const ASKED_MAX: usize = 50_000;

/// What was asked, and the answers.
#[derive(Default)]
pub(super) struct Ahead {
    /// What there was then; the answers hold as long as it is there.
    view: Option<Arc<View>>,
    answers: HashMap<Labels, (i64, Newest), foldhash::fast::RandomState>,
}

impl Ahead {
    /// The answer about a series whose first sample has the timestamp, if it was asked for and still holds.
    pub(super) fn answer(
        &self,
        shared: &Shared,
        labels: &Labels,
        timestamp: i64,
    ) -> Option<Newest> {
        let (asked, newest) = self.answers.get(labels)?;
        let view = self.view.as_ref()?;
        (*asked == timestamp && Arc::ptr_eq(view, &shared.view())).then_some(*newest)
    }
}

impl Writer {
    /// The new series of a batch about which blocks must be asked, with their first timestamps. The series of the numbers
    /// must have been looked for.
    pub(super) fn new_series(
        &self,
        shared: &Shared,
        batch: &SampleBatch<'_>,
        bounds: &Bounds,
    ) -> HashMap<Labels, i64, foldhash::fast::RandomState> {
        let mut found = HashMap::default();
        let extras = batch.len() > batch.rows.len();
        if !extras && !self.ids.contains(&UNKNOWN) {
            return found;
        }
        let blocks = &shared.view().blocks;
        let Some(newest) = blocks.iter().map(|block| block.meta().last).max() else {
            return found;
        };
        let must_ask = |timestamp: Timestamp| {
            (timestamp + bounds.window).as_millis() < newest
                && bounds.check(timestamp.as_millis()).is_ok()
        };
        let numbers = batch.rows.iter().zip(&self.ids);
        let numbers = numbers.filter(|(_, id)| **id == UNKNOWN);
        let numbers = numbers.map(|(row, _)| (row.key, row.timestamp));
        let histograms = batch.histograms.iter().map(|row| (row.key, row.timestamp));
        let exemplars = batch.exemplars.iter();
        let exemplars = exemplars.map(|row| (row.key, row.exemplar.timestamp));
        let starts = batch.starts.iter().map(|row| (row.key, row.timestamp));
        let all = numbers.chain(histograms).chain(exemplars).chain(starts);
        let most = bounds.series_left.get().min(ASKED_MAX);
        for (key, timestamp) in all.filter(|(_, timestamp)| must_ask(*timestamp)) {
            if found.len() >= most {
                break;
            }
            if self
                .identity
                .find(&self.index, &batch.encoding, key)
                .is_some()
            {
                continue;
            }
            // Who sent what cannot be decoded is told when the series is created.
            if let Ok(labels) = (batch.encoding.decode)(key)
                && !found.contains_key(&labels)
                && self.index.find(&labels).is_none()
            {
                found.insert(labels, timestamp.as_millis());
            }
        }
        found
    }
}

impl Shared {
    /// Asks the blocks about series that are not in memory; the writer's lock must not be held.
    pub(super) fn ask_ahead(
        &self,
        series: HashMap<Labels, i64, foldhash::fast::RandomState>,
        bounds: &Bounds,
    ) -> Ahead {
        let view = self.view();
        let asked = series.into_iter().map(|(labels, timestamp)| {
            let newest = self.newest_in(&view, &labels, timestamp, bounds.window);
            (labels, (timestamp, newest))
        });
        Ahead {
            answers: asked.collect(),
            view: Some(Arc::clone(&view)),
        }
    }
}

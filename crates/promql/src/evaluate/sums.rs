//! Sums and means of native histograms, for aggregations and for functions of ranges.

use model::CounterReset;

use super::noting::{Noting, Operation};
use crate::{FloatHistogram, IncompatibleSchemas, KahanHistogram};

/// A running sum, from which a mean can be had without overflow.
#[derive(Debug)]
pub(super) struct HistogramSum {
    mean: bool,
    /// The sum, or the mean once the sum would be infinite.
    running: KahanHistogram,
    incremental: bool,
    count: f64,
    reset_seen: bool,
    no_reset_seen: bool,
    bounds_reconciled: bool,
}

impl HistogramSum {
    /// The sum of one, of which the mean is asked for or not.
    pub(super) fn new(mean: bool, first: &FloatHistogram) -> Self {
        let mut sum = Self {
            mean,
            running: KahanHistogram::new(first.clone()),
            incremental: false,
            count: 1.0,
            reset_seen: false,
            no_reset_seen: false,
            bounds_reconciled: false,
        };
        sum.track(first);
        sum
    }

    fn track(&mut self, histogram: &FloatHistogram) {
        self.reset_seen |= histogram.reset == CounterReset::Yes;
        self.no_reset_seen |= histogram.reset == CounterReset::No;
    }

    /// Errors: one has custom buckets and the other has not.
    pub(super) fn add(&mut self, histogram: &FloatHistogram) -> Result<(), IncompatibleSchemas> {
        self.track(histogram);
        let before = self.count;
        self.count += 1.0;
        if !self.mean {
            self.bounds_reconciled |= self.running.add(histogram)?.bounds_reconciled;
            return Ok(());
        }
        if !self.incremental {
            let mut sum = self.running.clone();
            self.bounds_reconciled |= sum.add(histogram)?.bounds_reconciled;
            if !sum.has_overflow() {
                self.running = sum;
                return Ok(());
            }
            self.incremental = true;
            self.running.div(before);
        }
        self.running.mul(before / self.count);
        let mut share = histogram.clone();
        share.div(self.count);
        self.bounds_reconciled |= self.running.add(&share)?.bounds_reconciled;
        Ok(())
    }

    /// Tells what is worth telling.
    pub(super) fn note(&self, noting: &Noting<'_>, operation: Operation) {
        if self.reset_seen && self.no_reset_seen {
            noting.resets_collide(operation);
        }
        if self.bounds_reconciled {
            noting.bounds_reconciled(operation);
        }
    }

    /// The sum or mean.
    pub(super) fn finish(mut self) -> FloatHistogram {
        if self.mean && !self.incremental {
            self.running.div(self.count);
        }
        let mut total = self.running.total();
        total.compact(0);
        total
    }
}

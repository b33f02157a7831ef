//! Zero buckets of different width.
//!
//! Two histograms can be compared or combined only if their zero buckets are equally wide. The narrower one is widened to
//! the wider one, and takes up the buckets that lie in it. Where it would end within a bucket that holds something, it is
//! widened on to the end of that, and then the other histogram has to follow.

use std::cmp::Ordering;

use super::{Buckets, FloatHistogram, kahan};

/// What a zero bucket would be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ZeroBucket {
    pub(super) threshold: f64,
    pub(super) count: f64,
    /// What adding up the count rounded away, if that is kept.
    pub(super) compensation: f64,
}

impl FloatHistogram {
    /// The zero bucket as it would be if it reached to `threshold` at least; `compensation` has the same buckets and what
    /// was rounded away in them.
    pub(super) fn widened_zero_bucket(
        &self,
        threshold: f64,
        compensation: Option<&Self>,
    ) -> ZeroBucket {
        let mut zero = ZeroBucket {
            threshold,
            count: self.zero_count,
            compensation: compensation.map_or(0.0, |it| it.zero_count),
        };
        if threshold != self.zero_threshold {
            // If the negative side widens it further, it is on to the end of a bucket in which it ended before. So no
            // positive one joins.
            self.take_up(
                &mut zero,
                &self.positive,
                compensation.map(|it| &it.positive),
            );
            self.take_up(
                &mut zero,
                &self.negative,
                compensation.map(|it| &it.negative),
            );
        }
        zero
    }

    /// Adds the buckets of one side that begin in the zero bucket to it.
    fn take_up(&self, zero: &mut ZeroBucket, side: &Buckets, compensation: Option<&Buckets>) {
        for (position, (number, count)) in side.iter().enumerate() {
            if self.bound(number.saturating_sub(1)) >= zero.threshold {
                return;
            }
            match compensation {
                None => zero.count += count,
                Some(compensation) => {
                    let lost = compensation.counts.get(position).copied();
                    for addend in [count, lost.unwrap_or(0.0)] {
                        kahan::add_to(&mut zero.count, &mut zero.compensation, addend);
                    }
                }
            }
            let end = self.bound(number);
            if end > zero.threshold {
                if count != 0.0 {
                    zero.threshold = end;
                }
                return;
            }
        }
    }

    /// Widens the zero bucket until `other` can have an equal one, and tells how much is in that.
    pub(super) fn reconcile_zero_bucket(
        &mut self,
        other: &Self,
        mut compensation: Option<&mut Self>,
    ) -> f64 {
        let mut theirs = ZeroBucket {
            threshold: other.zero_threshold,
            count: other.zero_count,
            compensation: 0.0,
        };
        // Thresholds only grow, and each time to an end of a bucket, so that this ends; NaN is like none.
        loop {
            match theirs.threshold.partial_cmp(&self.zero_threshold) {
                None | Some(Ordering::Equal) => return theirs.count,
                Some(Ordering::Less) => {
                    theirs = other.widened_zero_bucket(self.zero_threshold, None);
                }
                Some(Ordering::Greater) => {
                    let mine = self.widened_zero_bucket(theirs.threshold, compensation.as_deref());
                    self.zero_threshold = mine.threshold;
                    self.zero_count = mine.count;
                    if let Some(compensation) = compensation.as_deref_mut() {
                        compensation.zero_count = mine.compensation;
                    }
                    self.drop_below_threshold(compensation.as_deref_mut());
                }
            }
        }
    }

    /// Drops the buckets that the zero bucket took up, and all empty ones.
    fn drop_below_threshold(&mut self, compensation: Option<&mut Self>) {
        let (schema, threshold) = (self.schema, self.zero_threshold);
        let keep = |number: i32, count: f64| {
            let begin = super::bounds::exponential(number.saturating_sub(1), schema);
            begin >= threshold && count != 0.0
        };
        let (positive, negative) = match compensation {
            Some(it) => (Some(&mut it.positive), Some(&mut it.negative)),
            None => (None, None),
        };
        self.positive.retain(keep, positive);
        self.negative.retain(keep, negative);
    }
}

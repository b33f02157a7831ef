//! The sum and the difference of two histograms.
//!
//! 1. Both must be exponential, or both have custom buckets.
//! 2. The hints of both make the hint of the result.
//! 3. Zero buckets are made equally wide (`zero.rs`), and buckets as wide as those of the coarser of the two; of custom
//!    bounds those remain that both have.
//! 4. Counts are added bucket by bucket. Histograms of one series mostly have equal buckets: then nothing is allocated.

use std::sync::Arc;

use model::CounterReset;
use thiserror::Error;

use super::buckets::{Builder, Numbers, Reduced};
use super::{Buckets, FloatHistogram, bounds};

/// What is worth telling about a sum or difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Combined {
    /// One of the two says that the counter was reset, the other that it was not.
    pub resets_collide: bool,
    /// The two have different custom bounds, and the result has those that both have.
    pub bounds_reconciled: bool,
}

/// One histogram has custom buckets and the other has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("histograms with exponential and with custom buckets cannot be combined")]
pub struct IncompatibleSchemas;

impl FloatHistogram {
    /// Adds `other`, in the wider buckets of the two; nothing changes if that fails. Buckets may be empty afterwards.
    pub fn add(&mut self, other: &Self) -> Result<Combined, IncompatibleSchemas> {
        self.combine(other, 1.0)
    }

    /// Subtracts `other` in the same way. The operator `-` makes a gauge of the result; this does not.
    pub fn sub(&mut self, other: &Self) -> Result<Combined, IncompatibleSchemas> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &Self, sign: f64) -> Result<Combined, IncompatibleSchemas> {
        let mut combined = self.combine_hints(other)?;
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        if self.has_custom_buckets() {
            if self.has_bounds_of(other) {
                merge(&mut self.positive, &other.positive, |_| false, sign);
            } else {
                combined.bounds_reconciled = true;
                self.merge_custom(other, sign);
            }
            return Ok(combined);
        }
        self.zero_count += sign * self.reconcile_zero_bucket(other, None);
        self.reduce(other.schema);
        let (schema, threshold) = (self.schema, self.zero_threshold);
        for (mine, theirs) in [
            (&mut self.positive, &other.positive),
            (&mut self.negative, &other.negative),
        ] {
            let in_zero = |number| is_in_zero(number, schema, threshold);
            if other.schema == schema {
                merge(mine, theirs, in_zero, sign);
            } else {
                // What lies in the zero bucket is left out only now that buckets are joined, as Prometheus does.
                let joined = Reduced::new(theirs, other.schema, schema);
                merge_numbered(
                    mine,
                    joined.skip_while(|(number, _)| in_zero(*number)),
                    sign,
                );
            }
        }
        Ok(combined)
    }

    /// Checks that both can be combined, and sets the hint of the result.
    pub(super) fn combine_hints(&mut self, other: &Self) -> Result<Combined, IncompatibleSchemas> {
        if self.has_custom_buckets() != other.has_custom_buckets() {
            return Err(IncompatibleSchemas);
        }
        let mut combined = Combined::default();
        self.reset = match (self.reset, other.reset) {
            (mine, theirs) if mine == theirs => mine,
            (CounterReset::Gauge, _) | (_, CounterReset::Gauge) => CounterReset::Gauge,
            (CounterReset::Unknown, _) | (_, CounterReset::Unknown) => CounterReset::Unknown,
            _ => {
                combined.resets_collide = true;
                CounterReset::Unknown
            }
        };
        Ok(combined)
    }

    /// Whether custom bounds are the same.
    pub(super) fn has_bounds_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.custom_bounds, &other.custom_bounds)
            || self.custom_bounds == other.custom_bounds
    }

    fn merge_custom(&mut self, other: &Self, sign: f64) {
        let bounds = common_bounds(&self.custom_bounds, &other.custom_bounds);
        let mut counts = vec![0.0; bounds.len() + 1];
        for (target, count) in self.in_bounds(&bounds) {
            counts[target] += count;
        }
        for (target, count) in other.in_bounds(&bounds) {
            counts[target] += sign * count;
        }
        let mut merged = Builder::with_capacity(counts.len());
        for (number, count) in (0..).zip(counts).filter(|(_, count)| *count != 0.0) {
            merged.push(number, count);
        }
        self.positive = merged.buckets;
        self.custom_bounds = bounds;
    }

    /// Each custom bucket's count, with the number of the bucket of `bounds` in which it lies; at most their count.
    pub(super) fn in_bounds(&self, bounds: &[f64]) -> impl Iterator<Item = (usize, f64)> {
        let mut target = 0;
        self.positive.iter().map(move |(number, count)| {
            let end = self.bound(number);
            while bounds.get(target).is_some_and(|bound| *bound < end) {
                target += 1;
            }
            (target, count)
        })
    }
}

/// The bounds that both have.
pub(super) fn common_bounds(mine: &[f64], theirs: &[f64]) -> Arc<[f64]> {
    let mut theirs = theirs.iter().peekable();
    let mut common = Vec::new();
    for bound in mine {
        while theirs.next_if(|other| *other < bound).is_some() {}
        common.extend(theirs.next_if_eq(&bound));
    }
    common.into()
}

/// Whether a bucket lies in the zero bucket as a whole.
pub(super) fn is_in_zero(number: i32, schema: i32, threshold: f64) -> bool {
    bounds::exponential(number, schema) <= threshold
}

/// Adds `sign` times `theirs` to `mine`, from the first bucket that is not to be left out.
fn merge(mine: &mut Buckets, theirs: &Buckets, left_out: impl Fn(i32) -> bool, sign: f64) {
    let is_whole = theirs
        .iter()
        .next()
        .is_none_or(|(number, _)| !left_out(number));
    if is_whole && mine.spans == theirs.spans && mine.counts.len() == theirs.counts.len() {
        for (mine, theirs) in mine.counts.iter_mut().zip(&theirs.counts) {
            *mine += sign * theirs;
        }
        return;
    }
    merge_numbered(
        mine,
        theirs.iter().skip_while(|(number, _)| left_out(*number)),
        sign,
    );
}

fn merge_numbered<I>(mine: &mut Buckets, theirs: I, sign: f64)
where
    I: Iterator<Item = (i32, f64)> + Clone,
{
    if covers(mine, theirs.clone().map(|(number, _)| number)) {
        let numbers = Numbers::new(&mine.spans, mine.counts.len());
        let mut counts = numbers.zip(&mut mine.counts);
        for (number, added) in theirs {
            if let Some((_, count)) = counts.find(|(mine, _)| *mine == number) {
                *count += sign * added;
            }
        }
        return;
    }
    let mut merged = Builder::with_capacity(mine.counts.len() + theirs.size_hint().0);
    let mut theirs = theirs.peekable();
    for (number, mut count) in mine.iter() {
        while let Some((before, added)) = theirs.next_if(|(other, _)| *other < number) {
            merged.push(before, sign * added);
        }
        if let Some((_, added)) = theirs.next_if(|(other, _)| *other == number) {
            count += sign * added;
        }
        merged.push(number, count);
    }
    theirs.for_each(|(number, added)| merged.push(number, sign * added));
    *mine = merged.buckets;
}

/// Whether each of `numbers` is that of a bucket that is there.
pub(super) fn covers(buckets: &Buckets, mut numbers: impl Iterator<Item = i32>) -> bool {
    let mut mine = Numbers::new(&buckets.spans, buckets.counts.len());
    numbers.all(|number| mine.find(|mine| *mine >= number) == Some(number))
}

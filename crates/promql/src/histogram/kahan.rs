//! Sums of many histograms without the rounding of each addition: Kahan's summation with Neumaier's improvement, for
//! every count on its own.

use super::buckets::{Builder, Numbers, reduced_number};
use super::combine::{common_bounds, covers, is_in_zero};
use super::{Buckets, Combined, FloatHistogram, IncompatibleSchemas};

/// A sum of histograms, and besides what its additions rounded away.
#[derive(Clone, Debug)]
pub struct KahanHistogram {
    /// The sum as rounded.
    pub value: FloatHistogram,
    /// What was rounded away, in the buckets of `value`; none before the first addition.
    pub compensation: Option<FloatHistogram>,
}

impl KahanHistogram {
    /// A sum of one.
    pub const fn new(value: FloatHistogram) -> Self {
        Self {
            value,
            compensation: None,
        }
    }

    /// Adds `other`; nothing changes if that fails.
    pub fn add(&mut self, other: &FloatHistogram) -> Result<Combined, IncompatibleSchemas> {
        let mut combined = self.value.combine_hints(other)?;
        let value = &mut self.value;
        let lost = self.compensation.get_or_insert_with(|| nothing_lost(value));
        // Whoever changed the value alone has lost the compensation of what changed, not more.
        lost.positive
            .counts
            .resize(value.positive.counts.len(), 0.0);
        lost.negative
            .counts
            .resize(value.negative.counts.len(), 0.0);
        add_to(&mut value.count, &mut lost.count, other.count);
        add_to(&mut value.sum, &mut lost.sum, other.sum);
        if value.has_custom_buckets() {
            if value.has_bounds_of(other) {
                let joined = joined(&other.positive, other.schema, other.schema);
                merge(&mut value.positive, &mut lost.positive, joined);
            } else {
                combined.bounds_reconciled = true;
                merge_custom(value, lost, other);
            }
            return Ok(combined);
        }
        let zero_count = value.reconcile_zero_bucket(other, Some(lost));
        add_to(&mut value.zero_count, &mut lost.zero_count, zero_count);
        if other.schema < value.schema {
            reduce(
                &mut value.positive,
                &mut lost.positive,
                value.schema,
                other.schema,
            );
            reduce(
                &mut value.negative,
                &mut lost.negative,
                value.schema,
                other.schema,
            );
            value.schema = other.schema;
        }
        let (schema, threshold) = (value.schema, value.zero_threshold);
        for (mine, lost, theirs) in [
            (&mut value.positive, &mut lost.positive, &other.positive),
            (&mut value.negative, &mut lost.negative, &other.negative),
        ] {
            let joined = joined(theirs, other.schema, schema);
            let in_zero = |bucket: &Joined| is_in_zero(bucket.number, schema, threshold);
            merge(mine, lost, joined.skip_while(in_zero));
        }
        lost.schema = schema;
        lost.zero_threshold = threshold;
        Ok(combined)
    }

    /// Multiplies the sum.
    pub fn mul(&mut self, factor: f64) {
        self.value.mul(factor);
        if let Some(compensation) = &mut self.compensation {
            compensation.mul(factor);
        }
    }

    /// Divides the sum.
    pub fn div(&mut self, divisor: f64) {
        self.value.div(divisor);
        if let Some(compensation) = &mut self.compensation {
            compensation.div(divisor);
        }
    }

    /// Whether the sum grew beyond what a number can hold.
    pub fn has_overflow(&self) -> bool {
        self.value.has_overflow()
    }

    /// The sum, with what was rounded away put back; not compacted.
    pub fn total(self) -> FloatHistogram {
        let mut total = self.value;
        if let Some(compensation) = self.compensation {
            // Both are of one kind, since one was made for the other.
            _ = total.add(&compensation);
        }
        total
    }
}

/// Adds `addend` to `sum`, and to `compensation` what that rounds away.
pub(super) fn add_to(sum: &mut f64, compensation: &mut f64, addend: f64) {
    let total = *sum + addend;
    if total.is_infinite() {
        *compensation = 0.0;
    } else if sum.abs() >= addend.abs() {
        *compensation += (*sum - total) + addend;
    } else {
        *compensation += (addend - total) + *sum;
    }
    *sum = total;
}

/// The compensation of a value to which nothing was added yet.
fn nothing_lost(value: &FloatHistogram) -> FloatHistogram {
    let mut lost = value.clone();
    lost.count = 0.0;
    lost.sum = 0.0;
    lost.zero_count = 0.0;
    lost.positive.counts.fill(0.0);
    lost.negative.counts.fill(0.0);
    lost
}

/// A bucket to add, and what was rounded away when several were joined to it.
#[derive(Clone, Copy, Debug)]
struct Joined {
    number: i32,
    count: f64,
    lost: f64,
}

/// The buckets as they are in schema `to`.
fn joined(buckets: &Buckets, from: i32, to: i32) -> impl Iterator<Item = Joined> + Clone + '_ {
    let mut buckets = buckets.iter().peekable();
    std::iter::from_fn(move || {
        let (number, count) = buckets.next()?;
        let lost = 0.0;
        let mut joined = Joined {
            number: reduced_number(number, from, to),
            count,
            lost,
        };
        let same =
            |next: &(i32, f64)| from > to && reduced_number(next.0, from, to) == joined.number;
        while let Some((_, count)) = buckets.next_if(same) {
            add_to(&mut joined.count, &mut joined.lost, count);
        }
        Some(joined)
    })
}

/// Joins the buckets of a sum to those of schema `to`.
fn reduce(value: &mut Buckets, lost: &mut Buckets, from: i32, to: i32) {
    let mut counts = Builder::with_capacity(value.counts.len());
    let mut rounded = Vec::with_capacity(value.counts.len());
    let mut buckets = value.iter().zip(&lost.counts).peekable();
    while let Some(((number, mut count), &lost)) = buckets.next() {
        let mut lost = lost;
        let number = reduced_number(number, from, to);
        while let Some(((_, added), &also)) =
            buckets.next_if(|((next, _), _)| reduced_number(*next, from, to) == number)
        {
            add_to(&mut count, &mut lost, added);
            add_to(&mut count, &mut lost, also);
        }
        counts.push(number, count);
        rounded.push(lost);
    }
    replace(value, lost, counts, rounded);
}

fn replace(value: &mut Buckets, lost: &mut Buckets, counts: Builder, rounded: Vec<f64>) {
    *value = counts.buckets;
    lost.spans.clone_from(&value.spans);
    lost.counts = rounded;
}

fn merge(value: &mut Buckets, lost: &mut Buckets, theirs: impl Iterator<Item = Joined> + Clone) {
    let add = |count: &mut f64, lost: &mut f64, added: Joined| {
        add_to(count, lost, added.count);
        if added.lost != 0.0 {
            add_to(count, lost, added.lost);
        }
    };
    if covers(value, theirs.clone().map(|bucket| bucket.number)) {
        let numbers = Numbers::new(&value.spans, value.counts.len());
        let mut sums = numbers.zip(value.counts.iter_mut().zip(&mut lost.counts));
        for bucket in theirs {
            if let Some((_, (count, lost))) = sums.find(|(mine, _)| *mine == bucket.number) {
                add(count, lost, bucket);
            }
        }
        return;
    }
    let mut counts = Builder::with_capacity(value.counts.len() + theirs.size_hint().0);
    let mut rounded = Vec::with_capacity(value.counts.len() + theirs.size_hint().0);
    let mut push = |number, count, lost| {
        counts.push(number, count);
        rounded.push(lost);
    };
    let mut theirs = theirs.peekable();
    for ((number, mut count), &lost) in value.iter().zip(&lost.counts) {
        let mut lost = lost;
        while let Some(before) = theirs.next_if(|other| other.number < number) {
            push(before.number, before.count, before.lost);
        }
        if let Some(same) = theirs.next_if(|other| other.number == number) {
            add(&mut count, &mut lost, same);
        }
        push(number, count, lost);
    }
    theirs.for_each(|it| push(it.number, it.count, it.lost));
    replace(value, lost, counts, rounded);
}

fn merge_custom(value: &mut FloatHistogram, lost: &mut FloatHistogram, other: &FloatHistogram) {
    let bounds = common_bounds(&value.custom_bounds, &other.custom_bounds);
    let mut sums = vec![(0.0, 0.0); bounds.len() + 1];
    for ((target, count), also) in value.in_bounds(&bounds).zip(&lost.positive.counts) {
        let (sum, lost) = &mut sums[target];
        add_to(sum, lost, count);
        add_to(sum, lost, *also);
    }
    for (target, count) in other.in_bounds(&bounds) {
        let (sum, lost) = &mut sums[target];
        add_to(sum, lost, count);
    }
    let mut counts = Builder::with_capacity(sums.len());
    let mut rounded = Vec::new();
    for (number, (count, lost)) in (0..).zip(sums) {
        if count == 0.0 && lost == 0.0 {
            continue;
        }
        counts.push(number, count);
        rounded.push(lost);
    }
    replace(&mut value.positive, &mut lost.positive, counts, rounded);
    value.custom_bounds = bounds.clone();
    lost.custom_bounds = bounds;
}

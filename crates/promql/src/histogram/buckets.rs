//! The buckets on one side of 0, by their numbers.
//!
//! Spans are only ever walked: whatever they claim, there are as many buckets as there are counts, and numbers stay in the
//! range of `i32`.

use std::iter::{Copied, Peekable, Zip};
use std::slice;

use model::BucketSpan;

/// Counts of buckets, and which buckets they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Which buckets `counts` holds.
    pub spans: Vec<BucketSpan>,
    /// How much each of them holds, not the difference to the one before.
    pub counts: Vec<f64>,
}

impl Buckets {
    /// Each bucket's number and count, in the order of the spans.
    pub(super) fn iter(&self) -> Numbered<'_> {
        let numbers = Numbers::new(&self.spans, self.counts.len());
        let counts = &self.counts[..numbers.len()];
        numbers.zip(counts.iter().copied())
    }

    /// See [`super::FloatHistogram::compact`].
    pub(super) fn compact(&mut self, empty_max: usize) {
        let gap_max = i64::try_from(empty_max).unwrap_or(i64::MAX);
        let apart = |span: &BucketSpan| span.length > 0 && i64::from(span.offset) > gap_max;
        let is_compact = self.counts.iter().all(|count| *count != 0.0)
            && self.spans.first().is_none_or(|span| span.length > 0)
            && self.spans.iter().skip(1).all(apart);
        if is_compact {
            return;
        }
        let mut compact = Builder::with_capacity(self.counts.len());
        for (number, count) in self.iter().filter(|(_, count)| *count != 0.0) {
            let gap = compact.gap(number);
            if gap.is_some_and(|gap| (1..=gap_max.min(FILLED_MAX)).contains(&gap)) {
                let end = compact.end;
                (0..gap.unwrap_or(0)).for_each(|skipped| compact.push_at(end + skipped, 0.0));
            }
            compact.push(number, count);
        }
        *self = compact.buckets;
    }

    /// Keeps the buckets for which `keep` holds, of the compensation too, which has the same buckets.
    pub(super) fn retain(
        &mut self,
        keep: impl Fn(i32, f64) -> bool,
        mut compensation: Option<&mut Self>,
    ) {
        let mut kept = Builder::with_capacity(self.counts.len());
        let mut lost = Vec::new();
        for (position, (number, count)) in self.iter().enumerate() {
            if keep(number, count) {
                kept.push(number, count);
                let other = compensation
                    .as_deref()
                    .and_then(|it| it.counts.get(position));
                lost.extend(other.copied());
            }
        }
        if let Some(compensation) = &mut compensation {
            compensation.spans.clone_from(&kept.buckets.spans);
            compensation.counts = lost;
        }
        *self = kept.buckets;
    }

    /// The same observations in buckets of schema `to`, which is coarser than `from`.
    pub(super) fn reduced(&self, from: i32, to: i32) -> Self {
        let mut reduced = Builder::with_capacity(self.counts.len());
        for (number, count) in Reduced::new(self, from, to) {
            reduced.push(number, count);
        }
        reduced.buckets
    }
}

/// More empty buckets than this in a row stay a gap, since spans may claim billions; real ones are some thousands apart
/// at the most.
const FILLED_MAX: i64 = 1 << 16;

/// A walk over numbers and counts, from either end.
pub(super) type Numbered<'a> = Zip<Numbers<'a>, Copied<slice::Iter<'a, f64>>>;

/// A walk over the numbers of buckets.
#[derive(Clone, Debug)]
pub(super) struct Numbers<'a> {
    spans: &'a [BucketSpan],
    /// How many buckets are left.
    left: usize,
    /// The span of the next bucket, how much of it was passed, and the number of its next bucket.
    front: Place,
    /// The span of the last bucket, how much of it is left, and the number behind the last bucket.
    back: Place,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    span: usize,
    within: u32,
    number: i64,
}

impl<'a> Numbers<'a> {
    /// The numbers of at most `counts` buckets: spans and counts should cover each other; if not, what both have is there.
    pub(super) fn new(spans: &'a [BucketSpan], counts: usize) -> Self {
        let front = Place {
            number: spans.first().map_or(0, |span| span.offset.into()),
            ..Place::default()
        };
        let mut back = Place::default();
        let mut covered = 0;
        for (index, span) in spans.iter().enumerate() {
            if covered == counts {
                break;
            }
            let rest = u32::try_from(counts - covered).unwrap_or(u32::MAX);
            let taken = rest.min(span.length);
            covered += taken as usize;
            back = Place {
                span: index,
                within: taken,
                number: back
                    .number
                    .saturating_add(span.offset.into())
                    .saturating_add(taken.into()),
            };
        }
        Self {
            spans,
            left: covered,
            front,
            back,
        }
    }
}

impl Iterator for Numbers<'_> {
    type Item = i32;

    fn next(&mut self) -> Option<i32> {
        self.left = self.left.checked_sub(1)?;
        while self.spans.get(self.front.span)?.length <= self.front.within {
            self.front.span += 1;
            self.front.within = 0;
            let offset = self.spans.get(self.front.span)?.offset;
            self.front.number = self.front.number.saturating_add(offset.into());
        }
        let number = self.front.number;
        self.front.within += 1;
        self.front.number = number.saturating_add(1);
        Some(in_range(number))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for Numbers<'_> {
    fn next_back(&mut self) -> Option<i32> {
        self.left = self.left.checked_sub(1)?;
        while self.back.within == 0 {
            let offset = self.spans.get(self.back.span)?.offset;
            self.back.number = self.back.number.saturating_sub(offset.into());
            self.back.span = self.back.span.checked_sub(1)?;
            self.back.within = self.spans.get(self.back.span)?.length;
        }
        self.back.within -= 1;
        self.back.number = self.back.number.saturating_sub(1);
        Some(in_range(self.back.number))
    }
}

impl ExactSizeIterator for Numbers<'_> {}

/// `number`, or the nearest that a bucket can have.
fn in_range(number: i64) -> i32 {
    number.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// The number in schema `to` of bucket `number` in the finer schema `from`.
pub(super) fn reduced_number(number: i32, from: i32, to: i32) -> i32 {
    let shift = from.saturating_sub(to).clamp(0, 40);
    in_range(((i64::from(number) - 1) >> shift) + 1)
}

/// A walk that adds up buckets which are one in a coarser schema.
#[derive(Clone, Debug)]
pub(super) struct Reduced<'a> {
    inner: Peekable<Numbered<'a>>,
    from: i32,
    to: i32,
}

impl<'a> Reduced<'a> {
    /// A walk over `buckets`, of schema `from`, as they are in schema `to`.
    pub(super) fn new(buckets: &'a Buckets, from: i32, to: i32) -> Self {
        let inner = buckets.iter().peekable();
        Self { inner, from, to }
    }
}

impl Iterator for Reduced<'_> {
    type Item = (i32, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let (number, mut sum) = self.inner.next()?;
        if self.from <= self.to {
            return Some((number, sum));
        }
        let (from, to) = (self.from, self.to);
        let number = reduced_number(number, from, to);
        let same = |next: &(i32, f64)| reduced_number(next.0, from, to) == number;
        while let Some((_, count)) = self.inner.next_if(same) {
            sum += count;
        }
        Some((number, sum))
    }
}

/// Buckets that are built in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// What is built so far.
    pub(super) buckets: Buckets,
    /// The number behind the last bucket.
    end: i64,
}

impl Builder {
    pub(super) fn with_capacity(counts: usize) -> Self {
        let counts = Vec::with_capacity(counts);
        let spans = Vec::new();
        let buckets = Buckets { spans, counts };
        Self { buckets, end: 0 }
    }

    /// How many numbers lie between the last bucket and `number`; none before the first bucket.
    fn gap(&self, number: i32) -> Option<i64> {
        (!self.buckets.spans.is_empty()).then(|| i64::from(number) - self.end)
    }

    pub(super) fn push(&mut self, number: i32, count: f64) {
        self.push_at(number.into(), count);
    }

    fn push_at(&mut self, number: i64, count: f64) {
        let spans = &mut self.buckets.spans;
        let mut gap = number - self.end;
        self.end = number + 1;
        self.buckets.counts.push(count);
        if gap == 0
            && let Some(last) = spans.last_mut()
            && last.length < u32::MAX
        {
            last.length += 1;
            return;
        }
        // A gap may be as wide as all numbers, twice what one offset can say.
        while i32::try_from(gap).is_err() {
            let offset = in_range(gap);
            spans.push(BucketSpan { offset, length: 0 });
            gap -= i64::from(offset);
        }
        spans.push(BucketSpan {
            offset: in_range(gap),
            length: 1,
        });
    }
}

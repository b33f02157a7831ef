//! Memory that many share: what each of them wants is reserved first, and refused when it is not there.
//!
//! Reservations are reckoned, not measured: whoever holds much says beforehand about how much that will be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::SourceError;

/// Bytes that a reservation takes at once, so that most of its growing touches nobody else.
const PIECE: usize = 16 << 10;

/// Of the budget this part is kept for small questions, which are that small: so a rule or a status page is answered
/// while others ask for everything.
const KEPT_PART: usize = 8;
const SMALL_PART: usize = 32;

/// So many bytes for all who answer questions at a time; clones are one budget. The default has no limit.
#[derive(Clone, Debug, Default)]
pub struct Budget(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    reserved: AtomicUsize,
    refused_large: AtomicU64,
    refused_busy: AtomicU64,
}

impl Budget {
    /// A budget of so many bytes; 0 is no limit.
    pub fn new(bytes_max: usize) -> Self {
        let shared = Shared {
            bytes_max,
            reserved: AtomicUsize::new(0),
            refused_large: AtomicU64::new(0),
            refused_busy: AtomicU64::new(0),
        };
        Self((bytes_max > 0).then(|| Arc::new(shared)))
    }

    /// A reservation of nothing yet.
    pub fn reservation(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            wanted: 0,
            reserved: 0,
        }
    }

    /// The limit in bytes; 0 is none.
    pub fn bytes_max(&self) -> usize {
        self.0.as_ref().map_or(0, |shared| shared.bytes_max)
    }

    /// Bytes that are reserved now.
    pub fn reserved(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |shared| shared.reserved.load(Relaxed))
    }

    /// How often something was refused because it was too large by itself.
    pub fn refused_large(&self) -> u64 {
        self.0
            .as_ref()
            .map_or(0, |shared| shared.refused_large.load(Relaxed))
    }

    /// How often something was refused because others had reserved too much.
    pub fn refused_busy(&self) -> u64 {
        self.0
            .as_ref()
            .map_or(0, |shared| shared.refused_busy.load(Relaxed))
    }
}

/// Bytes of a [`Budget`], which has them back when this is dropped.
#[derive(Debug, Default)]
pub struct Reservation {
    budget: Budget,
    /// What was asked for …
    wanted: usize,
    /// … and what was taken for it, in pieces.
    reserved: usize,
}

impl Reservation {
    /// Reserves so many bytes more.
    ///
    /// Errors: they are not there. Then nothing has changed.
    pub fn grow(&mut self, bytes: usize) -> Result<(), SourceError> {
        let wanted = self.wanted.saturating_add(bytes);
        if wanted > self.reserved {
            self.take(wanted)?;
        }
        self.wanted = wanted;
        Ok(())
    }

    /// Reserves so many bytes altogether, unless it has as many.
    ///
    /// Errors: they are not there. Then nothing has changed.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), SourceError> {
        self.grow(bytes.saturating_sub(self.wanted))
    }

    /// Bytes that it was asked for.
    pub fn bytes(&self) -> usize {
        self.wanted
    }

    /// Gives so many bytes back.
    pub fn shrink(&mut self, bytes: usize) {
        self.wanted = self.wanted.saturating_sub(bytes);
        // What may be needed again in a moment stays.
        let kept = self.wanted.saturating_add(PIECE);
        if let Some(shared) = &self.budget.0
            && self.reserved > kept + PIECE
        {
            shared.reserved.fetch_sub(self.reserved - kept, Relaxed);
            self.reserved = kept;
        }
    }

    fn take(&mut self, wanted: usize) -> Result<(), SourceError> {
        let Some(shared) = &self.budget.0 else {
            return Ok(());
        };
        let bytes_max = shared.bytes_max;
        let limit = match wanted > bytes_max / SMALL_PART {
            true => bytes_max - bytes_max / KEPT_PART,
            false => bytes_max,
        };
        // Without room for a whole piece, just what is wanted.
        for target in [wanted.div_ceil(PIECE).saturating_mul(PIECE), wanted] {
            let more = target - self.reserved;
            let add = |reserved: usize| reserved.checked_add(more).filter(|sum| *sum <= limit);
            if shared.reserved.fetch_update(Relaxed, Relaxed, add).is_ok() {
                self.reserved = target;
                return Ok(());
            }
        }
        // Others may be a part of the same question, so half of it is much already.
        if wanted > bytes_max / 2 {
            shared.refused_large.fetch_add(1, Relaxed);
            return Err(SourceError::Limit(format!(
                "the question needs more memory than there is for questions: {wanted} bytes and more, of {bytes_max}: ask for fewer series or a shorter range, or raise limits.memory"
            )));
        }
        shared.refused_busy.fetch_add(1, Relaxed);
        Err(SourceError::Busy(format!(
            "questions that are being answered take the memory there is for questions, {bytes_max} bytes: {wanted} bytes more are wanted: try again later, ask for fewer series or a shorter range, or raise limits.memory"
        )))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(shared) = &self.budget.0 {
            shared.reserved.fetch_sub(self.reserved, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 64 * PIECE;

    #[test]
    fn what_is_dropped_or_given_back_can_be_reserved_again() {
        let budget = Budget::new(MAX);
        let mut first = budget.reservation();
        first.grow(40 * PIECE).unwrap();
        let mut second = budget.reservation();
        assert!(matches!(second.grow(20 * PIECE), Err(SourceError::Busy(_))));
        first.shrink(30 * PIECE);
        second.grow(20 * PIECE).unwrap();
        drop((first, second));
        assert_eq!(budget.reserved(), 0);
        assert_eq!((budget.refused_busy(), budget.refused_large()), (1, 0));
    }

    #[test]
    fn a_question_that_is_too_large_by_itself_is_told_so() {
        let budget = Budget::new(MAX);
        let mut reservation = budget.reservation();
        reservation.grow(30 * PIECE).unwrap();
        let error = reservation.grow(27 * PIECE).unwrap_err();
        assert!(matches!(&error, SourceError::Limit(text) if text.contains("limits.memory")));
        assert_eq!((budget.refused_busy(), budget.refused_large()), (0, 1));
        // Nothing has changed.
        reservation.grow(26 * PIECE).unwrap();
    }

    #[test]
    fn small_questions_find_room_while_large_ones_take_all() {
        let budget = Budget::new(MAX);
        let mut large = budget.reservation();
        while large.grow(PIECE).is_ok() {}
        budget.reservation().grow(PIECE).unwrap();
        assert!(budget.reservation().grow(3 * PIECE).is_err());
    }

    #[test]
    fn without_limit_nothing_is_refused() {
        for budget in [Budget::new(0), Budget::default()] {
            let mut reservation = budget.reservation();
            reservation.grow(usize::MAX).unwrap();
            reservation.grow(usize::MAX).unwrap();
            reservation.shrink(1);
            assert_eq!((budget.reserved(), budget.bytes_max()), (0, 0));
        }
    }

    #[test]
    fn no_more_is_reserved_than_there_is_when_all_want_it_at_once() {
        let budget = Budget::new(MAX);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let mut reservation = budget.reservation();
                        while reservation.grow(PIECE / 2 + 1).is_ok() {}
                        assert!(budget.reserved() <= MAX);
                    }
                });
            }
        });
        assert_eq!(budget.reserved(), 0);
    }
}

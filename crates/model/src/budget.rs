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

/// Of the budget this part is for rules alone: nobody who asks may keep alerts from being evaluated.
const RULES_PART: usize = 4;

/// So many bytes for all who answer questions at a time; clones are one budget. The default has no limit.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    shared: Option<Arc<Shared>>,
    asker: Asker,
}

/// Who reserves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asker {
    #[default]
    Anyone,
    /// Has a part of its own, and the rest as far as nobody has it.
    Rules,
}

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    /// By all.
    reserved: AtomicUsize,
    /// By those that are no rules, among it.
    reserved_by_anyone: AtomicUsize,
    refused_large: AtomicU64,
    refused_busy: AtomicU64,
}

impl Budget {
    /// A budget of so many bytes; 0 is no limit.
    pub fn new(bytes_max: usize) -> Self {
        let shared = Shared {
            bytes_max,
            reserved: AtomicUsize::new(0),
            reserved_by_anyone: AtomicUsize::new(0),
            refused_large: AtomicU64::new(0),
            refused_busy: AtomicU64::new(0),
        };
        Self {
            shared: (bytes_max > 0).then(|| Arc::new(shared)),
            asker: Asker::Anyone,
        }
    }

    /// The same budget for rules: a quarter of it is theirs alone, and they may have of the rest what is free.
    pub fn for_rules(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            asker: Asker::Rules,
        }
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
        self.shared.as_ref().map_or(0, |shared| shared.bytes_max)
    }

    /// Bytes that are reserved now.
    pub fn reserved(&self) -> usize {
        self.shared
            .as_ref()
            .map_or(0, |shared| shared.reserved.load(Relaxed))
    }

    /// How often something was refused because it was too large by itself.
    pub fn refused_large(&self) -> u64 {
        self.shared
            .as_ref()
            .map_or(0, |shared| shared.refused_large.load(Relaxed))
    }

    /// How often something was refused because others had reserved too much.
    pub fn refused_busy(&self) -> u64 {
        self.shared
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
        if let Some(shared) = &self.budget.shared
            && self.reserved > kept + PIECE
        {
            shared.give_back(self.budget.asker, self.reserved - kept);
            self.reserved = kept;
        }
    }

    fn take(&mut self, wanted: usize) -> Result<(), SourceError> {
        let Some(shared) = &self.budget.shared else {
            return Ok(());
        };
        let asker = self.budget.asker;
        let bytes_max = shared.bytes_max_of(asker);
        let limit = match asker == Asker::Anyone && wanted > bytes_max / SMALL_PART {
            true => bytes_max - bytes_max / KEPT_PART,
            false => bytes_max,
        };
        // Without room for a whole piece, just what is wanted.
        for target in [wanted.div_ceil(PIECE).saturating_mul(PIECE), wanted] {
            let more = target - self.reserved;
            if shared.take(asker, more, limit) {
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
        if let Some(shared) = &self.budget.shared {
            shared.give_back(self.budget.asker, self.reserved);
        }
    }
}

impl Shared {
    /// What may be reserved by all who are like this one.
    fn bytes_max_of(&self, asker: Asker) -> usize {
        match asker {
            Asker::Anyone => self.bytes_max - self.bytes_max / RULES_PART,
            Asker::Rules => self.bytes_max,
        }
    }

    /// Reserves if all who are like this one then have no more than `limit`, and all together no more than there is.
    fn take(&self, asker: Asker, bytes: usize, limit: usize) -> bool {
        let is_anyone = asker == Asker::Anyone;
        if is_anyone && !add(&self.reserved_by_anyone, bytes, limit) {
            return false;
        }
        let is_taken = add(&self.reserved, bytes, self.bytes_max);
        if is_anyone && !is_taken {
            self.reserved_by_anyone.fetch_sub(bytes, Relaxed);
        }
        is_taken
    }

    fn give_back(&self, asker: Asker, bytes: usize) {
        self.reserved.fetch_sub(bytes, Relaxed);
        if asker == Asker::Anyone {
            self.reserved_by_anyone.fetch_sub(bytes, Relaxed);
        }
    }
}

/// Adds if the sum is at most `limit`.
fn add(sum: &AtomicUsize, bytes: usize, limit: usize) -> bool {
    let add = |sum: usize| sum.checked_add(bytes).filter(|sum| *sum <= limit);
    sum.fetch_update(Relaxed, Relaxed, add).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What anyone may have, without the part of the rules.
    const MAX: usize = 64 * PIECE;

    fn budget() -> Budget {
        Budget::new(MAX / 3 * 4 + 4)
    }

    #[test]
    fn what_is_dropped_or_given_back_can_be_reserved_again() {
        let budget = budget();
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
        let budget = budget();
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
        let budget = budget();
        let mut large = budget.reservation();
        while large.grow(PIECE).is_ok() {}
        budget.reservation().grow(PIECE).unwrap();
        assert!(budget.reservation().grow(3 * PIECE).is_err());
    }

    #[test]
    fn rules_have_a_part_that_nobody_else_can_take() {
        let budget = budget();
        let mut flood = Vec::new();
        loop {
            let mut small = budget.reservation();
            if small.grow(PIECE).is_err() {
                break;
            }
            flood.push(small);
        }
        let rules = budget.for_rules();
        let mut rule = rules.reservation();
        rule.grow(20 * PIECE).unwrap();
        // More than their part is there only when others leave it.
        assert!(rule.grow(10 * PIECE).is_err());
        drop(flood);
        rule.grow(10 * PIECE).unwrap();
        drop(rule);
        assert_eq!((budget.reserved(), rules.reserved()), (0, 0));
    }

    #[test]
    fn what_rules_take_of_the_rest_others_find_taken() {
        let budget = budget();
        let mut rule = budget.for_rules().reservation();
        rule.grow(80 * PIECE).unwrap();
        let mut other = budget.reservation();
        assert!(matches!(other.grow(20 * PIECE), Err(SourceError::Busy(_))));
        drop(rule);
        other.grow(20 * PIECE).unwrap();
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
        let budget = budget();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let mut reservation = budget.reservation();
                        while reservation.grow(PIECE / 2 + 1).is_ok() {}
                        assert!(budget.reserved() <= MAX + 2);
                    }
                });
            }
        });
        assert_eq!(budget.reserved(), 0);
    }
}

//! What is asked most, and what takes the most time: totals by expression, as far back as there is room.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use super::QueryKind;

/// Expressions that are known at once. When there are more, the half that was not asked for longest is forgotten.
const EXPRESSIONS_MAX: usize = 1000;

#[derive(Default)]
pub(super) struct TopQueries(HashMap<String, Vec<(QueryKind, Totals)>>);

/// What all queries of one expression took together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) count: u64,
    pub(crate) total: Duration,
    pub(crate) longest: Duration,
    /// When the last one ended, on the monotonic clock.
    last: Duration,
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Count,
    Total,
    Average,
}

impl TopQueries {
    pub(super) fn add(&mut self, kind: QueryKind, expression: &str, took: Duration, now: Duration) {
        if !self.0.contains_key(expression) {
            if self.0.len() >= EXPRESSIONS_MAX {
                self.forget();
            }
            self.0.insert(expression.to_owned(), Vec::new());
        }
        let Some(kinds) = self.0.get_mut(expression) else {
            return;
        };
        let place = kinds.iter().position(|(known, _)| *known == kind);
        let place = place.unwrap_or_else(|| {
            kinds.push((kind, Totals::default()));
            kinds.len() - 1
        });
        let totals = &mut kinds[place].1;
        totals.count += 1;
        totals.total = totals.total.saturating_add(took);
        totals.longest = totals.longest.max(took);
        totals.last = now;
    }

    pub(super) fn first(&self, order: Order, count: usize) -> Vec<(QueryKind, String, Totals)> {
        let all = self.0.iter().flat_map(|(expression, kinds)| {
            let kinds = kinds.iter();
            kinds.map(move |(kind, totals)| (*kind, expression, *totals))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(kind, expression, totals)| {
            let size = match order {
                Order::Count => u128::from(totals.count),
                Order::Total => totals.total.as_nanos(),
                Order::Average => totals.average().as_nanos(),
            };
            (Reverse(size), *expression, kind.as_str())
        });
        let first = all.into_iter().take(count);
        first
            .map(|(kind, expression, totals)| (kind, expression.clone(), totals))
            .collect()
    }

    fn forget(&mut self) {
        let last = |kinds: &[(QueryKind, Totals)]| {
            let times = kinds.iter().map(|(_, totals)| totals.last);
            times.max().unwrap_or_default()
        };
        let mut times: Vec<(Duration, String)> = self
            .0
            .iter()
            .map(|(expression, kinds)| (last(kinds), expression.clone()))
            .collect();
        times.sort();
        for (_, expression) in times.into_iter().take(EXPRESSIONS_MAX / 2) {
            self.0.remove(&expression);
        }
    }
}

impl Totals {
    pub(crate) fn average(&self) -> Duration {
        let nanos = self.total.as_nanos() / u128::from(self.count.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn names(top: &TopQueries, order: Order) -> Vec<String> {
        let first = top.first(order, 2);
        first.into_iter().map(|(_, name, _)| name).collect()
    }

    #[test]
    fn each_order_has_its_own_first() {
        let mut top = TopQueries::default();
        for _ in 0..10 {
            top.add(QueryKind::Instant, "often", SECOND, SECOND);
        }
        for _ in 0..2 {
            top.add(QueryKind::Range, "long", 6 * SECOND, SECOND);
        }
        top.add(QueryKind::Rule, "longest", 9 * SECOND, SECOND);
        assert_eq!(names(&top, Order::Count), ["often", "long"]);
        assert_eq!(names(&top, Order::Total), ["long", "often"]);
        assert_eq!(names(&top, Order::Average), ["longest", "long"]);
    }

    #[test]
    fn of_too_many_expressions_those_asked_last_stay() {
        let mut top = TopQueries::default();
        for number in 0..5_000_u32 {
            let now = SECOND * number;
            top.add(QueryKind::Instant, &format!("up == {number}"), SECOND, now);
            top.add(QueryKind::Instant, "always", SECOND, now);
        }
        assert!(top.0.len() <= EXPRESSIONS_MAX);
        assert_eq!(top.first(Order::Count, 1)[0].2.count, 5_000);
        assert!(top.0.contains_key("up == 4999") && !top.0.contains_key("up == 7"));
    }
}

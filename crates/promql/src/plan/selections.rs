//! Which series are selected: each set of conditions once for all selectors that have it.

use model::{Matcher, Selection, Timestamp};

/// A selection is not widened to more than this factor for another selector, since then that one would read too much.
const WIDENED_MAX: i64 = 2;

/// The selections of a query so far.
#[derive(Debug, Default)]
pub(super) struct Selections {
    list: Vec<Planned>,
}

#[derive(Debug)]
struct Planned {
    matchers: Vec<Matcher>,
    start: i64,
    end: i64,
}

impl Selections {
    /// The number of the selection for conditions on series and the first and last moment of interest.
    pub(super) fn add(&mut self, matchers: Vec<Matcher>, (start, end): (i64, i64)) -> usize {
        let length = end.saturating_sub(start);
        let found = self.list.iter_mut().position(|planned| {
            if planned.matchers != matchers {
                return false;
            }
            let known = planned.end.saturating_sub(planned.start);
            let contained = planned.start <= start && end <= planned.end;
            let contains = start <= planned.start && planned.end <= end;
            let (short, long) = (length.min(known), length.max(known));
            (contained || contains) && long <= short.saturating_mul(WIDENED_MAX)
        });
        if let Some(index) = found {
            let planned = &mut self.list[index];
            planned.start = planned.start.min(start);
            planned.end = planned.end.max(end);
            return index;
        }
        self.list.push(Planned {
            matchers,
            start,
            end,
        });
        self.list.len() - 1
    }

    pub(super) fn into_list(self) -> Vec<Selection> {
        let selection = |planned: Planned| Selection {
            matchers: planned.matchers,
            start: Timestamp::from_millis(planned.start),
            end: Timestamp::from_millis(planned.end),
        };
        self.list.into_iter().map(selection).collect()
    }
}

//! `storage.selector_retention`: series that are kept shorter than the others, by selector.

use std::time::Duration;

use document::Value;

use super::Draft;

/// So many are compared with each series that is written out; a longer list would be felt.
const SELECTORS_MAX: usize = 100;

/// The shortest and the longest time, which are also those of `storage.retention`.
const LEAST: Duration = Duration::from_hours(1);
const MOST: Duration = Duration::from_hours(100 * 365 * 24);

/// Reads a mapping from selectors to durations.
pub(super) fn read_selector_retention<'d>(value: Value<'d>, draft: &mut Draft<'d>) {
    let Some(section) = value.clone().section() else {
        return;
    };
    let pairs = section.pairs();
    if pairs.len() > SELECTORS_MAX {
        value.refuse(format!(
            "{} selectors are too many; the most is {SELECTORS_MAX}",
            pairs.len()
        ));
    }
    for (selector, duration) in pairs {
        let matchers = promql::parse_selector(selector);
        if let Err(error) = &matchers {
            duration.refuse(format!(
                "{selector:?} is no selector such as {{job=\"debug\"}}: {error}"
            ));
        }
        let place = duration.clone();
        let kept = duration.duration_within(LEAST..=MOST);
        if let (Ok(matchers), Some(kept)) = (matchers, kept) {
            draft.selector_retention.push((place, kept));
            let storage = &mut draft.config.storage;
            storage.selector_retention.push((matchers, kept));
        }
    }
}

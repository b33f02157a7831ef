//! Which series there are: from the bytes of a sender to a number, and from labels to numbers.
//!
//! [`SeriesIndex`] is shared by the one who writes and all who read; its lock is held for microseconds only, and what
//! takes longer goes in slices. [`Identity`] belongs to the writer, who asks it first: it knows the keys of senders by
//! their order and by their hash. Series that are evicted are found no more at once; their numbers are used again when
//! no [`Pin`] that is older is held.

mod arena;
mod content;
mod identity;
mod index;
mod limits;
mod order;
mod paged;
mod pairs;
mod pins;
mod postings;
mod select;
mod sort;
mod statistics;
mod table;
mod values;

pub(crate) use identity::{Identity, UNKNOWN};
pub(crate) use index::SeriesIndex;
pub(crate) use limits::Limits;
pub(crate) use statistics::Count;

#[cfg(test)]
mod tests;

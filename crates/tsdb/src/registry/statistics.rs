//! What makes the series so many: figures for those who look for the cause.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use model::NAME;

use super::index::{SLICE, SeriesIndex};

/// A name and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) name: String,
    pub(crate) count: u64,
}

/// The figures of Prometheus' `/api/v1/status/tsdb`, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    pub(crate) series: u64,
    pub(crate) label_pairs: u64,
    pub(crate) series_by_metric_name: Vec<Count>,
    pub(crate) values_by_label_name: Vec<Count>,
    /// Bytes of all values of a label.
    pub(crate) memory_by_label_name: Vec<Count>,
    /// By `name=value`.
    pub(crate) series_by_label_pair: Vec<Count>,
}

impl SeriesIndex {
    /// The figures, at most `limit` of each kind. Evicted series count until they are reclaimed.
    pub(crate) fn statistics(&self, limit: usize) -> Statistics {
        let _pin = self.pin();
        let content = self.read();
        let mut statistics = Statistics {
            series: content.len() as u64,
            label_pairs: content.pairs.len() as u64,
            ..Statistics::default()
        };
        let mut values = Largest::new(limit);
        let mut memory = Largest::new(limit);
        let mut names = Vec::new();
        for (_, name) in content.pairs.names() {
            values.add(name.pairs.len(), || name.text.to_string());
            memory.add(name.bytes, || name.text.to_string());
            names.push(name.text.to_string());
        }
        drop(content);
        statistics.values_by_label_name = values.finish();
        statistics.memory_by_label_name = memory.finish();
        let mut metrics = Largest::new(limit);
        let mut pairs = Largest::new(limit);
        for name in &names {
            self.each_count(name, |value, count| {
                pairs.add(count, || format!("{name}={value}"));
                if name == NAME {
                    metrics.add(count, || value.to_owned());
                }
            });
        }
        statistics.series_by_metric_name = metrics.finish();
        statistics.series_by_label_pair = pairs.finish();
        statistics
    }

    /// Shows each value of a label and how many series have it.
    fn each_count(&self, name: &str, mut each: impl FnMut(&str, u64)) {
        let mut next = Some(0);
        while let Some(from) = next {
            let content = self.read();
            let Some(name) = content.pairs.find_name(name) else {
                return;
            };
            next = None;
            let pairs = content.pairs.name(name).pairs.range(from..);
            for pair in pairs.take(4 * SLICE) {
                each(content.pairs.value_of(pair), content.pairs.ids(pair).len());
                next = pair.checked_add(1);
            }
        }
    }
}

/// The largest of many counts; of equal ones those whose name comes first.
struct Largest {
    limit: usize,
    /// The smallest on top.
    heap: BinaryHeap<(Reverse<u64>, String)>,
}

impl Largest {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            heap: BinaryHeap::new(),
        }
    }

    fn add(&mut self, count: u64, name: impl FnOnce() -> String) {
        if self.heap.len() < self.limit {
            self.heap.push((Reverse(count), name()));
        } else if let Some(mut smallest) = self.heap.peek_mut()
            && smallest.0.0 <= count
        {
            let new = (Reverse(count), name());
            if new < *smallest {
                *smallest = new;
            }
        }
    }

    fn finish(self) -> Vec<Count> {
        let sorted = self.heap.into_sorted_vec().into_iter();
        let count = |(Reverse(count), name)| Count { name, count };
        sorted.map(count).collect()
    }
}

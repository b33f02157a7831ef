//! Which new series are refused. Series that are there already go on whatever the limits are.

use std::collections::VecDeque;

use model::{InvalidLabels, Labels, NAME, RejectReason, Timestamp};

use super::pairs::Pairs;

/// The most bytes that the labels of one series may take together.
const LABELS_BYTES_MAX: usize = 1 << 20;

/// New series are counted by minutes: the limit holds for an hour to a minute.
const BUCKET_MILLIS: i64 = 60_000;
const BUCKETS: i64 = 60;

/// So much of a name or value is shown.
const SHOWN_MAX: usize = 64;

/// What is allowed; 0 is no limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    /// How many series there may be.
    pub(crate) active_series: usize,
    /// How many series may be created within an hour.
    pub(crate) new_series_per_hour: usize,
    /// Labels of a series, the metric's name included.
    pub(crate) labels_per_series: usize,
    /// Bytes of a label's name.
    pub(crate) label_name_bytes: usize,
    /// Bytes of a label's value.
    pub(crate) label_value_bytes: usize,
    /// How many series may have the same value of [`Limits::cardinality_label`].
    pub(crate) cardinality: usize,
    /// The label whose values have a budget each.
    pub(crate) cardinality_label: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            active_series: 0,
            new_series_per_hour: 0,
            labels_per_series: 0,
            label_name_bytes: 0,
            label_value_bytes: 0,
            cardinality: 0,
            cardinality_label: "job".to_owned(),
        }
    }
}

/// How many series were created in each of the last minutes.
#[derive(Default)]
pub(super) struct Window {
    /// Minute and number, the oldest first.
    minutes: VecDeque<(i64, usize)>,
    sum: usize,
}

impl Window {
    pub(super) fn sum(&mut self, now: Timestamp) -> usize {
        let minute = now.as_millis().div_euclid(BUCKET_MILLIS);
        while let Some((first, count)) = self.minutes.front()
            && *first <= minute - BUCKETS
        {
            self.sum -= count;
            self.minutes.pop_front();
        }
        self.sum
    }

    pub(super) fn count(&mut self, now: Timestamp) {
        let minute = now.as_millis().div_euclid(BUCKET_MILLIS);
        self.sum += 1;
        match self.minutes.back_mut() {
            // A clock that goes back counts on where it was.
            Some((last, count)) if *last >= minute => *count += 1,
            _ => self.minutes.push_back((minute, 1)),
        }
    }
}

impl Limits {
    /// Whether a series with these labels may be added to `count` series.
    pub(super) fn check(
        &self,
        labels: &Labels,
        count: usize,
        pairs: &Pairs,
        window: &mut Window,
        now: Timestamp,
    ) -> Result<(), RejectReason> {
        let over = |limit: usize, size: usize| limit != 0 && size > limit;
        let mut label_count = 0;
        for (name, value) in labels.iter() {
            label_count += 1;
            if over(self.label_name_bytes, name.len()) {
                return Err(RejectReason::LabelNameLimit {
                    name: shown(name),
                    length: name.len(),
                    limit: self.label_name_bytes,
                });
            }
            if over(self.label_value_bytes, value.len()) {
                return Err(RejectReason::LabelValueLimit {
                    name: shown(name),
                    length: value.len(),
                    limit: self.label_value_bytes,
                });
            }
        }
        if over(self.labels_per_series, label_count) {
            return Err(RejectReason::LabelCountLimit {
                metric: shown(labels.metric_name()),
                count: label_count,
                limit: self.labels_per_series,
            });
        }
        if over(self.active_series, count + 1) {
            return Err(RejectReason::SeriesLimit {
                limit: self.active_series,
            });
        }
        if self.cardinality != 0 {
            self.check_budget(labels, pairs)?;
        }
        if over(self.new_series_per_hour, window.sum(now) + 1) {
            return Err(RejectReason::NewSeriesLimit {
                limit: self.new_series_per_hour,
            });
        }
        Ok(())
    }

    fn check_budget(&self, labels: &Labels, pairs: &Pairs) -> Result<(), RejectReason> {
        let label = &self.cardinality_label;
        let value = labels.get(label);
        let pair = value.and_then(|value| pairs.find(label, value));
        let count = pair.map_or(0, |pair| pairs.ids(pair).len());
        if count < self.cardinality as u64 {
            return Ok(());
        }
        Err(RejectReason::CardinalityLimit {
            label: label.clone(),
            value: shown(value.unwrap_or("")),
            limit: self.cardinality,
        })
    }
}

/// Whether labels may be those of a series, whatever the limits.
pub(super) fn validate(labels: &Labels) -> Result<(), RejectReason> {
    let refuse = |reason: String| Err(InvalidLabels::Malformed(reason).into());
    if labels.metric_name().is_empty() {
        return refuse(format!(
            "{labels} has no metric name: label {NAME} is needed"
        ));
    }
    if labels.iter().any(|(name, _)| name.is_empty()) {
        return refuse(format!("{labels} has a label without a name"));
    }
    let length = labels.as_packed().len();
    if length > LABELS_BYTES_MAX {
        return refuse(format!(
            "labels of {} take {length} bytes, at most {LABELS_BYTES_MAX} are allowed",
            shown(labels.metric_name())
        ));
    }
    Ok(())
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

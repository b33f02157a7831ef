//! Results of queries, written as Prometheus writes them: values are texts, since JSON has no NaN and no infinity.
//!
//! A result is written in parts of about any length, and each series is given back as soon as it is written: so what is in
//! memory besides the result is no second one.

use std::vec::IntoIter;

use model::{Labels, Reservation, Timestamp};
use promql::{FloatHistogram, SampleValue, Series, Value, VectorSample};

use crate::error::ApiError;
use crate::json;
use crate::stream::{PIECE_BYTES, Pieces};

/// Samples that are written before the length of the part is looked at.
const SAMPLES_AT_ONCE: usize = 256;

/// Writes `{"resultType":…,"result":…` and, at the end, whatever follows the result.
pub(super) struct ResultWriter {
    head: Option<String>,
    rest: Rest,
    /// Whether nothing was written of the list yet.
    is_first: bool,
    tail: Option<String>,
    /// What the result takes.
    #[expect(dead_code, reason = "it is held for its end")]
    memory: Reservation,
}

/// What is not written yet.
enum Rest {
    Nothing,
    Vector(IntoIter<VectorSample>),
    Matrix {
        /// The series that is being written, and how many samples of it are.
        current: Option<(Series, usize)>,
        series: IntoIter<Series>,
    },
}

impl ResultWriter {
    /// A writer of a result that begins with `head` and ends with `tail`.
    pub(super) fn new(mut head: String, value: Value, tail: String, memory: Reservation) -> Self {
        let rest = match value {
            Value::Scalar(sample) => {
                head.push_str(r#"{"resultType":"scalar","result":"#);
                json::push_sample(&mut head, sample.timestamp, sample.value);
                Rest::Nothing
            }
            Value::String { timestamp, value } => {
                head.push_str(r#"{"resultType":"string","result":["#);
                json::push_timestamp(&mut head, timestamp);
                head.push(',');
                json::push_string(&mut head, &value);
                head.push(']');
                Rest::Nothing
            }
            Value::Vector(samples) => {
                head.push_str(r#"{"resultType":"vector","result":["#);
                Rest::Vector(samples.into_iter())
            }
            Value::Matrix(series) => {
                head.push_str(r#"{"resultType":"matrix","result":["#);
                Rest::Matrix {
                    current: None,
                    series: series.into_iter(),
                }
            }
        };
        Self {
            head: Some(head),
            rest,
            is_first: true,
            tail: Some(tail),
            memory,
        }
    }

    /// Appends the next part, until `out` has about so many bytes; whether something is left.
    pub(super) fn write(&mut self, out: &mut String, bytes: usize) -> bool {
        if let Some(head) = self.head.take() {
            out.push_str(&head);
        }
        loop {
            if out.len() >= bytes {
                return true;
            }
            if !self.write_some(out) {
                break;
            }
        }
        if let Some(tail) = self.tail.take() {
            let is_list = !matches!(self.rest, Rest::Nothing);
            out.push_str(if is_list { "]" } else { "" });
            out.push_str(&tail);
        }
        false
    }

    /// Appends a sample of a vector, or some of a matrix; false if there is none left.
    fn write_some(&mut self, out: &mut String) -> bool {
        match &mut self.rest {
            Rest::Nothing => return false,
            Rest::Vector(samples) => {
                let Some(sample) = samples.next() else {
                    return false;
                };
                json::separate(out, usize::from(!self.is_first));
                push_vector_sample(out, &sample);
            }
            Rest::Matrix { current, series } => {
                let (series, written) = match current {
                    Some(current) => current,
                    None => {
                        let Some(next) = series.next() else {
                            return false;
                        };
                        json::separate(out, usize::from(!self.is_first));
                        push_metric(out, &next.labels);
                        current.insert((next, 0))
                    }
                };
                if !push_points(out, series, written) {
                    out.push('}');
                    *current = None;
                }
            }
        }
        self.is_first = false;
        true
    }
}

impl Pieces for ResultWriter {
    fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        if self.tail.is_none() {
            return Ok(None);
        }
        let mut out = String::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        self.write(&mut out, PIECE_BYTES);
        Ok(Some(out.into_bytes()))
    }
}

/// Leaves at most so many series; whether there were more.
pub(super) fn truncate(value: &mut Value, series_max: usize) -> bool {
    let len = match value {
        Value::Scalar(_) | Value::String { .. } => 0,
        Value::Vector(samples) => {
            let len = samples.len();
            samples.truncate(series_max);
            len
        }
        Value::Matrix(series) => {
            let len = series.len();
            series.truncate(series_max);
            len
        }
    };
    len > series_max
}

fn push_metric(out: &mut String, labels: &Labels) {
    out.push_str(r#"{"metric":"#);
    json::push_labels(out, labels);
}

fn push_vector_sample(out: &mut String, sample: &VectorSample) {
    push_metric(out, &sample.labels);
    match &sample.value {
        SampleValue::Float(value) => {
            out.push_str(r#","value":"#);
            json::push_sample(out, sample.timestamp, *value);
        }
        SampleValue::Histogram(histogram) => {
            out.push_str(r#","histogram":"#);
            push_histogram(out, sample.timestamp, histogram);
        }
    }
    out.push('}');
}

/// Appends further samples of a series, numbers first; whether some are left.
fn push_points(out: &mut String, series: &Series, written: &mut usize) -> bool {
    let Series {
        floats, histograms, ..
    } = series;
    let total = floats.len() + histograms.len();
    if *written < floats.len() {
        let end = floats.len().min(*written + SAMPLES_AT_ONCE);
        out.push_str(if *written == 0 { r#","values":["# } else { "," });
        let timestamps = &floats.timestamps[*written..end];
        for (index, (millis, value)) in timestamps
            .iter()
            .zip(&floats.values[*written..end])
            .enumerate()
        {
            json::separate(out, index);
            json::push_sample(out, Timestamp::from_millis(*millis), *value);
        }
        out.push_str(if end == floats.len() { "]" } else { "" });
        *written = end;
    } else if let Some((millis, histogram)) = histograms.get(*written - floats.len()) {
        let is_first = *written == floats.len();
        out.push_str(if is_first { r#","histograms":["# } else { "," });
        push_histogram(out, Timestamp::from_millis(*millis), histogram);
        *written += 1;
        out.push_str(if *written == total { "]" } else { "" });
    }
    *written < total
}

/// `[time, {"count":…,"sum":…,"buckets":[[rule,lower,upper,count],…]}]`, all numbers but the rules as texts; empty
/// buckets are left out, and the list if nothing is in any.
fn push_histogram(out: &mut String, timestamp: Timestamp, histogram: &FloatHistogram) {
    out.push('[');
    json::push_timestamp(out, timestamp);
    out.push_str(r#",{"count":"#);
    json::push_value(out, histogram.count);
    out.push_str(r#","sum":"#);
    json::push_value(out, histogram.sum);
    let filled = histogram.buckets().filter(|bucket| bucket.count != 0.0);
    let mut any = false;
    for (index, bucket) in filled.enumerate() {
        out.push_str(if index == 0 { r#","buckets":[["# } else { ",[" });
        json::push_display(out, bucket.boundary_rule());
        for value in [bucket.lower, bucket.upper, bucket.count] {
            out.push(',');
            json::push_value(out, value);
        }
        out.push(']');
        any = true;
    }
    out.push_str(if any { "]}]" } else { "}]" });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A series of so many numbers and histograms.
    fn series(name: &str, floats: i64, histograms: i64) -> Series {
        let mut series = Series {
            labels: Labels::from_pairs([("__name__", name)]).unwrap(),
            ..Series::default()
        };
        for index in 0..floats {
            series.floats.push(index * 1000, index as f64 / 2.0);
        }
        let empty = Arc::new(FloatHistogram::empty(0));
        series.histograms = (floats..floats + histograms)
            .map(|index| (index * 1000, empty.clone()))
            .collect();
        series
    }

    fn written(value: Value, bytes: usize) -> String {
        let mut writer =
            ResultWriter::new(String::new(), value, "}".to_owned(), Reservation::default());
        let (mut all, mut part) = (String::new(), String::new());
        loop {
            let more = writer.write(&mut part, bytes);
            all.push_str(&part);
            part.clear();
            if !more {
                return all;
            }
        }
    }

    #[test]
    fn parts_of_any_length_make_the_same_text() {
        let matrix = vec![
            series("a", 700, 3),
            series("b", 0, 0),
            series("c", 0, 2),
            series("d", 256, 0),
        ];
        let whole = written(Value::Matrix(matrix.clone()), usize::MAX);
        let read: serde_json::Value = serde_json::from_str(&whole).unwrap();
        let lengths = |key: &str| -> Vec<usize> {
            let series = read["result"].as_array().unwrap().iter();
            series
                .map(|one| one[key].as_array().map_or(0, Vec::len))
                .collect()
        };
        assert_eq!(lengths("values"), [700, 0, 0, 256]);
        assert_eq!(lengths("histograms"), [3, 0, 2, 0]);
        assert!(whole.contains(r#"{"metric":{"__name__":"b"}},"#));
        for bytes in [1, 100, 10_000] {
            assert_eq!(written(Value::Matrix(matrix.clone()), bytes), whole);
        }
        let empty = written(Value::Matrix(Vec::new()), 1);
        assert_eq!(empty, r#"{"resultType":"matrix","result":[]}"#);
    }

    #[test]
    fn the_buckets_of_a_histogram_that_hold_something_are_shown() {
        let histogram = FloatHistogram {
            count: 4.0,
            sum: -1.5,
            zero_threshold: 0.5,
            zero_count: 1.0,
            positive: promql::Buckets {
                spans: vec![model::BucketSpan {
                    offset: 0,
                    length: 2,
                }],
                counts: vec![0.0, 2.5],
            },
            negative: promql::Buckets {
                spans: vec![model::BucketSpan {
                    offset: 1,
                    length: 1,
                }],
                counts: vec![0.5],
            },
            ..FloatHistogram::empty(0)
        };
        let sample = VectorSample {
            labels: Labels::empty(),
            timestamp: Timestamp::from_millis(1500),
            value: SampleValue::Histogram(Arc::new(histogram)),
        };
        assert_eq!(
            written(Value::Vector(vec![sample]), 1),
            r#"{"resultType":"vector","result":[{"metric":{},"histogram":[1.500,{"count":"4","sum":"-1.5","buckets":[[1,"-2","-1","0.5"],[3,"-0.5","0.5","1"],[0,"1","2","2.5"]]}]}]}"#
        );
    }

    #[test]
    fn a_histogram_is_written_with_its_filled_buckets() {
        let histogram = FloatHistogram {
            zero_threshold: 0.25,
            zero_count: 2.0,
            count: 5.5,
            sum: f64::INFINITY,
            positive: promql::Buckets {
                spans: vec![model::BucketSpan {
                    offset: 0,
                    length: 3,
                }],
                counts: vec![1.5, 0.0, 2.0],
            },
            ..FloatHistogram::empty(0)
        };
        let timestamp = Timestamp::from_millis(1_500);
        let histogram = Arc::new(histogram);
        let one = VectorSample {
            labels: Labels::empty(),
            timestamp,
            value: SampleValue::Histogram(Arc::clone(&histogram)),
        };
        let expected = r#"[1.500,{"count":"5.5","sum":"+Inf","buckets":[[3,"-0.25","0.25","2"],[0,"0.5","1","1.5"],[0,"2","4","2"]]}]"#;
        assert_eq!(
            written(Value::Vector(vec![one]), 1),
            format!(
                r#"{{"resultType":"vector","result":[{{"metric":{{}},"histogram":{expected}}}]}}"#
            )
        );
        let series = Series {
            histograms: vec![(1_500, histogram)],
            ..Series::default()
        };
        assert_eq!(
            written(Value::Matrix(vec![series]), 1),
            format!(
                r#"{{"resultType":"matrix","result":[{{"metric":{{}},"histograms":[{expected}]}}]}}"#
            )
        );
    }
}

//! What rules ask about: series that come and go, known for the whole run in advance, and queries that fail.

use model::{Labels, Timestamp};
use promql::{Answer, EvalError, Expr, SampleValue, Value, VectorSample};

use crate::random::Random;
use crate::{HOUR, MINUTE, SECOND};

const INSTANCES: usize = 4;

/// What a query that fails says.
pub(crate) const BUSY: &str = "the store is busy";

/// All series, by the number of the signal.
pub(crate) struct Signals(Vec<Signal>);

struct Signal {
    series: Vec<(Labels, Vec<Piece>)>,
    /// When nobody gets an answer.
    failures: Vec<Piece>,
}

/// From a moment until before another one, in milliseconds.
#[derive(Clone, Copy)]
struct Piece {
    from: i64,
    until: i64,
    value: f64,
}

impl Signals {
    /// Until a moment; after it there are no series and no failures.
    pub(crate) fn new(count: usize, from: i64, until: i64, random: &mut Random) -> Self {
        let signal = |number| Signal {
            series: (0..INSTANCES)
                .map(|instance| (labels(number, instance), pieces(from, until, random)))
                .collect(),
            failures: failures(from, until, random),
        };
        Self((0..count).map(signal).collect())
    }

    /// The series that are there and above a threshold.
    pub(crate) fn above(
        &self,
        signal: usize,
        threshold: i64,
        at: i64,
    ) -> Result<Vec<(Labels, f64)>, String> {
        let signal = &self.0[signal];
        if value_at(&signal.failures, at).is_some() {
            return Err(BUSY.to_owned());
        }
        let mut above = Vec::new();
        for (labels, pieces) in &signal.series {
            let value = value_at(pieces, at).filter(|value| *value > threshold as f64);
            above.extend(value.map(|value| (labels.clone(), value)));
        }
        Ok(above)
    }

    /// The same for an expression such as `signal_7 > 30`.
    pub(crate) fn answer(&self, expr: &Expr, at: Timestamp) -> Result<Answer, EvalError> {
        let text = expr.to_string();
        let (signal, threshold) = text.split_once(" > ").unwrap();
        let signal = signal.strip_prefix("signal_").unwrap().parse().unwrap();
        let threshold = threshold.parse().unwrap();
        let above = self.above(signal, threshold, at.as_millis());
        let above = above.map_err(model::SourceError::Limit)?;
        let sample = |(labels, value)| VectorSample {
            labels,
            timestamp: at,
            value: SampleValue::Float(value),
        };
        Ok(Answer {
            value: Value::Vector(above.into_iter().map(sample).collect()),
            warnings: Vec::new(),
            infos: Vec::new(),
            samples_read: 0,
            memory: model::Reservation::default(),
        })
    }
}

fn labels(signal: usize, instance: usize) -> Labels {
    Labels::from_pairs([
        ("__name__", format!("signal_{signal}")),
        ("instance", format!("i{instance}")),
        ("zone", format!("z{}", instance % 2)),
    ])
    .unwrap()
}

/// Mostly nothing; then, for seconds or hours, a value that changes from time to time.
fn pieces(mut at: i64, until: i64, random: &mut Random) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while at < until {
        at += random.long_tailed(5 * MINUTE, 60 * HOUR);
        let end = at + random.long_tailed(10 * SECOND, 5 * HOUR);
        while at < end.min(until) {
            let from = at;
            at += random.long_tailed(20 * SECOND, 2 * HOUR).min(end - at);
            pieces.push(Piece {
                from,
                until: at.min(until),
                value: random.within(1, 99) as f64,
            });
        }
    }
    pieces
}

fn failures(mut at: i64, until: i64, random: &mut Random) -> Vec<Piece> {
    let mut failures = Vec::new();
    while at < until {
        at += random.long_tailed(HOUR, 72 * HOUR);
        let from = at;
        at += random.long_tailed(10 * SECOND, 40 * MINUTE);
        failures.push(Piece {
            from,
            until: at.min(until),
            value: 0.0,
        });
    }
    failures
}

fn value_at(pieces: &[Piece], at: i64) -> Option<f64> {
    let next = pieces.partition_point(|piece| piece.from <= at);
    let piece = pieces[..next].last()?;
    (at < piece.until).then_some(piece.value)
}

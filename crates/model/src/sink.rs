//! The port into the store: rows that still look as they came over the wire.
//!
//! A sender repeats the same label bytes with each sample. A batch therefore hands them over as they are, together
//! with the function that decodes them; a sink that has seen the bytes before need not decode anything.

use thiserror::Error;

use crate::{InvalidLabels, Labels, Metadata, Timestamp};

/// Takes samples in. The store and the remote engines of cluster mode implement it.
pub trait SampleSink: Send + Sync {
    /// Takes a batch in, row by row in order; a row that is refused does not keep out the others.
    ///
    /// When it returns, what it accepted survives the death of the process.
    ///
    /// Errors: nothing of the batch was accepted.
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError>;

    /// Remembers type, help and unit of metrics; later descriptions replace earlier ones.
    ///
    /// Errors: as [`SampleSink::append`].
    fn describe(&self, descriptions: &[(String, Metadata)]) -> Result<(), AppendError>;
}

/// Samples in the order of their arrival, with borrowed label bytes.
#[derive(Clone, Debug)]
pub struct SampleBatch<'a> {
    /// How the keys of all rows are written.
    pub encoding: KeyEncoding,
    /// The samples.
    pub rows: Vec<Row<'a>>,
}

/// One sample of one series.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The series' labels in the batch's encoding. Equal bytes are the same series, different bytes may be.
    pub key: &'a [u8],
    /// When it was measured.
    pub timestamp: Timestamp,
    /// What was measured.
    pub value: f64,
}

/// A way to write labels as bytes.
#[derive(Clone, Copy, Debug)]
pub struct KeyEncoding {
    /// Tells encodings apart, since equal bytes mean different labels in each; one constant for each encoding.
    pub id: u8,
    /// Reads the labels from a key.
    pub decode: fn(&[u8]) -> Result<Labels, InvalidLabels>,
}

impl KeyEncoding {
    /// Keys are [`Labels::as_packed`].
    pub const PACKED: Self = Self {
        id: 0,
        decode: Labels::from_packed,
    };
}

impl<'a> SampleBatch<'a> {
    /// A batch of samples of decoded series.
    pub fn packed(samples: impl IntoIterator<Item = (&'a Labels, Timestamp, f64)>) -> Self {
        let row = |(labels, timestamp, value): (&'a Labels, _, _)| Row {
            key: labels.as_packed().as_bytes(),
            timestamp,
            value,
        };
        Self {
            encoding: KeyEncoding::PACKED,
            rows: samples.into_iter().map(row).collect(),
        }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Appended {
    /// How many rows were accepted; a repetition of a known sample counts.
    pub accepted: usize,
    /// The other rows, in order.
    pub rejected: Vec<Rejected>,
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// Its index in the batch.
    pub row: usize,
    /// Why.
    pub reason: RejectReason,
}

/// Why a row was refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RejectReason {
    /// Its key holds no valid labels.
    #[error("invalid labels: {0}")]
    InvalidLabels(#[from] InvalidLabels),
    /// Its series has a sample that is newer by more than the out-of-order window.
    #[error(
        "sample at {timestamp} is older than the newest of its series ({newest}) by more than out_of_order_window"
    )]
    OutOfOrder {
        /// The row's timestamp.
        timestamp: Timestamp,
        /// The newest timestamp of the series.
        newest: Timestamp,
    },
    /// It is older than the retention.
    #[error("sample at {timestamp} is older than the retention, which reaches back to {oldest}")]
    BeyondRetention {
        /// The row's timestamp.
        timestamp: Timestamp,
        /// The oldest timestamp that is kept.
        oldest: Timestamp,
    },
    /// It is further ahead of the clock than clocks differ.
    #[error(
        "sample at {timestamp} lies in the future: none is taken beyond {limit}, check the sender's clock"
    )]
    InFuture {
        /// The row's timestamp.
        timestamp: Timestamp,
        /// The newest timestamp that is taken.
        limit: Timestamp,
    },
    /// Its series has another value at the same timestamp.
    #[error("another value is already stored at {timestamp}")]
    Duplicate {
        /// The row's timestamp.
        timestamp: Timestamp,
    },
    /// It would be a new series, and there are as many as are allowed.
    #[error("limit of {limit} active series reached: raise limits.active_series")]
    SeriesLimit {
        /// The limit.
        limit: usize,
    },
    /// Series and samples take all the memory that is allowed, and none of them may be dropped for it.
    #[error("no room in the {limit} bytes of memory that the store may take: raise limits.memory")]
    MemoryLimit {
        /// The limit in bytes.
        limit: u64,
    },
}

impl RejectReason {
    /// All that [`RejectReason::label`] may say.
    pub const LABELS: [&'static str; 7] = [
        "invalid_labels",
        "out_of_order",
        "beyond_retention",
        "in_future",
        "duplicate",
        "series_limit",
        "memory_limit",
    ];

    /// The reason as the value of a metric's label `reason`.
    pub const fn label(&self) -> &'static str {
        Self::LABELS[self.index()]
    }

    /// Where [`RejectReason::label`] stands in [`RejectReason::LABELS`].
    pub const fn index(&self) -> usize {
        match self {
            Self::InvalidLabels(_) => 0,
            Self::OutOfOrder { .. } => 1,
            Self::BeyondRetention { .. } => 2,
            Self::InFuture { .. } => 3,
            Self::Duplicate { .. } => 4,
            Self::SeriesLimit { .. } => 5,
            Self::MemoryLimit { .. } => 6,
        }
    }
}

/// Why a whole batch was refused.
#[derive(Debug, Error)]
pub enum AppendError {
    /// The log cannot be written; the store takes nothing more until it is opened anew.
    #[error("cannot write to the log: {0}")]
    Storage(String),
    /// The batch is larger than the sink takes at once.
    #[error("{0}")]
    TooLarge(String),
}

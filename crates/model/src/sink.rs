//! The port into the store: rows that still look as they came over the wire.
//!
//! A sender repeats the same label bytes with each sample. A batch therefore hands them over as they are, together
//! with the function that decodes them; a sink that has seen the bytes before need not decode anything.

mod announcement;

use thiserror::Error;

pub use self::announcement::{Announcement, Announcements};
use crate::labels::next_packed_label;
use crate::{Exemplar, Histogram, InvalidLabels, Labels, Metadata, Timestamp};

/// Takes samples in. The store and the remote engines of cluster mode implement it.
pub trait SampleSink: Send + Sync {
    /// Takes a batch in, row by row in order; a row that is refused does not keep out the others.
    ///
    /// Histograms are samples like others: of two at one timestamp the first stays, a repetition is accepted, and
    /// late ones are refused as late samples are. A series may have a number and a histogram at one timestamp, in
    /// whichever order they come: neither is a repetition of the other. Exemplars and starts may come late; repetitions
    /// are kept once.
    ///
    /// When it returns, what it accepted survives the death of the process.
    ///
    /// Errors: nothing of the batch was accepted.
    fn append(&self, batch: &SampleBatch<'_>) -> Result<Appended, AppendError>;

    /// Remembers type, help and unit of metrics; later descriptions replace earlier ones.
    ///
    /// Errors: as [`SampleSink::append`].
    fn describe(&self, descriptions: &[(String, Metadata)]) -> Result<(), AppendError>;

    /// Says that a batch is on its way, which will carry this: a sink that makes several batches durable at once may
    /// wait for it, for a moment.
    fn announce(&self) -> Announcement {
        Announcement::default()
    }
}

/// Samples in the order of their arrival, with borrowed label bytes.
#[derive(Clone, Debug)]
pub struct SampleBatch<'a> {
    /// How the keys of all rows are written.
    pub encoding: KeyEncoding,
    /// The samples that are one number.
    pub rows: Vec<Row<'a>>,
    /// The samples that are a distribution; all are valid ([`Histogram::validate`]).
    pub histograms: Vec<HistogramRow<'a>>,
    /// Observations that stand for others.
    pub exemplars: Vec<ExemplarRow<'a>>,
    /// Since when counters count.
    pub starts: Vec<StartRow<'a>>,
    /// Tells the sink that it need not wait for this batch any more.
    pub announcement: Announcement,
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

/// One native histogram of one series.
#[derive(Clone, Debug)]
pub struct HistogramRow<'a> {
    /// As [`Row::key`].
    pub key: &'a [u8],
    /// When it was measured.
    pub timestamp: Timestamp,
    /// What was measured.
    pub histogram: Histogram,
}

/// One exemplar of one series.
#[derive(Clone, Debug)]
pub struct ExemplarRow<'a> {
    /// As [`Row::key`].
    pub key: &'a [u8],
    /// The observation, with its own timestamp.
    pub exemplar: Exemplar,
}

/// Since when the counter (or counting histogram) has counted whose sample has the timestamp.
#[derive(Clone, Copy, Debug)]
pub struct StartRow<'a> {
    /// As [`Row::key`].
    pub key: &'a [u8],
    /// The timestamp of the sample.
    pub timestamp: Timestamp,
    /// When the counter was 0.
    pub start: Timestamp,
}

/// A way to write labels as bytes.
#[derive(Clone, Copy, Debug)]
pub struct KeyEncoding {
    /// Tells encodings apart, since equal bytes mean different labels in each; one constant for each encoding.
    pub id: u8,
    /// Reads the labels from a key.
    pub decode: fn(&[u8]) -> Result<Labels, InvalidLabels>,
    /// Takes the next label, name and value, off the front of a key. None at the end, and where a label is written in
    /// any but the usual way; what is left of the key then tells which. Nothing is checked but where the bytes lie:
    /// the labels are for comparing with known ones. A value is never empty.
    pub next: NextLabel,
}

/// See [`KeyEncoding::next`].
pub type NextLabel = for<'a> fn(&mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])>;

impl KeyEncoding {
    /// Keys are [`Labels::as_packed`].
    pub const PACKED: Self = Self {
        id: 0,
        decode: Labels::from_packed,
        next: next_packed_label,
    };

    /// An encoding whose labels cannot be taken one by one.
    pub const fn opaque(id: u8, decode: fn(&[u8]) -> Result<Labels, InvalidLabels>) -> Self {
        Self {
            id,
            decode,
            next: |_| None,
        }
    }
}

impl<'a> SampleBatch<'a> {
    /// A batch of nothing yet.
    pub fn new(encoding: KeyEncoding) -> Self {
        Self {
            encoding,
            rows: Vec::new(),
            histograms: Vec::new(),
            exemplars: Vec::new(),
            starts: Vec::new(),
            announcement: Announcement::default(),
        }
    }

    /// A batch of samples of decoded series.
    pub fn packed(samples: impl IntoIterator<Item = (&'a Labels, Timestamp, f64)>) -> Self {
        let row = |(labels, timestamp, value): (&'a Labels, _, _)| Row {
            key: labels.as_packed().as_bytes(),
            timestamp,
            value,
        };
        Self {
            rows: samples.into_iter().map(row).collect(),
            ..Self::new(KeyEncoding::PACKED)
        }
    }

    /// How many rows there are of all kinds.
    pub const fn len(&self) -> usize {
        self.rows.len() + self.histograms.len() + self.exemplars.len() + self.starts.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key of a row; none if there is no such row.
    pub fn key(&self, kind: RowKind, row: usize) -> Option<&'a [u8]> {
        match kind {
            RowKind::Sample => self.rows.get(row).map(|row| row.key),
            RowKind::Histogram => self.histograms.get(row).map(|row| row.key),
            RowKind::Exemplar => self.exemplars.get(row).map(|row| row.key),
            RowKind::Start => self.starts.get(row).map(|row| row.key),
        }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Appended {
    /// How many of [`SampleBatch::rows`] were accepted; here as below a repetition of what is known counts.
    pub accepted: usize,
    /// How many histograms were accepted.
    pub histograms: usize,
    /// How many exemplars were accepted.
    pub exemplars: usize,
    /// How many starts were accepted.
    pub starts: usize,
    /// The other rows, by kind in the order of [`RowKind`] and then by index.
    pub rejected: Vec<Rejected>,
}

impl Appended {
    /// The refused rows of a kind.
    pub fn rejected_of(&self, kind: RowKind) -> impl Iterator<Item = &Rejected> + Clone {
        self.rejected
            .iter()
            .filter(move |rejected| rejected.kind == kind)
    }
}

/// Which list of a batch a row stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKind {
    /// [`SampleBatch::rows`].
    #[default]
    Sample,
    /// [`SampleBatch::histograms`].
    Histogram,
    /// [`SampleBatch::exemplars`].
    Exemplar,
    /// [`SampleBatch::starts`].
    Start,
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// Which of the batch's lists it stands in.
    pub kind: RowKind,
    /// Its index in that list.
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
    /// It is older than the retention, or than 1970.
    #[error("sample at {timestamp} is too old: samples are kept from {oldest} on")]
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
    /// It would be a new series, and as many as are allowed were new within the last hour.
    #[error("limit of {limit} new series per hour reached: raise limits.new_series_per_hour")]
    NewSeriesLimit {
        /// The limit.
        limit: usize,
    },
    /// Its series, a new one, has too many labels.
    #[error(
        "series {metric} has {count} labels, at most {limit} are allowed: raise limits.labels_per_series"
    )]
    LabelCountLimit {
        /// The metric's name, cut.
        metric: String,
        /// How many labels it has, the name included.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The name of one of its labels is too long.
    #[error(
        "name of label {name:?} is {length} bytes long, at most {limit} are allowed: raise limits.label_name_bytes"
    )]
    LabelNameLimit {
        /// The label's name, cut.
        name: String,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The value of one of its labels is too long.
    #[error(
        "value of label {name:?} is {length} bytes long, at most {limit} are allowed: raise limits.label_value_bytes"
    )]
    LabelValueLimit {
        /// The label's name, cut.
        name: String,
        /// The value's length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// It would be a new series, and as many as are allowed have the same value of a label.
    #[error("limit of {limit} series with {label}={value:?} reached: raise limits.cardinality")]
    CardinalityLimit {
        /// The label's name.
        label: String,
        /// Its value, cut.
        value: String,
        /// How many series may have it.
        limit: usize,
    },
    /// Its series has as many exemplars as are kept.
    #[error("no more than {limit} exemplars of a series are kept {within}: send fewer")]
    ExemplarLimit {
        /// The limit.
        limit: usize,
        /// In which time.
        within: &'static str,
    },
    /// It is a histogram or exemplar of more bytes than are kept in one piece.
    #[error(
        "{what} takes {bytes} bytes, at most {limit} are allowed: send one with fewer buckets or labels"
    )]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// How many bytes it takes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl RejectReason {
    /// All that [`RejectReason::label`] may say.
    pub const LABELS: [&'static str; 14] = [
        "invalid_labels",
        "out_of_order",
        "beyond_retention",
        "in_future",
        "duplicate",
        "series_limit",
        "memory_limit",
        "new_series_limit",
        "label_count_limit",
        "label_name_limit",
        "label_value_limit",
        "cardinality_limit",
        "exemplar_limit",
        "too_large",
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
            Self::NewSeriesLimit { .. } => 7,
            Self::LabelCountLimit { .. } => 8,
            Self::LabelNameLimit { .. } => 9,
            Self::LabelValueLimit { .. } => 10,
            Self::CardinalityLimit { .. } => 11,
            Self::ExemplarLimit { .. } => 12,
            Self::TooLarge { .. } => 13,
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

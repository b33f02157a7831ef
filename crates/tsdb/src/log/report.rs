//! What reading a log's file found.

/// How many broken stretches are named; the others are only counted.
const BROKEN_NAMED_MAX: usize = 100;

/// What reading a log's file found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// The file's number.
    pub number: u64,
    /// The file's length.
    pub bytes: u64,
    /// Whole records, also those that were not used.
    pub records: u64,
    /// Series that were defined.
    pub definitions: u64,
    /// Series that were not, because labels of theirs stood in a broken record.
    pub definitions_lost: u64,
    /// Samples that were handed over.
    pub samples: u64,
    /// Samples and attachments that were left out because their series is not defined: its definition stood in a broken
    /// record.
    pub samples_undefined: u64,
    /// Samples that were left out because an earlier record of their epoch is broken, and their values build on it.
    pub samples_untrusted: u64,
    /// Attachments that were handed over.
    pub attachments: u64,
    /// Descriptions of metrics that were handed over.
    pub descriptions: u64,
    /// Whole records of a kind that this version does not know.
    pub records_unknown: u64,
    /// The oldest and the newest timestamp of the samples, in milliseconds; none without samples.
    pub time: Option<(i64, i64)>,
    /// Where the bytes end that make sense.
    pub end: u64,
    /// Bytes behind that: in the newest log with records a write that was interrupted, elsewhere damage.
    pub torn_bytes: u64,
    /// What is broken before the end. It is damage, unless power was lost before it was acknowledged.
    pub broken: BrokenStretches,
}

/// Stretches of a file that hold no whole record, or one that makes no sense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokenStretches {
    /// How many there are.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first hundred of them.
    pub first: Vec<BrokenStretch>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenStretch {
    /// Where it starts in the file.
    pub offset: u64,
    /// How many bytes were skipped.
    pub length: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl BrokenStretches {
    pub(super) fn push(&mut self, broken: BrokenStretch) {
        self.count += 1;
        self.bytes += broken.length;
        if self.first.len() < BROKEN_NAMED_MAX {
            self.first.push(broken);
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
        let room = BROKEN_NAMED_MAX - self.first.len();
        self.first.extend(other.first.into_iter().take(room));
    }
}

impl ReplayReport {
    pub(super) fn saw(&mut self, timestamp: i64) {
        self.time = Some(match self.time {
            Some((oldest, newest)) => (oldest.min(timestamp), newest.max(timestamp)),
            None => (timestamp, timestamp),
        });
    }
}

//! What can be set.

use std::time::Duration;

use model::Matcher;

/// The settings of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How long samples are kept; zero keeps them for ever.
    pub retention: Duration,
    /// Bytes that the store's files may take, beyond which the oldest blocks go; 0 is no limit. Logs count as half of it
    /// at most, and what memory was written to last stays.
    pub retention_bytes: u64,
    /// The share of the file system, above 0 and at most 1, that may be in use, by whomever, before the oldest blocks
    /// go; none is no limit.
    pub retention_share: Option<f64>,
    /// How long samples are kept of series that fulfil all matchers; of several that fit, the shortest counts. Each is
    /// shorter than [`Config::retention`].
    pub selector_retention: Vec<(Vec<Matcher>, Duration)>,
    /// How much older than the newest of its series a sample may be.
    pub out_of_order_window: Duration,
    /// How many series there may be; 0 is no limit.
    pub active_series: usize,
    /// How many series may begin within an hour; 0 is no limit.
    pub new_series_per_hour: u64,
    /// How many labels a series may have; 0 is no limit.
    pub labels_per_series: usize,
    /// Bytes of a label's name; 0 is no limit.
    pub label_name_bytes: usize,
    /// Bytes of a label's value; 0 is no limit.
    pub label_value_bytes: usize,
    /// The label of which each value has its own budget of series.
    pub cardinality_label: String,
    /// How many series there may be for each value of [`Config::cardinality_label`]; 0 is no limit.
    pub cardinality_series: usize,
    /// When an append is acknowledged.
    pub acknowledge: Acknowledge,
    /// Bytes of memory that series and samples may take; 0 is no limit. On the way there samples move into blocks
    /// earlier; beyond it new ones are refused.
    pub memory_max: u64,
    /// Bytes of memory for what is selected and computed to answer questions, all that run at a time together; 0 is no
    /// limit.
    pub questions_max: u64,
    /// Bytes of memory at which a memtable is full and becomes a block.
    pub memtable_bytes: usize,
    /// How old a memtable may get before it becomes a block, and so how far the clock is believed beyond the newest
    /// block when samples are dropped by age.
    pub memtable_age: Duration,
    /// Whether the store has threads that write blocks, merge them and keep the retention. A test that sets the time
    /// has none, and calls `flush`, `compact` and `maintain` itself.
    pub threads: bool,
}

/// When an append is acknowledged, and so what a loss of power may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// When it is durable: it survives the loss of power.
    #[default]
    Synced,
    /// When it is written: it survives the death of the process, and a moment later the loss of power.
    Written,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(30 * 24 * 3600),
            retention_bytes: 0,
            retention_share: None,
            selector_retention: Vec::new(),
            out_of_order_window: Duration::from_secs(3600),
            active_series: 0,
            new_series_per_hour: 0,
            labels_per_series: 0,
            label_name_bytes: 0,
            label_value_bytes: 0,
            cardinality_label: "job".to_owned(),
            cardinality_series: 0,
            acknowledge: Acknowledge::default(),
            memory_max: 1 << 30,
            questions_max: 0,
            // Large enough for some hundred samples of each of ten thousand series, small enough to be read back
            // within some tenths of a second after a crash.
            memtable_bytes: 24 << 20,
            memtable_age: Duration::from_secs(2 * 3600),
            threads: true,
        }
    }
}

//! What the store, its threads and its readers share.
//!
//! Locks are taken in this order: compacting, changing, the writer, the descriptions, a shard, the view; nobody locks
//! anything while holding the view. The first two are only taken by those who write or link blocks and are held during
//! I/O; the first, which a merge holds for long, by merges, the retention and close only. The writer's is held during I/O
//! only if the next log was not made ready in time, or blocks must be asked about very many new series at once. The log
//! and the registry have locks of their own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use model::{AppendError, Budget, Clock, Disk, Labels, Timestamp};

use crate::append::Writer;
use crate::background::Signal;
use crate::block::PageCache;
use crate::condition::Condition;
use crate::config::{Acknowledge, Config};
use crate::descriptions::Descriptions;
use crate::log::{self, Commits};
use crate::memtable::Memtable;
use crate::metrics::Counters;
use crate::registry::{Limits, SeriesIndex};
use crate::view::View;

/// A timestamp before all that are accepted.
pub(crate) const NEVER: i64 = i64::MIN;

/// The directory of the log.
pub(crate) const LOG_DIRECTORY: &str = "wal";

/// The directory of the blocks.
pub(crate) const BLOCK_DIRECTORY: &str = "blocks";

/// The file name of a block ends like this.
const BLOCK_SUFFIX: &str = ".block";

/// Windows of time in the retention, about: blocks go as a whole, so this is how exactly space follows the retention.
const WINDOWS: i64 = 30;

/// The shortest window: shorter ones would make more blocks than they save space.
const WINDOW_MIN: i64 = 24 * 3600 * 1000;

/// The longest window, in milliseconds.
const WINDOW_MAX: i64 = 32 * WINDOW_MIN;

/// The most memory for pages of blocks that were read, and its share of the limit.
const PAGES_MAX: u64 = 64 << 20;
const PAGES_SHARE: u64 = 16;

/// The state of a store.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    config: RwLock<Arc<Config>>,
    directory: PathBuf,
    pub(crate) log_directory: PathBuf,
    pub(crate) block_directory: PathBuf,
    writer: Mutex<Writer>,
    /// Bytes of memory that the writer held last.
    writer_memory: AtomicUsize,
    /// Bytes of memory of all memtables, those included that only readers hold.
    memtables_memory: Arc<AtomicUsize>,
    descriptions: RwLock<Descriptions>,
    view: RwLock<Arc<View>>,
    pub(crate) series: Arc<SeriesIndex>,
    pub(crate) commits: Commits,
    pub(crate) pages: Arc<PageCache>,
    /// The memory for questions.
    pub(crate) budget: Budget,
    pub(crate) next_block: AtomicU64,
    /// Held by whoever writes blocks from memory, or replaces some.
    changing: Mutex<()>,
    /// Held by whoever merges blocks.
    compacting: Mutex<()>,
    pub(crate) counters: Counters,
    pub(crate) signal: Signal,
    pub(crate) condition: Condition,
}

impl Shared {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        config: Config,
        directory: &Path,
    ) -> Self {
        let log_directory = directory.join(LOG_DIRECTORY);
        let acknowledge = match config.acknowledge {
            Acknowledge::Synced => log::Acknowledge::Synced,
            Acknowledge::Written => log::Acknowledge::Written,
        };
        let commits = Commits::new(
            Arc::clone(&disk),
            log_directory.clone(),
            Arc::clone(&clock),
            acknowledge,
        );
        let series = Arc::new(SeriesIndex::new(limits(&config)));
        let pages_max = match config.memory_max {
            0 => PAGES_MAX,
            limit => PAGES_MAX.min(limit / PAGES_SHARE),
        };
        let now = clock.now();
        let memtables_memory = Arc::default();
        let active = Arc::new(Memtable::new(0, clock.monotonic(), &memtables_memory));
        let view = View {
            blocks: Vec::new(),
            memtables: vec![Arc::clone(&active)],
            tombstones: Vec::new(),
        };
        Self {
            condition: Condition::new(now),
            writer_memory: AtomicUsize::new(0),
            memtables_memory,
            writer: Mutex::new(Writer::new(Arc::clone(&series), active)),
            budget: Budget::new(usize::try_from(config.questions_max).unwrap_or(usize::MAX)),
            disk,
            clock,
            config: RwLock::new(Arc::new(config)),
            directory: directory.to_owned(),
            block_directory: directory.join(BLOCK_DIRECTORY),
            log_directory,
            descriptions: RwLock::default(),
            view: RwLock::new(Arc::new(view)),
            series,
            commits,
            pages: Arc::new(PageCache::new(pages_max as usize)),
            next_block: AtomicU64::new(1),
            changing: Mutex::default(),
            compacting: Mutex::default(),
            counters: Counters::default(),
            signal: Signal::default(),
        }
    }

    /// What is set now.
    pub(crate) fn config(&self) -> Arc<Config> {
        let config = self.config.read();
        Arc::clone(&config.unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes what is set.
    pub(crate) fn configure(&self, config: Config) {
        self.series.set_limits(limits(&config));
        let mut current = self.config.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(config);
    }

    /// The directory of the store.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a block lies.
    pub(crate) fn block_path(&self, number: u64) -> PathBuf {
        self.block_directory.join(block_name(number))
    }

    /// The oldest timestamp that is taken and shown at `now`, whatever files still hold.
    pub(crate) fn oldest(&self, now: Timestamp) -> i64 {
        match self.config().retention {
            retention if retention.is_zero() => NEVER,
            retention => (now - retention).as_millis(),
        }
    }

    /// The moment from which age counts at `now` when files lose samples for good: the clock may be wrong until it is
    /// set, and is believed only as far as the newest block lets expect. None if no block tells.
    pub(crate) fn time_for_dropping(&self, now: Timestamp) -> Option<Timestamp> {
        let view = self.view();
        let newest = view.blocks.iter().map(|block| block.meta().last).max()?;
        let expected = Timestamp::from_millis(newest) + self.config().memtable_age;
        Some(now.min(expected))
    }

    /// The oldest timestamp that files keep at `now`.
    pub(crate) fn oldest_on_disk(&self, now: Timestamp) -> i64 {
        let believed = self.time_for_dropping(now);
        believed.map_or(NEVER, |now| self.oldest(now))
    }

    /// What the retention leaves of each series at `now`.
    pub(crate) fn floors(&self, now: Timestamp) -> Floors {
        Floors {
            config: self.config(),
            now,
        }
    }

    /// The length of a window of time in milliseconds.
    pub(crate) fn window_length(&self) -> i64 {
        let retention = self.config().retention.as_millis();
        let retention = i64::try_from(retention).unwrap_or(i64::MAX);
        let target = match retention {
            0 => WINDOW_MAX,
            retention => (retention / WINDOWS).clamp(WINDOW_MIN, WINDOW_MAX),
        };
        // Powers of two times the shortest: another retention leaves most blocks within one window.
        let doublings = (target / WINDOW_MIN).ilog2();
        WINDOW_MIN << doublings
    }

    /// Waits for its turn to write.
    ///
    /// Errors: someone panicked while writing, and nobody knows how far they came. Decoding keys is others' code.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Writer>, AppendError> {
        self.writer.lock().map_err(|_| {
            let reason = "a panic interrupted a write; restart".to_owned();
            self.condition.fail(self.clock.now(), reason.clone());
            AppendError::Storage(reason)
        })
    }

    /// What readers see now.
    pub(crate) fn view(&self) -> Arc<View> {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&view)
    }

    /// Lets readers see something else from now on.
    pub(crate) fn replace_view(&self, change: impl FnOnce(&mut View)) {
        let mut current = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let mut view = View::clone(&current);
        change(&mut view);
        let outdated = std::mem::replace(&mut *current, Arc::new(view));
        drop(current);
        // What is freed with it may be large; nobody waits for that.
        drop(outdated);
    }

    pub(crate) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn compacting(&self) -> MutexGuard<'_, ()> {
        self.compacting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn descriptions(&self) -> RwLockReadGuard<'_, Descriptions> {
        self.descriptions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn descriptions_mut(&self) -> RwLockWriteGuard<'_, Descriptions> {
        self.descriptions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of memory of the store.
    pub(crate) fn memory(&self) -> usize {
        let view = self.view();
        self.memtables_memory() + self.series_memory() + self.blocks_memory(&view)
    }

    /// An empty memtable.
    pub(crate) fn new_memtable(&self, generation: u64) -> Arc<Memtable> {
        let memtable = Memtable::new(generation, self.clock.monotonic(), &self.memtables_memory);
        Arc::new(memtable)
    }

    /// Bytes of memory of samples, those included that are in a block since and that a reader still holds.
    pub(crate) fn memtables_memory(&self) -> usize {
        self.memtables_memory.load(Ordering::Relaxed)
    }

    /// Bytes of memory of the series, whatever samples they have.
    pub(crate) fn series_memory(&self) -> usize {
        self.series.memory() + self.writer_memory.load(Ordering::Relaxed)
    }

    /// Bytes of memory of blocks: directories, and pages that were read.
    pub(crate) fn blocks_memory(&self, view: &View) -> usize {
        let directories: usize = view.blocks.iter().map(|block| block.memory()).sum();
        directories + self.pages.memory()
    }

    /// Takes note of what the writer holds.
    pub(crate) fn note_writer_memory(&self, bytes: usize) {
        self.writer_memory.store(bytes, Ordering::Relaxed);
    }
}

/// What the retention leaves of each series at one moment.
pub(crate) struct Floors {
    config: Arc<Config>,
    now: Timestamp,
}

impl Floors {
    /// The first timestamp that is left of a series.
    pub(crate) fn of(&self, labels: &Labels) -> i64 {
        let fits = |matchers: &[model::Matcher]| {
            matchers
                .iter()
                .all(|matcher| matcher.matches_labels(labels))
        };
        let rules = self.config.selector_retention.iter();
        let floors = rules
            .filter(|(matchers, _)| fits(matchers))
            .map(|(_, retention)| (self.now - *retention).as_millis());
        floors.max().unwrap_or(NEVER)
    }
}

/// The name of a block's file: `00000001.block`.
pub(crate) fn block_name(number: u64) -> String {
    format!("{number:08}{BLOCK_SUFFIX}")
}

/// The number of a block by the name of its file; none if the file is no block.
pub(crate) fn block_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(BLOCK_SUFFIX)?.parse().ok()?;
    (block_name(number) == name).then_some(number)
}

fn limits(config: &Config) -> Limits {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Limits {
        active_series: config.active_series,
        new_series_per_hour: size(config.new_series_per_hour),
        labels_per_series: config.labels_per_series,
        label_name_bytes: config.label_name_bytes,
        label_value_bytes: config.label_value_bytes,
        cardinality: config.cardinality_series,
        cardinality_label: config.cardinality_label.clone(),
    }
}

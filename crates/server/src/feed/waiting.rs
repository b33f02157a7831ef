//! What was published and not yet told: bounded by rows and bytes, and empty as long as nobody has asked.
//!
//! A publisher copies its rows before it takes the lock, and the hub takes everything in one move, so that the lock is
//! never held for long. What has no room is counted and thrown away.

use std::mem;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{Appended, KeyEncoding, RowKind, SampleBatch, Timestamp, is_stale};

use super::{AlertChange, MonitorNews};

/// Rows in one chunk; the hub lets others run between two of them.
const CHUNK_ROWS: usize = 2_000;

/// Bytes of keys that wait; with the usual number of rows it is 160 for each.
const KEY_BYTES_MAX: usize = 32 << 20;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Samples,
    Alerts,
    Monitors,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Samples, Self::Alerts, Self::Monitors];

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

pub(super) struct Waiting {
    /// A bit for each kind that someone has asked for.
    wanted: AtomicU8,
    rows_max: usize,
    news: Mutex<News>,
}

/// What the hub takes.
#[derive(Default)]
pub(super) struct News {
    pub(super) samples: Vec<Chunk>,
    pub(super) alerts: Vec<AlertChange>,
    pub(super) monitors: Vec<MonitorNews>,
    /// What had no room, by kind.
    pub(super) lost: [u64; Kind::ALL.len()],
    rows: usize,
    key_bytes: usize,
}

/// Samples of one batch, with their keys one after the other.
pub(super) struct Chunk {
    encoding: KeyEncoding,
    keys: Vec<u8>,
    rows: Vec<WaitingRow>,
}

struct WaitingRow {
    key_end: u32,
    timestamp: Timestamp,
    value: f64,
}

impl Waiting {
    pub(super) fn new(rows_max: usize) -> Self {
        Self {
            wanted: AtomicU8::new(0),
            rows_max,
            news: Mutex::default(),
        }
    }

    pub(super) fn is_wanted(&self, kind: Kind) -> bool {
        // Acquire, so that whoever was told that he subscribes gets what is published from then on.
        self.wanted.load(Ordering::Acquire) & kind.bit() != 0
    }

    pub(super) fn want(&self, kind: Kind, is_wanted: bool) {
        match is_wanted {
            true => self.wanted.fetch_or(kind.bit(), Ordering::Release),
            false => self.wanted.fetch_and(!kind.bit(), Ordering::Release),
        };
    }

    /// Takes all that waits.
    pub(super) fn take(&self) -> News {
        mem::take(&mut self.lock())
    }

    /// Copies the accepted rows of a batch; whether there is something for the hub to see.
    pub(super) fn add_samples(&self, batch: &SampleBatch<'_>, appended: &Appended) -> bool {
        let mut rejected = appended.rejected_of(RowKind::Sample).peekable();
        let accepted = batch.rows.iter().enumerate().filter(|(index, row)| {
            rejected
                .next_if(|rejected| rejected.row == *index)
                .is_none()
                && !is_stale(row.value)
        });
        let mut chunks = Vec::new();
        let mut chunk = Chunk::new(batch.encoding);
        for (_, row) in accepted {
            chunk.keys.extend_from_slice(row.key);
            let Ok(key_end) = u32::try_from(chunk.keys.len()) else {
                break;
            };
            chunk.rows.push(WaitingRow {
                key_end,
                timestamp: row.timestamp,
                value: row.value,
            });
            if chunk.rows.len() == CHUNK_ROWS {
                chunks.push(mem::replace(&mut chunk, Chunk::new(batch.encoding)));
            }
        }
        if !chunk.rows.is_empty() {
            chunks.push(chunk);
        }
        if chunks.is_empty() {
            return false;
        }
        let mut news = self.lock();
        for chunk in chunks {
            let (rows, bytes) = (chunk.rows.len(), chunk.keys.len());
            if news.key_bytes + bytes > KEY_BYTES_MAX || !news.take_rows(rows, self.rows_max) {
                news.lost[Kind::Samples as usize] += rows as u64;
                continue;
            }
            news.key_bytes += bytes;
            news.samples.push(chunk);
        }
        true
    }

    pub(super) fn add_alert(&self, change: AlertChange) {
        let mut news = self.lock();
        if news.take_rows(1, self.rows_max) {
            news.alerts.push(change);
        } else {
            news.lost[Kind::Alerts as usize] += 1;
        }
    }

    pub(super) fn add_monitor(&self, monitor: MonitorNews) {
        let mut news = self.lock();
        if news.take_rows(1, self.rows_max) {
            news.monitors.push(monitor);
        } else {
            news.lost[Kind::Monitors as usize] += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        // Whatever a panic left behind is whole: each change is one push.
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    fn take_rows(&mut self, rows: usize, rows_max: usize) -> bool {
        let has_room = self.rows + rows <= rows_max;
        if has_room {
            self.rows += rows;
        }
        has_room
    }
}

impl Chunk {
    fn new(encoding: KeyEncoding) -> Self {
        Self {
            encoding,
            keys: Vec::new(),
            rows: Vec::new(),
        }
    }

    pub(super) fn encoding(&self) -> KeyEncoding {
        self.encoding
    }

    /// Key, time and value of each row, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[u8], Timestamp, f64)> {
        let mut start = 0;
        self.rows.iter().map(move |row| {
            let end = row.key_end as usize;
            let key = &self.keys[start..end];
            start = end;
            (key, row.timestamp, row.value)
        })
    }
}

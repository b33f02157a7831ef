//! Makes durable what was written to the log, while others write on.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use model::{Disk, DiskFile};

/// The segments with bytes that may not be durable yet.
pub(crate) struct SyncQueue {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    state: Mutex<State>,
    /// Held by whoever syncs: who finds nothing to do may rely on it being done.
    round: Mutex<()>,
}

#[derive(Default)]
struct State {
    directory_dirty: bool,
    /// The last one is written to, the others only wait for their last sync.
    files: Vec<File>,
}

/// Locked only by whoever syncs.
type Handle = Arc<Mutex<Box<dyn DiskFile>>>;

struct File {
    dirty: bool,
    handle: Handle,
}

impl SyncQueue {
    pub(crate) fn new(disk: Arc<dyn Disk>, directory: PathBuf) -> Self {
        let state = Mutex::default();
        Self {
            disk,
            directory,
            state,
            round: Mutex::default(),
        }
    }

    /// Notes that the log goes on in a new file.
    pub(crate) fn add(&self, file: Box<dyn DiskFile>) {
        let mut state = self.state();
        state.directory_dirty = true;
        let handle = Arc::new(Mutex::new(file));
        state.files.push(File {
            dirty: false,
            handle,
        });
    }

    /// Notes that bytes were appended to the newest file; true if everything had been durable before.
    pub(crate) fn mark_dirty(&self) -> bool {
        let mut state = self.state();
        let was_clean = state.files.iter().all(|file| !file.dirty);
        if let Some(file) = state.files.last_mut() {
            file.dirty = true;
        }
        was_clean
    }

    /// Makes durable all that was marked before the call; true if there was anything.
    pub(crate) fn sync(&self) -> io::Result<bool> {
        let _round = self
            .round
            .lock()
            .expect("invariant: syncing does not panic");
        let (directory_dirty, dirty) = self.take_dirty();
        for handle in &dirty {
            let mut file = handle.lock().expect("invariant: syncing does not panic");
            file.sync()?;
        }
        if directory_dirty {
            self.disk.sync_directory(&self.directory)?;
        }
        Ok(directory_dirty || !dirty.is_empty())
    }

    fn take_dirty(&self) -> (bool, Vec<Handle>) {
        let mut state = self.state();
        let mut dirty = Vec::new();
        for file in &mut state.files {
            if std::mem::take(&mut file.dirty) {
                dirty.push(Arc::clone(&file.handle));
            }
        }
        let finished = state.files.len().saturating_sub(1);
        state.files.drain(..finished);
        (std::mem::take(&mut state.directory_dirty), dirty)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("invariant: no one panics while holding the queue")
    }
}

//! Blocking calls with a deadline, on threads that can be left behind.
//!
//! A system call on a dead network mount cannot be cancelled, only abandoned. So:
//! 1. The jobs of a run stand in a queue, and one thread takes them one after the other.
//! 2. When there was no answer for [`STALL`], another thread goes on with the queue.
//! 3. A job that has been running for the deadline is missed; its thread stays with it, and leaves when it ends.
//! 4. The key of a missed job stays outstanding until then, so that there is never more than one call for a key.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How long nobody answers before the jobs that wait are given to another thread.
const STALL: Duration = Duration::from_millis(20);

/// The most threads that can hang at once; beyond them jobs are not begun.
const THREADS_MAX: usize = 64;

/// The threads need no more: they open files and parse lines.
const STACK_SIZE: usize = 512 << 10;

/// Does jobs, each with a key, and remembers those that were missed.
pub(crate) struct Workers<K, J, R> {
    thread_name: &'static str,
    work: Arc<dyn Fn(J) -> R + Send + Sync>,
    sender: Sender<(K, R)>,
    receiver: Receiver<(K, R)>,
    outstanding: BTreeSet<K>,
    late: Vec<(K, R)>,
}

/// What came of a run; each key is in one of the three.
pub(crate) struct Answers<K, J, R> {
    pub(crate) in_time: Vec<(K, R)>,
    /// These are outstanding now.
    pub(crate) missed: Vec<K>,
    /// There was no thread for these, because too many hang or the system allows no more.
    pub(crate) not_begun: Vec<(K, J)>,
}

struct Queue<K, J> {
    jobs: VecDeque<(K, J)>,
    started: BTreeMap<K, Instant>,
}

impl<K, J, R> Workers<K, J, R>
where
    K: Ord + Clone + Send + 'static,
    J: Send + 'static,
    R: Send + 'static,
{
    pub(crate) fn new(thread_name: &'static str, work: Arc<dyn Fn(J) -> R + Send + Sync>) -> Self {
        let (sender, receiver) = mpsc::channel();
        Self {
            thread_name,
            work,
            sender,
            receiver,
            outstanding: BTreeSet::new(),
            late: Vec::new(),
        }
    }

    /// Whether a missed job with this key is still under way.
    pub(crate) fn is_outstanding(&self, key: &K) -> bool {
        self.outstanding.contains(key)
    }

    /// The results of jobs that were missed and have ended since.
    pub(crate) fn take_late(&mut self) -> Vec<(K, R)> {
        while let Ok((key, result)) = self.receiver.try_recv() {
            self.outstanding.remove(&key);
            self.late.push((key, result));
        }
        std::mem::take(&mut self.late)
    }

    /// Does jobs with distinct keys of which none is outstanding; each may take `deadline`.
    pub(crate) fn run(&mut self, jobs: Vec<(K, J)>, deadline: Duration) -> Answers<K, J, R> {
        let mut waiting: BTreeSet<K> = jobs.iter().map(|(key, _)| key.clone()).collect();
        let mut answers = Answers {
            in_time: Vec::with_capacity(jobs.len()),
            missed: Vec::new(),
            not_begun: Vec::new(),
        };
        let queue = Arc::new(Mutex::new(Queue {
            jobs: jobs.into(),
            started: BTreeMap::new(),
        }));
        self.start_thread(&queue);
        while !waiting.is_empty() {
            if let Ok((key, result)) = self.receiver.recv_timeout(STALL) {
                if waiting.remove(&key) {
                    answers.in_time.push((key, result));
                } else {
                    self.outstanding.remove(&key);
                    self.late.push((key, result));
                }
                continue;
            }
            let expired = expired(&queue, &waiting, deadline);
            for key in expired {
                waiting.remove(&key);
                self.outstanding.insert(key.clone());
                answers.missed.push(key);
            }
            let (queued, running) = progress(&queue, &waiting);
            if queued == 0 {
                continue;
            }
            let may_start = self.outstanding.len() + running < THREADS_MAX;
            let started = may_start && self.start_thread(&queue);
            if running == 0 && !started {
                break;
            }
        }
        // Taken off, lest a thread that wakes up late begins them.
        answers.not_begun.extend(lock(&queue).jobs.drain(..));
        answers
    }

    /// Starts a thread on the queue; false if the system allows no more.
    fn start_thread(&self, queue: &Arc<Mutex<Queue<K, J>>>) -> bool {
        let queue = Arc::clone(queue);
        let sender = self.sender.clone();
        let work = Arc::clone(&self.work);
        let run = move || {
            while let Some((key, job)) = take_job(&queue) {
                let result = work(job);
                if sender.send((key, result)).is_err() {
                    return;
                }
            }
        };
        let builder = thread::Builder::new().name(self.thread_name.to_owned());
        builder.stack_size(STACK_SIZE).spawn(run).is_ok()
    }
}

fn take_job<K: Ord + Clone, J>(queue: &Mutex<Queue<K, J>>) -> Option<(K, J)> {
    let mut queue = lock(queue);
    let job = queue.jobs.pop_front()?;
    queue.started.insert(job.0.clone(), now());
    Some(job)
}

/// The jobs that have been running for too long.
fn expired<K: Ord + Clone, J>(
    queue: &Mutex<Queue<K, J>>,
    waiting: &BTreeSet<K>,
    deadline: Duration,
) -> Vec<K> {
    let now = now();
    let queue = lock(queue);
    let is_expired = |(key, start): &(&K, &Instant)| {
        waiting.contains(key) && now.duration_since(**start) >= deadline
    };
    let expired = queue.started.iter().filter(is_expired);
    expired.map(|(key, _)| key.clone()).collect()
}

/// How many jobs wait to begin and how many are under way.
fn progress<K: Ord, J>(queue: &Mutex<Queue<K, J>>, waiting: &BTreeSet<K>) -> (usize, usize) {
    let queued = lock(queue).jobs.len();
    (queued, waiting.len().saturating_sub(queued))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("invariant: no one panics while holding the queue")
}

#[expect(
    clippy::disallowed_methods,
    reason = "waiting for a channel happens in real time, so its end is told by the real clock"
)]
fn now() -> Instant {
    Instant::now()
}

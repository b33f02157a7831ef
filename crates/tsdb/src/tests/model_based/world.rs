//! A store, its disk, the time, and what is true; one step after the other.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{
    Clock, Labels, Matcher, SampleBatch, SampleColumns, Scope, Selection, SeriesSource,
    SourceError, Timestamp,
};
use testkit::{Operation, SimulatedClock, SimulatedDisk};

use super::super::random::Random;
use super::super::{Contents, DIRECTORY, NOW};
use super::seam::{self, Subject};
use super::truth::{Question, Truth, matches};
use super::work::{Sent, Work};
use crate::{Config, Error};

/// How many of the last steps are told when something is wrong.
const TOLD: usize = 40;

/// Steps that a fault waits for what it shall hit, at most.
const FAULT_STEPS: u64 = 12;

pub(super) struct World<S: Subject> {
    pub(super) disk: SimulatedDisk,
    pub(super) truth: Truth,
    pub(super) totals: Totals,
    seed: u64,
    random: Random,
    clock: Arc<SimulatedClock>,
    config: Config,
    store: Option<S>,
    work: Work,
    history: VecDeque<String>,
    steps: u64,
    /// Whether faults come by themselves.
    is_calm: bool,
    /// What is wrong with the disk, and for how many steps more.
    trouble: Option<(Trouble, u64)>,
    /// How many syncs had failed when the process began.
    failed_syncs: u64,
    /// A directory, and what its store must hold.
    snapshot: Option<(PathBuf, Truth)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    /// The process dies soon.
    Death,
    Full,
    FailedSync,
    Failure(Operation),
    /// Whatever a test has prepared.
    Prepared,
}

/// How much was done; to see that the runs are worth something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    pub(super) unacknowledged: u64,
    pub(super) checks: u64,
    pub(super) crashes: u64,
    pub(super) power_losses: u64,
    pub(super) faults: u64,
    pub(super) deletions: u64,
    pub(super) compactions: u64,
    pub(super) snapshots: u64,
}

impl<S: Subject> World<S> {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let hours = |hours: u64| Duration::from_secs(3_600 * hours);
        let retention = hours(*random.choose(&[0, 3, 24]));
        let window = Duration::from_secs(*random.choose(&[300, 3_600]));
        let config = Config {
            retention,
            out_of_order_window: window,
            ..seam::config()
        };
        let mut world = Self {
            disk: SimulatedDisk::new(seed),
            truth: Truth::new(S::ACKNOWLEDGED_IS_DURABLE),
            totals: Totals::default(),
            seed,
            random,
            clock: Arc::new(SimulatedClock::new(NOW)),
            config,
            store: None,
            work: Work::new(),
            history: VecDeque::new(),
            steps: 0,
            is_calm: false,
            trouble: None,
            failed_syncs: 0,
            snapshot: None,
        };
        world.pass(Duration::ZERO);
        world.open();
        world
    }

    /// A world in which no faults come by themselves; but one may have been prepared.
    pub(super) fn calm(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.is_calm = true;
        world.trouble = Some((Trouble::Prepared, u64::MAX));
        world
    }

    /// A world in which nothing has gone wrong for some steps.
    pub(super) fn quiet(seed: u64, steps: u64) -> Self {
        let mut world = Self::calm(seed);
        for _ in 0..steps {
            world.step();
        }
        world
    }

    pub(super) fn store(&self) -> &S {
        self.store.as_ref().expect("the store is open")
    }

    /// Does something.
    pub(super) fn step(&mut self) {
        self.steps += 1;
        match self.random.below(100) {
            0..38 => self.append(),
            38..53 => self.ask(),
            53..65 => self.advance(),
            65..71 => self.maintain(),
            71..75 => self.sync(),
            75..79 => self.flush(),
            79..84 => self.compact(),
            84..87 => self.delete(),
            87 => self.clean_tombstones(),
            88..90 => self.snapshot(),
            90 => self.restart(),
            _ => self.begin_trouble(),
        }
        if self.disk.is_dead() {
            self.crash();
        } else if let Some((trouble, left)) = self.trouble {
            self.trouble = Some((trouble, left - 1));
            if left == 1 {
                self.end_trouble();
            }
        }
    }

    /// Opens the store a last time and looks at everything.
    pub(super) fn end(&mut self) {
        self.end_trouble();
        self.restart();
        self.close();
        self.totals.faults = self.disk.faults();
    }

    fn append(&mut self) {
        let now = self.now();
        let rows = self.work.batch(&mut self.random, now.as_millis());
        self.note(|| {
            let newest = rows.iter().map(|row| row.1).max().unwrap_or(0) - now.as_millis();
            format!("append {} rows, the newest at {newest:+} ms", rows.len())
        });
        self.send(&rows);
    }

    /// Sends a batch; whether it was taken.
    fn send(&mut self, rows: &[Sent]) -> bool {
        let now = self.now();
        let samples = rows.iter().map(|(labels, timestamp, bits)| {
            let timestamp = Timestamp::from_millis(*timestamp);
            (labels, timestamp, f64::from_bits(*bits))
        });
        let mut batch = SampleBatch::packed(samples);
        // Of some senders the keys are not looked up as labels.
        if self.random.one_in(2) {
            batch.encoding.id = 9;
        }
        let appended = match self.store().append(&batch) {
            Ok(appended) => appended,
            Err(error) => {
                for (labels, timestamp, bits) in rows {
                    self.truth.sent(labels, *timestamp, *bits);
                }
                self.totals.unacknowledged += rows.len() as u64;
                self.went_wrong(&error.to_string());
                return false;
            }
        };
        let mut rejected = appended.rejected.iter().peekable();
        for (index, (labels, timestamp, bits)) in rows.iter().enumerate() {
            let Some(row) = rejected.next_if(|rejected| rejected.row == index) else {
                self.totals.acknowledged += 1;
                self.truth.acknowledged(labels, *timestamp, *bits);
                continue;
            };
            self.totals.refused += 1;
            let why = (&row.reason, now, &self.config);
            let refused = self.truth.refused(labels, *timestamp, *bits, why);
            self.must(refused);
        }
        let counted = appended.accepted + appended.rejected.len();
        assert_eq!(counted, rows.len(), "each row is taken or refused");
        true
    }

    fn ask(&mut self) {
        let now = self.now().as_millis();
        let (matchers, start, end) = self.work.question(&mut self.random, now);
        self.note(|| format!("ask {matchers:?} {start} to {end}"));
        let question = Question {
            matchers: &matchers,
            start,
            end,
        };
        match read(self.store(), &question) {
            Ok(shown) => {
                self.totals.checks += 1;
                let checked = self.truth.check(&question, &shown);
                self.must(checked);
            }
            Err(error) => self.went_wrong(&error.to_string()),
        }
        self.ask_for_labels(&question);
    }

    /// All series with samples are listed, and none that never was.
    fn ask_for_labels(&mut self, question: &Question<'_>) {
        let scope = Scope {
            selectors: vec![question.matchers.to_vec()],
            start: Timestamp::from_millis(question.start),
            end: Timestamp::from_millis(question.end),
            limit: 0,
        };
        let answers = (
            self.store().series(&scope),
            self.store().label_values("job", &scope),
        );
        let (series, jobs) = match answers {
            (Ok(series), Ok(jobs)) => (series, jobs),
            (Err(error), _) | (_, Err(error)) => return self.went_wrong(&error.to_string()),
        };
        let mut problem = Ok(());
        if question.start <= question.end {
            for (labels, _) in self.truth.must(question) {
                let job = labels.get("job").unwrap_or_default();
                if series.binary_search(labels).is_err() || !jobs.iter().any(|known| known == job) {
                    problem = Err(format!("{labels} is not listed"));
                }
            }
        }
        for labels in &series {
            if !matches(question.matchers, labels) {
                problem = Err(format!("{labels} is listed and was not asked for"));
            }
        }
        self.must(problem);
    }

    fn advance(&mut self) {
        let seconds = match self.random.below(10) {
            0..6 => self.random.below(60),
            6..9 => self.random.below(1_800),
            _ => self.random.below(4 * 3_600),
        };
        self.note(|| format!("{seconds} s go by"));
        self.pass(Duration::from_secs(seconds));
    }

    /// Time goes by, and with it what is too old.
    fn pass(&mut self, duration: Duration) {
        self.clock.advance(duration);
        if !self.config.retention.is_zero() {
            let floor = self.now() - self.config.retention;
            self.truth.let_go_before(floor.as_millis());
        }
    }

    fn maintain(&mut self) {
        self.note(|| "maintain".to_owned());
        self.store().maintain(self.now());
    }

    fn sync(&mut self) {
        self.note(|| "sync".to_owned());
        match self.store().sync() {
            Ok(()) => self.truth.synced(),
            Err(error) => self.went_wrong(&error.to_string()),
        }
    }

    fn flush(&mut self) {
        if let Some(flushed) = self.store().flush() {
            self.note(|| format!("flush {flushed:?}"));
            self.went(flushed);
        }
    }

    fn compact(&mut self) {
        // Now and then until nothing is left to do.
        let most = *self.random.choose(&[1, 1, 100]);
        for _ in 0..most {
            let Some(compacted) = self.store().compact() else {
                return;
            };
            self.note(|| format!("compact {compacted:?}"));
            self.totals.compactions += u64::from(matches!(compacted, Ok(true)));
            let go_on = matches!(compacted, Ok(true));
            self.went(compacted.map(drop));
            if !go_on {
                return;
            }
        }
        self.must(match most {
            1 => Ok(()),
            _ => Err("compaction has no end".to_owned()),
        });
    }

    fn delete(&mut self) {
        let now = self.now().as_millis();
        let (matchers, start, end) = self.work.question(&mut self.random, now);
        // Seldom so much that little is left to go wrong.
        if matchers.is_empty() || (start == i64::MIN && !self.random.one_in(5)) {
            return;
        }
        let selectors: Vec<Vec<Matcher>> = vec![matchers];
        let Some(deleted) = self.store().delete(&selectors, start, end) else {
            return;
        };
        self.note(|| format!("delete {selectors:?} {start} to {end}: {deleted:?}"));
        self.totals.deletions += 1;
        self.truth.deleted(&selectors, start, end, deleted.is_ok());
        self.went(deleted);
    }

    fn clean_tombstones(&mut self) {
        if let Some(cleaned) = self.store().clean_tombstones() {
            self.note(|| format!("clean tombstones {cleaned:?}"));
            self.went(cleaned);
        }
    }

    /// Takes a snapshot, or looks once more at the one before.
    fn snapshot(&mut self) {
        if let Some((path, mut truth)) = self.snapshot.take() {
            self.note(|| "look at the snapshot once more".to_owned());
            return self.look_at(&path, &mut truth);
        }
        let Some(taken) = self.store().snapshot() else {
            return;
        };
        self.note(|| format!("snapshot {taken:?}"));
        match taken {
            Ok(path) => {
                self.totals.snapshots += 1;
                let mut truth = self.truth.clone();
                self.look_at(&path, &mut truth);
                self.snapshot = Some((path, truth));
            }
            Err(error) => self.went_wrong(&error.to_string()),
        }
    }

    /// Opens a snapshot as a store of its own.
    fn look_at(&mut self, path: &Path, truth: &mut Truth) {
        if !self.config.retention.is_zero() {
            truth.let_go_before((self.now() - self.config.retention).as_millis());
        }
        match S::open(&self.disk, path, &self.clock, &self.config) {
            Ok(store) => match read(&store, &Question::ALL) {
                Ok(shown) => self.must(truth.check(&Question::ALL, &shown)),
                Err(error) => self.went_wrong(&error.to_string()),
            },
            Err(error) => self.went_wrong(&error.to_string()),
        }
    }

    /// Closes the store and opens it again.
    fn restart(&mut self) {
        self.note(|| "restart".to_owned());
        self.close();
        if !self.disk.is_dead() {
            self.end_process(false);
            self.open();
        }
    }

    fn end_process(&mut self, loses_power: bool) {
        if loses_power {
            self.totals.power_losses += 1;
            self.disk.lose_power();
            self.snapshot = None;
        } else {
            self.disk.restart();
        }
        // What a failed sync has forgotten is as good as never written.
        let failed_syncs = self.disk.failures(Operation::Sync);
        if loses_power || failed_syncs > self.failed_syncs {
            self.truth.lost_power();
        }
        self.failed_syncs = failed_syncs;
        self.store = None;
        self.disk.set_capacity(None);
    }

    pub(super) fn close(&mut self) {
        let Some(store) = self.store.take() else {
            return;
        };
        match store.close() {
            Ok(()) => self.truth.synced(),
            Err(error) => self.went_wrong(&error.to_string()),
        }
    }

    /// The process is dead, or dies now.
    fn crash(&mut self) {
        self.totals.crashes += 1;
        self.trouble = None;
        let loses_power = self.random.one_in(2);
        self.note(|| format!("the process dies, power fails: {loses_power}"));
        self.end_process(loses_power);
        if !self.is_calm && self.random.one_in(4) {
            let others = self.random.below(10);
            self.note(|| format!("dies again within {others} operations"));
            self.trouble = Some((Trouble::Death, FAULT_STEPS));
            self.disk.die_after(others);
        }
        self.open();
    }

    fn open(&mut self) {
        match self.try_open() {
            Ok(store) => {
                self.store = Some(store);
                match read(self.store(), &Question::ALL) {
                    Ok(shown) => {
                        self.totals.checks += 1;
                        let checked = self.truth.check_opened(&shown);
                        self.must(checked);
                    }
                    // It may have died after it was opened.
                    Err(error) => self.went_wrong(&error.to_string()),
                }
                self.note(|| "opened".to_owned());
            }
            Err(_) if self.disk.is_dead() => self.crash(),
            Err(error) if self.trouble.is_some() => {
                self.note(|| format!("not opened: {error}"));
                self.disk.clear_faults();
                self.disk.set_capacity(None);
                self.trouble = None;
                self.crash();
            }
            Err(error) => self.must(Err(format!("it does not open: {error}"))),
        }
    }

    pub(super) fn try_open(&self) -> Result<S, Error> {
        S::open(&self.disk, Path::new(DIRECTORY), &self.clock, &self.config)
    }

    /// Everything in a store, unless it says that it cannot read it.
    pub(super) fn read_if_possible(&self, store: &S) -> Option<Contents> {
        read(store, &Question::ALL).ok()
    }

    fn begin_trouble(&mut self) {
        if self.is_calm || self.trouble.is_some() {
            return;
        }
        let steps = self.random.within(1..FAULT_STEPS);
        let others = self.random.below(*self.random.clone().choose(&[2, 6, 30]));
        let trouble = match self.random.below(8) {
            0..4 => Trouble::Death,
            4 => Trouble::Full,
            5 => Trouble::FailedSync,
            _ => Trouble::Failure(*self.random.choose(&[
                Operation::Open,
                Operation::Append,
                Operation::Reserve,
                Operation::Change,
                Operation::Read,
            ])),
        };
        match trouble {
            Trouble::Death => self.disk.die_after(others),
            Trouble::Full => {
                let free = self.random.below(4) * 4096;
                self.disk.set_capacity(Some(self.disk.used() + free));
            }
            Trouble::FailedSync => {
                self.disk
                    .fail_after(Operation::Sync, others, io::ErrorKind::Other);
            }
            Trouble::Failure(operation) => {
                self.disk
                    .fail_after(operation, others, io::ErrorKind::Other);
            }
            Trouble::Prepared => {}
        }
        self.note(|| format!("trouble for {steps} steps: {trouble:?} after {others}"));
        self.trouble = Some((trouble, steps));
    }

    /// The disk is in order again, and the store must come to work again.
    fn end_trouble(&mut self) {
        let Some((trouble, _)) = self.trouble else {
            return;
        };
        self.disk.clear_faults();
        self.disk.set_capacity(None);
        if self.disk.is_dead() || trouble == Trouble::Death {
            return self.crash();
        }
        self.note(|| "the disk is in order again".to_owned());
        if S::RECOVERS_BY_ITSELF {
            // A minute is enough for a store that tries again each ten seconds or so.
            for _ in 0..6 {
                self.pass(Duration::from_secs(10));
                self.maintain();
            }
            // Its memory may have been ahead of the disk, and sent what was not acknowledged.
            self.trouble = None;
            self.append();
        } else if self.store().is_unhealthy() {
            self.crash();
        }
        self.trouble = None;
    }

    /// Something was refused, which it may be only in trouble.
    fn went_wrong(&mut self, error: &str) {
        self.note(|| format!("it went wrong: {error}"));
        if self.trouble.is_none() && !self.disk.is_dead() {
            self.must(Err(format!("refused while nothing is wrong: {error}")));
        }
    }

    fn went(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            self.went_wrong(&error.to_string());
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.history.len() == TOLD {
            self.history.pop_front();
        }
        self.history
            .push_back(format!("{:5}: {}", self.steps, what()));
    }

    /// Fails with all that is needed to find out why.
    pub(super) fn must(&self, checked: Result<(), String>) {
        if let Err(problem) = checked {
            panic!("{problem}");
        }
    }
}

impl<S: Subject> Drop for World<S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for step in &self.history {
                eprintln!("{step}");
            }
            eprintln!("{:?}", self.config);
            eprintln!("CAMPANILE_TEST_SEED={} repeats it", self.seed);
        }
    }
}

impl Totals {
    pub(super) fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unacknowledged += other.unacknowledged;
        self.checks += other.checks;
        self.crashes += other.crashes;
        self.power_losses += other.power_losses;
        self.faults += other.faults;
        self.deletions += other.deletions;
        self.compactions += other.compactions;
        self.snapshots += other.snapshots;
    }
}

/// What a store answers; series and samples must be in order.
fn read(store: &impl SeriesSource, question: &Question<'_>) -> Result<Contents, SourceError> {
    let selected = store.select(&Selection {
        matchers: question.matchers.to_vec(),
        start: Timestamp::from_millis(question.start),
        end: Timestamp::from_millis(question.end),
    })?;
    let mut contents = Contents::new();
    let mut before: Option<&Labels> = None;
    for index in 0..selected.len() {
        let labels = selected.labels(index);
        assert!(before < Some(labels), "{labels} is listed after {before:?}");
        before = Some(labels);
        let mut columns = SampleColumns::default();
        selected.read(index, &mut columns)?;
        let is_sorted = columns.timestamps.is_sorted_by(|a, b| a < b);
        assert!(is_sorted, "{labels}: {:?}", columns.timestamps);
        let bits = columns.values.iter().map(|value| value.to_bits());
        let samples = columns.timestamps.iter().copied().zip(bits);
        // A series may be offered for its range and have no sample in it.
        if !columns.is_empty() {
            contents.insert(labels.clone(), samples.collect());
        }
    }
    Ok(contents)
}

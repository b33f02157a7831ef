//! Collectors and mounts that do not answer: they are left behind, told, and taken back when they return.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use expect_test::expect;
use model::{HealthState, MetricKind};

use super::*;
use crate::host::collector::single;
use crate::host::deadline::Workers;
use crate::host::filesystem::{Filesystem, Usage};

/// After this the tests give up on what hangs for ever; everything else has to answer within it.
const DEADLINE: Duration = Duration::from_millis(500);

#[test]
fn a_collector_that_hangs_stops_no_other() {
    let clock = simulated_clock();
    let (gate, hanging) = hanging_collector("filesystem");
    let collectors: Vec<Box<dyn Collector>> = vec![hanging, working("aa"), working("zz")];
    let host = Host::with_collectors(Config::default(), clock.clone(), DEADLINE, collectors);
    gate.open();
    assert_eq!(success_of(&host.collect(), "filesystem"), 1.0);

    clock.advance(Duration::from_secs(35));
    let collection = host.collect();
    assert_eq!(success_of(&collection, "filesystem"), 0.0);
    assert_eq!(success_of(&collection, "aa"), 1.0);
    assert_eq!(success_of(&collection, "zz"), 1.0);
    let health = host.health();
    assert_eq!(health.state, HealthState::Degraded);
    expect!["filesystem: no answer within 0.5 s, last good 35 s ago"].assert_eq(&health.reason);

    // While it is away it is not started again, and its age is what it has been away for.
    clock.advance(Duration::from_secs(5));
    let collection = host.collect();
    let duration = "node_scrape_collector_duration_seconds";
    assert_eq!(
        value_of(&collection.families, duration, ("collector", "filesystem")),
        5.0
    );
    assert_eq!(gate.calls(), 2);

    gate.open();
    gate.open();
    while success_of(&host.collect(), "filesystem") != 1.0 {
        std::thread::yield_now();
    }
    assert_eq!(gate.calls(), 3);
    assert_eq!(host.health().state, HealthState::Healthy);
}

#[test]
fn a_collector_that_panics_stops_no_other() {
    let panicking = Scripted {
        name: "cpu",
        read: |_: &mut Vec<MetricFamily>| panic!("this panic is part of the test"),
    };
    let collectors: Vec<Box<dyn Collector>> = vec![Box::new(panicking), working("stat")];
    let host = Host::with_collectors(Config::default(), simulated_clock(), PATIENCE, collectors);
    for _ in 0..2 {
        let collection = host.collect();
        assert_eq!(success_of(&collection, "stat"), 1.0);
        assert_eq!(collection.failures["cpu"].reason, "the collector panicked");
    }
}

#[test]
fn a_mount_that_hangs_has_an_error_and_the_others_have_figures() {
    let gate = Gate::new();
    let waiting = gate.clone();
    let measure = move |path: PathBuf| {
        if path == Path::new("/boot") {
            waiting.pass();
        }
        io::Result::Ok(usage(path.as_os_str().len() as f64))
    };
    let (procfs, rootfs) = (procfs_of("old-kernel"), Path::new("/"));
    let mut filesystem = Filesystem::measured_by(Arc::new(measure), &procfs, rootfs, DEADLINE);
    for _ in 0..3 {
        let families = read(&mut filesystem);
        check_mount(&families, "/boot", 1.0, f64::NAN);
        check_mount(&families, "/", 0.0, 1.0);
        check_mount(&families, "/home", 0.0, 5.0);
        assert_eq!(gate.calls(), 1, "a second call for a mount that hangs");
    }
    gate.open();
    gate.open();
    while value_of(
        &read(&mut filesystem),
        DEVICE_ERROR,
        ("mountpoint", "/boot"),
    ) != 0.0
    {
        std::thread::yield_now();
    }
    assert_eq!(gate.calls(), 2);
}

#[test]
fn many_mounts_that_hang_cost_one_deadline_and_a_bounded_number_of_threads() {
    let gate = Gate::new();
    let waiting = gate.clone();
    let work = move |()| waiting.pass();
    let mut workers: Workers<usize, (), ()> = Workers::new("test", Arc::new(work));
    let jobs = (0..100).map(|key| (key, ())).collect();
    let answers = workers.run(jobs, Duration::from_secs(1));
    let under_way = gate.calls();
    assert!(under_way <= 64, "{under_way} threads");
    assert_eq!(answers.missed.len(), under_way);
    assert_eq!(answers.not_begun.len(), 100 - under_way);
    // Those that nobody could begin are not outstanding: they may be tried again.
    assert_eq!(
        (0..100).filter(|key| workers.is_outstanding(key)).count(),
        under_way
    );
    for _ in 0..under_way {
        gate.open();
    }
    let mut late = 0;
    while late < under_way {
        late += workers.take_late().len();
        std::thread::yield_now();
    }
    assert!(!(0..100).any(|key| workers.is_outstanding(&key)));
}

const DEVICE_ERROR: &str = "node_filesystem_device_error";

fn check_mount(families: &[MetricFamily], mountpoint: &str, error: f64, size: f64) {
    let label = ("mountpoint", mountpoint);
    assert_eq!(
        value_of(families, DEVICE_ERROR, label),
        error,
        "{mountpoint}"
    );
    let told = value_of(families, "node_filesystem_size_bytes", label);
    assert!(
        told == size || (told.is_nan() && size.is_nan()),
        "{mountpoint}: {told}"
    );
}

fn read(collector: &mut dyn Collector) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    collector.read(&mut families).unwrap();
    families
}

fn usage(size_bytes: f64) -> Usage {
    Usage {
        size_bytes,
        free_bytes: 0.0,
        avail_bytes: 0.0,
        files: 0.0,
        files_free: 0.0,
    }
}

fn working(name: &'static str) -> Box<dyn Collector> {
    let read = move |families: &mut Vec<MetricFamily>| {
        families.push(single(
            &format!("node_{name}"),
            MetricKind::Gauge,
            "help",
            1.0,
        )?);
        Ok(())
    };
    Box::new(Scripted { name, read })
}

fn hanging_collector(name: &'static str) -> (Gate, Box<dyn Collector>) {
    let gate = Gate::new();
    let waiting = gate.clone();
    let read = move |_: &mut Vec<MetricFamily>| {
        waiting.pass();
        Ok(())
    };
    (gate, Box::new(Scripted { name, read }))
}

/// Lets one caller pass for each time it is opened, and counts those who came.
#[derive(Clone)]
struct Gate {
    calls: Arc<AtomicUsize>,
    opener: Sender<()>,
    opened: Arc<Mutex<Receiver<()>>>,
}

impl Gate {
    fn new() -> Self {
        let (opener, opened) = channel();
        Self {
            calls: Arc::default(),
            opener,
            opened: Arc::new(Mutex::new(opened)),
        }
    }

    fn pass(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.opened.lock().unwrap().recv().unwrap();
    }

    fn open(&self) {
        self.opener.send(()).unwrap();
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

//! A process that gets only a small share of a processor.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Lets a group have a millisecond in each period.
type Limit = fn(group: &Path, period: u32) -> Option<()>;

/// Where the kernel's first and second kind of control groups are, and how the processor is limited there.
const HIERARCHIES: [(&str, Limit); 2] = [
    ("/sys/fs/cgroup/cpu", |group, period| {
        write(&group.join("cpu.cfs_period_us"), &format!("{period}000"))?;
        write(&group.join("cpu.cfs_quota_us"), "1000")
    }),
    ("/sys/fs/cgroup", |group, period| {
        write(&group.join("cpu.max"), &format!("1000 {period}000"))
    }),
];

/// A limit that holds until it is dropped.
pub(crate) struct Throttle {
    process: String,
    root: &'static Path,
    group: PathBuf,
}

impl Throttle {
    /// Limits a process to a millisecond of one processor in each period, in milliseconds up to a thousand. None where the
    /// kernel or its keeper does not let us.
    pub(crate) fn start(process: u32, period: u32) -> Option<Self> {
        let process = process.to_string();
        HIERARCHIES.into_iter().find_map(|(root, limit)| {
            let root = Path::new(root);
            let group = root.join(format!("campanile-test-{process}"));
            std::fs::create_dir(&group).ok()?;
            let throttle = Self {
                process: process.clone(),
                root,
                group,
            };
            limit(&throttle.group, period)?;
            write(&throttle.group.join("cgroup.procs"), &process)?;
            Some(throttle)
        })
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        // A process that has ended has left the group.
        let _ = write(&self.root.join("cgroup.procs"), &self.process);
        let _ = std::fs::remove_dir(&self.group);
    }
}

/// Into a file that the kernel offers; none is made.
fn write(path: &Path, text: &str) -> Option<()> {
    let mut file = OpenOptions::new().write(true).open(path).ok()?;
    file.write_all(text.as_bytes()).ok()
}

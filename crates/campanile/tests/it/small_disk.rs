//! A file system of a few MiB that only the program under test sees, and that can be filled or made read-only.
//!
//! It lies in a mount namespace of the kernel's, so the machine has no mount more when the test is over, however it ends.
//! This needs root, and a kernel that lets root make such namespaces.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// It is gone when it is dropped.
pub(crate) struct SmallDisk {
    keeper: Child,
    point: TempDir,
}

impl SmallDisk {
    /// One of so many MiB; none where it cannot be had, which is said.
    pub(crate) fn create(mebibytes: u64) -> Option<Self> {
        let point = tempfile::tempdir().unwrap();
        let mount = format!(
            "mount -t tmpfs -o size={mebibytes}m none {}",
            point.path().display()
        );
        // It ends when its input does, even if the test is killed.
        let keeper = Command::new("unshare")
            .args(["--mount", "sh", "-c"])
            .arg(format!("{{ {mount}; }} 2>&1 && echo ready && exec cat"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut keeper = match keeper {
            Ok(keeper) => keeper,
            Err(error) => {
                eprintln!("SKIPPED: no file system of the test's own: {error}");
                return None;
            }
        };
        let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let disk = Self { keeper, point };
        if first != "ready" {
            eprintln!("SKIPPED: no file system of the test's own: {first}");
            return None;
        }
        Some(disk)
    }

    /// Where it is for the program under test.
    pub(crate) fn inside(&self) -> &Path {
        self.point.path()
    }

    /// Where it is for the test.
    pub(crate) fn outside(&self) -> PathBuf {
        let inside = self.inside().strip_prefix("/").unwrap();
        Path::new(&format!("/proc/{}/root", self.keeper.id())).join(inside)
    }

    /// A command that will see it.
    pub(crate) fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside
            .args(["--mount", "--target", &self.keeper.id().to_string(), "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    /// Runs a line of shell that sees it; it must succeed.
    pub(crate) fn run(&self, script: &str) {
        let output = self
            .command(Command::new("sh").args(["-c", script]))
            .output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {said}");
    }

    /// Fills it with a file until so many bytes are free.
    pub(crate) fn leave_free(&self, bytes: u64) {
        let space = rustix::fs::statvfs(self.outside()).unwrap();
        let free = space.f_bavail * space.f_frsize;
        let mut ballast = std::fs::OpenOptions::new();
        let ballast = ballast
            .append(true)
            .create(true)
            .open(self.outside().join("ballast"));
        let mut ballast = ballast.unwrap();
        for _ in 0..free.saturating_sub(bytes) / 4096 {
            // The program takes some of it meanwhile.
            if ballast.write_all(&[7; 4096]).is_err() {
                return;
            }
        }
    }

    /// Removes that file.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.outside().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may have ended already, which is no fault.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

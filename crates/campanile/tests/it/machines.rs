//! Two machines with a cable between them: the program runs on one of them, sites, DNS and receivers are on the other.
//!
//! They are network namespaces of the kernel, so that a cable can be cut and an address taken without harm to the real
//! machine, which sees nothing of them. This needs root, and a kernel that lets root make them.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Output, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::NamedTempFile;

use crate::peer::installed;

/// Where sites, DNS and receivers are; the range is reserved for tests of networks.
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Where the program is.
pub(crate) const INSIDE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
/// Where nobody is.
pub(crate) const NOBODY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 99);

/// The pair; both machines are gone when it is dropped.
pub(crate) struct Machines {
    outside: Machine,
    inside: Machine,
    resolv_conf: NamedTempFile,
}

impl Machines {
    /// Builds them and does the work on a thread that is on the outside machine. Where they cannot be had, it says so and
    /// does nothing.
    pub(crate) fn with(work: impl FnOnce(&Self) + Send) {
        let machines = match Self::build() {
            Ok(machines) => machines,
            Err(why) => {
                eprintln!("SKIPPED: no machines of the test's own: {why}");
                return;
            }
        };
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                machines.outside.enter();
                work(&machines);
            });
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        });
    }

    /// Errors: why not, where nothing can be done about it. What can be installed must be there when `CI` is set.
    fn build() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("this needs root".to_owned());
        }
        let possible = said(Command::new("unshare").args(["--net", "--mount", "true"]))?;
        if !possible.status.success() {
            return Err(words(&possible));
        }
        if !installed("ip") {
            return Err("this needs iproute2".to_owned());
        }
        let resolv_conf = NamedTempFile::new().unwrap();
        // The real machine may know the names of the tests by another address.
        let hosts = NamedTempFile::new().unwrap();
        let mount = format!(
            "mount --bind {} /etc/resolv.conf && mount --bind {} /etc/hosts && mount -t sysfs none /sys && ip link set lo up",
            resolv_conf.path().display(),
            hosts.path().display()
        );
        let outside = Machine::start("ip link set lo up")?;
        let inside = Machine::start(&mount)?;
        let peer = inside.0.id().to_string();
        let cable = [
            "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns",
        ];
        let laid = outside.run(&[&cable[..], &[&*peer]].concat());
        if !laid.status.success() {
            return Err(words(&laid));
        }
        for (machine, address) in [(&outside, OUTSIDE), (&inside, INSIDE)] {
            let address = format!("{address}/24");
            machine.must(&["ip", "address", "add", &address, "dev", "eth0"]);
            machine.must(&["ip", "link", "set", "eth0", "up"]);
        }
        let machines = Self {
            outside,
            inside,
            resolv_conf,
        };
        machines.set_resolver(OUTSIDE);
        Ok(machines)
    }

    /// A command that will run on the inside machine, with the id that its process has here.
    pub(crate) fn command_inside(&self, command: &Command) -> Command {
        let mut inside = self.inside.command();
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    /// Runs a command on the inside machine; it must succeed.
    pub(crate) fn inside(&self, arguments: &[&str]) {
        self.inside.must(arguments);
    }

    /// Runs a command on the outside machine; it must succeed.
    pub(crate) fn outside(&self, arguments: &[&str]) {
        self.outside.must(arguments);
    }

    /// Which DNS server /etc/resolv.conf of the inside machine names.
    pub(crate) fn set_resolver(&self, address: Ipv4Addr) {
        std::fs::write(self.resolv_conf.path(), format!("nameserver {address}\n")).unwrap();
    }
}

/// A process that keeps the namespaces of one machine.
struct Machine(Child);

impl Machine {
    /// Errors: the kernel forbids what the script does.
    fn start(script: &str) -> Result<Self, String> {
        // It ends when its input does, even if the test is killed.
        let mut child = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c"])
            .arg(format!("{{ {script}; }} 2>&1 && echo ready && exec cat"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let machine = Self(child);
        if first == "ready" {
            Ok(machine)
        } else {
            Err(first)
        }
    }

    /// From now on this thread and those that it starts are on this machine, as far as the network goes.
    fn enter(&self) {
        let namespace = File::open(format!("/proc/{}/ns/net", self.0.id())).unwrap();
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args([
                "--net",
                "--mount",
                "--target",
                &self.0.id().to_string(),
                "--",
            ])
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    fn must(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", words(&output));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended already, which is no fault.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command says that tries whether something is possible.
fn said(command: &mut Command) -> Result<Output, String> {
    command.output().map_err(|error| error.to_string())
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

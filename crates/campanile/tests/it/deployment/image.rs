//! The image for containers, without an engine that would build it: its Dockerfile is read, and the program runs in a
//! root file system with just what the image has, as the image's user, read only but for the data directory.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{project, text};
use crate::peer::installed;
use crate::program::{Program, command, directory, until};

const DOCKERFILE: &str = "deploy/docker/Dockerfile";

/// What the base image, distroless/cc for Debian 12, has of libraries that we could need.
const LIBRARIES: [&str; 5] = [
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
    "libc.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
];

/// What the last stage of the Dockerfile says.
pub(super) struct Image {
    /// From the build, each with where it goes.
    copies: Vec<(String, String)>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) user: String,
    pub(super) volume: String,
    pub(super) healthcheck: Vec<String>,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
}

impl Image {
    pub(super) fn read() -> Self {
        let text = text(DOCKERFILE);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let text = lines.join("\n").replace("\\\n", " ");
        let (_, last) = text.rsplit_once("\nFROM ").unwrap();
        let all = |instruction: &str| -> Vec<Vec<String>> {
            let prefix = format!("{instruction} ");
            let found = last.lines().filter_map(|line| line.strip_prefix(&*prefix));
            let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
            found.map(words).collect()
        };
        let one = |instruction: &str| -> Vec<String> {
            let mut found = all(instruction);
            assert_eq!(found.len(), 1, "{instruction} stands once");
            found.remove(0)
        };
        let copies = all("COPY").into_iter().map(|words| {
            assert_eq!(words[0], "--from=build");
            let [.., from, to] = &*words else {
                panic!("{words:?}")
            };
            (from.clone(), to.clone())
        });
        let environment = one("ENV").into_iter().map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        let healthcheck = one("HEALTHCHECK").join(" ");
        let (_, healthcheck) = healthcheck.split_once(" CMD ").unwrap();
        Self {
            copies: copies.collect(),
            environment: environment.collect(),
            user: one("USER").remove(0),
            volume: one("VOLUME").remove(0),
            healthcheck: list(healthcheck),
            entrypoint: list(&one("ENTRYPOINT").join(" ")),
            command: list(&one("CMD").join(" ")),
        }
    }
}

/// The form of a command without a shell; the image has none.
fn list(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json} is no list: {error}"))
}

#[test]
fn the_dockerfile_starts_the_program_with_words_that_it_knows() {
    let image = Image::read();
    for arguments in [&image.command[..], &image.healthcheck[1..]] {
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = command(&arguments).output().unwrap();
        assert!(help.status.success(), "{arguments:?}");
    }
    assert_eq!(image.healthcheck[0], image.entrypoint[0]);
    let (user, group) = image.user.split_once(':').unwrap();
    for id in [user, group] {
        assert_ne!(id.parse::<u32>().unwrap(), 0);
    }
    let variable = |name: &str| {
        let mut variables = image.environment.iter();
        let found = variables.find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(variable("CAMPANILE_DATA_DIR"), Some(image.volume.clone()));
    let empty = directory();
    let file = empty.path().join("campanile.yml");
    std::fs::write(&file, "").unwrap();
    let check = command(&["check", "config"])
        .arg(&file)
        .envs(image.environment.clone())
        .output();
    let check = check.unwrap();
    assert!(check.status.success(), "{}", words(&check));
}

#[test]
fn what_is_copied_is_what_the_build_makes() {
    let image = Image::read();
    let text = text(DOCKERFILE);
    for (from, to) in &image.copies {
        assert!(
            text.contains(&format!(" {from}\n")) || text.contains(&format!(" {from} ")),
            "{from}"
        );
        assert!(to == &image.entrypoint[0] || to == &image.volume, "{to}");
    }
    assert_eq!(image.copies.len(), 2);
}

#[test]
fn the_build_is_given_what_it_needs_and_little_more() {
    let ignored = text(".dockerignore");
    let ignored: Vec<&str> = ignored
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    for needed in ["Cargo.toml", "Cargo.lock", "crates", "xtask"] {
        assert!(project(needed).exists());
        assert!(!ignored.contains(&needed), "{needed} is needed");
    }
    for large in [
        ".git",
        "target",
        "data",
        "**/target",
        "**/node_modules",
        "web/*",
    ] {
        assert!(ignored.contains(&large), "{large} is large");
    }
    let pages = ignored.iter().position(|line| *line == "!web/dist");
    let web = ignored.iter().position(|line| *line == "web/*");
    assert!(web < pages, "an exception stands behind its rule");
}

#[test]
fn the_program_runs_with_nothing_but_what_the_image_has() {
    let image = Image::read();
    let root = match Root::build(&image) {
        Ok(root) => root,
        Err(why) => {
            eprintln!("SKIPPED: no root file system of the test's own: {why}");
            return;
        }
    };
    let mut program = Program::start_as(root.serve(&image, ""));
    let status = root.status(&program);
    let (user, group) = image.user.split_once(':').unwrap();
    for (name, expected) in [
        ("Uid:", user),
        ("Gid:", group),
        ("CapEff:", "0000000000000000"),
        ("NoNewPrivs:", "1"),
        // It is process 1 there, to which signals come only if it heeds them.
        ("NSpid:", "1"),
    ] {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let last = line.and_then(|line| line.split_whitespace().last());
        assert_eq!(last, Some(expected), "{name} in\n{status}");
    }

    let health: Vec<&str> = image.healthcheck.iter().map(String::as_str).collect();
    until("the program is healthy", || {
        root.run(&image, &program, &health).status.success()
    });
    let said = root.run(&image, &program, &health);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("healthy, ready\n"), "{said}");
    // Who may run commands in the container may make a token.
    let create = [
        &*image.entrypoint[0],
        "token",
        "create",
        "test",
        "--scope",
        "query",
    ];
    let token = root.run(&image, &program, &create);
    let token = String::from_utf8(token.stdout).unwrap();
    let query = [
        &*image.entrypoint[0],
        "query",
        "instant",
        "count(node_memory_MemTotal_bytes)",
        "--token",
        token.trim(),
    ];
    until("host metrics are stored", || {
        let answer = root.run(&image, &program, &query);
        String::from_utf8(answer.stdout).unwrap() == "SERIES  VALUE\n{}          1\n"
    });

    root.terminate(&program);
    program.wait_for_event("stopped");
    assert_eq!(program.wait().code(), Some(0));
}

/// A folder with what the image holds.
pub(super) struct Root(TempDir);

impl Root {
    /// Errors: what it takes is not to be had here.
    pub(super) fn build(image: &Image) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("this needs root".to_owned());
        }
        let mut possible = Command::new("unshare");
        possible.args([
            "--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt",
        ]);
        let possible = possible.output().map_err(|error| error.to_string())?;
        if !possible.status.success() {
            return Err(words(&possible));
        }
        if !installed("ip") {
            return Err("this needs iproute2".to_owned());
        }
        let root = Self(directory());
        let program = Path::new(env!("CARGO_BIN_EXE_campanile"));
        for library in libraries(program) {
            let name = library.rsplit('/').next().unwrap();
            assert!(
                LIBRARIES.contains(&name),
                "{library} is not in the base image"
            );
            root.put(&library, &std::fs::read(&library).unwrap());
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(root.path(&library), mode).unwrap();
        }
        root.put(
            "/etc/passwd",
            b"nonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n",
        );
        root.put("/etc/resolv.conf", b"");
        let certificates = "/etc/ssl/certs/ca-certificates.crt";
        root.put(
            certificates,
            &std::fs::read(certificates).unwrap_or_default(),
        );
        // The program is mounted there, which is faster than a copy.
        root.put(&image.entrypoint[0], b"");
        for folder in ["/proc", "/sys", "/tmp", &image.volume] {
            std::fs::create_dir_all(root.path(folder)).unwrap();
        }
        // The folder of the test is for its owner only.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(root.0.path(), mode).unwrap();
        Ok(root)
    }

    /// Where a path of the image lies here.
    pub(super) fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn put(&self, path: &str, content: &[u8]) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The image's command, in namespaces of its own, read only, and without rights of root or a way to get them.
    /// Before that, the script `mounts` may mount more.
    pub(super) fn serve(&self, image: &Image, mounts: &str) -> Command {
        let root = self.0.path().display();
        let (user, group) = image.user.split_once(':').unwrap();
        let (entrypoint, volume) = (&image.entrypoint[0], &image.volume);
        let program = env!("CARGO_BIN_EXE_campanile");
        let script = format!(
            "set -e; mount --make-rprivate /; mount --bind {root} {root}
             mount --bind {program} {root}{entrypoint}
             mount -o remount,bind,ro {root}; mount -o remount,bind,ro {root}{entrypoint}
             mount -t tmpfs -o uid={user},gid={group},mode=0750 tmpfs {root}{volume}
             mount -t proc proc {root}/proc; mount --rbind /sys {root}/sys
             {mounts}
             ip link set lo up
             exec \"$@\""
        );
        let mut serve = Command::new("unshare");
        // A test that ends early kills the first process. The kernel forgets that a child is to follow when the child
        // becomes another user, so that all are in one more namespace, whose first process it is: with that one all end.
        serve
            .args(["--pid", "--fork", "--kill-child", "unshare"])
            .args([
                "--net", "--mount", "--pid", "--fork", "sh", "-c", &script, "sh",
            ])
            .args(["setpriv", "--no-new-privs"])
            .args(chroot(image, self.0.path()))
            .args(&image.entrypoint)
            .args(&image.command)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(image.environment.clone())
            .env("CAMPANILE_LOG_FORMAT", "json")
            .stdin(Stdio::null());
        serve
    }

    /// Runs a command beside the running program, as `docker exec` does.
    pub(super) fn run(&self, image: &Image, program: &Program, arguments: &[&str]) -> Output {
        Command::new("nsenter")
            .args([
                "--net",
                "--mount",
                "--pid",
                "--target",
                &self.inner(program),
                "--",
            ])
            .args(chroot(image, self.0.path()))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(image.environment.clone())
            .output()
            .unwrap()
    }

    /// The id that the program's own process has here: two of `unshare` are above it.
    fn inner(&self, program: &Program) -> String {
        let mut id = program.id().to_string();
        for _ in 0..2 {
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
            children.unwrap().trim().clone_into(&mut id);
        }
        id
    }

    fn status(&self, program: &Program) -> String {
        std::fs::read_to_string(format!("/proc/{}/status", self.inner(program))).unwrap()
    }

    fn terminate(&self, program: &Program) {
        let killed = Command::new("kill")
            .args(["-s", "TERM", &self.inner(program)])
            .status();
        assert!(killed.unwrap().success());
    }
}

/// Into the root, as the image's user; what follows is run there.
fn chroot(image: &Image, root: &Path) -> [String; 4] {
    [
        "chroot".to_owned(),
        format!("--userspec={}", image.user),
        "--groups=".to_owned(),
        root.display().to_string(),
    ]
}

/// The libraries that a program needs, as their paths; the loader is one of them.
fn libraries(program: &Path) -> Vec<String> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.lines().filter_map(|line| {
        let path = line.rsplit_once("=> ").map_or(line, |(_, path)| path);
        let path = path.trim().split(' ').next()?;
        path.starts_with('/').then(|| path.to_owned())
    });
    paths.collect()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

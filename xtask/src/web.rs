//! The web pages: building them, and proving that what lies in `web/dist` was built from what lies beside it.
//!
//! `web/built.sha256` names every source file and every built file with its SHA-256, as `sha256sum` writes it. So
//!
//! 1. without Node, the hashes show whether anything changed since the last build, and what; each compressed form must
//!    unpack to its file, and what a browser loads first must not weigh too much;
//! 2. with Node, the pages are built once more in `target/web`, and must come out as they lie in the tree. With `CI` set
//!    there must be a Node.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use brotli_decompressor::Decompressor;
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use sha2::{Digest, Sha256};

use crate::process;

/// Where the hashes are recorded, from `web`.
const RECORD: &str = "built.sha256";

/// Where the pages are built: sources are copied there, so that `web` holds no trace of it.
const WORKSHOP: &str = "target/web";

/// Which packages are installed in the workshop: the hash of the lock file.
const INSTALLED: &str = "node_modules/.campanile-installed";

/// What Vite 8 asks for.
const NODE_MIN: (u32, u32) = (20, 19);

/// Bytes, compressed, until the overview stands; `web/scripts/budget.js` says why.
const FIRST_LOAD_MAX: u64 = 60_000;

/// Hashes by path from `web`.
type Hashes = BTreeMap<String, String>;

/// Builds the pages, puts them into `web/dist` and records what they were built from.
///
/// Errors: there is no Node that is recent enough, or the build fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    crate::no_arguments(arguments)?;
    node()?;
    let root = process::root()?;
    let (web, workshop) = (root.join("web"), root.join(WORKSHOP));
    if install(&web, &workshop)? == Registry::OutOfReach {
        bail!("npm cannot reach its registry");
    }
    build(&workshop)?;
    let dist = web.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).context("cannot clear web/dist")?;
    }
    copy(&workshop.join("dist"), &dist, &|_| true)?;
    let record = hashes(&web)?;
    fs::write(web.join(RECORD), write_record(&record))
        .with_context(|| format!("cannot write web/{RECORD}"))?;
    println!("web/dist is built from the sources beside it");
    Ok(())
}

/// Proves that `web/dist` was built from the sources beside it; with Node also checks the sources and builds them again.
///
/// Errors: it was not, or the sources have mistakes.
pub(crate) fn check() -> Result<()> {
    let root = process::root()?;
    let (web, workshop) = (root.join("web"), root.join(WORKSHOP));
    let record = fs::read_to_string(web.join(RECORD))
        .with_context(|| format!("cannot read web/{RECORD}: `cargo xtask web` writes it"))?;
    let record = read_record(&record)?;
    let differences = differences(&record, &hashes(&web)?);
    if !differences.is_empty() {
        bail!(
            "web/dist is not what its sources give: {}; `cargo xtask web` builds it anew",
            differences.join(", ")
        );
    }
    let dist = web.join("dist");
    check_packed(&dist, &record)?;
    check_weight(&dist)?;
    println!("web/dist has the recorded hashes, and so have its sources");
    if let Err(error) = node() {
        if std::env::var_os("CI").is_some() {
            return Err(error.context("the web pages are built again to compare"));
        }
        println!("SKIPPED: not built again to compare: {error:#}");
        return Ok(());
    }
    match install(&web, &workshop)? {
        Registry::Reached => {}
        // No mistake in the pages, whose hashes are right.
        Registry::OutOfReach => {
            println!("SKIPPED: not built again to compare: npm cannot reach its registry");
            return Ok(());
        }
    }
    process::run_in(&workshop, "npm run --silent check")?;
    process::run_in(&workshop, "npm run --silent test")?;
    build(&workshop)?;
    let built = hashes(&workshop)?;
    let is_plain = |path: &String| path.starts_with("dist/") && !is_packed(path);
    let only_plain = |hashes: Hashes| -> Hashes {
        let plain = hashes.into_iter().filter(|(path, _)| is_plain(path));
        plain.collect()
    };
    let differences = self::differences(&only_plain(record), &only_plain(built));
    if !differences.is_empty() {
        bail!(
            "the build of web gives something else than what lies in web/dist: {}",
            differences.join(", ")
        );
    }
    println!("built again: web/dist is what its sources give");
    Ok(())
}

/// Whether there is a Node that can build the pages, with npm. Errors: why not.
fn node() -> Result<()> {
    let version = Command::new("node")
        .arg("--version")
        .stderr(Stdio::null())
        .output()
        .context("there is no Node")?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    if !is_recent(&version) {
        let (major, minor) = NODE_MIN;
        bail!("Node {version} is too old, {major}.{minor} is needed");
    }
    let npm = Command::new("npm")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match npm {
        Ok(status) if status.success() => Ok(()),
        _ => bail!("there is no npm"),
    }
}

/// Whether a version such as `v20.20.2` is at least [`NODE_MIN`].
fn is_recent(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= NODE_MIN,
        _ => false,
    }
}

/// Whether packages could be fetched.
#[derive(Debug, PartialEq)]
enum Registry {
    Reached,
    OutOfReach,
}

/// Copies the sources into the workshop and installs their packages, unless they are there already.
fn install(web: &Path, workshop: &Path) -> Result<Registry> {
    /// What npm says when there is no way to its registry.
    const NO_WAY: [&str; 8] = [
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ECONNRESET",
        "EHOSTUNREACH",
        "ENETUNREACH",
        "ENOTFOUND",
        "ERR_SOCKET_TIMEOUT",
        "ETIMEDOUT",
    ];

    let is_kept = |name: &str| name == "node_modules";
    if workshop.exists() {
        for entry in fs::read_dir(workshop).context("cannot list target/web")? {
            let entry = entry.context("cannot list target/web")?;
            if is_kept(&entry.file_name().to_string_lossy()) {
                continue;
            }
            let removed = match entry.path().is_dir() {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            };
            removed.context("cannot clear target/web")?;
        }
    }
    copy(web, workshop, &|name| {
        name != "node_modules" && name != "dist"
    })?;
    let wanted = hash(&workshop.join("package-lock.json"))?;
    let marker = workshop.join(INSTALLED);
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(Registry::Reached);
    }
    let arguments = "ci --ignore-scripts --no-audit --no-fund --loglevel=error";
    println!("$ npm {arguments}");
    let output = Command::new("npm")
        .args(arguments.split(' '))
        .current_dir(workshop)
        .output()
        .context("cannot start npm")?;
    let said = String::from_utf8_lossy(&output.stderr);
    eprint!("{said}");
    if !output.status.success() {
        if NO_WAY.iter().any(|code| said.contains(code)) {
            return Ok(Registry::OutOfReach);
        }
        bail!("`npm {arguments}` failed ({})", output.status);
    }
    fs::write(marker, wanted).context("cannot write in target/web")?;
    Ok(Registry::Reached)
}

/// Each compressed form must unpack to the file beside it: browsers get no other.
fn check_packed(dist: &Path, record: &Hashes) -> Result<()> {
    for path in record.keys().filter_map(|path| path.strip_prefix("dist/")) {
        let Some((plain, form)) = path.rsplit_once('.').filter(|_| is_packed(path)) else {
            continue;
        };
        let bytes = fs::read(dist.join(path)).with_context(|| format!("cannot read {path}"))?;
        let mut unpacked = Vec::new();
        let read = match form {
            "gz" => GzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked),
            _ => Decompressor::new(bytes.as_slice(), bytes.len().max(1)).read_to_end(&mut unpacked),
        };
        read.with_context(|| format!("web/dist/{path} cannot be unpacked"))?;
        let plain = fs::read(dist.join(plain))
            .with_context(|| format!("web/dist/{path} is the form of no file"))?;
        if plain != unpacked {
            bail!(
                "web/dist/{path} holds something else than the file beside it: `cargo xtask web`"
            );
        }
    }
    Ok(())
}

/// What the document names is loaded before anything is seen.
fn check_weight(dist: &Path) -> Result<()> {
    let document = fs::read_to_string(dist.join("index.html")).context("no web/dist/index.html")?;
    let named = document
        .split('"')
        .filter_map(|part| part.strip_prefix("./"));
    let scripts_and_styles = named.filter(|path| path.ends_with(".js") || path.ends_with(".css"));
    let mut weight = 0;
    for path in scripts_and_styles.chain(["index.html"]) {
        let plain = dist.join(path);
        weight += match fs::metadata(dist.join(format!("{path}.gz"))) {
            Ok(packed) => packed.len(),
            // What is short has no such form, but counts in the same measure.
            Err(_) => {
                let plain = fs::read(&plain).with_context(|| {
                    format!("web/dist/index.html names {path}, which is not there")
                })?;
                let mut packed = Vec::new();
                GzEncoder::new(plain.as_slice(), Compression::best()).read_to_end(&mut packed)?;
                packed.len() as u64
            }
        };
    }
    if weight > FIRST_LOAD_MAX {
        bail!("the first load of the pages is {weight} bytes, more than {FIRST_LOAD_MAX}");
    }
    Ok(())
}

fn build(workshop: &Path) -> Result<()> {
    process::run_in(workshop, "npm run --silent build")
}

fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    let cannot = || format!("cannot copy {} to {}", from.display(), to.display());
    fs::create_dir_all(to).with_context(cannot)?;
    for entry in fs::read_dir(from).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name();
        if !wanted(&name.to_string_lossy()) {
            continue;
        }
        let target = to.join(&name);
        if entry.path().is_dir() {
            copy(&entry.path(), &target, wanted)?;
        } else {
            fs::copy(entry.path(), target).with_context(cannot)?;
        }
    }
    Ok(())
}

/// The hashes of all that the pages are built from, and of what was built.
fn hashes(web: &Path) -> Result<Hashes> {
    let mut hashes = Hashes::new();
    add_hashes(web, "", &mut hashes)?;
    Ok(hashes)
}

fn add_hashes(folder: &Path, prefix: &str, hashes: &mut Hashes) -> Result<()> {
    let cannot = || format!("cannot list {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            if name != "node_modules" {
                add_hashes(&entry.path(), &format!("{path}/"), hashes)?;
            }
        } else if counts(&path) {
            hashes.insert(path, hash(&entry.path())?);
        }
    }
    Ok(())
}

/// Whether a file is built, or has a part in the build: tests and texts for people have none.
fn counts(path: &str) -> bool {
    path != RECORD && !path.ends_with(".md") && !path.ends_with(".test.ts")
}

/// Whether a file is another one's compressed form, whose bytes differ from one zlib to the next.
fn is_packed(path: &str) -> bool {
    path.ends_with(".gz") || path.ends_with(".br")
}

fn hash(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let hash = Sha256::digest(&bytes);
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn write_record(hashes: &Hashes) -> String {
    let lines = hashes
        .iter()
        .map(|(path, hash)| format!("{hash}  {path}\n"));
    lines.collect()
}

fn read_record(text: &str) -> Result<Hashes> {
    let line = |line: &str| {
        let (hash, path) = line.split_once("  ")?;
        Some((path.to_owned(), hash.to_owned()))
    };
    let lines: Option<Hashes> = text.lines().map(line).collect();
    lines.with_context(|| format!("web/{RECORD} is damaged: `cargo xtask web` writes it anew"))
}

/// What differs, in words, the first few.
fn differences(recorded: &Hashes, found: &Hashes) -> Vec<String> {
    /// A build with another tool changes everything, which nobody wants to read.
    const SHOWN: usize = 5;

    let mut differences = Vec::new();
    for (path, hash) in recorded {
        match found.get(path) {
            None => differences.push(format!("web/{path} is gone")),
            Some(other) if other != hash => differences.push(format!("web/{path} has changed")),
            Some(_) => {}
        }
    }
    let new = found.keys().filter(|path| !recorded.contains_key(*path));
    differences.extend(new.map(|path| format!("web/{path} is new")));
    let more = differences.len().saturating_sub(SHOWN);
    differences.truncate(SHOWN);
    if more > 0 {
        differences.push(format!("and {more} more"));
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes_of(files: &[(&str, &str)]) -> Hashes {
        let files = files.iter();
        files
            .map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned()))
            .collect()
    }

    #[test]
    fn what_changed_since_the_build_is_named() {
        let recorded = hashes_of(&[
            ("dist/index.html", "1"),
            ("src/a.ts", "2"),
            ("src/b.ts", "3"),
        ]);
        assert_eq!(differences(&recorded, &recorded), [""; 0]);
        let found = hashes_of(&[
            ("dist/index.html", "1"),
            ("src/a.ts", "9"),
            ("src/c.ts", "4"),
        ]);
        assert_eq!(
            differences(&recorded, &found),
            [
                "web/src/a.ts has changed",
                "web/src/b.ts is gone",
                "web/src/c.ts is new"
            ]
        );
        let many: Vec<String> = (0..9).map(|number| format!("src/{number}.ts")).collect();
        let many = many.iter().map(|path| (path.clone(), String::new()));
        let differences = differences(&Hashes::new(), &many.collect());
        assert_eq!(differences.len(), 6);
        assert_eq!(differences[5], "and 4 more");
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let hashes = hashes_of(&[("dist/a b.js", "00ff"), ("src/main.ts", "aa")]);
        let text = write_record(&hashes);
        assert_eq!(text, "00ff  dist/a b.js\naa  src/main.ts\n");
        assert_eq!(read_record(&text).unwrap(), hashes);
        assert!(read_record("nothing\n").is_err());
    }

    #[test]
    fn a_compressed_form_of_something_else_is_refused() {
        let dist = std::env::temp_dir().join(format!("campanile-dist-{}", std::process::id()));
        fs::create_dir_all(&dist).unwrap();
        let mut packed = Vec::new();
        let mut encoder = GzEncoder::new(&b"abc"[..], Compression::fast());
        encoder.read_to_end(&mut packed).unwrap();
        fs::write(dist.join("a.js.gz"), packed).unwrap();
        // `abc` as Node writes it in brotli.
        fs::write(
            dist.join("a.js.br"),
            [0x0b, 0x01, 0x80, b'a', b'b', b'c', 0x03],
        )
        .unwrap();
        let record = hashes_of(&[
            ("dist/a.js", ""),
            ("dist/a.js.br", ""),
            ("dist/a.js.gz", ""),
        ]);
        fs::write(dist.join("a.js"), "abc").unwrap();
        check_packed(&dist, &record).unwrap();
        fs::write(dist.join("a.js"), "abd").unwrap();
        let error = check_packed(&dist, &record).unwrap_err().to_string();
        assert!(error.contains("a.js.br holds something else"), "{error}");
        fs::remove_dir_all(dist).unwrap();
    }

    #[test]
    fn tests_and_texts_have_no_part_in_the_build() {
        let folder = std::env::temp_dir().join(format!("campanile-web-{}", std::process::id()));
        for path in [
            "src/a.ts",
            "src/a.test.ts",
            "README.md",
            "node_modules/b.js",
            "dist/c.js",
        ] {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "abc").unwrap();
        }
        let found = hashes(&folder).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(found, hashes_of(&[("dist/c.js", abc), ("src/a.ts", abc)]));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_node_that_vite_refuses_is_not_recent() {
        for (version, expected) in [
            ("v20.19.0", true),
            ("v22.1.0", true),
            ("v20.18.9", false),
            ("v18.20.4", false),
            ("", false),
        ] {
            assert_eq!(is_recent(version), expected, "{version}");
        }
    }
}

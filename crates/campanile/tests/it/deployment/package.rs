//! The Debian package, as the manifest of the program describes it: its parts are there, and each where the others look
//! for it.

use std::process::Command;

use super::{project, text};

const MANIFEST: &str = "crates/campanile/Cargo.toml";

/// The files of the package, each with its place in it.
fn assets() -> Vec<(String, String)> {
    let manifest = text(MANIFEST);
    let (_, after) = manifest.split_once("\nassets = [\n").unwrap();
    let (list, _) = after.split_once("\n]\n").unwrap();
    let assets = list.lines().map(|line| {
        let words: Vec<&str> = line.split('"').collect();
        let [_, source, _, place, _, mode, _] = *words else {
            panic!("{line} is no [source, place, mode]")
        };
        assert!(mode == "644" || mode == "755", "{line}");
        (source.to_owned(), place.to_owned())
    });
    assets.collect()
}

#[test]
fn the_parts_of_the_package_are_there() {
    for (source, place) in assets() {
        assert!(!place.starts_with('/'), "{place}");
        let Some(source) = source.strip_prefix("../../") else {
            assert_eq!(source, "target/release/campanile");
            continue;
        };
        if let Some(made) = source.strip_prefix("target/package/") {
            let maker = text("xtask/src/package.rs");
            assert!(maker.contains(&format!("\"{made}\"")), "who makes {made}?");
        } else if let Some((folder, _)) = source.split_once("/*") {
            assert!(project(folder).is_dir());
        } else {
            assert!(project(source).is_file());
        }
    }
}

#[test]
fn each_part_is_where_the_others_look_for_it() {
    let unit = text("deploy/systemd/campanile.service");
    let places: Vec<String> = assets()
        .into_iter()
        .map(|(source, place)| {
            let name = source.rsplit('/').next().unwrap();
            let is_folder = place.ends_with('/');
            format!("/{place}{}", if is_folder { name } else { "" })
        })
        .collect();
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .unwrap();
    let words: Vec<&str> = start.split(' ').collect();
    for path in [words[0], words.last().unwrap()] {
        assert!(
            places.iter().any(|place| place == path),
            "{path} is not in {places:?}"
        );
    }
    let manifest = text(MANIFEST);
    let configuration = words.last().unwrap();
    assert!(manifest.contains(&format!("\nconf-files = [\"{configuration}\"]\n")));
    assert!(
        unit.contains("man:campanile(1)")
            && places.contains(&"/usr/share/man/man1/campanile.1".to_owned())
    );
}

#[test]
fn what_the_package_runs_is_a_good_script() {
    let script = project("deploy/debian/postrm");
    let checked = Command::new("sh").arg("-n").arg(&script).status().unwrap();
    assert!(checked.success());
    let words = text("deploy/debian/postrm");
    assert!(words.starts_with("#!/bin/sh\n"));
    assert!(words.contains("\nset -e\n") && words.ends_with("\n#DEBHELPER#\n"));
}

//! The project's own benchmarks: every `crates/PACKAGE/benches/NAME.rs`.

use anyhow::{Result, bail};

use crate::process;
use crate::tree::Tree;

#[derive(Debug, PartialEq)]
struct Benchmark<'a> {
    package: &'a str,
    name: &'a str,
}

/// Runs all benchmarks, or those of the package that is the one argument, or whose name contains it. No benchmark at all
/// is said, not hidden.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let wanted = match arguments {
        [] => "",
        [name] => name,
        [_, unexpected, ..] => bail!("unexpected argument `{unexpected}`; one name is enough"),
    };
    let tree = Tree::load(&process::root()?)?;
    let all = find(&tree);
    if all.is_empty() {
        println!("no benchmarks: no crate has a benches folder yet");
        return Ok(());
    }
    println!("benchmarks:");
    for Benchmark { package, name } in &all {
        println!("  {package}: {name}");
    }
    let chosen: Vec<&Benchmark<'_>> = all
        .iter()
        .filter(|bench| bench.package == wanted || bench.name.contains(wanted))
        .collect();
    if chosen.is_empty() {
        bail!("no benchmark is called `{wanted}`, nor its package; the names stand above");
    }
    for Benchmark { package, name } in chosen {
        process::run(&format!("cargo bench --package {package} --bench {name}"))?;
    }
    Ok(())
}

fn find(tree: &Tree) -> Vec<Benchmark<'_>> {
    let mut found = Vec::new();
    for path in tree.files.keys() {
        let parts: Vec<&str> = path.split('/').collect();
        if let ["crates", package, "benches", file] = parts.as_slice()
            && let Some(name) = file.strip_suffix(".rs")
        {
            found.push(Benchmark { package, name });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_found_by_their_place() {
        let tree = Tree::of(&[
            ("crates/wire/benches/decode.rs", ""),
            ("crates/wire/benches/data/page.txt", ""),
            ("crates/wire/src/benches/other.rs", ""),
        ]);
        assert_eq!(
            find(&tree),
            [Benchmark {
                package: "wire",
                name: "decode"
            }]
        );
    }
}

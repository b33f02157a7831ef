//! A test that asserts nothing passes for ever, and so does `matches!(…)` without `assert!` around it.

use std::collections::BTreeSet;

use super::Finding;
use super::source::{Source, closing, words};

/// Macros and functions that fail a test.
const FAILING: [&str; 5] = [
    "panic",
    "unreachable",
    "unwrap_err",
    "expect_err",
    "expect_file",
];

/// What a function is called that fails a test, wherever it is written: `check`, `check_codec`, `until_shown`.
const VERBS: [&str; 3] = ["assert", "check", "until"];

/// Parts of the names of tests that throw anything at a decoder: `any_bytes_are_read_or_refused`.
const ONLY_RUNS: [&str; 2] = ["panic", "or_refused"];

/// `matches!(…);` throws its answer away.
pub(crate) fn check_bare_matches(source: &Source<'_>) -> Vec<Finding> {
    let code = source.code.as_str();
    let mut findings = Vec::new();
    for (offset, _) in code.match_indices("matches!(") {
        let starts_statement = match code[..offset].trim_end().chars().next_back() {
            None => true,
            Some(before) => ";{}".contains(before),
        };
        let end = closing(code, offset + "matches!".len()).unwrap_or(code.len());
        if starts_statement && code[end..].trim_start().starts_with(';') {
            let problem = "`matches!(…);` checks nothing: write `assert!(matches!(…));`";
            findings.push(Finding::new(source.path, source.line(offset), problem));
        }
    }
    findings
}

/// A test that is ignored says why.
pub(crate) fn check_ignored(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (offset, _) in source.code.match_indices("#[ignore]") {
        let problem = "say why this test is ignored and how to run it: `#[ignore = \"…\"]`";
        findings.push(Finding::new(source.path, source.line(offset), problem));
    }
    findings
}

/// Every test can fail: it asserts, or it calls a function or macro of the same file that does.
///
/// A test whose name says `panic` or `or_refused` may only run code: that nothing panics is what it shows.
pub(crate) fn check_tests(source: &Source<'_>) -> Vec<Finding> {
    let asserting = asserting_names(source);
    let mut findings = Vec::new();
    for function in source.functions() {
        if !is_test(function.before)
            || function.before.contains("should_panic")
            || ONLY_RUNS.iter().any(|part| function.name.contains(part))
            || asserts(&source.code[function.body.clone()], &asserting)
        {
            continue;
        }
        let problem = format!("the test `{}` asserts nothing", function.name);
        findings.push(Finding::new(source.path, function.line, problem));
    }
    findings
}

fn is_test(before: &str) -> bool {
    ["#[test]", "::test]", "::test("]
        .iter()
        .any(|attribute| before.contains(attribute))
}

/// The functions and macros among the tests of this file that assert, directly or through others.
///
/// A product function may assert as well, yet whoever merely calls it asserts nothing about what it does.
fn asserting_names<'a>(source: &'a Source<'_>) -> BTreeSet<&'a str> {
    let code = source.code.as_str();
    let mut bodies: Vec<(&str, &str)> = Vec::new();
    let tests_start = source.tests_start();
    for function in source.functions() {
        if function.body.start >= tests_start && !is_test(function.before) {
            bodies.push((function.name, &code[function.body.clone()]));
        }
    }
    for (offset, _) in code.match_indices("macro_rules!") {
        let rest = &code[offset + "macro_rules!".len()..];
        let Some((at, name)) = words(rest).next() else {
            continue;
        };
        let end = rest.find('{').and_then(|open| closing(rest, open));
        bodies.push((name, &rest[at + name.len()..end.unwrap_or(rest.len())]));
    }

    let mut names = BTreeSet::new();
    loop {
        let known = names.len();
        for (name, body) in &bodies {
            if asserts(body, &names) {
                names.insert(*name);
            }
        }
        if names.len() == known {
            return names;
        }
    }
}

/// Whether some word of `body` that is called, `word(…)` or `word!…`, can fail a test.
fn asserts(body: &str, asserting: &BTreeSet<&str>) -> bool {
    words(body).any(|(offset, word)| {
        let after = body[offset + word.len()..].chars().next();
        let is_macro = after == Some('!') && !body[offset + word.len()..].starts_with("!=");
        if !is_macro && !matches!(after, Some('(' | ':')) {
            return false;
        }
        FAILING.contains(&word)
            || asserting.contains(word)
            || is_macro && (word.contains("assert") || word == "expect")
            || VERBS.iter().any(|verb| {
                let rest = word.strip_prefix(verb);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_matches_is_found() {
        for text in [
            "fn f() { matches!(x, Some(_)); }",
            "fn f() { y();\n    matches!(\n x, Some(_)\n)\n; }",
        ] {
            let findings = check_bare_matches(&Source::new("a.rs", text));
            assert_eq!(findings.len(), 1, "{text}");
        }
        for text in [
            "fn f() { assert!(matches!(x, Some(_))); }",
            "fn f() -> bool { matches!(x, Some(_)) }",
            "fn f() { let y = matches!(x, Some(_)); }",
            "// matches!(x, y);",
        ] {
            let findings = check_bare_matches(&Source::new("a.rs", text));
            assert_eq!(findings, [], "{text}");
        }
    }

    #[test]
    fn a_test_ignored_without_reason_is_found() {
        let bare = Source::new("a.rs", "#[test]\n#[ignore]\nfn t() { assert!(x); }");
        assert_eq!(check_ignored(&bare)[0].line, 2);
        let explained = Source::new("a.rs", "#[test]\n#[ignore = \"a minute long\"]\nfn t() {}");
        assert_eq!(check_ignored(&explained), []);
    }

    #[test]
    fn a_test_that_cannot_fail_is_found() {
        for text in [
            "#[test] fn t() {}",
            "#[test] fn t() { let checked = parse(1).unwrap(); }",
            "#[tokio::test] async fn t() { run().await; }",
            "#[tokio::test(start_paused = true)] async fn t() { run().await; }",
            "#[test] fn t() { /* assert!(x) */ f(\"assert!(x)\"); }",
            "fn helper() { f(); } #[test] fn t() { helper(); }",
            "fn product() { assert!(x); }\n#[cfg(test)]\nmod tests { #[test] fn t() { product(); } }",
            "proptest! { #![proptest_config(C { cases: 9 })] #[test] fn t(x in 0..9) { f(x); } }",
            "#[test] fn t() { check != 1; checked_add(2); let assert = 1; }",
        ] {
            let findings = check_tests(&Source::new("a.rs", text));
            assert_eq!(findings.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_test_that_can_fail_is_left_alone() {
        for text in [
            "#[test] fn t() { assert!(x); }",
            "#[test] fn t() { assert_eq!(x, y); }",
            "#[test] fn t(x in 0..9) { prop_assert_eq!(x, y); }",
            "#[test] fn t() { check(\"1 + 1\", expect![[\"2\"]]); }",
            "#[test] fn t() { check_codec::<Text>(1); }",
            "#[test] fn t() { parse(1).unwrap_err(); }",
            "#[tokio::test] async fn t() { server.until_shown(\"up 1\").await; }",
            "#[test] #[should_panic(expected = \"x\")] fn t() { f(); }",
            "#[test] fn no_bytes_make_it_panic() { parse(1); }",
            "#[test] fn any_bytes_are_read_or_refused(x in y) { let _ = parse(x); }",
            "fn inner() { assert!(x) } fn outer() { inner() } #[test] fn t() { outer(); }",
            "macro_rules! same { ($x:expr) => { assert!($x) } } #[test] fn t() { same!(x); }",
            "fn not_a_test() { f(); }",
        ] {
            let findings = check_tests(&Source::new("src/a/tests.rs", text));
            assert_eq!(findings, [], "{text}");
        }
    }
}

//! Outside tests, `expect` is for what cannot happen, and says so: `expect("invariant: …")`.

use super::Finding;
use super::source::Source;

/// Every `.expect("…")` in product code is given a text that begins with `invariant: `. What is given no text is
/// another method of that name, such as a parser's.
pub(crate) fn check(source: &Source<'_>) -> Vec<Finding> {
    let is_product = source.path.contains("/src/") && !source.path.starts_with("crates/testkit/");
    if !is_product {
        return Vec::new();
    }
    let end = source.tests_start();
    let call = ".expect(";
    let mut findings = Vec::new();
    for (offset, _) in source.code[..end].match_indices(call) {
        let argument = source.text[offset + call.len()..].trim_start();
        let is_text = argument.starts_with('"') || argument.starts_with("&format!");
        if is_text && !argument.starts_with("\"invariant: ") {
            let problem =
                "say why it cannot happen, `expect(\"invariant: …\")`, or return an error";
            findings.push(Finding::new(source.path, source.line(offset), problem));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_without_its_invariant_is_found() {
        let path = "crates/wire/src/lib.rs";
        for text in [
            "x.expect(\"works\")",
            "x.expect(&format!(\"no {y}\"))",
            "x.expect(\n    \"no\",\n)",
        ] {
            assert_eq!(check(&Source::new(path, text)).len(), 1, "{text}");
        }
        for text in [
            "x.expect(\"invariant: it was checked above\")",
            "x.expect(\n    \"invariant: it was checked above\",\n)",
            "#[cfg(test)]\nmod tests {\n    x.expect(\"works\")\n}",
            "cursor.expect(b'{')?",
            "// x.expect(\"works\")",
        ] {
            assert_eq!(check(&Source::new(path, text)), [], "{text}");
        }
        let in_tests = Source::new("crates/wire/src/text/tests.rs", "x.expect(\"works\")");
        assert_eq!(check(&in_tests), []);
    }
}

//! Outside tests, `expect` is for what cannot happen, and says so: `expect("invariant: …")`.

use super::Finding;
use super::source::{Source, closing};

/// Every `.expect("…")` in product code is given a text that begins with `invariant: `. What is given anything else
/// is another method of that name, such as a parser's.
pub(crate) fn check(source: &Source<'_>) -> Vec<Finding> {
    let is_product = source.path.contains("/src/") && !source.path.starts_with("crates/testkit/");
    if !is_product {
        return Vec::new();
    }
    let call = ".expect(";
    let mut findings = Vec::new();
    for (offset, _) in source.code[..source.tests_start()].match_indices(call) {
        let start = offset + call.len();
        let end = closing(&source.code, start - 1).map_or(source.code.len(), |end| end - 1);
        let argument = source.text[start..end].trim_start();
        if is_lone_text(&source.code[start..end], &source.text[start..end])
            && !argument.starts_with("\"invariant: ")
        {
            let problem =
                "say why it cannot happen, `expect(\"invariant: …\")`, or return an error";
            findings.push(Finding::new(source.path, source.line(offset), problem));
        }
    }
    findings
}

/// Whether the arguments of a call are one text; a literal is blank in `code`.
fn is_lone_text(code: &str, text: &str) -> bool {
    if text.trim_start().starts_with("&format!") {
        return true;
    }
    let comma = code.find(',').unwrap_or(code.len());
    let after = text.get(comma + 1..).unwrap_or("");
    code[..comma].trim().is_empty() && after.trim().is_empty() && text.contains('"')
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
            "parser.expect(\")\", context)?",
            "parser.expect(\"(\", \"grouping\")?",
            "// x.expect(\"works\")",
        ] {
            assert_eq!(check(&Source::new(path, text)), [], "{text}");
        }
        let in_tests = Source::new("crates/wire/src/text/tests.rs", "x.expect(\"works\")");
        assert_eq!(check(&in_tests), []);
    }
}

//! A note to do something later names the issue in which it will be done, or it is never done.

use super::Finding;
use super::source::words;

const MARKS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Each line with such a mark also has an issue number, such as `#12`.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((_, mark)) = words(line).find(|(_, word)| MARKS.contains(word)) else {
            continue;
        };
        if !has_issue(line) {
            let problem = format!("`{mark}` without an issue: write `{mark}(#12): …`, or do it");
            findings.push(Finding::new(path, index + 1, problem));
        }
    }
    findings
}

fn has_issue(line: &str) -> bool {
    let mut after_hash = line.split('#').skip(1);
    after_hash.any(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_without_issue_is_found() {
        for mark in MARKS {
            for note in ["", ": later", "(me): later", " # later"] {
                let text = format!("fine\n// {mark}{note}");
                let findings = check("a.rs", &text);
                assert_eq!(findings.len(), 1, "{text}");
                assert_eq!(findings[0].line, 2);
            }
            assert_eq!(check("a.rs", &format!("// {mark}(#12): later")), []);
            assert_eq!(
                check("a.rs", &format!("// {mark}S and {}", mark.to_lowercase())),
                []
            );
        }
    }
}

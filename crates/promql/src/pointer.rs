//! The line of an expression with a mark under the place that an error is about.

use crate::Position;

/// How many characters of a long line are shown: what fits beside an indent on most terminals.
const SHOWN_MAX: usize = 100;

/// The line of the text in which the position lies, and below it a `^` under the place. Long lines are cut around it.
pub fn point_at(text: &str, position: Position) -> String {
    let offset = (position.offset as usize).min(text.len());
    let offset = (0..=offset)
        .rev()
        .find(|offset| text.is_char_boundary(*offset))
        .unwrap_or(0);
    let (before, after) = text.split_at(offset);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line_end = after.find('\n').unwrap_or(after.len());
    let before: Vec<char> = before[line_start..].chars().collect();
    let after: Vec<char> = after[..line_end].trim_end_matches('\r').chars().collect();

    let kept_before = before.len().min(SHOWN_MAX / 2);
    let kept_after = after.len().min(SHOWN_MAX - kept_before);
    let cut_before = if kept_before < before.len() {
        "…"
    } else {
        ""
    };
    let cut_after = if kept_after < after.len() { "…" } else { "" };
    let before: String = before[before.len() - kept_before..].iter().collect();
    let after: String = after[..kept_after].iter().collect();
    // A tab takes as much room in both lines.
    let blank = |letter: char| if letter == '\t' { '\t' } else { ' ' };
    let indent: String = cut_before
        .chars()
        .chain(before.chars())
        .map(blank)
        .collect();
    format!("{cut_before}{before}{after}{cut_after}\n{indent}^")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[track_caller]
    fn pointed(text: &str) -> String {
        let error = parse(text).unwrap_err();
        point_at(text, error.position)
    }

    #[test]
    fn the_mark_stands_under_the_place() {
        assert_eq!(pointed("sum(rate(a[5m)"), "sum(rate(a[5m)\n             ^");
        assert_eq!(pointed("a +\n\tb $ c\nd"), "\tb $ c\n\t  ^");
        assert_eq!(pointed("\"ä\" + a"), "\"ä\" + a\n^");
        assert_eq!(pointed("a{b=\"ä\"} $"), "a{b=\"ä\"} $\n         ^");
        assert_eq!(pointed(""), "\n^");
        assert_eq!(pointed("1 +"), "1 +\n   ^");
    }

    #[test]
    fn of_long_lines_the_part_around_the_place_is_shown() {
        let text = format!("{} $ {}", vec!["a"; 100].join(" + "), "b".repeat(300));
        let shown = pointed(&text);
        let (line, mark) = shown.split_once('\n').unwrap();
        assert!(line.starts_with('…') && line.ends_with('…'), "{shown}");
        assert_eq!(line.chars().count(), SHOWN_MAX + 2);
        assert_eq!(line.chars().nth(mark.chars().count() - 1), Some('$'));
    }
}

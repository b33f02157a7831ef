//! Moments in Go's layouts, which are an example: how the moment 2006-01-02 15:04:05 -0700 would be written.

use jiff::Zoned;

/// What stands in a layout, longer words before their beginnings, and what it is for `strftime`.
const WORDS: [(&str, &str); 32] = [
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "%Z"),
    ("2006", "%Y"),
    ("-07:00", "%:z"),
    ("-0700", "%z"),
    ("Z07:00", "Z:"),
    ("Z0700", "Z"),
    ("-07", "%z2"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("_2", "%e"),
    ("PM", "%p"),
    ("pm", "%P"),
    (".000000000", ".0"),
    (".000000", ".0"),
    (".000", ".0"),
    (".999999999", ".9"),
    (".999999", ".9"),
    (".999", ".9"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
];

/// A moment in a layout.
pub(crate) fn format(at: &Zoned, layout: &str) -> String {
    let mut text = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        let Some((word, meaning)) = word(rest) else {
            text.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = &rest[word.len()..];
        let fraction = format!("{:09}", at.subsec_nanosecond());
        match meaning {
            ".0" => {
                text.push('.');
                text.push_str(&fraction[..word.len() - 1]);
            }
            ".9" => {
                let kept = fraction[..word.len() - 1].trim_end_matches('0');
                if !kept.is_empty() {
                    text.push('.');
                    text.push_str(kept);
                }
            }
            "Z" | "Z:" if at.offset().is_zero() => text.push('Z'),
            "Z" => text.push_str(&at.strftime("%z").to_string()),
            "Z:" => text.push_str(&at.strftime("%:z").to_string()),
            "%z2" => text.push_str(&at.strftime("%z").to_string()[..3]),
            meaning => text.push_str(&at.strftime(meaning).to_string()),
        }
    }
    text
}

/// A layout for parsing; None if it has words that cannot be parsed.
pub(crate) fn strptime(layout: &str) -> Option<String> {
    let mut pattern = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        let Some((word, meaning)) = word(rest) else {
            if first == '%' {
                pattern.push('%');
            }
            pattern.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = &rest[word.len()..];
        match meaning {
            ".0" | ".9" => pattern.push_str("%.f"),
            "Z:" => pattern.push_str("%:z"),
            "Z" => pattern.push_str("%z"),
            "%z2" | "%Z" => return None,
            meaning => pattern.push_str(meaning),
        }
    }
    Some(pattern)
}

fn word(text: &str) -> Option<(&'static str, &'static str)> {
    // The single digit of the seconds has no place in the table, whose order is that of length.
    if text.starts_with('5') {
        return Some(("5", "%-S"));
    }
    let found = WORDS.iter().find(|(word, _)| text.starts_with(word));
    found.copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_the_example_is() {
        let at: Zoned = "2026-11-05T08:07:45.331+01:00[Europe/Berlin]"
            .parse()
            .unwrap();
        for (layout, shown) in [
            ("2006-01-02 15:04:05", "2026-11-05 08:07:45"),
            (
                "Mon, 02 Jan 2006 15:04:05 MST",
                "Thu, 05 Nov 2026 08:07:45 CET",
            ),
            ("Monday, January 2, 3:04PM", "Thursday, November 5, 8:07AM"),
            ("2006-01-02T15:04:05Z07:00", "2026-11-05T08:07:45+01:00"),
            ("15:04:05.000", "08:07:45.331"),
            ("15:04:05.999999999 -0700", "08:07:45.331 +0100"),
            ("06/1/_2 kl. 15.04", "26/11/ 5 kl. 08.07"),
        ] {
            assert_eq!(format(&at, layout), shown, "{layout}");
        }
        let utc: Zoned = "2026-11-05T08:07:45+00:00[UTC]".parse().unwrap();
        assert_eq!(format(&utc, "15:04:05.999Z07:00"), "08:07:45Z");
    }
}

//! Makes texts of others harmless where they stand: in HTML, in Slack's and Telegram's markup, in a header.

/// For HTML, in texts and in quoted attributes, and for Telegram's HTML.
pub(crate) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// For Slack, which knows three entities.
pub(crate) fn slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// For Telegram's MarkdownV2.
pub(crate) fn markdown_v2(text: &str) -> String {
    backslashed(text, "_*[]()~`>#+-=|{}.!\\")
}

/// For Telegram's older Markdown.
pub(crate) fn markdown(text: &str) -> String {
    backslashed(text, "_*`[")
}

fn backslashed(text: &str, special: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if special.contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// One line without control characters, of at most so many characters.
pub(crate) fn line(text: &str, most: usize) -> String {
    let clean: String = text
        .chars()
        .map(|letter| {
            if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                letter
            }
        })
        .collect();
    let words: Vec<&str> = clean.split(' ').filter(|word| !word.is_empty()).collect();
    cut(&words.join(" "), most)
}

/// At most so many characters; what is cut ends with `…`.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// At most so many characters of a text in Slack's markup, cut between lines, or else where no link or entity stands.
pub(crate) fn cut_slack(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else {
        return text.to_owned();
    };
    // Room for the line that says so.
    let begin: String = text[..end].chars().take(most.saturating_sub(2)).collect();
    let kept = match begin.rfind('\n') {
        Some(newline) if newline > begin.len() / 2 => &begin[..newline],
        _ => {
            let open = begin
                .rfind('<')
                .filter(|open| !begin[*open..].contains('>'));
            let entity = begin
                .rfind('&')
                .filter(|open| !begin[*open..].contains(';'));
            let end = [open, entity].into_iter().flatten().min();
            &begin[..end.unwrap_or(begin.len())]
        }
    };
    format!("{kept}\n…")
}

/// An address that a link may have; others would be a trap.
pub(crate) fn is_link(text: &str) -> bool {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    is_web && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unescaped(text: &str) -> String {
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    }

    proptest! {
        #[test]
        fn what_is_escaped_for_html_opens_no_tag_and_loses_nothing(text in ".*") {
            let escaped = html(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            prop_assert_eq!(unescaped(&escaped), text);
        }

        #[test]
        fn what_is_escaped_for_slack_mentions_nobody_and_loses_nothing(text in ".*") {
            let escaped = slack(&text);
            prop_assert!(!escaped.contains(['<', '>']));
            prop_assert_eq!(unescaped(&escaped), text);
        }

        #[test]
        fn what_is_escaped_for_markdown_loses_nothing(text in ".*") {
            let mut plain = String::new();
            let escaped = markdown_v2(&text);
            let mut letters = escaped.chars();
            while let Some(letter) = letters.next() {
                if letter == '\\' {
                    plain.extend(letters.next());
                } else {
                    let is_special = "_*[]()~`>#+-=|{}.!".contains(letter);
                    prop_assert!(!is_special);
                    plain.push(letter);
                }
            }
            prop_assert_eq!(plain, text);
        }

        #[test]
        fn what_is_cut_for_slack_has_no_half_of_a_link(
            words in prop::collection::vec("<https://x\\|y>|&amp;|[a-z]{1,5}|\n", 0..30),
            most in 10_usize..60,
        ) {
            let text = words.concat();
            let cut = cut_slack(&text, most);
            prop_assert!(cut.chars().count() <= most);
            prop_assert_eq!(cut.matches('<').count(), cut.matches('>').count());
            prop_assert_eq!(cut.matches('&').count(), cut.matches(';').count());
        }

        #[test]
        fn a_line_has_no_break_and_no_more_than_its_length(text in "(?s).*", most in 1_usize..50) {
            let line = line(&text, most);
            prop_assert!(!line.contains(|letter: char| letter.is_control()));
            prop_assert!(line.chars().count() <= most);
        }
    }
}

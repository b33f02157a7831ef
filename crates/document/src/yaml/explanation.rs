//! What the YAML library found wrong, in the words of someone who helps a beginner.
//!
//! The library says which rule was broken; what a person did is found by looking at the line, and at the lines above
//! it: a tab, a missing colon, an indentation that fits nothing, a bracket that was never closed.

use granit_parser::{ErrorKind, ScanError};

use crate::problem::Problem;
use crate::source::{Source, Span};
use crate::tree::Builder;

/// A problem at the place where a person has to mend the text, which is not always where the parser stopped.
pub(super) fn explain(source: &Source, builder: &Builder<'_>, error: &ScanError) -> Problem {
    let text = source.text();
    let offset = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let offset = text.floor_char_boundary(offset);
    let (at, message) = Place { text, offset }
        .explanation(error.kind(), builder.depth_max())
        .unwrap_or_else(|| (offset, format!("this is no valid YAML: {}", error.kind())));
    let length = text[at..].chars().next().map_or(0, char::len_utf8);
    builder.syntax_problem(Span::from(at..at + length), message)
}

/// The place where the parser stopped.
struct Place<'t> {
    text: &'t str,
    offset: usize,
}

/// A line that says something, with the offset of its first byte and its number from 1.
#[derive(Clone, Copy)]
struct Line<'t> {
    number: usize,
    start: usize,
    text: &'t str,
}

impl Line<'_> {
    fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }

    /// The offset of the first character that is no space.
    fn content(&self) -> usize {
        self.start + self.indent()
    }

    fn is_blank(&self) -> bool {
        let content = self.text.trim();
        content.is_empty() || content.starts_with('#')
    }

    /// Whether a key with its colon stands here, and behind it a value.
    fn has_key_and_value(&self) -> bool {
        self.text
            .split_once(": ")
            .is_some_and(|(_, value)| !value.trim().is_empty() && !value.trim().starts_with('#'))
    }

    fn has_key(&self) -> bool {
        self.text.contains(": ") || self.text.trim_end().ends_with(':')
    }
}

type Explanation = (usize, String);

impl<'t> Place<'t> {
    fn explanation(&self, kind: &ErrorKind, depth_max: usize) -> Option<Explanation> {
        use ErrorKind as Kind;
        if let Some(tab) = self.tab_in_indentation(kind) {
            let message =
                "a tab stands in the indentation; YAML indents with spaces only, two per level";
            return Some((tab, message.to_owned()));
        }
        let message = match kind {
            Kind::MappingValueNotAllowed => return self.misplaced_colon(),
            Kind::ExpectedBlockMappingKey | Kind::InvalidIndentation => {
                return self.misplaced_line();
            }
            Kind::ExpectedBlockSequenceEntry => {
                "this line stands where a list item is expected; begin it with - and a space, or indent it differently"
            }
            Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => {
                "a key needs a colon and a space after it, as in key: value"
            }
            Kind::InvalidColonPlacement
            | Kind::ExpectedFlowMappingSeparator
            | Kind::ExpectedFlowSequenceSeparator
            | Kind::UnexpectedEofFlowSequence
            | Kind::UnexpectedEofFlowMapping
            | Kind::UnexpectedEofImplicitFlowMapping
            | Kind::BlockEntryInFlowCollection => return self.open_bracket(self.offset),
            // Here the parser stops at the bracket itself.
            Kind::UnclosedFlowCollection { .. } => return self.open_bracket(self.offset + 1),
            Kind::InvalidQuotedScalarIndent
            | Kind::UnclosedQuotedScalar
            | Kind::DocumentIndicatorInQuotedScalar => return self.open_quote(),
            Kind::InvalidTrailingSingleQuotedScalar => {
                "text follows after the closing quote; inside single quotes, write '' for an apostrophe"
            }
            Kind::InvalidTrailingDoubleQuotedScalar => {
                "text follows after the closing quote; inside double quotes, write \\\" for a quote"
            }
            Kind::UnknownQuotedScalarEscape
            | Kind::InvalidQuotedScalarHexEscape
            | Kind::InvalidUnicodeEscape => {
                "a \\ in double quotes begins an escape, and this one is unknown; write \\\\, or use single quotes"
            }
            Kind::UnexpectedCharacter { character } => return Some(self.character(*character)),
            Kind::UnknownAnchor => return Some(self.unknown_anchor()),
            Kind::MissingAnchorOrAliasName => {
                "a value that begins with & or * must stand in quotes (these mark an anchor and an alias)"
            }
            Kind::BlockSequenceEntryNotAllowed => {
                "a list cannot begin in the line of its key; put each - into a line of its own below, \
                 or quote the value if it is a text"
            }
            Kind::MisplacedFlowCollectionEnd | Kind::MismatchedFlowCollectionEnd { .. } => {
                "this bracket closes nothing; remove it, or quote the value if it is a text"
            }
            Kind::CommentInterceptedScalar => {
                "a comment interrupts a text of several lines; move the comment, or quote the text"
            }
            Kind::InvalidBlockScalarHeader => {
                "after | or > the line ends, and the text begins in the next one, indented; \
                 quote the value if it is meant to begin with this character"
            }
            Kind::ExpectedDocumentStart => {
                "this belongs to nothing above it; is a quote, a colon or an indentation missing before it?"
            }
            Kind::RecursionLimitExceeded => {
                let message = format!("sections and lists are nested more than {depth_max} deep");
                return Some((self.offset, message));
            }
            _ => return None,
        };
        Some((self.offset, message.to_owned()))
    }

    /// A tab before the content of the line where the parser stopped, or of the next one (it may stop at a line's end).
    fn tab_in_indentation(&self, kind: &ErrorKind) -> Option<usize> {
        let tabbed = |line: &Line<'_>| {
            let content = line.text.trim_start_matches([' ', '\t']);
            let indentation = &line.text[..line.text.len() - content.len()];
            let tab = indentation.find('\t')?;
            (!content.is_empty()).then_some(line.start + tab)
        };
        let line = self.line()?;
        let is_about_tabs = matches!(
            kind,
            ErrorKind::TabInPlainScalar
                | ErrorKind::TabInIndentation
                | ErrorKind::TabInBlockIndentation
                | ErrorKind::TabNotAllowed
                | ErrorKind::TabAtBlockScalarStart
                | ErrorKind::InvalidBlockEntryWhitespace
                | ErrorKind::InvalidMappingValueWhitespace
        );
        tabbed(&line).or_else(|| {
            let next = lines(self.text).find(|next| next.number == line.number + 1);
            next.filter(|_| is_about_tabs).as_ref().and_then(tabbed)
        })
    }

    /// A colon where no key may stand: a second one in the line, a line that is indented too deep, or a line above
    /// that lacks its own.
    fn misplaced_colon(&self) -> Option<Explanation> {
        let line = self.line()?;
        let before = line.text.get(..self.offset - line.start)?;
        if before.contains(": ") {
            let message = "a second colon stands in this line; a text that contains \": \" must stand in quotes";
            return Some((self.offset, message.to_owned()));
        }
        let above = self.line_above(&line)?;
        let number = above.number;
        if !above.has_key() {
            let message = "a key needs a colon and a space after it, as in key: value";
            return Some((above.content(), message.to_owned()));
        }
        if line.indent() > above.indent() && above.has_key_and_value() {
            let message = format!(
                "this line is indented deeper than line {number}, which has its value already; \
                 begin it in column {}",
                above.indent() + 1
            );
            return Some((line.content(), message));
        }
        None
    }

    /// A line whose indentation fits no line above it, or a list item between keys.
    fn misplaced_line(&self) -> Option<Explanation> {
        let line = self.line()?;
        let mut columns: Vec<usize> = Vec::new();
        let mut above = self.line_above(&line);
        let is_item = line.text.trim_start().starts_with("- ");
        if is_item && let Some(above) = above.filter(Line::has_key_and_value) {
            let message = format!(
                "a list item stands where a key is expected: line {} has its value already",
                above.number
            );
            return Some((line.content(), message));
        }
        while let Some(found) = above {
            if columns.last().is_none_or(|last| found.indent() < *last) {
                columns.push(found.indent());
            }
            above = self.line_above(&found).filter(|_| found.indent() > 0);
        }
        if columns.contains(&line.indent()) {
            let message = "a key with a colon is expected here, as in key: value";
            return Some((line.content(), message.to_owned()));
        }
        if columns.is_empty() {
            return None;
        }
        columns.reverse();
        let columns: Vec<String> = columns
            .iter()
            .map(|indent| (indent + 1).to_string())
            .collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let message = format!(
            "the indentation of this line fits no line above; keys that belong together begin in the same column \
             (here {})",
            crate::value::one_of(&columns)
        );
        Some((line.content(), message))
    }

    /// The last bracket before `end` that is still open.
    fn open_bracket(&self, end: usize) -> Option<Explanation> {
        let mut open: Vec<(usize, char)> = Vec::new();
        let mut quote = None;
        for (offset, character) in self.text.get(..end)?.char_indices() {
            match (quote, character) {
                (Some(open), _) if open == character || character == '\n' => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(character),
                (None, '[' | '{') => open.push((offset, character)),
                (None, ']' | '}') => drop(open.pop()),
                _ => {}
            }
        }
        let (offset, bracket) = open.pop()?;
        let closing = if bracket == '[' { ']' } else { '}' };
        let line = self.text[offset..].lines().next().unwrap_or_default();
        let message = if line.contains(closing) {
            format!(
                "between this {bracket} and its {closing}, values are separated by one comma each"
            )
        } else {
            format!("this {bracket} is not closed in its line; is {closing} missing?")
        };
        Some((offset, message))
    }

    /// The quote that begins the text in which the parser stopped.
    fn open_quote(&self) -> Option<Explanation> {
        let odd = |line: &Line<'_>| {
            ['"', '\''].into_iter().find_map(|quote| {
                let count = line.text.matches(quote).count();
                (count % 2 == 1).then(|| line.text.rfind(quote))?
            })
        };
        let (line, column) = lines(self.text)
            .filter(|line| line.start <= self.offset && !line.is_blank())
            .filter_map(|line| Some((line, odd(&line)?)))
            .last()?;
        let message =
            "the text that begins with this quote is not closed; end it with the same quote";
        Some((line.start + column, message.to_owned()))
    }

    fn character(&self, character: char) -> Explanation {
        let message = if character.is_control() {
            format!(
                "the control character U+{:04X} is not allowed; remove it",
                u32::from(character)
            )
        } else {
            format!("a value cannot begin with {character}; put it in quotes")
        };
        (self.offset, message)
    }

    fn unknown_anchor(&self) -> Explanation {
        let name: String = self.text[self.offset..]
            .chars()
            .skip(1)
            .take_while(|character| !character.is_whitespace() && !",[]{}".contains(*character))
            .take(40)
            .collect();
        let message = format!(
            "*{name} names no anchor above it (&{name}); a text that begins with * must stand in quotes"
        );
        (self.offset, message)
    }

    fn line(&self) -> Option<Line<'t>> {
        lines(self.text)
            .take_while(|line| line.start <= self.offset)
            .last()
    }

    /// The nearest line above that is neither empty nor a comment.
    fn line_above(&self, line: &Line<'_>) -> Option<Line<'t>> {
        let start = line.start;
        let mut end = start;
        let mut number = line.number;
        while end > 0 {
            let begin = self.text[..end - 1]
                .rfind('\n')
                .map_or(0, |newline| newline + 1);
            number -= 1;
            let above = Line {
                number,
                start: begin,
                text: self.text[begin..end].trim_end_matches(['\n', '\r']),
            };
            if !above.is_blank() {
                return Some(above);
            }
            end = begin;
        }
        None
    }
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .enumerate()
        .map(move |(index, line)| {
            let found = Line {
                number: index + 1,
                start,
                text: line.trim_end_matches(['\n', '\r']),
            };
            start += line.len();
            found
        })
}

//! Texts that parse, and where one does not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gotmpl::TemplateError;
use gotmpl::parse::{DefineNode, ListNode, Node, Parser};

use crate::language::Language;
use crate::rewrite;

/// A text with or without actions; equal if the texts are.
#[derive(Clone)]
pub struct Template {
    text: Arc<str>,
    /// Nothing if the text holds no action.
    parsed: Option<Arc<Parsed>>,
}

/// The trees of a text.
pub struct Parsed {
    /// What stands outside of definitions.
    pub main: Tree,
    /// What the text defines, by name.
    pub defines: BTreeMap<String, Tree>,
    /// The names of the templates that it calls.
    pub calls: Vec<String>,
}

/// One template that parses.
#[derive(Clone)]
pub struct Tree(pub(crate) ListNode);

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub message: String,
    /// The byte of the text at which it was noticed.
    pub offset: usize,
}

impl Template {
    /// Reads a text.
    ///
    /// Errors: what is wrong, and where.
    pub fn parse(language: &Language, text: &str) -> Result<Self, Broken> {
        let mut template = Self::plain(text);
        if text.contains("{{") {
            template.parsed = Some(Arc::new(Parsed::parse(language, text)?));
        }
        Ok(template)
    }

    /// A text in which nothing is expanded.
    pub fn plain(text: &str) -> Self {
        Self {
            text: text.into(),
            parsed: None,
        }
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is to be expanded; nothing if the text stands for itself.
    pub fn parsed(&self) -> Option<&Parsed> {
        self.parsed.as_deref()
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

impl Parsed {
    /// Parses a text and makes it mean what it means in Go.
    ///
    /// Errors: what is wrong, and where.
    pub fn parse(language: &Language, text: &str) -> Result<Self, Broken> {
        let Some((mut main, defines)) = parse_whole(language, text)? else {
            return Err(stray(language, text));
        };
        let mut calls = Vec::new();
        rewrite::rewrite(language, &mut main, &mut calls)?;
        let mut trees = BTreeMap::new();
        for mut define in defines {
            rewrite::rewrite(language, &mut define.body, &mut calls)?;
            trees.insert(define.name.to_string(), Tree(define.body));
        }
        Ok(Self {
            main: Tree(main),
            defines: trees,
            calls,
        })
    }
}

impl Broken {
    /// `line 3, column 7` of the text.
    pub fn place(&self, text: &str) -> String {
        let before = &text[..text.floor_char_boundary(self.offset.min(text.len()))];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start..].chars().count() + 1;
        format!("line {line}, column {column}")
    }
}

/// The library stops at an `{{end}}` that ends nothing and says nothing, so a mark behind the text must be found again.
///
/// None if it is not.
fn parse_whole(
    language: &Language,
    text: &str,
) -> Result<Option<(ListNode, Vec<DefineNode>)>, Broken> {
    const MARK: char = '\0';
    let whole = format!("{}{text}{MARK}", language.prelude);
    let parse = |text| Parser::with_name(None, text, "{{", "}}").and_then(Parser::parse);
    let (mut tree, defines) = parse(&whole).map_err(|error| {
        // In an action that does not end, the mark itself would be what is wrong.
        let error = parse(whole.strip_suffix(MARK).unwrap_or(&whole))
            .err()
            .unwrap_or(error);
        located(language, error, text)
    })?;
    let Some(Node::Text(last)) = tree.nodes.last_mut() else {
        return Ok(None);
    };
    let Some(without) = last.text.strip_suffix(MARK) else {
        return Ok(None);
    };
    last.text = without.into();
    Ok(Some((tree, defines)))
}

/// The first `{{end}}` or `{{else}}` before which everything is closed.
fn stray(language: &Language, text: &str) -> Broken {
    for (offset, braces) in text.match_indices("{{") {
        let action = text[offset + braces.len()..]
            .trim_start_matches('-')
            .trim_start();
        let name = ["end", "else"]
            .into_iter()
            .find(|name| action.starts_with(name));
        if let Some(name) = name
            && matches!(parse_whole(language, &text[..offset]), Ok(Some(_)))
        {
            let message = format!("unexpected {{{{{name}}}}}");
            return Broken { message, offset };
        }
    }
    let message = "unexpected {{end}}".to_owned();
    Broken { message, offset: 0 }
}

fn located(language: &Language, error: TemplateError, text: &str) -> Broken {
    let (line, column, message) = match error {
        TemplateError::Parse {
            line, col, message, ..
        }
        | TemplateError::Lex {
            line, col, message, ..
        } => (line, col, message),
        other => (1, 1, other.to_string()),
    };
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    // Only the first line stands behind the prelude.
    let before = if line <= 1 { language.prelude.len() } else { 0 };
    let column = column.saturating_sub(1).saturating_sub(before);
    let offset = text[start..]
        .char_indices()
        .nth(column)
        .map_or(text.len(), |(offset, _)| start + offset);
    Broken { message, offset }
}

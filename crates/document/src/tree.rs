//! The tree of a document: nodes in one vector, each with its span; an alias is a second arrow to the same node.
//!
//! So an alias costs nothing, however large what it stands for; only its *expanded* size is counted, since
//! whoever reads the tree walks through it once per arrow.

mod builder;

use std::cell::RefCell;
use std::sync::Arc;

use crate::problem::{Problem, Problems};
use crate::section::Section;
use crate::source::{Source, Span, Syntax};
use crate::substitution::Lookup;
use crate::value::Value;
use crate::{json, yaml};

pub(crate) use builder::{Builder, Style};

/// What a document may cost; the defaults hold for files that an operator wrote.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the text.
    pub bytes_max: usize,
    /// Sections and lists inside each other.
    pub depth_max: usize,
    /// Values, keys and merged keys that are kept.
    pub nodes_max: usize,
    /// Values that a reader meets when it follows every alias.
    pub expanded_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 64 << 20,
            // The YAML library's own bound is 255 of each kind; real files have about ten.
            depth_max: 100,
            nodes_max: 4_000_000,
            expanded_max: 8_000_000,
        }
    }
}

/// How a text is parsed.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// What the document may cost.
    pub limits: Limits,
    /// Looks up the variables of `${NAME}`; without it, values stay as they are written.
    pub variables: Option<Lookup<'a>>,
}

/// A parsed text, and the problems that were found in it so far, by the parser and by its readers.
#[derive(Debug)]
pub struct Document {
    source: Arc<Source>,
    nodes: Vec<Node>,
    root: NodeId,
    problems: RefCell<Problems>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) content: Content,
    /// Nodes below and including this one, each alias followed.
    expanded: usize,
}

#[derive(Debug)]
pub(crate) enum Content {
    Scalar(Scalar),
    Sequence(Vec<NodeId>),
    Mapping(Vec<Entry>),
}

#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) text: Box<str>,
    pub(crate) style: Style,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Box<str>,
    pub(crate) key_span: Span,
    pub(crate) value: NodeId,
}

impl Document {
    /// Parses a text.
    ///
    /// A doubled key or an unset variable is kept with the document, so that its readers can add what they find;
    /// broken syntax or an exceeded limit is the end, and gives all problems up to there.
    pub fn parse(
        source: &Arc<Source>,
        syntax: Syntax,
        options: &Options<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let mut builder = Builder::new(source, options);
        let parsed = if source.text().len() > options.limits.bytes_max {
            let message = format!("the text has more than {} bytes", options.limits.bytes_max);
            Err(Problem::of_source(source, message))
        } else {
            match syntax {
                Syntax::Yaml => yaml::parse(source, &mut builder),
                Syntax::Json => json::parse(source, &mut builder),
            }
        };
        match parsed {
            Ok(()) => Ok(builder.finish()),
            Err(problem) => Err(builder.fail(problem)),
        }
    }

    /// A document that is one text without lines, such as the value of a flag or of an environment variable.
    ///
    /// Numbers and booleans are read from it as from an unquoted value.
    pub fn of_text(name: &str, text: &str) -> Self {
        let source = Source::without_lines(name);
        let scalar = Scalar {
            text: text.into(),
            style: Style::Given,
        };
        Self {
            source,
            nodes: vec![Node {
                span: Span::from(0..0),
                content: Content::Scalar(scalar),
                expanded: 1,
            }],
            root: NodeId(0),
            problems: RefCell::default(),
        }
    }

    /// The whole document as a value.
    pub fn root(&self) -> Value<'_> {
        Value::root(self, self.root)
    }

    /// The whole document as a section; an empty file is an empty section.
    pub fn section(&self) -> Section<'_> {
        self.root()
            .section()
            .unwrap_or_else(|| Section::absent(self))
    }

    /// Where the text comes from.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Adds a problem.
    pub fn note(&self, problem: Problem) {
        self.problems.borrow_mut().add(|| problem);
    }

    /// All problems found so far, from the top of the text to its end; past a hundred, their number.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner().into_list(&self.source)
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

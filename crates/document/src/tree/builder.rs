//! Builds a tree from the events of a parser: begin, scalar, alias, end. Doubled keys, merge keys, variables and
//! limits are dealt with here, the same for YAML and JSON.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Content, Document, Entry, Node, NodeId, Options, Scalar};
use crate::path::Path;
use crate::problem::{Problem, Problems};
use crate::source::{Source, Span};
use crate::substitution::substitute;

/// How a scalar was written; it decides whether it may be a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes: a text, a number, a boolean or nothing, whatever the reader expects.
    Plain,
    /// In quotes or as a block: a text.
    Quoted,
    /// A variable was put in, quotes or not: read as plain, and never shown, since it may be a secret.
    Substituted,
    /// Handed in by a flag or a variable: read as plain, but never nothing.
    Given,
}

pub(crate) struct Builder<'a> {
    source: Arc<Source>,
    options: Options<'a>,
    nodes: Vec<Node>,
    /// Entries that merge keys copied; they count like nodes.
    merged: usize,
    open: Vec<Frame>,
    root: Option<NodeId>,
    problems: Problems,
}

/// A section or list that has begun and not ended.
struct Frame {
    start: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<NodeId>),
    Mapping {
        entries: Vec<RawEntry>,
        key: Option<Key>,
    },
}

struct Key {
    text: Box<str>,
    span: Span,
    is_merge: bool,
}

struct RawEntry {
    key: Key,
    value: NodeId,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(source: &Arc<Source>, options: &Options<'a>) -> Self {
        Self {
            source: Arc::clone(source),
            options: *options,
            nodes: Vec::new(),
            merged: 0,
            open: Vec::new(),
            root: None,
            problems: Problems::default(),
        }
    }

    pub(crate) fn depth_max(&self) -> usize {
        self.options.limits.depth_max
    }

    pub(crate) fn begin_sequence(&mut self, start: usize) -> Result<(), Problem> {
        self.begin(start, Items::Sequence(Vec::new()))
    }

    pub(crate) fn begin_mapping(&mut self, start: usize) -> Result<(), Problem> {
        let items = Items::Mapping {
            entries: Vec::new(),
            key: None,
        };
        self.begin(start, items)
    }

    /// Ends the innermost section or list.
    pub(crate) fn end(&mut self, end: usize) -> Result<NodeId, Problem> {
        let frame = self
            .open
            .pop()
            .expect("invariant: a parser ends only what it began");
        let span = Span::from(frame.start..end.max(frame.start));
        let content = match frame.items {
            Items::Sequence(items) => Content::Sequence(items),
            Items::Mapping { entries, .. } => Content::Mapping(self.entries(entries)?),
        };
        let id = self.add(span, content)?;
        self.attach(id)?;
        Ok(id)
    }

    /// Adds a scalar, as a key if one is due; gives its node, if it became one.
    ///
    /// `keep` makes a node of a key too, for an alias to point at.
    pub(crate) fn scalar(
        &mut self,
        span: Span,
        text: &str,
        style: Style,
        keep: bool,
    ) -> Result<Option<NodeId>, Problem> {
        if let Some(Frame {
            items: Items::Mapping {
                key: key @ None, ..
            },
            ..
        }) = self.open.last_mut()
        {
            *key = Some(Key {
                text: text.into(),
                span,
                is_merge: text == "<<" && style == Style::Plain,
            });
            if !keep {
                return Ok(None);
            }
            let text = text.into();
            return self
                .add(span, Content::Scalar(Scalar { text, style }))
                .map(Some);
        }
        let scalar = self.substituted(span, text, style);
        let id = self.add(span, Content::Scalar(scalar))?;
        self.attach(id)?;
        Ok(Some(id))
    }

    /// Adds a node once more.
    pub(crate) fn alias(&mut self, id: NodeId) -> Result<(), Problem> {
        self.attach(id)
    }

    /// Notes a problem at the place that is being built; parsing goes on.
    pub(crate) fn note(&mut self, span: Span, message: impl Into<String>) {
        let path = self.path();
        self.problems
            .add(|| Problem::new(&self.source, span, path, message));
    }

    /// A problem at the place that is being built.
    pub(crate) fn problem(&self, span: Span, message: impl Into<String>) -> Problem {
        Problem::new(&self.source, span, self.path(), message)
    }

    /// A problem of the text, where the field is of no help.
    pub(crate) fn syntax_problem(&self, span: Span, message: impl Into<String>) -> Problem {
        Problem::new(&self.source, span, "", message)
    }

    pub(crate) fn finish(mut self) -> Document {
        let root = self.root.unwrap_or_else(|| {
            self.nodes.push(Node {
                span: Span::from(0..0),
                content: Content::Mapping(Vec::new()),
                expanded: 1,
            });
            last_id(&self.nodes)
        });
        Document {
            source: self.source,
            nodes: self.nodes,
            root,
            problems: RefCell::new(self.problems),
        }
    }

    /// All problems, the one that ended the parsing last.
    pub(crate) fn fail(self, last: Problem) -> Vec<Problem> {
        let document = self.finish();
        let mut problems = document.into_problems();
        problems.push(last);
        problems
    }

    fn begin(&mut self, start: usize, items: Items) -> Result<(), Problem> {
        let depth_max = self.options.limits.depth_max;
        if self.open.len() >= depth_max {
            let message = format!("sections and lists are nested more than {depth_max} deep");
            return Err(self.syntax_problem(Span::from(start..start), message));
        }
        self.open.push(Frame { start, items });
        Ok(())
    }

    fn add(&mut self, span: Span, content: Content) -> Result<NodeId, Problem> {
        let limits = self.options.limits;
        if self.nodes.len() + self.merged >= limits.nodes_max {
            let message = format!("the document has more than {} values", limits.nodes_max);
            return Err(self.syntax_problem(span, message));
        }
        let size_of = |id: &NodeId| self.nodes[id.0 as usize].expanded;
        let below: usize = match &content {
            Content::Scalar(_) => 0,
            Content::Sequence(items) => items.iter().map(size_of).fold(0, usize::saturating_add),
            Content::Mapping(entries) => entries
                .iter()
                .map(|entry| size_of(&entry.value).saturating_add(1))
                .fold(0, usize::saturating_add),
        };
        let expanded = below.saturating_add(1);
        if expanded > limits.expanded_max {
            let message = format!(
                "with its aliases (*name) written out, the document has more than {} values",
                limits.expanded_max
            );
            return Err(self.syntax_problem(Span::from(span.start..span.start), message));
        }
        self.nodes.push(Node {
            span,
            content,
            expanded,
        });
        Ok(last_id(&self.nodes))
    }

    /// Puts a finished node where the innermost open section or list waits for one.
    fn attach(&mut self, id: NodeId) -> Result<(), Problem> {
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(id);
            return Ok(());
        };
        match &mut frame.items {
            Items::Sequence(items) => items.push(id),
            Items::Mapping { entries, key } => {
                if let Some(key) = key.take() {
                    entries.push(RawEntry { key, value: id });
                    return Ok(());
                }
                let node = &self.nodes[id.0 as usize];
                let span = node.span;
                let Content::Scalar(scalar) = &node.content else {
                    return Err(self.syntax_problem(
                        span,
                        "a key must be a plain text, not a section or a list; \
                         if this is meant to be a text, put it in quotes",
                    ));
                };
                *key = Some(Key {
                    text: scalar.text.clone(),
                    span,
                    is_merge: false,
                });
            }
        }
        Ok(())
    }

    fn substituted(&mut self, span: Span, text: &str, style: Style) -> Scalar {
        let as_written = |style| Scalar {
            text: text.into(),
            style,
        };
        let Some(lookup) = self.options.variables else {
            return as_written(style);
        };
        if !text.contains('$') {
            return as_written(style);
        }
        match substitute(text, lookup) {
            Ok(result) if text.contains("${") => Scalar {
                text: result.into(),
                style: Style::Substituted,
            },
            Ok(result) => Scalar {
                text: result.into(),
                style,
            },
            Err(error) => {
                self.note(span, error.to_string());
                // Whatever the reader expects, nothing is the one value that it does not complain about again.
                Scalar {
                    text: "".into(),
                    style: Style::Plain,
                }
            }
        }
    }

    /// Checks for doubled keys, and adds what merge keys bring: own keys win, then earlier merged sections.
    fn entries(&mut self, raw: Vec<RawEntry>) -> Result<Vec<Entry>, Problem> {
        let mut first: HashMap<Box<str>, Span> = HashMap::with_capacity(raw.len());
        let mut entries = Vec::with_capacity(raw.len());
        let mut merges = Vec::new();
        for RawEntry { key, value } in raw {
            if let Some(earlier) = first.get(&key.text) {
                let path = self.path();
                self.problems.add(|| {
                    let (line, _) = self.source.position(earlier.start);
                    let message = format!(
                        "the key {:?} stands twice here, first in line {line}; keep one of them",
                        key.text
                    );
                    Problem::new(&self.source, key.span, path.key(&key.text), message)
                        .with_related(*earlier, "first here")
                });
                continue;
            }
            first.insert(key.text.clone(), key.span);
            if key.is_merge {
                merges.push((key.span, value));
            } else {
                entries.push(Entry {
                    key: key.text,
                    key_span: key.span,
                    value,
                });
            }
        }
        for (span, value) in merges {
            for mapping in self.merged_mappings(span, value) {
                let Content::Mapping(inherited) = &self.nodes[mapping.0 as usize].content else {
                    continue;
                };
                self.merged += inherited.len();
                if self.nodes.len() + self.merged >= self.options.limits.nodes_max {
                    let message = "the merge keys (<<) bring more values than are read";
                    return Err(self.syntax_problem(span, message));
                }
                for entry in inherited {
                    if first.insert(entry.key.clone(), entry.key_span).is_none() {
                        entries.push(entry.clone());
                    }
                }
            }
        }
        Ok(entries)
    }

    /// The sections that a merge key names: one, or a list of them.
    fn merged_mappings(&mut self, span: Span, value: NodeId) -> Vec<NodeId> {
        let is_mapping = |id: NodeId| {
            let content = &self.nodes[id.0 as usize].content;
            matches!(content, Content::Mapping(_))
        };
        if is_mapping(value) {
            return vec![value];
        }
        if let Content::Sequence(items) = &self.nodes[value.0 as usize].content
            && items.iter().all(|item| is_mapping(*item))
        {
            return items.clone();
        }
        self.note(
            span,
            "the merge key << takes a section or a list of sections, for example <<: *defaults",
        );
        Vec::new()
    }

    fn path(&self) -> Path {
        let mut path = Path::default();
        for frame in &self.open {
            path = match &frame.items {
                Items::Sequence(items) => path.index(items.len()),
                Items::Mapping { key: Some(key), .. } => path.key(&key.text),
                Items::Mapping { .. } => path,
            };
        }
        path
    }
}

fn last_id(nodes: &[Node]) -> NodeId {
    let index = u32::try_from(nodes.len() - 1).expect("invariant: nodes_max is below 2^32");
    NodeId(index)
}

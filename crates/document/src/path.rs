//! The way from the root of a document to a value: `scrape_configs[2].static_configs`.

use std::fmt;
use std::rc::Rc;

/// A path that shares its beginning with its siblings; the empty path is the root.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(Option<Rc<Step>>);

#[derive(Debug)]
struct Step {
    parent: Path,
    name: Name,
}

#[derive(Debug)]
enum Name {
    Key(Box<str>),
    Index(usize),
}

impl Path {
    pub(crate) fn key(&self, key: &str) -> Self {
        self.step(Name::Key(key.into()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.step(Name::Index(index))
    }

    fn step(&self, name: Name) -> Self {
        Self(Some(Rc::new(Step {
            parent: self.clone(),
            name,
        })))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.0 else {
            return Ok(());
        };
        step.parent.fmt(formatter)?;
        match &step.name {
            Name::Key(key) if step.parent.0.is_none() => formatter.write_str(key),
            Name::Key(key) => write!(formatter, ".{key}"),
            Name::Index(index) => write!(formatter, "[{index}]"),
        }
    }
}

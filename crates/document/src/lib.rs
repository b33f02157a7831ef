//! A YAML or JSON document in which every value knows its position.
//!
//! Text becomes a [`Document`] (a tree), the tree is read through [`Section`] and [`Value`], and whatever is wrong
//! on the way becomes a [`Problem`]: file, line, column, field, what is wrong, what would be right. All problems of
//! a file are found in one go. Pure: no file is opened here and no environment is looked at; the text and the
//! lookup of variables are handed in. No other crate knows the YAML library.
//!
//! What it is not: no serialiser, and no comments are kept.

mod hidden;
mod json;
mod nearest;
mod path;
mod problem;
mod section;
mod size;
mod source;
mod substitution;
mod tree;
mod value;
mod yaml;

#[cfg(test)]
mod tests;

pub use nearest::nearest;
pub use problem::Problem;
pub use section::Section;
pub use size::{InvalidSize, parse_size, show_size};
pub use source::{Source, Span, Syntax};
pub use tree::{Document, Limits, Options};
pub use value::{Amount, Value};

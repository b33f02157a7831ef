//! Go's template language: what rules and notifications have in common.
//!
//! A [`Language`] names what one of them adds: functions, methods, how its records are shown. A [`Template`] is a text
//! that parses in it; with [`Functions`] it becomes [`Ready`], and with data a text. The library that parses and
//! executes is known here only: its tree is rewritten where it differs from Go, and loops and lengths are bounded.
//!
//! What it is not: it knows neither labels nor alerts, reads no files, and asks nobody for the time.

mod execution;
mod functions;
mod language;
mod number;
mod parsed;
mod rewrite;
mod value;

#[cfg(test)]
mod tests;

pub use execution::{Functions, Ready, Target};
pub use functions::title;
pub use language::{Count, Failure, Function, Language, Outcome};
pub use number::{
    humanize, humanize_duration, humanize_percentage, humanize1024, shortest, significant,
};
pub use parsed::{Broken, Parsed, Template, Tree};
pub use value::{
    Fields, KIND, Value, field, kind, list, map, no_field, number, record, safe_html, safe_url,
    string, text, texts, type_name,
};

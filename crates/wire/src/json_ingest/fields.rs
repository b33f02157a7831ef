//! The fields of an object, taken one by one; each fault is added to a list of problems.

use super::json::Json;
use super::metric::PROBLEMS_MAX;
use crate::float;

/// The fields of an object that have not been taken yet.
pub(super) struct Fields {
    fields: Vec<(String, Json)>,
}

impl Fields {
    /// The fields of an object that may have those of `known`; one that is null counts as absent.
    pub(super) fn of(value: Json, known: &[&str], problems: &mut Vec<String>) -> Option<Self> {
        let Json::Object(all) = value else {
            problems.push(format!(
                "{} stands where an object must stand",
                value.kind()
            ));
            return None;
        };
        let mut fields: Vec<(String, Json)> = Vec::with_capacity(all.len());
        for (name, value) in all {
            if !known.contains(&name.as_str()) {
                // The search for the nearest name costs, so it is made only for those that will be shown.
                let shown = problems.len() < PROBLEMS_MAX;
                problems.push(if shown {
                    unknown_field(&name, known)
                } else {
                    String::new()
                });
            } else if fields.iter().any(|(present, _)| *present == name) {
                problems.push(format!("{name} is given twice"));
            } else {
                fields.push((name, value));
            }
        }
        fields.retain(|(_, value)| *value != Json::Null);
        Some(Self { fields })
    }

    /// Takes a field out.
    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        let index = self
            .fields
            .iter()
            .position(|(present, _)| present == name)?;
        Some(self.fields.swap_remove(index).1)
    }

    /// Takes a text out.
    pub(super) fn take_string(&mut self, name: &str, problems: &mut Vec<String>) -> Option<String> {
        match self.take(name)? {
            Json::String(text) => Some(text),
            other => {
                problems.push(format!("{name} is {}, it must be a string", other.kind()));
                None
            }
        }
    }

    /// Takes a number out that must be there.
    pub(super) fn take_number(&mut self, name: &str, problems: &mut Vec<String>) -> Option<f64> {
        match self.take(name) {
            Some(value) => number(name, &value, problems),
            None => {
                problems.push(format!("{name} is missing, it must be a number"));
                None
            }
        }
    }
}

/// A number, or one of those that JSON cannot write, as a string.
pub(super) fn number(name: &str, value: &Json, problems: &mut Vec<String>) -> Option<f64> {
    let found = match value {
        Json::Number(number) => return Some(*number),
        Json::String(text) => match text.as_str() {
            "NaN" | "+Inf" | "Inf" | "-Inf" => return float::parse(text),
            other => format!("{other:?}"),
        },
        other => other.kind().to_owned(),
    };
    problems.push(format!(
        "{name} is {found}, it must be a number or \"NaN\", \"+Inf\" or \"-Inf\""
    ));
    None
}

fn unknown_field(name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .min();
    match nearest {
        // Farther away it is no slip of the finger.
        Some((distance, candidate)) if distance <= 1 + candidate.len() / 3 => {
            format!("unknown field {name:?}: did you mean {candidate:?}?")
        }
        _ => format!(
            "unknown field {name:?}: the fields are {}",
            known.join(", ")
        ),
    }
}

/// How many insertions, removals and replacements of characters turn one word into the other.
fn edit_distance(left: &str, right: &str) -> usize {
    // A field's name may be a megabyte long; what is not alike at its beginning is not alike.
    let left = left.chars().take(32);
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (line, character) in left.enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in right.chars().enumerate() {
            let replaced = diagonal + usize::from(character != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

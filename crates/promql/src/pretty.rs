//! An expression over several lines, for people to read.
//!
//! A node that takes more than a line is split at its brackets or around its operator, its parts indented by one
//! level more; whoever fits into a line stays in one. The lines are those of Prometheus' `format_query`.

use std::fmt::{self, Write};

use crate::ast::{Expr, ExprKind};
use crate::printer::{aggregate_head, end_offset, goes_on, operator_head, sign, write_steps};

/// How many bytes a node may take on one line, without its indent.
const LINE_MAX: usize = 100;

/// The expression as text, with lines of not much more than 100 characters and two blanks for each level.
pub fn pretty(expr: &Expr) -> String {
    let mut text = String::new();
    write(&mut text, expr, 0).expect("invariant: writing into a string does not fail");
    text
}

fn write(text: &mut String, expr: &Expr, level: usize) -> fmt::Result {
    // Prometheus indents a subquery on its own line only where it is split.
    let is_subquery = matches!(expr.kind, ExprKind::Subquery(_));
    if fits(expr) {
        if !is_subquery {
            indent(text, level);
        }
        return write!(text, "{expr}");
    }
    match &expr.kind {
        ExprKind::Paren(inner) => {
            indent(text, level);
            text.push_str("(\n");
            write(text, inner, level + 1)?;
            close(text, level);
        }
        ExprKind::Unary { operator, operand } => {
            indent(text, level);
            text.push(sign(*operator));
            let start = text.len();
            write(text, operand, level)?;
            let blank = text.len() - start - text[start..].trim_start().len();
            text.replace_range(start..start + blank, "");
        }
        ExprKind::Binary(binary) => {
            write(text, &binary.left, level + 1)?;
            if goes_on(&binary.left, binary.operator) {
                end_offset(text);
            }
            text.push('\n');
            indent(text, level);
            writeln!(text, "{}", operator_head(binary))?;
            write(text, &binary.right, level + 1)?;
        }
        ExprKind::Aggregate(aggregate) => {
            indent(text, level);
            writeln!(text, "{}(", aggregate_head(aggregate))?;
            if let Some(parameter) = &aggregate.parameter {
                write(text, parameter, level + 1)?;
                text.push_str(",\n");
            }
            write(text, &aggregate.expr, level + 1)?;
            close(text, level);
        }
        ExprKind::Call(call) => {
            indent(text, level);
            writeln!(text, "{}(", call.function.name)?;
            for (index, argument) in call.arguments.iter().enumerate() {
                if index > 0 {
                    text.push_str(",\n");
                }
                write(text, argument, level + 1)?;
            }
            close(text, level);
        }
        ExprKind::Subquery(subquery) => {
            write(text, &subquery.expr, level)?;
            write_steps(text, subquery)?;
        }
        ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::VectorSelector(_)
        | ExprKind::MatrixSelector { .. } => {
            indent(text, level);
            write!(text, "{expr}")?;
        }
    }
    Ok(())
}

fn indent(text: &mut String, level: usize) {
    text.extend(std::iter::repeat_n("  ", level));
}

fn close(text: &mut String, level: usize) {
    text.push('\n');
    indent(text, level);
    text.push(')');
}

/// Whether an expression is short enough for a line. Writes no more of it than that takes.
fn fits(expr: &Expr) -> bool {
    struct Room(usize);
    impl Write for Room {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    write!(Room(LINE_MAX), "{expr}").is_ok()
}

#[cfg(test)]
mod tests;

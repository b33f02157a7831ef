//! Which parts of the language are switched on.

use crate::ast::{Expr, ExprKind, Extension};
use crate::resolve::lengths;
use crate::{ParseError, Span};

/// The parts of the language that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Functions and aggregations that Prometheus calls experimental.
    pub functions: bool,
    /// `fill`, `fill_left` and `fill_right`.
    pub fill: bool,
    /// `anchored` and `smoothed`.
    pub extended_selectors: bool,
    /// Lengths of time that are computed.
    pub duration_expressions: bool,
}

impl Features {
    /// The whole language, as `query.experimental` switches it on.
    pub const ALL: Self = Self {
        functions: true,
        fill: true,
        extended_selectors: true,
        duration_expressions: true,
    };

    /// What Prometheus 3.14 reads without any flag; there, computed durations are no experiment any more.
    pub const STABLE: Self = Self {
        functions: false,
        fill: false,
        extended_selectors: false,
        duration_expressions: true,
    };

    /// All, or what is stable.
    pub fn new(experimental: bool) -> Self {
        if experimental {
            Self::ALL
        } else {
            Self::STABLE
        }
    }
}

impl Default for Features {
    fn default() -> Self {
        Self::STABLE
    }
}

impl Expr {
    /// Whether all that the expression uses is switched on.
    ///
    /// Errors: the first part, in the order of the text, that is not.
    pub fn check_features(&self, features: &Features) -> Result<(), ParseError> {
        if *features == Features::ALL {
            return Ok(());
        }
        // A list and no recursion: a chain of operators may be long.
        let mut waiting = vec![self];
        while let Some(expr) = waiting.pop() {
            if let Some((span, message)) = switched_off(expr, features) {
                let message = format!("{message}; the setting query.experimental switches it on");
                return Err(ParseError::new(span, message));
            }
            waiting.extend(expr.kind.children().into_iter().rev());
        }
        Ok(())
    }
}

/// What the expression itself uses and may not, in Prometheus' words.
fn switched_off(expr: &Expr, features: &Features) -> Option<(Span, String)> {
    if !features.duration_expressions
        && let Some(length) = lengths(&expr.kind).next()
    {
        let message = "experimental duration expression is not enabled";
        return Some((length.span, message.to_owned()));
    }
    match &expr.kind {
        ExprKind::Call(call) if call.function.experimental && !features.functions => {
            let message = format!("function {:?} is not enabled", call.function.name);
            Some((expr.span, message))
        }
        ExprKind::Aggregate(aggregate)
            if aggregate.operator.is_experimental() && !features.functions =>
        {
            let name = aggregate.operator.as_str();
            Some((
                expr.span,
                format!("{name}() is experimental and not enabled"),
            ))
        }
        ExprKind::Binary(binary) if !binary.matching.fill.is_none() && !features.fill => {
            let message = "binop fill modifiers are experimental and not enabled";
            Some((expr.span, message.to_owned()))
        }
        ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. }
            if !features.extended_selectors =>
        {
            let name = match selector.extension? {
                Extension::Anchored => "anchored",
                Extension::Smoothed => "smoothed",
            };
            let message = format!("{name} modifier is experimental and not enabled");
            Some((expr.span, message))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;

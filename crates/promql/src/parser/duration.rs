//! Lengths of time in brackets and after `offset`: literals, and expressions of them.
//!
//! After `offset` a literal, `step()`, `range()`, `min_of` or `max_of` ends the length, so that `a offset 5m + 1` adds
//! to `a`; only what starts with a parenthesis goes on with an operator.

use std::time::Duration;

use super::{DEPTH_MAX, Parser, too_deep};
use crate::ast::{BinaryOperator, DurationExpr, DurationKind, Notation, Number};
use crate::lexer::Token;
use crate::resolve::{self, SECONDS_MAX};
use crate::{ParseError, Span};

const EXPECTED: &str = "number, duration, step(), or range()";

/// A length of time as it was read.
pub(super) struct Length {
    /// Its value in milliseconds; zero if it depends on the query's window.
    pub(super) millis: i64,
    /// How it was written, unless it is one literal.
    pub(super) expr: Option<Box<DurationExpr>>,
}

impl Length {
    /// Its value; zero for a negative one.
    pub(super) fn duration(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.millis).unwrap_or(0))
    }
}

impl Parser<'_> {
    /// A length in brackets, which must be positive.
    pub(super) fn range_length(&mut self) -> Result<Length, ParseError> {
        let expr = self.duration("subquery or range selector", 0)?;
        length(expr, resolve::positive_millis)
    }

    /// A length after `offset`.
    pub(super) fn offset_length(&mut self) -> Result<Length, ParseError> {
        const CONTEXT: &str = "offset";
        let start = self.span();
        let minus = self.peek() == &Token::Symbol("-");
        let signed = minus || self.peek() == &Token::Symbol("+");
        if signed {
            self.advance();
        }
        let expr = match self.peek() {
            Token::Symbol("(") if !signed => self.duration(CONTEXT, 0)?,
            Token::Symbol("+" | "-") => return Err(self.unexpected(CONTEXT, EXPECTED)),
            _ => self.duration_operand(CONTEXT)?,
        };
        let expr = if signed {
            with_sign(expr, minus, start)
        } else {
            expr
        };
        length(expr, resolve::millis)
    }

    /// Whether a length may start here.
    pub(super) fn starts_length(&self) -> bool {
        match self.peek() {
            Token::Number(..) | Token::Duration(..) | Token::Symbol("+" | "-" | "(") => true,
            Token::Word(word) => ["step", "range", "min_of", "max_of"]
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name)),
            _ => false,
        }
    }

    /// Operands with operators that bind at least as tight as `precedence_min`.
    fn duration(&mut self, context: &str, precedence_min: u8) -> Result<DurationExpr, ParseError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error_here(too_deep()));
        }
        let start = self.span();
        let mut left = match self.peek() {
            Token::Symbol(sign @ ("+" | "-")) => {
                let minus = *sign == "-";
                self.advance();
                // As in expressions, only a power takes its operand away from a sign.
                let operand = self.duration(context, BinaryOperator::Power.precedence())?;
                with_sign(operand, minus, start)
            }
            _ => self.duration_operand(context)?,
        };
        let mut operators = 0;
        while let Some(operator) = self.duration_operator()
            && operator.precedence() >= precedence_min
        {
            operators += 1;
            if operators > DEPTH_MAX {
                return Err(self.error_here(too_deep()));
            }
            let operator_span = self.advance();
            let tighter = u8::from(operator != BinaryOperator::Power);
            let right = self.duration(context, operator.precedence() + tighter)?;
            refuse_zero(operator, &right, operator_span)?;
            let span = left.span.to(right.span);
            let (left_box, right) = (Box::new(left), Box::new(right));
            let kind = DurationKind::Binary {
                operator,
                left: left_box,
                right,
            };
            left = DurationExpr { kind, span };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn duration_operator(&self) -> Option<BinaryOperator> {
        Some(match self.peek() {
            Token::Symbol("+") => BinaryOperator::Add,
            Token::Symbol("-") => BinaryOperator::Subtract,
            Token::Symbol("*") => BinaryOperator::Multiply,
            Token::Symbol("/") => BinaryOperator::Divide,
            Token::Symbol("%") => BinaryOperator::Modulo,
            Token::Symbol("^") => BinaryOperator::Power,
            _ => return None,
        })
    }

    fn duration_operand(&mut self, context: &str) -> Result<DurationExpr, ParseError> {
        let start = self.span();
        let number = match self.peek() {
            Token::Duration(_, millis) => Some(Number(*millis as f64 / 1000.0, Notation::Duration)),
            Token::Number(_, seconds) => Some(Number(*seconds, Notation::Plain)),
            _ => None,
        };
        if let Some(number) = number {
            if number.0.abs() > SECONDS_MAX {
                return Err(self.error_here("duration out of range"));
            }
            let span = self.advance();
            let kind = DurationKind::Number(number);
            return Ok(DurationExpr { kind, span });
        }
        if self.accept("(") {
            let inner = self.duration(context, 0)?;
            let end = self.expect_in_length(")", context)?;
            let kind = DurationKind::Paren(Box::new(inner));
            return Ok(DurationExpr {
                kind,
                span: start.to(end),
            });
        }
        let name = match self.peek() {
            Token::Word(word) if self.starts_length() => word.to_ascii_lowercase(),
            _ => return Err(self.unexpected(context, EXPECTED)),
        };
        self.advance();
        self.expect_in_length("(", context)?;
        let kind = match name.as_str() {
            "step" => DurationKind::Step,
            "range" => DurationKind::Range,
            _ => {
                let left = Box::new(self.duration(context, 0)?);
                self.expect_in_length(",", context)?;
                let right = Box::new(self.duration(context, 0)?);
                if name == "min_of" {
                    DurationKind::MinOf(left, right)
                } else {
                    DurationKind::MaxOf(left, right)
                }
            }
        };
        let end = self.expect_in_length(")", context)?;
        let span = start.to(end);
        Ok(DurationExpr { kind, span })
    }

    fn expect_in_length(&mut self, symbol: &str, context: &str) -> Result<Span, ParseError> {
        let span = self.span();
        if self.accept(symbol) {
            return Ok(span);
        }
        Err(self.unexpected(context, EXPECTED))
    }
}

/// The length that an expression means, as far as it is known before the query runs.
fn length(
    expr: DurationExpr,
    millis: fn(&DurationExpr, Option<&crate::Window>) -> Result<i64, ParseError>,
) -> Result<Length, ParseError> {
    if expr.needs_window() {
        let expr = Some(Box::new(expr));
        return Ok(Length { millis: 0, expr });
    }
    let millis = millis(&expr, None)?;
    let literal = matches!(expr.kind, DurationKind::Number(_));
    let expr = (!literal).then(|| Box::new(expr));
    Ok(Length { millis, expr })
}

/// An operand with the sign that stands at `start`. A `+` says nothing and is dropped.
fn with_sign(operand: DurationExpr, minus: bool, start: Span) -> DurationExpr {
    let span = start.to(operand.span);
    let kind = match operand.kind {
        kind if !minus => kind,
        DurationKind::Number(Number(value, notation)) => {
            DurationKind::Number(Number(-value, notation))
        }
        kind => {
            let span = operand.span;
            DurationKind::Negative(Box::new(DurationExpr { kind, span }))
        }
    };
    DurationExpr { kind, span }
}

fn refuse_zero(
    operator: BinaryOperator,
    divisor: &DurationExpr,
    operator_span: Span,
) -> Result<(), ParseError> {
    let message = match operator {
        BinaryOperator::Divide => "division by zero",
        BinaryOperator::Modulo => "modulo by zero",
        _ => return Ok(()),
    };
    match divisor.kind {
        DurationKind::Number(Number(0.0, _)) => Err(ParseError::new(operator_span, message)),
        _ => Ok(()),
    }
}

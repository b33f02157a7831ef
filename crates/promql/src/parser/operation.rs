//! Binary operators with their modifiers, aggregations, and function calls.

use super::{Parser, selector};
use crate::ast::{
    Aggregate, AggregateOperator, Binary, BinaryOperator, Call, Cardinality, Expr, ExprKind, Fill,
    Grouping, Notation, Number, VectorMatching,
};
use crate::function::Function;
use crate::lexer::Token;
use crate::{ParseError, Span};

impl Parser<'_> {
    /// The binary operator that comes next, if one does.
    pub(super) fn peek_operator(&self) -> Option<BinaryOperator> {
        use BinaryOperator::{
            Add, And, Atan2, Divide, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Modulo,
            Multiply, NotEqual, Or, Power, Subtract, TrimLower, TrimUpper, Unless,
        };
        let operator = match self.peek() {
            Token::Symbol(symbol) => match *symbol {
                "+" => Add,
                "-" => Subtract,
                "*" => Multiply,
                "/" => Divide,
                "%" => Modulo,
                "^" => Power,
                "==" => Equal,
                "!=" => NotEqual,
                ">" => Greater,
                ">=" => GreaterOrEqual,
                "<" => Less,
                "<=" => LessOrEqual,
                "</" => TrimUpper,
                ">/" => TrimLower,
                _ => return None,
            },
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "atan2" => Atan2,
                "and" => And,
                "or" => Or,
                "unless" => Unless,
                _ => return None,
            },
            _ => return None,
        };
        Some(operator)
    }

    /// The rest of a binary expression whose left operand is read.
    pub(super) fn binary(
        &mut self,
        left: Expr,
        operator: BinaryOperator,
    ) -> Result<Expr, ParseError> {
        let operator_span = self.advance();
        let return_bool = self.accept_word("bool");
        let matching = self.vector_matching()?;
        // Only the power is right-associative.
        let precedence_min = match operator {
            BinaryOperator::Power => operator.precedence(),
            _ => operator.precedence() + 1,
        };
        let right = self.expression(precedence_min)?;
        let span = left.span.to(right.span);
        let binary = Binary {
            operator,
            operator_span,
            left,
            right,
            return_bool,
            matching,
        };
        self.node(ExprKind::Binary(Box::new(binary)), span)
    }

    fn vector_matching(&mut self) -> Result<VectorMatching, ParseError> {
        let mut matching = VectorMatching {
            on: self.accept_word("on"),
            ..VectorMatching::default()
        };
        if !matching.on && !self.accept_word("ignoring") {
            matching.fill = self.fill()?;
            return Ok(matching);
        }
        matching.labels = self.grouping_labels()?;
        matching.cardinality = if self.accept_word("group_left") {
            Cardinality::ManyToOne
        } else if self.accept_word("group_right") {
            Cardinality::OneToMany
        } else {
            Cardinality::OneToOne
        };
        // An operand may start with a parenthesis too, but Prometheus takes it for the labels as well.
        if matching.cardinality != Cardinality::OneToOne && self.peek() == &Token::Symbol("(") {
            matching.include = self.grouping_labels()?;
        }
        matching.fill = self.fill()?;
        Ok(matching)
    }

    /// `fill(0)`, `fill_left(0)` or `fill_right(0)`, or the latter two in either order.
    fn fill(&mut self) -> Result<Fill, ParseError> {
        let mut fill = Fill::default();
        // Without a parenthesis it is the name of a metric.
        while self.peek_at(1) == &Token::Symbol("(") {
            let Token::Word(word) = self.peek() else {
                break;
            };
            let (left, right) = match word.to_ascii_lowercase().as_str() {
                "fill" if fill.is_none() => (true, true),
                "fill_left" if fill.left.is_none() => (true, false),
                "fill_right" if fill.right.is_none() => (false, true),
                _ => break,
            };
            self.advance();
            let value = Some(self.fill_value()?);
            fill.left = if left { value } else { fill.left };
            fill.right = if right { value } else { fill.right };
        }
        Ok(fill)
    }

    /// `(0)`, `(-1)`, `(5m)`
    fn fill_value(&mut self) -> Result<Number, ParseError> {
        self.advance();
        let minus = self.accept("-");
        if !minus {
            self.accept("+");
        }
        let value = match self.peek() {
            Token::Number(_, value) => *value,
            Token::Duration(_, millis) => *millis as f64 / 1000.0,
            Token::Word(word) if word.eq_ignore_ascii_case("inf") => f64::INFINITY,
            Token::Word(word) if word.eq_ignore_ascii_case("nan") => f64::NAN,
            _ => return Err(self.unexpected("fill modifier", "number or duration")),
        };
        self.advance();
        self.expect(")", "fill modifier")?;
        Ok(Number(if minus { -value } else { value }, Notation::Plain))
    }

    /// `sum by (a) (x)`, `sum(x) by (a)` or `sum(x)`.
    pub(super) fn aggregate(&mut self, operator: AggregateOperator) -> Result<Expr, ParseError> {
        let start = self.advance();
        let mut grouping = self.grouping()?;
        let (mut arguments, mut end) = self.arguments("aggregation", false)?;
        if grouping.is_none() {
            grouping = self.grouping()?;
            if grouping.is_some() {
                end = self.lexemes[self.next - 1].span;
            }
        }
        let span = start.to(end);
        let expected = 1 + usize::from(operator.parameter_type().is_some());
        if arguments.is_empty() {
            return Err(ParseError::new(
                span,
                "no arguments for aggregate expression provided",
            ));
        }
        if arguments.len() != expected {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {expected}, got {}",
                arguments.len()
            );
            return Err(ParseError::new(span, message));
        }
        let expr = arguments.remove(expected - 1);
        let aggregate = Aggregate {
            operator,
            parameter: arguments.pop(),
            expr,
            grouping: grouping.unwrap_or_default(),
        };
        self.node(ExprKind::Aggregate(Box::new(aggregate)), span)
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        let without = self.accept_word("without");
        if !without && !self.accept_word("by") {
            return Ok(None);
        }
        let labels = self.grouping_labels()?;
        Ok(Some(Grouping { without, labels }))
    }

    /// `(a, "b.c", d)`
    fn grouping_labels(&mut self) -> Result<Vec<String>, ParseError> {
        self.expect("(", "grouping opts")?;
        let mut labels = Vec::new();
        while self.peek() != &Token::Symbol(")") {
            let label = match self.peek() {
                Token::Word(word) if !is_number(word) => (*word).to_owned(),
                Token::String(_, text) if text.is_empty() => {
                    return Err(self.error_here("invalid label name for grouping: \"\""));
                }
                Token::String(_, text) => text.clone(),
                _ => return Err(self.unexpected("grouping opts", "label")),
            };
            self.advance();
            labels.push(label);
            if !self.accept(",") && self.peek() != &Token::Symbol(")") {
                return Err(self.unexpected("grouping opts", "\",\" or \")\""));
            }
        }
        self.advance();
        Ok(labels)
    }

    /// `name(arguments)`
    pub(super) fn call(&mut self, name: &str) -> Result<Expr, ParseError> {
        let start = self.advance();
        let Some(function) = Function::find(name) else {
            let message = format!("unknown function with name {name:?}");
            return Err(ParseError::new(start, message));
        };
        let (arguments, end) = self.arguments("function call", function.name == "info")?;
        let call = Call {
            function,
            arguments,
        };
        self.node(ExprKind::Call(call), start.to(end))
    }

    /// Expressions in parentheses, and the place of the closing one. Those of `info` may be selectors of all series
    /// from the second on.
    fn arguments(&mut self, context: &str, info: bool) -> Result<(Vec<Expr>, Span), ParseError> {
        if self.peek() != &Token::Symbol("(") {
            return Err(self.unexpected(context, ""));
        }
        self.advance();
        let mut arguments = Vec::new();
        if self.peek() == &Token::Symbol(")") {
            return Ok((arguments, self.advance()));
        }
        loop {
            let outer = std::mem::replace(&mut self.takes_all, info && !arguments.is_empty());
            arguments.push(self.expression(0)?);
            self.takes_all = outer;
            let comma = self.span();
            if !self.accept(",") {
                let end = self.expect(")", context)?;
                return Ok((arguments, end));
            }
            if self.peek() == &Token::Symbol(")") {
                let message = "trailing commas not allowed in function call args";
                return Err(ParseError::new(comma, message));
            }
        }
    }

    /// The name of a metric, if the next token may be one.
    pub(super) fn metric_name(&mut self) -> Option<String> {
        match self.peek() {
            Token::Word(word) if !selector::is_reserved(&word.to_ascii_lowercase()) => {
                let name = (*word).to_owned();
                self.advance();
                Some(name)
            }
            _ => None,
        }
    }
}

/// Whether a word is a number and no name.
fn is_number(word: &str) -> bool {
    word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan")
}

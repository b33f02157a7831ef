//! Selectors with their matchers, ranges, subqueries, offsets and `@`.

use model::{MatchKind, Matcher, NAME, Timestamp};

use super::duration::Length;
use super::{MATCHERS_MAX, Parser, REGEX_MATCHERS_MAX};
use crate::ast::{
    At, DurationExpr, Expr, ExprKind, Extension, Subquery, TimeShift, VectorSelector,
};
use crate::lexer::Token;
use crate::printer::format_float;
use crate::{ParseError, Span};

/// Keywords that cannot be the name of a metric.
pub(super) fn is_reserved(lower: &str) -> bool {
    matches!(
        lower,
        "bool" | "on" | "ignoring" | "group_left" | "group_right" | "atan2" | "inf" | "nan"
    )
}

impl Parser<'_> {
    /// `name`, `name{matchers}` or `{matchers}`.
    pub(super) fn vector_selector(&mut self) -> Result<Expr, ParseError> {
        let start = self.span();
        let name = self.metric_name();
        let mut end = start;
        let mut matchers: Vec<_> = name.iter().map(|name| Matcher::equal(NAME, name)).collect();
        if self.peek() == &Token::Symbol("{") {
            end = self.label_matchers(&mut matchers)?;
        } else if name.is_none() {
            return Err(self.unexpected("", ""));
        }
        let selector = VectorSelector {
            name,
            matchers,
            time: TimeShift::default(),
            offset_expr: None,
            extension: None,
        };
        self.node(ExprKind::VectorSelector(selector), start.to(end))
    }

    /// `{a="b", "quoted.name"!~"c", "metric.name",}`; gives the place of the closing brace.
    fn label_matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<Span, ParseError> {
        self.advance();
        loop {
            if self.peek() == &Token::Symbol("}") {
                return Ok(self.advance());
            }
            matchers.push(self.label_matcher()?);
            if !self.accept(",") && self.peek() != &Token::Symbol("}") {
                return Err(self.unexpected("label matching", "\",\" or \"}\""));
            }
        }
    }

    fn label_matcher(&mut self) -> Result<Matcher, ParseError> {
        const CONTEXT: &str = "label matching";
        let start = self.span();
        let (name, quoted) = match self.peek() {
            Token::Word(word) if model::is_plain_label_name(word) => ((*word).to_owned(), false),
            Token::String(_, text) => (text.clone(), true),
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        self.advance();
        let kind = match self.peek() {
            Token::Symbol("=") => MatchKind::Equal,
            Token::Symbol("!=") => MatchKind::NotEqual,
            Token::Symbol("=~") => MatchKind::Regex,
            Token::Symbol("!~") => MatchKind::NotRegex,
            Token::Symbol("," | "}") if quoted => {
                self.count_matcher(MatchKind::Equal, start)?;
                return Ok(Matcher::equal(NAME, name));
            }
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        self.advance();
        let Token::String(_, value) = self.peek().clone() else {
            return Err(self.unexpected(CONTEXT, "string"));
        };
        let span = start.to(self.advance());
        self.count_matcher(kind, span)?;
        Matcher::new(kind, name, value).map_err(|error| ParseError::new(span, error.to_string()))
    }

    /// Refuses a matcher that is one too many for the text.
    fn count_matcher(&mut self, kind: MatchKind, span: Span) -> Result<(), ParseError> {
        self.matchers += 1;
        self.regex_matchers += usize::from(matches!(kind, MatchKind::Regex | MatchKind::NotRegex));
        let message = if self.matchers > MATCHERS_MAX {
            format!("more than {MATCHERS_MAX} label matchers in one expression")
        } else if self.regex_matchers > REGEX_MATCHERS_MAX {
            format!("more than {REGEX_MATCHERS_MAX} regular expressions in one expression")
        } else {
            return Ok(());
        };
        Err(ParseError::new(span, message))
    }

    /// `[5m]`, `[1h:1m]` or `[1h:]` after an expression.
    pub(super) fn range_or_subquery(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        let open = self.advance();
        let range = self.range_length()?;
        if self.accept(":") {
            return self.subquery(expr, range);
        }
        if self.peek() != &Token::Symbol("]") {
            return Err(self.unexpected("subquery or range", "\":\" or \"]\""));
        }
        let close = self.advance();
        let refuse = |message: &str| Err(ParseError::new(open.to(close), message));
        let span = expr.span.to(close);
        match expr.kind {
            ExprKind::VectorSelector(selector)
                if selector.time.offset_ms != 0 || selector.offset_expr.is_some() =>
            {
                refuse("no offset modifiers allowed before range")
            }
            ExprKind::VectorSelector(selector) if selector.time.at.is_some() => {
                refuse("no @ modifiers allowed before range")
            }
            ExprKind::VectorSelector(selector) => {
                let kind = ExprKind::MatrixSelector {
                    selector,
                    range: range.duration(),
                    range_expr: range.expr,
                };
                self.node(kind, span)
            }
            _ => refuse("ranges only allowed for vector selectors"),
        }
    }

    /// The rest of `expression[1h:1m]` after the colon.
    fn subquery(&mut self, expr: Expr, range: Length) -> Result<Expr, ParseError> {
        const CONTEXT: &str = "subquery selector";
        let step = if self.starts_length() {
            Some(self.range_length()?)
        } else if self.peek() == &Token::Symbol("]") {
            None
        } else {
            let expected = "number, duration, step(), range(), or \"]\"";
            return Err(self.unexpected(CONTEXT, expected));
        };
        let span = expr.span.to(self.expect("]", CONTEXT)?);
        let subquery = Subquery {
            expr,
            range: range.duration(),
            range_expr: range.expr,
            step: step
                .as_ref()
                .filter(|step| step.millis != 0)
                .map(Length::duration),
            step_expr: step.and_then(|step| step.expr),
            time: TimeShift::default(),
            offset_expr: None,
        };
        self.node(ExprKind::Subquery(Box::new(subquery)), span)
    }

    /// `offset 5m`, `offset -5m`, `offset (1h + 5m)`
    pub(super) fn offset(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        self.advance();
        let length = self.offset_length()?;
        let end = self.lexemes[self.next - 1].span;
        let span = expr.span;
        let Some((time, offset_expr)) = modifiers(&mut expr.kind) else {
            let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(ParseError::new(span, message));
        };
        if time.offset_ms != 0 || offset_expr.is_some() {
            let message = "offset may not be set multiple times";
            return Err(ParseError::new(span, message));
        }
        time.offset_ms = length.millis;
        *offset_expr = length.expr;
        self.node(expr.kind, span.to(end))
    }

    /// `anchored`, `smoothed`
    pub(super) fn extension(&mut self, mut expr: Expr, new: Extension) -> Result<Expr, ParseError> {
        let name = match new {
            Extension::Anchored => "anchored",
            Extension::Smoothed => "smoothed",
        };
        let end = self.advance();
        let span = expr.span;
        let refuse = |message: String| Err(ParseError::new(span, message));
        match &mut expr.kind {
            ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
                if selector.extension.is_some_and(|old| old != new) {
                    return refuse(
                        "anchored and smoothed modifiers cannot be used together".to_owned(),
                    );
                }
                selector.extension = Some(new);
            }
            ExprKind::Subquery(_) => {
                return refuse(format!("{name} modifier is not supported for subqueries"));
            }
            _ => return refuse(format!("{name} modifier not implemented")),
        }
        self.node(expr.kind, span.to(end))
    }

    /// `@ 1609746000`, `@ start()`, `@ end()`
    pub(super) fn at_modifier(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        self.advance();
        let at = self.at_moment(expr.span)?;
        let end = self.lexemes[self.next - 1].span;
        let span = expr.span;
        let Some((time, _)) = modifiers(&mut expr.kind) else {
            let message = "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(ParseError::new(span, message));
        };
        if time.at.is_some() {
            return Err(ParseError::new(
                span,
                "@ <timestamp> may not be set multiple times",
            ));
        }
        time.at = Some(at);
        self.node(expr.kind, span.to(end))
    }

    fn at_moment(&mut self, span: Span) -> Result<At, ParseError> {
        let preprocessor = match self.peek() {
            Token::Word(word) if word.eq_ignore_ascii_case("start") => Some(At::Start),
            Token::Word(word) if word.eq_ignore_ascii_case("end") => Some(At::End),
            _ => None,
        };
        if let Some(at) = preprocessor {
            self.advance();
            self.expect("(", "@")?;
            self.expect(")", "@")?;
            return Ok(at);
        }
        let negative = self.accept("-");
        if !negative {
            self.accept("+");
        }
        let seconds = match self.peek() {
            Token::Number(_, seconds) => *seconds,
            Token::Duration(_, millis) => *millis as f64 / 1000.0,
            Token::Word(word) if word.eq_ignore_ascii_case("inf") => f64::INFINITY,
            Token::Word(word) if word.eq_ignore_ascii_case("nan") => f64::NAN,
            _ => return Err(self.unexpected("@", "timestamp")),
        };
        self.advance();
        let seconds = if negative { -seconds } else { seconds };
        if !seconds.is_finite() || seconds.abs() >= i64::MAX as f64 {
            let shown = match seconds.is_finite() {
                true => format!("{seconds:.6}"),
                false => format_float(seconds),
            };
            let message = format!("timestamp out of bounds for @ modifier: {shown}");
            return Err(ParseError::new(span, message));
        }
        Ok(At::Timestamp(Timestamp::from_seconds(seconds)))
    }
}

/// The moment and the computed offset of an expression that can have some.
fn modifiers(kind: &mut ExprKind) -> Option<(&mut TimeShift, &mut Option<Box<DurationExpr>>)> {
    match kind {
        ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
            Some((&mut selector.time, &mut selector.offset_expr))
        }
        ExprKind::Subquery(subquery) => Some((&mut subquery.time, &mut subquery.offset_expr)),
        _ => None,
    }
}

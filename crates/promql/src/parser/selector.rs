//! Selectors with their matchers, ranges, subqueries, offsets and `@`.

use std::time::Duration;

use model::{MatchKind, Matcher, NAME, Timestamp};

use super::{MATCHERS_MAX, Parser, REGEX_MATCHERS_MAX};
use crate::ast::{At, Expr, ExprKind, Subquery, TimeShift, VectorSelector};
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
        let range = self.positive_duration("subquery selector")?;
        if self.accept(":") {
            let step = match self.peek() {
                Token::Symbol("]") => None,
                _ => Some(self.positive_duration("subquery selector")?),
            };
            let end = self.expect("]", "subquery selector")?;
            let span = expr.span.to(end);
            let subquery = Subquery {
                expr,
                range,
                step,
                time: TimeShift::default(),
            };
            return self.node(ExprKind::Subquery(Box::new(subquery)), span);
        }
        if self.peek() != &Token::Symbol("]") {
            return Err(self.unexpected("subquery or range", "\":\" or \"]\""));
        }
        let close = self.advance();
        let refuse = |message: &str| Err(ParseError::new(open.to(close), message));
        let span = expr.span.to(close);
        match expr.kind {
            ExprKind::VectorSelector(selector) if selector.time.offset_ms != 0 => {
                refuse("no offset modifiers allowed before range")
            }
            ExprKind::VectorSelector(selector) if selector.time.at.is_some() => {
                refuse("no @ modifiers allowed before range")
            }
            ExprKind::VectorSelector(selector) => {
                self.node(ExprKind::MatrixSelector { selector, range }, span)
            }
            _ => refuse("ranges only allowed for vector selectors"),
        }
    }

    fn positive_duration(&mut self, context: &str) -> Result<Duration, ParseError> {
        let span = self.span();
        let millis = self.duration_ms(context)?;
        match u64::try_from(millis) {
            Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
            _ => Err(ParseError::new(span, "duration must be greater than 0")),
        }
    }

    /// A duration, or a number of seconds, in milliseconds.
    fn duration_ms(&mut self, context: &str) -> Result<i64, ParseError> {
        let millis = match self.peek() {
            Token::Duration(_, millis) => *millis,
            Token::Number(_, seconds) => {
                // What Prometheus can hold: 2^63 nanoseconds.
                if *seconds > 9_223_372_036.0 {
                    return Err(self.error_here("duration out of range"));
                }
                (seconds * 1000.0).round() as i64
            }
            Token::Symbol("+" | "-" | "(") | Token::Word("step" | "range" | "min" | "max") => {
                return Err(self.error_here("experimental duration expression is not enabled"));
            }
            _ => return Err(self.unexpected(context, "number, duration, step(), or range()")),
        };
        self.advance();
        match self.peek() {
            Token::Symbol("+" | "-" | "*" | "/" | "%" | "^") if context != "offset" => {
                Err(self.error_here("experimental duration expression is not enabled"))
            }
            _ => Ok(millis),
        }
    }

    /// `offset 5m`, `offset -5m`
    pub(super) fn offset(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        self.advance();
        let negative = self.accept("-");
        if !negative {
            self.accept("+");
        }
        let millis = self.duration_ms("offset")?;
        let end = self.lexemes[self.next - 1].span;
        let span = expr.span;
        let Some(time) = time_shift(&mut expr.kind) else {
            let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(ParseError::new(span, message));
        };
        if time.offset_ms != 0 {
            return Err(ParseError::new(
                span,
                "offset may not be set multiple times",
            ));
        }
        time.offset_ms = if negative { -millis } else { millis };
        self.node(expr.kind, span.to(end))
    }

    /// `@ 1609746000`, `@ start()`, `@ end()`
    pub(super) fn at_modifier(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        self.advance();
        let at = self.at_moment(expr.span)?;
        let end = self.lexemes[self.next - 1].span;
        let span = expr.span;
        let Some(time) = time_shift(&mut expr.kind) else {
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
            let shown = format_float(seconds);
            let message = format!("timestamp out of bounds for @ modifier: {shown}");
            return Err(ParseError::new(span, message));
        }
        Ok(At::Timestamp(Timestamp::from_seconds(seconds)))
    }
}

/// The modifiers of an expression that can have some.
fn time_shift(kind: &mut ExprKind) -> Option<&mut TimeShift> {
    match kind {
        ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
            Some(&mut selector.time)
        }
        ExprKind::Subquery(subquery) => Some(&mut subquery.time),
        _ => None,
    }
}

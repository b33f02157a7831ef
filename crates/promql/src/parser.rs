//! Tokens to an expression: one function per level of the grammar, operators by their precedence.

mod duration;
mod operation;
mod selector;

use model::Matcher;

use crate::ast::{
    AggregateOperator, BinaryOperator, Expr, ExprKind, Extension, Notation, Number, UnaryOperator,
};
use crate::lexer::{Lexeme, Token, Tokens, tokenize};
use crate::{Features, ParseError, Span, check};

/// The longest text that is read; people write a hundredth of it, and generators stay below a tenth.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// How deep expressions may be nested, so that walking one needs little of a thread's stack.
const DEPTH_MAX: usize = 200;

/// How many operators between vectors may follow one another, as in `a or b or c`. They are walked in a loop, only
/// dropping and comparing such trees goes down step by step.
const CHAIN_MAX: usize = 1000;

/// How many matchers one text may have. An expression's compiled regular expressions stay as long as it does.
const MATCHERS_MAX: usize = 1000;

/// How many of them may be regular expressions: each takes up to a MiB and some milliseconds to compile.
const REGEX_MATCHERS_MAX: usize = 100;

/// Reads an expression of the whole language, experimental parts included, and checks the types of all its parts.
///
/// Errors: the first place at which the text is no valid PromQL.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text)?;
    if parser.peek() == &Token::End && parser.error_at_end.is_none() {
        return Err(parser.error_here("no expression found in input"));
    }
    let expr = parser.expression(0)?;
    parser.expect_end()?;
    Ok(expr)
}

/// Reads an expression as [`parse`] does, and refuses what is not switched on.
///
/// Errors: as [`parse`], and the first part that needs a feature that is off.
pub fn parse_with(text: &str, features: &Features) -> Result<Expr, ParseError> {
    let expr = parse(text)?;
    expr.check_features(features)?;
    Ok(expr)
}

/// Reads a selector of series such as `up{job="a"}`, the form of `match[]` parameters.
///
/// Errors: the text is no selector, or one that would take every series.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let mut parser = Parser::new(text)?;
    let expr = parser.vector_selector()?;
    parser.expect_end()?;
    match expr.kind {
        ExprKind::VectorSelector(selector) => Ok(selector.matchers),
        _ => Err(ParseError::new(expr.span, "expected a vector selector")),
    }
}

/// What a name stands for at its place.
enum Meaning {
    Number(f64),
    Aggregation(AggregateOperator),
    Function,
    Metric,
}

struct Parser<'a> {
    lexemes: Vec<Lexeme<'a>>,
    /// Why the tokens cannot end where they do, if so.
    error_at_end: Option<ParseError>,
    next: usize,
    depth: usize,
    matchers: usize,
    regex_matchers: usize,
    /// Whether a selector may take every series, as the one that filters the labels of `info()` may.
    takes_all: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        if text.len() > TEXT_BYTES_MAX {
            let message = format!(
                "the expression is {} bytes long, at most {TEXT_BYTES_MAX} are allowed",
                text.len()
            );
            return Err(ParseError::new(
                Span {
                    start: crate::Position::START,
                    end: crate::Position::START,
                },
                message,
            ));
        }
        let Tokens {
            lexemes,
            error_at_end,
        } = tokenize(text);
        Ok(Self {
            lexemes,
            error_at_end,
            next: 0,
            depth: 0,
            matchers: 0,
            regex_matchers: 0,
            takes_all: false,
        })
    }

    /// `left operator right …`, for operators that bind at least as tight as `precedence_min`.
    fn expression(&mut self, precedence_min: u8) -> Result<Expr, ParseError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error_here(too_deep()));
        }
        let mut left = self.unary()?;
        while let Some(operator) = self.peek_operator() {
            if operator.precedence() < precedence_min {
                break;
            }
            left = self.binary(left, operator)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, ParseError> {
        match self.peek() {
            Token::Symbol("+") => self.signed(UnaryOperator::Plus),
            Token::Symbol("-") => self.signed(UnaryOperator::Minus),
            _ => self.postfix(),
        }
    }

    fn signed(&mut self, operator: UnaryOperator) -> Result<Expr, ParseError> {
        let sign = self.advance();
        // A sign binds like a multiplication: only a power takes its operand away from it.
        let operand = self.expression(BinaryOperator::Power.precedence())?;
        self.with_sign(operator, sign, operand)
    }

    /// An expression after its sign; numbers take it over.
    fn with_sign(
        &self,
        operator: UnaryOperator,
        sign: Span,
        operand: Expr,
    ) -> Result<Expr, ParseError> {
        let span = sign.to(operand.span);
        let kind = match operand.kind {
            ExprKind::Number(Number(value, notation)) => {
                let minus = operator == UnaryOperator::Minus;
                ExprKind::Number(Number(if minus { -value } else { value }, notation))
            }
            _ => ExprKind::Unary {
                operator,
                operand: Box::new(operand),
            },
        };
        self.node(kind, span)
    }

    /// A primary expression with its ranges, offsets and `@`.
    ///
    /// This and what it calls is on the stack once for each level of nesting, so each has few values of its own.
    fn postfix(&mut self) -> Result<Expr, ParseError> {
        let mut expr = self.primary()?;
        while self.peeks_modifier() {
            expr = self.modifier(expr)?;
        }
        Ok(expr)
    }

    fn peeks_modifier(&self) -> bool {
        match self.peek() {
            Token::Symbol(symbol) => matches!(*symbol, "[" | "@"),
            Token::Word(word) => ["offset", "anchored", "smoothed"]
                .iter()
                .any(|modifier| word.eq_ignore_ascii_case(modifier)),
            _ => false,
        }
    }

    /// An expression with the range or the modifier that comes next.
    fn modifier(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        match self.peek() {
            Token::Symbol("[") => self.range_or_subquery(expr),
            Token::Symbol(_) => self.at_modifier(expr),
            Token::Word(word) if word.eq_ignore_ascii_case("anchored") => {
                self.extension(expr, Extension::Anchored)
            }
            Token::Word(word) if word.eq_ignore_ascii_case("smoothed") => {
                self.extension(expr, Extension::Smoothed)
            }
            _ => self.offset(expr),
        }
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        match *self.peek() {
            Token::Symbol("(") => self.paren(),
            Token::Word(word) => self.word(word),
            _ => self.literal(),
        }
    }

    /// A number, a text, or a selector without a name.
    fn literal(&mut self) -> Result<Expr, ParseError> {
        let kind = match self.peek() {
            Token::Number(_, value) => ExprKind::Number(Number(*value, Notation::Plain)),
            Token::Duration(_, millis) => {
                ExprKind::Number(Number(*millis as f64 / 1000.0, Notation::Duration))
            }
            Token::String(_, text) => ExprKind::String(text.clone()),
            Token::Symbol("{") => return self.vector_selector(),
            _ => return Err(self.unexpected("", "")),
        };
        let span = self.advance();
        self.node(kind, span)
    }

    fn paren(&mut self) -> Result<Expr, ParseError> {
        let open = self.advance();
        let inner = self.expression(0)?;
        if self.peek() != &Token::Symbol(")") {
            return Err(self.unexpected("", ""));
        }
        let span = open.to(self.advance());
        self.node(ExprKind::Paren(Box::new(inner)), span)
    }

    /// A name is a number, an aggregation, a function or a metric: what follows it decides.
    fn word(&mut self, word: &'a str) -> Result<Expr, ParseError> {
        match self.word_means(word) {
            Meaning::Number(value) => self.named_number(value),
            Meaning::Aggregation(operator) => self.aggregate(operator),
            Meaning::Function => self.call(word),
            Meaning::Metric => self.vector_selector(),
        }
    }

    fn word_means(&self, word: &str) -> Meaning {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "inf" => return Meaning::Number(f64::INFINITY),
            "nan" => return Meaning::Number(f64::NAN),
            _ => {}
        }
        let called = self.peek_at(1) == &Token::Symbol("(");
        if let Some(operator) = AggregateOperator::from_name(&lower) {
            let grouped = matches!(self.peek_at(1), Token::Word(next)
                if next.eq_ignore_ascii_case("by") || next.eq_ignore_ascii_case("without"));
            if called || grouped {
                return Meaning::Aggregation(operator);
            }
        }
        if called && !selector::is_reserved(&lower) {
            return Meaning::Function;
        }
        Meaning::Metric
    }

    fn named_number(&mut self, value: f64) -> Result<Expr, ParseError> {
        let span = self.advance();
        self.node(ExprKind::Number(Number(value, Notation::Plain)), span)
    }

    /// A finished node, if it is not too deep and its parts fit.
    fn node(&self, kind: ExprKind, span: Span) -> Result<Expr, ParseError> {
        let expr = Expr::new(kind, span);
        if expr.derived.depth > DEPTH_MAX {
            return Err(ParseError::new(span, too_deep()));
        }
        if expr.derived.chain > CHAIN_MAX {
            let message = format!("more than {CHAIN_MAX} operators follow one another");
            return Err(ParseError::new(span, message));
        }
        check::check(&expr, self.takes_all)?;
        Ok(expr)
    }

    fn peek(&self) -> &Token<'a> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token<'a> {
        let last = self.lexemes.len() - 1;
        &self.lexemes[(self.next + ahead).min(last)].token
    }

    fn span(&self) -> Span {
        self.lexemes[self.next].span
    }

    /// Steps over the next token and gives its place.
    fn advance(&mut self) -> Span {
        let span = self.span();
        self.next = (self.next + 1).min(self.lexemes.len() - 1);
        span
    }

    /// Steps over a symbol if it is the next token.
    fn accept(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(next) if *next == symbol);
        if found {
            self.advance();
        }
        found
    }

    /// Steps over a keyword if it is the next token.
    fn accept_word(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(next) if next.eq_ignore_ascii_case(keyword));
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, symbol: &str, context: &str) -> Result<Span, ParseError> {
        match self.peek() {
            Token::Symbol(next) if *next == symbol => Ok(self.advance()),
            _ => Err(self.unexpected(context, &format!("{symbol:?}"))),
        }
    }

    fn expect_end(&self) -> Result<(), ParseError> {
        if self.peek() == &Token::End && self.error_at_end.is_none() {
            return Ok(());
        }
        Err(self.unexpected("", ""))
    }

    fn error_here(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(self.span(), message)
    }

    /// An error about the next token, in Prometheus' words.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        if let (Token::End, Some(error)) = (self.peek(), &self.error_at_end) {
            return error.clone();
        }
        let mut message = format!("unexpected {}", self.peek().description());
        if !context.is_empty() {
            message = format!("{message} in {context}");
        }
        if !expected.is_empty() {
            message = format!("{message}, expected {expected}");
        }
        self.error_here(message)
    }
}

fn too_deep() -> String {
    format!("the expression is nested deeper than {DEPTH_MAX} levels")
}

#[cfg(test)]
mod tests;

//! Tokens to an expression: one function per level of the grammar, operators by their precedence.

mod operation;
mod selector;

use model::Matcher;

use crate::ast::{AggregateOperator, Expr, ExprKind, Number};
use crate::lexer::{Lexeme, Token, Tokens, tokenize};
use crate::{ParseError, Span, check};

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

/// Reads an expression and checks the types of all its parts.
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

struct Parser<'a> {
    lexemes: Vec<Lexeme<'a>>,
    /// Why the tokens cannot end where they do, if so.
    error_at_end: Option<ParseError>,
    next: usize,
    depth: usize,
    matchers: usize,
    regex_matchers: usize,
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
        })
    }

    /// `left operator right …`, for operators that bind at least as tight as `precedence_min`.
    fn expression(&mut self, precedence_min: u8) -> Result<Expr, ParseError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error_here(too_deep()));
        }
        let mut left = self.unary()?;
        while let Some(operator) = self.peek_operator()? {
            if operator.precedence() < precedence_min {
                break;
            }
            left = self.binary(left, operator)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, ParseError> {
        use crate::ast::{BinaryOperator, UnaryOperator};
        let operator = match self.peek() {
            Token::Symbol("+") => UnaryOperator::Plus,
            Token::Symbol("-") => UnaryOperator::Minus,
            _ => return self.postfix(),
        };
        let sign = self.advance();
        // A sign binds like a multiplication: only a power takes its operand away from it.
        let operand = Box::new(self.expression(BinaryOperator::Power.precedence())?);
        let span = sign.to(operand.span);
        self.node(ExprKind::Unary { operator, operand }, span)
    }

    /// A primary expression with its ranges, offsets and `@`.
    fn postfix(&mut self) -> Result<Expr, ParseError> {
        let mut expr = self.primary()?;
        loop {
            expr = match self.peek() {
                Token::Symbol("[") => self.range_or_subquery(expr)?,
                Token::Symbol("@") => self.at_modifier(expr)?,
                Token::Word(word) if word.eq_ignore_ascii_case("offset") => self.offset(expr)?,
                Token::Word(word @ ("anchored" | "smoothed")) => {
                    let message = format!("{word} modifier is experimental and not enabled");
                    return Err(ParseError::new(expr.span, message));
                }
                _ => return Ok(expr),
            };
        }
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        match self.peek().clone() {
            Token::Number(_, value) => {
                let span = self.advance();
                self.node(ExprKind::Number(Number(value)), span)
            }
            Token::Duration(_, millis) => {
                let span = self.advance();
                self.node(ExprKind::Number(Number(millis as f64 / 1000.0)), span)
            }
            Token::String(_, text) => {
                let span = self.advance();
                self.node(ExprKind::String(text), span)
            }
            Token::Symbol("(") => self.paren(),
            Token::Symbol("{") => self.vector_selector(),
            Token::Word(word) => self.word(word),
            _ => Err(self.unexpected("", "")),
        }
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
    fn word(&mut self, word: &str) -> Result<Expr, ParseError> {
        let lower = word.to_ascii_lowercase();
        let value = match lower.as_str() {
            "inf" => Some(f64::INFINITY),
            "nan" => Some(f64::NAN),
            _ => None,
        };
        if let Some(value) = value {
            let span = self.advance();
            return self.node(ExprKind::Number(Number(value)), span);
        }
        let called = self.peek_at(1) == &Token::Symbol("(");
        if let Some(operator) = AggregateOperator::from_name(&lower) {
            let grouped = matches!(self.peek_at(1), Token::Word(next)
                if next.eq_ignore_ascii_case("by") || next.eq_ignore_ascii_case("without"));
            if called || grouped {
                return self.aggregate(operator);
            }
        }
        if called && !selector::is_reserved(&lower) {
            return self.call(word);
        }
        self.vector_selector()
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
        check::check(&expr)?;
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

//! Text to tokens. A word is any run of letters; whether it is a keyword only the parser knows, since PromQL lets
//! most keywords be names too. Inside brackets a `:` stands alone, everywhere else it may be part of a word.

mod literal;

use crate::ast::AggregateOperator;
use crate::{ParseError, Position, Span};

pub(crate) use literal::parse_duration_ms;

/// What a token is, with the value of literals.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    /// A name or a keyword.
    Word(&'a str),
    /// A number, as written and read.
    Number(&'a str, f64),
    /// A duration such as `1h30m`, as written and in milliseconds.
    Duration(&'a str, i64),
    /// A string as written, and its text.
    String(&'a str, String),
    /// Brackets, separators and operators.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

impl Token<'_> {
    /// How an error message names it, as Prometheus does.
    pub(crate) fn description(&self) -> String {
        let shortened = |text: &str| {
            let short: String = text.chars().take(10).collect();
            let dots = if short.len() < text.len() { "..." } else { "" };
            format!("{short:?}{dots}")
        };
        match self {
            Self::Word(word) if is_keyword(word) => format!("<{}>", word.to_ascii_lowercase()),
            Self::Word(word)
                if AggregateOperator::from_name(&word.to_ascii_lowercase()).is_some() =>
            {
                format!("<aggr:{}>", word.to_ascii_lowercase())
            }
            Self::Word(word) if word.contains(':') => format!("metric identifier {word:?}"),
            Self::Word(word) => format!("identifier {word:?}"),
            Self::Number(text, _) => format!("number {}", shortened(text)),
            Self::Duration(text, _) => format!("duration {}", shortened(text)),
            Self::String(text, _) => format!("string {}", shortened(text)),
            Self::Symbol(symbol) if OPERATORS.contains(symbol) => format!("<op:{symbol}>"),
            Self::Symbol(symbol) => format!("{symbol:?}"),
            Self::End => "end of input".to_owned(),
        }
    }
}

/// A token and its place.
#[derive(Clone, Debug)]
pub(crate) struct Lexeme<'a> {
    pub(crate) token: Token<'a>,
    pub(crate) span: Span,
}

/// How many tokens a text may have. Generated queries have some thousands; each token, and the node that is made of
/// it, takes some hundred bytes.
const TOKENS_MAX: usize = 100_000;

/// Longer symbols first, so that `>=` is not read as `>`.
const SYMBOLS: [&str; 25] = [
    "==", "!=", "=~", "!~", ">=", "<=", "</", ">/", "+", "-", "*", "/", "%", "^", "=", ">", "<",
    "@", "(", ")", "{", "}", "[", "]", ",",
];

const OPERATORS: [&str; 18] = [
    "==", "!=", "=~", "!~", ">=", "<=", "</", ">/", "+", "-", "*", "/", "%", "^", "=", ">", "<",
    "@",
];

fn is_keyword(word: &str) -> bool {
    [
        "bool",
        "by",
        "group_left",
        "group_right",
        "ignoring",
        "offset",
        "on",
        "without",
        "and",
        "or",
        "unless",
        "atan2",
        "anchored",
        "smoothed",
        "fill",
        "fill_left",
        "fill_right",
    ]
    .iter()
    .any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// The tokens of a text, of which the last is [`Token::End`].
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    pub(crate) lexemes: Vec<Lexeme<'a>>,
    /// Why they cannot end where they do: what comes there is no token, or a bracket was never closed.
    pub(crate) error_at_end: Option<ParseError>,
}

/// Splits a text into tokens, up to the first place where that is not possible.
pub(crate) fn tokenize(text: &str) -> Tokens<'_> {
    let mut lexer = Lexer {
        text,
        position: Position::START,
        parens: 0,
        brackets: 0,
        braces: 0,
    };
    let mut lexemes = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.position;
        let (token, error_at_end) = match lexer.next_token() {
            Ok(_) if lexemes.len() == TOKENS_MAX => {
                let message = format!("more than {TOKENS_MAX} tokens in one expression");
                let place = Span { start, end: start };
                (Token::End, Some(ParseError::new(place, message)))
            }
            Ok(Token::End) => (Token::End, lexer.unclosed()),
            Ok(token) => (token, None),
            Err(error) => (Token::End, Some(error)),
        };
        let last = token == Token::End;
        let end = lexer.position;
        let span = Span { start, end };
        lexemes.push(Lexeme { token, span });
        if last {
            return Tokens {
                lexemes,
                error_at_end,
            };
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    position: Position,
    parens: usize,
    brackets: usize,
    braces: usize,
}

impl<'a> Lexer<'a> {
    /// The error of a text that ends inside brackets.
    fn unclosed(&self) -> Option<ParseError> {
        let message = if self.braces > 0 {
            "unexpected end of input inside braces"
        } else if self.parens > 0 {
            "unclosed left parenthesis"
        } else if self.brackets > 0 {
            "unclosed left bracket"
        } else {
            return None;
        };
        Some(self.error(0, message.to_owned()))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position.offset as usize..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Moves over `length` bytes and gives them back.
    fn take(&mut self, length: usize) -> &'a str {
        let taken = &self.rest()[..length];
        for byte in taken.bytes() {
            self.position.offset += 1;
            if byte == b'\n' {
                self.position.line += 1;
                self.position.column = 1;
            } else {
                self.position.column += 1;
            }
        }
        taken
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            self.take(blank);
            if !self.rest().starts_with('#') {
                return;
            }
            let comment = self.rest().find('\n').unwrap_or(self.rest().len());
            self.take(comment);
        }
    }

    fn next_token(&mut self) -> Result<Token<'a>, ParseError> {
        let Some(first) = self.peek() else {
            return Ok(Token::End);
        };
        let second = self.rest().chars().nth(1);
        match first {
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|second| second.is_ascii_digit()) => self.number(),
            '"' | '\'' | '`' => self.string(first),
            ':' if self.brackets > 0 => {
                self.take(1);
                Ok(Token::Symbol(":"))
            }
            'a'..='z' | 'A'..='Z' | '_' | ':' => Ok(self.word()),
            _ => self.symbol(first),
        }
    }

    fn word(&mut self) -> Token<'a> {
        let colon = self.brackets == 0;
        let inside = |letter: char| {
            letter.is_ascii_alphanumeric() || letter == '_' || colon && letter == ':'
        };
        let rest = self.rest();
        let length = rest.find(|letter| !inside(letter)).unwrap_or(rest.len());
        Token::Word(self.take(length))
    }

    fn symbol(&mut self, first: char) -> Result<Token<'a>, ParseError> {
        let Some(symbol) = SYMBOLS
            .into_iter()
            .find(|symbol| self.rest().starts_with(symbol))
        else {
            let after_bang = first == '!' && self.rest().len() > 1;
            let message = if after_bang {
                let next = self.rest().chars().nth(1).unwrap_or(' ');
                format!("unexpected character after '!': {next:?}")
            } else {
                format!("unexpected character: {first:?}")
            };
            return Err(self.error(first.len_utf8(), message));
        };
        let (open, name) = match symbol {
            "(" | ")" => (&mut self.parens, "parenthesis"),
            "[" | "]" => (&mut self.brackets, "bracket"),
            "{" | "}" => (&mut self.braces, "brace"),
            _ => {
                self.take(symbol.len());
                return Ok(Token::Symbol(symbol));
            }
        };
        if matches!(symbol, "(" | "[" | "{") {
            *open += 1;
        } else if *open > 0 {
            *open -= 1;
        } else {
            return Err(self.error(1, format!("unexpected right {name} '{symbol}'")));
        }
        self.take(symbol.len());
        Ok(Token::Symbol(symbol))
    }

    fn number(&mut self) -> Result<Token<'a>, ParseError> {
        let rest = self.rest();
        let run = |from: usize| {
            let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
            from + rest.as_bytes()[from..]
                .iter()
                .take_while(|byte| inside(byte))
                .count()
        };
        let mut length = run(0);
        if let Some(millis) = parse_duration_ms(&rest[..length]) {
            return Ok(Token::Duration(self.take(length), millis));
        }
        // A sign belongs to the number only after a decimal exponent's letter.
        let hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
        let exponent = !hexadecimal && rest[..length].ends_with(['e', 'E']);
        if exponent && rest[length..].starts_with(['+', '-']) {
            length = run(length + 1);
        }
        match literal::parse_number(&rest[..length]) {
            Some(value) => Ok(Token::Number(self.take(length), value)),
            None => {
                let text = &rest[..length];
                Err(self.error(length, format!("bad number or duration syntax: {text:?}")))
            }
        }
    }

    fn string(&mut self, quote: char) -> Result<Token<'a>, ParseError> {
        let rest = self.rest();
        let mut escaped = false;
        for (index, letter) in rest.char_indices().skip(1) {
            if letter == quote && !escaped {
                let raw = &rest[..=index];
                let body = &rest[1..index];
                let text = match quote {
                    '`' => Ok(body.to_owned()),
                    _ => literal::unescape(body, quote),
                };
                let text = text.map_err(|message| self.error(index + 1, message))?;
                self.take(index + 1);
                return Ok(Token::String(raw, text));
            }
            if letter == '\n' && quote != '`' {
                break;
            }
            escaped = letter == '\\' && !escaped && quote != '`';
        }
        let kind = if quote == '`' { "raw" } else { "quoted" };
        Err(self.error(1, format!("unterminated {kind} string")))
    }

    fn error(&self, length: usize, message: String) -> ParseError {
        let mut end = self.position;
        end.offset += u32::try_from(length).unwrap_or(0);
        end.column += u32::try_from(length).unwrap_or(0);
        let start = self.position;
        ParseError::new(Span { start, end }, message)
    }
}

#[cfg(test)]
mod tests;

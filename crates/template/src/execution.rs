//! Makes a text of trees, functions and data, within bounds.

use std::fmt;
use std::sync::Arc;

use gotmpl::{FuncMap, TemplateError, ValueFunc, html};

use crate::functions::{SHARED, assigned, kept, plain, print, println, shown};
use crate::language::{Count, Failure, Language, Outcome};
use crate::parsed::Tree;
use crate::rewrite::{ASSIGN, GET, INTERNAL, KEEP, PLAIN, SHOW};
use crate::value::{Value, text};

/// How often the loops of one expansion may turn; a text lists some alerts or series, not a database.
const LOOPS_MAX: u64 = 100_000;

/// A name that nobody gives to a template; in HTML the library starts only at a text that it parsed itself.
const MAIN: &str = "\u{1}main";
const START: &str = "{{ template \"\u{1}main\" . }}";

/// Where an expansion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A text without markup, or with one that the template's writer cares for.
    Text,
    /// HTML, for which everything that is inserted is escaped.
    Html,
}

/// The functions that a template may call, at one place and time.
#[derive(Clone)]
pub struct Functions {
    language: &'static Language,
    all: FuncMap,
}

impl Functions {
    /// Those that every language has and those that this one always has.
    pub fn new(language: &'static Language) -> Self {
        let all = FuncMap::new();
        let mut functions = Self { language, all };
        functions.add(GET, Count::Least(2), |given| {
            language.get(&given[0], &text(&given[1])?, &given[2..])
        });
        functions.add(SHOW, Count::Is(1), |given| shown(language, &given[0]));
        functions.add(KEEP, Count::Is(1), |given| Ok(given[0].clone()));
        functions.add(ASSIGN, Count::Is(1), |given| assigned(&given[0]));
        functions.add(PLAIN, Count::Is(1), |given| plain(language, &given[0]));
        functions.add("print", Count::Least(0), |given| print(language, given));
        functions.add("println", Count::Least(0), |given| println(language, given));
        for (name, count, function) in SHARED.iter().chain(language.functions) {
            functions.add(name, *count, function);
        }
        functions
    }

    /// Adds one of those that the language calls bound.
    pub fn add(
        &mut self,
        name: &'static str,
        count: Count,
        function: impl Fn(&[Value]) -> Outcome + Send + Sync + 'static,
    ) {
        let language = self.language;
        debug_assert!(
            language.has(name),
            "the language must know {name} when it parses"
        );
        let function: ValueFunc = Arc::new(move |given: &[Value]| {
            let outcome = match wrong_count(name, count, given.len()) {
                Some(failure) => Err(failure),
                None => function(given).and_then(|value| kept(language, value)),
            };
            outcome.map_err(|failure| match failure {
                Failure::TooLong(_) => TemplateError::Write,
                Failure::Refused(message) if INTERNAL.contains(&name) => {
                    TemplateError::Exec(message)
                }
                Failure::Refused(message) => {
                    TemplateError::Exec(format!("error calling {name}: {message}"))
                }
            })
        });
        self.all.insert(name.to_owned(), function);
    }
}

fn wrong_count(name: &str, count: Count, got: usize) -> Option<Failure> {
    let (fits, word, wanted) = match count {
        Count::Is(count) => (got == count, "", count),
        Count::Least(count) => (got >= count, "at least ", count),
    };
    let message = || format!("wrong number of args for {name}: want {word}{wanted} got {got}");
    (!fits).then(|| Failure::new(message()))
}

/// Trees and functions, joined.
pub struct Ready {
    joined: Joined,
    length_max: usize,
}

enum Joined {
    Text(Box<gotmpl::Template>),
    Html(Box<html::Template>),
}

impl Ready {
    /// Joins a tree with those that it may call, by name; of two with one name the later.
    ///
    /// Errors: a tree that cannot be part of HTML.
    pub fn new<'a>(
        target: Target,
        functions: Functions,
        named: impl IntoIterator<Item = (&'a String, &'a Tree)>,
        main: &Tree,
    ) -> Result<Self, Failure> {
        let length_max = functions.language.length_max;
        let joined = match target {
            Target::Text => {
                let mut ready = gotmpl::Template::new("")
                    .max_range_iters(LOOPS_MAX)
                    .funcs(functions.all);
                for (name, tree) in named {
                    ready = ready.add_parse_tree(name, tree.0.clone());
                }
                Joined::Text(Box::new(ready.add_parse_tree(MAIN, main.0.clone())))
            }
            Target::Html => {
                let join = || {
                    let mut ready = html::Template::new("")
                        .max_range_iters(LOOPS_MAX)
                        .funcs(functions.all)
                        .parse(START)?;
                    for (name, tree) in named {
                        ready = ready.add_parse_tree(name, tree.0.clone())?;
                    }
                    ready.add_parse_tree(MAIN, main.0.clone())
                };
                let ready = join().map_err(|error| failure(&error, length_max))?;
                Joined::Html(Box::new(ready))
            }
        };
        Ok(Self { joined, length_max })
    }

    /// The text for some data.
    ///
    /// Errors: what is wrong with the template.
    pub fn execute(&self, data: &Value) -> Result<String, Failure> {
        let mut text = Bounded::new(self.length_max);
        let executed = match &self.joined {
            Joined::Text(ready) => ready.execute_template_fmt(&mut text, MAIN, data),
            Joined::Html(ready) => ready.execute_fmt(&mut text, data),
        };
        match executed {
            Ok(()) => Ok(text.into_text()),
            Err(error) => Err(failure(&error, self.length_max)),
        }
    }
}

/// What went wrong, without the library's word for it.
fn failure(error: &TemplateError, length_max: usize) -> Failure {
    match error {
        TemplateError::Exec(message) => Failure::new(message),
        TemplateError::Write => Failure::TooLong(length_max),
        other => Failure::new(other.to_string()),
    }
}

/// A text of bounded length, in bytes.
pub(crate) struct Bounded {
    text: String,
    length_max: usize,
}

impl Bounded {
    pub(crate) fn new(length_max: usize) -> Self {
        let text = String::new();
        Self { text, length_max }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > self.length_max {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

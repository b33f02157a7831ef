//! Templates of labels and annotations: Go's language with Prometheus' functions and variables.
//!
//! A text is parsed once, after a prelude that names `$labels`, `$externalLabels`, `$externalURL` and `$value`. An
//! [`Expander`] joins it with the functions of one evaluation; a failure becomes the text, as in Prometheus.

mod functions;

use std::collections::BTreeMap;
use std::fmt;

use model::{Labels, Timestamp};
use promql::SampleValue;
use template::{Broken, Failure, Functions, Language, Ready, Target, Value, record, string, texts};

use crate::Environment;

pub(crate) use functions::table_link;

/// Go's language as Prometheus' rules speak it.
static LANGUAGE: Language = Language {
    // What Prometheus puts before each text.
    prelude: "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}",
    functions: &functions::PLAIN,
    bound: &functions::BOUND,
    method: |_, _, _| None,
    written: |_| None,
    // An annotation is to be read by people.
    length_max: 64 << 10,
};

/// A template that parses; two are equal if their texts are.
#[derive(Clone, PartialEq)]
pub struct Template(template::Template);

impl Template {
    /// Parses a text.
    ///
    /// Errors: what is wrong, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, Broken> {
        template::Template::parse(&LANGUAGE, text).map(Self)
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        self.0.text()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a template sees of one alert.
pub(crate) struct Data(Value);

impl Data {
    pub(crate) fn new(labels: &Labels, value: &SampleValue, environment: &Environment) -> Self {
        let external_labels = texts(environment.external_labels.iter());
        let value = match value {
            SampleValue::Float(value) => Value::Float(*value),
            SampleValue::Histogram(histogram) => string(histogram.to_string()),
        };
        let fields = [
            ("Labels", texts(labels.iter())),
            ("ExternalLabels", external_labels),
            ("ExternalURL", string(environment.external_url.as_str())),
            ("Value", value),
        ];
        Self(record("data", fields))
    }
}

/// The templates of a rule, ready for one evaluation.
pub(crate) struct Expander {
    name: String,
    /// By text, for those that have something to expand.
    ready: BTreeMap<String, Result<Ready, Failure>>,
}

impl Expander {
    pub(crate) fn new<'a>(
        alert_name: &str,
        templates: impl Iterator<Item = &'a Template>,
        environment: &Environment,
        at: Timestamp,
    ) -> Self {
        let mut expander = Self {
            name: format!("__alert_{alert_name}"),
            ready: BTreeMap::new(),
        };
        let mut functions: Option<Functions> = None;
        for template in templates {
            let Some(parsed) = template.0.parsed() else {
                continue;
            };
            let functions = functions.get_or_insert_with(|| functions::all(environment, at));
            let functions = functions.clone();
            let ready = Ready::new(Target::Text, functions, &parsed.defines, &parsed.main);
            expander.ready.insert(template.text().to_owned(), ready);
        }
        expander
    }

    /// The text for one alert; if it cannot be made, what is wrong.
    pub(crate) fn expand(&self, template: &Template, data: &Data) -> String {
        let Some(ready) = self.ready.get(template.text()) else {
            return template.text().to_owned();
        };
        let executed = match ready {
            Ok(ready) => ready.execute(&data.0),
            Err(failure) => Err(failure.clone()),
        };
        executed.unwrap_or_else(|failure| {
            format!(
                "<error expanding template: error executing template {}: {failure}>",
                self.name
            )
        })
    }
}

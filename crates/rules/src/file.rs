//! A rule file in Prometheus' format → definitions; every mistake is noted at its place, none ends the reading.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use document::{Document, Options, Problem, Section, Source, Span, Syntax, Value};
use model::NAME;
use promql::{Expr, ValueType};

use crate::place::place;
use crate::{GroupDefinition, RuleDefinition, RuleKind, Template};

/// How many series or alerts a group's `limit` may name; JSON and YAML readers agree on numbers up to here.
const LIMIT_MAX: i64 = u32::MAX as i64;

type Texts = BTreeMap<String, Template>;

/// Reads a rule file, YAML or JSON by its name's ending.
///
/// Errors: all problems of the file, from its top to its end.
pub fn parse(source: &Arc<Source>) -> Result<Vec<GroupDefinition>, Vec<Problem>> {
    let syntax = Syntax::of_file(source.name());
    let document = Document::parse(source, syntax, &Options::default())?;
    let reader = Reader {
        document: &document,
        source,
    };
    let groups = reader.groups();
    let problems = document.into_problems();
    if problems.is_empty() {
        Ok(groups)
    } else {
        Err(problems)
    }
}

struct Reader<'d> {
    document: &'d Document,
    source: &'d Arc<Source>,
}

impl<'d> Reader<'d> {
    fn groups(&self) -> Vec<GroupDefinition> {
        let mut section = self.document.section();
        let items = section.value("groups").and_then(Value::items);
        section.finish();
        let mut first: BTreeMap<String, Span> = BTreeMap::new();
        let mut groups = Vec::new();
        for (index, item) in items.unwrap_or_default().into_iter().enumerate() {
            let Some(section) = item.section() else {
                continue;
            };
            if let Some(group) = self.group(section, &format!("groups[{index}]"), &mut first) {
                groups.push(group);
            }
        }
        groups
    }

    fn group(
        &self,
        mut section: Section<'d>,
        path: &str,
        first: &mut BTreeMap<String, Span>,
    ) -> Option<GroupDefinition> {
        let name = section.required("name").and_then(|name| self.name(name));
        if let Some((name, span)) = &name {
            match first.get(name) {
                Some(earlier) => self.document.note(
                    self.problem(
                        *span,
                        &format!("{path}.name"),
                        format!(
                            "a group {name:?} stands in this file already; give each its own name"
                        ),
                    )
                    .with_related(*earlier, "the first one"),
                ),
                None => _ = first.insert(name.clone(), *span),
            }
        }
        let interval = section.value("interval").and_then(Value::duration);
        let limit = section
            .value("limit")
            .and_then(|value| value.integer(0..=LIMIT_MAX));
        let query_offset = section.value("query_offset").and_then(Value::duration);
        let labels = self.texts(
            section.section("labels"),
            Kind::Label,
            &format!("{path}.labels"),
        );
        let items = section.value("rules").and_then(Value::items);
        section.finish();
        let mut rules = Vec::new();
        for (index, item) in items.unwrap_or_default().into_iter().enumerate() {
            let span = item.span();
            let path = format!("{path}.rules[{index}]");
            if let Some(section) = item.section() {
                rules.extend(self.rule(section, span, &path, &labels));
            }
        }
        Some(GroupDefinition {
            file: self.source.name().to_owned(),
            name: name?.0,
            interval: interval.filter(|interval| !interval.is_zero()),
            limit: usize::try_from(limit.unwrap_or(0)).unwrap_or(0),
            query_offset,
            rules,
        })
    }

    fn rule(
        &self,
        mut section: Section<'d>,
        span: Span,
        path: &str,
        group_labels: &Texts,
    ) -> Option<RuleDefinition> {
        let record = section.value("record");
        let alert = section.value("alert");
        let expr = section.required("expr");
        let expr = expr.and_then(|expr| self.expr(expr, &format!("{path}.expr")));
        let hold = section.value("for");
        let keep = section.value("keep_firing_for");
        let annotations = section.value("annotations");
        let mut labels = group_labels.clone();
        let own = section.section("labels");
        labels.extend(self.texts(own, Kind::Label, &format!("{path}.labels")));
        section.finish();
        match (record, alert) {
            (Some(record), None) => {
                for (key, value) in [
                    ("for", hold),
                    ("keep_firing_for", keep),
                    ("annotations", annotations),
                ] {
                    if let Some(value) = value {
                        value.refuse(format!(
                            "{key} belongs to alerts only; remove it from this recording rule"
                        ));
                    }
                }
                let name = self.metric_name(record)?;
                Some(RuleDefinition {
                    name,
                    expr: expr?,
                    labels,
                    kind: RuleKind::Recording,
                })
            }
            (None, Some(alert)) => {
                let kind = RuleKind::Alerting {
                    hold: duration(hold),
                    keep_firing_for: duration(keep),
                    annotations: annotations
                        .and_then(Value::section)
                        .map(|section| {
                            self.texts(section, Kind::Annotation, &format!("{path}.annotations"))
                        })
                        .unwrap_or_default(),
                };
                let name = self.name(alert)?.0;
                Some(RuleDefinition {
                    name,
                    expr: expr?,
                    labels,
                    kind,
                })
            }
            (Some(_), Some(alert)) => {
                alert.refuse("a rule records or alerts, not both; make two rules of it");
                None
            }
            (None, None) => {
                let message =
                    "the rule needs a name: write record: for a series, or alert: for an alert";
                let span = Span {
                    start: span.start,
                    end: span.start,
                };
                self.document.note(self.problem(span, path, message));
                None
            }
        }
    }

    /// The expression, of a type that a rule can use.
    fn expr(&self, value: Value<'d>, path: &str) -> Option<Expr> {
        let span = value.span();
        let text = value.clone().text()?;
        let (message, start, end) = match promql::parse(text) {
            Ok(expr) => match expr.value_type() {
                ValueType::Vector | ValueType::Scalar => return Some(expr),
                other => {
                    let message =
                        format!("a rule needs an instant vector or a scalar, not a {other}");
                    (message, expr.span.start, expr.span.end)
                }
            },
            Err(error) => (
                format!("no PromQL expression: {}", error.message),
                error.position,
                error.end,
            ),
        };
        let span = place(
            self.source,
            span,
            text,
            start.offset as usize,
            end.offset as usize,
        );
        self.document.note(self.problem(span, path, message));
        None
    }

    /// Names and templates of `labels` or `annotations`.
    fn texts(&self, section: Section<'d>, kind: Kind, path: &str) -> Texts {
        let mut texts = Texts::new();
        for (name, value) in section.pairs() {
            match kind {
                Kind::Label if name == NAME => value.refuse(format!(
                    "{NAME} is no label that a rule may set; the rule's name stands in record: or alert:"
                )),
                Kind::Label if name.is_empty() => value.refuse("a label needs a name"),
                Kind::Annotation if name.is_empty() => value.refuse("an annotation needs a name"),
                _ => {}
            }
            let span = value.span();
            let Some(text) = value.text() else { continue };
            match Template::parse(text) {
                Ok(template) => _ = texts.insert(name.to_owned(), template),
                Err(error) => {
                    let at = error.offset;
                    let span = place(self.source, span, text, at, at + 1);
                    let path = format!("{path}.{name}");
                    let message = format!("no template: {}", error.message);
                    self.document.note(self.problem(span, &path, message));
                }
            }
        }
        texts
    }

    /// A name that is not empty, with its place.
    fn name(&self, value: Value<'d>) -> Option<(String, Span)> {
        let span = value.span();
        let text = value.clone().text()?;
        if text.is_empty() {
            value.refuse("the name is empty");
            return None;
        }
        Some((text.to_owned(), span))
    }

    /// The name of a recorded metric: any text without braces, which would be a selector.
    fn metric_name(&self, value: Value<'d>) -> Option<String> {
        let (name, _) = self.name(value.clone())?;
        if name.contains(['{', '}']) {
            value.refuse(format!(
                "{name:?} is no metric name; what stands in braces belongs into labels:, or the whole into expr:"
            ));
            return None;
        }
        Some(name)
    }

    fn problem(&self, span: Span, path: &str, message: impl Into<String>) -> Problem {
        Problem::new(self.source, span, path, message)
    }
}

/// What a pair of name and text is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Label,
    Annotation,
}

fn duration(value: Option<Value<'_>>) -> Duration {
    value.and_then(Value::duration).unwrap_or_default()
}

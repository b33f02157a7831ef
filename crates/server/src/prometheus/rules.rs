//! `/api/v1/rules` and `/api/v1/alerts`: which groups and rules are wanted, and page by page if so asked.
//!
//! Groups stand in the order of file and name. A page ends with the token of the group with which the next one begins.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use model::Matcher;
use rules::{Group, Rule};

use super::labels::read_selectors;
use super::rule::{push_alerts, push_group, push_outage};
use super::{SUCCESS, finish, ok};
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::query_gate::Caller;
use crate::{RuleGroup, Server, json};

/// `GET /api/v1/rules`
pub(crate) async fn rules(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let mut wanted = Wanted::read(&parameters)?;
    let page = Page::read(&parameters)?;
    let selectors: Vec<String> = parameters.all("match[]").map(str::to_owned).collect();
    let groups = server.ports().rules.clone();
    let timeout = server.limits().query_timeout;
    let work = move |caller: &Caller| {
        wanted.selectors = read_selectors(&selectors, caller)?;
        list(&sorted(groups()), &wanted, &page, caller)
    };
    Ok(ok(server.queries().run(&server, timeout, work).await?))
}

/// `GET /api/v1/alerts`: those of rules, and after them those of monitors, which Prometheus does not have.
pub(crate) async fn alerts(State(server): State<Server>) -> Result<Response, ApiError> {
    let groups = server.ports().rules.clone();
    let outages = server.ports().outages.clone();
    let timeout = server.limits().query_timeout;
    let work = move |caller: &Caller| {
        let mut body = String::from(SUCCESS);
        body.push_str(r#"{"alerts":["#);
        let mut count = 0;
        for group in sorted(groups()) {
            for rule in group.group.rules() {
                let shorter = "/api/v1/rules, which takes rule_name[]";
                count = push_alerts(&mut body, rule, shorter, count, caller)?;
            }
        }
        for outage in outages() {
            json::separate(&mut body, count);
            push_outage(&mut body, &outage)?;
            count += 1;
        }
        body.push_str("]}");
        finish(&mut body, &[""; 0], &[""; 0]);
        Ok(body)
    };
    Ok(ok(server.queries().run(&server, timeout, work).await?))
}

/// Which rules are wanted; an empty list wants all.
struct Wanted {
    kind: Option<Kind>,
    rules: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    selectors: Vec<Vec<Matcher>>,
    with_alerts: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Alerting,
    Recording,
}

/// Which part of the list is wanted.
struct Page {
    /// How many groups; none if all.
    limit: Option<usize>,
    /// The token of the group to begin with.
    token: Option<String>,
}

fn list(
    groups: &[Arc<RuleGroup>],
    wanted: &Wanted,
    page: &Page,
    caller: &Caller,
) -> Result<String, ApiError> {
    let first = page.first(groups)?;
    let mut body = String::from(SUCCESS);
    body.push_str(r#"{"groups":["#);
    let mut shown = 0;
    let mut next = None;
    for group in &groups[first..] {
        caller.require()?;
        let rules = wanted.rules_of(&group.group);
        if rules.is_empty() {
            continue;
        }
        if page.limit == Some(shown) {
            next = Some(token(&group.group));
            break;
        }
        json::separate(&mut body, shown);
        push_group(&mut body, group, &rules, wanted.with_alerts, caller)?;
        shown += 1;
    }
    body.push(']');
    if let Some(next) = next {
        body.push_str(r#","groupNextToken":"#);
        json::push_string(&mut body, &next);
    }
    body.push('}');
    finish(&mut body, &[""; 0], &[""; 0]);
    Ok(body)
}

impl Wanted {
    /// All but the selectors, which take longer to read.
    fn read(parameters: &Parameters) -> Result<Self, ApiError> {
        let all = |name| parameters.all(name).map(str::to_owned).collect();
        let kind = match parameters.get("type").map(str::to_lowercase).as_deref() {
            None => None,
            Some("alert") => Some(Kind::Alerting),
            Some("record") => Some(Kind::Recording),
            Some(other) => {
                let reason = format_args!("not supported value {other:?}: write alert or record");
                return Err(ApiError::parameter("type", reason));
            }
        };
        let with_alerts = !parameters.boolean("exclude_alerts")?.unwrap_or(false);
        Ok(Self {
            kind,
            rules: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            selectors: Vec::new(),
            with_alerts,
        })
    }

    /// The indices of the rules that are wanted.
    fn rules_of(&self, group: &Group) -> Vec<usize> {
        if !names(&self.groups, group.name()) || !names(&self.files, group.file()) {
            return Vec::new();
        }
        let rules = group.rules().iter().enumerate();
        rules
            .filter(|(_, rule)| self.takes(rule))
            .map(|(index, _)| index)
            .collect()
    }

    fn takes(&self, rule: &Rule) -> bool {
        let kind = if rule.records() {
            Kind::Recording
        } else {
            Kind::Alerting
        };
        self.kind.is_none_or(|wanted| wanted == kind)
            && names(&self.rules, &rule.definition().name)
            && self.selects(rule)
    }

    /// Whether a selector fits the labels as they stand in the file, not those of an alert.
    fn selects(&self, rule: &Rule) -> bool {
        let labels = &rule.definition().labels;
        let fits = |matcher: &Matcher| {
            let template = labels.get(matcher.name());
            matcher.matches(template.map_or("", |template| template.text()))
        };
        let mut selectors = self.selectors.iter();
        self.selectors.is_empty() || selectors.any(|selector| selector.iter().all(fits))
    }
}

impl Page {
    fn read(parameters: &Parameters) -> Result<Self, ApiError> {
        let token = parameters.get("group_next_token").map(str::to_owned);
        let Some(text) = parameters.get("group_limit") else {
            if token.is_some() {
                return Err(ApiError::parameter(
                    "group_next_token",
                    "group_limit needs to be present in order to paginate over the groups",
                ));
            }
            return Ok(Self { limit: None, token });
        };
        // As in Prometheus, a number of 32 bits.
        let limit = text.parse::<i32>().ok();
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        match limit {
            Some(limit) if limit > 0 => Ok(Self {
                limit: Some(limit),
                token,
            }),
            _ => {
                let reason = format_args!("{text:?} is no whole number from 1 up");
                Err(ApiError::parameter("group_limit", reason))
            }
        }
    }

    /// The index of the group with which the page begins.
    ///
    /// Errors: there is no such group any more.
    fn first(&self, groups: &[Arc<RuleGroup>]) -> Result<usize, ApiError> {
        let Some(wanted) = &self.token else {
            return Ok(0);
        };
        let mut groups = groups.iter();
        let found = groups.position(|group| token(&group.group) == *wanted);
        found.ok_or_else(|| {
            let reason =
                format_args!("no group has the token {wanted:?}; were rule groups changed?");
            ApiError::parameter("group_next_token", reason)
        })
    }
}

fn sorted(mut groups: Vec<Arc<RuleGroup>>) -> Vec<Arc<RuleGroup>> {
    groups.sort_by(|a, b| identity(&a.group).cmp(&identity(&b.group)));
    groups
}

fn identity(group: &Group) -> (&str, &str) {
    (group.file(), group.name())
}

/// What names a group in an address: its file and name in hexadecimal digits. Clients do not look into it, so it needs
/// no hash as Prometheus' has one.
fn token(group: &Group) -> String {
    let (file, name) = identity(group);
    let mut token = String::with_capacity(2 * (file.len() + 1 + name.len()));
    for byte in file.bytes().chain([0]).chain(name.bytes()) {
        write!(token, "{byte:02x}").expect("invariant: a string takes everything");
    }
    token
}

fn names(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)
}

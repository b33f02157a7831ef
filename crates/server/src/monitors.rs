//! `/api/v1/monitors`: how it stands with what is checked, from memory, and what one monitor went through.
//!
//! Uptime is a share of the time of which we know: what was our own trouble, or before the first check, counts neither way.
//! The bar of the last day has its slots at whole half hours, so that the bars of all monitors line up.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use model::Timestamp;
use uptime::{Outcome, Transition};

use crate::error::{ApiError, ErrorType};
use crate::parameters::path_name;
use crate::prometheus::{SUCCESS, finish, ok};
use crate::query_gate::Caller;
use crate::{LastCheck, MonitorStatus, Server, WatchedMonitor, json};

/// One slot of the bar: 48 of them fit on a phone and are a day.
const SLOT: Duration = Duration::from_mins(30);
const SLOTS: usize = 48;

/// Changes of state that are shown with a monitor; who wants more looks at its series.
const TRANSITIONS: u32 = 100;

/// `GET /api/v1/monitors`
pub(crate) async fn list(State(server): State<Server>) -> Result<Response, ApiError> {
    let monitors = server.ports().monitors.clone();
    let now = server.clock().now();
    let timeout = server.limits().query_timeout;
    let work = move |caller: &Caller| {
        let mut monitors = monitors();
        monitors.sort_by(|a, b| a.status.monitor.name.cmp(&b.status.monitor.name));
        let mut body = String::from(SUCCESS);
        body.push_str(r#"{"monitors":["#);
        for (index, monitor) in monitors.iter().enumerate() {
            caller.require()?;
            json::separate(&mut body, index);
            push_watched(&mut body, monitor, now);
        }
        body.push_str("]}");
        finish(&mut body, &[""; 0], &[""; 0]);
        Ok(body)
    };
    Ok(ok(server.queries().run(&server, timeout, work).await?))
}

/// `GET /api/v1/monitors/{name}`
pub(crate) async fn one(
    State(server): State<Server>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let name = path_name(name)?;
    let mut monitors = (server.ports().monitors)().into_iter();
    let monitor = monitors.find(|monitor| *monitor.status.monitor.name == *name);
    let monitor = monitor.ok_or_else(|| {
        let message = format!("no monitor is named {name:?}: /api/v1/monitors lists them all");
        ApiError::new(ErrorType::NotFound, message)
    })?;
    let timeout = server.limits().query_timeout;
    let read = async {
        let _slot = server.queries().slot().await?;
        let name = monitor.status.monitor.name.clone();
        let transitions = (server.ports().transitions)(name, TRANSITIONS).await;
        transitions.map_err(|reason| {
            ApiError::internal(format!("cannot read the changes of a monitor: {reason}"))
        })
    };
    let mut transitions = tokio::time::timeout(timeout, read).await.map_err(|_| {
        let shown = model::duration::format(timeout);
        let message = format!("the changes of the monitor could not be read within {shown}");
        ApiError::new(ErrorType::Timeout, message)
    })??;

    // It is shown as soon as it is found, and written a moment later.
    let newest = transitions.first().map_or(0, |newest| newest.number);
    let unwritten = monitor.last_transition.as_deref();
    if let Some(last) = unwritten.filter(|last| last.number > newest) {
        transitions.insert(0, last.clone());
    }

    let mut body = String::from(SUCCESS);
    body.push_str(r#"{"monitor":"#);
    push_watched(&mut body, &monitor, server.clock().now());
    body.push_str(r#","transitions":["#);
    for (index, transition) in transitions.iter().enumerate() {
        json::separate(&mut body, index);
        push_transition(&mut body, transition);
    }
    body.push_str("]}");
    finish(&mut body, &[""; 0], &[""; 0]);
    Ok(ok(body))
}

/// A monitor with its uptime.
fn push_watched(out: &mut String, watched: &WatchedMonitor, now: Timestamp) {
    out.push('{');
    push_status(out, &watched.status);
    out.push_str(r#","uptime":{"#);
    for (index, (name, window)) in WatchedMonitor::WINDOWS.into_iter().enumerate() {
        json::separate(out, index);
        json::push_string(out, name);
        out.push(':');
        let parts = watched.history.availability(before(now, window), now);
        push_ratio(out, parts.ratio());
    }
    out.push_str(r#"},"bar":{"start":"#);
    let slot = i64::try_from(SLOT.as_millis()).expect("invariant: a slot is short");
    let end = now.as_millis().div_euclid(slot).saturating_add(1) * slot;
    let start = before(Timestamp::from_millis(end), SLOT * SLOTS as u32);
    json::push_moment(out, start);
    out.push_str(r#","step_seconds":"#);
    json::push_display(out, SLOT.as_secs());
    out.push_str(r#","uptime":["#);
    let bar = watched.history.bar(start, SLOT, SLOTS, now);
    for (index, ratio) in bar.into_iter().enumerate() {
        json::separate(out, index);
        push_ratio(out, ratio);
    }
    out.push_str("]}}");
}

/// The fields of a monitor's status, for an object that has more.
pub(crate) fn push_status(out: &mut String, status: &MonitorStatus) {
    let monitor = &status.monitor;
    out.push_str(r#""name":"#);
    json::push_string(out, &monitor.name);
    out.push_str(r#","type":"http","url":"#);
    json::push_string(out, &monitor.check.shown_url());
    out.push_str(r#","labels":"#);
    json::push_labels(out, &monitor.labels);
    out.push_str(r#","interval_seconds":"#);
    json::push_number(out, monitor.interval.as_secs_f64());
    out.push_str(r#","state":"#);
    push_state(out, status.state);
    out.push_str(r#","since":"#);
    json::push_moment(out, status.since);
    out.push_str(r#","cause":"#);
    json::push_string(out, &status.cause);
    out.push_str(r#","last_check":"#);
    match &status.last_check {
        Some(check) => push_check(out, check),
        None => out.push_str("null"),
    }
}

fn push_check(out: &mut String, check: &LastCheck) {
    out.push_str(r#"{"at":"#);
    json::push_moment(out, check.started);
    out.push_str(r#","duration_seconds":"#);
    json::push_number(out, check.duration.as_secs_f64());
    let (outcome, cause) = match &check.outcome {
        Outcome::Success => ("success", ""),
        Outcome::Failure(cause) => ("failure", cause.as_str()),
        Outcome::OwnTrouble(cause) => ("own_trouble", cause.as_str()),
    };
    out.push_str(r#","outcome":"#);
    json::push_string(out, outcome);
    out.push_str(r#","cause":"#);
    json::push_string(out, cause);
    out.push('}');
}

fn push_transition(out: &mut String, transition: &Transition) {
    out.push_str(r#"{"number":"#);
    json::push_display(out, transition.number);
    out.push_str(r#","from":"#);
    push_state(out, transition.from);
    out.push_str(r#","to":"#);
    push_state(out, transition.to);
    out.push_str(r#","at":"#);
    json::push_moment(out, transition.at);
    out.push_str(r#","since":"#);
    json::push_moment(out, transition.since);
    out.push_str(r#","cause":"#);
    json::push_string(out, &transition.cause);
    out.push('}');
}

fn push_state(out: &mut String, state: uptime::State) {
    json::push_string(out, &state.to_string().to_lowercase());
}

/// Six digits are a second in ten days, and as many as anyone reads.
fn push_ratio(out: &mut String, ratio: Option<f64>) {
    match ratio {
        Some(ratio) => json::push_number(out, (ratio * 1e6).round() / 1e6),
        None => out.push_str("null"),
    }
}

fn before(moment: Timestamp, by: Duration) -> Timestamp {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(moment.as_millis().saturating_sub(millis))
}

//! `campanile notify`: a test message to a receiver, and the history of what was sent.
//!
//! Both work beside a running server: a test reads the configuration and sends by itself, the history reads the catalog.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use catalog::Catalog;
use document::nearest;
use model::{Clock, DeliveryState, NotificationQuery, NotificationRecord};
use notify::{Context, Integration};
use serde_json::json;

use crate::cli::{HistoryArgs, NotifyCommand, WhereArgs};
use crate::config::{self, Config, Environment, Overrides};

/// Carries out a command; what is to be printed, and whether all went well.
pub(crate) async fn run(
    command: &NotifyCommand,
    clock: Arc<dyn Clock>,
    environment: &Environment,
) -> anyhow::Result<(String, bool)> {
    match command {
        NotifyCommand::Test { receiver, place } => {
            test(receiver, &load(place, environment)?, &*clock).await
        }
        NotifyCommand::History(arguments) => history(arguments, environment, clock).await,
    }
}

fn load(place: &WhereArgs, environment: &Environment) -> anyhow::Result<Config> {
    let overrides = Overrides {
        data_dir: place.data_dir.clone(),
        ..Overrides::default()
    };
    config::load(place.config.as_deref(), &overrides, environment)
        .map_err(|problems| anyhow::anyhow!("{problems}"))
}

/// Sends a test message to each integration of a receiver.
async fn test(
    receiver: &str,
    config: &Config,
    clock: &dyn Clock,
) -> anyhow::Result<(String, bool)> {
    let receivers = &config.alerting.receivers;
    let names: Vec<&str> = receivers.names().collect();
    if !names.contains(&receiver) {
        let hint = match nearest(receiver, names.iter().copied()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None if names.is_empty() => {
                "the configuration has none: name its file with --config, and see the section alerting"
                    .to_owned()
            }
            None => format!("there are {}", names.join(", ")),
        };
        bail!("there is no receiver {receiver:?}; {hint}");
    }
    let mut report = String::new();
    let mut is_good = true;
    let mut count = 0;
    for (name, integration) in receivers.integrations(receiver) {
        count += 1;
        let started = clock.monotonic();
        let sent = send_test(receiver, name, integration, config, clock).await;
        let took = clock.monotonic().saturating_sub(started).as_millis();
        let target = integration.target();
        match sent {
            Ok(()) => writeln!(report, "{name} to {target}: delivered in {took} ms")?,
            Err(error) => {
                is_good = false;
                writeln!(report, "{name} to {target}: not delivered: {error:#}")?;
            }
        }
    }
    if count == 0 {
        bail!(
            "the receiver {receiver:?} has no integrations, so it tells nobody; add email_configs, slack_configs, telegram_configs or webhook_configs"
        );
    }
    Ok((report, is_good))
}

async fn send_test(
    receiver: &str,
    name: &str,
    integration: &Integration,
    config: &Config,
    clock: &dyn Clock,
) -> anyhow::Result<()> {
    let notification = notify::test_notification(receiver, name, clock.now());
    let external_url = config.place(config.listen);
    let message = integration.render(&notification, &Context { external_url })?;
    for part in 0..message.parts() {
        integration.send(&message, part).await?;
    }
    Ok(())
}

async fn history(
    arguments: &HistoryArgs,
    environment: &Environment,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<(String, bool)> {
    let state = match arguments.state.as_deref() {
        None => None,
        Some(name) => {
            let mut states = DeliveryState::ALL.into_iter();
            let known = states.find(|state| state.as_str() == name);
            Some(known.with_context(|| {
                format!("--state: {name:?} is no state; write pending, delivered or failed")
            })?)
        }
    };
    let query = NotificationQuery {
        before: None,
        receiver: arguments.receiver.clone(),
        state,
        limit: arguments.limit,
    };
    // Where a data directory is named, no configuration is read that would be wrong for another reason.
    let catalog = match &arguments.place {
        WhereArgs {
            config: None,
            data_dir: Some(directory),
        } if environment.get("CAMPANILE_CONFIG").is_none() => {
            Catalog::open_read_only(Path::new(directory), clock).await?
        }
        place => {
            let config = load(place, environment)?;
            match &config.database_url {
                Some(url) => Catalog::connect_read_only(url.reveal(), clock).await?,
                None => Catalog::open_read_only(&config.data_dir, clock).await?,
            }
        }
    };
    let entries = catalog.notifications(&query).await?;
    catalog.close().await?;
    let text = match arguments.json {
        true => format!(
            "{}\n",
            serde_json::Value::from_iter(entries.iter().map(as_json))
        ),
        false => table(&entries),
    };
    Ok((text, true))
}

/// The data directory, as the flag or else the configuration says.
pub(crate) fn data_directory(
    place: &WhereArgs,
    environment: &Environment,
) -> anyhow::Result<PathBuf> {
    match &place.data_dir {
        Some(directory) => Ok(Path::new(directory).to_owned()),
        None => Ok(load(place, environment)?.data_dir),
    }
}

fn table(entries: &[NotificationRecord]) -> String {
    if entries.is_empty() {
        return "nothing was sent yet, or nothing that fits\n".to_owned();
    }
    let heading = ["ID", "DECIDED", "RECEIVER", "TO", "STATE", "TRIES", "WHAT"];
    let mut rows = vec![heading.map(str::to_owned)];
    for entry in entries {
        rows.push([
            entry.id.to_string(),
            wire::time::format_rfc3339(entry.decided_at).to_string(),
            format!("{} {}", entry.receiver, entry.integration),
            entry.target.clone(),
            entry.state.as_str().to_owned(),
            entry.attempts.to_string(),
            what(entry),
        ]);
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(&row) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What a message tells, in a few words.
fn what(entry: &NotificationRecord) -> String {
    let firing = entry
        .alerts
        .iter()
        .filter(|alert| alert.ended_at.is_none())
        .count();
    let ended = entry.alerts.len() - firing;
    let mut text = match (firing, ended) {
        (0, _) => "resolved".to_owned(),
        (_, 0) => "firing".to_owned(),
        _ => format!("{firing} firing, {ended} resolved"),
    };
    if let Some(first) = entry.alerts.first() {
        write!(text, " {}", first.labels).expect("invariant: a string takes every text");
    }
    if entry.alerts.len() > 1 {
        text.push_str(&format!(" and {} more", entry.alerts.len() - 1));
    }
    if !entry.error.is_empty() {
        text.push_str(&format!(" ({})", entry.error));
    }
    text
}

fn as_json(entry: &NotificationRecord) -> serde_json::Value {
    let moment = |at| wire::time::format_rfc3339(at).to_string();
    let pairs = |labels: &model::Labels| -> serde_json::Value {
        labels
            .iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect()
    };
    let alerts = entry.alerts.iter().map(|alert| {
        json!({
            "labels": pairs(&alert.labels),
            "annotations": alert.annotations,
            "startsAt": moment(alert.starts_at),
            "endsAt": alert.ended_at.map(moment),
        })
    });
    json!({
        "id": entry.id,
        "receiver": entry.receiver,
        "integration": entry.integration,
        "target": entry.target,
        "groupKey": entry.group_key,
        "groupLabels": pairs(&entry.group_labels),
        "reason": entry.reason,
        "status": if entry.is_firing() { "firing" } else { "resolved" },
        "alerts": serde_json::Value::from_iter(alerts),
        "decidedAt": moment(entry.decided_at),
        "state": entry.state.as_str(),
        "attempts": entry.attempts,
        "error": (!entry.error.is_empty()).then_some(&entry.error),
        "finishedAt": entry.finished_at.map(moment),
    })
}

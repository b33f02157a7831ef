//! Log lines for people (text) or programs (JSON), with the same fields: timestamp, level, event, and the event's own.

use std::fmt;
use std::sync::Arc;

use model::Clock;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use crate::config::LogFormat;

/// Changes the level of the running program's log.
pub(crate) type LevelHandle = reload::Handle<LevelFilter, Registry>;

/// Sends all events of this process to standard error, from `level` on.
pub(crate) fn install(
    format: LogFormat,
    level: LevelFilter,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<LevelHandle> {
    let (filter, handle) = reload::Layer::new(level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .event_format(Lines { format, clock });
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()?;
    Ok(handle)
}

/// Writes one line for each event.
struct Lines {
    format: LogFormat,
    clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let timestamp = wire::time::format_rfc3339(self.clock.now()).to_string();
        let level = event.metadata().level();
        match self.format {
            LogFormat::Json => {
                // The fixed fields come last, so that no field of an event can take their place.
                let mut line = fields.other;
                line.insert("timestamp".to_owned(), timestamp.into());
                line.insert("level".to_owned(), level.as_str().to_lowercase().into());
                line.insert("event".to_owned(), fields.message.into());
                writeln!(writer, "{}", Value::Object(line))
            }
            LogFormat::Text => {
                write!(writer, "{timestamp} {level:<5} {}", fields.message)?;
                for (name, value) in &fields.other {
                    match value {
                        Value::String(text) if is_word(text) => write!(writer, " {name}={text}")?,
                        other => write!(writer, " {name}={other}")?,
                    }
                }
                writer.write_char('\n')
            }
        }
    }
}

/// The fields of one event in the order in which they were given.
#[derive(Default)]
struct Fields {
    message: String,
    other: Map<String, Value>,
}

impl Fields {
    fn insert(&mut self, field: &Field, value: Value) {
        self.other.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.insert(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.insert(field, value.into());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }
}

/// Whether a text can stand in a text line without quotes and be told apart from what follows.
fn is_word(text: &str) -> bool {
    let word =
        |character: char| !character.is_whitespace() && !character.is_control() && character != '"';
    !text.is_empty() && text.chars().all(word)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use model::Timestamp;
    use testkit::SimulatedClock;
    use tracing::subscriber::with_default;

    use super::*;

    /// What a subscriber with our lines writes while `emit` runs.
    fn written(format: LogFormat, emit: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Buffer(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Buffer {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let clock = Arc::new(SimulatedClock::new(Timestamp::from_millis(
            1_700_000_000_123,
        )));
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(Lines { format, clock });
        with_default(tracing_subscriber::registry().with(lines), emit);
        String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_json_line_has_the_fixed_fields_and_the_event_s_own() {
        let line = written(LogFormat::Json, || {
            tracing::warn!(path = %"/a \"b\"", status_code = 503, duration_ms = 1.5, "request failed");
        });
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "timestamp": "2023-11-14T22:13:20.123Z", "level": "warn", "event": "request failed",
                "path": "/a \"b\"", "status_code": 503, "duration_ms": 1.5,
            })
        );
    }

    #[test]
    fn a_text_line_quotes_what_is_no_single_word() {
        let line = written(LogFormat::Text, || {
            tracing::info!(listen = %"127.0.0.1:9595", reason = "two words\nand a line", "started");
        });
        assert_eq!(
            line,
            "2023-11-14T22:13:20.123Z INFO  started listen=127.0.0.1:9595 reason=\"two words\\nand a line\"\n"
        );
    }
}

//! What an answer took: the `stats` of a query, in Prometheus' names.

use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use promql::Answer;

use crate::{Server, json};

/// Measures the parts of a query as it goes through them.
pub(super) struct Stopwatch {
    clock: Arc<dyn Clock>,
    started: Duration,
    waited: Duration,
    prepared: Duration,
    evaluated: Duration,
}

impl Stopwatch {
    /// Begins when the query has come.
    pub(super) fn start(server: &Server) -> Self {
        let clock = server.ports().clock.clone();
        let started = clock.monotonic();
        Self {
            clock,
            started,
            waited: started,
            prepared: started,
            evaluated: started,
        }
    }

    /// It is its turn.
    pub(super) fn has_waited(&mut self) {
        self.waited = self.clock.monotonic();
    }

    /// Its text is understood.
    pub(super) fn has_prepared(&mut self) {
        self.prepared = self.clock.monotonic();
    }

    /// The result is there.
    pub(super) fn has_evaluated(&mut self) {
        self.evaluated = self.clock.monotonic();
    }

    /// Appends `,"stats":…`. Results are sorted as they are computed, so that no time is told for it, and what is held
    /// at once is not counted apart from what is read.
    pub(super) fn push(&self, out: &mut String, answer: &Answer) {
        let whole = self.evaluated.saturating_sub(self.waited);
        let evaluation = self.evaluated.saturating_sub(self.prepared);
        out.push_str(r#","stats":{"timings":{"#);
        for (index, (name, duration)) in [
            ("evalTotalTime", whole),
            ("resultSortTime", Duration::ZERO),
            (
                "queryPreparationTime",
                self.prepared.saturating_sub(self.waited),
            ),
            ("innerEvalTime", evaluation),
            ("execQueueTime", self.waited.saturating_sub(self.started)),
            ("execTotalTime", self.evaluated.saturating_sub(self.started)),
        ]
        .into_iter()
        .enumerate()
        {
            json::separate(out, index);
            json::push_string(out, name);
            out.push(':');
            json::push_number(out, duration.as_secs_f64());
        }
        out.push_str(r#"},"samples":{"#);
        for (index, name) in ["totalQueryableSamples", "samplesRead", "peakSamples"]
            .into_iter()
            .enumerate()
        {
            json::separate(out, index);
            json::push_string(out, name);
            out.push(':');
            json::push_display(out, answer.samples_read);
        }
        out.push_str("}}");
    }
}

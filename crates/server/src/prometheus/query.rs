//! `/api/v1/query` and `/api/v1/query_range`: parameters in, evaluation behind the gate, Prometheus' JSON out.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use model::Reservation;
use promql::{Answer, EvalError, Expr, Interrupt, Window};

use super::result::{ResultWriter, truncate};
use super::stats::Stopwatch;
use super::{JSON, SUCCESS, TRUNCATED, finish};
use crate::compression::Coding;
use crate::error::{ApiError, ErrorType};
use crate::parameters::Parameters;
use crate::query_gate::{Caller, timed_out};
use crate::stream::Begun;
use crate::{Asker, Limits, QueryKind, RunningQuery, Server};

/// Points of one series; more than any screen has, and Prometheus' number.
const POINTS_MAX: u128 = 11_000;

/// `/api/v1/query`: the value at one moment.
pub(crate) async fn instant(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let time = parameters.time("time")?;
    let time = time.unwrap_or_else(|| server.clock().now());
    let question = Question::read(&server, &parameters)?;
    let source = server.ports().source.clone();
    let evaluate = move |expression: &Expr, limits: &promql::Limits, interrupt: &Interrupt| {
        promql::evaluate_instant(&*source, expression, time, limits, interrupt)
    };
    question.answer(&server, QueryKind::Instant, evaluate).await
}

/// `/api/v1/query_range`: the values at each step of a range.
pub(crate) async fn range(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let window = read_window(&parameters)?;
    let question = Question::read(&server, &parameters)?;
    let source = server.ports().source.clone();
    let evaluate = move |expression: &Expr, limits: &promql::Limits, interrupt: &Interrupt| {
        promql::evaluate_range(&*source, expression, &window, limits, interrupt)
    };
    question.answer(&server, QueryKind::Range, evaluate).await
}

/// What both kinds of query ask.
pub(super) struct Question {
    pub(super) text: String,
    pub(super) evaluation: promql::Limits,
    pub(super) timeout: Duration,
    series_max: Option<usize>,
    /// Whether the answer tells what it took.
    with_stats: bool,
    coding: Coding,
    pub(super) asker: Asker,
}

impl Question {
    pub(super) fn read(server: &Server, parameters: &Parameters) -> Result<Self, ApiError> {
        let Limits {
            query_timeout,
            mut evaluation,
        } = Limits::clone(&server.limits());
        let text = parameters.required("query")?.to_owned();
        let timeout = parameters.duration("timeout")?.unwrap_or(query_timeout);
        if timeout < Duration::from_millis(1) {
            let reason = "it must be at least a millisecond";
            return Err(ApiError::parameter("timeout", reason));
        }
        let lookback_delta = parameters.duration("lookback_delta")?;
        if let Some(delta) = lookback_delta.filter(|delta| !delta.is_zero()) {
            evaluation.lookback_delta = delta;
        }
        Ok(Self {
            text,
            evaluation,
            timeout: timeout.min(query_timeout),
            series_max: parameters.limit("limit")?,
            with_stats: parameters.get("stats").is_some(),
            coding: parameters.coding(),
            asker: parameters.asker().clone(),
        })
    }

    /// Parses and evaluates behind the gate and counts how it ended. Parsing compiles regular expressions, which takes
    /// long enough to keep other requests of the same thread waiting.
    async fn answer(
        self,
        server: &Server,
        kind: QueryKind,
        evaluate: impl FnOnce(&Expr, &promql::Limits, &Interrupt) -> Result<Answer, EvalError>
        + Send
        + 'static,
    ) -> Result<Response, ApiError> {
        let running = server.running().start(kind, &self.text, self.asker);
        let mut stopwatch = Stopwatch::start(server);
        let (own, timeout, coding) = (server.clone(), self.timeout, self.coding);
        let work = move |caller: &Caller, running: &RunningQuery| {
            stopwatch.has_waited();
            let expression =
                promql::parse(&self.text).map_err(|error| ApiError::parameter("query", error))?;
            stopwatch.has_prepared();
            let mut limits = self.evaluation;
            limits.threads = own.queries().threads_each(limits.threads);
            let answer = evaluate(&expression, &limits, caller.interrupt())
                .inspect_err(|error| running.fail(error))
                .map_err(|error| refusal(error, timeout))?;
            stopwatch.has_evaluated();
            let stopwatch = self.with_stats.then_some(stopwatch);
            Begun::new(writer(answer, self.series_max, stopwatch))
        };
        let gate = server.queries();
        let begun = gate.run_query(server, timeout, running, work).await?;
        Ok(begun.into_response(JSON, coding))
    }
}

/// What writes the whole answer.
fn writer(
    mut answer: Answer,
    series_max: Option<usize>,
    stopwatch: Option<Stopwatch>,
) -> ResultWriter {
    if truncate(&mut answer.value, series_max.unwrap_or(usize::MAX)) {
        answer.warnings.push(TRUNCATED.to_owned());
    }
    let mut tail = String::new();
    if let Some(stopwatch) = stopwatch {
        stopwatch.push(&mut tail, &answer);
    }
    tail.push('}');
    finish(&mut tail, &answer.warnings, &answer.infos);
    ResultWriter::new(SUCCESS.to_owned(), answer.value, tail, answer.memory)
}

/// What a query gives as fields for an object of the live feed.
///
/// Errors: they have more than `bytes_max` bytes.
pub(crate) fn live_result(answer: Answer, bytes_max: usize) -> Result<String, ApiError> {
    let memory = Reservation::default();
    let mut writer = ResultWriter::new(String::new(), answer.value, "}".to_owned(), memory);
    let mut text = String::new();
    if writer.write(&mut text, bytes_max.saturating_add(1)) || text.len() > bytes_max {
        return Err(ApiError::new(
            ErrorType::Execution,
            format!(
                "the result is longer than {bytes_max} bytes: ask for fewer series, or over HTTP"
            ),
        ));
    }
    text.pop();
    text.remove(0);
    Ok(text)
}

pub(crate) fn refusal(error: EvalError, timeout: Duration) -> ApiError {
    let kind = match error {
        EvalError::TimedOut => return timed_out(timeout),
        EvalError::Source(error) => return error.into(),
        EvalError::Cancelled => ErrorType::Canceled,
        EvalError::BadQuery { .. } => ErrorType::BadData,
        EvalError::Unsupported { .. } | EvalError::Execution { .. } | EvalError::Limit { .. } => {
            ErrorType::Execution
        }
    };
    ApiError::new(kind, error.to_string())
}

fn required<T>(
    parameters: &Parameters,
    name: &str,
    read: impl FnOnce(&Parameters, &str) -> Result<Option<T>, ApiError>,
) -> Result<T, ApiError> {
    parameters.required(name)?;
    read(parameters, name)?.ok_or_else(|| ApiError::parameter(name, "it is missing"))
}

/// The range of a range query.
pub(super) fn read_window(parameters: &Parameters) -> Result<Window, ApiError> {
    let window = Window {
        start: required(parameters, "start", Parameters::time)?,
        end: required(parameters, "end", Parameters::time)?,
        step: required(parameters, "step", Parameters::duration)?,
    };
    check_window(window)?;
    Ok(window)
}

fn check_window(window: Window) -> Result<(), ApiError> {
    let Window { start, end, step } = window;
    if end < start {
        return Err(ApiError::parameter("end", "it is before start"));
    }
    if step.as_millis() == 0 {
        return Err(ApiError::parameter(
            "step",
            "it must be at least a millisecond",
        ));
    }
    if end.since(start).as_millis() / step.as_millis() > POINTS_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. \
             Try decreasing the query resolution (?step=XX)",
        ));
    }
    Ok(())
}

//! `/api/v1/query` and `/api/v1/query_range`: parameters in, evaluation behind the gate, Prometheus' JSON out.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use model::Reservation;
use promql::{Answer, EvalError, Expr, Interrupt, Window};

use super::{SUCCESS, TRUNCATED, finish, result};
use crate::answer::Held;
use crate::error::{ApiError, ErrorType};
use crate::parameters::Parameters;
use crate::query_gate::{Caller, timed_out};
use crate::{Limits, Server};

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
    question.answer(&server, "instant", evaluate).await
}

/// `/api/v1/query_range`: the values at each step of a range.
pub(crate) async fn range(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let window = Window {
        start: required(&parameters, "start", Parameters::time)?,
        end: required(&parameters, "end", Parameters::time)?,
        step: required(&parameters, "step", Parameters::duration)?,
    };
    check_window(window)?;
    let question = Question::read(&server, &parameters)?;
    let source = server.ports().source.clone();
    let evaluate = move |expression: &Expr, limits: &promql::Limits, interrupt: &Interrupt| {
        promql::evaluate_range(&*source, expression, &window, limits, interrupt)
    };
    question.answer(&server, "range", evaluate).await
}

/// What both kinds of query ask.
struct Question {
    text: String,
    evaluation: promql::Limits,
    timeout: Duration,
    series_max: Option<usize>,
}

impl Question {
    fn read(server: &Server, parameters: &Parameters) -> Result<Self, ApiError> {
        let Limits {
            query_timeout,
            mut evaluation,
        } = Limits::clone(&server.limits());
        let text = parameters.required("query")?.to_owned();
        let timeout = parameters.duration("timeout")?.unwrap_or(query_timeout);
        let lookback_delta = parameters.duration("lookback_delta")?;
        if let Some(delta) = lookback_delta.filter(|delta| !delta.is_zero()) {
            evaluation.lookback_delta = delta;
        }
        if parameters.get("stats").is_some() {
            return Err(ApiError::parameter(
                "stats",
                "it is not supported yet: leave it out",
            ));
        }
        Ok(Self {
            text,
            evaluation,
            timeout: timeout.min(query_timeout),
            series_max: parameters.limit("limit")?,
        })
    }

    /// Parses and evaluates behind the gate and counts how it ended. Parsing compiles regular expressions, which takes
    /// long enough to keep other requests of the same thread waiting.
    async fn answer(
        self,
        server: &Server,
        kind: &'static str,
        evaluate: impl FnOnce(&Expr, &promql::Limits, &Interrupt) -> Result<Answer, EvalError>
        + Send
        + 'static,
    ) -> Result<Response, ApiError> {
        let observation = server.own().start_query(server.clock(), kind);
        let (own, timeout) = (server.clone(), self.timeout);
        let source = server.ports().source.clone();
        let work = move |caller: &Caller| {
            let expression =
                promql::parse(&self.text).map_err(|error| ApiError::parameter("query", error))?;
            let answer = evaluate(&expression, &self.evaluation, caller.interrupt())
                .map_err(|error| refusal(error, timeout))?;
            own.own().samples_read.inc_by(answer.samples_read);
            show(answer, self.series_max, source.budget().reservation())
        };
        let outcome = server.queries().run(server, timeout, work).await;
        observation.end(
            outcome
                .as_ref()
                .err()
                .map_or("success", ApiError::type_name),
        );
        outcome.map(Held::into_response)
    }
}

fn show(
    answer: Answer,
    series_max: Option<usize>,
    mut memory: Reservation,
) -> Result<Held, ApiError> {
    let mut body = String::from(SUCCESS);
    let series_max = series_max.unwrap_or(usize::MAX);
    let truncated = result::push(&mut body, &answer.value, series_max, &mut memory)?;
    let mut warnings = answer.warnings;
    if truncated {
        warnings.push(TRUNCATED.to_owned());
    }
    finish(&mut body, &warnings, &answer.infos);
    Ok(Held { body, memory })
}

/// What a query gives as fields for an object of the live feed.
///
/// Errors: they have more than `bytes_max` bytes.
pub(crate) fn live_result(answer: &Answer, bytes_max: usize) -> Result<String, ApiError> {
    /// A series of a result has at least this many bytes: `{"metric":{},"value":[0,"0"]}`.
    const SERIES_BYTES_MIN: usize = 29;
    let mut text = String::new();
    let mut memory = Reservation::default();
    let series_max = bytes_max / SERIES_BYTES_MIN;
    let truncated = result::push(&mut text, &answer.value, series_max, &mut memory)?;
    if truncated || text.len() > bytes_max {
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
        EvalError::Unsupported { .. } | EvalError::Execution { .. } | EvalError::Limit(_) => {
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

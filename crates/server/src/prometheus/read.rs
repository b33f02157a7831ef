//! `POST /api/v1/read`: Prometheus remote read, by which others ask for stored samples in bulk.
//!
//! An answer of samples is written as a whole, since its compression needs that; so it is bounded by the samples that a query
//! may hold and by the memory for questions. An answer of chunks is sent as it is read, one series in memory at a time.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use model::{
    Histogram, Labels, Reservation, SampleColumns, SelectedSeries, Selection, SeriesSource,
};
use wire::chunk::{CHUNK_SAMPLES_MAX, float_chunk, histogram_chunk};
use wire::remote_read::{
    Frame, ReadAnswer, ReadError, ReadQuery, decode, finish_response, finish_result, push_series,
};
use wire::remote_write::{DecodeError, decompress};

use crate::compression::Coding;
use crate::error::{ApiError, ErrorType};
use crate::parameters::asker;
use crate::query_gate::Caller;
use crate::stream::{Begun, PIECE_BYTES, Pieces};
use crate::{QueryKind, RunningQuery, Server, body};

const SAMPLES: &str = "application/x-protobuf";
const CHUNKS: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// Bytes of a frame from which on it is sent; a reader holds a whole one. Prometheus' number.
const FRAME_BYTES: usize = 1 << 20;

/// Bytes that a sample takes in memory, and a bucket of a histogram, about.
const SAMPLE_BYTES: usize = 16;
const BUCKET_BYTES: usize = 16;

/// Answers a request.
pub(crate) async fn read(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, stream) = request.into_parts();
    let received = body::read(&server, &head.headers, stream).await?;
    let decompressed_max = server.config().decompressed_max;
    let limits = server.limits();
    let samples_max = limits.evaluation.samples_max;
    let own = server.clone();
    let asker = asker(&head.headers, &head.extensions);
    let work = move |caller: &Caller, _: &RunningQuery| {
        let message = decompress(received.bytes(), decompressed_max)?;
        drop(received);
        let request = decode(&message)?;
        let source = own.ports().source.clone();
        let begun = match request.answer {
            ReadAnswer::Samples => {
                Begun::new(samples(&*source, &request.queries, samples_max, caller)?)?
            }
            ReadAnswer::Chunks => Begun::new(Chunks::new(&*source, &request.queries)?)?,
        };
        Ok((request.answer, begun))
    };
    let running = server
        .running()
        .start(QueryKind::Read, "remote read", asker);
    let (answer, begun) = server
        .queries()
        .run_query(&server, limits.query_timeout, running, work)
        .await?;
    Ok(match answer {
        ReadAnswer::Samples => {
            let mut response = begun.into_response(SAMPLES, Coding::Identity);
            let snappy = HeaderValue::from_static("snappy");
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, snappy);
            response
        }
        // Chunks are compressed already.
        ReadAnswer::Chunks => begun.into_response(CHUNKS, Coding::Identity),
    })
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self::bad_data(error.to_string())
    }
}

impl From<DecodeError> for ApiError {
    fn from(error: DecodeError) -> Self {
        let refused = Self::bad_data(error.to_string());
        match error {
            DecodeError::TooLarge { .. } => {
                refused.with_status(axum::http::StatusCode::PAYLOAD_TOO_LARGE)
            }
            DecodeError::Snappy(_) | DecodeError::Protobuf { .. } => refused,
        }
    }
}

fn select(
    source: &dyn SeriesSource,
    query: &ReadQuery,
) -> Result<Option<Box<dyn SelectedSeries>>, ApiError> {
    if query.end < query.start {
        return Ok(None);
    }
    let selection = Selection {
        matchers: query.matchers.clone(),
        start: query.start,
        end: query.end,
    };
    Ok(Some(source.select(&selection)?))
}

/// The samples of one series, reused for the next.
#[derive(Default)]
struct Content {
    samples: SampleColumns,
    histograms: Vec<(i64, Histogram)>,
}

impl Content {
    fn read(&mut self, series: &dyn SelectedSeries, index: usize) -> Result<(), ApiError> {
        self.samples.clear();
        self.histograms.clear();
        series.read(index, &mut self.samples)?;
        series.read_histograms(index, &mut self.histograms)?;
        Ok(())
    }

    fn len(&self) -> usize {
        self.samples.len() + self.histograms.len()
    }

    /// What it takes in memory, about.
    fn bytes(&self) -> usize {
        let of_histogram = |histogram: &Histogram| {
            size_of::<Histogram>() + histogram.bucket_count() * BUCKET_BYTES
        };
        let histograms = self.histograms.iter().map(|(_, one)| of_histogram(one));
        self.samples.timestamps.capacity() * SAMPLE_BYTES + histograms.sum::<usize>()
    }
}

/// A whole answer of samples.
fn samples(
    source: &dyn SeriesSource,
    queries: &[ReadQuery],
    samples_max: usize,
    caller: &Caller,
) -> Result<Whole, ApiError> {
    let mut memory = source.budget().reservation();
    let mut response = Vec::new();
    let mut content = Content::default();
    let mut samples_left = samples_max;
    for query in queries {
        let start = response.len();
        let selected = select(source, query)?;
        for (index, series) in each(selected.as_deref()) {
            caller.require()?;
            content.read(series, index)?;
            let is_wanted = content.len() > 0 || query.labels_only;
            if query.labels_only {
                content = Content::default();
            }
            samples_left = samples_left.checked_sub(content.len()).ok_or_else(|| {
                ApiError::new(
                    ErrorType::BadData,
                    format!(
                        "exceeded sample limit ({samples_max}): ask for fewer series, for less time, or for \
                         STREAMED_XOR_CHUNKS, or raise query.max_samples"
                    ),
                )
            })?;
            if is_wanted {
                let labels = series.labels(index);
                push_series(&mut response, labels, &content.samples, &content.histograms);
                memory.grow_to(response.capacity() + content.bytes())?;
            }
        }
        finish_result(&mut response, start);
    }
    // Compressed it is at most a little longer.
    memory.grow(response.len() + response.len() / 4)?;
    Ok(Whole {
        body: Some(finish_response(&response)),
        memory,
    })
}

/// The series that were selected, with their numbers.
fn each(
    selected: Option<&dyn SelectedSeries>,
) -> impl Iterator<Item = (usize, &dyn SelectedSeries)> {
    selected
        .into_iter()
        .flat_map(|series| (0..series.len()).map(move |index| (index, series)))
}

/// A body that is written already.
struct Whole {
    body: Option<Vec<u8>>,
    #[expect(dead_code, reason = "it is held for its end")]
    memory: Reservation,
}

impl Pieces for Whole {
    fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        Ok(self.body.take())
    }
}

/// Frames of chunks of one series after another.
struct Chunks {
    /// What is left, the next one last.
    waiting: Vec<Asked>,
    /// The series that is being written, if its end was not reached.
    current: Option<Current>,
    content: Content,
    memory: Reservation,
}

/// A query's series.
struct Asked {
    number: usize,
    labels_only: bool,
    series: Box<dyn SelectedSeries>,
    /// How many are written.
    written: usize,
}

struct Current {
    query: usize,
    frame: Frame,
    /// How many numbers and histograms are in frames.
    samples: usize,
    histograms: usize,
}

impl Chunks {
    /// Selects at once, so that nothing that is written later is in some answers and not in others.
    fn new(source: &dyn SeriesSource, queries: &[ReadQuery]) -> Result<Self, ApiError> {
        let mut waiting = Vec::new();
        for (number, query) in queries.iter().enumerate() {
            if let Some(series) = select(source, query)? {
                waiting.push(Asked {
                    number,
                    labels_only: query.labels_only,
                    series,
                    written: 0,
                });
            }
        }
        waiting.reverse();
        Ok(Self {
            waiting,
            current: None,
            content: Content::default(),
            memory: source.budget().reservation(),
        })
    }

    /// Reads the next series that has samples; false at the end.
    fn advance(&mut self) -> Result<bool, ApiError> {
        while let Some(asked) = self.waiting.last_mut() {
            if asked.written == asked.series.len() {
                self.waiting.pop();
                continue;
            }
            let index = asked.written;
            asked.written += 1;
            self.content.read(&*asked.series, index)?;
            self.memory.shrink(self.memory.bytes());
            self.memory.grow(self.content.bytes())?;
            if self.content.len() == 0 {
                continue;
            }
            let labels: &Labels = asked.series.labels(index);
            let frame = Frame::new(labels);
            if asked.labels_only {
                self.content = Content::default();
            }
            self.current = Some(Current {
                query: asked.number,
                frame,
                samples: 0,
                histograms: 0,
            });
            return Ok(true);
        }
        Ok(false)
    }
}

impl Pieces for Chunks {
    fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        let mut out = Vec::new();
        while out.len() < PIECE_BYTES {
            if self.current.is_none() && !self.advance()? {
                break;
            }
            let content = &self.content;
            if let Some(current) = &mut self.current {
                while current.frame.len() < FRAME_BYTES && current.push_chunk(content) {}
                current.frame.finish(current.query, &mut out);
                if current.samples + current.histograms == content.len() {
                    self.current = None;
                }
            }
        }
        Ok((!out.is_empty()).then_some(out))
    }
}

impl Current {
    /// Adds the next chunk; false if there is none. Chunks rise in time, so one of numbers ends where a histogram stands.
    fn push_chunk(&mut self, content: &Content) -> bool {
        let (timestamps, values) = (&content.samples.timestamps, &content.samples.values);
        let histograms = &content.histograms[self.histograms..];
        let next_histogram = histograms.first().map(|(timestamp, _)| *timestamp);
        let run = &timestamps[self.samples..];
        let end = next_histogram.map_or(run.len(), |end| run.partition_point(|at| *at < end));
        let (start, count) = (self.samples, end.min(CHUNK_SAMPLES_MAX));
        if count > 0 {
            self.samples += count;
            let samples = start..self.samples;
            let chunk = float_chunk(&timestamps[samples.clone()], &values[samples]);
            self.frame.push(&chunk);
            return true;
        }
        if histograms.is_empty() {
            return false;
        }
        let next_sample = run.first().copied().unwrap_or(i64::MAX);
        let end = histograms.partition_point(|(at, _)| *at < next_sample);
        let (chunk, count) = histogram_chunk(&histograms[..end]);
        self.frame.push(&chunk);
        self.histograms += count;
        true
    }
}

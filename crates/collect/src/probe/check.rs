//! One check, phase by phase, and what it has found so far; whoever stops it can still ask how far it came.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderMap, LAST_MODIFIED, TRANSFER_ENCODING};
use http::{Method, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{self, Connection};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use model::duration;
use outbound::Trust;
use uptime::{Monitor, Outcome};

use super::Prober;
use super::connect::connect;
use super::fault::{Blame, Fault};
use super::hop::Hop;
use super::resolver::Progress;
use super::series::{AnswerFacts, Facts};
use super::target::Target;

/// Heads of answers; more than any honest server sends, and the smallest that hyper takes is 8 KiB.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A phase of a check; the number is its place among the phases that are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Resolve = 0,
    Connect = 1,
    Tls = 2,
    Processing = 3,
    Transfer = 4,
}

/// A check that is under way.
pub(crate) struct Check<'a> {
    prober: &'a Prober,
    pub(crate) monitor: &'a Monitor,
    /// How far the request goes that is made now.
    trust: Trust,
    /// On the monotonic clock.
    pub(crate) begin: Duration,
    pub(crate) facts: Facts,
    phase: Phase,
    /// When the phase began, on the monotonic clock.
    phase_begin: Duration,
    /// Where it is now; none before the first.
    target: Option<Target>,
    progress: Progress,
}

/// A head that has come, and the connection from which the body will.
struct Answer<I: Read + Write + Unpin> {
    response: Response<Incoming>,
    connection: Driven<I>,
}

impl<'a> Check<'a> {
    pub(crate) fn new(prober: &'a Prober, monitor: &'a Monitor, trust: Trust) -> Self {
        let begin = prober.clock.monotonic();
        Self {
            prober,
            monitor,
            trust,
            begin,
            facts: Facts::default(),
            phase: Phase::Resolve,
            phase_begin: begin,
            target: None,
            progress: Progress::default(),
        }
    }

    /// Carries it out.
    ///
    /// Errors: why it did not succeed.
    pub(crate) async fn run(&mut self) -> Result<(), Fault> {
        let first = Hop::first(&self.monitor.check);
        let mut hop = first.ok_or_else(|| Fault::target("this is no URL to check"))?;
        while let Some(next) = self.visit(&hop).await? {
            hop = next;
        }
        Ok(())
    }

    /// What is to be said if its time is over now.
    pub(crate) fn timed_out(&mut self) -> Fault {
        let after = duration::format(self.monitor.timeout).to_string();
        let Some(target) = &self.target else {
            return Fault::own(format!("nothing was done within {after}"));
        };
        if self.phase == Phase::Resolve {
            let elapsed = self
                .prober
                .clock
                .monotonic()
                .saturating_sub(self.phase_begin);
            self.facts.phases[0] += elapsed;
            if self.facts.redirects == 0 {
                self.facts.lookup = elapsed;
            }
            return self.progress.timed_out(&target.host, &after);
        }
        let address = self
            .facts
            .address
            .map_or_else(String::new, |address| format!(" at {address}"));
        let what = match self.phase {
            Phase::Resolve | Phase::Connect => "takes no connection",
            Phase::Tls => "takes the connection, but does not shake hands for TLS",
            Phase::Processing => "takes the request, but does not answer",
            Phase::Transfer => "begins to answer, but does not end",
        };
        let read = match self.phase {
            Phase::Transfer => format!(
                ", {} bytes of the body have come",
                self.facts.answer.body_length
            ),
            _ => String::new(),
        };
        Fault::new(
            Blame::TargetUnlessOurs,
            format!(
                "{target}{address} {what} within {after}{}{read}",
                self.spent()
            ),
        )
    }

    /// One request; the next one if its answer is a redirect that is to be followed.
    async fn visit<'h>(&mut self, hop: &Hop<'h>) -> Result<Option<Hop<'h>>, Fault> {
        self.facts.session = None;
        self.facts.answer = AnswerFacts::default();
        self.target = Some(hop.target.clone());
        let addresses = self.resolve(&hop.target).await?;
        let addresses = self.permitted(&hop.target, &addresses)?;
        self.enter(Phase::Connect);
        let stream = match connect(&hop.target, &addresses).await {
            Ok((stream, address)) => {
                self.facts.address = Some(address);
                stream
            }
            Err(fault) => {
                // It may have moved.
                self.prober.resolver.forget(&hop.target.host);
                return Err(fault);
            }
        };
        // Each write is one message; waiting for more to send would only cost time. It cannot fail on a good socket.
        let _ = stream.set_nodelay(true);
        if !hop.target.is_tls {
            self.enter(Phase::Processing);
            let answer = self.request(hop, TokioIo::new(stream)).await?;
            return self.read(hop, answer).await;
        }
        self.enter(Phase::Tls);
        let prober = self.prober;
        let stream = prober.tls.handshake(&hop.target, stream).await?;
        let session = prober.tls.session(&stream);
        self.enter(Phase::Processing);
        let answer = self.request(hop, TokioIo::new(stream)).await?;
        self.facts.session = Some(session);
        self.read(hop, answer).await
    }

    async fn resolve(&mut self, target: &Target) -> Result<super::resolver::Addresses, Fault> {
        self.phase = Phase::Resolve;
        self.phase_begin = self.prober.clock.monotonic();
        let spent = self.phase_begin.saturating_sub(self.begin);
        let budget = self.monitor.timeout.saturating_sub(spent);
        self.progress = Progress::default();
        let resolver = &self.prober.resolver;
        let resolved = resolver
            .resolve(&target.host, budget, &mut self.progress)
            .await;
        let now = self.prober.clock.monotonic();
        let took = now.saturating_sub(self.phase_begin);
        if self.facts.redirects == 0 {
            self.facts.lookup = took;
        }
        if resolved.is_err() {
            self.facts.phases[Phase::Resolve as usize] += took;
        }
        let addresses = resolved?;
        self.facts.address = addresses.first().copied();
        Ok(addresses)
    }

    /// Of a target's addresses those to which this check may go: what is connected to is one of these.
    fn permitted(&self, target: &Target, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Fault> {
        let mut permitted = Vec::new();
        let mut refused = None;
        for address in addresses {
            match self.trust.check(*address, &self.prober.options.allowed) {
                Ok(()) => permitted.push(*address),
                Err(why) => refused = Some(why),
            }
        }
        match refused {
            Some(why) if permitted.is_empty() => Err(Fault::target(format!("{target}: {why}"))),
            _ => Ok(permitted),
        }
    }

    /// Sends the request and waits for the head of the answer.
    async fn request<I: Read + Write + Unpin>(
        &mut self,
        hop: &Hop<'_>,
        io: I,
    ) -> Result<Answer<I>, Fault> {
        let request = hop.request()?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES_MAX);
        let (mut sender, connection) = builder
            .handshake(io)
            .await
            .map_err(|error| self.broken(&error))?;
        let mut connection = Driven(Some(connection));
        let answer = connection.drive(sender.send_request(request)).await;
        let response = answer.map_err(|error| self.broken(&error))?;
        self.enter(Phase::Transfer);
        self.facts.answer = AnswerFacts {
            status: response.status().as_u16(),
            content_length: content_length(&hop.method, &response),
            body_length: 0,
            version: match response.version() {
                Version::HTTP_10 => 1.0,
                _ => 1.1,
            },
            last_modified: last_modified(response.headers()),
        };
        Ok(Answer {
            response,
            connection,
        })
    }

    /// Follows the answer, or reads its body and judges it.
    async fn read<'h, I: Read + Write + Unpin>(
        &mut self,
        hop: &Hop<'h>,
        answer: Answer<I>,
    ) -> Result<Option<Hop<'h>>, Fault> {
        let Answer {
            response,
            mut connection,
        } = answer;
        let status = response.status();
        if let Some(location) = Hop::location(status, response.headers()) {
            self.facts.redirects += 1;
            self.end_phase();
            let most = self.prober.options.redirects_max;
            if self.monitor.check.follow_redirects {
                if self.facts.redirects > most {
                    let target = &hop.target;
                    return Err(Fault::target(format!(
                        "more than {most} redirects, the last by {target}"
                    )));
                }
                let next = hop.follow(status, location)?;
                if next.target.host != hop.target.host
                    && let Some(from) = self.facts.address
                {
                    self.trust = self.trust.after_redirect_from(from);
                }
                return Ok(Some(next));
            }
        }
        let check = &self.monitor.check;
        let wants_body = check.keyword.is_some() || check.keyword_absent.is_some();
        let mut body = response.into_body();
        let mut kept = Vec::new();
        let most = self.prober.options.body_bytes_max;
        let mut read = 0;
        while read < most {
            let Some(frame) = connection.drive(body.frame()).await else {
                break;
            };
            let frame = frame.map_err(|error| self.broken(&error))?;
            if let Some(data) = frame.data_ref() {
                let part = &data[..data.len().min(most - read)];
                read += part.len();
                self.facts.answer.body_length = read as u64;
                if wants_body {
                    kept.extend_from_slice(part);
                }
            }
        }
        self.end_phase();
        self.judge(hop, status.as_u16(), &kept).map(|()| None)
    }

    fn judge(&mut self, hop: &Hop<'_>, status: u16, body: &[u8]) -> Result<(), Fault> {
        let check = &self.monitor.check;
        match check.judge(status, body) {
            Outcome::Success => Ok(()),
            Outcome::Failure(why) | Outcome::OwnTrouble(why) => {
                self.facts.failed_by_keyword = check.accepts(status);
                let target = &hop.target;
                let address = self
                    .facts
                    .address
                    .map_or_else(String::new, |address| format!(" at {address}"));
                let redirects = match self.facts.redirects {
                    0 => String::new(),
                    1 => " after 1 redirect".to_owned(),
                    count => format!(" after {count} redirects"),
                };
                Err(Fault::target(format!(
                    "{why} ({target}{address}{redirects})"
                )))
            }
        }
    }

    /// Ends the phase, and begins another.
    fn enter(&mut self, phase: Phase) {
        self.end_phase();
        self.phase = phase;
    }

    fn end_phase(&mut self) {
        let now = self.prober.clock.monotonic();
        let took = now.saturating_sub(self.phase_begin);
        self.facts.phases[self.phase as usize] += took;
        self.phase_begin = now;
    }

    /// The phases that came to their end, for a person: ` (resolve 2 ms, connect 30 ms)`.
    fn spent(&self) -> String {
        let phases = super::series::PHASES.iter().zip(self.facts.phases);
        let told = phases.filter(|(_, took)| !took.is_zero());
        let told: Vec<String> = told
            .map(|(phase, took)| format!("{phase} {:.0} ms", took.as_secs_f64() * 1e3))
            .collect();
        if told.is_empty() {
            return String::new();
        }
        format!(" ({})", told.join(", "))
    }

    /// A conversation that did not come to its end.
    fn broken(&self, error: &hyper::Error) -> Fault {
        let target = self
            .target
            .as_ref()
            .map_or_else(String::new, Target::to_string);
        let address = self
            .facts
            .address
            .map_or_else(String::new, |address: IpAddr| format!(" at {address}"));
        let who = format!("{target}{address}");
        let when = match self.phase {
            Phase::Transfer => "in the middle of its answer",
            _ => "before it has answered",
        };
        if let Some(error) = io_error(error)
            && error.kind() != io::ErrorKind::UnexpectedEof
        {
            return Fault::of(&format!("{who} breaks off {when}"), error);
        }
        if error.is_parse() {
            return Fault::target(format!("{who} does not answer in HTTP/1: {error}"));
        }
        Fault::new(
            Blame::TargetUnlessOurs,
            format!("{who} closes the connection {when}"),
        )
    }
}

/// A connection that runs while something else of it is awaited, in the same task.
struct Driven<I: Read + Write + Unpin>(Option<Connection<I, Full<Bytes>>>);

impl<I: Read + Write + Unpin> Driven<I> {
    async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Some(connection) = &mut self.0
                && Pin::new(connection).poll(context).is_ready()
            {
                // What went wrong is told to whoever waits for the answer.
                self.0 = None;
            }
            future.as_mut().poll(context)
        })
        .await
    }
}

/// What the system said, if that was the cause.
fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// As announced; -1 if it is not. The answer to HEAD has no body, but may say how long it would be.
fn content_length(method: &Method, response: &Response<Incoming>) -> i64 {
    let headers = response.headers();
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|text| text.to_str().ok()?.trim().parse().ok());
    let is_chunked = headers.contains_key(TRANSFER_ENCODING);
    let exact = response.body().size_hint().exact();
    match (announced, exact) {
        (Some(length), _) if !is_chunked => length,
        (_, Some(length)) if method != Method::HEAD => i64::try_from(length).unwrap_or(i64::MAX),
        _ => -1,
    }
}

/// In seconds since 1970; none if it is absent or no date.
fn last_modified(headers: &HeaderMap) -> Option<f64> {
    let text = headers.get(LAST_MODIFIED)?.to_str().ok()?;
    let date = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    let moment = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(moment.timestamp().as_second() as f64)
}

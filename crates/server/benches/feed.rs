//! The live feed under load: how long a sample takes from the push to each client, and what that costs the server.
//!
//! Starts `target/release/campanile` (it is skipped if that is not built), or uses a running server that
//! `CAMPANILE_BENCH_SERVER=ADDRESS:PORT` and `CAMPANILE_BENCH_PROCESS=ID` name. A sample's value is the time at which it was
//! sent. What is measured is the age of the oldest sample of each message at the moment when a client has its beginning.

#![expect(clippy::print_stdout, reason = "a benchmark tells its numbers")]

use std::cell::RefCell;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CLIENTS: usize = 500;
/// Of the clients, those that read nothing.
const SLOW: usize = 50;
const SAMPLES_PER_SECOND: usize = 5_000;
const PUSHES_PER_SECOND: usize = 20;
const LENGTH: Duration = Duration::from_secs(15);
/// The time in which clients connect and the server warms up; nothing is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// As much of a message as holds its first sample.
const HEAD_BYTES: usize = 400;
/// The kernel counts a process' time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// What clients subscribe to.
#[derive(Clone, Copy)]
enum Mode {
    All,
    OneName,
}

/// What the well-behaved clients have seen.
#[derive(Default)]
struct Seen {
    delays: Vec<Duration>,
    bytes: usize,
    resynchronize: usize,
    ended: usize,
    measuring: bool,
}

fn main() -> Result<()> {
    let Some(server) = Server::find()? else {
        println!("skipped: target/release/campanile is not built");
        return Ok(());
    };
    println!(
        "{CLIENTS} clients, of which {SLOW} read nothing; {SAMPLES_PER_SECOND} samples per second in {PUSHES_PER_SECOND} pushes"
    );
    for (name, mode) in [("all samples", Mode::All), ("one name each", Mode::OneName)] {
        measure(name, mode, &server)?;
    }
    Ok(())
}

fn measure(name: &str, mode: Mode, server: &Server) -> Result<()> {
    let address = server.address.clone();
    let pushing = std::thread::spawn(move || {
        runtime()?.block_on(push(&address, WARM_UP + LENGTH + Duration::from_secs(1)))
    });
    let seen = Rc::new(RefCell::new(Seen::default()));
    let local = LocalSet::new();
    let run = local.run_until(async {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let client = connect(&server.address, mode, number).await?;
            let seen = (number >= SLOW).then(|| seen.clone());
            clients.spawn_local(async move {
                match seen {
                    Some(seen) => {
                        let _ = follow(client, &seen).await;
                        seen.borrow_mut().ended += 1;
                    }
                    None => {
                        // Held open, never read.
                        let _client = client;
                        std::future::pending::<()>().await;
                    }
                }
            });
        }
        tokio::time::sleep(WARM_UP).await;
        seen.borrow_mut().measuring = true;
        let own = std::process::id();
        let (cpu, own_cpu) = (cpu_of(server.process)?, cpu_of(own)?);
        let start = Instant::now();
        tokio::time::sleep(LENGTH).await;
        seen.borrow_mut().measuring = false;
        let length = start.elapsed().as_secs_f64();
        let share = |used: Duration| used.as_secs_f64() / length;
        let own_share = share(cpu_of(own)?.saturating_sub(own_cpu));
        let share = share(cpu_of(server.process)?.saturating_sub(cpu));
        let rss = memory_of(server.process)?;
        clients.shutdown().await;
        Ok::<_, Box<dyn Error + Send + Sync>>((share, own_share, rss))
    });
    let (share, own_share, rss) = runtime()?.block_on(run)?;
    let mut pushes = pushing.join().map_err(|_| "pushing panicked")??;

    let mut seen = seen.borrow_mut();
    let seen = &mut *seen;
    let delays = &mut seen.delays;
    let seconds = LENGTH.as_secs_f64();
    println!("{name}:");
    println!(
        "  delay {}; of that the push, until its answer: {}",
        quantiles(delays),
        quantiles(&mut pushes),
    );
    println!(
        "  {:.0} messages and {:.1} MB per second; resynchronize {}; clients that ended {}",
        delays.len() as f64 / seconds,
        seen.bytes as f64 / seconds / 1e6,
        seen.resynchronize,
        seen.ended,
    );
    println!(
        "  server: {:.0} % of a processor, {:.0} MB resident; all clients: {:.0} % of a processor",
        share * 100.0,
        rss as f64 / 1e6,
        own_share * 100.0,
    );
    for line in server.figures()? {
        println!("  {line}");
    }
    Ok(())
}

fn quantiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        let time = times.get(index.min(times.len().saturating_sub(1)));
        time.copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    let (half, most, max) = (at(0.5), at(0.99), at(1.0));
    format!("p50 {half:.1} ms, p99 {most:.1} ms, max {max:.1} ms")
}

/// A connection that has subscribed.
async fn connect(address: &str, mode: Mode, number: usize) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "GET /ws/metrics HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    if !answer.starts_with(b"HTTP/1.1 101") {
        return Err(String::from_utf8_lossy(&answer).into());
    }
    let series = SAMPLES_PER_SECOND / PUSHES_PER_SECOND;
    let name = match mode {
        Mode::All => String::new(),
        Mode::OneName => format!(r#","name":"bench_{}""#, number % series),
    };
    let text =
        format!(r#"{{"type":"subscribe","data":{{"subscription":"metrics","id":"a"{name}}}}}"#);
    // A masked frame, with a mask of zeros.
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len())?, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    stream.write_all(&frame).await?;
    Ok(stream)
}

/// Reads messages, and of each only as much as is needed.
async fn follow(mut stream: TcpStream, seen: &RefCell<Seen>) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let (mut start, mut end) = (0, 0);
    loop {
        let have = &buffer[start..end];
        let length = frame_length(have);
        let head = length.map(|(head, body)| head + body.min(HEAD_BYTES));
        if head.is_none_or(|head| have.len() < head) {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            end += read(&mut stream, &mut buffer[end..]).await?;
            continue;
        }
        let Some((head, body)) = length else { continue };
        let beginning = &have[head..head + body.min(HEAD_BYTES)];
        note(beginning, body, &mut seen.borrow_mut());
        let mut left = head + body;
        while left > end - start {
            left -= end - start;
            (start, end) = (0, read(&mut stream, &mut buffer).await?);
        }
        start += left;
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    match stream.read(buffer).await? {
        0 => Err("closed".into()),
        count => Ok(count),
    }
}

/// Bytes of a frame's head and of its body, once they can be told.
fn frame_length(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? {
        126 => {
            let length = bytes.get(2..4)?;
            Some((4, usize::from(u16::from_be_bytes(length.try_into().ok()?))))
        }
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            Some((10, usize::try_from(length).ok()?))
        }
        short => Some((2, usize::from(*short))),
    }
}

fn note(beginning: &[u8], length: usize, seen: &mut Seen) {
    if !seen.measuring {
        return;
    }
    seen.bytes += length;
    let text = String::from_utf8_lossy(beginning);
    if text.starts_with(r#"{"type":"resynchronize""#) {
        seen.resynchronize += 1;
    }
    let value = text.split_once(r#""value":"#).map_or("", |(_, rest)| rest);
    let value = value.split(',').next().unwrap_or("");
    if let Ok(sent) = value.parse::<f64>() {
        let delay = (seconds() - sent).max(0.0);
        seen.delays.push(Duration::from_secs_f64(delay));
    }
}

/// Pushes samples; how long each push took.
async fn push(address: &str, length: Duration) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(PUSHES_PER_SECOND)?);
    // Two pushes within a millisecond would have the same timestamps.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = Instant::now() + length;
    let mut took = Vec::new();
    while timeout_at(end, ticks.tick()).await.is_ok() {
        let count = SAMPLES_PER_SECOND / PUSHES_PER_SECOND;
        let mut body = String::from(r#"{"metrics":["#);
        let now = seconds();
        for series in 0..count {
            let comma = if series == 0 { "" } else { "," };
            write!(
                body,
                r#"{comma}{{"name":"bench_{series}","type":"gauge","value":{now:.6},"labels":{{"instance":"a:1","job":"bench"}}}}"#
            )?;
        }
        body.push_str("]}");
        let head = format!(
            "POST /api/v1/metrics/batch HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let start = Instant::now();
        stream.write_all((head + &body).as_bytes()).await?;
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await?;
        if !answer.starts_with(b"HTTP/1.1 201") {
            return Err(String::from_utf8_lossy(&answer[..read]).into());
        }
        took.push(start.elapsed());
    }
    Ok(took)
}

/// The server that is measured.
struct Server {
    address: String,
    process: u32,
    child: Option<Child>,
    _directory: Option<tempfile::TempDir>,
}

impl Server {
    fn find() -> Result<Option<Self>> {
        if let Ok(address) = std::env::var("CAMPANILE_BENCH_SERVER") {
            let process = std::env::var("CAMPANILE_BENCH_PROCESS")?.parse()?;
            return Ok(Some(Self {
                address,
                process,
                child: None,
                _directory: None,
            }));
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = root.join("target/release/campanile");
        if !program.exists() {
            return Ok(None);
        }
        let directory = tempfile::tempdir()?;
        let config = directory.path().join("campanile.yml");
        fs::write(&config, "host: {enabled: false}\nself: false\n")?;
        let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let address = free.to_string();
        let child = Command::new(program)
            .args(["serve", "--auth", "off", "--listen", &address, "--config"])
            .arg(&config)
            .arg("--data-dir")
            .arg(directory.path().join("data"))
            .stderr(Stdio::null())
            .spawn()?;
        let process = child.id();
        let server = Self {
            address,
            process,
            child: Some(child),
            _directory: Some(directory),
        };
        runtime()?.block_on(async {
            while TcpStream::connect(&server.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Ok(Some(server))
    }

    /// The server's own figures of the feed.
    fn figures(&self) -> Result<Vec<String>> {
        let text = runtime()?.block_on(async {
            let mut stream = TcpStream::connect(&self.address).await?;
            let head = format!(
                "GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
                self.address
            );
            stream.write_all(head.as_bytes()).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            Ok::<_, std::io::Error>(text)
        })?;
        let lines = text.lines();
        let lines = lines.filter(|line| line.starts_with("campanile_websocket_"));
        Ok(lines.map(str::to_owned).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

/// The processor time of a process: the 14th and 15th field of its `stat`, counted behind its name.
fn cpu_of(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("stat has a name")?;
    let fields = fields.split_whitespace().skip(11).take(2);
    let mut ticks = 0;
    for field in fields {
        ticks += field.parse::<u32>()?;
    }
    Ok(TICK * ticks)
}

fn memory_of(process: u32) -> Result<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("status has VmRSS")?.parse::<usize>()? * 1024)
}

/// Seconds since 1970, to a microsecond.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures for real")]
fn seconds() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

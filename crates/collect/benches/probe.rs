//! What a check costs: processor time for each, and memory, beside blackbox_exporter's for the same target.
//!
//! The target runs in a process of its own, so its work does not count. blackbox_exporter's number is that of its process
//! for answering `/probe`; it is left out if the program is not installed.

#![expect(clippy::print_stdout, reason = "a benchmark tells its numbers")]

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use collect::probe::{Options, Prober, Roots, Series};
use document::{Document, Source, Syntax};
use model::{Clock, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use uptime::{Monitor, Outcome, read_monitors};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SERVER: &str = "CAMPANILE_BENCH_SERVER";
const PEER: &str = "prometheus-blackbox-exporter";
const CHECKS: usize = 20_000;
const AT_ONCE: usize = 16;
const BODY_BYTES: usize = 1_000;
/// The kernel counts a process' time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    if std::env::var_os(SERVER).is_some() {
        return runtime.block_on(serve());
    }
    let (mut target, lines) = Target::start()?;
    let [plain, secure, root] = &lines;
    println!("{CHECKS} checks of {BODY_BYTES} bytes on this machine, {AT_ONCE} at once");
    runtime.block_on(own("http", plain, root))?;
    runtime.block_on(own("https", secure, root))?;
    let peer = runtime.block_on(peer(plain));
    target.0.kill()?;
    peer
}

/// Our checks.
async fn own(name: &str, url: &str, root: &str) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(BenchClock(now()));
    let options = Options {
        roots: Roots::Given(vec![from_hex(root)]),
        ..Options::default()
    };
    let prober = Prober::new(options, clock)?;
    let monitor = Arc::new(monitor(url)?);
    let series = Arc::new(Series::of(&monitor));
    let before_all = memory()?;
    for round in ["first", "second"] {
        let (cpu, wall) = (cpu(), now());
        let mut tasks = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (prober, monitor) = (Arc::clone(&prober), Arc::clone(&monitor));
            let series = Arc::clone(&series);
            tasks.spawn(async move {
                for _ in 0..CHECKS / AT_ONCE {
                    let probe = prober.check(&monitor).await;
                    assert_eq!(probe.outcome, Outcome::Success);
                    assert!(!probe.samples(&series).is_empty());
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        tell(
            &format!("campanile {name}, {round} round"),
            cpu_since(cpu),
            wall.elapsed(),
        );
    }
    let grown = memory()?.saturating_sub(before_all);
    println!("  memory has grown by {} KiB", grown / 1024);
    Ok(())
}

/// The same through blackbox_exporter.
async fn peer(url: &str) -> Result<()> {
    let config = std::env::temp_dir().join(format!("campanile-bench-{}.yml", std::process::id()));
    fs::write(
        &config,
        "modules: {plain: {prober: http, http: {preferred_ip_protocol: ip4}}}\n",
    )?;
    let started = Command::new(PEER)
        .arg(format!("--config.file={}", config.display()))
        .arg("--web.listen-address=127.0.0.1:0")
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        println!("{PEER} is not installed: no comparison");
        return Ok(());
    };
    let stderr = child.stderr.take().ok_or("it has a pipe")?;
    let mut lines = BufReader::new(stderr)
        .lines()
        .map_while(std::io::Result::ok);
    let address = lines
        .find_map(|line| Some(line.split_once("address=")?.1.to_owned()))
        .ok_or("it does not say where it listens")?;
    let drain = std::thread::spawn(move || lines.for_each(drop));
    let (before, wall) = (cpu_of(child.id())?, now());
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let request = format!("GET /probe?module=plain&target={url} HTTP/1.0\r\n\r\n");
        let address = address.clone();
        tasks.spawn(async move {
            for _ in 0..CHECKS / AT_ONCE {
                let mut stream = TcpStream::connect(&address).await?;
                stream.write_all(request.as_bytes()).await?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await?;
                assert!(answer.contains("\nprobe_success 1\n"), "{answer}");
            }
            std::io::Result::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    tell(
        "blackbox_exporter http",
        cpu_of(child.id())? - before,
        wall.elapsed(),
    );
    child.kill()?;
    child.wait()?;
    fs::remove_file(config)?;
    drop(drain.join());
    Ok(())
}

fn tell(name: &str, cpu: Duration, wall: Duration) {
    let each = cpu.as_secs_f64() * 1e3 / CHECKS as f64;
    let rate = CHECKS as f64 / wall.as_secs_f64();
    println!("{name:<32} {each:.3} ms of processor for each, {rate:.0} checks/s");
}

fn monitor(url: &str) -> Result<Monitor> {
    let text = format!("[{{name: bench, type: http, url: '{url}'}}]");
    let source = Source::new("bench.yml", text);
    let document = Document::parse(&source, Syntax::Yaml, &document::Options::default());
    let document = document.map_err(|problems| format!("{problems:?}"))?;
    let mut list = read_monitors(document.root());
    list.monitors.pop().ok_or_else(|| "no monitor".into())
}

/// The server, in its own process.
struct Target(Child);

impl Target {
    /// Starts it, and reads the two URLs and the root certificate that it tells.
    fn start() -> Result<(Self, [String; 3])> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(SERVER, "1")
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("it has a pipe")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut line = || -> Result<String> { Ok(lines.next().ok_or("the server ends")??) };
        let told = [line()?, line()?, line()?];
        Ok((Self(child), told))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn serve() -> Result<()> {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let root = certificate.cert.der().to_vec();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![root.clone().into()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let plain = TcpListener::bind("127.0.0.1:0").await?;
    let secure = TcpListener::bind("127.0.0.1:0").await?;
    let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("http://{}/", plain.local_addr()?);
    println!("https://localhost:{}/", secure.local_addr()?.port());
    println!("{root}");
    std::io::stdout().flush()?;
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        tokio::select! {
            accepted = plain.accept() => {
                connections.spawn(answer(accepted?.0));
            }
            accepted = secure.accept() => {
                let (stream, _) = accepted?;
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream).await;
                    }
                });
            }
        }
    }
}

/// One request of a few lines comes in one piece.
async fn answer(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut request = [0; 4096];
    if stream.read(&mut request).await.is_err() {
        return;
    }
    let body = "x".repeat(BODY_BYTES);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {BODY_BYTES}\r\nConnection: close\r\n\r\n{body}"
    );
    if stream.write_all(head.as_bytes()).await.is_ok() {
        // Whoever has gone already needs no goodbye.
        let _ = stream.shutdown().await;
    }
}

/// The processor time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

fn cpu_since(before: Duration) -> Duration {
    cpu().saturating_sub(before)
}

/// The processor time of another process: the 14th and 15th field of its `stat`, counted behind its name.
fn cpu_of(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("stat has a name")?;
    let mut ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u32>);
    let user = ticks.next().ok_or("stat has user time")??;
    let system = ticks.next().ok_or("stat has system time")??;
    Ok(TICK * (user + system))
}

/// The resident bytes of this process.
fn memory() -> Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("status has VmRSS")?.parse::<usize>()? * 1024)
}

fn from_hex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map_while(pair).collect()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures for real")]
fn now() -> Instant {
    Instant::now()
}

struct BenchClock(Instant);

impl Clock for BenchClock {
    #[expect(clippy::disallowed_methods, reason = "certificates are judged by it")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_millis(0) + since.unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

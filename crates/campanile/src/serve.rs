//! `campanile serve`: starts the house, heeds signals, and ends in order.
//!
//! The order of the end: readiness drops, the server takes no more requests and finishes those under way, collection
//! stops, the store writes out what it has.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use access::AccessStore;
use model::Clock;
use tokio::net::TcpListener;
use tracing::{error, info};

use crate::accounts::first_start::{self, Way};
use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::config::{self, Config, Environment, Overrides, Secret};
use crate::shutdown::{Request, Signals};
use crate::systemd::Systemd;
use crate::wiring::options::level;
use crate::wiring::{House, Kept, Load, open_store, warn_of};
use crate::{accounts, allocator, descriptors, log, print_error};

/// How long the end waits for threads whose work nobody waits for any more.
const LEFT_BEHIND_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the program ended, as its exit code says it; the numbers are those of sysexits.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It was asked to.
    OnRequest = 0,
    /// The listen address cannot be used.
    NoAddress = 69,
    /// Something failed that should not fail.
    Failure = 70,
    /// The data directory cannot be used, or another server uses it.
    NoDataDirectory = 73,
    /// The configuration is wrong.
    BadConfiguration = 78,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(ended as u8)
    }
}

/// Runs the server until it is told to stop.
pub(crate) fn run(arguments: &ServeArgs) -> ExitCode {
    allocator::bound_arenas();
    let config = match load(arguments) {
        Ok(config) => config,
        Err(problems) => {
            print_error(&problems);
            return Ended::BadConfiguration.into();
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let level = match log::install(config.log.format, level(&config), clock.clone()) {
        Ok(level) => level,
        Err(error) => {
            print_error(&format!("campanile: cannot write log lines: {error}\n"));
            return Ended::Failure.into();
        }
    };
    descriptors::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "cannot start threads");
            return Ended::Failure.into();
        }
    };
    let reader = arguments.clone();
    let load = Arc::new(move || load(&reader));
    let environment = Environment::of_process();
    let ended = runtime.block_on(serve(config, &environment, clock, level, load));
    // A thread that still waits for a file system, or reads the log, must not keep the process.
    runtime.shutdown_timeout(LEFT_BEHIND_TIMEOUT);
    ended.into()
}

/// Reads the configuration as the command line, the environment and the file give it.
///
/// Errors: all problems, ready to be shown.
fn load(arguments: &ServeArgs) -> Result<Config, String> {
    let overrides = Overrides {
        listen: arguments.listen.clone(),
        data_dir: arguments.data_dir.clone(),
        auth: arguments.auth.clone(),
        log_format: arguments.log_format.clone(),
        role: arguments.role.clone(),
    };
    let environment = Environment::of_process();
    config::load(arguments.config.as_deref(), &overrides, &environment)
        .map_err(|problems| format!("{problems}\n"))
}

async fn serve(
    config: Config,
    environment: &Environment,
    clock: Arc<dyn Clock>,
    level: log::LevelHandle,
    load: Load,
) -> Ended {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            error!(%error, "cannot heed signals");
            return Ended::Failure;
        }
    };
    let listener = match TcpListener::bind(config.listen).await {
        Ok(listener) => listener,
        Err(error) => {
            error!(address = %config.listen, %error, "cannot listen: choose another address with --listen");
            return Ended::NoAddress;
        }
    };
    let systemd = Arc::new(Systemd::of_process());
    let (opened, used) = (config.clone(), clock.clone());
    let mut opening = tokio::task::spawn_blocking(move || open_store(&opened, used));
    let reading = async {
        loop {
            tokio::select! {
                opened = &mut opening => break Ok(opened),
                request = signals.next() => if let Request::Stop(reason) = request {
                    break Err(reason);
                },
            }
        }
    };
    let opened = systemd.while_starting("starting: reading the log of the store", reading);
    let store = match opened.await {
        Ok(opened) => opened,
        Err(reason) => {
            systemd.stopping(reason);
            info!(reason, "stopped before the log was read");
            return Ended::OnRequest;
        }
    };
    let store = match store {
        Ok(Ok(store)) => store,
        Ok(Err(error)) => {
            error!(%error, "cannot open the data directory");
            return Ended::NoDataDirectory;
        }
        Err(error) => {
            error!(%error, "opening the data directory ended in a panic");
            return Ended::Failure;
        }
    };
    let opening = accounts::open_catalog(&config, clock.clone());
    let opened = systemd.while_starting("starting: opening the catalog", opening);
    let catalog = match opened.await {
        Ok(catalog) => catalog,
        Err(error) => {
            error!(%error, "cannot open the catalog");
            return Ended::NoDataDirectory;
        }
    };
    let access: Arc<dyn AccessStore> = Arc::new(catalog.clone());
    let way = first_start::prepare(&config, &access, &*clock, environment);
    let way = match way.await {
        Ok(way) => way,
        Err(error) => {
            error!(error = %format!("{error:#}"), "cannot make the first user");
            return Ended::BadConfiguration;
        }
    };
    warn_of(&config);
    let address = listener.local_addr().unwrap_or(config.listen);
    let scheme = match config.tls.cert_file {
        Some(_) => "https",
        None => "http",
    };
    let status = format!("listening on {scheme}://{address}/");
    let first_link = match way {
        Way::Link => Some(Secret::new(access::random_secret())),
        Way::Known | Way::Command => None,
    };
    let link = first_link.as_ref();
    let link = link.map(|secret| first_start::link(&config, address, secret));
    let place = first_start::place(&config);
    let built = House::build(
        config,
        clock,
        level,
        load,
        systemd.clone(),
        listener,
        Kept {
            store,
            catalog,
            first_link,
        },
    );
    let mut house = match built.await {
        Ok(house) => house,
        Err(error) => {
            error!(error = %format!("{error:#}"), "cannot start");
            return Ended::Failure;
        }
    };
    first_start::announce(way, link.as_ref(), &place);
    let signs = house.signs();
    let life = systemd.accompany(&signs, &status);
    tokio::pin!(life);
    let reason = loop {
        tokio::select! {
            never = &mut life => match never {},
            request = signals.next() => match request {
                Request::Stop(signal) => break signal,
                Request::Reload => house.reload(),
            },
            failure = house.failed() => {
                error!(error = %format!("{failure:#}"), "a part of the program ended by itself");
                systemd.stopping("a part of the program ended by itself");
                systemd.while_stopping(house.close()).await;
                return Ended::Failure;
            }
        }
    };
    info!(reason, "stopping");
    systemd.stopping(reason);
    systemd.while_stopping(house.close()).await;
    info!(reason, "stopped");
    Ended::OnRequest
}

//! The `campanile` program: command line in, exit code out.

mod accounts;
mod alerting;
mod allocator;
mod check;
mod cli;
mod client;
mod clock;
mod config;
mod descriptors;
mod health;
mod log;
mod notifications;
mod own_metrics;
mod process;
mod query;
mod serve;
mod shutdown;
mod storage;
mod systemd;
mod terminal;
mod wiring;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser as _};
use model::Clock;

use cli::{CheckCommand, Command, CommandLine};
use clock::SystemClock;
use config::{Environment, Overrides};

fn main() -> ExitCode {
    // Every TLS connection of the program takes it from here; that someone set it before cannot be.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match CommandLine::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Check(CheckCommand::Config { files }) => check_config(&files),
        Command::Check(CheckCommand::Rules { files }) => check::rules(&files),
        Command::Check(CheckCommand::Alertmanager { files }) => check::alertmanager(&files),
        Command::Check(CheckCommand::Query { expressions }) => check::queries(&expressions),
        Command::Query(command) => query(&command),
        Command::Health { server } => health(&server),
        Command::Notify(command) => notify(&command),
        Command::User(command) => {
            account(async |clock, environment| accounts::user(&command, clock, &environment).await)
        }
        Command::Token(command) => {
            account(async |clock, environment| accounts::token(&command, clock, &environment).await)
        }
        Command::Storage(command) => storage(&command),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut CommandLine::command(), "campanile", &mut text);
            print(&text)
        }
        Command::Man => {
            let mut text = Vec::new();
            match clap_mangen::Man::new(CommandLine::command()).render(&mut text) {
                Ok(()) => print(&text),
                Err(error) => fail(&error.to_string()),
            }
        }
    }
}

fn check_config(files: &[std::path::PathBuf]) -> ExitCode {
    let environment = Environment::of_process();
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match config::load(Some(file), &Overrides::default(), &environment) {
            Ok(config) => {
                for warning in &config.warnings {
                    print_error(&format!("warning: {warning}\n"));
                }
                print(format!("{}: no problems found\n", file.display()).as_bytes());
            }
            Err(problems) => {
                print_error(&format!("{problems}\n"));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn query(command: &cli::QueryCommand) -> ExitCode {
    let clock = Arc::new(SystemClock::new());
    let answer = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let environment = Environment::of_process();
            let terminal = terminal::of_output(&environment);
            runtime.block_on(query::run(command, &*clock, &environment, terminal))
        });
    match answer {
        Ok(answer) => {
            for note in &answer.notes {
                print_error(&format!("note: {note}\n"));
            }
            print(answer.text.as_bytes())
        }
        Err(error) => fail(&format!("{error:#}")),
    }
}

fn health(server: &cli::ServerArgs) -> ExitCode {
    let asked = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(health::run(server, &Environment::of_process())));
    match asked {
        Ok(health) => {
            let printed = print(health.text.as_bytes());
            if health.is_good {
                printed
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => fail(&format!("{error:#}")),
    }
}

fn notify(command: &cli::NotifyCommand) -> ExitCode {
    let clock = Arc::new(SystemClock::new());
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            runtime.block_on(notifications::run(
                command,
                clock,
                &Environment::of_process(),
            ))
        });
    match done {
        Ok((text, is_good)) => {
            let printed = print(text.as_bytes());
            if is_good { printed } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&format!("{error:#}")),
    }
}

/// Runs a command about users or tokens.
fn account(
    command: impl AsyncFnOnce(Arc<dyn Clock>, Environment) -> anyhow::Result<accounts::Said>,
) -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let clock = Arc::new(SystemClock::new());
            runtime.block_on(command(clock, Environment::of_process()))
        });
    match done {
        Ok(said) => {
            print_error(&said.note);
            print(said.answer.as_bytes())
        }
        Err(error) => fail(&format!("{error:#}")),
    }
}

fn storage(command: &cli::StorageCommand) -> ExitCode {
    match storage::run(command, &Environment::of_process()) {
        Ok((text, is_good)) => {
            let printed = print(text.as_bytes());
            if is_good { printed } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&format!("{error:#}")),
    }
}

/// Writes to standard output; a reader that has gone away, such as `head`, is no failure.
fn print(text: &[u8]) -> ExitCode {
    let mut output = std::io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => fail(&error.to_string()),
        _ => ExitCode::SUCCESS,
    }
}

/// Says on standard error what went wrong.
fn fail(message: &str) -> ExitCode {
    print_error(&format!("campanile: {message}\n"));
    ExitCode::FAILURE
}

fn print_error(text: &str) {
    // If even standard error is gone there is no one left to tell.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

//! The command line. `--help`, the man page and the completions all come from these definitions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// What the exit codes of `serve` mean; `serve.rs` gives them.
const EXIT_CODES: &str = "\
Exit codes:
   0  stopped by SIGTERM or SIGINT, everything written out
   2  the command line is wrong
  69  the listen address cannot be used
  70  a part of the program failed
  73  the data directory cannot be used, or another server uses it
  78  the configuration is wrong

SIGHUP reads the configuration again; a bad one changes nothing. SIGTERM and SIGINT let requests
under way finish, for at most ten seconds.";

/// What the exit codes of `storage` mean; `storage.rs` gives them.
const STORAGE_EXIT_CODES: &str = "\
Exit codes:
  0  every file is sound, or was mended
  1  a file is broken and stays so, or there is no store
  2  the command line is wrong";

/// Whom `user` and `token` work for; `accounts.rs` gives the exit codes.
const ACCOUNTS_HELP: &str = "\
Users and tokens lie in the data directory, or in the database that the configuration names with
database_url. Name the configuration file or the data directory of the server, and run the command
as the user that the server runs as, or as root. What is done stands in the audit log as
\"command line\".

Exit codes:
  0  it is done
  1  it was refused or failed; nothing is changed
  2  the command line is wrong";

/// Watches hosts, services and applications, keeps what it sees, and tells the right people in time.
#[derive(Debug, Parser)]
#[command(
    name = "campanile",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server; without a configuration file it watches this machine
    #[command(after_help = EXIT_CODES)]
    Serve(ServeArgs),
    /// Look for mistakes in files, and name all of them with line and column
    #[command(subcommand)]
    Check(CheckCommand),
    /// Ask a running server, and show the answer as a table or a chart
    #[command(subcommand)]
    Query(QueryCommand),
    /// Ask a running server whether it is well; exit code 0 if it does its work, 1 if not
    Health {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Try receivers, and see what was sent
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Say who may log in, and what they may do; a server may run meanwhile, and knows within a second
    #[command(subcommand, after_help = ACCOUNTS_HELP)]
    User(UserCommand),
    /// Make and revoke tokens, which machines show instead of a password; a server may run meanwhile
    #[command(subcommand, after_help = ACCOUNTS_HELP)]
    Token(TokenCommand),
    /// Look at the files of the store, and mend them
    #[command(subcommand, after_help = STORAGE_EXIT_CODES)]
    Storage(StorageCommand),
    /// Print the completions for a shell
    Completions {
        /// The shell that they are for
        shell: clap_complete::Shell,
    },
    /// Print the man page
    Man,
}

/// Each option has an environment variable and, apart from `--config`, a key in the file. The order
/// is option, variable, file, default.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration file, YAML or JSON by its ending [env: CAMPANILE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The address to listen on [env: CAMPANILE_LISTEN] [default: 127.0.0.1:9595]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// Where all that is kept lies [env: CAMPANILE_DATA_DIR] [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// Whether everybody must say who they are [env: CAMPANILE_AUTH] [default: on]
    #[arg(long, value_name = "on|off")]
    pub(crate) auth: Option<String>,
    /// How log lines are written [env: CAMPANILE_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "text|json")]
    pub(crate) log_format: Option<String>,
    /// Which part of the work this process does: only "all" exists yet [env: CAMPANILE_ROLE] [default: all]
    #[arg(long, value_name = "all|collect|process|alert|query")]
    pub(crate) role: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckCommand {
    /// Check configuration files as `serve` would read them
    Config {
        /// The files, YAML or JSON by their ending
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Check rule files in Prometheus' format
    Rules {
        /// The files, YAML or JSON by their ending
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Check files in Alertmanager's format: their routes, receivers and templates
    Alertmanager {
        /// The files, YAML or JSON by their ending
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Check PromQL expressions, and show where one is wrong; no server is asked
    #[command(after_help = CHECK_QUERY_HELP)]
    Query {
        /// The expressions
        #[arg(required = true, value_name = "EXPRESSION", allow_hyphen_values = true)]
        expressions: Vec<String>,
    },
}

/// What `check query` says about several expressions.
const CHECK_QUERY_HELP: &str = "\
The file or the line that an expression stands in does not matter: put it in quotes, so that the
shell leaves it alone. Exit code 1 if one of them is wrong.";

#[derive(Debug, Subcommand)]
pub(crate) enum QueryCommand {
    /// Evaluate a PromQL expression at one moment
    Instant {
        /// The expression
        #[arg(allow_hyphen_values = true)]
        expression: String,
        /// The moment, as Unix seconds or RFC 3339 [default: now]
        #[arg(long)]
        time: Option<String>,
        /// Draw a bar for each series
        #[arg(long)]
        chart: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Evaluate a PromQL expression at each step of a range
    Range {
        /// The expression
        #[arg(allow_hyphen_values = true)]
        expression: String,
        #[command(flatten)]
        range: RangeArgs,
        /// Draw the course of each series, as wide as the terminal (or COLUMNS)
        #[arg(long)]
        chart: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Evaluate a PromQL expression, and show its plan with the series and samples that each part saw
    Explain {
        /// The expression
        #[arg(allow_hyphen_values = true)]
        expression: String,
        /// Explain it for one moment, as Unix seconds or RFC 3339, and not for a range
        #[arg(long, conflicts_with_all = ["since", "start", "end", "step"])]
        time: Option<String>,
        #[command(flatten)]
        range: RangeArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RangeArgs {
    /// How far the range reaches back from its end, as in 1h30m; not together with --start
    #[arg(long, default_value = "1h", conflicts_with = "start")]
    pub(crate) since: String,
    /// The start, as Unix seconds or RFC 3339
    #[arg(long)]
    pub(crate) start: Option<String>,
    /// The end, as Unix seconds or RFC 3339 [default: now]
    #[arg(long)]
    pub(crate) end: Option<String>,
    /// The distance of two points, as in 30s [default: a sixtieth of the range, at least 1s; of a chart a point of it]
    #[arg(long)]
    pub(crate) step: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server to ask [env: CAMPANILE_SERVER] [default: http://127.0.0.1:9595, or CAMPANILE_LISTEN]
    #[arg(long = "server", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The token to show there; a URL may hold user:password@ instead [env: CAMPANILE_TOKEN, or CAMPANILE_TOKEN_FILE]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// Send a real test message to a receiver, in each of its ways
    Test {
        /// The receiver's name in the configuration
        receiver: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// List the notifications that were sent or are to be sent, the newest first
    History(HistoryArgs),
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// How many at most
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Only those to this receiver
    #[arg(long)]
    pub(crate) receiver: Option<String>,
    /// Only those in this state
    #[arg(long, value_name = "pending|delivered|failed")]
    pub(crate) state: Option<String>,
    /// As a JSON list, with all that is known
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: WhereArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user; the password is asked for, twice and without showing it
    Add {
        /// 1 to 64 letters, digits and . _ - @ +
        name: String,
        /// What they may do: see all that is no secret; also change what is watched; also decide about users and tokens
        #[arg(long, value_name = "viewer|editor|admin")]
        role: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Give a user another password, and end all their sessions
    Passwd {
        /// Whose
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Give a user another role
    Role {
        /// Whose
        name: String,
        /// What they may do from now on
        #[arg(value_name = "viewer|editor|admin")]
        role: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Keep a user out until they are enabled again, and end all their sessions
    Disable {
        /// Whom
        name: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Let a user in again
    Enable {
        /// Whom
        name: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// List all users
    List(ListArgs),
    /// Remove a user, and end all their sessions
    Remove {
        /// Whom
        name: String,
        #[command(flatten)]
        place: WhereArgs,
    },
}

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from standard input; it has 8 to 1,000 characters
    #[arg(long = "password-stdin")]
    pub(crate) is_on_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, and print it: it is shown this once
    Create {
        /// What it is for, such as agent-on-web-1
        name: String,
        /// What its bearer may do: only write samples, only read them, or all that a user of that role may
        #[arg(long, value_name = "ingest|query|viewer|editor|admin")]
        scope: String,
        /// From when on it is worth nothing, as in 90d [default: never]
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// List all tokens, without their secrets
    List(ListArgs),
    /// Make a token worthless
    Revoke {
        /// Its ID, as list shows it: the part of the token behind cmp_
        id: String,
        #[command(flatten)]
        place: WhereArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// As a JSON list, with all that is known
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: WhereArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// Read every byte of every file, and say what is wrong with it; a server may run meanwhile
    Verify(ExamineArgs),
    /// Tell what is in the files by what they say of themselves; a server may run meanwhile
    Inspect(ExamineArgs),
    /// Save what can be read of broken files, which go to quarantine/, if no server has the store open
    Repair {
        /// The files to mend; all of the store if none is named
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        place: WhereArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExamineArgs {
    /// Files, or directories that hold a store such as a snapshot; the whole data directory if none is named
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// As a JSON list, with all that is known
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: WhereArgs,
}

/// Whose configuration and data.
#[derive(Debug, Args)]
pub(crate) struct WhereArgs {
    /// The configuration file [env: CAMPANILE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory [env: CAMPANILE_DATA_DIR] [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
}

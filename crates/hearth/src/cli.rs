//! The command line: which command, and what becomes of its failure.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::explain::{self, ExplainArgs};
use crate::failure::Failure;
use crate::logging;
use crate::replay::{self, ReplayArgs};
use crate::shuffle::{self, ShuffleArgs};
use crate::sort::{self, SortArgs};

/// Memory management for data engines, put to work.
#[derive(Debug, Parser)]
#[command(name = "hearth", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sort(Box<SortArgs>),
    Explain(ExplainArgs),
    Shuffle(Box<ShuffleArgs>),
    Replay(ReplayArgs),
}

/// Runs the program with these arguments, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors here, with status 0. There is no place to report that they
            // could not be shown.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    logging::start();
    let done = match &cli.command {
        Command::Sort(arguments) => sort::command(arguments),
        Command::Explain(arguments) => explain::command(arguments),
        Command::Shuffle(arguments) => shuffle::command(arguments),
        Command::Replay(arguments) => replay::command(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    let mut stderr = io::stderr().lock();
    for cause in failure.causes() {
        // Nobody is left to be told that this fails.
        drop(writeln!(stderr, "hearth: {cause}"));
    }
    ExitCode::from(failure.status())
}

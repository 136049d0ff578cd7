//! The `hearth-executor` program: a Ballista executor under a memory budget, or a scheduler for some.
//!
//! Exit status: 0 fine, 1 the work failed, 2 usage or configuration; errors and events go to standard
//! error, one a line, and where it listens to standard output.

mod args;
mod executor;
mod logger;
mod scheduler;
mod signals;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mem_policy::ConfigError;

use crate::cluster::STACK_BYTES;
use args::{Args, Role};

/// The work failed.
const WORK: u8 = 1;
/// Usage or configuration.
const USAGE: u8 = 2;
/// How long what still runs at the end has to stop.
const STOP: Duration = Duration::from_secs(10);

/// Runs the program with these arguments, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are errors here, with status 0.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    logger::start();
    match work(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn work(args: Args) -> Result<(), Failure> {
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .map_err(Failure::work)?;
    let done = threads.block_on(async {
        match args.role() {
            Role::Executor(args) => executor::run(args).await,
            Role::Scheduler(args) => scheduler::run(args).await,
        }
    });
    threads.shutdown_timeout(STOP);
    done
}

/// Why the program failed.
enum Failure {
    /// The configuration, with all that is wrong with it.
    Config(ConfigError),
    /// Anything else.
    Work(Box<dyn Error>),
}

impl Failure {
    fn work(error: impl Error + 'static) -> Self {
        Self::Work(Box::new(error))
    }

    fn report(&self) -> ExitCode {
        let (status, causes) = match self {
            Self::Config(error) => {
                let causes = error.diagnostics().iter().map(ToString::to_string);
                (USAGE, causes.collect())
            }
            Self::Work(error) => (WORK, vec![in_one_line(&**error)]),
        };
        let mut stderr = io::stderr().lock();
        for cause in causes {
            // Nobody is left to be told that this fails.
            drop(writeln!(stderr, "hearth-executor: {cause}"));
        }
        ExitCode::from(status)
    }
}

/// An error and its sources, with colons between. Some repeat their source; that is said once.
fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = source.source();
    }
    line.replace('\n', " ")
}

/// Says on standard output where the program can be reached: who asked for any port reads it there.
fn announce(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let said = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    said.map_err(Failure::work)
}

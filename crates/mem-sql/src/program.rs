//! The `hearth-sql` program: SQL over files, under a memory budget.
//!
//! Exit status: 0 fine, 1 the work failed, 2 usage or configuration; errors go to standard error, one
//! cause a line.

mod args;
mod failure;
mod output;
mod report;
mod run;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::Args;

/// Runs the program with these arguments, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are errors here, with status 0. There is no place to report that they
            // could not be shown.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(failure.causes());
            ExitCode::from(failure.status())
        }
    }
}

/// Writes lines to standard error.
fn say(lines: &[String]) {
    let mut stderr = io::stderr().lock();
    for line in lines {
        // Nobody is left to be told that this fails.
        drop(writeln!(stderr, "hearth-sql: {line}"));
    }
}

//! Hearth beside its best peers: the same work done in turn in one run, as ratios of medians.
//!
//! `cargo xtask bench [GROUP]...` builds and starts it. One row a line: group, case, ours, peer, ratio, bar.
//! It ends with 1 where a ratio misses its bar. Single times on a shared machine mean little; ratios of
//! medians of runs that took turns do.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal: rows go to standard output, what it says of itself to standard error"
)]

mod groups;
mod measure;
mod report;
mod threads;
mod touched;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use groups::Group;
use report::Report;

/// Measures Hearth beside its peers.
#[derive(Debug, Parser)]
#[command(name = "hearth-bench")]
struct Arguments {
    /// The groups to run; all where none is named.
    #[arg(value_enum)]
    groups: Vec<Group>,
    /// Only the cases whose names contain this.
    #[arg(long, default_value = "")]
    case: String,
    /// Writes the rows to FILE too, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut report = match Report::new(arguments.case, arguments.json.as_deref()) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("hearth-bench: {error}");
            return ExitCode::from(2);
        }
    };
    let chosen = match arguments.groups.as_slice() {
        [] => Group::ALL,
        chosen => chosen,
    };
    for group in chosen {
        group.run(&mut report);
    }
    report.close()
}

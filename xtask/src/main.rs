//! Hearth's own commands, started with `cargo xtask <command>`.
//!
//! What CI runs, a person can run: every job of the workflow is one of these commands. Nothing but the
//! toolchain that `rust-toolchain.toml` pins is needed. A command checks and reports, it never rewrites a file.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal: its results go to standard output, its errors to standard error"
)]

mod bench;
mod ci;
mod deny;
mod failure;
mod faults;
mod files;
mod hang;
mod layers;
mod lexer;
mod loom;
mod mutants;
mod run;
mod stopwatch;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Result};
use run::Tally;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask <command>

  ci [STEP]...                everything that has to pass, or only the steps named
  test [FILTER]               tests and doc tests of the default members; a hang is a failure with stack dumps
  layers                      no crate depends on one of its own floor or above
  loom [FILTER]               the loom models (LOOM_MAX_PREEMPTIONS: default 3)
  loom --mutants [FILTER]     remove each marked statement in turn: a model has to fail
  loom --mutants --list       list the marks
  faults [FILTER]             make each marked deliberate fault: the recorded traces and another test have to fail
  tidy                        what compiler and clippy don't look at: sizes, words, manifests, documents
  bench [GROUP]... [--case TEXT] [--json FILE]
                              ours beside the best peers, as ratios of medians; fails where a bar is missed
  bench datafusion [--case TEXT] [--json FILE] [--pool TEXT,..] [--runs N] [--scale X] [--data DIRECTORY]
                              DataFusion's queries under a limit, beside its own pools; builds all of DataFusion
  deny                        licences, sources, bans and advisories of what we depend on";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<()> {
    let Some((&command, rest)) = arguments.split_first() else {
        return Err(Failure::new(format!("no command\n\n{USAGE}")));
    };
    if matches!(command, "help" | "--help" | "-h") {
        println!("{USAGE}");
        return Ok(());
    }
    let workspace = Workspace::load()?;
    match (command, rest) {
        ("ci", steps) => ci::run(&workspace, steps),
        ("test", []) => counted(|tally| test::run(&workspace, None, tally)),
        ("test", [filter]) => counted(|tally| test::run(&workspace, Some(*filter), tally)),
        ("layers", []) => layers::run(&workspace),
        ("tidy", []) => tidy::run(&workspace),
        ("deny", []) => said(deny::run(&workspace)?),
        ("faults", []) => faults::run(&workspace, None),
        ("faults", [filter]) => faults::run(&workspace, Some(*filter)),
        ("bench", arguments) => bench::run(&workspace, arguments),
        ("loom", options) => loom_command(&workspace, options),
        _ => Err(Failure::new(format!(
            "don't know `{}`\n\n{USAGE}",
            arguments.join(" ")
        ))),
    }
}

fn loom_command(workspace: &Workspace, options: &[&str]) -> Result<()> {
    let (flags, filters): (Vec<&str>, Vec<&str>) =
        options.iter().partition(|option| option.starts_with('-'));
    let filter = match filters.as_slice() {
        [] => None,
        [filter] => Some(*filter),
        _ => return Err(Failure::new("loom takes one filter")),
    };
    match flags.as_slice() {
        [] => counted(|tally| loom::run(workspace, filter, tally)),
        ["--mutants"] => mutants::run(workspace, filter),
        ["--mutants", "--list"] | ["--list", "--mutants"] => mutants::list(workspace),
        _ => Err(Failure::new(format!("unknown option\n\n{USAGE}"))),
    }
}

/// Runs tests and closes with their number.
fn counted(work: impl FnOnce(&mut Tally) -> Result<()>) -> Result<()> {
    let mut tally = Tally::default();
    let outcome = work(&mut tally);
    ci::close(&tally, outcome)
}

fn said(done: ci::Done) -> Result<()> {
    if let ci::Done::Without(what) = done {
        println!("done without: {what}");
    }
    Ok(())
}

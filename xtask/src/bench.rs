//! Builds the benchmarks and the program that they measure, and starts them.

use crate::failure::Result;
use crate::run::{self, Limits, Output, Tally};
use crate::workspace::Workspace;

/// The group that has a program of its own, as it builds all of DataFusion.
const DATAFUSION: &str = "datafusion";

/// The command: `arguments` are the benchmark program's own.
pub(crate) fn run(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    match arguments.split_first() {
        Some((&DATAFUSION, rest)) => start(workspace, &["hearth-bench-sql"], "queries", rest),
        _ => start(workspace, &["hearth-bench", "hearth"], "release", arguments),
    }
}

/// Builds `packages` by a profile of the workspace and starts the first.
fn start(
    workspace: &Workspace,
    packages: &[&str],
    profile: &str,
    arguments: &[&str],
) -> Result<()> {
    let mut build = workspace.cargo();
    build.args(["build", "--profile", profile]);
    for package in packages {
        build.args(["--package", package]);
    }
    run::step("cargo build", &mut build, &mut Tally::default())?;
    let mut bench = workspace.cargo();
    bench.args(["run", "--quiet", "--profile", profile]);
    bench.args(["--package", packages[0], "--"]).args(arguments);
    run::run(&mut bench, Limits::WATCHED, Output::Stream)?.require_success("the benchmarks")
}

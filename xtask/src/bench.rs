//! Builds the benchmarks and the program that they measure, and starts them.

use crate::failure::Result;
use crate::run::{self, Limits, Output, Tally};
use crate::workspace::Workspace;

/// The command: `arguments` are the benchmark program's own.
pub(crate) fn run(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let packages = ["--package", "hearth", "--package", "hearth-bench"];
    let mut build = workspace.cargo();
    build.args(["build", "--release"]).args(packages);
    run::step("cargo build", &mut build, &mut Tally::default())?;
    let mut bench = workspace.cargo();
    bench
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "hearth-bench",
            "--",
        ])
        .args(arguments);
    run::run(&mut bench, Limits::WATCHED, Output::Stream)?.require_success("the benchmarks")
}

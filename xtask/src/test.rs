//! The tests: of the default members, and of the members that are left out of the defaults because they build for long.

use crate::failure::Result;
use crate::run::{self, Tally};
use crate::workspace::Workspace;

/// Unit, integration and doc tests of the default members, or those whose names contain `filter`.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let mut command = workspace.cargo();
    command.args(["test", "--no-fail-fast"]).args(filter);
    run::step("cargo test", &mut command, tally)
}

/// The tests of the members that are not default members.
pub(crate) fn run_slow(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let slow: Vec<&str> = workspace
        .members
        .iter()
        .filter(|member| !member.is_default)
        .map(|member| member.name.as_str())
        .collect();
    if slow.is_empty() {
        println!("every member is a default member");
        return Ok(());
    }
    let mut command = workspace.cargo();
    command.args(["test", "--no-fail-fast"]);
    slow.iter().for_each(|name| {
        command.args(["--package", name]);
    });
    run::step("cargo test of the slow crates", &mut command, tally)
}

//! What we depend on: licences, sources and bans by cargo-deny, as deny.toml asks for them.
//!
//! cargo-deny is taken from the path, or installed once below the target directory. Where it can't be had,
//! the command does without and says so; so it does for the advisories where their database can't be had.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::ci::Done;
use crate::failure::Result;
use crate::run::{self, End, Limits, Output, Tally};
use crate::workspace::Workspace;

const VERSION: &str = "=0.20.2";

/// Set to 0 to have nothing installed.
const INSTALL: &str = "HEARTH_INSTALL_TOOLS";

const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);
const FETCH_LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn run(workspace: &Workspace) -> Result<Done> {
    let Some(program) = find(workspace).or_else(|| install(workspace)) else {
        return Ok(Done::Without(format!(
            "cargo-deny, and so without any look at licences, sources and bans: it is not installed and was \
             not to be had (by hand: cargo install --locked cargo-deny --version {VERSION})"
        )));
    };
    check(workspace, &program, &["bans", "licenses", "sources"])?;
    if !fetch_advisories(workspace, &program)? {
        return Ok(Done::Without(
            "advisories: their database can't be fetched".to_owned(),
        ));
    }
    check(workspace, &program, &["advisories"])?;
    Ok(Done::Whole)
}

fn check(workspace: &Workspace, program: &Path, which: &[&str]) -> Result<()> {
    let mut command = deny(workspace, program);
    command.arg("check").args(which);
    let what = format!("cargo deny check {}", which.join(" "));
    run::step(&what, &mut command, &mut Tally::default())
}

/// Whether the advisories of today are here.
fn fetch_advisories(workspace: &Workspace, program: &Path) -> Result<bool> {
    let mut command = deny(workspace, program);
    command.args(["fetch", "db"]);
    let finished = run::run(&mut command, Limits::at_most(FETCH_LIMIT), Output::Keep)?;
    Ok(finished.is_success())
}

fn deny(workspace: &Workspace, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&workspace.root);
    command
}

/// The program on the path, or the one installed here before.
fn find(workspace: &Workspace) -> Option<PathBuf> {
    let installed = tools(workspace).join("bin/cargo-deny");
    [PathBuf::from("cargo-deny"), installed]
        .into_iter()
        .find(|program| {
            Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
}

fn tools(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools")
}

/// Builds cargo-deny, without optimisation: that takes half the time, and checking a graph as small as ours is quick.
fn install(workspace: &Workspace) -> Option<PathBuf> {
    if env::var(INSTALL).is_ok_and(|value| value == "0") {
        println!("{INSTALL}=0: nothing is installed");
        return None;
    }
    println!("installing cargo-deny {VERSION}, once; this takes minutes ({INSTALL}=0 prevents it)");
    let mut command = workspace.cargo();
    command
        .args([
            "install",
            "cargo-deny",
            "--locked",
            "--debug",
            "--version",
            VERSION,
            "--root",
        ])
        .arg(tools(workspace))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS");
    let finished = run::run(&mut command, Limits::at_most(INSTALL_LIMIT), Output::Stream);
    match finished.map(|finished| finished.end) {
        Ok(End::Exited(status)) if status.success() => find(workspace),
        Ok(end) => {
            println!("installing cargo-deny failed: {end:?}");
            None
        }
        Err(failure) => {
            println!("installing cargo-deny failed: {failure}");
            None
        }
    }
}

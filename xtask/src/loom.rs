//! The loom models: every crate's integration test called `loom`, built with `--cfg mem_loom`.
//!
//! They have a target directory and a profile of their own, so that they neither disturb the normal build
//! nor run at the speed of a debug build.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::{Doing, Failure, Result};
use crate::run::{self, Limits, Output, Tally};
use crate::workspace::{Member, Workspace};

/// Bounds how often a model's thread is interrupted where it need not be; unbounded, three threads take minutes.
const PREEMPTIONS: &str = "LOOM_MAX_PREEMPTIONS";
const DEFAULT_PREEMPTIONS: &str = "3";

/// The command: all models, or those whose names contain `filter`.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let crates = crates_with_models(workspace);
    if crates.is_empty() {
        return Err(Failure::new("no crate has models in tests/loom"));
    }
    let mut own = Tally::default();
    let mut command = test_command(&workspace.root, &workspace.target.join("loom"), &crates);
    command.arg("--").arg("--test-threads=2").args(filter);
    let outcome = run::step("loom", &mut command, &mut own);
    tally.add(&own);
    outcome?;
    if own.passed == 0 {
        return Err(Failure::new("no model ran"));
    }
    Ok(())
}

/// The crates that have models, lowest floor first.
pub(crate) fn crates_with_models(workspace: &Workspace) -> Vec<&Member> {
    let mut crates: Vec<&Member> = workspace
        .members
        .iter()
        .filter(|member| {
            let tests = member.folder.join("tests");
            tests.join("loom.rs").exists() || tests.join("loom/main.rs").exists()
        })
        .collect();
    crates.sort_by_key(|member| crate::layers::floor(&member.name));
    crates
}

/// `cargo test` of the models of `crates`, in the workspace at `root`, built in `target`.
pub(crate) fn test_command(root: &Path, target: &Path, crates: &[&Member]) -> Command {
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    // Lints are clippy's business, and a mutant may leave a variable unused.
    let flags = format!("{flags} --cfg mem_loom --cap-lints warn");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(root)
        .env("RUSTFLAGS", flags.trim())
        .env("CARGO_TARGET_DIR", target)
        .args(["test", "--profile", "loom", "--test", "loom"]);
    for member in crates {
        command.args(["--package", &member.name]);
    }
    bounded(&mut command);
    command
}

fn bounded(command: &mut Command) {
    if env::var_os(PREEMPTIONS).is_none() {
        command.env(PREEMPTIONS, DEFAULT_PREEMPTIONS);
    }
}

/// A built test program that holds models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    path: PathBuf,
    /// Tests run in the folder of their crate.
    folder: PathBuf,
}

/// Builds the models without running them. The inner result is what the compiler said if it refused.
pub(crate) fn build(
    root: &Path,
    target: &Path,
    crates: &[&Member],
) -> Result<std::result::Result<Vec<Program>, String>> {
    let mut command = test_command(root, target, crates);
    command.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let finished = run::run(&mut command, Limits::WATCHED, Output::Keep)?;
    if !finished.is_success() {
        return Ok(Err(String::from_utf8_lossy(&finished.stderr).into_owned()));
    }
    let programs: Vec<Program> = String::from_utf8_lossy(&finished.stdout)
        .lines()
        .filter_map(|line| parse_artifact(&serde_json::from_str(line).ok()?))
        .collect();
    Ok(Ok(programs))
}

/// The test program that one of cargo's messages announces.
fn parse_artifact(message: &Value) -> Option<Program> {
    let path = message["executable"].as_str()?.into();
    let folder = Path::new(message["manifest_path"].as_str()?)
        .parent()?
        .to_owned();
    let is_models = message["target"]["name"] == "loom";
    is_models.then_some(Program { path, folder })
}

impl Program {
    /// The names of its models.
    pub(crate) fn models(&self) -> Result<Vec<String>> {
        let output = self
            .command()
            .args(["--list", "--format", "terse"])
            .output()
            .doing(|| format!("starting {}", self.path.display()))?;
        let names = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(str::to_owned)
            .collect();
        Ok(names)
    }

    /// One model in a process of its own: after its first panic loom may abort, and would take the others along.
    pub(crate) fn run_model(&self, model: &str) -> Command {
        let mut command = self.command();
        command.args(["--exact", model, "--test-threads=1"]);
        bounded(&mut command);
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.folder);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_models_programs_are_taken_from_cargos_messages() {
        let artifact = |name: &str, executable: Value| {
            serde_json::json!({
                "reason": "compiler-artifact", "manifest_path": "/w/crates/p/Cargo.toml",
                "target": {"name": name}, "executable": executable,
            })
        };
        let program = parse_artifact(&artifact("loom", "/t/loom-1".into())).unwrap();
        assert_eq!(program.path, Path::new("/t/loom-1"));
        assert_eq!(program.folder, Path::new("/w/crates/p"));
        assert_eq!(parse_artifact(&artifact("it", "/t/it-1".into())), None);
        // The library called loom is an artifact too, but nothing that runs.
        assert_eq!(parse_artifact(&artifact("loom", Value::Null)), None);
    }
}

//! Everything that has to pass, step by step, the quick ones first. The first failure ends it.

use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::run::{self, Tally};
use crate::stopwatch::Stopwatch;
use crate::workspace::Workspace;
use crate::{deny, layers, loom, test, tidy};

/// How a step ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    Whole,
    /// Something that can't be had here was left out: what, and why.
    Without(String),
}

type Work = fn(&Workspace, &mut Tally) -> Result<Done>;

/// Name and work of each step, in order.
const STEPS: &[(&str, Work)] = &[
    ("lockfile", |workspace, _| whole(lockfile(workspace))),
    ("fmt", |workspace, _| whole(fmt(workspace))),
    ("layers", |workspace, _| whole(layers::run(workspace))),
    ("tidy", |workspace, _| whole(tidy::run(workspace))),
    ("clippy", |workspace, _| whole(clippy(workspace))),
    ("test", |workspace, tally| {
        whole(test::run(workspace, None, tally))
    }),
    ("test-slow", |workspace, tally| {
        whole(test::run_slow(workspace, tally))
    }),
    ("doc", |workspace, _| whole(doc(workspace))),
    ("loom", |workspace, tally| {
        whole(loom::run(workspace, None, tally))
    }),
    ("deny", |workspace, _| deny::run(workspace)),
];

/// The command: all steps, or those that `chosen` names. Its last line says how many tests passed.
pub(crate) fn run(workspace: &Workspace, chosen: &[&str]) -> Result<()> {
    let is_known = |name: &str| STEPS.iter().any(|(step, _)| *step == name);
    if let Some(unknown) = chosen.iter().find(|name| !is_known(name)) {
        let known: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(Failure::new(format!(
            "no step is called {unknown}; the steps are {}",
            known.join(", ")
        )));
    }
    let mut tally = Tally::default();
    let mut report = Vec::new();
    let outcome = STEPS
        .iter()
        .filter(|(name, _)| chosen.is_empty() || chosen.contains(name))
        .try_for_each(|(name, work)| step(name, *work, workspace, &mut tally, &mut report));
    println!("\n== in all");
    report.iter().for_each(|line| println!("{line}"));
    close(&tally, outcome)
}

/// The last line: how many tests passed and failed. A failure that no test counted must not close with "0 failed".
pub(crate) fn close(tally: &Tally, outcome: Result<()>) -> Result<()> {
    if outcome.is_ok() || tally.failed > 0 {
        println!("\n{tally}");
    }
    outcome
}

fn step(
    name: &str,
    work: Work,
    workspace: &Workspace,
    tally: &mut Tally,
    report: &mut Vec<String>,
) -> Result<()> {
    println!("\n== {name}");
    let watch = Stopwatch::start();
    let outcome = work(workspace, tally);
    let verdict = match &outcome {
        Ok(Done::Whole) => "ok".to_owned(),
        Ok(Done::Without(what)) => format!("ok, without {what}"),
        Err(_) => "FAILED".to_owned(),
    };
    let line = format!("{name:<10} {:>8}  {verdict}", seconds(watch.elapsed()));
    println!("== {line}");
    report.push(line);
    outcome.map(drop)
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn whole(outcome: Result<()>) -> Result<Done> {
    outcome.map(|()| Done::Whole)
}

/// Fails if Cargo.lock is not what the manifests ask for, so that no later step changes it unseen.
fn lockfile(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]);
    let finished = run::run(&mut command, run::Limits::WATCHED, run::Output::Keep)?;
    let said = String::from_utf8_lossy(&finished.stderr).into_owned();
    finished.require_success(said.trim())
}

fn fmt(workspace: &Workspace) -> Result<()> {
    plain(workspace, &["fmt", "--all", "--", "--check"])
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    plain(workspace, &arguments)
}

fn doc(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo();
    command
        .args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    run::step("cargo doc", &mut command, &mut Tally::default())
}

fn plain(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let mut command = workspace.cargo();
    command.args(arguments);
    let what = format!("cargo {}", arguments.join(" "));
    run::step(&what, &mut command, &mut Tally::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_step_is_refused_before_anything_runs() {
        let workspace = Workspace {
            root: "/nowhere".into(),
            target: "/nowhere".into(),
            members: Vec::new(),
        };
        let failure = run(&workspace, &["fmt", "fmmt"]).unwrap_err();
        assert!(failure.to_string().starts_with("no step is called fmmt"));
    }

    #[test]
    fn a_failing_step_is_reported_as_failed_and_ends_it() {
        let workspace = Workspace {
            root: "/nowhere".into(),
            target: "/nowhere".into(),
            members: Vec::new(),
        };
        let mut report = Vec::new();
        let work: Work = |_, _| Err(Failure::new("it broke"));
        let outcome = step(
            "broken",
            work,
            &workspace,
            &mut Tally::default(),
            &mut report,
        );
        assert_eq!(outcome.unwrap_err().to_string(), "it broke");
        assert!(report[0].ends_with("FAILED"));
    }
}

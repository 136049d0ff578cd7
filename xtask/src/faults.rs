//! Tests the conformance tests: makes deliberate faults in the rules, one at a time, and expects both the replay of the
//! recorded traces and at least one test that is no replay to fail.
//!
//! Faults are marked in the source like mutants (see [`mark`]), with `fault(NAME): replace OLD => NEW`. The checkout is
//! copied, so the original is never touched.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::files;
use crate::mutants::mark::{self, Mark};
use crate::mutants::{self, copy, edit};
use crate::run::{self, Limits, Output};
use crate::workspace::Workspace;

/// The crates whose sources may hold such marks.
const MARKED: &[&str] = &[
    "crates/mem-pool/src",
    "crates/mem-policy/src",
    "crates/task-mem/src",
    "crates/mem-store/src",
];

/// Every rule whose breach has to be noticed.
const REQUIRED: &[&str] = &[
    "half-share",
    "lru",
    "truncation",
    "spill-order",
    "storage-release-notifies",
];

/// Replays every recorded trace.
const REPLAY: &[&str] = &["mem-trace"];

/// Hold the tests that are no replay.
const OTHERS: &[&str] = &["mem-pool", "mem-policy", "task-mem", "mem-store"];

/// What a package's tests said of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Caught { failed: u64 },
    Missed,
    DoesNotBuild,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught { failed } => write!(f, "caught ({failed} failed)"),
            Self::Missed => f.write_str("MISSED"),
            Self::DoesNotBuild => f.write_str("DOES NOT BUILD"),
        }
    }
}

/// The command: all faults, or those whose names contain `filter`.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let marks = mutants::collect(&workspace.root, mark::FAULT, MARKED)?;
    let missing: Vec<String> = REQUIRED
        .iter()
        .filter(|name| marks.iter().all(|mark| mark.name != **name))
        .map(|name| format!("no source holds the mark `fault({name})`"))
        .collect();
    Failure::unless_empty("faults", &missing)?;
    let bench = Bench::prepare(workspace)?;
    let mut complaints = Vec::new();
    println!("== without any fault");
    for packages in [REPLAY, OTHERS] {
        if bench.test(packages)? != Seen::Missed {
            return Err(Failure::new(format!("{packages:?}: red without any fault")));
        }
    }
    println!("\n{:<28} {:<22} other tests", "fault", "replay");
    for mark in marks
        .iter()
        .filter(|mark| filter.is_none_or(|part| mark.name.contains(part)))
    {
        let (replay, others) = bench.examine(mark)?;
        println!("{:<28} {:<22} {others}", mark.name, replay.to_string());
        for (what, seen) in [("the replay", replay), ("every other test", others)] {
            if !matches!(seen, Seen::Caught { .. }) {
                complaints.push(format!(
                    "{} ({}): {what}: {seen}",
                    mark.name,
                    mark.location()
                ));
            }
        }
    }
    Failure::unless_empty("faults", &complaints)
}

/// The copy that is spoilt, and where it is built.
struct Bench<'a> {
    original: &'a Path,
    copy: PathBuf,
    target: PathBuf,
}

impl<'a> Bench<'a> {
    fn prepare(workspace: &'a Workspace) -> Result<Self> {
        let base = workspace.target.join("faults");
        let bench = Self {
            original: &workspace.root,
            copy: base.join("ws"),
            target: base.join("target"),
        };
        copy::mirror(bench.original, &bench.copy)?;
        Ok(bench)
    }

    fn examine(&self, mark: &Mark) -> Result<(Seen, Seen)> {
        let source = files::read(&self.original.join(&mark.file))?;
        let faulty = edit::apply(&source, mark)?;
        let file = self.copy.join(&mark.file);
        copy::put(&file, faulty.as_bytes())?;
        let seen = self
            .test(REPLAY)
            .and_then(|replay| Ok((replay, self.test(OTHERS)?)));
        copy::put(&file, source.as_bytes())?;
        seen
    }

    fn test(&self, packages: &[&str]) -> Result<Seen> {
        let command = |last: &[&str]| {
            let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            let flags = env::var("RUSTFLAGS").unwrap_or_default();
            command
                .current_dir(&self.copy)
                .env("RUSTFLAGS", format!("{flags} --cap-lints warn").trim())
                .env("CARGO_TARGET_DIR", &self.target)
                .args(["test", "--tests", "--no-fail-fast"]);
            for package in packages {
                command.args(["--package", package]);
            }
            command.args(last);
            command
        };
        if !run::run(&mut command(&["--no-run"]), Limits::WATCHED, Output::Keep)?.is_success() {
            return Ok(Seen::DoesNotBuild);
        }
        let finished = run::run(&mut command(&[]), Limits::WATCHED, Output::Keep)?;
        Ok(match finished.is_success() {
            true => Seen::Missed,
            false => Seen::Caught {
                failed: finished.tally.failed,
            },
        })
    }
}

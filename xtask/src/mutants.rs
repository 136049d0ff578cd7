//! Tests the models: takes away, one at a time, each statement that a model claims to protect, and expects a model to fail.
//!
//! Statements are marked in the source (see [`mark`]). The checkout is copied, so the original is never touched. A
//! mutant that does not compile shows nothing and is an error; one that never ends is caught, by its time limit.

mod cause;
pub(crate) mod copy;
pub(crate) mod edit;
pub(crate) mod mark;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ci::seconds;
use crate::failure::{Failure, Result};
use crate::files;
use crate::layers;
use crate::loom::{self, Program};
use crate::run::{self, End, Limits, Output, Tally};
use crate::stopwatch::Stopwatch;
use crate::workspace::{Member, Workspace};
use mark::Mark;
use verdict::{Report, Verdict};

/// The crates whose sources may hold marks.
const MARKED: &[&str] = &[
    "crates/mem-sync/src",
    "crates/mem-block/src",
    "crates/mem-pool/src",
    "crates/mem-store/src",
];

/// Where `enum Cause` is declared.
const CAUSES: &str = "crates/mem-pool/src";

/// For all models of one mutant.
const MUTANT_LIMIT: Duration = Duration::from_secs(300);

/// Prints every mark.
pub(crate) fn list(workspace: &Workspace) -> Result<()> {
    let marks = collect(&workspace.root, mark::MUTANT, MARKED)?;
    for mark in &marks {
        let model = mark.model.as_deref().unwrap_or("any model");
        println!("{:<50} {} (by {model})", mark.name, mark.location());
    }
    println!("{} marks", marks.len());
    complain_about_causes(&workspace.root, &marks)
}

/// The command: all mutants, or those whose names contain `filter`.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let marks = collect(&workspace.root, mark::MUTANT, MARKED)?;
    complain_about_causes(&workspace.root, &marks)?;
    let is_chosen = |mark: &&Mark| filter.is_none_or(|filter| mark.name.contains(filter));
    let chosen: Vec<&Mark> = marks.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        return Err(Failure::new("no mutant has such a name"));
    }
    let laboratory = Laboratory::prepare(workspace)?;
    laboratory.require_green()?;
    let mut report = Report::default();
    for (number, mark) in chosen.iter().enumerate() {
        let watch = Stopwatch::start();
        let verdict = laboratory.examine(mark)?;
        let time = seconds(watch.elapsed());
        println!(
            "{}/{} {}: {verdict} ({time})",
            number + 1,
            chosen.len(),
            mark.name
        );
        report.add(mark, verdict, time);
    }
    println!("\n{report}");
    report.require_all_caught()
}

/// Every mark with that opening in the sources below `folders`; an error where one is spoilt or two
/// share a name.
pub(crate) fn collect(root: &Path, opening: &str, folders: &[&str]) -> Result<Vec<Mark>> {
    let mut marks: Vec<Mark> = Vec::new();
    for folder in folders {
        for (file, source) in rust_files(root, folder)? {
            for mark in mark::parse(opening, &file, &source)? {
                // Applied here for the error alone, so that a bad mark is found before the first build.
                edit::apply(&source, &mark)?;
                if let Some(other) = marks.iter().find(|other| other.name == mark.name) {
                    let (one, two) = (other.location(), mark.location());
                    return Err(Failure::new(format!(
                        "{one} and {two} share a name: {}",
                        mark.name
                    )));
                }
                marks.push(mark);
            }
        }
    }
    Ok(marks)
}

fn rust_files(root: &Path, folder: &str) -> Result<Vec<(PathBuf, String)>> {
    files::sources(&root.join(folder))?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let file = Path::new(folder).join(path);
            let source = files::read(&root.join(&file))?;
            Ok((file, source))
        })
        .collect()
}

fn complain_about_causes(root: &Path, marks: &[Mark]) -> Result<()> {
    let declared = rust_files(root, CAUSES)?
        .iter()
        .find_map(|(_, source)| cause::variants(source));
    let Some(causes) = declared else {
        return Err(Failure::new(format!(
            "`pub enum Cause` is nowhere in {CAUSES}"
        )));
    };
    let names: Vec<&str> = marks.iter().map(|mark| mark.name.as_str()).collect();
    let complaints: Vec<String> = cause::without_mutant(&causes, &names)
        .into_iter()
        .map(|cause| {
            let prefix = cause::prefix(cause);
            format!("Cause::{cause} has no mutant: mark what notifies for it as `{prefix} @ …`")
        })
        .collect();
    Failure::unless_empty("causes", &complaints)
}

/// The copy that is spoilt, and what it is built with.
struct Laboratory<'a> {
    original: &'a Path,
    copy: PathBuf,
    target: PathBuf,
    crates: Vec<&'a Member>,
}

impl<'a> Laboratory<'a> {
    fn prepare(workspace: &'a Workspace) -> Result<Self> {
        let base = workspace.target.join("mutants");
        let laboratory = Self {
            original: &workspace.root,
            copy: base.join("ws"),
            target: base.join("target"),
            crates: loom::crates_with_models(workspace),
        };
        if laboratory.crates.is_empty() {
            return Err(Failure::new("no crate has models in tests/loom"));
        }
        copy::mirror(laboratory.original, &laboratory.copy)?;
        Ok(laboratory)
    }

    /// Models that fail by themselves would catch everything.
    fn require_green(&self) -> Result<()> {
        println!("== the models without any mutation");
        let mut tally = Tally::default();
        let mut command = loom::test_command(&self.copy, &self.target, &self.crates);
        command.args(["--", "--test-threads=2"]);
        run::step("the models without any mutation", &mut command, &mut tally)?;
        if tally.passed == 0 {
            return Err(Failure::new("no model ran"));
        }
        println!("\n== mutants");
        Ok(())
    }

    /// Makes the mutant, runs the models, and undoes it.
    fn examine(&self, mark: &Mark) -> Result<Verdict> {
        let source = files::read(&self.original.join(&mark.file))?;
        let mutant = edit::apply(&source, mark)?;
        let file = self.copy.join(&mark.file);
        copy::put(&file, mutant.as_bytes())?;
        let verdict = self.judge(mark);
        copy::put(&file, source.as_bytes())?;
        verdict
    }

    fn judge(&self, mark: &Mark) -> Result<Verdict> {
        for crates in self.crates_for(mark) {
            let programs = match loom::build(&self.copy, &self.target, &crates)? {
                Ok(programs) => programs,
                Err(said) => return Ok(Verdict::Broken(said)),
            };
            let models = wanted_models(&programs, mark)?;
            if !models.is_empty() {
                return judge_by(&models);
            }
        }
        let wanted = mark.model.as_deref().unwrap_or("any name");
        Ok(Verdict::Broken(format!(
            "there is no model called {wanted}"
        )))
    }

    /// The crates whose models can see the mutant: its own, which builds soonest, and, should the model
    /// not be there, all above it.
    fn crates_for(&self, mark: &Mark) -> [Vec<&'a Member>; 2] {
        let file = self.original.join(&mark.file);
        let is_own = |member: &&&Member| file.starts_with(&member.folder);
        let own = self.crates.iter().copied().find(|member| is_own(&member));
        let floor = own.and_then(|own| layers::floor(&own.name));
        let above = self.crates.iter().copied();
        let above = above.filter(|member| layers::floor(&member.name) > floor);
        [own.into_iter().collect(), above.collect()]
    }
}

/// Runs the models until one fails.
fn judge_by(models: &[(&Program, String)]) -> Result<Verdict> {
    let watch = Stopwatch::start();
    for (program, model) in models {
        let left = Limits::at_most(MUTANT_LIMIT.saturating_sub(watch.elapsed()));
        let finished = run::run(&mut program.run_model(model), left, Output::Keep)?;
        match finished.end {
            End::Exited(status) if status.success() => {}
            End::Exited(_) => return Ok(Verdict::Caught(model.clone())),
            End::Hung | End::TooLong => return Ok(Verdict::CaughtByTime(model.clone())),
        }
    }
    Ok(Verdict::Survived)
}

/// The models to run, each with the program that holds it.
fn wanted_models<'a>(programs: &'a [Program], mark: &Mark) -> Result<Vec<(&'a Program, String)>> {
    let mut wanted = Vec::new();
    for program in programs {
        for model in program.models()? {
            let is_wanted = mark
                .model
                .as_ref()
                .is_none_or(|name| is_called(&model, name));
            if is_wanted {
                wanted.push((program, model));
            }
        }
    }
    Ok(wanted)
}

/// Whether the test at `path` is the function called `name`.
fn is_called(path: &str, name: &str) -> bool {
    path.strip_suffix(name)
        .is_some_and(|modules| modules.is_empty() || modules.ends_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_its_function() {
        assert!(is_called("wake::task_end_wakes", "task_end_wakes"));
        assert!(is_called("task_end_wakes", "task_end_wakes"));
        assert!(is_called("wake::task_end_wakes", "wake::task_end_wakes"));
        assert!(!is_called("wake::no_task_end_wakes", "task_end_wakes"));
        assert!(!is_called("wake::task_end_wakes_all", "task_end_wakes"));
    }
}

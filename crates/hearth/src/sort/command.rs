//! Running `hearth sort`.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mem_policy::{ManagerOptions, MemoryConfig, ResolvedMemory, memory_manager};
use mem_sort::Order;
use mem_spill::{OutputError, PendingOutput, SpillDirs};
use mem_trace::Recorder;
use rustix::fs::OFlags;
use serde::Serialize;

use super::args::{SortArgs, StatsForm};
use super::counters::Counters;
use super::error::SortFailure;
use super::input::Source;
use super::job::SortJob;
use super::plan::{Plan, PlanRequest};
use super::progress::Progress;
use super::report::SortReport;
use crate::failure::Failure;
use crate::{logging, settings};

/// Runs `hearth sort`.
pub(crate) fn command(arguments: &SortArgs) -> Result<(), Failure> {
    let mut config = arguments.config.read()?;
    if let Some(size) = &arguments.size {
        settings::use_off_heap(&mut config, size)?;
    }
    warn(&config);
    let (job, recorder) = job(arguments, &config)?;
    let done = write_sorted(job, arguments);
    // Also where the sort failed: what led there is what one wants to see.
    let recorded = recorder.map_or(Ok(0), |recorder| recorder.finish());
    let report = done?;
    recorded.map_err(|error| Failure::of_work(&error))?;
    match (report, arguments.stats) {
        (Some(report), Some(form)) => show(&report, form),
        _ => Ok(()),
    }
}

/// Sorts to where the output is to go. No report where whoever reads it has seen enough.
fn write_sorted(job: SortJob, arguments: &SortArgs) -> Result<Option<SortReport>, Failure> {
    let report = match &arguments.output {
        Some(path) => {
            let pending = PendingOutput::create(path).map_err(|error| Failure::of_work(&error))?;
            let report = run(job, pending.file()).map_err(|error| failed(error, path))?;
            pending.commit().map_err(|error| Failure::of_work(&error))?;
            report
        }
        None => match stdout().and_then(|stdout| run(job, &stdout)) {
            // Whoever reads has seen enough.
            Err(SortFailure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(None);
            }
            done => done.map_err(|error| failed(error, Path::new("standard output")))?,
        },
    };
    Ok(Some(report))
}

/// Sorts to a file: in any order, where it is one that lets itself be written so.
fn run(job: SortJob, mut output: &File) -> Result<SortReport, SortFailure> {
    let offset = match output.stream_position() {
        Ok(offset) if is_random(output) => offset,
        _ => return job.run(output),
    };
    let report = job.run_to_file(output, offset)?;
    // Whoever writes to the same file after us goes on behind the output.
    let end = SeekFrom::Start(offset.saturating_add(report.output_bytes));
    output.seek(end).map_err(SortFailure::Output)?;
    Ok(report)
}

/// Whether it is a file, and writing is not always at its end.
fn is_random(output: &File) -> bool {
    let is_file = output.metadata().is_ok_and(|metadata| metadata.is_file());
    let flags = rustix::fs::fcntl_getfl(output);
    is_file && flags.is_ok_and(|flags| !flags.contains(OFlags::APPEND))
}

/// A failure to write names the output.
fn failed(failure: SortFailure, output: &Path) -> Failure {
    match failure {
        SortFailure::Output(source) => Failure::of_work(&OutputError {
            action: "write to",
            path: output.to_owned(),
            source,
        }),
        other => Failure::of_work(&other),
    }
}

/// The sort that the arguments ask for, and who records it.
fn job(
    arguments: &SortArgs,
    config: &MemoryConfig,
) -> Result<(SortJob, Option<Arc<Recorder>>), Failure> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let tasks = arguments
        .tasks
        .unwrap_or_else(|| u32::try_from(cores).unwrap_or(1));
    let resolved = config.resolve_in(&config.environment(tasks))?;
    let planned = Plan::new(config, &resolved, PlanRequest { tasks });
    let mut plan =
        planned.map_err(|error| Failure::of_usage(crate::failure::in_one_line(&error)))?;
    plan.set_order(if arguments.reverse {
        Order::Descending
    } else {
        Order::Ascending
    });
    plan.set_unique(arguments.unique);
    let sources = sources(&arguments.inputs);
    for source in &sources {
        source.check().map_err(|error| Failure::of_work(&error))?;
    }
    let counters = Arc::new(Counters::new(logging::is_wanted()));
    let mut options = ManagerOptions {
        probe: Some(counters.clone()),
        ..ManagerOptions::of(config)
    };
    let recorder = match &arguments.trace {
        Some(path) => Some(record(path, &resolved, &mut options)?),
        None => None,
    };
    let length: Option<u64> = sources.iter().map(Source::length).sum();
    let mut job = SortJob::new(memory_manager(resolved, &options), plan, sources);
    job.delimiter = if arguments.zero_terminated { 0 } else { b'\n' };
    job.spill_dirs = spill_dirs(&arguments.spill_dirs, config);
    job.counters = Some(counters);
    job.progress = Progress::on_terminal(length);
    Ok((job, recorder))
}

fn record(
    path: &Path,
    resolved: &ResolvedMemory,
    options: &mut ManagerOptions,
) -> Result<Arc<Recorder>, Failure> {
    Recorder::create(path, resolved, options).map_err(|source| {
        Failure::of_work(&OutputError {
            action: "write to",
            path: path.to_owned(),
            source,
        })
    })
}

/// The inputs that are named; - is standard input, as is none at all.
pub(crate) fn sources(inputs: &[PathBuf]) -> Vec<Source> {
    if inputs.is_empty() {
        return vec![Source::Stdin];
    }
    let source = |path: &PathBuf| match path.to_str() {
        Some("-") => Source::Stdin,
        _ => Source::File(path.clone()),
    };
    inputs.iter().map(source).collect()
}

/// The directories that are named, or those of the configuration.
pub(crate) fn spill_dirs(named: &[PathBuf], config: &MemoryConfig) -> SpillDirs {
    let given = match named {
        [] => config.spill().dirs,
        given => given.to_vec(),
    };
    // None given is the only mistake to make here.
    SpillDirs::new(given).unwrap_or_default()
}

/// Standard output without the standard library's buffer: there is one already.
pub(crate) fn stdout() -> Result<File, SortFailure> {
    let descriptor = io::stdout().as_fd().try_clone_to_owned();
    descriptor.map(File::from).map_err(SortFailure::Output)
}

/// Says which settings probably do not do what was meant.
pub(crate) fn warn(config: &MemoryConfig) {
    for warning in settings::warnings(config) {
        // Nobody is left to be told that this fails.
        drop(writeln!(io::stderr(), "hearth: {warning}"));
    }
}

/// Shows what was done, on standard error.
pub(crate) fn show(report: &(impl Display + Serialize), form: StatsForm) -> Result<(), Failure> {
    let text = match form {
        StatsForm::Text => report.to_string(),
        StatsForm::Json => {
            let json = serde_json::to_string(report);
            json.map_err(|error| Failure::of_work(&error))? + "\n"
        }
    };
    io::stderr()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::of_work(&error))
}

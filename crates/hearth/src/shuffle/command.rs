//! Running `hearth shuffle`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
use mem_sort::ShuffleError;

use super::args::ShuffleArgs;
use super::error::ShuffleFailure;
use super::job::ShuffleJob;
use super::plan::ShufflePlan;
use super::read::read_partition;
use crate::failure::{Failure, in_one_line};
use crate::sort::{Counters, Progress, Source, show, sources, spill_dirs, stdout, warn};
use crate::{logging, settings};

/// Runs `hearth shuffle`.
pub(crate) fn command(arguments: &ShuffleArgs) -> Result<(), Failure> {
    let mut config = arguments.config.read()?;
    if let Some(size) = &arguments.size {
        settings::use_off_heap(&mut config, size)?;
    }
    warn(&config);
    match &arguments.read {
        Some(directory) => read(directory, arguments.partitions, &config),
        None => write(arguments, &config),
    }
}

fn write(arguments: &ShuffleArgs, config: &MemoryConfig) -> Result<(), Failure> {
    let resolved = config.resolve_in(&config.environment(1))?;
    let plan = ShufflePlan::new(config, &resolved, arguments.partitions).map_err(failure)?;
    let sources = sources(&arguments.inputs);
    for source in &sources {
        source.check().map_err(|error| Failure::of_work(&error))?;
    }
    let counters = Arc::new(Counters::new(logging::is_wanted()));
    let options = ManagerOptions {
        probe: Some(counters.clone()),
        ..ManagerOptions::of(config)
    };
    let length: Option<u64> = sources.iter().map(Source::length).sum();
    let mut job = ShuffleJob::new(memory_manager(resolved, &options), plan, sources);
    job.spill_dirs = spill_dirs(&arguments.spill_dirs, config);
    job.counters = Some(counters);
    job.progress = Progress::on_terminal(length);
    let report = job.run(&arguments.output).map_err(failure)?;
    match arguments.stats {
        Some(form) => show(&report, form),
        None => Ok(()),
    }
}

fn read(directory: &Path, partition: u32, config: &MemoryConfig) -> Result<(), Failure> {
    let resolved = config.resolve_in(&config.environment(1))?;
    let manager = memory_manager(resolved, &ManagerOptions::of(config));
    let output = stdout().map_err(|error| Failure::of_work(&error))?;
    match read_partition(directory, partition, manager, output) {
        // Whoever reads has seen enough.
        Err(ShuffleFailure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(failure),
    }
}

/// What can't be meant, and what went wrong.
fn failure(error: ShuffleFailure) -> Failure {
    match &error {
        ShuffleFailure::TooSmall { .. }
        | ShuffleFailure::Block { .. }
        | ShuffleFailure::Shuffle(
            ShuffleError::Partitions { .. } | ShuffleError::NoSuchPartition { .. },
        ) => Failure::of_usage(in_one_line(&error)),
        _ => Failure::of_work(&error),
    }
}

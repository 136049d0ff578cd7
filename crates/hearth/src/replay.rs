//! `hearth replay`: does what recorded traces say once more, and compares every result.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use mem_trace::{Mismatch, TraceReport, replay_paths};

use crate::failure::{Failure, in_one_line};

/// Replay recorded memory traffic on the real managers and compare every result
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Print one line of JSON a trace
    #[arg(long)]
    json: bool,
    /// Traces (.jsonl, .jsonl.zst), or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Sums {
    traces: u64,
    operations: u64,
    mismatches: u64,
}

pub(crate) fn command(arguments: &ReplayArgs) -> Result<(), Failure> {
    match replay(arguments) {
        // Whoever reads has seen enough.
        Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Ok(written) => written.map_err(|error| Failure::of_work(&error)),
        Err(failure) => Err(failure),
    }
}

/// The outer result is the replay's, the inner one that of writing about it.
fn replay(arguments: &ReplayArgs) -> Result<io::Result<()>, Failure> {
    let mut sums = Sums::default();
    let mut causes = Vec::new();
    let mut stdout = io::stdout().lock();
    for replayed in replay_paths(&arguments.paths) {
        let report = match replayed {
            Ok(report) => report,
            Err(error) => {
                causes.push(in_one_line(&error));
                continue;
            }
        };
        sums.traces += 1;
        sums.operations += report.operations;
        sums.mismatches += u64::try_from(report.mismatches.len()).unwrap_or(u64::MAX);
        let text = if arguments.json {
            let line = serde_json::to_string(&report);
            line.map_err(|error| Failure::of_work(&error))? + "\n"
        } else {
            described(&report)
        };
        if let Err(error) = stdout.write_all(text.as_bytes()) {
            return Ok(Err(error));
        }
    }
    if sums.mismatches > 0 {
        causes.push(format!(
            "{} operations came out differently",
            sums.mismatches
        ));
    }
    if !arguments.json {
        let Sums {
            traces,
            operations,
            mismatches,
        } = sums;
        let line = format!("{traces} traces, {operations} operations, {mismatches} mismatches\n");
        if let Err(error) = stdout.write_all(line.as_bytes()) {
            return Ok(Err(error));
        }
    }
    if causes.is_empty() {
        Ok(Ok(()))
    } else {
        Err(Failure::of_causes(causes))
    }
}

/// The mismatches of a trace in words; nothing where there are none.
fn described(report: &TraceReport) -> String {
    let mut text = String::new();
    for Mismatch {
        line,
        operation,
        input,
        differences,
        ..
    } in &report.mismatches
    {
        let what = operation.map_or("header".to_owned(), |number| format!("operation {number}"));
        text.push_str(&format!("{}:{line}: {what}: {input}\n", report.trace));
        for difference in differences {
            let (expected, got) = (&difference.expected, &difference.got);
            let field = &difference.field;
            text.push_str(&format!("  {field}: expected {expected}, got {got}\n"));
        }
    }
    text
}

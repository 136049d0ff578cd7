//! Replaying: files and folders of traces, line by line, each compared as soon as it was done.

mod files;
mod recording;
mod session;

use std::io::BufRead;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use files::{replay_file, replay_paths};

use self::recording::Recording;
use self::session::Session;
use crate::compare::Expected;
use crate::format::{Header, Operation, RecordingHeader, StepInput};
use crate::report::{Mismatch, Problem, TraceError, TraceReport};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    /// Of a step: its number.
    number: Option<u64>,
    /// Of a step: when it was told of, in nanoseconds.
    #[serde(default, rename = "at")]
    _at: Option<u64>,
    #[serde(borrow, rename = "in")]
    input: &'a RawValue,
    #[serde(borrow)]
    out: Expected<'a>,
}

/// A line that begins another trace in the same file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

/// What came of a line that can't be done.
#[derive(Debug, Serialize)]
struct Senseless {
    senseless: String,
}

/// Enough of an input to know what to read it as.
#[derive(Debug, Deserialize)]
struct Kind {
    trace: Option<u32>,
}

/// Replays the lines that `reader` gives, and calls them `name` in the reports.
///
/// A file holds one trace, or several, each begun by a line `{"name": …}`; the reports come in the
/// order of the traces.
///
/// # Errors
/// Where a line can't be read or makes no sense; a line that comes out differently is no error but a
/// [`Mismatch`].
pub fn replay_reader(name: &str, reader: impl BufRead) -> Result<Vec<TraceReport>, TraceError> {
    let mut replay = Replay::new(name);
    for (line, number) in reader.lines().zip(1..) {
        let problem = match line {
            Ok(line) => replay.line(&line, number).err(),
            Err(error) => Some(error.into()),
        };
        if let Some(problem) = problem {
            let trace = replay.current().trace.clone();
            return Err(TraceError {
                trace,
                line: Some(number),
                problem,
            });
        }
    }
    Ok(replay.finish())
}

/// What the lines since the last header are done on.
#[derive(Debug)]
enum World {
    /// No header yet, or one that was refused.
    Nothing,
    Session(Box<Session>),
    Recording(Box<Recording>),
}

#[derive(Debug)]
struct Replay {
    name: String,
    reports: Vec<TraceReport>,
    world: World,
    /// Operations since the last header.
    operations: u64,
}

impl Replay {
    fn new(name: &str) -> Self {
        let mut replay = Self {
            name: name.to_owned(),
            reports: Vec::new(),
            world: World::Nothing,
            operations: 0,
        };
        replay.begin(name.to_owned());
        replay
    }

    /// Another trace begins.
    fn begin(&mut self, trace: String) {
        self.reports.push(TraceReport {
            trace,
            operations: 0,
            mismatches: Vec::new(),
        });
        self.world = World::Nothing;
    }

    fn current(&mut self) -> &mut TraceReport {
        self.reports
            .last_mut()
            .expect("there is a report from the start")
    }

    fn line(&mut self, text: &str, number: u64) -> Result<(), Problem> {
        if text.starts_with("{\"name\"") {
            let Name { name } = serde_json::from_str(text)?;
            self.begin(format!("{}:{name}", self.name));
            return Ok(());
        }
        let line: Line<'_> = serde_json::from_str(text)?;
        let kind: Kind = serde_json::from_str(line.input.get())?;
        match kind.trace {
            Some(version) => self.header(version, &line, number),
            None => self.operation(&line, number),
        }
    }

    fn header(&mut self, version: u32, line: &Line<'_>, number: u64) -> Result<(), Problem> {
        self.operations = 0;
        match version {
            1 => {
                let header: Header = serde_json::from_str(line.input.get())?;
                let (session, outcome) = Session::new(&header);
                self.world = session.map_or(World::Nothing, |it| World::Session(Box::new(it)));
                self.compare(line, number, None, &outcome)
            }
            2 => {
                let header: RecordingHeader = serde_json::from_str(line.input.get())?;
                let recording = Recording::new(&header);
                let start = recording.start();
                self.world = World::Recording(Box::new(recording));
                self.compare(line, number, None, &start)
            }
            other => Err(Problem::sense(format!(
                "format version {other} is not known"
            ))),
        }
    }

    fn operation(&mut self, line: &Line<'_>, number: u64) -> Result<(), Problem> {
        let at = self.operations;
        self.operations += 1;
        match &mut self.world {
            World::Nothing => Err(Problem::sense("an operation without a manager")),
            World::Session(session) => {
                let operation: Operation = serde_json::from_str(line.input.get())?;
                let outcome = session.run(at, &operation);
                self.compare_or_mind(line, number, at, outcome)
            }
            World::Recording(recording) => {
                let step: StepInput = serde_json::from_str(line.input.get())?;
                if line.number != Some(self.operations) {
                    return Err(Problem::sense(format!(
                        "step {} is missing",
                        self.operations
                    )));
                }
                let outcome = recording.run(&step);
                self.compare_or_mind(line, number, self.operations, outcome)
            }
        }
    }

    /// Where nothing was different before, a line that makes no sense is an error; after a mismatch it is
    /// one more, and most likely a consequence.
    fn compare_or_mind(
        &mut self,
        line: &Line<'_>,
        number: u64,
        operation: u64,
        outcome: Result<impl Serialize, Problem>,
    ) -> Result<(), Problem> {
        match outcome {
            Ok(outcome) => self.compare(line, number, Some(operation), &outcome),
            Err(Problem::Sense(what)) if !self.current().mismatches.is_empty() => self.compare(
                line,
                number,
                Some(operation),
                &Senseless { senseless: what },
            ),
            Err(problem) => Err(problem),
        }
    }

    fn compare(
        &mut self,
        line: &Line<'_>,
        number: u64,
        operation: Option<u64>,
        outcome: &impl Serialize,
    ) -> Result<(), Problem> {
        let differences = line.out.differences(outcome)?;
        let report = self.current();
        report.operations += 1;
        if !differences.is_empty() {
            let input = line.input.to_owned();
            report.mismatches.push(Mismatch {
                line: number,
                operation,
                input,
                differences,
            });
        }
        Ok(())
    }

    /// The reports; the first is of the lines before any name, and there may be none.
    fn finish(mut self) -> Vec<TraceReport> {
        if self.reports.len() > 1 && self.reports[0].operations == 0 {
            self.reports.remove(0);
        }
        self.reports
    }
}

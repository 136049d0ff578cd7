//! Rows and verdicts: printed as they come, kept for the file, counted at the end.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::cell::Cell;

/// Whether a bar holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) case: String,
    pub(crate) bar: &'static str,
    pub(crate) holds: bool,
    /// The figures.
    pub(crate) because: String,
}

/// Collects rows and verdicts.
#[derive(Debug)]
pub(crate) struct Report {
    filter: String,
    file: Option<File>,
    bars: usize,
    missed: Vec<Verdict>,
    broken: Option<io::Error>,
}

impl Report {
    /// A report of the cases whose names contain `filter`, written to `json` too.
    ///
    /// # Errors
    /// Where `json` can't be made.
    pub(crate) fn new(filter: String, json: Option<&Path>) -> io::Result<Self> {
        Ok(Self {
            filter,
            file: json.map(File::create).transpose()?,
            bars: 0,
            missed: Vec::new(),
            broken: None,
        })
    }

    /// Whether a case is to be run at all.
    pub(crate) fn wants(&self, case: &str) -> bool {
        case.contains(&self.filter)
    }

    /// Something that has to be known to read the rows.
    pub(crate) fn say(&self, words: &str) {
        println!("# {words}");
    }

    pub(crate) fn add(&mut self, cell: &Cell) {
        println!("{}", cell.line());
        self.write(cell);
    }

    pub(crate) fn judge(&mut self, verdict: Verdict) {
        println!("{}", verdict.line());
        self.write(&verdict);
        self.bars += 1;
        if !verdict.holds {
            self.missed.push(verdict);
        }
    }

    fn write(&mut self, row: &impl Serialize) {
        if let Some(file) = &mut self.file {
            let written = serde_json::to_string(row)
                .map_err(io::Error::from)
                .and_then(|line| writeln!(file, "{line}"));
            if let Err(error) = written {
                self.broken.get_or_insert(error);
            }
        }
    }

    /// Says which bars were missed; that is a failure, as is a file that could not be written.
    pub(crate) fn close(self) -> ExitCode {
        println!("{} bars, {} missed", self.bars, self.missed.len());
        for verdict in &self.missed {
            println!("{}", verdict.line());
        }
        if let Some(error) = self.broken {
            eprintln!("hearth-bench-sql: the file could not be written: {error}");
            return ExitCode::FAILURE;
        }
        if self.missed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl Verdict {
    fn line(&self) -> String {
        let word = if self.holds { "ok" } else { "MISSED" };
        format!("= {} {}: {word}, {}", self.case, self.bar, self.because)
    }
}

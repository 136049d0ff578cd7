//! The rows: printed as they come, kept for the file, judged at the end.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

/// One comparison.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) group: &'static str,
    pub(crate) case: String,
    /// The median of ours, in nanoseconds of one operation.
    pub(crate) ours_ns: f64,
    /// Name and version of the fastest peer.
    pub(crate) peer: String,
    pub(crate) peer_ns: f64,
    /// What `ours_ns / peer_ns` may be at most; none for a row that is there for orientation.
    pub(crate) bar: Option<f64>,
}

impl Row {
    /// A row of two medians over `operations` operations each.
    pub(crate) fn new(
        group: &'static str,
        case: impl Into<String>,
        ours: Duration,
        (peer, theirs): (&str, Duration),
        operations: f64,
        bar: Option<f64>,
    ) -> Self {
        let each = |time: Duration| time.as_secs_f64() * 1e9 / operations;
        Self {
            group,
            case: case.into(),
            ours_ns: each(ours),
            peer: peer.to_owned(),
            peer_ns: each(theirs),
            bar,
        }
    }

    pub(crate) fn ratio(&self) -> f64 {
        self.ours_ns / self.peer_ns
    }

    /// Whether it keeps its bar; a ratio that is no number does not.
    pub(crate) fn holds(&self) -> bool {
        self.bar.is_none_or(|bar| self.ratio() <= bar)
    }

    fn line(&self) -> String {
        let bar = self
            .bar
            .map_or_else(|| "-".to_owned(), |bar| format!("<= {bar}"));
        let verdict = match (self.bar, self.holds()) {
            (None, _) => "",
            (_, true) => "ok",
            (_, false) => "MISSED",
        };
        format!(
            "{:<6} {:<44} {:>10} {:<34} {:>10} {:>8.3} {:>8} {}",
            self.group,
            self.case,
            shown(self.ours_ns),
            self.peer,
            shown(self.peer_ns),
            self.ratio(),
            bar,
            verdict
        )
    }
}

/// A time in the unit that suits it.
fn shown(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.2} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

/// Collects the rows of a run.
#[derive(Debug)]
pub(crate) struct Report {
    filter: String,
    file: Option<File>,
    rows: usize,
    missed: usize,
    broken: Option<io::Error>,
}

impl Report {
    /// A report of the cases whose names contain `filter`, written to `json` too.
    ///
    /// # Errors
    /// Where `json` can't be made.
    pub(crate) fn new(filter: String, json: Option<&Path>) -> io::Result<Self> {
        let file = json.map(File::create).transpose()?;
        Ok(Self {
            filter,
            file,
            rows: 0,
            missed: 0,
            broken: None,
        })
    }

    /// Whether a case is to be run at all.
    pub(crate) fn wants(&self, case: &str) -> bool {
        case.contains(&self.filter)
    }

    /// Something that has to be known to read the rows, or why some are missing.
    pub(crate) fn say(&self, words: &str) {
        println!("# {words}");
    }

    /// Rows that have bars can't be had: as bad as a missed one.
    pub(crate) fn give_up(&mut self) {
        self.missed += 1;
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, row: &Row) {
        println!("{}", row.line());
        self.rows += 1;
        self.missed += usize::from(!row.holds());
        if let Some(file) = &mut self.file {
            let written = serde_json::to_string(row)
                .map_err(io::Error::from)
                .and_then(|line| writeln!(file, "{line}"));
            if let Err(error) = written {
                self.broken.get_or_insert(error);
            }
        }
    }

    /// Says how many rows missed their bars; that is a failure, as is a file that could not be written.
    pub(crate) fn close(self) -> ExitCode {
        println!("{} rows, {} missed", self.rows, self.missed);
        if let Some(error) = self.broken {
            eprintln!("hearth-bench: the file could not be written: {error}");
            return ExitCode::FAILURE;
        }
        match self.missed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_up_to_its_bar() {
        let row = |ours, bar| {
            let (ours, theirs) = (Duration::from_nanos(ours), Duration::from_nanos(100));
            Row::new("pool", "case", ours, ("peer 1", theirs), 1.0, bar)
        };
        assert!(row(25, Some(0.25)).holds());
        assert!(!row(26, Some(0.25)).holds());
        assert!(row(500, None).holds());
        assert!(row(26, Some(0.25)).line().ends_with("MISSED"));
    }

    #[test]
    fn times_are_shown_in_the_unit_that_suits_them() {
        assert_eq!(shown(12.5), "12.50 ns");
        assert_eq!(shown(1_500_000.0), "1.50 ms");
    }
}

//! One pool at one case: its runs, summed up.

use std::time::Duration;

use serde::Serialize;

use crate::contender::Contender;
use crate::query::{Outcome, Rows};

/// What came of the runs of one pool.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cell {
    pub(crate) case: String,
    pub(crate) pool: &'static str,
    #[serde(skip)]
    pub(crate) contender: Contender,
    /// Bytes that there were.
    pub(crate) limit: u64,
    pub(crate) runs: usize,
    pub(crate) finished: usize,
    /// Of the finished ones: the median of bytes spilled, of files, and of seconds.
    pub(crate) spilled: u64,
    pub(crate) files: usize,
    pub(crate) seconds: f64,
    /// The median of all runs.
    pub(crate) refusals: u64,
    /// The most that was reserved in any run, overdraft counted.
    pub(crate) peak: u64,
    /// Runs whose answer was not the right one. They have not finished.
    pub(crate) wrong: usize,
    /// Why the last one that failed did.
    pub(crate) failure: Option<String>,
}

/// Collects the runs of a cell.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    spilled: Vec<u64>,
    files: Vec<usize>,
    times: Vec<Duration>,
    refusals: Vec<u64>,
    peak: u64,
    wrong: usize,
    failure: Option<String>,
}

impl Runs {
    /// Adds a run; a finished one is right if `is_right` says so.
    pub(crate) fn add(&mut self, outcome: Outcome, is_right: impl FnOnce(&Rows) -> bool) {
        self.refusals.push(outcome.metered.refusals);
        self.peak = self.peak.max(outcome.metered.peak);
        match outcome.rows {
            Ok(rows) if is_right(&rows) => {
                self.spilled.push(rows.spilled.bytes);
                self.files.push(rows.spilled.files);
                self.times.push(outcome.elapsed);
            }
            Ok(_) => self.wrong += 1,
            Err(error) => self.failure = Some(error.find_root().to_string()),
        }
    }

    pub(crate) fn cell(mut self, case: &str, contender: Contender, limit: u64) -> Cell {
        Cell {
            case: case.to_owned(),
            pool: contender.name(),
            contender,
            limit,
            runs: self.refusals.len(),
            finished: self.times.len(),
            spilled: median(&mut self.spilled),
            files: median(&mut self.files),
            seconds: median(&mut self.times).as_secs_f64(),
            refusals: median(&mut self.refusals),
            peak: self.peak,
            wrong: self.wrong,
            failure: self.failure,
        }
    }
}

impl Cell {
    /// Whether it finished each time.
    pub(crate) fn is_sure(&self) -> bool {
        self.finished == self.runs
    }

    /// Whether it finished at least four times of five.
    pub(crate) fn is_likely(&self) -> bool {
        self.finished * 5 >= self.runs * 4
    }

    pub(crate) fn line(&self) -> String {
        let failure = self.failure.as_deref().unwrap_or_default();
        let failure: String = failure.chars().take(160).collect();
        format!(
            "{:<24} {:<13} {:>2}/{:<2} {:>8.2} MiB ({:>3}) {:>5} refused {:>8.2} MiB peak {:>7.3} s {}{}",
            self.case,
            self.pool,
            self.finished,
            self.runs,
            mib(self.spilled),
            self.files,
            self.refusals,
            mib(self.peak),
            self.seconds,
            if self.wrong > 0 { "WRONG " } else { "" },
            failure.lines().collect::<Vec<_>>().join(" "),
        )
    }
}

/// Bytes in MiB.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn median<T: Ord + Copy + Default>(values: &mut [T]) -> T {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Metered;
    use crate::query::Spilled;

    fn outcome(bytes: u64) -> Outcome {
        let spilled = Spilled { bytes, files: 1 };
        Outcome {
            rows: Ok(Rows {
                count: 3,
                kept: Vec::new(),
                spilled,
            }),
            elapsed: Duration::from_secs(1),
            metered: Metered::default(),
        }
    }

    #[test]
    fn a_wrong_answer_has_not_finished() {
        let mut runs = Runs::default();
        runs.add(outcome(5), |rows| rows.count == 3);
        runs.add(outcome(9), |rows| rows.count == 4);
        let cell = runs.cell("case", Contender::Hearth, 1);
        assert_eq!((cell.runs, cell.finished, cell.wrong), (2, 1, 1));
        assert_eq!(cell.spilled, 5);
        assert!(!cell.is_sure() && !cell.is_likely());
        assert!(cell.line().contains("WRONG"));
    }

    #[test]
    fn four_of_five_are_likely() {
        let mut runs = Runs::default();
        for run in 0..5 {
            runs.add(outcome(run), |_| run > 0);
        }
        let cell = runs.cell("case", Contender::Hearth, 1);
        assert!(cell.is_likely() && !cell.is_sure());
        assert_eq!(cell.spilled, 3);
    }
}

//! TPC-H's 22 queries under parts of their own peaks.

mod bars;
mod data;

use std::path::PathBuf;
use std::time::Duration;

use datafusion::common::Result;
use datafusion::prelude::SessionConfig;
use hearth_tpch::QUERIES;
use tokio::runtime::Runtime;

use crate::cell::{Cell, Runs, mib};
use crate::contender::{self, Contender, Session};
use crate::query::{self, Outcome};
use crate::report::Report;
use data::{Answer, Data};

/// Parts of the peak that are the limits.
const PARTS: [u64; 4] = [1, 2, 4, 8];
/// Runs without a limit: the peak is the highest of theirs.
const PEAK_RUNS: usize = 3;

/// How it is run.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) scale: f64,
    /// Where the tables are, or are put.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) runs: usize,
    /// A query that takes longer stands still.
    pub(crate) deadline: Duration,
}

/// Runs the cases that the report wants.
///
/// # Errors
/// Where something goes wrong that is no matter of a limit.
pub(crate) fn run(
    runtime: &Runtime,
    contenders: &[Contender],
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let name = |number: usize, part: u64| format!("tpch q{number:02} 1/{part}");
    let mut data = None;
    let mut all = Vec::new();
    for (number, sql) in (1..).zip(QUERIES) {
        let mut cases = PARTS.map(|part| (name(number, part), part)).to_vec();
        cases.retain(|(case, _)| report.wants(case));
        if cases.is_empty() {
            continue;
        }
        let data = match &data {
            Some(data) => data,
            None => data.insert(Data::new(options)?),
        };
        let query = Query {
            runtime,
            sql,
            data,
            deadline: options.deadline,
        };
        let (peak, answer) = query.unlimited()?;
        report.say(&format!(
            "q{number:02}: {:.2} MiB without a limit",
            mib(peak)
        ));
        for (case, part) in cases {
            let limit = peak / part;
            // A query that reserves nothing has no limit to be put under.
            if limit > 0 {
                let cells = query.case(&case, limit, contenders, (options.runs, &answer))?;
                for cell in &cells {
                    report.add(cell);
                }
                all.push(cells);
            }
        }
    }
    bars::verdicts(&all, report);
    Ok(())
}

/// One query, and what it runs on.
struct Query<'a> {
    runtime: &'a Runtime,
    sql: &'static str,
    data: &'a Data,
    deadline: Duration,
}

impl Query<'_> {
    fn once(&self, session: &Session) -> Result<Outcome> {
        self.runtime.block_on(async {
            self.data.register(&session.context).await?;
            Ok(query::run(session, self.sql, true, self.deadline).await)
        })
    }

    /// The peak without a limit, and the answer.
    fn unlimited(&self) -> Result<(u64, Answer)> {
        let (mut peak, mut answer) = (0, None);
        for _ in 0..PEAK_RUNS {
            let session = contender::unlimited(SessionConfig::new())?;
            let outcome = self.once(&session)?;
            peak = peak.max(outcome.metered.peak);
            answer = Some(Answer::of(&outcome.rows?)?);
        }
        Ok((peak, answer.unwrap_or_default()))
    }

    fn case(
        &self,
        case: &str,
        limit: u64,
        contenders: &[Contender],
        (runs, answer): (usize, &Answer),
    ) -> Result<Vec<Cell>> {
        let mut all: Vec<_> = contenders.iter().map(|_| Runs::default()).collect();
        for _ in 0..runs {
            for (contender, runs) in contenders.iter().zip(&mut all) {
                let session = contender.session(limit, SessionConfig::new())?;
                let outcome = self.once(&session)?;
                runs.add(outcome, |rows| {
                    Answer::of(rows).is_ok_and(|found| found == *answer)
                });
            }
        }
        let cells = contenders.iter().zip(all);
        let cells = cells.map(|(contender, runs)| runs.cell(case, *contender, limit));
        Ok(cells.collect())
    }
}

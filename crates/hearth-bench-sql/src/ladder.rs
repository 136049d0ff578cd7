//! Three queries over a table in memory, under limits that shrink.

mod bars;
mod data;

use std::sync::Arc;
use std::time::Duration;

use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use tokio::runtime::Runtime;

use crate::cell::{Cell, Runs, mib};
use crate::contender::{self, Contender, Session};
use crate::query::{self, Outcome, bytes};
use crate::report::Report;

/// Rows of the table.
const ROWS: usize = 4_000_000;
/// Its partitions, and the session's.
const PARTITIONS: usize = 4;
/// In MiB.
const LIMITS: [usize; 7] = [128, 80, 64, 56, 48, 40, 32];
/// In MiB: below, nothing is promised.
const LEAST_JUDGED: usize = 40;

const QUERIES: [(&str, &str); 3] = [
    (
        "group+sort",
        "SELECT a, count(*) AS n, sum(b) AS s, max(c) AS c FROM t GROUP BY a ORDER BY s",
    ),
    (
        "group",
        "SELECT a, count(*) AS n, sum(b) AS s, max(c) AS c FROM t GROUP BY a",
    ),
    ("sort", "SELECT * FROM t ORDER BY c"),
];

/// Runs the cases that the report wants, each so many times. A scale other than 1 is one of rows and of limits.
///
/// # Errors
/// Where something goes wrong that is no matter of a limit.
pub(crate) fn run(
    runtime: &Runtime,
    contenders: &[Contender],
    (runs, scale, deadline): (usize, f64, Duration),
    report: &mut Report,
) -> Result<()> {
    let name = |query: &str, limit: usize| format!("ladder {query} {limit} MiB");
    let wanted = |query: &str| LIMITS.map(|limit| (name(query, limit), limit));
    let mut table = None;
    for (query, sql) in QUERIES {
        let mut cases = wanted(query).to_vec();
        cases.retain(|(case, _)| report.wants(case));
        if cases.is_empty() {
            continue;
        }
        let table = match &table {
            Some(table) => table,
            None => table.insert(data::table(scaled(ROWS, scale), PARTITIONS)?),
        };
        let ladder = Ladder {
            runtime,
            sql,
            table,
            deadline,
        };
        let session = contender::unlimited(config())?;
        let outcome = ladder.once(&session)?;
        let expected = outcome.rows?.count;
        report.say(&format!(
            "{query}: {expected} rows, {:.0} MiB without a limit: {sql}",
            mib(outcome.metered.peak)
        ));
        for (case, limit) in cases {
            let bytes = bytes(scaled(limit << 20, scale));
            let cells = ladder.case(&case, bytes, contenders, (runs, expected))?;
            for cell in &cells {
                report.add(cell);
            }
            if limit >= LEAST_JUDGED {
                for verdict in bars::verdicts(&cells) {
                    report.judge(verdict);
                }
            }
        }
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes of a benchmark, which need not be exact"
)]
fn scaled(size: usize, scale: f64) -> usize {
    (size as f64 * scale) as usize
}

fn config() -> SessionConfig {
    SessionConfig::new().with_target_partitions(PARTITIONS)
}

/// One query, and what it runs on.
struct Ladder<'a> {
    runtime: &'a Runtime,
    sql: &'static str,
    table: &'a Arc<MemTable>,
    deadline: Duration,
}

impl Ladder<'_> {
    fn once(&self, session: &Session) -> Result<Outcome> {
        let table = Arc::<MemTable>::clone(self.table);
        session.context.register_table("t", table)?;
        let outcome = query::run(session, self.sql, false, self.deadline);
        Ok(self.runtime.block_on(outcome))
    }

    /// Runs a case so many times, the pools in turn; its answer has so many rows.
    fn case(
        &self,
        case: &str,
        limit: u64,
        contenders: &[Contender],
        (runs, expected): (usize, usize),
    ) -> Result<Vec<Cell>> {
        let mut all: Vec<_> = contenders.iter().map(|_| Runs::default()).collect();
        for _ in 0..runs {
            for (contender, runs) in contenders.iter().zip(&mut all) {
                let session = contender.session(limit, config())?;
                let outcome = self.once(&session)?;
                runs.add(outcome, |found| found.count == expected);
            }
        }
        let cells = contenders.iter().zip(all);
        let cells = cells.map(|(contender, runs)| runs.cell(case, *contender, limit));
        Ok(cells.collect())
    }
}

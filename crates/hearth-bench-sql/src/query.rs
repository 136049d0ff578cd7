//! Runs one query once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;

use crate::contender::{Metered, Session};

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The rows, or why there are none.
    pub(crate) rows: Result<Rows>,
    pub(crate) elapsed: Duration,
    pub(crate) metered: Metered,
}

/// A finished query.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) count: usize,
    /// What [`run`] was to keep of each batch.
    pub(crate) kept: Vec<RecordBatch>,
    /// Bytes and files that DataFusion's operators say they spilled.
    pub(crate) spilled: Spilled,
}

/// What was spilled: bytes as they were handed to the files, and how many files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spilled {
    pub(crate) bytes: u64,
    pub(crate) files: usize,
}

/// Plans and runs `sql`; the rows are counted, and kept where that is said. The clock runs from the
/// planning to the last row. What has not ended at the deadline stands still: DataFusion's repartitioning can,
/// where it spills, on any pool.
#[expect(
    clippy::disallowed_methods,
    reason = "benchmarks measure real time; nothing here is modelled"
)]
pub(crate) async fn run(session: &Session, sql: &str, keep: bool, deadline: Duration) -> Outcome {
    let start = Instant::now();
    let rows = tokio::time::timeout(deadline, rows(session, sql, keep));
    let rows = rows.await.unwrap_or_else(|_elapsed| {
        let message = format!("no end after {} s", deadline.as_secs());
        Err(DataFusionError::Execution(message))
    });
    Outcome {
        elapsed: start.elapsed(),
        rows,
        metered: session.metered(),
    }
}

async fn rows(session: &Session, sql: &str, keep: bool) -> Result<Rows> {
    let context = &session.context;
    let plan = context.sql(sql).await?.create_physical_plan().await?;
    let mut stream = execute_stream(Arc::clone(&plan), context.task_ctx())?;
    let (mut count, mut kept) = (0, Vec::new());
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        count += batch.num_rows();
        if keep {
            kept.push(batch);
        }
    }
    let spilled = spilled(plan.as_ref());
    Ok(Rows {
        count,
        kept,
        spilled,
    })
}

fn spilled(plan: &dyn ExecutionPlan) -> Spilled {
    let own = plan.metrics().unwrap_or_default();
    let own = Spilled {
        bytes: own.spilled_bytes().map_or(0, bytes),
        files: own.spill_count().unwrap_or(0),
    };
    let children = plan
        .children()
        .into_iter()
        .map(|child| spilled(child.as_ref()));
    children.fold(own, |sum, child| Spilled {
        bytes: sum.bytes + child.bytes,
        files: sum.files + child.files,
    })
}

/// A size in bytes.
pub(crate) fn bytes(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

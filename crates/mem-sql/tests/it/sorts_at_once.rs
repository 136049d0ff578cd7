//! Sorts that are there at the same time: what is free is lent, and nobody is counted who holds nothing.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::compute::SortOptions;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use futures::StreamExt;

use crate::budget::{Budget, Running};
use crate::support::{check_no_query, on_two_workers};

/// Rows of a batch.
const ROWS: i64 = 256;

/// 100 batches of two numbers: 400 KiB, of which a sort takes twice as much.
fn source() -> Arc<dyn ExecutionPlan> {
    let batch = |number: i64| {
        let keys = (number * ROWS..(number + 1) * ROWS).rev();
        RecordBatch::try_from_iter([
            (
                "key",
                Arc::new(Int64Array::from_iter_values(keys)) as ArrayRef,
            ),
            (
                "value",
                Arc::new(Int64Array::from_iter_values(0..ROWS)) as ArrayRef,
            ),
        ])
        .unwrap()
    };
    let batches: Vec<_> = (0..100).map(batch).collect();
    let schema = batches[0].schema();
    MemorySourceConfig::try_new_exec(&[batches], schema, None).unwrap()
}

fn sort(input: Arc<dyn ExecutionPlan>, column: &str) -> Arc<SortExec> {
    let expr = col(column, &input.schema()).unwrap();
    let options = SortOptions::default();
    let order = LexOrdering::new(vec![PhysicalSortExpr { expr, options }]).unwrap();
    Arc::new(SortExec::new(order, input))
}

fn running(bytes: u64) -> Running {
    let mut budget = Budget::new(bytes, 1);
    let config = budget
        .config
        .with_batch_size(usize::try_from(ROWS).unwrap());
    budget.config = config.with_sort_spill_reservation_bytes(0);
    budget.start()
}

/// The session's settings, in a query of its own.
fn task(running: &Running) -> Arc<TaskContext> {
    let task = TaskContext::default()
        .with_session_config(running.context.copied_config())
        .with_runtime(running.runtime.query_env().unwrap());
    Arc::new(task)
}

fn spills(sort: &SortExec) -> usize {
    sort.metrics().unwrap().spill_count().unwrap()
}

async fn drain(sort: &dyn ExecutionPlan, context: Arc<TaskContext>) {
    let mut rows = sort.execute(0, context).unwrap();
    while let Some(batch) = rows.next().await {
        batch.unwrap();
    }
}

/// Stock pools that count registered consumers make each of them spill, `[3, 3, 2, 2, 0]` times.
#[test]
fn of_five_sorts_over_each_other_none_spills() {
    on_two_workers(async {
        let running = running(1_400_000);
        let mut sorts = Vec::new();
        let mut top = source();
        for level in 0..5 {
            let sort = sort(top, ["key", "value"][level % 2]);
            top = Arc::<SortExec>::clone(&sort);
            sorts.push(sort);
        }
        drain(&*top, running.context.task_ctx()).await;
        let spills: Vec<_> = sorts.iter().map(|sort| spills(sort)).collect();
        assert_eq!(spills, [0; 5]);
    });
}

/// A sort that comes late, in a query of its own, while another holds nearly all: it makes do with what
/// is left or what the rule gives it, and the total stays below the limit.
#[test]
fn one_that_comes_late_does_not_go_beyond_the_limit() {
    on_two_workers(async {
        let running = running(1_000_000);
        let (first, late) = (sort(source(), "key"), sort(source(), "key"));
        let mut rows = first.execute(0, task(&running)).unwrap();
        rows.next().await.unwrap().unwrap();
        assert_eq!(spills(&first), 0, "alone, it has it all");
        drain(&*late, task(&running)).await;
        assert!(spills(&late) > 0);
        while let Some(batch) = rows.next().await {
            batch.unwrap();
        }
        assert_eq!(spills(&first), 0);
        drop(rows);
        let stats = running.runtime.stats();
        assert!(stats.peak <= stats.total, "{stats:?}");
        check_no_query(&running.runtime);
    });
}

/// Both inputs of a merge join: each has what it needs, as the two fit together.
#[test]
fn of_two_sorts_side_by_side_none_spills() {
    on_two_workers(async {
        let running = running(2_000_000);
        let (left, right) = (sort(source(), "key"), sort(source(), "key"));
        let context = running.context.task_ctx();
        let streams = [&left, &right].map(|sort| sort.execute(0, context.clone()).unwrap());
        let [mut left_rows, mut right_rows] = streams;
        loop {
            let (one, two) = (left_rows.next().await, right_rows.next().await);
            let ends = one.is_none() && two.is_none();
            drop((one.transpose().unwrap(), two.transpose().unwrap()));
            if ends {
                break;
            }
        }
        assert_eq!([spills(&left), spills(&right)], [0, 0]);
    });
}

//! DataFusion's own scenarios of memory limits whose tables are made batch by batch.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StringViewArray};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlanProperties, SendableRecordBatchStream};
use datafusion::prelude::col;
use futures::TryStreamExt;

use crate::budget::{Budget, spills};
use crate::support::{Random, on_two_workers};

const KIB: u64 = 1 << 10;

/// One partition is driven to its end while the other is not looked at: what is for that one has to wait
/// on disk.
#[test]
fn repartitioning_spills_for_a_partition_that_nobody_drives() {
    on_two_workers(async {
        let mut budget = Budget::of_small_steps(1024 * KIB, 2);
        budget.config = budget.config.with_batch_size(32);
        let running = budget.start();
        let numbers = Int64Array::from_iter_values((0..100_000).map(|n| n % 10));
        let batch = RecordBatch::try_from_iter([("c", Arc::new(numbers) as ArrayRef)]).unwrap();
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        running
            .context
            .register_table("t", Arc::new(table))
            .unwrap();
        let frame = running
            .context
            .sql("SELECT c, count(*) AS n FROM t GROUP BY c")
            .await;
        let plan = frame.unwrap().create_physical_plan().await.unwrap();
        assert_eq!(plan.output_partitioning().partition_count(), 2);
        let mut groups = 0;
        for partition in 0..2 {
            let rows = plan.execute(partition, running.context.task_ctx()).unwrap();
            let rows: Vec<RecordBatch> = rows.try_collect().await.unwrap();
            groups += rows.iter().map(RecordBatch::num_rows).sum::<usize>();
            assert!(spills(&plan)["RepartitionExec"] > 0);
        }
        assert_eq!(groups, 10);
    });
}

/// A spilled batch of views must not carry along the text of all the others.
#[test]
fn views_are_spilled_without_the_text_of_others() {
    on_two_workers(async {
        let mut random = Random(7);
        let mut text = || {
            (0..12)
                .map(|_| format!("{:08x}", random.below(1 << 32)))
                .collect()
        };
        let batches = (0..20).map(|batch| {
            let words: Vec<String> = (0..1000).map(|_| text()).collect();
            let numbers = (batch * 1000..(batch + 1) * 1000).map(|n| (n * 7919) % 1000);
            RecordBatch::try_from_iter([
                (
                    "words",
                    Arc::new(StringViewArray::from_iter_values(words)) as ArrayRef,
                ),
                (
                    "numbers",
                    Arc::new(Int64Array::from_iter_values(numbers)) as ArrayRef,
                ),
            ])
            .unwrap()
        });
        let batches: Vec<_> = batches.collect();
        let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
        let mut budget = Budget::of_small_steps(6 << 20, 1);
        budget.config = budget.config.with_batch_size(1000);
        let budget = budget.setting(
            "datafusion.execution.sort_spill_reservation_bytes",
            "3000000",
        );
        let running = budget.start();
        running
            .context
            .register_table("t", Arc::new(table))
            .unwrap();
        let outcome = running.run("SELECT * FROM t ORDER BY numbers").await;
        outcome.completed().spilled("SortExec");
        assert_eq!(outcome.count(), 20_000);
        let written = running.runtime.stats().spilled.bytes_written;
        assert!(written < 8 << 20, "{written} bytes of 2.5 million");
    });
}

/// Rows of 64 KiB, of which a batch would be more than all memory.
#[test]
fn wide_rows_are_sorted_where_a_few_of_them_fit() {
    on_two_workers(async {
        let wide = |n: i64| format!("{n:08}{}", "x".repeat(64 << 10));
        let batches = (0..64).map(|batch| {
            let rows = || batch * 2..batch * 2 + 2;
            let ids = Int64Array::from_iter_values(rows());
            let text = StringArray::from_iter_values(rows().map(wide));
            RecordBatch::try_from_iter([
                ("id", Arc::new(ids) as ArrayRef),
                ("text", Arc::new(text) as ArrayRef),
            ])
            .unwrap()
        });
        let batches: Vec<_> = batches.collect();
        let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
        let mut budget = Budget::of_small_steps(4 << 20, 1);
        budget.config = budget.config.with_batch_size(16);
        let running = budget.start();
        running
            .context
            .register_table("t", Arc::new(table))
            .unwrap();
        let outcome = running.run("SELECT id, text FROM t ORDER BY id DESC").await;
        outcome.completed().spilled("SortExec");
        assert_eq!(outcome.count(), 128);
    });
}

/// Batches of a sorted, endless source.
#[derive(Debug)]
struct Endless(Vec<RecordBatch>, datafusion::arrow::datatypes::SchemaRef);

impl PartitionStream for Endless {
    fn schema(&self) -> &datafusion::arrow::datatypes::SchemaRef {
        &self.1
    }

    fn execute(&self, _: Arc<datafusion::execution::TaskContext>) -> SendableRecordBatchStream {
        let batches = self.0.clone().into_iter().map(Ok);
        let stream = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.1), stream))
    }
}

/// Sorted batches of numbers, 1 MiB in all.
fn sorted_batches(step: i64) -> Vec<RecordBatch> {
    let batch = |number: i64| {
        let numbers = (number * 1024..(number + 1) * 1024).map(|n| n * step);
        let text = numbers.clone().map(|n| format!("{n:0100}"));
        RecordBatch::try_from_iter([
            (
                "n",
                Arc::new(Int64Array::from_iter_values(numbers)) as ArrayRef,
            ),
            (
                "w",
                Arc::new(StringArray::from_iter_values(text)) as ArrayRef,
            ),
        ])
        .unwrap()
    };
    (0..10).map(batch).collect()
}

#[test]
fn joins_of_endless_sources_and_merges_of_sorted_ones_run_out() {
    on_two_workers(async {
        let running = Budget::of_small_steps(64 * KIB, 2).start();
        let batches = sorted_batches(1);
        let schema = batches[0].schema();
        let source: Arc<dyn PartitionStream> = Arc::new(Endless(batches, Arc::clone(&schema)));
        let endless = StreamingTable::try_new(Arc::clone(&schema), vec![source]).unwrap();
        let endless = Arc::new(endless.with_infinite_table(true));
        for name in ["a", "b"] {
            let table = Arc::<StreamingTable>::clone(&endless);
            running.context.register_table(name, table).unwrap();
        }
        let join = "SELECT a.* FROM a JOIN b ON a.n = b.n AND a.w = b.w";
        running
            .run(join)
            .await
            .has("SymmetricHashJoinExec")
            .exhausted();

        let parts = vec![sorted_batches(2), sorted_batches(3)];
        let order = vec![vec![col("n").sort(true, false)]];
        let table = MemTable::try_new(schema, parts)
            .unwrap()
            .with_sort_order(order);
        running
            .context
            .register_table("sorted", Arc::new(table))
            .unwrap();
        let merge = "SELECT * FROM sorted ORDER BY n ASC NULLS LAST LIMIT 10";
        running
            .run(merge)
            .await
            .has("SortPreservingMergeExec")
            .exhausted();
    });
}

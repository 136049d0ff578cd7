//! Two of the benchmark's ladders at a twentieth of their size: each query finishes under each limit.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::datasource::MemTable;

use crate::budget::{Budget, Running};
use crate::support::on_two_workers;

const ROWS: i64 = 200_000;
const PARTITIONS: i64 = 4;
/// Rows of a batch, of the table's and of the session's.
const BATCH: i64 = 8192 / 20;

const GROUP: &str = "SELECT a, count(*) AS n, sum(b) AS s, max(c) AS c FROM t GROUP BY a";
const SORT: &str = "SELECT * FROM t ORDER BY c";

/// Rows in no order, whose keys come four times each.
fn table() -> Arc<MemTable> {
    let number = |row: i64| (row * 7919) % ROWS;
    let batch = |first: i64, end: i64| {
        let rows = first..end;
        let keys = rows.clone().map(|row| number(row) % (ROWS / 4));
        let words = rows.clone().map(|row| format!("{:016x}", number(row)));
        RecordBatch::try_from_iter([
            (
                "a",
                Arc::new(Int64Array::from_iter_values(keys)) as ArrayRef,
            ),
            (
                "b",
                Arc::new(Int64Array::from_iter_values(rows.map(number))),
            ),
            ("c", Arc::new(StringArray::from_iter_values(words))),
        ])
        .unwrap()
    };
    let each = ROWS / PARTITIONS;
    let partition = |partition: i64| -> Vec<_> {
        let (first, end) = (partition * each, (partition + 1) * each);
        let starts = (first..end).step_by(usize::try_from(BATCH).unwrap());
        starts
            .map(|start| batch(start, end.min(start + BATCH)))
            .collect()
    };
    let partitions: Vec<_> = (0..PARTITIONS).map(partition).collect();
    let schema = partitions[0][0].schema();
    Arc::new(MemTable::try_new(schema, partitions).unwrap())
}

/// A limit of so many MiB, and what sorts take beforehand for their merges, in bytes; all at a twentieth.
fn session(mib: u64, merge: usize) -> Running {
    let mut budget = Budget::new((mib << 20) / 20, usize::try_from(PARTITIONS).unwrap());
    let config = budget
        .config
        .with_batch_size(usize::try_from(BATCH).unwrap())
        .with_sort_in_place_threshold_bytes((1 << 20) / 20);
    budget.config = config.with_sort_spill_reservation_bytes(merge / 20);
    budget.start()
}

fn finishes(sql: &str, rows: i64, limits: &[u64], merge: usize) {
    on_two_workers(async {
        let table = table();
        for limit in limits {
            let session = session(*limit, merge);
            let table = Arc::<MemTable>::clone(&table);
            session.context.register_table("t", table).unwrap();
            let count = session.run(sql).await.completed().count();
            assert_eq!(i64::try_from(count).unwrap(), rows, "at {limit} MiB");
        }
    });
}

#[test]
fn an_aggregate() {
    finishes(GROUP, ROWS / 4, &[128, 80, 64, 56, 48, 40], 10 << 20);
}

#[test]
fn a_sort_that_takes_little_beforehand() {
    finishes(SORT, ROWS, &[128, 80, 64, 56, 48, 40], 1 << 20);
}

/// Of 56 MiB, 40 are taken beforehand for merges, which sorts that are first must not fill in the meantime.
#[test]
fn a_sort_that_takes_much_beforehand() {
    finishes(SORT, ROWS, &[128, 80, 64, 56], 10 << 20);
}

//! DataFusion's own scenarios of memory limits, by their class of result.

use crate::budget::{Budget, Running};
use crate::support::on_two_workers;

const KIB: u64 = 1 << 10;

/// A log of accesses: `host`, `pod`, `time`, `bytes`, of so many rows.
async fn log(running: &Running, rows: u32) {
    running.prepare(&log_as("log", rows)).await;
}

fn log_as(name: &str, rows: u32) -> String {
    format!(
        "CREATE TABLE {name} AS SELECT concat('host', value % 40, '.example.org') AS host, \
         concat('pod', value % 2000) AS pod, value AS time, (value * 7919) % 10007 AS bytes \
         FROM generate_series(1, {rows})"
    )
}

#[test]
fn what_can_not_spill_runs_out() {
    on_two_workers(async {
        let one = "SELECT a.* FROM log a JOIN log b ON a.host = b.host";
        for (sql, partitions, operator) in [
            ("SELECT median(bytes) FROM log", 1, "AggregateExec"),
            (one, 1, "HashJoinExec"),
            (one, 2, "HashJoinExec"),
            (
                "SELECT a.time, b.time AS t FROM log a CROSS JOIN log b",
                1,
                "CrossJoinExec",
            ),
        ] {
            let running = Budget::of_small_steps(96 * KIB, partitions).start();
            log(&running, 20_000).await;
            running
                .run(sql)
                .await
                .has(operator)
                .exhausted()
                .did_not_spill();
        }
        let running = Budget::new(8 * KIB, 1).start();
        let recursive = "WITH RECURSIVE nodes AS (SELECT 1 AS id UNION ALL SELECT \
                         unnest(range(id + 1, id + 1000)) AS id FROM nodes WHERE id < 10) \
                         SELECT * FROM nodes";
        running
            .run(recursive)
            .await
            .has("RecursiveQueryExec")
            .exhausted();
    });
}

#[test]
fn sorts_and_aggregates_spill_and_complete() {
    on_two_workers(async {
        for (sql, rows, operator) in [
            (
                "SELECT * FROM log ORDER BY host DESC, time",
                20_000,
                "SortExec",
            ),
            (
                "SELECT pod, time, count(*), sum(bytes) FROM log GROUP BY pod, time",
                20_000,
                "AggregateExec",
            ),
            (
                "SELECT pod, count(DISTINCT time) FROM log GROUP BY pod",
                2000,
                "AggregateExec",
            ),
        ] {
            let running = Budget::of_small_steps(768 * KIB, 1).start();
            log(&running, 20_000).await;
            let outcome = running.run(sql).await;
            outcome.completed().spilled(operator);
            assert_eq!(outcome.count(), rows, "{sql}");
        }
    });
}

#[test]
fn what_fits_does_not_spill() {
    on_two_workers(async {
        for sql in [
            "SELECT * FROM log ORDER BY host DESC, time",
            "SELECT pod, time, count(*), sum(bytes) FROM log GROUP BY pod, time",
            "SELECT a.* FROM log a JOIN log b ON a.time = b.time",
        ] {
            let running = Budget::of_small_steps(16 << 20, 2).start();
            log(&running, 20_000).await;
            let outcome = running.run(sql).await;
            outcome.completed().did_not_spill();
            assert_eq!(outcome.count(), 20_000, "{sql}");
        }
    });
}

/// Merging needs memory that can't be spilled: what sorts take beforehand is theirs, and where they take
/// nothing they come through all the same.
#[test]
fn sorts_merge_in_what_they_took_beforehand_or_in_little() {
    on_two_workers(async {
        let sort = "SELECT * FROM log ORDER BY host, time DESC";
        let numbers = "CREATE TABLE n AS SELECT (value * 7919) % 1000003 AS v \
                       FROM generate_series(1, 150000)";
        for (reservation, partitions, sql, rows) in [
            ("98304", 1, sort, 30_000),
            ("1024", 1, sort, 30_000),
            ("0", 1, "SELECT * FROM n ORDER BY v", 150_000),
        ] {
            let reserved = "datafusion.execution.sort_spill_reservation_bytes";
            let budget = Budget::of_small_steps(1536 * KIB, partitions)
                .setting(reserved, reservation)
                .setting("datafusion.execution.sort_in_place_threshold_bytes", "10");
            let running = budget.start();
            log(&running, 30_000).await;
            running.prepare(numbers).await;
            let outcome = running.run(sql).await;
            outcome.completed().spilled("SortExec");
            assert_eq!(outcome.count(), rows);
        }
    });
}

/// All rows have come, the buffer is almost full, and there are spilled runs to merge it with.
#[test]
fn a_buffer_that_is_almost_full_is_merged_with_spilled_runs() {
    on_two_workers(async {
        let budget = Budget::of_small_steps(1280 * KIB, 1);
        let reserved = "datafusion.execution.sort_spill_reservation_bytes";
        let running = budget.setting(reserved, "375000").start();
        for rows in [105_000, 112_500, 120_000] {
            let sql =
                format!("SELECT * FROM generate_series(1, {rows}) AS t(v) ORDER BY v % 1000, v");
            let outcome = running.run(&sql).await;
            outcome.completed().spilled("SortExec");
            assert_eq!(outcome.count(), rows);
        }
    });
}

#[test]
fn sort_merge_joins_complete_by_spilling() {
    on_two_workers(async {
        let budget = Budget::of_small_steps(1024 * KIB, 2);
        let running = budget
            .setting("datafusion.optimizer.prefer_hash_join", "false")
            .start();
        log(&running, 15_000).await;
        let sql = "SELECT a.* FROM log a JOIN log b ON a.pod = b.pod AND a.time = b.time";
        let outcome = running.run(sql).await;
        outcome
            .completed()
            .has("SortMergeJoinExec")
            .spilled("SortExec");
        assert_eq!(outcome.count(), 15_000);
    });
}

/// Joins by an inequality load one side in pieces where it does not fit. No row may be lost by that.
#[test]
fn nested_loop_joins_keep_unmatched_rows_when_they_spill() {
    on_two_workers(async {
        let tables = [
            "CREATE TABLE l AS SELECT value % 10 AS k, (value * 7919) % 60 AS v, \
             repeat('x', 100) AS x FROM generate_series(1, 500)",
            "CREATE TABLE r AS SELECT value % 10 AS k, (value * 104729) % 50 AS w, \
             repeat('y', 100) AS y FROM generate_series(1, 400)",
        ];
        for sql in [
            "SELECT l.k, l.v, l.x, r.w FROM l LEFT JOIN r ON l.v > r.w + 40 AND l.x <> r.y",
            "SELECT l.k, l.v, l.x FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE l.v > r.w + 5 AND l.x <> r.y)",
            "SELECT l.k, l.x, r.w, r.y FROM l FULL JOIN r ON l.v > r.w + 40 AND l.x <> r.y",
        ] {
            let mut outcomes = Vec::new();
            for bytes in [64 << 20, 24 * KIB] {
                let mut budget = Budget::of_small_steps(bytes, 1);
                budget.config = budget.config.with_batch_size(16);
                let running = budget.start();
                for table in tables {
                    running.prepare(table).await;
                }
                outcomes.push(running.run(sql).await);
            }
            outcomes[0].completed().did_not_spill();
            outcomes[1].completed().spilled("NestedLoopJoinExec");
            assert!(!outcomes[0].rows.is_empty());
            assert_eq!(outcomes[0].lines(), outcomes[1].lines(), "{sql}");
        }
    });
}

/// One half of a union has nulls and the other has none; what is spilled has to read back as either.
#[test]
fn unions_of_what_may_be_null_and_what_may_not_spill() {
    on_two_workers(async {
        let running = Budget::of_small_steps(768 * KIB, 1).start();
        log(&running, 10_000).await;
        let sql = "SELECT host, time FROM (SELECT host, time FROM log UNION ALL \
                   SELECT CAST(NULL AS VARCHAR), value FROM generate_series(1, 10000)) \
                   GROUP BY host, time";
        let outcome = running.run(sql).await;
        assert_eq!(outcome.completed().count(), 20_000);
        assert!(running.runtime.stats().spilled.files_created > 0);
    });
}

/// The disk has a limit, too; whatever became of the query, nothing is left there.
#[test]
fn the_limit_of_the_disk_is_kept() {
    on_two_workers(async {
        let sql = "SELECT concat('word number ', (v * 7919) % 100003) AS w, v \
                   FROM generate_series(1, 60000) AS t(v) ORDER BY w, v";
        for (disk, completes) in [(64 << 20, true), (100 * KIB, false)] {
            let mut budget = Budget::of_small_steps(512 * KIB, 1);
            budget.disk = disk;
            let running = budget.start();
            let outcome = running.run(sql).await;
            if completes {
                outcome.completed().spilled("SortExec");
            } else {
                let error = outcome.error.as_ref().unwrap().to_string();
                assert!(
                    error.contains("spill files may take up 102400 bytes"),
                    "{error}"
                );
            }
            assert_eq!(running.runtime.stats().spilled.files_alive, 0);
        }
    });
}

#[test]
fn what_datafusion_compresses_is_spilled_all_the_same() {
    on_two_workers(async {
        for codec in ["uncompressed", "lz4_frame", "zstd"] {
            let budget = Budget::of_small_steps(512 * KIB, 1);
            let running = budget
                .setting("datafusion.execution.spill_compression", codec)
                .start();
            let sql = "SELECT * FROM generate_series(1, 50000) AS t(v) ORDER BY v % 1000, v";
            let outcome = running.run(sql).await;
            outcome.completed().spilled("SortExec");
            assert_eq!(outcome.count(), 50_000);
        }
    });
}

#[test]
fn writing_parquet_pays_for_its_buffers() {
    on_two_workers(async {
        let directory = tempfile::tempdir().unwrap();
        for (bytes, completes) in [(200 * KIB, false), (64 << 20, true)] {
            let running = Budget::of_small_steps(bytes, 1).start();
            log(&running, 40_000).await;
            let path = directory.path().join(format!("{bytes}.parquet"));
            let sql = format!(
                "COPY log TO '{}' STORED AS PARQUET OPTIONS (compression 'uncompressed')",
                path.display()
            );
            let outcome = running.run(&sql).await;
            if completes {
                outcome.completed();
            } else {
                outcome.exhausted();
            }
        }
    });
}

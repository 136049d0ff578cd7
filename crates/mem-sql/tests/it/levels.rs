//! Storage levels of cached tables.

use mem_sql::{CachedTable, HearthOptions, HearthSession};
use mem_store::StorageLevel;

use crate::support::{MIB, check_no_query, on_two_workers, runtime, session, show};

const QUERY: &str = "SELECT value AS v, concat('word number ', value % 1000) AS w \
                     FROM generate_series(1, 200000)";
const TELL: &str = "SELECT count(*) AS n, sum(v) AS v, count(DISTINCT w) AS w FROM c";

async fn cache(session: &HearthSession, options: &str) -> std::sync::Arc<CachedTable> {
    let sql = format!("CACHE TABLE c {options} AS {QUERY}");
    session.run(&sql).await.unwrap();
    session.cached_tables().pop().unwrap().1
}

/// Takes all memory that queries can have, and gives it back.
fn squeeze(session: &HearthSession) {
    let hungry = session.query().unwrap();
    let held = datafusion::execution::memory_pool::MemoryConsumer::new("a hungry query")
        .register(&hungry.runtime_env().memory_pool);
    while held.try_grow(64 << 10).is_ok() {}
}

#[test]
fn disk_only_takes_no_memory() {
    on_two_workers(async {
        let session = session(32 * MIB, 1);
        let before = session.runtime().stats().storage;
        let table = cache(&session, "OPTIONS ('storageLevel' 'DISK_ONLY')").await;
        let (memory, disk) = table.size().await.unwrap();
        assert!(memory == 0 && disk > MIB, "{memory} {disk}");
        let shown = show(&session, TELL).await.unwrap();
        assert!(shown.contains("200000") && shown.contains("20000100000"));
        assert_eq!(table.size().await.unwrap(), (0, disk));
        assert_eq!(session.runtime().stats().storage, before);
        check_no_query(session.runtime());
    });
}

#[test]
fn memory_only_never_goes_to_disk_and_is_made_again() {
    on_two_workers(async {
        let session = session(8 * MIB, 1);
        session
            .run("SET hearth.storage_level = 'memory_only'")
            .await
            .unwrap();
        let table = cache(&session, "").await;
        let whole = table.size().await.unwrap();
        assert!(whole.0 > 3 * MIB && whole.1 == 0, "{whole:?}");
        let expected = show(&session, TELL).await.unwrap();
        squeeze(&session);
        let left = table.size().await.unwrap();
        assert!(left.0 < whole.0 && left.1 == 0, "{left:?}");
        assert_eq!(show(&session, TELL).await.unwrap(), expected);
        assert_eq!(table.size().await.unwrap(), whole);
        let written = session.runtime().stats().spilled.bytes_written;
        assert_eq!(written, 0);
        check_no_query(session.runtime());
    });
}

#[test]
fn what_does_not_fit_without_a_disk_is_run_each_time() {
    on_two_workers(async {
        let session = session(2 * MIB, 1);
        let table = cache(&session, "OPTIONS ('storageLevel' = 'MEMORY_ONLY_SER')").await;
        assert_eq!(table.size().await, None);
        for _ in 0..2 {
            let shown = show(&session, TELL).await.unwrap();
            assert!(shown.contains("200000") && shown.contains("20000100000"));
        }
        let few = show(&session, "SELECT w FROM c WHERE v = 99999 LIMIT 1").await;
        assert!(few.unwrap().contains("word number 999"));
        check_no_query(session.runtime());
    });
}

#[test]
fn with_a_disk_what_does_not_fit_is_there() {
    on_two_workers(async {
        let session = session(2 * MIB, 1);
        let table = cache(&session, "OPTIONS ('storageLevel' = 'MEMORY_AND_DISK')").await;
        let (memory, disk) = table.size().await.unwrap();
        assert!(memory > 0 && disk > 2 * MIB, "{memory} {disk}");
        for _ in 0..2 {
            let shown = show(&session, TELL).await.unwrap();
            assert!(shown.contains("200000") && shown.contains("20000100000"));
        }
        let stats = session.runtime().stats();
        assert!(stats.peak <= stats.total, "{stats:?}");
        check_no_query(session.runtime());
    });
}

/// The columns that are not asked for, and rows that are, in the form of the table.
#[test]
fn columns_are_chosen_by_every_level() {
    on_two_workers(async {
        for level in ["MEMORY_ONLY", "MEMORY_AND_DISK", "DISK_ONLY", "OFF_HEAP"] {
            let session = session(32 * MIB, 1);
            cache(&session, &format!("OPTIONS ('storageLevel' '{level}')")).await;
            let shown = show(
                &session,
                "SELECT w, v FROM c WHERE v IN (7, 1007) ORDER BY v",
            )
            .await
            .unwrap();
            assert_eq!(
                shown.matches("word number 7 ").count(),
                2,
                "{level}: {shown}"
            );
            let shown = show(&session, "SELECT count(*) FROM c").await.unwrap();
            assert!(shown.contains("200000"), "{level}: {shown}");
        }
    });
}

#[test]
fn levels_that_are_none_are_refused() {
    on_two_workers(async {
        let session = session(32 * MIB, 1);
        for (sql, word) in [
            ("SET hearth.storage_level = 'MEMORY'", "MEMORY_AND_DISK"),
            ("SET hearth.level = 'MEMORY_ONLY'", "hearth.storage_level"),
            (
                "CACHE TABLE c OPTIONS ('storageLevel' 'X') AS SELECT 1",
                "\"X\"",
            ),
            (
                "CACHE TABLE c OPTIONS ('level' 'X') AS SELECT 1",
                "storageLevel",
            ),
            ("CACHE TABLE c AS DROP TABLE t", "expected a query"),
        ] {
            let error = session.run(sql).await.unwrap_err().to_string();
            assert!(error.contains(word), "{sql}: {error}");
        }
        let shown = show(&session, "SHOW hearth.storage_level").await.unwrap();
        assert!(shown.contains("| MEMORY_AND_DISK |"), "{shown}");
        let mut config = datafusion::prelude::SessionConfig::new();
        config.options_mut().extensions.insert(HearthOptions {
            storage_level: StorageLevel::DISK_ONLY,
        });
        let session = HearthSession::with_config(runtime(32 * MIB), config).unwrap();
        let table = cache(&session, "").await;
        assert_eq!(table.size().await.unwrap().0, 0);
    });
}

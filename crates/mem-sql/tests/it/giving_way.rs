//! A cached table of half the memory, and queries that need more than is left.

use mem_sql::HearthSession;

use crate::support::{MIB, check_no_query, on_two_workers, runtime_with, show, show_with_stats};

/// All memory.
const TOTAL: u64 = 8 * MIB;
/// A block, which gives way as a whole, in bytes.
const BLOCK: u64 = 64 << 10;
/// What queries and blocks do not come out even by, in bytes.
const SLACK: u64 = MIB / 4;
const TELL: &str = "SELECT count(*) AS n, sum(k) AS k, sum(v) AS v, count(DISTINCT w) AS w FROM c";

/// A session with a cached table `c` of half the memory, which storage keeps `fraction` of.
async fn with_table(fraction: &str) -> HearthSession {
    let settings = [("spark.memory.storageFraction", fraction)];
    let session = HearthSession::new(runtime_with(TOTAL, &settings), 1).unwrap();
    // One, so that it is the same memory each time.
    session
        .run("SET datafusion.execution.target_partitions = 1")
        .await
        .unwrap();
    let sql = "CACHE TABLE c AS SELECT value AS v, (value * 7919) % 5000 AS k, \
               concat('a rather long word, number ', value % 1000) AS w \
               FROM generate_series(1, 85000)";
    session.run(sql).await.unwrap();
    let (memory, _) = table_size(&session).await;
    assert!(
        (TOTAL / 2..TOTAL / 2 + MIB / 2).contains(&memory),
        "half the memory, not {memory}"
    );
    session
}

/// Bytes of the table in memory, and on disk.
async fn table_size(session: &HearthSession) -> (u64, u64) {
    let tables = session.cached_tables();
    tables[0].1.size().await.unwrap()
}

fn bytes_read(session: &HearthSession) -> u64 {
    session.runtime().stats().spilled.bytes_read
}

/// The rows of the table are what they were, and the table is whole in memory again.
async fn check_it_comes_back(session: &HearthSession, rows: &str, whole: u64) {
    check_no_query(session.runtime());
    let read = bytes_read(session);
    assert_eq!(show(session, TELL).await.unwrap(), rows);
    assert!(bytes_read(session) > read, "from disk");
    let (memory, _) = table_size(session).await;
    assert_eq!(memory, whole);
    let read = bytes_read(session);
    assert_eq!(show(session, TELL).await.unwrap(), rows);
    assert_eq!(bytes_read(session), read, "from memory");
    check_no_query(session.runtime());
}

/// A join whose one side is three quarters of the memory, and can't be spilled.
#[test]
fn a_query_that_needs_three_quarters_gets_them_and_the_table_comes_back() {
    on_two_workers(async {
        let session = with_table("0.25").await;
        let rows = show(&session, TELL).await.unwrap();
        let before = session.runtime().stats();
        let (whole, _) = table_size(&session).await;

        let join = "SELECT count(*) AS n FROM (SELECT value AS v, \
                    concat(repeat('x', 60), value) AS w FROM generate_series(1, 70000)) AS a \
                    JOIN generate_series(1, 70000) AS b(v) ON a.v = b.v \
                    AND a.w <> concat('y', b.v)";
        let (shown, stats) = show_with_stats(&session, join).await.unwrap();
        assert!(shown.contains("70000"), "{shown}");
        let peak = stats.unwrap().peak;
        assert!(
            (TOTAL / 100 * 70..=TOTAL / 4 * 3).contains(&peak),
            "three quarters, not {peak}"
        );

        // Blocks were evicted down to the storage region, and no further than was needed.
        let after = session.runtime().stats();
        assert!(after.counters.evictions > before.counters.evictions);
        assert!(
            after.storage + BLOCK > after.storage_region,
            "{} below the region",
            after.storage
        );
        let needless = (TOTAL - peak).saturating_sub(after.storage);
        assert!(needless <= SLACK, "{needless} evicted for nothing");
        assert!(
            after.storage <= after.storage_region + TOTAL / 16,
            "{after:?}"
        );
        assert_eq!((after.overdraft_peak, after.peak <= after.total), (0, true));

        check_it_comes_back(&session, &rows, whole).await;
    });
}

/// A sort that would need all: with Spark's fraction it gets the other half, and spills.
#[test]
fn a_query_that_spills_leaves_the_storage_region_alone() {
    on_two_workers(async {
        let session = with_table("0.45").await;
        let rows = show(&session, TELL).await.unwrap();
        let (whole, _) = table_size(&session).await;
        let sort = "SELECT count(*) AS n, max(r) AS r FROM (SELECT row_number() OVER \
                    (ORDER BY w DESC) AS r FROM (SELECT concat('some words of no use ', \
                    (value * 7919) % 1000003) AS w FROM generate_series(1, 75000)))";
        let (shown, stats) = show_with_stats(&session, sort).await.unwrap();
        assert!(shown.contains("75000"), "{shown}");
        let after = session.runtime().stats();
        assert!(stats.unwrap().refusals > 0, "it was to spill");
        assert!(after.storage + BLOCK > after.storage_region, "{after:?}");
        assert!(after.counters.evictions > 0, "{after:?}");
        check_it_comes_back(&session, &rows, whole).await;
    });
}

/// While the other query still holds all that it could have, the table is read from disk.
#[test]
fn a_table_is_read_beside_the_query_that_took_its_memory() {
    on_two_workers(async {
        let session = with_table("0.25").await;
        let rows = show(&session, TELL).await.unwrap();
        let (whole, _) = table_size(&session).await;
        let hungry = session.query().unwrap();
        let held = datafusion::execution::memory_pool::MemoryConsumer::new("a hungry query")
            .register(&hungry.runtime_env().memory_pool);
        while held.try_grow(32 << 10).is_ok() {}
        let (memory, disk) = table_size(&session).await;
        let stats = session.runtime().stats();
        assert!(stats.storage + BLOCK > stats.storage_region, "{stats:?}");
        assert!(memory < whole / 2 + SLACK && memory + disk >= whole);

        // It takes its share of two.
        held.shrink(held.size() / 3);
        let read = bytes_read(&session);
        assert_eq!(show(&session, TELL).await.unwrap(), rows);
        assert!(bytes_read(&session) > read);
        drop((held, hungry));
        assert_eq!(show(&session, TELL).await.unwrap(), rows);
        assert_eq!(table_size(&session).await.0, whole);
        check_no_query(session.runtime());
    });
}

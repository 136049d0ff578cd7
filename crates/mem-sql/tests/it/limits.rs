//! Real queries under limits: the same answers, and nothing beyond the limit.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionContext;
use mem_sql::HearthSession;

use crate::support::{MIB, check_no_query, on_two_workers, session, show, table};

const QUERIES: [&str; 4] = [
    "SELECT * FROM t ORDER BY w, v DESC",
    "SELECT k, count(*) AS n, sum(v) AS s, max(w) AS w FROM t GROUP BY k ORDER BY k",
    "SELECT k, v, row_number() OVER (PARTITION BY k ORDER BY v) AS r FROM t ORDER BY k, r",
    "SELECT count(*) AS n, sum(a.v) AS s FROM t AS a JOIN t AS b ON a.k = b.k AND a.v < b.v",
];

#[test]
fn answers_under_limits_are_the_answers() {
    on_two_workers(async {
        let roomy = session(1024 * MIB, 1);
        table(&roomy, 60_000).await;
        for sql in QUERIES {
            let expected = show(&roomy, sql).await.unwrap();
            for limit in [24, 12] {
                let tight = session(limit * MIB, 1);
                table(&tight, 60_000).await;
                assert!(
                    show(&tight, sql).await.unwrap() == expected,
                    "{sql} at {limit} MiB"
                );
                let stats = tight.runtime().stats();
                assert!(stats.peak <= stats.total, "{sql} at {limit} MiB: {stats:?}");
                check_no_query(&tight);
            }
        }
    });
}

#[test]
fn what_can_not_be_done_is_refused_with_the_reason() {
    on_two_workers(async {
        let tight = session(8 * MIB, 1);
        table(&tight, 100_000).await;
        let join = "SELECT count(*) FROM t AS a JOIN (SELECT *, concat(w, w, w, w) AS x FROM t) AS b \
                    ON a.v = b.v WHERE a.w < b.x";
        let error = show(&tight, join).await.unwrap_err();
        let told = error.to_string();
        assert!(
            matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
            "{told}"
        );
        assert!(
            told.contains("HashJoinInput") && told.contains("spark.memory.offHeap.size"),
            "{told}"
        );
        check_no_query(&tight);
    });
}

/// A sort that takes all it can get, and a join that needs a quarter of it and can't spill.
async fn two_queries(sort: SessionContext, join: SessionContext) -> [bool; 2] {
    let sorting = tokio::spawn(async move {
        let rows = sort.sql("SELECT * FROM t ORDER BY w, v").await?;
        rows.collect().await
    });
    let joining = tokio::spawn(async move {
        let rows = join
            .sql("SELECT count(*) FROM t AS a JOIN t AS b ON a.v = b.v")
            .await?;
        rows.collect().await
    });
    [
        sorting.await.unwrap().is_ok(),
        joining.await.unwrap().is_ok(),
    ]
}

#[test]
fn two_queries_at_once_both_finish() {
    on_two_workers(async {
        let session = session(24 * MIB, 2);
        table(&session, 100_000).await;
        for _ in 0..3 {
            let done = two_queries(session.query().unwrap(), session.query().unwrap()).await;
            assert_eq!(done, [true, true]);
        }
        let stats = session.runtime().stats();
        assert!(stats.peak <= stats.total, "{stats:?}");
        check_no_query(&session);
    });
}

/// The tables of a session under a stock pool.
fn stock(session: &HearthSession, bytes: usize) -> SessionContext {
    let top = NonZeroUsize::new(5).unwrap();
    let pool: Arc<dyn MemoryPool> =
        Arc::new(TrackConsumersPool::new(GreedyMemoryPool::new(bytes), top));
    let env = RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .build_arc()
        .unwrap();
    let state = SessionStateBuilder::new_from_existing(session.base().state());
    SessionContext::new_with_state(state.with_runtime_env(env).build())
}

/// What the stock pool does with a query that ours runs.
#[test]
fn the_stock_pool_is_there_to_compare() {
    on_two_workers(async {
        let session = session(24 * MIB, 2);
        table(&session, 10_000).await;
        let stock = stock(&session, 24 << 20);
        let done = two_queries(stock.clone(), stock).await;
        assert_eq!(done, [true, true]);
    });
}

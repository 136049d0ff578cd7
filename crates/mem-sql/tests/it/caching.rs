//! Cached tables, and queries beside them.

use datafusion::assert_batches_eq;
use datafusion::prelude::DataFrame;
use mem_sql::HearthSession;

use crate::support::{MIB, check_no_query, on_two_workers, session, show, table};

/// Sums that tell whether all rows are there.
const ALL: &str = "SELECT count(*) AS n, sum(k) AS k, sum(v) AS v, count(DISTINCT w) AS w FROM ";

fn storage(session: &HearthSession) -> u64 {
    session.runtime().stats().storage
}

#[test]
fn a_cached_table_is_storage_memory_until_it_is_uncached() {
    on_two_workers(async {
        let session = session(64 * MIB, 1);
        table(&session, 50_000).await;
        let before = storage(&session);
        let expected = show(&session, &format!("{ALL} t")).await.unwrap();
        session
            .run("CACHE TABLE c AS SELECT * FROM t")
            .await
            .unwrap();
        let cached = storage(&session) - before;
        assert!(cached > MIB, "{cached}");
        for _ in 0..2 {
            assert_eq!(show(&session, &format!("{ALL} c")).await.unwrap(), expected);
        }
        assert_eq!(storage(&session), before + cached);
        assert!(session.run("CACHE TABLE c AS SELECT 1").await.is_err());
        // As in Spark, what is not cached any more is still there, to be run each time.
        session.run("UNCACHE TABLE public.c").await.unwrap();
        assert_eq!(storage(&session), before);
        assert!(session.run("UNCACHE TABLE c").await.is_err());
        session.run("UNCACHE TABLE IF EXISTS c").await.unwrap();
        assert_eq!(show(&session, &format!("{ALL} c")).await.unwrap(), expected);
        session.run("CACHE TABLE c").await.unwrap();
        assert_eq!(storage(&session), before + cached);
        // A cached table that is dropped is none any more.
        session.run("DROP TABLE c").await.unwrap();
        assert_eq!(storage(&session), before);
        assert!(session.run("UNCACHE TABLE c").await.is_err());
        assert!(session.run("SELECT * FROM c").await.is_err());
        check_no_query(session.runtime());
    });
}

#[test]
fn a_table_is_cached_in_its_place_lazily_and_put_back() {
    on_two_workers(async {
        let session = session(64 * MIB, 1);
        table(&session, 10_000).await;
        let before = storage(&session);
        let expected = show(&session, &format!("{ALL} t")).await.unwrap();
        session.run("CACHE LAZY TABLE t").await.unwrap();
        session.run("CACHE TABLE t").await.unwrap();
        assert_eq!(storage(&session), before);
        assert_eq!(show(&session, &format!("{ALL} t")).await.unwrap(), expected);
        assert!(storage(&session) > before);
        session.run("CLEAR CACHE").await.unwrap();
        assert_eq!(storage(&session), before);
        assert_eq!(show(&session, &format!("{ALL} t")).await.unwrap(), expected);
    });
}

#[test]
fn frames_are_cached_when_they_are_first_read() {
    on_two_workers(async {
        let session = session(64 * MIB, 1);
        table(&session, 10_000).await;
        let before = storage(&session);
        let frame = session
            .run("SELECT k, v FROM t WHERE v > 9000")
            .await
            .unwrap()
            .unwrap();
        let cached: DataFrame = frame.cache().await.unwrap();
        assert_eq!(storage(&session), before);
        assert_eq!(cached.clone().count().await.unwrap(), 1000);
        let held = storage(&session);
        assert!(held > before);
        let few = cached
            .clone()
            .limit(0, Some(3))
            .unwrap()
            .collect()
            .await
            .unwrap();
        assert_eq!(few.iter().map(|batch| batch.num_rows()).sum::<usize>(), 3);
        assert_eq!(storage(&session), held);
        drop((cached, few));
        // What was reading on for the three rows lets go a moment after it was called off.
        while storage(&session) != before {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn what_a_cached_table_holds_is_typed_as_the_query_is() {
    on_two_workers(async {
        let session = session(64 * MIB, 1);
        let sql = "CACHE TABLE c AS SELECT 1 AS one, CAST(NULL AS VARCHAR) AS nothing, \
                   make_array(1, 2) AS list, DATE '2024-02-29' AS day \
                   UNION ALL SELECT 2, 'b', make_array(3), NULL";
        session.run(sql).await.unwrap();
        let rows = session
            .run("SELECT * FROM c ORDER BY one")
            .await
            .unwrap()
            .unwrap();
        let expected = [
            "+-----+---------+--------+------------+",
            "| one | nothing | list   | day        |",
            "+-----+---------+--------+------------+",
            "| 1   |         | [1, 2] | 2024-02-29 |",
            "| 2   | b       | [3]    |            |",
            "+-----+---------+--------+------------+",
        ];
        assert_batches_eq!(expected, &rows.collect().await.unwrap());
        // An empty one is one, too.
        session
            .run("CACHE TABLE e AS SELECT * FROM c WHERE one > 5")
            .await
            .unwrap();
        let rows = session.run("SELECT * FROM e").await.unwrap().unwrap();
        assert_eq!(rows.count().await.unwrap(), 0);
    });
}

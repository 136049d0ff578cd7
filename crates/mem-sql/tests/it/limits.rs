//! Real queries under limits: the same answers, and nothing beyond the limit.

use datafusion::common::DataFusionError;

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
        table(&roomy, 20_000).await;
        for sql in QUERIES {
            let expected = show(&roomy, sql).await.unwrap();
            for limit in [12, 6] {
                let tight = session(limit * MIB, 1);
                table(&tight, 20_000).await;
                assert!(
                    show(&tight, sql).await.unwrap() == expected,
                    "{sql} at {limit} MiB"
                );
                let stats = tight.runtime().stats();
                assert!(stats.peak <= stats.total, "{sql} at {limit} MiB: {stats:?}");
                check_no_query(tight.runtime());
            }
        }
    });
}

#[test]
fn what_can_not_be_done_is_refused_with_the_reason() {
    on_two_workers(async {
        let tight = session(2 * MIB, 1);
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
        check_no_query(tight.runtime());
    });
}

//! A cluster in this process.

use ballista::prelude::SessionConfigExt;
use ballista_core::utils::default_session_builder;
use datafusion::prelude::{SessionConfig, SessionContext};
use mem_ballista::{Cluster, planned_for};

use crate::support::{answer, answers, memory, register, rows, run, tables, text};

/// A session with fewer partitions than Ballista's: there is little data.
async fn session(cluster: &Cluster) -> SessionContext {
    let config = SessionConfig::new_with_ballista().with_target_partitions(4);
    let executors = cluster.executors();
    let config = planned_for(executors[0].runtime(), executors[0].vcores(), config);
    let state = default_session_builder(config).unwrap();
    cluster.session_with(state).await.unwrap()
}

#[test]
fn queries_are_right_and_memory_is_given_back_after_each() {
    run(async {
        let memories = [memory("64m"), memory("64m")];
        let cluster = Cluster::start(&memories, 2).await.unwrap();
        let session = session(&cluster).await;
        register(&session, tables()).await;
        for (query, rows) in answers().await {
            let got = answer(&session, text(*query)).await.unwrap();
            assert_eq!(&got, rows, "query {query}");
            for executor in cluster.executors() {
                let memory = executor.runtime().stats();
                assert_eq!(
                    (memory.execution, memory.overdraft),
                    (0, 0),
                    "query {query}"
                );
                assert_eq!(executor.running(), 0);
            }
        }
        let ran = cluster
            .executors()
            .into_iter()
            .flat_map(|executor| executor.jobs());
        let ran: Vec<_> = ran.collect();
        assert!(
            ran.iter()
                .all(|job| job.succeeded > 0 && job.leaks == 0 && job.held == 0)
        );
        assert!(ran.iter().any(|job| job.peak > 0));
        cluster.shutdown().await.unwrap();
    });
}

#[test]
fn a_sort_of_more_than_memory_spills_and_is_right() {
    run(async {
        let memories = [memory("3m")];
        let cluster = Cluster::start(&memories, 2).await.unwrap();
        let session = session(&cluster).await;
        register(&session, tables()).await;
        let plain = SessionContext::new();
        register(&plain, tables()).await;
        let sort = "SELECT l_comment, l_orderkey, l_linenumber FROM lineitem \
            ORDER BY l_comment, l_orderkey, l_linenumber";
        let sorted = rows(&plain, sort).await.unwrap();
        assert_eq!(rows(&session, sort).await.unwrap(), sorted);
        let stats = cluster.executors()[0].runtime().stats();
        assert!(stats.spilled.bytes_written > 0, "{stats:?}");
        assert_eq!((stats.execution, stats.on_disk), (0, 0));
        // What could not be refused came on top.
        assert!(stats.peak <= (3 << 20) + stats.overdraft_peak, "{stats:?}");
        cluster.shutdown().await.unwrap();
    });
}

#[test]
fn what_does_not_fit_fails_with_who_held_what_and_leaves_nothing() {
    run(async {
        let memories = [memory("2m")];
        let cluster = Cluster::start(&memories, 2).await.unwrap();
        // The plan is for more memory than there is: one side of the join is in memory.
        let config = SessionConfig::new_with_ballista()
            .with_target_partitions(4)
            .set_bool("datafusion.optimizer.prefer_hash_join", true);
        let state = default_session_builder(config).unwrap();
        let session = cluster.session_with(state).await.unwrap();
        register(&session, tables()).await;
        let join = "SELECT count(*), max(a.l_comment), max(b.l_comment) FROM lineitem a \
            JOIN lineitem b ON a.l_orderkey = b.l_orderkey AND a.l_linenumber = b.l_linenumber";
        let error = answer(&session, join).await.unwrap_err().to_string();
        for words in [
            "Hearth refused",
            "of its executor, where task",
            "would have helped",
        ] {
            assert!(error.contains(words), "{error}");
        }
        let job = cluster.executors()[0].jobs().pop().unwrap();
        assert!(job.failed > 0, "{job}");
        cluster.shutdown().await.unwrap();
        assert_eq!(memories[0].stats().execution, 0);
    });
}

#[test]
fn a_cluster_stops_in_the_middle_of_a_query() {
    run(async {
        let memories = [memory("64m"), memory("64m")];
        let cluster = Cluster::start(&memories, 2).await.unwrap();
        let session = session(&cluster).await;
        register(&session, tables()).await;
        let query = tokio::spawn(async move { answer(&session, text(9)).await });
        while cluster
            .executors()
            .iter()
            .all(|executor| executor.running() == 0)
        {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        cluster.shutdown().await.unwrap();
        assert!(memories.iter().all(|memory| memory.stats().execution == 0));
        assert!(query.await.unwrap().is_err());
    });
}

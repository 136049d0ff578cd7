//! A cluster in this process.

use mem_ballista::Cluster;

use crate::support::{answer, expected, memory, register, run, tables, text};

#[test]
fn queries_are_right_and_memory_is_given_back_after_each() {
    run(async {
        let memories = [memory("64m"), memory("64m")];
        let cluster = Cluster::start(&memories, 2).await.unwrap();
        let session = cluster.session().await.unwrap();
        register(&session, tables()).await;
        for (query, rows) in expected(tables()).await {
            let got = answer(&session, text(query)).await.unwrap();
            assert_eq!(got, rows, "query {query}");
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

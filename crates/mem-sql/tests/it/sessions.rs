//! What statements do, and what they are.

use mem_datafusion::HearthRuntime;
use mem_sql::{HearthSession, Statement};
use mem_store::StorageLevel;

use crate::support::{MIB, check_no_query, on_two_workers, session, show, table};

#[test]
fn texts_are_split_at_semicolons_that_are_none_of_a_text() {
    let text = "SELECT ';' AS \";\"; -- a comment; still\n /* and ; */ SELECT 'it''s';; \n";
    let statements = Statement::parse_all(text).unwrap();
    assert_eq!(statements.len(), 2, "{statements:?}");
    assert!(statements.iter().all(Statement::is_query));
    let text = "CACHE TABLE a AS SELECT ';'; CLEAR CACHE; UNCACHE TABLE b; COPY t TO 'f'";
    let statements = Statement::parse_all(text).unwrap();
    assert_eq!(statements.len(), 4, "{statements:?}");
    assert!(!statements.iter().any(Statement::is_query));
    assert!(Statement::parse_all(" ; -- nothing").unwrap().is_empty());
    for wrong in [
        "SELECT 'open",
        "CLEAR CACHE now",
        "CACHE a",
        "UNCACHE TABLE",
        "SELECT 1 2 3",
    ] {
        assert!(Statement::parse_all(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn sparks_statements_are_told_from_others() {
    let parse = |text| Statement::parse(text).unwrap();
    let Statement::Cache(cache) = parse("CACHE TABLE a AS SELECT 1") else {
        panic!("a cache statement");
    };
    assert_eq!(cache.name.table(), "a");
    assert!(cache.query.is_some() && !cache.lazy && cache.level.is_none());
    let text = "cache lazy table S.B options ('STORAGElevel' 'disk_only') select 1";
    let Statement::Cache(cache) = parse(text) else {
        panic!("a cache statement");
    };
    assert_eq!((cache.name.schema(), cache.name.table()), (Some("s"), "b"));
    assert_eq!(cache.level, Some(StorageLevel::DISK_ONLY));
    assert!(cache.query.is_some() && cache.lazy);
    let Statement::Cache(cache) = parse("CACHE LAZY TABLE a;") else {
        panic!("a cache statement");
    };
    assert!(cache.query.is_none() && cache.lazy);
    assert!(matches!(
        parse("uncache table if exists a"),
        Statement::Uncache {
            if_exists: true,
            ..
        }
    ));
    assert!(matches!(parse(" clear  cache ;"), Statement::ClearCache));
    assert!(matches!(parse("SELECT 1;"), Statement::Sql(_)));
    assert!(Statement::parse("SELECT 1; SELECT 2").is_err());
    assert!(Statement::parse("SELEC 1").is_err());
}

/// What DataFusion would do with it is to put its own pool in the place of ours.
#[test]
fn the_memory_limit_can_be_set_and_the_pool_stays() {
    on_two_workers(async {
        let session = session(64 * MIB, 1);
        let total = || session.runtime().stats().total;
        session
            .run("SET datafusion.runtime.memory_limit = '32M'")
            .await
            .unwrap();
        assert_eq!(total(), 32 * MIB);
        assert!(HearthRuntime::is_installed(&session.base().runtime_env()));
        session
            .run("RESET datafusion.runtime.memory_limit")
            .await
            .unwrap();
        assert_eq!(total(), 64 * MIB);
        assert!(HearthRuntime::is_installed(&session.base().runtime_env()));
        for refused in ["temp_directory = '/tmp'", "max_temp_directory_size = '1G'"] {
            let sql = format!("SET datafusion.runtime.{refused}");
            let error = session.run(&sql).await.unwrap_err().to_string();
            assert!(error.contains("has no effect"), "{error}");
        }
        session
            .run("SET datafusion.runtime.metadata_cache_limit = '1M'")
            .await
            .unwrap();
        let env = session.query().unwrap().runtime_env();
        assert_eq!(env.cache_manager.get_metadata_cache_limit(), 1 << 20);
        assert!(HearthRuntime::is_installed(&session.base().runtime_env()));
    });
}

#[test]
fn prepared_queries_give_rows() {
    on_two_workers(async {
        let session = session(64 * MIB, 1);
        session
            .run("PREPARE p(BIGINT) AS SELECT $1 + 1 AS n")
            .await
            .unwrap();
        let shown = show(&session, "EXECUTE p(41)").await.unwrap();
        assert!(shown.contains("| 42 |"), "{shown}");
        session.run("DEALLOCATE p").await.unwrap();
        assert!(session.run("EXECUTE p(1)").await.is_err());
    });
}

#[test]
fn a_session_is_made_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hearth.toml");
    let toml = "\"spark.memory.offHeap.enabled\" = true\n\"spark.memory.offHeap.size\" = \"16m\"\n";
    std::fs::write(&path, toml).unwrap();
    let session = HearthSession::from_toml(&path, 2).unwrap();
    assert_eq!(session.runtime().stats().total, 16 * MIB);
    let config = session.base().copied_config();
    assert!(config.options().execution.sort_spill_reservation_bytes < 1 << 20);
    std::fs::write(&path, "\"spark.memory.fracton\" = 0.5\n").unwrap();
    let error = HearthSession::from_toml(&path, 2).unwrap_err().to_string();
    assert!(error.contains("spark.memory.fraction"), "{error}");
}

#[test]
fn tables_and_settings_are_common_and_pools_are_not() {
    on_two_workers(async {
        let session = session(64 * MIB, 1);
        table(&session, 100).await;
        session
            .run("SET datafusion.execution.batch_size = 77")
            .await
            .unwrap();
        let (one, two) = (session.query().unwrap(), session.query().unwrap());
        assert_eq!(one.state().config().batch_size(), 77);
        let pool = |context: &datafusion::prelude::SessionContext| {
            std::sync::Arc::as_ptr(&context.runtime_env().memory_pool).addr()
        };
        assert_ne!(pool(&one), pool(&two));
        let shown = show(&session, "SELECT count(*) AS n FROM t").await.unwrap();
        assert!(shown.contains("100"), "{shown}");
        session
            .run("CREATE VIEW few AS SELECT * FROM t WHERE v < 3")
            .await
            .unwrap();
        let shown = show(&session, "SELECT count(*) AS n FROM few")
            .await
            .unwrap();
        assert!(shown.contains("| 2 |"), "{shown}");
        session.run("DROP VIEW few").await.unwrap();
        check_no_query(session.runtime());
    });
}

#[test]
fn files_are_read_by_their_paths() {
    on_two_workers(async {
        let session = session(64 * MIB, 1);
        table(&session, 1000).await;
        let directory = tempfile::tempdir().unwrap();
        for form in ["parquet", "csv", "json"] {
            let path = directory.path().join(format!("t.{form}"));
            let path = path.display();
            let write = format!("COPY (SELECT * FROM t) TO '{path}' STORED AS {form}");
            show(&session, &write).await.unwrap();
            let read = format!("SELECT sum(v) AS s, count(DISTINCT w) AS n FROM '{path}'");
            let shown = show(&session, &read).await.unwrap();
            assert!(
                shown.contains("500500") && shown.contains("1000"),
                "{shown}"
            );
        }
        check_no_query(session.runtime());
    });
}

//! What statements do, and what they are.

use mem_sql::{Statement, split};

use crate::support::{MIB, check_no_query, on_two_workers, session, show, table};

#[test]
fn texts_are_split_at_semicolons_that_are_none_of_a_text() {
    let text = "SELECT ';' AS \";\"; -- a comment; still\n /* and ; */ SELECT 'it''s';; \n";
    let statements = split(text).unwrap();
    assert_eq!(statements.len(), 2, "{statements:?}");
    assert_eq!(statements[0], "SELECT ';' AS \";\"");
    assert!(statements[1].ends_with("SELECT 'it''s'"));
    assert!(split("SELECT 'open").is_err());
}

#[test]
fn sparks_statements_are_told_from_others() {
    let parse = |text| Statement::parse(text).unwrap();
    let Statement::Cache { name, query, lazy } = parse("CACHE TABLE a AS SELECT 1") else {
        panic!("a cache statement");
    };
    assert_eq!((name.table(), query.is_some(), lazy), ("a", true, false));
    assert!(matches!(
        parse("CACHE LAZY TABLE a"),
        Statement::Cache {
            query: None,
            lazy: true,
            ..
        }
    ));
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
        check_no_query(&session);
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
        check_no_query(&session);
    });
}

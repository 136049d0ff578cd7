//! The program: statements, forms of output, and what it says where something is wrong.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use tempfile::TempDir;

use crate::support::{hearth_sql, run};

/// A directory with `t.parquet`, `t.csv` and `t.json`, of 20 000 rows each.
fn with_files() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let rows = "SELECT value AS v, value % 10 AS k, concat('word ', value % 100) AS w \
                FROM generate_series(1, 20000)";
    let copy = |form| format!("COPY ({rows}) TO 't.{form}';");
    let sql = ["parquet", "csv", "json"].map(copy).concat();
    let (status, _, errors) = run(directory.path(), &["-S", "64m", &sql]);
    assert_eq!((status, errors.as_str()), (0, ""));
    directory
}

#[test]
fn files_are_tables_and_statements_follow_each_other() {
    let directory = with_files();
    let sql = "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 't.parquet'; CACHE TABLE t;\n\
               SELECT count(*) AS n, sum(v) AS s FROM t; -- cached\n\
               SELECT k, count(DISTINCT w) AS w FROM 't.csv' WHERE k < 2 GROUP BY k ORDER BY k;\n\
               UNCACHE TABLE t; CLEAR CACHE; SELECT max(v) AS m FROM 't.json'";
    fs::write(directory.path().join("all.sql"), sql).unwrap();
    for tasks in ["1", "3"] {
        let arguments = ["-S", "32m", "--tasks", tasks, "-f", "all.sql"];
        let (status, rows, errors) = run(directory.path(), &arguments);
        assert_eq!((status, errors.as_str()), (0, ""));
        let expected = "+-------+-----------+\n\
                        | n     | s         |\n\
                        +-------+-----------+\n\
                        | 20000 | 200010000 |\n\
                        +-------+-----------+\n\
                        +---+----+\n\
                        | k | w  |\n\
                        +---+----+\n\
                        | 0 | 10 |\n\
                        | 1 | 10 |\n\
                        +---+----+\n\
                        +-------+\n\
                        | m     |\n\
                        +-------+\n\
                        | 20000 |\n\
                        +-------+\n";
        assert_eq!(rows, expected, "{tasks}");
    }
}

#[test]
fn queries_at_once_are_shown_in_order() {
    let directory = with_files();
    let query = |n| format!("SELECT {n} AS q, count(*) AS n FROM 't.parquet' WHERE v > {n};");
    let sql: String = (0..6).map(query).collect();
    let arguments = ["-S", "16m", "--tasks", "4", "--format", "csv", &sql];
    let (status, rows, errors) = run(directory.path(), &arguments);
    assert_eq!((status, errors.as_str()), (0, ""));
    let expected: String = (0..6)
        .map(|n| format!("q,n\n{n},{}\n", 20_000 - n))
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn csv_and_json_are_what_they_say() {
    let directory = with_files();
    let sql = "SELECT v, w FROM 't.parquet' WHERE v IN (3, 4) ORDER BY v; \
               SELECT v FROM 't.parquet' WHERE v < 0";
    let show = |form| run(directory.path(), &["-S", "32m", "--format", form, sql]);
    assert_eq!(
        show("csv"),
        (0, "v,w\n3,word 3\n4,word 4\nv\n".into(), String::new())
    );
    let json = "{\"v\":3,\"w\":\"word 3\"}\n{\"v\":4,\"w\":\"word 4\"}\n";
    assert_eq!(show("json"), (0, json.into(), String::new()));
}

#[test]
fn a_large_sort_under_a_small_budget_is_right_and_says_what_it_took() {
    let directory = with_files();
    let sql = "SELECT a.v, b.k FROM generate_series(1, 3) AS s(x) CROSS JOIN 't.parquet' AS a \
               JOIN 't.csv' AS b ON a.v = b.v ORDER BY a.w DESC, a.v, s.x";
    let sorted = |size| {
        let arguments = ["-S", size, "--format", "csv", "--stats", "json", sql];
        let (status, rows, errors) = run(directory.path(), &arguments);
        assert_eq!(status, 0, "{errors}");
        (
            rows,
            serde_json::from_str::<serde_json::Value>(&errors).unwrap(),
        )
    };
    let (expected, roomy) = sorted("256m");
    assert_eq!(roomy["spill_files"], 0);
    let (rows, tight) = sorted("4m");
    assert!(rows == expected && rows.lines().count() == 60_001);
    let number = |name: &str| tight[name].as_u64().unwrap();
    assert_eq!(number("budget_bytes"), 4 << 20);
    assert!(
        number("spilled_bytes") > 0 && number("spill_files") > 0,
        "{tight}"
    );
    let granted = (4 << 20) / 2..=4 << 20;
    assert!(granted.contains(&number("peak_granted_bytes")), "{tight}");
    assert_eq!(tight["queries"].as_array().unwrap().len(), 1);

    let arguments = ["-S", "4m", "--stats", "text", "SELECT 1 AS one"];
    let (_, _, text) = run(directory.path(), &arguments);
    assert!(
        text.contains("budget           4194304 bytes (4 MiB)\n"),
        "{text}"
    );
    assert!(
        text.contains("policy           unified, off-heap memory\n"),
        "{text}"
    );
}

#[test]
fn settings_come_from_the_file_and_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let toml = "\"spark.memory.offHeap.enabled\" = true\n\"spark.memory.offHeap.size\" = \"16m\"\n";
    fs::write(directory.path().join("hearth.toml"), toml).unwrap();
    let budget = |arguments: &[&str]| {
        let mut all = vec!["--stats", "json", "SELECT 1"];
        all.extend(arguments);
        let (status, _, errors) = run(directory.path(), &all);
        assert_eq!(status, 0, "{errors}");
        let stats: serde_json::Value = serde_json::from_str(&errors).unwrap();
        stats["budget_bytes"].as_u64().unwrap()
    };
    assert_eq!(budget(&["-c", "hearth.toml"]), 16 << 20);
    let set = [
        "-c",
        "hearth.toml",
        "--set",
        "spark.memory.offHeap.size=24m",
    ];
    assert_eq!(budget(&set), 24 << 20);
    assert_eq!(budget(&["-c", "hearth.toml", "-S", "8192"]), 8 << 20);
}

/// Each in one line, with the exit status of its kind.
#[test]
fn what_is_wrong_is_said_in_a_line() {
    let directory = with_files();
    fs::write(
        directory.path().join("bad.toml"),
        "\"spark.memory.fracton\" = 0.5\n",
    )
    .unwrap();
    fs::write(directory.path().join("bad.sql"), "SELECT 1; SELEC 2").unwrap();
    let join =
        "SELECT 1; SELECT count(*) FROM 't.parquet' a JOIN 't.csv' b ON a.v = b.v AND a.w < b.w";
    let cases: [(&[&str], i32, &str); 12] = [
        (
            &["SELEC 1"],
            2,
            "sql parser error: Expected: an SQL statement, found: SELEC",
        ),
        (&["-f", "bad.sql"], 2, "bad.sql: sql parser error"),
        (&["-f", "none.sql"], 2, "none.sql: No such file"),
        (&[], 2, "there is no statement"),
        (&["-c", "bad.toml", "SELECT 1"], 2, "spark.memory.fraction"),
        (&["-c", "none.toml", "SELECT 1"], 2, "none.toml"),
        (&["-S", "lots", "SELECT 1"], 2, "-S: expected a size"),
        (
            &["--set", "spark.memory.fraction=2", "SELECT 1"],
            2,
            "spark.memory.fraction",
        ),
        (&["SELECT * FROM nowhere"], 1, "nowhere"),
        (
            &["SELECT 1; SELECT * FROM 'none.parquet'"],
            1,
            "statement 2: ",
        ),
        (&["-S", "512k", join], 1, "HashJoinInput"),
        (
            &["SET datafusion.runtime.temp_directory = '/tmp'"],
            1,
            "hearth.spill.dirs",
        ),
    ];
    for (arguments, expected, word) in cases {
        let (status, _, errors) = run(directory.path(), arguments);
        assert_eq!(status, expected, "{arguments:?}: {errors}");
        assert!(
            errors.starts_with("hearth-sql: ") && errors.contains(word),
            "{errors}"
        );
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
    let (status, _, errors) = run(directory.path(), &["--tasks", "0", "SELECT 1"]);
    assert!(status == 2 && errors.contains("--tasks"), "{errors}");
    let (status, help, _) = run(directory.path(), &["--help"]);
    assert!(status == 0 && help.contains("--spill-dir"), "{help}");
}

/// Rows that wait to be shown are paid for like others.
#[test]
fn a_table_that_does_not_fit_is_refused_with_advice() {
    let directory = with_files();
    let sql = "SELECT v, w, concat(w, w, w, w, w, w, w, w, w, w) AS x FROM 't.parquet'";
    let (status, rows, errors) = run(directory.path(), &["-S", "2m", sql]);
    assert_eq!((status, rows.as_str()), (1, ""));
    assert!(
        errors.contains("RowsOfTable") && errors.contains("--format csv"),
        "{errors}"
    );
    let (status, rows, _) = run(directory.path(), &["-S", "2m", "--format", "csv", sql]);
    assert_eq!((status, rows.lines().count()), (0, 20_001));
}

#[test]
fn who_has_seen_enough_is_not_complained_to() {
    let directory = with_files();
    for form in ["csv", "json", "table"] {
        let sql = "SELECT * FROM 't.parquet' ORDER BY w, v; SELECT * FROM 't.csv'";
        let mut command = hearth_sql(["-S", "64m", "--format", form, sql]);
        command.current_dir(&directory);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut reader = BufReader::with_capacity(16, child.stdout.take().unwrap());
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), errors.as_str()),
            (Some(0), ""),
            "{form}"
        );
    }
}

//! Random queries under random limits: they complete with the rows that they have without a limit, or
//! are refused for lack of memory.

use crate::budget::Budget;
use crate::support::{Random, on_two_workers};

/// Rows of the table.
const ROWS: usize = 6000;

fn pick<'a>(random: &mut Random, choices: &[&'a str]) -> &'a str {
    let length = u64::try_from(choices.len()).unwrap();
    choices[usize::try_from(random.below(length)).unwrap()]
}

/// A sort, an aggregation, or one over the other.
fn query(random: &mut Random) -> String {
    let keys = ["a", "b", "c", "d", "a, b", "c, d", "d, a, c", "b % 10"];
    let key = pick(random, &keys);
    let aggregates = [
        "count(*)",
        "sum(b)",
        "min(c), max(d)",
        "count(DISTINCT c)",
        "avg(b), count(d)",
        "string_agg(c, ',' ORDER BY b)",
    ];
    let aggregate = pick(random, &aggregates);
    let order = pick(random, &["ASC", "DESC NULLS LAST", "ASC NULLS FIRST"]);
    match random.below(4) {
        0 => format!("SELECT * FROM t ORDER BY {key} {order}, b"),
        1 => format!("SELECT {key}, {aggregate} FROM t GROUP BY {key}"),
        2 => format!("SELECT {key}, {aggregate} FROM t GROUP BY {key} ORDER BY 2 {order}, 1"),
        _ => format!(
            "SELECT {key}, row_number() OVER (PARTITION BY a ORDER BY c {order}, b) AS r FROM t"
        ),
    }
}

#[test]
fn random_queries_have_the_same_rows_under_any_limit() {
    on_two_workers(async {
        let mut random = Random(2024);
        let table = format!(
            "CREATE TABLE t AS SELECT value % 97 AS a, (value * 7919) % 6007 AS b, \
             concat('some words, number ', (value * 31) % 2003) AS c, \
             CASE WHEN value % 7 = 0 THEN NULL ELSE CAST(value % 501 AS VARCHAR) END AS d \
             FROM generate_series(1, {ROWS})"
        );
        let mut completed_by_spilling = 0;
        for _ in 0..30 {
            let sql = query(&mut random);
            let mut outcomes = Vec::new();
            for bytes in [64 << 20, (200 + random.below(400)) << 10] {
                let partitions = usize::try_from(1 + random.below(3)).unwrap();
                let running = Budget::of_small_steps(bytes, partitions).start();
                running.prepare(&table).await;
                let outcome = running.run(&sql).await;
                let spilled = running.runtime.stats().spilled.files_created > 0;
                outcomes.push((outcome, spilled, bytes));
            }
            let ([(expected, false, _), (limited, spilled, bytes)], true) =
                (&outcomes[..], outcomes[0].0.error.is_none())
            else {
                panic!("{sql} needs more than all");
            };
            if limited.error.is_some() {
                limited.exhausted();
                continue;
            }
            assert!(limited.lines() == expected.lines(), "{sql} with {bytes}");
            completed_by_spilling += u32::from(*spilled);
        }
        assert!(completed_by_spilling >= 5, "{completed_by_spilling} of 30");
    });
}

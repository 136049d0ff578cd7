//! `--stats`.

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{run, stderr, text, write};

fn stats(directory: &TempDir, arguments: &str) -> Value {
    let output = run(
        directory,
        &format!("sort --stats json -o out {arguments} in"),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stderr).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn the_numbers_agree_with_each_other() {
    let directory = TempDir::new().unwrap();
    let input = text(1_000_000, 31);
    write(&directory, "in", &input);
    let lines = u64::try_from(input.iter().filter(|byte| **byte == b'\n').count()).unwrap();
    let bytes = u64::try_from(input.len()).unwrap();

    let spilled = stats(&directory, "-S 512k --tasks 2");
    let budget = 512 << 10;
    assert_eq!(number(&spilled["budget_bytes"]), budget);
    assert_eq!(spilled["policy"], "unified");
    assert_eq!(spilled["memory"], "off-heap");
    assert!(number(&spilled["peak_granted_bytes"]) <= budget);
    assert!(number(&spilled["spills"]) > 2);
    assert_eq!(number(&spilled["records"]), lines);
    assert_eq!(number(&spilled["spilled_bytes"]), bytes - lines);
    assert!(number(&spilled["stored_bytes"]) < bytes);
    assert_eq!(number(&spilled["output_bytes"]), bytes);
    assert!(number(&spilled["peak_resident_bytes"]) > 0);
    let seconds = &spilled["seconds"];
    assert!(seconds["total"].as_f64() >= seconds["sort"].as_f64());
    let tasks = spilled["tasks"].as_array().unwrap();
    let roles: Vec<_> = tasks
        .iter()
        .map(|task| task["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["sort", "sort", "merge"]);
    for task in &tasks[..2] {
        assert!(number(&task["peak_granted_bytes"]) <= budget / 2, "{task}");
    }
    let sum = |name: &str| tasks.iter().map(|task| number(&task[name])).sum::<u64>();
    assert_eq!(number(&spilled["waits"]), sum("waits"));
    assert_eq!(number(&spilled["short_grants"]), sum("short_grants"));

    let kept = stats(&directory, "-S 16m --tasks 3 -u");
    assert_eq!((number(&kept["spills"]), number(&kept["fan_in"])), (0, 0));
    assert_eq!(kept["tasks"].as_array().unwrap().len(), 3);
    assert!(number(&kept["output_records"]) < lines);
}

#[test]
fn a_budget_too_small_for_the_tasks_makes_them_fewer() {
    let directory = TempDir::new().unwrap();
    write(&directory, "in", &text(100_000, 32));
    let stats = stats(&directory, "-S 300k --tasks 16");
    let sorting = stats["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|task| task["role"] == "sort");
    assert!((1..16).contains(&sorting.count()));
}

#[test]
fn people_get_a_table() {
    let directory = TempDir::new().unwrap();
    write(&directory, "in", b"b\na\n");
    let output = run(&directory, "sort -S 1m --tasks 1 --stats text in");
    assert_eq!(output.stdout, b"a\nb\n");
    let table = stderr(&output);
    for part in [
        "budget           1048576 bytes (1 MiB)",
        "peak granted",
        "waits",
        "task 1 (sort)",
    ] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
}

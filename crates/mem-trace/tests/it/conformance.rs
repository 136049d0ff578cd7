//! Every recorded trace of the real Spark, operation by operation.

use std::path::PathBuf;

use mem_trace::{TraceReport, replay_file};

/// The families, with their traces and lines.
const FAMILIES: [(&str, usize, u64); 11] = [
    ("config", 25, 1525),
    ("config-static", 10, 610),
    ("manager-static", 25, 2578),
    ("manager-unified", 25, 2596),
    ("misuse", 10, 643),
    ("mixed", 25, 2507),
    ("page-table", 2, 53),
    ("store", 25, 2845),
    ("store-static", 15, 1457),
    ("task", 25, 2776),
    ("unmanaged", 15, 1919),
];

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

#[track_caller]
fn assert_matches(report: &TraceReport) {
    if let Some(first) = report.mismatches.first() {
        let count = report.mismatches.len();
        panic!(
            "{}: {count} of {} differ, the first is {first:#?}",
            report.trace, report.operations
        );
    }
}

#[track_caller]
fn replays(family: &str) {
    let listed = FAMILIES.iter().find(|(name, ..)| *name == family);
    let (_, traces, lines) = listed.expect("a family of the list");
    let file = data().join(format!("{family}.jsonl.zst"));
    let reports = replay_file(&file).expect("the recorded traces can be read");
    reports.iter().for_each(assert_matches);
    assert_eq!(reports.len(), *traces);
    assert_eq!(
        reports.iter().map(|report| report.operations).sum::<u64>(),
        *lines
    );
}

#[test]
fn config_replays() {
    replays("config");
}

#[test]
fn config_static_replays() {
    replays("config-static");
}

#[test]
fn manager_static_replays() {
    replays("manager-static");
}

#[test]
fn manager_unified_replays() {
    replays("manager-unified");
}

#[test]
fn misuse_replays() {
    replays("misuse");
}

#[test]
fn mixed_replays() {
    replays("mixed");
}

#[test]
fn page_table_replays() {
    replays("page-table");
}

#[test]
fn store_replays() {
    replays("store");
}

#[test]
fn store_static_replays() {
    replays("store-static");
}

#[test]
fn task_replays() {
    replays("task");
}

#[test]
fn unmanaged_replays() {
    replays("unmanaged");
}

#[test]
fn every_archive_is_of_a_family_that_is_replayed() {
    let folder = std::fs::read_dir(data()).expect("the recorded traces are there");
    let mut names: Vec<String> = folder
        .map(|entry| {
            entry
                .expect("it can be listed")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    let mut listed = FAMILIES.map(|(name, ..)| format!("{name}.jsonl.zst"));
    listed.sort();
    assert_eq!(names, listed);
    assert_eq!(
        FAMILIES.iter().map(|(_, traces, _)| traces).sum::<usize>(),
        202
    );
    assert_eq!(
        FAMILIES.iter().map(|(_, _, lines)| lines).sum::<u64>(),
        19_509
    );
}

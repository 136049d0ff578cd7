//! `hearth replay`, and `hearth sort --trace` for it to replay.

use tempfile::TempDir;

use crate::support::{run, stderr, stdout, write};

const TRACE: &str = r#"{"in":{"trace":1,"spark":"4.3.0","policy":"unified","cores":1,"conf":{"spark.testing":"true","spark.testing.memory":"1000","spark.memory.fraction":"1.0"}},"out":{"ok":true,"resolved":{"max_heap":1000,"on_storage_region":500,"max_off_heap":0,"off_storage_region":0,"max_on_storage":1000,"max_off_storage":0,"page_size":1048576,"tungsten_mode":"on","unroll_threshold":1048576},"state":{"on":[500,0,500,0],"off":[0,0,0,0],"unroll":0}}}
{"in":{"op":"acquire_execution","task":1,"bytes":900,"mode":"on"},"out":{"granted":900,"state":{"on":[100,0,900,900],"off":[0,0,0,0],"unroll":0}}}
"#;

#[test]
fn a_trace_that_agrees_is_counted() {
    let directory = TempDir::new().unwrap();
    write(&directory, "a.jsonl", TRACE.as_bytes());
    let text = stdout(run(&directory, "replay ."));
    assert_eq!(text, b"1 traces, 2 operations, 0 mismatches\n");
}

#[test]
fn a_mismatch_is_shown_and_fails() {
    let directory = TempDir::new().unwrap();
    let wrong = TRACE.replace("\"granted\":900", "\"granted\":899");
    write(&directory, "a.jsonl", wrong.as_bytes());
    let output = run(&directory, "replay a.jsonl");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("a.jsonl:2: operation 0:"), "{text}");
    assert!(text.contains("granted: expected 899, got 900"), "{text}");
    assert!(
        text.ends_with("1 traces, 2 operations, 1 mismatches\n"),
        "{text}"
    );
    let json = run(&directory, "replay --json a.jsonl").stdout;
    let line: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(line["operations"], 2);
    assert_eq!(line["mismatches"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_trace_is_named() {
    let directory = TempDir::new().unwrap();
    write(&directory, "a.jsonl", b"{\"in\":");
    let output = run(&directory, "replay a.jsonl");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("a.jsonl:1"), "{}", stderr(&output));
}

#[test]
fn a_recorded_sort_replays() {
    let directory = TempDir::new().unwrap();
    let lines: Vec<String> = (0..100_000_u64)
        .map(|n| format!("{:016x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    write(&directory, "in", lines.concat().as_bytes());
    let sort = "sort -S 2m --tasks 2 --trace steps.jsonl -o out in";
    assert_eq!(stdout(run(&directory, sort)), b"");
    let text = String::from_utf8(stdout(run(&directory, "replay steps.jsonl"))).unwrap();
    assert!(text.ends_with(" 0 mismatches\n"), "{text}");
    assert!(!text.contains(" 1 operations"), "{text}");
}

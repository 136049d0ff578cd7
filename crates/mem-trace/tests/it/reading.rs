//! Files that are read, and files that are no traces.

use std::fs;
use std::path::Path;

use mem_trace::{TraceError, TraceReport, replay_file, replay_paths, replay_reader};

const HEADER: &str = r#"{"in":{"trace":1,"spark":"4.3.0","policy":"unified","cores":1,"conf":{"spark.testing":"true","spark.testing.memory":"1000","spark.memory.fraction":"1.0"}},"out":{"ok":true,"resolved":{"max_heap":1000,"on_storage_region":500,"max_off_heap":0,"off_storage_region":0,"max_on_storage":1000,"max_off_storage":0,"page_size":1048576,"tungsten_mode":"on","unroll_threshold":1048576},"state":{"on":[500,0,500,0],"off":[0,0,0,0],"unroll":0}}}"#;
const USAGE: &str = r#"{"in":{"op":"usage","task":3},"out":{"usage":0,"state":{"on":[500,0,500,0],"off":[0,0,0,0],"unroll":0}}}"#;
const WRONG: &str = r#"{"in":{"op":"usage","task":3},"out":{"usage":7,"state":{"on":[500,0,500,0],"off":[0,0,0,0],"unroll":0}}}"#;
const REFUSED: &str = r#"{"in":{"trace":1,"spark":"4.3.0","policy":"unified","cores":1,"conf":{"spark.testing.memory":"1000"}},"out":{"error":"SparkIllegalArgumentException","message":"...","condition":"INVALID_DRIVER_MEMORY.SYSTEM_MEMORY","stage":"manager"}}"#;

fn replay(lines: &[&str]) -> Result<Vec<TraceReport>, TraceError> {
    replay_reader("it", lines.join("\n").as_bytes())
}

#[track_caller]
fn refuses(lines: &[&str], line: u64, about: &str) {
    let error = replay(lines).expect_err("it is no trace");
    assert_eq!(error.line, Some(line), "{error}");
    assert!(
        error.to_string().starts_with(&format!("it:{line}: ")),
        "{error}"
    );
    assert!(error.to_string().contains(about), "{error}");
}

#[test]
fn lines_are_counted_and_operations_are_numbered_from_each_header() {
    let reports = replay(&[HEADER, USAGE, WRONG, REFUSED, HEADER, WRONG]).unwrap();
    let [report] = &reports[..] else {
        panic!("one trace")
    };
    assert_eq!(report.operations, 6);
    let places: Vec<_> = report
        .mismatches
        .iter()
        .map(|mismatch| (mismatch.line, mismatch.operation))
        .collect();
    assert_eq!(places, [(3, Some(1)), (6, Some(0))]);
    let input = report.mismatches[0].input.get();
    assert_eq!(
        input, r#"{"op":"usage","task":3}"#,
        "as it stands in the file"
    );
}

#[test]
fn a_header_can_be_what_differs() {
    let reports =
        replay(&[&HEADER.replace("\"on_storage_region\":500", "\"on_storage_region\":501")]);
    let mismatch = &reports.unwrap()[0].mismatches[0];
    assert_eq!((mismatch.line, mismatch.operation), (1, None));
    assert_eq!(mismatch.differences[0].field, "resolved.on_storage_region");
}

#[test]
fn names_part_a_file_into_traces() {
    let named = [
        r#"{"name":"one"}"#,
        HEADER,
        WRONG,
        r#"{"name":"two"}"#,
        HEADER,
        USAGE,
    ];
    let reports = replay(&named).unwrap();
    let found: Vec<_> = reports
        .iter()
        .map(|report| {
            (
                report.trace.as_str(),
                report.operations,
                report.mismatches.len(),
            )
        })
        .collect();
    assert_eq!(found, [("it:one", 2, 1), ("it:two", 2, 0)]);
    assert!(
        replay(&[r#"{"name":"one"}"#, USAGE]).is_err(),
        "a name is no header"
    );
    assert_eq!(replay(&[]).unwrap()[0].operations, 0);
}

#[test]
fn what_is_no_trace_is_refused_with_its_line() {
    refuses(&[HEADER, "{\"in\":{"], 2, "EOF");
    refuses(&[HEADER, r#"{"in":{"op":"usage","task":3}}"#], 2, "out");
    refuses(
        &[HEADER, &USAGE.replace("usage\",", "usages\",")],
        2,
        "usages",
    );
    refuses(
        &[
            HEADER,
            &USAGE.replace("\"task\":3", "\"task\":3,\"mood\":1"),
        ],
        2,
        "mood",
    );
    refuses(
        &[HEADER, &USAGE.replace("\"task\":3", "\"task\":3.5")],
        2,
        "3.5",
    );
    refuses(
        &[&HEADER.replace("\"trace\":1", "\"trace\":7")],
        1,
        "version 7",
    );
    refuses(&[USAGE], 1, "without a manager");
    refuses(&[REFUSED, USAGE], 2, "without a manager");
}

#[test]
fn operations_on_what_is_not_there_are_refused() {
    let on = |operation: &str| format!(r#"{{"in":{operation},"out":{{}}}}"#);
    let lines = [
        (
            r#"{"op":"consumer_acquire","consumer":5,"bytes":1}"#,
            "no consumer 5",
        ),
        (r#"{"op":"cleanup","task":9}"#, "no task 9"),
        (r#"{"op":"interrupt","task":9}"#, "task 9 does not wait"),
        (
            r#"{"op":"partial_close","block":"rdd_0_0"}"#,
            "rdd_0_0 is not partly unrolled",
        ),
        (r#"{"op":"decode","address":"-1"}"#, "no address"),
        (
            r#"{"op":"release_storage","bytes":-1,"mode":"on"}"#,
            "less than nothing",
        ),
    ];
    for (operation, about) in lines {
        refuses(&[HEADER, &on(operation)], 2, about);
    }
}

#[test]
fn after_a_mismatch_what_makes_no_sense_is_another_mismatch() {
    let cleanup = r#"{"in":{"op":"cleanup","task":9},"out":{"released":0}}"#;
    let reports = replay(&[HEADER, WRONG, cleanup, USAGE]).unwrap();
    assert_eq!(reports[0].operations, 4);
    let [_, second] = &reports[0].mismatches[..] else {
        panic!("two")
    };
    assert_eq!(second.line, 3);
    let fields: Vec<_> = second
        .differences
        .iter()
        .map(|it| it.field.as_str())
        .collect();
    assert_eq!(fields, ["released", "senseless"]);
    assert_eq!(second.differences[1].got, "there is no task 9");
}

#[test]
fn a_report_is_one_line_of_json() {
    let reports = replay(&[HEADER, WRONG]).unwrap();
    let json = serde_json::to_string(&reports[0]).unwrap();
    let expected = concat!(
        r#"{"trace":"it","operations":2,"mismatches":[{"line":2,"operation":0,"#,
        r#""input":{"op":"usage","task":3},"#,
        r#""differences":[{"field":"usage","expected":7,"got":0}]}]}"#,
    );
    assert_eq!(json, expected);
}

fn write(folder: &Path, name: &str, lines: &[&str]) {
    let path = folder.join(name);
    let parent = path.parent().expect("it lies in the folder");
    fs::create_dir_all(parent).expect("a folder can be made");
    let mut bytes = lines.join("\n").into_bytes();
    if name.ends_with(".zst") {
        bytes = zstd::encode_all(&bytes[..], 0).expect("memory suffices");
    }
    fs::write(path, bytes).expect("a file can be made");
}

#[test]
fn folders_are_searched_in_order_of_name() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "b/2.jsonl", &[HEADER]);
    write(folder.path(), "b/1.jsonl.zst", &[HEADER, WRONG]);
    write(folder.path(), "a.jsonl", &[HEADER, USAGE, USAGE]);
    write(folder.path(), "b/notes.txt", &["not a trace"]);
    let found: Vec<_> = replay_paths([folder.path()])
        .map(|report| report.unwrap())
        .map(|report| (report.trace, report.operations, report.mismatches.len()))
        .collect();
    let name = |name: &str| folder.path().join(name).display().to_string();
    assert_eq!(
        found,
        [
            (name("a.jsonl"), 3, 0),
            (name("b/1.jsonl.zst"), 2, 1),
            (name("b/2.jsonl"), 1, 0)
        ]
    );
}

#[test]
fn what_cannot_be_read_is_reported_and_the_rest_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "good.jsonl", &[HEADER]);
    write(folder.path(), "torn.jsonl.zst", &[HEADER]);
    let torn = folder.path().join("torn.jsonl.zst");
    let bytes = fs::read(&torn).unwrap();
    fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();
    let missing = folder.path().join("missing.jsonl");
    let paths = [missing.clone(), torn, folder.path().join("good.jsonl")];
    let results: Vec<_> = replay_paths(paths).collect();
    assert_eq!(
        results.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [false, false, true]
    );
    let error = replay_file(&missing).unwrap_err();
    assert!(
        error.to_string().contains("missing.jsonl: No such file"),
        "{error}"
    );
}

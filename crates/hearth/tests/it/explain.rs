//! `hearth explain`.

use tempfile::TempDir;

use crate::support::{run, stdout, write};

#[test]
fn regions_are_shown_with_their_arithmetic_and_keys() {
    let directory = TempDir::new().unwrap();
    write(
        &directory,
        "hearth.toml",
        b"\"spark.executor.memory\" = \"2g\"\n",
    );
    let text = stdout(run(&directory, "explain -c hearth.toml --cores 4"));
    let text = String::from_utf8(text).unwrap();
    // (2 GiB - 300 MiB) * 0.6
    for part in [
        "1099746508",
        "0.6",
        "spark.executor.memory",
        "hearth.toml:1",
        "4 cores",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn programs_get_the_same_as_json() {
    let directory = TempDir::new().unwrap();
    let set = "--set spark.memory.offHeap.enabled=true --set spark.memory.offHeap.size=64m";
    let json = stdout(run(&directory, &format!("explain --json --cores 2 {set}")));
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["policy"], "unified");
    assert_eq!(json["cores"], 2);
    assert_eq!(json["resolved"]["max_off_heap"], 64 << 20, "{json}");
}

//! `kill -9` in the middle of a query that spills, or caches, leaves no file.

use std::time::Duration;

use mem_sync::{Clock, Parker, SystemClock};

use crate::support::{Random, hearth_sql, listed};

#[test]
fn killed_at_random_moments_no_file_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let sql = "CACHE TABLE c AS SELECT value AS v, concat('some words of no use ', value) AS w \
               FROM generate_series(1, 100000); \
               SELECT * FROM c ORDER BY w DESC, v";
    let spills = directory.path().join("spills");
    std::fs::create_dir(&spills).unwrap();
    let mut command = hearth_sql(["-S", "2m", "--format", "csv", "--stats", "json", sql]);
    command
        .arg("--spill-dir")
        .arg(&spills)
        .current_dir(&directory);

    let clock = SystemClock::new();
    let start = clock.now();
    let whole = command.output().unwrap();
    let took = clock.now().since(start);
    let stats: serde_json::Value = serde_json::from_slice(&whole.stderr).unwrap();
    assert!(whole.status.success() && took > Duration::ZERO);
    assert!(stats["spill_files"].as_u64().unwrap() > 1, "{stats}");
    assert_eq!(listed(&spills), [""; 0]);

    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut random = Random(43);
    for _ in 0..5 {
        let mut child = command.spawn().unwrap();
        let permille = u32::try_from(random.below(1000)).unwrap();
        let moment = clock.now() + took * permille / 1000;
        while clock.now() < moment {
            clock.park(&Parker::new(), Some(moment));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(listed(&spills), [""; 0]);
        assert_eq!(listed(directory.path()), ["spills"]);
    }
}

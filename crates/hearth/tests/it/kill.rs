//! `kill -9` at any moment leaves no file and no half of an output.

use std::fs;
use std::time::Duration;

use mem_sync::{Clock, Parker, SystemClock};
use tempfile::TempDir;

use crate::support::{Random, hearth, listed, sorted, text, write};

#[test]
fn killed_at_random_moments_nothing_is_left() {
    const OLD: &[u8] = b"old\n";
    let directory = TempDir::new().unwrap();
    let input = text(1_000_000, 41);
    write(&directory, "in", &input);
    let expected = sorted(&input, b'\n', false, false);
    let folder = |name: &str| {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    };
    let (spills, results) = (folder("spills"), folder("results"));
    let output = results.join("out");
    let arguments = [
        "sort",
        "-S",
        "512k",
        "--tasks",
        "2",
        "--spill-dir",
        "spills",
        "-o",
    ];
    let mut command = hearth(arguments);
    command.arg(&output).arg("in").current_dir(&directory);

    let clock = SystemClock::new();
    let mut random = Random(42);
    let start = clock.now();
    assert!(command.status().unwrap().success());
    let whole = clock.now().since(start);
    for _ in 0..20 {
        fs::write(&output, OLD).unwrap();
        let mut child = command.spawn().unwrap();
        let permille = u32::try_from(random.below(1000)).unwrap();
        let moment = clock.now() + whole * permille / 1000;
        while clock.now() < moment {
            clock.park(&Parker::new(), Some(moment));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(listed(&spills), [""; 0]);
        assert_eq!(listed(&results), ["out"]);
        let left = fs::read(&output).unwrap();
        assert!(
            left == OLD || left == expected,
            "{} bytes are there",
            left.len()
        );
    }
    assert!(whole > Duration::ZERO);
}

//! `hearth shuffle`: partitions by hash, written and read back.

use std::fs;
use std::process::Stdio;

use mem_sync::{Clock, Parker, SystemClock};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Random, hearth, listed, run, run_with_input, sorted, stderr, stdout, text, write,
};

const FILES: [&str; 3] = [
    "shuffle_0_0_0.checksum.ADLER32",
    "shuffle_0_0_0.data",
    "shuffle_0_0_0.index",
];

/// CRC-32 bit by bit, as its definition says.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ ((sum & 1) * 0xedb8_8320)
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

fn partition(directory: &TempDir, output: &str, number: u32) -> Vec<u8> {
    let read = format!("shuffle --read {output} -p {number} -S 4m");
    stdout(run(directory, &read))
}

/// All lines of an output, each of which is in the partition of its hash.
fn all_lines(directory: &TempDir, output: &str, partitions: u32) -> Vec<u8> {
    let mut all = Vec::new();
    for number in 0..partitions {
        let lines = partition(directory, output, number);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").expect("each line ends");
            assert_eq!(crc32(line) % partitions, number, "{line:?}");
        }
        all.extend_from_slice(&lines);
    }
    all
}

#[test]
fn every_line_is_in_the_partition_of_its_hash_and_nowhere_else() {
    let directory = TempDir::new().unwrap();
    let input = text(1_500_000, 1);
    write(&directory, "in", &input);
    stdout(run(&directory, "shuffle -p 13 -S 256k -o out in"));
    let all = all_lines(&directory, "out", 13);
    assert!(sorted(&all, b'\n', false, false) == sorted(&input, b'\n', false, false));

    let output = directory.path().join("out");
    assert_eq!(listed(&output), FILES);
    let index = fs::read(output.join(FILES[2])).unwrap();
    let offsets: Vec<_> = index
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_be_bytes(*word))
        .collect();
    assert_eq!((offsets.len(), offsets[0]), (14, 0));
    assert!(offsets.is_sorted());
    let length = fs::metadata(output.join(FILES[1])).unwrap().len();
    assert_eq!(offsets[13], length);
    assert_eq!(fs::metadata(output.join(FILES[0])).unwrap().len(), 8 * 13);
}

#[test]
fn settings_change_the_files_and_not_the_lines() {
    let directory = TempDir::new().unwrap();
    let input = text(300_000, 2);
    write(&directory, "in", &input);
    let expected = sorted(&input, b'\n', false, false);
    for settings in [
        "--set hearth.spill.codec=none",
        "--set hearth.spill.codec=zstd --set spark.shuffle.checksum.algorithm=CRC32",
        "--set spark.shuffle.compress=false --set spark.shuffle.checksum.enabled=false",
        "--set spark.shuffle.unsafe.fastMergeEnabled=false",
        "--set spark.shuffle.sort.useRadixSort=false --set hearth.spill.blockSize=1k",
        "--set spark.shuffle.spill.numElementsForceSpillThreshold=100",
    ] {
        stdout(run(
            &directory,
            &format!("shuffle -p 3 -S 2m {settings} in"),
        ));
        let all = all_lines(&directory, "shuffle-out", 3);
        assert!(sorted(&all, b'\n', false, false) == expected, "{settings}");
    }
    assert_eq!(listed(&directory.path().join("shuffle-out")), FILES);
}

#[test]
fn every_line_ends_with_a_newline_also_the_last_of_a_file() {
    let directory = TempDir::new().unwrap();
    write(&directory, "a", b"one\n\ntwo");
    write(&directory, "b", b"three");
    write(&directory, "c", b"");
    stdout(run(&directory, "shuffle -p 2 a b c"));
    let all = all_lines(&directory, "shuffle-out", 2);
    assert_eq!(sorted(&all, b'\n', false, false), b"\none\nthree\ntwo\n");

    stdout(run(&directory, "shuffle -p 2 c"));
    assert!(all_lines(&directory, "shuffle-out", 2).is_empty());

    let output = directory.path().join("of-input");
    let arguments = format!("shuffle -p 1 -o {} -", output.display());
    stdout(run_with_input(&arguments, b"from standard input"));
    assert_eq!(
        partition(&directory, "of-input", 0),
        b"from standard input\n"
    );
}

#[test]
fn lines_longer_than_all_memory_go_through() {
    let directory = TempDir::new().unwrap();
    let mut input = text(100_000, 3);
    for (letter, length) in [(b'a', 3_000_000), (b'b', 4095), (b'c', 4096), (b'd', 4097)] {
        input.extend(std::iter::repeat_n(letter, length));
        input.push(b'\n');
    }
    input.extend(std::iter::repeat_n(b'e', 1_000_000));
    write(&directory, "in", &input);
    stdout(run(&directory, "shuffle -p 5 -S 256k -o out in"));
    let all = all_lines(&directory, "out", 5);
    assert!(sorted(&all, b'\n', false, false) == sorted(&input, b'\n', false, false));
}

#[test]
fn the_statistics_say_what_it_took() {
    let directory = TempDir::new().unwrap();
    let input = text(2_000_000, 4);
    write(&directory, "in", &input);
    let output = run(&directory, "shuffle -p 20 -S 1m --stats json in");
    assert!(output.status.success());
    let stats: Value = serde_json::from_str(&stderr(&output)).unwrap();
    let number = |key: &str| stats[key].as_u64().unwrap();
    let lines = input.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(number("records"), lines as u64);
    assert_eq!(number("record_bytes"), input.len() as u64);
    assert_eq!(
        (number("budget_bytes"), number("partitions")),
        (1 << 20, 20)
    );
    assert!(number("peak_granted_bytes") <= 1 << 20);
    assert!(number("peak_resident_bytes") <= (1 << 20) + (32 << 20));
    assert!(number("spills") > 1 && number("spilled_bytes") > 1 << 20);
    let data = directory.path().join("shuffle-out").join(FILES[1]);
    assert_eq!(number("written_bytes"), fs::metadata(data).unwrap().len());
    assert!(stats["seconds"]["total"].as_f64().unwrap() > 0.0);

    let output = run(&directory, "shuffle -p 20 -S 1m --stats text in");
    let rows = stderr(&output);
    for row in [
        "budget           1048576 bytes",
        "spills ",
        "written          20 partitions",
    ] {
        assert!(rows.contains(row), "{rows}");
    }
}

#[test]
fn what_can_not_be_meant_has_exit_status_2() {
    let directory = TempDir::new().unwrap();
    write(&directory, "in", b"line\n");
    stdout(run(&directory, "shuffle -p 3 in"));
    for (arguments, message) in [
        ("shuffle in", "--partitions"),
        (
            "shuffle -p 0 in",
            "there can't be 0 partitions: 1 to 16777216 is allowed",
        ),
        (
            "shuffle -p 16777217 in",
            "there can't be 16777217 partitions",
        ),
        ("shuffle -p -1 in", "-1"),
        (
            "shuffle -p 3 -S 20k in",
            "20480 bytes of memory are too few to shuffle",
        ),
        (
            "shuffle -p 3 --set hearth.spill.blockSize=2m in",
            "hearth.spill.blockSize",
        ),
        (
            "shuffle --read shuffle-out -p 3",
            "there is no partition 3: there are 3, counted from 0",
        ),
        ("shuffle --read shuffle-out -p 1 in", "cannot be used with"),
        (
            "shuffle --read shuffle-out -p 1 -o other",
            "cannot be used with",
        ),
    ] {
        let output = run(&directory, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(
            stderr(&output).contains(message),
            "{arguments}: {}",
            stderr(&output)
        );
    }
    assert_eq!(
        partition(&directory, "shuffle-out", crc32(b"line") % 3),
        b"line\n"
    );
}

#[test]
fn what_fails_has_exit_status_1_and_leaves_the_earlier_output() {
    let directory = TempDir::new().unwrap();
    write(&directory, "in", b"line\n");
    write(&directory, "large", &text(1_000_000, 5));
    stdout(run(&directory, "shuffle -p 1 in"));
    for (arguments, message) in [
        (
            "shuffle -p 3 nowhere",
            "could not read nowhere: No such file",
        ),
        ("shuffle -p 3 .", "could not read .: "),
        (
            "shuffle -p 3 -S 256k --spill-dir nowhere large",
            "no spill directory can be used",
        ),
        ("shuffle -p 3 -o in/out in", "could not create in/out"),
        (
            "shuffle --read nowhere -p 0",
            "could not read nowhere/shuffle_0_0_0.index",
        ),
    ] {
        let output = run(&directory, arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments}: {}",
            stderr(&output)
        );
        let message_found = stderr(&output);
        assert!(message_found.starts_with("hearth: "), "{message_found}");
        assert!(
            message_found.contains(message),
            "{arguments}: {message_found}"
        );
        assert_eq!(message_found.lines().count(), 1, "{message_found}");
    }
    assert_eq!(partition(&directory, "shuffle-out", 0), b"line\n");
}

#[test]
fn a_damaged_output_is_refused_before_any_line_is_printed() {
    let directory = TempDir::new().unwrap();
    write(&directory, "in", &text(200_000, 6));
    stdout(run(&directory, "shuffle -p 2 -S 1m in"));
    for (name, message) in [
        (FILES[0], "the ADLER32 of partition 1 should be"),
        (FILES[1], "the ADLER32 of partition 1 should be"),
        (FILES[2], "shuffle-out/shuffle_0_0_0.data"),
    ] {
        let path = directory.path().join("shuffle-out").join(name);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        fs::write(&path, damaged).unwrap();
        let output = run(&directory, "shuffle --read shuffle-out -p 1");
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(output.stdout.is_empty());
        assert!(
            stderr(&output).contains(message),
            "{name}: {}",
            stderr(&output)
        );
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn who_has_read_enough_closes_the_pipe() {
    let directory = TempDir::new().unwrap();
    write(&directory, "in", &text(1_000_000, 7));
    stdout(run(&directory, "shuffle -p 1 in"));
    let mut command = hearth(["shuffle", "--read", "shuffle-out", "-p", "0"]);
    command.current_dir(&directory);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(stderr(&output), "");
}

#[test]
fn killed_at_random_moments_a_shuffle_leaves_nothing_or_all() {
    let directory = TempDir::new().unwrap();
    let input = text(600_000, 8);
    write(&directory, "in", &input);
    let expected = sorted(&input, b'\n', false, false);
    let spills = directory.path().join("spills");
    fs::create_dir(&spills).unwrap();
    let out = directory.path().join("out");
    let arguments = "shuffle -p 2 -S 256k --spill-dir spills -o out in";
    let mut command = hearth(arguments.split_whitespace());
    command.current_dir(&directory);

    let clock = SystemClock::new();
    let mut random = Random(9);
    let start = clock.now();
    assert!(command.status().unwrap().success());
    let whole = clock.now().since(start);
    for _ in 0..15 {
        fs::remove_dir_all(&out).unwrap_or_default();
        let mut child = command.spawn().unwrap();
        let permille = u32::try_from(random.below(1100)).unwrap();
        let moment = clock.now() + whole * permille / 1000;
        while clock.now() < moment {
            clock.park(&Parker::new(), Some(moment));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(listed(&spills), [""; 0]);
        let left = if out.exists() {
            listed(&out)
        } else {
            Vec::new()
        };
        assert!(
            left.iter().all(|name| FILES.contains(&name.as_str())),
            "{left:?}"
        );
        if left.iter().any(|name| name == FILES[2]) {
            let all = all_lines(&directory, "out", 2);
            assert!(sorted(&all, b'\n', false, false) == expected);
        }
    }
}

//! What can go wrong: one clear error, the right status, and an existing output as it was.

use std::fs;
use std::io::Read;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::support::{hearth, listed, run, stderr, text, write};

const OLD: &[u8] = b"what was there before\n";

/// A directory with a large input and an output that exists.
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    write(&directory, "in", &text(500_000, 21));
    write(&directory, "out", OLD);
    directory
}

/// The program failed with this status and one line, which has all these parts; nothing was changed.
fn assert_failed(directory: &TempDir, arguments: &str, status: i32, parts: &[&str]) {
    let before = listed(directory.path());
    let output = run(directory, arguments);
    assert_message(&output, arguments, status, parts);
    assert_eq!(
        fs::read(directory.path().join("out")).unwrap(),
        OLD,
        "{arguments}"
    );
    assert_eq!(listed(directory.path()), before, "{arguments}");
}

fn assert_message(output: &Output, arguments: &str, status: i32, parts: &[&str]) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{arguments}: {message}");
    assert_eq!(message.lines().count(), 1, "{arguments}: {message}");
    for part in parts {
        assert!(
            message.contains(part),
            "{arguments}: {part} is not in {message}"
        );
    }
}

#[test]
fn inputs_that_can_not_be_read() {
    let directory = directory();
    fs::create_dir(directory.path().join("folder")).unwrap();
    for (input, reason) in [("nowhere", "No such file"), ("folder", "is a directory")] {
        let arguments = format!("sort -S 1m -o out in {input}");
        assert_failed(
            &directory,
            &arguments,
            1,
            &["could not read", input, reason],
        );
    }
}

#[test]
fn outputs_that_can_not_be_written() {
    let directory = directory();
    for (output, reason) in [
        ("nowhere/out", "nowhere: No such file"),
        (".", ".: Is a directory"),
    ] {
        let arguments = format!("sort -S 1m -o {output} in");
        assert_failed(&directory, &arguments, 1, &[reason]);
    }
    assert_failed(
        &directory,
        "sort -S 1m -o /dev/full in",
        1,
        &["/dev/full", "No space left"],
    );
}

#[test]
fn spill_directories_that_take_no_file() {
    let directory = directory();
    let arguments = "sort -S 300k --tasks 2 --spill-dir nowhere --spill-dir in -o out in";
    let parts = [
        "could not spill",
        "nowhere: No such file",
        "in: Not a directory",
    ];
    assert_failed(&directory, arguments, 1, &parts);
    // Nobody asks for them while there is memory.
    let output = run(&directory, "sort -S 32m --spill-dir nowhere -o out in");
    assert!(output.status.success());
}

#[test]
fn a_line_that_does_not_fit_in_memory() {
    let directory = directory();
    write(
        &directory,
        "long",
        &[&b"x".repeat(3 << 20), &b"\nshort\n"[..]].concat(),
    );
    for tasks in [1, 2] {
        let arguments = format!("sort -S 2m --tasks {tasks} -o out in long");
        let parts = [
            "long: a line of more than",
            "2097152 bytes of memory",
            "offHeap.size",
        ];
        assert_failed(&directory, &arguments, 1, &parts);
    }
    // It is shorter than the budget, but there have to be buffers too.
    write(
        &directory,
        "nearly",
        &[&b"x".repeat((2 << 20) - 5000), &b"\nshort\n"[..]].concat(),
    );
    let parts = [
        "a record of 2092152 bytes does not fit in memory",
        "offHeap.size",
    ];
    assert_failed(
        &directory,
        "sort -S 2m --tasks 1 -o out in nearly",
        1,
        &parts,
    );
    let output = run(&directory, "sort -S 4m --tasks 1 -o out in long nearly");
    assert!(!output.status.success(), "both are needed at once");
    let output = run(&directory, "sort -S 8m --tasks 2 -o out in long nearly");
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn configurations_that_can_not_be_meant() {
    let directory = directory();
    for (file, toml, parts) in [
        (
            "unknown.toml",
            "\"spark.memory.fracton\" = 0.5",
            ["spark.memory.fracton", "unknown key"],
        ),
        (
            "size.toml",
            "\"spark.memory.offHeap.size\" = \"1.5 gg\"",
            ["offHeap.size", "1.5 gg"],
        ),
        (
            "range.toml",
            "\"spark.memory.fraction\" = 1.2",
            ["spark.memory.fraction", "1.2"],
        ),
        (
            "broken.toml",
            "\"spark.memory.fraction\" = = 1",
            ["broken.toml:1", "="],
        ),
    ] {
        write(&directory, file, toml.as_bytes());
        for command in ["sort -o out in", "explain"] {
            let (name, arguments) = command.split_once(' ').unwrap_or((command, ""));
            let arguments = format!("{name} -c {file} {arguments}");
            assert_failed(&directory, &arguments, 2, &[file, parts[0], parts[1]]);
        }
    }
    assert_failed(
        &directory,
        "sort -c nowhere.toml -o out in",
        2,
        &["nowhere.toml"],
    );
    let set = "sort --set spark.memory.offHeap.size=1.5gg -o out in";
    assert_failed(
        &directory,
        set,
        2,
        &["--set", "spark.memory.offHeap.size", "1.5gg"],
    );
}

#[test]
fn every_mistake_in_a_file_is_a_line() {
    let directory = directory();
    write(
        &directory,
        "two.toml",
        b"\"spark.memory.fraction\" = 2\n\"hearth.nothing\" = 1\n",
    );
    let output = run(&directory, "sort -c two.toml in");
    assert_eq!(output.status.code(), Some(2));
    let message = stderr(&output);
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].contains("two.toml:1: spark.memory.fraction"),
        "{message}"
    );
    assert!(lines[1].contains("two.toml:2: hearth.nothing"), "{message}");
}

#[test]
fn arguments_that_can_not_be_meant() {
    let directory = directory();
    assert_failed(&directory, "sort -S 1.5gg -o out in", 2, &["-S", "1.5gg"]);
    assert_failed(
        &directory,
        "sort -S 0 -o out in",
        2,
        &["spark.memory.offHeap.size"],
    );
    assert_failed(
        &directory,
        "sort -S 10k -o out in",
        2,
        &["10240 bytes", "offHeap.size"],
    );
    let block = "sort -S 1m --set hearth.spill.blockSize=2m -o out in";
    assert_failed(&directory, block, 2, &["hearth.spill.blockSize"]);
    for arguments in [
        "",
        "sort --tasks 0 in",
        "sort --stats xml in",
        "sort --nothing",
        "dance",
    ] {
        assert_eq!(
            run(&directory, arguments).status.code(),
            Some(2),
            "{arguments}"
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let directory = directory();
    for size in ["300k", "32m"] {
        let mut command = hearth(["sort", "-S", size, "in"]);
        command
            .current_dir(&directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(stderr(&output), "");
    }
}

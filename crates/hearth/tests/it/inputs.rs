//! Inputs that are out of the ordinary.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use tempfile::TempDir;

use crate::support::{Random, hearth, run, sorted, stdout, text, write};

fn check(name: &str, input: &[u8], budgets: &[&str]) {
    let directory = TempDir::new().unwrap();
    write(&directory, "in", input);
    for (budget, tasks) in budgets.iter().flat_map(|budget| [(budget, 1), (budget, 4)]) {
        for options in ["", "-u", "-r"] {
            let expected = match input {
                [] => Vec::new(),
                _ => sorted(input, b'\n', options == "-r", options == "-u"),
            };
            let arguments = format!("sort -S {budget} --tasks {tasks} {options} in");
            assert!(
                stdout(run(&directory, &arguments)) == expected,
                "{name}: {arguments}"
            );
        }
    }
}

#[test]
fn files_with_next_to_nothing() {
    check("empty", b"", &["1m"]);
    check("one newline", b"\n", &["1m"]);
    check("no final newline", b"b\na", &["1m"]);
    check("only an unfinished line", b"a", &["1m"]);
    check("empty lines", &b"\n".repeat(50_000), &["200k", "8m"]);
}

#[test]
fn all_bytes_that_there_are() {
    let mut random = Random(11);
    let mut bytes = vec![0; 300_000];
    bytes.fill_with(|| u8::try_from(random.below(256)).unwrap());
    check("random bytes", &bytes, &["256k", "8m"]);
    let few: Vec<u8> = bytes
        .iter()
        .map(|byte| [0, b'\n', 1, 0xff][usize::from(byte % 4)])
        .collect();
    check("zeros, ones and newlines", &few, &["256k"]);
}

#[test]
fn lines_all_the_same_or_in_order_already() {
    check(
        "all the same",
        &b"the same line again\n".repeat(20_000),
        &["256k", "8m"],
    );
    let text = text(300_000, 12);
    check("sorted", &sorted(&text, b'\n', false, false), &["256k"]);
    check("reversed", &sorted(&text, b'\n', true, false), &["256k"]);
}

/// Of the length of the read buffer and about, of a page and about, and much longer.
#[test]
fn lines_longer_than_every_buffer() {
    let mut input = Vec::new();
    let lengths = [
        16_383, 16_384, 16_385, 40_000, 65_535, 65_536, 120_000, 250_000, 3, 0,
    ];
    for (number, length) in (0_u8..).zip(lengths) {
        input.extend(vec![b'z' - number; length]);
        input.extend_from_slice(b"\nshort\n");
    }
    check("long lines", &input, &["600k", "16m"]);
    // The longest comes last and has no newline.
    input.extend(vec![b'm'; 200_000]);
    check("a long line at the end", &input, &["600k"]);
}

#[test]
fn the_output_may_be_an_input() {
    let directory = TempDir::new().unwrap();
    let input = text(300_000, 13);
    let path = write(&directory, "both", &input);
    stdout(run(&directory, "sort -S 300k --tasks 2 -o both both"));
    assert!(fs::read(&path).unwrap() == sorted(&input, b'\n', false, false));
    // And once more, beside another input.
    write(&directory, "other", b"one more\n");
    stdout(run(&directory, "sort -S 300k -o both both other"));
    let all = [&input[..], b"one more\n"].concat();
    assert!(fs::read(&path).unwrap() == sorted(&all, b'\n', false, false));
}

/// A file is written by several threads, wherever in it the output begins; a file that is appended to
/// can't be.
#[test]
fn standard_output_may_be_a_file_that_others_write_to_as_well() {
    let directory = TempDir::new().unwrap();
    let input = text(2_000_000, 14);
    write(&directory, "in", &input);
    let expected = sorted(&input, b'\n', false, false);
    for append in [false, true] {
        let path = write(&directory, "out", b"head\n");
        let mut options = fs::OpenOptions::new();
        let mut output = options.write(true).append(append).open(&path).unwrap();
        output.seek(SeekFrom::End(0)).unwrap();
        let arguments = "sort -S 1m --tasks 2 in".split_whitespace();
        let mut command = hearth(arguments);
        command
            .current_dir(&directory)
            .stdout(output.try_clone().unwrap());
        assert!(command.status().unwrap().success());
        output.write_all(b"tail\n").unwrap();
        let all = [b"head\n", &expected[..], b"tail\n"].concat();
        assert!(fs::read(&path).unwrap() == all, "{append}");
    }
}

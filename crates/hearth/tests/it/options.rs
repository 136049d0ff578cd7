//! Options, budgets and numbers of tasks, one against the other.

use tempfile::TempDir;

use crate::support::{run, run_with_input, sorted, stdout, text, write};

/// Of every line ending, order and uniqueness: everything spilled, much merged, nothing spilled.
#[test]
fn the_output_is_the_same_for_any_budget_and_number_of_tasks() {
    let directory = TempDir::new().unwrap();
    let input = text(700_000, 1);
    write(&directory, "in", &input);
    let zeros: Vec<u8> = input
        .iter()
        .map(|byte| if *byte == b'\n' { 0 } else { *byte })
        .collect();
    write(&directory, "zeros", &zeros);
    let mut round = 0;
    for (options, reverse, unique) in [
        ("", false, false),
        ("-r", true, false),
        ("-u", false, true),
        ("-ru", true, true),
    ] {
        for (options, file, delimiter) in [
            (options.to_owned(), "in", b'\n'),
            (format!("-z {options}"), "zeros", 0),
        ] {
            let input = if delimiter == 0 { &zeros } else { &input };
            let expected = sorted(input, delimiter, reverse, unique);
            for (size, tasks) in [("300k", 1), ("512k", 2), ("1m", 3), ("4m", 16), ("32m", 2)] {
                round += 1;
                if round % 2 == 0 && size != "512k" {
                    continue; // half of them are enough
                }
                let arguments = format!("sort -S {size} --tasks {tasks} {options} {file}");
                assert!(
                    stdout(run(&directory, &arguments)) == expected,
                    "{arguments}"
                );
            }
        }
    }
}

#[test]
fn the_systems_sort_agrees() {
    let directory = TempDir::new().unwrap();
    let mut input = text(400_000, 2);
    input.extend_from_slice(b"last, without a newline\0\xff");
    write(&directory, "in", &input);
    for options in ["", "-r", "-u", "-z", "-ruz"] {
        let mut system = std::process::Command::new("sort");
        system.env("LC_ALL", "C").current_dir(&directory).arg("in");
        system.args(options.split_whitespace());
        let Ok(system) = system.output() else {
            return; // there is none here
        };
        let ours = run(&directory, &format!("sort -S 512k --tasks 2 {options} in"));
        assert!(stdout(ours) == system.stdout, "{options}");
    }
}

#[test]
fn on_heap_memory_and_the_static_manager_sort_too() {
    let directory = TempDir::new().unwrap();
    let input = text(300_000, 3);
    write(&directory, "in", &input);
    let legacy = r#"
        "spark.memory.useLegacyMode" = true
        "spark.executor.memory" = "32m"
        "spark.shuffle.memoryFraction" = 0.02
    "#;
    write(&directory, "legacy.toml", legacy.as_bytes());
    let expected = sorted(&input, b'\n', false, false);
    for arguments in [
        "sort in",
        "sort --set spark.testing.memory=524288 --set spark.testing.reservedMemory=0 in",
        "sort -c legacy.toml in",
    ] {
        assert!(
            stdout(run(&directory, arguments)) == expected,
            "{arguments}"
        );
    }
}

#[test]
fn settings_of_spilling_are_obeyed() {
    let directory = TempDir::new().unwrap();
    let input = text(500_000, 4);
    write(&directory, "in", &input);
    let expected = sorted(&input, b'\n', false, false);
    for settings in [
        "--set hearth.spill.codec=none --set hearth.spill.blockSize=1k",
        "--set hearth.spill.codec=zstd --tasks 1 -S 2m",
        "--set spark.shuffle.spill.compress=false",
        "--set spark.shuffle.spill.numElementsForceSpillThreshold=100",
        "--set spark.unsafe.sorter.spill.merge.factor=2",
        "--set spark.unsafe.sorter.spill.read.ahead.enabled=false",
        "--set spark.buffer.pageSize=3000",
        "--set spark.buffer.pageSize=64m",
        "--set hearth.memory.debugFill=true",
    ] {
        let arguments = format!("sort -S 600k --tasks 2 {settings} in");
        assert!(
            stdout(run(&directory, &arguments)) == expected,
            "{arguments}"
        );
    }
}

#[test]
fn standard_input_and_several_files() {
    let directory = TempDir::new().unwrap();
    write(&directory, "one", b"pear\nfig");
    write(&directory, "two", b"");
    write(&directory, "three", b"apple\n");
    let expected = b"apple\nfig\nfig\npear\npear\n";
    let several = run(&directory, "sort -S 1m one two three one");
    assert_eq!(stdout(several), expected);
    assert_eq!(stdout(run_with_input("sort -S 1m", b"b\na")), b"a\nb\n");
    let input = text(600_000, 5);
    let piped = run_with_input("sort -S 400k --tasks 3 - ", &input);
    assert!(stdout(piped) == sorted(&input, b'\n', false, false));
}

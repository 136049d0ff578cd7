//! Running the program, and text to sort.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The program with these arguments, not started yet.
pub(crate) fn hearth<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("HEARTH_LOG");
    command
}

/// Runs the program with these arguments, given as one text, in a directory.
pub(crate) fn run(directory: &TempDir, arguments: &str) -> Output {
    hearth(arguments.split_whitespace())
        .current_dir(directory)
        .output()
        .unwrap()
}

/// Runs the program with this standard input.
pub(crate) fn run_with_input(arguments: &str, input: &[u8]) -> Output {
    let mut command = hearth(arguments.split_whitespace());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    })
}

/// What went to standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The output, if the program succeeded and had nothing to say.
pub(crate) fn stdout(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    output.stdout
}

pub(crate) fn write(directory: &TempDir, name: &str, contents: &[u8]) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, contents).unwrap();
    path
}

/// The names in a directory, sorted.
pub(crate) fn listed(directory: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// About `bytes` of log-like lines, URLs and hexadecimal keys, a tenth of them repeated.
pub(crate) fn text(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut text = Vec::with_capacity(bytes + 300);
    while text.len() < bytes {
        let number = match random.below(10) {
            0 => random.below(50),
            _ => random.next(),
        };
        let line = match random.below(3) {
            0 => format!("2024-11-{:02} INFO block {number:x} granted", number % 28),
            1 => format!("https://www.example.com/catalog/{}/{number}", number % 100),
            _ => format!("{number:016x}").repeat(1 + usize::try_from(number % 12).unwrap()),
        };
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    text
}

/// What sorting `text` has to give.
pub(crate) fn sorted(text: &[u8], delimiter: u8, reverse: bool, unique: bool) -> Vec<u8> {
    let text = text.strip_suffix(&[delimiter]).unwrap_or(text);
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == delimiter).collect();
    lines.sort_unstable();
    if reverse {
        lines.reverse();
    }
    if unique {
        lines.dedup();
    }
    let mut sorted = lines.join(&delimiter);
    sorted.push(delimiter);
    sorted
}

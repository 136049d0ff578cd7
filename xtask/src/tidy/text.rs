//! Rules for single files: how they begin, how long they are, which words they don't hold.

use super::File;
use crate::lexer::{code_only, find_word};

/// A file longer than this does more than one thing, or holds its tests where a `tests.rs` should.
const MAX_LINES: usize = 400;

/// Files that are longer all the same, each with its length: a list that may only shrink.
const LONG_FILES: &[(&str, usize)] = &[];

/// Words that mean unfinished work, or that name a place where only one machine has anything.
///
/// In two halves, so that this file does not hold them.
const BANNED: &[(&str, &str)] = &[
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("HA", "CK"),
    ("/wor", "k/"),
    ("/ro", "ot/"),
    ("sub", "agent"),
    ("sub", "agents"),
];

pub(super) fn check(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |line: usize, what: &str| {
        complaints.push(format!("{}:{}: {what}", file.path, line + 1));
    };
    if file.is_rust() && !file.text.starts_with("//!") {
        complain(
            0,
            "the first line is not a `//!` that says what the file is for",
        );
    }
    for (number, line) in file.text.lines().enumerate() {
        if line.trim_end() != line {
            complain(number, "space at the end of the line");
        }
        for (one, two) in BANNED {
            let word = format!("{one}{two}");
            if find_word(line.as_bytes(), &word).is_some() {
                complain(number, &format!("`{word}` does not belong here"));
            }
        }
    }
    for (number, line) in ignored_tests(file) {
        complain(number, &format!("a test that never runs: {line}"));
    }
    complaints
}

/// Tests and doc tests that are switched off.
fn ignored_tests(file: &File) -> Vec<(usize, &str)> {
    if !file.is_rust() {
        return Vec::new();
    }
    let code = code_only(&file.text);
    let is_ignored = |code: &[u8], line: &str| {
        let comment = line.trim_start();
        let is_doc = comment.starts_with("//") && comment.contains("```ignore");
        is_doc || find_word(code, "#[ignore").is_some()
    };
    file.text
        .lines()
        .zip(code.split(|&byte| byte == b'\n'))
        .enumerate()
        .filter(|(_, (line, code))| is_ignored(code, line))
        .map(|(number, (line, _))| (number, line.trim()))
        .collect()
}

pub(super) fn check_long_files(files: &[File]) -> Vec<String> {
    check_lengths(files, LONG_FILES)
}

fn check_lengths(files: &[File], long_files: &[(&str, usize)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let lines = file.text.lines().count();
        let listed = long_files.iter().find(|(path, _)| *path == file.path);
        let limit = listed.map_or(MAX_LINES, |(_, limit)| *limit);
        if lines > limit {
            complaints.push(format!("{}: {lines} lines, above {limit}", file.path));
        } else if listed.is_some() && lines < limit {
            complaints.push(format!(
                "{}: only {lines} lines; shorten its entry",
                file.path
            ));
        }
    }
    for (path, limit) in long_files {
        let is_there = files.iter().any(|file| file.path == *path);
        if !is_there || *limit <= MAX_LINES {
            complaints.push(format!("{path}: strike it off the list of long files"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[track_caller]
    fn complains(path: &str, text: &str, about: &str) {
        let complaints = check(&file(path, text));
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].contains(about), "{complaints:?}");
    }

    #[track_caller]
    fn is_fine(path: &str, text: &str) {
        assert_eq!(check(&file(path, text)), [""; 0]);
    }

    #[test]
    fn a_rust_file_says_first_what_it_is_for() {
        is_fine("a.rs", "//! Why.\nfn f() {}\n");
        complains("a.rs", "// Why.\nfn f() {}\n", "a.rs:1");
        complains("a.rs", "", "a.rs:1");
        is_fine("a.toml", "[package]\n");
    }

    #[test]
    fn no_line_ends_in_space() {
        complains("a.md", "one\ntwo \n", "a.md:2: space");
    }

    #[test]
    fn banned_words_are_found_whole_only() {
        let word = ["TO", "DO"].concat();
        complains("a.rs", &format!("//! Why.\n// {word}: later\n"), "a.rs:2");
        complains("a.md", &format!("see {word}.\n"), "does not belong");
        is_fine("a.md", &format!("{word}NE\n"));
        complains("a.md", &["see /wor", "k/x"].concat(), "does not belong");
    }

    #[test]
    fn no_test_is_switched_off() {
        complains(
            "a.rs",
            "//! Why.\n#[ignore = \"slow\"]\nfn f() {}\n",
            "a.rs:2",
        );
        complains("a.rs", "//! ```ignore\n//! f();\n//! ```\n", "a.rs:1");
        is_fine("a.rs", "//! Why: no `#[ignore]`.\nlet a = \"#[ignore]\";\n");
    }

    #[test]
    fn long_files_are_listed_and_the_list_only_shrinks() {
        let long = file("a.rs", &"//! x\n".repeat(MAX_LINES + 10));
        let check = |list: &[(&str, usize)]| check_lengths(std::slice::from_ref(&long), list);
        assert_eq!(check(&[]), ["a.rs: 410 lines, above 400"]);
        assert_eq!(check(&[("a.rs", 409)]), ["a.rs: 410 lines, above 409"]);
        assert_eq!(check(&[("a.rs", 410)]), [""; 0]);
        assert_eq!(
            check(&[("a.rs", 411)]),
            ["a.rs: only 410 lines; shorten its entry"]
        );
        let gone = check(&[("a.rs", 410), ("gone.rs", 500)]);
        assert_eq!(gone, ["gone.rs: strike it off the list of long files"]);
    }
}

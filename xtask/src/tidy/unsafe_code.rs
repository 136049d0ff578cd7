//! Unsafe code stands in the files listed here, each of them in ARCHITECTURE.md too, and nowhere else.

use super::File;
use super::documents::ARCHITECTURE;
use crate::lexer::{code_only, find_word};

/// The files that may hold unsafe code.
const ALLOWED: &[&str] = &[
    "crates/mem-block/src/cache.rs",
    "crates/mem-block/src/part.rs",
    "crates/mem-block/src/raw.rs",
    "crates/mem-block/src/slab_arc.rs",
    "crates/mem-sync/src/fence.rs",
];

pub(super) fn check(files: &[File]) -> Vec<String> {
    check_against(files, ALLOWED)
}

fn check_against(files: &[File], allowed: &[&str]) -> Vec<String> {
    let architecture = files
        .iter()
        .find(|file| file.path == ARCHITECTURE)
        .map_or("", |file| file.text.as_str());
    let mut complaints = Vec::new();
    let unsafe_files: Vec<&str> = files
        .iter()
        .filter(|file| file.is_rust() && has_unsafe(&file.text))
        .map(|file| file.path.as_str())
        .collect();
    for path in &unsafe_files {
        if !allowed.contains(path) {
            complaints.push(format!(
                "{path}: unsafe code; if it has to be here, list the file in xtask/src/tidy/unsafe_code.rs"
            ));
        }
        if !architecture.contains(path) {
            complaints.push(format!(
                "{path}: unsafe code that {ARCHITECTURE} does not list"
            ));
        }
    }
    for path in allowed.iter().filter(|path| !unsafe_files.contains(path)) {
        complaints.push(format!(
            "{path}: no unsafe code any more; strike it off the list"
        ));
    }
    complaints
}

/// Whether the keyword stands in the code. The lint's name is another word.
fn has_unsafe(source: &str) -> bool {
    find_word(&code_only(source), "unsafe").is_some()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    const RAW: &str = "crates/a/src/raw.rs";

    fn house(source: &str) -> [File; 2] {
        let table = format!("| `{RAW}` | why |\n");
        [file(RAW, source), file(ARCHITECTURE, &table)]
    }

    #[test]
    fn every_form_of_unsafe_code_counts() {
        for source in [
            "fn f() { unsafe { g() } }",
            "unsafe fn f() {}",
            "unsafe impl Send for X {}",
            "#[unsafe(no_mangle)] fn f() {}",
        ] {
            assert_eq!(check_against(&house(source), &[]).len(), 1, "{source}");
            assert_eq!(check_against(&house(source), &[RAW]), [""; 0], "{source}");
        }
    }

    #[test]
    fn talk_of_it_does_not_count() {
        let source = "//! unsafe { }\n#![forbid(unsafe_code)]\nlet a = \"unsafe {\";";
        assert_eq!(check_against(&house(source), &[]), [""; 0]);
    }

    #[test]
    fn the_document_lists_it_too() {
        let files = [file(RAW, "unsafe fn f() {}"), file(ARCHITECTURE, "nothing")];
        assert_eq!(check_against(&files, &[RAW]).len(), 1);
        assert_eq!(check_against(&files, &[]).len(), 2);
    }

    #[test]
    fn a_list_longer_than_need_be_is_shortened() {
        assert_eq!(check_against(&house("fn f() {}"), &[RAW]).len(), 1);
    }
}

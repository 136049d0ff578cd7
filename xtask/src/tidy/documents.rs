//! Manifests and documents keep up with the crates: nothing unlisted, nothing unreachable.

use super::File;

pub(super) const ARCHITECTURE: &str = "ARCHITECTURE.md";
const README: &str = "README.md";

pub(super) fn check(files: &[File], crates: &[&str]) -> Vec<String> {
    let text = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.map(|file| file.text.as_str())
    };
    let mut complaints: Vec<String> = [ARCHITECTURE, README]
        .into_iter()
        .filter(|path| text(path).is_none())
        .map(|path| format!("{path}: there is none"))
        .collect();
    let architecture = text(ARCHITECTURE).unwrap_or_default();
    for name in crates {
        if !architecture.contains(&format!("`{name}`")) {
            complaints.push(format!("{ARCHITECTURE}: no word of the crate `{name}`"));
        }
    }
    let readme = text(README).unwrap_or_default();
    for file in files.iter().filter(|file| is_document(&file.path)) {
        let link = format!("({}", file.path);
        if !architecture.contains(&link) && !readme.contains(&link) {
            complaints.push(format!(
                "{}: neither {README} nor {ARCHITECTURE} links to it",
                file.path
            ));
        }
    }
    for file in files.iter().filter(|file| is_manifest(&file.path)) {
        if !takes_workspace_lints(&file.text) {
            complaints.push(format!("{}: without `[lints] workspace = true`", file.path));
        }
    }
    complaints
}

fn is_document(path: &str) -> bool {
    path.starts_with("docs/") && path.ends_with(".md")
}

/// Whether it is the manifest of a member: the virtual one has no package, and fuzzing is a workspace of its own.
fn is_manifest(path: &str) -> bool {
    path == "xtask/Cargo.toml" || (path.starts_with("crates/") && path.ends_with("/Cargo.toml"))
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let mut lines = manifest
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines.by_ref().any(|line| line == "[lints]") && lines.next() == Some("workspace = true")
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn house() -> Vec<File> {
        vec![
            file(ARCHITECTURE, "`mem-pool` counts; see [how](docs/how.md)\n"),
            file(README, "[spark](docs/spark.md)\n"),
            file("docs/how.md", ""),
            file("docs/spark.md", ""),
            file(
                "crates/mem-pool/Cargo.toml",
                "[package]\n\n[lints]\nworkspace = true\n",
            ),
        ]
    }

    #[track_caller]
    fn complains(files: &[File], crates: &[&str], about: &str) {
        let complaints = check(files, crates);
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].contains(about), "{complaints:?}");
    }

    #[test]
    fn a_tidy_house_is_fine() {
        assert_eq!(check(&house(), &["mem-pool"]), [""; 0]);
    }

    #[test]
    fn an_unmentioned_crate_is_named() {
        complains(&house(), &["mem-pool", "mem-po"], "`mem-po`");
    }

    #[test]
    fn an_unlinked_document_is_named() {
        let mut files = house();
        files.push(file("docs/lost.md", "see docs/lost.md"));
        complains(&files, &["mem-pool"], "docs/lost.md");
    }

    #[test]
    fn a_crate_without_the_lints_is_named() {
        for manifest in ["[package]\n", "[lints]\n[dependencies]\nworkspace = true\n"] {
            let mut files = house();
            files.push(file("crates/new/Cargo.toml", manifest));
            complains(&files, &["mem-pool"], "crates/new/Cargo.toml");
        }
    }

    #[test]
    fn a_missing_document_is_named() {
        let mut files = house();
        files.retain(|file| file.path != README);
        files.retain(|file| file.path != "docs/spark.md");
        complains(&files, &["mem-pool"], "README.md: there is none");
    }
}

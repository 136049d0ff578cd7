//! Outputs: the old one or the whole new one, and nothing beside it.

use crate::support::listed;
use mem_spill::PendingOutput;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

fn output(path: &Path, content: &str) -> PendingOutput {
    let output = PendingOutput::create(path).unwrap();
    output.file().write_all(content.as_bytes()).unwrap();
    output
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_output_appears_whole() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("new");
    let pending = output(&target, "content");
    assert_eq!(listed(directory.path()), [""; 0]);
    pending.commit().unwrap();
    assert_eq!(listed(directory.path()), ["new"]);
    assert_eq!(fs::read(&target).unwrap(), b"content");
    // The mode that the umask leaves to any other file.
    let other = directory.path().join("other");
    fs::write(&other, "").unwrap();
    assert_eq!(mode(&target), mode(&other));
}

#[test]
fn an_existing_output_is_replaced_at_once_and_keeps_its_mode() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("old");
    fs::write(&target, "old content").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o751)).unwrap();
    let pending = output(&target, "new");
    assert_eq!(fs::read(&target).unwrap(), b"old content");
    let reading = fs::File::open(&target).unwrap();
    pending.commit().unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"new");
    assert_eq!(mode(&target), 0o751);
    assert_eq!(listed(directory.path()), ["old"]);
    // Whoever has the old one open still reads all of it.
    assert_eq!(std::io::read_to_string(reading).unwrap(), "old content");
}

#[test]
fn the_owner_is_kept_where_that_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("theirs");
    fs::write(&target, "old").unwrap();
    // Only a privileged user can set this up, and only there it can be wrong.
    if chown(&target, Some(12_345), Some(54_321)).is_ok() {
        fs::set_permissions(&target, Permissions::from_mode(0o4750)).unwrap();
        output(&target, "new").commit().unwrap();
        let now = fs::metadata(&target).unwrap();
        assert_eq!((now.uid(), now.gid()), (12_345, 54_321));
        assert_eq!(mode(&target), 0o4750);
    }
}

#[test]
fn a_dropped_output_leaves_everything_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("old");
    fs::write(&target, "old content").unwrap();
    drop(output(&target, "new"));
    drop(output(&directory.path().join("never"), "new"));
    assert_eq!(listed(directory.path()), ["old"]);
    assert_eq!(fs::read(&target).unwrap(), b"old content");
}

#[test]
fn a_file_that_appears_meanwhile_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("raced");
    let pending = output(&target, "ours");
    fs::write(&target, "theirs").unwrap();
    pending.commit().unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"ours");
    assert_eq!(listed(directory.path()), ["raced"]);
}

#[test]
fn links_are_followed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name| directory.path().join(name);
    fs::create_dir(at("inner")).unwrap();
    fs::write(at("inner/file"), "old").unwrap();
    symlink("inner/file", at("link")).unwrap();
    symlink("inner/missing", at("dangling")).unwrap();
    output(&at("link"), "new").commit().unwrap();
    output(&at("dangling"), "made").commit().unwrap();
    for name in ["link", "dangling"] {
        assert!(fs::symlink_metadata(at(name)).unwrap().is_symlink());
    }
    assert_eq!(fs::read(at("inner/file")).unwrap(), b"new");
    assert_eq!(fs::read(at("inner/missing")).unwrap(), b"made");
    assert_eq!(listed(&at("inner")), ["file", "missing"]);
    assert_eq!(listed(directory.path()), ["dangling", "inner", "link"]);
}

#[test]
fn what_is_no_file_is_written_directly() {
    let device = Path::new("/dev/null");
    output(device, "gone").commit().unwrap();
    let still = fs::metadata(device).unwrap().file_type();
    assert!(still.is_char_device());
}

#[test]
fn an_output_that_cannot_be_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing/out");
    let error = PendingOutput::create(&missing).unwrap_err();
    let expected = format!(
        "could not create a file in {}",
        missing.parent().unwrap().display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);

    let error = PendingOutput::create(directory.path()).unwrap_err();
    let expected = format!("could not write to {}", directory.path().display());
    assert_eq!(error.to_string(), expected);

    // A file system on which nobody may create files.
    let error = PendingOutput::create(Path::new("/proc/out")).unwrap_err();
    assert_eq!(error.to_string(), "could not create a file in /proc");

    fs::write(directory.path().join("file"), "").unwrap();
    let error = PendingOutput::create(&directory.path().join("file/out")).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}

#[test]
fn a_commit_that_fails_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("out");
    let pending = output(&target, "ours");
    // A directory can't be replaced by a file.
    fs::create_dir(&target).unwrap();
    let error = pending.commit().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("could not replace {}", target.display())
    );
    assert_eq!(listed(directory.path()), ["out"]);
}

//! Real files: nothing to be seen of them, nothing left of them.

use crate::support::{CODECS, bytes, drain, encoder, listed, reader, reader_ahead, write};
use mem_spill::{PendingOutput, ReadAhead, SpillDirs, SpillOptions, SpillWriter};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const CHILD_DIRECTORY: &str = "MEM_SPILL_TEST_DIRECTORY";

#[test]
fn a_file_has_no_name_at_any_time() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let places = [one.path(), two.path()];
    let dirs = SpillDirs::new(places.map(Path::to_owned).to_vec()).unwrap();
    let seen = || places.map(listed).concat();
    let threads = ReadAhead::start(2).unwrap();
    for codec in CODECS {
        let options = SpillOptions::new(codec, 16 << 10).unwrap();
        let mut files = [dirs.create().unwrap(), dirs.create().unwrap()];
        assert_eq!([files[0].directory(), files[1].directory()], places);
        let data = bytes(1, 30, 300_000);
        for file in &mut files {
            let segment = write(file, options, &data, 7777).unwrap();
            assert_eq!(seen(), [""; 0]);
            for reader in [reader(&segment), reader_ahead(&segment, &threads)] {
                let (read, error) = drain(reader);
                assert!(error.is_none() && read == data);
            }
            assert_eq!(seen(), [""; 0]);
        }
    }
    assert_eq!(dirs.stats().files_alive, 0);
}

#[test]
fn directories_that_are_none_are_passed_over_and_named() {
    let good = tempfile::tempdir().unwrap();
    let missing = good.path().join("missing");
    let no_directory = good.path().join("file");
    std::fs::write(&no_directory, "").unwrap();
    let dirs = |list: &[&Path]| SpillDirs::new(list.iter().map(PathBuf::from).collect()).unwrap();
    let some = dirs(&[&missing, &no_directory, good.path()]);
    for _ in 0..4 {
        assert_eq!(some.create().unwrap().directory(), good.path());
    }
    let said = dirs(&[&missing, &no_directory])
        .create()
        .unwrap_err()
        .to_string();
    for expected in [
        format!("{}: No such file or directory", missing.display()),
        format!("{}: Not a directory", no_directory.display()),
    ] {
        assert!(said.contains(&expected), "{said}");
    }
}

/// A process is killed while it writes a spill file and an output.
#[test]
fn a_killed_process_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("existing"), "old").unwrap();
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "files::the_process_that_is_killed",
                "--exact",
                "--nocapture",
            ])
            .env(CHILD_DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("is writing")));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(listed(directory.path()), ["existing"]);
        let old = std::fs::read(directory.path().join("existing")).unwrap();
        assert_eq!(old, b"old");
    }
}

/// Does nothing unless `a_killed_process_leaves_nothing` runs it in a process of its own.
#[test]
fn the_process_that_is_killed() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let dirs = SpillDirs::new(vec![directory.clone()]).unwrap();
    let options = SpillOptions::default();
    let mut encoder = encoder(options);
    let mut spilled = dirs.create().unwrap();
    let outputs =
        ["existing", "new"].map(|name| PendingOutput::create(&directory.join(name)).unwrap());
    let data = bytes(1, 255, 1 << 20);
    // Every round overwrites what the round before spilled. The kill comes long before the end.
    for _ in 0..100_000 {
        let mut writer = SpillWriter::new(&mut spilled, &mut encoder);
        writer.append(&data).unwrap();
        for mut output in outputs.iter().map(PendingOutput::file) {
            output.write_all(&data[..1000]).unwrap();
        }
        println!("is writing");
    }
}

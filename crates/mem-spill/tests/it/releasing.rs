//! Disk space that is given back while a file is still in use.

use crate::support::{CODECS, bytes, drain, in_memory, reader, reader_ahead, write};
use mem_spill::{ReadAhead, Segment, SpillFile, SpillOptions, SpillReader};
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::path::Path;

const LENGTH: usize = 1 << 20;

/// Reads from `segment`'s second block on, gives back what lies before `end`, and compares.
fn read_and_release(mut reader: SpillReader<Vec<u8>>, end: u64, expected: &[u8]) {
    let mut read = reader.next_block().unwrap().unwrap().to_vec();
    reader.release_until(end);
    let (rest, error) = drain(reader);
    assert!(error.is_none(), "{error:?}");
    read.extend(rest);
    assert!(read == expected);
}

/// An offset in the middle of a segment.
fn middle(segment: &Segment) -> u64 {
    segment.offset() + segment.stored_bytes() / 2
}

#[test]
fn blocks_after_the_call_and_before_the_end_are_given_back_once() {
    for codec in CODECS {
        let (files, dirs) = in_memory();
        let mut file = dirs.create().unwrap();
        let options = SpillOptions::new(codec, 4 << 10).unwrap();
        let data = [1, 2].map(|seed| bytes(seed, 255, LENGTH));
        let [one, other] = data
            .each_ref()
            .map(|data| write(&mut file, options, data, 7777).unwrap());
        read_and_release(reader(&one), middle(&one), &data[0]);
        let half = one.stored_bytes() / 2;
        let released = files.released() as u64;
        assert!(
            (half - (16 << 10)..=half).contains(&released),
            "{released} of {half}"
        );
        // Beyond the segment nothing is given back, whatever the end is said to be.
        read_and_release(reader(&other), u64::MAX, &data[1]);
        let second = files.released() as u64 - released;
        let stored = other.stored_bytes();
        assert!(
            (stored - (16 << 10)..=stored).contains(&second),
            "{second} of {stored}"
        );
        let (_, error) = drain(reader(&one));
        error.expect("what was given back is found to be gone");
    }
}

#[test]
fn read_ahead_gives_back_if_it_is_asked_before() {
    let (files, dirs) = in_memory();
    let mut file = dirs.create().unwrap();
    let options = SpillOptions::new(CODECS[0], 4 << 10).unwrap();
    let data = bytes(1, 255, LENGTH);
    let threads = ReadAhead::start(1).unwrap();
    let segment = write(&mut file, options, &data, 7777).unwrap();
    let mut late = reader_ahead(&segment, &threads);
    late.release_until(u64::MAX);
    assert!(drain(late).1.is_none());
    assert_eq!(files.released(), 0);
    let mut early = reader(&segment);
    early.release_until(u64::MAX);
    let early = early.with_read_ahead(&threads, vec![0; options.block_bytes()]);
    let (read, error) = drain(early.unwrap());
    assert!(error.is_none() && read == data);
    assert!(files.released() as u64 > segment.stored_bytes() - (8 << 10));
}

/// Whether the file system of `directory` can do that.
fn can_release(directory: &Path) -> bool {
    let file = tempfile::tempfile_in(directory).unwrap();
    file.set_len(1 << 20).unwrap();
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&file, hole, 0, 4 << 10).is_ok()
}

#[test]
fn a_real_file_has_a_hole_there() {
    let directory = tempfile::tempdir().unwrap();
    if !can_release(directory.path()) {
        eprintln!("left out: the file system has no holes");
        return;
    }
    let path = directory.path().join("file");
    let real = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path);
    let mut file = SpillFile::named(real.unwrap(), &path);
    let options = SpillOptions::new(CODECS[0], 4 << 10).unwrap();
    let data = bytes(1, 255, LENGTH);
    let segment = write(&mut file, options, &data, 7777).unwrap();
    let before = std::fs::read(&path).unwrap();
    let end = middle(&segment);
    read_and_release(reader(&segment), end, &data);
    let after = std::fs::read(&path).unwrap();
    assert_eq!(after.len(), before.len());
    let end = usize::try_from(end).unwrap();
    assert!(after[end..] == before[end..] && after[..4 << 10] == before[..4 << 10]);
    // The first step at least: later ones are left where the first took long.
    assert!(after[8 << 10..64 << 10].iter().all(|byte| *byte == 0));
}

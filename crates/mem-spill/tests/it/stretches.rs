//! Segments copied from file to file as they are, and found again in a file that has a name.

use crate::support::{CODECS, bytes, drain, in_memory, reader, reader_ahead, write};
use mem_spill::testing::FaultyFiles;
use mem_spill::{Codec, Corruption, ReadAhead, SpillError, SpillFile, SpillOptions, SpillReader};
use std::fs::File;

const BLOCK: usize = 1024;

/// All of its data, of which nothing is damaged.
fn whole(reader: SpillReader<Vec<u8>>) -> Vec<u8> {
    let (read, error) = drain(reader);
    assert!(error.is_none(), "{error:?}");
    read
}

/// Two segments of two files, laid end to end in a third; its data.
fn joined(codec: Codec) -> (FaultyFiles, SpillFile, Vec<u8>) {
    let (files, dirs) = in_memory();
    let options = SpillOptions::new(codec, BLOCK).unwrap();
    let mut target = dirs.create().unwrap();
    let mut data = Vec::new();
    for (seed, kinds, length) in [(1, 3, 2500), (2, 200, 3000)] {
        let mut file = dirs.create().unwrap();
        let part = bytes(seed, kinds, length);
        let segment = write(&mut file, options, &part, 500).unwrap();
        let stretch = segment.stretch();
        let mut seen = 0;
        let look = |piece: &[u8]| seen += piece.len();
        stretch.copy_to(&mut target, &mut [0; 77], look).unwrap();
        assert_eq!(seen as u64, segment.stored_bytes());
        data.extend_from_slice(&part);
    }
    (files, target, data)
}

#[test]
fn segments_laid_end_to_end_are_read_as_one() {
    let threads = ReadAhead::start(1).unwrap();
    for codec in CODECS {
        let (files, target, data) = joined(codec);
        let segment = target.stretch(0..target.stored_bytes()).segment().unwrap();
        assert_eq!(segment.bytes(), data.len() as u64);
        assert_eq!(segment.stored_bytes(), target.stored_bytes());
        assert_eq!(segment.blocks(), 3 + 4);
        assert_eq!(segment.options().block_bytes(), BLOCK);
        assert_eq!(whole(reader(&segment)), data, "{codec}");
        assert_eq!(whole(reader_ahead(&segment, &threads)), data);
        drop((segment, target));
        assert_eq!(files.alive(), 0);
    }
}

#[test]
fn a_stretch_is_split_where_its_segments_meet() {
    let (_, dirs) = in_memory();
    let options = SpillOptions::new(Codec::Lz4, BLOCK).unwrap();
    let mut file = dirs.create().unwrap();
    let data = [bytes(1, 2, 3000), bytes(2, 9, 10), bytes(3, 250, 1500)];
    let segments = data
        .each_ref()
        .map(|data| write(&mut file, options, data, 99).unwrap());
    let mut rest = file.stretch(0..file.stored_bytes());
    for (data, segment) in data.iter().zip(&segments) {
        let found = rest.split_front(segment.stored_bytes()).segment().unwrap();
        assert_eq!(
            (found.blocks(), found.bytes()),
            (segment.blocks(), segment.bytes())
        );
        assert_eq!(whole(reader(&found)), *data);
    }
    assert_eq!(rest.stored_bytes(), 0);
    let nothing = rest.split_front(7).segment().unwrap();
    assert_eq!((nothing.blocks(), whole(reader(&nothing)).len()), (0, 0));
}

#[test]
fn every_flipped_bit_is_noticed_at_the_latest_on_reading() {
    for codec in CODECS {
        let (files, target, data) = joined(codec);
        let stretch = target.stretch(0..target.stored_bytes());
        let length = usize::try_from(target.stored_bytes()).unwrap();
        for bit in (0..length * 8).step_by(13) {
            files.with_bytes(1, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let error = match stretch.segment() {
                Err(error) => Some(error),
                Ok(segment) => {
                    let (read, error) = drain(reader(&segment));
                    assert!(data.starts_with(&read), "{codec}, bit {bit}: other data");
                    error
                }
            };
            assert!(
                matches!(error, Some(SpillError::Corrupt { .. })),
                "{codec}, bit {bit}"
            );
            files.with_bytes(1, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        }
    }
}

#[test]
fn a_stretch_with_other_ends_than_its_segments_is_noticed() {
    let (_, target, _) = joined(Codec::Lz4);
    let all = target.stored_bytes();
    for stretch in [1..all, 0..all - 1, 0..all + 1, all..all + 40, 40..50] {
        let error = target.stretch(stretch.clone()).segment().unwrap_err();
        assert!(
            matches!(error, SpillError::Corrupt { .. }),
            "{stretch:?}: {error}"
        );
    }
}

#[test]
fn two_codecs_in_one_stretch_are_refused() {
    let (_, dirs) = in_memory();
    let mut file = dirs.create().unwrap();
    for codec in [Codec::Lz4, Codec::Zstd { level: 1 }] {
        let options = SpillOptions::new(codec, BLOCK).unwrap();
        write(&mut file, options, &bytes(1, 2, 3000), 500).unwrap();
    }
    let error = file.stretch(0..file.stored_bytes()).segment().unwrap_err();
    let SpillError::Corrupt { found, .. } = error else {
        panic!("{error}")
    };
    let expected = Codec::Lz4;
    assert_eq!(found, Corruption::Codec { expected, found: 2 });
}

#[test]
fn a_copy_that_fails_leaves_its_target_as_it_was() {
    let (files, dirs) = in_memory();
    let options = SpillOptions::new(Codec::None, BLOCK).unwrap();
    let mut source = dirs.create().unwrap();
    write(&mut source, options, &bytes(1, 200, 5000), 500).unwrap();
    let mut target = dirs.create().unwrap();
    let before = write(&mut target, options, b"before", 6).unwrap();
    let stretch = source.stretch(0..source.stored_bytes());

    files.limit_disk(7000);
    let error = stretch
        .copy_to(&mut target, &mut [0; 500], |_| {})
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(target.stored_bytes(), before.stored_bytes());
    assert_eq!(
        files.with_bytes(2, |bytes| bytes.len() as u64),
        Some(before.stored_bytes())
    );

    let beyond = source.stretch(0..source.stored_bytes() + 1);
    files.limit_disk(usize::MAX);
    let error = beyond
        .copy_to(&mut target, &mut [0; 500], |_| {})
        .unwrap_err();
    assert!(matches!(error, SpillError::Corrupt { .. }), "{error}");
    assert_eq!(target.stored_bytes(), before.stored_bytes());
    let error = stretch.copy_to(&mut target, &mut [], |_| {}).unwrap_err();
    assert!(
        matches!(error, SpillError::BufferTooSmall { .. }),
        "{error}"
    );
}

#[test]
fn errors_in_a_file_with_a_name_say_the_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("result");
    let options = SpillOptions::new(Codec::Lz4, BLOCK).unwrap();
    let data = bytes(1, 2, 3000);
    let mut result = SpillFile::named(File::create(&path).unwrap(), &path);
    let written = write(&mut result, options, &data, 500).unwrap();
    drop(result);

    let result = SpillFile::named(File::open(&path).unwrap(), &path);
    let stretch = result.stretch(0..written.stored_bytes());
    assert_eq!(whole(reader(&stretch.segment().unwrap())), data);
    let beyond = result.stretch(written.stored_bytes()..written.stored_bytes() + 32);
    let error = beyond.segment().unwrap_err().to_string();
    let place = format!("byte {} of {}", written.stored_bytes(), path.display());
    assert!(error.contains(&place), "{error}");
    drop((result, written));
    assert!(path.exists(), "a name stays");
}

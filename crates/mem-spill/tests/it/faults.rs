//! Disks that are full, slow of speech, forbidden or broken.

use crate::support::{
    CODECS, block, bytes, decoders, drain, encoder, in_memory, reader, reader_ahead, write,
};
use mem_spill::{Codec, ReadAhead, SpillDirs, SpillError, SpillOptions, SpillReader, SpillWriter};
use rustix::io::Errno;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn options(codec: Codec) -> SpillOptions {
    SpillOptions::new(codec, 1024).unwrap()
}

#[test]
fn a_full_disk_is_an_error_and_a_new_file_goes_elsewhere() {
    let (files, dirs) = in_memory();
    files.limit_disk(10_000);
    let options = options(Codec::None);
    let mut encoder = encoder(options);
    let mut file = dirs.create().unwrap();
    assert_eq!(file.directory(), Path::new("a"));
    let first = write(&mut file, options, &[1; 992], 992).unwrap();

    let mut writer = SpillWriter::new(&mut file, &mut encoder);
    let error = writer.append(&[2; 20_000]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let said = error.to_string();
    assert_eq!(
        said,
        "could not write 1024 bytes at byte 9216 of spill file 1 in a"
    );
    let again = writer.append(b"more").unwrap_err();
    assert!(matches!(again, SpillError::WriterFailed { .. }), "{again}");
    let again = writer.finish().unwrap_err();
    assert!(matches!(again, SpillError::WriterFailed { place } if place.offset == 9216));

    // The file is as it was, and the disk has its room back.
    assert_eq!(files.with_bytes(1, |bytes| bytes.len()), Some(1024));
    assert_eq!(file.stored_bytes(), 1024);
    assert_eq!(drain(reader(&first)).0, [1; 992]);

    // It is a's turn after b's, but a has failed.
    assert_eq!(dirs.create().unwrap().directory(), Path::new("b"));
    assert_eq!(dirs.create().unwrap().directory(), Path::new("b"));
    // Until a file there has gone.
    drop((file, first));
    assert_eq!(files.alive(), 0);
    assert_eq!(dirs.create().unwrap().directory(), Path::new("b"));
    assert_eq!(dirs.create().unwrap().directory(), Path::new("a"));
}

#[test]
fn an_encoder_survives_a_full_disk() {
    for codec in CODECS {
        let (files, dirs) = in_memory();
        files.limit_disk(3000);
        let options = options(codec);
        let mut encoder = encoder(options);
        let data = bytes(1, 255, 6000);
        let mut file = dirs.create().unwrap();
        let mut writer = SpillWriter::new(&mut file, &mut encoder);
        writer.append(&data).unwrap_err();
        drop(writer);
        files.limit_disk(10_000);
        let mut writer = SpillWriter::new(&mut file, &mut encoder);
        writer.append(&data).unwrap();
        let segment = writer.finish().unwrap();
        assert!(drain(reader(&segment)).0 == data);
    }
}

#[test]
fn an_abandoned_segment_gives_its_disk_space_back() {
    let (files, dirs) = in_memory();
    let options = options(Codec::None);
    let mut encoder = encoder(options);
    let mut file = dirs.create().unwrap();
    let mut writer = SpillWriter::new(&mut file, &mut encoder);
    writer.append(&[0; 5000]).unwrap();
    assert_eq!(writer.stored_bytes(), 5120);
    drop(writer);
    assert_eq!(files.with_bytes(1, |bytes| bytes.len()), Some(0));
}

#[test]
fn files_are_made_in_turn_and_a_bad_directory_is_passed_over() {
    let (files, dirs) = in_memory();
    let made: Vec<_> = (0..4).map(|_| dirs.create().unwrap()).collect();
    let places: Vec<_> = made
        .iter()
        .map(|file| file.directory().to_owned())
        .collect();
    assert_eq!(places, ["a", "b", "a", "b"].map(Path::new));
    for errno in [Errno::ROFS, Errno::ACCESS, Errno::NOSPC, Errno::NOENT] {
        files.fail_directory(Path::new("a"), errno.raw_os_error());
        for _ in 0..3 {
            assert_eq!(dirs.create().unwrap().directory(), Path::new("b"));
        }
    }
}

#[test]
fn without_any_directory_the_error_names_them_all() {
    let (files, dirs) = in_memory();
    files.fail_directory(Path::new("a"), Errno::ROFS.raw_os_error());
    files.fail_directory(Path::new("b"), Errno::ACCESS.raw_os_error());
    let said = dirs.create().unwrap_err().to_string();
    assert_eq!(
        said,
        "no spill directory can be used: a: Read-only file system (os error 30); \
         b: Permission denied (os error 13)"
    );
    let said = SpillDirs::new(Vec::new()).unwrap_err().to_string();
    assert!(said.contains("list of directories"), "{said}");
}

#[test]
fn short_and_interrupted_calls_are_continued() {
    for codec in CODECS {
        let (files, dirs) = in_memory();
        files.limit_calls(100);
        let data = bytes(2, 50, 20_000);
        let segment = write(&mut dirs.create().unwrap(), options(codec), &data, 999).unwrap();
        let threads = ReadAhead::start(1).unwrap();
        for reader in [reader(&segment), reader_ahead(&segment, &threads)] {
            let (read, error) = drain(reader);
            assert!(error.is_none() && read == data);
        }
    }
}

#[test]
fn a_failed_read_can_be_tried_again() {
    let threads = ReadAhead::start(1).unwrap();
    for ahead in [false, true] {
        let (files, dirs) = in_memory();
        let data = bytes(4, 200, 5000);
        let segment = write(&mut dirs.create().unwrap(), options(Codec::Lz4), &data, 999).unwrap();
        let reads = AtomicUsize::new(0);
        files.hook(move |access| {
            let fails = !access.write && reads.fetch_add(1, Ordering::Relaxed) % 2 == 1;
            if fails {
                Err(Errno::IO.raw_os_error())
            } else {
                Ok(())
            }
        });
        let mut reader = match ahead {
            true => reader_ahead(&segment, &threads),
            false => reader(&segment),
        };
        let (mut read, mut failures) = (Vec::new(), 0);
        loop {
            match reader.next_block() {
                Ok(Some(block)) => read.extend_from_slice(block),
                Ok(None) => break,
                Err(error) => {
                    let SpillError::Io {
                        action: "read",
                        source,
                        ..
                    } = error
                    else {
                        panic!("{error:?}")
                    };
                    assert_eq!(source.raw_os_error(), Some(Errno::IO.raw_os_error()));
                    failures += 1;
                }
            }
        }
        assert!(read == data);
        assert!(failures >= segment.blocks(), "{failures}");
    }
}

#[test]
fn a_block_takes_one_call_each_way() {
    for codec in CODECS {
        let (files, dirs) = in_memory();
        let calls = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let counted = Arc::clone(&calls);
        files.hook(move |access| {
            let counter = if access.write { &counted.0 } else { &counted.1 };
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let data = bytes(1, 9, 50_000);
        let segment = write(&mut dirs.create().unwrap(), options(codec), &data, 10).unwrap();
        let (read, _) = drain(reader(&segment));
        assert!(read == data);
        let blocks = usize::try_from(segment.blocks()).unwrap();
        assert_eq!(calls.0.load(Ordering::Relaxed), blocks);
        // And one for the very first header.
        assert_eq!(calls.1.load(Ordering::Relaxed), blocks + 1);
    }
}

#[test]
fn everything_is_counted() {
    let (_, dirs) = in_memory();
    let options = options(Codec::Lz4);
    let mut file = dirs.create().unwrap();
    let segment = write(&mut file, options, &[5; 10_000], 10_000).unwrap();
    drop(dirs.create().unwrap());
    let decoders = decoders(options, 1);
    for _ in 0..2 {
        let reader = SpillReader::new(&segment, &decoders, block(options)).unwrap();
        assert_eq!(drain(reader).0.len(), 10_000);
    }
    let stats = dirs.stats();
    assert_eq!((stats.files_created, stats.files_alive), (2, 1));
    assert_eq!((stats.blocks_written, stats.bytes_written), (11, 10_000));
    assert_eq!(stats.stored_bytes_written, segment.stored_bytes());
    assert_eq!((stats.blocks_read, stats.bytes_read), (22, 20_000));
    assert_eq!(stats.stored_bytes_read, 2 * segment.stored_bytes());
    assert_eq!(stats.blocks_ready, 0);
    drop((file, segment));
    assert_eq!(dirs.stats().files_alive, 0);
}

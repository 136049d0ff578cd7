//! Reading what no disk has to be waited for.

use crate::support::{
    CODECS, block, bytes, decoders, drain, in_memory, reader, reader_ahead, write,
};
use mem_spill::{Codec, ReadAhead, SpillDirs, SpillError, SpillOptions, SpillReader};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

/// What the system says where a disk would have to be waited for.
const WOULD_BLOCK: i32 = rustix::io::Errno::AGAIN.raw_os_error();

/// Each block as it can be had now, or by waiting where it can't; and how often that was.
fn drain_cached(mut reader: SpillReader<Vec<u8>>) -> (Vec<u8>, usize) {
    let (mut read, mut waits) = (Vec::new(), 0);
    loop {
        let now = match reader.poll_cached().unwrap() {
            Poll::Ready(now) => now,
            Poll::Pending => {
                waits += 1;
                reader.next_block().unwrap()
            }
        };
        match now {
            Some(block) => read.extend_from_slice(block),
            None => return (read, waits),
        }
    }
}

#[test]
fn what_is_in_memory_is_read_at_once_and_the_rest_by_waiting() {
    for codec in CODECS {
        for every in [1, 2, 3, u64::MAX] {
            let (files, dirs) = in_memory();
            let options = SpillOptions::new(codec, 1024).unwrap();
            let data = bytes(7, 250, 50_000);
            let mut file = dirs.create().unwrap();
            let segment = write(&mut file, options, &data, 777).unwrap();
            let calls = Arc::new(AtomicU64::new(0));
            files.hook({
                let calls = Arc::clone(&calls);
                move |access| {
                    let number = calls.fetch_add(u64::from(access.cached), Ordering::Relaxed);
                    match access.cached && (number + 1).is_multiple_of(every) {
                        true => Err(WOULD_BLOCK),
                        false => Ok(()),
                    }
                }
            });
            // So that it takes several calls to read a block, of which a later one may have to wait.
            files.limit_calls(300);
            let (read, waits) = drain_cached(reader(&segment));
            assert!(read == data, "{codec:?}, each {every}th");
            match every {
                1 => assert!(waits >= 50, "{waits}"),
                u64::MAX => assert_eq!(waits, 0),
                _ => assert!(waits > 0),
            }
        }
    }
}

#[test]
fn the_systems_files_give_the_same_whatever_they_know_of_memory() {
    let directory = tempfile::tempdir().unwrap();
    let dirs = SpillDirs::new(vec![directory.path().into()]).unwrap();
    let options = SpillOptions::new(Codec::None, 4096).unwrap();
    let data = bytes(3, 255, 300_000);
    let mut file = dirs.create().unwrap();
    let segment = write(&mut file, options, &data, 10_000).unwrap();
    let (read, _) = drain_cached(reader(&segment));
    assert!(read == data);
}

#[test]
fn a_block_that_threads_read_is_not_waited_for() {
    let (_, dirs) = in_memory();
    let threads = ReadAhead::start(1).unwrap();
    let options = SpillOptions::new(Codec::None, 1024).unwrap();
    let mut file = dirs.create().unwrap();
    let segment = write(&mut file, options, &bytes(1, 9, 5000), 5000).unwrap();
    let mut reader = reader_ahead(&segment, &threads);
    assert!(reader.poll_cached().unwrap().is_pending());
    let (read, error) = drain(reader);
    assert!(error.is_none() && read == bytes(1, 9, 5000));
}

#[test]
fn other_failures_are_what_they_are() {
    let (files, dirs) = in_memory();
    let options = SpillOptions::new(Codec::None, 1024).unwrap();
    let mut file = dirs.create().unwrap();
    let segment = write(&mut file, options, &bytes(1, 9, 5000), 5000).unwrap();
    let mut reader = SpillReader::new(&segment, &decoders(options, 1), block(options)).unwrap();
    files.hook(|access| if access.cached { Err(5) } else { Ok(()) });
    let error = reader.poll_cached().unwrap_err();
    assert!(matches!(error, SpillError::Io { .. }));
    assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
    files.hook(|_| Ok(()));
    files.with_bytes(1, |bytes| bytes[100] ^= 1);
    let error = reader.poll_cached().unwrap_err();
    assert!(matches!(error, SpillError::Corrupt { .. }));
}

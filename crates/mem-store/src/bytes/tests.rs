//! What is written is what is read, however the pieces fall.

use std::io::{Read, Write};
use std::sync::Arc;

use mem_block::{AllocError, AllocatorOptions, HeapAllocator, MemoryAllocator};

use super::*;
use crate::overdraft::Overdraft;

fn heap(limit: u64) -> Arc<dyn MemoryAllocator> {
    HeapAllocator::new(AllocatorOptions {
        kept_max: 0,
        ..AllocatorOptions::limited(limit)
    })
}

fn growing(allocator: &Arc<dyn MemoryAllocator>, granted: u64) -> BytesBuilder {
    let mut builder = BytesBuilder::growing(Arc::clone(allocator), Overdraft::default());
    builder.grant(granted);
    builder
}

fn pattern(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

#[test]
fn bytes_of_unknown_number_come_back_whole_and_hold_no_more_than_they_are() {
    let heap = heap(1 << 30);
    for len in [0, 1, 255, 256, 257, 5000, 3 << 20] {
        let mut builder = growing(&heap, u64::MAX);
        for part in pattern(len).chunks(97) {
            builder.write_all(part).unwrap();
        }
        let bytes = builder.finish();
        assert_eq!(bytes.to_vec(), pattern(len));
        assert_eq!(bytes.is_empty(), len == 0);
        assert_eq!(heap.live_bytes(), bytes.len());
        let mut read = Vec::new();
        bytes.reader().read_to_end(&mut read).unwrap();
        assert_eq!(read, pattern(len));
        let (mut written, mut chunks) = (Vec::new(), 0);
        bytes.write_to(&mut written).unwrap();
        assert_eq!(written, pattern(len));
        bytes
            .chunks()
            .for_each(|chunk| chunks += usize::from(!chunk.is_empty()));
        assert_eq!(chunks, bytes.chunks().count());
    }
}

#[test]
fn a_promised_size_is_allocated_at_once_and_not_passed() {
    let heap = heap(100);
    let mut builder = BytesBuilder::exact(&*heap, 100).unwrap();
    assert_eq!(heap.live_bytes(), 100);
    builder.write_all(&pattern(60)).unwrap();
    assert_eq!((builder.written(), builder.unwritten().len()), (60, 40));
    builder.advance(40);
    let error = builder.write_all(&[1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a block of 100 bytes was promised, and more came"
    );
    assert_eq!(builder.finish().len(), 100);
    assert!(BytesBuilder::exact(&*heap, 101).is_err());
}

#[test]
fn the_end_can_be_taken_back() {
    let heap = heap(1 << 20);
    for keep in [0, 1, 256, 300, 600, 900] {
        let mut builder = growing(&heap, u64::MAX);
        builder.write_all(&pattern(900)).unwrap();
        builder.truncate(keep);
        builder.write_all(b"end").unwrap();
        let kept = usize::try_from(keep).unwrap();
        let expected = [&pattern(900)[..kept], b"end"].concat();
        assert_eq!(builder.finish().to_vec(), expected, "{keep}");
    }
    assert_eq!(heap.live_bytes(), 0);
}

#[test]
fn no_memory_is_told_from_other_errors() {
    let mut builder = growing(&heap(300), u64::MAX);
    builder.write_all(&pattern(256)).unwrap();
    let error = builder.write_all(&[1]).unwrap_err();
    assert!(matches!(
        alloc_error(&error),
        Some(AllocError::Limit { live: 256, .. })
    ));
    assert!(alloc_error(&io::Error::other("something else")).is_none());
}

#[test]
fn what_is_written_before_it_is_granted_is_counted_apart() {
    let (heap, overdraft) = (heap(1 << 20), Overdraft::default());
    let mut builder = BytesBuilder::growing(Arc::clone(&heap), overdraft.clone());
    builder.write_all(&pattern(300)).unwrap();
    assert_eq!((heap.live_bytes(), overdraft.bytes()), (0, 512));
    builder.grant(2000);
    builder.write_all(&pattern(3000)).unwrap();
    assert!(heap.live_bytes() <= 2000);
    assert!(overdraft.bytes() > 1000);
    builder.grant(5000);
    let bytes = builder.finish();
    assert_eq!(bytes.to_vec(), [pattern(300), pattern(3000)].concat());
    assert_eq!((heap.live_bytes(), overdraft.bytes()), (3300, 0));
}

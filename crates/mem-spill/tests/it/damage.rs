//! Damaged files: always an error that says where and what, never a panic, never other data.

use crate::support::{CODECS, bytes, drain, in_memory, reader, reader_ahead, seeded, write};
use mem_spill::testing::FaultyFiles;
use mem_spill::{Codec, Corruption, ReadAhead, Segment, SpillError, SpillOptions};
use proptest::prelude::{any, prop, proptest};

const BLOCK: usize = 1024;

fn written(codec: Codec, data: &[u8]) -> (FaultyFiles, Segment) {
    let (files, dirs) = in_memory();
    let options = SpillOptions::new(codec, BLOCK).unwrap();
    let segment = write(&mut dirs.create().unwrap(), options, data, 500).unwrap();
    (files, segment)
}

/// Reads what is there: the data up to the damage, then an error that says where.
fn check_refused(segment: &Segment, data: &[u8], what: &str) -> Corruption {
    let (read, error) = drain(reader(segment));
    assert!(data.starts_with(&read), "{what}: other data came out");
    match error {
        Some(SpillError::Corrupt { place, found }) => {
            assert_eq!(place.file, 1);
            assert_eq!(place.directory.to_str(), Some("a"));
            assert!(place.offset < segment.stored_bytes().max(1), "{what}");
            found
        }
        other => panic!("{what}: {other:?} instead of a damage"),
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for codec in CODECS {
        let data = bytes(5, 3, 2000);
        let (files, segment) = written(codec, &data);
        let length = usize::try_from(segment.stored_bytes()).unwrap();
        for bit in 0..length * 8 {
            let flip = || files.with_bytes(1, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            flip();
            check_refused(&segment, &data, &format!("{codec}, bit {bit}"));
            flip();
        }
        assert!(
            drain(reader(&segment)).1.is_none(),
            "the last flip was undone"
        );
    }
}

#[test]
fn every_truncation_is_noticed() {
    for codec in CODECS {
        let data = bytes(6, 200, 2500);
        let (files, segment) = written(codec, &data);
        let whole = files.with_bytes(1, |bytes| bytes.clone()).unwrap();
        for length in 0..whole.len() {
            files.with_bytes(1, |bytes| bytes.truncate(length));
            let found = check_refused(&segment, &data, &format!("{codec}, {length} bytes left"));
            assert!(matches!(found, Corruption::Truncated { .. }), "{found:?}");
            files.with_bytes(1, |bytes| bytes.clone_from(&whole));
        }
    }
}

#[test]
fn exchanged_blocks_are_noticed() {
    let data = bytes(7, 255, 992 * 3);
    let (files, segment) = written(Codec::None, &data);
    files.with_bytes(1, |bytes| {
        let (first, second) = bytes.split_at_mut(BLOCK);
        first.swap_with_slice(&mut second[..BLOCK]);
    });
    let found = check_refused(&segment, &data, "blocks 0 and 1 exchanged");
    assert_eq!(
        found,
        Corruption::BlockNumber {
            expected: 0,
            found: 1
        }
    );
}

#[test]
fn another_segment_in_place_of_this_one_is_noticed() {
    // As long as this one, every block of it whole and in order; only there are two.
    let (files, two_blocks) = written(Codec::None, &bytes(9, 255, 992 * 2));
    let others = files.with_bytes(1, |bytes| bytes.clone()).unwrap();
    let (files, dirs) = in_memory();
    let options = SpillOptions::new(Codec::None, 2 * BLOCK).unwrap();
    let data = bytes(10, 255, 2 * BLOCK - 32);
    let one_block = write(&mut dirs.create().unwrap(), options, &data, 500).unwrap();
    assert_eq!(one_block.stored_bytes(), two_blocks.stored_bytes());
    files.with_bytes(1, |bytes| bytes.clone_from(&others));
    let error = drain(reader(&one_block)).1.unwrap();
    let SpillError::Corrupt { found, .. } = error else {
        panic!("{error}")
    };
    let expected = Corruption::Blocks {
        expected: 1,
        found: 2,
    };
    assert_eq!(found, expected);
}

#[test]
fn the_error_says_where_and_what() {
    let data = bytes(8, 255, 992 * 2);
    let (files, segment) = written(Codec::None, &data);
    files.with_bytes(1, |bytes| bytes[BLOCK + 100] ^= 1);
    let threads = ReadAhead::start(1).unwrap();
    for reader in [reader(&segment), reader_ahead(&segment, &threads)] {
        let (read, error) = drain(reader);
        assert_eq!(read.len(), 992);
        let error = error.unwrap();
        let said = error.to_string();
        let start = "the block at byte 1024 of spill file 1 in a is damaged: \
                     the CRC-32 of its payload should be 0x";
        assert!(said.starts_with(start), "{said}");
        assert_eq!(
            std::io::Error::from(error).kind(),
            std::io::ErrorKind::InvalidData
        );
    }
    files.with_bytes(1, |bytes| bytes[0] = b'X');
    let said = drain(reader(&segment)).1.unwrap().to_string();
    assert!(
        said.ends_with("it should begin with 0x4853504c, it begins with 0x5853504c"),
        "{said}"
    );
}

proptest! {
    #![proptest_config(seeded(256))]

    /// Any bytes over any part of the file: what comes out is the data, or its beginning and an
    /// error.
    #[test]
    fn overwritten_files_never_panic_and_never_lie(
        codec in 0_usize..3,
        seed in any::<u64>(),
        length in 1_usize..5000,
        at in any::<prop::sample::Index>(),
        junk in prop::collection::vec(any::<u8>(), 1..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let data = bytes(seed, 20, length);
        let (files, segment) = written(CODECS[codec], &data);
        files.with_bytes(1, |bytes| {
            let at = at.index(bytes.len());
            for (byte, junk) in bytes[at..].iter_mut().zip(&junk) {
                *byte = *junk;
            }
            bytes.truncate(cut.index(bytes.len() * 2).max(1));
        });
        let (read, error) = drain(reader(&segment));
        assert!(data.starts_with(&read));
        match error {
            None => assert!(read == data),
            Some(error) => assert!(matches!(error, SpillError::Corrupt { .. }), "{error:?}"),
        }
    }
}

//! What is written comes back.

use crate::support::{
    CODECS, block, bytes, decoders, drain, encoder, in_memory, reader, reader_ahead, seeded, write,
};
use mem_spill::{Codec, Decoders, ReadAhead, SpillError, SpillOptions, SpillReader, SpillWriter};
use proptest::prelude::{Strategy, any, prop, proptest};
use std::io::{BufRead, Read};

fn options() -> impl Strategy<Value = SpillOptions> {
    let codec = proptest::prop_oneof![
        proptest::strategy::Just(Codec::None),
        proptest::strategy::Just(Codec::Lz4),
        (-7..=9).prop_map(|level| Codec::Zstd { level }),
    ];
    // Around the size at which lz4 changes its table, too.
    let block_bytes = proptest::prop_oneof![1024_usize..5000, 65_500_usize..65_600];
    (codec, block_bytes).prop_map(|(codec, size)| SpillOptions::new(codec, size).unwrap())
}

proptest! {
    #![proptest_config(seeded(96))]

    /// Several segments in one file, of any data, read in any of the ways.
    #[test]
    fn any_data_in_any_blocks(
        options in options(),
        segments in prop::collection::vec((any::<u64>(), 1_u8..=255, 0_usize..70_000), 1..4),
        piece in 1_usize..9000,
    ) {
        let (_, dirs) = in_memory();
        let mut file = dirs.create().unwrap();
        let threads = ReadAhead::start(1).unwrap();
        let all: Vec<_> = segments.into_iter().map(|(seed, kinds, length)| {
            let data = bytes(seed, kinds, length);
            let segment = write(&mut file, options, &data, piece).unwrap();
            (data, segment)
        }).collect();
        drop(file);
        let mut offset = 0;
        for (data, segment) in all {
            assert_eq!(segment.offset(), offset);
            assert_eq!(segment.bytes(), data.len() as u64);
            offset += segment.stored_bytes();
            for reader in [reader(&segment), reader_ahead(&segment, &threads)] {
                let (read, error) = drain(reader);
                assert!(error.is_none(), "{error:?}");
                assert!(read == data);
            }
        }
    }
}

#[test]
fn a_segment_is_read_from_any_place_that_was_noted() {
    for codec in CODECS {
        let (_, dirs) = in_memory();
        let options = SpillOptions::new(codec, 1024).unwrap();
        let mut file = dirs.create().unwrap();
        write(&mut file, options, b"another segment before it", 10).unwrap();
        let data = bytes(5, 9, 20_000);
        let mut encoder = encoder(options);
        let mut writer = SpillWriter::new(&mut file, &mut encoder);
        let mut places = Vec::new();
        for piece in data.chunks(331) {
            places.push(writer.place());
            let room = writer.room();
            let taken = room.len().min(piece.len());
            room[..taken].copy_from_slice(&piece[..taken]);
            writer.fill_up(taken).unwrap();
            writer.append(&piece[taken..]).unwrap();
        }
        let segment = writer.finish().unwrap();
        for (index, place) in places.into_iter().enumerate() {
            assert_eq!(place.bytes(), 331 * index as u64);
            let rest = segment.rest(place);
            let threads = ReadAhead::start(1).unwrap();
            for mut reader in [reader(&rest), reader_ahead(&rest, &threads)] {
                reader.fill_buf().unwrap();
                reader.consume(place.within());
                let mut read = reader.unread().to_vec();
                let (later, error) = drain(reader);
                assert!(error.is_none(), "{error:?}");
                read.extend_from_slice(&later);
                assert!(read == data[331 * index..]);
            }
        }
    }
}

#[test]
fn what_is_compressed_only_where_that_is_faster_comes_back() {
    for codec in CODECS {
        let (_, dirs) = in_memory();
        let options = SpillOptions::new(codec, 1024).unwrap().only_where_faster();
        let data = bytes(6, 2, 300_000);
        let segment = write(&mut dirs.create().unwrap(), options, &data, 999).unwrap();
        let (read, error) = drain(reader(&segment));
        assert!(error.is_none() && read == data, "{codec}");
    }
}

#[test]
fn the_standard_traits_read_the_same() {
    let (_, dirs) = in_memory();
    let options = SpillOptions::new(Codec::Lz4, 1024).unwrap();
    let text: String = (0..2000).map(|i| format!("line {i}\n")).collect();
    let segment = write(&mut dirs.create().unwrap(), options, text.as_bytes(), 77).unwrap();

    let mut read = String::new();
    reader(&segment).read_to_string(&mut read).unwrap();
    assert_eq!(read, text);

    let lines: Vec<_> = reader(&segment).lines().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 2000);
    assert_eq!(lines[1999], "line 1999");

    // A block asked for in the middle of another skips the rest of that one.
    let mut mixed = reader(&segment);
    mixed.read_exact(&mut [0; 10]).unwrap();
    let second = mixed.next_block().unwrap().unwrap();
    assert_eq!(second, &text.as_bytes()[992..1984]);
}

#[test]
fn what_does_not_compress_grows_by_its_headers_only() {
    for codec in CODECS {
        let (_, dirs) = in_memory();
        let options = SpillOptions::new(codec, 4096).unwrap();
        let data = bytes(3, 255, 40_640);
        let segment = write(&mut dirs.create().unwrap(), options, &data, 40_640).unwrap();
        assert_eq!(segment.blocks(), 10);
        assert_eq!(segment.stored_bytes(), 40_640 + 10 * 32);
    }
}

#[test]
fn an_empty_segment_has_no_blocks() {
    let (files, dirs) = in_memory();
    let mut file = dirs.create().unwrap();
    let segment = write(&mut file, SpillOptions::default(), b"", 1).unwrap();
    assert_eq!(
        (segment.bytes(), segment.blocks(), segment.stored_bytes()),
        (0, 0, 0)
    );
    assert!(reader(&segment).next_block().unwrap().is_none());
    assert_eq!(files.with_bytes(1, |bytes| bytes.len()), Some(0));
}

#[test]
fn the_end_stays_the_end() {
    let (_, dirs) = in_memory();
    let threads = ReadAhead::start(1).unwrap();
    let options = SpillOptions::default();
    let segment = write(&mut dirs.create().unwrap(), options, b"few", 3).unwrap();
    for mut reader in [reader(&segment), reader_ahead(&segment, &threads)] {
        assert_eq!(reader.next_block().unwrap(), Some(&b"few"[..]));
        assert_eq!(reader.next_block().unwrap(), None);
        assert_eq!(reader.next_block().unwrap(), None);
        assert_eq!(reader.fill_buf().unwrap(), b"");
    }
}

#[test]
fn an_encoder_serves_one_segment_after_the_other() {
    use mem_spill::{Encoder, SpillWriter};
    for codec in CODECS {
        let (_, dirs) = in_memory();
        let options = SpillOptions::new(codec, 2048).unwrap();
        // Longer than needed: pages come in their own sizes.
        let buffer = vec![0xa5; options.write_buffer_bytes() + 1000];
        let mut encoder = Encoder::new(options, buffer).unwrap();
        let mut file = dirs.create().unwrap();
        let mut abandoned = SpillWriter::new(&mut file, &mut encoder);
        abandoned.append(&[7; 5000]).unwrap();
        drop(abandoned);
        let data = bytes(1, 9, 5000);
        let mut writer = SpillWriter::new(&mut file, &mut encoder);
        writer.append(&data).unwrap();
        assert_eq!(writer.bytes(), 5000);
        let segment = writer.finish().unwrap();
        assert_eq!(segment.offset(), 0);
        let (read, error) = drain(reader(&segment));
        assert!(error.is_none() && read == data);
        assert_eq!(
            encoder.into_buffer().len(),
            options.write_buffer_bytes() + 1000
        );
    }
}

#[test]
fn a_segment_can_be_set_aside_between_any_two_appends() {
    use mem_spill::SpillWriter;
    for codec in CODECS {
        let (_, dirs) = in_memory();
        let options = SpillOptions::new(codec, 2048).unwrap();
        let mut encoder = crate::support::encoder(options);
        let mut file = dirs.create().unwrap();
        let data = bytes(3, 9, 20_000);
        let mut paused = SpillWriter::new(&mut file, &mut encoder).pause();
        for piece in data.chunks(777) {
            let mut writer = SpillWriter::resume(&mut file, &mut encoder, paused);
            writer.append(piece).unwrap();
            paused = writer.pause();
        }
        let segment = SpillWriter::resume(&mut file, &mut encoder, paused)
            .finish()
            .unwrap();
        assert_eq!(segment.bytes(), 20_000);
        let (read, error) = drain(reader(&segment));
        assert!(error.is_none() && read == data);

        // One that is dropped is overwritten by the next.
        let mut lost = SpillWriter::new(&mut file, &mut encoder);
        lost.append(&[7; 5000]).unwrap();
        drop(lost.pause());
        let next = write(&mut file, options, b"the next", 3).unwrap();
        assert_eq!(next.offset(), segment.stored_bytes());
        let (read, error) = drain(reader(&next));
        assert!(error.is_none() && read == b"the next");
    }
}

#[test]
fn lent_memory_that_is_too_short_is_refused() {
    let options = SpillOptions::new(Codec::Lz4, 4096).unwrap();
    let needed = options.write_buffer_bytes();
    let error = mem_spill::Encoder::new(options, vec![0; needed - 1]).unwrap_err();
    assert!(matches!(error, SpillError::BufferTooSmall { .. }));
    assert!(error.to_string().contains(&needed.to_string()), "{error}");

    for scratch in [vec![], vec![vec![0; 4096], vec![0; 4095]]] {
        let error = Decoders::new(options, scratch).unwrap_err();
        assert!(matches!(
            error,
            SpillError::BufferTooSmall { needed: 4096, .. }
        ));
    }

    let (_, dirs) = in_memory();
    let segment = write(&mut dirs.create().unwrap(), options, b"data", 4).unwrap();
    let decoders = decoders(options, 1);
    let error = SpillReader::new(&segment, &decoders, vec![0; 4095]).unwrap_err();
    assert!(matches!(error, SpillError::BufferTooSmall { .. }));
    let threads = ReadAhead::start(0).unwrap();
    let reader = SpillReader::new(&segment, &decoders, block(options)).unwrap();
    let error = reader.with_read_ahead(&threads, vec![0; 4095]).unwrap_err();
    assert!(matches!(error, SpillError::BufferTooSmall { .. }));
}

#[test]
fn decoders_of_another_kind_are_refused() {
    let (_, dirs) = in_memory();
    let options = |codec, size| SpillOptions::new(codec, size).unwrap();
    let lz4 = options(Codec::Lz4, 4096);
    let segment = write(&mut dirs.create().unwrap(), lz4, b"data", 4).unwrap();
    let open = |other| SpillReader::new(&segment, &decoders(other, 1), block(lz4));
    assert!(open(options(Codec::Lz4, 8192)).is_ok());
    for other in [
        options(Codec::Lz4, 2048),
        options(Codec::None, 4096),
        options(Codec::Zstd { level: 1 }, 4096),
    ] {
        let error = open(other).unwrap_err();
        assert!(matches!(error, SpillError::WrongDecoders { .. }), "{error}");
    }
}

#[test]
fn buffers_come_back() {
    let (_, dirs) = in_memory();
    let options = SpillOptions::new(Codec::Lz4, 1024).unwrap();
    let segment = write(&mut dirs.create().unwrap(), options, &[1; 9000], 9000).unwrap();
    let threads = ReadAhead::start(1).unwrap();
    let decoders = decoders(options, 3);
    let open = || SpillReader::new(&segment, &decoders, block(options)).unwrap();
    let mut ahead = open().with_read_ahead(&threads, block(options)).unwrap();
    let plain = open();
    ahead.next_block().unwrap();
    let decoders = decoders.into_buffers().unwrap_err();
    assert_eq!(plain.into_buffers().len(), 1);
    assert_eq!(ahead.into_buffers().len(), 2);
    drop(threads);
    assert_eq!(decoders.into_buffers().unwrap().len(), 3);
}

//! The codecs' contexts, and how much heap they take.

use crate::error::SpillError;
use crate::options::Codec;
use zstd::zstd_safe::{CCtx, CParameter, DCtx};

const KIB: usize = 1 << 10;

/// What zstd's compression context takes at most, in KiB, by level and by the longest input. The
/// bound is close: a test compares it with what zstd itself reports.
struct ContextSize {
    level_max: i32,
    input_64_kib: usize,
    input_256_kib: usize,
    input_1_mib: usize,
}

const ZSTD_CONTEXTS: [ContextSize; 8] = [
    context_size(1, 320, 600, 600),
    context_size(2, 400, 640, 768),
    context_size(3, 656, 1024, 1280),
    context_size(4, 1040, 1536, 2560),
    context_size(5, 1040, 1792, 3072),
    context_size(6, 1040, 3072, 3072),
    context_size(8, 1040, 3072, 5632),
    context_size(9, 1040, 3072, 10_752),
];

const fn context_size(level_max: i32, small: usize, medium: usize, large: usize) -> ContextSize {
    ContextSize {
        level_max,
        input_64_kib: small,
        input_256_kib: medium,
        input_1_mib: large,
    }
}

/// The room that compressing `payload` bytes needs for its result.
pub(crate) fn compressed_bytes_max(codec: Codec, payload: usize) -> usize {
    match codec {
        Codec::None => 0,
        // lz4_flex wants room for the worst case before it begins.
        Codec::Lz4 => lz4_flex::block::get_maximum_output_size(payload),
        // zstd gives up when the room is used; a longer result would not be kept anyway.
        Codec::Zstd { .. } => payload,
    }
}

pub(crate) fn write_context_bytes(codec: Codec, payload: usize) -> usize {
    match codec {
        Codec::None => 0,
        Codec::Lz4 if lz4_table_is_small(payload) => 8 * KIB,
        Codec::Lz4 => 16 * KIB,
        Codec::Zstd { level } => zstd_context_bytes(level, payload),
    }
}

pub(crate) fn read_context_bytes(codec: Codec) -> usize {
    match codec {
        Codec::None | Codec::Lz4 => 0,
        Codec::Zstd { .. } => 96 * KIB,
    }
}

fn zstd_context_bytes(level: i32, payload: usize) -> usize {
    // Level 0 stands for zstd's default.
    let level = if level == 0 { 3 } else { level };
    let size = ZSTD_CONTEXTS
        .iter()
        .find(|size| level <= size.level_max)
        .expect("options refuse levels above the last row's");
    let kib = if payload <= 64 * KIB {
        size.input_64_kib
    } else if payload <= 256 * KIB {
        size.input_256_kib
    } else {
        size.input_1_mib
    };
    kib * KIB
}

/// Whether lz4's table of 16-bit positions will do.
fn lz4_table_is_small(payload: usize) -> bool {
    payload < usize::from(u16::MAX)
}

/// A codec's context for writing, used again for every block.
pub(crate) enum Compressor {
    None,
    Lz4(lz4_flex::block::CompressTable),
    Zstd(CCtx<'static>),
}

impl Compressor {
    pub(crate) fn new(codec: Codec, payload: usize) -> Result<Self, SpillError> {
        use lz4_flex::block::CompressTable;
        Ok(match codec {
            Codec::None => Self::None,
            Codec::Lz4 if lz4_table_is_small(payload) => Self::Lz4(CompressTable::small()),
            Codec::Lz4 => Self::Lz4(CompressTable::large()),
            Codec::Zstd { level } => {
                let failed = || SpillError::CodecContext { codec };
                let mut context = CCtx::try_create().ok_or_else(failed)?;
                context
                    .set_parameter(CParameter::CompressionLevel(level))
                    .map_err(|_code| failed())?;
                Self::Zstd(context)
            }
        })
    }

    /// Compresses `payload` into the front of `room`, and says how long the result is; `None` if
    /// it did not get smaller, or if the codec failed: then the block is stored as it is, and a
    /// spill proceeds.
    pub(crate) fn compress(&mut self, payload: &[u8], room: &mut [u8]) -> Option<usize> {
        let length = match self {
            Self::None => None,
            Self::Lz4(table) => {
                lz4_flex::block::compress_into_with_table(payload, room, table).ok()
            }
            Self::Zstd(context) => context.compress2(room, payload).ok(),
        };
        length.filter(|length| *length < payload.len())
    }
}

/// A codec's context for reading, used again for every block.
pub(crate) enum Decompressor {
    None,
    Lz4,
    Zstd(DCtx<'static>),
}

impl Decompressor {
    pub(crate) fn new(codec: Codec) -> Result<Self, SpillError> {
        Ok(match codec {
            Codec::None => Self::None,
            Codec::Lz4 => Self::Lz4,
            Codec::Zstd { .. } => {
                Self::Zstd(DCtx::try_create().ok_or(SpillError::CodecContext { codec })?)
            }
        })
    }

    /// Decodes `stored` into `payload`, which has exactly the length that must come out.
    pub(crate) fn decompress(&mut self, stored: &[u8], payload: &mut [u8]) -> Result<(), String> {
        let length = match self {
            Self::None => return Err("this reader has no codec".to_owned()),
            Self::Lz4 => {
                lz4_flex::block::decompress_into(stored, payload).map_err(|e| e.to_string())?
            }
            Self::Zstd(context) => context
                .decompress(payload, stored)
                .map_err(|code| zstd::zstd_safe::get_error_name(code).to_owned())?,
        };
        if length == payload.len() {
            Ok(())
        } else {
            Err(format!("{length} bytes came out, not {}", payload.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that compress, but not to nothing.
    fn text(length: usize) -> Vec<u8> {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            b"abcdefgh        "[usize::try_from(seed >> 60).unwrap()]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn zstd_takes_no_more_heap_than_declared() {
        // What a context takes depends on the length of the data, not on what they are.
        let data = vec![7; 1 << 20];
        let mut room = vec![0; data.len()];
        for level in -7..=9 {
            let codec = Codec::Zstd { level };
            for payload in [
                1_000, 16_384, 40_000, 65_504, 131_040, 200_000, 262_112, 1_048_544,
            ] {
                let mut compressor = Compressor::new(codec, payload).unwrap();
                // The last block of a segment is shorter, and zstd tunes itself to the length.
                for length in [payload, payload / 2, payload / 5, payload / 9] {
                    compressor.compress(&data[..length], &mut room).unwrap();
                }
                let Compressor::Zstd(context) = &compressor else {
                    unreachable!("asked for zstd")
                };
                let (taken, declared) = (context.sizeof(), write_context_bytes(codec, payload));
                assert!(
                    taken <= declared,
                    "level {level}, {payload}: {taken} > {declared}"
                );
            }
        }
    }

    #[test]
    fn zstd_reading_takes_no_more_heap_than_declared() {
        let codec = Codec::Zstd { level: 9 };
        let data = text(1 << 20);
        let mut room = vec![0; compressed_bytes_max(codec, data.len())];
        let length = Compressor::new(codec, data.len())
            .unwrap()
            .compress(&data, &mut room)
            .unwrap();
        let mut decompressor = Decompressor::new(codec).unwrap();
        let mut back = vec![0; data.len()];
        decompressor.decompress(&room[..length], &mut back).unwrap();
        assert!(back == data);
        let Decompressor::Zstd(context) = &decompressor else {
            unreachable!("asked for zstd")
        };
        assert!(context.sizeof() <= read_context_bytes(codec));
    }

    #[test]
    fn lz4_keeps_the_table_it_was_declared_with() {
        for payload in [1_000, 65_534, 65_535, 1 << 20] {
            let data = text(payload);
            let mut room = vec![0; compressed_bytes_max(Codec::Lz4, payload)];
            let mut compressor = Compressor::new(Codec::Lz4, payload).unwrap();
            compressor.compress(&data, &mut room).unwrap();
            let Compressor::Lz4(table) = &compressor else {
                unreachable!("asked for lz4")
            };
            let small = matches!(table, lz4_flex::block::CompressTable::Small(_));
            let declared = if small { 8 * KIB } else { 16 * KIB };
            assert_eq!(write_context_bytes(Codec::Lz4, payload), declared);
        }
    }

    #[test]
    fn what_does_not_shrink_is_not_compressed() {
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd { level: 1 }] {
            let mut room = vec![0; compressed_bytes_max(codec, 8)];
            let mut compressor = Compressor::new(codec, 8).unwrap();
            assert_eq!(
                compressor.compress(b"\x01\xfe\x37\xa2\x55\x90\x0c\xe1", &mut room),
                None
            );
        }
    }
}

//! What segments are written with, and how much memory that takes.

use crate::codec;
use crate::error::SpillError;
use crate::frame::HEADER_LEN;
use std::fmt;

/// The smallest block, in bytes: less would be mostly header.
pub(crate) const BLOCK_BYTES_MIN: usize = 1 << 10;
/// The largest block, in bytes: more makes merges dear in memory and no disk faster.
pub(crate) const BLOCK_BYTES_MAX: usize = 1 << 20;
/// The fastest zstd level that is accepted.
const ZSTD_LEVEL_MIN: i32 = -7;
/// The highest zstd level that is accepted: from 10 on, a context takes tens of megabytes.
const ZSTD_LEVEL_MAX: i32 = 9;

/// How blocks are compressed. A block that does not get smaller is stored as it is.
///
/// Spark's counterpart: `spark.io.compression.codec`, with `spark.shuffle.spill.compress = false`
/// for [`Codec::None`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Stored as they are.
    None,
    /// LZ4's block format: little work, about half the size.
    Lz4,
    /// Zstandard, for slow or small disks.
    Zstd {
        /// From -7 (fastest) to 9; Spark's default is 1. 0 means zstd's own default, 3.
        level: i32,
    },
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Lz4 => f.write_str("lz4"),
            Self::Zstd { level } => write!(f, "zstd level {level}"),
        }
    }
}

/// The codec and the block size of segments, and the memory that writing and reading them takes.
///
/// The memory, all of it for the caller to reserve:
///
/// | who | lent to it | its codec's heap |
/// | --- | --- | --- |
/// | one [`Encoder`](crate::Encoder) | [`write_buffer_bytes`](Self::write_buffer_bytes) | [`write_context_bytes`](Self::write_context_bytes) |
/// | each of the [`Decoders`](crate::Decoders) | [`scratch_bytes`](Self::scratch_bytes) | [`read_context_bytes`](Self::read_context_bytes) |
/// | one [`SpillReader`](crate::SpillReader) | [`block_bytes`](Self::block_bytes), twice with read-ahead | – |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpillOptions {
    codec: Codec,
    block_bytes: usize,
    only_where_faster: bool,
}

impl Default for SpillOptions {
    /// Lz4 in blocks of 64 KiB.
    fn default() -> Self {
        Self {
            codec: Codec::Lz4,
            block_bytes: 64 << 10,
            only_where_faster: false,
        }
    }
}

impl SpillOptions {
    /// Options with this codec and blocks of `block_bytes` bytes, header included.
    ///
    /// # Errors
    ///
    /// [`SpillError::InvalidOption`] if `block_bytes` is not in 1 KiB to 1 MiB, or the level of
    /// zstd is not in -7 to 9.
    pub fn new(codec: Codec, block_bytes: usize) -> Result<Self, SpillError> {
        if !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&block_bytes) {
            return Err(SpillError::InvalidOption {
                option: "block size",
                value: format!("{block_bytes} bytes"),
                allowed: "1024 to 1048576 bytes",
            });
        }
        if let Codec::Zstd { level } = codec
            && !(ZSTD_LEVEL_MIN..=ZSTD_LEVEL_MAX).contains(&level)
        {
            return Err(SpillError::InvalidOption {
                option: "zstd level",
                value: level.to_string(),
                allowed: "-7 to 9",
            });
        }
        Ok(Self {
            codec,
            block_bytes,
            only_where_faster: false,
        })
    }

    /// The same, but for blocks that are written faster as they are: how long compressing takes, and
    /// how long writing takes, is measured all the time. What ends up on disk then depends on the
    /// machine; what is read back does not.
    #[must_use]
    pub fn only_where_faster(self) -> Self {
        Self {
            only_where_faster: true,
            ..self
        }
    }

    /// Whether blocks are compressed only where that is faster.
    #[must_use]
    pub fn is_only_where_faster(&self) -> bool {
        self.only_where_faster
    }

    /// The codec.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The size of a block on its way through memory: its header and, uncompressed, its payload.
    /// A reader is lent one buffer of this size, or two with read-ahead.
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// The bytes of data that fit one block.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.block_bytes - HEADER_LEN
    }

    /// The bytes to lend an [`Encoder`](crate::Encoder): one block, and a compressed block of the
    /// worst case beside it.
    #[must_use]
    pub fn write_buffer_bytes(&self) -> usize {
        match codec::compressed_bytes_max(self.codec, self.payload_bytes()) {
            0 => self.block_bytes,
            compressed => self.block_bytes + HEADER_LEN + compressed,
        }
    }

    /// The bytes that an [`Encoder`](crate::Encoder)'s codec takes from the heap at most, beside
    /// the buffer that it is lent: up to 16 KiB for lz4; for zstd by level and block size, 320 KiB
    /// at level 1 and 64 KiB, 10.5 MiB at level 9 and 1 MiB.
    #[must_use]
    pub fn write_context_bytes(&self) -> usize {
        codec::write_context_bytes(self.codec, self.payload_bytes())
    }

    /// The bytes to lend each of the [`Decoders`](crate::Decoders): one block, or none without a
    /// codec.
    #[must_use]
    pub fn scratch_bytes(&self) -> usize {
        match self.codec {
            Codec::None => 0,
            Codec::Lz4 | Codec::Zstd { .. } => self.block_bytes,
        }
    }

    /// The bytes that the codec of each of the [`Decoders`](crate::Decoders) takes from the heap:
    /// none for lz4, 96 KiB for zstd.
    #[must_use]
    pub fn read_context_bytes(&self) -> usize {
        codec::read_context_bytes(self.codec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        let refused = |codec, block_bytes| {
            SpillOptions::new(codec, block_bytes)
                .expect_err("out of range")
                .to_string()
        };
        assert_eq!(
            refused(Codec::None, 1023),
            "the block size of spill files can't be 1023 bytes: 1024 to 1048576 bytes is allowed"
        );
        assert!(refused(Codec::Lz4, (1 << 20) + 1).contains("1048577"));
        assert!(refused(Codec::Zstd { level: 10 }, 1 << 16).contains("zstd level"));
        assert!(refused(Codec::Zstd { level: -8 }, 1 << 16).contains("-8"));
    }

    #[test]
    fn without_a_codec_only_the_block_is_needed() {
        let options = SpillOptions::new(Codec::None, 4096).expect("in range");
        assert_eq!(options.write_buffer_bytes(), 4096);
        assert_eq!(options.write_context_bytes(), 0);
        assert_eq!(options.scratch_bytes(), 0);
        assert_eq!(options.read_context_bytes(), 0);
        assert_eq!(options.payload_bytes(), 4096 - HEADER_LEN);
    }
}

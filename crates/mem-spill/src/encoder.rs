//! The workspace of writing: a block being filled, and its codec.

use crate::buffer::Buffer;
use crate::codec::Compressor;
use crate::error::SpillError;
use crate::frame::{HEADER_LEN, Header, Stored};
use crate::options::{Codec, SpillOptions};
use crate::pace::Pace;
use std::fmt;

/// All the memory that writing segments takes: a lent buffer and a codec's context.
///
/// Make it when there is memory, keep it, and lend it to one
/// [`SpillWriter`](crate::SpillWriter) after the other: then a spill, which comes when there is
/// none, needs none. It survives a failed write, too.
pub struct Encoder<B> {
    options: SpillOptions,
    compressor: Compressor,
    /// Whether the next block is compressed, where that depends on what is faster.
    pace: Option<Pace>,
    /// A block with room for its header, and behind it room for the same block compressed.
    buffer: B,
    /// Bytes of data in the block.
    filled: usize,
}

impl<B: Buffer> Encoder<B> {
    /// A workspace in `buffer`, of at least [`SpillOptions::write_buffer_bytes`].
    ///
    /// # Errors
    ///
    /// [`SpillError::BufferTooSmall`], [`SpillError::CodecContext`]; `buffer` is dropped.
    pub fn new(options: SpillOptions, buffer: B) -> Result<Self, SpillError> {
        let (needed, lent) = (options.write_buffer_bytes(), buffer.as_ref().len());
        if lent < needed {
            return Err(SpillError::BufferTooSmall {
                what: "encoder of spill files",
                needed,
                lent,
            });
        }
        let chooses = options.is_only_where_faster() && options.codec() != Codec::None;
        Ok(Self {
            options,
            pace: chooses.then(Pace::default),
            compressor: Compressor::new(options.codec(), options.payload_bytes())?,
            buffer,
            filled: 0,
        })
    }

    /// What it writes with.
    #[must_use]
    pub fn options(&self) -> SpillOptions {
        self.options
    }

    /// Gives the buffer back and frees the codec's context.
    #[must_use]
    pub fn into_buffer(self) -> B {
        self.buffer
    }

    /// Forgets an unfinished block.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Takes as much of `bytes` as fits the block, and returns how much that was.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> usize {
        let room = self.options.payload_bytes() - self.filled;
        let taken = room.min(bytes.len());
        let at = HEADER_LEN + self.filled;
        self.buffer.as_mut()[at..at + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        taken
    }

    /// What is free of the block.
    #[inline]
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let block_bytes = self.options.block_bytes();
        &mut self.buffer.as_mut()[HEADER_LEN + self.filled..block_bytes]
    }

    /// Takes over bytes that were written to the front of the [room](Self::room).
    #[inline]
    pub(crate) fn fill_up(&mut self, bytes: usize) {
        self.filled = self.options.payload_bytes().min(self.filled + bytes);
    }

    /// Bytes of data in the block.
    #[inline]
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.options.payload_bytes()
    }

    /// Passes the block as it goes to disk, as block `number` of its segment, to `write`. It stays
    /// filled.
    pub(crate) fn write<T>(&mut self, number: u64, write: impl FnOnce(&[u8]) -> T) -> T {
        let block_bytes = self.options.block_bytes();
        let (raw, compressed) = self.buffer.as_mut().split_at_mut(block_bytes);
        let data = HEADER_LEN..HEADER_LEN + self.filled;
        let compress = || {
            let room = compressed.get_mut(HEADER_LEN..)?;
            self.compressor.compress(&raw[data], room)
        };
        let shrunk = match &mut self.pace {
            None => compress(),
            Some(pace) => pace.compressing(self.filled, compress),
        };
        let (block, stored, stored_len) = match shrunk {
            Some(length) => (compressed, Stored::compressed(self.options.codec()), length),
            None => (raw, Stored::Raw, self.filled),
        };
        let block = &mut block[..HEADER_LEN + stored_len];
        let (head, payload) = block.split_at_mut(HEADER_LEN);
        let header = Header {
            stored,
            data_len: length_u32(self.filled),
            stored_len: length_u32(stored_len),
            number,
            checksum: crc32fast::hash(payload),
        };
        head.copy_from_slice(&header.to_bytes());
        match &mut self.pace {
            Some(pace) => pace.writing(block.len() as u64, || write(block)),
            None => write(block),
        }
    }
}

fn length_u32(length: usize) -> u32 {
    u32::try_from(length).expect("options allow blocks of 1 MiB at most")
}

impl<B> fmt::Debug for Encoder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("options", &self.options)
            .field("filled", &self.filled)
            .finish_non_exhaustive()
    }
}

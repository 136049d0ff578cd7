//! The bytes of a block, in pieces of memory.

mod builder;

use std::borrow::Borrow;
use std::io::{self, BufRead, Read, Write};

use mem_block::MemoryBlock;
use smallvec::SmallVec;

use crate::overdraft::Overdrawn;
pub use builder::BytesBuilder;
pub(crate) use builder::alloc_error;

/// The bytes of a block. Spark's counterpart: `ChunkedByteBuffer`.
#[derive(Debug, Default)]
#[repr(C)]
pub struct ChunkedBytes {
    len: u64,
    /// How many bytes of the last piece are used.
    last: u64,
    chunks: Pieces,
}

impl ChunkedBytes {
    /// How many bytes there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces, in order; none is empty.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.chunks.len()).map(|number| self.chunk(number))
    }

    /// One of the pieces; of the last, only what is used.
    fn chunk(&self, number: usize) -> &[u8] {
        let chunk = self.chunks.get(number).map_or(&[][..], Piece::as_slice);
        let is_last = number + 1 == self.chunks.len();
        if is_last {
            &chunk[..index(self.last)]
        } else {
            chunk
        }
    }

    /// Writes all bytes to `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.chunks().try_for_each(|chunk| out.write_all(chunk))
    }

    /// A copy in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(index(self.len));
        self.chunks().for_each(|chunk| all.extend_from_slice(chunk));
        all
    }

    /// Reads them from the first to the last.
    pub fn reader(&self) -> BytesReader<&Self> {
        BytesReader::new(self)
    }

    /// Reads them from the first to the last, and frees them when the reader is dropped.
    pub fn into_reader(self) -> BytesReader<Self> {
        BytesReader::new(self)
    }
}

/// Most blocks have one.
type Pieces = SmallVec<[Piece; 1]>;

/// A piece of memory.
#[derive(Debug)]
enum Piece {
    /// Paid for.
    Granted(MemoryBlock),
    /// Written before more was granted, and given up for a granted one as soon as that can be had.
    Overdrawn(Overdrawn),
}

impl Piece {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Granted(block) => block.as_slice(),
            Self::Overdrawn(bytes) => bytes.as_ref(),
        }
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        match self {
            Self::Granted(block) => block.as_mut_slice(),
            Self::Overdrawn(bytes) => bytes.as_mut(),
        }
    }

    fn len(&self) -> u64 {
        length(self.as_slice().len())
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a length fits 64 bits")
}

/// A length of memory that exists, as an index.
fn index(len: u64) -> usize {
    usize::try_from(len).expect("memory of this length is there")
}

/// Reads the bytes of a block.
#[derive(Debug)]
pub struct BytesReader<B> {
    bytes: B,
    /// In which piece it is, and how far.
    at: (usize, usize),
}

impl<B: Borrow<ChunkedBytes>> BytesReader<B> {
    pub(crate) fn new(bytes: B) -> Self {
        Self { bytes, at: (0, 0) }
    }
}

impl<B: Borrow<ChunkedBytes>> BufRead for BytesReader<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.bytes.borrow();
        if bytes.chunk(self.at.0).len() <= self.at.1 && self.at.0 < bytes.chunks.len() {
            self.at = (self.at.0 + 1, 0);
        }
        Ok(&bytes.chunk(self.at.0)[self.at.1..])
    }

    fn consume(&mut self, amount: usize) {
        let chunk = self.bytes.borrow().chunk(self.at.0).len();
        self.at.1 = self.at.1.saturating_add(amount).min(chunk);
    }
}

impl<B: Borrow<ChunkedBytes>> Read for BytesReader<B> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(room)?;
        self.consume(taken);
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;

//! Blocks that did not fit: what was unrolled, and the rest. Nothing is lost.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use super::unroll::UsedUnroll;
use crate::bytes::{BytesReader, ChunkedBytes};
use crate::values::ValueFormat;

/// The values of a block that did not fit as values: first those that were unrolled, then the rest
/// of the iterator. Spark's class of the same name.
///
/// The unroll memory is released when the unrolled values are used up, or the iterator is dropped
/// (Spark: `close`).
pub struct PartiallyUnrolledIterator<T, I> {
    unrolled: Option<std::vec::IntoIter<T>>,
    held: Option<UsedUnroll>,
    rest: I,
}

impl<T, I> PartiallyUnrolledIterator<T, I> {
    pub(super) fn new(unrolled: Vec<T>, held: UsedUnroll, rest: I) -> Self {
        Self {
            unrolled: Some(unrolled.into_iter()),
            held: Some(held),
            rest,
        }
    }

    /// Bytes of unroll memory that its task holds for it.
    #[must_use]
    pub fn unroll_bytes(&self) -> u64 {
        self.held.as_ref().map_or(0, UsedUnroll::bytes)
    }
}

impl<T, I: Iterator<Item = T>> Iterator for PartiallyUnrolledIterator<T, I> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let Some(unrolled) = &mut self.unrolled {
            if let Some(value) = unrolled.next() {
                return Some(value);
            }
            // The memory goes first, then what was counted for it.
            self.unrolled = None;
            self.held = None;
        }
        self.rest.next()
    }
}

impl<T, I> fmt::Debug for PartiallyUnrolledIterator<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartiallyUnrolledIterator")
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

/// The values of a block that did not fit as bytes: the bytes of those that were unrolled, and the
/// rest of the iterator. Spark's class of the same name.
///
/// It is used up by writing or by reading it, once; dropping it is Spark's `discard`. The unroll
/// memory is released as soon as the bytes are.
pub struct PartiallySerializedBlock<T, I> {
    bytes: ChunkedBytes,
    held: UsedUnroll,
    /// A value that was taken from the iterator and could not be written for lack of memory.
    head: Option<T>,
    rest: I,
    format: Arc<dyn ValueFormat<T>>,
}

impl<T, I: Iterator<Item = T>> PartiallySerializedBlock<T, I> {
    pub(super) fn new(
        bytes: ChunkedBytes,
        held: UsedUnroll,
        head: Option<T>,
        rest: I,
        format: Arc<dyn ValueFormat<T>>,
    ) -> Self {
        Self {
            bytes,
            held,
            head,
            rest,
            format,
        }
    }

    /// Bytes of unroll memory that its task holds for it.
    #[must_use]
    pub fn unroll_bytes(&self) -> u64 {
        self.held.bytes()
    }

    /// Writes the block whole, the rest included. Returns how many bytes that were. Spark:
    /// `finishWritingToStream`.
    ///
    /// # Errors
    /// Those of `out` and of the format.
    pub fn finish_writing_to(self, out: &mut dyn Write) -> io::Result<u64> {
        let mut out = Counting { out, bytes: 0 };
        self.bytes.write_to(&mut out)?;
        drop(self.bytes);
        drop(self.held);
        for value in self.head.into_iter().chain(self.rest) {
            self.format.write(&value, &mut out)?;
        }
        Ok(out.bytes)
    }

    /// The block's values, the rest included: those that were unrolled are read back from their
    /// bytes, and where that fails, the error ends it. Spark: `valuesIterator`.
    pub fn into_values(self) -> PartiallySerializedValues<T, I> {
        PartiallySerializedValues {
            unrolled: Some(self.bytes.into_reader()),
            held: Some(self.held),
            head: self.head,
            rest: self.rest,
            format: self.format,
        }
    }
}

impl<T, I> fmt::Debug for PartiallySerializedBlock<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartiallySerializedBlock")
            .field("bytes", &self.bytes.len())
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

/// The values of a [`PartiallySerializedBlock`].
pub struct PartiallySerializedValues<T, I> {
    unrolled: Option<BytesReader<ChunkedBytes>>,
    held: Option<UsedUnroll>,
    head: Option<T>,
    rest: I,
    format: Arc<dyn ValueFormat<T>>,
}

impl<T, I: Iterator<Item = T>> Iterator for PartiallySerializedValues<T, I> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<io::Result<T>> {
        if let Some(unrolled) = &mut self.unrolled {
            if let Some(value) = self.format.read(unrolled).transpose() {
                return Some(value);
            }
            self.unrolled = None;
            self.held = None;
        }
        self.head.take().or_else(|| self.rest.next()).map(Ok)
    }
}

impl<T, I> fmt::Debug for PartiallySerializedValues<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartiallySerializedValues")
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

/// Counts what is written.
struct Counting<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        // Nobody writes 2^64 bytes.
        self.bytes += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

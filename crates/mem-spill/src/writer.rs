//! Writing one segment.

use crate::buffer::Buffer;
use crate::encoder::Encoder;
use crate::error::{Place, SpillError};
use crate::file::{BlockPlace, Segment, SpillFile};
use std::fmt;
use std::io;

/// Appends one segment to a file, in the memory of an [`Encoder`].
///
/// A block goes to disk in one call when it is full. Only [`finish`](Self::finish) makes the
/// segment exist; a writer that is dropped before leaves the file as it was. After an error the
/// file's segments and the encoder are as good as before: start over in a new file, which goes to
/// another directory if there is one.
///
/// Spark's counterparts: `UnsafeSorterSpillWriter`, `DiskBlockObjectWriter` (`finish` is its
/// `commitAndGet`, dropping is its `revertPartialWritesAndClose`).
pub struct SpillWriter<'a, B: Buffer> {
    file: &'a mut SpillFile,
    encoder: &'a mut Encoder<B>,
    /// Bytes of this segment on disk so far.
    stored_bytes: u64,
    /// Bytes of data in them.
    bytes: u64,
    blocks: u64,
    failed_at: Option<Place>,
}

/// An unfinished segment, without the file that it is in and the encoder that has its last block.
///
/// What it wrote stays behind the end of the file when it is dropped: the next segment overwrites it,
/// or it goes with the file.
#[derive(Debug)]
#[must_use = "only a resumed writer can finish the segment"]
pub struct PausedWriter {
    stored_bytes: u64,
    bytes: u64,
    blocks: u64,
    failed_at: Option<Place>,
}

impl<'a, B: Buffer> SpillWriter<'a, B> {
    /// Begins a segment at the end of `file`.
    pub fn new(file: &'a mut SpillFile, encoder: &'a mut Encoder<B>) -> Self {
        encoder.clear();
        Self {
            file,
            encoder,
            stored_bytes: 0,
            bytes: 0,
            blocks: 0,
            failed_at: None,
        }
    }

    /// Sets the unfinished segment aside, for who can't keep the borrows between two appends. Until it
    /// is [resumed](Self::resume), file and encoder must not be used for anything else.
    pub fn pause(mut self) -> PausedWriter {
        PausedWriter {
            stored_bytes: std::mem::take(&mut self.stored_bytes),
            bytes: self.bytes,
            blocks: self.blocks,
            failed_at: self.failed_at.take(),
        }
    }

    /// Goes on with a segment that was set aside, in the same file and encoder.
    pub fn resume(
        file: &'a mut SpillFile,
        encoder: &'a mut Encoder<B>,
        paused: PausedWriter,
    ) -> Self {
        Self {
            file,
            encoder,
            stored_bytes: paused.stored_bytes,
            bytes: paused.bytes,
            blocks: paused.blocks,
            failed_at: paused.failed_at,
        }
    }

    /// Appends `bytes` to the data of the segment.
    ///
    /// # Errors
    ///
    /// [`SpillError::Io`] if a full block could not be written; from then on
    /// [`SpillError::WriterFailed`].
    pub fn append(&mut self, mut bytes: &[u8]) -> Result<(), SpillError> {
        self.check_not_failed()?;
        while !bytes.is_empty() {
            let taken = self.encoder.fill(bytes);
            bytes = &bytes[taken..];
            if self.encoder.is_full() {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// What is free of the current block, to be written to from the front and then
    /// [taken over](Self::fill_up): one byte at least.
    #[inline]
    pub fn room(&mut self) -> &mut [u8] {
        self.encoder.room()
    }

    /// Appends the first `bytes` of the [room](Self::room), at most all.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    #[inline]
    pub fn fill_up(&mut self, bytes: usize) -> Result<(), SpillError> {
        self.encoder.fill_up(bytes);
        if self.encoder.is_full() {
            self.check_not_failed()?;
            self.write_block()?;
        }
        Ok(())
    }

    /// The blocks before the one that the next byte will be in.
    #[inline]
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Where the next byte will be.
    #[must_use]
    pub fn place(&self) -> BlockPlace {
        BlockPlace {
            block: self.blocks,
            stored: self.stored_bytes,
            bytes: self.bytes,
            within: self.encoder.filled(),
        }
    }

    /// Writes the last block, and makes the segment part of the file.
    ///
    /// The data need not have reached the disk itself, only the system: they are lost with the
    /// process anyway.
    ///
    /// # Errors
    ///
    /// [`SpillError::Io`] if the last block could not be written, [`SpillError::WriterFailed`] if
    /// an earlier one could not.
    pub fn finish(mut self) -> Result<Segment, SpillError> {
        self.check_not_failed()?;
        if self.encoder.filled() > 0 {
            self.write_block()?;
        }
        let stored_bytes = std::mem::take(&mut self.stored_bytes);
        let options = self.encoder.options();
        Ok(self
            .file
            .append(stored_bytes, self.bytes, self.blocks, options))
    }

    /// The bytes of data appended so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes + self.encoder.filled() as u64
    }

    /// The bytes written to disk so far, headers included.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    fn check_not_failed(&self) -> Result<(), SpillError> {
        match &self.failed_at {
            Some(place) => Err(SpillError::WriterFailed {
                place: place.clone(),
            }),
            None => Ok(()),
        }
    }

    fn write_block(&mut self) -> Result<(), SpillError> {
        let data = self.encoder.filled() as u64;
        let shared = self.file.shared();
        // Sums of file lengths stay below 2^63: the system refuses to write beyond.
        let offset = self.file.stored_bytes() + self.stored_bytes;
        let (stored, written) = self.encoder.write(self.blocks, |block| {
            (block.len() as u64, shared.write(block, offset))
        });
        if let Err(error) = written {
            self.failed_at = Some(shared.place(offset));
            // What a short write left is cut off on drop: it must know that there is something.
            self.stored_bytes += stored;
            return Err(error);
        }
        shared.counters().block_written(data, stored);
        self.stored_bytes += stored;
        self.bytes += data;
        self.blocks += 1;
        self.encoder.clear();
        Ok(())
    }
}

impl<B: Buffer> Drop for SpillWriter<'_, B> {
    fn drop(&mut self) {
        if self.stored_bytes > 0 {
            self.file.shared().cut(self.file.stored_bytes());
        }
    }
}

impl<B: Buffer> io::Write for SpillWriter<'_, B> {
    /// Appends all of `bytes`.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    /// Does nothing: a block is written when it is full, and what is written can be read after
    /// [`SpillWriter::finish`] only.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<B: Buffer> fmt::Debug for SpillWriter<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpillWriter")
            .field("file", &self.file)
            .field("encoder", &self.encoder)
            .field("stored_bytes", &self.stored_bytes)
            .field("failed_at", &self.failed_at)
            .finish_non_exhaustive()
    }
}

//! Bytes on their way to a block.

use std::io::{self, Write};
use std::sync::Arc;

use mem_block::{AllocError, MemoryAllocator};

use super::{ChunkedBytes, Piece, Pieces, index, length};
use crate::overdraft::Overdraft;

/// The largest piece, in bytes: what an allocator can serve again without much searching.
const CHUNK_MAX: u64 = 64 << 20;
/// The smallest piece of bytes whose number is not known beforehand.
const CHUNK_MIN: u64 = 256;
/// The largest piece of those; Spark's are of the size of the unroll threshold, 1 MiB.
const GROWTH_MAX: u64 = 1 << 20;

/// Bytes on their way to a block: written one after the other, in memory that was granted before.
#[derive(Debug)]
pub struct BytesBuilder {
    chunks: Pieces,
    /// Which piece is written to, and how far it is.
    at: (usize, u64),
    written: u64,
    plan: Plan,
}

/// How many bytes there may be.
#[derive(Debug)]
enum Plan {
    /// So many, and all are granted and allocated.
    Exact(u64),
    /// As many as come.
    Growing(Box<Growth>),
}

/// Memory that is granted bit by bit. What is written before it is granted is overdrawn: it is not
/// taken from the allocator, whose memory has been promised to others.
#[derive(Debug)]
struct Growth {
    allocator: Arc<dyn MemoryAllocator>,
    granted: u64,
    allocated: u64,
    overdraft: Overdraft,
}

impl BytesBuilder {
    fn new(plan: Plan) -> Self {
        Self {
            chunks: Pieces::new(),
            at: (0, 0),
            written: 0,
            plan,
        }
    }

    /// For exactly `size` bytes, whose memory is allocated now.
    pub(crate) fn exact(allocator: &dyn MemoryAllocator, size: u64) -> Result<Self, AllocError> {
        let mut builder = Self::new(Plan::Exact(size));
        let mut left = size;
        while left > 0 {
            let chunk = allocator.allocate(left.min(CHUNK_MAX))?;
            left = left.saturating_sub(chunk.len());
            builder.chunks.push(Piece::Granted(chunk));
        }
        Ok(builder)
    }

    /// For exactly as many bytes as `old` has, in its memory, where that is one piece, which it loses then.
    #[inline]
    pub(crate) fn renewed(old: &mut ChunkedBytes) -> Option<Self> {
        match old.chunks.as_mut_slice() {
            [Piece::Granted(block)] if block.len() == old.len => block.renew(),
            _ => return None,
        }
        Some(Self {
            chunks: std::mem::take(&mut old.chunks),
            at: (0, 0),
            written: 0,
            plan: Plan::Exact(old.len),
        })
    }

    /// For as many bytes as come, of which none are granted yet.
    pub(crate) fn growing(allocator: Arc<dyn MemoryAllocator>, overdraft: Overdraft) -> Self {
        let growth = Growth {
            allocator,
            granted: 0,
            allocated: 0,
            overdraft,
        };
        Self::new(Plan::Growing(Box::new(growth)))
    }

    /// Now `bytes` are granted in all.
    pub(crate) fn grant(&mut self, bytes: u64) {
        match &mut self.plan {
            Plan::Exact(_) => {}
            Plan::Growing(growth) => growth.granted = bytes,
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The room behind what is written, up to the end of the piece; its contents are of no
    /// particular value. Empty where there is none left.
    #[inline]
    pub fn unwritten(&mut self) -> &mut [u8] {
        while let Some(chunk) = self.chunks.get(self.at.0)
            && chunk.len() == self.at.1
        {
            self.at = (self.at.0 + 1, 0);
        }
        let (chunk, filled) = self.at;
        self.chunks
            .get_mut(chunk)
            .map(|chunk| &mut chunk.as_mut_slice()[index(filled)..])
            .unwrap_or_default()
    }

    /// The first `bytes` of [`unwritten`](Self::unwritten) count as written, whatever is in them.
    ///
    /// # Panics
    /// Where there are not that many.
    #[inline]
    pub fn advance(&mut self, bytes: usize) {
        assert!(
            bytes <= self.unwritten().len(),
            "there is room for {bytes} bytes"
        );
        // Neither sum passes the memory that is there.
        self.at.1 += length(bytes);
        self.written += length(bytes);
    }

    /// Forgets what was written after the first `written` bytes.
    pub(crate) fn truncate(&mut self, written: u64) {
        let mut left = written.min(self.written);
        self.written = left;
        self.at = (0, 0);
        for (number, chunk) in self.chunks.iter().enumerate() {
            self.at = (number, left.min(chunk.len()));
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    }

    /// The bytes. What memory is left over goes back, and overdrawn memory is replaced by granted, as
    /// far as it is granted by now.
    #[inline]
    pub(crate) fn finish(self) -> ChunkedBytes {
        let Self {
            mut chunks,
            at: (last, filled),
            written,
            plan,
        } = self;
        chunks.truncate(last + usize::from(filled > 0));
        if let Plan::Growing(mut growth) = plan {
            // From the last on, whose spare room pays for others.
            for (number, chunk) in chunks.iter_mut().enumerate().rev() {
                let used = if number == last { filled } else { chunk.len() };
                growth.fit(chunk, used);
            }
        }
        ChunkedBytes {
            last: match filled {
                0 => chunks.last().map_or(0, Piece::len),
                filled => filled,
            },
            chunks,
            len: written,
        }
    }

    /// Adds a piece.
    fn grow(&mut self) -> io::Result<()> {
        let growth = match &mut self.plan {
            Plan::Exact(size) => {
                let message = format!("a block of {size} bytes was promised, and more came");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            Plan::Growing(growth) => growth,
        };
        // Pieces grow with the whole, so that there are few, and little is left over.
        let good = (self.written / 4)
            .clamp(CHUNK_MIN, GROWTH_MAX)
            .next_multiple_of(8);
        let chunk = good.min(growth.left());
        self.chunks.push(if chunk < CHUNK_MIN {
            Piece::Overdrawn(growth.overdraft.draw(index(CHUNK_MIN)))
        } else {
            let block = growth.allocator.allocate(chunk).map_err(no_memory)?;
            growth.allocated = growth.allocated.saturating_add(chunk);
            Piece::Granted(block)
        });
        Ok(())
    }
}

impl Growth {
    /// Bytes that are granted and not allocated.
    fn left(&self) -> u64 {
        self.granted.saturating_sub(self.allocated)
    }

    /// Makes a piece that has room left over, or is overdrawn, one of the `used` bytes of it, by way of
    /// memory of the process's: the old piece is gone before the new one is there.
    fn fit(&mut self, piece: &mut Piece, used: u64) {
        if let Piece::Granted(block) = &*piece {
            if block.len() == used {
                return;
            }
            self.allocated = self.allocated.saturating_sub(block.len());
        }
        let mut copy = self.overdraft.draw(index(used));
        copy.as_mut()
            .copy_from_slice(&piece.as_slice()[..index(used)]);
        *piece = Piece::Overdrawn(copy);
        if self.left() >= used
            && let Ok(mut block) = self.allocator.allocate(used)
        {
            block.as_mut_slice().copy_from_slice(piece.as_slice());
            self.allocated = self.allocated.saturating_add(used);
            *piece = Piece::Granted(block);
        }
    }
}

fn no_memory(error: AllocError) -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, error)
}

/// The allocator's refusal, where that is what an error of a [`BytesBuilder`] is about.
pub(crate) fn alloc_error(error: &io::Error) -> Option<AllocError> {
    error.get_ref()?.downcast_ref::<AllocError>().copied()
}

impl Write for BytesBuilder {
    /// Takes as many of `bytes` as the piece has room for.
    ///
    /// # Errors
    /// Where more come than were promised, or the allocator has no memory left.
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !bytes.is_empty() && self.unwritten().is_empty() {
            self.grow()?;
        }
        let room = self.unwritten();
        let taken = room.len().min(bytes.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.advance(taken);
        Ok(taken)
    }

    /// Does nothing.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

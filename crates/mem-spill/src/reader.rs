//! Reading one segment, block after block.

use crate::buffer::Buffer;
use crate::cursor::Cursor;
use crate::decoders::Decoders;
use crate::error::SpillError;
use crate::file::Segment;
use crate::options::{Codec, SpillOptions};
use crate::read_ahead::{Load, Queue, ReadAhead, Slot, Work};
use crate::storage::Patience;
use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::Poll;

/// Reads a segment from its first block to its last, once.
///
/// Use [`next_block`](Self::next_block), or [`io::BufRead`] and [`io::Read`], or one after the
/// other. Any number of readers can be at the same file, and at the same segment.
///
/// By itself a reader reads a block when it is asked for, having told the system before that it
/// will. [`with_read_ahead`](Self::with_read_ahead) has the next block read and decoded meanwhile.
///
/// Spark's counterpart: `UnsafeSorterSpillReader`.
pub struct SpillReader<B: Buffer> {
    /// The block that the caller sees.
    block: B,
    /// Bytes of data in it.
    filled: usize,
    /// How many of them were consumed through `BufRead`.
    consumed: usize,
    /// Apart from what is looked at for each record: thousands of readers are at work together.
    fetch: Box<Fetch<B>>,
}

enum Fetch<B: Buffer> {
    /// Blocks are read when asked for.
    Here {
        cursor: Cursor,
        decoders: Decoders<B>,
    },
    /// Blocks are read by threads.
    Ahead(Ahead<B>),
}

impl<B: Buffer> SpillReader<B> {
    /// A reader of `segment` that is lent one `block`, of the segment's
    /// [`block_bytes`](SpillOptions::block_bytes).
    ///
    /// # Errors
    ///
    /// [`SpillError::WrongDecoders`] if `decoders` are for another codec or for smaller blocks,
    /// [`SpillError::BufferTooSmall`]; `block` is dropped.
    pub fn new(segment: &Segment, decoders: &Decoders<B>, block: B) -> Result<Self, SpillError> {
        check_decoders(segment.options(), decoders.options())?;
        let cursor = Cursor::new(segment);
        check_block(&cursor, &block)?;
        Ok(Self {
            block,
            filled: 0,
            consumed: 0,
            fetch: Box::new(Fetch::Here {
                cursor,
                decoders: decoders.clone(),
            }),
        })
    }

    /// What was not consumed yet of the block that was read last; see [`io::BufRead`].
    #[inline]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.block.as_ref()[self.consumed..self.filled]
    }

    /// The next block's data, or `None` after the last. What was left of the block before is
    /// skipped.
    ///
    /// With read-ahead this waits for at most the one block that a thread is reading.
    ///
    /// # Errors
    ///
    /// [`SpillError::Io`], [`SpillError::Corrupt`], [`SpillError::ReadAheadPanicked`]. The next
    /// call tries the same block again.
    pub fn next_block(&mut self) -> Result<Option<&[u8]>, SpillError> {
        self.filled = 0;
        self.consumed = 0;
        let filled = match &mut *self.fetch {
            Fetch::Here { cursor, decoders } => cursor.read_block(self.block.as_mut(), decoders)?,
            Fetch::Ahead(ahead) => ahead.next_block(&mut self.block)?,
        };
        self.filled = filled.unwrap_or(0);
        Ok(filled.map(|filled| &self.block.as_ref()[..filled]))
    }

    /// The same where no disk has to be waited for; pending otherwise, and nothing is read then. So is a
    /// reader with read-ahead always.
    ///
    /// # Errors
    ///
    /// [`SpillError::Io`], [`SpillError::Corrupt`].
    pub fn poll_cached(&mut self) -> Result<Poll<Option<&[u8]>>, SpillError> {
        let Fetch::Here { cursor, decoders } = &mut *self.fetch else {
            return Ok(Poll::Pending);
        };
        cursor.patience = Patience::Refuses;
        let read = cursor.read_block(self.block.as_mut(), decoders);
        cursor.patience = Patience::Waits;
        (self.filled, self.consumed) = (0, 0);
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Poll::Pending),
            Err(error) => Err(error),
            Ok(filled) => {
                self.filled = filled.unwrap_or(0);
                Ok(Poll::Ready(
                    filled.map(|filled| &self.block.as_ref()[..filled]),
                ))
            }
        }
    }

    /// Has disk space given back as it is read: from the next block on, up to the offset `end` in
    /// the file, where something may begin that others still read. What was given back can't be read
    /// again, by nobody. It is done only while it takes next to no time; the rest goes with the file.
    ///
    /// To be called before [`with_read_ahead`](Self::with_read_ahead); a reader that has it already
    /// gives nothing back.
    pub fn release_until(&mut self, end: u64) {
        if let Fetch::Here { cursor, .. } = &mut *self.fetch {
            cursor.release_until(end);
        }
    }

    /// Gives the lent buffers back: one, or two with read-ahead. Waits for a thread that is reading
    /// into one, as dropping does.
    #[must_use]
    pub fn into_buffers(self) -> Vec<B> {
        let mut buffers = vec![self.block];
        if let Fetch::Ahead(mut ahead) = *self.fetch {
            buffers.extend(ahead.take_back().map(|load| load.block));
        }
        buffers
    }
}

impl<B: Buffer + 'static> SpillReader<B> {
    /// Has the blocks from the next one on read and decoded by the threads of `read_ahead` while
    /// the caller works on the one before; for that it is lent a `second` block. On a reader that
    /// has it already nothing changes.
    ///
    /// # Errors
    ///
    /// [`SpillError::BufferTooSmall`]; both blocks are dropped.
    pub fn with_read_ahead(
        mut self,
        read_ahead: &ReadAhead,
        second: B,
    ) -> Result<Self, SpillError> {
        if let Fetch::Here { cursor, decoders } = *self.fetch {
            check_block(&cursor, &second)?;
            let ahead = Ahead::new(cursor, decoders, read_ahead.queue(), second);
            *self.fetch = Fetch::Ahead(ahead);
        }
        Ok(self)
    }
}

/// The reader's side of read-ahead.
struct Ahead<B: Buffer> {
    slot: Arc<Slot<B>>,
    /// The same slot, as the queue knows it.
    work: Arc<dyn Work>,
    queue: Arc<Queue>,
    /// The load while it is not in the slot: at the end, and after an error.
    held: Option<Load<B>>,
}

impl<B: Buffer + 'static> Ahead<B> {
    fn new(mut cursor: Cursor, decoders: Decoders<B>, queue: Arc<Queue>, block: B) -> Self {
        // A thread reads it, the system need not be told.
        cursor.fetch_next = false;
        let slot = Arc::new(Slot::new());
        let ahead = Self {
            work: Arc::<Slot<B>>::clone(&slot),
            slot,
            queue,
            held: None,
        };
        ahead.submit(Load {
            cursor,
            decoders,
            block,
            outcome: Ok(None),
        });
        ahead
    }
}

impl<B: Buffer> Ahead<B> {
    fn next_block(&mut self, block: &mut B) -> Result<Option<usize>, SpillError> {
        let (mut load, ready) = match self.held.take() {
            Some(load) => (load, false),
            None => self.slot.take().expect("what is not held is in the slot"),
        };
        if !ready {
            load.run();
        }
        match mem::replace(&mut load.outcome, Ok(None)) {
            Ok(Some(filled)) => {
                if ready {
                    load.cursor.file().counters().block_ready();
                }
                mem::swap(block, &mut load.block);
                self.submit(load);
                Ok(Some(filled))
            }
            ended => {
                self.held = Some(load);
                ended
            }
        }
    }

    fn submit(&self, load: Load<B>) {
        if self.slot.offer(load) {
            self.queue.push(Arc::clone(&self.work));
        }
    }

    /// The load, from wherever it is.
    fn take_back(&mut self) -> Option<Load<B>> {
        let held = self.held.take();
        held.or_else(|| self.slot.take().map(|(load, _)| load))
    }
}

impl<B: Buffer> Drop for Ahead<B> {
    /// A thread may be at it: the lent memory must have gone back when this returns.
    fn drop(&mut self) {
        drop(self.take_back());
    }
}

fn check_block<B: Buffer>(cursor: &Cursor, block: &B) -> Result<(), SpillError> {
    let (needed, lent) = (cursor.block_bytes(), block.as_ref().len());
    if lent < needed {
        return Err(SpillError::BufferTooSmall {
            what: "reader of spill files",
            needed,
            lent,
        });
    }
    Ok(())
}

fn check_decoders(segment: SpillOptions, decoders: SpillOptions) -> Result<(), SpillError> {
    let same_codec = matches!(
        (segment.codec(), decoders.codec()),
        (Codec::None, _) | (Codec::Lz4, Codec::Lz4) | (Codec::Zstd { .. }, Codec::Zstd { .. })
    );
    let scratch_needed = segment.scratch_bytes();
    if same_codec && decoders.scratch_bytes() >= scratch_needed {
        return Ok(());
    }
    let show = |options: SpillOptions| {
        let (codec, block_bytes) = (options.codec(), options.block_bytes());
        format!("{codec} in blocks of {block_bytes} bytes")
    };
    Err(SpillError::WrongDecoders {
        segment: show(segment),
        decoders: show(decoders),
    })
}

impl<B: Buffer> io::BufRead for SpillReader<B> {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.consumed == self.filled {
            self.next_block()?;
        }
        Ok(self.unread())
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        let unread = self.filled - self.consumed;
        self.consumed += amount.min(unread);
    }
}

impl<B: Buffer> io::Read for SpillReader<B> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let unread = io::BufRead::fill_buf(self)?;
        let length = unread.len().min(room.len());
        room[..length].copy_from_slice(&unread[..length]);
        io::BufRead::consume(self, length);
        Ok(length)
    }
}

impl<B: Buffer> fmt::Debug for SpillReader<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = matches!(*self.fetch, Fetch::Ahead(_));
        f.debug_struct("SpillReader")
            .field("filled", &self.filled)
            .field("consumed", &self.consumed)
            .field("read_ahead", &ahead)
            .finish_non_exhaustive()
    }
}

//! A part of a file as it is on disk: segments are copied, and found again, without decoding them.

use crate::error::{Corruption, SpillError};
use crate::file::{Segment, SharedFile, SpillFile};
use crate::frame::{Expected, HEADER_LEN, Header, Stored};
use crate::options::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, Codec, SpillOptions};
use crate::storage::Patience;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of a spill file as they are on disk. It keeps the file alive. Cloning is cheap.
///
/// Segments can be laid end to end by copying their bytes, and are then read as one: see
/// [`segment`](Self::segment).
///
/// Spark's counterpart: what `UnsafeShuffleWriter` copies when it merges spills without
/// decompressing them.
#[derive(Clone, Debug)]
pub struct Stretch {
    file: Arc<SharedFile>,
    stored: Range<u64>,
}

/// What the headers in a stretch say.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    /// The longest data of a block.
    longest: u32,
}

impl Stretch {
    pub(crate) fn new(file: Arc<SharedFile>, stored: Range<u64>) -> Self {
        Self { file, stored }
    }

    /// Its length on disk, in bytes.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stored.end.saturating_sub(self.stored.start)
    }

    /// Takes `stored_bytes` off its front, at most all, as a stretch of its own.
    #[must_use]
    pub fn split_front(&mut self, stored_bytes: u64) -> Self {
        let middle = self.stored.start + stored_bytes.min(self.stored_bytes());
        let front = self.stored.start..middle;
        self.stored.start = middle;
        Self::new(Arc::clone(&self.file), front)
    }

    /// Shows its bytes from the first to the last, as many at a time as fit `room`.
    ///
    /// # Errors
    ///
    /// [`SpillError::Io`], [`SpillError::Corrupt`] if the file ends before, and what `each` returns.
    /// [`SpillError::BufferTooSmall`] if `room` is empty.
    pub fn read<E: From<SpillError>>(
        &self,
        room: &mut [u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = self.stored.clone();
        while rest.start < rest.end {
            let length = shorter(room.len(), rest.end - rest.start);
            if length == 0 {
                return Err(E::from(no_room()));
            }
            let piece = &mut room[..length];
            let filled = self.file.read(piece, rest.start, Patience::Waits)?;
            self.check_follow(rest.start, filled as u64, length as u64)?;
            self.file.counters().stored_read(length as u64);
            each(piece)?;
            rest.start += length as u64;
        }
        Ok(())
    }

    /// Appends its bytes to `target`, through `room`, and shows them on the way.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`SpillError::Io`] of the target, which is then as it was.
    pub fn copy_to(
        &self,
        target: &mut SpillFile,
        room: &mut [u8],
        mut look: impl FnMut(&[u8]),
    ) -> Result<(), SpillError> {
        let mut at = target.stored_bytes();
        let copied = self.read(room, |piece| {
            target.shared().write(piece, at)?;
            target
                .shared()
                .counters()
                .stored_written(piece.len() as u64);
            // Offsets in a file stay below 2^63: the system refuses to write beyond.
            at += piece.len() as u64;
            look(piece);
            Ok(())
        });
        match copied {
            Ok(()) => target.append_stored(self.stored_bytes()),
            Err(_) => target.shared().cut(target.stored_bytes()),
        }
        copied
    }

    /// The segments that lie end to end in it, as one segment. Looks at the header of each block,
    /// which says codec and lengths; the payloads are looked at on reading.
    ///
    /// What begins in the middle of a segment, or ends there, is noticed unless it begins and ends
    /// between two blocks; checksums over the whole are for the caller to keep.
    ///
    /// # Errors
    ///
    /// [`SpillError::Io`], and [`SpillError::Corrupt`] if there is anything else than segments.
    pub fn segment(&self) -> Result<Segment, SpillError> {
        let mut contents = Contents::default();
        let mut expected = Expected {
            number: 0,
            or_first: true,
            data_len_max: BLOCK_BYTES_MAX - HEADER_LEN,
            codec: Codec::None,
        };
        let mut position = self.stored.start;
        while position < self.stored.end {
            let header = self.header(position, &mut expected)?;
            let stored = HEADER_LEN as u64 + u64::from(header.stored_len);
            self.check_follow(position, self.stored.end - position, stored)?;
            position += stored;
            expected.number = header.number + 1;
            contents.add(&header);
        }
        let block_bytes = (HEADER_LEN + contents.longest as usize).max(BLOCK_BYTES_MIN);
        let options = SpillOptions::new(expected.codec, block_bytes)?;
        let file = Arc::clone(&self.file);
        Ok(Segment::joined(
            file,
            self.stored.clone(),
            &contents,
            options,
        ))
    }

    /// The header at `position`. The codec of the first block that has one is that of all.
    fn header(&self, position: u64, expected: &mut Expected) -> Result<Header, SpillError> {
        let mut bytes = [0; HEADER_LEN];
        let room = shorter(HEADER_LEN, self.stored.end - position);
        let filled = self
            .file
            .read(&mut bytes[..room], position, Patience::Waits)?;
        self.check_follow(position, filled as u64, HEADER_LEN as u64)?;
        if expected.codec == Codec::None {
            expected.codec = codec_of(bytes[Header::CODEC_AT]);
        }
        Header::parse(&bytes, expected).map_err(|found| self.file.corrupt(position, found))
    }

    fn check_follow(&self, position: u64, found: u64, expected: u64) -> Result<(), SpillError> {
        if found < expected {
            let truncated = Corruption::Truncated { expected, found };
            return Err(self.file.corrupt(position, truncated));
        }
        Ok(())
    }
}

impl Contents {
    fn add(&mut self, header: &Header) {
        // Sums over a file.
        self.bytes += u64::from(header.data_len);
        self.blocks += 1;
        self.longest = self.longest.max(header.data_len);
    }
}

/// The codec that blocks with this number have been compressed with; the level does not matter for
/// reading. Of a number that is none, the check of the header will speak.
fn codec_of(id: u8) -> Codec {
    match Stored::from_id(id) {
        Some(Stored::Lz4) => Codec::Lz4,
        Some(Stored::Zstd) => Codec::Zstd { level: 0 },
        Some(Stored::Raw) | None => Codec::None,
    }
}

fn shorter(length: usize, bytes: u64) -> usize {
    usize::try_from(bytes).map_or(length, |bytes| bytes.min(length))
}

fn no_room() -> SpillError {
    SpillError::BufferTooSmall {
        what: "copy of a stretch",
        needed: 1,
        lent: 0,
    }
}

//! Reading a segment block by block: one read call a block, which also fetches the next header.

use crate::buffer::Buffer;
use crate::decoders::Decoders;
use crate::error::{Corruption, SpillError};
use crate::file::{Segment, SharedFile};
use crate::frame::{Expected, HEADER_LEN, Header, HeaderBytes, Stored};
use crate::release::Release;
use crate::storage::Patience;
use std::sync::Arc;

/// How much the system is told to fetch at a time: large enough for a disk, small enough that what
/// hundreds of readers have fetched stays in memory.
const FETCH_BYTES: u64 = 256 << 10;

/// A position in a segment. It moves on only when a block was read without fault, so that a read
/// that failed can be tried again.
#[derive(Debug)]
pub(crate) struct Cursor {
    file: Arc<SharedFile>,
    /// Where the next block begins, in bytes from the start of the file.
    position: u64,
    /// Where the segment ends.
    end: u64,
    /// How many blocks the segment has.
    blocks: u64,
    /// How many of them were read.
    read: u64,
    expected: Expected,
    /// The header at `position`, when it came with the block before it, not checked yet; or from
    /// an attempt that failed later.
    next: Option<HeaderBytes>,
    /// Whether the system is told to fetch blocks before they are read.
    pub(crate) fetch_next: bool,
    /// Up to where it was told so.
    advised: u64,
    /// Whether reads wait for the disk.
    pub(crate) patience: Patience,
    release: Release,
}

/// Where a block's payload is, and what to read with it.
struct Extent {
    start: u64,
    stored_len: usize,
    /// The payload, and the next header if there is one.
    read_len: usize,
}

impl Cursor {
    pub(crate) fn new(segment: &Segment) -> Self {
        let options = segment.options();
        Self {
            file: Arc::clone(segment.file()),
            position: segment.offset(),
            // Both were offsets in a file that was written, below 2^63.
            end: segment.offset() + segment.stored_bytes(),
            blocks: segment.blocks(),
            read: 0,
            expected: Expected {
                number: segment.first_block(),
                or_first: segment.is_joined(),
                data_len_max: options.payload_bytes(),
                codec: options.codec(),
            },
            next: None,
            fetch_next: true,
            advised: 0,
            patience: Patience::Waits,
            release: Release::default(),
        }
    }

    /// From the next block on, gives disk space back as soon as it was read, up to the offset `end`
    /// in the file.
    pub(crate) fn release_until(&mut self, end: u64) {
        self.release = Release::of(self.position..end.min(self.end));
    }

    pub(crate) fn file(&self) -> &SharedFile {
        &self.file
    }

    /// The room that a block needs.
    pub(crate) fn block_bytes(&self) -> usize {
        HEADER_LEN + self.expected.data_len_max
    }

    /// Reads the next block into the front of `room`, which has the segment's block size, and
    /// returns the length of its data; `None` at the end of the segment.
    pub(crate) fn read_block<B: Buffer>(
        &mut self,
        room: &mut [u8],
        decoders: &Decoders<B>,
    ) -> Result<Option<usize>, SpillError> {
        if self.position == self.end {
            return self.check_all_read().map(|()| None);
        }
        let header = self.header()?;
        let extent = self.extent(&header)?;
        let data_len = header.data_len as usize;
        let next = match header.stored {
            Stored::Raw => self.fetch(&header, &extent, room)?,
            Stored::Lz4 | Stored::Zstd => decoders.with(|decoder| {
                let scratch = decoder.scratch.as_mut();
                let next = self.fetch(&header, &extent, scratch)?;
                decoder
                    .decompressor
                    .decompress(&scratch[..extent.stored_len], &mut room[..data_len])
                    .map_err(|reason| self.corrupt(Corruption::Decode { reason }))?;
                Ok(next)
            })?,
        };
        self.move_on(&header, &extent, next);
        let stored = (HEADER_LEN + extent.stored_len) as u64;
        self.file.counters().block_read(data_len as u64, stored);
        Ok(Some(data_len))
    }

    /// The header at the position, checked.
    fn header(&mut self) -> Result<Header, SpillError> {
        let bytes = match self.next {
            Some(bytes) => bytes,
            None => {
                self.check_follow(self.end - self.position, HEADER_LEN as u64)?;
                let mut bytes = [0; HEADER_LEN];
                self.fill(&mut bytes, self.position)?;
                bytes
            }
        };
        let header = Header::parse(&bytes, &self.expected).map_err(|found| self.corrupt(found))?;
        self.next = Some(bytes);
        Ok(header)
    }

    fn extent(&self, header: &Header) -> Result<Extent, SpillError> {
        // `header` has made sure of this subtraction; the header's length was checked against the
        // block size, so none of the sums can overflow.
        let rest = self.end - self.position - HEADER_LEN as u64;
        let stored_len = header.stored_len as usize;
        self.check_follow(rest, stored_len as u64)?;
        let behind = rest - stored_len as u64;
        let header_follows = behind >= HEADER_LEN as u64;
        Ok(Extent {
            start: self.position + HEADER_LEN as u64,
            stored_len,
            read_len: stored_len + if header_follows { HEADER_LEN } else { 0 },
        })
    }

    /// Reads and checks a payload into the front of `room`; returns the header behind it.
    fn fetch(
        &self,
        header: &Header,
        extent: &Extent,
        room: &mut [u8],
    ) -> Result<Option<HeaderBytes>, SpillError> {
        let room = &mut room[..extent.read_len];
        self.fill(room, extent.start)?;
        let (payload, next) = room.split_at(extent.stored_len);
        header
            .check_payload(payload)
            .map_err(|found| self.corrupt(found))?;
        Ok(next.try_into().ok())
    }

    fn move_on(&mut self, header: &Header, extent: &Extent, next: Option<HeaderBytes>) {
        self.position = extent.start + extent.stored_len as u64;
        // Numbers of blocks that were written, or that a file has room for.
        self.expected.number = header.number + 1;
        self.read += 1;
        self.next = next;
        let wanted = self.position.saturating_add(self.block_bytes() as u64);
        if self.fetch_next && self.advised < wanted.min(self.end) {
            let from = self.advised.max(self.position);
            let length = (self.end - from).min(FETCH_BYTES.max(wanted - from));
            self.file.will_need(from, length);
            self.advised = from + length;
        }
        if let Some(read) = self.release.due(self.position) {
            self.file.release(read);
        }
    }

    fn fill(&self, room: &mut [u8], offset: u64) -> Result<(), SpillError> {
        let filled = self.file.read(room, offset, self.patience)?;
        self.check_follow(filled as u64, room.len() as u64)
    }

    fn check_follow(&self, found: u64, expected: u64) -> Result<(), SpillError> {
        if found < expected {
            return Err(self.corrupt(Corruption::Truncated { expected, found }));
        }
        Ok(())
    }

    fn check_all_read(&self) -> Result<(), SpillError> {
        if self.read == self.blocks {
            return Ok(());
        }
        Err(self.corrupt(Corruption::Blocks {
            expected: self.blocks,
            found: self.read,
        }))
    }

    fn corrupt(&self, found: Corruption) -> SpillError {
        self.file.corrupt(self.position, found)
    }
}

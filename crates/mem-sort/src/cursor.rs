//! A place in a run that is being merged.

use std::fmt;
use std::io::BufRead;

use mem_spill::{Buffer, ReadAhead, SpillError, SpillReader};

use crate::code::{DUPLICATE, EXHAUSTED, code_at};
use crate::copy::copy_front;
use crate::error::SortError;
use crate::marks::Mark;
use crate::order::Order;
use crate::run::{Form, HEADER_BYTES_MAX, Run, take_varint};

/// Reads the records of a run, one at a time, into a buffer that holds the longest of them.
///
/// Two lines of the processor's cache: one record of a merge needs this one, and the next another.
#[repr(align(64))]
pub(crate) struct RunCursor<B: Buffer> {
    reader: SpillReader<B>,
    record: B,
    /// Bytes of the run's longest record.
    longest: usize,
    /// Bytes of the current record.
    length: usize,
    /// Records after the current one.
    left: u64,
    code: u64,
    order: Order,
    form: Form,
    /// Bytes before the first record in its block.
    skip: usize,
    /// Nothing was read yet.
    fresh: bool,
    /// Where in the file what is read by others too begins.
    shared_from: u64,
}

impl<B: Buffer> RunCursor<B> {
    /// A cursor before the first record of `run`. `record` has room for the longest.
    pub(crate) fn new(run: &Run, order: Order, reader: SpillReader<B>, record: B) -> Self {
        let room = record.as_ref().len();
        Self {
            reader,
            record,
            longest: usize::try_from(run.longest).map_or(room, |longest| longest.min(room)),
            length: 0,
            left: run.records,
            code: EXHAUSTED,
            order,
            form: run.form,
            skip: 0,
            fresh: true,
            shared_from: u64::MAX,
        }
    }

    /// A cursor before the record of `run` that is marked; `reader` begins with the block that it
    /// is in.
    pub(crate) fn at_mark(
        run: &Run,
        mark: &Mark,
        order: Order,
        reader: SpillReader<B>,
        room: B,
    ) -> Self {
        let mut cursor = Self::new(run, order, reader, room);
        cursor.left = run.records.saturating_sub(mark.records);
        cursor.skip = mark.place.within();
        cursor.length = mark.start.len().min(cursor.longest);
        let length = cursor.length;
        cursor.record.as_mut()[..length].copy_from_slice(&mark.start[..length]);
        cursor
    }

    /// The same run, of which others read what lies from the offset `shared_from` of its file on.
    pub(crate) fn shared_from(self, shared_from: u64) -> Self {
        Self {
            shared_from,
            ..self
        }
    }

    /// Gives disk space back as it is read, from the next block on, but not what others read too.
    pub(crate) fn release_read(&mut self) {
        self.reader.release_until(self.shared_from);
    }

    /// The current record's code, relative to the one before it in the run.
    pub(crate) fn code(&self) -> u64 {
        self.code
    }

    /// The current record; nothing before the first and after the last.
    pub(crate) fn record(&self) -> &[u8] {
        &self.record.as_ref()[..self.length]
    }

    /// The code that the current record would have as the first of all.
    pub(crate) fn first_code(&self) -> u64 {
        match self.code {
            EXHAUSTED => EXHAUSTED,
            _ => code_at(self.order, self.record(), 0),
        }
    }

    /// Whether there is no current record because nothing was read yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Goes on to the next record.
    #[inline]
    pub(crate) fn advance(&mut self) -> Result<(), SortError> {
        // Nearly always a record and its two numbers, of a byte each, are in the current block.
        let ready = self.reader.unread();
        if let Some(([common, more], rest)) = ready.split_first_chunk::<2>()
            && (common | more) & 0x80 == 0
            && self.left > 0
            && !self.fresh
            && let (common, more) = (usize::from(*common), usize::from(*more))
            && more <= rest.len()
            && common <= self.length
            && common + more <= self.longest
        {
            let same = more == 0 && common == self.length;
            copy_front(&mut self.record.as_mut()[common..], rest, more);
            self.reader.consume(2 + more);
            self.left -= 1;
            self.length = common + more;
            self.code = match same {
                true => DUPLICATE,
                false => code_at(self.order, self.record(), common),
            };
            return Ok(());
        }
        self.advance_slowly()
    }

    /// The same, whatever comes.
    #[inline(never)]
    fn advance_slowly(&mut self) -> Result<(), SortError> {
        if self.left == 0 {
            self.length = 0;
            self.fresh = false;
            self.code = EXHAUSTED;
            return self.check_ended();
        }
        if self.fresh {
            self.reader.fill_buf().map_err(into_spill_error)?;
            self.reader.consume(self.skip);
        }
        self.left -= 1;
        let (common, more) = match self.form {
            Form::FrontCoded => self.header()?,
            Form::Single => (0, self.longest),
        };
        let before = self.length;
        let length = common.checked_add(more);
        let fits = |length: &usize| *length <= self.longest && common <= before;
        let Some(length) = length.filter(fits) else {
            return Err(SortError::Malformed("a record is longer than the longest"));
        };
        self.fill(common, length)?;
        self.length = length;
        let same = common == before && common == length && !self.fresh;
        self.fresh = false;
        self.code = match same {
            true => DUPLICATE,
            false => code_at(self.order, self.record(), common),
        };
        Ok(())
    }

    /// The two numbers in front of a record.
    #[inline]
    fn header(&mut self) -> Result<(usize, usize), SortError> {
        let ready = self.reader.fill_buf().map_err(into_spill_error)?;
        let parsed = take_varint(ready).and_then(|(common, length)| {
            let (more, further) = take_varint(&ready[length..])?;
            Some((common, more, length + further))
        });
        if let Some((common, more, length)) = parsed {
            self.reader.consume(length);
            return Ok((common, more));
        }
        let mut header = [0; HEADER_BYTES_MAX];
        Ok((self.number(&mut header)?, self.number(&mut header)?))
    }

    /// A number that may go over the end of a block.
    #[cold]
    fn number(&mut self, room: &mut [u8]) -> Result<usize, SortError> {
        for length in 1..=room.len() {
            let ready = self.reader.fill_buf().map_err(into_spill_error)?;
            let Some(byte) = ready.first() else {
                return Err(SortError::Malformed("it ends within a record"));
            };
            room[length - 1] = *byte;
            self.reader.consume(1);
            if let Some((number, _)) = take_varint(&room[..length]) {
                return Ok(number);
            }
        }
        Err(SortError::Malformed("a length has more than 64 bits"))
    }

    /// Reads the bytes of the record from `start` to `end`.
    #[inline]
    fn fill(&mut self, start: usize, end: usize) -> Result<(), SortError> {
        let mut room = &mut self.record.as_mut()[start..end];
        while !room.is_empty() {
            let ready = self.reader.fill_buf().map_err(into_spill_error)?;
            if ready.is_empty() {
                return Err(SortError::Malformed("it ends within a record"));
            }
            let taken = ready.len().min(room.len());
            let (now, later) = room.split_at_mut(taken);
            now.copy_from_slice(&ready[..taken]);
            self.reader.consume(taken);
            room = later;
        }
        Ok(())
    }

    /// After the last record nothing follows, and the reader sees that all blocks were there.
    fn check_ended(&mut self) -> Result<(), SortError> {
        match self.reader.fill_buf().map_err(into_spill_error)? {
            [] => Ok(()),
            _ => Err(SortError::Malformed("bytes follow its last record")),
        }
    }
}

impl<B: Buffer + 'static> RunCursor<B> {
    /// Has the next block read ahead, into `second`.
    pub(crate) fn read_ahead(self, threads: &ReadAhead, second: B) -> Result<Self, SortError> {
        Ok(Self {
            reader: self.reader.with_read_ahead(threads, second)?,
            ..self
        })
    }
}

impl<B: Buffer> fmt::Debug for RunCursor<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunCursor")
            .field("length", &self.length)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// What a reader packed into an error of the standard library.
fn into_spill_error(error: std::io::Error) -> SortError {
    match error.downcast::<SpillError>() {
        Ok(spill) => SortError::Spill(spill),
        Err(other) => SortError::Sink(other),
    }
}

//! A sorted run: the form it has in a spill file, and writing it.
//!
//! Records are front-coded. Each is stored as the number of bytes that it has in common with the
//! one before it, the number of further bytes, both as LEB128, and those bytes. The run of a single
//! long record, whose length is not known when it begins, is that record and nothing else; its
//! length is the segment's.

use mem_spill::{Buffer, Encoder, Segment, SpillError, SpillFile, SpillWriter};

use crate::marks::Marks;

/// The longest LEB128 of 64 bits.
const VARINT_BYTES_MAX: usize = 10;
/// The longest that a record's two numbers can be.
pub(crate) const HEADER_BYTES_MAX: usize = 2 * VARINT_BYTES_MAX;

/// A sorted run in a spill file. Dropping it gives its disk space back, together with that of the
/// other runs of its file.
///
/// Spark's counterpart: the spill writers that `UnsafeExternalSorter` keeps.
#[derive(Debug)]
pub struct Run {
    pub(crate) segment: Segment,
    pub(crate) records: u64,
    pub(crate) record_bytes: u64,
    pub(crate) longest: u64,
    pub(crate) form: Form,
    pub(crate) marks: Marks,
}

/// How a run's records are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Front-coded.
    FrontCoded,
    /// One record, as it is.
    Single,
}

impl Run {
    /// Records in it.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Bytes of these records.
    #[must_use]
    pub fn record_bytes(&self) -> u64 {
        self.record_bytes
    }

    /// Bytes of the longest of them.
    #[must_use]
    pub fn longest_record(&self) -> u64 {
        self.longest
    }

    /// Its bytes on disk.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.segment.stored_bytes()
    }
}

/// Writes a run of front-coded records.
pub(crate) struct RunWriter<'a, B: Buffer> {
    writer: SpillWriter<'a, B>,
    records: u64,
    record_bytes: u64,
    longest: usize,
    marks: Marks,
}

impl<'a, B: Buffer> RunWriter<'a, B> {
    /// A writer of a run with at most so many marks.
    pub(crate) fn new(file: &'a mut SpillFile, encoder: &'a mut Encoder<B>, marks: usize) -> Self {
        Self {
            writer: SpillWriter::new(file, encoder),
            records: 0,
            record_bytes: 0,
            longest: 0,
            marks: Marks::new(marks),
        }
    }

    /// Appends a record that has `common` bytes in common with the one before it.
    #[inline]
    pub(crate) fn push(&mut self, common: usize, record: &[u8]) -> Result<(), SpillError> {
        if self.marks.is_due(self.writer.blocks(), common) {
            let before = (self.records, self.record_bytes);
            let place = self.writer.place();
            self.marks.add(place, before, (common, record));
        }
        // Lengths in memory: their sum over a file stays below 2^63, as file offsets do.
        self.records += 1;
        self.record_bytes += record.len() as u64;
        self.longest = self.longest.max(record.len());
        let rest = &record[common..];
        let room = self.writer.room();
        if let (Some(common), Some(more)) = (one_byte(common), one_byte(rest.len()))
            && let Some((header, room)) = room.split_first_chunk_mut::<2>()
            && let Some(room) = room.get_mut(..rest.len())
        {
            room.copy_from_slice(rest);
            *header = [common, more];
            return self.writer.fill_up(2 + rest.len());
        }
        self.append(common, rest)
    }

    /// Appends the number of bytes in common, and the rest of the record.
    fn append(&mut self, common: usize, rest: &[u8]) -> Result<(), SpillError> {
        let mut header = [0; HEADER_BYTES_MAX];
        let length = put_varint(&mut header, common);
        let length = length + put_varint(&mut header[length..], rest.len());
        self.writer.append(&header[..length])?;
        self.writer.append(rest)
    }

    pub(crate) fn finish(self) -> Result<Run, SpillError> {
        Ok(Run {
            segment: self.writer.finish()?,
            records: self.records,
            record_bytes: self.record_bytes,
            longest: self.longest as u64,
            form: Form::FrontCoded,
            marks: self.marks,
        })
    }
}

/// Finishes the run of a single record, of which all bytes have been appended to `writer`.
pub(crate) fn finish_single<B: Buffer>(writer: SpillWriter<'_, B>) -> Result<Run, SpillError> {
    let segment = writer.finish()?;
    let length = segment.bytes();
    Ok(Run {
        segment,
        records: 1,
        record_bytes: length,
        longest: length,
        form: Form::Single,
        marks: Marks::new(0),
    })
}

/// The LEB128 of a number that has one byte.
#[inline]
fn one_byte(number: usize) -> Option<u8> {
    u8::try_from(number).ok().filter(|byte| *byte < 0x80)
}

/// Writes `number` as LEB128 to the front of `room`, and says how long it is.
#[inline]
fn put_varint(room: &mut [u8], number: usize) -> usize {
    let mut rest = number;
    let mut length = 0;
    loop {
        let low = rest.to_le_bytes()[0] & 0x7f;
        rest >>= 7;
        let more = u8::from(rest > 0) << 7;
        room[length] = low | more;
        length += 1;
        if rest == 0 {
            return length;
        }
    }
}

/// Reads a LEB128 from the front of `bytes`: the number and its length, or nothing if it does not
/// end there or has more than 64 bits.
#[inline]
pub(crate) fn take_varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0_u64;
    for (index, (byte, shift)) in bytes.iter().zip((0..u64::BITS).step_by(7)).enumerate() {
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((usize::try_from(number).ok()?, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [
            0,
            1,
            127,
            128,
            300,
            16383,
            16384,
            u32::MAX as usize,
            usize::MAX,
        ] {
            let mut room = [0; VARINT_BYTES_MAX];
            let length = put_varint(&mut room, number);
            assert_eq!(take_varint(&room), Some((number, length)));
            assert_eq!(take_varint(&room[..length - 1]), None);
        }
        assert_eq!(take_varint(&[0xff; 20]), None);
    }
}

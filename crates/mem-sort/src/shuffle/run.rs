//! A run: the records of one spill on disk.
//!
//! A run is one segment for each partition that has records, in the order of the partitions, each a
//! compressed stream of its own. How long they are is in a table on disk too: 12 bytes a segment,
//! partition and stored bytes, both big-endian. So no memory is taken for each partition, of which
//! there can be 2^24, and a spill needs what it declared and no more.

use mem_spill::{
    Buffer, Codec, Encoder, Segment, SpillError, SpillFile, SpillOptions, SpillWriter, Stretch,
};

/// Bytes of a block of a table, the smallest that there are.
pub(crate) const TABLE_BLOCK_BYTES: usize = 1 << 10;

/// How tables are written.
pub(crate) fn table_options() -> SpillOptions {
    SpillOptions::new(Codec::None, TABLE_BLOCK_BYTES).expect("blocks can be that small")
}

/// The records of one spill, on disk (Spark: `SpillInfo`). Dropping it gives its disk space back,
/// together with that of the other runs of its file.
#[derive(Debug, Clone)]
pub(crate) struct ShuffleRun {
    /// The segments, end to end.
    pub(crate) segments: Stretch,
    pub(crate) table: Segment,
}

/// An entry of a table: so many stored bytes are of this partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) partition: u32,
    pub(crate) stored: u64,
}

impl Entry {
    pub(crate) const BYTES: usize = size_of::<u32>() + size_of::<u64>();

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (partition, stored) = bytes.split_at_mut(size_of::<u32>());
        partition.copy_from_slice(&self.partition.to_be_bytes());
        stored.copy_from_slice(&self.stored.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [p0, p1, p2, p3, stored @ ..] = bytes;
        Self {
            partition: u32::from_be_bytes([p0, p1, p2, p3]),
            stored: u64::from_be_bytes(stored),
        }
    }
}

/// Writes a run, partition by partition.
pub(crate) struct RunWriter<'a, B: Buffer> {
    file: &'a mut SpillFile,
    table: SpillWriter<'a, B>,
    start: u64,
}

impl<'a, B: Buffer> RunWriter<'a, B> {
    /// A run at the end of `file`, whose table goes to `table`.
    pub(crate) fn new(file: &'a mut SpillFile, table: SpillWriter<'a, B>) -> Self {
        let start = file.stored_bytes();
        Self { file, table, start }
    }

    /// Writes the records of the next partition.
    pub(crate) fn encode<'r>(
        &mut self,
        partition: u32,
        records: impl Iterator<Item = &'r [u8]>,
        encoder: &mut Encoder<B>,
    ) -> Result<(), SpillError> {
        let mut segment = SpillWriter::new(self.file, encoder);
        for record in records {
            segment.append(record)?;
        }
        let stored = segment.finish()?.stored_bytes();
        self.enter(partition, stored)
    }

    /// Copies what other runs have of the next partition.
    pub(crate) fn copy(
        &mut self,
        partition: u32,
        parts: &[Stretch],
        room: &mut [u8],
    ) -> Result<(), SpillError> {
        let start = self.file.stored_bytes();
        for part in parts {
            part.copy_to(self.file, room, |_| {})?;
        }
        self.enter(partition, self.file.stored_bytes() - start)
    }

    fn enter(&mut self, partition: u32, stored: u64) -> Result<(), SpillError> {
        self.table.append(&Entry { partition, stored }.to_bytes())
    }

    pub(crate) fn finish(self) -> Result<ShuffleRun, SpillError> {
        let table = self.table.finish()?;
        let segments = self.file.stretch(self.start..self.file.stored_bytes());
        Ok(ShuffleRun { segments, table })
    }
}

/// Writes the run of a single record, whose partition is known in the end.
pub(crate) struct SingleWriter<'a, B: Buffer> {
    segment: SpillWriter<'a, B>,
    table: SpillWriter<'a, B>,
}

impl<'a, B: Buffer> SingleWriter<'a, B> {
    pub(crate) fn new(segment: SpillWriter<'a, B>, table: SpillWriter<'a, B>) -> Self {
        Self { segment, table }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), SpillError> {
        self.segment.append(bytes)
    }

    /// Bytes of the record so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.segment.bytes()
    }

    pub(crate) fn finish(mut self, partition: u32) -> Result<ShuffleRun, SpillError> {
        let segment = self.segment.finish()?;
        let stored = segment.stored_bytes();
        self.table.append(&Entry { partition, stored }.to_bytes())?;
        Ok(ShuffleRun {
            segments: segment.stretch(),
            table: self.table.finish()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_big_endian_and_come_back() {
        let entry = Entry {
            partition: 0x0001_0203,
            stored: 0x0405_0607_0809_0a0b,
        };
        let bytes = entry.to_bytes();
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(Entry::from_bytes(bytes), entry);
    }
}

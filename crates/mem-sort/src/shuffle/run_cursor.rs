//! Going through the partitions of several runs at once.

use std::io::Read;

use mem_spill::{Decoders, SpillError, SpillReader, Stretch};

use super::error::ShuffleError;
use super::run::{Entry, ShuffleRun, TABLE_BLOCK_BYTES, table_options};

/// A place in a run: what it has of the partitions from some one on.
struct RunCursor<'m> {
    /// The segments from the next entry's on.
    rest: Stretch,
    table: SpillReader<&'m mut [u8]>,
    next: Option<Entry>,
}

impl<'m> RunCursor<'m> {
    /// A cursor at the run's first partition, with a `block` for its table.
    fn new(
        run: &ShuffleRun,
        decoders: &Decoders<&'m mut [u8]>,
        block: &'m mut [u8],
    ) -> Result<Self, ShuffleError> {
        let mut cursor = Self {
            rest: run.segments.clone(),
            table: SpillReader::new(&run.table, decoders, block)?,
            next: None,
        };
        cursor.advance()?;
        Ok(cursor)
    }

    /// What it has of `partition`, the next in order; nothing if there is nothing.
    fn take(&mut self, partition: u32) -> Result<Option<Stretch>, ShuffleError> {
        let Some(entry) = self.next.filter(|entry| entry.partition == partition) else {
            return Ok(None);
        };
        self.advance()?;
        Ok(Some(self.rest.split_front(entry.stored)))
    }

    fn advance(&mut self) -> Result<(), ShuffleError> {
        let mut bytes = [0; Entry::BYTES];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.table.read(&mut bytes[filled..]).map_err(into_error)? {
                0 => break,
                read => filled += read,
            }
        }
        assert!(
            filled == 0 || filled == bytes.len(),
            "a table was written as whole entries, and all of it was read"
        );
        self.next = (filled > 0).then(|| Entry::from_bytes(bytes));
        Ok(())
    }
}

/// Calls `each` for the partitions 0 to `partitions` - 1, with what each run has of it, in the order
/// of the runs. `blocks` are [`TABLE_BLOCK_BYTES`] for each run.
pub(crate) fn for_each_partition(
    runs: &[ShuffleRun],
    blocks: &mut [u8],
    partitions: u32,
    mut each: impl FnMut(u32, &[Stretch]) -> Result<(), ShuffleError>,
) -> Result<(), ShuffleError> {
    let decoders = Decoders::new(table_options(), Vec::new())?;
    let mut cursors = Vec::with_capacity(runs.len());
    for (run, block) in runs.iter().zip(blocks.chunks_exact_mut(TABLE_BLOCK_BYTES)) {
        cursors.push(RunCursor::new(run, &decoders, block)?);
    }
    assert_eq!(cursors.len(), runs.len(), "there is a block for each run");
    let mut parts = Vec::with_capacity(runs.len());
    for partition in 0..partitions {
        parts.clear();
        for cursor in &mut cursors {
            parts.extend(cursor.take(partition)?);
        }
        each(partition, &parts)?;
    }
    assert!(
        cursors.iter().all(|cursor| cursor.next.is_none()),
        "a table is in the order of its partitions, and has no others"
    );
    Ok(())
}

/// What a reader packed into an error of the standard library.
fn into_error(error: std::io::Error) -> ShuffleError {
    let error = error.downcast::<SpillError>();
    ShuffleError::Spill(error.expect("a reader of spill files has no other errors"))
}

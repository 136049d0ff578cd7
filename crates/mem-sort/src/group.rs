//! Runs that are merged at once, and the memory for that.

use mem_spill::{Decoders, ReadAhead, SpillOptions, SpillReader};
use task_mem::{Failure, Held, MemoryConsumer, MemoryError, NoSpill, Unpaged, Wait};

use crate::code::{DUPLICATE, common_bytes};
use crate::cursor::RunCursor;
use crate::error::SortError;
use crate::loser_tree::{Heads, LoserTree};
use crate::order::Order;
use crate::run::Run;

/// As many runs as this are waited for; more are merged only where memory is free.
const NEEDED: usize = 2;

/// Open runs.
pub(crate) struct Group {
    heads: RunHeads,
    decoders: Decoders<Unpaged>,
    /// The heap that the codec takes for reading.
    _context: Held,
}

struct RunHeads(Vec<RunCursor<Unpaged>>);

impl Heads for RunHeads {
    #[inline]
    fn record(&self, index: usize) -> &[u8] {
        self.0[index].record()
    }
}

impl Group {
    /// Opens as many of `runs`, from the first on, as memory can be had for: two, or all there are,
    /// at least.
    pub(crate) fn open<'a>(
        runs: impl Iterator<Item = &'a Run>,
        order: Order,
        options: SpillOptions,
        memory: &Memory<'_>,
    ) -> Result<Self, SortError> {
        let context = memory.consumer.reserve(
            options.read_context_bytes() as u64,
            &mut NoSpill,
            memory.wait,
        )?;
        let scratch = memory.wait_for(options.scratch_bytes() as u64)?;
        let mut group = Self {
            heads: RunHeads(Vec::new()),
            decoders: Decoders::new(options, vec![scratch])?,
            _context: context,
        };
        for run in runs {
            match group.cursor(run, order, memory)? {
                Some(cursor) => group.heads.0.push(cursor),
                None => break,
            }
        }
        Ok(group)
    }

    /// A cursor for `run`, or nothing if there is no memory and the group is large enough.
    fn cursor(
        &self,
        run: &Run,
        order: Order,
        memory: &Memory<'_>,
    ) -> Result<Option<RunCursor<Unpaged>>, SortError> {
        let buffer = |bytes: u64| {
            // Nobody can say what memory of no bytes would be.
            let bytes = bytes.max(1);
            if self.count() < NEEDED {
                memory.wait_for(bytes).map(Some)
            } else {
                memory.try_for(bytes)
            }
        };
        let block_bytes = run.segment.options().block_bytes() as u64;
        let Some(block) = buffer(block_bytes)? else {
            return Ok(None);
        };
        let record = match buffer(run.longest) {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            Err(source) if run.longest > block_bytes && is_shortage(&source) => {
                return Err(SortError::RecordTooLong {
                    length: run.longest,
                    source,
                });
            }
            Err(error) => return Err(error.into()),
        };
        let reader = SpillReader::new(&run.segment, &self.decoders, block)?;
        Ok(Some(RunCursor::new(run, order, reader, record)))
    }

    /// The number of runs.
    pub(crate) fn count(&self) -> usize {
        self.heads.0.len()
    }

    /// Closes all but the first `count` runs.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.heads.0.truncate(count);
    }

    /// Has blocks read ahead for as many runs as there is memory for.
    pub(crate) fn read_ahead(
        &mut self,
        threads: &ReadAhead,
        memory: &Memory<'_>,
    ) -> Result<(), SortError> {
        let mut cursors = std::mem::take(&mut self.heads.0).into_iter();
        let block_bytes = self.decoders.options().block_bytes() as u64;
        while let Some(second) = memory.try_for(block_bytes)? {
            let Some(cursor) = cursors.next() else {
                break;
            };
            self.heads.0.push(cursor.read_ahead(threads, second)?);
        }
        self.heads.0.extend(cursors);
        Ok(())
    }

    /// Merges the runs. Each record is passed on with a number of bytes that it has in common with
    /// the one before it.
    pub(crate) fn merge(
        self,
        order: Order,
        unique: bool,
        mut emit: impl FnMut(usize, &[u8]) -> Result<(), SortError>,
    ) -> Result<(), SortError> {
        let mut heads = self.heads;
        for cursor in &mut heads.0 {
            cursor.advance()?;
        }
        let codes = heads.0.iter().map(RunCursor::code).collect();
        let mut tree = LoserTree::new(order, codes, &heads);
        while let Some((winner, code)) = tree.winner() {
            let cursor = &mut heads.0[winner];
            if !(unique && code == DUPLICATE) {
                let record = cursor.record();
                emit(common_bytes(code, record.len()), record)?;
            }
            cursor.advance()?;
            let next = cursor.code();
            tree.replay(next, &heads);
        }
        Ok(())
    }
}

/// Where a merge takes its memory from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory<'a> {
    pub(crate) consumer: &'a MemoryConsumer,
    pub(crate) wait: &'a Wait<'a>,
}

impl Memory<'_> {
    /// A buffer that is waited for.
    pub(crate) fn wait_for(&self, bytes: u64) -> Result<Unpaged, MemoryError> {
        let mode = self.consumer.mode();
        self.consumer
            .allocate_unpaged(bytes, mode, &mut NoSpill, self.wait)
    }

    /// A buffer, if it is to be had at once.
    pub(crate) fn try_for(&self, bytes: u64) -> Result<Option<Unpaged>, MemoryError> {
        let mode = self.consumer.mode();
        match self
            .consumer
            .try_allocate_unpaged(bytes, mode, &mut NoSpill)
        {
            Ok(buffer) => Ok(Some(buffer)),
            Err(error) if is_shortage(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether there is too little memory, now or at all.
pub(crate) fn is_shortage(error: &MemoryError) -> bool {
    matches!(
        error.failure(),
        Failure::OutOfMemory { .. } | Failure::TooLargePage { .. } | Failure::Refused(_)
    )
}

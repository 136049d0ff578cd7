//! Runs that are merged at once, and the memory for that.

use mem_spill::{Decoders, ReadAhead, SpillOptions, SpillReader};
use task_mem::{Failure, Held, MemoryConsumer, MemoryError, NoSpill, Unpaged, UnpagedPart, Wait};

use crate::code::{DUPLICATE, EXHAUSTED, code_at, common_bytes};
use crate::copy::SLACK;
use crate::cursor::RunCursor;
use crate::error::SortError;
use crate::loser_tree::{Heads, LoserTree};
use crate::order::Order;
use crate::run::Run;

/// As many runs as this are waited for; more are merged only where memory is free.
const NEEDED: usize = 2;

/// Blocks of so many bytes, beside which it does not matter what a record's buffer has too much.
const STAGGERED_FROM: u64 = 16 << 10;
/// Bytes from one place for a record to the next, and how many places there are: less than a page of
/// memory.
const STEP_BYTES: usize = 448;
const STEPS: usize = 8;
/// Bytes of a line of the processor's cache.
const LINE: u64 = 64;

/// Why memory that was cut has one more.
const A_PART: &str = "there is a part for each length";

/// What of each run a group merges: the records from `first` on, and before `end`; both in order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Range<'a> {
    pub(crate) first: Option<&'a [u8]>,
    pub(crate) end: Option<&'a [u8]>,
}

/// Open runs.
pub(crate) struct Group {
    heads: RunHeads,
    order: Order,
    /// Where the records begin, unless with the first.
    first: Option<Box<[u8]>>,
    /// The records, and bytes of them, that are known to come before.
    before: (u64, u64),
    /// Whether disk space is given back once the first records are there.
    releases: bool,
    decoders: Decoders<UnpagedPart>,
    /// The heap that the codec takes for reading.
    _context: Held,
}

/// The runs, behind the bound that their records come before. That is a sequence like the runs, the
/// first of all: when it wins, the merge is over, and no record has to be compared with it.
struct RunHeads {
    end: Option<Box<[u8]>>,
    cursors: Vec<RunCursor<UnpagedPart>>,
}

impl Heads for RunHeads {
    #[inline]
    fn record(&self, index: usize) -> &[u8] {
        match index.checked_sub(1) {
            Some(cursor) => self.cursors[cursor].record(),
            None => self.end.as_deref().unwrap_or_default(),
        }
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
        let mut group = Self::empty(order, Range::default(), options, (context, scratch))?;
        for run in runs {
            let lens = group.lens_alone(run);
            let bytes = sum(&lens);
            let room = match group.count() < NEEDED {
                true => memory.wait_for(bytes).map(Some),
                false => memory.try_for(bytes),
            };
            let room = room.map_err(|error| too_long(run, error))?;
            let Some(room) = room else {
                break;
            };
            let mut parts = room.into_parts(lens).into_iter();
            let block = parts.next().expect(A_PART);
            group.add(run, block, parts.next_back().expect(A_PART))?;
        }
        Ok(group)
    }

    /// Opens a range of all `runs`; nothing where there is not enough memory at once.
    pub(crate) fn try_open(
        runs: &[Run],
        order: Order,
        range: Range<'_>,
        options: SpillOptions,
        memory: &Memory<'_>,
    ) -> Result<Option<Self>, SortError> {
        let context = memory
            .consumer
            .try_reserve(options.read_context_bytes() as u64, &mut NoSpill);
        let context = match context {
            Ok(context) => context,
            Err(error) if is_shortage(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(scratch) = memory.try_for(options.scratch_bytes() as u64)? else {
            return Ok(None);
        };
        let mut group = Self::empty(order, range, options, (context, scratch))?;
        let lens = runs.iter().flat_map(lens_together);
        let lens: Vec<u64> = lens.collect();
        let Some(room) = memory.try_for(sum(&lens))? else {
            return Ok(None);
        };
        let mut parts = room.into_parts(lens).into_iter();
        for run in runs {
            let block = parts.next().expect(A_PART);
            group.add(run, block, parts.next().expect(A_PART))?;
        }
        Ok(Some(group))
    }

    fn empty(
        order: Order,
        range: Range<'_>,
        options: SpillOptions,
        (context, scratch): (Held, Unpaged),
    ) -> Result<Self, SortError> {
        Ok(Self {
            heads: RunHeads {
                end: range.end.map(Into::into),
                cursors: Vec::new(),
            },
            order,
            first: range.first.map(Into::into),
            before: (0, 0),
            releases: false,
            decoders: Decoders::new(options, vec![scratch.into()])?,
            _context: context,
        })
    }

    /// Opens a run too.
    fn add(&mut self, run: &Run, block: UnpagedPart, record: UnpagedPart) -> Result<(), SortError> {
        let order = self.order;
        let first = self.first.as_deref();
        let mark = first.and_then(|first| run.marks.last_before(order, first));
        let cursor = match mark {
            Some(mark) => {
                // Sums over runs, of records and bytes that files have room for.
                self.before.0 += mark.records;
                self.before.1 += mark.record_bytes;
                let rest = run.segment.rest(mark.place);
                let reader = SpillReader::new(&rest, &self.decoders, block)?;
                RunCursor::at_mark(run, mark, order, reader, record)
            }
            None => {
                let reader = SpillReader::new(&run.segment, &self.decoders, block)?;
                RunCursor::new(run, order, reader, record)
            }
        };
        let shared_from = self.shared_from(run);
        self.heads.cursors.push(cursor.shared_from(shared_from));
        Ok(())
    }

    /// Where in its file `run` is read by whoever merges what comes after the range.
    fn shared_from(&self, run: &Run) -> u64 {
        let Some(end) = &self.heads.end else {
            return u64::MAX;
        };
        let shared = run.marks.last_before(self.order, end);
        match shared {
            Some(mark) => run.segment.rest(mark.place).offset(),
            None => run.segment.offset(),
        }
    }

    /// Bytes of a block of the next run and of the buffer for its records, in memory of their own, and of
    /// what is left free between them.
    ///
    /// Such memory begins where pages of memory do. Were all records at one place from there, the few
    /// places that a cache has for such addresses would be all that it had for them.
    fn lens_alone(&self, run: &Run) -> [u64; 3] {
        let block = block_bytes(run);
        let free = match block {
            ..STAGGERED_FROM => 0,
            _ => self.count() % STEPS * STEP_BYTES,
        };
        [block, free as u64, run.longest.saturating_add(SLACK)]
    }

    /// The number of runs.
    pub(crate) fn count(&self) -> usize {
        self.heads.cursors.len()
    }

    /// Closes all but the first `count` runs.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.heads.cursors.truncate(count);
    }

    /// Has blocks read ahead for as many runs as there is memory for.
    pub(crate) fn read_ahead(
        &mut self,
        threads: &ReadAhead,
        memory: &Memory<'_>,
    ) -> Result<(), SortError> {
        let mut cursors = std::mem::take(&mut self.heads.cursors).into_iter();
        let block_bytes = self.decoders.options().block_bytes() as u64;
        while let Some(second) = memory.try_for(block_bytes)? {
            let Some(cursor) = cursors.next() else {
                break;
            };
            let cursor = cursor.read_ahead(threads, second.into())?;
            self.heads.cursors.push(cursor);
        }
        self.heads.cursors.extend(cursors);
        Ok(())
    }

    /// Goes to the first record of each run that is in the range. Gives how many records there are
    /// before those, and how many bytes they have.
    pub(crate) fn begin(&mut self) -> Result<(u64, u64), SortError> {
        for cursor in &mut self.heads.cursors {
            if cursor.is_fresh() {
                cursor.advance()?;
            }
            while let Some(first) = &self.first
                && cursor.code() != EXHAUSTED
                && self.order.compare(cursor.record(), first).is_lt()
            {
                self.before.0 += 1;
                self.before.1 += cursor.record().len() as u64;
                cursor.advance()?;
            }
        }
        // What comes before is known; a second time there is nothing to skip.
        self.first = None;
        if std::mem::take(&mut self.releases) {
            self.release_read();
        }
        Ok(self.before)
    }

    /// Gives disk space back as it is read, before read-ahead is asked for; nobody merges these runs
    /// again. What comes before the range is read by others too, so that begins with the range.
    pub(crate) fn release_read(&mut self) {
        if self.first.is_some() {
            self.releases = true;
            return;
        }
        for cursor in &mut self.heads.cursors {
            cursor.release_read();
        }
    }

    /// Merges the runs. Each record is passed on with a number of bytes that it has in common with
    /// the one before it.
    pub(crate) fn merge(
        mut self,
        unique: bool,
        mut emit: impl FnMut(usize, &[u8]) -> Result<(), SortError>,
    ) -> Result<(), SortError> {
        self.begin()?;
        let Self {
            mut heads, order, ..
        } = self;
        let end = heads.end.as_deref();
        let end = end.map_or(EXHAUSTED, |end| code_at(order, end, 0));
        let cursors = heads.cursors.iter().map(RunCursor::first_code);
        let codes: Vec<_> = [end].into_iter().chain(cursors).collect();
        let mut tree = LoserTree::new(order, &codes, &heads);
        while let Some((winner, code)) = tree.winner()
            && let Some(winner) = winner.checked_sub(1)
        {
            let cursor = &mut heads.cursors[winner];
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

/// What a lack of memory means where `run` was to be opened.
fn too_long(run: &Run, source: MemoryError) -> SortError {
    if run.longest > block_bytes(run) && is_shortage(&source) {
        let length = run.longest;
        return SortError::RecordTooLong { length, source };
    }
    source.into()
}

/// Bytes of a block of a run and of the buffer for its records, in memory that all runs have together,
/// one behind the other. An odd number of lines for records has the runs begin at all places of a page
/// of memory alike, and not at few, for which a cache would have few places.
fn lens_together(run: &Run) -> [u64; 2] {
    let lines = run.longest.saturating_add(SLACK).div_ceil(LINE) | 1;
    [block_bytes(run), lines.saturating_mul(LINE)]
}

fn block_bytes(run: &Run) -> u64 {
    run.segment.options().block_bytes() as u64
}

/// More than there is, where it has too many digits.
fn sum(lens: &[u64]) -> u64 {
    lens.iter().fold(0, |sum, len| sum.saturating_add(*len))
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
        // Nobody can say what memory of no bytes would be.
        let bytes = bytes.max(1);
        let mode = self.consumer.mode();
        self.consumer
            .allocate_unpaged(bytes, mode, &mut NoSpill, self.wait)
    }

    /// A buffer, if it is to be had at once.
    pub(crate) fn try_for(&self, bytes: u64) -> Result<Option<Unpaged>, MemoryError> {
        let bytes = bytes.max(1);
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

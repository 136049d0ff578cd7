//! Marks in a run: places to begin reading it at, and the records that are there.
//!
//! A run is front-coded, so it can be read from a place in the middle only if it is known what the
//! record there has in common with the one before. A mark remembers that. Marks also are a sample of
//! the run: where to divide several runs alike is chosen among them.

use mem_spill::BlockPlace;

use crate::order::Order;

/// The most bytes that a marked record may have in common with the one before it.
const COMMON_MAX: usize = 56;
/// Bytes of a marked record that are kept beyond those.
const BEYOND: usize = 8;

/// What a mark takes, in bytes; few have the longest start.
pub(crate) const MARK_BYTES: usize = size_of::<Mark>() + COMMON_MAX / 2 + BEYOND;

/// What merging a record takes, as the time that copying so many bytes of it takes.
const RECORD_WORK: u64 = 200;

/// A place in a run.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// Where the record is.
    pub(crate) place: BlockPlace,
    /// The records before it in the run.
    pub(crate) records: u64,
    /// Their bytes.
    pub(crate) record_bytes: u64,
    /// The record's first bytes: those that it has in common with the one before it, and more.
    pub(crate) start: Box<[u8]>,
}

/// The marks of a run: the first is at its beginning, the others lie about equally far apart.
#[derive(Debug, Clone)]
pub(crate) struct Marks {
    marks: Vec<Mark>,
    /// As many as there can be; 0 is none, else 2 or more.
    most: usize,
    /// Blocks from one to the next.
    spacing: u64,
    /// The block from which on the next may be.
    next: u64,
}

impl Marks {
    /// No marks yet, and `most` at any time.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            marks: Vec::new(),
            most,
            spacing: 1,
            next: if most < 2 { u64::MAX } else { 0 },
        }
    }

    /// Whether a record in block `block`, with that many bytes in common with the one before it, is
    /// to be marked.
    #[inline]
    pub(crate) fn is_due(&self, block: u64, common: usize) -> bool {
        block >= self.next && common <= COMMON_MAX
    }

    /// Marks `record`, if it [is due](Self::is_due).
    #[cold]
    pub(crate) fn add(
        &mut self,
        place: BlockPlace,
        (records, record_bytes): (u64, u64),
        (common, record): (usize, &[u8]),
    ) {
        if self.marks.len() == self.most {
            let mut index = 0;
            self.marks.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.spacing = self.spacing.saturating_mul(2);
        }
        self.next = place.block().saturating_add(self.spacing);
        self.marks.push(Mark {
            place,
            records,
            record_bytes,
            start: record[..record.len().min(common + BEYOND)].into(),
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The last mark at a record that comes before `bound` for sure.
    pub(crate) fn last_before(&self, order: Order, bound: &[u8]) -> Option<&Mark> {
        // Of a record that begins as the bound does, the rest is not known.
        let is_before = |mark: &&Mark| {
            order.compare(&mark.start, bound).is_lt() && !bound.starts_with(&mark.start)
        };
        self.marks.iter().rev().find(is_before)
    }
}

/// Divides the work of merging several runs, of which the records and their bytes are given, into
/// about `parts` equal parts: the bounds between them, in order. A part begins with its bound and ends before the next.
pub(crate) fn bounds<'a>(
    order: Order,
    parts: usize,
    runs: impl Iterator<Item = (&'a Marks, (u64, u64))>,
) -> Vec<Box<[u8]>> {
    let mut samples: Vec<(&[u8], u64)> = Vec::new();
    for (marks, all) in runs {
        let marks = &marks.marks;
        let work = |(records, bytes): (u64, u64)| records.saturating_mul(RECORD_WORK) + bytes;
        let before = |mark: &Mark| work((mark.records, mark.record_bytes));
        let ends = marks.iter().skip(1).map(before).chain([work(all)]);
        for (mark, end) in marks.iter().zip(ends) {
            samples.push((&mark.start, end.saturating_sub(before(mark))));
        }
    }
    samples.sort_by(|(a, _), (b, _)| order.compare(a, b));
    let whole: u64 = samples.iter().map(|(_, work)| work).sum();
    let mut bounds: Vec<Box<[u8]>> = Vec::new();
    let mut before = 0_u64;
    for (start, work) in samples {
        let wanted = bounds.len() as u64 + 1;
        let due = u128::from(before) * parts as u128 >= u128::from(whole) * u128::from(wanted);
        let is_new = bounds.last().is_none_or(|last| **last != *start);
        if wanted < parts as u64 && due && before > 0 && is_new {
            bounds.push(start.into());
        }
        before += work;
    }
    bounds
}

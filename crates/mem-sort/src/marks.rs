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
const RECORD_WORK: u64 = 50;

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

#[cfg(test)]
mod tests {
    use mem_spill::testing::FaultyFiles;
    use mem_spill::{Codec, Encoder, SpillDirs, SpillOptions, SpillWriter};

    use super::*;

    /// Marks at the records `from..to`, of four digits and a tail, each at the end of a block.
    fn marks(most: usize, numbers: std::ops::Range<u64>) -> Marks {
        let dirs = SpillDirs::with_provider(vec!["a".into()], FaultyFiles::default()).unwrap();
        let options = SpillOptions::new(Codec::None, 1 << 10).unwrap();
        let mut encoder = Encoder::new(options, vec![0; options.write_buffer_bytes()]).unwrap();
        let mut file = dirs.create().unwrap();
        let mut writer = SpillWriter::new(&mut file, &mut encoder);
        let mut marks = Marks::new(most);
        for number in numbers.clone() {
            let record = format!("{number:04} and more that is not kept");
            if marks.is_due(writer.blocks(), 2) {
                let before = number - numbers.start;
                let place = writer.place();
                marks.add(place, (before, 10 * before), (2, record.as_bytes()));
            }
            writer.append(&[0; 1000]).unwrap();
        }
        marks
    }

    #[test]
    fn there_are_never_more_than_allowed_and_they_lie_equally_far_apart() {
        for most in [2, 3, 8, 16] {
            let marks = marks(most, 0..100);
            assert!((most / 2..=most).contains(&marks.marks.len()));
            let records: Vec<_> = marks.marks.iter().map(|mark| mark.records).collect();
            assert_eq!(records[0], 0);
            let spacing: Vec<_> = records.windows(2).map(|two| two[1] - two[0]).collect();
            assert!(
                spacing.iter().all(|each| each.abs_diff(spacing[0]) <= 5),
                "{records:?}"
            );
        }
        assert!(marks(0, 0..100).is_empty() && marks(1, 0..100).is_empty());
    }

    #[test]
    fn a_record_of_which_not_enough_is_kept_comes_not_before_the_bound_for_sure() {
        let marks = marks(16, 0..10);
        let before = |order, bound: &[u8]| marks.last_before(order, bound).map(|mark| mark.records);
        assert_eq!(before(Order::Ascending, b"0004 and zzz"), Some(4));
        assert_eq!(before(Order::Ascending, b"0004 and more"), Some(3));
        assert_eq!(before(Order::Ascending, b"0000"), None);
        assert_eq!(before(Order::Ascending, b"z"), Some(9));
        assert_eq!(before(Order::Descending, b"z"), None);
    }

    #[test]
    fn bounds_divide_the_work_of_several_runs() {
        let (low, high) = (marks(16, 0..10), marks(16, 10..20));
        let runs = || [(&low, (10, 100)), (&high, (10, 100))].into_iter();
        let of = |parts| bounds(Order::Ascending, parts, runs());
        assert_eq!(of(1).len(), 0);
        let halves = of(2);
        assert_eq!(halves.len(), 1);
        assert!(halves[0].starts_with(b"0010"));
        assert_eq!(of(4).len(), 3);
        assert!(of(100).len() < 20);
        assert!(bounds(Order::Descending, 3, [].into_iter()).is_empty());
    }
}

//! A page of records, sorted on its own.
//!
//! Records fill the page from the front, their entries from the back, until the two meet. So a page
//! is all that a record needs, and a full page is sorted while it is in the processor's cache:
//! records and entries both.

use crate::code::{DUPLICATE, EXHAUSTED, code_after, code_at};
use crate::entry::{ENTRY_BYTES, Entry, entry, record_of, sort_entries};
use crate::order::{Order, common_prefix};
use std::fmt;

/// How many records ahead a record is brought into the cache.
const AHEAD: usize = 12;

/// The bytes of a page that 32 bits can name.
const PLACES: usize = u32::MAX as usize;

/// A page of records in memory `B`, which starts at a multiple of 8 bytes.
pub(crate) struct RecordPage<B> {
    memory: B,
    /// Where the records end.
    records_end: usize,
    /// Where the entries begin; they end with the last whole entry's worth of the page.
    entries_start: usize,
    entries_end: usize,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> RecordPage<B> {
    /// An empty page.
    pub(crate) fn new(memory: B) -> Self {
        let usable = memory.as_ref().len().min(PLACES);
        let end = usable - usable % ENTRY_BYTES;
        Self {
            memory,
            records_end: 0,
            entries_start: end,
            entries_end: end,
        }
    }

    /// The page without its records.
    pub(crate) fn emptied(self) -> Self {
        Self::new(self.memory)
    }

    /// Bytes of the page that a record of `length` bytes needs if it is alone in it; none if it is
    /// too long for any.
    pub(crate) fn bytes_for(length: usize) -> Option<u64> {
        let whole = length.checked_next_multiple_of(ENTRY_BYTES)?;
        let needed = whole.checked_add(ENTRY_BYTES)?;
        (needed <= PLACES).then_some(needed as u64)
    }

    /// Copies a record into the page, and says whether it fitted.
    #[inline]
    pub(crate) fn push(&mut self, record: &[u8]) -> bool {
        let Some(rest) = (self.entries_start - self.records_end).checked_sub(ENTRY_BYTES) else {
            return false;
        };
        if record.len() > rest {
            return false;
        }
        let start = u32::try_from(self.records_end).expect("a page is shorter than 4 GiB");
        let bytes = self.memory.as_mut();
        let end = self.records_end + record.len();
        bytes[self.records_end..end].copy_from_slice(record);
        self.records_end = end;
        self.entries_start -= ENTRY_BYTES;
        let room = &mut bytes[self.entries_start..self.entries_start + ENTRY_BYTES];
        room.copy_from_slice(bytemuck::bytes_of(&entry(record, start)));
        true
    }

    /// Sorts the records; they have no codes then.
    pub(crate) fn sort(&mut self, order: Order) {
        let (records, entries) = self.split();
        sort_entries(entries, records);
        if order == Order::Descending {
            entries.reverse();
        }
    }

    /// Gives each of the sorted records its code relative to the one before it, and leaves
    /// repetitions out if they are to be `unique`.
    pub(crate) fn set_codes(&mut self, order: Order, unique: bool) {
        let (records, entries) = self.split();
        set_codes(entries, records, order);
        if unique {
            self.entries_start += keep_first_ones(entries) * ENTRY_BYTES;
        }
    }

    fn split(&mut self) -> (&[u8], &mut [Entry]) {
        let bytes = &mut self.memory.as_mut()[..self.entries_end];
        let (records, entries) = bytes.split_at_mut(self.entries_start);
        (records, bytemuck::cast_slice_mut(entries))
    }

    /// Passes the sorted records on in order, whether they have codes or not; each with the number of
    /// bytes that it has in common with the one before it. Repetitions are left out if they are to be
    /// `unique`.
    pub(crate) fn for_each<E>(
        &self,
        unique: bool,
        mut emit: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let PageCursor { records, entries } = self.cursor();
        let mut before: Option<&[u8]> = None;
        let mut touched = 0;
        for (index, entry) in entries.iter().enumerate() {
            // A record further on is looked at, so that it is in the cache when its turn comes.
            if let Some(later) = entries.get(index + AHEAD) {
                touched ^= record_of(later, records).first().copied().unwrap_or(0);
            }
            let record = record_of(entry, records);
            let common = before.map_or(0, |before| common_prefix(before, record));
            let repeats = before.is_some_and(|before| common == before.len().max(record.len()));
            before = Some(record);
            if !(unique && repeats) {
                emit(common, record)?;
            }
        }
        std::hint::black_box(touched);
        Ok(())
    }

    /// The records of a sorted page.
    pub(crate) fn cursor(&self) -> PageCursor<'_> {
        let (records, entries) =
            self.memory.as_ref()[..self.entries_end].split_at(self.entries_start);
        PageCursor {
            records,
            entries: bytemuck::cast_slice(entries),
        }
    }
}

impl<B> RecordPage<B> {
    /// The memory that it is in.
    pub(crate) fn memory(&self) -> &B {
        &self.memory
    }
}

impl<B> fmt::Debug for RecordPage<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordPage")
            .field("records_end", &self.records_end)
            .field("entries_start", &self.entries_start)
            .finish_non_exhaustive()
    }
}

fn set_codes(entries: &mut [Entry], records: &[u8], order: Order) {
    let mut before: Option<&[u8]> = None;
    for entry in entries {
        let record = record_of(entry, records);
        entry[0] = match before {
            Some(before) => code_after(order, before, record, 0).0,
            None => code_at(order, record, 0),
        };
        before = Some(record);
    }
}

/// Moves all entries but repetitions to the end, and says how many are left out at the front.
fn keep_first_ones(entries: &mut [Entry]) -> usize {
    let mut front = entries.len();
    for at in (0..entries.len()).rev() {
        if entries[at][0] != DUPLICATE {
            front -= 1;
            entries[front] = entries[at];
        }
    }
    front
}

/// A place in a sorted page.
#[derive(Debug, Clone)]
pub(crate) struct PageCursor<'a> {
    records: &'a [u8],
    /// The entries from the current record's on.
    entries: &'a [Entry],
}

impl<'a> PageCursor<'a> {
    /// The current record's code, relative to the one before it in the page.
    pub(crate) fn code(&self) -> u64 {
        self.entries.first().map_or(EXHAUSTED, |entry| entry[0])
    }

    /// The current record; nothing at the end.
    pub(crate) fn record(&self) -> &'a [u8] {
        self.entries
            .first()
            .map_or(&[], |entry| record_of(entry, self.records))
    }

    /// Goes on to the next record.
    pub(crate) fn advance(&mut self) {
        self.entries = self.entries.get(1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory that starts at a multiple of 8.
    struct Words(Vec<u64>, usize);

    impl AsRef<[u8]> for Words {
        fn as_ref(&self) -> &[u8] {
            &bytemuck::cast_slice(&self.0)[..self.1]
        }
    }

    impl AsMut<[u8]> for Words {
        fn as_mut(&mut self) -> &mut [u8] {
            &mut bytemuck::cast_slice_mut(&mut self.0)[..self.1]
        }
    }

    fn page(bytes: usize) -> RecordPage<Words> {
        RecordPage::new(Words(vec![0; bytes.div_ceil(8)], bytes))
    }

    fn contents(page: &RecordPage<Words>) -> Vec<Vec<u8>> {
        let mut cursor = page.cursor();
        let mut records = Vec::new();
        while cursor.code() != EXHAUSTED {
            records.push(cursor.record().to_vec());
            cursor.advance();
        }
        records
    }

    #[test]
    fn a_page_takes_what_fits_and_no_more() {
        for bytes in [0, 7, 15, 16, 31, 32, 33, 47, 63, 64] {
            for length in 0..70 {
                let needed = RecordPage::<Words>::bytes_for(length).unwrap();
                let mut page = page(bytes);
                assert_eq!(
                    page.push(&vec![1; length]),
                    needed <= bytes as u64,
                    "{length} in {bytes}"
                );
            }
        }
        let mut page = page(160);
        assert_eq!((0..).take_while(|_| page.push(b"four")).count(), 8);
        assert!(!page.push(b""));
    }

    #[test]
    fn sorted_both_ways_with_and_without_repetitions() {
        for (order, unique) in [
            (Order::Ascending, false),
            (Order::Ascending, true),
            (Order::Descending, false),
            (Order::Descending, true),
        ] {
            let mut page = page(1 << 14);
            let mut expected: Vec<Vec<u8>> = Vec::new();
            for n in 0..200_u32 {
                let record = b"b\0aab\0ba\0bbb"[n as usize * 7 % 9..][..n as usize % 4].to_vec();
                assert!(page.push(&record));
                expected.push(record);
            }
            expected.sort_by(|a, b| order.compare(a, b));
            if unique {
                expected.dedup();
            }
            page.sort(order);
            let mut passed: Vec<Vec<u8>> = Vec::new();
            let same = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
            let emit = |common, record: &[u8]| {
                let expected = passed.last().map_or(0, |before| same(before, record));
                assert_eq!(common, expected);
                passed.push(record.to_vec());
                Ok::<(), ()>(())
            };
            page.for_each(unique, emit).unwrap();
            assert_eq!(passed, expected, "{order:?} {unique}");
            page.set_codes(order, unique);
            assert_eq!(contents(&page), expected, "{order:?} {unique}");
        }
    }

    #[test]
    fn an_empty_page_sorts_to_nothing() {
        let mut page = page(0);
        page.sort(Order::Descending);
        page.set_codes(Order::Descending, true);
        assert!(contents(&page).is_empty());
    }
}

//! The task's page table: which page numbers are taken, and what is known of each page.

use mem_block::{MemoryBlock, MemoryLocation, PAGE_TABLE_SIZE};

use crate::charge::Account;
use crate::consumer::ConsumerId;

const WORD_BITS: usize = 64;
const WORDS: usize = PAGE_TABLE_SIZE / WORD_BITS;

/// What the table knows of a page.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) owner: ConsumerId,
    pub(crate) account: Account,
    pub(crate) bytes: u64,
    pub(crate) location: MemoryLocation,
    /// The block, where no guard has it.
    pub(crate) left: Option<MemoryBlock>,
}

/// Page numbers and their pages. A number is taken first and gets its page when there is one; both go
/// together, in one step under the task's lock.
#[derive(Debug)]
pub(crate) struct PageTable {
    taken: [u64; WORDS],
    /// As long as the highest number that was ever taken.
    entries: Vec<Option<Entry>>,
}

impl Default for PageTable {
    fn default() -> Self {
        Self {
            taken: [0; WORDS],
            entries: Vec::new(),
        }
    }
}

impl PageTable {
    /// Takes the lowest free number; none where all are taken.
    pub(crate) fn take_number(&mut self) -> Option<u16> {
        let word = self.taken.iter().position(|word| *word != u64::MAX)?;
        let bit = self.taken[word].trailing_ones();
        self.taken[word] |= 1 << bit;
        let number = word
            .checked_mul(WORD_BITS)?
            .checked_add(usize::try_from(bit).ok()?)?;
        if self.entries.len() <= number {
            self.entries.resize_with(number.saturating_add(1), || None);
        }
        u16::try_from(number).ok()
    }

    /// Sets the page of a number that was taken.
    pub(crate) fn set(&mut self, number: u16, entry: Entry) {
        self.entries[usize::from(number)] = Some(entry);
    }

    /// Frees a number with its page.
    pub(crate) fn free(&mut self, number: u16) -> Option<Entry> {
        let index = usize::from(number);
        if let Some(word) = self.taken.get_mut(index / WORD_BITS) {
            *word &= !(1 << (index % WORD_BITS));
        }
        self.entries.get_mut(index).and_then(Option::take)
    }

    pub(crate) fn get(&self, number: u16) -> Option<&Entry> {
        self.entries
            .get(usize::from(number))
            .and_then(Option::as_ref)
    }

    pub(crate) fn get_mut(&mut self, number: u16) -> Option<&mut Entry> {
        self.entries
            .get_mut(usize::from(number))
            .and_then(Option::as_mut)
    }

    /// The pages there are.
    pub(crate) fn pages(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_lowest_free_first() {
        let mut table = PageTable::default();
        let numbers: Vec<_> = (0..130).map(|_| table.take_number()).collect();
        assert_eq!(numbers, (0..130).map(Some).collect::<Vec<_>>());
        for number in [128, 63, 5] {
            assert!(table.free(number).is_none());
        }
        let again: Vec<_> = (0..4).map(|_| table.take_number()).collect();
        assert_eq!(again, [Some(5), Some(63), Some(128), Some(130)]);
    }

    #[test]
    fn the_8193rd_number_is_not_there() {
        let mut table = PageTable::default();
        let last = (0..PAGE_TABLE_SIZE).map(|_| table.take_number()).last();
        assert_eq!(last, Some(Some(8191)));
        assert_eq!(table.take_number(), None);
        table.free(8000);
        assert_eq!(table.take_number(), Some(8000));
    }

    #[test]
    fn a_number_that_was_never_taken_has_no_page() {
        let mut table = PageTable::default();
        assert!(table.free(u16::MAX).is_none());
        assert!(table.get(7).is_none());
    }
}

//! The pointers to the records in memory, sorted by partition.

use std::ops::Range;

use mem_block::PackedRecordPointer;
use task_mem::Page;

use crate::radix::sort_words;

/// The bits of a pointer that are the partition.
const PARTITION_BITS: Range<u32> = PackedRecordPointer::PARTITION_SHIFT..u64::BITS;

/// An array of [`PackedRecordPointer`]s in the task's memory (Spark: `ShuffleInMemorySorter`).
///
/// A part of the array is left free: by radix, half of it is the scratch that sorting needs. By
/// comparison, Spark's TimSort needs half as many words as there are pointers; sorting in place as
/// here needs none, but arrays grow at the same records as Spark's.
///
/// The first array stays when a larger one takes over, and a reset finds it again. Spark frees it and
/// allocates another within the spill, where here nothing can be asked for.
#[derive(Debug)]
pub(crate) struct ShuffleInMemorySorter {
    first: Page,
    larger: Option<Page>,
    count: usize,
    use_radix: bool,
}

impl ShuffleInMemorySorter {
    /// No pointers yet, in `first`.
    pub(crate) fn new(first: Page, use_radix: bool) -> Self {
        Self {
            first,
            larger: None,
            count: 0,
            use_radix,
        }
    }

    /// Pointers in it.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Words of the array in use.
    pub(crate) fn words(&self) -> usize {
        self.array().as_words().len()
    }

    /// Bytes of all arrays (Spark: `getMemoryUsage`).
    pub(crate) fn bytes(&self) -> u64 {
        let larger = self.larger.as_ref().map_or(0, Page::bytes);
        self.first.bytes().saturating_add(larger)
    }

    /// Pointers that the array in use can hold (Spark: `getUsableCapacity`).
    fn usable(&self) -> usize {
        let words = self.words();
        match self.use_radix {
            true => words / 2,
            // A page is shorter than 2^34 bytes.
            false => words * 2 / 3,
        }
    }

    pub(crate) fn has_space_for_another_record(&self) -> bool {
        self.count < self.usable()
    }

    /// Adds a pointer.
    ///
    /// # Panics
    ///
    /// If there is no space, as Spark does.
    pub(crate) fn insert(&mut self, pointer: PackedRecordPointer) {
        assert!(
            self.has_space_for_another_record(),
            "there is no space for a new record"
        );
        let at = self.count;
        self.array_mut().as_mut_words()[at] = pointer.to_raw();
        self.count = at + 1;
    }

    /// Goes on in `larger`, which has more words (Spark: `expandPointerArray`).
    pub(crate) fn expand(&mut self, mut larger: Page) {
        let used = &self.array().as_words()[..self.count];
        larger.as_mut_words()[..used.len()].copy_from_slice(used);
        self.larger = Some(larger);
    }

    /// Forgets the pointers, and goes back to the first array.
    pub(crate) fn reset(&mut self) {
        self.count = 0;
        self.larger = None;
    }

    /// The pointers in the order of their partitions. Nothing is lost by it: they can be sorted again.
    pub(crate) fn sorted(&mut self) -> &[u64] {
        let (count, use_radix) = (self.count, self.use_radix);
        let (pointers, rest) = self.array_mut().as_mut_words().split_at_mut(count);
        if !use_radix {
            pointers.sort_unstable();
            return pointers;
        }
        sort_words(pointers, rest, PARTITION_BITS, 1);
        pointers
    }

    fn array(&self) -> &Page {
        self.larger.as_ref().unwrap_or(&self.first)
    }

    fn array_mut(&mut self) -> &mut Page {
        self.larger.as_mut().unwrap_or(&mut self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::testing::{Task, random};
    use mem_block::PageAddress;
    use task_mem::{MemoryConsumer, NoSpill, Wait};

    fn array(consumer: &MemoryConsumer, words: u64) -> Page {
        let wait = Wait::default();
        consumer.allocate_array(words, &mut NoSpill, &wait).unwrap()
    }

    fn insert(sorter: &mut ShuffleInMemorySorter, consumer: &MemoryConsumer, partition: u32) {
        if !sorter.has_space_for_another_record() {
            let larger = array(consumer, sorter.words() as u64 * 2);
            sorter.expand(larger);
        }
        let place = PageAddress::new(7, sorter.len() as u64).unwrap();
        sorter.insert(PackedRecordPointer::pack(place, partition).unwrap());
    }

    #[test]
    fn in_memory_sorter_empty() {
        let consumer = Task::new("1m").consumer();
        for use_radix in [false, true] {
            let mut sorter = ShuffleInMemorySorter::new(array(&consumer, 100), use_radix);
            assert!(sorter.is_empty());
            assert!(sorter.sorted().is_empty());
        }
    }

    #[test]
    fn in_memory_sorter_nine_strings_in_four_partitions_from_four_words_on() {
        let words = [
            "Hello", "World", "We", "are", "all", "one", "nation", "under", "Tungsten",
        ];
        let consumer = Task::new("1m").consumer();
        for use_radix in [false, true] {
            let mut sorter = ShuffleInMemorySorter::new(array(&consumer, 4), use_radix);
            let mut partitions = words.map(|word| crate::partition_of(word.as_bytes(), 4));
            for partition in partitions {
                insert(&mut sorter, &consumer, partition);
            }
            let sorted: Vec<_> = sorter.sorted().iter().map(|raw| unpack(*raw)).collect();
            assert!(sorted.is_sorted_by_key(|(partition, _)| *partition));
            for (partition, index) in &sorted {
                assert_eq!(partitions[*index], *partition, "the string found");
            }
            partitions.sort_unstable();
            assert!(
                sorted
                    .iter()
                    .map(|(partition, _)| *partition)
                    .eq(partitions)
            );
        }
    }

    fn unpack(raw: u64) -> (u32, usize) {
        let pointer = PackedRecordPointer::from_raw(raw);
        let index = usize::try_from(pointer.address().offset()).unwrap();
        (pointer.partition(), index)
    }

    #[test]
    fn in_memory_sorter_128000_random_partitions() {
        let consumer = Task::new("16m").consumer();
        for use_radix in [false, true] {
            let mut sorter = ShuffleInMemorySorter::new(array(&consumer, 4096), use_radix);
            let mut random = random(42);
            let mut expected: Vec<u32> = Vec::new();
            for _ in 0..128_000 {
                let partition = u32::try_from(random() >> 40).unwrap();
                insert(&mut sorter, &consumer, partition);
                expected.push(partition);
            }
            expected.sort_unstable();
            let sorted = sorter.sorted().iter().map(|raw| unpack(*raw).0);
            assert!(sorted.eq(expected), "radix {use_radix}");
        }
    }

    #[test]
    fn in_memory_sorter_arrays_hold_as_many_as_sparks() {
        let consumer = Task::new("1m").consumer();
        for (use_radix, usable) in [(true, 2048), (false, 2730)] {
            let sorter = ShuffleInMemorySorter::new(array(&consumer, 4096), use_radix);
            assert_eq!(sorter.usable(), usable);
        }
    }

    #[test]
    fn in_memory_sorter_reset_goes_back_to_the_first_array() {
        let consumer = Task::new("1m").consumer();
        let mut sorter = ShuffleInMemorySorter::new(array(&consumer, 4), true);
        for partition in 0..9 {
            insert(&mut sorter, &consumer, partition);
        }
        assert_eq!((sorter.words(), consumer.used()), (32, 8 * (4 + 32)));
        sorter.reset();
        assert_eq!((sorter.words(), consumer.used()), (4, 8 * 4));
        insert(&mut sorter, &consumer, 5);
        assert_eq!(sorter.sorted().len(), 1);
    }
}

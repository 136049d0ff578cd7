//! The records in memory, in pages.

use mem_block::{PackedRecordPointer, PageAddress};
use task_mem::Page;

/// Bytes in front of a record, which say its length (Spark: `uaoSize`).
const HEADER_BYTES: usize = size_of::<u32>();
/// There is no page with this number.
const NO_PAGE: u16 = u16::MAX;

/// Records in pages, each as its length and its bytes. Only the last page is filled.
#[derive(Debug, Default)]
pub(crate) struct RecordPages {
    pages: Vec<Page>,
    /// Which of the pages has this number.
    by_number: Vec<u16>,
    /// Where the records in the last page end.
    end: usize,
    /// Bytes of all pages.
    bytes: u64,
}

impl RecordPages {
    /// Bytes of a page that a record needs.
    pub(crate) fn bytes_for(record: &[u8]) -> u64 {
        // A slice has 2^63 bytes at most.
        record.len() as u64 + HEADER_BYTES as u64
    }

    /// Bytes of all pages.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Has records go to `page` from now on.
    pub(crate) fn add(&mut self, page: Page) {
        let number = usize::from(page.number());
        if self.by_number.len() <= number {
            self.by_number.resize(number + 1, NO_PAGE);
        }
        self.by_number[number] = u16::try_from(self.pages.len()).expect("a task has 8192 pages");
        self.bytes = self.bytes.saturating_add(page.bytes());
        self.pages.push(page);
        self.end = 0;
    }

    /// Copies a record into the last page, and says where it is; nothing if it does not fit.
    pub(crate) fn push(&mut self, record: &[u8]) -> Option<PageAddress> {
        let page = self.pages.last_mut()?;
        let length = u32::try_from(record.len()).ok()?;
        let address = page.encode(self.end as u64).ok()?;
        // On heap, where addresses count an object's header, the last bytes of the largest page are
        // beyond what a pointer can hold. Spark wraps round.
        if address.offset() >= PackedRecordPointer::MAXIMUM_PAGE_SIZE_BYTES {
            return None;
        }
        let rest = page.as_mut_slice().get_mut(self.end..)?;
        let (head, rest) = rest.split_at_mut_checked(HEADER_BYTES)?;
        rest.get_mut(..record.len())?.copy_from_slice(record);
        head.copy_from_slice(&length.to_ne_bytes());
        self.end += HEADER_BYTES + record.len();
        Some(address)
    }

    /// The record at an address that [`push`](Self::push) gave.
    pub(crate) fn record(&self, address: PageAddress) -> &[u8] {
        const HERE: &str = "the address of a record in these pages";
        let page = &self.pages[usize::from(self.by_number[usize::from(address.page())])];
        let start = page.offset_of(address).expect(HERE);
        let rest = &page.as_slice()[usize::try_from(start).expect(HERE)..];
        let (head, rest) = rest.split_first_chunk().expect(HERE);
        &rest[..usize::try_from(u32::from_ne_bytes(*head)).expect(HERE)]
    }

    /// Frees the pages.
    pub(crate) fn clear(&mut self) {
        self.pages.clear();
        self.by_number.clear();
        self.end = 0;
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::testing::Task;
    use mem_block::MemoryMode;
    use task_mem::{NoSpill, Wait};

    #[test]
    fn records_come_back_from_several_pages_of_either_mode() {
        for mode in [MemoryMode::OnHeap, MemoryMode::OffHeap] {
            let consumer = Task::new("1m").consumer_in(mode);
            let page = |bytes| consumer.allocate_page(bytes, &mut NoSpill, &Wait::default());
            let other = page(8).unwrap();
            let mut pages = RecordPages::default();
            assert_eq!(pages.push(b"x"), None, "there is no page");
            let records: [&[u8]; 5] = [b"one", b"", b"three", &[4; 100], b"5"];
            let mut addresses = Vec::new();
            for record in records {
                let address = pages.push(record).unwrap_or_else(|| {
                    pages.add(page(RecordPages::bytes_for(record)).unwrap());
                    pages.push(record).unwrap()
                });
                assert_ne!(address.page(), other.number());
                addresses.push(address);
            }
            for (record, address) in records.iter().zip(addresses) {
                assert_eq!(pages.record(address), *record);
            }
            assert!(pages.bytes() >= 113 + 20);
            pages.clear();
            assert_eq!(pages.bytes(), 0);
        }
    }

    #[test]
    fn a_record_that_fills_the_page_fits_and_one_byte_more_does_not() {
        let consumer = Task::new("1m").consumer();
        let page = || {
            let mut pages = RecordPages::default();
            let wait = Wait::default();
            let page = consumer.allocate_array(8, &mut NoSpill, &wait).unwrap();
            pages.add(page);
            pages
        };
        assert!(page().push(&[1; 60]).is_some());
        assert!(page().push(&[1; 61]).is_none());
        let mut page = page();
        assert!(page.push(&[1; 50]).is_some());
        assert!(page.push(&[1; 7]).is_none());
        assert!(page.push(&[1; 6]).is_some());
        assert!(page.push(&[]).is_none());
    }
}

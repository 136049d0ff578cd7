//! What a sorter leaves behind.

use std::io;

use crate::error::SortError;
use crate::merge_pages::merge_pages;
use crate::options::SorterOptions;
use crate::order::Order;
use crate::page::RecordPage;
use crate::records::PageMemory;
use crate::run::Run;

/// What a sorter leaves behind.
#[derive(Debug)]
pub enum Sorted {
    /// Nothing was spilled: all records are in memory.
    InMemory(SortedPages),
    /// All records are in runs.
    Spilled(Vec<Run>),
}

/// Sorted records in the memory of their task.
#[derive(Debug)]
pub struct SortedPages {
    pages: Vec<RecordPage<PageMemory>>,
    order: Order,
    unique: bool,
}

impl SortedPages {
    pub(crate) fn new(pages: Vec<RecordPage<PageMemory>>, options: &SorterOptions) -> Self {
        Self {
            pages,
            order: options.order,
            unique: options.unique,
        }
    }

    /// Passes the records of several sorters, which were made with the same options, to `sink` in
    /// order. Takes no memory of the tasks.
    ///
    /// # Errors
    ///
    /// [`SortError::Sink`].
    ///
    /// # Panics
    ///
    /// If the sorters' orders differ, or only some leave repetitions out.
    pub fn merge(
        sorted: &[Self],
        mut sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), SortError> {
        let Some(first) = sorted.first() else {
            return Ok(());
        };
        let (order, unique) = (first.order, first.unique);
        let alike = sorted
            .iter()
            .all(|each| each.order == order && each.unique == unique);
        assert!(alike, "only what is sorted alike can be merged");
        let pages = sorted.iter().flat_map(|each| &each.pages);
        merge_pages(pages, order, unique, |_, record| sink(record)).map_err(SortError::Sink)
    }
}

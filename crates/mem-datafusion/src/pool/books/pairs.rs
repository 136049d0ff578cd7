//! Which two consumers are one sort.
//!
//! DataFusion's external sort is two consumers: `ExternalSorter[p]` buffers and can spill, and
//! `ExternalSorterMerge[p]`, which can't, merges what is buffered into a run or an answer. What the first
//! gives back while it is merged, the second needs. Nothing but their names tells that they belong together.

use datafusion_execution::memory_pool::MemoryConsumer;
use rustc_hash::FxHashMap;

use super::account::Pair;
use super::names::{Role, partition};

/// The sorts of a task.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Sorters whose merges are not registered yet, by what stands in their brackets: the newest each.
    single: FxHashMap<Box<str>, usize>,
    pairs: FxHashMap<usize, Pair>,
}

impl Pairs {
    /// A consumer is registered.
    pub(super) fn register(&mut self, consumer: &MemoryConsumer) {
        let Some(partition) = partition(consumer.name()) else {
            return;
        };
        match Role::of(consumer.name()) {
            Role::Sorter => drop(self.single.insert(partition.into(), consumer.id())),
            Role::Merge => {
                if let Some(sorter) = self.single.remove(partition) {
                    let merge = consumer.id();
                    self.pairs.insert(sorter, Pair::Sorter { merge });
                    self.pairs.insert(merge, Pair::Merge { sorter });
                }
            }
            Role::Aggregate | Role::Flow | Role::Other => {}
        }
    }

    /// It is no more.
    pub(super) fn unregister(&mut self, consumer: &MemoryConsumer) {
        self.pairs.remove(&consumer.id());
        self.single.retain(|_, sorter| *sorter != consumer.id());
    }

    /// What a consumer is of a sort, if it is.
    pub(super) fn of(&self, id: usize) -> Option<Pair> {
        self.pairs.get(&id).copied()
    }
}

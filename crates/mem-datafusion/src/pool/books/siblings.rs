//! Consumers of one kind: the partitions of an operator.

use datafusion_execution::memory_pool::MemoryConsumer;
use mem_sync::Moment;
use rustc_hash::FxHashMap;

use super::names::{Role, kind};

/// Those that can spill, or merge sorted runs, by what they are called before the number of their partition.
#[derive(Debug, Default)]
pub(super) struct Siblings(FxHashMap<Box<str>, Members>);

/// Those of one kind.
#[derive(Debug)]
struct Members {
    ids: Vec<usize>,
    /// When the last of them was registered.
    newest: Moment,
}

impl Siblings {
    pub(super) fn register(&mut self, consumer: &MemoryConsumer, now: Moment) {
        if counts(consumer) {
            let kind = kind(consumer.name());
            match self.0.get_mut(kind) {
                Some(members) => {
                    members.ids.push(consumer.id());
                    members.newest = now;
                }
                None => {
                    let ids = vec![consumer.id()];
                    self.0.insert(kind.into(), Members { ids, newest: now });
                }
            }
        }
    }

    pub(super) fn unregister(&mut self, consumer: &MemoryConsumer) {
        let kind = kind(consumer.name());
        if counts(consumer)
            && let Some(members) = self.0.get_mut(kind)
        {
            members.ids.retain(|id| *id != consumer.id());
            if members.ids.is_empty() {
                self.0.remove(kind);
            }
        }
    }

    /// When the last of a kind was registered.
    pub(super) fn newest(&self, kind: &str) -> Option<Moment> {
        self.0.get(kind).map(|members| members.newest)
    }

    /// Those of a kind.
    pub(super) fn of(&self, kind: &str) -> &[usize] {
        self.0.get(kind).map_or(&[], |members| &members.ids)
    }
}

fn counts(consumer: &MemoryConsumer) -> bool {
    consumer.can_spill() || Role::of(consumer.name()) == Role::Merge
}

//! Consumers of one kind, and those of them that are the partitions of one operator.

use datafusion_execution::memory_pool::MemoryConsumer;
use mem_sync::Moment;
use rustc_hash::FxHashMap;

use super::names::{Role, kind, partition};

/// Those that can spill, or merge sorted runs, by what they are called before the number of their partition.
#[derive(Debug, Default)]
pub(super) struct Siblings(FxHashMap<Box<str>, Members>);

/// Those of one kind.
#[derive(Debug)]
struct Members {
    ids: Vec<usize>,
    operators: Vec<Operator>,
    /// When the last of them was registered.
    newest: Moment,
}

/// Those of one operator. Nothing tells which one a consumer is of, but each partition of a query registers the
/// operators of a kind in the same order, so its first is of the first operator.
#[derive(Debug, Default)]
struct Operator {
    /// The partitions that have come, gone ones too.
    partitions: Vec<Box<str>>,
    ids: Vec<usize>,
}

impl Siblings {
    pub(super) fn register(&mut self, consumer: &MemoryConsumer, now: Moment) {
        if counts(consumer) {
            let kind = kind(consumer.name());
            let members = self.0.entry(kind.into()).or_insert_with(|| Members {
                ids: Vec::new(),
                operators: Vec::new(),
                newest: now,
            });
            members.register(consumer, now);
        }
    }

    pub(super) fn unregister(&mut self, consumer: &MemoryConsumer) {
        let kind = kind(consumer.name());
        if counts(consumer)
            && let Some(members) = self.0.get_mut(kind)
        {
            members.unregister(consumer.id());
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

    /// Those of the operator of consumer `id`, which is of that kind.
    pub(super) fn of_operator(&self, kind: &str, id: usize) -> &[usize] {
        let operators = self.0.get(kind).map_or(&[][..], |it| &it.operators);
        let own = operators.iter().find(|it| it.ids.contains(&id));
        own.map_or(&[], |operator| &operator.ids)
    }
}

impl Members {
    fn register(&mut self, consumer: &MemoryConsumer, now: Moment) {
        let (id, partition) = (consumer.id(), partition(consumer.name()));
        self.ids.push(id);
        self.newest = now;
        let lacks = |it: &Operator| partition.is_none_or(|own| !it.has(own));
        let at = self.operators.iter().position(lacks).unwrap_or_else(|| {
            self.operators.push(Operator::default());
            self.operators.len().saturating_sub(1)
        });
        if let Some(operator) = self.operators.get_mut(at) {
            operator.ids.push(id);
            operator.partitions.extend(partition.map(Box::from));
        }
    }

    fn unregister(&mut self, id: usize) {
        self.ids.retain(|it| *it != id);
        for operator in &mut self.operators {
            operator.ids.retain(|it| *it != id);
        }
    }
}

impl Operator {
    fn has(&self, partition: &str) -> bool {
        self.partitions.iter().any(|it| **it == *partition)
    }
}

fn counts(consumer: &MemoryConsumer) -> bool {
    consumer.can_spill() || Role::of(consumer.name()) == Role::Merge
}

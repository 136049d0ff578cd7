//! Observing: what happens in the ledger and above it, as structured events.

use std::fmt::Debug;

use mem_block::MemoryMode;

use crate::step::LedgerStep;
use crate::task::TaskId;

/// What memory is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// By a task, for its work.
    Execution,
    /// By a cached block.
    Storage,
    /// By a block that is being unrolled.
    Unroll,
}

/// One thing that happened. Sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request was granted; `granted < asked` is a short grant.
    Grant {
        /// The task, for execution memory.
        task: Option<TaskId>,
        /// The mode.
        mode: MemoryMode,
        /// What for.
        kind: Kind,
        /// Bytes asked for.
        asked: u64,
        /// Bytes granted.
        granted: u64,
    },
    /// A request waits.
    Wait {
        /// The task.
        task: TaskId,
        /// The mode.
        mode: MemoryMode,
        /// Bytes asked for.
        asked: u64,
    },
    /// A request was refused, cancelled, or ran out of time.
    Refuse {
        /// The task, for execution memory.
        task: Option<TaskId>,
        /// The mode.
        mode: MemoryMode,
        /// What for.
        kind: Kind,
        /// Bytes asked for.
        asked: u64,
    },
    /// Memory was given back.
    Release {
        /// The task, for execution memory.
        task: Option<TaskId>,
        /// The mode.
        mode: MemoryMode,
        /// What it was held for.
        kind: Kind,
        /// Bytes released.
        bytes: u64,
    },
    /// Blocks were evicted for a request, or for a lowered limit. A `freed` of 0 is told too.
    Evict {
        /// The mode.
        mode: MemoryMode,
        /// Bytes needed.
        need: u64,
        /// Bytes freed.
        freed: u64,
    },
    /// A task ended; what it still held is a leak.
    TaskEnd {
        /// The task.
        task: TaskId,
        /// On-heap bytes that were taken back.
        on_heap: u64,
        /// Off-heap bytes that were taken back.
        off_heap: u64,
    },
    /// A consumer was asked to spill.
    Spill {
        /// Its task.
        task: TaskId,
        /// The consumer, by its number in the task.
        consumer: u64,
        /// Bytes it was asked for.
        asked: u64,
        /// Bytes it released.
        released: u64,
    },
    /// A page was allocated (`taken`) or freed.
    Page {
        /// Its task.
        task: TaskId,
        /// The page's number.
        page: u64,
        /// The page's size.
        bytes: u64,
        /// Allocated, not freed.
        taken: bool,
    },
    /// An owner had not given its memory back when its task ended.
    Leak {
        /// The task.
        task: TaskId,
        /// The consumer, by its number in the task; none for memory that no consumer accounts for.
        consumer: Option<u64>,
        /// Bytes.
        bytes: u64,
    },
}

/// Is told what happened. Never called under a lock of Hearth's; may be called by several threads
/// at once, and must not panic.
pub trait Probe: Debug + Send + Sync {
    /// `sequence` numbers the ledger's steps in the order in which its lock ordered them; events
    /// from above the ledger have none.
    fn record(&self, sequence: Option<u64>, event: &Event);

    /// Whether [`step`](Self::step) wants to be called. Asked once, when the ledger is made.
    fn wants_steps(&self) -> bool {
        false
    }

    /// The ledger made a step. Steps have numbers of their own, from 1, in the order in which the
    /// ledger's lock ordered them and without gaps; threads may tell of them in another order.
    fn step(&self, number: u64, step: &LedgerStep) {
        let _unread = (number, step);
    }
}

/// Sends every event to [`tracing`], at the level that suits it, with target `hearth`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingProbe;

impl Probe for TracingProbe {
    fn record(&self, sequence: Option<u64>, event: &Event) {
        match *event {
            Event::Grant { .. } | Event::Wait { .. } | Event::Refuse { .. } => {
                trace_request(sequence, event);
            }
            Event::Release {
                task,
                mode,
                kind,
                bytes,
            } => {
                tracing::trace!(target: "hearth", sequence, ?task, %mode, ?kind, bytes, "release");
            }
            Event::Evict { mode, need, freed } => {
                tracing::info!(target: "hearth", sequence, %mode, need, freed, "eviction");
            }
            Event::TaskEnd {
                task,
                on_heap,
                off_heap,
            } => {
                tracing::debug!(target: "hearth", sequence, %task, on_heap, off_heap, "task end");
            }
            Event::Spill {
                task,
                consumer,
                asked,
                released,
            } => {
                tracing::info!(target: "hearth", %task, consumer, asked, released, "spill");
            }
            Event::Page {
                task,
                page,
                bytes,
                taken,
            } => {
                tracing::trace!(target: "hearth", %task, page, bytes, taken, "page");
            }
            Event::Leak {
                task,
                consumer,
                bytes,
            } => {
                tracing::warn!(target: "hearth", %task, consumer, bytes, "leak");
            }
        }
    }
}

fn trace_request(sequence: Option<u64>, event: &Event) {
    match *event {
        Event::Grant {
            task,
            mode,
            kind,
            asked,
            granted,
        } if granted < asked => {
            tracing::debug!(target: "hearth", sequence, ?task, %mode, ?kind, asked, granted, "short grant");
        }
        Event::Grant {
            task,
            mode,
            kind,
            asked,
            granted,
        } => {
            tracing::trace!(target: "hearth", sequence, ?task, %mode, ?kind, asked, granted, "grant");
        }
        Event::Wait { task, mode, asked } => {
            tracing::info!(target: "hearth", sequence, %task, %mode, asked, "wait");
        }
        Event::Refuse {
            task,
            mode,
            kind,
            asked,
        } => {
            tracing::info!(target: "hearth", sequence, ?task, %mode, ?kind, asked, "refusal");
        }
        _ => {}
    }
}

//! From a header to a manager and a store.

use std::sync::Arc;

use mem_block::{AllocatorOptions, HeapAllocator, MemoryAllocator, MemoryMode, OffHeapAllocator};
use mem_policy::config::{Collector, Environment, PolicyKind, SparkConf, resolve};
use mem_policy::{ManagerOptions, MemoryManager, memory_manager};

use super::Session;
use super::blocks::Blocks;
use super::executor::Executor;
use super::journal::Journal;
use super::tasks::Tasks;
use super::unmanaged::Users;
use crate::format::{self, Answer, Header, Outcome, Policy, Resolved};
use crate::spark_errors;

impl Session {
    /// The world of a header; none where the configuration is refused.
    pub(in super::super) fn new(header: &Header) -> (Option<Self>, Outcome) {
        let policy = match header.policy {
            Policy::Unified => PolicyKind::Unified,
            Policy::Static => PolicyKind::Static,
        };
        let conf: SparkConf = header
            .conf
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let resolved = match resolve(&conf, policy, &environment(header)) {
            Ok(resolved) => resolved,
            Err(error) => {
                let answer = Answer::Failed(spark_errors::of_resolving(&error));
                return (None, outcome(answer, None));
            }
        };
        let session = Self::with(memory_manager(resolved, &options()));
        let resolved = session.resolved();
        let outcome = outcome(Answer::Created { ok: true, resolved }, Some(&session));
        (Some(session), outcome)
    }

    fn with(manager: Arc<dyn MemoryManager>) -> Self {
        let journal = Journal::default();
        let allocators = allocators();
        let blocks = Blocks::new(&manager, &allocators, &journal);
        let pages = match manager.tungsten_memory_mode() {
            MemoryMode::OnHeap => &allocators[0],
            MemoryMode::OffHeap => &allocators[1],
        };
        Self {
            tasks: Tasks::new(Arc::clone(pages)),
            manager,
            executor: Executor::default(),
            journal,
            blocks: blocks.expect("a fresh manager has no store yet"),
            users: Users::default(),
        }
    }

    /// What the manager and the store came to be.
    fn resolved(&self) -> Resolved {
        let resolved = self.manager.resolved();
        let unified = (resolved.policy == PolicyKind::Unified).then_some(&resolved.on_heap);
        let limit = |mode| {
            let bytes = self.manager.ledger().max_storage(mode);
            i64::try_from(bytes).unwrap_or(i64::MAX)
        };
        Resolved {
            max_heap: unified.map(|heap| heap.max),
            on_storage_region: unified.map(|heap| heap.storage_region),
            max_unroll: resolved.max_unroll,
            max_off_heap: resolved.off_heap.max,
            off_storage_region: resolved.off_heap.storage_region,
            max_on_storage: limit(MemoryMode::OnHeap),
            max_off_storage: limit(MemoryMode::OffHeap),
            page_size: resolved.page_size,
            tungsten_mode: self.manager.tungsten_memory_mode().into(),
            unroll_threshold: resolved.unroll.threshold,
        }
    }
}

/// Where the recorded manager ran. Its heap is always given by the configuration.
fn environment(header: &Header) -> Environment {
    Environment {
        cores: header.cores,
        is_driver: header.is_driver,
        collector: match header.gc {
            format::Collector::Parallel => Collector::Parallel,
            format::Collector::G1 => Collector::G1,
        },
        max_heap: i64::MAX,
    }
}

/// Spark waits for ever and notices no deadlock; and here nobody is there to evict but the thread that
/// polls.
fn options() -> ManagerOptions {
    ManagerOptions {
        wait_timeout: None,
        detect_deadlock: false,
        reclaim_inline: true,
        ..ManagerOptions::default()
    }
}

fn outcome(answer: Answer, session: Option<&Session>) -> Outcome {
    let state = session.map(Session::state);
    Outcome {
        answer,
        spills: Vec::new(),
        evicted: Vec::new(),
        woken: Vec::new(),
        used: Default::default(),
        state,
    }
}

/// Memory for blocks and pages, on heap and off, without a limit of its own: traces change the books
/// past the blocks that the bytes are for. Nothing is kept, and what nobody writes to is never there.
fn allocators() -> [Arc<dyn MemoryAllocator>; 2] {
    let options = AllocatorOptions {
        kept_max: 0,
        ..AllocatorOptions::limited(u64::MAX)
    };
    [HeapAllocator::new(options), OffHeapAllocator::new(options)]
}

//! One manager for a process: a ledger, its policy, the allocators and the page size.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use mem_block::{AllocatorOptions, HeapAllocator, MemoryAllocator, MemoryMode, OffHeapAllocator};
use mem_pool::{Ledger, LedgerOptions, Policy, PoolSizes, Probe};
use mem_sync::{Clock, SystemClock};

use crate::config::{MemoryConfig, PolicyKind, ResolvedMemory, ResolvedMode};
use crate::fixed::StaticPolicy;
use crate::unified::UnifiedPolicy;

/// What tasks and stores ask for memory; Spark's class of the same name. Which policy is behind it
/// is nobody's business above.
pub trait MemoryManager: Debug + Send + Sync {
    /// The books, and all that can be asked of them.
    fn ledger(&self) -> &Arc<Ledger>;

    /// Where blocks of `mode` come from.
    fn allocator(&self, mode: MemoryMode) -> &Arc<dyn MemoryAllocator>;

    /// The mode that pages are of: Spark's `tungstenMemoryMode`.
    fn tungsten_memory_mode(&self) -> MemoryMode;

    /// Bytes of a page where nobody says otherwise.
    fn page_size_bytes(&self) -> u64;

    /// Bytes of slack that a task takes at first for what it meters itself; 0 for none.
    fn task_quantum_bytes(&self) -> u64 {
        0
    }

    /// The sizes it was made with.
    fn resolved(&self) -> &ResolvedMemory;
}

/// What a manager needs besides its configured sizes.
#[derive(Debug, Clone)]
pub struct ManagerOptions {
    /// The longest that a request waits by default; `None` is for ever.
    pub wait_timeout: Option<Duration>,
    /// Refuse one waiter at once when every holder of memory is waiting.
    pub detect_deadlock: bool,
    /// Run the evictions of futures where they are polled.
    pub reclaim_inline: bool,
    /// Bytes of slack that a task takes at first for what it meters itself; 0 for none.
    pub task_quantum_bytes: u64,
    /// Share of a mode's total that freed blocks may keep for reuse, 0 to 1.
    pub kept_fraction: f64,
    /// Fill fresh blocks with 0xa5 and freed ones with 0x5a.
    pub debug_fill: bool,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happens.
    pub probe: Option<Arc<dyn Probe>>,
}

impl ManagerOptions {
    /// What `config` says, on the system's clock, with nobody told.
    #[must_use]
    pub fn of(config: &MemoryConfig) -> Self {
        let (tasks, pages) = (config.tasks(), config.pages());
        Self {
            wait_timeout: Some(tasks.wait_timeout),
            detect_deadlock: tasks.deadlock_detection,
            reclaim_inline: false,
            task_quantum_bytes: tasks.quantum_bytes,
            kept_fraction: pages.kept_fraction,
            debug_fill: pages.debug_fill,
            clock: Arc::new(SystemClock::new()),
            probe: None,
        }
    }
}

impl Default for ManagerOptions {
    fn default() -> Self {
        Self::of(&MemoryConfig::new())
    }
}

#[derive(Debug)]
struct Parts {
    resolved: ResolvedMemory,
    task_quantum_bytes: u64,
    ledger: Arc<Ledger>,
    heap: Arc<dyn MemoryAllocator>,
    off_heap: Arc<dyn MemoryAllocator>,
}

impl Parts {
    fn new(resolved: ResolvedMemory, policy: Arc<dyn Policy>, options: &ManagerOptions) -> Self {
        let on_heap_sizes = pool_sizes(&resolved.on_heap, resolved.max_unroll);
        let off_heap_sizes = pool_sizes(&resolved.off_heap, None);
        let allocator = |sizes: PoolSizes| {
            let limit = sizes.storage.saturating_add(sizes.execution);
            AllocatorOptions {
                kept_max: crate::arithmetic::fraction_of(limit, options.kept_fraction),
                debug_fill: options.debug_fill,
                ..AllocatorOptions::limited(limit)
            }
        };
        let ledger_options = LedgerOptions {
            on_heap: on_heap_sizes,
            off_heap: off_heap_sizes,
            wait_timeout: options.wait_timeout,
            detect_deadlock: options.detect_deadlock,
            reclaim_inline: options.reclaim_inline,
            clock: Arc::clone(&options.clock),
            probe: options.probe.clone(),
        };
        Self {
            heap: HeapAllocator::new(allocator(on_heap_sizes)),
            off_heap: OffHeapAllocator::new(allocator(off_heap_sizes)),
            ledger: Ledger::new(ledger_options, policy),
            task_quantum_bytes: options.task_quantum_bytes,
            resolved,
        }
    }
}

/// What a mode's pools start with. Resolving has refused what would be below 0.
fn pool_sizes(mode: &ResolvedMode, max_unroll: Option<i64>) -> PoolSizes {
    let bytes = |resolved: i64| u64::try_from(resolved).unwrap_or(0);
    PoolSizes {
        storage: bytes(mode.storage_start),
        execution: bytes(mode.execution_start),
        storage_region: bytes(mode.storage_region),
        max_unroll: bytes(max_unroll.unwrap_or(0)),
    }
}

/// A manager that decides by `P`.
#[derive(Debug)]
pub struct PolicyManager<P> {
    parts: Parts,
    policy: PhantomData<P>,
}

/// Execution and storage share a region and borrow from each other: Spark's default.
pub type UnifiedMemoryManager = PolicyManager<UnifiedPolicy>;

/// Fixed pools: Spark's manager of old, chosen by `spark.memory.useLegacyMode`.
pub type StaticMemoryManager = PolicyManager<StaticPolicy>;

impl<P: Policy + Default + 'static> PolicyManager<P> {
    /// A manager over empty books of the sizes in `resolved`.
    #[must_use]
    pub fn new(resolved: ResolvedMemory, options: &ManagerOptions) -> Arc<Self> {
        let parts = Parts::new(resolved, Arc::new(P::default()), options);
        Arc::new(Self {
            parts,
            policy: PhantomData,
        })
    }
}

/// The manager that `resolved` asks for.
#[must_use]
pub fn memory_manager(
    resolved: ResolvedMemory,
    options: &ManagerOptions,
) -> Arc<dyn MemoryManager> {
    match resolved.policy {
        PolicyKind::Unified => UnifiedMemoryManager::new(resolved, options),
        PolicyKind::Static => StaticMemoryManager::new(resolved, options),
    }
}

impl<P: Policy> MemoryManager for PolicyManager<P> {
    fn ledger(&self) -> &Arc<Ledger> {
        &self.parts.ledger
    }

    fn allocator(&self, mode: MemoryMode) -> &Arc<dyn MemoryAllocator> {
        match mode {
            MemoryMode::OnHeap => &self.parts.heap,
            MemoryMode::OffHeap => &self.parts.off_heap,
        }
    }

    fn tungsten_memory_mode(&self) -> MemoryMode {
        self.parts.resolved.tungsten_mode
    }

    fn task_quantum_bytes(&self) -> u64 {
        self.parts.task_quantum_bytes
    }

    fn page_size_bytes(&self) -> u64 {
        u64::try_from(self.parts.resolved.page_size).unwrap_or(0)
    }

    fn resolved(&self) -> &ResolvedMemory {
        &self.parts.resolved
    }
}

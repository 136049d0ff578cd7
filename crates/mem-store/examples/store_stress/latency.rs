//! Gets, and acquires of execution memory that need no eviction, while a slow disk takes a block.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mem_block::MemoryMode;
use mem_pool::{Ask, Dataset, Reservation, TaskId};
use mem_spill::SpillDirs;
use mem_spill::testing::FaultyFiles;
use mem_store::{BlockId, BlockManager, DiskOptions, StorageLevel, StoreOptions, TaskContext};
use mem_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use mem_sync::{Clock, Parker, SystemClock, thread};

use crate::load::{Random, manager};

const WRITE: Duration = Duration::from_millis(200);
const BLOCK: u64 = 1024;
const ON: MemoryMode = MemoryMode::OnHeap;
const MIB: u64 = 1 << 20;
const PAGE: u64 = 4096;

/// Times, in nanoseconds, in order.
#[derive(Debug)]
pub(crate) struct Times(Vec<u64>);

impl Times {
    fn new(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that so many of a thousand are not above.
    fn of_thousand(&self, many: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let time = self.0.get(last * many / 1000).copied();
        Duration::from_nanos(time.unwrap_or(u64::MAX))
    }

    pub(crate) fn require(&self, limit: Duration) {
        assert!(self.0.len() > 10_000, "too few to tell: {self}");
        assert!(self.of_thousand(999) < limit, "{self}");
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |many| self.of_thousand(many);
        let count = self.0.len();
        write!(f, "{count} during writes: median {:?}, ", of(500))?;
        write!(
            f,
            "p99 {:?}, p99.9 {:?}, longest {:?}",
            of(990),
            of(999),
            of(1000)
        )
    }
}

pub(crate) struct Latencies {
    pub(crate) get: Times,
    pub(crate) execution: Times,
}

/// The store, full, with half of the memory in tasks' hands so that it can't grow, on a slow disk.
struct Scene {
    blocks: BlockManager,
    clock: Arc<SystemClock>,
    is_writing: Arc<AtomicBool>,
    /// How many blocks were put.
    put: AtomicU64,
    is_over: AtomicBool,
}

fn block(number: u64) -> BlockId {
    BlockId::rdd(
        Dataset::new(i64::try_from(number % 16).expect("small")),
        number,
    )
}

impl Scene {
    fn new() -> Self {
        let (clock, is_writing) = (
            Arc::new(SystemClock::new()),
            Arc::new(AtomicBool::new(false)),
        );
        let files = FaultyFiles::default();
        let dirs = SpillDirs::with_provider(vec![PathBuf::from("slow")], files.clone());
        let disk = DiskOptions {
            dirs: dirs.expect("there is one"),
            ..DiskOptions::default()
        };
        let blocks = BlockManager::new(manager(8 * MIB), StoreOptions::default(), Some(disk));
        let scene = Self {
            blocks: blocks.expect("there is room for the workspace"),
            clock: Arc::clone(&clock),
            is_writing: Arc::clone(&is_writing),
            put: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        };
        files.hook(move |access| {
            if access.write {
                is_writing.store(true, Ordering::Release);
                let (parker, end) = (Parker::new(), clock.now() + WRITE);
                while clock.now() < end {
                    clock.park(&parker, Some(end));
                }
                is_writing.store(false, Ordering::Release);
            }
            Ok(())
        });
        scene
    }

    /// Puts one more block; full, the store evicts one for it, which takes a write.
    fn put(&self) {
        let number = self.put.load(Ordering::Relaxed);
        let (level, context) = (StorageLevel::MEMORY_AND_DISK_SER, TaskContext::default());
        let bytes = [u8::try_from(number % 251).expect("small"); 1024];
        let put = self
            .blocks
            .put_bytes(&block(number), level, context, BLOCK, |out| {
                out.write_all(&bytes)
            });
        put.expect("nothing fails");
        self.put.store(number + 1, Ordering::Release);
    }

    fn fill(&self) {
        let books = || {
            self.blocks
                .memory_store()
                .manager()
                .ledger()
                .snapshot()
                .on_heap
        };
        while books().storage_used + books().execution_used + BLOCK <= books().total {
            self.put();
        }
    }

    /// Times `work` as long as the scene lasts, where it begins during a write and says that it counts.
    fn time(&self, mut work: impl FnMut() -> bool) -> Times {
        let mut times = Vec::new();
        while !self.is_over.load(Ordering::Acquire) {
            let (is_writing, start) = (self.is_writing.load(Ordering::Acquire), self.clock.now());
            if work() && is_writing {
                let taken = self.clock.now().since(start).as_nanos();
                times.push(u64::try_from(taken).unwrap_or(u64::MAX));
            }
        }
        Times::new(times)
    }

    /// Gets blocks that are in memory, those on their way out among them.
    fn time_gets(&self) -> Times {
        let mut random = Random(1);
        self.time(|| {
            let number = random.below(self.put.load(Ordering::Acquire));
            let id = block(number);
            if !self.blocks.memory_store().contains(&id) {
                return false;
            }
            let found = self.blocks.get_bytes(&id, TaskContext::default());
            let found = found.expect("nothing fails").expect("it is somewhere");
            let first = found.to_vec().expect("nothing fails")[0];
            assert_eq!(u64::from(first), number % 251);
            true
        })
    }

    /// Gives some of a task's memory back and takes it again: what is free needs no eviction.
    fn time_execution(&self, mut held: Reservation) -> Times {
        let ledger = self.blocks.memory_store().manager().ledger();
        held.shrink_to(2 * MIB - PAGE);
        self.time(|| {
            let taken = ledger.try_acquire(Ask::execution(TaskId::new(1), ON, PAGE));
            taken.expect("its share is not used up").bytes() == PAGE
        })
    }
}

/// Measures for that long.
pub(crate) fn measure(time: Duration) -> Latencies {
    let scene = Scene::new();
    let ledger = scene.blocks.memory_store().manager().ledger().clone();
    let held = |task| {
        let ask = Ask::execution(TaskId::new(task), ON, 2 * MIB);
        ledger.try_acquire(ask).expect("nothing is in use yet")
    };
    let (others, mine) = (held(0), held(1));
    scene.fill();
    thread::scope(|scope| {
        scope.spawn(|| {
            let end = scene.clock.now() + time;
            while scene.clock.now() < end {
                scene.put();
            }
            scene.is_over.store(true, Ordering::Release);
        });
        let gets = scope.spawn(|| scene.time_gets());
        let execution = scope.spawn(|| scene.time_execution(mine));
        let latencies = Latencies {
            get: gets.join().expect("it does not panic"),
            execution: execution.join().expect("it does not panic"),
        };
        drop(others);
        latencies
    })
}

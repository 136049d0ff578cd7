//! Spark's unified rule once more, in the plainest form that can be written down: one thread, whole
//! operations, waiters in a list. It shares nothing with the ledger and is what the ledger is held to.

use std::collections::BTreeMap;

/// One mode.
#[derive(Debug, Clone, Default)]
struct Pools {
    total: u64,
    region: u64,
    storage: u64,
    blocks: Vec<u64>,
    execution: u64,
    /// What each task holds; a task is in it from its first request.
    tasks: BTreeMap<i64, u64>,
    unmanaged: u64,
}

/// A request that waits.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    number: usize,
    mode: usize,
    task: i64,
    bytes: u64,
}

/// Both modes, and who waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reference {
    pools: [Pools; 2],
    waiting: Vec<Waiting>,
}

/// The numbers of the requests that were answered, with what they were granted.
pub(crate) type Answered = Vec<(usize, u64)>;

impl Pools {
    fn storage_used(&self) -> u64 {
        self.blocks.iter().sum()
    }

    fn storage_free(&self) -> u64 {
        self.storage - self.storage_used()
    }

    fn execution_used(&self) -> u64 {
        self.tasks.values().sum()
    }

    fn execution_free(&self) -> u64 {
        self.execution - self.execution_used()
    }

    /// Drops the oldest blocks that make up `space`, or none.
    fn evict(&mut self, space: u64) -> u64 {
        let mut freed = 0;
        let mut count = 0;
        for block in &self.blocks {
            if freed < space {
                freed += block;
                count += 1;
            }
        }
        if freed < space {
            return 0;
        }
        self.blocks.drain(..count);
        freed
    }

    /// One round of the waiting loop: what the task gets, or nothing where it waits.
    fn round(&mut self, task: i64, bytes: u64) -> Option<u64> {
        let extra = bytes.saturating_sub(self.execution_free());
        let borrowed = self.storage.saturating_sub(self.region);
        let reclaimable = self.storage_free().max(borrowed);
        if extra > 0 && reclaimable > 0 {
            let space = extra.min(reclaimable);
            let unused = space.min(self.storage_free());
            let moved = match space - unused {
                0 => unused,
                rest => unused + self.evict(rest),
            };
            self.storage -= moved;
            self.execution += moved;
        }
        let tasks = u64::try_from(self.tasks.len()).unwrap();
        let pinned = self.storage_used().min(self.region);
        let cap = (self.total - pinned).saturating_sub(self.unmanaged) / tasks;
        let floor = self.execution / (2 * tasks);
        let held = self.tasks[&task];
        let most = bytes.min(cap.saturating_sub(held));
        let grant = most.min(self.execution_free());
        if grant < bytes && held + grant < floor {
            return None;
        }
        *self.tasks.get_mut(&task).unwrap() += grant;
        Some(grant)
    }
}

impl Reference {
    pub(crate) fn new(totals: [(u64, u64, u64); 2]) -> Self {
        let pools = totals.map(|(execution, storage, region)| Pools {
            total: execution + storage,
            region,
            storage,
            execution,
            ..Pools::default()
        });
        Self {
            pools,
            waiting: Vec::new(),
        }
    }

    /// Storage pool and use, execution pool and use, N.
    pub(crate) fn books(&self, mode: usize) -> [u64; 5] {
        let pools = &self.pools[mode];
        let tasks = u64::try_from(pools.tasks.len()).unwrap();
        let storage = [pools.storage, pools.storage_used()];
        [
            storage[0],
            storage[1],
            pools.execution,
            pools.execution_used(),
            tasks,
        ]
    }

    pub(crate) fn is_waiting(&self, task: i64) -> bool {
        self.waiting.iter().any(|waiting| waiting.task == task)
    }

    /// The waiters that came before the one with that number, again, in order.
    fn notify(&mut self, until: usize) -> Answered {
        let mut answered = Vec::new();
        for waiting in self.waiting.clone() {
            if waiting.number < until
                && let Some(grant) = self.pools[waiting.mode].round(waiting.task, waiting.bytes)
            {
                self.waiting.retain(|other| other.number != waiting.number);
                answered.push((waiting.number, grant));
            }
        }
        answered
    }

    pub(crate) fn acquire(
        &mut self,
        number: usize,
        mode: usize,
        task: i64,
        bytes: u64,
    ) -> Answered {
        if bytes == 0 {
            return vec![(number, 0)];
        }
        let is_new = !self.pools[mode].tasks.contains_key(&task);
        self.pools[mode].tasks.entry(task).or_insert(0);
        let mut answered = Vec::new();
        match self.pools[mode].round(task, bytes) {
            Some(grant) => answered.push((number, grant)),
            None => self.waiting.push(Waiting {
                number,
                mode,
                task,
                bytes,
            }),
        }
        if is_new {
            answered.extend(self.notify(number));
        }
        answered
    }

    /// The waiting task gives up; it keeps counting.
    pub(crate) fn cancel(&mut self, task: i64) {
        self.waiting.retain(|waiting| waiting.task != task);
    }

    pub(crate) fn release(&mut self, mode: usize, task: i64, bytes: u64) -> Answered {
        let tasks = &mut self.pools[mode].tasks;
        if let Some(held) = tasks.get_mut(&task) {
            *held -= bytes.min(*held);
            if *held == 0 {
                tasks.remove(&task);
            }
        }
        self.notify(usize::MAX)
    }

    pub(crate) fn end(&mut self, task: i64) -> Answered {
        self.cancel(task);
        for pools in &mut self.pools {
            pools.tasks.remove(&task);
        }
        self.notify(usize::MAX)
    }

    pub(crate) fn notify_all(&mut self) -> Answered {
        self.notify(usize::MAX)
    }

    pub(crate) fn set_unmanaged(&mut self, mode: usize, bytes: u64) {
        self.pools[mode].unmanaged = bytes;
    }

    /// Whether the block was stored.
    pub(crate) fn store(&mut self, mode: usize, bytes: u64) -> bool {
        let pools = &mut self.pools[mode];
        let limit = (pools.total - pools.execution_used()).saturating_sub(pools.unmanaged);
        if bytes > limit {
            return false;
        }
        let borrow = bytes
            .saturating_sub(pools.storage_free())
            .min(pools.execution_free());
        pools.execution -= borrow;
        pools.storage += borrow;
        let missing = bytes.saturating_sub(pools.storage_free());
        if missing > 0 {
            pools.evict(missing);
        }
        let fits = bytes <= pools.storage_free();
        if fits {
            pools.blocks.push(bytes);
        }
        fits
    }

    /// The oldest block is dropped by its owner; returns its size.
    pub(crate) fn drop_block(&mut self, mode: usize) -> Option<u64> {
        let blocks = &mut self.pools[mode].blocks;
        (!blocks.is_empty()).then(|| blocks.remove(0))
    }
}

//! The end of a task: what is taken back, and who had left it behind. And who uses what now.

use std::fmt;

use mem_block::MemoryMode;
use mem_pool::{Event, TaskId};

use crate::charge::Account;
use crate::consumer::ConsumerId;
use crate::error::ConsumerLabel;
use crate::manager::TaskMemoryManager;
use crate::page_table::PageTable;
use crate::state::State;

/// Who had memory when its task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A consumer.
    Consumer(ConsumerLabel),
    /// The task itself, which asked for unpaged memory.
    Task,
    /// The task, for pages that the allocator did not give: acquired, but not used.
    AcquiredButNotUsed,
    /// Nobody that is known: memory that was acquired past the guards, or left by failed requests.
    Unattributed,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumer(label) => label.fmt(f),
            Self::Task => f.write_str("the task itself"),
            Self::AcquiredButNotUsed => f.write_str("acquired but not used"),
            Self::Unattributed => f.write_str("nobody that is known"),
        }
    }
}

/// What one owner has. Sizes are bytes; `pages + unpaged + workspace + held` is all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The owner.
    pub owner: Owner,
    /// Number of pages.
    pub pages: u64,
    /// Bytes in pages.
    pub page_bytes: u64,
    /// Number of unpaged regions.
    pub regions: u64,
    /// Bytes in unpaged regions.
    pub unpaged_bytes: u64,
    /// Bytes in buffers for spilling.
    pub workspace_bytes: u64,
    /// Bytes in none of those.
    pub held_bytes: u64,
}

impl Holding {
    fn of_bytes(owner: Owner, held_bytes: u64) -> Self {
        Self {
            owner,
            pages: 0,
            page_bytes: 0,
            regions: 0,
            unpaged_bytes: 0,
            workspace_bytes: 0,
            held_bytes,
        }
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        [
            self.page_bytes,
            self.unpaged_bytes,
            self.workspace_bytes,
            self.held_bytes,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} bytes", self.owner, self.bytes())?;
        let parts = [
            (self.pages, "pages", self.page_bytes),
            (self.regions, "unpaged regions", self.unpaged_bytes),
        ];
        for (count, what, bytes) in parts {
            if count > 0 {
                write!(f, ", {count} {what} of {bytes}")?;
            }
        }
        if self.workspace_bytes > 0 {
            write!(f, ", workspace of {}", self.workspace_bytes)?;
        }
        Ok(())
    }
}

/// What came of cleaning up after a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEnd {
    /// The task.
    pub task: TaskId,
    /// What Spark's `cleanUpAllAllocatedMemory` returns: all bytes that were taken back but those
    /// acquired and not used (of which only as many count as the task held of the tungsten mode).
    pub released: u64,
    /// All bytes that were taken back.
    pub taken_back: u64,
    /// Who had left them, in order of registration; empty where nothing leaked.
    pub leaks: Vec<Holding>,
    /// The most that the task held on heap.
    pub peak_on_heap: u64,
    /// The most that the task held off heap.
    pub peak_off_heap: u64,
}

impl TaskEnd {
    /// Whether anything was left behind.
    #[must_use]
    pub fn leaked(&self) -> bool {
        self.taken_back > 0
    }
}

impl fmt::Display for TaskEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.leaks.is_empty() {
            return write!(f, "{} ended and left nothing behind", self.task);
        }
        write!(
            f,
            "{} ended and left {} bytes behind",
            self.task, self.taken_back
        )?;
        for leak in &self.leaks {
            write!(f, "; {leak}")?;
        }
        Ok(())
    }
}

impl TaskMemoryManager {
    /// Takes back everything that the task still has, and says who had left it: Spark's
    /// `cleanUpAllAllocatedMemory`. Requests of the task that wait are cancelled, and the ledger
    /// forgets the task.
    ///
    /// Guards that still live are empty from now on: dropped later, they free their blocks and give
    /// nothing back. The manager can be used again; page numbers start at 0. Takes the ledger's
    /// lock.
    pub fn cleanup(&self) -> TaskEnd {
        let (mut leaks, unused, table, peaks) = {
            let mut state = self.state.lock();
            let modes = [MemoryMode::OnHeap, MemoryMode::OffHeap];
            let peaks = modes.map(|mode| state.counter(mode).peak);
            (holdings(&state), state.unused, state.begin_epoch(), peaks)
        };
        // Blocks that no guard has are freed before their bytes can be granted to somebody else.
        drop::<PageTable>(table);
        // One step of the ledger: who waits is looked at when everything is back.
        let (on_heap, off_heap) = self.ledger().end_task(self.task());
        let taken_back = on_heap.saturating_add(off_heap);
        let not_used = match self.tungsten_memory_mode() {
            MemoryMode::OnHeap => unused.min(on_heap),
            MemoryMode::OffHeap => unused.min(off_heap),
        };
        let released = taken_back.saturating_sub(not_used);
        attribute_the_rest(&mut leaks, unused, taken_back);
        self.tell_leaks(&leaks);
        let [peak_on_heap, peak_off_heap] = peaks;
        let task = self.task();
        TaskEnd {
            task,
            released,
            taken_back,
            leaks,
            peak_on_heap,
            peak_off_heap,
        }
    }

    /// Who in the task uses memory now, a line each: Spark's `showMemoryUsage`, which logs it.
    #[must_use]
    pub fn show_memory_usage(&self) -> String {
        let (mut users, unused) = {
            let state = self.state.lock();
            (holdings(&state), state.unused)
        };
        let consumption = self.memory_consumption();
        attribute_the_rest(&mut users, unused, consumption);
        let snapshot = self.ledger().snapshot();
        let mut lines = vec![format!("{} uses {consumption} bytes", self.task())];
        lines.extend(users.iter().map(|user| format!("  {user}")));
        for (mode, pool) in [
            ("on-heap", snapshot.on_heap),
            ("off-heap", snapshot.off_heap),
        ] {
            let (execution, storage) = (pool.execution_used, pool.storage_used);
            lines.push(format!(
                "all tasks and blocks, {mode}: execution {execution} bytes, storage {storage} bytes"
            ));
        }
        lines.join("\n")
    }

    fn tell_leaks(&self, leaks: &[Holding]) {
        for leak in leaks {
            let consumer = match &leak.owner {
                Owner::Consumer(label) => Some(label.id.get()),
                Owner::Task | Owner::AcquiredButNotUsed | Owner::Unattributed => None,
            };
            self.tell(Event::Leak {
                task: self.task(),
                consumer,
                bytes: leak.bytes(),
            });
        }
    }
}

/// What each owner that is known has.
fn holdings(state: &State) -> Vec<Holding> {
    let mut holdings = Vec::new();
    for (id, record) in &state.records {
        if record.charged() == 0 {
            continue;
        }
        let owner = match *id {
            ConsumerId::TASK => Owner::Task,
            id => Owner::Consumer(state.label(id)),
        };
        let own_pages = || state.pages.pages().filter(|entry| entry.owner == *id);
        let page_bytes = own_pages().fold(0, |sum: u64, page| sum.saturating_add(page.bytes));
        let unpaged_bytes = record.count(Account::Unpaged);
        let workspace_bytes = record.count(Account::Workspace);
        let elsewhere = [page_bytes, unpaged_bytes, workspace_bytes];
        holdings.push(Holding {
            owner,
            pages: u64::try_from(own_pages().count()).unwrap_or(u64::MAX),
            page_bytes,
            regions: record.regions,
            unpaged_bytes,
            workspace_bytes,
            held_bytes: elsewhere
                .into_iter()
                .fold(record.charged(), u64::saturating_sub),
        });
    }
    holdings
}

/// Adds what belongs to no owner, so that the sum is `total`.
fn attribute_the_rest(holdings: &mut Vec<Holding>, unused: u64, total: u64) {
    if unused > 0 {
        holdings.push(Holding::of_bytes(Owner::AcquiredButNotUsed, unused));
    }
    let known = holdings
        .iter()
        .fold(0, |sum: u64, h| sum.saturating_add(h.bytes()));
    let rest = total.saturating_sub(known);
    if rest > 0 {
        holdings.push(Holding::of_bytes(Owner::Unattributed, rest));
    }
}

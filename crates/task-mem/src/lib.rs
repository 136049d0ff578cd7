//! One task's memory: its consumers and pages, who of them spills for whom, and what they leak.
//!
//! - [`TaskMemoryManager`] is made for each task, over a [`MemoryManager`](mem_policy::MemoryManager)
//!   that all tasks share.
//! - [`MemoryConsumer`] is who asks: for bytes ([`Held`], or
//!   [`Metered`] where they change often), for pages with a number ([`Page`]), or for
//!   regions beside the pages ([`Unpaged`]). All three are guards that give back when dropped. Each
//!   way of asking never waits, waits on its thread, or is a future.
//! - [`Spill`] and [`SelfSpill`] are what a consumer can do when the task runs short, and
//!   [`Spillable`] declares who may make it. What it needs for that it reserves with its first growth
//!   ([`ConsumerOptions::spill_workspace`]).
//! - [`MemoryError`] says why a request failed: a kill, a full disk, a missed deadline and a lack of
//!   memory are different [`Failure`]s.
//! - [`TaskMemoryManager::cleanup`] ends the task and reports what was left behind, by owner.
//! - [`raw`] has Spark's paired calls.
//!
//! It is not: a policy (who is granted how much is decided below), an allocator, or a place where
//! anything is written to disk. It knows no fractions and no files.
//!
//! # Who spills
//!
//! Exactly as in Spark 4.3: where the ledger grants too little, the consumers of the task that use
//! memory of that mode are asked one after the other; first the one whose use fits best, the
//! requester last; each until it gives nothing back any more. Where Hearth differs is how:
//!
//! - No lock is held while a consumer spills, an allocator works or the ledger waits. A consumer that
//!   is asking itself is nobody's victim, so it may hold its own lock while it asks and take the same
//!   lock in its [`Spill`], and no two consumers can block each other.
//! - A requester spills itself with a closure that comes with the request and may borrow its data
//!   mutably. A consumer that asks from inside its own spill is refused.
//! - What is spilled for a request is kept for it until it is answered.
//!
//! # Example
//!
//! A consumer that sorts numbers in 64 KiB, and writes a sorted run when they are full.
//!
//! ```
//! use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
//! use task_mem::*;
//!
//! struct Sorter {
//!     consumer: MemoryConsumer,
//!     pages: Vec<Page>,
//!     in_last: usize,
//!     runs: Vec<Vec<u64>>,
//! }
//!
//! impl Sorter {
//!     fn insert(&mut self, number: u64) -> Result<(), MemoryError> {
//!         if self.pages.last().is_none_or(|page| self.in_last == page.as_words().len()) {
//!             // The closure borrows everything but the consumer, which is asking.
//!             let Self { consumer, pages, in_last, runs } = self;
//!             let mut spill = |_need: u64| Ok(spill(pages, *in_last, runs));
//!             let page = consumer.allocate_page(8, &mut spill, &Wait::default())?;
//!             pages.push(page);
//!             *in_last = 0;
//!         }
//!         if let Some(page) = self.pages.last_mut() {
//!             page.as_mut_words()[self.in_last] = number;
//!             self.in_last += 1;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! /// Writes what is in the pages as a sorted run (here: to a vector) and frees them.
//! fn spill(pages: &mut Vec<Page>, in_last: usize, runs: &mut Vec<Vec<u64>>) -> u64 {
//!     let Some(last) = pages.pop() else { return 0 };
//!     let mut run: Vec<u64> = pages.iter().flat_map(Page::as_words).copied().collect();
//!     run.extend(&last.as_words()[..in_last]);
//!     run.sort_unstable();
//!     runs.push(run);
//!     pages.push(last);
//!     pages.drain(..).map(|page| page.bytes()).sum()
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = MemoryConfig::new()
//!     .with("spark.memory.offHeap.enabled", true)?
//!     .with("spark.memory.offHeap.size", "64k")?
//!     .with("spark.buffer.pageSize", "16k")?;
//! let manager = memory_manager(config.resolve(1)?, &ManagerOptions::default());
//! let task = TaskMemoryManager::new(manager, TaskId::new(1));
//! let consumer = task.register(ConsumerOptions::named("sorter"));
//!
//! let mut sorter = Sorter { consumer, pages: vec![], in_last: 0, runs: vec![] };
//! for number in 0..20_000 {
//!     sorter.insert(number * 7919 % 20_000)?;
//! }
//! // 8192 numbers fit; the third lot is still in memory, and accounted for.
//! assert_eq!(sorter.runs.len(), 2);
//! assert!(sorter.runs.iter().all(|run| run.len() == 8192 && run.is_sorted()));
//! assert_eq!(sorter.consumer.used(), 2 * 16 * 1024);
//!
//! // A page that outlives its task is a leak, with a name.
//! let end = task.cleanup();
//! assert_eq!(
//!     end.to_string(),
//!     "task 1 ended and left 32768 bytes behind; sorter: 32768 bytes, 2 pages of 32768",
//! );
//! drop(sorter);
//! assert_eq!(task.ledger().snapshot().off_heap.execution_used, 0);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod allocate;
mod asking;
mod charge;
mod consumer;
mod error;
mod face;
mod held;
mod manager;
mod metered;
mod page;
mod page_table;
pub mod raw;
mod record;
mod report;
mod request;
mod spill;
mod spilling;
mod state;
mod unpaged;
mod victims;
mod workspace;

pub use consumer::{ConsumerId, ConsumerOptions, MemoryConsumer};
pub use error::{ConsumerLabel, Failure, MemoryError};
pub use held::Held;
pub use manager::TaskMemoryManager;
pub use mem_pool::{CancelToken, TaskId, Wait};
pub use metered::Metered;
pub use page::Page;
pub use report::{Holding, Owner, TaskEnd};
pub use spill::{NoSpill, SelfSpill, Spill, SpillError, Spillable};
pub use unpaged::{Unpaged, UnpagedPart};
pub use workspace::WorkspaceBuffer;

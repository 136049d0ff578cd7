//! The memory ledger: who holds how many bytes, who waits for more, and who is handed them next.
//!
//! - [`Ledger`] is the one lock of the accounting. Its acquire core is offered as *try*, *blocking*
//!   and *future*; all three drive the same [`Ticket`].
//! - [`Reservation`] is granted memory as a value; [`raw`] has Spark's paired calls instead.
//! - [`LocalReservation`] is memory that grows and shrinks often: it draws on slack of its own, and
//!   comes to the lock only when that runs out or has to come back.
//! - [`Policy`] decides, [`Evictor`] evicts, [`Probe`] observes: traits defined here and
//!   implemented above.
//!
//! It is not: an allocator (it counts, and touches no memory), a cache, or a policy. It knows no
//! fractions and no configuration.
//!
//! # Example
//!
//! A policy of three lines over one fixed pool, and two tasks that share it by the 1/N rule.
//!
//! ```
//! use mem_block::MemoryMode::OnHeap;
//! use mem_pool::*;
//! use std::sync::Arc;
//!
//! #[derive(Debug)]
//! struct Fixed;
//! impl Policy for Fixed {
//!     fn decide(&self, books: &Books, request: &Request) -> Decision {
//!         let Want::Execution { task } = request.want else {
//!             return Decision::Refuse(Limit::Unsupported(books.mode()));
//!         };
//!         match books.execution().share(task, request.bytes, books.total()) {
//!             Share::Grant(bytes) => Decision::Grant(bytes),
//!             Share::Wait => Decision::Wait,
//!         }
//!     }
//!     fn reexamines(&self, _: Cause) -> bool { true }
//!     fn max_storage(&self, _: &Books) -> u64 { 0 }
//!     fn resize(&self, _: &Books, total: u64) -> Resize {
//!         Resize { storage_region: 0, storage_pool: 0, storage_floor: 0, execution_floor: 0 }
//!     }
//!     fn remedy(&self, _: mem_block::MemoryMode, _: Limit) -> &'static str { "the pool's size" }
//! }
//!
//! let sizes = PoolSizes { execution: 1000, ..PoolSizes::default() };
//! let options = LedgerOptions { on_heap: sizes, ..LedgerOptions::default() };
//! let ledger = Ledger::new(options, Arc::new(Fixed));
//!
//! let (one, two) = (TaskId::new(1), TaskId::new(2));
//! let mut mine = ledger.try_acquire(Ask::execution(one, OnHeap, 800))?;
//! // The second task is entitled to half; 200 bytes are less than half of that half, so a request
//! // for more would wait for its share. One that may not wait is refused, and says why.
//! let refusal = ledger.try_acquire(Ask::execution(two, OnHeap, 400)).unwrap_err();
//! assert!(matches!(refusal.reason(), Reason::WouldWait));
//! assert!(refusal.to_string().contains("task 1 with 800 bytes"));
//! // Once the first gives something back, it is granted.
//! mine.shrink_to(500);
//! let theirs = ledger.try_acquire(Ask::execution(two, OnHeap, 400))?;
//! assert_eq!(theirs.bytes(), 400);
//! drop((mine, theirs));
//! assert_eq!(ledger.snapshot().on_heap.execution_used, 0);
//! # Ok::<(), Refusal>(())
//! ```
#![forbid(unsafe_code)]

mod accounts;
mod answers;
mod books;
mod cancel;
mod changes;
mod credit;
mod deadlock;
mod evicting;
mod evictor;
mod exchange;
mod execution_pool;
mod faces;
mod helpers;
mod ledger;
mod limits;
mod local;
mod options;
mod policy;
mod probe;
pub mod raw;
mod refusal;
mod reservation;
mod slack;
mod snapshot;
mod state;
mod step;
mod storage_pool;
mod sum;
mod task;
mod ticket;
mod waiter;

pub use books::{Books, PoolSizes};
pub use cancel::CancelToken;
pub use credit::Credit;
pub use evictor::{EvictError, Eviction, Evictor};
pub use exchange::Exchange;
pub use execution_pool::{ExecutionMemoryPool, Share};
pub use faces::Acquire;
pub use ledger::Ledger;
pub use limits::LimitChange;
pub use local::{LocalReservation, LocalUse};
pub use options::{LedgerOptions, Wait};
pub use policy::{Cause, Decision, Limit, Policy, Request, Resize, Round, Shift, Want};
pub use probe::{Event, Kind, Probe, TracingProbe};
pub use refusal::{Reason, Refusal};
pub use reservation::{MergeError, Reservation};
pub use snapshot::{PoolSnapshot, Snapshot};
pub use state::Counters;
pub use step::{Action, ActionOutcome, LedgerStep, PoolLevels};
pub use storage_pool::StorageMemoryPool;
pub use task::{Dataset, TaskId};
pub use ticket::{Ask, Reclaim, Step, Ticket};

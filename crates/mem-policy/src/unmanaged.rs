//! Memory in use outside the ledger: who uses it says so, and it is counted against both pools.
//!
//! For components that manage memory of their own: native libraries, an embedded database. They are
//! asked how much they use ([`UnmanagedMemoryConsumer`]); the sum of a mode narrows what tasks and
//! blocks may have ([`Ledger::set_unmanaged`](mem_pool::Ledger::set_unmanaged)). It evicts and
//! spills nothing by itself.
//!
//! Spark's counterparts, since 4.1: `UnmanagedMemoryConsumer` and the polling thread of
//! `UnifiedMemoryManager`. There the registry and the thread are one for the JVM, and the interval of
//! the first manager that turns polling on holds for all. Here a registry is a value, and each
//! manager has a poller with the interval of its own configuration.
//!
//! ```
//! use mem_block::MemoryMode;
//! use mem_policy::unmanaged::{UnmanagedMemoryConsumer, UnmanagedMemoryConsumerId};
//! use mem_policy::unmanaged::{UnmanagedRegistry, UsageError};
//! use std::sync::Arc;
//!
//! #[derive(Debug)]
//! struct StateStore;
//!
//! impl UnmanagedMemoryConsumer for StateStore {
//!     fn id(&self) -> UnmanagedMemoryConsumerId {
//!         UnmanagedMemoryConsumerId::new("state store", "partition 7")
//!     }
//!     fn memory_mode(&self) -> MemoryMode {
//!         MemoryMode::OffHeap
//!     }
//!     fn mem_bytes_used(&self) -> Result<i64, UsageError> {
//!         Ok(200 << 20)
//!     }
//! }
//!
//! let registry = UnmanagedRegistry::new();
//! registry.register(Arc::new(StateStore));
//! assert_eq!(registry.poll().off_heap, 200 << 20);
//! ```

mod poller;
mod registry;
#[cfg(test)]
mod tests;

pub use poller::UnmanagedPoller;
pub use registry::{
    UnmanagedMemoryConsumer, UnmanagedMemoryConsumerId, UnmanagedRegistry, UnmanagedTotals,
    UsageError,
};

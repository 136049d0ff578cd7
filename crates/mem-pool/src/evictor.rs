//! Evicting: what the ledger asks of whoever keeps the cached blocks.

use std::error::Error;
use std::fmt;

use mem_block::MemoryMode;

use crate::task::Dataset;

/// Keeps blocks in storage memory and can drop some. Implemented above, by the block store.
///
/// None of these methods is called while a lock of Hearth's ledger is held.
pub trait Evictor: Send + Sync {
    /// Selects and marks blocks of `mode` worth at least `need` bytes, least recently used first,
    /// sparing those of the dataset `spare`. `None` where they do not reach `need`: nothing is
    /// marked then. Must not release storage memory: the ledger does when the eviction is over.
    fn select(
        &self,
        need: u64,
        mode: MemoryMode,
        spare: Option<Dataset>,
    ) -> Option<Box<dyn Eviction>>;

    /// Unroll memory held now, in bytes, both modes together.
    fn unrolling(&self) -> u64;
}

/// Blocks that are marked to be evicted. Dropping it without [`run`](Self::run) un-marks them.
pub trait Eviction: Send {
    /// Drops the blocks, writing them to disk where their level says so. Returns the bytes of
    /// storage memory that they held, whole blocks, which the ledger then takes back.
    ///
    /// # Errors
    /// [`EvictError`] where a block could not be dropped; it says how many bytes were freed before.
    fn run(self: Box<Self>) -> Result<u64, EvictError>;
}

/// An eviction that stopped half-way.
#[derive(Debug)]
pub struct EvictError {
    /// Bytes freed before it stopped.
    pub freed: u64,
    /// Why it stopped.
    pub source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for EvictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "evicting blocks failed after {} bytes: {}",
            self.freed, self.source
        )
    }
}

impl Error for EvictError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

//! Memory beside pages: regions that are charged to the task and reported with it, but are in no
//! page table and are never spilled.

use mem_block::{BlockPart, MemoryBlock, MemoryLocation, MemoryMode};

use crate::charge::{Account, Charge};
use crate::consumer::ConsumerId;
use crate::error::{Failure, MemoryError};
use crate::request::Request;
use crate::spill::SelfSpill;

/// A region for a fixed purpose, such as a buffer that is handed to code outside. Dropped, it goes
/// back.
///
/// It is charged to the ledger of the mode that it really lives in. Asking for one may make others
/// spill; the region itself never is. Spark has none: its `TaskMemoryManager` lost them in 1.6.
#[derive(Debug)]
#[must_use = "dropping the region frees it"]
pub struct Unpaged {
    // Freed before its bytes are granted to somebody else.
    block: MemoryBlock,
    charge: Counted,
}

/// What was charged for a region, counted as one of its task until it is given back.
#[derive(Debug)]
struct Counted(Charge);

/// A part of a region, with an owner of its own. The last part frees the region.
#[derive(Debug)]
#[must_use = "dropping it gives it up"]
pub struct UnpagedPart(BlockPart<Counted>);

impl Unpaged {
    /// Its size in bytes, exactly as asked for.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.block.len()
    }

    /// Which kind of memory it is.
    #[must_use]
    pub fn mode(&self) -> MemoryMode {
        self.block.mode()
    }

    /// The consumer it is charged to, or [`ConsumerId::TASK`].
    #[must_use]
    pub fn owner(&self) -> ConsumerId {
        self.charge.0.owner
    }

    /// Where it starts.
    #[must_use]
    pub fn location(&self) -> MemoryLocation {
        self.block.location()
    }

    /// Its bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.block.as_slice()
    }

    /// Its bytes, for writing.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.block.as_mut_slice()
    }

    /// Cuts it into parts of so many bytes each, one behind the other.
    ///
    /// # Panics
    /// Where they have more bytes than it.
    pub fn into_parts(self, lens: impl IntoIterator<Item = u64>) -> Vec<UnpagedPart> {
        let parts = self.block.into_parts(lens, self.charge);
        parts.into_iter().map(UnpagedPart).collect()
    }

    fn new(block: MemoryBlock, charge: Charge) -> Self {
        charge.task().count_region(&charge, true);
        let charge = Counted(charge);
        Self { block, charge }
    }
}

impl AsRef<[u8]> for Unpaged {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsMut<[u8]> for Unpaged {
    fn as_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl From<Unpaged> for UnpagedPart {
    /// All of it.
    fn from(whole: Unpaged) -> Self {
        let len = whole.bytes();
        let mut parts = whole.into_parts([len]);
        parts.pop().expect("it was cut into one")
    }
}

impl AsRef<[u8]> for UnpagedPart {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl AsMut<[u8]> for UnpagedPart {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        self.0.as_mut()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.task().count_region(&self.0, false);
    }
}

impl<S: SelfSpill + ?Sized> Request<'_, S> {
    /// A region of exactly `bytes`. A short grant is of no use for it, and is given back.
    pub(crate) async fn allocate_unpaged(&mut self, bytes: u64) -> Result<Unpaged, MemoryError> {
        let charge = self.acquire(bytes, Account::Unpaged).await?;
        let got = charge.bytes();
        if got < bytes {
            return Err(self.out_of_memory(bytes, got, None).into());
        }
        loop {
            let error = match self.task.allocator(self.mode).allocate(bytes) {
                Ok(block) => return Ok(Unpaged::new(block, charge)),
                Err(error) => error,
            };
            if self.recover(bytes)? == 0 {
                return Err(self.out_of_memory(bytes, 0, Some(error)).into());
            }
        }
    }

    /// Explains itself while what was granted is still held.
    pub(crate) fn out_of_memory(
        &self,
        required: u64,
        got: u64,
        allocator: Option<mem_block::AllocError>,
    ) -> Failure {
        let refusal = self.task.ledger().explain_short(self.ask(required));
        Failure::OutOfMemory {
            required,
            got,
            refusal,
            allocator,
        }
    }
}

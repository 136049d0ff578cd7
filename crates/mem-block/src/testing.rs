//! An allocator that fails when told to, for tests of what is above.

use crate::{AllocError, AllocatorStats, MemoryAllocator, MemoryBlock, MemoryMode};
use mem_sync::Mutex;
use std::{io, sync::Arc};

/// Passes everything on to another allocator, and answers some allocations with
/// [`AllocError::Refused`] instead, as if the machine had no memory left.
#[derive(Debug)]
pub struct FailingAllocator {
    inner: Arc<dyn MemoryAllocator>,
    faults: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    next: u64,
    always: bool,
    random: Option<Random>,
    failed: u64,
}

#[derive(Debug)]
struct Random {
    state: u64,
    per_mille: u64,
}

impl FailingAllocator {
    /// Fails nothing until it is told to.
    pub fn new(inner: Arc<dyn MemoryAllocator>) -> Arc<Self> {
        let faults = Mutex::new(Faults::default());
        Arc::new(Self { inner, faults })
    }

    /// The next `count` allocations fail, whatever was left of an earlier count.
    pub fn fail_next(&self, count: u64) {
        self.faults.lock().next = count;
    }

    /// Every allocation fails, or only those that fail for another reason.
    pub fn fail_always(&self, always: bool) {
        self.faults.lock().always = always;
    }

    /// Of 1000 allocations about `per_mille` fail: the same ones for the same seed.
    pub fn fail_at_random(&self, seed: u64, per_mille: u32) {
        self.faults.lock().random = Some(Random {
            state: seed,
            per_mille: u64::from(per_mille),
        });
    }

    /// Allocations that were made to fail so far.
    pub fn failed(&self) -> u64 {
        self.faults.lock().failed
    }

    fn fault(&self, size: u64) -> Result<(), AllocError> {
        if !self.faults.lock().strikes() {
            return Ok(());
        }
        Err(AllocError::Refused {
            mode: self.mode(),
            size,
            kind: io::ErrorKind::OutOfMemory,
        })
    }
}

impl Faults {
    fn strikes(&mut self) -> bool {
        let counted = self.next > 0;
        self.next = self.next.saturating_sub(1);
        let random = self.random.as_mut().is_some_and(Random::strikes);
        let strikes = counted || random || self.always;
        self.failed += u64::from(strikes);
        strikes
    }
}

impl Random {
    /// SplitMix64: a step of the state and three rounds of mixing.
    fn strikes(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 1000 < self.per_mille
    }
}

impl MemoryAllocator for FailingAllocator {
    fn mode(&self) -> MemoryMode {
        self.inner.mode()
    }

    fn allocate(&self, size: u64) -> Result<MemoryBlock, AllocError> {
        self.fault(size)?;
        self.inner.allocate(size)
    }

    fn allocate_zeroed(&self, size: u64) -> Result<MemoryBlock, AllocError> {
        self.fault(size)?;
        self.inner.allocate_zeroed(size)
    }

    fn good_size(&self, size: u64) -> u64 {
        self.inner.good_size(size)
    }

    fn trim(&self, bytes: u64) -> u64 {
        self.inner.trim(bytes)
    }

    fn set_limit(&self, bytes: u64) {
        self.inner.set_limit(bytes);
    }

    fn stats(&self) -> AllocatorStats {
        self.inner.stats()
    }
}

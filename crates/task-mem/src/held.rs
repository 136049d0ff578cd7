//! Memory that a consumer holds, as a value.

use mem_block::MemoryMode;

use crate::charge::Charge;
use crate::consumer::ConsumerId;

/// Bytes that a consumer acquired and uses. Dropped, they go back, and the consumer's `used` falls.
///
/// Spark's counterpart is a number that `acquireMemory` returned and `freeMemory` has to be told.
#[derive(Debug)]
#[must_use = "dropping it gives the memory back"]
pub struct Held {
    charge: Charge,
}

impl Held {
    pub(crate) fn new(charge: Charge) -> Self {
        Self { charge }
    }

    pub(crate) fn into_charge(self) -> Charge {
        self.charge
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.charge.bytes()
    }

    /// Their mode.
    #[must_use]
    pub fn mode(&self) -> MemoryMode {
        self.charge.mode
    }

    /// The consumer that holds them.
    #[must_use]
    pub fn consumer(&self) -> ConsumerId {
        self.charge.owner
    }

    /// Takes `bytes` of it, at most all, into a guard of their own.
    pub fn split(&mut self, bytes: u64) -> Self {
        Self {
            charge: self.charge.split(bytes),
        }
    }

    /// Adds `other` to it.
    ///
    /// # Errors
    /// `other`, unchanged, where it belongs to another consumer, or only one of the two is from
    /// before a clean-up of the task.
    pub fn merge(&mut self, other: Self) -> Result<(), Self> {
        if self.charge.is_like(&other.charge) {
            self.charge.merge(other.charge);
            Ok(())
        } else {
            Err(other)
        }
    }

    /// Gives back all but `bytes`; does nothing where it holds no more.
    pub fn shrink_to(&mut self, bytes: u64) {
        self.charge.shrink_to(bytes);
    }

    /// Gives up the guard and leaves the bytes with the consumer, to be given back by
    /// [`raw::free_memory`](crate::raw::free_memory) or at the task's end. Returns how many they are.
    pub fn leave(self) -> u64 {
        self.charge.forget()
    }
}

//! Memory that is used without having been granted, where there is no way to refuse: counted apart.

use std::sync::Arc;

use mem_sync::atomic::{AtomicU64, Ordering};

/// Counts the bytes of [`Overdrawn`] memory that is there now. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overdraft(Arc<AtomicU64>);

impl Overdraft {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// `size` bytes of the process's heap.
    pub(crate) fn draw(&self, size: usize) -> Overdrawn {
        self.0.fetch_add(length(size), Ordering::Relaxed);
        Overdrawn {
            bytes: vec![0; size],
            sum: self.clone(),
        }
    }
}

/// Bytes of the process's heap that nobody granted.
#[derive(Debug)]
pub(crate) struct Overdrawn {
    bytes: Vec<u8>,
    sum: Overdraft,
}

impl AsRef<[u8]> for Overdrawn {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Overdrawn {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Overdrawn {
    fn drop(&mut self) {
        self.sum
            .0
            .fetch_sub(length(self.bytes.len()), Ordering::Relaxed);
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a length fits 64 bits")
}

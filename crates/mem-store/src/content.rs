//! What a block's memory holds, together with the reservation that pays for it.

mod gate;

use std::io::{self, Write};
use std::sync::{Arc, Weak};

use mem_block::{SlabArc, Span};
use mem_pool::Reservation;
use mem_sync::atomic::{AtomicU64, Ordering};

use crate::block::Block;
use crate::block_id::BlockId;
use crate::bytes::ChunkedBytes;
use crate::error::Form;
use crate::queue::Stamp;
use crate::values::StoredValues;
use gate::Gate;

/// A block's bytes or values.
///
/// What it is comes before it, and not in some corner of it where there is room: a get looks at both.
#[derive(Debug)]
#[repr(u8)]
pub(crate) enum Data {
    Bytes(ChunkedBytes),
    Values(Box<dyn StoredValues>),
}

impl Default for Data {
    fn default() -> Self {
        Self::Bytes(ChunkedBytes::default())
    }
}

impl Data {
    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Bytes(_) => Form::Serialized,
            Self::Values(_) => Form::Deserialized,
        }
    }

    /// Where the bytes are, or the first piece of them; nowhere in particular for values.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Bytes(bytes) => bytes.chunks().next().map(Span::of).unwrap_or_default(),
            Self::Values(_) => Span::default(),
        }
    }

    pub(crate) fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => bytes.write_to(out),
            Self::Values(values) => values.write_to(out),
        }
    }
}

/// A block in memory. Readers share it; whoever drops it last frees the memory and then gives the
/// reservation back, in the order of the fields, so that nothing is counted as free while it is not.
///
/// What a get needs comes first, in one line of the processor's cache with the counts of the `SlabArc`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Content {
    /// Those who got it, but for those who hold the block's lock.
    pub(crate) gate: Gate,
    /// When it was last used.
    used: AtomicU64,
    pub(crate) data: Data,
    /// What it costs, in bytes; the reservation has as many.
    pub(crate) size: u64,
    reservation: Reservation,
    /// What it is the content of.
    pub(crate) id: BlockId,
    pub(crate) block: Weak<Block>,
}

impl Content {
    #[inline]
    pub(crate) fn new(block: &Arc<Block>, data: Data, reservation: Reservation) -> SlabArc<Self> {
        SlabArc::new(Self {
            gate: Gate::default(),
            used: AtomicU64::new(0),
            data,
            size: reservation.bytes(),
            reservation,
            id: block.id.clone(),
            block: Arc::downgrade(block),
        })
    }

    /// When it was last used.
    pub(crate) fn used(&self) -> Stamp {
        self.used.load(Ordering::Acquire)
    }

    /// It is used now. The stamp is taken and left under the table's mutex, so that none gives way to an
    /// earlier one; or before anybody knows of the content.
    pub(crate) fn touch(&self, now: Stamp) {
        self.used.store(now, Ordering::Release);
    }

    /// Becomes the content of `block`, used at `stamp`, of the same size and paid for by the same
    /// reservation; `make` makes what it holds now of what it held.
    #[inline]
    pub(crate) fn renew<E>(
        &mut self,
        block: &Arc<Block>,
        stamp: Stamp,
        make: impl FnOnce(&mut Data) -> Result<(), E>,
    ) -> Result<(), E> {
        make(&mut self.data)?;
        self.gate = Gate::default();
        self.used = AtomicU64::new(stamp);
        self.id = block.id.clone();
        self.block = Arc::downgrade(block);
        Ok(())
    }

    /// What it costs.
    pub(crate) fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// What it is made of: the memory, and what paid for it. The memory goes first.
    #[inline]
    pub(crate) fn into_parts(self) -> (Data, Reservation) {
        (self.data, self.reservation)
    }
}

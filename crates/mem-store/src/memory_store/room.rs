//! Room for a block whose size is known: granted by the ledger, or taken over from a block of the same
//! size that goes for it.

use mem_pool::{Ask, Reservation};

use super::evict::alone;
use super::not_enough;
use crate::block::Block;
use crate::bytes::BytesBuilder;
use crate::content::{Content, Data};
use crate::error::StoreError;
use crate::memory_store::MemoryStore;

/// Storage memory for a block.
pub(super) struct Room {
    /// What the block before held: memory that is paid for by `reservation` already. It goes first.
    memory: Option<Data>,
    reservation: Reservation,
}

impl Room {
    /// What pays for it, where the memory is the caller's own: that of the block before is freed.
    #[inline]
    pub(super) fn into_reservation(self) -> Reservation {
        drop(self.memory);
        self.reservation
    }
}

impl MemoryStore {
    /// Storage memory for a block, or `None` where there is not enough. May evict.
    pub(super) fn room_for(&self, block: &Block, size: u64) -> Result<Option<Room>, StoreError> {
        let ask = Ask::storage(block.mode, size, block.id.dataset());
        if let Some(room) = self.take_over(&ask, block) {
            return Ok(Some(room));
        }
        match self.ledger().try_acquire(ask) {
            Ok(reservation) => Ok(Some(Room {
                memory: None,
                reservation,
            })),
            Err(refusal) => not_enough(&block.id, refusal).map(|()| None),
        }
    }

    /// The short way to room where storage is full: the least recently used block that may go, goes, as
    /// it would on the long way, and leaves what it held to the new one. `None` where that is not
    /// just what the long way would come to, or can't be done at once; nothing has happened then but
    /// what may happen at any time, that a block was looked at and stayed.
    ///
    /// The ledger says when the long way would ask for one eviction of just `size` bytes. That the
    /// ledger does not see the block leave is of no account where leaving takes no time.
    #[inline]
    fn take_over(&self, ask: &Ask, asker: &Block) -> Option<Room> {
        let exchange = self.ledger().exchange(ask)?;
        let handler = &*self.options.drop_handler;
        if !handler.only_forgets() {
            return None;
        }
        let blocks = &self.infos.blocks;
        let (victim, content) = blocks.take_one(ask.bytes(), asker.mode, asker.id.dataset())?;
        let left = alone(content).map(Content::into_parts);
        handler.dropped(&victim.id);
        let (data, reservation) = left?;
        match exchange.complete(reservation) {
            Ok(reservation) => Some(Room {
                memory: Some(data),
                reservation,
            }),
            Err(reservation) => {
                drop(data);
                drop(reservation);
                None
            }
        }
    }

    /// The memory for `size` bytes of `block` that are paid for: that of the block before, if it fits.
    #[inline]
    pub(super) fn exact_bytes(
        &self,
        block: &Block,
        size: u64,
        room: &mut Room,
    ) -> Result<BytesBuilder, StoreError> {
        if let Some(Data::Bytes(bytes)) = room.memory.take()
            && let Ok(builder) = BytesBuilder::renewed(bytes)
        {
            return Ok(builder);
        }
        let builder = BytesBuilder::exact(&**self.allocator(block.mode), size);
        builder.map_err(|source| StoreError::Alloc {
            block: block.id.clone(),
            source,
        })
    }
}

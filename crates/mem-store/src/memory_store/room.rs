//! Room for a block whose size is known: granted by the ledger, or taken over from a block of the same
//! size that goes for it.

use std::sync::Arc;

use mem_block::SlabArc;
use mem_pool::Ask;

use super::evict::wait_alone;
use super::not_enough;
use crate::block::Block;
use crate::blocks::{Left, Queueing};
use crate::bytes::BytesBuilder;
use crate::content::{Content, Data};
use crate::error::StoreError;
use crate::memory_store::MemoryStore;
use crate::queue::Stamp;

impl MemoryStore {
    /// Storage memory for a block with what `make` puts there, or `None` where there is not enough. May
    /// evict. What `make` finds there is what the block before held, in memory that is paid for, or nothing.
    #[inline]
    pub(super) fn make_content(
        &self,
        block: &Arc<Block>,
        size: u64,
        queueing: Queueing,
        make: impl FnOnce(&mut Data) -> Result<(), StoreError>,
    ) -> Result<Option<SlabArc<Content>>, StoreError> {
        let ask = Ask::storage(block.mode, size, block.id.dataset());
        if let Some((mut content, stamp)) = self.take_over(&ask, block, queueing)
            && let Some(own) = SlabArc::get_mut(&mut content)
        {
            own.renew(block, stamp, make)?;
            return Ok(Some(content));
        }
        match self.ledger().try_acquire(ask) {
            Ok(reservation) => {
                let mut data = Data::default();
                make(&mut data)?;
                Ok(Some(Content::new(block, data, reservation)))
            }
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
    fn take_over(
        &self,
        ask: &Ask,
        asker: &Arc<Block>,
        queueing: Queueing,
    ) -> Option<(SlabArc<Content>, Stamp)> {
        let exchange = self.ledger().exchange(ask)?;
        let handler = &*self.options.drop_handler;
        if !handler.only_forgets() {
            return None;
        }
        let blocks = &self.infos.blocks;
        let Left {
            victim,
            content,
            stamp,
        } = blocks.take_one(ask.bytes(), asker, queueing)?;
        wait_alone(&content);
        handler.dropped(&victim.id);
        let is_alone = SlabArc::strong_count(&content) == 1 && SlabArc::weak_count(&content) == 0;
        if is_alone && exchange.complete(content.reservation()) {
            return Some((content, stamp));
        }
        // On the long way it is in the queue when it is complete.
        blocks.change(asker, |_| ());
        None
    }

    /// The memory for `size` bytes of `block` that are paid for: that of the block before, if it fits.
    #[inline]
    pub(super) fn exact_bytes(
        &self,
        block: &Block,
        size: u64,
        before: &mut Data,
    ) -> Result<BytesBuilder, StoreError> {
        if let Data::Bytes(bytes) = before
            && let Some(builder) = BytesBuilder::renewed(bytes)
        {
            return Ok(builder);
        }
        *before = Data::default();
        let builder = BytesBuilder::exact(&**self.allocator(block.mode), size);
        builder.map_err(|source| StoreError::Alloc {
            block: block.id.clone(),
            source,
        })
    }
}

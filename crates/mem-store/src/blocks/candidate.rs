//! Blocks that may be evicted, as the queue has them.

use std::sync::{Arc, Weak};

use mem_block::{MemoryMode, Span};
use mem_pool::Dataset;

use crate::block::{Block, State};
use crate::content::Content;
use crate::info_manager::BlockInfoManager;
use crate::queue::{EvictionQueue, Place, Queued, Stamp};

/// A block in the queue.
#[derive(Debug)]
pub(super) struct Candidate {
    block: Arc<Block>,
    /// What whoever evicts it goes to next, by way of the block: where it is in memory.
    content: Span,
    /// Its bytes, which the block that takes over from it is written to.
    bytes: Span,
}

impl Candidate {
    /// It is likely to be evicted next, and nobody has looked at it for long: brings it into the
    /// processor's cache while others do their work.
    fn fetch(&self) {
        Span::of(&*self.block).fetch();
        self.content.fetch();
        self.bytes.fetch();
    }
}

pub(super) type Candidates = EvictionQueue<Candidate>;

/// What became of the oldest in the queue.
pub(super) enum Look<H, L> {
    /// It leaves.
    Leaves {
        block: Arc<Block>,
        bytes: u64,
        left: L,
        held: H,
    },
    /// It was used since it got its place, or is being read: it has another place, or none.
    PassedOver,
    /// There is none, or none of the size wanted.
    Nothing,
}

/// Takes the oldest block of `mode` that is not of the dataset `spare` out of the queue at `home`, and has
/// it `leave` if it may, while what `hold` gives is held. Where a size is wanted, only one of that size.
#[inline]
pub(super) fn dismiss_oldest<H, L>(
    queue: &mut Candidates,
    home: &Weak<BlockInfoManager>,
    mode: MemoryMode,
    spare: Option<Dataset>,
    wanted: Option<u64>,
    hold: impl FnOnce(&Block) -> H,
    leave: impl FnOnce(&mut State) -> Option<L>,
) -> Look<H, L> {
    let Some((stamp, Queued { block, bytes })) = queue.take_oldest(mode, spare, wanted) else {
        return Look::Nothing;
    };
    let block = block.block;
    if let Some(next) = queue.first_of(mode, block.id.dataset()) {
        next.block.fetch();
    }
    let held = hold(&block);
    let mut state = block.state.lock();
    state.queued = None;
    let used = state.memory.as_ref().map(|content| content.used());
    let may_leave = state.is_evictable() && used == Some(stamp) && !state.is_got();
    if may_leave && let Some(left) = leave(&mut state) {
        drop(state);
        return Look::Leaves {
            block,
            bytes,
            left,
            held,
        };
    }
    // Used since, it goes further back. With readers it comes back when they leave.
    let is_out = used == Some(stamp) && state.is_got();
    state.out_of = is_out.then(|| Weak::clone(home));
    enqueue(queue, &block, &mut state);
    drop(state);
    Look::PassedOver
}

/// Adds a block that is not in the queue to it, if it belongs there.
pub(super) fn enqueue(queue: &mut Candidates, block: &Arc<Block>, state: &mut State) {
    if !state.is_evictable() {
        return;
    }
    if let Some(content) = &state.memory {
        state.queued = Some(insert(queue, block, content, content.used()));
    }
}

/// Adds a block that has `content` in memory, or will have it, and was last used at `used`.
#[inline]
pub(super) fn insert(
    queue: &mut Candidates,
    block: &Arc<Block>,
    content: &Content,
    used: Stamp,
) -> Place {
    let queued = Queued {
        block: Candidate {
            block: Arc::clone(block),
            content: Span::of(content),
            bytes: content.data.span(),
        },
        bytes: content.size,
    };
    queue.insert(block.mode, block.id.dataset(), used, queued)
}

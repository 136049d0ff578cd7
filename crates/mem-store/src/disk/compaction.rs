//! Giving space on disk back: blocks move out of files of which little is left.
//!
//! Removed blocks leave holes, and a file's space is free only when all its blocks are gone. So once
//! more than half of what is on disk is dead, writers move the blocks of the emptiest file, a few
//! each time, so that no write takes much longer than the others. A file that is at most half in use
//! gives back at least what is moved.

use std::sync::{Arc, OnceLock, Weak};

use mem_sync::Mutex;
use mem_sync::atomic::{AtomicBool, Ordering};

use super::files::FileSpace;
use super::{DiskCopy, DiskStore};
use crate::block::Block;
use crate::block_id::BlockId;
use crate::info_manager::BlockInfoManager;

/// How many bytes are moved for each byte written.
const PACE: u64 = 2;

/// A file that is being emptied.
#[derive(Debug)]
struct Evacuation {
    space: Arc<FileSpace>,
    left: Vec<BlockId>,
}

/// Which blocks there are, and how far the emptying of a file has come.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    infos: OnceLock<Weak<BlockInfoManager>>,
    /// Set while somebody is at it.
    busy: AtomicBool,
    evacuation: Mutex<Option<Evacuation>>,
}

impl DiskStore {
    /// From now on blocks are found by their names in `infos`, and moved.
    pub(crate) fn compact(&self, infos: &Arc<BlockInfoManager>) {
        // Set once, by the one block manager that the disk is made for.
        self.compaction.infos.get_or_init(|| Arc::downgrade(infos));
    }

    /// Moves some blocks, after `written` bytes were written, if there is much to gain.
    pub(super) fn make_space(self: &Arc<Self>, written: u64) {
        let infos = self.compaction.infos.get().and_then(Weak::upgrade);
        let Some(infos) = infos else { return };
        if self.compaction.busy.swap(true, Ordering::Acquire) {
            return;
        }
        let begun = self.compaction.evacuation.lock().take();
        let evacuation = match begun {
            None if self.files.are_wasteful() => {
                self.files.take_emptiest().map(|space| Evacuation {
                    left: space.take_blocks(),
                    space,
                })
            }
            begun => begun,
        };
        if let Some(mut evacuation) = evacuation {
            let budget = written.saturating_mul(PACE).max(1);
            self.evacuate(&mut evacuation, &infos, budget);
            if !evacuation.left.is_empty() {
                *self.compaction.evacuation.lock() = Some(evacuation);
            }
        }
        self.compaction.busy.store(false, Ordering::Release);
    }

    fn evacuate(
        self: &Arc<Self>,
        evacuation: &mut Evacuation,
        infos: &BlockInfoManager,
        budget: u64,
    ) {
        let mut moved = 0_u64;
        while moved < budget
            && let Some(id) = evacuation.left.pop()
        {
            let Some(block) = infos.blocks.find(&id) else {
                continue;
            };
            let copy = block.state.lock().disk.clone();
            let is_here = |copy: &DiskCopy| Arc::ptr_eq(&copy.stored.space, &evacuation.space);
            if let Some(copy) = copy.filter(is_here) {
                moved = moved.saturating_add(copy.stored_bytes());
                self.relocate(&block, &copy);
            }
        }
    }

    /// Moves a block. Where it can't be read or written it stays where it is, and whoever gets it finds
    /// out why.
    fn relocate(self: &Arc<Self>, block: &Block, copy: &DiskCopy) {
        let moved = self.write_copy(&block.id, |out| {
            let mut reader = self.read(copy)?;
            std::io::copy(&mut reader, out).map(|_| ())
        });
        let Ok(moved) = moved else { return };
        let unwanted = {
            let mut state = block.state.lock();
            let is_same = |now: &DiskCopy| Arc::ptr_eq(&now.stored, &copy.stored);
            if state.disk.as_ref().is_some_and(is_same) {
                state.disk.replace(moved)
            } else {
                Some(moved)
            }
        };
        // Dropping a copy can delete a file.
        drop(unwanted);
    }
}

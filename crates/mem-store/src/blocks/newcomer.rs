//! A block on its way into memory, in one step of the store's: no task's list has its lock.

use std::sync::Arc;

use super::Blocks;
use crate::block::{Block, LockKind};
use crate::content::Content;
use crate::error::StoreError;

/// A registered block, locked for writing, which is given up where this is dropped before it is complete.
#[derive(Debug)]
#[must_use = "dropping it gives the block up"]
pub(crate) struct Newcomer<'a> {
    blocks: &'a Blocks,
    /// There until it is complete.
    block: Option<Arc<Block>>,
}

impl<'a> Newcomer<'a> {
    /// For a block that was registered just now.
    pub(crate) fn new(blocks: &'a Blocks, block: Arc<Block>) -> Self {
        let block = Some(block);
        Self { blocks, block }
    }

    pub(crate) fn block(&self) -> &Arc<Block> {
        self.block.as_ref().expect("it is there until complete")
    }

    /// Makes it an entry, which counts as used now, and lets it go.
    ///
    /// # Errors
    /// Where it was removed meanwhile.
    pub(crate) fn complete(mut self, content: Arc<Content>) -> Result<(), StoreError> {
        let completed = self.blocks.complete(self.block(), content);
        match completed {
            Ok(()) => {
                self.block = None;
                Ok(())
            }
            Err(_content) => Err(StoreError::Removed {
                block: self.block().id.clone(),
            }),
        }
    }
}

impl Drop for Newcomer<'_> {
    fn drop(&mut self) {
        if let Some(block) = &self.block {
            self.blocks
                .change(block, |state| state.exit(LockKind::Write));
        }
    }
}

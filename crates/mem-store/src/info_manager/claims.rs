//! Which locks each task holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use mem_pool::TaskId;
use rustc_hash::FxHashMap;

use crate::block::{Block, LockKind};
use crate::block_id::BlockId;

type Claim = (Arc<Block>, LockKind);

/// Locks by task, each under a number of its own. A lock whose claim is gone is not held any more.
#[derive(Debug, Default)]
pub(super) struct Claims {
    next: u64,
    by_task: FxHashMap<TaskId, BTreeMap<u64, Claim>>,
}

impl Claims {
    pub(super) fn add(&mut self, task: TaskId, block: Arc<Block>, kind: LockKind) -> u64 {
        let number = self.next;
        // 2^64 locks are never taken.
        self.next = number.wrapping_add(1);
        self.by_task
            .entry(task)
            .or_default()
            .insert(number, (block, kind));
        number
    }

    pub(super) fn remove(&mut self, task: TaskId, number: u64) -> Option<Claim> {
        let claims = self.by_task.get_mut(&task)?;
        let claim = claims.remove(&number);
        if claims.is_empty() {
            self.by_task.remove(&task);
        }
        claim
    }

    /// A writer becomes a reader; false where its lock is not held any more.
    pub(super) fn downgrade(&mut self, task: TaskId, number: u64) -> bool {
        let claims = self.by_task.get_mut(&task);
        let claim = claims.and_then(|claims| claims.get_mut(&number));
        if let Some((_, kind)) = claim {
            *kind = LockKind::Read;
            return true;
        }
        false
    }

    pub(super) fn of(&self, task: TaskId) -> Vec<(BlockId, LockKind)> {
        let claims = self
            .by_task
            .get(&task)
            .into_iter()
            .flat_map(BTreeMap::values);
        claims
            .map(|(block, kind)| (block.id.clone(), *kind))
            .collect()
    }

    pub(super) fn take_all(&mut self, task: TaskId) -> Vec<Claim> {
        let claims = self.by_task.remove(&task).unwrap_or_default();
        claims.into_values().collect()
    }
}

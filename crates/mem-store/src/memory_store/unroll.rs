//! Unrolling: taking values from an iterator while memory for them can be had.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{Reservation, TaskId};

use super::put::TaskContext;
use crate::block::Block;
use crate::block_id::BlockId;
use crate::content::Data;
use crate::error::StoreError;
use crate::memory_store::MemoryStore;

/// What a block's values are collected in. Spark's counterpart: `ValuesHolder`.
pub(super) trait Unrolled<T> {
    /// Adds a value; gives it back where the allocator has no memory for it.
    fn store(&mut self, value: T, block: &BlockId) -> Result<Option<T>, StoreError>;

    /// Now so many bytes are granted for it in all.
    fn granted(&mut self, bytes: u64);

    /// What it costs so far, in bytes.
    fn estimate(&mut self) -> u64;

    /// What the finished block costs, in bytes.
    fn precise(&mut self) -> u64;

    /// The finished block.
    fn finish(self, block: &BlockId) -> Result<Data, StoreError>;
}

pub(super) enum Outcome<T> {
    /// All values are in, and cost `size` bytes; the task holds at least as many in `used`.
    Whole { used: UsedUnroll, size: u64 },
    /// Not all are. One may be in hand that is neither in nor in the iterator any more. The task holds
    /// `used` bytes of unroll memory for what is in.
    Partial { head: Option<T>, used: u64 },
}

/// Unroll memory of a task that one block uses; released on drop.
#[derive(Debug)]
pub(super) struct UsedUnroll {
    store: Arc<MemoryStore>,
    task: Option<TaskId>,
    mode: MemoryMode,
    bytes: u64,
}

impl UsedUnroll {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Leaves the memory with its task. Returns how much it is.
    fn leave(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    fn add(&mut self, bytes: u64) {
        // Granted bytes: their sum fits.
        self.bytes += bytes;
    }
}

impl Drop for UsedUnroll {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let store = &self.store;
            store.release_unroll_for_task(self.task, self.mode, self.bytes);
        }
    }
}

impl MemoryStore {
    /// Acquires unroll memory for `task`, or for nobody; false where there is not enough. May evict
    /// blocks, but not those of the dataset of `block`. Spark: `reserveUnrollMemoryForThisTask`.
    ///
    /// # Errors
    /// [`StoreError::InvalidBytes`] for a negative number, [`StoreError::Unsupported`],
    /// [`StoreError::Evict`].
    pub fn reserve_unroll_for_task(
        &self,
        block: &BlockId,
        task: Option<TaskId>,
        mode: MemoryMode,
        bytes: i64,
    ) -> Result<bool, StoreError> {
        // Whether there is such memory at all is looked at before the sign, as in Spark's static
        // manager, and asking for nothing tells.
        let positive = u64::try_from(bytes);
        let acquired = self.acquire_unroll(block, mode, *positive.as_ref().unwrap_or(&0))?;
        if positive.is_err() {
            return Err(StoreError::InvalidBytes(bytes));
        }
        let is_granted = acquired.is_some();
        if let Some(reservation) = acquired {
            self.unroll.add(task, reservation);
        }
        Ok(is_granted)
    }

    /// Releases at most `bytes` of the unroll memory of `task`; returns how much that was. Spark:
    /// `releaseUnrollMemoryForThisTask`.
    pub fn release_unroll_for_task(
        &self,
        task: Option<TaskId>,
        mode: MemoryMode,
        bytes: u64,
    ) -> u64 {
        let released = self.unroll.take(task, mode, bytes);
        released.as_ref().map_or(0, Reservation::bytes)
    }

    /// Bytes of unroll memory that `task` holds, both modes. Spark:
    /// `currentUnrollMemoryForThisTask`.
    #[must_use]
    pub fn current_unroll_for_task(&self, task: Option<TaskId>) -> u64 {
        let held =
            [MemoryMode::OnHeap, MemoryMode::OffHeap].map(|mode| self.unroll.held_by(task, mode));
        held[0].saturating_add(held[1])
    }

    /// Bytes of unroll memory that all tasks hold, both modes.
    #[must_use]
    pub fn current_unroll_memory(&self) -> u64 {
        self.unroll.total()
    }

    pub(super) fn hold_unroll(
        &self,
        context: TaskContext<'_>,
        mode: MemoryMode,
        bytes: u64,
    ) -> UsedUnroll {
        UsedUnroll {
            store: self.me(),
            task: context.task,
            mode,
            bytes,
        }
    }

    /// Takes values into `holder` until there are no more, or no memory for more. Exactly Spark's
    /// steps: the threshold is asked for first; after every so many elements, the first included, what
    /// the holder has outgrown is asked for, with the growth factor; at the end what is missing.
    pub(super) fn unroll<T>(
        &self,
        block: &Block,
        context: TaskContext<'_>,
        values: &mut dyn Iterator<Item = T>,
        holder: &mut impl Unrolled<T>,
    ) -> Result<Outcome<T>, StoreError> {
        let mut pace = Pace::of(self)?;
        let mut used = self.hold_unroll(context, block.mode, 0);
        let mut fits = self.reserve_step(block, &mut used, pace.limit)?;
        while fits && !context.is_cancelled() {
            holder.granted(used.bytes());
            let Some(value) = values.next() else { break };
            if let Some(head) = holder.store(value, &block.id)? {
                let head = Some(head);
                return Ok(Outcome::Partial {
                    head,
                    used: used.leave(),
                });
            }
            if pace.is_due(&mut used)?
                && let Some(ask) = pace.ask_for(holder.estimate())
            {
                fits = self.reserve_step(block, &mut used, ask)?;
            }
        }
        if fits && !context.is_cancelled() {
            let size = holder.precise();
            let missing = size.saturating_sub(used.bytes());
            if missing == 0 || self.reserve_step(block, &mut used, signed(missing))? {
                holder.granted(used.bytes());
                return Ok(Outcome::Whole { used, size });
            }
        }
        Ok(Outcome::Partial {
            head: None,
            used: used.leave(),
        })
    }

    fn reserve_step(
        &self,
        block: &Block,
        used: &mut UsedUnroll,
        bytes: i64,
    ) -> Result<bool, StoreError> {
        let reserved = self.reserve_unroll_for_task(&block.id, used.task, used.mode, bytes);
        match (&reserved, u64::try_from(bytes)) {
            (Ok(true), Ok(bytes)) => used.add(bytes),
            // Spark fails an assertion here, and what was reserved stays with the task.
            (Err(StoreError::InvalidBytes(_)), _) => drop(used.leave()),
            _ => {}
        }
        reserved
    }

    /// Turns the unroll memory of a whole block into storage memory of `size` bytes.
    pub(super) fn transfer(
        &self,
        block: &Block,
        mut used: UsedUnroll,
        size: u64,
    ) -> Result<Reservation, StoreError> {
        let unrolled = self.unroll.take(used.task, used.mode, used.leave());
        let kept = match unrolled {
            Some(mut unrolled) if !self.options.release_then_acquire => {
                unrolled.shrink_to(size);
                Some(unrolled.into_storage())
            }
            released => {
                drop(released);
                None
            }
        };
        let missing = size.saturating_sub(kept.as_ref().map_or(0, Reservation::bytes));
        match kept {
            Some(kept) if missing == 0 => Ok(kept),
            // Or the task's unroll memory was released by somebody meanwhile.
            kept => {
                let acquired = self.acquire_storage(&block.id, block.mode, missing)?;
                let mut all = acquired.ok_or_else(|| StoreError::Transfer {
                    block: block.id.clone(),
                    bytes: size,
                })?;
                if let Some(kept) = kept {
                    let merged = all.merge(kept);
                    merged.expect("storage memory of one mode and one ledger merges");
                }
                Ok(all)
            }
        }
    }
}

/// When to look at what a block costs, and what to ask for then.
struct Pace {
    period: u64,
    factor: f64,
    /// What the block may cost before more is asked for, in bytes.
    limit: i64,
    elements: u64,
}

impl Pace {
    /// Reads the settings that are read when a block is put, the period first.
    fn of(store: &MemoryStore) -> Result<Self, StoreError> {
        let settings = &store.manager.resolved().unroll;
        let period = settings.check_period.clone().map_err(StoreError::Setting)?;
        let factor = settings
            .growth_factor
            .clone()
            .map_err(StoreError::Setting)?;
        Ok(Self {
            period: period.unsigned_abs(),
            factor,
            limit: settings.threshold,
            elements: 0,
        })
    }

    /// Counts an element; whether the block is looked at after it.
    fn is_due(&mut self, used: &mut UsedUnroll) -> Result<bool, StoreError> {
        let number = self.elements;
        self.elements = number.wrapping_add(1);
        number
            .checked_rem(self.period)
            .map(|rest| rest == 0)
            .ok_or_else(|| {
                // As where a request is negative.
                used.leave();
                StoreError::NoCheckPeriod
            })
    }

    /// What to ask for, where a block that costs `estimate` bytes has outgrown its limit. The limit
    /// grows by it whether or not it is granted.
    fn ask_for(&mut self, estimate: u64) -> Option<i64> {
        let cost = signed(estimate);
        if cost < self.limit {
            return None;
        }
        let ask = to_long(cost as f64 * self.factor - self.limit as f64);
        self.limit = self.limit.wrapping_add(ask);
        Some(ask)
    }
}

/// Bytes as Spark counts them; more than it can count is the most that it can.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Java's cast from `double` to `long`: towards zero, clamped, NaN to 0.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Rust's cast is Java's: truncating, clamping"
)]
fn to_long(value: f64) -> i64 {
    value as i64
}

//! Memory that a consumer grows and shrinks often, at the cost of a few plain instructions.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{LocalReservation, Wait};

use crate::consumer::{ConsumerId, MemoryConsumer, Registration};
use crate::error::MemoryError;
use crate::face::{Face, drive};
use crate::held::Held;
use crate::request::Request;
use crate::spill::SelfSpill;

/// Bytes that a consumer uses and counts itself, one by one if need be: for hash tables and buffers
/// that grow in small steps. They count in the consumer's `used` at every moment.
///
/// Some memory is granted before it is needed, and kept for a while after: the task's slack, of
/// `hearth.task.quantum` bytes and more with use. It makes nobody wait, spill or be refused (see
/// [`LocalReservation`]). Where it is not enough, this asks as the consumer does, with the same three
/// faces. Dropped, it gives everything back.
#[derive(Debug)]
#[must_use = "dropping it gives the memory back"]
pub struct Metered {
    consumer: Arc<Registration>,
    local: LocalReservation,
    /// The task's epoch in which it is counted; none before its first growth.
    epoch: Option<u64>,
    /// What the task counts for it, slack included.
    counted: u64,
}

impl MemoryConsumer {
    /// Memory that the consumer meters itself; none at first.
    pub fn metered(&self) -> Metered {
        let consumer = Arc::clone(self.registration());
        let quantum = consumer.task.memory_manager().task_quantum_bytes();
        let ledger = consumer.task.ledger();
        let local = ledger.local(consumer.task.task(), consumer.mode, quantum);
        Metered {
            consumer,
            local,
            epoch: None,
            counted: 0,
        }
    }
}

impl Metered {
    /// Bytes in use.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.local.bytes()
    }

    /// Their mode.
    #[must_use]
    pub fn mode(&self) -> MemoryMode {
        self.consumer.mode
    }

    /// The consumer that uses them.
    #[must_use]
    pub fn consumer(&self) -> ConsumerId {
        self.consumer.label.id
    }

    /// Grows by exactly `bytes`, waiting as `wait` says; others of the task spill for it, and at last
    /// `spill`, as for [`MemoryConsumer::reserve`].
    ///
    /// # Errors
    /// As [`MemoryConsumer::reserve`]; it is unchanged then.
    #[inline]
    pub fn grow<S: SelfSpill + ?Sized>(
        &mut self,
        bytes: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<(), MemoryError> {
        if self.local.draw(bytes) {
            return Ok(());
        }
        drive(self.grow_slowly(bytes, spill, Face::Block(*wait)))
    }

    /// [`grow`](Self::grow) without waiting.
    ///
    /// # Errors
    /// As [`MemoryConsumer::try_reserve`].
    #[inline]
    pub fn try_grow<S: SelfSpill + ?Sized>(
        &mut self,
        bytes: u64,
        spill: &mut S,
    ) -> Result<(), MemoryError> {
        if self.local.draw(bytes) {
            return Ok(());
        }
        drive(self.grow_slowly(bytes, spill, Face::Try))
    }

    /// [`grow`](Self::grow) as a future.
    ///
    /// # Errors
    /// As [`MemoryConsumer::reserve_async`].
    pub async fn grow_async<S: SelfSpill + ?Sized>(
        &mut self,
        bytes: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<(), MemoryError> {
        if self.local.draw(bytes) {
            return Ok(());
        }
        self.grow_slowly(bytes, spill, Face::Poll(*wait)).await
    }

    /// Gives `bytes` back, at most all that is in use.
    #[inline]
    pub fn shrink(&mut self, bytes: u64) {
        if !self.local.put_back(bytes) {
            self.release(bytes.min(self.bytes()));
        }
    }

    #[cold]
    async fn grow_slowly<S: SelfSpill + ?Sized>(
        &mut self,
        bytes: u64,
        spill: &mut S,
        face: Face<'_>,
    ) -> Result<(), MemoryError> {
        if self.may_refill() && self.local.refill(bytes) {
            self.recount();
            return Ok(());
        }
        let request = Request::of_registration(&self.consumer, spill, face);
        let held = request.reserve_held(bytes).await?;
        self.take_over(held);
        Ok(())
    }

    /// Not before what the consumer needs in order to spill was reserved, by an ordinary request.
    fn may_refill(&self) -> bool {
        let known = {
            let state = self.consumer.task.state.lock();
            state.registered && self.epoch == Some(state.epoch)
        };
        known
            && self
                .epoch
                .is_some_and(|epoch| self.consumer.shelf.missing(epoch) == 0)
    }

    /// What was granted to an ordinary request is counted here from now on.
    fn take_over(&mut self, held: Held) {
        let charge = held.into_charge();
        let mut state = self.consumer.task.state.lock();
        let epoch = state.epoch;
        if charge.epoch != epoch {
            drop(state);
            return drop(charge);
        }
        if self.epoch != Some(epoch) {
            // What it had went with the task's end.
            self.local.forget();
            self.counted = 0;
            self.epoch = Some(epoch);
            state.add_meter(self.consumer.label.id, self.local.reader());
        }
        let (account, bytes) = (charge.account, charge.forget());
        self.local.adopt(bytes);
        self.counted = self.counted.saturating_add(bytes);
        state.uncount(self.consumer.label.id, account, bytes);
    }

    /// Tells the task what it holds by now.
    fn recount(&mut self) {
        let now = self.local.bytes().saturating_add(self.local.slack());
        let mut state = self.consumer.task.state.lock();
        if self.epoch == Some(state.epoch) {
            state.recount_metered(self.consumer.mode, self.counted, now);
        }
        self.counted = now;
    }

    #[cold]
    fn release(&mut self, bytes: u64) {
        let mode = self.consumer.mode;
        let credit = {
            let mut state = self.consumer.task.state.lock();
            if self.epoch != Some(state.epoch) {
                drop(state);
                return self.local.forget();
            }
            state.note_released(mode, bytes);
            state.credit_for(self.consumer.label.id, mode)
        };
        match credit {
            Some(credit) => {
                let spilled = self.local.split(bytes).leave();
                credit.release(spilled);
            }
            None => self.local.shrink(bytes),
        }
        self.recount();
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        let all = self.bytes();
        if self.epoch.is_none() {
            return;
        }
        self.consumer
            .task
            .ledger()
            .set_exact(&self.local.reader(), true);
        self.release(all);
        let mut state = self.consumer.task.state.lock();
        if self.epoch == Some(state.epoch) {
            state.remove_meter(self.consumer.label.id, &self.local.reader());
        }
    }
}

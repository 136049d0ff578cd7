//! Having consumers spill: for a request, or because an allocator failed. No lock is held while they do.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{Credit, Event, LocalUse};

use crate::consumer::ConsumerId;
use crate::error::{ConsumerLabel, Failure};
use crate::manager::TaskMemoryManager;
use crate::request::Request;
use crate::spill::{SelfSpill, Spill, SpillError, Spillable};
use crate::victims::{Victim, Victims};

/// What came of having a consumer spill.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spilled {
    /// What its `spill` returned.
    pub(crate) released: u64,
    /// By how much its use fell.
    pub(crate) drop: u64,
    /// The task has given nothing back since it was asked, whatever it returned.
    pub(crate) in_vain: bool,
}

impl<'a, S: SelfSpill + ?Sized> Request<'a, S> {
    /// Who could spill for it, as things stand.
    pub(crate) fn victims(&self) -> Victims {
        let state = self.task.state.lock();
        state.victims(self.asker.id, self.mode, self.spills_itself)
    }

    /// Has consumers spill because the allocator failed, until their use has fallen by `need` or
    /// nobody is left. Returns by how much it fell. What they give back is kept for nobody.
    pub(crate) fn recover(&mut self, need: u64) -> Result<u64, Failure> {
        let mut victims = self.victims();
        let mut freed: u64 = 0;
        self.recovering = true;
        while let Some(missing) = need.checked_sub(freed).filter(|missing| *missing > 0) {
            let Some(victim) = victims.pick(missing) else {
                break;
            };
            let spilled = self.have_spill(victim, missing, None)?;
            if spilled.drop == 0 {
                victims.strike(victim);
            }
            freed = freed.saturating_add(spilled.drop);
        }
        self.recovering = false;
        Ok(freed)
    }

    /// Has one consumer spill. No lock is held while it does.
    pub(crate) fn have_spill(
        &mut self,
        victim: Victim,
        need: u64,
        credit: Option<&Arc<Credit>>,
    ) -> Result<Spilled, Failure> {
        let Some(spilling) = self.start_spill(victim.id, credit) else {
            return Ok(Spilled::default());
        };
        // What it releases has to be seen, and kept for the request: none of it becomes slack.
        spilling.meter_exactly(true);
        let result = match &spilling.other {
            Some(other) => other.spill(need, self.asker.id),
            None => self.spill.spill(need),
        };
        let culprit = spilling.victim.clone();
        let spilled = spilling.end(&result);
        let (task, consumer) = (self.task.task(), victim.id.get());
        let released = spilled.released;
        self.task.tell(Event::Spill {
            task,
            consumer,
            asked: need,
            released,
        });
        match result {
            Ok(_) => Ok(spilled),
            Err(error) => Err(Failure::of_spill(culprit, error)),
        }
    }

    /// Marks a consumer as spilling; none where it can't be asked any more.
    fn start_spill(&self, id: ConsumerId, credit: Option<&Arc<Credit>>) -> Option<Spilling<'a>> {
        let mut state = self.task.state.lock();
        let mut other = None;
        if id != self.asker.id {
            if !state.may_be_spilled(id) {
                return None;
            }
            let Spillable::ByAnyone(spill) = &state.record(id).spill else {
                return None;
            };
            other = Some(spill.upgrade()?);
        }
        let (victim, used) = (state.label(id), state.record(id).used());
        let released = state.released(self.mode);
        let meters = state.record(id).meters.clone();
        let number = state.start_spill(id, credit.cloned(), self.recovering);
        Some(Spilling {
            task: self.task,
            mode: self.mode,
            number,
            victim,
            used,
            released,
            meters,
            other,
        })
    }
}

/// The mark of a consumer that is spilling; taken off also when the spill panics.
struct Spilling<'a> {
    task: &'a Arc<TaskMemoryManager>,
    mode: MemoryMode,
    number: u64,
    victim: ConsumerLabel,
    /// What it used before.
    used: u64,
    /// What the task had given back before.
    released: u64,
    /// What it meters itself.
    meters: Vec<LocalUse>,
    /// Who spills, where it is not the requester.
    other: Option<Arc<dyn Spill>>,
}

impl Spilling<'_> {
    fn meter_exactly(&self, exactly: bool) {
        for meter in &self.meters {
            self.task.ledger().set_exact(meter, exactly);
        }
    }

    fn end(mut self, result: &Result<u64, SpillError>) -> Spilled {
        // If this was the last that kept the consumer alive, what it held is freed for the request.
        drop(self.other.take());
        let state = self.task.state.lock();
        Spilled {
            released: *result.as_ref().unwrap_or(&0),
            drop: self.used.saturating_sub(state.used_by(self.victim.id)),
            in_vain: state.released(self.mode) == self.released,
        }
    }
}

impl Drop for Spilling<'_> {
    fn drop(&mut self) {
        self.meter_exactly(false);
        let ended = self.task.state.lock().end_spill(self.number);
        drop(ended);
    }
}

//! The acquire core: how a task grants memory to one of its consumers, and who spills for it.
//!
//! Written once, for all faces; see [`Face`]. Spark: `TaskMemoryManager.acquireExecutionMemory`.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{Ask, Reason, Refusal, Reservation};

use crate::charge::{Account, Charge};
use crate::consumer::{ConsumerId, MemoryConsumer, Registration};
use crate::error::{ConsumerLabel, Failure, MemoryError};
use crate::face::Face;
use crate::manager::TaskMemoryManager;
use crate::spill::SelfSpill;
use crate::workspace::Shelf;

/// One request of a consumer, or of the task itself.
pub(crate) struct Request<'a, S: ?Sized> {
    pub(crate) task: &'a Arc<TaskMemoryManager>,
    pub(crate) asker: ConsumerLabel,
    pub(crate) mode: MemoryMode,
    shelf: Option<&'a Arc<Shelf>>,
    pub(crate) spill: &'a mut S,
    pub(crate) spills_itself: bool,
    face: Face<'a>,
    /// The request is about memory that an allocator failed to give.
    pub(crate) recovering: bool,
    /// The task's epoch when it began.
    pub(crate) epoch: u64,
}

/// What a request has got so far.
#[derive(Default)]
struct Got {
    granted: Option<Reservation>,
    /// The last answer, where it was a refusal that spilling may help against.
    refused: Option<Refusal>,
}

impl Got {
    fn bytes(&self) -> u64 {
        self.granted.as_ref().map_or(0, Reservation::bytes)
    }

    /// Takes an answer of the ledger. One that has to wait but may not, or could wait for ever, goes
    /// on to spill; everything else ends the request.
    fn take(&mut self, answer: Result<Reservation, Refusal>) -> Result<(), Failure> {
        self.refused = None;
        match answer {
            Ok(granted) => self.add(granted),
            Err(refusal) => match refusal.reason() {
                Reason::WouldWait | Reason::Deadlock => self.refused = Some(refusal),
                _ => return Err(Failure::Refused(refusal)),
            },
        }
        Ok(())
    }

    fn add(&mut self, granted: Reservation) {
        match &mut self.granted {
            None => self.granted = Some(granted),
            Some(before) => {
                before
                    .merge(granted)
                    .expect("all grants of one request are of one task and mode");
            }
        }
    }
}

impl<'a, S: SelfSpill + ?Sized> Request<'a, S> {
    /// A request of `consumer`.
    pub(crate) fn of(consumer: &'a MemoryConsumer, spill: &'a mut S, face: Face<'a>) -> Self {
        Self::of_registration(consumer.registration(), spill, face)
    }

    /// A request of the consumer that registered so.
    pub(crate) fn of_registration(
        consumer: &'a Registration,
        spill: &'a mut S,
        face: Face<'a>,
    ) -> Self {
        Self {
            task: &consumer.task,
            asker: consumer.label.clone(),
            mode: consumer.mode,
            shelf: Some(&consumer.shelf),
            spills_itself: consumer.spills_itself && spill.can_spill(),
            spill,
            face,
            recovering: false,
            epoch: 0,
        }
    }

    /// A request of the task itself, for memory of `mode`.
    pub(crate) fn of_task(
        task: &'a Arc<TaskMemoryManager>,
        mode: MemoryMode,
        none: &'a mut S,
        face: Face<'a>,
    ) -> Self {
        Self {
            task,
            asker: task.state.lock().label(ConsumerId::TASK),
            mode,
            shelf: None,
            spill: none,
            spills_itself: false,
            face,
            recovering: false,
            epoch: 0,
        }
    }

    /// The same request for memory of another mode than its consumer's.
    pub(crate) fn in_mode(self, mode: MemoryMode) -> Self {
        Self { mode, ..self }
    }

    /// What the ledger is asked for.
    pub(crate) fn ask(&self, bytes: u64) -> Ask {
        Ask::execution(self.task.task(), self.mode, bytes)
    }

    /// Marks the consumer as asking. Nothing below may be called without that mark.
    pub(crate) fn begin(&mut self) -> Result<Asking<'a>, Failure> {
        let first = {
            let mut state = self.task.state.lock();
            if state
                .spills_here()
                .any(|spill| spill.consumer == self.asker.id)
            {
                return Err(Failure::Reentrant {
                    consumer: self.asker.clone(),
                });
            }
            state.start_asking(self.asker.id);
            self.epoch = state.epoch;
            !std::mem::replace(&mut state.registered, true)
        };
        if first {
            self.task.ledger().register_task(self.task.task());
        }
        Ok(Asking {
            task: self.task,
            id: self.asker.id,
        })
    }

    /// [`acquire`](Self::acquire), with what the consumer needs in order to spill, where it does not
    /// have that yet. Where there is not enough for both, it gets nothing.
    pub(crate) async fn grow(
        &mut self,
        bytes: u64,
        account: Account,
    ) -> Result<Charge, MemoryError> {
        let workspace = self.shelf.map_or(0, |shelf| shelf.missing(self.epoch));
        let mut charge = self
            .acquire(bytes.saturating_add(workspace), account)
            .await?;
        if workspace == 0 {
            return Ok(charge);
        }
        if charge.bytes() <= workspace {
            charge.shrink_to(0);
            return Ok(charge);
        }
        let mut for_buffers = charge.split(workspace);
        for_buffers.recount(Account::Workspace);
        if let Some(shelf) = self.shelf
            && let Err(error) = shelf.fill(self.task.allocator(self.mode), for_buffers)
        {
            return Err(self.out_of_memory(workspace, 0, Some(error)).into());
        }
        Ok(charge)
    }

    /// All of `bytes`, a part, or nothing. Others spill for it where the ledger does not grant it
    /// all, and at last the requester itself.
    pub(crate) async fn acquire(
        &mut self,
        bytes: u64,
        account: Account,
    ) -> Result<Charge, MemoryError> {
        let mut got = Got::default();
        let failure = match self.fill(&mut got, bytes).await {
            Err(failure) => failure,
            Ok(()) => match got.refused.take() {
                Some(refusal) if got.bytes() < bytes => Failure::Refused(refusal),
                _ => match self.settle(&mut got, account) {
                    Ok(charge) => return Ok(charge),
                    Err(ended) => ended,
                },
            },
        };
        Err(MemoryError::new(failure, got.granted))
    }

    async fn fill(&mut self, got: &mut Got, bytes: u64) -> Result<(), Failure> {
        if bytes == 0 {
            return Ok(());
        }
        let task = self.task;
        let ledger = task.ledger();
        got.take(self.face.ask(ledger, self.ask(bytes), None).await)?;
        if got.bytes() >= bytes {
            return Ok(());
        }
        let mut victims = self.victims();
        while let Some(need) = bytes.checked_sub(got.bytes()).filter(|need| *need > 0) {
            let Some(victim) = victims.pick(need) else {
                break;
            };
            let credit = Arc::new(ledger.open_credit(self.task.task(), self.mode));
            let spilled = self.have_spill(victim, need, Some(&credit))?;
            if spilled.released == 0 {
                victims.strike(victim);
                continue;
            }
            let before = got.bytes();
            let answer = self.face.ask(ledger, self.ask(need), Some(&credit)).await;
            got.take(answer)?;
            if spilled.in_vain && got.bytes() == before {
                // It says that it gave something back, and would say so for ever.
                victims.strike(victim);
            }
        }
        Ok(())
    }

    /// What was granted becomes the consumer's, which is known from now on.
    fn settle(&self, got: &mut Got, account: Account) -> Result<Charge, Failure> {
        let mut state = self.task.state.lock();
        if state.epoch != self.epoch {
            return Err(Failure::TaskEnded {
                task: self.task.task(),
            });
        }
        let bytes = got.granted.take().map_or(0, Reservation::leave);
        state.granted(self.asker.id, account, self.mode, bytes);
        let kind = (self.asker.id, account);
        Ok(Charge::new(
            Arc::clone(self.task),
            kind,
            self.mode,
            self.epoch,
            bytes,
        ))
    }
}

/// The mark of a consumer that is asking.
pub(crate) struct Asking<'a> {
    task: &'a TaskMemoryManager,
    id: ConsumerId,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.task.state.lock().stop_asking(self.id);
    }
}

//! The acquire core: one request's way through the ledger, step by step. All three faces drive it.

use std::sync::Arc;
use std::task::Waker;

use mem_block::MemoryMode;
use mem_sync::Moment;

use crate::credit::Credit;
use crate::evictor::EvictError;
use crate::ledger::Ledger;
use crate::probe::{Event, Kind};
use crate::refusal::Refusal;
use crate::reservation::Reservation;
use crate::state::Arrival;
use crate::task::{Dataset, TaskId};
use crate::waiter::{Attempt, Ended};

/// What to ask the ledger for.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    kind: Kind,
    task: Option<TaskId>,
    mode: MemoryMode,
    bytes: u64,
    spare: Option<Dataset>,
}

impl Ask {
    /// Execution memory for `task`: all of `bytes`, a part of it, or nothing; may wait.
    #[must_use]
    pub fn execution(task: TaskId, mode: MemoryMode, bytes: u64) -> Self {
        Self {
            kind: Kind::Execution,
            task: Some(task),
            mode,
            bytes,
            spare: None,
        }
    }

    /// Storage memory for a block, all or nothing; never waits. `dataset` is the one that the block
    /// belongs to: its other blocks are not evicted for this one.
    #[must_use]
    pub fn storage(mode: MemoryMode, bytes: u64, dataset: Option<Dataset>) -> Self {
        Self {
            kind: Kind::Storage,
            task: None,
            mode,
            bytes,
            spare: dataset,
        }
    }

    /// Storage memory for a block that is being unrolled, otherwise as [`storage`](Self::storage).
    #[must_use]
    pub fn unroll(mode: MemoryMode, bytes: u64, dataset: Option<Dataset>) -> Self {
        Self {
            kind: Kind::Unroll,
            task: None,
            mode,
            bytes,
            spare: dataset,
        }
    }

    /// What for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Who asks, for execution memory.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        self.task
    }

    /// Of which mode.
    #[must_use]
    pub fn mode(&self) -> MemoryMode {
        self.mode
    }

    /// How many bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// What a step of a [`Ticket`] came to.
#[derive(Debug)]
pub enum Step {
    /// The end: here is the memory.
    Granted(Reservation),
    /// Blocks have to be evicted first: [`run`](Reclaim::run) it, here or on a helper thread, then
    /// step again.
    Evict(Reclaim),
    /// The request waits, or its eviction runs elsewhere; the waker given will be woken when there is
    /// something to step for.
    Parked,
    /// The end: refused.
    Refused(Refusal),
}

/// One request on its way. Dropping it cancels the request: what was kept or granted for it goes
/// back, and no byte is lost.
#[derive(Debug)]
pub struct Ticket {
    ledger: Arc<Ledger>,
    ask: Ask,
    place: Place,
    /// Its number for as long as it holds a credit and has not arrived.
    taken_over: Option<u64>,
    /// Until when it may wait by default; fixed when it first rests.
    deadline: Option<Moment>,
    told_wait: bool,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    New(Attempt),
    Queued(u64),
    Done,
}

impl Ticket {
    pub(crate) fn new(ledger: Arc<Ledger>, ask: Ask, credit: Option<&Credit>) -> Self {
        let want = ledger.want(&ask);
        let credit = credit.filter(|credit| credit.is_of(&ledger, &ask));
        let taken_over = credit.map(|_| ledger.next_number());
        let (credit, released) = credit
            .zip(taken_over)
            .map_or((0, false), |(credit, number)| {
                credit.hand_over(&ask, number)
            });
        let mut attempt = Attempt::new(want, ask.mode, ask.bytes);
        attempt.credit = credit;
        attempt.owed.release = released;
        Self {
            ledger,
            ask,
            place: Place::New(attempt),
            taken_over,
            deadline: None,
            told_wait: false,
        }
    }

    /// A request that has arrived already and is to evict first; the eviction comes with it.
    pub(crate) fn to_evict(ledger: Arc<Ledger>, ask: Ask, id: u64, need: u64) -> (Self, Reclaim) {
        let ticket = Self {
            ledger,
            ask,
            place: Place::Queued(id),
            taken_over: None,
            deadline: None,
            told_wait: false,
        };
        let reclaim = ticket.reclaim(id, need);
        (ticket, reclaim)
    }

    fn reclaim(&self, id: u64, need: u64) -> Reclaim {
        Reclaim {
            ledger: Arc::clone(&self.ledger),
            id,
            need,
            mode: self.ask.mode,
            spare: self.ask.spare,
            settled: false,
        }
    }

    /// Takes the request one step on. Without a waker it does not wait, or wait any longer: it is
    /// refused instead.
    ///
    /// No lock of the ledger is held on return. Wakers are cloned before and dropped after it.
    ///
    /// # Panics
    /// When called again after [`Step::Granted`] or [`Step::Refused`].
    pub fn step(&mut self, waker: Option<&Waker>) -> Step {
        let mut waker = waker.cloned();
        let place = std::mem::replace(&mut self.place, Place::Done);
        let arrival = match place {
            Place::New(attempt) => self.ledger.arrive(attempt, self.taken_over, &mut waker),
            Place::Queued(id) => self.ledger.revisit(id, &mut waker),
            Place::Done => panic!("a ticket is stepped no further than its end"),
        };
        self.take(arrival)
    }

    /// What the request has come to, as a step of it.
    pub(crate) fn take(&mut self, arrival: Arrival) -> Step {
        self.place = Place::Done;
        match arrival {
            Arrival::Granted { bytes, sequence } => {
                Step::Granted(self.ledger.granted(self.ask, bytes, sequence))
            }
            Arrival::Act { id, need } => {
                self.place = Place::Queued(id);
                Step::Evict(self.reclaim(id, need))
            }
            Arrival::Parked { id, waits } => {
                self.place = Place::Queued(id);
                if self.deadline.is_none() {
                    self.deadline = self.ledger.default_deadline();
                }
                if waits && !self.told_wait {
                    self.told_wait = true;
                    self.tell_wait();
                }
                Step::Parked
            }
            Arrival::Ended(ended) => Step::Refused(self.ledger.refused(self.ask, ended)),
        }
    }

    /// Ends the request because time is up, unless it was granted in the meantime; the next step
    /// says which.
    pub fn expire(&self) {
        self.give_up(true);
    }

    /// Ends the request because it was cancelled, unless it was granted in the meantime; the next
    /// step says which.
    pub fn cancel(&self) {
        self.give_up(false);
    }

    pub(crate) fn kind(&self) -> Kind {
        self.ask.kind
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    /// The number that the ledger gave to the request when it queued it; none where it is not queued.
    #[must_use]
    pub fn queued(&self) -> Option<u64> {
        match self.place {
            Place::Queued(id) => Some(id),
            Place::New(_) | Place::Done => None,
        }
    }

    fn give_up(&self, deadline: bool) {
        if let Some(request) = self.queued() {
            self.ledger.give_up(request, deadline);
        }
    }

    fn tell_wait(&self) {
        if let Some(task) = self.ask.task {
            let Ask {
                mode, bytes: asked, ..
            } = self.ask;
            self.ledger.tell(None, Event::Wait { task, mode, asked });
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        match self.place {
            Place::Queued(id) => {
                // mutant(cancel-leaves-queue by cancel_versus_grant): delete
                self.ledger.abandon(id);
            }
            Place::New(attempt) if attempt.owed.release => {
                // mutant(cancel-unstepped-returns-credit by cancel_returns_credit): delete
                self.ledger
                    .return_credit(self.taken_over.unwrap_or_default(), attempt);
            }
            Place::New(_) | Place::Done => {}
        }
    }
}

/// An eviction that a request needs before it can go on. Dropping it unrun settles it with nothing
/// freed.
#[derive(Debug)]
#[must_use = "the request does not go on before this was run"]
pub struct Reclaim {
    ledger: Arc<Ledger>,
    id: u64,
    need: u64,
    mode: MemoryMode,
    spare: Option<Dataset>,
    settled: bool,
}

impl Reclaim {
    /// Has the blocks selected and evicted, and settles the result. No lock of the ledger's is held
    /// while the [`Evictor`](crate::Evictor) works; the request's waker is woken afterwards. Evicts
    /// nothing where the request has ended meanwhile.
    ///
    /// # Panics
    /// Where the evictor does; the request then goes on as if nothing had been freed.
    pub fn run(self) {
        let id = self.id;
        let is_wanted = self.ledger.look(|state| state.wants_eviction(id));
        let result = if is_wanted { self.evict() } else { Ok(0) };
        self.finish(result);
    }

    fn evict(&self) -> Result<u64, EvictError> {
        let evictor = self.ledger.evictor();
        let plan = evictor.and_then(|evictor| evictor.select(self.need, self.mode, self.spare));
        plan.map_or(Ok(0), |plan| plan.run())
    }

    /// For a request that nobody but the caller can end: the same as [`run`](Self::run), and then the
    /// next step of its ticket, in one passage through the ledger.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub(crate) fn run_and_revisit(mut self) -> Arrival {
        let (freed, failure) = outcome(self.evict());
        self.settled = true;
        let failure = failure.map(Ended::Evict);
        let (sequence, arrival) = self.ledger.settle_and_revisit(self.id, freed, failure);
        let (mode, need) = (self.mode, self.need);
        self.ledger
            .tell(Some(sequence), Event::Evict { mode, need, freed });
        arrival
    }

    /// Settles with what somebody has freed in another way than through the evictor.
    pub fn finish(mut self, result: Result<u64, EvictError>) {
        let (freed, failure) = outcome(result);
        self.settle(freed, failure);
    }

    fn settle(&mut self, freed: u64, failure: Option<EvictError>) {
        self.settled = true;
        let sequence = self
            .ledger
            .settle(self.id, freed, failure.map(Ended::Evict));
        let (mode, need) = (self.mode, self.need);
        self.ledger
            .tell(Some(sequence), Event::Evict { mode, need, freed });
    }
}

impl Drop for Reclaim {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(0, None);
        }
    }
}

/// What was freed, and what went wrong.
fn outcome(result: Result<u64, EvictError>) -> (u64, Option<EvictError>) {
    match result {
        Ok(freed) => (freed, None),
        Err(error) => (error.freed, Some(error)),
    }
}

//! Replaying a recording: its steps, one by one on one thread, on a fresh ledger of the same sizes.
//!
//! Requests are stepped when the recording says that they were, evictions end with what they freed
//! then. Everything else, who is granted what and who waits, is the ledger's own answer. What a step
//! came to is read from the ledger by the same probe that records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use mem_block::MemoryMode;
use mem_policy::{ManagerOptions, memory_manager};
use mem_pool::raw;
use mem_pool::{
    Ask, Credit, Dataset, Event, EvictError, Eviction, Evictor, Ledger, LedgerStep, Probe, Reclaim,
    Reservation, Step, TaskId, Ticket,
};
use mem_sync::Mutex;
use mem_sync::atomic::{AtomicU64, Ordering};

use crate::format::{PoolState, Purpose, RecordingHeader, RecordingStart, StepInput, StepOutput};
use crate::report::Problem;

/// A fresh ledger, and what is on its way in it.
#[derive(Debug)]
pub(super) struct Recording {
    /// Before the ledger, so that they are dropped first.
    tickets: BTreeMap<u64, Ticket>,
    evictions: BTreeMap<u64, Reclaim>,
    credits: BTreeMap<u64, Credit>,
    /// Requests that took over a credit and have not arrived.
    taken_over: BTreeMap<u64, Ticket>,
    ledger: Arc<Ledger>,
    outside: Arc<Outside>,
    steps: Arc<Steps>,
}

/// The steps that were made since it was last asked.
#[derive(Debug, Default)]
struct Steps(Mutex<Vec<LedgerStep>>);

impl Probe for Steps {
    fn record(&self, _sequence: Option<u64>, _event: &Event) {}

    fn wants_steps(&self) -> bool {
        true
    }

    fn step(&self, _number: u64, step: &LedgerStep) {
        self.0.lock().push(*step);
    }
}

/// What the ledger asks of a block store, as the recording says that one answered.
#[derive(Debug, Default)]
struct Outside {
    unrolling: AtomicU64,
}

impl Evictor for Outside {
    /// Evictions end as they were recorded, past the evictor; one for a lowered limit is a step of its
    /// own.
    fn select(&self, _: u64, _: MemoryMode, _: Option<Dataset>) -> Option<Box<dyn Eviction>> {
        None
    }

    fn unrolling(&self) -> u64 {
        self.unrolling.load(Ordering::Relaxed)
    }
}

impl Recording {
    /// A fresh ledger of the sizes in a header.
    pub(super) fn new(header: &RecordingHeader) -> Self {
        let steps = Arc::new(Steps::default());
        let probe: Arc<dyn Probe> = Arc::clone(&steps) as Arc<dyn Probe>;
        let options = ManagerOptions {
            wait_timeout: None,
            detect_deadlock: header.detect_deadlock,
            probe: Some(probe),
            ..ManagerOptions::default()
        };
        let manager = memory_manager(header.resolved(), &options);
        let ledger = Arc::clone(manager.ledger());
        let outside = Arc::new(Outside::default());
        let evictor: Arc<dyn Evictor> = Arc::clone(&outside) as Arc<dyn Evictor>;
        ledger.set_evictor(Arc::downgrade(&evictor));
        Self {
            tickets: BTreeMap::new(),
            evictions: BTreeMap::new(),
            credits: BTreeMap::new(),
            taken_over: BTreeMap::new(),
            ledger,
            outside,
            steps,
        }
    }

    /// The pools as they came to be.
    pub(super) fn start(&self) -> RecordingStart {
        RecordingStart {
            state: PoolState::of(&self.ledger.snapshot(), 0),
        }
    }

    /// Makes a step again.
    ///
    /// # Errors
    /// Where it names what is not there, or what was one step is another number of steps here.
    pub(super) fn run(&mut self, step: &StepInput) -> Result<StepOutput, Problem> {
        self.perform(step)?;
        let made = std::mem::take(&mut *self.steps.0.lock());
        match made.as_slice() {
            [one] => Ok(one.into()),
            others => Err(Problem::sense(format!(
                "it is {} steps here, not one",
                others.len()
            ))),
        }
    }

    fn perform(&mut self, step: &StepInput) -> Result<(), Problem> {
        match *step {
            StepInput::Arrive { .. } => self.arrive(step)?,
            StepInput::Revisit { request, may_wait } => {
                let ticket = self.leave(request)?;
                self.step(ticket, may_wait);
            }
            StepInput::Settle {
                request,
                freed,
                failed,
            } => {
                let eviction = self.evictions.remove(&request);
                let eviction = eviction.ok_or_else(|| missing("eviction for request", request))?;
                eviction.finish(if failed {
                    let source = "it failed when it was recorded".into();
                    Err(EvictError { freed, source })
                } else {
                    Ok(freed)
                });
            }
            StepInput::Abandon { request } => drop(self.leave(request)?),
            StepInput::GiveUp { request, deadline } => {
                let ticket = self
                    .tickets
                    .get(&request)
                    .ok_or_else(|| missing("request", request))?;
                if deadline {
                    ticket.expire();
                } else {
                    ticket.cancel();
                }
            }
            StepInput::ReleaseToCredit {
                credit,
                task,
                mode,
                bytes,
            } => {
                self.credit(credit, task, mode.into()).release(bytes);
            }
            StepInput::DropCredit { credit } => drop(self.credits.remove(&credit)),
            StepInput::TakeOver {
                credit,
                number,
                task,
                mode,
                bytes,
            } => {
                let task = task.ok_or_else(|| Problem::sense("a credit is some task's"))?;
                let ask = Ask::execution(TaskId::new(task), mode.into(), bytes);
                let ledger = Arc::clone(&self.ledger);
                let ticket = ledger.ticket_with(ask, self.credit(credit, task, mode.into()));
                self.taken_over.insert(number, ticket);
            }
            StepInput::Return { number } => drop(self.taken_over.remove(&number)),
            _ => self.change_books(step)?,
        }
        Ok(())
    }

    /// Does what is done to the books, not to one request; nothing else.
    fn change_books(&self, step: &StepInput) -> Result<(), Problem> {
        let ledger = &self.ledger;
        match *step {
            StepInput::Release {
                purpose,
                task,
                mode,
                bytes,
            } => {
                release(ledger, purpose, task, mode.into(), bytes)?;
            }
            StepInput::ReleaseAll { task } => {
                raw::release_all_execution_memory_for_task(ledger, TaskId::new(task));
            }
            StepInput::RegisterTask { task, weight } => {
                ledger.register_weighted(TaskId::new(task), weight);
            }
            StepInput::EndTask { task } => {
                ledger.end_task(TaskId::new(task));
            }
            StepInput::NotifyAll {} => ledger.notify_all(),
            StepInput::SetUnmanaged { mode, bytes } => ledger.set_unmanaged(mode.into(), bytes),
            StepInput::SetLimit { mode, total } => {
                let changed = ledger.set_limit(mode.into(), total);
                changed.map_err(|error| Problem::sense(error.to_string()))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A queued request, which is no longer kept under its number.
    fn leave(&mut self, request: u64) -> Result<Ticket, Problem> {
        self.tickets
            .remove(&request)
            .ok_or_else(|| missing("request", request))
    }

    fn arrive(&mut self, step: &StepInput) -> Result<(), Problem> {
        let StepInput::Arrive {
            purpose,
            task,
            mode,
            bytes,
            unrolling,
            taken_over,
            may_wait,
        } = *step
        else {
            return Ok(());
        };
        self.outside.unrolling.store(unrolling, Ordering::Relaxed);
        let ticket = if let Some(number) = taken_over {
            let ticket = self.taken_over.remove(&number);
            ticket.ok_or_else(|| missing("request that took over a credit", number))?
        } else {
            let ask = match (purpose, task) {
                (Purpose::Execution, Some(task)) => {
                    Ask::execution(TaskId::new(task), mode.into(), bytes)
                }
                (Purpose::Storage, None) => Ask::storage(mode.into(), bytes, None),
                (Purpose::Unroll, None) => Ask::unroll(mode.into(), bytes, None),
                (Purpose::Execution, None) | (Purpose::Storage | Purpose::Unroll, Some(_)) => {
                    return Err(Problem::sense(
                        "execution memory, and only that, is a task's",
                    ));
                }
            };
            self.ledger.ticket(ask)
        };
        self.step(ticket, may_wait);
        Ok(())
    }

    /// Steps a request, and keeps what is left of it under its number.
    fn step(&mut self, mut ticket: Ticket, may_wait: bool) {
        let waker = may_wait.then(Waker::noop);
        match ticket.step(waker) {
            Step::Granted(reservation) => {
                // Counted by hand from now on: its releases are steps of their own.
                Reservation::leave(reservation);
            }
            Step::Evict(eviction) => {
                if let Some(number) = ticket.queued() {
                    self.evictions.insert(number, eviction);
                    self.tickets.insert(number, ticket);
                }
            }
            Step::Parked => {
                if let Some(number) = ticket.queued() {
                    self.tickets.insert(number, ticket);
                }
            }
            Step::Refused(refusal) => drop(refusal),
        }
    }

    fn credit(&mut self, number: u64, task: i64, mode: MemoryMode) -> &Credit {
        let ledger = &self.ledger;
        self.credits
            .entry(number)
            .or_insert_with(|| ledger.open_credit(TaskId::new(task), mode))
    }
}

fn release(
    ledger: &Ledger,
    purpose: Purpose,
    task: Option<i64>,
    mode: MemoryMode,
    bytes: u64,
) -> Result<(), Problem> {
    match (purpose, task) {
        (Purpose::Execution, Some(task)) => {
            raw::release_execution_memory(ledger, bytes, TaskId::new(task), mode)
        }
        (Purpose::Storage, None) => raw::release_storage_memory(ledger, bytes, mode),
        (Purpose::Unroll, None) => raw::release_unroll_memory(ledger, bytes, mode),
        (Purpose::Execution, None) | (Purpose::Storage | Purpose::Unroll, Some(_)) => {
            return Err(Problem::sense(
                "execution memory, and only that, is a task's",
            ));
        }
    };
    Ok(())
}

fn missing(what: &str, number: u64) -> Problem {
    Problem::sense(format!("there is no {what} {number}"))
}

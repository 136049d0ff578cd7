//! Where tasks that have no more input wait for the others.

use std::time::Duration;

use mem_pool::Ledger;
use mem_sort::{ExternalSorter, SortError};
use mem_sync::atomic::{AtomicBool, Ordering};
use mem_sync::{Mutex, Parker, Unparker};

/// How often a waiting task looks whether somebody needs its memory.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where the tasks of a sort meet, once each has inserted its last line.
///
/// A task that rests here holds memory and asks for none, so the ledger can neither refuse it nor
/// see that it stands in somebody's way. So it looks: as soon as anybody waits for memory, or another
/// task of the sort has spilled, it spills too, which then has to be done anyway.
pub(super) struct Gathering {
    state: Mutex<State>,
    /// Somebody failed: there is no point in going on. A hint for those that are still at work, so
    /// it is relaxed; who waits here is told under the lock.
    abandoned: AtomicBool,
}

struct State {
    missing: u32,
    /// What is sorted is merged from runs: everybody has to spill.
    spilled: bool,
    abandoned: bool,
    waiting: Vec<Unparker>,
}

/// What the tasks do when all are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gathered {
    /// All of it is in memory.
    InMemory,
    /// All of it goes to runs.
    Spilled,
    /// Somebody failed.
    Abandoned,
}

impl Gathering {
    pub(super) fn of(tasks: u32) -> Self {
        let state = State {
            missing: tasks,
            spilled: false,
            abandoned: false,
            waiting: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            abandoned: AtomicBool::new(false),
        }
    }

    /// Waits until everybody is here or somebody has failed.
    pub(super) fn arrive(
        &self,
        sorter: &mut ExternalSorter,
        ledger: &Ledger,
    ) -> Result<Gathered, SortError> {
        let parker = Parker::new();
        self.change(|state| {
            state.missing -= 1;
            state.spilled |= sorter.has_spilled();
            state.waiting.push(parker.unparker().clone());
        });
        let mut has_memory = true;
        loop {
            let needed = ledger.snapshot().waiting > 0;
            let (gathered, spilled) = {
                let mut state = self.state.lock();
                let gathered = state.gathered();
                state.spilled |= needed && gathered.is_none();
                (gathered, state.spilled)
            };
            match gathered {
                Some(gathered) => return Ok(gathered),
                None if spilled && has_memory => {
                    sorter.spill()?;
                    has_memory = false;
                }
                None => {
                    let clock = ledger.clock();
                    clock.park(&parker, Some(clock.now() + LOOK_AGAIN));
                }
            }
        }
    }

    /// Whether somebody has failed.
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Somebody failed: nobody goes on.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
        self.change(|state| state.abandoned = true);
    }

    /// Changes the state, and wakes those who wait if that was what they waited for.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let woken = {
            let mut state = self.state.lock();
            change(&mut state);
            match state.gathered() {
                Some(_) => std::mem::take(&mut state.waiting),
                None => Vec::new(),
            }
        };
        woken.iter().for_each(Unparker::unpark);
    }
}

impl State {
    fn gathered(&self) -> Option<Gathered> {
        match self {
            Self {
                abandoned: true, ..
            } => Some(Gathered::Abandoned),
            Self {
                missing: 0,
                spilled: true,
                ..
            } => Some(Gathered::Spilled),
            Self {
                missing: 0,
                spilled: false,
                ..
            } => Some(Gathered::InMemory),
            _ => None,
        }
    }
}

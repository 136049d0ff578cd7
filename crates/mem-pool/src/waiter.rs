//! The queue of requests that could not be answered at once, and the states they go through.

use std::collections::VecDeque;
use std::task::Waker;

use mem_block::MemoryMode;

use crate::evictor::EvictError;
use crate::policy::{Limit, Request, Round, Want};
use crate::probe::Kind;
use crate::step::Action;
use crate::sum::add;
use crate::task::TaskId;

/// One request with what has been done for it so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) mode: MemoryMode,
    pub(crate) want: Want,
    pub(crate) bytes: u64,
    pub(crate) round: Round,
    /// Free storage bytes kept for this request while its eviction runs.
    pub(crate) reserved: u64,
    /// Execution bytes that were spilled for this request and are kept for it.
    pub(crate) credit: u64,
    pub(crate) owed: Owed,
}

/// Notifications that a request's own arrival caused, held back until it rests: its own examination
/// comes before that of the waiters it disturbs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Owed {
    /// Its arrival made the task count.
    pub(crate) registration: bool,
    /// Its credit was released by somebody.
    pub(crate) release: bool,
}

impl Attempt {
    /// A request for which nothing has been done yet.
    pub(crate) fn new(want: Want, mode: MemoryMode, bytes: u64) -> Self {
        Self {
            mode,
            want,
            bytes,
            round: Round::Open,
            reserved: 0,
            credit: 0,
            owed: Owed::default(),
        }
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            want: self.want,
            bytes: self.bytes,
            round: self.round,
        }
    }

    /// Its coming, for records: under which number it has taken over a credit, if it has, and whether
    /// it may wait.
    pub(crate) fn arrival(&self, taken_over: Option<u64>, may_wait: bool) -> Action {
        let (kind, unrolling) = match self.want {
            Want::Execution { .. } => (Kind::Execution, 0),
            Want::Storage => (Kind::Storage, 0),
            Want::Unroll { unrolling } => (Kind::Unroll, unrolling),
        };
        Action::Arrive {
            kind,
            task: self.task(),
            mode: self.mode,
            bytes: self.bytes,
            unrolling,
            taken_over,
            may_wait,
        }
    }

    pub(crate) fn task(&self) -> Option<TaskId> {
        match self.want {
            Want::Execution { task } => Some(task),
            Want::Storage | Want::Unroll { .. } => None,
        }
    }
}

/// Why a request ended without a grant.
#[derive(Debug)]
pub(crate) enum Ended {
    Limit(Limit),
    WouldWait,
    Deadlock,
    Deadline,
    Cancelled,
    Evict(EvictError),
}

/// Where a queued request stands.
///
/// | state | who moves it on | to |
/// | --- | --- | --- |
/// | `Parked` | whoever releases memory, under the lock | `Parked`, `ToAct`, `Granted`, `Ended` |
/// | `ToAct` | the waiter itself, woken | `Acting` |
/// | `Acting` | the thread that ran the eviction | `Parked`, `ToAct`, `Granted`, `Ended` |
/// | `Granted` | the waiter, which takes the grant and leaves | – |
/// | `Ended` | the waiter, which takes the reason and leaves | – |
#[derive(Debug)]
pub(crate) enum Status {
    Parked,
    ToAct { need: u64 },
    Acting(Fate),
    Granted { bytes: u64, sequence: u64 },
    Ended(Ended),
}

impl Ended {
    /// A word for it, for records.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Limit(_) => "limit",
            Self::WouldWait => "would_wait",
            Self::Deadlock => "deadlock",
            Self::Deadline => "deadline",
            Self::Cancelled => "cancelled",
            Self::Evict(_) => "evict",
        }
    }
}

/// What becomes of a request once the eviction that runs for it is over.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is looked at again.
    GoesOn,
    /// It has ended meanwhile, and its ticket does not know yet.
    Ends(Ended),
    /// Its ticket is gone: whoever settles cleans up.
    Abandoned,
}

#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) attempt: Attempt,
    pub(crate) status: Status,
    /// How its ticket is told; a request that comes without one may not wait.
    pub(crate) waker: Option<Waker>,
    /// It has waited.
    pub(crate) waited: bool,
    /// It was last looked at beside another's eviction, or a look at it was held back by one: it is
    /// looked at when no eviction runs any more, whatever the policy says.
    pub(crate) overlooked: bool,
}

impl Waiter {
    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.status, Status::Parked)
    }

    /// An eviction runs for it, or is about to.
    pub(crate) fn is_evicting(&self) -> bool {
        matches!(self.status, Status::ToAct { .. } | Status::Acting(_))
    }
}

/// Queued requests by number: first in, first looked at. They mostly leave in that order, so that one
/// row, which keeps its memory, serves them better than a tree.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    next: u64,
    /// In the order of their numbers.
    waiters: VecDeque<(u64, Waiter)>,
}

impl Queue {
    pub(crate) fn push(&mut self, waiter: Waiter) -> u64 {
        let id = self.next;
        self.next = add(id, 1);
        self.waiters.push_back((id, waiter));
        id
    }

    pub(crate) fn get(&self, id: u64) -> &Waiter {
        &self.waiters[self.place(id)].1
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> &mut Waiter {
        let place = self.place(id);
        &mut self.waiters[place].1
    }

    pub(crate) fn remove(&mut self, id: u64) -> Waiter {
        let place = self.place(id);
        let (_, waiter) = self.waiters.remove(place).expect("it was found just there");
        waiter
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.find(id).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Waiter)> {
        self.waiters.iter().map(|(id, waiter)| (*id, waiter))
    }

    /// Whether an eviction runs for a request of `mode`, or is about to.
    pub(crate) fn is_evicting(&self, mode: MemoryMode) -> bool {
        let mut waiters = self.iter();
        waiters.any(|(_, waiter)| waiter.attempt.mode == mode && waiter.is_evicting())
    }

    /// The numbers of the parked requests of `mode` that came before `until`, first in first.
    pub(crate) fn parked_before(&self, until: u64, mode: MemoryMode) -> Vec<u64> {
        self.parked(until, |waiter| waiter.attempt.mode == mode)
    }

    /// The numbers of the overlooked requests of `mode`, first in first.
    pub(crate) fn overlooked(&self, mode: MemoryMode) -> Vec<u64> {
        self.parked(u64::MAX, |waiter| {
            waiter.attempt.mode == mode && waiter.overlooked
        })
    }

    fn parked(&self, until: u64, wanted: impl Fn(&Waiter) -> bool) -> Vec<u64> {
        let before = self.iter().take_while(|(id, _)| *id < until);
        before
            .filter(|(_, waiter)| waiter.is_parked() && wanted(waiter))
            .map(|(id, _)| id)
            .collect()
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.waiters.binary_search_by_key(&id, |(id, _)| *id).ok()
    }

    fn place(&self, id: u64) -> usize {
        self.find(id)
            .expect("a ticket's waiter stays queued until the ticket takes it")
    }
}

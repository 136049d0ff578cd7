//! A refusal, and what it can say of itself.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::books::Books;
use crate::evictor::EvictError;
use crate::ledger::Ledger;
use crate::policy::Limit;
use crate::probe::Kind;
use crate::reservation::Reservation;
use crate::ticket::Ask;

/// Why a request was refused. A kill, a missed deadline, an I/O error and a lack of memory differ.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// A limit.
    Limit(Limit),
    /// It would have had to wait, and was not allowed to.
    WouldWait,
    /// Everybody who holds memory was waiting too.
    Deadlock,
    /// It waited until its deadline.
    Deadline,
    /// It was cancelled while it waited.
    Cancelled,
    /// Blocks could not be evicted for it.
    Evict(EvictError),
}

/// A request that was not granted, or not in full.
///
/// The facts are captured in constant time, when it is refused; the largest holders are looked up
/// only when it is shown. What was granted in part is in [`kept`](Self::kept); dropping the refusal
/// gives that back.
#[derive(Debug)]
pub struct Refusal(Box<Facts>);

/// Behind a pointer: what a request that is granted returns is as large as what one that is not does.
#[derive(Debug)]
struct Facts {
    ledger: Arc<Ledger>,
    ask: Ask,
    reason: Reason,
    free: u64,
    active_tasks: u64,
    held: u64,
    kept: Option<Reservation>,
}

impl Refusal {
    pub(crate) fn capture(ledger: &Arc<Ledger>, ask: Ask, reason: Reason) -> Self {
        Self::look(ledger, ask, |_, _| reason)
    }

    /// A request that had to be granted in full and was granted only in part.
    pub(crate) fn short(ledger: &Arc<Ledger>, ask: Ask, kept: Reservation) -> Self {
        let mut refusal = Self::look(ledger, ask, |books, held| {
            let (total, execution) = (books.total(), books.execution());
            let share = ask
                .task()
                .map_or(total, |task| execution.part_of(task, total));
            Reason::Limit(match total {
                0 => Limit::NoSuchMemory(ask.mode()),
                _ if held >= share => Limit::TaskShare(share),
                _ => Limit::ExecutionFull,
            })
        });
        refusal.0.kept = Some(kept);
        refusal
    }

    /// Looks at the books once, under the ledger's lock; `reason` is told what the task holds.
    fn look(ledger: &Arc<Ledger>, ask: Ask, reason: impl FnOnce(&Books, u64) -> Reason) -> Self {
        let (reason, free, active_tasks, held) = ledger.with_books(ask.mode(), |books| {
            let execution = books.execution();
            let held = ask.task().map_or(0, |task| execution.held_by(task));
            let free = match ask.kind() {
                Kind::Execution => execution.free(),
                Kind::Storage | Kind::Unroll => books.storage().free(),
            };
            (reason(books, held), free, execution.active_tasks(), held)
        });
        Self(Box::new(Facts {
            ledger: Arc::clone(ledger),
            ask,
            reason,
            free,
            active_tasks,
            held,
            kept: None,
        }))
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// What was asked for.
    #[must_use]
    pub fn ask(&self) -> Ask {
        self.0.ask
    }

    /// Bytes that were free in the pool when it was refused.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.0.free
    }

    /// N when it was refused.
    #[must_use]
    pub fn active_tasks(&self) -> u64 {
        self.0.active_tasks
    }

    /// What was granted in part.
    #[must_use]
    pub fn kept(&self) -> Option<&Reservation> {
        self.0.kept.as_ref()
    }

    /// Takes what was granted in part; as Spark would, it can then be [left](Reservation::leave)
    /// with the task.
    #[must_use]
    pub fn into_kept(self) -> Option<Reservation> {
        self.0.kept
    }

    /// The configuration key that would have helped.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        let limit = match &self.0.reason {
            Reason::Limit(limit) => *limit,
            Reason::Deadline => return "hearth.wait.timeout",
            Reason::Evict(_) => return "hearth.spill.dirs",
            Reason::WouldWait | Reason::Deadlock | Reason::Cancelled => Limit::ExecutionFull,
        };
        self.0.ledger.policy().remedy(self.0.ask.mode(), limit)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0.ask.kind() {
            Kind::Execution => "execution",
            Kind::Storage => "storage",
            Kind::Unroll => "unroll",
        };
        let (mode, asked) = (self.0.ask.mode(), self.0.ask.bytes());
        let granted = self.0.kept.as_ref().map_or(0, Reservation::bytes);
        write!(f, "refused {asked} bytes of {mode} {what} memory")?;
        if let Some(task) = self.0.ask.task() {
            write!(f, " for {task}, which holds {}", self.0.held)?;
        }
        write!(
            f,
            ": granted {granted}, free {}, active tasks {}; ",
            self.0.free, self.0.active_tasks
        )?;
        match &self.0.reason {
            Reason::Limit(limit) => write!(f, "{limit}")?,
            Reason::WouldWait => f.write_str("it would have had to wait")?,
            Reason::Deadlock => f.write_str("everybody who holds memory is waiting too")?,
            Reason::Deadline => f.write_str("the deadline passed while it waited")?,
            Reason::Cancelled => f.write_str("cancelled while it waited")?,
            Reason::Evict(error) => write!(f, "{error}")?,
        }
        write!(f, "; {} would have helped", self.remedy())?;
        let holders = self.0.ledger.largest_holders(mode, 3);
        if !holders.is_empty() {
            f.write_str("; largest holders now:")?;
            for (task, bytes) in holders {
                let why = if self.0.ledger.is_waiting(task) {
                    "it is waiting itself"
                } else {
                    "only its own task can make it spill"
                };
                write!(f, " {task} with {bytes} bytes ({why})")?;
            }
        }
        Ok(())
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.reason {
            Reason::Evict(error) => Some(error),
            Reason::Limit(_)
            | Reason::WouldWait
            | Reason::Deadlock
            | Reason::Deadline
            | Reason::Cancelled => None,
        }
    }
}

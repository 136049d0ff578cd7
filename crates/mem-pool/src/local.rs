//! Memory that grows and shrinks often, without the ledger's lock each time.

use std::sync::Arc;

use mem_block::MemoryMode;

use crate::ledger::Ledger;
use crate::options::Wait;
use crate::policy::Want;
use crate::probe::{Event, Kind};
use crate::refusal::Refusal;
use crate::reservation::Reservation;
use crate::slack::Slack;
use crate::step::{Action, ActionOutcome};
use crate::sum::{add, sub};
use crate::task::TaskId;
use crate::ticket::Ask;
use crate::waiter::Attempt;

/// How far the quantum grows, in times of what it started at.
const GROWTH: u64 = 64;

/// Execution memory of one task that one owner grows and shrinks, of which some is granted before it
/// is needed: its slack. Most changes then cost a few plain loads and stores.
///
/// The slack is granted memory: it counts in what the task holds and in the ledger's total. But it
/// makes nobody wait, spill or be refused. It is taken only where it is free, without waiting, evicting
/// or spilling, and only while nobody waits; and all of it goes back before a request is granted less
/// than it asked for. Velox and DuckDB have such quanta too; Spark has no counterpart.
///
/// Dropped, it gives everything back.
#[derive(Debug)]
#[must_use = "dropping a reservation gives its memory back"]
pub struct LocalReservation {
    ledger: Arc<Ledger>,
    slack: Arc<Slack>,
    /// Bytes of slack to ask for at first, and after it was taken back; 0 for none ever.
    first: u64,
    /// Bytes of slack to ask for next time.
    quantum: u64,
}

/// What a [`LocalReservation`] uses, for those who only read it. Equal are those of the same.
#[derive(Debug, Clone)]
pub struct LocalUse(Arc<Slack>);

impl PartialEq for LocalUse {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for LocalUse {}

impl LocalUse {
    /// Bytes in use: exact for the owner; another thread may see what was true a moment ago.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.used_lately()
    }
}

impl Ledger {
    /// A reservation of no bytes for `task`, which takes `quantum` bytes of slack at first and more
    /// with use; with 0 it takes none, and every change comes to the ledger.
    pub fn local(
        self: &Arc<Self>,
        task: TaskId,
        mode: MemoryMode,
        quantum: u64,
    ) -> LocalReservation {
        LocalReservation {
            ledger: Arc::clone(self),
            slack: Arc::new(Slack::new(task, mode)),
            first: quantum,
            quantum,
        }
    }

    /// Takes the slack of a reservation back and, while `exact`, has it take none: because somebody
    /// counts what its owner releases, say.
    pub fn set_exact(&self, local: &LocalUse, exact: bool) {
        self.locked(|state| state.set_exact(&local.0, exact), |()| None);
    }
}

impl LocalReservation {
    /// Bytes in use, without the slack.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.slack.used()
    }

    /// The mode they are of.
    #[must_use]
    pub fn mode(&self) -> MemoryMode {
        self.slack.mode
    }

    /// The task that holds them.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.slack.task
    }

    /// For those who only want to know how much is in use.
    #[must_use]
    pub fn reader(&self) -> LocalUse {
        LocalUse(Arc::clone(&self.slack))
    }

    /// Grows by `bytes` out of the slack alone. False, with nothing changed, where that is not enough.
    #[inline]
    pub fn draw(&mut self, bytes: u64) -> bool {
        self.slack.draw(bytes, |decide| self.locked(decide))
    }

    /// Grows by exactly `bytes`. May evict where the slack is not enough; never waits.
    ///
    /// # Errors
    /// A [`Refusal`] whose `kept` is what could be had; the reservation is unchanged.
    #[inline]
    pub fn try_grow(&mut self, bytes: u64) -> Result<(), Refusal> {
        if self.draw(bytes) || self.refill(bytes) {
            return Ok(());
        }
        self.ledger.take_exactly(&self.ask(bytes))?;
        self.adopt(bytes);
        Ok(())
    }

    /// Grows by exactly `bytes`, waiting as `wait` says.
    ///
    /// # Errors
    /// As [`try_grow`](Self::try_grow).
    #[inline]
    pub fn grow(&mut self, bytes: u64, wait: &Wait<'_>) -> Result<(), Refusal> {
        if self.draw(bytes) || self.refill(bytes) {
            return Ok(());
        }
        let more = self.ledger.reserve(self.ask(bytes), wait)?;
        self.take_over(more);
        Ok(())
    }

    /// Grows by exactly `bytes` and takes new slack with them, where both are free and nobody waits.
    /// False, with nothing changed, where not. Takes the ledger's lock; never waits or evicts.
    #[cold]
    pub fn refill(&mut self, bytes: u64) -> bool {
        if !self.slack.is_armed() {
            self.quantum = self.first;
        }
        if self.quantum == 0 {
            return false;
        }
        let (slack, quantum) = (&self.slack, self.quantum);
        let most = self.first.saturating_mul(GROWTH);
        let next = quantum.saturating_mul(2).min(most);
        let granted = self.ledger.locked(
            |state| {
                if slack.is_exact() {
                    return None;
                }
                let missing = bytes.saturating_sub(slack.reserve());
                let want = missing.saturating_add(quantum);
                let execution = Want::Execution { task: slack.task };
                // A pool that had grown for slack would stay so, and with it the share below which
                // tasks wait: slack comes out of what is free in the pool as it is.
                let sequence = state.grant_at_once(execution, slack.mode, want)?;
                let rest = sub(add(slack.reserve(), want), bytes);
                slack.set_used(add(slack.used(), bytes));
                state.arm(slack, rest, most_slack(next));
                Some((want, sequence))
            },
            |granted| {
                let (want, _) = (*granted)?;
                let execution = Want::Execution { task: slack.task };
                let attempt = Attempt::new(execution, slack.mode, want);
                Some((attempt.arrival(None, false), ActionOutcome::Granted(want)))
            },
        );
        let Some((want, sequence)) = granted else {
            return false;
        };
        self.quantum = next;
        let event = Event::Grant {
            task: Some(self.task()),
            mode: self.mode(),
            kind: Kind::Execution,
            asked: want,
            granted: want,
        };
        self.ledger.tell(Some(sequence), event);
        true
    }

    /// Adds a reservation to it.
    ///
    /// # Errors
    /// `more`, unchanged, where ledger, task or mode differ.
    pub fn absorb(&mut self, more: Reservation) -> Result<(), Reservation> {
        let same = more.is_of(&self.ledger)
            && (more.task(), more.mode()) == (Some(self.slack.task), self.slack.mode);
        if !same {
            return Err(more);
        }
        self.take_over(more);
        Ok(())
    }

    /// Adds bytes that the task was granted and that no guard has: the counterpart of
    /// [`Reservation::leave`].
    pub fn adopt(&mut self, bytes: u64) {
        self.set_used(add(self.bytes(), bytes));
    }

    /// Bytes in reserve.
    #[must_use]
    pub fn slack(&self) -> u64 {
        self.slack.reserve()
    }

    /// Empties it without giving anything back: the task has ended and its memory went with it.
    pub fn forget(&mut self) {
        self.set_used(0);
    }

    /// Gives `bytes` back, at most all that is in use: into the slack, as long as that is not too much.
    #[inline]
    pub fn shrink(&mut self, bytes: u64) {
        if !self.put_back(bytes) {
            self.release(bytes.min(self.bytes()), self.quantum);
        }
    }

    /// Gives `bytes` of what is in use back into the slack alone. False, with nothing changed, where as
    /// much is not in use, or that would be too much slack, or there may be none.
    #[inline]
    pub fn put_back(&mut self, bytes: u64) -> bool {
        self.slack.put_back(bytes, |decide| self.locked(decide))
    }

    /// Takes `bytes` of what is in use, at most all, out of it.
    pub fn split(&mut self, bytes: u64) -> Reservation {
        let bytes = bytes.min(self.bytes());
        self.set_used(sub(self.bytes(), bytes));
        let Slack { task, mode, .. } = *self.slack;
        Reservation::new(
            Arc::clone(&self.ledger),
            Kind::Execution,
            Some(task),
            mode,
            bytes,
        )
    }

    /// Takes `bytes` out of use and gives them back to the ledger, and the slack but for `keep` bytes;
    /// nothing is kept where the slack was taken back, for there may be somebody who waits.
    #[cold]
    fn release(&self, bytes: u64, keep: u64) {
        let slack = &*self.slack;
        let (task, mode) = (Some(slack.task), slack.mode);
        let kind = Kind::Execution;
        let given_back = self.ledger.locked(
            |state| {
                let keep = if slack.is_armed() { keep } else { 0 };
                let all = add(state.lay_down(slack), bytes);
                slack.set_used(sub(slack.used(), bytes));
                let keep = keep.min(all);
                if keep > 0 {
                    state.arm(&self.slack, keep, most_slack(self.quantum));
                }
                let surplus = sub(all, keep);
                let (released, sequence) = match surplus {
                    0 => return None,
                    _ => state.release_execution(mode, slack.task, surplus),
                };
                Some((surplus, released, sequence))
            },
            |given_back| {
                let (bytes, released, _) = (*given_back)?;
                let action = Action::Release {
                    task,
                    mode,
                    kind,
                    bytes,
                };
                Some((action, ActionOutcome::Released(released)))
            },
        );
        if let Some((_, bytes, sequence)) = given_back {
            let event = Event::Release {
                task,
                mode,
                kind,
                bytes,
            };
            self.ledger.tell(Some(sequence), event);
        }
    }

    /// Writes what is in use, beside the slack. Takes the ledger's lock where slack may be used.
    fn set_used(&self, bytes: u64) {
        let slack = &self.slack;
        if slack.is_armed() {
            self.ledger.locked(|_| slack.set_used(bytes), |()| None);
        } else {
            slack.set_used(bytes);
        }
    }

    fn locked(&self, decide: &dyn Fn() -> bool) -> bool {
        self.ledger.locked(|_| decide(), |_| None)
    }

    fn ask(&self, bytes: u64) -> Ask {
        Ask::execution(self.slack.task, self.slack.mode, bytes)
    }

    fn take_over(&mut self, more: Reservation) {
        self.adopt(more.leave());
    }
}

/// Bytes of slack that an owner may put together who asks for `quantum` bytes of it at a time.
fn most_slack(quantum: u64) -> u64 {
    quantum.saturating_mul(2)
}

impl Drop for LocalReservation {
    fn drop(&mut self) {
        self.release(self.bytes(), 0);
    }
}

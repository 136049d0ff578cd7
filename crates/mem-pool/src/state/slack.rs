//! Slack: what tasks hold granted and unused, so that small requests need not come here.
//!
//! Slack makes nobody wait, spill or be refused. Whoever could not be granted all that it asks for
//! has all slack of the mode taken back first; and while anybody is queued, no slack is given. So the
//! parked requests of a mode and slack of the mode are never there together.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_sync::heavy_fence;

use super::State;
use crate::policy::{Decision, Shift};
use crate::probe::Kind;
use crate::slack::Slack;
use crate::step::{Action, ActionOutcome, LedgerStep};
use crate::sum::add;
use crate::task::TaskId;
use crate::waiter::Attempt;

impl State {
    /// The owner may draw on `bytes` of slack from now on, and put `most` together.
    pub(crate) fn arm(&mut self, slack: &Arc<Slack>, bytes: u64, most: u64) {
        if !slack.is_armed() {
            self.armed.add(slack);
        }
        slack.arm(bytes, most);
    }

    /// The owner gives up its slack, and is told how much that was; it stays granted. No fence: it is
    /// the owner that is here.
    pub(crate) fn lay_down(&mut self, slack: &Slack) -> u64 {
        if !slack.is_armed() {
            return 0;
        }
        slack.disarm();
        self.leftover.retire_slack([self.armed.remove(slack)]);
        slack.take()
    }

    /// Makes room for a request by taking slack back, unless it is granted in full without that.
    #[inline]
    pub(super) fn recall_for(&mut self, attempt: Attempt) {
        if !self.armed.of(attempt.mode).is_empty() && !self.fits(attempt) {
            // mutant(recall by slack_makes_nobody_wait): delete
            self.recall_mode(attempt.mode);
        }
    }

    /// Takes back all slack of `mode`.
    pub(crate) fn recall_mode(&mut self, mode: MemoryMode) {
        let all = self.armed.take(mode);
        self.recall(all);
    }

    /// Takes back the slack of `task`, which ends.
    pub(crate) fn recall_task(&mut self, task: TaskId) {
        let own = self.armed.take_of(task);
        self.recall(own);
    }

    /// Takes back the slack of one owner and, while `exact`, gives it none.
    pub(crate) fn set_exact(&mut self, slack: &Slack, exact: bool) {
        slack.set_exact(exact);
        if exact && slack.is_armed() {
            let own = self.armed.remove(slack);
            self.recall(vec![own]);
        }
    }

    /// Whether anybody may use slack of `mode`.
    pub(crate) fn has_slack(&self, mode: MemoryMode) -> bool {
        !self.armed.of(mode).is_empty()
    }

    /// Bytes of `mode` in reserve, about: their owners go on meanwhile.
    pub(crate) fn slack(&self, mode: MemoryMode) -> u64 {
        let all = self.armed.of(mode).iter();
        all.fold(0, |sum, slack| sum.saturating_add(slack.reserve()))
    }

    fn recall(&mut self, owners: Vec<Arc<Slack>>) {
        if owners.is_empty() {
            return;
        }
        owners.iter().for_each(|slack| slack.disarm());
        // mutant(recall-fences by slack_is_taken_once): delete
        heavy_fence();
        for slack in &owners {
            let bytes = slack.take();
            self.give_back(slack, bytes);
        }
        self.leftover.retire_slack(owners);
    }

    /// A step of its own, for records: nobody waits, so nobody is told.
    fn give_back(&mut self, slack: &Slack, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let (task, mode) = (slack.task, slack.mode);
        let (released, _) = self.release_execution(mode, task, bytes);
        let (kind, task) = (Kind::Execution, Some(task));
        let action = Action::Release {
            task,
            mode,
            kind,
            bytes,
        };
        self.record(action, ActionOutcome::Released(released));
    }

    /// Whether somebody wants to know of each step.
    #[inline]
    pub(crate) fn tells_steps(&self) -> bool {
        self.tells_steps
    }

    /// Writes a step down that has just been made, where steps are wanted.
    #[cold]
    pub(crate) fn record(&mut self, action: Action, outcome: ActionOutcome) {
        if !self.tells_steps {
            return;
        }
        self.steps = add(self.steps, 1);
        let step = LedgerStep::capture(self, action, outcome);
        self.leftover.record(self.steps, step);
    }

    /// Whether a request would be granted in full with nothing evicted. Nothing is changed.
    fn fits(&mut self, mut attempt: Attempt) -> bool {
        let task = attempt.task();
        let execution = &mut self.books_mut(attempt.mode).execution;
        let is_new = task.is_some_and(|task| execution.count_in(task));
        execution.unhold(attempt.credit);
        let (decision, shift) = self.decide(&mut attempt);
        let books = self.books_mut(attempt.mode);
        if let Some(shift) = shift {
            books.shift(shift.reversed());
        }
        books.execution.hold(attempt.credit);
        if let Some(task) = task.filter(|_| is_new) {
            books.execution.count_out(task);
        }
        decision == Decision::Grant(attempt.bytes)
    }
}

impl Shift {
    fn reversed(self) -> Self {
        match self {
            Self::ToExecution(bytes) => Self::ToStorage(bytes),
            Self::ToStorage(bytes) => Self::ToExecution(bytes),
        }
    }
}

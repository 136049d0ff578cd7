//! One task's books: which of its consumers holds what. Sums only: no lock, and no ledger.

mod account;
mod check;
mod kept;
mod names;
mod outlook;
mod pairs;
mod siblings;
mod urgency;

use datafusion_execution::memory_pool::MemoryConsumer;
use mem_sync::Moment;
use rustc_hash::FxHashMap;

pub(super) use account::Account;
pub(crate) use outlook::TO_BEGIN;
use pairs::Pairs;
use siblings::Siblings;
pub(super) use urgency::Urgency;

/// More than any machine has, in bytes; sums of a few stay far from the end of 64 bits.
const BYTES_MAX: u64 = 1 << 60;

/// A request that could not be served from what the task has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    pub(super) id: usize,
    pub(super) asked: u64,
    /// What the ledger has to grant: the rest of the request.
    pub(super) missing: u64,
    /// The task's overdraft, which the ledger has to grant with it: it is repaid first.
    pub(super) debt: u64,
    pub(super) held: u64,
    pub(super) urgency: Urgency,
    /// It has to leave that many bytes to another that was refused.
    pub(super) pressed: u64,
    /// It is of a sort of which more partitions may come: when the last one was registered.
    pub(super) newest: Option<Moment>,
    /// Others of its task may be waited for: it has not done so in vain.
    pub(super) may_wait: bool,
    from_kept: u64,
    from_slack: u64,
}

/// What came of a request at first sight.
#[derive(Debug)]
pub(super) enum Begin {
    /// Served from what the task had.
    Done,
    /// The ledger has to be asked.
    Ask(Asking),
    /// It is not to be had: the consumer spills, and this is in the way of that.
    Futile,
}

/// Who holds what of a task's memory.
///
/// What the ledger has granted, and the overdraft, is what consumers hold, what is kept for retries and
/// for spilling, and slack, which is nobody's. Requests on their way to the ledger have the rest.
#[derive(Debug, Default)]
pub(super) struct Books {
    accounts: FxHashMap<usize, Account>,
    granted: u64,
    used: u64,
    peak: u64,
    /// What is kept for those that spill, or merge.
    kept: u64,
    /// A spill has ended, and what it has left has not been looked at.
    is_freed: bool,
    slack: u64,
    overdraft: u64,
    pairs: Pairs,
    siblings: Siblings,
    pub(super) refusals: u64,
    pub(super) pressures: u64,
}

impl Books {
    /// Bytes that consumers hold.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }

    /// Bytes that the ledger has granted.
    pub(super) fn granted(&self) -> u64 {
        self.granted
    }

    /// Bytes that consumers hold and nobody has granted.
    pub(super) fn overdraft(&self) -> u64 {
        self.overdraft
    }

    /// A consumer is registered.
    pub(super) fn register(&mut self, consumer: &MemoryConsumer, now: Moment) {
        self.pairs.register(consumer);
        self.siblings.register(consumer, now);
    }

    /// The consumers that have ever held something, in no order.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Begins a request that may be refused, through a reservation that has `here` bytes already.
    pub(super) fn begin(&mut self, consumer: &MemoryConsumer, here: u64, asked: u64) -> Begin {
        self.enter_account(consumer);
        let id = consumer.id();
        let urgency = self.urgency(id, here, asked);
        if urgency == Urgency::Futile {
            self.count_refusal(id);
            return Begin::Futile;
        }
        let asking = self.take_own(id, asked, urgency);
        if asking.missing == 0 {
            self.grant(&asking, 0);
            return Begin::Done;
        }
        Begin::Ask(asking)
    }

    /// Begins a request that must not be refused.
    pub(super) fn begin_infallible(&mut self, consumer: &MemoryConsumer, asked: u64) -> Asking {
        // Nobody has that much: an asker that says so is mistaken, and does not bring the sums down.
        let asked = asked.min(BYTES_MAX.saturating_sub(self.used));
        self.enter_account(consumer);
        let mut asking = self.take_own(consumer.id(), asked, Urgency::Essential);
        // The limit is not passed while bytes lie unused, whoever they are kept for.
        self.raid(&mut asking, self.kept);
        asking
    }

    fn enter_account(&mut self, consumer: &MemoryConsumer) {
        let account = self.accounts.entry(consumer.id());
        account.or_insert_with(|| Account::new(consumer, self.pairs.of(consumer.id())));
    }

    /// Takes what is kept for the consumer, and slack.
    fn take_own(&mut self, id: usize, asked: u64, urgency: Urgency) -> Asking {
        let from_kept = self.take_kept(id, asked);
        let missing = minus(asked, from_kept);
        let (mut held, mut pressed, mut may_wait) = (0, None, false);
        if let Some(account) = self.accounts.get_mut(&id) {
            held = account.held;
            may_wait = !account.has_waited_in_vain;
            // One that would fail is not made to.
            if !urgency.is_essential() {
                pressed = account.pressed.take();
            }
        }
        let pressed = pressed.filter(|(by, _)| self.accounts.contains_key(by));
        let pressed = pressed.map_or(0, |(_, bytes)| bytes);
        // One that has to leave something has to ask.
        let from_slack = if pressed > 0 {
            0
        } else {
            missing.min(self.slack)
        };
        self.slack = minus(self.slack, from_slack);
        Asking {
            id,
            asked,
            missing: minus(missing, from_slack),
            debt: self.overdraft,
            held,
            urgency,
            pressed,
            newest: self.newest_sibling(id, urgency),
            may_wait,
            from_kept,
            from_slack,
        }
    }

    /// Ends a request: the ledger has granted `acquired`, all that was missing and all of the debt.
    pub(super) fn grant(&mut self, asking: &Asking, acquired: u64) {
        self.granted = plus(self.granted, acquired);
        self.slack = plus(self.slack, minus(acquired, asking.missing));
        self.enter(asking);
        self.repay();
    }

    /// Ends a request that must not be refused: the ledger has granted `acquired` of what was missing,
    /// and the rest is overdraft.
    pub(super) fn overdraw(&mut self, asking: &Asking, acquired: u64) {
        self.granted = plus(self.granted, acquired);
        self.overdraft = plus(self.overdraft, minus(asking.missing, acquired));
        self.enter(asking);
        self.repay();
    }

    /// Ends a request that was refused. What it had taken goes back; what the ledger has granted in
    /// part repays overdraft.
    pub(super) fn refuse(&mut self, asking: &Asking, kept: u64) {
        self.granted = plus(self.granted, kept);
        self.slack = plus(self.slack, plus(kept, asking.from_slack));
        self.put_back(asking.id, asking.from_kept);
        self.count_refusal(asking.id);
        self.begin_spill(asking.id, asking.asked);
        self.repay();
    }

    fn count_refusal(&mut self, id: usize) {
        self.refusals = self.refusals.saturating_add(1);
        if let Some(account) = self.accounts.get_mut(&id) {
            account.refusals = account.refusals.saturating_add(1);
        }
    }

    /// No slack while there is overdraft.
    fn repay(&mut self) {
        let repaid = self.slack.min(self.overdraft);
        self.slack = minus(self.slack, repaid);
        self.overdraft = minus(self.overdraft, repaid);
    }

    /// The consumer has what it asked for.
    fn enter(&mut self, asking: &Asking) {
        self.used = plus(self.used, asking.asked);
        self.peak = self.peak.max(self.used);
        let Some(account) = self.accounts.get_mut(&asking.id) else {
            unreachable!("a consumer is registered while it grows");
        };
        let held = plus(account.held, asking.asked);
        account.held = held;
        if account.first == 0 {
            account.first = asking.asked;
        }
        account.peak = account.peak.max(held);
        if asking.urgency == Urgency::Retry {
            self.end_spill(asking.id);
        }
    }

    /// A consumer gives `bytes` back, at most what it holds, out of a reservation that has `here` left:
    /// they repay overdraft first, then are [kept](Self::set_free) where that is due. Returns the slack above
    /// `slack_max`, which is to go back to the ledger.
    pub(super) fn shrink(&mut self, id: usize, here: u64, bytes: u64, slack_max: u64) -> u64 {
        let Some(account) = self.accounts.get_mut(&id) else {
            return 0;
        };
        let bytes = bytes.min(account.held);
        account.held = minus(account.held, bytes);
        account.pressed = None;
        self.used = minus(self.used, bytes);
        let repaid = bytes.min(self.overdraft);
        self.overdraft = minus(self.overdraft, repaid);
        self.set_free(id, here, minus(bytes, repaid));
        self.release_slack(slack_max)
    }

    /// A consumer is no more. What it still held, which is nothing unless somebody cheated, goes back.
    /// Returns what is to go back to the ledger.
    pub(super) fn unregister(&mut self, consumer: &MemoryConsumer, slack_max: u64) -> u64 {
        let id = consumer.id();
        self.pairs.unregister(consumer);
        self.siblings.unregister(consumer);
        let Some(held) = self.accounts.get(&id).map(|account| account.held) else {
            return 0;
        };
        let freed = self.shrink(id, 0, held, slack_max);
        self.end_spill(id);
        self.accounts.remove(&id);
        plus(freed, self.release_slack(slack_max))
    }

    /// Takes slack above `slack_max` out of the books, to be given back; all of it where nobody holds
    /// anything, so that the task does not count any more.
    pub(super) fn release_slack(&mut self, slack_max: u64) -> u64 {
        let idle = self.used == 0 && self.kept == 0;
        let surplus = self.slack.saturating_sub(if idle { 0 } else { slack_max });
        self.slack = minus(self.slack, surplus);
        self.granted = minus(self.granted, surplus);
        surplus
    }

    /// What a spill has left over, if one has ended just now, to be given back to the ledger.
    pub(super) fn left_by_spill(&mut self, slack_max: impl FnOnce() -> u64) -> u64 {
        if std::mem::take(&mut self.is_freed) {
            self.release_slack(slack_max())
        } else {
            0
        }
    }

    /// Has the largest consumer that can spill leave `demand` bytes with its next growth, or spill, if it
    /// holds `floor` bytes at least and is not the one that asks. Whether there is one.
    pub(super) fn press_largest(&mut self, asker: usize, floor: u64, demand: u64) -> bool {
        let others = self.accounts.iter_mut().filter(|(id, account)| {
            let could_spill = account.can_spill && !account.merging;
            **id != asker && could_spill && account.held >= floor && account.held > 0
        });
        let largest = others.max_by_key(|(id, account)| (account.held, **id));
        let Some((_, account)) = largest else {
            return false;
        };
        let pressed = Some((asker, demand));
        if account.pressed != pressed {
            account.pressed = pressed;
            self.pressures = self.pressures.saturating_add(1);
        }
        true
    }

    /// Consumer `id` has waited for others to spill. Where that has helped, nobody need do so for it any more.
    pub(super) fn end_wait(&mut self, id: usize, has_helped: bool) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.has_waited_in_vain = !has_helped;
        }
        if has_helped {
            for account in self.accounts.values_mut() {
                account.pressed = account.pressed.filter(|(by, _)| *by != id);
            }
        }
    }

    /// What a consumer that has asked is called and holds.
    pub(super) fn account(&self, id: usize) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The consumers that hold the most, largest first: at most three.
    pub(super) fn largest(&self) -> [Option<&Account>; 3] {
        let mut largest: [Option<&Account>; 3] = [None; 3];
        for account in self.accounts.values().filter(|account| account.held > 0) {
            let mut next = Some(account);
            for place in &mut largest {
                let here = place.map_or(0, |account| account.held);
                if next.is_some_and(|next| next.held > here) {
                    std::mem::swap(place, &mut next);
                }
            }
        }
        largest
    }
}

/// Sums of what was granted fit 64 bits: the ledger refuses more.
fn plus(a: u64, b: u64) -> u64 {
    a.checked_add(b).expect("bytes of memory fit 64 bits")
}

fn minus(a: u64, b: u64) -> u64 {
    a.checked_sub(b).expect("no more is taken than there is")
}

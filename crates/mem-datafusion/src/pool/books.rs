//! One task's books: which of its consumers holds what. Sums only: no lock, and no ledger.

mod account;
mod check;
mod escrow;

use datafusion_execution::memory_pool::MemoryConsumer;
use rustc_hash::FxHashMap;

pub(super) use account::Account;

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
    pub(super) can_spill: bool,
    /// It is the retry of one that has spilled.
    pub(super) retry: bool,
    /// It has to leave that many bytes to another that was refused.
    pub(super) pressed: u64,
    from_credit: u64,
    from_slack: u64,
}

/// What came of a request at first sight.
#[derive(Debug)]
pub(super) enum Begin {
    /// Served from what the task had.
    Done,
    /// The ledger has to be asked.
    Ask(Asking),
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
    credit: u64,
    /// What is kept for those that can't spill, as long as somebody spills.
    escrow: u64,
    /// Who was refused last, and could spill.
    spiller: Option<usize>,
    /// A spill has ended, and what it has left has not been looked at.
    is_freed: bool,
    slack: u64,
    overdraft: u64,
    /// Consumers that hold something and can spill.
    spillable: u64,
    /// The largest request of one that held nothing, or can't spill.
    first_ask: u64,
    /// Consumers that are registered.
    registered: u64,
    /// Consumers that can't spill, have held something or wanted to, and hold nothing now.
    dormant: u64,
    pub(super) refusals: u64,
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

    /// Consumers that hold something and can spill.
    pub(super) fn spillable(&self) -> u64 {
        self.spillable
    }

    /// A consumer is registered.
    pub(super) fn register(&mut self) {
        self.registered = plus(self.registered, 1);
    }

    /// The largest request so far of a consumer that held nothing, or can't spill, in bytes; 0 where
    /// there is none that has yet to begin.
    pub(super) fn expected_ask(&self) -> u64 {
        let known = u64::try_from(self.accounts.len()).unwrap_or(u64::MAX);
        if self.registered > known || self.dormant > 0 {
            self.first_ask
        } else {
            0
        }
    }

    /// The consumers that have ever held something, in no order.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Begins a request that may be refused.
    pub(super) fn begin(&mut self, consumer: &MemoryConsumer, asked: u64) -> Begin {
        let asking = self.take_own(consumer, asked);
        if asking.held == 0 || !asking.can_spill {
            self.first_ask = self.first_ask.max(asked);
        }
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
        let mut asking = self.take_own(consumer, asked);
        // The limit is not passed while bytes lie unused, whoever they are kept for.
        self.raid_escrow(&mut asking);
        self.raid_credit(&mut asking);
        asking
    }

    /// Takes what is kept for the consumer, and slack.
    fn take_own(&mut self, consumer: &MemoryConsumer, asked: u64) -> Asking {
        let account = self.accounts.entry(consumer.id()).or_insert_with(|| {
            self.dormant += u64::from(!consumer.can_spill());
            Account::new(consumer)
        });
        if account.spilling {
            self.end_spill(consumer.id());
        }
        let Some(account) = self.accounts.get_mut(&consumer.id()) else {
            unreachable!("it was entered above");
        };
        let from_credit = asked.min(account.credit);
        account.credit = minus(account.credit, from_credit);
        self.credit = minus(self.credit, from_credit);
        let mut missing = minus(asked, from_credit);
        let (held, can_spill, retry) = (account.held, account.can_spill, account.returned);
        let pressed = account.pressed.take();
        let pressed = pressed.filter(|(by, _)| self.accounts.contains_key(by));
        let pressed = pressed.map_or(0, |(_, bytes)| bytes);
        let mut from_escrow = 0;
        if !can_spill {
            from_escrow = self.take_escrow(missing);
            missing = minus(missing, from_escrow);
        }
        // One that has to leave something has to ask.
        let from_slack = if pressed > 0 {
            0
        } else {
            missing.min(self.slack)
        };
        self.slack = minus(self.slack, from_slack);
        Asking {
            id: consumer.id(),
            asked,
            missing: minus(missing, from_slack),
            debt: self.overdraft,
            held,
            can_spill,
            retry,
            pressed,
            from_credit,
            from_slack: plus(from_slack, from_escrow),
        }
    }

    /// Takes what is kept for others' retries: the last resort of one that would fail.
    pub(super) fn raid(&mut self, asking: &mut Asking) {
        if asking.held == 0 {
            self.raid_escrow(asking);
        }
        self.raid_credit(asking);
    }

    fn raid_credit(&mut self, asking: &mut Asking) {
        if self.credit == 0 {
            return;
        }
        for account in self.accounts.values_mut() {
            let taken = asking.missing.min(account.credit);
            account.credit = minus(account.credit, taken);
            self.credit = minus(self.credit, taken);
            asking.from_slack = plus(asking.from_slack, taken);
            asking.missing = minus(asking.missing, taken);
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
        self.refusals = self.refusals.saturating_add(1);
        match self.accounts.get_mut(&asking.id) {
            Some(account) => {
                account.credit = plus(account.credit, asking.from_credit);
                self.credit = plus(self.credit, asking.from_credit);
                account.note_refusal(asking.asked);
                if account.spilling {
                    self.spiller = Some(asking.id);
                }
            }
            None => self.slack = plus(self.slack, asking.from_credit),
        }
        self.repay();
    }

    /// No slack while there is overdraft.
    fn repay(&mut self) {
        let repaid = self.slack.min(self.overdraft);
        self.slack = minus(self.slack, repaid);
        self.overdraft = minus(self.overdraft, repaid);
    }

    /// The consumer has what it asked for. If it held nothing before, it has begun anew, and what else was
    /// kept for it is nobody's; one that is still about to spill, and grows a little in order to do so,
    /// will come back.
    fn enter(&mut self, asking: &Asking) {
        self.used = plus(self.used, asking.asked);
        self.peak = self.peak.max(self.used);
        let Some(account) = self.accounts.get_mut(&asking.id) else {
            unreachable!("a consumer is registered while it grows");
        };
        let held = plus(account.held, asking.asked);
        let begins = u64::from(account.held == 0 && held > 0);
        if account.can_spill {
            self.spillable = plus(self.spillable, begins);
        } else {
            self.dormant = minus(self.dormant, begins);
        }
        account.held = held;
        account.peak = account.peak.max(held);
        account.returned = false;
        if asking.held == 0 {
            account.wanted = 0;
            let left = std::mem::take(&mut account.credit);
            self.credit = minus(self.credit, left);
            self.slack = plus(self.slack, left);
        }
    }

    /// A consumer gives `bytes` back, at most what it holds: they repay overdraft first, then are kept
    /// for its retry, if it was refused. Returns the slack above `slack_max`, which is to go back to the
    /// ledger.
    pub(super) fn shrink(&mut self, id: usize, bytes: u64, slack_max: u64) -> u64 {
        let Some(account) = self.accounts.get_mut(&id) else {
            return 0;
        };
        let bytes = bytes.min(account.held);
        let held = minus(account.held, bytes);
        let ends = u64::from(account.held > 0 && held == 0);
        if account.can_spill {
            self.spillable = minus(self.spillable, ends);
        } else {
            self.dormant = plus(self.dormant, ends);
        }
        account.held = held;
        account.pressed = None;
        self.used = minus(self.used, bytes);
        let repaid = bytes.min(self.overdraft);
        self.overdraft = minus(self.overdraft, repaid);
        let mut rest = minus(bytes, repaid);
        if account.wanted > 0 {
            account.returned = true;
            let keep = rest.min(account.wanted.saturating_sub(account.credit));
            account.credit = plus(account.credit, keep);
            self.credit = plus(self.credit, keep);
            rest = minus(rest, keep);
        }
        let is_spilling = account.spilling;
        if is_spilling || (!account.can_spill && self.spiller.is_some()) {
            self.set_free(id, rest);
        } else {
            self.slack = plus(self.slack, rest);
        }
        if self.used == 0 && self.escrow > 0 {
            self.end_spills();
        }
        self.release_slack(slack_max)
    }

    /// A consumer is no more. What it still held, which is nothing unless somebody cheated, goes back.
    /// Returns what is to go back to the ledger.
    pub(super) fn unregister(&mut self, id: usize, slack_max: u64) -> u64 {
        self.registered = minus(self.registered, 1);
        let Some(held) = self.accounts.get(&id).map(|account| account.held) else {
            return 0;
        };
        let freed = self.shrink(id, held, slack_max);
        self.end_spill(id);
        if let Some(account) = self.accounts.remove(&id) {
            self.dormant = minus(self.dormant, u64::from(!account.can_spill));
            self.credit = minus(self.credit, account.credit);
            self.slack = plus(self.slack, account.credit);
            self.repay();
        }
        plus(freed, self.release_slack(slack_max))
    }

    /// Takes slack above `slack_max` out of the books, to be given back; all of it where nobody holds
    /// anything, so that the task does not count any more.
    pub(super) fn release_slack(&mut self, slack_max: u64) -> u64 {
        let idle = self.used == 0 && self.credit == 0;
        let surplus = self.slack.saturating_sub(if idle { 0 } else { slack_max });
        self.slack = minus(self.slack, surplus);
        self.granted = minus(self.granted, surplus);
        surplus
    }

    /// Has the largest consumer that can spill leave `demand` bytes with its next growth, or spill, if it
    /// holds `floor` bytes at least and is not the one that asks. Whether there is one.
    pub(super) fn press_largest(&mut self, asker: usize, floor: u64, demand: u64) -> bool {
        let others = self.accounts.iter_mut().filter(|(id, account)| {
            **id != asker && account.can_spill && account.held >= floor && account.held > 0
        });
        let largest = others.max_by_key(|(id, account)| (account.held, **id));
        if let Some((_, account)) = largest {
            account.pressed = Some((asker, demand));
            return true;
        }
        false
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

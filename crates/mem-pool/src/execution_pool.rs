//! The part of one mode's memory that tasks hold, and the rule by which they share it.

use crate::accounts::{Account, Accounts};
use crate::sum::{add, sub};
use crate::task::TaskId;

/// What the 1/N rule says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// This many bytes, from 0 to what was asked.
    Grant(u64),
    /// The task is below its minimum share and could not even be brought up to it: it waits.
    Wait,
}

/// Counts execution memory by task, in bytes. Spark's class of the same name, without the waiting:
/// that is the ledger's. A task's registration is apart from its balance.
#[derive(Debug, Clone, Default)]
pub struct ExecutionMemoryPool {
    pool_size: u64,
    used: u64,
    escrow: u64,
    frozen: u64,
    counted: u64,
    holders: u64,
    accounts: Accounts,
}

impl ExecutionMemoryPool {
    pub(crate) fn new(pool_size: u64) -> Self {
        Self {
            pool_size,
            ..Self::default()
        }
    }

    /// Bytes that the pool has.
    #[must_use]
    #[inline]
    pub fn pool_size(&self) -> u64 {
        self.pool_size
    }

    /// Bytes that tasks hold.
    #[must_use]
    #[inline]
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Bytes that a request may take now: not used, not kept for the request they were freed for, not
    /// owed to a lowered limit.
    #[must_use]
    #[inline]
    pub fn free(&self) -> u64 {
        self.pool_size
            .saturating_sub(self.used)
            .saturating_sub(self.escrow)
            .saturating_sub(self.frozen)
    }

    /// N: the tasks between which the pool is shared now, by their weights, which mostly are 1. A task
    /// counts from its first request until it releases its last byte.
    #[must_use]
    #[inline]
    pub fn active_tasks(&self) -> u64 {
        self.counted
    }

    /// Bytes that `task` holds.
    #[must_use]
    #[inline]
    pub fn held_by(&self, task: TaskId) -> u64 {
        self.accounts.get(task).map_or(0, |account| account.bytes)
    }

    /// The 1/2N..1/N rule: a task may hold up to `cap / N` bytes; below `pool_size / 2N` it waits
    /// rather than take less than it asked for. `cap` is what all tasks together could ever have. One
    /// of more weight counts as so many tasks, and may hold what they might.
    #[must_use]
    #[inline]
    pub fn share(&self, task: TaskId, bytes: u64, cap: u64) -> Share {
        let account = self.accounts.get(task);
        let (held, weight) = account.map_or((0, 1), |account| (account.bytes, account.weight()));
        let tasks = self.counted.max(weight);
        let grant = bytes.min(room(held, weight, tasks, cap)).min(self.free());
        if grant == bytes {
            return Share::Grant(grant);
        }
        // fault(half-share): replace saturating_mul(2) => saturating_mul(3)
        let min_per_task = self.pool_size.saturating_mul(weight) / tasks.saturating_mul(2);
        if add(held, grant) < min_per_task {
            Share::Wait
        } else {
            Share::Grant(grant)
        }
    }

    /// The tasks that hold something, with their bytes and peaks, in no order.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (TaskId, Account)> + '_ {
        self.accounts.iter().map(|(task, account)| (task, *account))
    }

    /// Tasks that hold more than nothing.
    pub(crate) fn holders(&self) -> u64 {
        self.holders
    }

    /// Spilled bytes that are kept for requests which have not come back for them yet.
    pub(crate) fn kept(&self) -> u64 {
        self.escrow
    }

    /// Makes `task` count in N. True where it did not yet: everybody's share has changed.
    #[inline]
    pub(crate) fn count_in(&mut self, task: TaskId) -> bool {
        let account = self.accounts.of(task);
        let new = !account.counted;
        account.counted = true;
        if new {
            self.counted = add(self.counted, account.weight());
        }
        new
    }

    /// Takes back a [`count_in`](Self::count_in) that was made just now, for a task that was not
    /// counted before.
    pub(crate) fn count_out(&mut self, task: TaskId) {
        if let Some(account) = self.accounts.get_mut(task) {
            account.counted = false;
            self.counted = sub(self.counted, account.weight());
        }
        self.forget_if_idle(task);
    }

    /// Keeps the task's account, and its peak, from now until [`end`](Self::end). It counts as `weight`
    /// tasks, unless it counts already.
    pub(crate) fn register(&mut self, task: TaskId, weight: u32) {
        let account = self.accounts.of(task);
        account.registered = true;
        if !account.counted {
            account.beyond_one = weight.saturating_sub(1);
        }
    }

    /// `total` divided among the tasks that count: the part of `task`.
    pub(crate) fn part_of(&self, task: TaskId, total: u64) -> u64 {
        let weight = self.accounts.get(task).map_or(1, Account::weight);
        total.saturating_mul(weight) / self.counted.max(weight)
    }

    pub(crate) fn enqueue(&mut self, task: TaskId) {
        let account = self.accounts.of(task);
        account.waiting = account
            .waiting
            .checked_add(1)
            .expect("fewer waiters than 2^32");
    }

    pub(crate) fn dequeue(&mut self, task: TaskId) {
        let account = self
            .accounts
            .get_mut(task)
            .expect("a queued task has an account");
        account.waiting = account.waiting.checked_sub(1).expect("it was queued");
        self.forget_if_idle(task);
    }

    pub(crate) fn peak_of(&self, task: TaskId) -> u64 {
        self.accounts.get(task).map_or(0, |account| account.peak)
    }

    /// Charges `bytes`, which are free, to `task`.
    pub(crate) fn take(&mut self, task: TaskId, bytes: u64) {
        assert!(bytes <= self.free(), "execution grants only what is free");
        let account = self.accounts.of(task);
        self.holders = add(self.holders, u64::from(account.bytes == 0 && bytes > 0));
        self.used = add(self.used, bytes);
        account.charge(bytes);
    }

    /// Counts `task` in and charges `bytes` to it, more than 0, where its [share](Self::share) of `cap`
    /// is to be granted all of them. Changes nothing where not.
    #[inline]
    pub(crate) fn take_all(&mut self, task: TaskId, bytes: u64, cap: u64) -> bool {
        let free = self.free();
        let account = self.accounts.of(task);
        let weight = account.weight();
        let counted_before = if account.counted { 0 } else { weight };
        let tasks = add(self.counted, counted_before);
        if bytes > free || bytes > room(account.bytes, weight, tasks, cap) {
            self.forget_if_idle(task);
            return false;
        }
        self.counted = tasks;
        self.holders = add(self.holders, u64::from(account.bytes == 0));
        // mutant(granted-at-once-is-taken by no_over_grant_at_once): delete
        self.used = add(self.used, bytes);
        account.counted = true;
        account.charge(bytes);
        true
    }

    /// Takes back at most what `task` holds; returns how much that was. A task that holds nothing
    /// any more, and waits for nothing, no longer counts.
    #[inline]
    pub(crate) fn release(&mut self, task: TaskId, bytes: u64) -> u64 {
        let Some(account) = self.accounts.get_mut(task) else {
            return 0;
        };
        let released = bytes.min(account.bytes);
        account.bytes = sub(account.bytes, released);
        self.used = sub(self.used, released);
        if account.bytes == 0 {
            self.holders = sub(self.holders, u64::from(released > 0));
            if account.counted && account.waiting == 0 {
                account.counted = false;
                self.counted = sub(self.counted, account.weight());
            }
            if account.is_idle() {
                self.accounts.remove(task);
            }
        }
        released
    }

    /// Takes back everything and forgets the task's registration. It does not count any longer, even
    /// where one of its requests has yet to learn that it has ended.
    pub(crate) fn end(&mut self, task: TaskId) -> u64 {
        let Some(account) = self.accounts.get_mut(task) else {
            return 0;
        };
        account.registered = false;
        if std::mem::take(&mut account.counted) {
            self.counted = sub(self.counted, account.weight());
        }
        self.release(task, u64::MAX)
    }

    pub(crate) fn hold(&mut self, bytes: u64) {
        assert!(
            bytes <= self.free(),
            "only free bytes can be kept for a request"
        );
        self.escrow = add(self.escrow, bytes);
    }

    #[inline]
    pub(crate) fn unhold(&mut self, bytes: u64) {
        self.escrow = sub(self.escrow, bytes);
    }

    /// Makes exactly `bytes` of what is free unavailable; returns how many were so far.
    pub(crate) fn freeze(&mut self, bytes: u64) -> u64 {
        std::mem::replace(&mut self.frozen, bytes)
    }

    pub(crate) fn grow(&mut self, bytes: u64) {
        self.pool_size = add(self.pool_size, bytes);
    }

    /// Shrinks the pool by bytes that are free.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        assert!(bytes <= self.free(), "a pool shrinks by free bytes only");
        self.pool_size = sub(self.pool_size, bytes);
    }

    #[cold]
    fn forget_if_idle(&mut self, task: TaskId) {
        if self.accounts.get(task).is_some_and(Account::is_idle) {
            self.accounts.remove(task);
        }
    }

    /// The books agree with themselves.
    pub(crate) fn check(&self) {
        let sum: u64 = self.accounts.iter().map(|(_, account)| account.bytes).sum();
        assert_eq!(sum, self.used, "the pool's use is the sum of its tasks'");
        let counted = self.accounts.iter().filter(|(_, account)| account.counted);
        let counted: u64 = counted.map(|(_, account)| account.weight()).sum();
        assert_eq!(counted, self.counted, "N is the weight of counted tasks");
        let holders = self
            .accounts
            .iter()
            .filter(|(_, account)| account.bytes > 0)
            .count();
        assert_eq!(
            u64::try_from(holders),
            Ok(self.holders),
            "holders hold something"
        );
    }
}

/// What a task that holds so much and counts as `weight` of `tasks` may hold more, if that is free.
#[inline]
fn room(held: u64, weight: u64, tasks: u64, cap: u64) -> u64 {
    // Mostly one task has it all, and divisions are slow.
    let max_per_task = if tasks == weight {
        cap
    } else {
        cap.saturating_mul(weight) / tasks
    };
    max_per_task.saturating_sub(held)
}

#[cfg(all(test, not(mem_loom)))]
mod tests {
    use super::*;

    const A: TaskId = TaskId::new(1);
    const B: TaskId = TaskId::new(2);

    fn pool(size: u64, held: &[(TaskId, u64)]) -> ExecutionMemoryPool {
        let mut pool = ExecutionMemoryPool::new(size);
        for (task, bytes) in held {
            pool.count_in(*task);
            pool.take(*task, *bytes);
        }
        pool
    }

    #[test]
    fn a_lone_task_may_have_everything_and_then_nothing() {
        let pool = pool(1000, &[(A, 900)]);
        assert_eq!(pool.share(A, 200, 1000), Share::Grant(100));
        assert_eq!(pool.share(A, 100, 1000), Share::Grant(100));
    }

    #[test]
    fn below_half_a_share_a_task_waits() {
        let mut pool = pool(1000, &[(A, 1000)]);
        assert!(pool.count_in(B));
        assert_eq!(pool.share(B, 250, 1000), Share::Wait);
        pool.release(A, 250);
        assert_eq!(pool.share(B, 250, 1000), Share::Grant(250));
        assert_eq!(pool.share(B, 600, 1000), Share::Grant(250));
    }

    #[test]
    fn a_cap_of_less_than_is_held_grants_nothing() {
        let mut pool = pool(1000, &[(A, 700)]);
        pool.count_in(B);
        assert_eq!(pool.share(A, 10, 1000), Share::Grant(0));
    }

    #[test]
    fn a_task_of_weight_three_has_three_times_the_share_of_one() {
        let mut pool = pool(1000, &[]);
        pool.register(A, 3);
        pool.register(B, 1);
        pool.count_in(A);
        assert_eq!(pool.share(A, 1000, 1000), Share::Grant(1000));
        pool.count_in(B);
        assert_eq!(pool.active_tasks(), 4);
        assert_eq!(pool.share(A, 1000, 1000), Share::Grant(750));
        assert_eq!(pool.share(B, 1000, 1000), Share::Grant(250));
        // Below half of that each waits.
        pool.take(B, 626);
        assert_eq!(pool.share(A, 375, 1000), Share::Wait);
        assert_eq!(pool.part_of(A, 1000), 750);
        // The weight of a task that counts stays until it ends.
        pool.register(B, 9);
        pool.check();
        assert_eq!(pool.release(B, 626), 626);
        pool.end(B);
        assert_eq!(pool.active_tasks(), 3);
        pool.end(A);
        assert_eq!(pool.active_tasks(), 0);
        pool.check();
    }

    #[test]
    fn the_last_byte_ends_the_counting_but_not_a_registration() {
        let mut pool = pool(100, &[(A, 60)]);
        pool.register(A, 1);
        assert_eq!(pool.release(A, 1000), 60);
        assert_eq!((pool.active_tasks(), pool.peak_of(A)), (0, 60));
        pool.end(A);
        assert_eq!(pool.peak_of(A), 0);
        pool.check();
    }
}

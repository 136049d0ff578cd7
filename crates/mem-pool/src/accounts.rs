//! The accounts of a pool's tasks, quickly found.

use rustc_hash::FxHashMap;

use crate::sum::add;
use crate::task::TaskId;

/// One task's standing in a pool.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Account {
    pub(crate) bytes: u64,
    pub(crate) peak: u64,
    /// Counts in N: it asked, and has not since released its last byte.
    pub(crate) counted: bool,
    /// Stays known at zero bytes, until the task ends.
    pub(crate) registered: bool,
    /// Requests of this task that are queued.
    pub(crate) waiting: u32,
    /// As how many tasks beyond one it counts.
    pub(crate) beyond_one: u32,
}

impl Account {
    /// As how many tasks it counts.
    #[inline]
    pub(crate) fn weight(&self) -> u64 {
        add(1, u64::from(self.beyond_one))
    }

    /// Holds `bytes` more.
    #[inline]
    pub(crate) fn charge(&mut self, bytes: u64) {
        self.bytes = add(self.bytes, bytes);
        self.peak = self.peak.max(self.bytes);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.bytes == 0 && !self.counted && !self.registered && self.waiting == 0
    }
}

/// In a cache line of its own: mostly the same thread comes for it again.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Slot {
    task: TaskId,
    account: Account,
}

/// Accounts by task. One request looks its task up several times in a row: the account that was looked
/// up last, to be changed, is found again without hashing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    slots: Vec<Slot>,
    places: FxHashMap<TaskId, usize>,
    recent: usize,
}

impl Accounts {
    #[inline]
    pub(crate) fn get(&self, task: TaskId) -> Option<&Account> {
        let place = if self.is_recent(task) {
            self.recent
        } else {
            self.places.get(&task).copied()?
        };
        self.slots.get(place).map(|slot| &slot.account)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, task: TaskId) -> Option<&mut Account> {
        if !self.is_recent(task) {
            self.recent = self.places.get(&task).copied()?;
        }
        let slot = self.slots.get_mut(self.recent);
        slot.map(|slot| &mut slot.account)
    }

    /// The task's account; a new one where it has none.
    #[inline]
    pub(crate) fn of(&mut self, task: TaskId) -> &mut Account {
        if !self.is_recent(task) {
            self.recent = self.find_or_make(task);
        }
        &mut self.slots[self.recent].account
    }

    #[cold]
    fn find_or_make(&mut self, task: TaskId) -> usize {
        let next = self.slots.len();
        let place = *self.places.entry(task).or_insert(next);
        if place == next {
            let account = Account::default();
            self.slots.push(Slot { task, account });
        }
        place
    }

    /// Forgets the task's account.
    pub(crate) fn remove(&mut self, task: TaskId) {
        let Some(place) = self.places.remove(&task) else {
            return;
        };
        self.slots.swap_remove(place);
        if let Some(moved) = self.slots.get(place) {
            self.places.insert(moved.task, place);
        }
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TaskId, &Account)> + '_ {
        self.slots.iter().map(|slot| (slot.task, &slot.account))
    }

    #[inline]
    fn is_recent(&self, task: TaskId) -> bool {
        let slot = self.slots.get(self.recent);
        slot.is_some_and(|slot| slot.task == task)
    }
}

#[cfg(all(test, not(mem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_whoever_leaves() {
        let mut accounts = Accounts::default();
        let tasks: Vec<TaskId> = (0..50).map(TaskId::new).collect();
        for (bytes, task) in (0..).zip(&tasks) {
            accounts.of(*task).bytes = bytes;
        }
        for gone in [0, 49, 20, 21, 1] {
            accounts.remove(tasks[gone]);
            assert!(accounts.get(tasks[gone]).is_none());
        }
        accounts.remove(tasks[20]);
        for (bytes, task) in (0..).zip(&tasks) {
            let gone = [0, 49, 20, 21, 1].contains(&bytes);
            let expected = (!gone).then_some(bytes);
            assert_eq!(
                accounts.get_mut(*task).map(|account| account.bytes),
                expected
            );
        }
        assert_eq!(accounts.iter().count(), 45);
    }
}

//! Which entries a cache has, and in which blocks they are.

use std::hash::Hash;
use std::time::Duration;

use datafusion_common::instant::Instant;
use mem_sync::Moment;
use rustc_hash::FxHashMap;

/// Where an entry is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The number of its block.
    pub(super) number: u64,
    pub(super) hits: usize,
    pub(super) expires: Option<Moment>,
    bytes: usize,
    /// Larger where it was used later.
    used: u64,
}

/// The entries of one cache; their values are elsewhere.
#[derive(Debug)]
pub(super) struct Index<K> {
    entries: FxHashMap<K, Entry>,
    keys: FxHashMap<u64, K>,
    bytes: usize,
    limit: usize,
    ttl: Option<Duration>,
    next: u64,
    stamp: u64,
}

impl<K: Clone + Eq + Hash> Index<K> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: FxHashMap::default(),
            keys: FxHashMap::default(),
            bytes: 0,
            limit,
            ttl: None,
            next: 0,
            stamp: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    pub(super) fn set_ttl(&mut self, ttl: Option<Duration>) {
        self.ttl = ttl;
    }

    /// The block of an entry that is used now; or else, as the second, that of one that has expired and
    /// is none any more.
    pub(super) fn touch(&mut self, key: &K, now: Moment) -> (Option<u64>, Option<u64>) {
        let stamp = self.next_stamp();
        let Some(entry) = self.entries.get_mut(key) else {
            return (None, None);
        };
        if entry.expires.is_some_and(|at| at < now) {
            return (None, self.remove(key));
        }
        entry.used = stamp;
        entry.hits = entry.hits.saturating_add(1);
        (Some(entry.number), None)
    }

    /// The block of an entry that has not expired.
    pub(super) fn find(&self, key: &K, now: Moment) -> Option<u64> {
        let entry = self.entries.get(key)?;
        let alive = entry.expires.is_none_or(|at| at >= now);
        alive.then_some(entry.number)
    }

    /// A number for the block of a new entry; none where it is larger than all the cache may be.
    pub(super) fn reserve(&mut self, bytes: usize) -> Option<u64> {
        if bytes > self.limit {
            return None;
        }
        self.next = self.next.saturating_add(1);
        Some(self.next)
    }

    /// Adds an entry. Returns the blocks of those that had to leave for it: the one of the same key, and
    /// the least recently used while there are too many bytes.
    pub(super) fn insert(&mut self, key: K, number: u64, bytes: usize, now: Moment) -> Vec<u64> {
        let replaced = self.remove(&key);
        let entry = Entry {
            number,
            hits: 0,
            expires: self.ttl.map(|ttl| now + ttl),
            bytes,
            used: self.next_stamp(),
        };
        self.keys.insert(number, key.clone());
        self.entries.insert(key, entry);
        self.bytes = self.bytes.saturating_add(bytes);
        let mut left: Vec<u64> = replaced.into_iter().collect();
        self.shrink_to_limit(&mut left);
        left
    }

    /// Sets the limit. Returns the blocks that had to leave for it.
    pub(super) fn set_limit(&mut self, limit: usize) -> Vec<u64> {
        self.limit = limit;
        let mut left = Vec::new();
        self.shrink_to_limit(&mut left);
        left
    }

    fn shrink_to_limit(&mut self, left: &mut Vec<u64>) {
        while self.bytes > self.limit {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            left.extend(self.remove(&oldest));
        }
    }

    /// Removes an entry; returns its block.
    pub(super) fn remove(&mut self, key: &K) -> Option<u64> {
        let entry = self.entries.remove(key)?;
        self.keys.remove(&entry.number);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry.number)
    }

    /// A block was evicted.
    pub(super) fn forget(&mut self, number: u64) {
        if let Some(key) = self.keys.get(&number).cloned() {
            self.remove(&key);
        }
    }

    /// Removes the entries whose keys are `wanted`; returns their blocks.
    pub(super) fn drain(&mut self, wanted: impl Fn(&K) -> bool) -> Vec<u64> {
        let keys: Vec<K> = self
            .entries
            .keys()
            .filter(|key| wanted(key))
            .cloned()
            .collect();
        keys.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// All entries, in no order.
    pub(super) fn list(&self) -> Vec<(K, Entry)> {
        let entries = self.entries.iter();
        entries.map(|(key, entry)| (key.clone(), *entry)).collect()
    }

    fn next_stamp(&mut self) -> u64 {
        self.stamp = self.stamp.saturating_add(1);
        self.stamp
    }
}

/// A moment of the store's clock as a point of the system's time, as DataFusion shows it.
#[expect(
    clippy::disallowed_methods,
    reason = "DataFusion's interface shows a point of the system's time"
)]
pub(super) fn system_time(at: Moment, now: Moment) -> Option<Instant> {
    Instant::now().checked_add(at.since(now))
}

//! DataFusion's caches in storage memory.

mod index;
mod notes;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use datafusion_common::{HashMap, Result, TableReference};
use datafusion_execution::cache::{Cache, CacheEntryInfo, CacheKey, CacheValue};
use mem_block::MemoryMode;
use mem_store::{BlockId, MemoryStore};
use mem_sync::{Clock, Mutex};

use index::Index;
pub(crate) use notes::EvictionNotes;
use notes::Forgetful;

/// A cache of DataFusion's whose entries are blocks of a [`MemoryStore`]: they cost what their own size
/// functions say, count as storage memory, and give way, least recently used first, to queries (down
/// to the storage region) and to other cached blocks.
///
/// Spark's counterpart is a broadcast or an RDD block with `MEMORY_ONLY`; it has no such caches.
///
/// A limit of its own, which DataFusion's interface asks for, holds besides; by default it is all that
/// storage could have. An entry with a time to live is dropped when it is looked for after that time.
pub struct StorageCache<K: CacheKey, V: CacheValue> {
    name: &'static str,
    store: Arc<MemoryStore>,
    mode: MemoryMode,
    clock: Arc<dyn Clock>,
    index: Mutex<Index<K>>,
    /// The value's type; values are in the store.
    values: std::marker::PhantomData<fn() -> V>,
}

impl<K: CacheKey + 'static, V: CacheValue + 'static> StorageCache<K, V> {
    /// An empty cache. Its name has to be the only one of its kind in the store.
    pub(crate) fn new(
        name: &'static str,
        store: &Arc<MemoryStore>,
        mode: MemoryMode,
        notes: &EvictionNotes,
    ) -> Arc<Self> {
        let ledger = store.manager().ledger();
        let limit = usize::try_from(ledger.snapshot().of_mode(mode).total);
        let cache = Arc::new(Self {
            name,
            store: Arc::clone(store),
            mode,
            clock: Arc::clone(ledger.clock()),
            index: Mutex::new(Index::new(limit.unwrap_or(usize::MAX))),
            values: std::marker::PhantomData,
        });
        let observer: Weak<dyn Forgetful> = Arc::<Self>::downgrade(&cache);
        notes.add(observer);
        cache
    }

    fn block(&self, number: u64) -> BlockId {
        let name = format!("{}{number}", self.prefix());
        name.parse().expect("the name is not empty")
    }

    fn prefix(&self) -> String {
        format!("datafusion/{}/", self.name)
    }

    /// The value of a block, where it has not been evicted.
    fn value(&self, number: u64) -> Option<V> {
        let values = self.store.get_values::<V>(&self.block(number));
        let value = values.ok().flatten()?;
        value.first().cloned()
    }

    /// Frees the blocks of entries that have left the index.
    fn free(&self, numbers: &[u64]) {
        for number in numbers {
            self.store.remove(&self.block(*number));
        }
    }

    fn take(&self, key: &K) -> Option<V> {
        let number = self.index.lock().remove(key)?;
        let value = self.value(number);
        self.free(&[number]);
        value
    }
}

impl<K: CacheKey + 'static, V: CacheValue + 'static> Cache<K, V> for StorageCache<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let now = self.clock.now();
        // The index is asked first and let go of: no lock is held while a value is cloned.
        let (number, expired) = self.index.lock().touch(key, now);
        self.free(expired.as_slice());
        let number = number?;
        let value = self.value(number);
        if value.is_none() {
            self.index.lock().forget(number);
        }
        value
    }

    fn put(&self, key: &K, value: V) -> Option<V> {
        let value_bytes = value.size();
        if value_bytes == 0 {
            return None;
        }
        let old = self.take(key);
        let bytes = value_bytes.saturating_add(key.size());
        let Some(number) = self.index.lock().reserve(bytes) else {
            return old;
        };
        let cost = u64::try_from(bytes).unwrap_or(u64::MAX);
        let id = self.block(number);
        // Where there is no memory for it, it is not cached: that is all.
        let put = self
            .store
            .put_sized_values(&id, self.mode, cost, vec![value]);
        if put.unwrap_or(false) {
            let now = self.clock.now();
            let crowded_out = self.index.lock().insert(key.clone(), number, bytes, now);
            self.free(&crowded_out);
        }
        old
    }

    fn remove(&self, key: &K) -> Option<V> {
        self.take(key)
    }

    fn contains_key(&self, key: &K) -> bool {
        let now = self.clock.now();
        let number = self.index.lock().find(key, now);
        number.is_some_and(|number| self.store.contains(&self.block(number)))
    }

    fn len(&self) -> usize {
        self.index.lock().len()
    }

    fn clear(&self) {
        let all = self.index.lock().drain(|_| true);
        self.free(&all);
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn cache_limit(&self) -> usize {
        self.index.lock().limit()
    }

    fn update_cache_limit(&self, limit: usize) {
        let crowded_out = self.index.lock().set_limit(limit);
        self.free(&crowded_out);
    }

    fn cache_ttl(&self) -> Option<Duration> {
        self.index.lock().ttl()
    }

    fn update_cache_ttl(&self, ttl: Option<Duration>) {
        self.index.lock().set_ttl(ttl);
    }

    fn drop_table_entries(&self, table_ref: &TableReference) -> Result<()> {
        let of_table = |key: &K| key.table_ref() == Some(table_ref);
        let dropped = self.index.lock().drain(of_table);
        self.free(&dropped);
        Ok(())
    }

    fn list_entries(&self) -> HashMap<K, CacheEntryInfo<V>> {
        let now = self.clock.now();
        let listed = self.index.lock().list();
        let entry = |(key, entry): (K, index::Entry)| {
            let value = self.value(entry.number)?;
            let info = CacheEntryInfo {
                size_bytes: value.size(),
                value,
                hits: entry.hits,
                expires: entry.expires.and_then(|at| index::system_time(at, now)),
            };
            Some((key, info))
        };
        listed.into_iter().filter_map(entry).collect()
    }
}

impl<K: CacheKey + 'static, V: CacheValue + 'static> Forgetful for StorageCache<K, V> {
    fn forget(&self, block: &str) {
        let number = block.strip_prefix(&self.prefix());
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            self.index.lock().forget(number);
        }
    }
}

impl<K: CacheKey, V: CacheValue> fmt::Debug for StorageCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageCache")
            .field("name", &self.name)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

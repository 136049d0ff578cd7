//! DataFusion's caches in storage memory.

use std::sync::Arc;
use std::time::Duration;

use datafusion_common::TableReference;
use datafusion_execution::cache::TableScopedPath;
use datafusion_execution::cache::cache_manager::{CachedFileList, ListFilesCache};
use datafusion_execution::memory_pool::MemoryPool;
use datafusion_execution::runtime_env::RuntimeEnvBuilder;
use mem_datafusion::HearthRuntime;
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::support::{fill, holder, runtime, runtime_on_a_clock, spiller, task};

const TOTAL: usize = 200_000;

fn lists(runtime: &HearthRuntime) -> Arc<ListFilesCache> {
    let env = runtime.query_env().unwrap();
    env.cache_manager.get_list_files_cache().unwrap()
}

fn key(table: &str, path: &str) -> TableScopedPath {
    TableScopedPath {
        table: Some(TableReference::bare(table)),
        path: Path::from(path),
    }
}

/// A list of files of about `bytes` bytes.
fn list(bytes: usize) -> CachedFileList {
    let file = ObjectMeta {
        location: Path::from("x".repeat(bytes)),
        last_modified: Default::default(),
        size: 7,
        e_tag: None,
        version: None,
    };
    CachedFileList::new(vec![file])
}

fn put(cache: &Arc<ListFilesCache>, name: &str, bytes: usize) -> Option<CachedFileList> {
    cache.put(&key("t", name), list(bytes))
}

fn has(cache: &Arc<ListFilesCache>, name: &str) -> bool {
    cache.get(&key("t", name)).is_some()
}

#[test]
fn entries_cost_what_they_say_and_are_common_to_all_queries() {
    let runtime = runtime(TOTAL);
    let cache = lists(&runtime);
    assert_eq!(put(&cache, "a", 1000), None);
    let one = runtime.stats().storage;
    assert!((1000..1500).contains(&one), "{one}");
    assert_eq!(lists(&runtime).get(&key("t", "a")), Some(list(1000)));
    assert_eq!(put(&cache, "a", 2000), Some(list(1000)));
    assert_eq!(runtime.stats().storage, one + 1000);
    assert_eq!(
        (cache.len(), cache.contains_key(&key("t", "b"))),
        (1, false)
    );
    assert_eq!(cache.remove(&key("t", "a")), Some(list(2000)));
    assert_eq!(cache.remove(&key("t", "a")), None);
    assert_eq!((runtime.stats().storage, cache.is_empty()), (0, true));
}

#[test]
fn entries_give_way_to_queries_down_to_the_storage_region() {
    let runtime = runtime(TOTAL);
    let cache = lists(&runtime);
    for number in 0..18 {
        put(&cache, &number.to_string(), 10_000);
    }
    assert_eq!(cache.len(), 18);
    assert!(has(&cache, "0"));
    let (pool, _) = task(&runtime);
    let query = holder(&pool, "HashJoinInput");
    // What is free is taken first; then the least recently used go, no more than needed.
    query.try_grow(15_000).unwrap();
    assert_eq!(cache.len(), 18);
    query.try_grow(25_000).unwrap();
    assert_eq!(cache.len(), 15);
    assert!(has(&cache, "0") && !has(&cache, "1") && !has(&cache, "3") && has(&cache, "4"));
    // Half of all is storage's own: a query does not get that.
    fill(&query, 1000);
    let stats = runtime.stats();
    assert!(stats.storage <= stats.storage_region && stats.storage > stats.storage_region - 11_000);
    assert!(cache.len() >= 9);
    // When the query is gone there is room again.
    drop((query, pool));
    for number in 20..28 {
        put(&cache, &number.to_string(), 10_000);
    }
    assert!(cache.len() > 15);
}

#[test]
fn entries_are_evicted_before_anybody_spills() {
    let runtime = runtime(TOTAL);
    let cache = lists(&runtime);
    for number in 0..18 {
        put(&cache, &number.to_string(), 10_000);
    }
    let (pool, hearth) = task(&runtime);
    let sorter = spiller(&pool, "ExternalSorter");
    sorter.try_grow(90_000).unwrap();
    assert_eq!(
        (hearth.stats().refusals, runtime.stats().counters.refusals),
        (0, 0)
    );
    assert!(runtime.stats().counters.evicted_bytes >= 70_000);
}

#[test]
fn what_does_not_fit_is_not_cached_and_replaces_nothing_silently() {
    let runtime = runtime(TOTAL);
    let cache = lists(&runtime);
    put(&cache, "a", 1000);
    assert_eq!(put(&cache, "a", 2 * TOTAL), Some(list(1000)));
    assert!(!has(&cache, "a"), "the old one is out of date");
    let (pool, _) = task(&runtime);
    let query = holder(&pool, "HashJoinInput");
    query.try_grow(TOTAL).unwrap();
    put(&cache, "b", 1000);
    assert_eq!((cache.len(), runtime.stats().storage), (0, 0));
}

#[test]
fn a_limit_of_its_own_is_a_request() {
    let runtime = runtime(TOTAL);
    let cache = lists(&runtime);
    assert_eq!(cache.cache_limit(), TOTAL);
    for number in 0..9 {
        put(&cache, &number.to_string(), 10_000);
    }
    assert!(has(&cache, "0"));
    cache.update_cache_limit(35_000);
    assert_eq!(cache.len(), 3);
    assert!(has(&cache, "0") && has(&cache, "8"));
    put(&cache, "more", 10_000);
    assert_eq!((cache.len(), has(&cache, "7")), (3, false));
    // A new environment does not undo it.
    let env = runtime.query_env().unwrap();
    let rebuilt = RuntimeEnvBuilder::from_runtime_env(&env).build().unwrap();
    assert_eq!((cache.cache_limit(), cache.len()), (35_000, 3));
    assert!(HearthRuntime::is_installed(&rebuilt));
    assert_eq!(cache.list_entries().len(), 3);
}

#[test]
fn entries_of_a_table_go_together() {
    let runtime = runtime(TOTAL);
    let cache = lists(&runtime);
    cache.put(&key("one", "a"), list(100));
    cache.put(&key("one", "b"), list(100));
    cache.put(&key("two", "a"), list(100));
    let one = TableReference::bare("one");
    cache.drop_table_entries(&one).unwrap();
    assert_eq!(cache.len(), 1);
    let listed = cache.list_entries();
    assert_eq!(listed[&key("two", "a")].value, list(100));
    cache.clear();
    assert_eq!(runtime.stats().storage, 0);
}

#[test]
fn entries_expire() {
    let (runtime, clock) = runtime_on_a_clock(TOTAL);
    let cache = lists(&runtime);
    put(&cache, "forever", 100);
    cache.update_cache_ttl(Some(Duration::from_secs(60)));
    put(&cache, "a while", 100);
    clock.advance(Duration::from_secs(60));
    assert!(has(&cache, "a while"));
    assert!(cache.list_entries()[&key("t", "a while")].expires.is_some());
    clock.advance(Duration::from_nanos(1));
    assert!(!cache.contains_key(&key("t", "a while")));
    assert!(!has(&cache, "a while") && has(&cache, "forever"));
    assert_eq!(cache.len(), 1);
    assert_eq!(cache.list_entries()[&key("t", "forever")].hits, 1);
}

#[test]
fn a_runtime_that_is_gone_leaves_its_environments_working() {
    let env = runtime(TOTAL).query_env().unwrap();
    let cache = env.cache_manager.get_list_files_cache().unwrap();
    put(&cache, "a", 150_000);
    let pool: &Arc<dyn MemoryPool> = &env.memory_pool;
    let query = holder(pool, "HashJoinInput");
    query.try_grow(100_000).unwrap();
    assert!(!has(&cache, "a"));
}

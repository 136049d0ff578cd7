//! How runtimes and environments are made, and changed.

use std::sync::Arc;

use datafusion_common::DataFusionError;
use datafusion_execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use mem_datafusion::{HearthRuntime, RuntimeError};
use mem_policy::MemoryConfig;
use mem_pool::TaskId;

use crate::support::{MIB, check_empty, fill, holder, runtime, spiller, task};

fn from_text(text: &str) -> Result<HearthRuntime, RuntimeError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hearth.toml");
    std::fs::write(&path, text).unwrap();
    HearthRuntime::from_toml(path)
}

#[test]
fn a_file_is_all_that_is_needed() {
    let text = r#"
        "spark.executor.memory" = "1g"
        "spark.memory.storageFraction" = 0.25
        "hearth.spill.codec" = "zstd"
        "hearth.spill.blockSize" = 8192
    "#;
    let runtime = from_text(text).unwrap();
    let stats = runtime.stats();
    // Spark's arithmetic: 300 MiB are set apart, and 0.6 of the rest are managed.
    assert_eq!(stats.total, 455_501_414);
    assert_eq!(stats.storage_region, 113_875_353);
    let env = runtime.query_env().unwrap();
    assert!(HearthRuntime::is_installed(&env));
    assert_eq!(env.memory_pool.name(), "hearth");
    let limits: Vec<_> = env.config_entries();
    let limit = limits
        .iter()
        .find(|entry| entry.key == "datafusion.runtime.memory_limit");
    assert_eq!(limit.unwrap().value.as_deref(), Some("434M"));
}

#[test]
fn a_wrong_file_is_refused_with_the_place() {
    let error = from_text("\n\"spark.memory.fracton\" = 0.7").unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("hearth.toml:2") && told.contains("spark.memory.fraction"),
        "{told}"
    );
    let of_datafusion = DataFusionError::from(error);
    assert!(matches!(of_datafusion, DataFusionError::Configuration(_)));
    let too_large = "\"hearth.spill.blockSize\" = \"2m\"";
    let told = from_text(too_large).unwrap_err().to_string();
    assert!(told.contains("hearth.spill"), "{told}");
    let missing = HearthRuntime::from_toml("/nowhere/hearth.toml").unwrap_err();
    assert!(missing.to_string().contains("/nowhere/hearth.toml"));
}

#[test]
fn the_heap_is_the_budget_where_nothing_else_is_said() {
    let runtime = HearthRuntime::from_config(&MemoryConfig::new()).unwrap();
    assert_eq!(runtime.stats().total, 455_501_414);
}

#[test]
fn an_environment_of_an_engines_own_gets_pool_and_files_only() {
    let runtime = runtime(64 * MIB);
    let base = RuntimeEnvBuilder::new().build().unwrap();
    let (pool, _) = task(&runtime);
    drop(pool);
    let hearth = runtime.task_of(TaskId::new(4711));
    let env: Arc<RuntimeEnv> = runtime.env_over(&base, Arc::clone(&hearth)).unwrap();
    assert!(HearthRuntime::is_installed(&env) && !HearthRuntime::is_installed(&base));
    let stores = |env: &RuntimeEnv| Arc::as_ptr(&env.object_store_registry).addr();
    assert_eq!(stores(&env), stores(&base));
    let sorter = spiller(&env.memory_pool, "ExternalSorter");
    sorter.try_grow(MIB).unwrap();
    assert_eq!(hearth.stats().used, 1 << 20);
    let told = sorter.try_grow(100 * MIB).unwrap_err().to_string();
    assert!(told.contains("task 4711"), "{told}");
    assert!(hearth.to_string().contains("task 4711, used: 1048576"));
    drop((sorter, env, hearth));
    check_empty(&runtime);
}

#[test]
fn the_limit_can_change_while_queries_run() {
    let runtime = runtime(64 * MIB);
    let (pool, _) = task(&runtime);
    let sorter = spiller(&pool, "ExternalSorter");
    sorter.try_grow(40 * MIB).unwrap();
    let change = runtime.set_limit(32 << 20).unwrap();
    assert_eq!((change.total, change.outstanding), (32 << 20, 8 << 20));
    // Above the limit it is refused, and spills.
    assert!(sorter.try_grow(1).is_err());
    sorter.free();
    assert_eq!(fill(&sorter, MIB), 31 * MIB);
    runtime.set_limit(64 << 20).unwrap();
    assert!(fill(&sorter, MIB) > 60 * MIB);
}

#[test]
fn tasks_are_seen_while_they_are_there() {
    let runtime = runtime(64 * MIB);
    let ((one, first), (two, second)) = (task(&runtime), task(&runtime));
    let (small, large) = (holder(&one, "small"), spiller(&two, "large"));
    small.try_grow(MIB).unwrap();
    large.try_grow(2 * MIB).unwrap();
    let tasks = runtime.stats().tasks;
    let seen: Vec<_> = tasks.iter().map(|task| (task.task, task.used)).collect();
    assert_eq!(seen, [(second.task(), 2 << 20), (first.task(), 1 << 20)]);
    assert!(tasks[0].consumers[0].can_spill && tasks[0].consumers[0].name == "large");
    drop((large, two, second));
    assert_eq!(runtime.tasks().len(), 1);
}

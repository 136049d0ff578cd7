//! Settings of sessions that fit what a task may hold.

use ballista_core::config::{
    BALLISTA_BROADCAST_JOIN_THRESHOLD_BYTES, BALLISTA_BROADCAST_JOIN_THRESHOLD_ROWS,
    BALLISTA_HASH_JOIN_MAX_BUILD_PARTITION_BYTES, BALLISTA_SHUFFLE_READER_MAX_BYTES_IN_FLIGHT,
};
use datafusion::prelude::SessionConfig;
use mem_datafusion::HearthRuntime;

/// Of a task's share: what a shuffle may have under way from other executors, which nobody counts.
const IN_FLIGHT_FRACTION: u64 = 4;
/// Of a task's share: the built side of a hash join, as planners measure it. In memory it is more.
const BUILD_FRACTION: u64 = 8;
/// Bytes of a row, where a planner knows the number of rows alone.
const ROW_BYTES: u64 = 128;

/// What planners look at in order to choose a join whose one side is held in memory, and how many bytes
/// one of it is.
const BUILD_LIMITS: [(&str, u64); 5] = [
    (BALLISTA_BROADCAST_JOIN_THRESHOLD_BYTES, 1),
    (BALLISTA_BROADCAST_JOIN_THRESHOLD_ROWS, ROW_BYTES),
    (BALLISTA_HASH_JOIN_MAX_BUILD_PARTITION_BYTES, 1),
    (
        "datafusion.optimizer.hash_join_single_partition_threshold",
        1,
    ),
    (
        "datafusion.optimizer.hash_join_single_partition_threshold_rows",
        ROW_BYTES,
    ),
];

/// `config` for planning what executors with `vcores` cores and the memory of `runtime` each will run:
/// joins hold a side in memory only where it fits a task's share. Nothing is raised.
///
/// Hash joins can't spill. Ballista broadcasts a side of up to 128 MiB by default, and each task that
/// gets one has to hold it.
#[must_use]
pub fn planned_for(runtime: &HearthRuntime, vcores: usize, config: SessionConfig) -> SessionConfig {
    let most = share(runtime, vcores) / BUILD_FRACTION;
    let limits = BUILD_LIMITS.iter();
    limits.fold(config, |config, (key, bytes)| {
        lowered(config, key, most / bytes)
    })
}

/// `config` for a task, of which `tasks` may run at once, with so many partitions.
pub(crate) fn task_session(
    runtime: &HearthRuntime,
    config: SessionConfig,
    tasks: usize,
    partitions: usize,
) -> SessionConfig {
    // Partitions are not up to the task any more: its plan has them.
    let planned = config.target_partitions();
    let config = runtime.tuned(config.with_target_partitions(partitions.max(1)), tasks);
    let config = config.with_target_partitions(planned);
    let most = share(runtime, tasks) / IN_FLIGHT_FRACTION;
    lowered(config, BALLISTA_SHUFFLE_READER_MAX_BYTES_IN_FLIGHT, most)
}

/// What each of so many tasks may hold, in bytes, while nothing is cached beyond the storage region.
fn share(runtime: &HearthRuntime, tasks: usize) -> u64 {
    let memory = runtime.stats();
    let kept = memory.storage.min(memory.storage_region);
    let tasks = u64::try_from(tasks).unwrap_or(u64::MAX).max(1);
    memory.total.saturating_sub(kept) / tasks
}

/// A number lowered to `most`, but to 1 at least; 0, which stands for "never" or "without end", and keys
/// that the session does not know, stay.
fn lowered(mut config: SessionConfig, key: &str, most: u64) -> SessionConfig {
    let entries = config.options().entries();
    let entry = entries.into_iter().find(|entry| entry.key == key);
    let value = entry.and_then(|entry| entry.value?.parse::<u64>().ok());
    if value.is_some_and(|value| value > most.max(1)) {
        let set = config.options_mut().set(key, &most.max(1).to_string());
        set.expect("a number less than the one that is there is valid");
    }
    config
}

#[cfg(test)]
mod tests {
    use ballista_core::extension::SessionConfigExt;
    use mem_policy::MemoryConfig;

    use super::*;

    fn runtime() -> HearthRuntime {
        let config = MemoryConfig::new()
            .with("spark.memory.offHeap.enabled", true)
            .and_then(|config| config.with("spark.memory.offHeap.size", "64m"))
            .unwrap();
        HearthRuntime::from_config(&config).unwrap()
    }

    #[test]
    fn joins_hold_in_memory_what_fits_a_share() {
        let config = SessionConfig::new_with_ballista();
        let planned = planned_for(&runtime(), 2, config.clone());
        let ballista = planned.ballista_config();
        let most = 4 << 20;
        assert!(ballista.broadcast_join_threshold_bytes() <= most);
        assert!(ballista.broadcast_join_threshold_rows() <= most / 128);
        assert!(ballista.hash_join_max_build_partition_bytes() <= most);
        let optimizer = &planned.options().optimizer;
        assert!(optimizer.hash_join_single_partition_threshold <= most);
        assert_eq!(planned.target_partitions(), config.target_partitions());
    }

    #[test]
    fn what_says_never_stays_and_so_does_what_is_less() {
        let config = SessionConfig::new_with_ballista()
            .set_u64(BALLISTA_BROADCAST_JOIN_THRESHOLD_BYTES, 0)
            .set_u64(BALLISTA_HASH_JOIN_MAX_BUILD_PARTITION_BYTES, 7);
        let ballista = planned_for(&runtime(), 2, config).ballista_config();
        assert_eq!(ballista.broadcast_join_threshold_bytes(), 0);
        assert_eq!(ballista.hash_join_max_build_partition_bytes(), 7);
        // A session that is not Ballista's has other keys, and is planned all the same.
        let plain = planned_for(&runtime(), 2, SessionConfig::new());
        assert!(
            plain
                .options()
                .optimizer
                .hash_join_single_partition_threshold
                <= 4 << 20
        );
    }

    #[test]
    fn a_task_keeps_its_partitions_and_gets_sorts_and_fetches_that_fit() {
        let config = SessionConfig::new_with_ballista().with_target_partitions(16);
        let fitted = task_session(&runtime(), config, 2, 2);
        assert_eq!(fitted.target_partitions(), 16);
        assert!(fitted.options().execution.sort_spill_reservation_bytes <= 1 << 20);
        assert!(fitted.batch_size() < 16_384);
        let ballista = fitted.ballista_config();
        assert!(ballista.shuffle_reader_max_bytes_in_flight() <= 8 << 20);
    }
}

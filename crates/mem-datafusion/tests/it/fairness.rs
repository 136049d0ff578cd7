//! Two queries at once, one of them hungry.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion_common::{DataFusionError, Result};
use datafusion_execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryPool, TrackConsumersPool,
};
use mem_datafusion::HearthRuntime;

use crate::support::{
    MIB, check_empty, holder, runtime, spiller, task, two_workers, until_somebody_waits,
};

const TOTAL: usize = 64 * MIB;

/// What an external sort does: buffers until it is refused, spills, and goes on. When its memory is full
/// for the first time it waits for `go_on`.
async fn hungry(
    pool: Arc<dyn MemoryPool>,
    batches: usize,
    is_full: tokio::sync::oneshot::Sender<()>,
    go_on: impl Future<Output = ()>,
) -> Result<usize> {
    let sorter = spiller(&pool, "ExternalSorter");
    let (mut is_full, mut go_on) = (Some(is_full), Some(go_on));
    let mut spills = 0;
    for _ in 0..batches {
        match sorter.try_grow(MIB) {
            Ok(()) => {}
            Err(DataFusionError::ResourcesExhausted(_)) => {
                if let (Some(is_full), Some(go_on)) = (is_full.take(), go_on.take()) {
                    is_full.send(()).unwrap();
                    go_on.await;
                }
                spills += 1;
                sorter.free();
                sorter.try_grow(MIB)?;
            }
            Err(other) => return Err(other),
        }
        tokio::task::yield_now().await;
    }
    Ok(spills)
}

/// A hash join: needs a quarter of all memory, and can't spill.
async fn modest(
    pool: Arc<dyn MemoryPool>,
    is_full: tokio::sync::oneshot::Receiver<()>,
) -> Result<()> {
    is_full.await.unwrap();
    let build = holder(&pool, "HashJoinInput");
    for _ in 0..16 {
        build.try_grow(MIB)?;
    }
    Ok(())
}

#[test]
fn with_stock_pools_the_hungry_one_starves_the_other() {
    let top = NonZeroUsize::new(5).unwrap();
    let pools: [Arc<dyn MemoryPool>; 2] = [
        Arc::new(GreedyMemoryPool::new(TOTAL)),
        Arc::new(TrackConsumersPool::new(GreedyMemoryPool::new(TOTAL), top)),
    ];
    for pool in pools {
        two_workers().block_on(async {
            let (full, is_full) = tokio::sync::oneshot::channel();
            let (failed, has_failed) = tokio::sync::oneshot::channel::<()>();
            let go_on = async { has_failed.await.unwrap_or(()) };
            let hog = tokio::spawn(hungry(Arc::clone(&pool), 200, full, go_on));
            let other = tokio::spawn(modest(pool, is_full)).await.unwrap();
            assert!(matches!(other, Err(DataFusionError::ResourcesExhausted(_))));
            failed.send(()).unwrap();
            assert!(hog.await.unwrap().is_ok());
        });
    }
}

/// A pool of its own for each query, or FairSpill for both, lets both finish at the price of memory that
/// lies idle: it spills where ours does not.
#[test]
fn alone_a_query_gets_all_and_spills_half_as_often_as_with_a_fixed_half() {
    let spills = |pool: Arc<dyn MemoryPool>, idle: Arc<dyn MemoryPool>| {
        let _other = spiller(&idle, "registered, and idle");
        let (full, _is_full) = tokio::sync::oneshot::channel();
        two_workers()
            .block_on(hungry(pool, 250, full, async {}))
            .unwrap()
    };
    let stock: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(TOTAL));
    let fixed = spills(Arc::clone(&stock), stock);
    let runtime = runtime(TOTAL);
    let ours = spills(task(&runtime).0, task(&runtime).0);
    assert_eq!((ours, fixed), (3, 7));
}

#[test]
fn on_hearth_the_other_waits_for_its_share_and_both_finish() {
    let runtime = runtime(TOTAL);
    let mine: HearthRuntime = runtime.clone();
    two_workers().block_on(async move {
        let (full, is_full) = tokio::sync::oneshot::channel();
        let (hog_pool, other_pool) = (task(&mine).0, task(&mine).0);
        let stats = mine.clone();
        let go_on = async move { until_somebody_waits(&stats).await };
        let hog = tokio::spawn(hungry(hog_pool, 200, full, go_on));
        let other = tokio::spawn(modest(other_pool, is_full));
        other.await.unwrap().unwrap();
        assert!(hog.await.unwrap().unwrap() > 0);
        assert_eq!(mine.stats().counters.waits, 1);
    });
    check_empty(&runtime);
    assert!(runtime.stats().peak <= runtime.stats().total);
}

#[test]
fn a_task_on_three_cores_may_hold_what_three_tasks_might() {
    let runtime = runtime(TOTAL);
    let (three, one) = (runtime.weighted_task(3), runtime.weighted_task(1));
    let three: Arc<dyn MemoryPool> = three;
    let one: Arc<dyn MemoryPool> = one;
    let (large, small) = (
        holder(&three, "HashJoinInput"),
        holder(&one, "HashJoinInput"),
    );
    small.try_grow(MIB).unwrap();
    large.try_grow(48 * MIB).unwrap();
    assert!(large.try_grow(MIB).is_err());
    small.try_grow(15 * MIB).unwrap();
    assert!(small.try_grow(MIB).is_err());
    drop(small);
    // It is alone now.
    large.try_grow(16 * MIB).unwrap();
    drop(large);
    assert_eq!(runtime.stats().execution, 0);
}

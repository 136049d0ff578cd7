//! Who is measured: Hearth in two ways, the stock pools with two settings.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryPool, PeakRecordingPool, TrackConsumersPool,
};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use mem_datafusion::{HearthMemoryPool, HearthRuntime, RuntimeOptions};
use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};

use crate::query::bytes;
use crate::refusals::Refusals;

/// DataFusion's pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stock {
    Greedy,
    FairSpill,
    /// What `with_memory_limit` installs.
    TrackGreedy,
}

/// A pool, and a session's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    /// The session's settings are lowered by Hearth's helper.
    HearthTuned,
    /// The session has DataFusion's settings.
    Hearth,
    /// With DataFusion's settings.
    Stock(Stock),
    /// With `sort_spill_reservation_bytes` lowered from 10 MB to 1 MiB.
    StockLowered(Stock),
}

const LOWERED: usize = 1 << 20;
/// As `with_memory_limit` has it.
const TOP: NonZeroUsize = NonZeroUsize::new(5).expect("5 is not 0");

impl Contender {
    /// All of them, Hearth's first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let stock = [Stock::Greedy, Stock::FairSpill, Stock::TrackGreedy];
        [Self::HearthTuned, Self::Hearth]
            .into_iter()
            .chain(stock.map(Self::Stock))
            .chain(stock.map(Self::StockLowered))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HearthTuned => "hearth tuned",
            Self::Hearth => "hearth",
            Self::Stock(Stock::Greedy) => "greedy",
            Self::Stock(Stock::FairSpill) => "fair",
            Self::Stock(Stock::TrackGreedy) => "track",
            Self::StockLowered(Stock::Greedy) => "greedy 1 MiB",
            Self::StockLowered(Stock::FairSpill) => "fair 1 MiB",
            Self::StockLowered(Stock::TrackGreedy) => "track 1 MiB",
        }
    }

    /// Whether it is a stock pool.
    pub(crate) fn is_stock(self) -> bool {
        matches!(self, Self::Stock(_) | Self::StockLowered(_))
    }

    /// A session that has `limit` bytes.
    pub(crate) fn session(self, limit: u64, config: SessionConfig) -> Result<Session> {
        match self {
            Self::HearthTuned => hearth(limit, |runtime| runtime.tuned(config, 1)),
            Self::Hearth => hearth(limit, |_| config),
            Self::Stock(pool) => stock(pool.pool(limit), config),
            Self::StockLowered(pool) => {
                let config = config.with_sort_spill_reservation_bytes(LOWERED);
                stock(pool.pool(limit), config)
            }
        }
    }
}

impl Stock {
    fn pool(self, limit: u64) -> Arc<dyn MemoryPool> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        match self {
            Self::Greedy => Arc::new(GreedyMemoryPool::new(limit)),
            Self::FairSpill => Arc::new(FairSpillPool::new(limit)),
            Self::TrackGreedy => {
                Arc::new(TrackConsumersPool::new(GreedyMemoryPool::new(limit), TOP))
            }
        }
    }
}

/// A session for one query, and what can be told of its memory afterwards.
pub(crate) struct Session {
    pub(crate) context: SessionContext,
    meter: Meter,
}

enum Meter {
    Hearth(HearthRuntime, Arc<HearthMemoryPool>),
    Stock(Arc<Refusals>, Arc<PeakRecordingPool>),
}

/// What a session's memory has been through, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Metered {
    pub(crate) refusals: u64,
    /// The most that was reserved, overdraft counted.
    pub(crate) peak: u64,
}

impl Session {
    pub(crate) fn metered(&self) -> Metered {
        match &self.meter {
            Meter::Hearth(runtime, pool) => {
                let (refusals, peak) = (pool.stats().refusals, runtime.stats().peak);
                Metered { refusals, peak }
            }
            Meter::Stock(refusals, peak) => Metered {
                refusals: refusals.count(),
                peak: bytes(peak.peak_reserved()),
            },
        }
    }
}

fn hearth(limit: u64, config: impl FnOnce(&HearthRuntime) -> SessionConfig) -> Result<Session> {
    let runtime = runtime(limit).map_err(DataFusionError::External)?;
    let pool = runtime.task();
    let environment = runtime.env_of(Arc::clone(&pool))?;
    let config = config(&runtime);
    Ok(Session {
        context: SessionContext::new_with_config_rt(config, environment),
        meter: Meter::Hearth(runtime, pool),
    })
}

/// All memory for queries, as the stock pools have it: what DataFusion caches of files gives way to them.
fn runtime(limit: u64) -> Result<HearthRuntime, Box<dyn std::error::Error + Send + Sync>> {
    let config = MemoryConfig::new()
        .with("spark.memory.offHeap.enabled", true)?
        .with("spark.memory.offHeap.size", limit)?
        .with("spark.memory.storageFraction", 0.0)?;
    let manager = memory_manager(config.resolve(0)?, &ManagerOptions::of(&config));
    let options = RuntimeOptions {
        cache_on_disk: false,
        ..RuntimeOptions::of(&config)?
    };
    Ok(HearthRuntime::new(manager, options)?)
}

fn stock(pool: Arc<dyn MemoryPool>, config: SessionConfig) -> Result<Session> {
    let peak = Arc::new(PeakRecordingPool::new(pool));
    let inner: Arc<dyn MemoryPool> = Arc::<PeakRecordingPool>::clone(&peak);
    let refusals = Arc::new(Refusals::new(inner));
    let pool: Arc<dyn MemoryPool> = Arc::<Refusals>::clone(&refusals);
    let environment = RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .build_arc()?;
    Ok(Session {
        context: SessionContext::new_with_config_rt(config, environment),
        meter: Meter::Stock(refusals, peak),
    })
}

/// A session without a limit, whose peak is metered.
pub(crate) fn unlimited(config: SessionConfig) -> Result<Session> {
    let pool = datafusion::execution::memory_pool::UnboundedMemoryPool::default();
    stock(Arc::new(pool), config)
}

//! Queries under a fixed budget, with settings of their own, and what became of them: whether they
//! completed or ran out of memory, and which operators spilled.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use mem_datafusion::{HearthRuntime, RuntimeOptions};
use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};

/// So many bytes for queries: what the store of cached blocks needs is not taken from them.
pub(crate) struct Budget {
    pub(crate) bytes: u64,
    pub(crate) config: SessionConfig,
    /// The most that spill files may take up on disk.
    pub(crate) disk: u64,
}

impl Budget {
    /// With so many partitions, and otherwise DataFusion's settings.
    pub(crate) fn new(bytes: u64, partitions: usize) -> Self {
        Self {
            bytes,
            config: SessionConfig::new().with_target_partitions(partitions),
            disk: u64::MAX,
        }
    }

    /// With small batches, and little that sorts take beforehand.
    pub(crate) fn of_small_steps(bytes: u64, partitions: usize) -> Self {
        let mut budget = Self::new(bytes, partitions);
        let config = budget.config.with_batch_size(256);
        let merge = usize::try_from(bytes / 16).unwrap();
        budget.config = config.with_sort_spill_reservation_bytes(merge);
        budget
    }

    pub(crate) fn setting(mut self, key: &str, value: &str) -> Self {
        self.config.options_mut().set(key, value).unwrap();
        self
    }

    pub(crate) fn start(self) -> Running {
        let memory = MemoryConfig::new()
            .with("spark.memory.offHeap.enabled", true)
            .and_then(|memory| memory.with("spark.memory.offHeap.size", self.bytes))
            .unwrap();
        let manager = memory_manager(memory.resolve(2).unwrap(), &ManagerOptions::default());
        let options = RuntimeOptions {
            max_spill_bytes: self.disk,
            cache_on_disk: false,
            ..RuntimeOptions::default()
        };
        let runtime = HearthRuntime::new(manager, options).unwrap();
        let env = runtime.query_env().unwrap();
        let context = SessionContext::new_with_config_rt(self.config, env);
        Running { runtime, context }
    }
}

/// A budget with its queries.
pub(crate) struct Running {
    pub(crate) runtime: HearthRuntime,
    pub(crate) context: SessionContext,
}

/// What became of a query.
pub(crate) struct Outcome {
    pub(crate) rows: Vec<RecordBatch>,
    pub(crate) error: Option<DataFusionError>,
    /// By operator, how often it spilled.
    spills: BTreeMap<String, usize>,
    plan: String,
}

impl Running {
    /// Does something for the tests' sake.
    pub(crate) async fn prepare(&self, sql: &str) {
        let frame = self.context.sql(sql).await.unwrap();
        frame.collect().await.unwrap();
    }

    pub(crate) async fn run(&self, sql: &str) -> Outcome {
        let frame = self.context.sql(sql).await.unwrap();
        self.run_plan(frame.create_physical_plan().await.unwrap())
            .await
    }

    /// Runs a plan; afterwards nothing is held, and nothing was granted beyond the limit.
    pub(crate) async fn run_plan(&self, plan: Arc<dyn ExecutionPlan>) -> Outcome {
        let stream = execute_stream(Arc::clone(&plan), self.context.task_ctx());
        let result = match stream {
            Ok(stream) => stream.try_collect().await,
            Err(error) => Err(error),
        };
        let (rows, error) = match result {
            Ok(rows) => (rows, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let outcome = Outcome {
            rows,
            error,
            spills: spills(&plan),
            plan: displayable(&*plan).indent(false).to_string(),
        };
        drop(plan);
        // What a failed query has spawned ends when it next looks.
        while self.is_in_use() {
            tokio::task::yield_now().await;
        }
        let stats = self.runtime.stats();
        assert_eq!(
            (stats.overdraft, stats.on_disk, stats.waiting),
            (0, 0, 0),
            "{stats:?}"
        );
        assert!(
            stats.peak - stats.overdraft_peak <= stats.total,
            "{stats:?}"
        );
        outcome
    }
}

impl Running {
    /// Whether operators hold something, of memory or of the disk. What reads spill files has its memory
    /// as long as there is the environment.
    fn is_in_use(&self) -> bool {
        if self.runtime.stats().on_disk > 0 {
            return true;
        }
        let tasks = self.runtime.tasks();
        let consumers = tasks.iter().flat_map(|task| task.stats().consumers);
        let mut others = consumers.filter(|consumer| consumer.name != "SpillDecoders");
        others.any(|consumer| consumer.held > 0)
    }
}

/// By operator, how often it spilled.
pub(crate) fn spills(plan: &Arc<dyn ExecutionPlan>) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    let mut left = vec![Arc::clone(plan)];
    while let Some(plan) = left.pop() {
        let metrics = plan.metrics();
        let count = metrics.and_then(|metrics| metrics.spill_count());
        *all.entry(plan.name().to_owned()).or_insert(0) += count.unwrap_or(0);
        left.extend(plan.children().into_iter().map(Arc::clone));
    }
    all
}

impl Outcome {
    #[track_caller]
    pub(crate) fn completed(&self) -> &Self {
        if let Some(error) = &self.error {
            panic!("{error}\n{}", self.plan);
        }
        self
    }

    #[track_caller]
    pub(crate) fn exhausted(&self) -> &Self {
        let Some(error) = &self.error else {
            panic!("it completed\n{}", self.plan);
        };
        let root = error.find_root();
        assert!(
            matches!(root, DataFusionError::ResourcesExhausted(_)),
            "{error}\n{}",
            self.plan
        );
        self
    }

    #[track_caller]
    pub(crate) fn spilled(&self, operator: &str) -> &Self {
        let count = self.spills.get(operator);
        assert!(count.is_some_and(|count| *count > 0), "{}", self.plan);
        self
    }

    #[track_caller]
    pub(crate) fn did_not_spill(&self) -> &Self {
        let count: usize = self.spills.values().sum();
        assert_eq!(count, 0, "{:?}\n{}", self.spills, self.plan);
        self
    }

    #[track_caller]
    pub(crate) fn has(&self, operator: &str) -> &Self {
        assert!(self.spills.contains_key(operator), "{}", self.plan);
        self
    }

    pub(crate) fn count(&self) -> usize {
        self.rows.iter().map(RecordBatch::num_rows).sum()
    }

    /// The rows, one a line, sorted.
    pub(crate) fn lines(&self) -> Vec<String> {
        let shown = pretty_format_batches(&self.rows).unwrap().to_string();
        let mut lines: Vec<_> = shown.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

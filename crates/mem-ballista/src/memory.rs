//! The memory of one executor, and how Ballista is made to use it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::RuntimeProducer;
use ballista_executor::execution_engine::{DefaultExecutionEngine, ExecutionEngine};
use ballista_executor::executor_process::ExecutorProcessConfig;
use datafusion::common::Result;
use datafusion::prelude::SessionConfig;
use mem_datafusion::HearthRuntime;

use crate::connections::Connections;
use crate::engine::HearthEngine;
use crate::jobs::{JobStats, Jobs};
use crate::task::TaskMemory;
use crate::tuning;

/// The memory of one executor: every task has a pool of its own ([`HearthMemoryPool`]), all of them over
/// the one manager of a [`HearthRuntime`], with spill files and caches in common.
///
/// - A task counts from its first growth until it gives its last byte back: plans that are only decoded,
///   and tasks that need no memory, leave the others their shares.
/// - A task's share is weighted by the cores that it drives: with 4 cores in use, one that drives 3 of
///   them gets three quarters, and one that drives 1 gets one.
/// - Its session is made to fit that share ([`HearthRuntime::tuned`]), whatever the client said, and
///   Ballista's own limit for shuffles is lifted: the pool decides when they spill.
/// - What a task holds is given back before Ballista hears that the task is over. One that does not
///   is named in the log, with the consumers that hold it.
///
/// Cloning is cheap, and gives the same memory. Its counterpart in Spark is the memory side of
/// `Executor`.
///
/// [`HearthMemoryPool`]: mem_datafusion::HearthMemoryPool
#[derive(Clone)]
pub struct ExecutorMemory {
    runtime: HearthRuntime,
    vcores: usize,
    jobs: Arc<Jobs>,
}

impl ExecutorMemory {
    /// Has an executor use the memory of `runtime`: sets what `config` says about memory, and wraps the
    /// execution engine and the runtime producer that it may have already. All else stays as it is;
    /// [`ExecutorProcessConfig::vcores`] has to be set before.
    ///
    /// ```
    /// use ballista_executor::executor_process::ExecutorProcessConfig;
    /// use mem_ballista::ExecutorMemory;
    /// use mem_datafusion::HearthRuntime;
    /// use mem_policy::MemoryConfig;
    ///
    /// let memory = MemoryConfig::new()
    ///     .with("spark.memory.offHeap.enabled", true)?
    ///     .with("spark.memory.offHeap.size", "64m")?;
    /// let runtime = HearthRuntime::from_config(&memory)?;
    /// let mut config = ExecutorProcessConfig { vcores: 2, ..ExecutorProcessConfig::default() };
    /// let memory = ExecutorMemory::install(&runtime, &mut config)?;
    ///
    /// // Ballista puts no pool of its own over Hearth's, and keeps no environment.
    /// assert_eq!((config.memory_pool_size, config.session_runtime_cache_capacity), (Some(0), 0));
    /// // `start_executor_process(Arc::new(config))` would run it; meanwhile and afterwards:
    /// assert_eq!(memory.runtime().stats().execution, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// DataFusion's: no environment can be made.
    pub fn install(runtime: &HearthRuntime, config: &mut ExecutorProcessConfig) -> Result<Self> {
        let memory = Self {
            runtime: runtime.clone(),
            vcores: config.vcores.max(1),
            jobs: Arc::default(),
        };
        let engine = config.override_execution_engine.take().unwrap_or_else(|| {
            // As Ballista has it, and by the same setting.
            let idle = Duration::from_secs(config.client_ttl);
            Arc::new(if idle.is_zero() {
                DefaultExecutionEngine::new()
            } else {
                DefaultExecutionEngine::with_client_pool(Arc::new(Connections::new(idle)))
            })
        });
        config.override_execution_engine = Some(memory.engine_over(engine));
        if config.override_runtime_producer.is_none() {
            config.override_runtime_producer = Some(memory.runtime_producer()?);
        }
        config.vcores = memory.vcores;
        config.memory_pool_size = Some(0);
        config.session_runtime_cache_capacity = 0;
        Ok(memory)
    }

    /// An engine that does what `engine` does, each task in a pool of its own.
    fn engine_over(&self, engine: Arc<dyn ExecutionEngine>) -> Arc<dyn ExecutionEngine> {
        Arc::new(HearthEngine::new(self.clone(), engine))
    }

    /// What plans are decoded with, and tasks' environments are made over: one for all. Nothing grows in
    /// its pool.
    fn runtime_producer(&self) -> Result<RuntimeProducer> {
        let base = self.runtime.query_env()?;
        Ok(Arc::new(move |_: &SessionConfig| Ok(Arc::clone(&base))))
    }

    /// The memory itself.
    #[must_use]
    pub fn runtime(&self) -> &HearthRuntime {
        &self.runtime
    }

    /// Cores that tasks of this executor may drive at once.
    #[must_use]
    pub fn vcores(&self) -> usize {
        self.vcores
    }

    /// Tasks that run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.jobs.running()
    }

    /// What each job's tasks hold here and have been through, in the order in which the jobs came. Of
    /// jobs that do nothing any more only the latest are kept.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobStats> {
        self.jobs.stats()
    }

    /// A task begins.
    pub(crate) fn begin(&self, job: &str, task: String, vcores: usize) -> TaskMemory {
        let weight = u32::try_from(vcores).unwrap_or(u32::MAX);
        let pool = self.runtime.weighted_task(weight);
        self.jobs.begin(job, &task, &pool);
        TaskMemory::new(self.clone(), job.to_owned(), task, vcores, pool)
    }

    pub(crate) fn book(&self) -> &Jobs {
        &self.jobs
    }

    /// The session of a task with `vcores` of the executor's cores and so many partitions.
    pub(crate) fn fitted(
        &self,
        config: SessionConfig,
        vcores: usize,
        partitions: usize,
    ) -> SessionConfig {
        let tasks = self.vcores.div_ceil(vcores.max(1));
        tuning::task_session(&self.runtime, config, tasks, partitions)
    }
}

impl fmt::Debug for ExecutorMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutorMemory")
            .field("runtime", &self.runtime)
            .field("vcores", &self.vcores)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ballista_core::error::BallistaError;
    use datafusion::common::DataFusionError;
    use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
    use mem_policy::MemoryConfig;

    use super::*;

    const MIB: usize = 1 << 20;

    /// An executor of 64 MiB and four cores, and what was set for it.
    fn executor() -> (ExecutorMemory, ExecutorProcessConfig) {
        let config = MemoryConfig::new()
            .with("spark.memory.offHeap.enabled", true)
            .and_then(|config| config.with("spark.memory.offHeap.size", 64 * MIB));
        let runtime = HearthRuntime::from_config(&config.unwrap()).unwrap();
        let mut config = ExecutorProcessConfig {
            vcores: 4,
            ..ExecutorProcessConfig::default()
        };
        let memory = ExecutorMemory::install(&runtime, &mut config).unwrap();
        (memory, config)
    }

    fn held(task: &TaskMemory, base: &RuntimeProducer, bytes: usize) -> MemoryReservation {
        let base = base(&SessionConfig::new()).unwrap();
        let env = task.env_over(&base).unwrap();
        let held = MemoryConsumer::new("HashJoinInput").register(&env.memory_pool);
        held.try_grow(bytes).unwrap();
        held
    }

    fn end(task: TaskMemory) {
        let timer = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        timer.unwrap().block_on(task.end(true));
    }

    #[test]
    fn what_decodes_plans_or_needs_nothing_takes_no_share() {
        let (memory, config) = executor();
        let base = config.override_runtime_producer.unwrap();
        let decoded: Vec<_> = (0..5)
            .map(|_| base(&SessionConfig::new()).unwrap())
            .collect();
        let idle: Vec<_> = (0..5)
            .map(|task| memory.begin("job", format!("job/1/{task}"), 1))
            .collect();
        let task = memory.begin("job", "job/2/0".to_owned(), 1);
        let all = held(&task, &base, 60 * MIB);
        drop((all, task, idle, decoded));
        assert_eq!(memory.runtime().stats().execution, 0);
    }

    #[test]
    fn shares_are_weighed_by_cores() {
        let (memory, config) = executor();
        let base = config.override_runtime_producer.unwrap();
        let three = memory.begin("job", "job/1/0".to_owned(), 3);
        let one = memory.begin("job", "job/1/1".to_owned(), 1);
        let small = held(&one, &base, MIB);
        let large = held(&three, &base, 47 * MIB);
        assert!(large.try_grow(2 * MIB).is_err());
        small.try_grow(14 * MIB).unwrap();
        assert!(small.try_grow(2 * MIB).is_err());
    }

    #[test]
    fn a_job_is_told_of_as_its_tasks_end() {
        let (memory, config) = executor();
        let base = config.override_runtime_producer.unwrap();
        let one = memory.begin("job", "job/1/0".to_owned(), 1);
        let two = memory.begin("job", "job/1/1".to_owned(), 1);
        drop(held(&one, &base, 3 * MIB));
        let late = held(&two, &base, 2 * MIB);
        end(one);
        // Broken off, and what it held is held on for a while.
        drop(two);
        let [job] = &memory.jobs()[..] else {
            panic!("one job");
        };
        assert_eq!((job.running, job.succeeded, job.broken_off), (0, 1, 1));
        assert_eq!((job.held, job.peak), (2 << 20, 3 << 20));
        drop(late);
        assert_eq!(memory.jobs()[0].held, 0);
    }

    #[test]
    fn a_job_does_not_rest_any_more_once_another_task_begins() {
        let (memory, _) = executor();
        end(memory.begin("job", "job/1/0".to_owned(), 1));
        let one = memory.jobs()[0].clone();
        assert!(memory.book().rests_since(&one));
        let task = memory.begin("job", "job/1/1".to_owned(), 1);
        assert!(!memory.book().rests_since(&one));
        end(task);
        assert!(!memory.book().rests_since(&one), "that is the past");
        assert!(memory.book().rests_since(&memory.jobs()[0]));
    }

    #[test]
    fn a_task_that_is_broken_off_is_over_when_it_has_given_all_back() {
        let threads = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let (memory, config) = executor();
        let base = config.override_runtime_producer.unwrap();
        let counts = || {
            let job = memory.jobs()[0].clone();
            (job.running, job.broken_off, job.leaks)
        };
        threads.block_on(async {
            let task = memory.begin("job", "job/1/0".to_owned(), 1);
            let late = held(&task, &base, MIB);
            drop(task);
            tokio::task::yield_now().await;
            assert_eq!(counts(), (1, 0, 0), "a helper has yet to let go");
            drop(late);
            while memory.running() > 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(counts(), (0, 1, 0));
            // One that does not let go has leaked, as it would have at its end.
            let task = memory.begin("job", "job/1/1".to_owned(), 1);
            let leaked = held(&task, &base, MIB);
            drop(task);
            while memory.running() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            assert_eq!(counts(), (0, 2, 1));
            drop(leaked);
        });
        // With the threads ends whoever waited on them.
        let task = memory.begin("job", "job/1/2".to_owned(), 1);
        let late = held(&task, &base, MIB);
        threads.block_on(async { drop(task) });
        assert_eq!(memory.running(), 1);
        drop(threads);
        assert_eq!(counts(), (0, 3, 1));
        drop(late);
        assert_eq!(memory.runtime().stats().execution, 0);
    }

    #[test]
    fn a_task_that_holds_memory_after_its_end_has_leaked() {
        let (memory, config) = executor();
        let base = config.override_runtime_producer.unwrap();
        let task = memory.begin("job", "job/1/0".to_owned(), 1);
        let leaked = held(&task, &base, MIB);
        end(task);
        let job = memory.jobs()[0].clone();
        assert_eq!((job.running, job.leaks, job.held), (0, 1, 1 << 20));
        drop(leaked);
        assert_eq!(memory.runtime().stats().execution, 0);
    }

    #[test]
    fn an_error_for_want_of_memory_has_ballistas_names() {
        let (memory, _) = executor();
        let task = memory.begin("job", "job/1.0/0.0".to_owned(), 1);
        let _other = memory.begin("else", "else/3.0/7.0".to_owned(), 1);
        let error = DataFusionError::ResourcesExhausted("task 3 holds 5".to_owned());
        let wrapped = BallistaError::DataFusionError(Box::new(error));
        let wrapped = task.explain(DataFusionError::External(Box::new(wrapped)));
        assert!(wrapped.to_string().contains("is job/1.0/0.0"), "{wrapped}");
        let error = DataFusionError::ResourcesExhausted("task 3 holds 5".to_owned());
        let error = task.explain(error);
        assert!(matches!(
            error.find_root(),
            DataFusionError::ResourcesExhausted(_)
        ));
        let text = error.to_string();
        assert!(text.contains("task 3 is else/3.0/7.0"), "{text}");
        let other = task.explain(DataFusionError::Plan("bad".to_owned()));
        assert_eq!(
            other.to_string(),
            DataFusionError::Plan("bad".to_owned()).to_string()
        );
    }
}

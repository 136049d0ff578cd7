//! One task of a stage, run in a pool of its own.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::serde::protobuf::{
    RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport,
};
use ballista_executor::execution_engine::QueryStageExecutor;
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::MetricsSet;
use mem_sync::Mutex;

use crate::memory::ExecutorMemory;
use crate::task::TaskMemory;

/// What is known of a task before it runs.
#[derive(Debug)]
pub(crate) struct StageTask {
    pub(crate) job: String,
    pub(crate) stage: usize,
    /// Cores of the executor that it drives.
    pub(crate) vcores: usize,
    /// Partitions that it drives at once.
    pub(crate) partitions: usize,
}

/// Runs another executor of the stage in a pool of the task's own.
///
/// The other one, and with it the plan, which can hold memory as long as it lives (the built side of a
/// hash join), is dropped as soon as the task is over; what Ballista asks for afterwards has been asked
/// before that.
pub(crate) struct HearthStage {
    memory: ExecutorMemory,
    task: StageTask,
    state: Mutex<State>,
}

enum State {
    Ready(Arc<dyn QueryStageExecutor>),
    /// While it runs, and where its run was broken off.
    Running,
    Over(Box<Reports>),
}

/// What Ballista asks of a task that is over.
struct Reports {
    text: String,
    metrics: Vec<MetricsSet>,
    runtime_stats: Vec<RuntimeStatsReport>,
    /// Taken once: it is an error, perhaps, and those can't be copied.
    window_state: Option<Result<Vec<WindowStateReport>>>,
    column_stats: Vec<TaskColumnStats>,
}

impl Reports {
    fn of(stage: &dyn QueryStageExecutor) -> Self {
        Self {
            text: stage.to_string(),
            metrics: stage.collect_plan_metrics(),
            runtime_stats: stage.collect_runtime_stats_reports(),
            window_state: Some(stage.collect_window_state_reports()),
            column_stats: stage.collect_column_stats(),
        }
    }
}

impl HearthStage {
    pub(crate) fn new(
        memory: ExecutorMemory,
        task: StageTask,
        stage: Arc<dyn QueryStageExecutor>,
    ) -> Self {
        Self {
            memory,
            task,
            state: Mutex::new(State::Ready(stage)),
        }
    }

    /// What Ballista calls the task: job, stage and its attempt, task and its attempt.
    fn name(&self, task_id: usize, context: &TaskContext) -> String {
        match context.task_id() {
            Some(name) => name.trim_start_matches("TID ").to_owned(),
            None => format!("{}/{}/{task_id}", self.task.job, self.task.stage),
        }
    }

    /// The task's context with its own environment, and a session that fits its share.
    fn context(&self, task: &TaskMemory, given: &TaskContext) -> Result<Arc<TaskContext>> {
        let (vcores, partitions) = (self.task.vcores, self.task.partitions);
        let config = given.session_config().clone();
        Ok(Arc::new(TaskContext::new(
            given.task_id(),
            given.session_id(),
            self.memory.fitted(config, vcores, partitions),
            given.scalar_functions().clone(),
            given.higher_order_functions().clone(),
            given.aggregate_functions().clone(),
            given.window_functions().clone(),
            task.env_over(&given.runtime_env())?,
        )))
    }

    async fn run(
        &self,
        stage: Arc<dyn QueryStageExecutor>,
        task: &TaskMemory,
        task_id: usize,
        given: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        let context = self.context(task, &given)?;
        drop(given);
        let result = stage.execute_query_stage(task_id, context).await;
        *self.state.lock() = State::Over(Box::new(Reports::of(&*stage)));
        result
    }

    /// What the reports say, or where the task has not run yet, what the stage itself does.
    fn report<R: Default>(
        &self,
        of_stage: impl FnOnce(&dyn QueryStageExecutor) -> R,
        of_reports: impl FnOnce(&mut Reports) -> R,
    ) -> R {
        match &mut *self.state.lock() {
            State::Ready(stage) => of_stage(&**stage),
            State::Running => R::default(),
            State::Over(reports) => of_reports(reports),
        }
    }
}

#[async_trait]
impl QueryStageExecutor for HearthStage {
    async fn execute_query_stage(
        &self,
        task_id: usize,
        context: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        let state = std::mem::replace(&mut *self.state.lock(), State::Running);
        let State::Ready(stage) = state else {
            return internal_err!("a task runs once");
        };
        let name = self.name(task_id, &context);
        let task = self.memory.begin(&self.task.job, name, self.task.vcores);
        let result = self.run(stage, &task, task_id, context).await;
        let result = result.map_err(|error| task.explain(error));
        task.end(result.is_ok()).await;
        result
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        self.report(
            |stage| stage.collect_plan_metrics(),
            |reports| reports.metrics.clone(),
        )
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.report(
            |stage| stage.collect_runtime_stats_reports(),
            |reports| reports.runtime_stats.clone(),
        )
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        let reports = self.report(
            |stage| Some(stage.collect_window_state_reports()),
            |reports| reports.window_state.take(),
        );
        reports.unwrap_or_else(|| Ok(Vec::new()))
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.report(
            |stage| stage.collect_column_stats(),
            |reports| reports.column_stats.clone(),
        )
    }
}

impl fmt::Display for HearthStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report(|stage| stage.to_string(), |reports| reports.text.clone()))
    }
}

impl fmt::Debug for HearthStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HearthStage")
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

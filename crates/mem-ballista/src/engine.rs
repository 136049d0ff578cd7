//! Ballista's execution engine, with a pool for each task.

use std::sync::Arc;

use ballista_core::JobId;
use ballista_core::execution_plans::sort_shuffle::SortShuffleWriterExec;
use ballista_executor::execution_engine::{ExecutionEngine, QueryStageExecutor};
use datafusion::common::Result;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionConfig;

use crate::memory::ExecutorMemory;
use crate::stage::{HearthStage, StageTask};

/// Does what another engine does, with each task in a pool of its own.
pub(crate) struct HearthEngine {
    memory: ExecutorMemory,
    engine: Arc<dyn ExecutionEngine>,
}

impl HearthEngine {
    pub(crate) fn new(memory: ExecutorMemory, engine: Arc<dyn ExecutionEngine>) -> Self {
        Self { memory, engine }
    }
}

impl ExecutionEngine for HearthEngine {
    fn create_query_stage_exec(
        &self,
        job_id: JobId,
        stage_id: usize,
        task_id: usize,
        global_output_partition_ids: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        work_dir: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        let partitions = partitions_driven(&plan);
        let vcores = partitions.clamp(1, self.memory.vcores());
        let fitted = self.memory.fitted(config.clone(), vcores, partitions);
        let plan = without_own_limit(plan, fitted.batch_size())?;
        let task = StageTask {
            job: job_id.as_str().to_owned(),
            stage: stage_id,
            vcores,
            partitions,
        };
        let stage = self.engine.create_query_stage_exec(
            job_id,
            stage_id,
            task_id,
            global_output_partition_ids,
            plan,
            work_dir,
            config,
        )?;
        Ok(Arc::new(HearthStage::new(self.memory.clone(), task, stage)))
    }
}

/// The partitions that a task drives at once. Ballista counts as many cores for it: those of the plan
/// below its shuffle writer, of which there is one where the plan brings them together.
fn partitions_driven(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let below = plan.children().first().copied().unwrap_or(plan);
    below.output_partitioning().partition_count()
}

/// A shuffle that spills when the pool says so and not by Ballista's own count, which knows of no other
/// task; in batches of `rows` at most.
fn without_own_limit(plan: Arc<dyn ExecutionPlan>, rows: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(writer) = plan.downcast_ref::<SortShuffleWriterExec>() else {
        return Ok(plan);
    };
    let mut config = writer.config().clone();
    config.memory_limit_per_task_bytes = 0;
    config.batch_size = config.batch_size.min(rows);
    let [input] = writer.children()[..] else {
        return Ok(plan);
    };
    let writer = SortShuffleWriterExec::try_new(
        writer.job_id().clone(),
        writer.stage_id(),
        Arc::clone(input),
        // Whoever executes it says where.
        String::new(),
        writer.shuffle_output_partitioning().clone(),
        config,
    )?;
    Ok(Arc::new(writer))
}

#[cfg(test)]
mod tests {
    use ballista_core::execution_plans::sort_shuffle::SortShuffleConfig;
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::physical_expr::expressions::col;
    use datafusion::physical_plan::Partitioning;
    use datafusion::physical_plan::empty::EmptyExec;

    use super::*;

    /// A shuffle of three partitions into five.
    fn shuffle() -> Arc<dyn ExecutionPlan> {
        let schema = Schema::new(vec![Field::new("key", DataType::Int64, false)]);
        let key = col("key", &schema).unwrap();
        let input = EmptyExec::new(Arc::new(schema)).with_partitions(3);
        let writer = SortShuffleWriterExec::try_new(
            JobId::new("job"),
            7,
            Arc::new(input),
            String::new(),
            Partitioning::Hash(vec![key], 5),
            SortShuffleConfig::new(true, 8192),
        );
        Arc::new(writer.unwrap())
    }

    #[test]
    fn a_shuffle_is_limited_by_its_pool_alone() {
        let plan = without_own_limit(shuffle(), 1000).unwrap();
        let writer = plan.downcast_ref::<SortShuffleWriterExec>().unwrap();
        let config = writer.config();
        assert_eq!(
            (config.memory_limit_per_task_bytes, config.batch_size),
            (0, 1000)
        );
        assert_eq!((writer.job_id().as_str(), writer.stage_id()), ("job", 7));
        assert_eq!(plan.output_partitioning().partition_count(), 5);
        // What is no such shuffle stays what it is.
        let input = Arc::clone(plan.children()[0]);
        assert!(Arc::ptr_eq(
            &input,
            &without_own_limit(Arc::clone(&input), 1000).unwrap()
        ));
    }

    #[test]
    fn a_task_drives_what_is_below_its_shuffle() {
        assert_eq!(partitions_driven(&shuffle()), 3);
    }
}

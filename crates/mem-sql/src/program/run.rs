//! Running the statements.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use mem_datafusion::{HearthRuntime, RuntimeOptions};
use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
use mem_spill::SpillDirs;

use super::args::{self, Args};
use super::failure::Failure;
use super::output::Output;
use super::report::{Report, pool_of};
use super::say;
use crate::session::HearthSession;
use crate::statements::Statement;

/// What ends the statements early.
enum Stop {
    /// The number of the statement that failed, and why.
    Failed(usize, DataFusionError),
    /// Whoever reads has seen enough.
    SeenEnough,
}

/// A query that waits for its turn, with the number of its statement.
struct Query {
    number: usize,
    frame: DataFrame,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.config()?;
    say(&args::warnings(&config));
    let statements = args.statements()?;
    let several = statements.len() > 1;
    let runtime = runtime(args, &config)?;
    let workers = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of_work(&error))?;
    workers.block_on(async {
        let session = HearthSession::new(runtime.clone(), args.tasks());
        let session = session.map_err(|error| Failure::of_work(&error))?;
        let mut report = Report::begin(&runtime);
        let outcome = run_all(&session, statements, args, &mut report).await;
        if let Some(form) = args.stats {
            report
                .write(form, &runtime)
                .map_err(|error| Failure::of_work(&error))?;
        }
        match outcome {
            Ok(()) | Err(Stop::SeenEnough) => Ok(()),
            Err(Stop::Failed(number, error)) => {
                let failure = Failure::of_work(&error);
                Err(match several {
                    true => failure.at(&format!("statement {number}: ")),
                    false => failure,
                })
            }
        }
    })
}

fn runtime(args: &Args, config: &MemoryConfig) -> Result<HearthRuntime, Failure> {
    let mut options = RuntimeOptions::of(config)?;
    if !args.spill_dirs().is_empty() {
        // None given is the only mistake to make here.
        options.spill_dirs = SpillDirs::new(args.spill_dirs().to_vec()).unwrap_or_default();
    }
    let manager = memory_manager(config.resolve(0)?, &ManagerOptions::of(config));
    Ok(HearthRuntime::new(manager, options)?)
}

/// Runs statement after statement; of queries that follow each other, as many at once as `--tasks` says.
async fn run_all(
    session: &HearthSession,
    statements: Vec<Statement>,
    args: &Args,
    report: &mut Report,
) -> Result<(), Stop> {
    let mut output = Output::new(args.format);
    let mut queries: Vec<Query> = Vec::new();
    for (number, statement) in (1..).zip(statements) {
        // A query is only planned here. Anything else may change what the queries before it read.
        let is_query = statement.is_query();
        if !is_query || args.tasks() == 1 {
            run_queries(&mut queries, args.tasks(), &mut output, report).await?;
        }
        let rows = session.execute(statement).await;
        let rows = rows.map_err(|error| Stop::Failed(number, error))?;
        queries.extend(rows.map(|frame| Query { number, frame }));
        if !is_query {
            run_queries(&mut queries, args.tasks(), &mut output, report).await?;
        }
    }
    run_queries(&mut queries, args.tasks(), &mut output, report).await
}

async fn run_queries(
    queries: &mut Vec<Query>,
    tasks: usize,
    output: &mut Output,
    report: &mut Report,
) -> Result<(), Stop> {
    if let [_] = queries[..]
        && let Some(Query { number, frame }) = queries.pop()
    {
        let pool = pool_of(&frame);
        let shown = async { output.write(frame.execute_stream().await?, &pool).await };
        let shown = shown.await;
        report.add(&pool);
        return shown.map_err(|error| Stop::of(number, error, output));
    }
    let running = stream::iter(queries.drain(..)).map(|Query { number, frame }| {
        let pool = pool_of(&frame);
        let schema = Arc::clone(frame.schema().inner());
        let rows = tokio::spawn(collect(frame));
        async move { (number, pool, schema, rows.await) }
    });
    // In the order in which they were given.
    let mut finished = running.buffered(tasks);
    while let Some((number, pool, schema, rows)) = finished.next().await {
        report.add(&pool);
        let shown = async {
            let (rows, held) = rows.map_err(crate::cached::external)??;
            let rows = stream::iter(rows.into_iter().map(Ok));
            let rows = RecordBatchStreamAdapter::new(schema, rows);
            let shown = output.write(Box::pin(rows), &pool).await;
            drop(held);
            shown
        };
        let shown = shown.await;
        shown.map_err(|error| Stop::of(number, error, output))?;
    }
    Ok(())
}

/// All rows, which wait until those of queries before it are shown; the query's memory pays for them.
async fn collect(frame: DataFrame) -> Result<(Vec<RecordBatch>, MemoryReservation)> {
    let held = MemoryConsumer::new("RowsToShow").register(&pool_of(&frame));
    let mut rows = frame.execute_stream().await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        held.try_grow(batch.get_array_memory_size())?;
        batches.push(batch);
    }
    Ok((batches, held))
}

impl Stop {
    fn of(number: usize, error: DataFusionError, output: &Output) -> Self {
        if output.is_closed() {
            Self::SeenEnough
        } else {
            Self::Failed(number, error)
        }
    }
}

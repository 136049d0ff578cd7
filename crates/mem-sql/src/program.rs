//! The `hearth-sql` program: SQL over files, under a memory budget.
//!
//! Exit status: 0 fine, 1 the work failed, 2 usage or configuration; errors go to standard error, one
//! cause a line.

mod args;
mod output;
mod report;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use datafusion::common::{DataFusionError, Result};
use datafusion::dataframe::DataFrame;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use mem_datafusion::HearthRuntime;
use mem_policy::ConfigError;

use crate::session::HearthSession;
use args::Args;
use output::Output;
use report::Report;

/// The work failed.
const WORK: u8 = 1;
/// Usage or configuration.
const USAGE: u8 = 2;

/// Runs the program with these arguments, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are errors here, with status 0.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    match work(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Why the program failed.
enum Failure {
    /// The configuration, with all that is wrong with it.
    Config(ConfigError),
    /// The command line.
    Usage(String),
    /// Anything else.
    Work(Box<dyn Error>),
}

impl Failure {
    fn work(error: impl Error + 'static) -> Self {
        Self::Work(Box::new(error))
    }

    fn report(&self) -> ExitCode {
        let (status, causes) = match self {
            Self::Config(error) => {
                let causes = error.diagnostics().iter().map(ToString::to_string);
                (USAGE, causes.collect())
            }
            Self::Usage(cause) => (USAGE, vec![cause.clone()]),
            Self::Work(error) => (WORK, vec![in_one_line(&**error)]),
        };
        let mut stderr = io::stderr().lock();
        for cause in causes {
            // Nobody is left to be told that this fails.
            drop(writeln!(stderr, "hearth-sql: {cause}"));
        }
        ExitCode::from(status)
    }
}

/// An error and its sources, with colons between. Some repeat their source; that is said once.
fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = source.source();
    }
    line.replace('\n', " ")
}

fn work(args: &Args) -> Result<(), Failure> {
    let config = args.config()?;
    let statements = args.statements()?;
    let runtime = HearthRuntime::from_config(&config).map_err(Failure::work)?;
    let workers = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::work)?;
    let done = workers.block_on(async {
        let session = HearthSession::new(runtime.clone(), args.tasks)?;
        let mut report = Report::begin(&runtime);
        let outcome = run_all(&session, &statements, args, &mut report).await;
        if let Some(form) = args.stats {
            report.write(form, &runtime)?;
        }
        outcome
    });
    done.map_err(Failure::work)
}

/// Runs statement after statement; of queries that follow each other, as many at once as `--tasks` says.
async fn run_all(
    session: &HearthSession,
    statements: &[String],
    args: &Args,
    report: &mut Report,
) -> Result<()> {
    let mut output = Output::new(args.format);
    let mut queries: Vec<DataFrame> = Vec::new();
    for statement in statements {
        // A query is only planned here. Anything else may change what the queries before it read.
        if !args::is_query(statement) {
            run_queries(&mut queries, args.tasks, &mut output, report).await?;
        }
        queries.extend(session.run(statement).await?);
    }
    run_queries(&mut queries, args.tasks, &mut output, report).await
}

async fn run_queries(
    queries: &mut Vec<DataFrame>,
    tasks: usize,
    output: &mut Output,
    report: &mut Report,
) -> Result<()> {
    if tasks <= 1 {
        for query in queries.drain(..) {
            let pool = report::pool_of(&query);
            let rows = query.execute_stream().await?;
            let counted = output.write(rows).await;
            report.add(&pool);
            counted?;
        }
        return Ok(());
    }
    let running = stream::iter(queries.drain(..)).map(|query| {
        let pool = report::pool_of(&query);
        let schema = std::sync::Arc::clone(query.schema().inner());
        let rows = tokio::spawn(query.collect());
        async move { (pool, schema, rows.await) }
    });
    // In the order in which they were given.
    let mut finished = running.buffered(tasks);
    while let Some((pool, schema, rows)) = finished.next().await {
        report.add(&pool);
        let rows = rows.map_err(|error| DataFusionError::External(Box::new(error)))??;
        let rows = stream::iter(rows.into_iter().map(Ok));
        output
            .write(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
            .await?;
    }
    Ok(())
}

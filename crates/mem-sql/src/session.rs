//! Running statements, each query under a pool of its own.

mod caching;
mod settings;

use std::path::Path;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{LogicalPlan, Statement as PlanStatement};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as Parsed;
use mem_datafusion::{HearthRuntime, RuntimeError};
use mem_sync::Mutex;

use crate::cached::{CachingFrames, TableCache};
use crate::options::HearthOptions;
use crate::statements::Statement;
use caching::Cached;

/// Runs SQL under one memory. Every query is a task of its own: it has a pool of its own, and counts in N
/// while it holds something. Tables, cached ones too, are common to all.
///
/// Its counterpart in Spark is `SparkSession`.
pub struct HearthSession {
    runtime: HearthRuntime,
    /// All memory as it was configured, in bytes: what `RESET` goes back to.
    configured: u64,
    /// Has the tables and the settings.
    base: SessionContext,
    cache: Arc<TableCache>,
    cached: Mutex<Vec<Cached>>,
}

impl HearthSession {
    /// A session whose memory a configuration file describes: TOML with Spark's keys, or the form of
    /// `spark-defaults.conf`. Otherwise as [`new`](Self::new).
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub fn from_toml(path: impl AsRef<Path>, queries: usize) -> Result<Self, RuntimeError> {
        Ok(Self::new(HearthRuntime::from_toml(path)?, queries)?)
    }

    /// A session of which `queries` queries run at once: partitions, batches and the memory that sorts
    /// take beforehand are lowered to what fits the share of each
    /// ([`tuned`](HearthRuntime::tuned)). Files can be read by their path: `SELECT * FROM 'a.parquet'`.
    ///
    /// # Errors
    /// DataFusion's.
    pub fn new(runtime: HearthRuntime, queries: usize) -> Result<Self> {
        let config = SessionConfig::new().with_information_schema(true);
        let config = runtime.tuned(config, queries);
        Self::with_config(runtime, config)
    }

    /// A session with settings of the caller's, which are taken as they are.
    ///
    /// # Errors
    /// DataFusion's.
    pub fn with_config(runtime: HearthRuntime, mut config: SessionConfig) -> Result<Self> {
        let options = HearthOptions::of(config.options());
        config.options_mut().extensions.insert(options);
        let cache = TableCache::new(&runtime);
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_runtime_env(runtime.query_env()?)
            .with_cache_factory(Some(Arc::new(CachingFrames(Arc::clone(&cache)))))
            .build();
        Ok(Self {
            configured: runtime.stats().total,
            runtime,
            base: SessionContext::new_with_state(state).enable_url_table(),
            cache,
            cached: Mutex::default(),
        })
    }

    /// Whose memory it is.
    #[must_use]
    pub fn runtime(&self) -> &HearthRuntime {
        &self.runtime
    }

    /// What has the tables and the settings. Queries that are run in it share one pool; use
    /// [`query`](Self::query) for one with a pool of its own. Who has it run a `SET` of a
    /// `datafusion.runtime` variable may replace the pool ([`HearthRuntime::is_installed`]);
    /// [`run`](Self::run) does not let that happen.
    #[must_use]
    pub fn base(&self) -> &SessionContext {
        &self.base
    }

    /// A context for one query: the session's tables and settings as they are now, and a pool of its
    /// own.
    ///
    /// # Errors
    /// DataFusion's.
    pub fn query(&self) -> Result<SessionContext> {
        let state = SessionStateBuilder::new_from_existing(self.base.state())
            .with_runtime_env(self.runtime.query_env()?)
            .build();
        Ok(SessionContext::new_with_state(state))
    }

    /// Runs one statement. What gives rows is returned, to be run when they are asked for; what does not
    /// is run now.
    ///
    /// # Errors
    /// DataFusion's.
    pub async fn run(&self, text: &str) -> Result<Option<DataFrame>> {
        self.execute(Statement::parse(text)?).await
    }

    /// Runs one statement, as [`run`](Self::run) does.
    ///
    /// # Errors
    /// DataFusion's.
    pub async fn execute(&self, statement: Statement) -> Result<Option<DataFrame>> {
        match statement {
            Statement::Sql(parsed) => return self.execute_sql(*parsed).await,
            Statement::Cache(cache) => self.cache_table(cache).await?,
            Statement::Uncache { name, if_exists } => self.uncache_table(&name, if_exists)?,
            Statement::ClearCache => self.clear_cache()?,
        }
        Ok(None)
    }

    async fn execute_sql(&self, parsed: Parsed) -> Result<Option<DataFrame>> {
        let query = self.query()?;
        let plan = query.state().statement_to_plan(parsed).await?;
        match plan {
            // A prepared query is a query, which only the base knows.
            LogicalPlan::Statement(PlanStatement::Execute(_)) => {
                let prepared = self.base.execute_logical_plan(plan).await?;
                let plan = prepared.into_unoptimized_plan();
                query.execute_logical_plan(plan).await.map(Some)
            }
            LogicalPlan::Statement(statement) => {
                if !self.set_runtime(&statement).await? {
                    let plan = LogicalPlan::Statement(statement);
                    self.base.execute_logical_plan(plan).await?;
                }
                Ok(None)
            }
            // What changes tables changes the session's.
            LogicalPlan::Ddl(_) => {
                self.base.execute_logical_plan(plan).await?;
                self.forget_dropped().await;
                Ok(None)
            }
            plan => query.execute_logical_plan(plan).await.map(Some),
        }
    }
}

impl std::fmt::Debug for HearthSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HearthSession")
            .field("runtime", &self.runtime)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

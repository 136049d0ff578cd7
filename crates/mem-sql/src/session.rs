//! Running statements, each query under a pool of its own.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::{Result, TableReference, exec_err};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};

use datafusion::sql::parser::Statement as Parsed;
use mem_datafusion::HearthRuntime;
use mem_sync::Mutex;

use crate::cached::{CachedTable, CachingFrames, TableCache};
use crate::statements::Statement;

/// Runs SQL under one memory. Every query is a task of its own: it has a pool of its own, and counts in N
/// while it holds something. Tables, cached ones too, are common to all.
///
/// Its counterpart in Spark is `SparkSession`.
pub struct HearthSession {
    runtime: HearthRuntime,
    /// Has the tables and the settings.
    base: SessionContext,
    cache: Arc<TableCache>,
    cached: Mutex<Vec<Cached>>,
}

/// A table that was cached by a statement.
struct Cached {
    name: TableReference,
    /// The table of that name that it took the place of.
    original: Option<Arc<dyn TableProvider>>,
}

impl HearthSession {
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
    pub fn with_config(runtime: HearthRuntime, config: SessionConfig) -> Result<Self> {
        let cache = TableCache::new(&runtime);
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_runtime_env(runtime.query_env()?)
            .with_cache_factory(Some(Arc::new(CachingFrames(Arc::clone(&cache)))))
            .build();
        Ok(Self {
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
    /// [`query`](Self::query) for one with a pool of its own.
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
        match Statement::parse(text)? {
            Statement::Sql(parsed) => self.run_sql(parsed).await,
            Statement::Cache { name, query, lazy } => {
                self.cache_table(name, query, lazy).await?;
                Ok(None)
            }
            Statement::Uncache { name, if_exists } => {
                self.uncache_table(&name, if_exists)?;
                Ok(None)
            }
            Statement::ClearCache => {
                self.clear_cache()?;
                Ok(None)
            }
        }
    }

    async fn run_sql(&self, parsed: Parsed) -> Result<Option<DataFrame>> {
        let query = self.query()?;
        let plan = query.state().statement_to_plan(parsed).await?;
        match plan {
            // What changes tables or settings changes the session's.
            LogicalPlan::Ddl(_) | LogicalPlan::Statement(_) => {
                self.base.execute_logical_plan(plan).await?;
                Ok(None)
            }
            plan => query.execute_logical_plan(plan).await.map(Some),
        }
    }

    async fn cache_table(
        &self,
        name: TableReference,
        query: Option<Parsed>,
        lazy: bool,
    ) -> Result<()> {
        let context = self.query()?;
        let (plan, original) = match query {
            Some(query) => {
                if self.base.table_exist(name.clone())? {
                    return exec_err!("there is a table {name} already");
                }
                (context.state().statement_to_plan(query).await?, None)
            }
            None => {
                if self.cached.lock().iter().any(|cached| cached.name == name) {
                    return Ok(());
                }
                let plan = context.table(name.clone()).await?.into_unoptimized_plan();
                (plan, Some(self.base.table_provider(name.clone()).await?))
            }
        };
        let table = CachedTable::new(Arc::clone(&self.cache), plan);
        if !lazy {
            table.fill(&context.state()).await?;
        }
        if original.is_some() {
            self.base.deregister_table(name.clone())?;
        }
        self.base.register_table(name.clone(), table)?;
        self.cached.lock().push(Cached { name, original });
        Ok(())
    }

    fn uncache_table(&self, name: &TableReference, if_exists: bool) -> Result<()> {
        let found = {
            let mut cached = self.cached.lock();
            let at = cached.iter().position(|cached| cached.name == *name);
            at.map(|at| cached.swap_remove(at))
        };
        match found {
            Some(cached) => self.restore(cached),
            None if if_exists => Ok(()),
            None => exec_err!("there is no cached table {name}"),
        }
    }

    fn clear_cache(&self) -> Result<()> {
        let all = std::mem::take(&mut *self.cached.lock());
        all.into_iter().try_for_each(|cached| self.restore(cached))
    }

    /// Takes a cached table out, and puts back the one that it took the place of.
    fn restore(&self, cached: Cached) -> Result<()> {
        self.base.deregister_table(cached.name.clone())?;
        if let Some(original) = cached.original {
            self.base.register_table(cached.name, original)?;
        }
        Ok(())
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

//! Spark's statements for caching.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::{ResolvedTableReference, Result, TableReference, exec_err};

use super::HearthSession;
use crate::cached::CachedTable;
use crate::options::HearthOptions;
use crate::statements::Cache;

/// A table that was cached by a statement.
pub(super) struct Cached {
    name: ResolvedTableReference,
    table: Arc<CachedTable>,
    /// What has the name when it is not cached any more.
    original: Arc<dyn TableProvider>,
}

impl HearthSession {
    /// The tables that statements have cached, each with its name.
    #[must_use]
    pub fn cached_tables(&self) -> Vec<(TableReference, Arc<CachedTable>)> {
        let cached = self.cached.lock();
        let pair = |cached: &Cached| (cached.name.clone().into(), Arc::clone(&cached.table));
        cached.iter().map(pair).collect()
    }

    pub(super) async fn cache_table(&self, cache: Cache) -> Result<()> {
        let context = self.query()?;
        let name = self.resolved(&cache.name);
        let level = cache
            .level
            .unwrap_or_else(|| HearthOptions::of(context.state().config_options()).storage_level);
        let made = |plan| CachedTable::new(Arc::clone(&self.cache), plan, level);
        let (table, original) = match cache.query {
            Some(query) => {
                if self.base.table_exist(name.clone())? {
                    return exec_err!("there is a table {} already", cache.name);
                }
                let table = made(context.state().statement_to_plan(*query).await?);
                let original = table.uncached();
                (table, original)
            }
            None => {
                if self.cached.lock().iter().any(|cached| cached.name == name) {
                    return Ok(());
                }
                let original = context.table_provider(name.clone()).await?;
                let plan = context.table(name.clone()).await?.into_unoptimized_plan();
                (made(plan), original)
            }
        };
        if !cache.lazy {
            table.fill(&context.state()).await?;
        }
        self.replace(&name, Arc::<CachedTable>::clone(&table))?;
        self.cached.lock().push(Cached {
            name,
            table,
            original,
        });
        Ok(())
    }

    pub(super) fn uncache_table(&self, name: &TableReference, if_exists: bool) -> Result<()> {
        let resolved = self.resolved(name);
        let found = {
            let mut cached = self.cached.lock();
            let at = cached.iter().position(|cached| cached.name == resolved);
            at.map(|at| cached.swap_remove(at))
        };
        match found {
            Some(cached) => self.replace(&cached.name, cached.original),
            None if if_exists => Ok(()),
            None => exec_err!("there is no cached table {name}"),
        }
    }

    pub(super) fn clear_cache(&self) -> Result<()> {
        let all = std::mem::take(&mut *self.cached.lock());
        all.into_iter()
            .try_for_each(|cached| self.replace(&cached.name, cached.original))
    }

    /// Lets go of cached tables that have been dropped or replaced by another statement.
    pub(super) async fn forget_dropped(&self) {
        for (name, table) in self.cached_tables() {
            let provider = self.base.table_provider(name).await;
            let is_there = provider.is_ok_and(|provider| {
                std::ptr::addr_eq(Arc::as_ptr(&provider), Arc::as_ptr(&table))
            });
            if !is_there {
                let is_other = |cached: &Cached| !Arc::ptr_eq(&cached.table, &table);
                self.cached.lock().retain(is_other);
            }
        }
    }

    /// Gives a name to another table.
    fn replace(&self, name: &ResolvedTableReference, table: Arc<dyn TableProvider>) -> Result<()> {
        self.base.deregister_table(name.clone())?;
        self.base.register_table(name.clone(), table)?;
        Ok(())
    }

    fn resolved(&self, name: &TableReference) -> ResolvedTableReference {
        let state = self.base.state();
        let catalog = &state.config_options().catalog;
        name.clone()
            .resolve(&catalog.default_catalog, &catalog.default_schema)
    }
}

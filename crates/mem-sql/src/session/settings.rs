//! `SET datafusion.runtime...`, which DataFusion would do by putting its own pool and files in place of
//! Hearth's.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::Statement;
use datafusion::prelude::SessionContext;

use super::HearthSession;

const PREFIX: &str = "datafusion.runtime.";
/// Settings of the caches. DataFusion's way is right for them.
const OF_CACHES: [&str; 4] = [
    "metadata_cache_limit",
    "list_files_cache_limit",
    "list_files_cache_ttl",
    "file_statistics_cache_limit",
];

impl HearthSession {
    /// Does what a statement says about DataFusion's runtime, as far as that is Hearth's: sets all
    /// memory, or refuses. False where it is none of Hearth's business.
    pub(super) async fn set_runtime(&self, statement: &Statement) -> Result<bool> {
        let (variable, value) = match statement {
            Statement::SetVariable(set) => (&set.variable, Some(&set.value)),
            Statement::ResetVariable(reset) => (&reset.variable, None),
            _ => return Ok(false),
        };
        let variable = variable.to_ascii_lowercase();
        let Some(name) = variable.strip_prefix(PREFIX) else {
            return Ok(false);
        };
        match (name, value) {
            ("memory_limit", Some(value)) => {
                let bytes = SessionContext::parse_capacity_limit(&variable, value)?;
                self.set_limit(u64::try_from(bytes).unwrap_or(u64::MAX))
                    .await?;
                Ok(true)
            }
            ("memory_limit", None) => {
                self.set_limit(self.configured).await?;
                Ok(true)
            }
            ("temp_directory", _) => {
                plan_err!("{variable} has no effect: spill files go where hearth.spill.dirs says")
            }
            (name, _) if OF_CACHES.contains(&name) => Ok(false),
            _ => plan_err!("{variable} has no effect: spill files are Hearth's"),
        }
    }

    /// Sets all memory; blocks are evicted for it where it shrinks.
    async fn set_limit(&self, bytes: u64) -> Result<()> {
        let runtime = self.runtime.clone();
        // It may write to disk.
        let set = tokio::task::spawn_blocking(move || runtime.set_limit(bytes));
        let set = set.await.map_err(crate::cached::external)?;
        set.map_err(crate::cached::external)?;
        Ok(())
    }
}

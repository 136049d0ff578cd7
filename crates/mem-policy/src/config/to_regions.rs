//! From a checked configuration to regions: through Spark's own arithmetic.

use super::error::{ConfigError, Diagnostic, Problem};
use super::keys::find_key;
use super::keys::memory::EXECUTOR_MEMORY;
use super::memory_config::MemoryConfig;
use super::origin::Origin;
use super::resolve::{Collector, Environment, ResolveError, ResolvedMemory, resolve};
use super::spark_conf::SparkConf;

impl MemoryConfig {
    /// Sizes the regions for an engine of `cores` cores; 0: as many as the machine has.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the values are fine one by one and impossible together: a heap smaller
    /// than what is reserved, off-heap memory enabled without a size.
    pub fn resolve(&self, cores: u32) -> Result<ResolvedMemory, ConfigError> {
        self.resolve_in(&self.environment(cores))
    }

    /// Sizes the regions as Spark would in `environment`.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub fn resolve_in(&self, environment: &Environment) -> Result<ResolvedMemory, ConfigError> {
        let policy = self.split().policy;
        let resolved = resolve(&self.to_spark_conf(), policy, environment);
        // Checked values parse, so the two errors that a put would raise cannot be in there.
        resolved.map_err(|error| self.impossible(error).into())
    }

    /// Where Hearth runs: an executor without a collector, whose heap is `spark.executor.memory`.
    #[must_use]
    pub fn environment(&self, cores: u32) -> Environment {
        let max_heap = i64::try_from(self.split().heap_bytes).unwrap_or(i64::MAX);
        Environment {
            cores: i32::try_from(cores).unwrap_or(i32::MAX),
            is_driver: false,
            collector: Collector::Parallel,
            max_heap,
        }
    }

    /// The settings as Spark would hold them.
    #[must_use]
    pub fn to_spark_conf(&self) -> SparkConf {
        self.settings()
            .filter(|(name, _)| name.starts_with("spark."))
            .map(|(name, setting)| (name, setting.written.text()))
            .collect()
    }

    /// Names the place of the setting that Spark objects to.
    fn impossible(&self, error: ResolveError) -> Diagnostic {
        let key = find_key(error.key).unwrap_or(&EXECUTOR_MEMORY);
        let origin = self
            .setting(key)
            .map_or(Origin::Default, |setting| setting.origin.clone());
        Diagnostic {
            origin: Some(origin),
            key: Some(key.name.to_owned()),
            problem: Problem::Impossible(error),
        }
    }
}

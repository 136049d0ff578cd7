//! How Spark refuses a configuration: the exception, its condition, and where it is thrown.

use super::super::keys::KeyInfo;

/// What Spark was creating when it threw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Nothing yet: it was choosing the memory manager.
    Conf,
    /// The memory manager.
    Manager,
    /// The memory store.
    Store,
    /// A block: some settings are read only by a put.
    Put,
}

impl Stage {
    /// The stage's name in recorded traces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Conf => "conf",
            Self::Manager => "manager",
            Self::Store => "store",
            Self::Put => "put",
        }
    }
}

/// A configuration that Spark refuses.
///
/// `class` and `condition` identify the case as Spark does; the message is Hearth's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct ResolveError {
    /// Simple name of the Java exception.
    pub class: &'static str,
    /// Spark's error condition, where the exception has one.
    pub condition: Option<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What was being created.
    pub stage: Stage,
    /// The setting that is wrong, or that would help most.
    pub key: &'static str,
}

pub(super) const NUMBER_FORMAT: &str = "NumberFormatException";
pub(super) const ILLEGAL_ARGUMENT: &str = "IllegalArgumentException";
const SPARK_ILLEGAL_ARGUMENT: &str = "SparkIllegalArgumentException";

impl ResolveError {
    /// An exception without a condition, thrown while the manager is created.
    pub(super) fn plain(class: &'static str, key: &KeyInfo, message: String) -> Self {
        Self {
            class,
            condition: None,
            message,
            stage: Stage::Manager,
            key: key.name,
        }
    }

    /// An exception with a condition, thrown while the manager is created.
    pub(super) fn conditional(condition: &'static str, key: &KeyInfo, message: String) -> Self {
        Self {
            class: SPARK_ILLEGAL_ARGUMENT,
            condition: Some(condition),
            message,
            stage: Stage::Manager,
            key: key.name,
        }
    }

    /// The same error, thrown at another stage.
    pub(super) fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }
}

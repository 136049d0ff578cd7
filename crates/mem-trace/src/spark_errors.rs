//! What Spark calls our errors: the one table of its exception classes and error conditions.

use mem_policy::config::{ResolveError, SizeError, SparkRelease, Stage};
use mem_pool::raw::RawError;
use mem_pool::{Reason, Refusal};
use mem_store::StoreError;
use task_mem::raw::RawError as TaskError;
use task_mem::{Failure as Trouble, SpillError};

use crate::format::{Answer, Failure};

const ASSERTION: &str = "AssertionError";
const ILLEGAL_ARGUMENT: &str = "IllegalArgumentException";
const INTERRUPTED: &str = "InterruptedException";
const OUT_OF_MEMORY: &str = "SparkOutOfMemoryError";
const SPARK_EXCEPTION: &str = "SparkException";
const RUNTIME: &str = "RuntimeException";

const UNABLE_TO_ACQUIRE: &str = "UNABLE_TO_ACQUIRE_MEMORY";

/// An exception without a condition.
fn plain(error: &'static str, source: &impl ToString) -> Failure {
    Failure {
        error,
        message: source.to_string(),
        condition: None,
        stage: None,
    }
}

/// An exception with one.
fn conditional(error: &'static str, condition: &'static str, source: &impl ToString) -> Failure {
    Failure {
        condition: Some(condition),
        ..plain(error, source)
    }
}

/// A configuration that is refused: it brings its names along.
pub(crate) fn of_resolving(error: &ResolveError) -> Failure {
    let stage = match error.stage {
        // Thrown by the put that reads the setting, not by what creates the store.
        Stage::Put => None,
        stage @ (Stage::Conf | Stage::Manager | Stage::Store) => Some(stage.name()),
    };
    Failure {
        error: error.class,
        message: error.message.clone(),
        condition: error.condition,
        stage,
    }
}

/// A text that is no size.
pub(crate) fn of_size(error: &SizeError) -> Failure {
    plain(error.spark_class(), error)
}

/// A paired call on the manager.
pub(crate) fn of_raw(error: &RawError) -> Failure {
    match error {
        RawError::InvalidBytes(_) => plain(ASSERTION, error),
        RawError::Unsupported(_) => plain(ILLEGAL_ARGUMENT, error),
        RawError::Refused(refusal) => of_refusal(refusal),
        other => plain(RUNTIME, other),
    }
}

/// A request that was ended by something else than a lack of memory, which Spark does not throw.
pub(crate) fn of_refusal(refusal: &Refusal) -> Failure {
    match refusal.reason() {
        Reason::Cancelled => plain(INTERRUPTED, refusal),
        Reason::Evict(error) => plain(SPARK_EXCEPTION, error),
        _ => conditional(OUT_OF_MEMORY, UNABLE_TO_ACQUIRE, refusal),
    }
}

/// A paired call of a task or a consumer.
pub(crate) fn of_task(error: &TaskError) -> Failure {
    match error {
        TaskError::InvalidBytes(_) | TaskError::NoSuchPage(_) => plain(ASSERTION, error),
        TaskError::Memory(memory) => match memory.failure() {
            Trouble::TooLargePage { .. } => plain("TooLargePageException", memory),
            Trouble::PageTableFull => plain("IllegalStateException", memory),
            Trouble::OutOfMemory { .. } => conditional(OUT_OF_MEMORY, UNABLE_TO_ACQUIRE, memory),
            Trouble::SpillFailed { .. } => {
                conditional(OUT_OF_MEMORY, "SPILL_OUT_OF_MEMORY", memory)
            }
            Trouble::Refused(refusal) => of_refusal(refusal),
            _ => plain(RUNTIME, memory),
        },
        other => plain(RUNTIME, other),
    }
}

/// A call on the block store, as that release throws it.
pub(crate) fn of_store(error: &StoreError, release: SparkRelease) -> Failure {
    match (error, release) {
        (StoreError::AlreadyPresent { .. } | StoreError::Unsupported(_), _)
        | (StoreError::WrongForm { .. }, SparkRelease::V2_4) => plain(ILLEGAL_ARGUMENT, error),
        (StoreError::WrongForm { .. }, SparkRelease::V4_3) => {
            conditional(SPARK_EXCEPTION, "INTERNAL_ERROR_STORAGE", error)
        }
        (
            StoreError::InvalidBytes(_) | StoreError::Transfer { .. } | StoreError::TooShort { .. },
            _,
        ) => plain(ASSERTION, error),
        (StoreError::NoCheckPeriod, _) => plain("ArithmeticException", error),
        (StoreError::Setting(setting), _) => of_resolving(setting),
        (StoreError::Alloc { .. }, _) => plain("OutOfMemoryError", error),
        _ => plain(SPARK_EXCEPTION, error),
    }
}

/// The size of a block that is not there: Spark looks into an entry that is none.
pub(crate) fn of_size_of_nothing(block: &str) -> Failure {
    plain(
        "NullPointerException",
        &format!("there is no block {block}"),
    )
}

/// What a consumer's own `spill` throws.
pub(crate) fn of_spilling(error: &SpillError) -> &'static str {
    match error {
        SpillError::Interrupted(_) => "ClosedByInterruptException",
        SpillError::Io(_) => "IOException",
        _ => RUNTIME,
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

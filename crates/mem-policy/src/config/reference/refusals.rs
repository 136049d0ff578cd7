//! What is refused although Spark takes it.

/// A value that Spark takes and Hearth refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The setting.
    pub key: &'static str,
    /// A value of it that shows the difference.
    pub value: &'static str,
    /// What Spark does with it.
    pub in_spark: &'static str,
    /// Why Hearth refuses it.
    pub why: &'static str,
}

const fn refusal(
    key: &'static str,
    value: &'static str,
    in_spark: &'static str,
    why: &'static str,
) -> Refusal {
    Refusal {
        key,
        value,
        in_spark,
        why,
    }
}

/// Spark's static manager does not look at the range of a fraction.
const POOLS_BEYOND_THE_HEAP: &str = "sizes a pool beyond the heap";
/// What every fraction is refused for outside its range.
const NOT_A_SHARE: &str = "a share is between 0 and 1";
/// What a number without its unit is refused for.
const UNIT_IN_DOUBT: &str = "the unit differs from key to key, and a missing one is usually a slip";
/// What Spark does where a setting is read only by a put.
const EACH_PUT_FAILS: &str = "starts, and every put of a block fails";

/// Every way in which a setting is refused that Spark takes, with an example each.
pub const REFUSALS: &[Refusal] = &[
    refusal(
        "spark.memory.fracton",
        "0.7",
        "ignores it",
        "a misspelt key would silently leave the default in force",
    ),
    refusal(
        "memory.fraction",
        "0.7",
        "ignores it",
        "every key begins with `spark.` or `hearth.`",
    ),
    refusal(
        "spark.memory.fraction",
        "1.5",
        "sizes regions beyond the heap",
        NOT_A_SHARE,
    ),
    refusal(
        "spark.memory.fraction",
        "Infinity",
        "sizes regions of 2^63 − 1 bytes",
        NOT_A_SHARE,
    ),
    refusal(
        "spark.memory.storageFraction",
        "1.0",
        "refuses it in the unified manager, takes it in the static one",
        "one range for both managers",
    ),
    refusal(
        "spark.storage.memoryFraction",
        "1.5",
        POOLS_BEYOND_THE_HEAP,
        NOT_A_SHARE,
    ),
    refusal(
        "spark.storage.safetyFraction",
        "NaN",
        "makes an empty pool",
        NOT_A_SHARE,
    ),
    refusal(
        "spark.storage.unrollFraction",
        "-0.5",
        "never evicts for unrolling",
        NOT_A_SHARE,
    ),
    refusal(
        "spark.shuffle.memoryFraction",
        "2",
        POOLS_BEYOND_THE_HEAP,
        NOT_A_SHARE,
    ),
    refusal(
        "spark.shuffle.safetyFraction",
        "1.1",
        POOLS_BEYOND_THE_HEAP,
        NOT_A_SHARE,
    ),
    refusal(
        "spark.executor.memory",
        "1073741824",
        "reads MiB when it starts the process, and bytes when it checks the size",
        UNIT_IN_DOUBT,
    ),
    refusal(
        "spark.executor.memoryOverhead",
        "512",
        "reads MiB",
        UNIT_IN_DOUBT,
    ),
    refusal(
        "spark.shuffle.file.buffer",
        "64",
        "reads KiB",
        UNIT_IN_DOUBT,
    ),
    refusal(
        "spark.memory.unmanagedMemoryPollingInterval",
        "100",
        "reads milliseconds",
        UNIT_IN_DOUBT,
    ),
    refusal(
        "spark.memory.unmanagedMemoryPollingInterval",
        "-1s",
        "leaves unmanaged memory out of account",
        "0 says so",
    ),
    refusal(
        "spark.memory.unmanagedMemoryPollingInterval",
        "500us",
        "cuts it off to 0, which is off",
        "it asks for polling and gets none",
    ),
    refusal(
        "spark.testing",
        "false",
        "takes its presence for true: no memory is reserved",
        "it does the opposite of what it says",
    ),
    refusal(
        "spark.testing.reservedMemory",
        "-1",
        "makes the usable memory larger than the heap",
        "memory that is not there would be handed out",
    ),
    refusal(
        "spark.buffer.pageSize",
        "0",
        "gives every consumer pages of exactly what it asks for",
        "one page a record, and 8192 pages a task",
    ),
    refusal(
        "spark.buffer.pageSize",
        "-1",
        "treats it as 0",
        "a size is not negative",
    ),
    refusal(
        "spark.buffer.pageSize",
        "17179869177",
        "starts, and every page allocation fails",
        "a page has at most 2^31 − 1 words",
    ),
    refusal(
        "spark.storage.unrollMemoryThreshold",
        "0",
        "starts, and serialized puts run out of memory on chunks of 0 bytes",
        "no put could work",
    ),
    refusal(
        "spark.storage.unrollMemoryThreshold",
        "-1",
        EACH_PUT_FAILS,
        "no put could work",
    ),
    refusal(
        "spark.storage.unrollMemoryCheckPeriod",
        "0",
        EACH_PUT_FAILS,
        "no put could work",
    ),
    refusal(
        "spark.storage.unrollMemoryCheckPeriod",
        "-16",
        "treats it as 16",
        "a count is not negative",
    ),
    refusal(
        "spark.storage.unrollMemoryCheckPeriod",
        "x",
        EACH_PUT_FAILS,
        "no put could work",
    ),
    refusal(
        "spark.storage.unrollMemoryGrowthFactor",
        "0.5",
        "asks for negative amounts, and puts fail",
        "a block does not shrink while it is unrolled",
    ),
    refusal(
        "spark.storage.unrollMemoryGrowthFactor",
        "NaN",
        "asks for nothing, and unrolls without memory",
        "memory would be used and not counted",
    ),
    refusal(
        "spark.io.encryption.enabled",
        "true",
        "encrypts spill files",
        "Hearth does not, and must not seem to",
    ),
];

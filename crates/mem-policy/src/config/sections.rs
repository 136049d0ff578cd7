//! The settings by group, typed: what each part of Hearth reads.
//!
//! Names end in the unit. What is not given has its default, so that nobody above needs to know one.

use std::path::PathBuf;
use std::time::Duration;

use super::keys::{KeyInfo, Value, hearth, legacy, memory, sorting, storage};
use super::memory_config::MemoryConfig;
use super::resolve::PolicyKind;

/// Settings that decide the regions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitSettings {
    /// Which manager decides.
    pub policy: PolicyKind,
    /// The heap, in bytes.
    pub heap_bytes: u64,
    /// `spark.memory.fraction`.
    pub memory_fraction: f64,
    /// `spark.memory.storageFraction`.
    pub storage_fraction: f64,
    /// `spark.memory.offHeap.enabled`, or its old name.
    pub off_heap_enabled: bool,
    /// `spark.memory.offHeap.size`, in bytes.
    pub off_heap_size_bytes: u64,
    /// `spark.memory.unmanagedMemoryPollingInterval`; `None` where unmanaged memory is not counted.
    pub unmanaged_polling_interval: Option<Duration>,
    /// `spark.shuffle.memoryFraction`.
    pub shuffle_memory_fraction: f64,
    /// `spark.shuffle.safetyFraction`.
    pub shuffle_safety_fraction: f64,
    /// `spark.storage.memoryFraction`.
    pub storage_memory_fraction: f64,
    /// `spark.storage.safetyFraction`.
    pub storage_safety_fraction: f64,
    /// `spark.storage.unrollFraction`.
    pub storage_unroll_fraction: f64,
}

/// Settings that size the container around the process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContainerSettings {
    /// `spark.executor.memoryOverhead`, in bytes.
    pub memory_overhead_bytes: Option<u64>,
    /// `spark.executor.minMemoryOverhead`, in bytes.
    pub min_memory_overhead_bytes: u64,
    /// `spark.executor.memoryOverheadFactor`.
    pub memory_overhead_factor: f64,
    /// `spark.executor.pyspark.memory`, in bytes.
    pub pyspark_memory_bytes: u64,
}

/// Settings of pages and of the allocators behind them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageSettings {
    /// `spark.buffer.pageSize`, in bytes; `None`: chosen when resolving.
    pub page_size_bytes: Option<u64>,
    /// `hearth.memory.debugFill`, or `spark.memory.debugFill`.
    pub debug_fill: bool,
    /// `hearth.alloc.keptFraction`.
    pub kept_fraction: f64,
}

/// Settings of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskSettings {
    /// `hearth.task.quantum`, in bytes.
    pub quantum_bytes: u64,
    /// `hearth.wait.timeout`.
    pub wait_timeout: Duration,
    /// `hearth.wait.deadlockDetection`.
    pub deadlock_detection: bool,
    /// `spark.unsafe.exceptionOnMemoryLeak`.
    pub exception_on_memory_leak: bool,
}

/// Settings of the block store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoreSettings {
    /// `spark.storage.unrollMemoryThreshold`, in bytes.
    pub unroll_memory_threshold_bytes: u64,
    /// `spark.storage.unrollMemoryCheckPeriod`, in elements.
    pub unroll_memory_check_period: u64,
    /// `spark.storage.unrollMemoryGrowthFactor`.
    pub unroll_memory_growth_factor: f64,
    /// `spark.storage.exceptionOnPinLeak`.
    pub exception_on_pin_leak: bool,
}

/// Settings of spill files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpillSettings {
    /// `hearth.spill.dirs`; where empty, the system's directory for temporary files.
    pub dirs: Vec<PathBuf>,
    /// `hearth.spill.codec`.
    pub codec: SpillCodec,
    /// Whether `hearth.spill.codec` was given.
    pub codec_is_given: bool,
    /// `hearth.spill.blockSize`, in bytes; `None`: chosen from the budget.
    pub block_size_bytes: Option<u64>,
}

/// How spill files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpillCodec {
    /// Not at all.
    None,
    /// LZ4: fast.
    Lz4,
    /// Zstandard: small.
    Zstd,
}

/// Settings of the sorters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortSettings {
    /// `spark.shuffle.spill.numElementsForceSpillThreshold`, in records.
    pub force_spill_records: u64,
    /// `spark.shuffle.spill.maxSizeInBytesForSpillThreshold`.
    pub force_spill_bytes: u64,
    /// `spark.shuffle.spill.diskWriteBufferSize`.
    pub disk_write_buffer_bytes: u64,
    /// `spark.shuffle.spill.compress`.
    pub spill_compress: bool,
    /// `spark.shuffle.compress`.
    pub shuffle_compress: bool,
    /// `spark.shuffle.file.buffer`.
    pub file_buffer_bytes: u64,
    /// `spark.shuffle.sort.initialBufferSize`, in pointers.
    pub initial_buffer_entries: u64,
    /// `spark.shuffle.sort.useRadixSort`.
    pub use_radix_sort: bool,
    /// `spark.shuffle.unsafe.fastMergeEnabled`.
    pub fast_merge: bool,
    /// `spark.shuffle.checksum.enabled` and `.algorithm`; `None`: no checksums.
    pub checksum: Option<ShuffleChecksum>,
    /// `spark.unsafe.sorter.spill.reader.buffer.size`.
    pub reader_buffer_bytes: u64,
    /// `spark.unsafe.sorter.spill.read.ahead.enabled`.
    pub read_ahead: bool,
    /// `spark.unsafe.sorter.spill.merge.factor`, in files; `None`: as many as memory allows.
    pub merge_factor: Option<u64>,
}

/// The checksum of a shuffle file's partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShuffleChecksum {
    /// Adler-32.
    Adler32,
    /// CRC-32.
    Crc32,
}

impl MemoryConfig {
    /// Settings that decide the regions.
    #[must_use]
    pub fn split(&self) -> SplitSettings {
        let legacy = self.flag(&legacy::USE_LEGACY_MODE);
        let polling = self.milliseconds(&memory::UNMANAGED_POLLING_INTERVAL);
        SplitSettings {
            policy: if legacy {
                PolicyKind::Static
            } else {
                PolicyKind::Unified
            },
            heap_bytes: self.heap_bytes(),
            memory_fraction: self.real(&memory::FRACTION),
            storage_fraction: self.real(&memory::STORAGE_FRACTION),
            off_heap_enabled: self.either_flag(&memory::OFF_HEAP_ENABLED, &memory::UNSAFE_OFF_HEAP),
            off_heap_size_bytes: self.bytes(&memory::OFF_HEAP_SIZE),
            unmanaged_polling_interval: (polling > 0).then(|| Duration::from_millis(polling)),
            shuffle_memory_fraction: self.real(&legacy::SHUFFLE_MEMORY_FRACTION),
            shuffle_safety_fraction: self.real(&legacy::SHUFFLE_SAFETY_FRACTION),
            storage_memory_fraction: self.real(&legacy::STORAGE_MEMORY_FRACTION),
            storage_safety_fraction: self.real(&legacy::STORAGE_SAFETY_FRACTION),
            storage_unroll_fraction: self.real(&legacy::STORAGE_UNROLL_FRACTION),
        }
    }

    /// Settings that size the container.
    #[must_use]
    pub fn container(&self) -> ContainerSettings {
        ContainerSettings {
            memory_overhead_bytes: self.optional_bytes(&memory::MEMORY_OVERHEAD),
            min_memory_overhead_bytes: self.bytes(&memory::MIN_MEMORY_OVERHEAD),
            memory_overhead_factor: self.real(&memory::MEMORY_OVERHEAD_FACTOR),
            pyspark_memory_bytes: self.bytes(&memory::PYSPARK_MEMORY),
        }
    }

    /// Settings of pages.
    #[must_use]
    pub fn pages(&self) -> PageSettings {
        PageSettings {
            page_size_bytes: self.optional_bytes(&storage::PAGE_SIZE),
            debug_fill: self.either_flag(&hearth::MEMORY_DEBUG_FILL, &storage::DEBUG_FILL),
            kept_fraction: self.real(&hearth::ALLOC_KEPT_FRACTION),
        }
    }

    /// Settings of tasks.
    #[must_use]
    pub fn tasks(&self) -> TaskSettings {
        TaskSettings {
            quantum_bytes: self.bytes(&hearth::TASK_QUANTUM),
            wait_timeout: Duration::from_millis(self.milliseconds(&hearth::WAIT_TIMEOUT)),
            deadlock_detection: self.flag(&hearth::WAIT_DEADLOCK_DETECTION),
            exception_on_memory_leak: self.flag(&storage::EXCEPTION_ON_MEMORY_LEAK),
        }
    }

    /// Settings of the block store.
    #[must_use]
    pub fn store(&self) -> StoreSettings {
        StoreSettings {
            unroll_memory_threshold_bytes: self.whole(&storage::UNROLL_MEMORY_THRESHOLD),
            unroll_memory_check_period: self.whole(&storage::UNROLL_MEMORY_CHECK_PERIOD),
            unroll_memory_growth_factor: self.real(&storage::UNROLL_MEMORY_GROWTH_FACTOR),
            exception_on_pin_leak: self.flag(&storage::EXCEPTION_ON_PIN_LEAK),
        }
    }

    /// Settings of spill files.
    #[must_use]
    pub fn spill(&self) -> SpillSettings {
        SpillSettings {
            dirs: self.paths(&hearth::SPILL_DIRS),
            codec: match self.word(&hearth::SPILL_CODEC) {
                "none" => SpillCodec::None,
                "zstd" => SpillCodec::Zstd,
                _ => SpillCodec::Lz4,
            },
            codec_is_given: self.setting(&hearth::SPILL_CODEC).is_some(),
            block_size_bytes: self.optional_bytes(&hearth::SPILL_BLOCK_SIZE),
        }
    }

    /// Settings of the sorters.
    #[must_use]
    pub fn sorting(&self) -> SortSettings {
        let algorithm = match self.word(&sorting::CHECKSUM_ALGORITHM) {
            "CRC32" => ShuffleChecksum::Crc32,
            _ => ShuffleChecksum::Adler32,
        };
        let merge_factor = self.whole(&sorting::MERGE_FACTOR);
        SortSettings {
            force_spill_records: self.whole(&sorting::FORCE_SPILL_ELEMENTS),
            force_spill_bytes: self.bytes(&sorting::FORCE_SPILL_BYTES),
            disk_write_buffer_bytes: self.bytes(&sorting::DISK_WRITE_BUFFER),
            spill_compress: self.flag(&sorting::SPILL_COMPRESS),
            shuffle_compress: self.flag(&sorting::SHUFFLE_COMPRESS),
            file_buffer_bytes: self.bytes(&sorting::FILE_BUFFER),
            initial_buffer_entries: self.bytes(&sorting::INITIAL_BUFFER),
            use_radix_sort: self.flag(&sorting::USE_RADIX_SORT),
            fast_merge: self.flag(&sorting::FAST_MERGE),
            checksum: self.flag(&sorting::CHECKSUM_ENABLED).then_some(algorithm),
            reader_buffer_bytes: self.bytes(&sorting::READER_BUFFER),
            read_ahead: self.flag(&sorting::READ_AHEAD),
            merge_factor: (merge_factor > 1).then_some(merge_factor),
        }
    }

    /// The heap: the pretended one of tests, or the executor's.
    fn heap_bytes(&self) -> u64 {
        match self.setting(&memory::TESTING_MEMORY) {
            Some(_) => self.whole(&memory::TESTING_MEMORY),
            None => self.bytes(&memory::EXECUTOR_MEMORY),
        }
    }
}

/// Typed reading. A value's variant follows from its key's kind, and an absent value reads as zero, so
/// the fallbacks below are for keys that are not set and have no default.
impl MemoryConfig {
    fn value(&self, key: &KeyInfo) -> Option<Value> {
        match self.setting(key) {
            Some(setting) => Some(setting.value.clone()),
            None => key.default.and_then(|default| key.kind.read(default).ok()),
        }
    }

    fn flag(&self, key: &KeyInfo) -> bool {
        matches!(self.value(key), Some(Value::Flag(true)))
    }

    /// The flag of `key` where it is given, else that of `other`.
    fn either_flag(&self, key: &KeyInfo, other: &KeyInfo) -> bool {
        match (self.setting(key), self.setting(other)) {
            (None, Some(_)) => self.flag(other),
            (Some(_), _) | (None, None) => self.flag(key),
        }
    }

    fn real(&self, key: &KeyInfo) -> f64 {
        match self.value(key) {
            Some(Value::Real(real)) => real,
            _ => 0.0,
        }
    }

    fn optional_bytes(&self, key: &KeyInfo) -> Option<u64> {
        match self.value(key) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    fn bytes(&self, key: &KeyInfo) -> u64 {
        self.optional_bytes(key).unwrap_or(0)
    }

    /// A whole number; a negative one, which some keys take for "none", reads as 0.
    fn whole(&self, key: &KeyInfo) -> u64 {
        match self.value(key) {
            Some(Value::Whole(number)) => u64::try_from(number).unwrap_or(0),
            _ => 0,
        }
    }

    fn milliseconds(&self, key: &KeyInfo) -> u64 {
        match self.value(key) {
            Some(Value::Milliseconds(ms)) => ms,
            _ => 0,
        }
    }

    fn word(&self, key: &KeyInfo) -> &'static str {
        match self.value(key) {
            Some(Value::Word(word)) => word,
            _ => "",
        }
    }

    fn paths(&self, key: &KeyInfo) -> Vec<PathBuf> {
        match self.value(key) {
            Some(Value::Paths(paths)) => paths,
            _ => Vec::new(),
        }
    }
}

//! How each region comes about: its arithmetic in numbers, and its keys.
//!
//! The sizes are those that resolving gave; only the way there is told again.

mod container;

use mem_block::MemoryMode;

use super::{KeyUse, Row, human_size};
use crate::config::keys::{KeyInfo, legacy, memory, storage};
use crate::config::{
    Collector, Environment, MemoryConfig, Origin, PolicyKind, ResolvedMemory, SplitSettings,
};

/// Everything that the rows are told from.
struct Telling<'a> {
    config: &'a MemoryConfig,
    split: SplitSettings,
    resolved: &'a ResolvedMemory,
    environment: &'a Environment,
}

/// The rows of a resolved configuration.
pub(super) fn rows(
    config: &MemoryConfig,
    resolved: &ResolvedMemory,
    environment: &Environment,
) -> Vec<Row> {
    let telling = Telling {
        config,
        split: config.split(),
        resolved,
        environment,
    };
    let mut rows = vec![telling.heap()];
    rows.extend(match resolved.policy {
        PolicyKind::Unified => telling.unified(),
        PolicyKind::Static => telling.fixed(),
    });
    rows.push(telling.page_size());
    rows.push(telling.unroll_threshold());
    rows.extend(telling.container());
    rows
}

impl Telling<'_> {
    fn heap(&self) -> Row {
        let key = if self.is_given(&memory::TESTING_MEMORY) {
            &memory::TESTING_MEMORY
        } else {
            &memory::EXECUTOR_MEMORY
        };
        self.row(
            "heap",
            self.resolved.system_memory,
            "as given".to_owned(),
            &[key],
        )
    }

    /// The unified manager's regions.
    fn unified(&self) -> Vec<Row> {
        let ResolvedMemory {
            system_memory: heap,
            reserved_memory: reserved,
            on_heap,
            off_heap,
            ..
        } = *self.resolved;
        let usable = heap.saturating_sub(reserved);
        let SplitSettings {
            memory_fraction,
            storage_fraction,
            ..
        } = self.split;
        let share = &[&memory::STORAGE_FRACTION];
        vec![
            self.reserved(),
            self.row("usable heap", usable, format!("{heap} − {reserved}"), &[]),
            self.row(
                "on-heap memory",
                on_heap.max,
                format!("{usable} × {memory_fraction}"),
                &[&memory::FRACTION],
            ),
            self.row(
                "on-heap storage region",
                on_heap.storage_region,
                format!("{} × {storage_fraction}", on_heap.max),
                share,
            ),
            self.row(
                "on-heap execution at start",
                on_heap.execution_start,
                format!("{} − {}", on_heap.max, on_heap.storage_region),
                &[],
            ),
            self.left_over(on_heap.max),
            self.off_heap(),
            self.row(
                "off-heap storage region",
                off_heap.storage_region,
                format!("{} × {storage_fraction}", off_heap.max),
                share,
            ),
            self.row(
                "off-heap execution at start",
                off_heap.execution_start,
                format!("{} − {}", off_heap.max, off_heap.storage_region),
                &[],
            ),
        ]
    }

    /// The static manager's pools.
    fn fixed(&self) -> Vec<Row> {
        let ResolvedMemory {
            system_memory: heap,
            on_heap,
            off_heap,
            max_unroll,
            ..
        } = *self.resolved;
        let split = self.split;
        let product = |memory: f64, safety: f64| format!("{heap} × {memory} × {safety}");
        vec![
            self.row(
                "on-heap storage",
                on_heap.storage_start,
                product(split.storage_memory_fraction, split.storage_safety_fraction),
                &[
                    &legacy::STORAGE_MEMORY_FRACTION,
                    &legacy::STORAGE_SAFETY_FRACTION,
                ],
            ),
            self.row(
                "unroll limit",
                max_unroll.unwrap_or(0),
                format!(
                    "{} × {}",
                    on_heap.storage_start, split.storage_unroll_fraction
                ),
                &[&legacy::STORAGE_UNROLL_FRACTION],
            ),
            self.row(
                "on-heap execution",
                on_heap.execution_start,
                product(split.shuffle_memory_fraction, split.shuffle_safety_fraction),
                &[
                    &legacy::SHUFFLE_MEMORY_FRACTION,
                    &legacy::SHUFFLE_SAFETY_FRACTION,
                ],
            ),
            self.left_over(on_heap.max),
            self.off_heap(),
            self.row(
                "off-heap execution",
                off_heap.execution_start,
                "all of it: this manager stores no blocks off heap".to_owned(),
                &[],
            ),
        ]
    }

    fn reserved(&self) -> Row {
        let (how, key) = if self.is_given(&memory::TESTING_RESERVED_MEMORY) {
            ("as given", &memory::TESTING_RESERVED_MEMORY)
        } else if self.is_given(&memory::TESTING) {
            ("none while testing", &memory::TESTING)
        } else {
            (
                "fixed; the heap must be 1.5 times as large",
                &memory::TESTING_RESERVED_MEMORY,
            )
        };
        self.row(
            "reserved",
            self.resolved.reserved_memory,
            how.to_owned(),
            &[key],
        )
    }

    /// The heap that no pool has: what is reserved, and what the fractions leave out.
    fn left_over(&self, counted: i64) -> Row {
        let heap = self.resolved.system_memory;
        let left = heap.saturating_sub(counted);
        self.row(
            "heap outside the regions",
            left,
            format!("{heap} − {counted}"),
            &[],
        )
    }

    fn off_heap(&self) -> Row {
        let how = if self.split.off_heap_enabled {
            "as given"
        } else {
            "as given, not enabled"
        };
        let is_old =
            !self.is_given(&memory::OFF_HEAP_ENABLED) && self.is_given(&memory::UNSAFE_OFF_HEAP);
        let enabled = if is_old {
            &memory::UNSAFE_OFF_HEAP
        } else {
            &memory::OFF_HEAP_ENABLED
        };
        let keys = &[&memory::OFF_HEAP_SIZE, enabled];
        self.row(
            "off-heap memory",
            self.resolved.off_heap.max,
            how.to_owned(),
            keys,
        )
    }

    fn page_size(&self) -> Row {
        let key = &[&storage::PAGE_SIZE];
        let page = self.resolved.page_size;
        if self.is_given(&storage::PAGE_SIZE) {
            return self.row("page size", page, "as given".to_owned(), key);
        }
        let pool = match (self.resolved.policy, self.resolved.tungsten_mode) {
            (_, MemoryMode::OnHeap) => self.resolved.on_heap.execution_start,
            (PolicyKind::Unified, MemoryMode::OffHeap) => self.resolved.off_heap.execution_start,
            // Chosen before the storage region is given to execution.
            (PolicyKind::Static, MemoryMode::OffHeap) => self
                .resolved
                .off_heap
                .max
                .saturating_sub(self.resolved.off_heap.storage_region),
        };
        let cores = self.environment.effective_cores();
        let header = match (self.resolved.policy, self.environment.collector) {
            (PolicyKind::Unified, Collector::G1) if !self.split.off_heap_enabled => " − 16",
            (PolicyKind::Unified | PolicyKind::Static, Collector::G1 | Collector::Parallel) => "",
        };
        let how = format!(
            "{pool} / {cores} / 16 = {}, to a power of two, 1 to 64 MiB{header}",
            pool / cores / 16
        );
        self.row("page size", page, how, key)
    }

    fn unroll_threshold(&self) -> Row {
        let threshold = self.resolved.unroll.threshold;
        self.row(
            "unroll threshold",
            threshold,
            "as given".to_owned(),
            &[&storage::UNROLL_MEMORY_THRESHOLD],
        )
    }

    /// A row; a checked configuration gives no negative size.
    fn row(&self, name: &'static str, bytes: i64, arithmetic: String, keys: &[&KeyInfo]) -> Row {
        let bytes = u64::try_from(bytes).unwrap_or(0);
        let keys = keys.iter().map(|key| self.key_use(key)).collect();
        Row {
            name,
            bytes,
            size: human_size(bytes),
            arithmetic,
            keys,
        }
    }

    fn key_use(&self, key: &KeyInfo) -> KeyUse {
        match self.config.setting(key) {
            Some(setting) => KeyUse {
                key: key.name,
                value: Some(setting.written.text()),
                origin: setting.origin.clone(),
            },
            None => KeyUse {
                key: key.name,
                value: key.default.map(str::to_owned),
                origin: Origin::Default,
            },
        }
    }

    fn is_given(&self, key: &KeyInfo) -> bool {
        self.config.setting(key).is_some()
    }
}

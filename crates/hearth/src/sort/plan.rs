//! How large everything is: from the budget and the number of tasks to pages, blocks and buffers.

use mem_block::MemoryMode;
use mem_policy::config::SpillCodec;
use mem_policy::{MemoryConfig, PolicyKind, ResolvedMemory};
use mem_sort::{MergeOptions, Order, SorterOptions};
use mem_spill::{Codec, SpillError, SpillOptions};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Bytes of a page: below, entries and records waste too much; above, a page does not fit the
/// processor's second cache.
const PAGE: (u64, u64) = (16 * KIB, 2 * MIB);
/// Bytes of a read buffer. Lines that are longer cost a run each.
const READ: (u64, u64) = (16 * KIB, 256 * KIB);
/// Bytes of the output buffer.
const OUTPUT: (u64, u64) = (16 * KIB, MIB);
/// Bytes of a block of a spill file.
const BLOCK: (u64, u64) = (4 * KIB, 64 * KIB);
/// What a merge takes of a run beside a block, mostly for its longest line.
const BESIDE_BLOCK: u64 = 4 * KIB;
/// Marks of a run, where the last merge is to be divided.
const MARKS: usize = 16;

/// A task's share has this many pages at least.
const PAGES_MIN: u64 = 2;
/// What a sorter counts beside its pages and its workspace; generous.
const BOOKKEEPING: u64 = 8 * KIB;

/// The sizes of one sort.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All memory that the tasks can have together, in bytes.
    pub budget: u64,
    /// The kind of memory.
    pub mode: MemoryMode,
    /// The setting that the budget comes from.
    pub budget_key: &'static str,
    /// Who decides.
    pub policy: PolicyKind,
    /// Tasks that sort at the same time. Can be fewer than wanted, where the budget is small.
    pub tasks: u32,
    /// Bytes of a task's read buffer.
    pub read_bytes: u64,
    /// Bytes of the output buffer.
    pub output_bytes: u64,
    /// What each sorter is made with.
    pub sorter: SorterOptions,
    /// What the merger is made with.
    pub merge: MergeOptions,
    /// Threads that merge at the same time, each a range of the lines, where the output is a file.
    pub merge_parts: usize,
}

/// What is wanted of a [`Plan`].
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest {
    /// Tasks that sort at the same time; 1 at least.
    pub tasks: u32,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The budget is too small for a single task.
    #[error("{budget} bytes of memory are too few to sort: {needed} are needed; increase {key}")]
    TooSmall {
        /// The budget in bytes.
        budget: u64,
        /// What a single task needs, in bytes.
        needed: u64,
        /// The setting that the budget comes from.
        key: &'static str,
    },
    /// Spill files can't have that form.
    #[error("{key}: {source}")]
    Spill {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        source: SpillError,
    },
}

impl Plan {
    /// Sizes for a sort of its own under a configuration.
    ///
    /// # Errors
    ///
    /// [`PlanError`].
    pub fn new(
        config: &MemoryConfig,
        resolved: &ResolvedMemory,
        request: PlanRequest,
    ) -> Result<Self, PlanError> {
        let (budget, budget_key) = budget(resolved);
        let mut tasks = request.tasks.max(1);
        loop {
            let plan = Self::for_tasks(config, resolved, tasks)?;
            let needed = plan.needed();
            if needed <= budget / u64::from(tasks) {
                return Ok(plan);
            }
            if tasks == 1 {
                return Err(PlanError::TooSmall {
                    budget,
                    needed,
                    key: budget_key,
                });
            }
            tasks = tasks.div_ceil(2);
        }
    }

    fn for_tasks(
        config: &MemoryConfig,
        resolved: &ResolvedMemory,
        tasks: u32,
    ) -> Result<Self, PlanError> {
        let (budget, budget_key) = budget(resolved);
        let share = budget / u64::from(tasks);
        let mode = resolved.tungsten_mode;
        let parts = merge_parts(tasks);
        let spill = spill_options(config, budget / parts)?;
        let sorting = config.sorting();
        let page = config.pages().page_size_bytes;
        let page = page.unwrap_or_else(|| fraction(share, 16, PAGE));
        let page = page.min(share / PAGES_MIN / 2);
        let page_runs = page_runs_max(budget, parts, spill) / u64::from(tasks);
        let marks = if parts > 1 { MARKS } else { 0 };
        Ok(Self {
            budget,
            mode,
            budget_key,
            policy: resolved.policy,
            tasks,
            read_bytes: fraction(share, 16, READ),
            output_bytes: fraction(budget / parts, 64, OUTPUT),
            sorter: SorterOptions {
                mode: Some(mode),
                page_bytes: Some(page),
                spill,
                force_spill_records: sorting.force_spill_records,
                force_spill_bytes: sorting.force_spill_bytes,
                page_runs_max: usize::try_from(page_runs).unwrap_or(usize::MAX),
                marks,
                ..SorterOptions::default()
            },
            merge: MergeOptions {
                mode: Some(mode),
                spill,
                marks,
                read_ahead_threads: usize::from(sorting.read_ahead),
                fan_in_max: sorting
                    .merge_factor
                    .and_then(|most| usize::try_from(most).ok()),
                ..MergeOptions::default()
            },
            merge_parts: usize::try_from(parts).unwrap_or(1),
        })
    }

    /// What one task needs to get anywhere, in bytes.
    fn needed(&self) -> u64 {
        let spill = self.sorter.spill;
        let spilling = [spill.write_buffer_bytes(), spill.write_context_bytes()];
        let spilling = spilling.map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
        let pages = self
            .sorter
            .page_bytes
            .unwrap_or(0)
            .saturating_mul(PAGES_MIN);
        let runs = self.sorter.bookkeeping_bytes();
        let all = spilling
            .into_iter()
            .chain([pages, self.read_bytes, runs, BOOKKEEPING]);
        all.fold(0, u64::saturating_add)
    }

    /// Has lines sorted in this order.
    pub fn set_order(&mut self, order: Order) {
        self.sorter.order = order;
        self.merge.order = order;
    }

    /// Has repetitions left out, or not.
    pub fn set_unique(&mut self, unique: bool) {
        self.sorter.unique = unique;
        self.merge.unique = unique;
    }
}

/// Execution memory in bytes, and the setting to change for more.
pub(crate) fn budget(resolved: &ResolvedMemory) -> (u64, &'static str) {
    let mode = resolved.mode(resolved.tungsten_mode);
    let bytes = match resolved.policy {
        // Storage has nothing here, and lends all it has.
        PolicyKind::Unified => mode.max,
        PolicyKind::Static => mode.execution_start,
    };
    let key = match resolved.tungsten_mode {
        MemoryMode::OffHeap => "spark.memory.offHeap.size",
        MemoryMode::OnHeap => "spark.executor.memory",
    };
    (u64::try_from(bytes).unwrap_or(0), key)
}

/// Threads that merge at the same time: one for each task, but no more than there are processors.
fn merge_parts(tasks: u32) -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    u64::from(tasks).min(u64::try_from(cores).unwrap_or(1))
}

/// The most runs that three quarters of the memory are enough to merge at once.
fn page_runs_max(budget: u64, parts: u64, spill: SpillOptions) -> u64 {
    let block = u64::try_from(spill.block_bytes()).unwrap_or(u64::MAX);
    budget / 4 * 3 / parts / block.saturating_add(BESIDE_BLOCK)
}

fn spill_options(config: &MemoryConfig, share: u64) -> Result<SpillOptions, PlanError> {
    let spill = config.spill();
    let codec = match spill.codec {
        _ if !config.sorting().spill_compress => Codec::None,
        SpillCodec::None => Codec::None,
        SpillCodec::Lz4 => Codec::Lz4,
        SpillCodec::Zstd => Codec::Zstd { level: 1 },
    };
    // Small enough that hundreds of runs are merged at once. A run is written and read through one
    // block.
    let sorting = config.sorting();
    let buffer = sorting
        .disk_write_buffer_bytes
        .min(sorting.reader_buffer_bytes);
    let block = spill
        .block_size_bytes
        .unwrap_or_else(|| fraction(share, 2048, BLOCK).min(buffer.max(KIB)));
    let block = usize::try_from(block).unwrap_or(usize::MAX);
    let failed = |source| PlanError::Spill {
        key: "hearth.spill.blockSize",
        source,
    };
    let options = SpillOptions::new(codec, block).map_err(failed)?;
    Ok(match spill.codec_is_given {
        true => options,
        false => options.only_where_faster(),
    })
}

/// A power of two of about `whole / parts`, within bounds.
pub(crate) fn fraction(whole: u64, parts: u64, (least, most): (u64, u64)) -> u64 {
    let part = (whole / parts).clamp(least, most);
    1 << part.ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(size: &str, tasks: u32, settings: &[(&str, &str)]) -> Result<Plan, PlanError> {
        let mut config = MemoryConfig::new()
            .with("spark.memory.offHeap.enabled", true)
            .and_then(|config| config.with("spark.memory.offHeap.size", size))
            .unwrap();
        for (key, value) in settings {
            config = config.with(key, value).unwrap();
        }
        let resolved = config.resolve_in(&config.environment(2)).unwrap();
        Plan::new(&config, &resolved, PlanRequest { tasks })
    }

    #[test]
    fn whatever_the_budget_a_tasks_share_holds_what_it_needs() {
        for (size, tasks) in [
            ("256k", 1),
            ("2m", 1),
            ("2m", 16),
            ("16m", 16),
            ("64m", 2),
            ("8g", 3),
        ] {
            let plan = plan(size, tasks, &[]).unwrap();
            assert!(plan.tasks <= tasks && plan.needed() <= plan.budget / u64::from(plan.tasks));
        }
        assert_eq!(plan("16m", 16, &[]).unwrap().tasks, 16);
        assert_eq!(plan("2m", 16, &[]).unwrap().tasks, 16);
        assert!(plan("512k", 16, &[]).unwrap().tasks < 16);
    }

    #[test]
    fn a_budget_for_nothing_is_refused_naming_the_key() {
        let error = plan("10k", 4, &[]).unwrap_err().to_string();
        assert!(error.contains("10240 bytes"), "{error}");
        assert!(
            error.contains("increase spark.memory.offHeap.size"),
            "{error}"
        );
    }

    #[test]
    fn settings_come_through() {
        let plan = plan(
            "64m",
            2,
            &[
                ("spark.buffer.pageSize", "128k"),
                ("hearth.spill.codec", "zstd"),
                ("hearth.spill.blockSize", "32k"),
                ("spark.shuffle.spill.numElementsForceSpillThreshold", "1000"),
            ],
        )
        .unwrap();
        assert_eq!(plan.sorter.page_bytes, Some(128 << 10));
        assert_eq!(plan.sorter.spill.codec(), Codec::Zstd { level: 1 });
        assert_eq!(plan.merge.spill.block_bytes(), 32 << 10);
        assert_eq!(plan.sorter.force_spill_records, 1000);
    }

    #[test]
    fn a_block_that_spill_files_do_not_have_is_refused_naming_the_key() {
        let error = plan("64m", 2, &[("hearth.spill.blockSize", "2m")]).unwrap_err();
        assert!(
            error.to_string().starts_with("hearth.spill.blockSize: "),
            "{error}"
        );
    }
}

//! Cached blocks of 1 KiB in memory: got, and put where each put evicts, beside caches that do only that.
//!
//! The peers keep an `Arc<[u8]>` of the same bytes, weighed by its length, under the same limit in bytes.
//! They choose victims about as they like; ours goes by exact least recent use, pays for every block in
//! the ledger, keeps what is read, and spares the asker's dataset.

mod ours;
mod peers;

use std::time::Duration;

use crate::measure::in_turn;
use crate::report::{Report, Row};
use crate::threads::together;
use ours::Ours;
use peers::{Foyer, Moka, QuickCache};

/// Bytes of a block.
const SIZE: usize = 1 << 10;
const BLOCKS: u64 = 100_000;
const MANY: u64 = 1_000_000;
const ROUNDS: usize = 9;
/// Operations of one thread in one round.
const OPERATIONS: u64 = 100_000;

/// A cache of blocks of [`SIZE`] bytes, by number.
trait Cache: Sync {
    const NAME: &'static str;

    /// The length of the block, if it is there: what the handle that a get gives knows.
    fn get(&self, block: u64) -> Option<usize>;

    /// The sum of the block's words, if it is there.
    fn read(&self, block: u64) -> Option<u64>;

    /// A new block, a copy of `bytes`.
    fn put(&self, block: u64, bytes: &[u8; SIZE]);
}

pub(super) fn run(report: &mut Report) {
    for threads in [1, 2] {
        get(report, threads);
    }
    for threads in [1, 2] {
        put(report, threads);
    }
    put_at_a_million(report);
}

/// Gets of blocks that are all there, in random order; and gets that read the blocks, for orientation:
/// they cost what memory costs.
fn get(report: &mut Report, threads: u64) {
    let get = format!("get, {threads} thread(s), 100,000 blocks");
    let read = format!("get and read, {threads} thread(s), 100,000 blocks");
    if !report.wants(&get) && !report.wants(&read) {
        return;
    }
    // Caches in parts of fixed sizes lose blocks before they are full; none is to be missed here.
    let room = BLOCKS * 3 / 2;
    let caches = Caches::new(room);
    caches.fill(BLOCKS);
    if report.wants(&get) {
        let rows = in_turn(
            ROUNDS,
            [
                &mut || gets(&caches.ours, threads),
                &mut || gets(&caches.quick_cache, threads),
                &mut || gets(&caches.moka, threads),
                &mut || gets(&caches.foyer, threads),
            ],
        );
        add(report, get, rows, threads, Some(1.5));
    }
    if report.wants(&read) {
        let rows = in_turn(
            ROUNDS,
            [
                &mut || reads(&caches.ours, threads),
                &mut || reads(&caches.quick_cache, threads),
                &mut || reads(&caches.moka, threads),
                &mut || reads(&caches.foyer, threads),
            ],
        );
        add(report, read, rows, threads, None);
    }
}

fn gets(cache: &impl Cache, threads: u64) -> Duration {
    at_random(threads, |block| {
        let length = cache.get(block);
        assert_eq!(length, Some(SIZE), "all are there");
    })
}

fn reads(cache: &impl Cache, threads: u64) -> Duration {
    at_random(threads, |block| {
        std::hint::black_box(cache.read(block).expect("all are there"));
    })
}

fn at_random(threads: u64, work: impl Fn(u64) + Sync) -> Duration {
    on_threads(threads, |thread| {
        let mut random = Random::new(thread);
        for _ in 0..OPERATIONS {
            work(random.below(BLOCKS));
        }
    })
}

/// Puts of new blocks into full caches.
fn put(report: &mut Report, threads: u64) {
    let case = format!("put with eviction, {threads} thread(s), 100,000 blocks");
    if !report.wants(&case) {
        return;
    }
    let caches = Caches::new(BLOCKS);
    caches.fill(BLOCKS);
    let mut next = [BLOCKS; 4];
    let [ours, quick_cache, moka, foyer] = &mut next;
    let rows = in_turn(
        ROUNDS,
        [
            &mut || puts(&caches.ours, threads, ours),
            &mut || puts(&caches.quick_cache, threads, quick_cache),
            &mut || puts(&caches.moka, threads, moka),
            &mut || puts(&caches.foyer, threads, foyer),
        ],
    );
    add(report, case, rows, threads, Some(1.5));
}

fn puts(cache: &impl Cache, threads: u64, next: &mut u64) -> Duration {
    let first = *next;
    *next += threads * OPERATIONS;
    on_threads(threads, |thread| {
        let bytes = [7; SIZE];
        let first = first + thread * OPERATIONS;
        for block in first..first + OPERATIONS {
            cache.put(block, &bytes);
        }
    })
}

/// A million blocks of one dataset, every tenth of them pinned, and puts of others' datasets.
fn put_at_a_million(report: &mut Report) {
    let case = "put with eviction, 1,000,000 blocks, 1/10 pinned";
    if !report.wants(case) {
        return;
    }
    let mut ours = Ours::new(MANY).of_one_dataset();
    let theirs = QuickCache::new(MANY);
    fill(&ours, MANY);
    fill(&theirs, MANY);
    let pins = ours.pin((0..MANY).step_by(10));
    let mut next = [MANY; 2];
    let [mine, others] = &mut next;
    let [ours, theirs] = in_turn(
        ROUNDS,
        [
            &mut || {
                ours.turn_to_next_dataset();
                puts(&ours, 1, mine)
            },
            &mut || puts(&theirs, 1, others),
        ],
    );
    drop(pins);
    let peer = (QuickCache::NAME, theirs);
    report.add(&Row::new("store", case, ours, peer, each(1), Some(1.0)));
}

struct Caches {
    ours: Ours,
    quick_cache: QuickCache,
    moka: Moka,
    foyer: Foyer,
}

impl Caches {
    /// Empty caches with room for so many blocks.
    fn new(blocks: u64) -> Self {
        Self {
            ours: Ours::new(blocks),
            quick_cache: QuickCache::new(blocks),
            moka: Moka::new(blocks),
            foyer: Foyer::new(blocks),
        }
    }

    fn fill(&self, blocks: u64) {
        fill(&self.ours, blocks);
        fill(&self.quick_cache, blocks);
        fill(&self.moka, blocks);
        fill(&self.foyer, blocks);
    }
}

fn fill(cache: &impl Cache, blocks: u64) {
    (0..blocks).for_each(|block| cache.put(block, &[1; SIZE]));
}

/// Ours beside the fastest of the others; those are said, too.
fn add(report: &mut Report, case: String, medians: [Duration; 4], threads: u64, bar: Option<f64>) {
    let [ours, others @ ..] = medians;
    let names = [QuickCache::NAME, Moka::NAME, Foyer::NAME];
    let mut peers: Vec<(&str, Duration)> = names.into_iter().zip(others).collect();
    peers.sort_by_key(|(_, time)| *time);
    let words: Vec<String> = peers
        .iter()
        .map(|(name, time)| format!("{name} {:.0} ns", time.as_secs_f64() * 1e9 / each(threads)))
        .collect();
    report.say(&format!("{case}: {}", words.join(", ")));
    if let Some(fastest) = peers.first() {
        report.add(&Row::new("store", case, ours, *fastest, each(threads), bar));
    }
}

/// All operations of a round.
fn each(threads: u64) -> f64 {
    let operations = u32::try_from(threads * OPERATIONS).expect("a few million");
    f64::from(operations)
}

/// The sum of the words of `bytes`.
fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks();
    words
        .iter()
        .fold(0, |sum, word| sum.wrapping_add(u64::from_ne_bytes(*word)))
}

/// How long all of `threads` take for `work`, which is given the number of its thread.
fn on_threads(threads: u64, work: impl Fn(u64) + Sync) -> Duration {
    let mut numbers: Vec<_> = (0..threads).collect();
    together(&mut numbers, |number| work(*number))
}

/// Numbers without a pattern, the same in every run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

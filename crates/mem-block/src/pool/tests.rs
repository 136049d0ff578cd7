//! The pool over a source that counts what it really handed out, or that misbehaves.

use super::*;
use crate::{mapping, raw};
use mem_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use mem_sync::thread;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Words of the global allocator, or mappings where it makes slabs; counts what is out, and can refuse.
#[derive(Default)]
struct Counting {
    held: AtomicU64,
    peak: AtomicU64,
    /// Refuses to pass this many bytes, where it isn't 0.
    machine: AtomicU64,
    refuses_to_shrink: AtomicBool,
    /// Size of slabs, where it isn't 0.
    slab: AtomicU64,
    first_bytes_released: Mutex<Vec<u8>>,
}

impl Source for Arc<Counting> {
    fn mode(&self) -> MemoryMode {
        MemoryMode::OnHeap
    }

    fn max_block(&self) -> u64 {
        1 << 30
    }

    fn capacity_for(&self, size: u64) -> u64 {
        size.next_multiple_of(8)
    }

    fn slab_for(&self, capacity: u64) -> Option<u64> {
        let slab = self.slab.load(Ordering::SeqCst);
        (KEPT_FROM..=slab / 2).contains(&capacity).then_some(slab)
    }

    fn obtain(&self, capacity: u64) -> Result<Region, io::ErrorKind> {
        let held = self.held.fetch_add(capacity, Ordering::SeqCst) + capacity;
        let machine = self.machine.load(Ordering::SeqCst);
        if machine > 0 && held > machine {
            self.held.fetch_sub(capacity, Ordering::SeqCst);
            return Err(io::ErrorKind::OutOfMemory);
        }
        self.peak.fetch_max(held, Ordering::SeqCst);
        let bytes = usize::try_from(capacity).expect("64 bits");
        thread::yield_now();
        if self.slab.load(Ordering::SeqCst) > 0 && capacity >= KEPT_FROM {
            return Ok(Region::Mapped(mapping::map(bytes).expect("memory")));
        }
        Ok(Region::Words(raw::zeroed_words(bytes / 8).expect("memory")))
    }

    fn release(&self, region: Region) {
        let capacity = region.capacity();
        if let Some(&first) = region.bytes().first() {
            self.first_bytes_released.lock().push(first);
        }
        drop(region);
        thread::yield_now();
        self.held.fetch_sub(capacity, Ordering::SeqCst);
    }

    fn shrink(&self, region: &mut Region, capacity: u64) {
        if self.refuses_to_shrink.load(Ordering::SeqCst) {
            return;
        }
        let had = region.capacity();
        region.shrink(capacity);
        thread::yield_now();
        self.held
            .fetch_sub(had - region.capacity(), Ordering::SeqCst);
    }
}

fn pool(options: AllocatorOptions) -> (Arc<Counting>, Arc<BlockPool<Arc<Counting>>>) {
    let source = Arc::new(Counting::default());
    (Arc::clone(&source), BlockPool::new(source, options))
}

fn get(pool: &Arc<BlockPool<Arc<Counting>>>, size: u64) -> MemoryBlock {
    pool.allocate(size, Contents::Any)
        .expect("within the limit")
}

#[test]
fn freed_memory_is_filled_with_5a_and_new_memory_with_a5() {
    let mut options = AllocatorOptions::limited(MIB);
    options.debug_fill = true;
    let (source, pool) = pool(options);
    let mut block = get(&pool, 64 * KIB);
    assert!(block.as_slice().iter().all(|&byte| byte == CLEAN));
    block.fill(1);
    block.free();
    assert_eq!(pool.trim(u64::MAX), 64 * KIB);
    get(&pool, 1).free();
    assert_eq!(*source.first_bytes_released.lock(), [FREED, FREED]);
}

#[test]
fn the_systems_refusal_is_final_only_when_nothing_is_kept() {
    let (source, pool) = pool(AllocatorOptions::limited(u64::MAX));
    source.machine.store(MIB, Ordering::SeqCst);
    let small = get(&pool, 256 * KIB);
    get(&pool, 512 * KIB).free();
    assert_eq!(pool.stats().kept, 512 * KIB);

    // Fits the machine only without the kept block.
    let large = get(&pool, 768 * KIB);
    assert_eq!((large.len(), pool.stats().kept), (768 * KIB, 0));

    let error = pool.allocate(8, Contents::Any).unwrap_err();
    let kind = io::ErrorKind::OutOfMemory;
    let mode = MemoryMode::OnHeap;
    let refused = AllocError::Refused {
        mode,
        size: 8,
        kind,
    };
    assert_eq!(error, refused);
    drop((small, large));
    assert_eq!(pool.stats().live, 0);
    assert_eq!(pool.stats().fresh, 3);
}

#[test]
fn a_tail_that_the_system_does_not_take_back_stays_counted() {
    let (source, pool) = pool(AllocatorOptions::limited(MIB));
    source.refuses_to_shrink.store(true, Ordering::SeqCst);
    get(&pool, 80 * KIB).free();
    let block = get(&pool, 64 * KIB);
    let stats = pool.stats();
    assert_eq!((stats.reused, stats.rounding), (1, 16 * KIB));
    assert_eq!((block.len(), block.capacity()), (64 * KIB, 80 * KIB));
    block.free();
    let stats = pool.stats();
    assert_eq!((stats.kept, stats.held()), (80 * KIB, 80 * KIB));
}

#[test]
fn a_block_does_without_a_slab_that_the_system_refuses() {
    let (source, pool) = pool(AllocatorOptions::limited(u64::MAX));
    source.slab.store(MIB, Ordering::SeqCst);
    source.machine.store(256 * KIB, Ordering::SeqCst);
    let block = get(&pool, 64 * KIB);
    let stats = pool.stats();
    assert_eq!((stats.live, stats.held()), (64 * KIB, 64 * KIB));
    assert_eq!(source.held.load(Ordering::SeqCst), 64 * KIB);
    block.free();
    assert_eq!(pool.stats().kept, 64 * KIB);
}

#[test]
fn a_rest_that_may_no_longer_be_kept_goes() {
    let (source, pool) = pool(AllocatorOptions::limited(MIB));
    source.slab.store(MIB, Ordering::SeqCst);
    let block = get(&pool, 64 * KIB);
    assert_eq!(pool.stats().kept, MIB - 64 * KIB);
    pool.set_limit(128 * KIB);
    assert_eq!(pool.stats().held(), 64 * KIB);
    assert_eq!(source.held.load(Ordering::SeqCst), 64 * KIB);
    drop(block);
}

#[test]
fn slabs_are_filled_like_other_memory() {
    let mut options = AllocatorOptions::limited(MIB);
    options.debug_fill = true;
    let (source, pool) = pool(options);
    source.slab.store(MIB, Ordering::SeqCst);
    for _ in 0..2 {
        let block = get(&pool, 64 * KIB);
        assert!(block.as_slice().iter().all(|&byte| byte == CLEAN));
    }
    let zeroed = pool.allocate(128 * KIB, Contents::Zeroed).expect("a rest");
    assert!(zeroed.as_slice().iter().all(|&byte| byte == 0));
}

#[test]
fn what_is_kept_goes_with_the_pool_in_one_piece() {
    let (source, pool) = pool(AllocatorOptions::limited(MIB));
    source.slab.store(MIB, Ordering::SeqCst);
    let mut blocks: Vec<_> = (0..10).map(|_| get(&pool, 64 * KIB)).collect();
    blocks.iter_mut().for_each(|block| block.fill(1));
    drop(blocks);
    drop(pool);
    assert_eq!(source.held.load(Ordering::SeqCst), 0);
    assert_eq!(*source.first_bytes_released.lock(), [1]);
}

#[test]
fn what_is_held_from_the_system_never_passes_the_limit() {
    hold_the_limit(0);
}

#[test]
#[cfg(target_arch = "x86_64")] // where these sizes are whole pages
fn nor_does_it_with_slabs() {
    hold_the_limit(256 * KIB);
}

fn hold_the_limit(slab: u64) {
    const LIMIT: u64 = 1 << 20;
    let (source, pool) = pool(AllocatorOptions::limited(LIMIT));
    source.slab.store(slab, Ordering::SeqCst);
    // Four threads, each with a quarter of the limit as its own, as a ledger above would grant it.
    thread::scope(|scope| {
        for id in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                let sizes = [256, 64, 112, 8, 160, 72, 192, 80].map(|size| size * KIB);
                for turn in 0..2000 {
                    let size = sizes[(turn * 3 + id) % sizes.len()];
                    let rest = LIMIT / 4 - size;
                    let first = get(pool, size);
                    let second = get(pool, rest);
                    drop(first);
                    drop(second);
                }
            });
        }
    });
    assert!(source.peak.load(Ordering::SeqCst) <= LIMIT);
    let stats = pool.stats();
    assert_eq!((stats.live, stats.rounding, stats.releasing), (0, 0, 0));
    assert!(stats.peak <= LIMIT);
    assert!(stats.reused > 0);
    assert_eq!(stats.kept, source.held.load(Ordering::SeqCst));
    assert_eq!(pool.trim(u64::MAX), stats.kept);
    assert_eq!(source.held.load(Ordering::SeqCst), 0);
}

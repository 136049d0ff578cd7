//! A block store for tests: blocks of given sizes, evicted in the order in which they came.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{Dataset, EvictError, Eviction, Evictor};
use mem_sync::Mutex;

/// What an eviction does besides dropping blocks.
pub(crate) type Hook = Box<dyn Fn() + Send + Sync>;

/// How an eviction of a [`Store`] comes out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All selected blocks are dropped.
    #[default]
    Drops,
    /// The first one is, then there is an error.
    Fails,
    /// The first one is, then it is content.
    StopsShort,
    /// It panics before anything is dropped.
    Panics,
    /// It reports so many bytes more than it dropped.
    Exaggerates(u64),
}

#[derive(Debug, Default)]
struct Shelf {
    /// Mode, bytes, and whether an eviction has marked it.
    blocks: Vec<(MemoryMode, u64, bool)>,
    /// What was asked of `select`, oldest first.
    needs: Vec<u64>,
    outcome: Outcome,
}

/// Keeps the sizes of blocks whose storage memory its user has acquired and left with the ledger.
#[derive(Default)]
pub(crate) struct Store {
    shelf: Mutex<Shelf>,
    hook: Mutex<Option<Arc<Hook>>>,
}

impl Store {
    pub(crate) fn put(&self, mode: MemoryMode, bytes: u64) {
        self.shelf.lock().blocks.push((mode, bytes, false));
    }

    /// The oldest block of `mode` is dropped by its owner; returns its size.
    pub(crate) fn drop_oldest(&self, mode: MemoryMode) -> u64 {
        let mut shelf = self.shelf.lock();
        let oldest = shelf.blocks.iter().position(|(of, _, _)| *of == mode);
        shelf.blocks.remove(oldest.expect("there is a block")).1
    }

    pub(crate) fn set_outcome(&self, outcome: Outcome) {
        self.shelf.lock().outcome = outcome;
    }

    /// Runs `hook` in every eviction, before it drops anything.
    pub(crate) fn set_hook(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.hook.lock() = Some(Arc::new(Box::new(hook)));
    }

    /// What was asked for since this was last looked at.
    pub(crate) fn take_needs(&self) -> Vec<u64> {
        std::mem::take(&mut self.shelf.lock().needs)
    }

    /// Blocks that are marked by an eviction.
    pub(crate) fn marked(&self) -> usize {
        let shelf = self.shelf.lock();
        shelf.blocks.iter().filter(|(_, _, marked)| *marked).count()
    }
}

/// The evictor over a [`Store`], which lends itself out to its evictions.
pub(crate) struct Evicting(pub(crate) Arc<Store>);

impl Evictor for Evicting {
    fn select(
        &self,
        need: u64,
        mode: MemoryMode,
        _spare: Option<Dataset>,
    ) -> Option<Box<dyn Eviction>> {
        let mut shelf = self.0.shelf.lock();
        shelf.needs.push(need);
        let mut selected = 0;
        let mut marked = Vec::new();
        for (index, (of, bytes, taken)) in shelf.blocks.iter().enumerate() {
            if selected < need && *of == mode && !taken {
                selected += bytes;
                marked.push(index);
            }
        }
        if selected < need {
            return None;
        }
        for index in &marked {
            shelf.blocks[*index].2 = true;
        }
        Some(Box::new(Marked {
            store: Arc::clone(&self.0),
            sizes: marked.iter().map(|index| shelf.blocks[*index].1).collect(),
        }))
    }

    fn unrolling(&self) -> u64 {
        0
    }
}

struct Marked {
    store: Arc<Store>,
    sizes: Vec<u64>,
}

impl Marked {
    /// Takes the first marked block of that size off the shelf.
    fn take(&self, bytes: u64) {
        let mut shelf = self.store.shelf.lock();
        let found = shelf
            .blocks
            .iter()
            .position(|block| block.1 == bytes && block.2);
        shelf
            .blocks
            .remove(found.expect("a marked block stays until its eviction"));
    }
}

impl Eviction for Marked {
    fn run(mut self: Box<Self>) -> Result<u64, EvictError> {
        let hook = self.store.hook.lock().clone();
        if let Some(hook) = hook {
            hook();
        }
        let outcome = self.store.shelf.lock().outcome;
        let mut freed = 0;
        if outcome == Outcome::Panics {
            panic!("the eviction panics");
        }
        while let Some(bytes) = self.sizes.pop() {
            self.take(bytes);
            freed += bytes;
            match outcome {
                Outcome::Fails => {
                    let source = "the disk is full".into();
                    return Err(EvictError { freed, source });
                }
                Outcome::StopsShort => return Ok(freed),
                Outcome::Drops | Outcome::Panics | Outcome::Exaggerates(_) => {}
            }
        }
        match outcome {
            Outcome::Exaggerates(more) => Ok(freed + more),
            _ => Ok(freed),
        }
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        let mut shelf = self.store.shelf.lock();
        for bytes in &self.sizes {
            let left = shelf
                .blocks
                .iter_mut()
                .find(|block| block.1 == *bytes && block.2);
            if let Some(block) = left {
                block.2 = false;
            }
        }
    }
}

//! The caches beside which ours is measured, all with `Arc<[u8]>` weighed by its length.

use std::sync::Arc;

use super::{Cache, SIZE, sum};

type Bytes = Arc<[u8]>;

/// Room in bytes.
fn room(blocks: u64) -> u64 {
    blocks * u64::try_from(SIZE).expect("1 KiB")
}

#[derive(Clone)]
pub(super) struct Length;

impl quick_cache::Weighter<u64, Bytes> for Length {
    fn weight(&self, _block: &u64, bytes: &Bytes) -> u64 {
        bytes.len() as u64
    }
}

pub(super) struct QuickCache(quick_cache::sync::Cache<u64, Bytes, Length>);

impl QuickCache {
    pub(super) fn new(blocks: u64) -> Self {
        let number = usize::try_from(blocks).expect("a million");
        Self(quick_cache::sync::Cache::with_weighter(
            number,
            room(blocks),
            Length,
        ))
    }
}

impl Cache for QuickCache {
    const NAME: &'static str = "quick_cache 0.7";

    fn get(&self, block: u64) -> Option<usize> {
        Some(self.0.get(&block)?.len())
    }

    fn read(&self, block: u64) -> Option<u64> {
        Some(sum(&self.0.get(&block)?))
    }

    fn put(&self, block: u64, bytes: &[u8; SIZE]) {
        self.0.insert(block, Bytes::from(&bytes[..]));
    }
}

pub(super) struct Moka(moka::sync::Cache<u64, Bytes>);

impl Moka {
    pub(super) fn new(blocks: u64) -> Self {
        let length = |_: &u64, bytes: &Bytes| u32::try_from(bytes.len()).expect("1 KiB");
        let builder = moka::sync::Cache::builder().weigher(length);
        Self(builder.max_capacity(room(blocks)).build())
    }
}

impl Cache for Moka {
    const NAME: &'static str = "moka 0.12";

    fn get(&self, block: u64) -> Option<usize> {
        Some(self.0.get(&block)?.len())
    }

    fn read(&self, block: u64) -> Option<u64> {
        Some(sum(&self.0.get(&block)?))
    }

    fn put(&self, block: u64, bytes: &[u8; SIZE]) {
        self.0.insert(block, Bytes::from(&bytes[..]));
    }
}

pub(super) struct Foyer(foyer::Cache<u64, Bytes>);

impl Foyer {
    pub(super) fn new(blocks: u64) -> Self {
        let room = usize::try_from(room(blocks)).expect("1 GB");
        let builder = foyer::CacheBuilder::new(room);
        Self(
            builder
                .with_weighter(|_: &u64, bytes: &Bytes| bytes.len())
                .build(),
        )
    }
}

impl Cache for Foyer {
    const NAME: &'static str = "foyer 0.22";

    fn get(&self, block: u64) -> Option<usize> {
        Some(self.0.get(&block)?.value().len())
    }

    fn read(&self, block: u64) -> Option<u64> {
        Some(sum(self.0.get(&block)?.value()))
    }

    fn put(&self, block: u64, bytes: &[u8; SIZE]) {
        drop(self.0.insert(block, Bytes::from(&bytes[..])));
    }
}

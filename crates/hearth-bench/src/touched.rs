//! Mappings as the system gives them, touched.

use memmap2::{Advice, MmapMut};

const PAGE: usize = 4 << 10;
const HUGE_PAGE: usize = 2 << 20;

/// Which pages the system is asked to put behind a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    Small,
    Huge,
}

/// Writes one byte of every 4 KiB.
pub(crate) fn touch(bytes: &mut [u8]) {
    for page in bytes.chunks_mut(PAGE) {
        if let Some(byte) = page.first_mut() {
            *byte = 1;
        }
    }
    std::hint::black_box(bytes);
}

/// A fresh mapping, touched.
pub(crate) fn mapped(size: u64, pages: Pages) -> MmapMut {
    let mut map = advised(size, pages);
    touch(&mut map);
    map
}

/// A fresh mapping of huge pages, each of which was written to once: the system has zeroed them.
pub(crate) fn zeroed(size: u64) -> MmapMut {
    let mut map = advised(size, Pages::Huge);
    for page in map.chunks_mut(HUGE_PAGE) {
        if let Some(byte) = page.first_mut() {
            *byte = 1;
        }
    }
    std::hint::black_box(&mut map);
    map
}

fn advised(size: u64, pages: Pages) -> MmapMut {
    let size = usize::try_from(size).expect("64 bits");
    let map = MmapMut::map_anon(size).expect("there is memory for this");
    #[cfg(target_os = "linux")]
    {
        let advice = match pages {
            Pages::Small => Advice::NoHugePage,
            Pages::Huge => Advice::HugePage,
        };
        // A kernel without huge pages refuses both.
        drop(map.advise(advice));
    }
    map
}

/// Whether the system gives huge pages to those that ask.
pub(crate) fn huge_pages() -> bool {
    let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    setting.is_ok_and(|setting| !setting.contains("[never]"))
}

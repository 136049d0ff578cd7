//! Anonymous mappings: page-rounded, and aligned for huge pages where they are large enough.

use crate::raw;
use memmap2::{MmapMut, MmapOptions};
use std::io;

/// Mapped blocks are whole multiples of this many bytes.
///
/// The x86 page. Other processors have pages of up to 64 KiB, chosen when the kernel is built; a
/// multiple of the largest is a multiple of any.
pub(crate) const MAPPING_UNIT: u64 = if cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
    4 << 10
} else {
    64 << 10
};

/// Size and alignment of a huge page, in bytes.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

/// `len` bytes of zeroed anonymous memory, unmapped when dropped.
///
/// From [`HUGE_PAGE`] on they start at a multiple of it and huge pages are advised: first touch of
/// fresh memory is then several times cheaper. What is mapped before the start, to get there, is
/// never touched, so it takes address space and no memory.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: MmapMut,
    start: usize,
    len: usize,
}

impl Mapping {
    /// Maps `len` bytes, a multiple of [`MAPPING_UNIT`].
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        let mapping = if len < HUGE_PAGE {
            Self::unaligned(len)?
        } else {
            Self::aligned(len)?
        };
        if len >= HUGE_PAGE {
            mapping.advise_huge_pages();
        }
        Ok(mapping)
    }

    fn unaligned(len: usize) -> io::Result<Self> {
        let map = MmapOptions::new().len(len).map_anon()?;
        Ok(Self { map, start: 0, len })
    }

    /// Newer kernels align large mappings by themselves; where they don't, one that is longer by a
    /// huge page contains an aligned start.
    fn aligned(len: usize) -> io::Result<Self> {
        let exact = Self::unaligned(len)?;
        if exact.map.as_ptr().align_offset(HUGE_PAGE) == 0 {
            return Ok(exact);
        }
        drop(exact);
        let longer = len
            .checked_add(HUGE_PAGE)
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let map = MmapOptions::new().len(longer).map_anon()?;
        let start = map.as_ptr().align_offset(HUGE_PAGE);
        let mut mapping = Self { map, start, len };
        mapping.shrink(len);
        Ok(mapping)
    }

    /// Advice may be refused (no huge pages in this kernel, or turned off); the memory is the same.
    fn advise_huge_pages(&self) {
        #[cfg(target_os = "linux")]
        drop(
            self.map
                .advise_range(memmap2::Advice::HugePage, self.start, self.len),
        );
    }

    /// Gives all but the first `len` bytes back to the system; does nothing where it can't.
    pub(crate) fn shrink(&mut self, len: usize) {
        if len <= self.len && raw::shrink_mapping(&mut self.map, self.start + len) {
            self.len = len;
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map[self.start..self.start + self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.map[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_mappings_are_aligned_and_zero() {
        for len in [HUGE_PAGE, HUGE_PAGE + 4096, 3 * HUGE_PAGE, (5 << 20) + 4096] {
            let mut mapping = Mapping::new(len).unwrap();
            assert_eq!(mapping.bytes().as_ptr().align_offset(HUGE_PAGE), 0);
            assert_eq!(mapping.bytes().len(), len);
            assert!(mapping.bytes().iter().all(|&byte| byte == 0));
            mapping.bytes_mut()[len - 1] = 1;
        }
    }

    #[test]
    fn slack_is_cut_off_behind_and_the_start_is_aligned_also_without_the_kernels_help() {
        // Odd mappings in between make it unlikely that every exact one is aligned by luck.
        let odd: Vec<_> = (1..20)
            .map(|n| {
                let between = Mapping::new(4096 * n).unwrap();
                let large = Mapping::new(HUGE_PAGE + 4096 * n).unwrap();
                assert_eq!(large.bytes().as_ptr().align_offset(HUGE_PAGE), 0);
                assert_eq!(large.map.len(), large.start + large.len);
                (between, large)
            })
            .collect();
        assert_eq!(odd.len(), 19);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn shrinking_keeps_the_front() {
        let mut mapping = Mapping::new(HUGE_PAGE + 8192).unwrap();
        mapping.bytes_mut().fill(7);
        let start = mapping.bytes().as_ptr();
        mapping.shrink(HUGE_PAGE);
        assert_eq!(mapping.bytes().len(), HUGE_PAGE);
        assert_eq!(mapping.bytes().as_ptr(), start);
        assert!(mapping.bytes().iter().all(|&byte| byte == 7));
    }

    #[test]
    fn a_length_beyond_the_address_space_is_refused() {
        let beyond = usize::MAX / 4 / HUGE_PAGE * HUGE_PAGE;
        assert!(Mapping::new(beyond).is_err());
    }
}

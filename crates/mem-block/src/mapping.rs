//! Memory from the system: page-rounded, and aligned for huge pages where it is large enough.

use crate::raw::Pages;
use std::io;

/// Mapped blocks are whole multiples of this many bytes.
pub(crate) const MAPPING_UNIT: u64 = Pages::UNIT as u64;

/// Size and alignment of a huge page, in bytes.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

/// Mappings up to this many bytes are resident from the beginning: Spark's largest page by default,
/// and pages are filled. Larger ones become so as they are touched.
const RESIDENT_MAX: usize = 64 << 20;

/// Maps `len` bytes, a multiple of [`MAPPING_UNIT`].
///
/// From [`HUGE_PAGE`] on they start at a multiple of it and huge pages are advised: first touch of
/// fresh memory is then several times cheaper. No two mappings share a huge page, so none becomes
/// resident by its neighbour's use.
pub(crate) fn map(len: usize) -> io::Result<Pages> {
    if len < HUGE_PAGE {
        return Pages::map(len);
    }
    #[cfg(target_os = "linux")]
    {
        let mut pages = aligned(len)?;
        pages.advise_huge();
        if len <= RESIDENT_MAX {
            fault_in(&mut pages);
        }
        Ok(pages)
    }
    #[cfg(not(target_os = "linux"))]
    aligned(len)
}

/// Touches every huge page, the last byte first.
///
/// The kernel zeroes a huge page so that the part which was touched is the last to be zeroed, and in
/// the processor's cache. For the first byte, which most touch first, it therefore goes through the
/// huge page backwards, 4 KiB by 4 KiB, which takes twice as long as forwards.
#[cfg(target_os = "linux")]
fn fault_in(pages: &mut Pages) {
    let ends = (HUGE_PAGE..=pages.len()).step_by(HUGE_PAGE);
    ends.for_each(|end| pages.fault_in(end - 1));
}

/// Newer kernels align large mappings by themselves; where they don't, one that is longer by a huge
/// page contains an aligned start, and what is around goes back at once.
fn aligned(len: usize) -> io::Result<Pages> {
    let exact = Pages::map(len)?;
    if before_huge_page(&exact) == 0 {
        return Ok(exact);
    }
    drop(exact);
    let longer = len
        .checked_add(HUGE_PAGE)
        .ok_or(io::ErrorKind::OutOfMemory)?;
    let mut around = Pages::map(longer)?;
    let mut pages = around.split_off(before_huge_page(&around));
    drop(pages.split_off(len));
    Ok(pages)
}

fn before_huge_page(pages: &Pages) -> usize {
    pages.bytes().as_ptr().align_offset(HUGE_PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_mappings_are_aligned_and_zero() {
        for len in [
            HUGE_PAGE,
            HUGE_PAGE + Pages::UNIT,
            3 * HUGE_PAGE,
            5 * HUGE_PAGE / 2,
        ] {
            let mut pages = map(len).unwrap();
            assert_eq!(before_huge_page(&pages), 0);
            assert_eq!(pages.bytes().len(), len);
            assert!(pages.bytes().iter().all(|&byte| byte == 0));
            pages.bytes_mut()[len - 1] = 1;
        }
    }

    #[test]
    fn the_start_is_aligned_also_without_the_kernels_help() {
        // Odd mappings in between make it unlikely that every exact one is aligned by luck.
        let odd: Vec<_> = (1..20)
            .map(|n| {
                let between = map(Pages::UNIT * n).unwrap();
                let mut large = map(HUGE_PAGE + Pages::UNIT * n).unwrap();
                assert_eq!(before_huge_page(&large), 0);
                large.bytes_mut().fill(1);
                (between, large)
            })
            .collect();
        assert!(odd.iter().all(|(between, _)| between.bytes()[0] == 0));
    }

    #[test]
    fn a_length_beyond_the_address_space_is_refused() {
        let beyond = usize::MAX / 4 / HUGE_PAGE * HUGE_PAGE;
        assert!(map(beyond).is_err());
    }
}

//! Sums of the books. They are bounded by the configured totals, so an overflow here is a bug of
//! the ledger itself and must stop it before a wrong number is believed.

/// `a + b`.
///
/// # Panics
/// Where the sum does not fit: the books are broken.
#[inline]
pub(crate) fn add(a: u64, b: u64) -> u64 {
    a.checked_add(b).expect("a sum of the ledger fits 64 bits")
}

/// `a - b`.
///
/// # Panics
/// Where more is taken than there is: the books are broken.
#[inline]
pub(crate) fn sub(a: u64, b: u64) -> u64 {
    a.checked_sub(b)
        .expect("the ledger takes no more than there is")
}

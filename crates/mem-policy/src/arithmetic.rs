//! Spark's arithmetic between bytes and fractions: through doubles, truncated toward zero.

/// `(bytes × fraction)` as the JVM computes it: `bytes` as a double, the product truncated toward
/// zero and saturating at 2^63 − 1; never below 0 here.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "Spark's sizes go through doubles, and conformance is to the last bit"
)]
pub(crate) fn fraction_of(bytes: u64, fraction: f64) -> u64 {
    let truncated = (bytes as f64 * fraction) as i64;
    u64::try_from(truncated).unwrap_or(0)
}

//! Sizes for people.

/// Units and their size in bytes, largest first.
const UNITS: [(&str, u64); 5] = [
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

/// A size in the largest unit that it fills: whole where it is exact, else with one decimal.
///
/// ```
/// use mem_policy::explain::human_size;
///
/// assert_eq!(human_size(314_572_800), "300 MiB");
/// assert_eq!(human_size(455_501_414), "434.4 MiB");
/// assert_eq!(human_size(1000), "1000 B");
/// ```
#[must_use]
pub fn human_size(bytes: u64) -> String {
    let Some((name, unit)) = UNITS.into_iter().find(|(_, unit)| fills(bytes, *unit)) else {
        return format!("{bytes} B");
    };
    if bytes.is_multiple_of(unit) {
        return format!("{} {name}", bytes / unit);
    }
    let tenths = tenths(bytes, unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// Whether the size is one unit at least, once rounded to a tenth.
fn fills(bytes: u64, unit: u64) -> bool {
    bytes >= unit || (bytes > unit / 2 && tenths(bytes, unit >> 10) >= 10_240)
}

/// Tenths of a unit, rounded half up.
fn tenths(bytes: u64, unit: u64) -> u128 {
    let unit = u128::from(unit);
    (u128::from(bytes) * 10 + unit / 2) / unit
}

#[cfg(test)]
mod tests {
    use super::human_size;

    #[test]
    fn sizes_are_exact_or_have_a_decimal() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1025, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1_048_575, "1.0 MiB"),
            (1_048_524, "1023.9 KiB"),
            (67_108_848, "64.0 MiB"),
            (u64::MAX, "16384.0 PiB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(human_size(bytes), expected, "{bytes}");
        }
    }
}

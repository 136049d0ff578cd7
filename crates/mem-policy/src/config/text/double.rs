//! Floating-point numbers as `java.lang.Double.parseDouble` reads them.
//!
//! Rust's own parser takes words that Java refuses (`inf`, `nan` in any case) and refuses forms that
//! Java takes (hexadecimal, a trailing `d` or `f`), so the grammar is checked here first.

use super::trim;

/// Significant bits of a double, the hidden one included.
const PRECISION: i64 = 53;
/// Exponent of the smallest subnormal double.
const MIN_EXPONENT: i64 = -1074;
/// Bits left of the point in the largest finite double.
const MAX_WIDTH: i64 = 1024;

/// Reads a double; `None` where Java throws `NumberFormatException`.
pub(crate) fn parse_double(text: &str) -> Option<f64> {
    let trimmed = trim(text);
    let (sign, magnitude) = match trimmed.as_bytes().first()? {
        b'-' => (-1.0, &trimmed[1..]),
        b'+' => (1.0, &trimmed[1..]),
        _ => (1.0, trimmed),
    };
    let value = match magnitude {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        _ => {
            let bare = magnitude.strip_suffix(['d', 'D', 'f', 'F']);
            match magnitude
                .strip_prefix("0x")
                .or_else(|| magnitude.strip_prefix("0X"))
            {
                Some(hex) => hexadecimal(hex)?,
                None => decimal(bare.unwrap_or(magnitude))?,
            }
        }
    };
    Some(sign * value)
}

/// Digits with at most one point and an optional decimal exponent.
fn decimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if unsigned.is_empty() || !digits(unsigned) {
            return None;
        }
    }
    text.parse().ok()
}

/// What follows `0x`: hexadecimal digits with at most one point, `p`, and a binary exponent.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits = 0_u64;
    let mut scale = binary_exponent(exponent)?;
    for (digit, is_fraction) in whole
        .chars()
        .map(|c| (c, false))
        .chain(fraction.chars().map(|c| (c, true)))
    {
        let digit = u64::from(digit.to_digit(16)?);
        let fits = bits >> 60 == 0;
        // A digit past the 64th bit only matters by not being zero: it makes a tie no tie.
        bits = if fits {
            bits << 4 | digit
        } else {
            bits | u64::from(digit != 0)
        };
        scale = scale.saturating_add(match (fits, is_fraction) {
            (true, true) => -4,
            (false, false) => 4,
            (true, false) | (false, true) => 0,
        });
    }
    Some(scale_exactly(bits, scale))
}

/// The signed decimal exponent behind `p`, clamped far outside what a double can hold.
fn binary_exponent(text: &str) -> Option<i64> {
    let text = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let (unsigned, negative) = match text.as_bytes().first()? {
        b'-' => (&text[1..], true),
        b'+' => (&text[1..], false),
        _ => (text, false),
    };
    if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude = unsigned
        .parse()
        .unwrap_or(i64::from(i32::MAX))
        .min(i64::from(i32::MAX));
    Some(if negative { -magnitude } else { magnitude })
}

/// `bits × 2^scale`, rounded once, half to even.
fn scale_exactly(bits: u64, scale: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let width = i64::from(u64::BITS - bits.leading_zeros());
    // How many low bits do not fit: beyond 53 significant ones, or below the smallest subnormal.
    let dropped = (width - PRECISION)
        .max(MIN_EXPONENT.saturating_sub(scale))
        .max(0);
    let exponent = scale.saturating_add(dropped);
    if width.saturating_add(scale) > MAX_WIDTH {
        return f64::INFINITY;
    }
    let kept = round_half_even(bits, dropped);
    // Both factors of every step, and the product, are exact: at most 53 bits are left.
    let mut value = kept as f64;
    let mut left = exponent;
    while left > 0 {
        let step = left.min(1000);
        value *= power_of_two(step);
        left -= step;
    }
    value * power_of_two(left)
}

/// `bits / 2^dropped`, rounded half to even.
fn round_half_even(bits: u64, dropped: i64) -> u64 {
    let dropped = u32::try_from(dropped).unwrap_or(u32::MAX);
    let kept = bits.checked_shr(dropped).unwrap_or(0);
    if dropped == 0 || dropped > u64::BITS {
        return kept;
    }
    let half = 1_u64 << (dropped - 1);
    let rest = bits & (half | (half - 1));
    let up = rest > half || (rest == half && kept & 1 == 1);
    kept + u64::from(up)
}

/// Two to a power from −1074 to 1000, exactly.
fn power_of_two(exponent: i64) -> f64 {
    match u64::try_from(exponent + 1022) {
        Ok(biased) => f64::from_bits((biased + 1) << 52),
        Err(_) => f64::from_bits(1 << u64::try_from(exponent - MIN_EXPONENT).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_forms_that_java_takes() {
        let cases = [
            ("0.6", 0.6),
            (" 1e-3\t", 1e-3),
            (".5", 0.5),
            ("5.", 5.0),
            ("-0.5d", -0.5),
            ("+2F", 2.0),
            ("Infinity", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e999999999999", f64::INFINITY),
            ("0.99999999999999999", 1.0),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_double(text), Some(expected), "{text:?}");
        }
        assert!(parse_double("NaN").is_some_and(f64::is_nan));
        assert!(parse_double("-0.0").is_some_and(|v| v == 0.0 && v.is_sign_negative()));
    }

    #[test]
    fn forms_that_java_refuses() {
        for text in [
            "", " ", ".", "0,5", "inf", "nan", "NAN", "infinity", "1e", "1e+", "1_0", "--1", "1 2",
            "0x10", "0xp1", "0x.p1", "0x1p", "0x1pf", "NaNd", "d", "1dd", "\u{0661}",
        ] {
            assert_eq!(parse_double(text), None, "{text:?}");
        }
    }

    #[test]
    fn hexadecimal_forms_round_once() {
        let cases = [
            ("0x1p0", 1.0),
            ("0x.8P0", 0.5),
            ("0x1.8p-1d", 0.75),
            ("-0X10.p-4", -1.0),
            // Just above a tie between two neighbours, told only by a digit past the 64th bit; ties.
            ("0x200000000000010000000001p-40", 9_007_199_254_740_994.0),
            ("0x200000000000010000000000p-40", 9_007_199_254_740_992.0),
            ("0x20000000000001p0", 9_007_199_254_740_992.0),
            ("0x20000000000003p0", 9_007_199_254_740_996.0),
            ("0x1p-1074", f64::from_bits(1)),
            ("0x1p-1075", 0.0),
            ("0x1.8p-1075", f64::from_bits(1)),
            ("0x3p-1075", f64::from_bits(2)),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1.fffffffffffff8p1023", f64::INFINITY),
            ("0x1p1024", f64::INFINITY),
            ("0x1p99999999999999999999", f64::INFINITY),
            ("0x1p-99999999999999999999", 0.0),
            ("0x0p99999999999999999999", 0.0),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_double(text), Some(expected), "{text:?}");
        }
    }
}

//! How Spark reads values out of text: whole numbers, sizes, times and booleans.
//!
//! These are the rules of the two releases that Hearth follows, oddities included.
//! What an operator may write is narrower: see [`KeyKind`](super::keys::KeyKind).

mod double;

pub(crate) use double::parse_double;

/// The Spark release whose rules apply.
///
/// The unified manager follows 4.3.0; the static manager, which Spark 3.0 removed, follows 2.4.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SparkRelease {
    /// Spark 2.4.8: suffixes `b`, `k`, `kb`, …, `p`, `pb`.
    V2_4,
    /// Spark 4.3.0: the same, and `ki`, `kib`, …, `pi`, `pib`.
    V4_3,
}

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not digits followed by at most one known suffix, or more digits than 63 bits hold.
    #[error("{text:?} is not a size (digits and a unit, such as 50b, 100k or 250m)")]
    Malformed {
        /// The text as it was given.
        text: String,
    },
    /// Digits and suffix are fine, the product is above 2^63 − 1 bytes.
    #[error("{text:?} is more than 9223372036854775807 bytes")]
    TooBig {
        /// The text as it was given.
        text: String,
    },
}

impl SizeError {
    /// The simple name of the Java exception that Spark throws in this case.
    #[must_use]
    pub fn spark_class(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "NumberFormatException",
            Self::TooBig { .. } => "IllegalArgumentException",
        }
    }
}

/// Reads a size as Spark's byte-size settings do: digits, then at most one suffix, no space between.
///
/// Returns bytes; without a suffix the number counts bytes.
/// The text may be in any case and have blanks around it; a sign, a fraction or an exponent is not
/// taken. Counterpart: `JavaUtils.byteStringAsBytes`.
///
/// # Errors
///
/// [`SizeError`] where Spark throws.
///
/// ```
/// use mem_policy::{SparkRelease, parse_size};
///
/// assert_eq!(parse_size(" 2GiB", SparkRelease::V4_3), Ok(2 << 30));
/// assert!(parse_size("2GiB", SparkRelease::V2_4).is_err());
/// assert!(parse_size("1.5g", SparkRelease::V4_3).is_err());
/// ```
pub fn parse_size(text: &str, release: SparkRelease) -> Result<u64, SizeError> {
    let malformed = || SizeError::Malformed {
        text: text.to_owned(),
    };
    let lower = text.to_lowercase();
    let (digits, suffix) = split_number(trim(&lower)).ok_or_else(malformed)?;
    let number = parse_long(digits).ok_or_else(malformed)?;
    let shift = size_shift(suffix, release).ok_or_else(malformed)?;
    if number > i64::MAX >> shift {
        return Err(SizeError::TooBig {
            text: text.to_owned(),
        });
    }
    // Not negative: `digits` holds no sign.
    Ok(number.unsigned_abs() << shift)
}

/// Whether the text of a size names its unit.
pub(crate) fn has_unit(text: &str) -> bool {
    trim(text).ends_with(|c: char| c.is_alphabetic())
}

/// Reads a size that may be negative: a `-` as the very first character negates what follows.
///
/// The sign is looked for before blanks are removed, so `"- 5m"` is −5 MiB and `" -5m"` is refused.
pub(crate) fn parse_signed_size(text: &str, release: SparkRelease) -> Result<i64, SizeError> {
    let (rest, sign) = match text.strip_prefix('-') {
        Some(rest) => (rest, -1),
        None => (text, 1),
    };
    let size = parse_size(rest, release)?;
    // A size has at most 63 bits.
    Ok(sign * i64::try_from(size).unwrap_or(i64::MAX))
}

/// Reads a whole number of 64 bits: an optional sign and decimal digits.
pub(crate) fn parse_long(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Reads `true` or `false` in any case.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Reads a time in milliseconds: an optional `-`, digits, and a suffix (none: milliseconds).
///
/// Parts of a millisecond are cut off; what does not fit into 64 bits is clamped, as
/// `TimeUnit.convert` does.
pub(crate) fn parse_time_ms(text: &str) -> Option<i64> {
    let lower = text.to_lowercase();
    let trimmed = trim(&lower);
    let (rest, negative) = match trimmed.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (trimmed, false),
    };
    let (digits, suffix) = split_number(rest)?;
    let number = if negative {
        format!("-{digits}")
    } else {
        digits.to_owned()
    };
    let number: i64 = number.parse().ok()?;
    match suffix {
        "us" => Some(number / 1000),
        _ => time_unit_ms(suffix).map(|unit| number.saturating_mul(unit)),
    }
}

/// Removes what Java's `String.trim` removes: characters up to U+0020 at both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// Parts digits from the letters behind them; `None` where there is anything else, or no digit.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let is_letter = |c: char| c.is_ascii_lowercase();
    (!digits.is_empty() && suffix.chars().all(is_letter)).then_some((digits, suffix))
}

/// Binary logarithm of the unit that a size's suffix names.
fn size_shift(suffix: &str, release: SparkRelease) -> Option<u32> {
    if suffix.is_empty() || suffix == "b" {
        return Some(0);
    }
    let (letter, rest) = suffix.split_at_checked(1)?;
    let known = match rest {
        "" | "b" => true,
        "i" | "ib" => release == SparkRelease::V4_3,
        _ => false,
    };
    let shift = match letter {
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return None,
    };
    known.then_some(shift)
}

/// Milliseconds in the unit that a time's suffix names.
fn time_unit_ms(suffix: &str) -> Option<i64> {
    match suffix {
        "" | "ms" => Some(1),
        "s" => Some(1000),
        "m" | "min" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> Option<u64> {
        parse_size(text, SparkRelease::V4_3).ok()
    }

    #[test]
    fn sizes_take_every_suffix_of_their_release() {
        for (suffix, shift) in [
            ("b", 0),
            ("k", 10),
            ("m", 20),
            ("g", 30),
            ("t", 40),
            ("p", 50),
        ] {
            let bare = format!("3{suffix}");
            assert_eq!(
                parse_size(&bare, SparkRelease::V2_4),
                Ok(3 << shift),
                "{bare}"
            );
            if shift > 0 {
                for ending in ["i", "ib"] {
                    let text = format!("3{suffix}{ending}");
                    assert_eq!(size(&text), Some(3 << shift), "{text}");
                    assert!(parse_size(&text, SparkRelease::V2_4).is_err(), "{text}");
                }
            }
        }
    }

    #[test]
    fn sizes_refuse_signs_fractions_and_spaces() {
        for text in [
            "", " ", "-1", "+5", "1 g", "1e3", "0x10", "g", "1.5g", "1gg", "1bi", "\u{a0}1",
        ] {
            assert_eq!(size(text), None, "{text:?}");
        }
        assert_eq!(size("\t1G\n"), Some(1 << 30));
        assert_eq!(
            size("1\u{212a}"),
            Some(1024),
            "the Kelvin sign lower-cases to k"
        );
    }

    #[test]
    fn sizes_end_at_63_bits() {
        assert_eq!(size("9223372036854775807"), Some(9_223_372_036_854_775_807));
        assert_eq!(size("9007199254740991k"), Some(9_223_372_036_854_774_784));
        let too_big = parse_size("8388608t", SparkRelease::V4_3).expect_err("2^63 does not fit");
        assert_eq!(too_big.spark_class(), "IllegalArgumentException");
        let digits = parse_size("9223372036854775808", SparkRelease::V4_3).expect_err("2^63");
        assert_eq!(digits.spark_class(), "NumberFormatException");
    }

    #[test]
    fn the_sign_of_a_size_is_the_very_first_character() {
        let signed = |text| parse_signed_size(text, SparkRelease::V4_3).ok();
        assert_eq!(signed("-5m"), Some(-5_242_880));
        assert_eq!(signed("- 5m"), Some(-5_242_880));
        assert_eq!(signed(" -5m"), None);
        assert_eq!(signed("--5m"), None);
        assert_eq!(signed("-9223372036854775808"), None);
    }

    #[test]
    fn times_truncate_to_milliseconds_and_saturate() {
        let cases = [
            ("5", Some(5)),
            (" -1S ", Some(-1000)),
            ("999us", Some(0)),
            ("-1999us", Some(-1)),
            ("2min", Some(120_000)),
            ("1d", Some(86_400_000)),
            ("106751991168d", Some(i64::MAX)),
            ("1.5s", None),
            ("+1s", None),
            ("x", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_time_ms(text), expected, "{text:?}");
        }
    }
}

//! What a setting may hold: the strict rules for files and the command line.
//!
//! Each kind accepts a part of what Spark accepts. What it leaves out either fails later inside Spark or means
//! something other than it seems to.

use std::fmt;

use super::Value;
use crate::config::text::{self, SparkRelease};

/// The unit that a size has in Spark when none is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeUnit {
    /// Bytes.
    Byte,
    /// 1024 bytes.
    Kibibyte,
    /// 1024² bytes.
    Mebibyte,
}

/// What a setting may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeyKind {
    /// `true` or `false`.
    Flag,
    /// A share: 0 to 1.
    Fraction {
        /// Whether 1 itself is in the range.
        one: bool,
    },
    /// A finite number that is not below a bound.
    Factor {
        /// The bound.
        min: f64,
    },
    /// A size: digits and a unit.
    Size {
        /// What Spark counts in when no unit is written.
        unit: SizeUnit,
        /// Smallest size, in bytes.
        min: u64,
        /// Largest size, in bytes.
        max: u64,
    },
    /// A whole number, without a unit.
    Whole {
        /// Smallest number.
        min: i64,
        /// Largest number.
        max: i64,
    },
    /// A time: digits and a unit.
    Time {
        /// Whether 0, for "off", is in the range; otherwise a millisecond is the least.
        zero: bool,
    },
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A list of directories.
    Directories,
}

/// The largest size that Spark's 63 bits hold.
pub(crate) const MAX_SIZE: u64 = i64::MAX.unsigned_abs();

impl KeyKind {
    /// A size in bytes without bounds of its own.
    pub(crate) const BYTES: Self = Self::Size {
        unit: SizeUnit::Byte,
        min: 0,
        max: MAX_SIZE,
    };

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// What was expected, for a message.
    pub(crate) fn read(&self, text: &str) -> Result<Value, String> {
        let trimmed = text::trim(text);
        match *self {
            Self::Flag => text::parse_bool(trimmed)
                .map(Value::Flag)
                .ok_or_else(|| self.to_string()),
            Self::Fraction { one } => {
                let inside = |v: f64| (0.0..=1.0).contains(&v) && (one || v < 1.0);
                self.read_real(text, inside)
            }
            Self::Factor { min } => self.read_real(text, |v| v.is_finite() && v >= min),
            Self::Size { unit, min, max } => self.read_size(text, unit, min, max),
            Self::Whole { min, max } => text::parse_long(trimmed)
                .filter(|v| (min..=max).contains(v))
                .map(Value::Whole)
                .ok_or_else(|| self.to_string()),
            Self::Time { zero } => self.read_time(trimmed, zero),
            Self::Choice(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(trimmed))
                .map(|word| Value::Word(word))
                .ok_or_else(|| self.to_string()),
            Self::Directories => {
                let paths = text.split(',').map(str::trim).map(str::to_owned).collect();
                self.read_list(paths)
            }
        }
    }

    /// Reads a value that was written as a list.
    ///
    /// # Errors
    ///
    /// What was expected, for a message.
    pub(crate) fn read_list(&self, items: Vec<String>) -> Result<Value, String> {
        let is_list = *self == Self::Directories && !items.is_empty();
        if is_list && items.iter().all(|item| !item.is_empty()) {
            Ok(Value::Paths(items.into_iter().map(Into::into).collect()))
        } else {
            Err(self.to_string())
        }
    }

    fn read_real(&self, text: &str, inside: impl Fn(f64) -> bool) -> Result<Value, String> {
        text::parse_double(text)
            .filter(|v| inside(*v))
            .map(Value::Real)
            .ok_or_else(|| self.to_string())
    }

    fn read_size(&self, text: &str, unit: SizeUnit, min: u64, max: u64) -> Result<Value, String> {
        let bytes = text::parse_size(text, SparkRelease::V4_3)
            .ok()
            .ok_or_else(|| self.to_string())?;
        if unit != SizeUnit::Byte && !text::has_unit(text) {
            return Err(format!(
                "{self}; without a unit Spark would count in {unit} here"
            ));
        }
        if !(min..=max).contains(&bytes) {
            return Err(self.to_string());
        }
        Ok(Value::Bytes(bytes))
    }

    fn read_time(&self, text: &str, zero: bool) -> Result<Value, String> {
        let ms = text::parse_time_ms(text).ok_or_else(|| self.to_string())?;
        let digits = text.trim_end_matches(char::is_alphabetic);
        let is_zero = !digits.is_empty() && digits.bytes().all(|b| b == b'0');
        if !text::has_unit(text) && !is_zero {
            return Err(format!(
                "{self}; without a unit Spark would count in milliseconds here"
            ));
        }
        match u64::try_from(ms) {
            Ok(ms) if ms > 0 || (is_zero && zero) => Ok(Value::Milliseconds(ms)),
            Ok(_) | Err(_) => Err(self.to_string()),
        }
    }
}

impl fmt::Display for SizeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Byte => "bytes",
            Self::Kibibyte => "KiB",
            Self::Mebibyte => "MiB",
        })
    }
}

/// What is expected, as a noun phrase.
impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Flag => f.write_str("true or false"),
            Self::Fraction { one: true } => f.write_str("a number from 0 to 1"),
            Self::Fraction { one: false } => f.write_str("a number from 0 up to, but not, 1"),
            Self::Factor { min } => write!(f, "a finite number, {min} or more"),
            Self::Size { min, max, .. } => {
                f.write_str("a size with a unit and no fraction, such as 512k, 64m or 2g")?;
                match (min, max) {
                    (0, MAX_SIZE) => Ok(()),
                    (_, MAX_SIZE) => write!(f, ", of at least {min} bytes"),
                    (_, _) => write!(f, ", of {min} to {max} bytes"),
                }
            }
            Self::Whole { min, max: i64::MAX } => {
                write!(f, "a whole number without a unit, {min} or more")
            }
            Self::Whole { min, max } => {
                write!(f, "a whole number without a unit, from {min} to {max}")
            }
            Self::Time { zero } => {
                f.write_str("a time with a unit, such as 500ms, 30s or 10min, of at least 1ms")?;
                f.write_str(if zero { " (or 0 for off)" } else { "" })
            }
            Self::Choice(words) => f.write_str(&words.join(" or ")),
            Self::Directories => f.write_str("directories, separated by commas or as a list"),
        }
    }
}

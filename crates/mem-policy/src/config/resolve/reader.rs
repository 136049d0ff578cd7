//! Reading one setting out of a [`SparkConf`], the way one release of Spark reads it.
//!
//! Spark has two ways. A *declared* setting is trimmed and checked, and 4.3.0 gives its failures a
//! condition. A *raw* one is read by name, untrimmed, and its failure is a Java exception.

use super::error::{ILLEGAL_ARGUMENT, NUMBER_FORMAT, ResolveError, Stage};
use crate::config::SparkConf;
use crate::config::keys::KeyInfo;
use crate::config::text::{self, SizeError, SparkRelease};

const TYPE_MISMATCH: &str = "INVALID_CONF_VALUE.TYPE_MISMATCH";
const REQUIREMENT: &str = "INVALID_CONF_VALUE.REQUIREMENT";

/// A configuration, and the release whose rules it is read by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    conf: &'a SparkConf,
    release: SparkRelease,
}

type Read<T> = Result<T, ResolveError>;

impl<'a> Reader<'a> {
    pub(super) fn new(conf: &'a SparkConf, release: SparkRelease) -> Self {
        Self { conf, release }
    }

    /// Whether the setting is there, whatever it holds.
    pub(super) fn contains(&self, key: &KeyInfo) -> bool {
        self.conf.contains(key.name)
    }

    pub(super) fn declared_long(&self, key: &KeyInfo) -> Read<Option<i64>> {
        self.declared(key, "a whole number", |text| {
            text::parse_long(text::trim(text))
        })
    }

    pub(super) fn declared_double(&self, key: &KeyInfo) -> Read<Option<f64>> {
        self.declared(key, "a number", text::parse_double)
    }

    pub(super) fn declared_bool(&self, key: &KeyInfo) -> Read<bool> {
        let parse = |text: &str| text::parse_bool(text::trim(text));
        Ok(self.declared(key, "true or false", parse)?.unwrap_or(false))
    }

    /// Milliseconds.
    pub(super) fn declared_time_ms(&self, key: &KeyInfo) -> Read<i64> {
        Ok(self
            .declared(key, "a time", text::parse_time_ms)?
            .unwrap_or(0))
    }

    /// Bytes, possibly negative.
    pub(super) fn declared_size(&self, key: &KeyInfo) -> Read<Option<i64>> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        match (text::parse_signed_size(text, self.release), self.release) {
            (Ok(size), _) => Ok(Some(size)),
            (Err(e), SparkRelease::V4_3) => Err(ResolveError::conditional(
                TYPE_MISMATCH,
                key,
                not_a(text, &e.to_string()),
            )),
            // 2.4.8 lets the parser's own exception through.
            (Err(e), SparkRelease::V2_4) => Err(bad_size(key, text, &e)),
        }
    }

    pub(super) fn raw_long(&self, key: &KeyInfo) -> Read<Option<i64>> {
        self.raw(key, "a whole number", text::parse_long)
    }

    pub(super) fn raw_double(&self, key: &KeyInfo) -> Read<f64> {
        Ok(self
            .raw(key, "a number", text::parse_double)?
            .unwrap_or(0.0))
    }

    /// The only raw boolean is read before there is a manager.
    pub(super) fn raw_bool(&self, key: &KeyInfo) -> Read<bool> {
        let Some(text) = self.text(key) else {
            return Ok(false);
        };
        text::parse_bool(text).ok_or_else(|| {
            let message = not_a(text, "true or false was expected");
            ResolveError::plain(ILLEGAL_ARGUMENT, key, message).at(Stage::Conf)
        })
    }

    /// Bytes; a bare number counts bytes, whatever unit the setting is documented with.
    pub(super) fn raw_size(&self, key: &KeyInfo) -> Read<Option<i64>> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        let size = text::parse_size(text, self.release).map_err(|e| bad_size(key, text, &e))?;
        Ok(i64::try_from(size).ok())
    }

    /// A rule that a declared setting breaks.
    pub(super) fn broken_rule(&self, key: &KeyInfo, rule: &str) -> ResolveError {
        let message = rule.to_owned();
        match self.release {
            SparkRelease::V4_3 => ResolveError::conditional(REQUIREMENT, key, message),
            SparkRelease::V2_4 => ResolveError::plain(ILLEGAL_ARGUMENT, key, message),
        }
    }

    /// The text that is set, or that Spark takes when nothing is.
    fn text(&self, key: &KeyInfo) -> Option<&'a str> {
        self.conf.get(key.name).or(key.default)
    }

    fn declared<T>(
        &self,
        key: &KeyInfo,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Read<Option<T>> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        let value = parse(text).ok_or_else(|| {
            let message = not_a(text, &format!("{expected} was expected"));
            match self.release {
                SparkRelease::V4_3 => ResolveError::conditional(TYPE_MISMATCH, key, message),
                SparkRelease::V2_4 => ResolveError::plain(ILLEGAL_ARGUMENT, key, message),
            }
        })?;
        Ok(Some(value))
    }

    fn raw<T>(
        &self,
        key: &KeyInfo,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Read<Option<T>> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        let value = parse(text).ok_or_else(|| {
            let message = not_a(text, &format!("{expected} was expected"));
            ResolveError::plain(NUMBER_FORMAT, key, message)
        })?;
        Ok(Some(value))
    }
}

fn not_a(text: &str, why: &str) -> String {
    format!("{why}, got {text:?}")
}

fn bad_size(key: &KeyInfo, text: &str, error: &SizeError) -> ResolveError {
    ResolveError::plain(error.spark_class(), key, not_a(text, &error.to_string()))
}

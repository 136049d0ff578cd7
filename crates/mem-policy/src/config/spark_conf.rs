//! The flat map of texts that Spark resolves its memory from.

use std::collections::BTreeMap;

use super::keys::{self, Standing};

/// Settings as Spark holds them: names and texts, unchecked.
///
/// [`resolve`](super::resolve()) reads it with Spark's own leniency. For an operator's file use
/// [`MemoryConfig`](super::MemoryConfig), which checks. Counterpart: `SparkConf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SparkConf {
    entries: BTreeMap<String, String>,
}

impl SparkConf {
    /// A configuration in which nothing is set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an entry, in place of an earlier one of that name.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.entries.insert(key.into(), value.into());
        self
    }

    /// The text of an entry, or of its old name where only that is set.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let old_names = keys::all().filter(
            |old| matches!(old.standing, Standing::Deprecated { instead } if instead == key),
        );
        std::iter::once(key)
            .chain(old_names.map(|old| old.name))
            .find_map(|name| self.entries.get(name).map(String::as_str))
    }

    /// Whether an entry of exactly this name is set, to whatever text.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The entries, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// A later entry replaces an earlier one of the same name.
impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for SparkConf {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let entries = pairs
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        Self { entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_name_counts_only_where_the_new_one_is_absent() {
        let mut conf = SparkConf::from_iter([("spark.unsafe.offHeap", "true")]);
        assert_eq!(conf.get("spark.memory.offHeap.enabled"), Some("true"));
        assert!(!conf.contains("spark.memory.offHeap.enabled"));
        conf.set("spark.memory.offHeap.enabled", "false");
        assert_eq!(conf.get("spark.memory.offHeap.enabled"), Some("false"));
    }
}

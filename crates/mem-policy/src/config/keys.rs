//! The table of settings: what each key is called, what it may hold, and what it does.
//!
//! Everything that knows a key takes it from here: resolving, validating, explaining, and the reference
//! in `docs/configuration.md`.

pub(crate) mod elsewhere;
pub(crate) mod hearth;
mod kind;
pub(crate) mod legacy;
pub(crate) mod memory;
mod nearest;
pub(crate) mod sorting;
pub(crate) mod storage;
mod value;

pub use kind::{KeyKind, SizeUnit};
pub(crate) use nearest::{Nearest, nearest_key};
pub(crate) use value::Value;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct KeyInfo {
    /// The key, as Spark spells it.
    pub name: &'static str,
    /// What it may hold.
    pub kind: KeyKind,
    /// What it holds when it is not set, in the form in which it would be written; `None` where the
    /// absence itself means something, which `about` then says.
    pub default: Option<&'static str>,
    /// The first release that had it (and the last, where it is gone).
    pub since: &'static str,
    /// What Hearth does with it.
    pub standing: Standing,
    /// What it does, in a sentence.
    pub about: &'static str,
}

/// What Hearth does with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has an effect.
    Effective,
    /// It has an effect under the unified manager only.
    Unified,
    /// It has an effect under the static manager only.
    Legacy,
    /// It is an old name, taken where the new one is not given.
    Deprecated {
        /// The name to use.
        instead: &'static str,
    },
    /// It is known, checked, and has no effect.
    NoEffect {
        /// Why.
        why: &'static str,
    },
}

/// A group of settings in the reference.
#[derive(Debug, Clone, Copy)]
pub struct KeyGroup {
    /// Heading in the reference.
    pub title: &'static str,
    /// Its settings, in the order of the reference.
    pub keys: &'static [&'static KeyInfo],
}

/// Every setting that Hearth knows, by group.
pub const KEY_GROUPS: &[KeyGroup] = &[
    KeyGroup {
        title: "Splitting memory",
        keys: memory::SPLIT,
    },
    KeyGroup {
        title: "The container",
        keys: memory::CONTAINER,
    },
    KeyGroup {
        title: "The static manager",
        keys: legacy::STATIC,
    },
    KeyGroup {
        title: "Pages and leaks",
        keys: storage::PAGES,
    },
    KeyGroup {
        title: "The block store",
        keys: storage::STORE,
    },
    KeyGroup {
        title: "Sorting, spilling, shuffling",
        keys: sorting::SORTING,
    },
    KeyGroup {
        title: "Hearth's own",
        keys: hearth::HEARTH,
    },
    KeyGroup {
        title: "Known, without effect",
        keys: elsewhere::WITHOUT_EFFECT,
    },
];

/// Every setting that Hearth knows.
pub(crate) fn all() -> impl Iterator<Item = &'static KeyInfo> {
    KEY_GROUPS
        .iter()
        .flat_map(|group| group.keys.iter().copied())
}

/// Looks a setting up by its exact name.
#[must_use]
pub fn find_key(name: &str) -> Option<&'static KeyInfo> {
    all().find(|key| key.name == name)
}

/// What a name in a configuration turns out to be.
#[derive(Debug)]
pub(crate) enum Recognized {
    /// A setting of the table.
    Known(&'static KeyInfo),
    /// A setting of Spark's that has nothing to do with memory management.
    Elsewhere,
    /// Neither.
    Unknown(Option<Nearest>),
}

/// Prefixes under which every name must be known: a slip there would change how memory is managed.
const FAMILIES: [&str; 9] = [
    "hearth.",
    "spark.memory.",
    "spark.testing",
    "spark.storage.",
    "spark.shuffle.",
    "spark.unsafe",
    "spark.buffer",
    "spark.executor.memory",
    "spark.driver.memory",
];

/// A name that is this close to a known one, in edits, is taken for a slip, whatever its prefix.
const SLIP_EDITS: usize = 2;

/// Tells what `name` is.
pub(crate) fn recognize(name: &str) -> Recognized {
    if let Some(key) = find_key(name) {
        return Recognized::Known(key);
    }
    if elsewhere::is_spark_key(name) {
        return Recognized::Elsewhere;
    }
    let nearest = nearest_key(name);
    let is_family = FAMILIES.iter().any(|family| name.starts_with(family));
    let is_slip = nearest
        .as_ref()
        .is_some_and(|nearest| nearest.edits <= SLIP_EDITS);
    if name.starts_with("spark.") && !is_family && !is_slip {
        return Recognized::Elsewhere;
    }
    Recognized::Unknown(nearest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_valid() {
        let mut names = BTreeSet::new();
        for key in all() {
            assert!(names.insert(key.name), "{} is listed twice", key.name);
            if let Some(default) = key.default {
                key.kind
                    .read(default)
                    .unwrap_or_else(|e| panic!("{}: {e}", key.name));
            }
            if let Standing::Deprecated { instead } = key.standing {
                assert!(find_key(instead).is_some(), "{instead}");
            }
        }
    }

    #[test]
    fn slips_are_told_from_settings_of_other_parts_of_spark() {
        let unknown = |name| match recognize(name) {
            Recognized::Unknown(nearest) => nearest.map(|nearest| nearest.name),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(
            unknown("spark.memory.fracton"),
            Some("spark.memory.fraction")
        );
        assert_eq!(
            unknown("spark.memory.offheap.size"),
            Some("spark.memory.offHeap.size")
        );
        assert_eq!(
            unknown("spark.memroy.fraction"),
            Some("spark.memory.fraction")
        );
        assert_eq!(
            unknown("spark.executor.memory.overhead"),
            Some("spark.executor.memoryOverhead")
        );
        assert_eq!(unknown("hearth.wait.timout"), Some("hearth.wait.timeout"));
        assert_eq!(unknown("memory.fraction"), Some("spark.memory.fraction"));
        for name in [
            "spark.app.name",
            "spark.sql.shuffle.partitions",
            "spark.executor.cores",
        ] {
            assert!(matches!(recognize(name), Recognized::Elsewhere), "{name}");
        }
        assert!(matches!(
            recognize("spark.shuffle.service.enabled"),
            Recognized::Elsewhere
        ));
        assert!(matches!(
            recognize("spark.memory.fraction"),
            Recognized::Known(_)
        ));
    }
}

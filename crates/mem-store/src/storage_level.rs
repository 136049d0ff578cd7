//! Where a block may be kept.

use std::fmt;
use std::str::FromStr;

use mem_block::MemoryMode;

/// Where a block may be kept, and in which form: four bits, as in Spark.
///
/// Spark's class of the same name, without replication.
///
/// ```
/// use mem_store::StorageLevel;
///
/// let level = StorageLevel::MEMORY_AND_DISK;
/// assert!(level.use_memory() && level.use_disk() && level.deserialized());
/// assert_eq!(level.bits(), 8 + 4 + 1);
/// assert_eq!(level.to_string(), "MEMORY_AND_DISK");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StorageLevel(u8);

const DISK: u8 = 8;
const MEMORY: u8 = 4;
const OFF_HEAP: u8 = 2;
const DESERIALIZED: u8 = 1;

/// Bits that make no storage level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("storage level {bits:#06b} can't be: {why}")]
pub struct InvalidLevel {
    /// The bits.
    pub bits: u8,
    /// What is wrong with them.
    pub why: &'static str,
}

/// A name that is no storage level's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a storage level such as MEMORY_ONLY, MEMORY_AND_DISK or DISK_ONLY; got {name:?}")]
pub struct UnknownLevel {
    /// The name.
    pub name: String,
}

impl StorageLevel {
    /// All that a block can be put with and that has a name.
    const NAMED: [Self; 7] = [
        Self::DISK_ONLY,
        Self::MEMORY_ONLY,
        Self::MEMORY_ONLY_SER,
        Self::MEMORY_AND_DISK,
        Self::MEMORY_AND_DISK_SER,
        Self::OFF_HEAP,
        Self::OFF_HEAP_ONLY,
    ];

    /// Nowhere: not valid for a put; what a block that is gone has.
    pub const NONE: Self = Self(0);
    /// On disk only.
    pub const DISK_ONLY: Self = Self(DISK);
    /// In memory as values; evicted, it is gone.
    pub const MEMORY_ONLY: Self = Self(MEMORY | DESERIALIZED);
    /// In memory as bytes; evicted, it is gone.
    pub const MEMORY_ONLY_SER: Self = Self(MEMORY);
    /// In memory as values; evicted, or too large, on disk.
    pub const MEMORY_AND_DISK: Self = Self(DISK | MEMORY | DESERIALIZED);
    /// In memory as bytes; evicted, or too large, on disk.
    pub const MEMORY_AND_DISK_SER: Self = Self(DISK | MEMORY);
    /// In off-heap memory as bytes; evicted, or too large, on disk.
    pub const OFF_HEAP: Self = Self(DISK | MEMORY | OFF_HEAP);
    /// In off-heap memory as bytes; evicted, it is gone.
    pub const OFF_HEAP_ONLY: Self = Self(MEMORY | OFF_HEAP);

    /// The level with these bits: disk 8, memory 4, off-heap 2, deserialized 1.
    ///
    /// # Errors
    /// [`InvalidLevel`] where a bit is unknown, or values are to be kept off heap.
    pub const fn from_bits(bits: u8) -> Result<Self, InvalidLevel> {
        let why = if bits > 15 {
            "only the lowest four bits mean something"
        } else if bits & OFF_HEAP != 0 && bits & DESERIALIZED != 0 {
            "values are not kept off heap"
        } else {
            return Ok(Self(bits));
        };
        Err(InvalidLevel { bits, why })
    }

    /// The bits: disk 8, memory 4, off-heap 2, deserialized 1 (Spark: `toInt`).
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether a block can be put with it: it has memory or disk.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.0 & (MEMORY | DISK) != 0
    }

    /// Whether it may be on disk.
    #[must_use]
    pub const fn use_disk(self) -> bool {
        self.0 & DISK != 0
    }

    /// Whether it may be in memory.
    #[must_use]
    pub const fn use_memory(self) -> bool {
        self.0 & MEMORY != 0
    }

    /// Whether memory is off-heap memory.
    #[must_use]
    pub const fn use_off_heap(self) -> bool {
        self.0 & OFF_HEAP != 0
    }

    /// Whether it is kept as values, not as bytes.
    #[must_use]
    pub const fn deserialized(self) -> bool {
        self.0 & DESERIALIZED != 0
    }

    /// The mode of its memory.
    #[must_use]
    pub const fn memory_mode(self) -> MemoryMode {
        if self.use_off_heap() {
            MemoryMode::OffHeap
        } else {
            MemoryMode::OnHeap
        }
    }

    /// The same level for a block of bytes.
    #[must_use]
    pub const fn serialized(self) -> Self {
        Self(self.0 & !DESERIALIZED)
    }

    /// The level in effect where a block that wants this one is only where the arguments say.
    #[must_use]
    pub(crate) const fn in_effect(self, in_memory: bool, on_disk: bool) -> Self {
        let form = if in_memory {
            self.0 & (OFF_HEAP | DESERIALIZED) | MEMORY
        } else {
            0
        };
        Self(form | if on_disk { DISK } else { 0 })
    }
}

/// By name, in capitals or not. Spark: `fromString`.
impl FromStr for StorageLevel {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        let mut named = Self::NAMED.into_iter();
        let found = named.find(|level| level.to_string().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownLevel {
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for StorageLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NONE => "NONE",
            Self::DISK_ONLY => "DISK_ONLY",
            Self::MEMORY_ONLY => "MEMORY_ONLY",
            Self::MEMORY_ONLY_SER => "MEMORY_ONLY_SER",
            Self::MEMORY_AND_DISK => "MEMORY_AND_DISK",
            Self::MEMORY_AND_DISK_SER => "MEMORY_AND_DISK_SER",
            Self::OFF_HEAP => "OFF_HEAP",
            Self::OFF_HEAP_ONLY => "OFF_HEAP_ONLY",
            Self(bits) => return write!(f, "{bits:#06b}"),
        })
    }
}

impl fmt::Debug for StorageLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageLevel({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_sparks() {
        assert_eq!(StorageLevel::MEMORY_ONLY.bits(), 5);
        assert_eq!(StorageLevel::MEMORY_AND_DISK_SER.bits(), 12);
        assert_eq!(StorageLevel::OFF_HEAP.bits(), 14);
        for bits in 0..=15 {
            let level = StorageLevel::from_bits(bits);
            assert_eq!(level.is_ok(), bits & 3 != 3, "{bits}");
            assert!(level.is_err() || level.unwrap().is_valid() == (bits & 12 != 0));
        }
        let error = StorageLevel::from_bits(16).unwrap_err();
        assert_eq!(
            error.to_string(),
            "storage level 0b10000 can't be: only the lowest four bits mean something"
        );
    }

    #[test]
    fn levels_have_names() {
        for level in StorageLevel::NAMED {
            assert_eq!(level.to_string().parse(), Ok(level));
            assert!(level.is_valid());
        }
        assert_eq!("disk_only".parse(), Ok(StorageLevel::DISK_ONLY));
        for wrong in ["NONE", "", "MEMORY", "MEMORY_ONLY_2"] {
            let error = wrong.parse::<StorageLevel>().unwrap_err();
            assert_eq!(error.name, wrong);
        }
    }

    #[test]
    fn the_level_in_effect_says_where_a_block_is() {
        let level = StorageLevel::MEMORY_AND_DISK;
        assert_eq!(level.in_effect(true, false), StorageLevel::MEMORY_ONLY);
        assert_eq!(level.in_effect(true, true), level);
        assert_eq!(level.in_effect(false, true), StorageLevel::DISK_ONLY);
        assert_eq!(level.in_effect(false, false), StorageLevel::NONE);
        let off = StorageLevel::OFF_HEAP;
        assert_eq!(off.in_effect(true, false), StorageLevel::OFF_HEAP_ONLY);
        assert_eq!(off.memory_mode(), MemoryMode::OffHeap);
    }
}

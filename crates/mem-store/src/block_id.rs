//! Names of blocks.

use std::fmt;
use std::hash::BuildHasher;
use std::str::FromStr;
use std::sync::Arc;

use mem_pool::Dataset;
use rustc_hash::FxBuildHasher;

/// What a block is called. Cheap to clone, compare and hash; shows and parses as in Spark.
///
/// | name | what |
/// | --- | --- |
/// | `rdd_R_P` | partition P of dataset R; the only kind that belongs to a [`Dataset`] |
/// | `broadcast_N`, `broadcast_N_FIELD` | a value sent to everybody, or a piece of it |
/// | `test_NAME` | a test's |
/// | anything else | a name of the user's own |
///
/// Spark's counterparts: `RDDBlockId`, `BroadcastBlockId`, `TestBlockId`. Names that Spark doesn't
/// know are errors there.
///
/// ```
/// use mem_pool::Dataset;
/// use mem_store::BlockId;
///
/// let id: BlockId = "rdd_3_14".parse()?;
/// assert_eq!(id, BlockId::rdd(Dataset::new(3), 14));
/// assert_eq!(id.dataset(), Some(Dataset::new(3)));
/// assert_eq!(id.to_string(), "rdd_3_14");
/// assert_eq!("page cache/17".parse::<BlockId>()?.dataset(), None);
/// # Ok::<(), mem_store::EmptyBlockId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(Name);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Name {
    Rdd {
        dataset: Dataset,
        partition: u64,
    },
    Broadcast {
        id: u64,
    },
    /// Everything else, spelt out.
    Text(Arc<str>),
}

/// A block without a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a block's name is empty")]
pub struct EmptyBlockId;

/// So many numbers that follow one another, from a multiple of it on, are neighbours in a table.
const NEIGHBOURS: u64 = 128;

impl BlockId {
    /// `rdd_R_P`: partition `partition` of `dataset`.
    #[must_use]
    pub const fn rdd(dataset: Dataset, partition: u64) -> Self {
        Self(Name::Rdd { dataset, partition })
    }

    /// `broadcast_N`.
    #[must_use]
    pub const fn broadcast(id: u64) -> Self {
        Self(Name::Broadcast { id })
    }

    /// `test_NAME`.
    #[must_use]
    pub fn test(name: &str) -> Self {
        Self(Name::Text(format!("test_{name}").into()))
    }

    /// The dataset that the block is a part of: storing one part never evicts another.
    #[must_use]
    pub const fn dataset(&self) -> Option<Dataset> {
        match self.0 {
            Name::Rdd { dataset, .. } => Some(dataset),
            Name::Broadcast { .. } | Name::Text(_) => None,
        }
    }

    /// Where to look for it in a table of hashes.
    ///
    /// Blocks are mostly put, got and evicted in the order of their numbers. Where each were at a place
    /// of its own, every one of them would bring in a line of the processor's cache or two for nobody
    /// else. Rows as a whole are spread as by any hash. Where a dataset has only every 128th number, those
    /// whose rows begin at the same place lie behind one another, a few steps away.
    pub(crate) fn place(&self) -> u64 {
        match self.0 {
            Name::Rdd { dataset, partition } => place_in_row(Some(dataset), partition),
            Name::Broadcast { id } => place_in_row(None, id),
            Name::Text(_) => FxBuildHasher.hash_one(self),
        }
    }
}

/// The place of `number` among the partitions of a dataset, or the broadcasts.
fn place_in_row(dataset: Option<Dataset>, number: u64) -> u64 {
    let row = FxBuildHasher.hash_one((dataset, number / NEIGHBOURS));
    let within = number % NEIGHBOURS;
    // Tables take the place from the lowest bits, and from the highest what they look at first.
    (row - row % NEIGHBOURS + within) ^ (within << 57)
}

impl FromStr for BlockId {
    type Err = EmptyBlockId;

    fn from_str(text: &str) -> Result<Self, EmptyBlockId> {
        if text.is_empty() {
            return Err(EmptyBlockId);
        }
        let known = parse_rdd(text).or_else(|| parse_broadcast(text));
        // `rdd_01_2` is not another spelling of `rdd_1_2`: one block, one name.
        let known = known.filter(|id| id.to_string() == text);
        Ok(known.unwrap_or_else(|| Self(Name::Text(text.into()))))
    }
}

fn parse_rdd(text: &str) -> Option<BlockId> {
    let (dataset, partition) = text.strip_prefix("rdd_")?.split_once('_')?;
    let dataset = Dataset::new(dataset.parse().ok()?);
    Some(BlockId::rdd(dataset, partition.parse().ok()?))
}

fn parse_broadcast(text: &str) -> Option<BlockId> {
    let id = text.strip_prefix("broadcast_")?;
    Some(BlockId::broadcast(id.parse().ok()?))
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Rdd { dataset, partition } => write!(f, "rdd_{}_{partition}", dataset.get()),
            Name::Broadcast { id } => write!(f, "broadcast_{id}"),
            Name::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, dataset: Option<i64>) {
        let id: BlockId = text.parse().expect("not empty");
        assert_eq!(id.to_string(), text);
        assert_eq!(id.dataset(), dataset.map(Dataset::new));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn names_show_as_they_were_parsed() {
        check("rdd_3_14", Some(3));
        check("rdd_0_0", Some(0));
        check("rdd_-1_2", Some(-1));
        check("broadcast_7", None);
        check("broadcast_7_piece0", None);
        check("test_block7", None);
        for odd in ["rdd_01_2", "rdd_1_+2", "rdd_1", "rdd_1_2_3", "broadcast_x"] {
            check(odd, None);
        }
    }

    #[test]
    fn numbers_that_follow_one_another_are_neighbours_and_no_two_look_alike() {
        let row: Vec<u64> = (64..128).map(|id| BlockId::broadcast(id).place()).collect();
        let low = |place: u64| place % (1 << 32);
        for (pair, tag) in row.windows(2).zip(1..) {
            assert_eq!(low(pair[0]) + 1, low(pair[1]));
            assert_eq!((pair[1] ^ row[0]) >> 57, tag);
        }
        let far = BlockId::broadcast(128).place();
        assert!(!row.contains(&far) && low(row[63]) + 1 != low(far));
        assert_ne!(BlockId::rdd(Dataset::new(0), 64).place(), row[0]);
    }

    #[test]
    fn constructors_and_texts_agree() {
        assert_eq!("broadcast_7".parse(), Ok(BlockId::broadcast(7)));
        assert_eq!("test_a".parse(), Ok(BlockId::test("a")));
        assert_eq!("".parse::<BlockId>(), Err(EmptyBlockId));
        assert_eq!(format!("{:?}", BlockId::test("a")), "BlockId(test_a)");
    }
}

//! Offset-value codes: comparing a record by where, and how, it differs from the one before it.
//!
//! A record is taken for a sequence of symbols of six bytes. In a sorted sequence of records, a
//! record's code says how many symbols it has in common with its predecessor (the offset) and what
//! comes next (the value). Two records that both come after the same *base* compare as their codes
//! do, as long as those differ: who has more in common with the base comes first. Then the loser's
//! code is right relative to the winner too, and neither record was looked at. Only equal codes make
//! the bytes be compared, from where the codes end; no byte is compared twice on the way through a
//! merge. Sorted text, where neighbours share half their bytes, is merged by comparing integers
//! almost only, while the records themselves are in slower memory.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | the same bytes as the base |
//! | 1 | [`FAR_SYMBOLS`] symbols or more in common; the value is not known |
//! | else | 13 bits `FAR_SYMBOLS` − offset, 48 bits of value, 3 bits how many bytes are left: 6 is six or more |
//! | [`EXHAUSTED`] | there is no record: comes after all others |

use crate::order::{Order, common_prefix};
use std::cmp::Ordering;

/// The code of a record that is the same as its base.
pub(crate) const DUPLICATE: u64 = 0;
/// The code that comes after those of all records.
pub(crate) const EXHAUSTED: u64 = u64::MAX;
/// The code of records that have [`FAR_SYMBOLS`] or more in common with their base.
const FAR: u64 = 1;
/// From this offset on, offsets are not told apart. Two less than 13 bits could hold, so that no
/// code is [`EXHAUSTED`].
const FAR_SYMBOLS: usize = (1 << 13) - 2;
const OFFSET_SHIFT: u32 = 51;
/// All below the offset.
const VALUE_MASK: u64 = (1 << OFFSET_SHIFT) - 1;
/// The bits that say how many bytes are left.
const LEFT_MASK: u64 = (1 << LEFT_BITS) - 1;
const LEFT_BITS: u32 = 3;
const SYMBOL_BYTES: usize = 6;
/// A whole symbol is left, or more. So a record of whole symbols ends with an empty one.
const WHOLE: u64 = SYMBOL_BYTES as u64;

/// What turns the order of values round, or not.
fn mask(order: Order) -> u64 {
    match order {
        Order::Ascending => 0,
        Order::Descending => VALUE_MASK,
    }
}

/// The code of `record`, which has `common` bytes in common with its base and is not the same.
#[inline]
pub(crate) fn code_at(order: Order, record: &[u8], common: usize) -> u64 {
    let offset = common / SYMBOL_BYTES;
    if offset >= FAR_SYMBOLS {
        return FAR;
    }
    let rest = &record[offset * SYMBOL_BYTES..];
    let value = match rest.first_chunk::<8>() {
        Some(eight) => (u64::from_be_bytes(*eight) >> 16 << LEFT_BITS) | WHOLE,
        None => short_value(rest),
    };
    ((FAR_SYMBOLS - offset) as u64) << OFFSET_SHIFT | (value ^ mask(order))
}

/// The value where fewer than eight bytes are left.
fn short_value(rest: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let taken = rest.len().min(SYMBOL_BYTES);
    bytes[2..2 + taken].copy_from_slice(&rest[..taken]);
    u64::from_be_bytes(bytes) << LEFT_BITS | taken as u64
}

/// The code of `record`, which comes after `base` and has `common` bytes or more in common with it;
/// and the bytes that they really have in common.
#[inline]
pub(crate) fn code_after(order: Order, base: &[u8], record: &[u8], common: usize) -> (u64, usize) {
    let common = common + common_prefix(&base[common..], &record[common..]);
    let same = common == base.len() && common == record.len();
    let code = if same {
        DUPLICATE
    } else {
        code_at(order, record, common)
    };
    (code, common)
}

/// A number of bytes, at most those that a record of `length` bytes with this code has in common
/// with its base.
#[inline]
pub(crate) fn common_bytes(code: u64, length: usize) -> usize {
    if code == DUPLICATE {
        return length;
    }
    let above = usize::try_from(code >> OFFSET_SHIFT).expect("13 bits are a usize");
    (FAR_SYMBOLS - above) * SYMBOL_BYTES
}

/// Compares two records that have the same base and the same `code`, which is of a record that is
/// there and not the same as the base. Gives the code of the one that comes later, relative to the
/// other.
pub(crate) fn contest(order: Order, code: u64, a: &[u8], b: &[u8]) -> (Ordering, u64) {
    let common = match code {
        FAR => FAR_SYMBOLS * SYMBOL_BYTES,
        code if (code ^ mask(order)) & LEFT_MASK == WHOLE => common_bytes(code, 0) + SYMBOL_BYTES,
        // Both end within the symbol.
        _ => return (Ordering::Equal, DUPLICATE),
    };
    let common = common + common_prefix(&a[common..], &b[common..]);
    // The first byte in which they differ; whoever has none there is the beginning of the other.
    let compared = order.apply(a.get(common).cmp(&b.get(common)));
    let loser_code = match compared {
        Ordering::Less => code_at(order, b, common),
        Ordering::Greater => code_at(order, a, common),
        Ordering::Equal => DUPLICATE,
    };
    (compared, loser_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that differ early, late, by their ends, by zeros, by bytes of either half.
    fn records() -> Vec<Vec<u8>> {
        let mut records: Vec<Vec<u8>> = vec![vec![]];
        for alphabet in [&[0_u8, 1][..], b"ab", &[0x7f, 0x80, 0xff]] {
            for length in 1..=3 {
                let previous = records.iter().filter(|r| r.len() == length - 1).cloned();
                for record in previous.collect::<Vec<_>>() {
                    for letter in alphabet {
                        records.push([record.as_slice(), &[*letter]].concat());
                    }
                }
            }
        }
        let long = records
            .iter()
            .map(|r| [b"common prefix".as_slice(), r].concat());
        records.extend(long.collect::<Vec<_>>());
        for tail in [&b""[..], b"a", b"b", b"b\0", b"bcdefghijk"] {
            let far = vec![b'x'; FAR_SYMBOLS * SYMBOL_BYTES + 2];
            records.push([far.as_slice(), tail].concat());
        }
        records.sort();
        records.dedup();
        records
    }

    #[test]
    fn every_contest_ends_as_comparing_the_bytes_does() {
        let records = records();
        for order in [Order::Ascending, Order::Descending] {
            for base in records.iter().step_by(13) {
                let after = |r: &&Vec<u8>| order.compare(base, r).is_le();
                let later: Vec<_> = records.iter().filter(after).collect();
                for a in &later {
                    for b in later.iter().skip(a.len() % 3).step_by(3) {
                        check(order, base, [a, b]);
                    }
                }
            }
        }
    }

    fn check(order: Order, base: &[u8], records: [&[u8]; 2]) {
        let codes = records.map(|record| code_after(order, base, record, 0).0);
        let [a, b] = records;
        let (compared, loser_code) = match codes {
            [a, b] if a != b => (a.cmp(&b), a.max(b)),
            [DUPLICATE, _] => (Ordering::Equal, DUPLICATE),
            [code, _] => contest(order, code, a, b),
        };
        let (winner, loser) = if compared.is_le() { (a, b) } else { (b, a) };
        let show = || format!("{order:?}: {base:?}, {a:?}, {b:?}");
        assert_eq!(order.compare(a, b), compared, "{}", show());
        let (expected, common) = code_after(order, winner, loser, 0);
        assert_eq!(loser_code, expected, "{}", show());
        let known = common_bytes(expected, loser.len());
        assert!(known <= common && common - known < SYMBOL_BYTES || common > 49_000);
    }

    #[test]
    fn no_record_comes_after_the_exhausted() {
        for order in [Order::Ascending, Order::Descending] {
            for record in records() {
                let code = code_at(order, &record, 0);
                assert!(DUPLICATE < code && code < EXHAUSTED);
            }
        }
    }
}

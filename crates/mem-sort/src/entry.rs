//! What a page remembers of each of its records: 16 bytes, sorted instead of the records.

use crate::order::common_prefix;

/// A sort key or, once the page is sorted, a code; and where the record is in its page.
///
/// Spark's counterpart: the (pointer, prefix) pairs of `UnsafeInMemorySorter`.
pub(crate) type Entry = [u64; 2];

/// Bytes of an entry.
pub(crate) const ENTRY_BYTES: usize = size_of::<Entry>();

/// Bytes of a record in a key.
const KEY_BYTES: usize = 7;
/// What is at the low end of a key whose record goes on after it.
const GOES_ON: u8 = 8;

/// The entry of the record at `start`, which is `length` bytes long.
pub(crate) fn entry(record: &[u8], start: u32) -> Entry {
    let length = u32::try_from(record.len()).expect("a page is shorter than 4 GiB");
    [
        key(record),
        u64::from(start) << u32::BITS | u64::from(length),
    ]
}

/// The bytes of `entry`'s record in the page's record bytes.
pub(crate) fn record_of<'a>(entry: &Entry, records: &'a [u8]) -> &'a [u8] {
    let start = half(entry[1] >> u32::BITS);
    &records[start..start + half(entry[1] & u64::from(u32::MAX))]
}

fn half(word: u64) -> usize {
    usize::try_from(word).expect("32 bits are a usize")
}

/// The first bytes of what is left of a record, and at the low end how many there are: keys compare
/// as the bytes do, and keys that are equal either end here or go on.
fn key(rest: &[u8]) -> u64 {
    match rest.first_chunk::<8>() {
        Some(eight) => u64::from_be_bytes(*eight) & !0xff | u64::from(GOES_ON),
        None => {
            let mut bytes = [0; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            bytes[KEY_BYTES] = rest.len().to_le_bytes()[0];
            u64::from_be_bytes(bytes)
        }
    }
}

fn goes_on(key: u64) -> bool {
    key.to_le_bytes()[0] == GOES_ON
}

/// Groups of fewer entries are sorted by comparing the records.
const GROUP_MIN: usize = 8;

/// A group of entries whose records have `depth` bytes in common, and keys that start there.
struct Group {
    end: usize,
    depth: usize,
}

/// Sorts entries by their records, which are in `records`, ascending; the keys are used up.
///
/// Sorts by key; then each group of equal keys by the keys that follow what its records have in
/// common, and so on: every record is looked at once a level, in the order of the entries, instead
/// of once a comparison. The groups yet to be done are not listed (there can be as many as records):
/// they are found from left to right, and only those that the current one is in are remembered.
///
/// Keys are sorted by comparison: by radix it takes longer, for as many keys of text as a page has.
pub(crate) fn sort_entries(entries: &mut [Entry], records: &[u8]) {
    sort_by_key(entries);
    let mut outer = vec![Group {
        end: entries.len(),
        depth: 0,
    }];
    let mut at = 0;
    while let Some(group) = outer.last() {
        if at == group.end {
            outer.pop();
            continue;
        }
        let depth = group.depth;
        let rest = &mut entries[at..group.end];
        let equal = rest
            .iter()
            .take_while(|entry| entry[0] == rest[0][0])
            .count();
        if equal == 1 || !goes_on(rest[0][0]) {
            at += equal;
            continue;
        }
        let inner = &mut rest[..equal];
        match sort_level(inner, records, depth + KEY_BYTES) {
            Some(depth) => outer.push(Group {
                end: at + equal,
                depth,
            }),
            None => at += equal,
        }
    }
}

/// Takes a group whose records have `depth` bytes in common one level further, and says how many
/// bytes they really have in common; nothing if the group is sorted now.
fn sort_level(group: &mut [Entry], records: &[u8], depth: usize) -> Option<usize> {
    if group.len() < GROUP_MIN {
        sort_by_record(group, records, depth);
        return None;
    }
    let first = &record_of(&group[0], records)[depth..];
    let mut common = first.len();
    let mut same = true;
    for entry in &group[1..] {
        let other = &record_of(entry, records)[depth..];
        common = common_prefix(&first[..common], other);
        same &= common == first.len() && other.len() == first.len();
        if common == 0 {
            break;
        }
    }
    if same {
        return None;
    }
    let depth = depth + common;
    for entry in &mut *group {
        entry[0] = key(&record_of(entry, records)[depth..]);
    }
    sort_by_key(group);
    Some(depth)
}

fn sort_by_key(entries: &mut [Entry]) {
    entries.sort_unstable_by_key(|entry| entry[0]);
}

fn sort_by_record(group: &mut [Entry], records: &[u8], depth: usize) {
    group.sort_unstable_by(|a, b| {
        record_of(a, records)[depth..].cmp(&record_of(b, records)[depth..])
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_compare_as_the_bytes_do_and_say_whether_more_follows() {
        let records: [&[u8]; 8] = [
            b"",
            b"\0",
            b"a",
            b"a\0",
            b"a\0\0\0\0\0\0",
            b"abcdefg",
            b"abcdefgh",
            b"b",
        ];
        assert!(records.is_sorted_by_key(|record| key(record)));
        assert_eq!(key(b"abcdefgh"), key(b"abcdefgzzz"));
        assert!(goes_on(key(b"abcdefgh")) && !goes_on(key(b"abcdefg")));
    }

    fn sorted(records: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        for record in records {
            entries.push(entry(record, bytes.len().try_into().unwrap()));
            bytes.extend_from_slice(record);
        }
        sort_entries(&mut entries, &bytes);
        entries
            .iter()
            .map(|entry| record_of(entry, &bytes).to_vec())
            .collect()
    }

    #[test]
    fn records_are_sorted_however_deep_they_differ() {
        // a, aa, aaa, ...: every level tells one record from the rest.
        let nested: Vec<Vec<u8>> = (0..300).rev().map(|length| vec![b'a'; length]).collect();
        // Groups above and below the size that is compared record by record, zeros at ends,
        // repetitions, long common parts in the middle.
        let mixed = (0..2000_u32).map(|n| {
            let middle = [b"x".repeat(40), b"0".repeat(9)][n as usize % 2].clone();
            let end = vec![0; n as usize % 5];
            [
                &(n % 7).to_be_bytes()[3..],
                &middle,
                &(n * 37 % 50).to_be_bytes(),
                &end,
            ]
            .concat()
        });
        for records in [nested, mixed.collect()] {
            let slices: Vec<_> = records.iter().map(Vec::as_slice).collect();
            let mut expected = records.clone();
            expected.sort();
            assert_eq!(sorted(&slices), expected);
        }
    }
}

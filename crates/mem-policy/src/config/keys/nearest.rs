//! The known key that a name was probably meant to be.

/// A known key and how far a name is from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nearest {
    /// The known key.
    pub(crate) name: &'static str,
    /// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
    pub(crate) edits: usize,
}

/// A longer name is not a slip of any key; comparing it would only cost time.
const NAME_BYTES_MAX: usize = 200;

/// Finds the known key that the fewest edits lead to; the first of the table where several tie.
pub(crate) fn nearest_key(name: &str) -> Option<Nearest> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name: Vec<char> = name.chars().collect();
    super::all()
        .map(|key| Nearest {
            name: key.name,
            edits: edit_distance(&name, key.name),
        })
        .min_by_key(|nearest| nearest.edits)
}

/// The optimal string alignment distance: no part of the text is edited twice.
fn edit_distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    // Rows of the usual table: the one before the last, the last, and the one being filled.
    let mut older = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut row = vec![i; right.len() + 1];
        for j in 1..=right.len() {
            let replaced = last[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped =
                i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if swapped {
                row[j] = row[j].min(older[j - 2] + 1);
            }
        }
        older = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_edits_and_swaps() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abd", 1),
            ("memroy", "memory", 1),
            ("ca", "abc", 3),
            ("offheap", "offHeap", 1),
        ];
        for (left, right, expected) in cases {
            let chars: Vec<char> = left.chars().collect();
            assert_eq!(edit_distance(&chars, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn very_long_names_are_not_compared() {
        assert_eq!(nearest_key(&"x".repeat(201)), None);
        assert!(nearest_key(&"x".repeat(200)).is_some());
    }
}

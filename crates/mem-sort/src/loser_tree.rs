//! A tree of losers: merges sorted sequences with one comparison a level.
//!
//! Each inner node remembers who lost there; the overall winner stands above the root. When the
//! winner's sequence moves on, only the path from its leaf to the root is played again. All losers
//! on that path lost to the winner in the end, so that their codes (see [`code`](crate::code)) and
//! the code of the winner's successor have the same base.

use std::hint::select_unpredictable;

use crate::code::{DUPLICATE, EXHAUSTED, contest};
use crate::order::Order;

/// The current records of the sequences that are merged.
pub(crate) trait Heads {
    /// The current record of sequence `index`; anything once that is exhausted.
    fn record(&self, index: usize) -> &[u8];
}

/// The state of a merge of up to 2^32 sequences.
///
/// Of records that are the same, that of the sequence with the lowest index comes first.
#[derive(Debug)]
pub(crate) struct LoserTree {
    order: Order,
    /// Who lost at each inner node; node 0 is the winner's.
    nodes: Vec<Player>,
}

/// A sequence's current record.
#[derive(Debug, Clone, Copy)]
struct Player {
    /// Relative to who it lost to; the winner's relative to the winner before it.
    code: u64,
    sequence: u32,
}

impl LoserTree {
    /// Plays all sequences, whose current records have `codes` relative to the same base.
    pub(crate) fn new(order: Order, codes: &[u64], heads: &impl Heads) -> Self {
        let count = codes.len();
        let nobody = Player {
            code: EXHAUSTED,
            sequence: 0,
        };
        let mut tree = Self {
            order,
            nodes: vec![nobody; count.max(1)],
        };
        // The winner of each node; the leaves stand behind the inner nodes.
        let mut winners = vec![nobody; count];
        winners.extend(codes.iter().enumerate().map(|(index, code)| Player {
            code: *code,
            sequence: index_u32(index),
        }));
        for node in (1..count).rev() {
            let (left, right) = (winners[2 * node], winners[2 * node + 1]);
            (winners[node], tree.nodes[node]) = tree.play(left, right, heads);
        }
        tree.nodes[0] = winners.get(1).copied().unwrap_or(nobody);
        tree
    }

    /// The sequence whose record comes next, and that record's code relative to the one before;
    /// nothing once all are exhausted.
    #[inline]
    pub(crate) fn winner(&self) -> Option<(usize, u64)> {
        let Player { code, sequence } = self.nodes[0];
        (code != EXHAUSTED).then_some((sequence as usize, code))
    }

    /// The winner's sequence has moved on, to a record with this code relative to the one before it,
    /// or to its end.
    #[inline]
    pub(crate) fn replay(&mut self, code: u64, heads: &impl Heads) {
        let sequence = self.nodes[0].sequence;
        let mut winner = Player { code, sequence };
        let mut node = (sequence as usize + self.nodes.len()) / 2;
        while node > 0 {
            (winner, self.nodes[node]) = self.play(winner, self.nodes[node], heads);
            node /= 2;
        }
        self.nodes[0] = winner;
    }

    /// The winner and the loser of two; the loser's code is brought up to date.
    #[inline]
    fn play(&self, a: Player, b: Player, heads: &impl Heads) -> (Player, Player) {
        if a.code == b.code {
            return self.play_even(a, b, heads);
        }
        // Who wins can't be foreseen: two that change places, or do not, are faster than a branch.
        let a_first = a.code < b.code;
        let winner = Player {
            code: a.code.min(b.code),
            sequence: select_unpredictable(a_first, a.sequence, b.sequence),
        };
        let loser = Player {
            code: a.code.max(b.code),
            sequence: select_unpredictable(a_first, b.sequence, a.sequence),
        };
        (winner, loser)
    }

    /// The same where the codes are the same.
    #[inline(never)]
    fn play_even(&self, a: Player, b: Player, heads: &impl Heads) -> (Player, Player) {
        let (a, b) = match a.sequence < b.sequence {
            true => (a, b),
            false => (b, a),
        };
        if matches!(a.code, DUPLICATE | EXHAUSTED) {
            return (a, b);
        }
        let record = |player: Player| heads.record(player.sequence as usize);
        let (ordering, code) = contest(self.order, a.code, record(a), record(b));
        match ordering.is_gt() {
            true => (b, Player { code, ..a }),
            false => (a, Player { code, ..b }),
        }
    }
}

fn index_u32(index: usize) -> u32 {
    u32::try_from(index).expect("each sequence has a buffer, and memory for 2^32 is not granted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{code_after, code_at};

    struct Lists(Vec<std::collections::VecDeque<Vec<u8>>>);

    impl Heads for Lists {
        fn record(&self, index: usize) -> &[u8] {
            self.0[index].front().map_or(&[], Vec::as_slice)
        }
    }

    /// SplitMix64.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn merge(order: Order, lists: Vec<Vec<Vec<u8>>>) -> Vec<(Vec<u8>, bool)> {
        let mut lists = Lists(lists.into_iter().map(Into::into).collect());
        let first = |list: &std::collections::VecDeque<Vec<u8>>| {
            list.front()
                .map_or(EXHAUSTED, |record| code_at(order, record, 0))
        };
        let codes: Vec<_> = lists.0.iter().map(first).collect();
        let mut tree = LoserTree::new(order, &codes, &lists);
        let mut merged = Vec::new();
        while let Some((winner, code)) = tree.winner() {
            let record = lists.0[winner].pop_front().unwrap();
            let next = lists.0[winner].front();
            let next = next.map_or(EXHAUSTED, |next| code_after(order, &record, next, 0).0);
            merged.push((record, code == DUPLICATE));
            tree.replay(next, &lists);
        }
        merged
    }

    #[test]
    fn of_records_that_are_the_same_the_first_lists_comes_first() {
        for count in 1..9 {
            let mut lists = Lists(vec![vec![b"same".to_vec(); 2].into(); count]);
            let codes = vec![code_at(Order::Ascending, b"same", 0); count];
            let mut tree = LoserTree::new(Order::Ascending, &codes, &lists);
            let mut winners = Vec::new();
            while let Some((winner, _)) = tree.winner() {
                winners.push(winner);
                let _same = lists.0[winner].pop_front();
                let left = !lists.0[winner].is_empty();
                tree.replay(if left { DUPLICATE } else { EXHAUSTED }, &lists);
            }
            let expected: Vec<_> = (0..count).flat_map(|list| [list, list]).collect();
            assert_eq!(winners, expected);
        }
    }

    #[test]
    fn any_number_of_lists_is_merged_and_repetitions_are_seen() {
        let mut seed = 7;
        for count in 0..20 {
            for order in [Order::Ascending, Order::Descending] {
                let mut lists = Vec::new();
                for _ in 0..count {
                    let record = |_| {
                        let length = random(&mut seed) % 12;
                        (0..length)
                            .map(|_| b"\0ab"[(random(&mut seed) % 3) as usize])
                            .collect()
                    };
                    let mut list: Vec<Vec<u8>> = (0..40).map(record).collect();
                    list.truncate((random(&mut seed) % 41) as usize);
                    list.sort_by(|a, b| order.compare(a, b));
                    lists.push(list);
                }
                let mut expected = lists.concat();
                expected.sort_by(|a, b| order.compare(a, b));
                let merged = merge(order, lists);
                let records: Vec<_> = merged.iter().map(|(record, _)| record.clone()).collect();
                assert_eq!(records, expected, "{count} lists, {order:?}");
                expected.dedup();
                let unique = merged.into_iter().filter(|(_, repeats)| !repeats);
                assert_eq!(
                    unique.map(|(record, _)| record).collect::<Vec<_>>(),
                    expected
                );
            }
        }
    }
}

//! The order in which consumers are asked to spill for a request: Spark's.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::consumer::ConsumerId;

/// The consumers that could spill for a request, by the bytes each used when it was listed. The
/// requester itself is under 0, so that it comes last. The numbers are not brought up to date.
#[derive(Debug, Default)]
pub(crate) struct Victims {
    by_use: BTreeMap<u64, Vec<ConsumerId>>,
}

/// The next to be asked, and where it is listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Victim {
    listed_under: u64,
    pub(crate) id: ConsumerId,
}

impl Victims {
    pub(crate) fn add(&mut self, used: u64, id: ConsumerId) {
        self.by_use.entry(used).or_default().push(id);
    }

    /// The smallest that is large enough for `need`, or else the largest; the last of those that are
    /// equal. It stays listed.
    pub(crate) fn pick(&self, need: u64) -> Option<Victim> {
        let fitting = self.by_use.range(need..).next();
        // fault(spill-order): replace last_key_value => first_key_value
        let (listed_under, ids) = fitting.or_else(|| self.by_use.last_key_value())?;
        let id = *ids.last()?;
        Some(Victim {
            listed_under: *listed_under,
            id,
        })
    }

    /// Strikes off the victim that was picked last.
    pub(crate) fn strike(&mut self, victim: Victim) {
        if let Entry::Occupied(mut listed) = self.by_use.entry(victim.listed_under) {
            listed.get_mut().pop();
            if listed.get().is_empty() {
                listed.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(uses: &[u64]) -> Victims {
        let mut victims = Victims::default();
        for (id, used) in (1..).zip(uses) {
            victims.add(*used, ConsumerId::new(id));
        }
        victims
    }

    fn order(mut victims: Victims, need: u64) -> Vec<u64> {
        let next = || {
            let victim = victims.pick(need)?;
            victims.strike(victim);
            Some(victim.id.get())
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn best_fit_then_largest_and_the_requester_last() {
        assert_eq!(order(listed(&[50, 0, 10, 5]), 7), [3, 1, 4, 2]);
        assert_eq!(order(listed(&[50, 40, 10, 5]), 45), [1, 2, 3, 4]);
    }

    #[test]
    fn of_equals_the_last_is_asked_first() {
        assert_eq!(order(listed(&[10, 10, 10]), 1), [3, 2, 1]);
    }
}

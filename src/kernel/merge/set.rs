//! Sets that several people tick: operators, roles, the assets and evidence of a finding. Of a form with ticks
//! only what somebody changed of what they saw is stored, so that a colleague's tick meanwhile stays.

use std::collections::BTreeSet;

/// What somebody changed of the set that they saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetChange<T> {
    pub added: Vec<T>,
    pub removed: Vec<T>,
}

impl<T: Ord + Copy> SetChange<T> {
    pub fn between(seen: impl IntoIterator<Item = T>, ticked: impl IntoIterator<Item = T>) -> Self {
        let seen: BTreeSet<T> = seen.into_iter().collect();
        let ticked: BTreeSet<T> = ticked.into_iter().collect();
        Self {
            added: ticked.difference(&seen).copied().collect(),
            removed: seen.difference(&ticked).copied().collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// The set as it is stored now, with the change.
    pub fn on(&self, stored: impl IntoIterator<Item = T>) -> BTreeSet<T> {
        let mut set: BTreeSet<T> = stored.into_iter().chain(self.added.iter().copied()).collect();
        set.retain(|one| !self.removed.contains(one));
        set
    }
}

/// The keys of a set that is kept as text, separated by commas.
pub fn keys(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|key| !key.is_empty())
}

/// A set as text, with what was changed between `seen` and `ticked`.
pub(super) fn rebased(seen: &str, ticked: &str, stored: &str) -> String {
    let set = SetChange::between(keys(seen), keys(ticked)).on(keys(stored));
    set.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_difference_of_ticks_counts() {
        let change = SetChange::between(["b", "c"], ["a", "b"]);
        assert_eq!(change, SetChange { added: vec!["a"], removed: vec!["c"] });
        assert_eq!(change.on(["b", "c", "d"]).into_iter().collect::<Vec<_>>(), ["a", "b", "d"]);
    }

    #[test]
    fn a_set_as_text_takes_both_sides_ticks() {
        assert_eq!(rebased("a,b", "b,c", "a,b,d"), "b,c,d");
        assert_eq!(rebased("", "", "a"), "a");
        assert_eq!(rebased("a", "", "a"), "");
    }
}

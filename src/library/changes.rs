//! What filling the library from a source would change, by digests alone.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::domain::ContentDigest;

/// The one line that an import ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub added: usize,
    pub changed: usize,
    pub withdrawn: usize,
    pub unchanged: usize,
    pub refused: usize,
    /// Left as they are: in the library and not in the source, or changed in both and nothing of the source
    /// taken.
    pub kept: usize,
}

impl Counts {
    /// Whether the library is as it was.
    pub fn changes_nothing(&self) -> bool {
        self.added + self.changed + self.withdrawn == 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "added {}, changed {}, withdrawn {}, unchanged {}, refused {}",
            self.added, self.changed, self.withdrawn, self.unchanged, self.refused
        )
    }
}

/// What becomes of what the library has and a source does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It stays: a source of three tests says nothing about the others.
    Keep,
    /// It is withdrawn, which somebody has to ask for.
    Withdraw,
}

/// Whether an import that withdraws would withdraw so much that it asks first: ten or more, and a tenth or
/// more of what is there.
pub fn withdraws_much(withdrawn: usize, stored: usize) -> bool {
    withdrawn >= 10 && withdrawn.saturating_mul(10) >= stored
}

/// What an import would do, by key. Incoming keys keep their order; withdrawn and kept ones are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub withdrawn: Vec<String>,
    pub unchanged: Vec<String>,
    pub kept: Vec<String>,
}

impl Changes {
    pub fn counts(&self, refused: usize) -> Counts {
        Counts {
            added: self.added.len(),
            changed: self.changed.len(),
            withdrawn: self.withdrawn.len(),
            unchanged: self.unchanged.len(),
            refused,
            kept: self.kept.len(),
        }
    }
}

/// Compares what is stored and not yet withdrawn with what a file holds. A key that comes twice counts once,
/// as it comes first. Keys in `held` are in the source but were refused: what is stored of them is not
/// missing.
pub fn plan(
    existing: &HashMap<String, ContentDigest>,
    incoming: &[(String, ContentDigest)],
    held: &[String],
    missing: Missing,
) -> Changes {
    let mut changes = Changes::default();
    let mut seen = HashSet::with_capacity(incoming.len());
    for (key, digest) in incoming {
        if !seen.insert(key.as_str()) {
            continue;
        }
        let list = match existing.get(key) {
            None => &mut changes.added,
            Some(stored) if stored == digest => &mut changes.unchanged,
            Some(_) => &mut changes.changed,
        };
        list.push(key.clone());
    }
    let held: HashSet<&str> = held.iter().map(String::as_str).collect();
    for key in existing.keys().filter(|key| !seen.contains(key.as_str())) {
        match missing {
            Missing::Withdraw if !held.contains(key.as_str()) => changes.withdrawn.push(key.clone()),
            _ => changes.kept.push(key.clone()),
        }
    }
    changes.withdrawn.sort();
    changes.kept.sort();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_sorts_keys_into_what_would_happen() {
        let existing = HashMap::from([
            ("same".to_owned(), [1; 32]),
            ("edited".to_owned(), [2; 32]),
            ("gone".to_owned(), [3; 32]),
        ]);
        let incoming = [("same", 1), ("edited", 9), ("new", 4), ("new", 5)]
            .map(|(key, byte)| (key.to_owned(), [byte; 32]));
        let changes = plan(&existing, &incoming, &[], Missing::Withdraw);
        assert_eq!(changes.added, ["new"]);
        assert_eq!(changes.changed, ["edited"]);
        assert_eq!(changes.withdrawn, ["gone"]);
        assert_eq!(changes.unchanged, ["same"]);
        assert_eq!(changes.counts(2).to_string(), "added 1, changed 1, withdrawn 1, unchanged 1, refused 2");
        let asked = plan(&existing, &incoming, &[], Missing::Keep);
        assert_eq!((asked.withdrawn.len(), asked.kept), (0, vec!["gone".to_owned()]));
        let held = plan(&existing, &incoming, &["gone".to_owned()], Missing::Withdraw);
        assert_eq!((held.withdrawn.len(), held.kept.len()), (0, 1), "a refused one is not missing");
    }

    #[test]
    fn much_is_ten_and_a_tenth() {
        for (withdrawn, stored, much) in
            [(0, 0, false), (9, 9, false), (10, 100, true), (10, 101, false), (1790, 1791, true)]
        {
            assert_eq!(withdraws_much(withdrawn, stored), much, "{withdrawn} of {stored}");
        }
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let incoming = [("a".to_owned(), [1; 32]), ("b".to_owned(), [2; 32])];
        let existing = HashMap::from(incoming.clone());
        let counts = plan(&existing, &incoming, &[], Missing::Withdraw).counts(0);
        assert_eq!((counts.unchanged, counts.added, counts.changed), (2, 0, 0));
    }
}

//! What filling the library from a source would change, by digests alone.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::domain::ContentDigest;

/// The one line that an import ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub added: usize,
    pub changed: usize,
    pub withdrawn: usize,
    pub unchanged: usize,
    pub refused: usize,
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

/// What an import would do, by key. Incoming keys keep their order; withdrawn ones are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub withdrawn: Vec<String>,
    pub unchanged: Vec<String>,
}

impl Changes {
    pub fn counts(&self, refused: usize) -> Counts {
        Counts {
            added: self.added.len(),
            changed: self.changed.len(),
            withdrawn: self.withdrawn.len(),
            unchanged: self.unchanged.len(),
            refused,
        }
    }
}

/// Compares what is stored and not yet withdrawn with what a file holds. A key that comes twice
/// counts once, as it comes first.
pub fn plan(existing: &HashMap<String, ContentDigest>, incoming: &[(String, ContentDigest)]) -> Changes {
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
    changes.withdrawn = existing.keys().filter(|key| !seen.contains(key.as_str())).cloned().collect();
    changes.withdrawn.sort();
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
        let changes = plan(&existing, &incoming);
        assert_eq!(changes.added, ["new"]);
        assert_eq!(changes.changed, ["edited"]);
        assert_eq!(changes.withdrawn, ["gone"]);
        assert_eq!(changes.unchanged, ["same"]);
        assert_eq!(changes.counts(2).to_string(), "added 1, changed 1, withdrawn 1, unchanged 1, refused 2");
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let incoming = [("a".to_owned(), [1; 32]), ("b".to_owned(), [2; 32])];
        let existing = HashMap::from(incoming.clone());
        let counts = plan(&existing, &incoming).counts(0);
        assert_eq!((counts.unchanged, counts.added, counts.changed), (2, 0, 0));
    }
}

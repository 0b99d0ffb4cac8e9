//! Two releases of ATT&CK beside each other: what the newer one added, withdrew, renamed and moved, and what
//! became of a technique that is in use no longer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::library::domain::TechniqueStatus;

/// A technique as a release has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub external_id: String,
    pub name: String,
    pub tactics: Vec<String>,
    pub status: TechniqueStatus,
    /// Who took its place, as the release says.
    pub successors: Vec<String>,
}

/// A technique that both releases have in use, with what changed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Altered {
    pub external_id: String,
    pub name: String,
    pub before: String,
    pub after: String,
}

/// A technique that the newer release has not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    pub external_id: String,
    pub name: String,
    pub fate: Fate,
}

/// What became of a technique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    InUse,
    /// Revoked for this one.
    Became(String),
    /// Revoked for several: somebody has to say which.
    Open(Vec<String>),
    /// In use no longer, and nothing took its place.
    Gone,
    /// No release has it.
    Unknown,
}

/// What changed from one release to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    pub added: Vec<(String, String)>,
    pub withdrawn: Vec<Withdrawn>,
    pub renamed: Vec<Altered>,
    pub moved: Vec<Altered>,
}

/// Compares the techniques in use. `tactic` names a tactic by its short name, of the older release and of the
/// newer one.
pub fn differences(before: &[Known], after: &[Known], tactic: [&HashMap<String, String>; 2]) -> Differences {
    let in_use = |known: &&Known| known.status == TechniqueStatus::Live;
    let by_id = |all: &'_ [Known]| -> BTreeMap<String, Known> {
        all.iter().filter(in_use).map(|known| (known.external_id.clone(), known.clone())).collect()
    };
    let (old, new) = (by_id(before), by_id(after));
    let fates = Fates::of(after.iter().cloned());
    let mut found = Differences::default();
    for (id, technique) in &new {
        let Some(was) = old.get(id) else {
            found.added.push((id.clone(), technique.name.clone()));
            continue;
        };
        let altered = |before: String, after: String| Altered {
            external_id: id.clone(),
            name: technique.name.clone(),
            before,
            after,
        };
        if was.name != technique.name {
            found.renamed.push(altered(was.name.clone(), technique.name.clone()));
        }
        let sets = [was, technique].map(|known| known.tactics.iter().collect::<BTreeSet<_>>());
        if sets[0] != sets[1] {
            let names = |known: &Known, tactic: &HashMap<String, String>| {
                let name = |short: &String| tactic.get(short).unwrap_or(short).clone();
                known.tactics.iter().map(name).collect::<Vec<_>>().join(", ")
            };
            found.moved.push(altered(names(was, tactic[0]), names(technique, tactic[1])));
        }
    }
    for (id, was) in old.iter().filter(|(id, _)| !new.contains_key(*id)) {
        let fate = match fates.of_id(id) {
            Fate::Unknown => Fate::Gone,
            fate => fate,
        };
        found.withdrawn.push(Withdrawn { external_id: id.clone(), name: was.name.clone(), fate });
    }
    found
}

/// What became of techniques, by all that the releases say.
pub struct Fates(HashMap<String, Known>);

impl Fates {
    /// Of a technique that several releases have, the last of `known` counts: give the newest last.
    pub fn of(known: impl IntoIterator<Item = Known>) -> Self {
        let mut by_id: HashMap<String, Known> = HashMap::new();
        for next in known {
            by_id.insert(next.external_id.clone(), next);
        }
        Self(by_id)
    }

    /// Follows successors to those that are in use.
    pub fn of_id(&self, id: &str) -> Fate {
        let Some(known) = self.0.get(id) else { return Fate::Unknown };
        if known.status == TechniqueStatus::Live {
            return Fate::InUse;
        }
        let (mut heirs, mut seen) = (BTreeSet::new(), HashSet::from([id]));
        let mut next: Vec<&str> = known.successors.iter().map(String::as_str).collect();
        while let Some(heir) = next.pop() {
            if !seen.insert(heir) {
                continue;
            }
            match self.0.get(heir) {
                Some(found) if found.status == TechniqueStatus::Live => {
                    heirs.insert(heir.to_owned());
                }
                Some(found) => next.extend(found.successors.iter().map(String::as_str)),
                None => {}
            }
        }
        let mut heirs: Vec<String> = heirs.into_iter().collect();
        match heirs.len() {
            0 => Fate::Gone,
            1 => heirs.pop().map_or(Fate::Gone, Fate::Became),
            _ => Fate::Open(heirs),
        }
    }

    pub fn name(&self, id: &str) -> &str {
        self.0.get(id).map_or("", |known| known.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str, status: TechniqueStatus, successors: &[&str]) -> Known {
        Known {
            external_id: id.into(),
            name: format!("N{id}"),
            tactics: vec!["execution".into()],
            status,
            successors: successors.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    use TechniqueStatus::{Deprecated, Live, Revoked};

    #[test]
    fn a_release_is_compared_by_what_is_in_use() {
        let tactics = HashMap::from([("execution".to_owned(), "Execution".to_owned())]);
        let before =
            [known("T1", Live, &[]), known("T2", Live, &[]), known("T3", Live, &[]), known("T9", Live, &[])];
        let mut after = [
            known("T1", Live, &[]),
            known("T2", Revoked, &["T5"]),
            known("T3", Live, &[]),
            known("T4", Live, &[]),
            known("T5", Live, &[]),
            known("T6", Deprecated, &[]),
        ];
        after[0].name = "Renamed".into();
        after[2].tactics = vec!["stealth".into(), "execution".into()];
        let found = differences(&before, &after, [&tactics, &tactics]);
        let added: Vec<_> = found.added.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(added, ["T4", "T5"]);
        assert_eq!((found.renamed[0].before.as_str(), found.renamed[0].after.as_str()), ("NT1", "Renamed"));
        assert_eq!(found.moved[0].after, "stealth, Execution", "an unknown tactic is told by its short name");
        let fates: Vec<_> =
            found.withdrawn.iter().map(|gone| (gone.external_id.as_str(), &gone.fate)).collect();
        assert_eq!(fates, [("T2", &Fate::Became("T5".into())), ("T9", &Fate::Gone)]);
    }

    #[test]
    fn successors_are_followed_to_the_one_in_use_and_several_stay_open() {
        let fates = Fates::of([
            known("T1", Revoked, &["T2"]),
            known("T2", Revoked, &["T3"]),
            known("T3", Live, &[]),
            known("T4", Revoked, &["T3", "T5"]),
            known("T5", Live, &[]),
            known("T6", Revoked, &["T7"]),
            known("T7", Revoked, &["T6"]),
            known("T8", Deprecated, &[]),
        ]);
        assert_eq!(fates.of_id("T1"), Fate::Became("T3".into()));
        assert_eq!(fates.of_id("T4"), Fate::Open(vec!["T3".into(), "T5".into()]));
        assert_eq!(fates.of_id("T6"), Fate::Gone, "a circle leads nowhere");
        assert_eq!(fates.of_id("T8"), Fate::Gone);
        assert_eq!(fates.of_id("T3"), Fate::InUse);
        assert_eq!(fates.of_id("T0"), Fate::Unknown);
    }
}

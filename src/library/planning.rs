//! Two people write one test plan and nobody loses anything. Versions of a plan are kept whole, so they are
//! the history that [`crate::kernel::merge`] compares with: title and description merge as texts; of tags and
//! procedures counts what somebody added and took out of what they saw. Pure.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use crate::kernel::base::ids::LibraryProcedureId;
use crate::kernel::merge::{
    Conflict, Current, History, MergeField, Posted, Revision, Version, merge as merge_texts,
};

/// Most procedures of one plan.
pub const PROCEDURES: usize = 500;

/// A plan as checked, before it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanContent {
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub procedures: Vec<LibraryProcedureId>,
}

crate::text_enum! {
    /// The texts of a plan, by the names that they post under.
    pub enum PlanField {
        Title => "title", "Title";
        Description => "description", "Description";
    }
}

impl MergeField for PlanField {
    fn is_long(self) -> bool {
        self == Self::Description
    }
}

impl PlanContent {
    pub fn get(&self, field: PlanField) -> &str {
        match field {
            PlanField::Title => &self.title,
            PlanField::Description => &self.description,
        }
    }

    pub fn set(&mut self, field: PlanField, value: String) {
        match field {
            PlanField::Title => self.title = value,
            PlanField::Description => self.description = value,
        }
    }
}

/// What a form was written from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bases {
    /// The version that was opened; 0 for a new plan.
    pub version: Version,
    /// Texts that came from another version.
    pub of: BTreeMap<PlanField, Version>,
    /// Texts of which the others' stays.
    pub left: HashSet<PlanField>,
}

impl Bases {
    fn of(&self, field: PlanField) -> Version {
        self.of.get(&field).copied().unwrap_or(self.version)
    }

    /// Every version that a save compares with.
    pub fn versions(&self) -> Vec<Version> {
        self.of.values().copied().chain([self.version]).collect()
    }
}

/// A plan as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedPlan {
    pub content: PlanContent,
    pub bases: Bases,
}

/// What is stored now, and by whom.
#[derive(Debug, Clone)]
pub struct Newest {
    pub version: Version,
    pub by: String,
    pub at: DateTime<Utc>,
}

/// Merges what somebody wrote into `versions[newest]`. Texts that both sides changed stay as they are stored
/// and come back. Each version holds the procedures that the writer knows of.
pub fn merge(
    posted: &PostedPlan,
    versions: &BTreeMap<Version, PlanContent>,
    newest: &Newest,
) -> (PlanContent, Vec<Conflict<PlanField>>) {
    let at = |version: Version| versions.range(..=version).next_back().map(|(_, content)| content);
    let nothing = PlanContent::default();
    let base = at(posted.bases.version).unwrap_or(&nothing);
    let theirs = at(newest.version).unwrap_or(&nothing);
    let (mut history, mut current, mut texts) = (History::default(), Vec::new(), Vec::new());
    for field in PlanField::ALL.iter().copied().filter(|field| !posted.bases.left.contains(field)) {
        for (version, content) in versions {
            let value = content.get(field).to_owned();
            let revision = Revision { version: *version, value, by: newest.by.clone(), at: newest.at };
            history.push(field, revision);
        }
        let value = posted.content.get(field).to_owned();
        texts.push(Posted { field, value, base: posted.bases.of(field) });
        current.push(Current { field, value: theirs.get(field).to_owned(), version: newest.version });
    }
    let outcome = merge_texts(&texts, &current, &history);
    let mut merged = theirs.clone();
    for change in outcome.accepted {
        merged.set(change.field, change.new);
    }
    merged.tags = lists(&base.tags, &posted.content.tags, &theirs.tags);
    merged.procedures = lists(&base.procedures, &posted.content.procedures, &theirs.procedures);
    (merged, outcome.conflicts)
}

/// A list to which both sides added and from which both took: nothing that somebody added is lost. The order
/// is that of whoever saves, where they changed it, else the others'.
fn lists<T: Clone + PartialEq>(base: &[T], mine: &[T], theirs: &[T]) -> Vec<T> {
    let is_taken_out = |one: &T, by: &[T]| base.contains(one) && !by.contains(one);
    let common = |these: &[T]| -> Vec<T> {
        these
            .iter()
            .filter(|one| [base, mine, theirs].iter().all(|list| list.contains(one)))
            .cloned()
            .collect()
    };
    let (leading, following) = if common(mine) == common(base) { (theirs, mine) } else { (mine, theirs) };
    let stays = |one: &&T| !is_taken_out(one, mine) && !is_taken_out(one, theirs);
    let leading = leading.iter().filter(stays).cloned().collect();
    woven(leading, following, |one| stays(&one))
}

/// A list with what another has besides, each behind what it stood behind there.
pub fn woven<T: Clone + PartialEq>(mut list: Vec<T>, from: &[T], takes: impl Fn(&T) -> bool) -> Vec<T> {
    for (place, one) in from.iter().enumerate() {
        if list.contains(one) || !takes(one) {
            continue;
        }
        let behind =
            from[..place].iter().rev().find_map(|before| list.iter().position(|other| other == before));
        list.insert(behind.map_or(0, |at| at + 1), one.clone());
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(title: &str, tags: &[&str]) -> PlanContent {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        PlanContent { title: title.into(), tags, ..PlanContent::default() }
    }

    fn newest() -> Newest {
        Newest { version: 2, by: "Tor".into(), at: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn what_either_side_added_is_there_and_what_either_took_out_is_gone() {
        assert_eq!(lists(&[1, 2, 3], &[1, 3, 4], &[1, 2, 5, 3]), [1, 5, 3, 4], "2 went, 4 and 5 came");
        assert_eq!(lists(&[1, 2, 3], &[1, 2, 3, 4], &[2, 3]), [2, 3, 4]);
        assert_eq!(lists(&[1, 2], &[1, 2], &[2, 9, 1]), [2, 9, 1], "whose order was left alone takes theirs");
        assert_eq!(lists(&[1, 2, 3], &[3, 2, 1], &[2, 1, 3, 4]), [3, 4, 2, 1], "both: whoever saves");
        assert_eq!(lists(&[], &[1, 2], &[3]), [1, 2, 3], "from nowhere: nothing is taken out");
    }

    #[test]
    fn what_somebody_does_not_know_of_stays_behind_what_it_stood_behind() {
        let unseen = |one: &char| ['x', 'y'].contains(one);
        assert_eq!(woven(vec!['b', 'a', 'c'], &['x', 'a', 'y', 'b'], unseen), ['x', 'b', 'a', 'y', 'c']);
        let gone = "what it stood behind is gone";
        assert_eq!(woven(vec!['b'], &['a', 'x', 'y', 'b'], unseen), ['x', 'y', 'b'], "{gone}");
        assert_eq!(woven(vec!['b'], &['a', 'b'], unseen), ['b']);
    }

    #[test]
    fn texts_merge_and_come_back_where_both_changed_them() {
        let versions = BTreeMap::from([(1, content("Old", &["a"])), (2, content("Theirs", &["a", "b"]))]);
        let mut mine = content("Mine", &["c"]);
        mine.description = "My words".into();
        let mut posted = PostedPlan { content: mine, bases: Bases { version: 1, ..Bases::default() } };
        let (merged, conflicts) = merge(&posted, &versions, &newest());
        assert_eq!((merged.title.as_str(), merged.description.as_str()), ("Theirs", "My words"));
        assert_eq!(merged.tags, ["c", "b"]);
        assert_eq!((conflicts[0].field, conflicts[0].theirs_version), (PlanField::Title, 2));

        posted.bases.of.insert(PlanField::Title, 2);
        let (merged, conflicts) = merge(&posted, &versions, &newest());
        assert_eq!((merged.title.as_str(), conflicts.len()), ("Mine", 0), "kept");
        posted.bases.of.clear();
        posted.bases.left.insert(PlanField::Title);
        let (merged, conflicts) = merge(&posted, &versions, &newest());
        assert_eq!((merged.title.as_str(), conflicts.len()), ("Theirs", 0), "taken");
    }
}

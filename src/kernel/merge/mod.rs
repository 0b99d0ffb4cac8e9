//! The merge behind every Save: two people on one page lose nothing. Pure, over the type of the fields, so
//! that procedures, engagement details, report text and findings share it.
//!
//! A field posts with the version that its shown value came from. Its base is the newest history row at or
//! below that version. What only one side changed is taken silently; what both changed to different values is
//! a [`Conflict`], which is not saved until somebody posts the field again with the version shown as theirs.

pub mod form;
pub mod history;
pub mod record;
pub mod set;
pub mod shown;
pub mod value;

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use chrono::{DateTime, Utc};

use crate::kernel::base::text_enum::TextEnum;

/// The counter that every save of a subject moves on by one.
pub type Version = i32;

/// The fields of a record that merges: an enum by the names that forms post and history keeps.
pub trait MergeField: TextEnum {
    /// Whether its value is long: the audit log then says only that it changed.
    fn is_long(self) -> bool;

    /// Whether it holds a set, as keys separated by commas: of that what somebody changed is taken, and there
    /// is no conflict.
    fn is_set(self) -> bool {
        false
    }
}

/// A field as it came from the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted<F> {
    pub field: F,
    /// The checked, canonical value.
    pub value: String,
    /// `base.<field>`, or the form's `version` for a field without one.
    pub base: Version,
}

/// A field as the locked row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current<F> {
    pub field: F,
    pub value: String,
    /// The version that wrote it, or any later one up to the row's own.
    pub version: Version,
}

/// One row of a field's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The save that wrote it.
    pub version: Version,
    /// The canonical value it wrote.
    pub value: String,
    pub by: String,
    pub at: DateTime<Utc>,
}

/// The history of a subject's fields. It is enough to hold, for each field, the newest row and the newest one
/// at or below each posted base.
#[derive(Debug, Clone)]
pub struct History<F> {
    initial: HashMap<F, String>,
    revisions: HashMap<F, BTreeMap<Version, Revision>>,
}

// Derived, it would ask the same of the fields.
impl<F> Default for History<F> {
    fn default() -> Self {
        Self { initial: HashMap::new(), revisions: HashMap::new() }
    }
}

impl<F: Eq + Hash> History<F> {
    /// The value a field had before its first row; empty when nothing is said.
    pub fn initial(&mut self, field: impl Into<F>, value: impl Into<String>) {
        self.initial.insert(field.into(), value.into());
    }

    /// Adds a row, in any order.
    pub fn push(&mut self, field: impl Into<F>, revision: Revision) {
        self.revisions.entry(field.into()).or_default().insert(revision.version, revision);
    }

    /// The value that a page showed which was loaded at `version`.
    pub fn value_at<Q>(&self, field: &Q, version: Version) -> &str
    where
        F: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.revisions
            .get(field)
            .and_then(|rows| rows.range(..=version).next_back())
            .map(|(_, row)| row.value.as_str())
            .or_else(|| self.initial.get(field).map(String::as_str))
            .unwrap_or("")
    }

    /// The newest row of a field.
    pub fn newest<Q>(&self, field: &Q) -> Option<&Revision>
    where
        F: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.revisions.get(field).and_then(|rows| rows.values().next_back())
    }

    /// The value that a field's save started from.
    pub fn base<'a>(&'a self, now: &'a Current<F>, base: Version) -> &'a str {
        if now.version <= base { &now.value } else { self.value_at(&now.field, base) }
    }
}

/// A field to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<F> {
    pub field: F,
    /// The value it replaces.
    pub old: String,
    /// The value to store.
    pub new: String,
}

/// A field that both sides changed to different values. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict<F> {
    pub field: F,
    pub theirs: String,
    pub theirs_by: Option<String>,
    pub theirs_at: Option<DateTime<Utc>>,
    /// What `base.<field>` must be to resolve the conflict, so that a third save conflicts again.
    pub theirs_version: Version,
    /// The posted value, which stays in the form.
    pub mine: String,
    /// What `base.<field>` stays in the form until somebody chooses.
    pub base_version: Version,
}

/// What becomes of a save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<F> {
    /// To store, in the order of the current fields.
    pub accepted: Vec<Change<F>>,
    /// To show, with both values.
    pub conflicts: Vec<Conflict<F>>,
    /// Fields that only others changed since the page was loaded: the answer shows their value.
    pub merged_from_others: Vec<F>,
}

impl<F> Default for Outcome<F> {
    fn default() -> Self {
        Self { accepted: Vec::new(), conflicts: Vec::new(), merged_from_others: Vec::new() }
    }
}

impl<F> Outcome<F> {
    /// Whether anything is to be stored.
    pub fn changes(&self) -> bool {
        !self.accepted.is_empty()
    }
}

/// Judges a save field by field. Fields that are not among `current` are not this subject's and are left
/// alone; of a field posted twice the first counts.
pub fn merge<F: Clone + Eq + Hash>(
    posted: &[Posted<F>],
    current: &[Current<F>],
    history: &History<F>,
) -> Outcome<F> {
    let mut outcome = Outcome::default();
    for now in current {
        let Some(mine) = posted.iter().find(|posted| posted.field == now.field) else {
            continue;
        };
        let base = history.base(now, mine.base);
        let i_changed = mine.value != base;
        let they_changed = now.value != base;
        match (i_changed, they_changed) {
            (false, false) => {}
            (false, true) => outcome.merged_from_others.push(now.field.clone()),
            (true, false) => outcome.accepted.push(Change {
                field: now.field.clone(),
                old: now.value.clone(),
                new: mine.value.clone(),
            }),
            (true, true) if mine.value == now.value => {}
            (true, true) => {
                let newest = history.newest(&now.field);
                outcome.conflicts.push(Conflict {
                    field: now.field.clone(),
                    theirs: now.value.clone(),
                    theirs_by: newest.map(|row| row.by.clone()),
                    theirs_at: newest.map(|row| row.at),
                    theirs_version: now.version,
                    mine: mine.value.clone(),
                    base_version: mine.base,
                });
            }
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    type Posted = super::Posted<String>;
    type Current = super::Current<String>;
    type History = super::History<String>;
    type Conflict = super::Conflict<String>;
    type Outcome = super::Outcome<String>;

    const FIELDS: [&str; 3] = ["red_notes", "blue_notes", "status"];

    /// The stored side: values, versions and history as a store would keep them.
    #[derive(Clone, Default)]
    struct Server {
        version: Version,
        values: HashMap<&'static str, (String, Version)>,
        history: History,
    }

    impl Server {
        fn current(&self) -> Vec<Current> {
            FIELDS
                .iter()
                .map(|field| {
                    let (value, version) = self.values.get(field).cloned().unwrap_or_default();
                    Current { field: (*field).into(), value, version }
                })
                .collect()
        }

        fn save(&mut self, posted: &[Posted], by: &str) -> Outcome {
            let outcome = merge(posted, &self.current(), &self.history);
            if outcome.changes() {
                self.version += 1;
            }
            for change in &outcome.accepted {
                let field = FIELDS.into_iter().find(|f| *f == change.field).expect("known");
                self.values.insert(field, (change.new.clone(), self.version));
                self.history.push(
                    field,
                    Revision {
                        version: self.version,
                        value: change.new.clone(),
                        by: by.into(),
                        at: DateTime::UNIX_EPOCH,
                    },
                );
            }
            outcome
        }
    }

    fn posted(field: &str, value: &str, base: Version) -> Posted {
        Posted { field: field.into(), value: value.into(), base }
    }

    #[test]
    fn each_side_alone_is_taken_silently() {
        let mut server = Server::default();
        assert!(server.save(&[posted("red_notes", "red", 0)], "Mira").changes());
        // Tor loaded before Mira's save, changed his own field and posts hers as he saw it.
        let outcome = server.save(
            &[posted("red_notes", "", 0), posted("blue_notes", "blue", 0), posted("status", "", 0)],
            "Tor",
        );
        assert_eq!(outcome.merged_from_others, ["red_notes"]);
        assert_eq!(outcome.accepted.len(), 1);
        assert!(outcome.conflicts.is_empty());
        assert_eq!(server.values["red_notes"].0, "red");
        assert_eq!(server.values["blue_notes"].0, "blue");
    }

    #[test]
    fn a_conflict_shows_both_and_is_resolved_by_its_version() {
        let mut server = Server::default();
        server.save(&[posted("status", "completed", 0)], "Mira");
        let outcome = server.save(&[posted("status", "in_progress", 0), posted("red_notes", "n", 0)], "Tor");
        assert_eq!(
            outcome.conflicts,
            [Conflict {
                field: "status".into(),
                theirs: "completed".into(),
                theirs_by: Some("Mira".into()),
                theirs_at: Some(DateTime::UNIX_EPOCH),
                theirs_version: 1,
                mine: "in_progress".into(),
                base_version: 0,
            }]
        );
        assert_eq!(outcome.accepted.len(), 1, "the other field is saved");
        // Posting again with the old base conflicts again; a third save in between does so too.
        assert_eq!(server.save(&[posted("status", "in_progress", 0)], "Tor").conflicts.len(), 1);
        server.save(&[posted("status", "not_applicable", 1)], "Ines");
        let again = server.save(&[posted("status", "in_progress", 1)], "Tor");
        assert_eq!(again.conflicts[0].theirs, "not_applicable");
        let version = again.conflicts[0].theirs_version;
        assert!(server.save(&[posted("status", "in_progress", version)], "Tor").changes());
    }

    #[test]
    fn the_same_change_twice_is_no_change() {
        let mut server = Server::default();
        server.save(&[posted("status", "completed", 0)], "Mira");
        assert_eq!(server.save(&[posted("status", "completed", 0)], "Tor"), Outcome::default());
    }

    #[test]
    fn initial_values_are_bases() {
        let mut history = History::default();
        history.initial("status", "not_started");
        assert_eq!(history.value_at("status", 7), "not_started");
        assert_eq!(history.value_at("red_notes", 7), "");
        let current = [Current { field: "status".into(), value: "completed".into(), version: 2 }];
        let untouched = merge(&[posted("status", "not_started", 1)], &current, &history);
        assert_eq!(untouched.merged_from_others, ["status"]);
    }

    #[test]
    fn a_foreign_field_is_left_alone() {
        let outcome = merge(&[posted("owner", "me", 0)], &[], &History::default());
        assert_eq!(outcome, Outcome::default());
    }

    /// One person's open page.
    #[derive(Clone, Default)]
    struct Page {
        typed: HashMap<&'static str, String>,
        base: HashMap<&'static str, Version>,
        conflicts: HashMap<&'static str, Conflict>,
        shown: HashSet<(&'static str, String)>,
    }

    impl Page {
        fn load(&mut self, server: &Server) {
            self.conflicts.clear();
            for field in FIELDS {
                let value = server.values.get(field).map_or("", |(value, _)| value).to_owned();
                self.shown.insert((field, value.clone()));
                self.typed.insert(field, value);
                self.base.insert(field, server.version);
            }
        }

        fn form(&self) -> Vec<Posted> {
            FIELDS.iter().map(|field| posted(field, &self.typed[field], self.base[field])).collect()
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Load,
        Edit(usize, String),
        Save,
        KeepMine(usize),
        TakeTheirs(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
        let field = 0..FIELDS.len();
        let step = prop_oneof![
            1 => Just(Step::Load),
            5 => (field.clone(), "[abc]{0,2}").prop_map(|(field, text)| Step::Edit(field, text)),
            5 => Just(Step::Save),
            2 => field.clone().prop_map(Step::KeepMine),
            1 => field.prop_map(Step::TakeTheirs),
        ];
        prop::collection::vec((0usize..3, step), 1..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..crate::kernel::base::proptests::config() })]

        // Three people load, edit, save and resolve in any order. Nobody overwrites a value without having
        // been shown it, whatever was typed is stored, equal, or refused with both values, and saving again
        // changes nothing.
        #[test]
        fn nothing_accepted_is_lost_unseen(steps in steps()) {
            let people = ["Mira", "Tor", "Ines"];
            let mut server = Server::default();
            let mut pages = [const { None::<Page> }; 3];
            for page in &mut pages {
                page.insert(Page::default()).load(&server);
            }
            for (person, step) in steps {
                let page = pages[person].as_mut().expect("loaded");
                match step {
                    Step::Load => page.load(&server),
                    Step::Edit(field, text) => {
                        page.typed.insert(FIELDS[field], text);
                    }
                    Step::KeepMine(field) => {
                        if let Some(conflict) = page.conflicts.remove(FIELDS[field]) {
                            page.base.insert(FIELDS[field], conflict.theirs_version);
                        }
                    }
                    Step::TakeTheirs(field) => {
                        if let Some(conflict) = page.conflicts.remove(FIELDS[field]) {
                            page.base.insert(FIELDS[field], conflict.theirs_version);
                            page.typed.insert(FIELDS[field], conflict.theirs);
                        }
                    }
                    Step::Save => {
                        let before = server.clone();
                        let form = page.form();
                        let outcome = server.save(&form, people[person]);
                        page.conflicts.clear();
                        for field in FIELDS {
                            let typed = page.typed[field].clone();
                            let old = before.values.get(field).map_or("", |(v, _)| v).to_owned();
                            let new = server.values.get(field).map_or("", |(v, _)| v).to_owned();
                            let changed_at = before.values.get(field).map_or(0, |(_, v)| *v);
                            let base = if changed_at <= page.base[field] {
                                old.clone()
                            } else {
                                before.history.value_at(field, page.base[field]).to_owned()
                            };
                            let conflict = outcome.conflicts.iter().find(|c| c.field == field);
                            let accepted = outcome.accepted.iter().find(|c| c.field == field);
                            if let Some(change) = accepted {
                                prop_assert_eq!(&change.old, &old);
                                prop_assert_eq!(&change.new, &typed);
                                prop_assert!(page.shown.contains(&(field, old.clone())), "overwrote an \
                                    unseen value");
                                page.base.insert(field, server.version);
                            } else {
                                prop_assert_eq!(&new, &old, "only an accepted change stores");
                            }
                            if let Some(conflict) = conflict {
                                prop_assert!(accepted.is_none());
                                prop_assert_eq!(&conflict.theirs, &old);
                                prop_assert_eq!(&conflict.mine, &typed);
                                prop_assert!(conflict.theirs != conflict.mine);
                                prop_assert_eq!(conflict.base_version, page.base[field]);
                                let author = before.history.newest(field).map(|row| row.by.clone());
                                prop_assert!(author.is_some() && conflict.theirs_by == author);
                                page.conflicts.insert(field, conflict.clone());
                            }
                            if outcome.merged_from_others.iter().any(|f| f == field) {
                                prop_assert_eq!(&typed, &base, "what was typed is never replaced");
                                page.typed.insert(field, new.clone());
                                page.base.insert(field, server.version);
                            }
                            let kept = typed == new || conflict.is_some() || typed == base;
                            prop_assert!(kept, "what was typed vanished");
                            page.shown.insert((field, new));
                        }
                        let mut later = server.clone();
                        let again = later.save(&form, people[person]);
                        prop_assert!(!again.changes(), "saving again changed something");
                        prop_assert_eq!(again.conflicts.len(), outcome.conflicts.len());
                    }
                }
            }
            // The newest row of each field's history is what is stored: no row was lost on the way.
            for field in FIELDS {
                let stored = server.values.get(field).map(|(value, _)| value.as_str());
                prop_assert_eq!(stored, server.history.newest(field).map(|row| row.value.as_str()));
            }
        }

        // The row's own version is as good as the field's for telling whether somebody else changed it.
        #[test]
        fn the_rows_version_gives_the_same_answer(
            saves in prop::collection::vec((0usize..3, "[ab]"), 0..8),
            field in 0usize..3,
            value in "[ab]",
            base in 0..9i32,
        ) {
            let mut server = Server::default();
            for (field, value) in saves {
                let version = server.version;
                server.save(&[posted(FIELDS[field], &value, version)], "Mira");
            }
            let form = [posted(FIELDS[field], &value, base.min(server.version))];
            let exact = merge(&form, &server.current(), &server.history);
            let mut coarse = server.current();
            for current in &mut coarse {
                current.version = server.version;
            }
            let with_rows = merge(&form, &coarse, &server.history);
            prop_assert_eq!(exact.accepted, with_rows.accepted);
            prop_assert_eq!(exact.merged_from_others, with_rows.merged_from_others);
            prop_assert_eq!(exact.conflicts.len(), with_rows.conflicts.len());
        }
    }
}

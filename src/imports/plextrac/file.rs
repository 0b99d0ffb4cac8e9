//! What a test plan of PlexTrac's version 2 says, in the order in which it says it.

use std::collections::BTreeMap;

use crate::kernel::base::hex::{hex, unhex};
use crate::library::domain::ContentDigest;

/// A file of version 2, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestPlanFile {
    pub methodologies: Vec<Entry>,
    /// Their parents are methodologies.
    pub tactics: Vec<Entry>,
    /// Their parents are tactics.
    pub techniques: Vec<Entry>,
    pub repositories: Vec<RepositoryEntry>,
    pub procedures: Vec<ProcedureEntry>,
    pub plan: PlanEntry,
    /// What was known when the file was written, by the id of the procedure or test plan: only what changed
    /// since is compared with it. Comments tell it, for PlexTrac knows no such field.
    pub known: BTreeMap<String, ContentDigest>,
}

/// What methodologies, tactics, techniques and procedures have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// `c` and 24 lower-case letters or digits; unique in the file.
    pub id: String,
    pub name: String,
    pub short_name: String,
    pub description: String,
    pub origin: String,
    pub is_editable: bool,
    pub source_id: Option<String>,
    pub source_key: Option<String>,
    pub source_value: Option<String>,
    /// Ids of what it stands under.
    pub parents: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryEntry {
    pub id: String,
    pub name: String,
    pub short_name: String,
    pub description: String,
    /// `open`, `managed`, `private`, `curated`
    pub kind: String,
    pub origin: String,
    pub is_editable: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcedureEntry {
    /// Its parents are techniques.
    pub entry: Entry,
    pub repository: String,
    pub steps: Vec<StepEntry>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepEntry {
    pub description: String,
    pub success_criteria: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanEntry {
    pub id: String,
    pub title: String,
    pub description: String,
    pub kind: String,
    pub origin: String,
    pub is_editable: bool,
    pub procedures: Vec<String>,
}

pub(super) const ENTRY_KEYS: &[&str] = &[
    "id",
    "name",
    "shortName",
    "description",
    "origin",
    "isEditable",
    "sourceId",
    "sourceKey",
    "sourceValue",
    "tags",
];
pub(super) const REPOSITORY_KEYS: &[&str] =
    &["id", "name", "shortName", "description", "type", "origin", "isEditable"];
pub(super) const PLAN_KEYS: &[&str] =
    &["id", "title", "description", "type", "origin", "isEditable", "procedureIds", "tags"];

/// Whether a text is an id as PlexTrac makes them.
pub(super) fn is_cuid(text: &str) -> bool {
    text.len() == 25
        && text.starts_with('c')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

const KNOWN: &str = "# written_from ";

/// The comments that tell [`TestPlanFile::known`].
pub(super) fn known_lines(known: &BTreeMap<String, ContentDigest>) -> String {
    known.iter().map(|(id, digest)| format!("{KNOWN}{id} {}\n", hex(digest))).collect()
}

/// What the comments of a file tell.
pub(super) fn read_known(text: &str) -> BTreeMap<String, ContentDigest> {
    let lines = text.lines().filter_map(|line| line.trim_end().strip_prefix(KNOWN)?.split_once(' '));
    lines
        .filter(|(id, _)| is_cuid(id))
        .filter_map(|(id, digest)| Some((id.to_owned(), unhex(digest)?)))
        .collect()
}

//! Where an import goes, what it did there, and what every one of them tells and asks.

use std::collections::{BTreeMap, HashSet};

use diesel::sql_types::{Array, Text};

use crate::imports::outcome::{Surface, Takes};
use crate::imports::preview::{Change, Preview, Verdict};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{PersonId, RepositoryId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show;
use crate::kernel::event::domain::Event;
use crate::library::changes::Missing;

/// Where procedures go, and what becomes of what the source does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// A repository of one's own; none for the one that the source has.
    pub repository: Option<RepositoryId>,
    pub missing: Missing,
    /// The library as whoever imports has it.
    pub shelf: Shelf,
    /// Who writes in a managed or private repository that the import makes; none for who imports.
    pub editor: Option<PersonId>,
    pub surface: Surface,
}

impl Target {
    /// Where a source says that it goes, on the command line.
    pub fn of_source(missing: Missing) -> Self {
        Self { repository: None, missing, shelf: Shelf::whole(), editor: None, surface: Surface::CommandLine }
    }
}

/// What an import did.
pub(crate) struct Applied {
    /// As the preview, with what stood before each change.
    pub preview: Preview,
    pub repository: Option<RepositoryId>,
    pub version: Option<String>,
    /// Whether something was written, whatever the counts say: a repository was made, say.
    pub made: bool,
    /// The event of what was written, where its importer has one of its own.
    pub event: Option<Event>,
}

/// Whether what would be written is what somebody agreed to.
///
/// # Errors
/// [`Error::Conflict`]
pub(super) fn agreed(preview: &Preview, outline: Option<&[u8]>) -> Result<()> {
    if outline.is_none_or(|outline| *outline == preview.outline()) {
        return Ok(());
    }
    Err(Error::Conflict(
        "The library has changed since this import was checked. Nothing was written. It is being checked \
            again: look at the preview once more."
            .into(),
    ))
}

/// How many names of tests a warning tells.
const NAMED: usize = 5;

/// A warning for each technique that no release has. `named`: ids, each with what names it; `nouns`: how one
/// and several of those are called.
pub(super) fn strangers(
    conn: &mut PgConnection,
    named: &[(&str, &str)],
    nouns: (&str, &str),
) -> Result<Vec<Change>> {
    let unknown = unknown_techniques(conn, named)?;
    let mut by_technique: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, name) in named.iter().filter(|(id, _)| unknown.contains(*id)) {
        by_technique.entry(id).or_default().push(name);
    }
    let told = by_technique.into_iter().map(|(id, names)| {
        let more = if names.len() > NAMED { " and others." } else { "." };
        let sentence = format!(
            "No release of ATT&CK that the library holds has it. {} it and {} kept: {}{more}",
            show::counted(names.len(), nouns.0, nouns.1),
            if names.len() == 1 { "is" } else { "are" },
            names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "),
        );
        Change::new(Verdict::Warning, id, id).saying(sentence)
    });
    Ok(told.collect())
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Those techniques of a source that no stored release has, and that are not one's own.
fn unknown_techniques(conn: &mut PgConnection, named: &[(&str, &str)]) -> Result<HashSet<String>> {
    let ids: HashSet<&str> = named.iter().map(|(id, _)| *id).collect();
    // sql_query: which values of a list are in no row.
    let sql = "SELECT wanted.id FROM unnest($1) wanted (id)
         WHERE NOT EXISTS (SELECT FROM techniques te WHERE te.external_id = wanted.id)
            AND NOT EXISTS (SELECT FROM terms own
                WHERE own.kind = 'technique' AND own.short_name = wanted.id)";
    let unknown: Vec<Id> =
        diesel::sql_query(sql).bind::<Array<Text>, _>(ids.into_iter().collect::<Vec<_>>()).load(conn)?;
    Ok(unknown.into_iter().map(|row| row.id).collect())
}

/// Tells the conflicts of an import by how they end, in its rows and in its counts.
pub fn settle(preview: &mut Preview, takes: &Takes) {
    for change in preview.changes.iter_mut().filter(|change| change.verdict == Verdict::Conflict) {
        let Change { key, detail, verdict, returns, .. } = change;
        detail.fields.retain(|field| !field.is_conflict || takes.takes(key, &field.key));
        let is_taken = !detail.fields.is_empty();
        if !is_taken {
            detail.sentence = "Changed here and in the file. What stands here was kept.".to_owned();
        }
        if is_taken || *returns {
            *verdict = if *returns { Verdict::Added } else { Verdict::Changed };
            continue;
        }
        *verdict = Verdict::Kept;
        preview.counts.changed = preview.counts.changed.saturating_sub(1);
        preview.counts.kept += 1;
    }
    preview.sort();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::preview::ShownField;
    use crate::library::changes::Counts;

    #[test]
    fn conflicts_are_told_and_counted_by_how_they_end() {
        let conflict = |key: &str, returns: bool| {
            let mut change = Change::new(Verdict::Conflict, key, key);
            change.detail.fields =
                vec![ShownField { key: "name".into(), is_conflict: true, ..ShownField::default() }];
            change.returns = returns;
            change
        };
        let counts = Counts { added: 1, changed: 2, ..Counts::default() };
        let changes = vec![conflict("ours", false), conflict("theirs", false), conflict("back", true)];
        let mut preview = Preview { counts, changes, stored: 3 };
        settle(&mut preview, &Takes::from_iter([("theirs".to_owned(), Some("name".to_owned()))]));
        let told: Vec<_> = preview.changes.iter().map(|one| (one.verdict, one.key.as_str())).collect();
        let ended = [(Verdict::Changed, "theirs"), (Verdict::Added, "back"), (Verdict::Kept, "ours")];
        assert_eq!(told, ended);
        assert_eq!(preview.counts, Counts { added: 1, changed: 1, kept: 1, ..Counts::default() });
    }
}

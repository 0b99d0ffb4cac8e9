//! SQL of taking an import back, while nothing uses what it brought.

use std::collections::HashMap;

use diesel::sql_types::{BigInt, Text};
use uuid::Uuid;

use super::runs::{Import, get_own_import, set_closed};
use crate::imports::outcome::{METHODOLOGY, TERM, TEST_PLAN};
use crate::imports::preview::ImportState;
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ImportId, LibraryProcedureId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show;
use crate::kernel::db::schema::library_import_changes;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::library::store::curated::{lock, remove_release, restore_release};
use crate::library::store::incoming::{Before, Use, list_uses, take_back};
use crate::library::store::undo::{
    MethodologyBefore, PlanBefore, PlanUse, TermBefore, list_plan_uses, take_methodologies_back,
    take_plans_back, take_terms_back,
};

/// How many obstacles are named; the rest is counted.
const NAMED: usize = 20;

/// What an import did, row by row.
#[derive(Default)]
struct Acts {
    procedures: Vec<(LibraryProcedureId, Before)>,
    plans: Vec<PlanBefore>,
    terms: Vec<TermBefore>,
    methodologies: Vec<MethodologyBefore>,
    /// Of a release of ATT&CK: what each external id was before; null where it was not there.
    facts: HashMap<String, serde_json::Value>,
}

impl Acts {
    fn is_empty(&self) -> bool {
        let Self { procedures, plans, terms, methodologies, facts } = self;
        procedures.is_empty()
            && plans.is_empty()
            && terms.is_empty()
            && methodologies.is_empty()
            && facts.is_empty()
    }
}

fn acts(conn: &mut PgConnection, id: ImportId) -> Result<Acts> {
    let rows: Vec<(String, Option<Uuid>, Option<serde_json::Value>)> = library_import_changes::table
        .filter(library_import_changes::import_id.eq(id))
        .filter(library_import_changes::before.is_not_null())
        .select((
            library_import_changes::key,
            library_import_changes::subject_id,
            library_import_changes::before,
        ))
        .load(conn)?;
    let mut acts = Acts::default();
    for (key, subject, before) in rows {
        let Some(mut before) = before else { continue };
        if let Some(plan) = before.get_mut(TEST_PLAN) {
            acts.plans.push(serde_json::from_value(plan.take())?);
            continue;
        }
        if let Some(term) = before.get_mut(TERM) {
            acts.terms.push(serde_json::from_value(term.take())?);
            continue;
        }
        if let Some(methodology) = before.get_mut(METHODOLOGY) {
            acts.methodologies.push(serde_json::from_value(methodology.take())?);
            continue;
        }
        match subject {
            Some(subject) => {
                acts.procedures.push((LibraryProcedureId(subject), serde_json::from_value(before)?));
            }
            None => {
                acts.facts.insert(key, before);
            }
        }
    }
    Ok(acts)
}

#[derive(QueryableByName)]
struct Pinned {
    #[diesel(sql_type = BigInt)]
    engagements: i64,
    #[diesel(sql_type = BigInt)]
    releases: i64,
}

/// Why an import cannot be taken back, a sentence each; none when it can.
///
/// # Errors
/// [`Error::NotFound`]
pub fn list_obstacles(conn: &mut PgConnection, import: &Import) -> Result<Vec<String>> {
    if import.state != ImportState::Applied {
        return Ok(vec!["It was not applied.".to_owned()]);
    }
    let acts = acts(conn, import.id)?;
    if acts.is_empty() {
        return Ok(vec!["It changed nothing, so there is nothing to undo.".to_owned()]);
    }
    if !import.is_last {
        return Ok(vec!["A later import went to the same place. Take that back first.".to_owned()]);
    }
    let plans: Vec<TestPlanId> = acts.plans.iter().map(|plan| plan.id).collect();
    let mut told: Vec<String> = list_plan_uses(conn, &acts.plans)?.iter().map(plan_told).collect();
    told.extend(list_uses(conn, &acts.procedures, &plans)?.iter().map(use_told));
    if let Some(version) = import.attack_version.as_deref().filter(|_| is_whole(&acts)) {
        // sql_query: two counts in one statement.
        let pinned: Pinned = diesel::sql_query(
            "SELECT (SELECT count(*) FROM engagements WHERE attack_version = $1)
                AS engagements, (SELECT count(*) FROM attack_versions) AS releases",
        )
        .bind::<Text, _>(version)
        .get_result(conn)?;
        if pinned.engagements > 0 {
            let count = show::counted(
                usize::try_from(pinned.engagements).unwrap_or_default(),
                "engagement",
                "engagements",
            );
            told.push(format!("{count} use ATT&CK {version}."));
        }
        if pinned.releases < 2 {
            told.push("It is the only release that the library holds.".to_owned());
        }
    }
    if told.len() > NAMED {
        let more = told.len() - NAMED;
        told.truncate(NAMED);
        told.push(format!("{} more are in use.", show::thousands(more)));
    }
    Ok(told)
}

/// Whether the import brought the release, and did not only change it.
fn is_whole(acts: &Acts) -> bool {
    !acts.facts.is_empty() && acts.facts.values().all(serde_json::Value::is_null)
}

fn plan_told(used: &PlanUse) -> String {
    let why = if used.edited {
        "it was changed since".to_owned()
    } else {
        let count = usize::try_from(used.engagements).unwrap_or_default();
        format!("{} made from it", show::counted(count, "engagement was", "engagements were"))
    };
    format!("Test plan {}: {why}.", used.title)
}

fn use_told(used: &Use) -> String {
    let mut why = Vec::new();
    if used.edited {
        why.push("it was changed since".to_owned());
    }
    if !used.plans.is_empty() {
        why.push(format!("the test plan {} holds it", used.plans.join(", ")));
    }
    let count =
        |n: i64, one: &str, many: &str| show::counted(usize::try_from(n).unwrap_or_default(), one, many);
    if used.engagements > 0 {
        why.push(format!("{} it", count(used.engagements, "engagement uses", "engagements use")));
    }
    if used.copies > 0 {
        why.push(format!("{} of it", count(used.copies, "copy was made", "copies were made")));
    }
    format!("{} {}: {}.", used.shown, used.name, why.join(", "))
}

/// Takes an import back.
///
/// # Errors
/// [`Error::Refused`] with everything that uses what it brought.
pub(crate) fn undo(tx: &mut WriteTx<'_>, shelf: Shelf, id: ImportId) -> Result<Audited<()>> {
    lock(tx)?;
    let import = get_own_import(tx.conn, shelf, id)?;
    let obstacles = list_obstacles(tx.conn, &import)?;
    if !obstacles.is_empty() {
        return Err(Error::Refused(format!("This import cannot be undone. {}", obstacles.join(" "))));
    }
    let acts = acts(tx.conn, id)?;
    take_plans_back(tx, &acts.plans)?;
    take_back(tx, &acts.procedures)?;
    take_terms_back(tx, &acts.terms)?;
    take_methodologies_back(tx, &acts.methodologies)?;
    if let Some(version) = &import.attack_version {
        if is_whole(&acts) {
            remove_release(tx, version)?;
        } else {
            restore_release(tx, version, &acts.facts)?;
        }
    }
    set_closed(tx, id, ImportState::Undone)?;
    let what = import.kind_label();
    let event =
        Event::new(Kind::ImportUndone, format!("Undid the import of {what} from {}", import.file_name))
            .subject("import", id.0, import.file_name);
    tx.audited((), event)
}

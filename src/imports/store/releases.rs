//! SQL of releases of ATT&CK beside each other, and of re-tagging procedures by what became of a technique.

use std::collections::{BTreeMap, HashMap};

use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::imports::preview::{Change, Verdict};
use crate::imports::releases::{Differences, Fate, Fates, Known, differences};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::LibraryProcedureId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show;
use crate::kernel::db::schema::{attack_versions, tactics, techniques};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::library::domain::{AttackRelease, TechniqueStatus, version_rank};
use crate::library::store::curated::lock;
use crate::library::store::incoming::{Imported, NextVersion, list_bodies, write_versions};
use crate::library::store::shelf::seen;

type Row = (String, String, Vec<String>, TechniqueStatus, Option<String>, Vec<String>);

fn known((external_id, name, tactics, status, heir, heirs): Row) -> Known {
    let successors = if heirs.is_empty() { heir.into_iter().collect() } else { heirs };
    Known { external_id, name, tactics, status, successors }
}

fn list_known(conn: &mut PgConnection, version: &str) -> Result<Vec<Known>> {
    let rows: Vec<Row> = techniques::table
        .filter(techniques::version.eq(version))
        .order(techniques::external_id)
        .select((
            techniques::external_id,
            techniques::name,
            techniques::tactics,
            techniques::status,
            techniques::revoked_by,
            techniques::successors,
        ))
        .load(conn)?;
    Ok(rows.into_iter().map(known).collect())
}

fn tactic_names(conn: &mut PgConnection, version: &str) -> Result<HashMap<String, String>> {
    let rows: Vec<(String, String)> = tactics::table
        .filter(tactics::version.eq(version))
        .select((tactics::short_name, tactics::name))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// What changed from one stored release to another.
pub fn compare_releases(conn: &mut PgConnection, before: &str, after: &str) -> Result<Differences> {
    let (old, new) = (list_known(conn, before)?, list_known(conn, after)?);
    let names = [tactic_names(conn, before)?, tactic_names(conn, after)?];
    Ok(differences(&old, &new, [&names[0], &names[1]]))
}

/// What a release that is about to come changes over the stored one before it.
pub(super) fn release_changes(conn: &mut PgConnection, release: &AttackRelease) -> Result<Vec<Change>> {
    let earlier: Option<String> = attack_versions::table
        .filter(attack_versions::rank.lt(version_rank(&release.version)))
        .order(attack_versions::rank.desc())
        .select(attack_versions::version)
        .first(conn)
        .optional()?;
    let Some(earlier) = earlier else { return Ok(Vec::new()) };
    let old = list_known(conn, &earlier)?;
    let names = [
        tactic_names(conn, &earlier)?,
        release.tactics.iter().map(|t| (t.short_name.clone(), t.name.clone())).collect(),
    ];
    let new: Vec<Known> = release
        .techniques
        .iter()
        .map(|t| {
            let heirs = t.successors.clone();
            known((
                t.external_id.clone(),
                t.name.clone(),
                t.tactics.clone(),
                t.status,
                t.revoked_by.clone(),
                heirs,
            ))
        })
        .collect();
    let found = differences(&old, &new, [&names[0], &names[1]]);
    let since = |verdict, id: &str, name: &str, sentence: String| {
        Change::new(verdict, id, format!("{id} {name}")).saying(sentence)
    };
    let came = found
        .added
        .iter()
        .map(|(id, name)| since(Verdict::Came, id, name, format!("Not in use in ATT&CK {earlier}.")));
    let left = found.withdrawn.iter().map(|gone| {
        since(
            Verdict::Left,
            &gone.external_id,
            &gone.name,
            format!("In use in ATT&CK {earlier}. {}", told(&gone.fate)),
        )
    });
    let renamed = found.renamed.iter().map(|one| {
        since(
            Verdict::Renamed,
            &one.external_id,
            &one.name,
            format!("Called {} in ATT&CK {earlier}.", one.before),
        )
    });
    let moved = found.moved.iter().map(|one| {
        let sentence = format!("Under {} in ATT&CK {earlier}, now under {}.", one.before, one.after);
        since(Verdict::Moved, &one.external_id, &one.name, sentence)
    });
    Ok(came.chain(left).chain(renamed).chain(moved).collect())
}

/// What became of a technique, as a sentence.
pub fn told(fate: &Fate) -> String {
    match fate {
        Fate::InUse => "It is in use.".to_owned(),
        Fate::Became(heir) => format!("{heir} takes its place."),
        Fate::Open(heirs) => format!("{} take its place: somebody has to choose.", heirs.join(" and ")),
        Fate::Gone => "Nothing takes its place.".to_owned(),
        Fate::Unknown => "No release that the library holds has it.".to_owned(),
    }
}

#[derive(QueryableByName)]
struct Latest {
    #[diesel(sql_type = Text)]
    external_id: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    status: TechniqueStatus,
    #[diesel(sql_type = Array<Text>)]
    successors: Vec<String>,
}

/// What became of every technique: of each the newest release that has it counts. One that the newest release
/// of all does not have is in use no longer.
fn fates(conn: &mut PgConnection) -> Result<Fates> {
    // sql_query: each id in its newest release.
    let sql = "SELECT DISTINCT ON (te.external_id) te.external_id, te.name,
            CASE WHEN te.status = 'live' AND v.rank < (SELECT max(rank) FROM attack_versions)
                THEN 'deprecated' ELSE te.status END AS status,
            CASE WHEN te.successors = '{}' THEN array_remove(ARRAY[te.revoked_by], NULL)
                ELSE te.successors END AS successors
         FROM techniques te JOIN attack_versions v ON v.version = te.version
         ORDER BY te.external_id, v.rank DESC";
    let rows: Vec<Latest> = diesel::sql_query(sql).load(conn)?;
    Ok(Fates::of(rows.into_iter().map(|row| Known {
        external_id: row.external_id,
        name: row.name,
        tactics: Vec::new(),
        status: row.status,
        successors: row.successors,
    })))
}

/// A technique that procedures name and that is neither in use nor one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub external_id: String,
    /// Empty where no release has it.
    pub name: String,
    pub fate: Fate,
    /// Id and name of what may take its place.
    pub heirs: Vec<(String, String)>,
    /// Procedures that name it, of those that the reader knows of.
    pub procedures: i64,
    /// How many of them the reader may re-tag.
    pub open: i64,
}

/// Repositories in which a reader may re-tag: curated ones, for the next import knows what it brought, open
/// ones, and those whose editor they are. `reader` is the place of the reader among the statement's values.
fn may_retag(reader: usize) -> String {
    format!(
        "(r.type IN ('curated', 'open') OR ${reader}::uuid IS NULL \
            OR EXISTS (SELECT FROM repository_people e WHERE e.repository_id = r.id \
            AND e.person_id = ${reader}::uuid AND e.may_edit))"
    )
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    procedures: i64,
    #[diesel(sql_type = BigInt)]
    open: i64,
}

/// The techniques that procedures name and that are not in use in the newest release, with what became of
/// them; one's own are nobody's to replace.
pub fn list_mappings(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<Mapping>> {
    // sql_query: counts of the members of an array.
    let sql = format!(
        "SELECT named.id, count(*) AS procedures, count(*) FILTER (WHERE {}) AS open
         FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
         CROSS JOIN LATERAL unnest(p.technique_ids) named (id)
         WHERE p.withdrawn_at IS NULL AND p.repository_id = ANY ({})
            AND NOT EXISTS (SELECT FROM techniques te WHERE te.external_id = named.id AND te.status = 'live'
                AND te.version = (SELECT version FROM attack_versions ORDER BY rank DESC LIMIT 1))
            AND NOT EXISTS (SELECT FROM terms own
                WHERE own.kind = 'technique' AND own.short_name = named.id)
         GROUP BY named.id ORDER BY named.id",
        may_retag(1),
        seen(1)
    );
    let named: Vec<Named> = diesel::sql_query(sql).bind::<Nullable<SqlUuid>, _>(shelf.reader()).load(conn)?;
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let fates = fates(conn)?;
    Ok(named
        .into_iter()
        .map(|row| {
            let fate = fates.of_id(&row.id);
            let heirs = match &fate {
                Fate::Became(heir) => std::slice::from_ref(heir),
                Fate::Open(heirs) => heirs.as_slice(),
                _ => &[],
            };
            let heirs = heirs.iter().map(|heir| (heir.clone(), fates.name(heir).to_owned())).collect();
            Mapping {
                name: fates.name(&row.id).to_owned(),
                external_id: row.id,
                fate,
                heirs,
                procedures: row.procedures,
                open: row.open,
            }
        })
        .collect())
}

#[derive(QueryableByName)]
struct Tagged {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Integer)]
    version: i32,
}

/// Gives every procedure that the reader may re-tag the technique that took the place of another: `wanted`
/// are pairs of what somebody confirmed. Answers how many procedures each pair changed.
///
/// # Errors
/// [`Error::Conflict`] for a pair that the releases do not say, or no longer.
pub(crate) fn retag(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    wanted: &[(String, String)],
) -> Result<Audited<Vec<(String, String, usize)>>> {
    lock(tx)?;
    let fates = fates(tx.conn)?;
    for (from, to) in wanted {
        let stands = match fates.of_id(from) {
            Fate::Became(heir) => heir == *to,
            // Of several somebody has chosen one.
            Fate::Open(heirs) => heirs.contains(to),
            _ => false,
        };
        if !stands {
            return Err(Error::Conflict(format!(
                "{to} does not take the place of {from} in the releases that the library holds now. Nothing \
                    was changed. Look at the page again."
            )));
        }
    }
    let heirs: BTreeMap<&str, &str> = wanted.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    if heirs.len() < wanted.len() {
        return Err(Error::Refused("Choose one technique for each that is in use no longer.".into()));
    }
    let ids: Vec<&str> = heirs.keys().copied().collect();
    // sql_query: array membership, and who may write the repository.
    let sql = format!(
        "SELECT p.id, p.current_version AS version FROM library_procedures p
         JOIN repositories r ON r.id = p.repository_id
         WHERE p.withdrawn_at IS NULL AND p.technique_ids && $2 AND p.repository_id = ANY ({}) AND {}
         ORDER BY p.id FOR UPDATE OF p",
        seen(1),
        may_retag(1)
    );
    let rows: Vec<Tagged> = diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Array<Text>, _>(ids)
        .load(tx.conn)?;
    let versions: Vec<(Uuid, i32)> = rows.iter().map(|row| (row.id, row.version)).collect();
    let bodies = list_bodies(tx.conn, &versions)?;
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut next = Vec::new();
    for ((id, _), mut body) in bodies {
        let mut tagged: Vec<String> = Vec::new();
        for technique in &body.technique_ids {
            let heir = heirs.get_key_value(technique.as_str());
            if let Some((from, to)) = heir {
                *counts.entry((from, to)).or_default() += 1;
            }
            let now = heir.map_or(technique.as_str(), |(_, to)| to);
            if tagged.iter().all(|known| known != now) {
                tagged.push(now.to_owned());
            }
        }
        body.technique_ids = tagged;
        let id = LibraryProcedureId(id);
        next.push(NextVersion { id, body, imported: Imported::Stays, withdrawn_at: None });
    }
    write_versions(tx, &next)?;
    let done: Vec<(String, String, usize)> =
        counts.into_iter().map(|((from, to), n)| (from.to_owned(), to.to_owned(), n)).collect();
    if done.is_empty() {
        return Ok(tx.unchanged(done));
    }
    let events: Vec<Event> = done
        .iter()
        .map(|(from, to, n)| {
            let sentence =
                format!("Re-tagged {from} as {to}: {}", show::counted(*n, "procedure", "procedures"));
            Event::new(Kind::ProceduresRetagged, sentence)
                .detail(serde_json::json!({ "from": from, "to": to, "procedures": n }))
        })
        .collect();
    tx.audited_all(done, &events)
}

//! The starter library: what the binary brings along, so that a first run has something real to do.

use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{repositories, terms, test_plan_procedures, test_plans};
use crate::kernel::db::{Db, WriteTx};
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::library::changes::Missing;
use crate::library::domain::{AttackRelease, StarterPlan, StarterProcedure};
use crate::library::store::curated::{Curated, ensure_repository, lock, plan_attack, write_attack};
use crate::library::store::incoming::{Incoming, plan_procedures, write_procedures};
use crate::library::store::revisions;

const ATTACK: &str = include_str!("../starter/attack-19.1.json");
const PROCEDURES: &str = include_str!("../starter/procedures.json");
const PLANS: &str = include_str!("../starter/test-plans.json");

const STARTER: Curated = Curated {
    key: "starter",
    name: "Tyrian Starter",
    short_name: "Starter",
    prefix: "START",
    description: "Procedures that come with Tyrian: harmless stand-ins for what intruders do, over most \
        tactics and three platforms.",
};

/// Puts the starter library into an empty one. Where it stands already this costs one small query.
///
/// # Errors
/// When the database refuses; nothing is then written.
pub fn seed_starter(db: &Db) -> Result<()> {
    if db.read_blocking(is_seeded)? {
        return Ok(());
    }
    let release = AttackRelease::from_starter_json(ATTACK)?;
    let procedures: Vec<StarterProcedure> = serde_json::from_str(PROCEDURES)?;
    let plans: Vec<StarterPlan> = serde_json::from_str(PLANS)?;
    db.write_blocking(&Actor::system(), |tx| {
        lock(tx)?;
        // Another node may have been first.
        if is_seeded(tx.conn)? {
            return Ok(tx.unchanged(()));
        }
        let facts = plan_attack(tx.conn, &release, &[], Missing::Keep)?;
        write_attack(tx, &release, &[], &facts)?;
        diesel::insert_into(terms::table)
            .values((
                terms::id.eq(uuid::Uuid::now_v7()),
                terms::key.eq("attack-enterprise"),
                terms::name.eq("MITRE ATT&CK for Enterprise"),
                terms::short_name.eq("ATT&CK"),
                terms::description.eq(
                    "What intruders want (tactics) and how they go about it (techniques), from observed \
                        intrusions.",
                ),
            ))
            .execute(tx.conn)?;
        let (repository, _) = ensure_repository(tx, &STARTER)?;
        let procedures: Vec<_> =
            procedures.into_iter().map(|procedure| (procedure.key, procedure.body)).collect();
        let starter = Incoming {
            procedures: &procedures,
            held: &[],
            held_techniques: &[],
            missing: Missing::Keep,
            origin: "",
        };
        let plan = plan_procedures(tx.conn, Some(repository), &starter)?;
        write_procedures(tx, repository, &starter, &plan, &|_, _| false)?;
        seed_plans(tx, &plans)?;
        let sentence = format!(
            "Set up the starter library: MITRE ATT&CK {}, {} procedures, {} test plans",
            release.version,
            plan.changes.added.len(),
            plans.len()
        );
        tx.audited(
            (),
            Event::new(Kind::LibraryImported, sentence).subject("repository", repository.0, STARTER.name),
        )
    })
}

fn is_seeded(conn: &mut PgConnection) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(repositories::table.filter(repositories::key.eq(STARTER.key))))
        .get_result(conn)?)
}

fn seed_plans(tx: &mut WriteTx<'_>, plans: &[StarterPlan]) -> Result<()> {
    use crate::kernel::db::schema::library_procedures;
    let ids: std::collections::HashMap<String, LibraryProcedureId> = library_procedures::table
        .inner_join(repositories::table)
        .filter(repositories::key.eq(STARTER.key))
        .select((library_procedures::source_key, library_procedures::id))
        .load(tx.conn)?
        .into_iter()
        .collect();
    let now = tx.now();
    let (mut heads, mut rows, mut made) = (Vec::new(), Vec::new(), Vec::new());
    for plan in plans {
        let id = TestPlanId::new();
        heads.push((
            test_plans::id.eq(id),
            test_plans::key.eq(&plan.key),
            test_plans::title.eq(&plan.title),
            test_plans::description.eq(&plan.description),
            test_plans::tags.eq(&plan.tags),
            test_plans::created_at.eq(now),
            test_plans::updated_at.eq(now),
        ));
        for (position, key) in (1i32..).zip(&plan.procedures) {
            let procedure = ids.get(key).ok_or_else(|| {
                Error::Internal(anyhow::anyhow!("{} names the unknown procedure {key}", plan.key))
            })?;
            rows.push((
                test_plan_procedures::test_plan_id.eq(id),
                test_plan_procedures::position.eq(position),
                test_plan_procedures::procedure_id.eq(procedure),
            ));
        }
        made.push(id);
    }
    diesel::insert_into(test_plans::table).values(heads).execute_anew(tx.conn)?;
    diesel::insert_into(test_plan_procedures::table).values(rows).execute_anew(tx.conn)?;
    revisions::note(tx, &made)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_starter_library_agrees_with_itself() {
        let release = AttackRelease::from_starter_json(ATTACK).unwrap();
        let procedures: Vec<StarterProcedure> = serde_json::from_str(PROCEDURES).unwrap();
        let plans: Vec<StarterPlan> = serde_json::from_str(PLANS).unwrap();
        let techniques: std::collections::HashMap<_, _> =
            release.techniques.iter().map(|t| (t.external_id.as_str(), t)).collect();
        let keys: HashSet<_> = procedures.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(keys.len(), procedures.len());
        assert!(plans.iter().flat_map(|plan| &plan.procedures).all(|key| keys.contains(key.as_str())));
        let used: Vec<_> = procedures.iter().flat_map(|p| &p.body.technique_ids).collect();
        for id in &used {
            assert!(techniques.contains_key(id.as_str()), "{id} is no technique of the starter release");
        }
        let tactics: HashSet<_> = used.iter().flat_map(|id| &techniques[id.as_str()].tactics).collect();
        assert!(tactics.len() >= 8);
        for procedure in &procedures {
            let declared: HashSet<_> = procedure.body.inputs.iter().map(|input| input.name.clone()).collect();
            let missing: Vec<_> =
                procedure.body.placeholders().into_iter().filter(|name| !declared.contains(name)).collect();
            assert!(missing.is_empty(), "{} uses {missing:?} without declaring them", procedure.key);
        }
    }
}

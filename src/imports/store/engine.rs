//! The one engine behind the command line and the pages: what a source would change in the library, and doing
//! it in one transaction.

use std::collections::HashMap;

use super::exchange;
pub use super::target::Target;
pub use super::target::settle;
use super::target::{Applied, agreed, strangers};
use crate::imports::atomics::Atomics;
use crate::imports::attack::Attack;
use crate::imports::domain::ImportError;
use crate::imports::outcome::Takes;
use crate::imports::preview::{Change, Preview, ShownField, Verdict};
use crate::imports::source::Content;
use crate::imports::store::releases::release_changes;
use crate::kernel::base::error::Result;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::library::changes::{Changes, Counts, Missing};
use crate::library::repository;
use crate::library::store::curated::{
    AttackPlan, Curated, ensure_repository, find_repository, lock, plan_attack, write_attack,
};
use crate::library::store::incoming::{Before, Incoming, ProcedurePlan, plan_procedures, write_procedures};

/// Where the tests of Atomic Red Team live.
pub(crate) const ATOMIC_RED_TEAM: Curated = Curated {
    key: "atomic-red-team",
    name: "Atomic Red Team",
    short_name: "Atomic",
    prefix: "ATOMIC",
    description: "Tests of the Atomic Red Team project, imported as they are published. Read-only: the next \
        import would undo a change.",
};

/// What [`apply`] would do.
///
/// # Errors
/// [`Error::Refused`] for what the library cannot take.
pub fn preview(conn: &mut PgConnection, content: &Content, target: Target) -> Result<Preview> {
    match content {
        Content::Attack(attack) => preview_attack(conn, attack, target.missing),
        Content::Atomics(atomics) => preview_atomics(conn, atomics, target),
        Content::Plan(_) | Content::Layer(_) | Content::Archive(_) => {
            exchange::preview(conn, content, &target)
        }
    }
}

/// Writes what was read; `outline` is that of the preview which somebody agreed to. The caller audits.
///
/// # Errors
/// As [`preview`]; [`Error::Conflict`] when the library has changed since the preview.
pub(crate) fn apply(
    tx: &mut WriteTx<'_>,
    content: &Content,
    target: Target,
    takes: &Takes,
    outline: Option<&[u8]>,
) -> Result<Applied> {
    lock(tx)?;
    match content {
        Content::Attack(attack) => apply_attack(tx, attack, target.missing, outline),
        Content::Atomics(atomics) => apply_atomics(tx, atomics, target, takes, outline),
        Content::Plan(_) | Content::Layer(_) | Content::Archive(_) => {
            exchange::apply(tx, content, &target, takes, outline)
        }
    }
}

pub(super) fn incoming(atomics: &Atomics, missing: Missing) -> Incoming<'_> {
    Incoming {
        procedures: &atomics.procedures,
        held: &atomics.refused_keys,
        held_techniques: &atomics.refused_techniques,
        missing,
        origin: repository::ATOMIC_RED_TEAM,
    }
}

pub(super) fn preview_atomics(conn: &mut PgConnection, atomics: &Atomics, target: Target) -> Result<Preview> {
    let repository = match target.repository {
        Some(repository) => Some(repository),
        None => find_repository(conn, &ATOMIC_RED_TEAM)?,
    };
    let plan = plan_procedures(conn, repository, &incoming(atomics, target.missing))?;
    let strangers = strangers_of(conn, atomics)?;
    Ok(of_procedures(atomics, &plan, strangers))
}

fn apply_atomics(
    tx: &mut WriteTx<'_>,
    atomics: &Atomics,
    target: Target,
    takes: &Takes,
    outline: Option<&[u8]>,
) -> Result<Applied> {
    let (repository, made) = match target.repository {
        Some(repository) => (repository, false),
        None => ensure_repository(tx, &ATOMIC_RED_TEAM)?,
    };
    let incoming = incoming(atomics, target.missing);
    let plan = plan_procedures(tx.conn, Some(repository), &incoming)?;
    let strangers = strangers_of(tx.conn, atomics)?;
    let mut preview = of_procedures(atomics, &plan, strangers);
    agreed(&preview, outline)?;
    let acts = write_procedures(tx, repository, &incoming, &plan, &|key, field| takes.takes(key, field))?;
    // What is only noted is written too, though no count tells of it.
    let made = made || !acts.is_empty();
    let mut by_key: HashMap<&str, (uuid::Uuid, Before)> =
        acts.iter().map(|act| (act.key.as_str(), (act.id.0, act.before))).collect();
    for change in preview.changes.iter_mut().filter(|change| change.verdict.is_change()) {
        if let Some((id, before)) = by_key.remove(change.key.as_str()) {
            change.subject = Some(id);
            change.before = Some(serde_json::to_value(before)?);
        }
    }
    settle(&mut preview, takes);
    Ok(Applied { preview, repository: Some(repository), version: None, made, event: None })
}

fn of_procedures(atomics: &Atomics, plan: &ProcedurePlan, strangers: Vec<Change>) -> Preview {
    let read: HashMap<&str, String> = atomics
        .procedures
        .iter()
        .map(|(key, body)| (key.as_str(), format!("{} {}", body.technique_ids.join(", "), body.name)))
        .collect();
    let label = |key: &str| match (read.get(key), plan.name(key)) {
        (Some(label), _) => format!("{label} ({key})"),
        (None, name) => format!("{} ({key})", name.unwrap_or_default()),
    };
    let mut changes = placed(&atomics.refused, &[]);
    let subject = |key: &str| plan.stored.get(key).map(|row| row.id.0);
    let mut say = |verdict: Verdict, keys: &[String]| {
        for key in keys {
            let mut change = Change::new(verdict, key.clone(), label(key));
            change.subject = subject(key);
            if let Some(compared) = plan.compared.get(key) {
                if compared.conflicts().next().is_some() && verdict == Verdict::Changed {
                    change.verdict = Verdict::Conflict;
                }
                change.detail.fields = compared.told().map(ShownField::from).collect();
            }
            changes.push(change);
        }
    };
    say(Verdict::Changed, &plan.changes.changed);
    say(Verdict::Added, &plan.changes.added);
    say(Verdict::Withdrawn, &plan.changes.withdrawn);
    say(Verdict::Kept, &plan.changes.kept);
    changes.extend(strangers);
    changes.extend(placed(&[], &atomics.warnings));
    let skipped = atomics.skipped.iter();
    changes.extend(skipped.map(|skipped| {
        Change::placed(Verdict::Warning, &ImportError::file(&skipped.file, skipped.reason.clone()))
    }));
    finish(plan.changes.counts(atomics.refused.len()), changes)
}

fn strangers_of(conn: &mut PgConnection, atomics: &Atomics) -> Result<Vec<Change>> {
    let bodies = atomics.procedures.iter().map(|(_, body)| body);
    let named: Vec<(&str, &str)> = bodies
        .flat_map(|body| body.technique_ids.iter().map(|id| (id.as_str(), body.name.as_str())))
        .collect();
    strangers(conn, &named, ("test names", "tests name"))
}

fn placed(refused: &[ImportError], warnings: &[ImportError]) -> Vec<Change> {
    let refused = refused.iter().map(|place| Change::placed(Verdict::Refused, place));
    refused.chain(warnings.iter().map(|place| Change::placed(Verdict::Warning, place))).collect()
}

fn finish(counts: Counts, changes: Vec<Change>) -> Preview {
    let stored = counts.changed + counts.withdrawn + counts.unchanged + counts.kept;
    let mut preview = Preview { counts, changes, stored };
    // What the source says stays in its order; what it does not hold has none.
    preview.changes.sort_by_cached_key(|change| match change.verdict {
        Verdict::Withdrawn | Verdict::Kept => change.label.clone(),
        _ => String::new(),
    });
    preview.sort();
    preview
}

pub(super) fn preview_attack(conn: &mut PgConnection, attack: &Attack, missing: Missing) -> Result<Preview> {
    let plan = plan_attack(conn, &attack.release, &attack.groups, missing)?;
    let mut preview = of_release(attack, &plan);
    preview.changes.extend(release_changes(conn, &attack.release)?);
    preview.sort();
    Ok(preview)
}

fn apply_attack(
    tx: &mut WriteTx<'_>,
    attack: &Attack,
    missing: Missing,
    outline: Option<&[u8]>,
) -> Result<Applied> {
    let plan = plan_attack(tx.conn, &attack.release, &attack.groups, missing)?;
    let mut preview = of_release(attack, &plan);
    preview.changes.extend(release_changes(tx.conn, &attack.release)?);
    preview.sort();
    agreed(&preview, outline)?;
    let mut before = write_attack(tx, &attack.release, &attack.groups, &plan)?;
    for change in preview.changes.iter_mut().filter(|change| change.verdict.is_change()) {
        change.before = Some(before.remove(&change.key).unwrap_or(serde_json::Value::Null));
    }
    let version = Some(attack.release.version.clone());
    Ok(Applied { preview, repository: None, version, made: false, event: None })
}

/// Which keys of a comparison a verdict is said of.
type KeysOf = fn(&Changes) -> &Vec<String>;

fn of_release(attack: &Attack, plan: &AttackPlan) -> Preview {
    let release = &attack.release;
    let mut names: HashMap<&str, &str> =
        plan.names.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
    names.extend(release.tactics.iter().map(|t| (t.external_id.as_str(), t.name.as_str())));
    names.extend(release.techniques.iter().map(|t| (t.external_id.as_str(), t.name.as_str())));
    names.extend(attack.groups.iter().map(|g| (g.external_id.as_str(), g.name.as_str())));
    let label = |id: &String| match names.get(id.as_str()) {
        Some(name) => format!("{id} {name}"),
        None => id.clone(),
    };
    let mut changes = placed(&attack.refused, &attack.warnings);
    let all = [&plan.tactics, &plan.techniques, &plan.groups];
    let lists: [(Verdict, KeysOf); 4] = [
        (Verdict::Changed, |changes| &changes.changed),
        (Verdict::Added, |changes| &changes.added),
        (Verdict::Withdrawn, |changes| &changes.withdrawn),
        (Verdict::Kept, |changes| &changes.kept),
    ];
    for (verdict, keys) in lists {
        for id in all.into_iter().flat_map(keys) {
            changes.push(Change::new(verdict, id.clone(), label(id)));
        }
    }
    let mut counts = Counts { refused: attack.refused.len(), ..Counts::default() };
    for part in all.map(|changes| changes.counts(0)) {
        counts.added += part.added;
        counts.changed += part.changed;
        counts.withdrawn += part.withdrawn;
        counts.unchanged += part.unchanged;
        counts.kept += part.kept;
    }
    finish(counts, changes)
}

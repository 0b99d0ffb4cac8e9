//! What a source holds goes into the library in one transaction, and the audit log says what that changed.

use super::atomics::Atomics;
use super::attack::Attack;
use crate::kernel::base::error::Result;
use crate::kernel::db::Db;
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::library::changes::{Changes, Counts, Missing};
use crate::library::store::curated::{
    Curated, Incoming, ensure_repository, find_repository, lock, plan_attack, plan_procedures, write_attack,
    write_procedures,
};

/// Where the tests of Atomic Red Team live.
pub(crate) const ATOMIC_RED_TEAM: Curated = Curated {
    key: "atomic-red-team",
    name: "Atomic Red Team",
    short_name: "Atomic",
    prefix: "ATOMIC",
    description: "Tests of the Atomic Red Team project, imported as they are published. Read-only: the next \
        import would undo a change.",
};

/// What an import would change, by what people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    pub counts: Counts,
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub withdrawn: Vec<String>,
    /// In the library and not in the source.
    pub kept: Vec<String>,
}

impl Preview {
    fn of(changes: &[&Changes], counts: Counts, label: impl Fn(&String) -> String) -> Self {
        let labels = |keys: fn(&Changes) -> &Vec<String>| {
            changes.iter().flat_map(|changes| keys(changes)).map(&label).collect()
        };
        Self {
            counts,
            added: labels(|changes| &changes.added),
            changed: labels(|changes| &changes.changed),
            withdrawn: labels(|changes| &changes.withdrawn),
            kept: labels(|changes| &changes.kept),
        }
    }
}

/// Tactics and techniques count together.
fn attack_counts(attack: &Attack, tactics: &Changes, techniques: &Changes) -> Counts {
    let (a, b) = (tactics.counts(0), techniques.counts(attack.refused.len()));
    Counts {
        added: a.added + b.added,
        changed: a.changed + b.changed,
        withdrawn: a.withdrawn + b.withdrawn,
        unchanged: a.unchanged + b.unchanged,
        refused: b.refused,
        kept: a.kept + b.kept,
    }
}

/// What [`apply_attack`] would do.
///
/// # Errors
/// As [`apply_attack`].
pub fn preview_attack(db: &Db, attack: &Attack, missing: Missing) -> Result<Preview> {
    db.read_blocking(|conn| {
        let plan = plan_attack(conn, &attack.release, missing)?;
        let release = &attack.release;
        let mut names = plan.names;
        names.extend(release.tactics.iter().map(|t| (t.external_id.clone(), t.name.clone())));
        names.extend(release.techniques.iter().map(|t| (t.external_id.clone(), t.name.clone())));
        let counts = attack_counts(attack, &plan.tactics, &plan.techniques);
        Ok(Preview::of(&[&plan.tactics, &plan.techniques], counts, |id| {
            names.get(id).map_or_else(|| id.clone(), |name| format!("{id} {name}"))
        }))
    })
}

/// What [`apply_atomics`] would do.
///
/// # Errors
/// When the database refuses.
pub fn preview_atomics(db: &Db, atomics: &Atomics, missing: Missing) -> Result<Preview> {
    db.read_blocking(|conn| {
        let repository = find_repository(conn, &ATOMIC_RED_TEAM)?;
        let plan = plan_procedures(conn, repository, &incoming(atomics, missing))?;
        let read: std::collections::HashMap<&str, String> = atomics
            .procedures
            .iter()
            .map(|(key, body)| (key.as_str(), format!("{} {}", body.technique_ids.join(", "), body.name)))
            .collect();
        Ok(Preview::of(&[&plan.changes], plan.changes.counts(atomics.refused.len()), |key| {
            let name = read.get(key.as_str()).map(String::as_str).or_else(|| plan.name(key));
            format!("{} ({key})", name.unwrap_or_default())
        }))
    })
}

fn incoming(atomics: &Atomics, missing: Missing) -> Incoming<'_> {
    Incoming { procedures: &atomics.procedures, held: &atomics.refused_keys, missing }
}

/// Writes a release of ATT&CK. Other releases stay as they are, and so does what this one no longer holds,
/// unless `missing` says otherwise.
///
/// # Errors
/// [`Error::Refused`](crate::kernel::base::error::Error::Refused) for another domain than Enterprise, a
/// version that cannot be told from a stored one, or a tactic whose short name one that stays has.
pub fn apply_attack(db: &Db, actor: &Actor, attack: &Attack, missing: Missing) -> Result<Counts> {
    let release = &attack.release;
    db.write_blocking(actor, |tx| {
        lock(tx)?;
        let plan = write_attack(tx, release, missing)?;
        let counts = attack_counts(attack, &plan.tactics, &plan.techniques);
        if counts.changes_nothing() {
            return Ok(tx.unchanged(counts));
        }
        let sentence = format!("Imported MITRE ATT&CK {}: {counts}", release.version);
        let detail = serde_json::json!({
            "source": "attack",
            "version": release.version,
            "counts": counts_json(&counts),
        });
        tx.audited(counts, Event::new(Kind::LibraryImported, sentence).detail(detail))
    })
}

/// Writes the tests of Atomic Red Team into their repository. What the source does not hold stays, unless
/// `missing` says that it is withdrawn; withdrawn tests stay where test plans and engagements name them.
///
/// # Errors
/// When the database refuses; nothing is then written.
pub fn apply_atomics(db: &Db, actor: &Actor, atomics: &Atomics, missing: Missing) -> Result<Counts> {
    db.write_blocking(actor, |tx| {
        lock(tx)?;
        let (repository, is_new) = ensure_repository(tx, &ATOMIC_RED_TEAM)?;
        let changes = write_procedures(tx, repository, &incoming(atomics, missing))?;
        let counts = changes.counts(atomics.refused.len());
        if !is_new && counts.changes_nothing() {
            return Ok(tx.unchanged(counts));
        }
        let sentence = format!("Imported {}: {counts}", ATOMIC_RED_TEAM.name);
        let event = Event::new(Kind::LibraryImported, sentence)
            .subject("repository", repository.0, ATOMIC_RED_TEAM.name)
            .detail(serde_json::json!({ "source": "atomics", "counts": counts_json(&counts) }));
        tx.audited(counts, event)
    })
}

fn counts_json(counts: &Counts) -> serde_json::Value {
    let Counts { added, changed, withdrawn, unchanged, refused, kept } = counts;
    serde_json::json!({
        "added": added,
        "changed": changed,
        "withdrawn": withdrawn,
        "unchanged": unchanged,
        "refused": refused,
        "kept": kept,
    })
}

//! What a source holds goes into the library in one transaction, and the audit log says what that changed.

use super::atomics::Atomics;
use crate::kernel::base::error::Result;
use crate::kernel::db::Db;
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::library::changes::Counts;
use crate::library::domain::AttackRelease;
use crate::library::store::curated::{Curated, ensure_repository, lock, write_attack, write_procedures};

/// Where the tests of Atomic Red Team live.
pub(crate) const ATOMIC_RED_TEAM: Curated = Curated {
    key: "atomic-red-team",
    name: "Atomic Red Team",
    short_name: "Atomic",
    description: "Tests of the Atomic Red Team project, imported as they are published. Read-only: the next \
        import would undo a change.",
};

/// Writes a release of ATT&CK. Other releases stay as they are. Tactics and techniques count together.
///
/// # Errors
/// [`Error::Refused`] for another domain than Enterprise or a version that cannot be told from a stored one.
pub fn apply_attack(db: &Db, actor: &Actor, release: &AttackRelease) -> Result<Counts> {
    db.write_blocking(actor, |tx| {
        lock(tx)?;
        let counts = write_attack(tx, release)?;
        if counts == (Counts { unchanged: counts.unchanged, ..Counts::default() }) {
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

/// Writes the tests of Atomic Red Team into their repository. What the source no longer holds is withdrawn
/// and stays where test plans and engagements name it.
///
/// # Errors
/// When the database refuses; nothing is then written.
pub fn apply_atomics(db: &Db, actor: &Actor, atomics: &Atomics) -> Result<Counts> {
    db.write_blocking(actor, |tx| {
        lock(tx)?;
        let (repository, is_new) = ensure_repository(tx, &ATOMIC_RED_TEAM)?;
        let changes = write_procedures(tx, repository, &atomics.procedures)?;
        let counts = changes.counts(atomics.refused.len());
        if !is_new && counts.added + counts.changed + counts.withdrawn == 0 {
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
    let Counts { added, changed, withdrawn, unchanged, refused } = counts;
    serde_json::json!({
        "added": added,
        "changed": changed,
        "withdrawn": withdrawn,
        "unchanged": unchanged,
        "refused": refused,
    })
}

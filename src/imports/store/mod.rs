//! SQL of imports: the engine that compares and writes, the rows that are kept of each, taking one back,
//! copies of what an import changed, and releases of ATT&CK beside each other.

pub mod copies;
pub mod engine;
mod exchange;
pub mod releases;
pub mod runs;
pub mod target;
pub mod undo;

use super::atomics::Atomics;
use super::attack::Attack;
use super::outcome::Takes;
use super::preview::Preview;
use super::source::Content;
use crate::kernel::base::error::Result;
use crate::kernel::db::Db;
use crate::kernel::event::domain::Actor;
use crate::library::changes::{Counts, Missing};
use engine::Target;

/// What [`apply_attack`] would do.
///
/// # Errors
/// As [`apply_attack`].
pub fn preview_attack(db: &Db, attack: &Attack, missing: Missing) -> Result<Preview> {
    db.read_blocking(|conn| engine::preview_attack(conn, attack, missing))
}

/// What [`apply_atomics`] would do.
///
/// # Errors
/// When the database refuses.
pub fn preview_atomics(db: &Db, atomics: &Atomics, missing: Missing) -> Result<Preview> {
    db.read_blocking(|conn| engine::preview_atomics(conn, atomics, Target::of_source(missing)))
}

/// Writes a release of ATT&CK. Other releases stay as they are, and so does what this one no longer holds,
/// unless `missing` says otherwise.
///
/// # Errors
/// [`Error::Refused`](crate::kernel::base::error::Error::Refused) for another domain than Enterprise, a
/// version that cannot be told from a stored one, or a tactic whose short name one that stays has.
pub fn apply_attack(db: &Db, actor: &Actor, attack: &Attack, missing: Missing) -> Result<Counts> {
    let content = Content::Attack(attack.clone());
    runs::import_now(db, actor, "ATT&CK", &content, Target::of_source(missing), &Takes::new())
}

/// Writes the tests of Atomic Red Team into their repository. What the source does not hold stays, unless
/// `missing` says that it is withdrawn; withdrawn tests stay where test plans and engagements name them.
///
/// # Errors
/// When the database refuses; nothing is then written.
pub fn apply_atomics(db: &Db, actor: &Actor, atomics: &Atomics, missing: Missing) -> Result<Counts> {
    let content = Content::Atomics(atomics.clone());
    runs::import_now(db, actor, "Atomic Red Team", &content, Target::of_source(missing), &Takes::new())
}

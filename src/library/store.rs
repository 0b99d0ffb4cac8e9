//! SQL of the library.

use crate::db::Db;
use crate::error::Result;

/// Puts the starter library into an empty one.
pub fn seed_starter(_db: &Db) -> Result<()> {
    Ok(())
}

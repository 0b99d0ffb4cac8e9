//! SQL of ATT&CK releases.

use diesel::prelude::*;

use crate::db::schema::{attack_versions, tactics};
use crate::error::Result;

/// The newest release: what library pages show and new engagements pin.
pub fn highest_version(conn: &mut PgConnection) -> Result<String> {
    Ok(attack_versions::table.order(attack_versions::rank.desc()).select(attack_versions::version).first(conn)?)
}

/// A tactic of a release.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = tactics, check_for_backend(diesel::pg::Pg))]
pub struct Tactic {
    /// `TA0006`
    pub external_id: String,
    /// `credential-access`; what techniques name.
    pub short_name: String,
    /// `Credential Access`
    pub name: String,
    /// 0 is the leftmost column of the matrix.
    pub position: i32,
}

/// The tactics of a release, in the order of the matrix.
pub fn list_tactics(conn: &mut PgConnection, version: &str) -> Result<Vec<Tactic>> {
    Ok(tactics::table.filter(tactics::version.eq(version)).order(tactics::position).select(Tactic::as_select()).load(conn)?)
}

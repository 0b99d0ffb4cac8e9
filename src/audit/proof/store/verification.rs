//! SQL of the verifications that the server makes by itself: their rows, and who is told of a fault.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::accounts::domain::AccountStatus;
use crate::kernel::authz::Permission;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{audit_verifications, people, person_roles, role_permissions};

/// How many rows are kept.
const KEPT: i64 = 400;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = audit_verifications)]
#[diesel(treat_none_as_null = true)]
pub struct Verification {
    pub id: Uuid,
    pub started_at: DateTime<Utc>,
    /// None while it runs, and where its process ended first.
    pub finished_at: Option<DateTime<Utc>>,
    /// Events that were looked at; rises while it runs.
    pub events: i64,
    pub seals: i64,
    pub unsealed: i64,
    /// Number and digest of the newest seal.
    pub last_seal: Option<i64>,
    pub last_digest: Option<Vec<u8>>,
    /// What does not hold, a line for each thing.
    pub fault: Option<String>,
    /// Why it cannot be told whether the log holds.
    pub obstacle: Option<String>,
    /// A line for each thing that its reader should know.
    pub notes: String,
}

impl Verification {
    pub fn begun(at: DateTime<Utc>) -> Self {
        Self {
            id: Uuid::now_v7(),
            started_at: at,
            finished_at: None,
            events: 0,
            seals: 0,
            unsealed: 0,
            last_seal: None,
            last_digest: None,
            fault: None,
            obstacle: None,
            notes: String::new(),
        }
    }

    /// Whether it came to a result, whichever.
    pub fn is_decided(&self) -> bool {
        self.finished_at.is_some() && self.obstacle.is_none()
    }
}

/// The newest ones before `now`, the newest first.
pub fn list_last(conn: &mut PgConnection, now: DateTime<Utc>, limit: i64) -> Result<Vec<Verification>> {
    Ok(audit_verifications::table
        .filter(audit_verifications::started_at.le(now))
        .order((audit_verifications::started_at.desc(), audit_verifications::id.desc()))
        .limit(limit)
        .select(Verification::as_select())
        .load(conn)?)
}

/// The newest that came to a result, of those before `now`: a row of the time to come would keep the job from
/// its work.
pub fn find_last_decided(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Option<Verification>> {
    Ok(audit_verifications::table
        .filter(audit_verifications::finished_at.is_not_null().and(audit_verifications::obstacle.is_null()))
        .filter(audit_verifications::started_at.le(now))
        .order((audit_verifications::started_at.desc(), audit_verifications::id.desc()))
        .select(Verification::as_select())
        .first(conn)
        .optional()?)
}

/// Adds the row of one that begins. Who holds the claim knows that no other runs: rows without an end were
/// left by processes that are gone.
pub fn insert(conn: &mut PgConnection, one: &Verification) -> Result<()> {
    diesel::delete(audit_verifications::table.filter(audit_verifications::finished_at.is_null()))
        .execute(conn)?;
    let old: Vec<Uuid> = audit_verifications::table
        .order((audit_verifications::started_at.desc(), audit_verifications::id.desc()))
        .offset(KEPT)
        .select(audit_verifications::id)
        .load(conn)?;
    diesel::delete(audit_verifications::table.filter(audit_verifications::id.eq_any(old))).execute(conn)?;
    diesel::insert_into(audit_verifications::table)
        .values((audit_verifications::id.eq(one.id), audit_verifications::started_at.eq(one.started_at)))
        .execute(conn)?;
    Ok(())
}

/// Keeps how far it came.
pub fn save_progress(conn: &mut PgConnection, id: Uuid, events: i64) -> Result<()> {
    diesel::update(audit_verifications::table.find(id))
        .set(audit_verifications::events.eq(events))
        .execute(conn)?;
    Ok(())
}

/// Keeps what it found.
pub fn save(conn: &mut PgConnection, one: &Verification) -> Result<()> {
    diesel::update(audit_verifications::table.find(one.id)).set(one).execute(conn)?;
    Ok(())
}

/// Whom a fault concerns: who may read the whole log. That are administrators, and auditors beside them.
pub fn list_readers(conn: &mut PgConnection) -> Result<Vec<PersonId>> {
    Ok(people::table
        .inner_join(person_roles::table.on(person_roles::person_id.eq(people::id)))
        .inner_join(role_permissions::table.on(role_permissions::role_id.eq(person_roles::role_id)))
        .filter(role_permissions::permission.eq(Permission::AuditLogRead.as_str()))
        .filter(people::deleted_at.is_null().and(people::status.eq(AccountStatus::Active)))
        .select(people::id)
        .distinct()
        .load(conn)?)
}

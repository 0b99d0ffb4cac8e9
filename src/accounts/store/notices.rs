//! SQL of notices: what somebody should know without looking for it, written in the transaction of whoever
//! acted.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, PersonId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::notices;

/// A notice about to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    pub person: PersonId,
    /// Whose client's affair it is: without access to it the notice does not show. None where it is the
    /// installation's.
    pub client: Option<ClientId>,
    pub text: String,
    /// Where to look, a path of this app.
    pub href: String,
}

/// A notice that was not read yet.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = notices)]
pub struct Notice {
    pub id: Uuid,
    pub text: String,
    pub href: String,
    pub at: DateTime<Utc>,
}

/// Gives notices. Whoever acts needs none of their own act, and nobody gets the same one twice.
///
/// # Errors
/// When the database refuses.
pub fn give(tx: &mut WriteTx<'_>, mut new: Vec<NewNotice>) -> Result<()> {
    let (at, actor) = (tx.now(), tx.actor().id);
    new.retain(|notice| Some(notice.person) != actor);
    new.sort_by(|a, b| (a.person, &a.text).cmp(&(b.person, &b.text)));
    new.dedup();
    let rows: Vec<_> = new
        .iter()
        .map(|notice| {
            (
                notices::id.eq(Uuid::now_v7()),
                notices::person_id.eq(notice.person),
                notices::client_id.eq(notice.client),
                notices::text.eq(&notice.text),
                notices::href.eq(&notice.href),
                notices::at.eq(at),
            )
        })
        .collect();
    diesel::insert_into(notices::table).values(rows).execute_anew(tx.conn)?;
    Ok(())
}

/// Everybody's unread notices about something are read: what they told of is over.
///
/// # Errors
/// When the database refuses.
pub fn overtake(tx: &mut WriteTx<'_>, href: &str) -> Result<()> {
    diesel::update(notices::table.filter(notices::href.eq(href).and(notices::read_at.is_null())))
        .set(notices::read_at.eq(tx.now()))
        .execute(tx.conn)?;
    Ok(())
}

/// A person's unread notices at clients they see and of the installation, the newest first.
pub fn list_unread(
    conn: &mut PgConnection,
    person: PersonId,
    visible: &Visible,
    limit: i64,
) -> Result<Vec<Notice>> {
    Ok(notices::table
        .filter(notices::person_id.eq(person).and(notices::read_at.is_null()))
        .filter(notices::client_id.is_null().or(notices::client_id.eq_any(visible.ids())))
        .order((notices::at.desc(), notices::id.desc()))
        .limit(limit)
        .select(Notice::as_select())
        .load(conn)?)
}

/// Marks these notices of a person as read.
///
/// # Errors
/// When the database refuses.
pub fn mark_read(conn: &mut PgConnection, person: PersonId, ids: &[Uuid], at: DateTime<Utc>) -> Result<()> {
    let unread = notices::person_id.eq(person).and(notices::read_at.is_null());
    diesel::update(notices::table.filter(unread.and(notices::id.eq_any(ids))))
        .set(notices::read_at.eq(at))
        .execute(conn)?;
    Ok(())
}

//! What is typed and not saved yet, kept on the server: of any form, by where it posts to; of a procedure's
//! page, the wizard and an approval by their thing, because their pages show it by themselves.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::{count_star, sql};
use diesel::sql_types::BigInt;
use serde_json::Value;
use uuid::Uuid;

use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::drafts;

/// Drafts that a person may have at once.
const HELD: i64 = 200;
/// Their text together, in bytes.
const BYTES: i64 = 16 << 20;

/// How long a draft is kept after its last change, in days.
pub const DAYS: i64 = 14;

crate::text_enum! {
    /// What kind of thing a draft is of.
    pub enum DraftSubject {
        Procedure => "procedure", "Procedure";
        /// An engagement that is being made; the draft has an id of its own.
        Wizard => "wizard", "New engagement";
        /// Nobody keeps one at present.
        TestPlan => "test_plan", "Test plan";
        Approval => "approval", "Approval";
        Form => "form", "Form";
    }
}

/// The key of a draft.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    pub person: PersonId,
    pub of: DraftSubject,
    /// The thing, or the draft's own id where there is none yet.
    pub id: Uuid,
    /// Where a form posts to and which of its page's forms it is; empty for all other kinds.
    pub place: &'a str,
    /// The tab that keeps it, where several may.
    pub tab: &'a str,
}

impl<'a> Draft<'a> {
    /// The draft of a thing that has one draft for each person and tab.
    pub fn of_thing(person: PersonId, of: DraftSubject, id: Uuid, tab: &'a str) -> Self {
        Self { person, of, id, place: "", tab }
    }

    /// The draft of a form.
    pub fn of_form(person: PersonId, place: &'a str, tab: &'a str) -> Self {
        Self { person, of: DraftSubject::Form, id: Uuid::nil(), place, tab }
    }
}

/// The draft of a form, as it is offered again.
#[derive(Debug, Clone)]
pub struct Kept {
    pub place: String,
    pub tab: String,
    /// Names and values, in the order they were posted.
    pub fields: Vec<(String, String)>,
    pub at: DateTime<Utc>,
}

/// Keeps a draft in the place of the one before.
///
/// # Errors
/// [`Error::Refused`], with what to do, where the person's other drafts leave no room for it.
pub fn keep(conn: &mut PgConnection, draft: Draft<'_>, fields: &Value, now: DateTime<Utc>) -> Result<()> {
    let Draft { person, of, id, place, tab } = draft;
    let is_this = drafts::subject_type
        .eq(of)
        .and(drafts::subject_id.eq(id))
        .and(drafts::place.eq(place))
        .and(drafts::tab.eq(tab));
    let others = drafts::table.filter(drafts::person_id.eq(person)).filter(diesel::dsl::not(is_this));
    let size = sql::<BigInt>("coalesce(sum(octet_length(fields::text)), 0)::bigint");
    let (held, bytes): (i64, i64) = others.select((count_star(), size)).first(conn)?;
    let own = i64::try_from(fields.to_string().len()).unwrap_or(i64::MAX);
    if held >= HELD || bytes.saturating_add(own) > BYTES {
        return Err(Error::Refused(format!(
            "You have {held} drafts that are not saved, as many as are kept. Save or discard some of them."
        )));
    }
    diesel::insert_into(drafts::table)
        .values((
            drafts::person_id.eq(person),
            drafts::subject_type.eq(of),
            drafts::subject_id.eq(id),
            drafts::place.eq(place),
            drafts::tab.eq(tab),
            drafts::fields.eq(fields),
            drafts::updated_at.eq(now),
        ))
        .on_conflict((
            drafts::person_id,
            drafts::subject_type,
            drafts::subject_id,
            drafts::place,
            drafts::tab,
        ))
        .do_update()
        .set((drafts::fields.eq(fields), drafts::updated_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// The newest draft of each of these forms.
///
/// # Errors
/// When the database refuses.
pub fn list_of_forms(conn: &mut PgConnection, person: PersonId, places: &[String]) -> Result<Vec<Kept>> {
    let rows: Vec<(String, String, Value, DateTime<Utc>)> = drafts::table
        .filter(
            drafts::person_id
                .eq(person)
                .and(drafts::subject_type.eq(DraftSubject::Form))
                .and(drafts::place.eq_any(places)),
        )
        .distinct_on(drafts::place)
        .order((drafts::place, drafts::updated_at.desc()))
        .select((drafts::place, drafts::tab, drafts::fields, drafts::updated_at))
        .load(conn)?;
    rows.into_iter()
        .map(|(place, tab, fields, at)| Ok(Kept { place, tab, fields: serde_json::from_value(fields)?, at }))
        .collect()
}

/// Forgets a draft.
///
/// # Errors
/// When the database refuses.
pub fn discard(conn: &mut PgConnection, draft: Draft<'_>) -> Result<()> {
    let Draft { person, of, id, place, tab } = draft;
    diesel::delete(drafts::table.find((person, of, id, place, tab))).execute(conn)?;
    Ok(())
}

/// Forgets the drafts that nobody went on with; says how many.
///
/// # Errors
/// When the database refuses.
pub fn sweep(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<usize> {
    Ok(diesel::delete(drafts::table.filter(drafts::updated_at.lt(now - TimeDelta::days(DAYS))))
        .execute(conn)?)
}

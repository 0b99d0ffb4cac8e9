//! SQL of what was laid aside: the owner moves a row that does not belong into the log out of its way, or
//! records that an event stays as it is.

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, sql};
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use ed25519_dalek::SigningKey;

use crate::audit::proof::merkle::leaf;
use crate::audit::proof::seal::Seal;
use crate::audit::proof::set_aside::{AsideKind, SetAside, Subject};
use crate::audit::proof::store::seal as seals;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::query::prelude::*;
use crate::kernel::event::record::{Place, Record};
use crate::kernel::event::schema::{boundary_leaves, events, sealed, set_aside};

type Row = (String, String, Option<String>, String, DateTime<Utc>, Vec<u8>, Vec<u8>);

fn moved_text() -> diesel::expression::SqlLiteral<Nullable<Text>> {
    // The text of jsonb is one form for equal values: the one that was signed.
    sql("audit.set_aside.moved::text")
}

/// Every record, as it stands there; none for one that cannot be read.
pub fn list(conn: &mut PgConnection) -> Result<Vec<Option<SetAside>>> {
    let rows: Vec<Row> = set_aside::table
        .order(set_aside::id)
        .select((
            set_aside::kind,
            set_aside::subject,
            moved_text(),
            set_aside::reason,
            set_aside::at,
            set_aside::public_key,
            set_aside::signature,
        ))
        .load(conn)?;
    Ok(rows.into_iter().map(record_of).collect())
}

fn record_of((kind, which, moved, reason, at, key, signature): Row) -> Option<SetAside> {
    Some(SetAside {
        subject: Subject::parse(kind.parse::<AsideKind>().ok()?, &which)?,
        moved,
        reason,
        at,
        key: key.try_into().ok()?,
        signature: signature.try_into().ok()?,
    })
}

/// The seals that were moved, as rows of their table.
pub fn list_moved_seals(conn: &mut PgConnection) -> Result<Vec<Seal>> {
    // sql_query: a row from JSON, which diesel has no words for.
    let rows: Vec<seals::SealRow> = diesel::sql_query(
        "SELECT s.number, s.first_number, s.last_number, s.root, s.previous, s.public_key, s.signature, \
            s.cluster,
             s.through_transaction, s.through_id, \
             CASE WHEN s.at > '0001-01-01' AND s.at < '10000-01-01' THEN s.at ELSE 'epoch' END AS at
         FROM audit.set_aside a, jsonb_populate_record(NULL::audit.seals, a.moved) s \
            WHERE a.kind = 'seal' AND a.moved IS NOT NULL ORDER BY a.id",
    )
    .load(conn)?;
    rows.into_iter().map(seals::seal_of).collect()
}

/// Lays something aside, in the owner's transaction that `conn` is in; what the record holds then.
///
/// # Errors
/// A refusal where it is not there, or holds: only what does not belong into the log can be laid aside.
pub fn set_aside(
    conn: &mut PgConnection,
    key: &SigningKey,
    trusted: &[[u8; 32]],
    subject: Subject,
    reason: &str,
) -> Result<SetAside> {
    let moved = match subject {
        Subject::Seal(number) => move_seal(conn, trusted, number)?,
        Subject::Number(place) => Some(move_number(conn, place)?),
        Subject::Leaf(number) => Some(move_leaf(conn, number)?),
        Subject::Event(place) => {
            let there = events::table.filter(events::at.eq(place.at).and(events::id.eq(place.id)));
            if !diesel::select(exists(there)).get_result::<bool>(conn)? {
                return Err(absent("event"));
            }
            None
        }
    };
    let at: DateTime<Utc> = diesel::select(sql::<Timestamptz>("audit.now()")).get_result(conn)?;
    // As the database keeps it: that text is signed.
    let moved: Option<String> = match moved {
        Some(moved) => Some(
            diesel::select(sql::<Text>("(").bind::<Text, _>(moved).sql("::jsonb)::text")).get_result(conn)?,
        ),
        None => None,
    };
    let made = SetAside::sign(key, subject, moved, reason.to_owned(), at);
    let value: Option<serde_json::Value> =
        made.moved.as_deref().map(serde_json::from_str).transpose().map_err(|e| Error::Internal(e.into()))?;
    let event = subject.event();
    diesel::insert_into(set_aside::table)
        .values((
            set_aside::kind.eq(subject.kind().as_str()),
            set_aside::subject.eq(subject.which()),
            set_aside::event_at.eq(event.map(|place| place.at)),
            set_aside::event_id.eq(event.map(|place| place.id)),
            set_aside::moved.eq(value),
            set_aside::reason.eq(&made.reason),
            set_aside::at.eq(made.at),
            set_aside::public_key.eq(made.key.as_slice()),
            set_aside::signature.eq(made.signature.as_slice()),
        ))
        .execute(conn)?;
    Ok(made)
}

fn absent(what: &str) -> Error {
    Error::Refused(format!("There is no such {what} in the log."))
}

fn holds(what: &str) -> Error {
    Error::Refused(format!("{what} holds: there is nothing to set aside."))
}

/// Takes a seal out of the chain, unless it is one of ours; one of ours that bears a lower time than the one
/// before it stays, and is explained.
fn move_seal(conn: &mut PgConnection, trusted: &[[u8; 32]], number: i64) -> Result<Option<String>> {
    let seal = seals::find_seal(conn, number)?.ok_or_else(|| absent("seal"))?;
    let before = number.checked_sub(1).map(|number| seals::find_seal(conn, number)).transpose()?.flatten();
    if seal.fault_after(before.as_ref(), trusted).is_none() {
        return match before {
            Some(before) if seal.at < before.at => Ok(None),
            _ => Err(holds(&format!("Seal {number}"))),
        };
    }
    if seal.own_fault(trusted).is_none() {
        return Err(Error::Refused(format!(
            "Seal {number} was made by a key of this log. What does not fit is beside it."
        )));
    }
    // sql_query: the whole row, as JSON.
    let row: Moved =
        diesel::sql_query("DELETE FROM audit.seals s WHERE number = $1 RETURNING to_jsonb(s)::text AS row")
            .bind::<BigInt, _>(number)
            .get_result(conn)?;
    Ok(Some(row.row))
}

/// Takes a number away from an event, unless the event was sealed with it.
fn move_number(conn: &mut PgConnection, place: Place) -> Result<String> {
    let row: Option<(i64, Vec<u8>)> = sealed::table
        .find((place.at, place.id))
        .select((sealed::number, sealed::leaf))
        .first(conn)
        .optional()?;
    let (number, kept) = row.ok_or_else(|| absent("number"))?;
    let event: Option<Record> =
        events::table.find((place.at, place.id)).select(Record::as_select()).first(conn).optional()?;
    let is_its_leaf = event.is_some_and(|event| {
        let mut bytes = Vec::new();
        event.canonical(&mut bytes);
        leaf(&bytes).as_slice() == kept
    });
    let others: i64 = sealed::table.filter(sealed::number.eq(number)).count().get_result(conn)?;
    if is_its_leaf && others == 1 && seals::find_seal_over(conn, number)?.is_some() {
        return Err(holds(&format!("The number {number}")));
    }
    // sql_query: the whole row, as JSON.
    let row: Moved = diesel::sql_query(
        "DELETE FROM audit.sealed s WHERE at = $1 AND id = $2 RETURNING to_jsonb(s)::text AS row",
    )
    .bind::<Timestamptz, _>(place.at)
    .bind::<BigInt, _>(place.id)
    .get_result(conn)?;
    Ok(row.row)
}

/// Takes a leaf away that no proof needs: a batch that is here, or gone as a whole, has none beside it.
fn move_leaf(conn: &mut PgConnection, number: i64) -> Result<String> {
    let there = boundary_leaves::table.find(number);
    if !diesel::select(exists(there)).get_result::<bool>(conn)? {
        return Err(absent("leaf"));
    }
    if let Some(seal) = seals::find_seal_over(conn, number)? {
        let here: Vec<i64> = sealed::table
            .filter(sealed::number.between(seal.first, seal.last))
            .select(sealed::number)
            .load(conn)?;
        if !here.is_empty() && !here.contains(&number) {
            return Err(holds(&format!("The leaf of event number {number}")));
        }
    }
    // sql_query: the whole row, as JSON.
    let row: Moved = diesel::sql_query(
        "DELETE FROM audit.boundary_leaves s WHERE number = $1 RETURNING to_jsonb(s)::text AS row",
    )
    .bind::<BigInt, _>(number)
    .get_result(conn)?;
    Ok(row.row)
}

#[derive(QueryableByName)]
struct Moved {
    #[diesel(sql_type = Text)]
    row: String,
}

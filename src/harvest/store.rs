//! SQL of what is given back: what a client's own names are, and the writes into library and test plans.

use diesel::sql_types::{Text, Uuid as SqlUuid};

use super::domain::{Name, with_short_forms};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, LibraryProcedureId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{engagements, procedures};

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = Text)]
    term: String,
    #[diesel(sql_type = Text)]
    what: String,
}

/// The names that are a client's own: its name, its assets and their addresses, its people, and the sources
/// that this engagement's procedures were run from.
pub fn list_names(conn: &mut PgConnection, client: ClientId, engagement: EngagementId) -> Result<Vec<Name>> {
    // sql_query: five short lists at once.
    let rows: Vec<NameRow> = diesel::sql_query(
        "SELECT name AS term, 'the client' AS what FROM clients WHERE id = $1
         UNION SELECT name, 'an asset' FROM assets WHERE client_id = $1
         UNION SELECT word, 'an address' FROM assets, \
            unnest(regexp_split_to_array(address, '[\\s,;]+')) word WHERE client_id = $1
         UNION SELECT p.name, 'a person' FROM people p JOIN client_access a ON a.person_id = p.id \
            WHERE a.client_id = $1
         UNION SELECT p.email, 'a person' FROM people p JOIN client_access a ON a.person_id = p.id \
            WHERE a.client_id = $1
         UNION SELECT attack_source, 'an attack source' FROM procedures WHERE engagement_id = $2",
    )
    .bind::<SqlUuid, _>(client)
    .bind::<SqlUuid, _>(engagement)
    .load(conn)?;
    let mut names: Vec<Name> = rows
        .into_iter()
        .filter(|row| !row.term.trim().is_empty())
        .map(|row| Name { term: row.term, what: row.what })
        .collect();
    names.sort();
    Ok(with_short_forms(names))
}

/// The values that inputs have here: the procedure's own first, then the engagement's.
pub fn list_values(
    conn: &mut PgConnection,
    engagement: EngagementId,
    procedure: ProcedureId,
) -> Result<Vec<(String, String)>> {
    // sql_query: both lists in one statement.
    let rows: Vec<ValueRow> = diesel::sql_query(
        "SELECT name, value FROM (
            SELECT 1 AS place, name, value FROM procedure_inputs WHERE procedure_id = $1
            UNION ALL SELECT 2, name, value FROM engagement_inputs WHERE engagement_id = $2) of
         ORDER BY place, name",
    )
    .bind::<SqlUuid, _>(procedure)
    .bind::<SqlUuid, _>(engagement)
    .load(conn)?;
    Ok(rows.into_iter().map(|row| (row.name, row.value)).collect())
}

#[derive(QueryableByName)]
struct ValueRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    value: String,
}

/// What an engagement's procedure was copied from, and in which version.
pub fn find_origin(
    conn: &mut PgConnection,
    procedure: ProcedureId,
) -> Result<Option<(LibraryProcedureId, i32)>> {
    let (origin, version): (Option<LibraryProcedureId>, Option<i32>) = procedures::table
        .find(procedure)
        .select((procedures::origin_id, procedures::origin_version))
        .first(conn)?;
    Ok(origin.zip(version))
}

/// A procedure of an engagement: position, name, and what it was copied from.
pub type WithOrigin = (ProcedureId, i32, String, Option<LibraryProcedureId>);

/// The procedures of an engagement with their origins, in their order.
pub fn list_origins(conn: &mut PgConnection, engagement: EngagementId) -> Result<Vec<WithOrigin>> {
    Ok(procedures::table
        .filter(procedures::engagement_id.eq(engagement))
        .order(procedures::position)
        .select((procedures::id, procedures::position, procedures::name, procedures::origin_id))
        .load(conn)?)
}

/// Title, description and tags of an engagement.
pub fn get_texts(conn: &mut PgConnection, engagement: EngagementId) -> Result<[String; 3]> {
    let (title, description, tags): (String, String, Vec<String>) = engagements::table
        .find(engagement)
        .select((engagements::title, engagements::description, engagements::tags))
        .first(conn)?;
    Ok([title, description, tags.join(", ")])
}

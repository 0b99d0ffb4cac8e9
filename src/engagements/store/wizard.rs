//! The wizard's draft, and what it can start from.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::sql_types::{Array, Integer, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::engagements::domain::NewEngagement;
use crate::engagements::store::show::Own;
use crate::engagements::wizard::{Chosen, Given, Wizard};
use crate::kernel::authz::{Shelf, Visible};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, DraftId, EngagementId, PersonId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{
    clients, drafts, engagement_inputs, engagement_operators, engagements, library_procedures, procedures,
    repositories, test_plan_procedures,
};
use crate::kernel::drafts::{Draft as DraftKey, DraftSubject, keep as keep_draft};
use crate::library;
use crate::library::store::shelf::{is_seen, seen};

/// The wizard's state as the person left it.
pub fn find_draft(conn: &mut PgConnection, person: PersonId, draft: DraftId) -> Result<Option<Wizard>> {
    let fields: Option<serde_json::Value> = drafts::table
        .filter(
            drafts::person_id
                .eq(person)
                .and(drafts::subject_type.eq(DraftSubject::Wizard))
                .and(drafts::subject_id.eq(draft)),
        )
        .select(drafts::fields)
        .first(conn)
        .optional()?;
    Ok(fields.map(serde_json::from_value).transpose()?)
}

/// Keeps the wizard's state.
pub fn save_draft(
    conn: &mut PgConnection,
    person: PersonId,
    draft: DraftId,
    wizard: &Wizard,
    now: DateTime<Utc>,
) -> Result<()> {
    keep_draft(
        conn,
        DraftKey::of_thing(person, DraftSubject::Wizard, draft.0, ""),
        &serde_json::to_value(wizard)?,
        now,
    )
}

/// Takes the draft away; `false` when somebody else's click already did.
pub fn delete_draft(conn: &mut PgConnection, person: PersonId, draft: DraftId) -> Result<bool> {
    let gone = diesel::delete(
        drafts::table.filter(
            drafts::person_id
                .eq(person)
                .and(drafts::subject_type.eq(DraftSubject::Wizard))
                .and(drafts::subject_id.eq(draft)),
        ),
    )
    .execute(conn)?;
    Ok(gone > 0)
}

/// The person's newest unfinished wizard.
pub fn find_newest_draft(
    conn: &mut PgConnection,
    person: PersonId,
) -> Result<Option<(DraftId, DateTime<Utc>)>> {
    Ok(drafts::table
        .filter(drafts::person_id.eq(person).and(drafts::subject_type.eq(DraftSubject::Wizard)))
        .order(drafts::updated_at.desc())
        .select((drafts::subject_id, drafts::updated_at))
        .first(conn)
        .optional()?)
}

pub fn list_clients(conn: &mut PgConnection, at: &Visible) -> Result<Vec<(ClientId, String)>> {
    Ok(clients::table
        .filter(clients::id.eq_any(at.ids()))
        .order(clients::name)
        .select((clients::id, clients::name))
        .load(conn)?)
}

/// An engagement that a new one can start from.
#[derive(Debug, Clone, Queryable)]
pub struct Earlier {
    pub id: EngagementId,
    pub client: ClientId,
    pub client_name: String,
    pub title: String,
    pub start: Option<NaiveDate>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// Engagements at these clients that hold procedures, the newest first.
pub fn list_earlier(conn: &mut PgConnection, at: &Visible, limit: i64) -> Result<Vec<Earlier>> {
    use diesel::dsl::exists;
    Ok(engagements::table
        .inner_join(clients::table)
        .filter(
            engagements::deleted_at
                .is_null()
                .and(engagements::client_id.eq_any(at.ids()))
                .and(exists(procedures::table.filter(procedures::engagement_id.eq(engagements::id)))),
        )
        .order((engagements::created_at.desc(), engagements::id))
        .limit(limit)
        .select((
            engagements::id,
            engagements::client_id,
            clients::name,
            engagements::title,
            engagements::start_date,
            engagements::created_at,
        ))
        .load(conn)?)
}

/// What a test plan gives: its title, description, tags and the procedures that the reader knows of.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`] when it was deleted.
pub fn get_from_plan(conn: &mut PgConnection, shelf: Shelf, plan: TestPlanId) -> Result<Given> {
    let found = library::store::get_plan(conn, plan)?;
    let chosen = test_plan_procedures::table
        .inner_join(library_procedures::table.inner_join(repositories::table))
        .filter(test_plan_procedures::test_plan_id.eq(plan))
        .filter(is_seen(shelf))
        .order(test_plan_procedures::position)
        .select(test_plan_procedures::procedure_id)
        .load(conn)?;
    let details = NewEngagement {
        title: found.title,
        description: found.description,
        tags: found.tags.join(", "),
        ..NewEngagement::default()
    };
    let mut seen = Vec::new();
    for one in chosen.into_iter().map(Chosen::Library) {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    Ok(Given { key: String::new(), details, chosen: seen, ..Given::default() })
}

/// What an earlier engagement of the client gives: its texts, procedures, inputs and operators, no results.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`] when it is not there or another client's.
pub fn get_from_earlier(conn: &mut PgConnection, earlier: EngagementId, client: ClientId) -> Result<Given> {
    let own: Own = engagements::table
        .find(earlier)
        .filter(engagements::client_id.eq(client).and(engagements::deleted_at.is_null()))
        .select(Own::as_select())
        .first(conn)?;
    let chosen: Vec<_> = procedures::table
        .filter(procedures::engagement_id.eq(earlier))
        .order(procedures::position)
        .select(procedures::id)
        .load(conn)?;
    let operators = engagement_operators::table
        .inner_join(
            crate::kernel::db::schema::client_access::table.on(
                crate::kernel::db::schema::client_access::person_id
                    .eq(engagement_operators::person_id)
                    .and(crate::kernel::db::schema::client_access::client_id.eq(client)),
            ),
        )
        .filter(engagement_operators::engagement_id.eq(earlier))
        .select((engagement_operators::person_id, engagement_operators::team))
        .load(conn)?;
    let inputs: Vec<(String, String)> = engagement_inputs::table
        .filter(engagement_inputs::engagement_id.eq(earlier))
        .select((engagement_inputs::name, engagement_inputs::value))
        .load(conn)?;
    let details = NewEngagement {
        title: own.title,
        description: own.description,
        tags: own.tags.join(", "),
        objective: own.objective,
        scope: own.scope,
        access_info: own.access_info,
        special_instructions: own.special_instructions,
        observation_window: own.observation_window.as_str().to_owned(),
        ..NewEngagement::default()
    };
    Ok(Given {
        key: String::new(),
        details,
        operators,
        inputs: inputs.into_iter().collect(),
        chosen: chosen.into_iter().map(Chosen::Earlier).collect(),
    })
}

#[derive(Debug, Clone, QueryableByName)]
pub struct Picked {
    /// Its place in the selection, from 0.
    #[diesel(sql_type = Integer)]
    pub place: i32,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Array<Text>)]
    pub technique_ids: Vec<String>,
    /// "tactic technique" for each tactic that a technique stands under, in the newest release or among one's
    /// own, by short name and id.
    #[diesel(sql_type = Array<Text>)]
    pub under: Vec<String>,
}

/// Names and tactics of a selection, in its order; what is no longer there is left out.
pub fn list_picked(
    conn: &mut PgConnection,
    shelf: Shelf,
    chosen: &[Chosen],
    client: Option<ClientId>,
) -> Result<Vec<Picked>> {
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let ids = |pick: fn(&Chosen) -> Option<Uuid>| -> Vec<Option<Uuid>> { chosen.iter().map(pick).collect() };
    // sql_query: both kinds of a selection in its order, in one statement.
    Ok(diesel::sql_query(format!(
        "SELECT s.place, s.name, s.technique_ids,
            ARRAY(SELECT tactic || ' ' || q.external_id FROM techniques q CROSS \
            JOIN LATERAL unnest(q.tactics) tactic
                WHERE q.version = n.version AND q.external_id = ANY (s.technique_ids)
                UNION ALL SELECT tactic.short_name || ' ' || own.short_name FROM terms own \
                    JOIN term_parents tp ON tp.term_id = own.id JOIN terms tactic ON tactic.id = tp.parent_id
                    WHERE own.kind = 'technique' AND own.short_name = ANY (s.technique_ids)) AS under
         FROM (SELECT (c.place - 1)::int AS place, coalesce(p.name, o.name) AS name, \
         coalesce(p.technique_ids, o.technique_ids) AS technique_ids
            FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS c(library, earlier, place)
            LEFT JOIN library_procedures p ON p.id = c.library AND p.repository_id = ANY ({})
            LEFT JOIN procedures o ON o.id = c.earlier AND o.client_id = $3) s
         CROSS JOIN (SELECT version FROM attack_versions ORDER BY rank DESC LIMIT 1) n
         WHERE s.name IS NOT NULL ORDER BY s.place",
        seen(4)
    ))
    .bind::<Array<Nullable<SqlUuid>>, _>(ids(|c| if let Chosen::Library(id) = c { Some(id.0) } else { None }))
    .bind::<Array<Nullable<SqlUuid>>, _>(ids(|c| if let Chosen::Earlier(id) = c { Some(id.0) } else { None }))
    .bind::<Nullable<SqlUuid>, _>(client)
    .bind::<Nullable<SqlUuid>, _>(shelf.reader())
    .load(conn)?)
}

/// Whether an engagement of one of these clients was made under this id.
pub fn is_made(conn: &mut PgConnection, id: EngagementId, visible: &Visible) -> Result<bool> {
    use diesel::dsl::exists;
    Ok(diesel::select(exists(
        engagements::table
            .find(id)
            .filter(engagements::deleted_at.is_null().and(engagements::client_id.eq_any(visible.ids()))),
    ))
    .get_result(conn)?)
}

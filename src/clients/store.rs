//! SQL of clients. Everything is filtered by the clients that the person can see.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::{count_star, exists, max};
use diesel::sql_types::{Array, Text};

use super::domain::{ClientField, ClientText, Hanging, check_client, kept_until};
use crate::accounts::store::{give_access, renew_sessions};
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like;
use crate::kernel::db::schema::{
    assets, client_access, clients, engagement_activity, engagements, people, person_roles, reports, roles,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::history::{Subject, SubjectKind};
use crate::kernel::merge::record::{self, Record, Saved, Typed};
use crate::kernel::merge::{Change, Version};
use crate::kernel::web::permit::{CreateClient, Permit};
use crate::lifecycle::domain::EngagementStatus;

/// How many clients the list shows at most.
pub const LISTED: i64 = 200;
/// How many engagements a client's page shows at most.
pub const ENGAGEMENTS_SHOWN: i64 = 50;

diesel::define_sql_function! {
    /// Joins an array's elements.
    fn array_to_string(array: Array<Text>, separator: Text) -> Text;
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = clients, check_for_backend(diesel::pg::Pg))]
pub struct Client {
    pub id: ClientId,
    pub name: String,
    /// Markdown.
    pub description: String,
    /// Markdown.
    pub contacts: String,
    /// Lower-cased.
    pub tags: Vec<String>,
    /// Rises with every change.
    pub version: i32,
}

/// A client in the list.
#[derive(Debug, Clone, Queryable)]
pub struct Listed {
    pub id: ClientId,
    pub name: String,
    /// Lower-cased.
    pub tags: Vec<String>,
    /// How many assets it has.
    pub assets: Option<i64>,
    /// How many engagements it has that are not deleted.
    pub engagements: Option<i64>,
    pub updated_at: DateTime<Utc>,
}

/// The clients among `visible` whose name, tags or contacts contain every word of `search` and that bear
/// `tag`.
pub fn list(conn: &mut PgConnection, visible: &Visible, search: &str, tag: &str) -> Result<Vec<Listed>> {
    let mut query = clients::table
        .filter(clients::id.eq_any(visible.ids()))
        .order((clients::name, clients::id))
        .limit(LISTED)
        .select((
            clients::id,
            clients::name,
            clients::tags,
            assets::table.filter(assets::client_id.eq(clients::id)).count().single_value(),
            engagements::table
                .filter(engagements::client_id.eq(clients::id).and(engagements::deleted_at.is_null()))
                .count()
                .single_value(),
            clients::updated_at,
        ))
        .into_boxed();
    for word in search.split_whitespace().take(8) {
        let pattern = like(word);
        query = query.filter(
            clients::name
                .ilike(pattern.clone())
                .or(clients::contacts.ilike(pattern.clone()))
                .or(array_to_string(clients::tags, " ").ilike(pattern)),
        );
    }
    if !tag.is_empty() {
        query = query.filter(clients::tags.contains(vec![tag.to_owned()]));
    }
    Ok(query.load(conn)?)
}

/// A client among `visible`.
///
/// # Errors
/// [`Error::NotFound`] for any other.
pub fn get(conn: &mut PgConnection, id: ClientId, visible: &Visible) -> Result<Client> {
    Ok(clients::table
        .find(id)
        .filter(clients::id.eq_any(visible.ids()))
        .select(Client::as_select())
        .first(conn)?)
}

/// Somebody with access to a client.
#[derive(Debug, Clone, Queryable)]
pub struct Member {
    pub name: String,
    pub email: String,
    /// active, disabled, …
    pub status: String,
    /// Role that the access carries.
    pub role: String,
    /// Who gave it; none when the system did.
    pub given_by: Option<String>,
    pub given_at: DateTime<Utc>,
}

/// Who has access to a client, by name.
pub fn list_members(conn: &mut PgConnection, client: ClientId) -> Result<Vec<Member>> {
    let giver = diesel::alias!(people as giver);
    Ok(client_access::table
        .inner_join(people::table.on(people::id.eq(client_access::person_id)))
        .inner_join(roles::table.on(roles::id.eq(client_access::role_id)))
        .left_join(giver.on(giver.field(people::id).nullable().eq(client_access::given_by)))
        .filter(client_access::client_id.eq(client).and(people::deleted_at.is_null()))
        .order((people::name, people::id))
        .select((
            people::name,
            people::email,
            people::status,
            roles::name,
            giver.field(people::name).nullable(),
            client_access::given_at,
        ))
        .load(conn)?)
}

/// An engagement of a client, for the client's page.
#[derive(Debug, Clone, Queryable)]
pub struct ClientEngagement {
    pub id: EngagementId,
    pub title: String,
    pub status: EngagementStatus,
    pub start_date: Option<NaiveDate>,
    pub end_date: Option<NaiveDate>,
    /// When somebody last did something in it.
    pub last_activity: Option<DateTime<Utc>>,
}

/// The client's engagements, the most recently worked on first.
pub fn list_engagements(conn: &mut PgConnection, client: ClientId) -> Result<Vec<ClientEngagement>> {
    Ok(engagements::table
        .left_join(engagement_activity::table)
        .filter(engagements::client_id.eq(client).and(engagements::deleted_at.is_null()))
        .order((engagement_activity::at.desc().nulls_last(), engagements::id.desc()))
        .limit(ENGAGEMENTS_SHOWN)
        .select((
            engagements::id,
            engagements::title,
            engagements::status,
            engagements::start_date,
            engagements::end_date,
            engagement_activity::at.nullable(),
        ))
        .load(conn)?)
}

/// Creates a client and makes who creates it its member: as Administrator where they are one, else as Team
/// Lead.
///
/// # Errors
/// [`Error::Invalid`] when the name is taken.
pub fn insert(
    tx: &mut WriteTx<'_>,
    permit: &Permit<CreateClient>,
    text: &ClientText,
) -> Result<Audited<ClientId>> {
    let viewer = permit.viewer();
    let (id, created) = create(tx, text, Some(viewer.id))?;
    let role = if is_administrator(tx.conn, viewer.id)? { "administrator" } else { "team_lead" };
    let access = give_access(tx, id, &text.name, viewer.id, &viewer.name, role, Some(viewer.id))?;
    renew_sessions(tx.conn, viewer.id)?;
    tx.audited_all(id, &[created, access])
}

/// Writes a client to which nobody has access yet, and returns the event to be audited.
///
/// # Errors
/// [`Error::Invalid`] when the name is taken.
pub fn create(tx: &mut WriteTx<'_>, text: &ClientText, by: Option<PersonId>) -> Result<(ClientId, Event)> {
    let id = ClientId::new();
    diesel::insert_into(clients::table)
        .values((
            clients::id.eq(id),
            clients::name.eq(&text.name),
            clients::description.eq(&text.description),
            clients::contacts.eq(&text.contacts),
            clients::tags.eq(&text.tags),
            clients::created_at.eq(tx.now()),
            clients::created_by.eq(by),
            clients::updated_at.eq(tx.now()),
        ))
        .execute(tx.conn)
        .map_err(name_taken)?;
    let tags = text.tags.join(", ");
    let event = Event::new(Kind::ClientCreated, format!("Created the client “{}”", text.name))
        .subject("client", id.0, &text.name)
        .client(id)
        .changes(changes(["", "", "", ""], [&text.name, &text.description, &text.contacts, &tags]));
    Ok((id, event))
}

fn is_administrator(conn: &mut PgConnection, person: PersonId) -> Result<bool> {
    let held = person_roles::table
        .inner_join(roles::table)
        .filter(person_roles::person_id.eq(person).and(roles::key.eq("administrator")));
    Ok(diesel::select(exists(held)).get_result(conn)?)
}

crate::merge_columns! {
    Client: ClientField {
        Name => name;
        Description => description;
        Contacts => contacts;
        Tags => tags;
    }
}

impl Record for Client {
    fn subject(&self) -> Subject {
        Subject(SubjectKind::Client, self.id.0)
    }

    fn version(&self) -> Version {
        self.version
    }

    fn check(&self, field: ClientField, raw: &str) -> Result<String, String> {
        check_client(field, raw)
    }

    fn store(
        &mut self,
        tx: &mut WriteTx<'_>,
        version: Version,
        _changes: &[Change<ClientField>],
    ) -> Result<()> {
        diesel::update(clients::table.find(self.id))
            .set((
                clients::name.eq(&self.name),
                clients::description.eq(&self.description),
                clients::contacts.eq(&self.contacts),
                clients::tags.eq(&self.tags),
                clients::updated_at.eq(tx.now()),
                clients::version.eq(version),
            ))
            .execute(tx.conn)
            .map_err(name_taken)?;
        self.version = version;
        Ok(())
    }
}

/// Saves typed texts of a client. What conflicts is not stored and comes back with both values; everything
/// else is.
///
/// # Errors
/// [`Error::Invalid`] with a sentence for each text that does not hold, or when the name is taken (nothing is
/// stored).
pub fn save(
    tx: &mut WriteTx<'_>,
    id: ClientId,
    visible: &Visible,
    typed: &[Typed<ClientField>],
) -> Result<Audited<Saved<ClientField>>> {
    let mut client = lock(tx, id, visible)?;
    let saved = record::save(tx, &mut client, typed, |_| Ok(()))?;
    if !saved.changes() {
        return Ok(tx.unchanged(saved));
    }
    let event = Event::new(Kind::ClientUpdated, format!("Changed the client “{}”", client.name))
        .subject("client", id.0, &client.name)
        .client(id)
        .telling(saved.accepted.iter().map(Change::detail));
    tx.audited(saved, event)
}

pub(super) fn lock(tx: &mut WriteTx<'_>, id: ClientId, visible: &Visible) -> Result<Client> {
    Ok(clients::table
        .find(id)
        .filter(clients::id.eq_any(visible.ids()))
        .select(Client::as_select())
        .for_update()
        .first(tx.conn)?)
}

type Fields<'a> = [&'a str; 4];

fn changes<'a>(before: Fields<'a>, after: Fields<'a>) -> Vec<(&'a str, &'a str, &'a str, bool)> {
    let names = [("name", false), ("description", true), ("contacts", true), ("tags", false)];
    names
        .into_iter()
        .zip(before.into_iter().zip(after))
        .filter(|(_, (old, new))| old != new)
        .map(|((name, long), (old, new))| (name, old, new, long))
        .collect()
}

fn name_taken(error: diesel::result::Error) -> Error {
    match Error::constraint(&error) {
        // Said even where the other client is invisible: names are unique over the whole installation.
        Some("clients_name") => Error::field("name", "Another client has this name. Choose a different one."),
        _ => error.into(),
    }
}

/// What hangs on a client.
pub fn find_hanging(conn: &mut PgConnection, id: ClientId) -> Result<Hanging> {
    let all = engagements::table.filter(engagements::client_id.eq(id));
    let gone = all.filter(engagements::deleted_at.is_not_null());
    let (engagements, (deleted, last), reports, assets) = diesel::select((
        all.count().single_value(),
        (gone.count().single_value(), gone.select(max(engagements::deleted_at)).single_value()),
        reports::table
            .filter(reports::client_id.eq(id).and(reports::deleted_at.is_null()))
            .count()
            .single_value(),
        assets::table.filter(assets::client_id.eq(id)).count().single_value(),
    ))
    .get_result::<(Option<i64>, (Option<i64>, Option<DateTime<Utc>>), Option<i64>, Option<i64>)>(conn)?;
    let n = Option::unwrap_or_default;
    Ok(Hanging {
        engagements: n(engagements),
        deleted: n(deleted),
        kept_until: find_kept_until(conn, last)?,
        reports: n(reports),
        assets: n(assets),
    })
}

/// The last day on which what was deleted then is kept, as the organisation counts days.
pub(super) fn find_kept_until(
    conn: &mut PgConnection,
    deleted: Option<DateTime<Utc>>,
) -> Result<Option<NaiveDate>> {
    let Some(deleted) = deleted else { return Ok(None) };
    let zone = crate::settings::store::get(conn)?.time_zone.tz();
    Ok(Some(kept_until(deleted.with_timezone(&zone).date_naive())))
}

/// Deletes a client on which nothing hangs. Its members' access goes with it.
///
/// # Errors
/// [`Error::Refused`] with what hangs on it.
pub fn delete(tx: &mut WriteTx<'_>, id: ClientId, visible: &Visible) -> Result<Audited<String>> {
    let client = lock(tx, id, visible)?;
    if let Some(sentence) = find_hanging(tx.conn, id)?.sentence() {
        return Err(Error::Refused(sentence));
    }
    let members: i64 =
        client_access::table.filter(client_access::client_id.eq(id)).select(count_star()).first(tx.conn)?;
    diesel::delete(clients::table.find(id)).execute(tx.conn)?;
    let event = Event::new(Kind::ClientDeleted, format!("Deleted the client “{}”", client.name))
        .subject("client", id.0, &client.name)
        .client(id)
        .detail(serde_json::json!({ "members": members }));
    tx.audited(client.name, event)
}

//! SQL of repositories: lists, making, changing, copying and deleting them, and who sees and writes them.

use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use serde_json::json;

use super::revisions;
use super::shelf::{Writable, lock_one, may_write, seen};
use super::writing::copy_all;
use crate::kernel::authz::{Permission, Shelf, Visible};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{EngagementId, PersonId, RepositoryId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show::counted;
use crate::kernel::db::schema::{
    library_procedures, people, repositories, repository_people, test_plan_procedures, test_plans,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::history::{self, Subject, SubjectKind};
use crate::kernel::merge::record::{Columns, Record, Saved, Typed, save};
use crate::kernel::merge::{Change, Version};
use crate::library::domain::RepositoryType;
use crate::library::repository::{Part, RepositoryField, check};

/// A repository with the number of procedures that are neither withdrawn nor retired.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Repository {
    #[diesel(sql_type = SqlUuid)]
    pub id: RepositoryId,
    /// Set where an importer or the binary owns it.
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// What the ids of its procedures begin with: `HLF`.
    #[diesel(sql_type = Text)]
    pub prefix: String,
    #[diesel(sql_type = Text)]
    pub description: String,
    #[diesel(sql_type = Text)]
    pub kind: RepositoryType,
    #[diesel(sql_type = BigInt)]
    pub procedures: i64,
    #[diesel(sql_type = Integer)]
    pub version: i32,
    /// Whether the reader is named as one of its editors.
    #[diesel(sql_type = Bool)]
    pub is_editor: bool,
    /// Names of its editors, in alphabetical order.
    #[diesel(sql_type = Array<Text>)]
    pub editors: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    pub viewers: Vec<String>,
}

impl Repository {
    /// Whether the holder of the shelf may write in it.
    pub fn may_write(&self, shelf: Shelf) -> bool {
        may_write(shelf, self.kind, self.is_editor)
    }

    /// Who writes in it, in one line.
    pub fn who(&self) -> String {
        match self.kind {
            RepositoryType::Open => "Everyone who may change the library".to_owned(),
            RepositoryType::Curated => "Its importer".to_owned(),
            RepositoryType::Managed | RepositoryType::Private => self.editors.join(", "),
        }
    }
}

fn select(filter: &str) -> String {
    format!(
        "SELECT r.id, r.key, r.name, r.prefix, r.description, r.type AS kind, r.version,
            (SELECT count(*) FROM library_procedures p WHERE p.repository_id = r.id \
                AND p.withdrawn_at IS NULL AND p.retired_at IS NULL) AS procedures,
            EXISTS (SELECT FROM repository_people e WHERE e.repository_id = r.id AND e.person_id = $1 \
                AND e.may_edit) AS is_editor,
            ARRAY(SELECT e.name FROM repository_people m JOIN people e ON e.id = m.person_id \
                WHERE m.repository_id = r.id AND m.may_edit ORDER BY lower(e.name)) AS editors,
            ARRAY(SELECT v.name FROM repository_people m JOIN people v ON v.id = m.person_id \
                WHERE m.repository_id = r.id AND NOT m.may_edit ORDER BY lower(v.name)) AS viewers
         FROM repositories r WHERE r.id = ANY ({}) {filter} \
         ORDER BY (r.key IS NOT NULL), lower(r.name), r.id",
        seen(1)
    )
}

/// The repositories that the reader knows of: the team's own first, then those of importers, by name.
pub fn list_repositories(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<Repository>> {
    // sql_query: names and counts beside each row.
    Ok(diesel::sql_query(select("")).bind::<Nullable<SqlUuid>, _>(shelf.reader()).load(conn)?)
}

/// One of them.
///
/// # Errors
/// [`Error::NotFound`] where it is not there, or the reader does not know of it.
pub fn get_repository(conn: &mut PgConnection, shelf: Shelf, id: RepositoryId) -> Result<Repository> {
    // sql_query: names and counts beside the row.
    Ok(diesel::sql_query(select("AND r.id = $2"))
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<SqlUuid, _>(id)
        .get_result(conn)?)
}

/// Somebody who reads the library, and what they may do in a repository.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Member {
    #[diesel(sql_type = SqlUuid)]
    pub id: PersonId,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// `view`, `edit` or nothing.
    #[diesel(sql_type = Text)]
    pub part: String,
    /// Whether a role of theirs lets them change the library at all.
    #[diesel(sql_type = Bool)]
    pub edits: bool,
}

/// Who may read the library, those of the repository first; of none where it is being made.
pub fn list_members(conn: &mut PgConnection, repository: Option<RepositoryId>) -> Result<Vec<Member>> {
    // sql_query: rights come from any of a person's roles.
    let sql = "SELECT p.id, p.name,
            coalesce(CASE WHEN m.may_edit THEN 'edit' WHEN NOT m.may_edit THEN 'view' END, '') AS part,
            EXISTS (SELECT FROM person_roles h JOIN role_permissions g ON g.role_id = h.role_id \
                WHERE h.person_id = p.id AND g.permission = $3) AS edits
         FROM people p LEFT JOIN repository_people m ON m.person_id = p.id AND m.repository_id = $1
         WHERE p.deleted_at IS NULL AND (m.person_id IS NOT NULL OR EXISTS (
            SELECT FROM person_roles h JOIN role_permissions g ON g.role_id = h.role_id \
                WHERE h.person_id = p.id AND g.permission = $2))
         ORDER BY (m.person_id IS NULL), lower(p.name), p.id";
    Ok(diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(repository)
        .bind::<Text, _>(Permission::LibraryRead.as_str())
        .bind::<Text, _>(Permission::LibraryEdit.as_str())
        .load(conn)?)
}

/// A person's part in a repository as it was shown and as it was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartChange {
    pub person: PersonId,
    pub had: Option<Part>,
    pub chosen: Option<Part>,
}

/// A repository as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryText {
    pub name: String,
    pub prefix: String,
    pub description: String,
    pub kind: String,
}

fn taken(e: diesel::result::Error) -> Error {
    match Error::constraint(&e) {
        Some("repositories_name") => {
            Error::field("name", "Another repository has this name. Choose a different one.")
        }
        // Said even where the other repository is invisible: ids are unique over the whole installation.
        Some("repositories_prefix_key") => {
            Error::field("prefix", "Another repository has this prefix. Choose a different one.")
        }
        _ => e.into(),
    }
}

fn checked(typed: &RepositoryText) -> Result<[String; 4]> {
    let mut errors = crate::kernel::base::error::FieldErrors::default();
    let raw = [&typed.name, &typed.prefix, &typed.description, &typed.kind];
    let mut values: [String; 4] = Default::default();
    for ((field, raw), value) in RepositoryField::ALL.iter().zip(raw).zip(&mut values) {
        match check(*field, raw) {
            Ok(checked) => *value = checked,
            Err(sentence) => errors.add(field.as_str(), sentence),
        }
    }
    errors.done()?;
    Ok(values)
}

/// Makes a repository. Who makes it is one of its editors.
///
/// # Errors
/// [`Error::Invalid`] field by field, also where its name or prefix is taken; [`Error::Forbidden`] without
/// the right.
pub fn insert_repository(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    typed: &RepositoryText,
    parts: &[PartChange],
) -> Result<Audited<RepositoryId>> {
    let (id, event) = insert(tx, shelf, typed, parts)?;
    tx.audited(id, event)
}

fn insert(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    typed: &RepositoryText,
    parts: &[PartChange],
) -> Result<(RepositoryId, Event)> {
    if !shelf.edits() {
        return Err(Error::Forbidden(String::new()));
    }
    let [name, prefix, description, kind] = checked(typed)?;
    let id = RepositoryId::new();
    diesel::insert_into(repositories::table)
        .values((
            repositories::id.eq(id),
            repositories::name.eq(&name),
            repositories::short_name.eq(&name),
            repositories::prefix.eq(&prefix),
            repositories::description.eq(&description),
            repositories::type_.eq(&kind),
            repositories::created_at.eq(tx.now()),
            repositories::created_by.eq(tx.actor().id),
        ))
        .execute(tx.conn)
        .map_err(taken)?;
    let fields = [&name, &prefix, &description, &kind];
    let first: Vec<_> =
        RepositoryField::ALL.iter().zip(fields).map(|(field, value)| (*field, 1, value.as_str())).collect();
    history::note(tx, Subject(SubjectKind::Repository, id.0), &first)?;
    let maker = tx.actor().id.map(|person| PartChange { person, had: None, chosen: Some(Part::Editor) });
    let others = parts.iter().copied().filter(|part| Some(part.person) != tx.actor().id);
    let parts: Vec<PartChange> = maker.into_iter().chain(others).collect();
    let told = write_parts(tx.conn, id, &parts)?;
    let event = Event::new(Kind::RepositoryCreated, format!("Created the repository “{name}” ({prefix})"))
        .subject("repository", id.0, &name)
        .detail(json!({ "type": kind, "people": told }));
    Ok((id, event))
}

/// Stores of people what somebody changed of what they saw; tells names with their parts.
fn write_parts(
    conn: &mut PgConnection,
    repository: RepositoryId,
    changes: &[PartChange],
) -> Result<Vec<String>> {
    let changes: Vec<&PartChange> = changes.iter().filter(|change| change.had != change.chosen).collect();
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let gone: Vec<PersonId> =
        changes.iter().filter(|change| change.chosen.is_none()).map(|change| change.person).collect();
    diesel::delete(
        repository_people::table
            .filter(repository_people::repository_id.eq(repository))
            .filter(repository_people::person_id.eq_any(&gone)),
    )
    .execute(conn)?;
    let rows: Vec<_> = changes
        .iter()
        .filter_map(|change| Some((change.person, change.chosen?)))
        .map(|(person, part)| {
            (
                repository_people::repository_id.eq(repository),
                repository_people::person_id.eq(person),
                repository_people::may_edit.eq(part == Part::Editor),
            )
        })
        .collect();
    if !rows.is_empty() {
        diesel::insert_into(repository_people::table)
            .values(rows)
            .on_conflict((repository_people::repository_id, repository_people::person_id))
            .do_update()
            .set(repository_people::may_edit.eq(diesel::upsert::excluded(repository_people::may_edit)))
            .execute_anew(conn)
            .map_err(|e| match Error::constraint(&e) {
                Some("repository_people_person_id_fkey") => {
                    Error::Refused("One of these people has no account any more. Reload the page.".into())
                }
                _ => Error::from(e),
            })?;
    }
    let ids: Vec<PersonId> = changes.iter().map(|change| change.person).collect();
    let names: Vec<(PersonId, String)> =
        people::table.filter(people::id.eq_any(ids)).select((people::id, people::name)).load(conn)?;
    let told = changes.iter().filter_map(|change| {
        let (_, name) = names.iter().find(|(id, _)| *id == change.person)?;
        let part = change.chosen.map_or("neither views nor edits", |part| match part {
            Part::Viewer => "views",
            Part::Editor => "edits",
        });
        Some(format!("{name} {part}"))
    });
    Ok(told.collect())
}

impl Columns for Writable {
    type Field = RepositoryField;

    fn get(&self, field: RepositoryField) -> String {
        match field {
            RepositoryField::Name => self.name.clone(),
            RepositoryField::Prefix => self.prefix.clone(),
            RepositoryField::Description => self.description.clone(),
            RepositoryField::Type => self.kind.as_str().to_owned(),
        }
    }

    fn set(&mut self, field: RepositoryField, value: &str) -> Result<()> {
        match field {
            RepositoryField::Name => self.name = value.to_owned(),
            RepositoryField::Prefix => self.prefix = value.to_owned(),
            RepositoryField::Description => self.description = value.to_owned(),
            RepositoryField::Type => {
                self.kind = value.parse().map_err(|_| Error::field("type", "Choose a type."))?;
            }
        }
        Ok(())
    }
}

impl Record for Writable {
    fn subject(&self) -> Subject {
        Subject(SubjectKind::Repository, self.id.0)
    }

    fn version(&self) -> Version {
        self.version
    }

    fn check(&self, field: RepositoryField, raw: &str) -> Result<String, String> {
        check(field, raw)
    }

    fn store(
        &mut self,
        tx: &mut WriteTx<'_>,
        version: Version,
        changes: &[Change<RepositoryField>],
    ) -> Result<()> {
        diesel::update(repositories::table.find(self.id))
            .set((
                repositories::name.eq(&self.name),
                repositories::short_name.eq(&self.name),
                repositories::prefix.eq(&self.prefix),
                repositories::description.eq(&self.description),
                repositories::type_.eq(self.kind),
                repositories::version.eq(version),
            ))
            .execute(tx.conn)
            .map_err(taken)?;
        self.version = version;
        if changes.iter().any(|change| change.field == RepositoryField::Prefix) {
            // sql_query: the id is the first line of what the search reads.
            diesel::sql_query(
                "UPDATE library_procedures SET search = lower($2) || '-' || number \
                    || substr(search, strpos(search, E'\\n')) WHERE repository_id = $1",
            )
            .bind::<SqlUuid, _>(self.id)
            .bind::<Text, _>(&self.prefix)
            .execute(tx.conn)?;
        }
        Ok(())
    }
}

/// Saves what somebody changed of a repository: texts by the version they started from, people by what they
/// saw.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] field by field: also where nobody is left
/// who could write in it.
pub fn save_repository(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    id: RepositoryId,
    typed: &[Typed<RepositoryField>],
    parts: &[PartChange],
) -> Result<Audited<Saved<RepositoryField>>> {
    let mut record = lock_one(tx.conn, shelf, id)?;
    let saved = save(tx, &mut record, typed, |_| Ok(()))?;
    let told = write_parts(tx.conn, id, parts)?;
    let editors: i64 = repository_people::table
        .filter(repository_people::repository_id.eq(id))
        .filter(repository_people::may_edit)
        .count()
        .get_result(tx.conn)?;
    if record.kind.has_editors() && editors == 0 {
        return Err(Error::field(
            "people",
            format!(
                "A {} repository needs an editor. Name at least one.",
                record.kind.label().to_lowercase()
            ),
        ));
    }
    if !saved.changes() && told.is_empty() {
        return Ok(tx.unchanged(saved));
    }
    let mut event = Event::new(Kind::RepositoryUpdated, format!("Changed the repository “{}”", record.name))
        .subject("repository", id.0, &record.name)
        .telling(saved.accepted.iter().map(Change::detail));
    if !told.is_empty() {
        event.sentence = format!("{}; people: {}", event.sentence, told.join(", "));
        event.detail["people"] = json!(told);
    }
    tx.audited(saved, event)
}

/// Makes a repository of copies of all that another holds, each as its current version says.
///
/// # Errors
/// As [`insert_repository`]; [`Error::NotFound`] for one that the person does not know of.
pub fn copy_repository(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    from: RepositoryId,
    typed: &RepositoryText,
) -> Result<Audited<RepositoryId>> {
    let source = get_repository(tx.conn, shelf, from)?;
    let (id, event) = insert(tx, shelf, typed, &[])?;
    let copied = copy_all(tx, from, id)?;
    let mut event = event;
    event.sentence = format!(
        "{} with copies of {} from “{}”",
        event.sentence,
        counted(copied, "procedure", "procedures"),
        source.name
    );
    event.detail["copied_from"] = json!(from);
    event.detail["procedures"] = json!(copied);
    tx.audited(id, event)
}

/// What uses the procedures of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// All of its procedures, withdrawn and retired ones too.
    pub procedures: i64,
    /// Test plans that hold some, by title.
    pub plans: Vec<(TestPlanId, String)>,
    /// Engagements that are not over and were made from some: title and client.
    pub engagements: Vec<(EngagementId, String, String)>,
    /// Such engagements at clients that the reader does not see.
    pub elsewhere: i64,
}

#[derive(QueryableByName)]
struct Running {
    #[diesel(sql_type = SqlUuid)]
    id: EngagementId,
    #[diesel(sql_type = Text)]
    title: String,
    #[diesel(sql_type = Text)]
    client: String,
    #[diesel(sql_type = Bool)]
    seen: bool,
}

/// What uses a repository's procedures, named as far as the reader sees it.
pub fn find_uses(conn: &mut PgConnection, id: RepositoryId, visible: &Visible) -> Result<Uses> {
    let procedures = library_procedures::table
        .filter(library_procedures::repository_id.eq(id))
        .count()
        .get_result(conn)?;
    let plans = test_plans::table
        .filter(test_plans::deleted_at.is_null())
        .filter(
            test_plans::id.eq_any(
                test_plan_procedures::table
                    .inner_join(library_procedures::table)
                    .filter(library_procedures::repository_id.eq(id))
                    .select(test_plan_procedures::test_plan_id),
            ),
        )
        .order(test_plans::title)
        .select((test_plans::id, test_plans::title))
        .load(conn)?;
    // sql_query: origins are ids without a foreign key, for they outlive what they name.
    let running: Vec<Running> = diesel::sql_query(
        "SELECT e.id, e.title, c.name AS client, e.client_id = ANY ($2) AS seen
         FROM engagements e JOIN clients c ON c.id = e.client_id
         WHERE e.deleted_at IS NULL AND e.status IN ('pending', 'scheduled', 'in_progress')
            AND EXISTS (SELECT FROM procedures p JOIN library_procedures l ON l.id = p.origin_id
                WHERE p.engagement_id = e.id AND l.repository_id = $1)
         ORDER BY lower(e.title), e.id",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Array<SqlUuid>, _>(visible.ids())
    .load(conn)?;
    let elsewhere = running.iter().filter(|one| !one.seen).count() as i64;
    let engagements =
        running.into_iter().filter(|one| one.seen).map(|one| (one.id, one.title, one.client)).collect();
    Ok(Uses { procedures, plans, engagements, elsewhere })
}

/// Deletes a repository; with its procedures only where that was confirmed. Test plans lose them, engagements
/// keep the copies that they were made from.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Invalid`] at `with_procedures` where it holds some and
/// nobody said that they may go.
pub fn delete_repository(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    id: RepositoryId,
    with_procedures: bool,
) -> Result<Audited<String>> {
    let repository = lock_one(tx.conn, shelf, id)?;
    let held = library_procedures::table
        .filter(library_procedures::repository_id.eq(id))
        .select(library_procedures::id);
    let procedures: i64 = held.count().get_result(tx.conn)?;
    if procedures > 0 && !with_procedures {
        return Err(Error::field("with_procedures", "Tick that its procedures go too, or keep it."));
    }
    let plans: Vec<TestPlanId> =
        diesel::delete(test_plan_procedures::table.filter(test_plan_procedures::procedure_id.eq_any(held)))
            .returning(test_plan_procedures::test_plan_id)
            .get_results(tx.conn)?;
    diesel::update(test_plans::table.filter(test_plans::id.eq_any(&plans)))
        .set((test_plans::version.eq(test_plans::version + 1), test_plans::updated_at.eq(tx.now())))
        .execute(tx.conn)?;
    revisions::note(tx, &plans)?;
    // Their versions go along.
    diesel::delete(library_procedures::table.filter(library_procedures::repository_id.eq(id)))
        .execute(tx.conn)?;
    diesel::delete(repositories::table.find(id)).execute(tx.conn)?;
    let with = match procedures {
        0 => String::new(),
        n => format!(" with {}", counted(usize::try_from(n).unwrap_or_default(), "procedure", "procedures")),
    };
    let event = Event::new(
        Kind::RepositoryDeleted,
        format!("Deleted the repository “{}” ({}){with}", repository.name, repository.prefix),
    )
    .subject("repository", id.0, &repository.name)
    .detail(json!({ "procedures": procedures }));
    tx.audited(repository.name, event)
}

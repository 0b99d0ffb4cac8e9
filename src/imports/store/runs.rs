//! SQL of the rows that are kept of each import: what was uploaded, how far its check is, what it would
//! change, and what became of it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::engine::apply;
use super::target::{Applied, Target};
use crate::imports::outcome::{Surface, Takes as Taken};
use crate::imports::preview::{Change, Detail, ImportState, Preview, Verdict};
use crate::imports::source::{Content, ImportKind};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ImportId, PersonId, RepositoryId};
use crate::kernel::base::keyset::{At, Cursor};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{library_import_changes, library_imports};
use crate::kernel::db::{Audited, Db, WriteTx};
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::library::changes::{Counts, Missing};
use crate::library::store::shelf::seen;

/// Rows of one INSERT.
const CHUNK: usize = 2_000;

/// How long a check may say nothing before another process takes it over, in minutes.
const STALLED_MINUTES: i64 = 5;

/// An import as pages show it.
#[derive(Debug, Clone, QueryableByName)]
pub struct Import {
    #[diesel(sql_type = SqlUuid)]
    pub id: ImportId,
    #[diesel(sql_type = Text)]
    pub file_name: String,
    #[diesel(sql_type = BigInt)]
    pub size: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub kind: Option<ImportKind>,
    /// Where procedures go, or went; none for the repository that the source has, before it is applied.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub repository: Option<RepositoryId>,
    #[diesel(sql_type = Nullable<Text>)]
    pub repository_name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub attack_version: Option<String>,
    #[diesel(sql_type = Bool)]
    pub withdraw: bool,
    #[diesel(sql_type = Text)]
    pub state: ImportState,
    /// Of a hundred.
    #[diesel(sql_type = Integer)]
    pub progress: i32,
    /// What the check does just now.
    #[diesel(sql_type = Text)]
    pub doing: String,
    #[diesel(sql_type = Jsonb)]
    counts: serde_json::Value,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// Who brought it; none for the command line.
    #[diesel(sql_type = Nullable<Text>)]
    pub created_by: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub closed_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub closed_by: Option<String>,
    /// Whether it is the last one there that wrote something, so that it may be taken back. Layers each make
    /// a plan of their own, so none stands before another.
    #[diesel(sql_type = Bool)]
    pub is_last: bool,
    /// Whether the reader may say what becomes of it: who writes the repository that it goes to; where that
    /// is its source's own, whoever imports; and of what makes test plans, who writes in the library.
    #[diesel(sql_type = Bool)]
    pub may_write: bool,
}

/// What the check left beside the counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Tally {
    #[serde(flatten)]
    pub counts: Counts,
    /// How many objects the library has of what the import may withdraw.
    pub stored: usize,
}

impl Import {
    pub fn tally(&self) -> Tally {
        serde_json::from_value(self.counts.clone()).unwrap_or_default()
    }

    /// What it brings, as far as that is known.
    pub fn kind_label(&self) -> String {
        match (self.kind, &self.attack_version) {
            (Some(kind), Some(version)) => format!("{} {version}", kind.label()),
            (Some(kind), None) => kind.label().to_owned(),
            (None, _) => String::new(),
        }
    }

    fn target(&self, shelf: Shelf) -> Target {
        Target {
            repository: self.repository,
            missing: if self.withdraw { Missing::Withdraw } else { Missing::Keep },
            shelf,
            editor: None,
            surface: Surface::Web,
        }
    }
}

/// Whether an import wrote something.
fn wrote(import: &str) -> String {
    format!(
        "EXISTS (SELECT FROM library_import_changes c
            WHERE c.import_id = {import}.id AND c.before IS NOT NULL)"
    )
}

/// `reader` is the place of the reader among the statement's values: what went into a repository that they do
/// not know of is not there for them, and what could belong to one is its maker's alone until it has gone
/// somewhere.
fn import(reader: usize, shelf: Shelf) -> String {
    format!(
        "SELECT i.id, i.file_name, i.size, i.kind, i.repository_id AS repository, r.name AS repository_name,
            i.attack_version, i.withdraw, i.state, i.progress, i.doing, i.counts, i.created_at,
            maker.name AS created_by, i.closed_at, closer.name AS closed_by,
            i.state = 'applied' AND {wrote} AND (i.kind = 'layer' OR NOT EXISTS (
                SELECT FROM library_imports later WHERE later.state = 'applied'
                AND (later.closed_at, later.id) > (i.closed_at, i.id)
                AND {wrote_later}
                AND later.repository_id IS NOT DISTINCT FROM i.repository_id
                AND later.attack_version IS NOT DISTINCT FROM i.attack_version)) AS is_last,
            CASE WHEN r.id IS NULL THEN coalesce(i.kind IN ('attack', 'atomics'), true) OR {edits}
                WHEN r.type = 'curated' THEN true
                ELSE {edits} AND (${reader}::uuid IS NULL OR r.type = 'open'
                    OR EXISTS (SELECT FROM repository_people e WHERE e.repository_id = r.id
                        AND e.person_id = ${reader}::uuid AND e.may_edit)) END AS may_write
         FROM library_imports i LEFT JOIN repositories r ON r.id = i.repository_id
         LEFT JOIN people maker ON maker.id = i.created_by LEFT JOIN people closer ON closer.id = i.closed_by
         WHERE (${reader}::uuid IS NULL OR i.created_by = ${reader}::uuid AND i.repository_id IS NULL
            OR i.repository_id IS NULL AND (i.kind IN ('attack', 'atomics')
                OR i.kind = 'layer' AND i.state = 'applied')
            OR i.repository_id = ANY ({seen}))",
        seen = seen(reader),
        edits = shelf.edits(),
        wrote = wrote("i"),
        wrote_later = wrote("later"),
    )
}

/// The place of an import in the history.
pub type ImportCursor = Cursor<DateTime<Utc>, ImportId>;

impl Import {
    pub fn cursor(&self) -> ImportCursor {
        Cursor { key: self.created_at, id: self.id }
    }
}

/// The history, newest first, at most `limit`.
pub fn list_imports(
    conn: &mut PgConnection,
    shelf: Shelf,
    at: &At<ImportCursor>,
    limit: i64,
) -> Result<Vec<Import>> {
    let (beyond, order) = if at.is_backwards() { (">", "ASC") } else { ("<", "DESC") };
    let place = at.cursor();
    // sql_query: names from four tables, and the order turns with the direction.
    let sql = format!(
        "{} AND ($2 IS NULL OR (i.created_at, i.id) {beyond} ($2, $3))
         ORDER BY i.created_at {order}, i.id {order} LIMIT $4",
        import(1, shelf)
    );
    Ok(diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Nullable<Timestamptz>, _>(place.map(|place| place.key))
        .bind::<Nullable<SqlUuid>, _>(place.map(|place| place.id))
        .bind::<BigInt, _>(limit)
        .load(conn)?)
}

/// An import.
///
/// # Errors
/// [`Error::NotFound`]
pub fn get_import(conn: &mut PgConnection, shelf: Shelf, id: ImportId) -> Result<Import> {
    // sql_query: as for the history.
    let sql = format!("{} AND i.id = $2", import(1, shelf));
    Ok(diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<SqlUuid, _>(id)
        .get_result(conn)?)
}

/// An import of which somebody says what becomes of it.
///
/// # Errors
/// [`Error::NotFound`], and [`Error::Forbidden`] where the reader may not.
pub fn get_own_import(conn: &mut PgConnection, shelf: Shelf, id: ImportId) -> Result<Import> {
    let import = get_import(conn, shelf, id)?;
    if import.may_write { Ok(import) } else { Err(Error::Forbidden(String::new())) }
}

/// A row of a preview with its place among all of them.
#[derive(Debug, Clone)]
pub struct Told {
    pub position: i32,
    pub verdict: Verdict,
    pub key: String,
    pub label: String,
    pub detail: Detail,
    pub subject: Option<Uuid>,
}

#[derive(QueryableByName)]
struct ToldRow {
    #[diesel(sql_type = Integer)]
    position: i32,
    #[diesel(sql_type = Text)]
    verdict: Verdict,
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Text)]
    label: String,
    #[diesel(sql_type = Jsonb)]
    detail: serde_json::Value,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    subject: Option<Uuid>,
}

/// The first `limit` rows of each verdict, or those of one behind a position.
pub fn list_changes(
    conn: &mut PgConnection,
    id: ImportId,
    of: Option<(Verdict, i32)>,
    limit: i64,
) -> Result<Vec<Told>> {
    // sql_query: the first rows of each group.
    let sql = "SELECT position, verdict, key, label, detail, subject FROM (
            SELECT c.position, c.verdict, c.key, c.label, c.detail, c.subject_id AS subject,
                row_number() OVER (PARTITION BY c.verdict ORDER BY c.position) AS place
            FROM library_import_changes c
            WHERE c.import_id = $1 AND ($2 IS NULL OR c.verdict = $2) AND c.position > $3) counted
         WHERE place <= $4 ORDER BY position";
    let rows: Vec<ToldRow> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id)
        .bind::<Nullable<Text>, _>(of.map(|(verdict, _)| verdict))
        .bind::<Integer, _>(of.map_or(-1, |(_, after)| after))
        .bind::<BigInt, _>(limit)
        .load(conn)?;
    rows.into_iter()
        .map(|row| {
            Ok(Told {
                position: row.position,
                verdict: row.verdict,
                key: row.key,
                label: row.label,
                detail: serde_json::from_value(row.detail)?,
                subject: row.subject,
            })
        })
        .collect()
}

/// How many rows each verdict has.
pub fn count_changes(conn: &mut PgConnection, id: ImportId) -> Result<Vec<(Verdict, i64)>> {
    Ok(library_import_changes::table
        .filter(library_import_changes::import_id.eq(id))
        .group_by(library_import_changes::verdict)
        .select((library_import_changes::verdict, diesel::dsl::count_star()))
        .load(conn)?)
}

/// A repository that somebody may import into.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Goal {
    #[diesel(sql_type = SqlUuid)]
    pub id: RepositoryId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub prefix: String,
}

/// The repositories that a reader may write, by name.
pub fn list_goals(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<Goal>> {
    if !shelf.edits() {
        return Ok(Vec::new());
    }
    // sql_query: who may write which repository.
    let sql = "SELECT r.id, r.name, r.prefix FROM repositories r WHERE r.type <> 'curated'
            AND ($1::uuid IS NULL OR r.type = 'open' OR EXISTS (SELECT FROM repository_people e
                WHERE e.repository_id = r.id AND e.person_id = $1::uuid AND e.may_edit))
         ORDER BY lower(r.name)";
    Ok(diesel::sql_query(sql).bind::<Nullable<SqlUuid>, _>(shelf.reader()).load(conn)?)
}

/// Where an import goes: a repository that the reader may write, by its prefix in any case.
///
/// # Errors
/// A sentence that names those there are.
pub fn find_goal(conn: &mut PgConnection, shelf: Shelf, prefix: &str) -> Result<Option<RepositoryId>> {
    let wanted = prefix.trim().to_uppercase();
    if wanted == super::engine::ATOMIC_RED_TEAM.prefix {
        return Ok(None);
    }
    let goals = list_goals(conn, shelf)?;
    if let Some(goal) = goals.iter().find(|goal| goal.prefix == wanted) {
        return Ok(Some(goal.id));
    }
    let known: Vec<&str> = goals.iter().map(|goal| goal.prefix.as_str()).collect();
    Err(Error::Refused(if known.is_empty() {
        format!("No repository has the prefix {wanted}. Make one in the library first.")
    } else {
        format!(
            "No repository that can be imported into has the prefix {wanted}. There are: {}.",
            known.join(", ")
        )
    }))
}

fn check_goal(conn: &mut PgConnection, shelf: Shelf, repository: Option<RepositoryId>) -> Result<()> {
    let Some(repository) = repository else { return Ok(()) };
    if list_goals(conn, shelf)?.iter().any(|goal| goal.id == repository) {
        return Ok(());
    }
    Err(Error::Refused("You may not write the repository that this import goes to.".into()))
}

/// A file that was uploaded.
#[derive(Debug, Clone)]
pub struct Uploaded {
    pub id: ImportId,
    pub file_name: String,
    pub size: i64,
    pub repository: Option<RepositoryId>,
    pub withdraw: bool,
}

/// Keeps an uploaded file to be checked.
///
/// # Errors
/// [`Error::Refused`] for a repository that the person may not write.
pub(crate) fn insert_upload(tx: &mut WriteTx<'_>, shelf: Shelf, file: &Uploaded) -> Result<Audited<()>> {
    check_goal(tx.conn, shelf, file.repository)?;
    diesel::insert_into(library_imports::table)
        .values((
            library_imports::id.eq(file.id),
            library_imports::file_name.eq(&file.file_name),
            library_imports::size.eq(file.size),
            library_imports::repository_id.eq(file.repository),
            library_imports::withdraw.eq(file.withdraw),
            library_imports::state.eq(ImportState::Waiting),
            library_imports::created_at.eq(tx.now()),
            library_imports::created_by.eq(tx.actor().id),
        ))
        .execute(tx.conn)?;
    let event =
        Event::new(Kind::ImportUploaded, format!("Uploaded {} for import into the library", file.file_name))
            .subject("import", file.id.0, file.file_name.clone());
    tx.audited((), event)
}

/// A check that this process does.
#[derive(Debug, Clone, QueryableByName)]
pub struct Claimed {
    #[diesel(sql_type = SqlUuid)]
    pub id: ImportId,
    #[diesel(sql_type = Text)]
    pub file_name: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    repository_id: Option<RepositoryId>,
    #[diesel(sql_type = Bool)]
    withdraw: bool,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    created_by: Option<PersonId>,
    #[diesel(sql_type = Timestamptz)]
    claimed_at: DateTime<Utc>,
}

impl Claimed {
    /// What its maker is shown is what they know of; whether they may write it, applying asks them again.
    pub fn target(&self) -> Target {
        Target {
            repository: self.repository_id,
            missing: if self.withdraw { Missing::Withdraw } else { Missing::Keep },
            shelf: self.created_by.map_or_else(Shelf::whole, Shelf::of_maker),
            editor: None,
            surface: Surface::Web,
        }
    }
}

/// Takes the next import that waits to be checked, or whose check has stalled.
pub(crate) fn claim(db: &Db, now: DateTime<Utc>) -> Result<Option<Claimed>> {
    db.write_unaudited_blocking("import bookkeeping", |conn| {
        // sql_query: the row is found and taken in one statement, past those that others take.
        let sql = "UPDATE library_imports SET state = 'checking', claimed_at = $1, progress = 0, doing = ''
             WHERE id = (SELECT id FROM library_imports
                WHERE state = 'waiting' OR state = 'checking' AND claimed_at < $2
                ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING id, file_name, repository_id, withdraw, created_by, claimed_at";
        Ok(diesel::sql_query(sql)
            .bind::<Timestamptz, _>(now)
            .bind::<Timestamptz, _>(now - TimeDelta::minutes(STALLED_MINUTES))
            .get_result(conn)
            .optional()?)
    })
}

/// Says how far a check is.
pub(crate) fn report(db: &Db, claimed: &Claimed, progress: i32, doing: &str) -> Result<()> {
    db.write_unaudited_blocking("import bookkeeping", |conn| {
        // A check that another process took over writes nothing more.
        diesel::update(
            library_imports::table
                .filter(library_imports::id.eq(claimed.id))
                .filter(library_imports::state.eq(ImportState::Checking))
                .filter(library_imports::claimed_at.eq(claimed.claimed_at)),
        )
        .set((library_imports::progress.eq(progress), library_imports::doing.eq(doing)))
        .execute(conn)?;
        Ok(())
    })
}

/// What a check found.
pub(crate) enum Found {
    Preview {
        kind: ImportKind,
        version: Option<String>,
        preview: Preview,
    },
    /// It cannot be read: the faults.
    Faults(Vec<Change>),
}

/// Keeps what a check found.
pub(crate) fn finish(db: &Db, claimed: &Claimed, found: &Found) -> Result<()> {
    db.write_unaudited_blocking("import bookkeeping", |conn| {
        let (state, kind, version, tally, outline, rows) = match found {
            Found::Preview { kind, version, preview } => {
                let tally = Tally { counts: preview.counts, stored: preview.stored };
                let outline = Some(preview.outline().to_vec());
                (ImportState::Ready, Some(*kind), version.as_deref(), tally, outline, &preview.changes)
            }
            Found::Faults(faults) => (ImportState::Failed, None, None, Tally::default(), None, faults),
        };
        let taken = diesel::update(
            library_imports::table
                .filter(library_imports::id.eq(claimed.id))
                .filter(library_imports::state.eq(ImportState::Checking))
                .filter(library_imports::claimed_at.eq(claimed.claimed_at)),
        )
        .set((
            library_imports::state.eq(state),
            library_imports::kind.eq(kind),
            library_imports::attack_version.eq(version),
            library_imports::counts.eq(serde_json::to_value(tally)?),
            library_imports::outline.eq(outline),
            library_imports::progress.eq(100),
            library_imports::doing.eq(""),
        ))
        .execute(conn)?;
        if taken == 0 {
            return Ok(());
        }
        keep_changes(conn, claimed.id, rows)
    })
}

#[derive(Insertable)]
#[diesel(table_name = library_import_changes)]
struct ChangeRow<'a> {
    import_id: ImportId,
    position: i32,
    verdict: Verdict,
    key: &'a str,
    label: &'a str,
    detail: serde_json::Value,
    subject_id: Option<Uuid>,
    before: Option<&'a serde_json::Value>,
}

/// The rows of an import, in the place of those that it had.
fn keep_changes(conn: &mut PgConnection, id: ImportId, changes: &[Change]) -> Result<()> {
    diesel::delete(library_import_changes::table.filter(library_import_changes::import_id.eq(id)))
        .execute(conn)?;
    let mut rows = Vec::with_capacity(changes.len());
    for (position, change) in (0i32..).zip(changes) {
        rows.push(ChangeRow {
            import_id: id,
            position,
            verdict: change.verdict,
            key: &change.key,
            label: &change.label,
            detail: serde_json::to_value(&change.detail)?,
            subject_id: change.subject,
            before: change.before.as_ref(),
        });
    }
    for chunk in rows.chunks(CHUNK) {
        diesel::insert_into(library_import_changes::table).values(chunk).execute_anew(conn)?;
    }
    Ok(())
}

/// Has an import checked again, now with or without withdrawing what the file does not hold.
pub(crate) fn check_again(db_conn: &mut PgConnection, id: ImportId, withdraw: bool) -> Result<()> {
    let open = [ImportState::Ready, ImportState::Failed];
    diesel::update(
        library_imports::table.filter(library_imports::id.eq(id)).filter(library_imports::state.eq_any(open)),
    )
    .set((
        library_imports::state.eq(ImportState::Waiting),
        library_imports::withdraw.eq(withdraw),
        library_imports::progress.eq(0),
        library_imports::outline.eq(None::<Vec<u8>>),
    ))
    .execute(db_conn)?;
    Ok(())
}

/// Where somebody takes theirs in conflicts: positions of rows, each with a field or with all of them.
#[derive(Debug, Clone, Default)]
pub struct Takes(pub Vec<(i32, Option<String>)>);

/// What an import needs that is about to be applied.
#[derive(QueryableByName)]
struct Agreed {
    #[diesel(sql_type = Text)]
    state: ImportState,
    #[diesel(sql_type = Nullable<diesel::sql_types::Binary>)]
    outline: Option<Vec<u8>>,
}

fn lock_import(conn: &mut PgConnection, id: ImportId) -> Result<Agreed> {
    // sql_query: a lock of the row alone.
    Ok(diesel::sql_query("SELECT state, outline FROM library_imports WHERE id = $1 FOR UPDATE")
        .bind::<SqlUuid, _>(id)
        .get_result(conn)?)
}

/// Applies an import whose preview somebody agreed to.
///
/// # Errors
/// [`Error::Refused`] when it is not open any more, [`Error::Conflict`] when the library has changed since.
pub(crate) fn apply_import(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    id: ImportId,
    content: &Content,
    takes: &Takes,
) -> Result<Audited<Counts>> {
    let import = get_own_import(tx.conn, shelf, id)?;
    let agreed = lock_import(tx.conn, id)?;
    if agreed.state != ImportState::Ready {
        return Err(Error::Refused(format!(
            "This import is not ready to be applied: it is {}.",
            agreed.state.label().to_lowercase()
        )));
    }
    let positions: Vec<i32> = takes.0.iter().map(|(position, _)| *position).collect();
    let keys: Vec<(i32, String)> = library_import_changes::table
        .filter(library_import_changes::import_id.eq(id))
        .filter(library_import_changes::verdict.eq(Verdict::Conflict))
        .filter(library_import_changes::position.eq_any(positions))
        .select((library_import_changes::position, library_import_changes::key))
        .load(tx.conn)?;
    let taken: Taken = takes
        .0
        .iter()
        .filter_map(|(at, field)| {
            let (_, key) = keys.iter().find(|(position, _)| position == at)?;
            Some((key.clone(), field.clone()))
        })
        .collect();
    let applied = apply(tx, content, import.target(shelf), &taken, agreed.outline.as_deref())?;
    close(tx, id, &import.file_name, content, applied)
}

/// Imports at once, as the command line does; an import that changes nothing leaves nothing.
///
/// # Errors
/// As [`apply`].
pub fn import_now(
    db: &Db,
    actor: &Actor,
    file_name: &str,
    content: &Content,
    target: Target,
    takes: &Taken,
) -> Result<Counts> {
    db.write_blocking(actor, |tx| {
        let applied = apply(tx, content, target, takes, None)?;
        if !applied.made && applied.preview.counts.changes_nothing() {
            return Ok(tx.unchanged(applied.preview.counts));
        }
        let id = ImportId::new();
        diesel::insert_into(library_imports::table)
            .values((
                library_imports::id.eq(id),
                library_imports::file_name.eq(file_name),
                library_imports::size.eq(0),
                library_imports::withdraw.eq(target.missing == Missing::Withdraw),
                library_imports::state.eq(ImportState::Ready),
                library_imports::created_at.eq(tx.now()),
                library_imports::created_by.eq(tx.actor().id),
            ))
            .execute(tx.conn)?;
        close(tx, id, file_name, content, applied)
    })
}

/// Marks an import as applied and keeps what it did.
fn close(
    tx: &mut WriteTx<'_>,
    id: ImportId,
    file_name: &str,
    content: &Content,
    applied: Applied,
) -> Result<Audited<Counts>> {
    let counts = applied.preview.counts;
    let tally = Tally { counts, stored: applied.preview.stored };
    diesel::update(library_imports::table.find(id))
        .set((
            library_imports::state.eq(ImportState::Applied),
            library_imports::kind.eq(content.kind()),
            library_imports::repository_id.eq(applied.repository),
            library_imports::attack_version.eq(applied.version.as_deref()),
            library_imports::counts.eq(serde_json::to_value(tally)?),
            library_imports::progress.eq(100),
            library_imports::closed_at.eq(tx.now()),
            library_imports::closed_by.eq(tx.actor().id),
        ))
        .execute(tx.conn)?;
    keep_changes(tx.conn, id, &applied.preview.changes)?;
    if !applied.made && counts.changes_nothing() {
        return Ok(tx.unchanged(counts));
    }
    let import = get_import(tx.conn, Shelf::whole(), id)?;
    if let Some(event) = applied.event {
        return tx.audited(counts, event);
    }
    let what = import.kind_label();
    let mut detail = serde_json::json!({
        "source": content.kind().as_str(),
        "file": file_name,
        "counts": counts_json(&counts),
    });
    if let Some(version) = &applied.version {
        detail["version"] = version.as_str().into();
    }
    let mut event = match &import.repository_name {
        Some(name) if *name != super::engine::ATOMIC_RED_TEAM.name => {
            Event::new(Kind::LibraryImported, format!("Imported {what} into {name}: {counts}"))
        }
        Some(name) => Event::new(Kind::LibraryImported, format!("Imported {name}: {counts}")),
        None => Event::new(Kind::LibraryImported, format!("Imported {what}: {counts}")),
    };
    if let (Some(repository), Some(name)) = (import.repository, import.repository_name) {
        event = event.subject("repository", repository.0, name);
    }
    tx.audited(counts, event.detail(detail))
}

fn counts_json(counts: &Counts) -> serde_json::Value {
    let Counts { added, changed, withdrawn, unchanged, refused, kept } = counts;
    serde_json::json!({
        "added": added,
        "changed": changed,
        "withdrawn": withdrawn,
        "unchanged": unchanged,
        "refused": refused,
        "kept": kept,
    })
}

/// Discards an import that is open.
///
/// # Errors
/// [`Error::Refused`] when it is not open any more.
pub(crate) fn discard(tx: &mut WriteTx<'_>, shelf: Shelf, id: ImportId) -> Result<Audited<()>> {
    let import = get_own_import(tx.conn, shelf, id)?;
    if !lock_import(tx.conn, id)?.state.is_open() {
        return Err(Error::Refused("This import is not open any more.".into()));
    }
    set_closed(tx, id, ImportState::Discarded)?;
    let event = Event::new(Kind::ImportDiscarded, format!("Discarded the import of {}", import.file_name))
        .subject("import", id.0, import.file_name);
    tx.audited((), event)
}

pub(super) fn set_closed(tx: &mut WriteTx<'_>, id: ImportId, state: ImportState) -> Result<()> {
    diesel::update(library_imports::table.find(id))
        .set((
            library_imports::state.eq(state),
            library_imports::closed_at.eq(tx.now()),
            library_imports::closed_by.eq(tx.actor().id),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Discards what lies open since before `since`, for the sweep; answers their ids.
pub(crate) fn discard_old(db: &Db, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<usize> {
    let open = [ImportState::Waiting, ImportState::Checking, ImportState::Ready, ImportState::Failed];
    db.write_unaudited_blocking("import bookkeeping", |conn| {
        Ok(diesel::update(
            library_imports::table
                .filter(library_imports::state.eq_any(open))
                .filter(library_imports::created_at.lt(since)),
        )
        .set((library_imports::state.eq(ImportState::Discarded), library_imports::closed_at.eq(now)))
        .execute(conn)?)
    })
}

/// Those of `ids` whose file is still needed.
pub(crate) fn list_open(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    let open = [ImportState::Waiting, ImportState::Checking, ImportState::Ready, ImportState::Failed];
    Ok(library_imports::table
        .filter(library_imports::id.eq_any(ids))
        .filter(library_imports::state.eq_any(open))
        .select(library_imports::id)
        .load(conn)?)
}

//! SQL of a team's own methodologies, tactics and techniques.

use diesel::dsl::{exists, max};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::attack::{Tactic, TechniqueRow, TechniqueSearch, patterns};
use super::procedures::Number;
use super::shelf::seen;
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::TermId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show::counted;
use crate::kernel::db::schema::{term_parents, terms};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::history::{self, Subject, SubjectKind};
use crate::kernel::merge::record::{Columns, Misfit, Record, Saved, Typed, save};
use crate::kernel::merge::{Change, Posted, Version};
use crate::library::terms::{TermField, TermKind, TermText};

/// A term of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    pub id: TermId,
    pub kind: TermKind,
    pub text: TermText,
    pub version: Version,
}

type Row = (TermId, TermKind, String, String, String, Vec<String>, Version);

macro_rules! own_row {
    () => {
        (
            terms::id,
            terms::kind,
            terms::name,
            terms::short_name,
            terms::description,
            terms::tags,
            terms::version,
        )
    };
}

fn own(conn: &mut PgConnection, row: Row) -> Result<Own> {
    let (id, kind, name, short_name, description, tags, version) = row;
    let parents: Vec<Uuid> = term_parents::table
        .filter(term_parents::term_id.eq(id))
        .order(term_parents::parent_id)
        .select(term_parents::parent_id)
        .load(conn)?;
    Ok(Own { id, kind, text: TermText { name, short_name, description, parents, tags }, version })
}

/// # Errors
/// [`Error::NotFound`], also for a methodology that comes with the product.
pub fn get_own(conn: &mut PgConnection, id: TermId) -> Result<Own> {
    let row: Row = terms::table.find(id).filter(terms::key.is_null()).select(own_row!()).first(conn)?;
    own(conn, row)
}

/// The own technique that procedures name by this id.
pub fn find_own_technique(conn: &mut PgConnection, id: &str) -> Result<Option<Own>> {
    let row: Option<Row> = terms::table
        .filter(terms::kind.eq(TermKind::Technique).and(terms::short_name.eq(id)))
        .select(own_row!())
        .first(conn)
        .optional()?;
    row.map(|row| own(conn, row)).transpose()
}

/// A term to choose, or to link to.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Named {
    pub id: TermId,
    pub name: String,
    pub short_name: String,
}

/// Own terms of a kind, by name.
pub fn list_named(conn: &mut PgConnection, kind: TermKind) -> Result<Vec<Named>> {
    Ok(terms::table
        .filter(terms::kind.eq(kind).and(terms::key.is_null()))
        .order((diesel::dsl::sql::<Text>("lower(terms.name)"), terms::id))
        .select((terms::id, terms::name, terms::short_name))
        .load(conn)?)
}

/// The tactics of an own methodology, in their order.
pub fn list_own_tactics(conn: &mut PgConnection, methodology: TermId) -> Result<Vec<Tactic>> {
    let rows: Vec<(String, String, i32)> = terms::table
        .filter(terms::id.eq_any(
            term_parents::table.filter(term_parents::parent_id.eq(methodology)).select(term_parents::term_id),
        ))
        .order((terms::position, terms::short_name))
        .select((terms::short_name, terms::name, terms::position))
        .load(conn)?;
    let tactic = |(short_name, name, position): (String, String, i32)| Tactic {
        external_id: short_name.clone(),
        short_name,
        name,
        position,
    };
    Ok(rows.into_iter().map(tactic).collect())
}

/// Those of these tactics that are one's own: short name and name, in their order.
pub fn list_own_tactics_among(conn: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, String)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    Ok(terms::table
        .filter(terms::kind.eq(TermKind::Tactic).and(terms::short_name.eq_any(keys)))
        .order((terms::position, terms::short_name))
        .select((terms::short_name, terms::name))
        .load(conn)?)
}

/// A term in an outline of all of them.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Outlined {
    #[diesel(sql_type = SqlUuid)]
    pub id: TermId,
    #[diesel(sql_type = Text)]
    pub kind: TermKind,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub short_name: String,
    #[diesel(sql_type = Text)]
    pub description: String,
    #[diesel(sql_type = Array<Text>)]
    pub tags: Vec<String>,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub parents: Vec<TermId>,
    /// Library procedures that name this technique.
    #[diesel(sql_type = BigInt)]
    pub procedures: i64,
}

/// Every own term with its parents: methodologies by name, tactics in their order, techniques by id.
pub fn list_outline(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<Outlined>> {
    // sql_query: parents and counts by array.
    let sql = format!(
        "SELECT t.id, t.kind, t.name, t.short_name, t.description, t.tags,
            ARRAY(SELECT parent_id FROM term_parents WHERE term_id = t.id) AS parents,
            CASE WHEN t.kind = 'technique' THEN (SELECT count(*) FROM library_procedures p
                WHERE p.withdrawn_at IS NULL AND p.retired_at IS NULL AND p.repository_id = ANY ({})
                AND p.technique_ids @> ARRAY[t.short_name]) ELSE 0 END AS procedures
         FROM terms t WHERE t.key IS NULL
         ORDER BY CASE WHEN t.kind = 'methodology' THEN lower(t.name) END, t.position, t.short_name, t.id",
        seen(1)
    );
    Ok(diesel::sql_query(sql).bind::<Nullable<SqlUuid>, _>(shelf.reader()).load(conn)?)
}

/// What uses a term.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Names of what stands under it.
    pub below: Vec<String>,
    /// Id and name of the library procedures that the reader knows of.
    pub procedures: Vec<(Uuid, String)>,
    /// Library procedures that they do not know of, and procedures of engagements.
    pub hidden: i64,
}

impl Uses {
    pub fn is_none(&self) -> bool {
        self.below.is_empty() && self.procedures.is_empty() && self.hidden == 0
    }

    /// "2 tactics", "3 library procedures and 1 elsewhere"
    pub fn sentence(&self, kind: TermKind) -> String {
        let of = |number: usize, one: &str, many: &str| (number > 0).then(|| counted(number, one, many));
        let below = match kind {
            TermKind::Methodology => of(self.below.len(), "tactic", "tactics"),
            TermKind::Tactic | TermKind::Technique => of(self.below.len(), "technique", "techniques"),
        };
        let library = of(self.procedures.len(), "library procedure", "library procedures");
        let hidden = usize::try_from(self.hidden).unwrap_or_default();
        let elsewhere = of(hidden, "procedure elsewhere", "procedures elsewhere");
        [below, library, elsewhere].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

#[derive(QueryableByName)]
struct UseRow {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    what: String,
}

/// What uses a term: what stands under it, the procedures that name a technique, and those of engagements
/// that are counted under a tactic. One that the reader does not know of counts without its name.
pub fn find_uses(conn: &mut PgConnection, shelf: Shelf, term: &Own) -> Result<Uses> {
    // sql_query: three kinds of use in one list.
    let sql = format!(
        "SELECT NULL::uuid AS id, c.name, 'below' AS what FROM term_parents tp \
            JOIN terms c ON c.id = tp.term_id WHERE tp.parent_id = $1
         UNION ALL SELECT NULL, c.name, 'below' FROM terms c
            WHERE $2 <> '' AND c.kind = 'technique' AND starts_with(c.short_name, $2 || '.')
         UNION ALL SELECT CASE WHEN p.repository_id = ANY (s.seen) THEN p.id END,
            CASE WHEN p.repository_id = ANY (s.seen) THEN p.name ELSE '' END, 'library'
            FROM library_procedures p CROSS JOIN (SELECT {} AS seen) s
            WHERE $2 <> '' AND p.technique_ids @> ARRAY[$2]
         UNION ALL SELECT NULL, '' COLLATE names, 'engagement' FROM procedures p
            WHERE $2 <> '' AND p.technique_ids @> ARRAY[$2]
         UNION ALL SELECT NULL, '' COLLATE names, 'engagement' FROM procedures p
            WHERE $4 <> '' AND p.tactics @> ARRAY[$4]
         ORDER BY name",
        seen(3)
    );
    let called = |kind: TermKind| if term.kind == kind { term.text.short_name.as_str() } else { "" };
    let rows: Vec<UseRow> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(term.id)
        .bind::<Text, _>(called(TermKind::Technique))
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Text, _>(called(TermKind::Tactic))
        .load(conn)?;
    let mut uses = Uses::default();
    for row in rows {
        match (row.what.as_str(), row.id) {
            ("below", _) => uses.below.push(row.name),
            (_, Some(id)) => uses.procedures.push((id, row.name)),
            (_, None) => uses.hidden += 1,
        }
    }
    Ok(uses)
}

fn taken(error: diesel::result::Error) -> Error {
    let said = |sentence: &str| Error::field(TermField::ShortName.as_str(), sentence);
    match Error::constraint(&error) {
        Some("terms_short_name") => said("Another one has this already. Choose a different one."),
        Some("terms_technique" | "terms_tactic") => said("It does not fit here. Choose a different one."),
        Some("term_parents_parent_id_fkey") => unknown_parent(),
        _ => error.into(),
    }
}

fn unknown_parent() -> Error {
    Error::field(TermField::Parents.as_str(), "One of the chosen is no longer there. Choose again.")
}

/// A tactic of ATT&CK's newest release keeps its short name: a filter by it would find both.
fn check_tactic(conn: &mut PgConnection, kind: TermKind, short_name: &str) -> Result<()> {
    use crate::kernel::db::schema::tactics;
    if kind != TermKind::Tactic {
        return Ok(());
    }
    let attacks = tactics::table.filter(tactics::short_name.eq(short_name));
    if diesel::select(exists(attacks)).get_result(conn)? {
        let sentence = "A tactic of MITRE ATT&CK has this short name. Choose a different one.";
        return Err(Error::field(TermField::ShortName.as_str(), sentence));
    }
    Ok(())
}

fn write_parents(conn: &mut PgConnection, term: TermId, kind: TermKind, parents: &[Uuid]) -> Result<()> {
    if let Some(above) = kind.above() {
        let known: i64 = terms::table
            .filter(terms::id.eq_any(parents).and(terms::kind.eq(above)).and(terms::key.is_null()))
            .count()
            .get_result(conn)?;
        if usize::try_from(known).ok() != Some(parents.len()) {
            return Err(unknown_parent());
        }
    }
    diesel::delete(term_parents::table.filter(term_parents::term_id.eq(term))).execute(conn)?;
    let rows: Vec<_> = parents
        .iter()
        .map(|parent| (term_parents::term_id.eq(term), term_parents::parent_id.eq(*parent)))
        .collect();
    diesel::insert_into(term_parents::table).values(rows).execute_anew(conn).map_err(taken)?;
    Ok(())
}

/// Makes a term of one's own.
///
/// # Errors
/// [`Error::Invalid`] for a short name that another one has, and parents that are none.
pub fn insert(tx: &mut WriteTx<'_>, kind: TermKind, text: &TermText) -> Result<Audited<TermId>> {
    let id = TermId::new();
    write_new(tx, id, 1, kind, text)?;
    let event = about(Kind::TermCreated, "Created", kind, id, &text.name);
    tx.audited(id, event)
}

/// As [`insert`], under an id that it has elsewhere; answers its version. The caller audits.
///
/// # Errors
/// As [`insert`].
pub(crate) fn insert_known(
    tx: &mut WriteTx<'_>,
    id: TermId,
    kind: TermKind,
    text: &TermText,
) -> Result<Version> {
    // One that was deleted here and comes again goes on where its history ends.
    let version = history::last_version(tx.conn, Subject(SubjectKind::Term, id.0))? + 1;
    write_new(tx, id, version, kind, text)?;
    Ok(version)
}

fn write_new(
    tx: &mut WriteTx<'_>,
    id: TermId,
    version: Version,
    kind: TermKind,
    text: &TermText,
) -> Result<()> {
    check_tactic(tx.conn, kind, &text.short_name)?;
    let last: Option<i32> =
        terms::table.filter(terms::kind.eq(kind)).select(max(terms::position)).first(tx.conn)?;
    diesel::insert_into(terms::table)
        .values((
            terms::id.eq(id),
            terms::kind.eq(kind),
            terms::name.eq(&text.name),
            terms::short_name.eq(&text.short_name),
            terms::description.eq(&text.description),
            terms::tags.eq(&text.tags),
            terms::position.eq(last.unwrap_or(0) + 1),
            terms::created_at.eq(tx.now()),
            terms::created_by.eq(tx.actor().id),
            terms::version.eq(version),
        ))
        .execute(tx.conn)
        .map_err(taken)?;
    write_parents(tx.conn, id, kind, &text.parents)?;
    let values: Vec<(TermField, String)> = TermField::ALL
        .iter()
        .map(|field| (*field, text.get(*field)))
        .filter(|(_, v)| !v.is_empty())
        .collect();
    let first: Vec<_> = values.iter().map(|(field, value)| (*field, version, value.as_str())).collect();
    history::note(tx, Subject(SubjectKind::Term, id.0), &first)
}

/// Makes a term say something else; answers what it said. Its short name stays. The caller audits.
///
/// # Errors
/// [`Error::NotFound`], and parents that are none.
pub(crate) fn write_known(tx: &mut WriteTx<'_>, id: TermId, text: &TermText) -> Result<Own> {
    let mut held = lock_own(tx.conn, id)?;
    let was = held.clone();
    held.text = TermText { short_name: was.text.short_name.clone(), ..text.clone() };
    let changes: Vec<Change<TermField>> = TermField::ALL
        .iter()
        .map(|field| Change { field: *field, old: was.text.get(*field), new: held.text.get(*field) })
        .filter(|change| change.old != change.new)
        .collect();
    let version = was.version + 1;
    held.store(tx, version, &changes)?;
    let values: Vec<_> = changes.iter().map(|change| (change.field, version, change.new.as_str())).collect();
    history::note(tx, held.subject(), &values)?;
    Ok(was)
}

fn about(act: Kind, verb: &str, kind: TermKind, id: TermId, name: &str) -> Event {
    Event::new(act, format!("{verb} the {} “{name}”", kind.noun())).subject(kind.as_str(), id.0, name)
}

impl Columns for Own {
    type Field = TermField;

    fn get(&self, field: TermField) -> String {
        self.text.get(field)
    }

    fn set(&mut self, field: TermField, value: &str) -> Result<()> {
        self.text.set(field, value);
        Ok(())
    }
}

impl Record for Own {
    fn subject(&self) -> Subject {
        Subject(SubjectKind::Term, self.id.0)
    }

    fn version(&self) -> Version {
        self.version
    }

    fn check(&self, field: TermField, raw: &str) -> Result<String, String> {
        self.kind.check(field, raw)
    }

    fn check_typed(&self, posted: &[Posted<TermField>]) -> Result<(), Misfit<TermField>> {
        let is_bare = posted.iter().any(|p| p.field == TermField::Parents && p.value.is_empty());
        if self.kind.above().is_some() && is_bare { Err(NO_PARENT) } else { Ok(()) }
    }

    fn check_whole(&self) -> Result<(), Misfit<TermField>> {
        if self.kind.above().is_some() && self.text.parents.is_empty() { Err(NO_PARENT) } else { Ok(()) }
    }

    fn store(&mut self, tx: &mut WriteTx<'_>, version: Version, changes: &[Change<TermField>]) -> Result<()> {
        if let Some(change) = changes.iter().find(|change| change.field == TermField::ShortName) {
            check_tactic(tx.conn, self.kind, &self.text.short_name)?;
            self.check_unused(tx.conn, &change.old)?;
        }
        diesel::update(terms::table.find(self.id))
            .set((
                terms::name.eq(&self.text.name),
                terms::short_name.eq(&self.text.short_name),
                terms::description.eq(&self.text.description),
                terms::tags.eq(&self.text.tags),
                terms::version.eq(version),
            ))
            .execute(tx.conn)
            .map_err(taken)?;
        if changes.iter().any(|change| change.field == TermField::Parents) {
            write_parents(tx.conn, self.id, self.kind, &self.text.parents)?;
        }
        Ok(())
    }
}

/// Beside the parents where none is chosen.
pub const NO_PARENT: Misfit<TermField> = (TermField::Parents, "Choose at least one that it belongs to.");

impl Own {
    /// The id of a technique stays while procedures name it by it; the short name of a tactic, while those of
    /// engagements are counted under it.
    fn check_unused(&self, conn: &mut PgConnection, id: &str) -> Result<()> {
        if self.kind == TermKind::Methodology {
            return Ok(());
        }
        let mut before = self.clone();
        before.text.short_name = id.to_owned();
        let uses = Uses { below: Vec::new(), ..find_uses(conn, Shelf::whole(), &before)? };
        if uses.is_none() {
            return Ok(());
        }
        let by = uses.sentence(self.kind);
        let is_one = by.starts_with("1 ") && !by.contains(',');
        let sentence = match (self.kind, is_one) {
            (TermKind::Technique, true) => format!("{id} is what {by} names it by, so the id stays."),
            (TermKind::Technique, false) => format!("{id} is what {by} name it by, so the id stays."),
            (_, true) => format!("{by} is counted under {id}, so the short name stays."),
            (_, false) => format!("{by} are counted under {id}, so the short name stays."),
        };
        Err(Error::field(TermField::ShortName.as_str(), sentence))
    }
}

/// Saves typed fields of a term. What conflicts is not stored and comes back with both values.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] with a sentence for each field that does not hold.
pub fn save_term(
    tx: &mut WriteTx<'_>,
    id: TermId,
    typed: &[Typed<TermField>],
) -> Result<Audited<Saved<TermField>>> {
    let mut held = lock_own(tx.conn, id)?;
    let saved = save(tx, &mut held, typed, |_| Ok(()))?;
    if !saved.changes() {
        return Ok(tx.unchanged(saved));
    }
    let event = about(Kind::TermUpdated, "Changed", held.kind, id, &held.text.name)
        .telling(saved.accepted.iter().map(Change::detail));
    tx.audited(saved, event)
}

fn lock_own(conn: &mut PgConnection, id: TermId) -> Result<Own> {
    let row: Row =
        terms::table.find(id).filter(terms::key.is_null()).select(own_row!()).for_update().first(conn)?;
    own(conn, row)
}

/// Deletes a term that nothing uses.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Refused`] with what uses it.
pub fn delete_term(tx: &mut WriteTx<'_>, shelf: Shelf, id: TermId) -> Result<Audited<Own>> {
    let held = lock_own(tx.conn, id)?;
    let uses = find_uses(tx.conn, shelf, &held)?;
    if !uses.is_none() {
        return Err(Error::Refused(format!(
            "“{}” is in use: {}. Take it out there first.",
            held.text.name,
            uses.sentence(held.kind)
        )));
    }
    diesel::delete(terms::table.find(id)).execute(tx.conn)?;
    let event = about(Kind::TermDeleted, "Deleted", held.kind, id, &held.text.name);
    tx.audited(held, event)
}

/// A new term as it was typed: its text where every field holds.
///
/// # Errors
/// [`Error::Invalid`] with a sentence for each field that does not hold.
pub fn checked(kind: TermKind, typed: &[Typed<TermField>]) -> Result<TermText> {
    let mut errors = FieldErrors::default();
    let mut text = TermText::default();
    for one in typed {
        match kind.check(one.field, &one.raw) {
            Ok(value) => text.set(one.field, &value),
            Err(sentence) => errors.add(one.field.as_str(), sentence),
        }
    }
    if kind.above().is_some() && text.parents.is_empty() && errors.get(NO_PARENT.0.as_str()).is_none() {
        errors.add(NO_PARENT.0.as_str(), NO_PARENT.1);
    }
    errors.done()?;
    Ok(text)
}

/// Techniques of an own methodology, or of all of them, by id, at most `limit`; before one against the list's
/// order.
pub fn search_own_techniques(
    conn: &mut PgConnection,
    shelf: Shelf,
    methodology: Option<TermId>,
    search: &TechniqueSearch,
    limit: i64,
) -> Result<Vec<TechniqueRow>> {
    let (beyond, order) = if search.at.is_backwards() { ("<", "DESC") } else { (">", "ASC") };
    // sql_query: a row's counts and tactics by array membership, one page of them.
    let sql = format!(
        "SELECT q.short_name AS external_id, q.name, NULL::text AS parent, '{{}}'::text[] AS platforms,
            'live' AS status, NULL::text AS revoked_by,
            ARRAY(SELECT t.name FROM tactics_of(ARRAY[q.short_name]) t ORDER BY t.place, t.name) AS tactics,
            (SELECT count(*) FROM library_procedures p WHERE p.withdrawn_at IS NULL AND p.retired_at IS NULL
                AND p.repository_id = ANY ({}) AND p.technique_ids @> ARRAY[q.short_name]) AS procedures
         FROM terms q WHERE {OWN_MATCHES} AND ($4::text IS NULL OR q.short_name {beyond} $4)
         ORDER BY q.short_name {order} LIMIT $5",
        seen(6)
    );
    Ok(diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(methodology)
        .bind::<Array<Text>, _>(patterns(&search.q))
        .bind::<Text, _>(&search.tactic)
        .bind::<Nullable<Text>, _>(search.at.cursor())
        .bind::<BigInt, _>(limit)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .load(conn)?)
}

/// The techniques of the methodology `$1`, or of any, that hold the words `$2` and stand under the tactic
/// `$3`.
const OWN_MATCHES: &str = "q.kind = 'technique' AND lower(q.short_name || ' ' || q.name) LIKE ALL ($2)
    AND EXISTS (SELECT FROM term_parents qp JOIN terms t ON t.id = qp.parent_id
        JOIN term_parents tp ON tp.term_id = t.id AND ($1::uuid IS NULL OR tp.parent_id = $1)
        WHERE qp.term_id = q.id AND ($3 = '' OR t.short_name = $3))";

/// How many own techniques a search finds, wherever it starts.
pub fn count_own_techniques(
    conn: &mut PgConnection,
    methodology: Option<TermId>,
    search: &TechniqueSearch,
) -> Result<i64> {
    // sql_query: the condition of the search, so that the count is of what it finds.
    let number: Number = diesel::sql_query(format!("SELECT count(*) AS n FROM terms q WHERE {OWN_MATCHES}"))
        .bind::<Nullable<SqlUuid>, _>(methodology)
        .bind::<Array<Text>, _>(patterns(&search.q))
        .bind::<Text, _>(&search.tactic)
        .get_result(conn)?;
    Ok(number.n)
}

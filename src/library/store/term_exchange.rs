//! SQL of a team's own methodologies, tactics and techniques as they leave the library and come in again.

use std::collections::HashSet;

use diesel::sql_types::{Array, Binary, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::undo::MethodologyBefore;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::TermId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{tactics, terms};
use crate::library::domain::ContentDigest;
use crate::library::terms::TermKind;

/// A term of one's own with what it stands under.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct StoredTerm {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
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
    pub parents: Vec<Uuid>,
    /// Of a methodology, what the file of the last import was written from.
    #[diesel(sql_type = Nullable<Binary>)]
    pub written_from: Option<Vec<u8>>,
    /// Of a methodology, digest of what the last import said.
    #[diesel(sql_type = Nullable<Binary>)]
    pub imported_digest: Option<Vec<u8>>,
}

/// The own techniques among those that procedures name (`$1`), and what they stand under.
const NAMED: &str = "WITH named AS (SELECT id FROM terms WHERE kind = 'technique' AND short_name = ANY ($1)),
    tactic AS (SELECT DISTINCT parent_id AS id FROM term_parents WHERE term_id IN (SELECT id FROM named)),
    methodology AS (SELECT DISTINCT parent_id AS id FROM term_parents
        WHERE term_id IN (SELECT id FROM tactic))";

/// Methodologies by short name, tactics in their order, techniques by id.
const TERMS: &str =
    "SELECT t.id, t.kind, t.name, t.short_name, t.description, t.tags, t.written_from, t.imported_digest,
        ARRAY(SELECT p.parent_id FROM term_parents p WHERE p.term_id = t.id ORDER BY p.parent_id) AS parents
     FROM terms t WHERE t.key IS NULL AND";

const ORDER: &str = "ORDER BY t.kind, CASE WHEN t.kind = 'tactic' THEN t.position END, t.short_name, t.id";

/// The own techniques of these ids with all tactics and methodologies that they stand under.
pub fn list_terms_named(conn: &mut PgConnection, ids: &[String]) -> Result<Vec<StoredTerm>> {
    // sql_query: parents by array, three kinds in one list.
    let sql = format!(
        "{NAMED} {TERMS} t.id IN (SELECT id FROM named UNION SELECT id FROM tactic \
            UNION SELECT id FROM methodology) {ORDER}"
    );
    Ok(diesel::sql_query(sql).bind::<Array<Text>, _>(ids).load(conn)?)
}

/// The own methodologies that these techniques stand under, each with everything that stands under it.
pub fn list_methodologies_named(conn: &mut PgConnection, ids: &[String]) -> Result<Vec<StoredTerm>> {
    // sql_query: as for the techniques alone, and down again.
    let sql = format!(
        "{NAMED},
         under AS (SELECT DISTINCT term_id AS id FROM term_parents
            WHERE parent_id IN (SELECT id FROM methodology)),
         lowest AS (SELECT DISTINCT term_id AS id FROM term_parents WHERE parent_id IN (SELECT id FROM under))
         {TERMS} t.id IN (SELECT id FROM methodology UNION SELECT id FROM under UNION SELECT id FROM lowest)
         {ORDER}"
    );
    Ok(diesel::sql_query(sql).bind::<Array<Text>, _>(ids).load(conn)?)
}

/// Everything here that terms of an archive can meet.
#[derive(Debug, Clone, Default)]
pub struct TermsHere {
    pub terms: Vec<StoredTerm>,
    /// Short names of ATT&CK's tactics.
    pub attacks: HashSet<String>,
    /// Short names of what comes with the product, in small letters.
    reserved: HashSet<(TermKind, String)>,
}

impl TermsHere {
    /// Whether a term here has this short name, in small letters.
    pub fn is_taken(&self, kind: TermKind, short_name: &str) -> bool {
        self.reserved.contains(&(kind, short_name.to_owned()))
            || self.terms.iter().any(|own| own.kind == kind && own.short_name.to_lowercase() == short_name)
    }
}

/// All terms, with the names that they may not have.
pub fn list_terms_here(conn: &mut PgConnection) -> Result<TermsHere> {
    // sql_query: parents by array.
    let own: Vec<StoredTerm> = diesel::sql_query(format!("{TERMS} true {ORDER}")).load(conn)?;
    let attacks: Vec<String> = tactics::table.select(tactics::short_name).distinct().load(conn)?;
    let reserved: Vec<(TermKind, String)> =
        terms::table.filter(terms::key.is_not_null()).select((terms::kind, terms::short_name)).load(conn)?;
    Ok(TermsHere {
        terms: own,
        attacks: attacks.into_iter().collect(),
        reserved: reserved.into_iter().map(|(kind, name)| (kind, name.to_lowercase())).collect(),
    })
}

/// Notes what an import said of a methodology, whatever of it was taken. The caller audits.
pub(crate) fn note_methodology(
    tx: &mut WriteTx<'_>,
    id: TermId,
    imported: ContentDigest,
    written_from: ContentDigest,
) -> Result<MethodologyBefore> {
    let known = (terms::written_from, terms::imported_digest);
    let (was_from, was_imported) = terms::table.find(id).select(known).first(tx.conn)?;
    diesel::update(terms::table.find(id))
        .set((terms::written_from.eq(written_from.to_vec()), terms::imported_digest.eq(imported.to_vec())))
        .execute(tx.conn)?;
    Ok(MethodologyBefore { id, written_from: was_from, imported_digest: was_imported })
}

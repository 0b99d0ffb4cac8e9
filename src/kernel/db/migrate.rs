//! Migrations: embedded, applied by the owner under an advisory lock; after them the rights of the app's
//! roles, and the question whether they hold.

use anyhow::bail;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

/// Every migration of this binary.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Where a database's schema stands against this binary's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Current,
    /// The database lacks migrations.
    Older(usize),
    /// The database has migrations that this binary does not know.
    Newer,
}

/// The roles that a database grants rights to, beside its owner.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    /// The app's own role.
    pub app: &'a str,
    /// The role that seals, archives and drops; without one the app's role does that too.
    pub sealer: Option<&'a str>,
}

/// Applies what is missing as the owner, then gives the roles what they need and nothing else. Safe to run
/// twice and on several nodes.
///
/// # Errors
/// When the server cannot be reached or a migration fails (that migration is then undone), and when a role
/// can do more than it should afterwards: the sentence says what, and how to take it away.
pub fn migrate(owner_url: &str, roles: Roles<'_>) -> anyhow::Result<usize> {
    let mut conn = PgConnection::establish(owner_url)?;
    conn.batch_execute("SET client_min_messages = warning; SELECT pg_advisory_lock(7231845011)")?;
    let applied = conn
        .run_pending_migrations(MIGRATIONS)
        .map_err(|e| anyhow::anyhow!("a migration failed: {e}"))?
        .len();
    conn.batch_execute(&format!("BEGIN; {}; {}; COMMIT", revokes_of_others(roles), grants(roles)))?;
    // What belongs to the database's owner, who may be somebody else: then nothing changes, and the questions
    // below tell.
    for revoke in database_revokes(&mut conn, roles)? {
        let _ = conn.batch_execute(&revoke);
    }
    conn.batch_execute("SELECT pg_advisory_unlock(7231845011)")?;
    let faults = excess(&mut conn, roles)?;
    if !faults.is_empty() {
        bail!(
            "the schema is current, but the database lets roles do more than Tyrian's audit log can \
                bear:\n  {}",
            faults.join("\n  ")
        );
    }
    Ok(applied)
}

/// Undoes the newest migration; for tests of the way back.
///
/// # Errors
/// When it cannot be undone.
pub fn revert_last(owner_url: &str) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(owner_url)?;
    conn.batch_execute("SET client_min_messages = warning")?;
    conn.revert_last_migration(MIGRATIONS)
        .map_err(|e| anyhow::anyhow!("a migration could not be undone: {e}"))?;
    Ok(())
}

/// Compares the database's migrations with this binary's.
///
/// # Errors
/// When the database cannot be asked.
pub fn standing(conn: &mut PgConnection) -> diesel::QueryResult<Standing> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    // sql_query: diesel's own harness would create its table here, which the app's role may not.
    let present: Vec<Version> =
        match diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version").load(conn)
        {
            Ok(rows) => rows,
            Err(diesel::result::Error::DatabaseError(_, info))
                if info.message().contains("does not exist") =>
            {
                Vec::new()
            }
            Err(other) => return Err(other),
        };
    use diesel::migration::{Migration, MigrationSource};
    let known: Vec<String> = MigrationSource::<diesel::pg::Pg>::migrations(&MIGRATIONS)
        .unwrap_or_default()
        .iter()
        .map(|m| Migration::<diesel::pg::Pg>::name(m).version().to_string())
        .collect();
    if present.iter().any(|p| !known.contains(&p.version)) {
        return Ok(Standing::Newer);
    }
    Ok(match known.len() - present.len() {
        0 => Standing::Current,
        missing => Standing::Older(missing),
    })
}

/// Tables whose rows are only ever added: what was once true stays.
const INSERT_ONLY: &str = "field_history, report_revisions, report_publications, report_moves, \
    outcome_corrections, library_procedure_versions, test_plan_versions";

/// Columns of an event that are not the database's own.
const EVENT_COLUMNS: &str = "kind, category, outcome, reason, actor_kind, actor_id, actor_name, \
    actor_email, on_behalf_of, \
    subject_type, subject_id, subject_label, about_person, client_id, engagement_id, address, user_agent, \
    request_id, sentence, detail, search_values";

/// The tables that only the sealer writes.
const SEALS: &str = "audit.seals, audit.sealed, audit.boundary_leaves";

/// The functions that make months of the log go.
const RETENTION: &str = "audit.record_archive(date, text, bytea, bytea, bigint), audit.drop_month(date)";

/// A role's name inside a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// First everything that any earlier version gave is taken, then comes what this one needs. The app's role
/// may read and write the product's tables; of the audit events it may insert the columns that are not the
/// database's own, and read. Nothing on partitions, nothing that owns.
fn grants(roles: Roles<'_>) -> String {
    let app = quoted(roles.app);
    let sealer = quoted(roles.sealer.unwrap_or(roles.app));
    let both = if roles.sealer.is_some() { format!("{app}, {sealer}") } else { app.clone() };
    format!(
        "REVOKE ALL ON ALL TABLES IN SCHEMA public, audit FROM PUBLIC, {both};
         REVOKE ALL ON ALL SEQUENCES IN SCHEMA public, audit FROM PUBLIC, {both};
         REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC, {both};
         REVOKE ALL ON SCHEMA audit FROM PUBLIC, {both};
         GRANT USAGE ON SCHEMA public, audit TO {both};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app};
         REVOKE INSERT, UPDATE, DELETE ON __diesel_schema_migrations FROM {app};
         REVOKE INSERT, DELETE ON settings FROM {app};
         REVOKE UPDATE, DELETE ON {INSERT_ONLY} FROM {app};
         GRANT SELECT ON settings TO {sealer};
         GRANT USAGE ON SEQUENCE audit.event_order TO {both};
         GRANT SELECT ON audit.events, audit.archives, audit.set_aside, {SEALS} TO {both};
         GRANT INSERT ({EVENT_COLUMNS}) ON audit.events TO {both};
         GRANT INSERT ON {SEALS} TO {sealer};
         GRANT EXECUTE ON FUNCTION audit.now(), audit.days(), audit.floor() TO {both};
         GRANT EXECUTE ON FUNCTION audit.make_month(date) TO {app};
         GRANT EXECUTE ON FUNCTION {RETENTION} TO {sealer}"
    )
}

/// A role that was ours once, under another name or before the sealer had one, reads the log and no more.
/// What others were given to read they keep.
fn revokes_of_others(roles: Roles<'_>) -> String {
    let ours = [Some(roles.app), roles.sealer].into_iter().flatten();
    let ours: Vec<String> = ours.map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
    format!(
        "DO $$ DECLARE given record; BEGIN
             FOR given IN
                 SELECT DISTINCT 'TABLE ' || c.oid::regclass AS thing, r.rolname
                     FROM (SELECT oid, relacl AS acl FROM pg_class UNION ALL SELECT attrelid, attacl \
                     FROM pg_attribute) has
                         JOIN pg_class c ON c.oid = has.oid, aclexplode(has.acl) a \
                         JOIN pg_roles r ON r.oid = a.grantee
                     WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'p') \
                     AND a.privilege_type <> 'SELECT'
                         AND a.grantee <> c.relowner AND r.rolname NOT IN ({ours})
                 UNION
                 SELECT DISTINCT 'FUNCTION ' || f.oid::regprocedure, r.rolname
                     FROM pg_proc f, aclexplode(f.proacl) a JOIN pg_roles r ON r.oid = a.grantee
                     WHERE f.pronamespace = 'audit'::regnamespace AND a.grantee <> f.proowner \
                     AND r.rolname NOT IN ({ours})
             LOOP
                 IF given.thing LIKE 'TABLE %' THEN
                     EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON %s \
                     FROM %I', given.thing, given.rolname);
                 ELSE
                     EXECUTE format('REVOKE ALL ON %s FROM %I', given.thing, given.rolname);
                 END IF;
             END LOOP;
         END $$",
        ours = ours.join(", ")
    )
}

/// Temporary objects let a role decide what names mean inside others' functions; no role of ours makes any
/// object at all.
fn database_revokes(conn: &mut PgConnection, roles: Roles<'_>) -> QueryResult<[String; 2]> {
    #[derive(QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    let all =
        [Some(roles.app), roles.sealer].into_iter().flatten().map(quoted).collect::<Vec<_>>().join(", ");
    // sql_query: a function of the database's own.
    let database =
        quoted(&diesel::sql_query("SELECT current_database()::text AS name").get_result::<Name>(conn)?.name);
    Ok([
        format!("REVOKE TEMPORARY, CREATE ON DATABASE {database} FROM PUBLIC, {all}"),
        format!("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {all}"),
    ])
}

/// Something that a role can do beyond what it should.
#[derive(Debug, QueryableByName)]
pub struct Excess {
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub sentence: String,
    /// Whether it lets the role change the log.
    #[diesel(sql_type = diesel::sql_types::Bool)]
    pub grave: bool,
}

/// What a role can do beyond what it should; asked of the catalogs, because a REVOKE by somebody who does not
/// own the object changes nothing and only warns. `seals` says whether it is to seal, archive and drop, and
/// `sealer` is the role that does.
///
/// # Errors
/// When the database refuses to say.
pub fn excess_of(conn: &mut PgConnection, role: &str, seals: bool, sealer: &str) -> QueryResult<Vec<Excess>> {
    // sql_query: the catalogs are no tables of ours.
    diesel::sql_query(include_str!("excess.sql"))
        .bind::<diesel::sql_types::Text, _>(role)
        .bind::<diesel::sql_types::Bool, _>(seals)
        .bind::<diesel::sql_types::Text, _>(sealer)
        .load(conn)
}

/// What the roles can do beyond what they should, each as a sentence.
///
/// # Errors
/// When the database refuses to say.
pub fn excess(conn: &mut PgConnection, roles: Roles<'_>) -> QueryResult<Vec<String>> {
    let mut faults = Vec::new();
    for (role, seals) in [(Some(roles.app), roles.sealer.is_none()), (roles.sealer, true)] {
        let Some(role) = role else { continue };
        let sealer = if seals { role } else { roles.sealer.unwrap_or(role) };
        faults.extend(excess_of(conn, role, seals, sealer)?.into_iter().map(|fault| fault.sentence));
    }
    Ok(faults)
}

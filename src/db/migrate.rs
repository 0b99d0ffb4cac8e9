//! Migrations: embedded, applied by the owner under an advisory lock, and the grants of the app's role after them.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

/// Every migration of this binary.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Where a database's schema stands against this binary's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Equal.
    Current,
    /// The database lacks migrations.
    Older(usize),
    /// The database has migrations that this binary does not know.
    Newer,
}

/// Applies what is missing as the owner, then grants the app's role what it needs. Safe to run twice and on several nodes.
///
/// # Errors
/// When the server cannot be reached or a migration fails; that migration is then undone.
pub fn migrate(owner_url: &str, app_role: &str) -> anyhow::Result<usize> {
    let mut conn = PgConnection::establish(owner_url)?;
    conn.batch_execute("SET client_min_messages = warning; SELECT pg_advisory_lock(7231845011)")?;
    let applied = conn.run_pending_migrations(MIGRATIONS).map_err(|e| anyhow::anyhow!("a migration failed: {e}"))?.len();
    conn.batch_execute(&grants(app_role))?;
    conn.batch_execute("SELECT pg_advisory_unlock(7231845011)")?;
    Ok(applied)
}

/// Undoes the newest migration; for tests of the way back.
///
/// # Errors
/// When it cannot be undone.
pub fn revert_last(owner_url: &str) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(owner_url)?;
    conn.batch_execute("SET client_min_messages = warning")?;
    conn.revert_last_migration(MIGRATIONS).map_err(|e| anyhow::anyhow!("a migration could not be undone: {e}"))?;
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
    let present: Vec<Version> = match diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version").load(conn) {
        Ok(rows) => rows,
        Err(diesel::result::Error::DatabaseError(_, info)) if info.message().contains("does not exist") => Vec::new(),
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

/// The app's role may read and write the product's tables; of the audit events it may insert the columns that are not the
/// database's own, and read; seals it may add. Nothing on partitions, nothing that owns.
fn grants(role: &str) -> String {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    format!(
        "GRANT USAGE ON SCHEMA public, audit TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
         REVOKE INSERT, UPDATE, DELETE ON __diesel_schema_migrations FROM {role};
         REVOKE UPDATE, DELETE ON field_history, report_revisions, report_publications, report_moves, outcome_corrections,
            library_procedure_versions FROM {role};
         GRANT USAGE ON SEQUENCE audit.event_order TO {role};
         GRANT SELECT ON audit.events, audit.archives, audit.seals, audit.sealed, audit.boundary_leaves TO {role};
         GRANT INSERT (kind, category, outcome, reason, actor_kind, actor_id, actor_name, actor_email, on_behalf_of, subject_type,
             subject_id, subject_label, about_person, client_id, engagement_id, address, user_agent, request_id, sentence, detail,
             search_values) ON audit.events TO {role};
         REVOKE INSERT ON audit.archives FROM {role};
         GRANT INSERT ON audit.seals, audit.sealed, audit.boundary_leaves TO {role};
         REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
         GRANT EXECUTE ON FUNCTION audit.now(), audit.days(), audit.floor(), audit.make_month(date), audit.drop_month(date), audit.record_archive(date, text, bytea), audit.mark(),
             audit.require_event() TO {role};"
    )
}

//! Work that one process of all nodes does at a time: whoever holds the claim.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Text};

use crate::kernel::base::error::Result;
use crate::kernel::base::query::prelude::*;

/// A claim on a piece of work, held over transactions by a connection of its own. It ends when this is
/// dropped, or with the process.
pub struct Claim {
    conn: PgConnection,
}

impl Claim {
    /// Claims the work of this name; None where another process holds it.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn take(mut conn: PgConnection, work: &str) -> Result<Option<Self>> {
        let taken = sql::<Bool>("pg_try_advisory_lock(hashtext(").bind::<Text, _>(work).sql("))");
        let taken: bool = diesel::select(taken).get_result(&mut conn)?;
        Ok(taken.then_some(Self { conn }))
    }

    /// Whether any process holds the work of this name.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn is_taken(conn: &mut PgConnection, work: &str) -> Result<bool> {
        let held = sql::<Bool>(
            "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND (classid::bigint << 32 | objid::bigint) = hashtext(",
        );
        Ok(diesel::select(held.bind::<Text, _>(work).sql(")::bigint)")).get_result(conn)?)
    }

    /// The connection that holds it.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A connection that is closed lives on in the server for a moment, and with it the claim: given back
        // first, the next who asks has it. Where this fails the connection is gone already.
        let _ = self.conn.batch_execute("SELECT pg_advisory_unlock_all()");
    }
}

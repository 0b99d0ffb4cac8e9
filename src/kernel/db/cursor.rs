//! Server-side cursors over typed queries: a result of any length in memory of one size.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// Declares a cursor of this name over a query, until the end of the transaction.
///
/// # Errors
/// When the database refuses the query.
pub fn declare<Q: QueryFragment<Pg>>(
    conn: &mut PgConnection,
    name: &'static str,
    query: Q,
) -> QueryResult<()> {
    Declare { name, query }.execute(conn).map(drop)
}

/// The next rows of a cursor; fewer than `rows` at its end.
pub fn fetch<Columns>(name: &'static str, rows: usize) -> Fetch<Columns> {
    Fetch { name, rows, columns: PhantomData }
}

struct Declare<Q> {
    name: &'static str,
    query: Q,
}

impl<Q> QueryId for Declare<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Declare<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("DECLARE ");
        out.push_identifier(self.name)?;
        out.push_sql(" NO SCROLL CURSOR FOR ");
        self.query.walk_ast(out.reborrow())
    }
}

impl<Q> RunQueryDsl<PgConnection> for Declare<Q> {}

/// A FETCH whose columns are known.
pub struct Fetch<Columns> {
    name: &'static str,
    rows: usize,
    columns: PhantomData<Columns>,
}

impl<Columns> QueryId for Fetch<Columns> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Columns> Query for Fetch<Columns> {
    type SqlType = Columns;
}

impl<Columns> QueryFragment<Pg> for Fetch<Columns> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Another cursor of the same name may have other columns.
        out.unsafe_to_cache_prepared();
        out.push_sql(&format!("FETCH FORWARD {} FROM ", self.rows));
        out.push_identifier(self.name)
    }
}

impl<Columns> RunQueryDsl<PgConnection> for Fetch<Columns> {}

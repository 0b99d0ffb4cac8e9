//! How statements are sent: prepared, so that PostgreSQL reads and plans each text once for a connection and
//! not at every use. `use crate::kernel::base::query::prelude::*` stands where diesel's prelude would; its
//! `load`, `first`, `get_result` and `execute` prepare whatever they are called on.
//!
//! diesel itself keeps no prepared statement of plain SQL, nor of updates, upserts and inserts, because it
//! cannot know that their texts are few. Ours are: values are bound, and lists are one array (`= ANY`,
//! `unnest`). What is of another length each time says so with [`RunPrepared::execute_anew`].

use diesel::dsl::Limit;
use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::{AsQuery, AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::LoadQuery;
use diesel::query_dsl::methods::{ExecuteDsl, LimitDsl};
use diesel::{QueryResult, RunQueryDsl};

pub mod prelude {
    //! diesel's prelude, with queries that are prepared.
    pub use super::RunPrepared as RunQueryDsl;
    pub use diesel::prelude::*;
}

/// A query as it is sent. Kept, its text is the same at every use, and its prepared statement is found again
/// by that text and the types of its values, never by its Rust type: two queries of one type may differ in
/// their text.
pub struct Sent<Q, const KEPT: bool>(Q);

impl<Q: QueryFragment<Pg>, const KEPT: bool> QueryFragment<Pg> for Sent<Q, KEPT> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(KEPT)
    }
}

impl<Q, const KEPT: bool> QueryId for Sent<Q, KEPT> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query, const KEPT: bool> Query for Sent<Q, KEPT> {
    type SqlType = Q::SqlType;
}

impl<Q, C, const KEPT: bool> RunQueryDsl<C> for Sent<Q, KEPT> {}

type Kept<Q> = Sent<Q, true>;
type Anew<Q> = Sent<Q, false>;

/// Runs queries prepared. As diesel's `RunQueryDsl` in everything else.
pub trait RunPrepared: RunQueryDsl<PgConnection> {
    /// Runs a command and tells how many rows it touched.
    fn execute(self, conn: &mut PgConnection) -> QueryResult<usize>
    where
        Kept<Self>: ExecuteDsl<PgConnection>,
    {
        RunQueryDsl::execute(Sent::<_, true>(self), conn)
    }

    /// As [`RunPrepared::execute`], for a text that is seldom the same twice: an insert of a list of rows.
    /// Its statement is not kept.
    fn execute_anew(self, conn: &mut PgConnection) -> QueryResult<usize>
    where
        Anew<Self>: ExecuteDsl<PgConnection>,
    {
        RunQueryDsl::execute(Sent::<_, false>(self), conn)
    }

    /// As [`RunPrepared::load`], for a text that is seldom the same twice.
    fn load_anew<'query, U>(self, conn: &mut PgConnection) -> QueryResult<Vec<U>>
    where
        Self: AsQuery,
        Anew<Self::Query>: LoadQuery<'query, PgConnection, U>,
    {
        RunQueryDsl::load(Sent::<_, false>(self.as_query()), conn)
    }

    fn load<'query, U>(self, conn: &mut PgConnection) -> QueryResult<Vec<U>>
    where
        Self: AsQuery,
        Kept<Self::Query>: LoadQuery<'query, PgConnection, U>,
    {
        RunQueryDsl::load(Sent::<_, true>(self.as_query()), conn)
    }

    /// As [`RunPrepared::load`].
    fn get_results<'query, U>(self, conn: &mut PgConnection) -> QueryResult<Vec<U>>
    where
        Self: AsQuery,
        Kept<Self::Query>: LoadQuery<'query, PgConnection, U>,
    {
        RunPrepared::load(self, conn)
    }

    /// The first row that comes back.
    fn get_result<'query, U>(self, conn: &mut PgConnection) -> QueryResult<U>
    where
        Self: AsQuery,
        Kept<Self::Query>: LoadQuery<'query, PgConnection, U>,
    {
        RunQueryDsl::get_result(Sent::<_, true>(self.as_query()), conn)
    }

    /// One row; the database is asked for no more.
    fn first<'query, U>(self, conn: &mut PgConnection) -> QueryResult<U>
    where
        Self: LimitDsl,
        Limit<Self>: AsQuery,
        Kept<<Limit<Self> as AsQuery>::Query>: LoadQuery<'query, PgConnection, U>,
    {
        RunQueryDsl::get_result(Sent::<_, true>(self.limit(1).as_query()), conn)
    }
}

impl<Q: RunQueryDsl<PgConnection>> RunPrepared for Q {}

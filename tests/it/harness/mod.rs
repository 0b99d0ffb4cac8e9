//! What every test stands on: databases, a running application, a browser that runs no scripts, people and
//! engagements.
#![expect(dead_code, reason = "shared by tests and benchmarks; neither needs all of it")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

pub mod app;
pub mod bad_files;
pub mod browser;
pub mod database;
pub mod fixtures;
pub mod pages;
pub mod process;

pub use app::{TestApp, verified};

use diesel::pg::PgConnection;
use diesel::prelude::*;

/// The texts that a query with one column gives; NULL is left out.
pub fn texts(conn: &mut PgConnection, sql: &str) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
        t: Option<String>,
    }
    let rows: Vec<Row> = diesel::sql_query(format!("SELECT t::text AS t FROM ({sql}) AS rows (t)"))
        .load(conn)
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    rows.into_iter().filter_map(|row| row.t).collect()
}

//! What is declared cached is planned once for each connection.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tyrian::accounts::store::sessions::find_session;
use tyrian::kernel::db::cached::cached;

use crate::harness::TestApp;

#[derive(QueryableByName)]
struct Uses {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// How many prepared statements hold this text, on this connection.
fn prepared(conn: &mut PgConnection, text: &str) -> i64 {
    let query = "SELECT count(*) AS n FROM pg_prepared_statements WHERE position($1 in statement) > 0";
    diesel::sql_query(query).bind::<diesel::sql_types::Text, _>(text).get_result::<Uses>(conn).unwrap().n
}

#[test]
fn the_lookup_of_a_session_is_prepared_once() {
    let app = TestApp::spawn_empty();
    let now = app.clock.now();
    let found = app.db.read_blocking(|conn| {
        for key in [[1; 32], [2; 32], [3; 32]] {
            assert!(find_session(conn, &key, now)?.is_none());
        }
        Ok(prepared(conn, "FROM sessions s CROSS JOIN settings o"))
    });
    assert_eq!(found.unwrap(), 1);
}

#[test]
fn plain_sql_is_kept_by_its_text_and_gives_its_own_answer() {
    let app = TestApp::spawn_empty();
    let found = app.db.read_blocking(|conn| {
        let mut sums = Vec::new();
        for text in ["SELECT $1 + 1 AS n", "SELECT $1 + 2 AS n", "SELECT $1 + 1 AS n"] {
            let query = diesel::sql_query(text).bind::<BigInt, _>(10);
            sums.push(cached(query).get_result::<Uses>(conn)?.n);
        }
        Ok((sums, prepared(conn, "SELECT $1 + ")))
    });
    // The question itself holds the text only as a value.
    assert_eq!(found.unwrap(), (vec![11, 12, 11], 2));
}

//! `/healthz` (the process is up) and `/readyz` (database reachable, schema current, audit partitions there).

use actix_web::{HttpResponse, web};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::app::App;
use crate::db::migrate::{Standing, standing};
use crate::error::Result;

/// `GET /healthz`
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

#[derive(QueryableByName)]
struct Present {
    #[diesel(sql_type = Bool)]
    present: bool,
}

/// `GET /readyz`
pub async fn readyz(app: web::Data<App>) -> HttpResponse {
    let asked = app.db.read(|conn| {
        let schema = standing(conn)?;
        // sql_query: the catalog is no table of ours. An event at the turn of the month must find its partition.
        let next = diesel::sql_query(
            "SELECT to_regclass('audit.events_' || to_char((audit.now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY_MM')) IS NOT NULL AS present",
        )
        .get_result::<Present>(conn)?;
        Ok((schema, next.present))
    });
    let (ready, lines) = told(asked.await);
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.content_type("text/plain; charset=utf-8").body(lines)
}

fn told(asked: Result<(Standing, bool)>) -> (bool, String) {
    match asked {
        Err(_) => (false, "database: away\n".into()),
        Ok((schema, months)) => {
            let schema_line = match schema {
                Standing::Current => "schema: current",
                Standing::Older(_) => "schema: older than this version, run `tyrian migrate`",
                Standing::Newer => "schema: newer than this version",
            };
            let months_line = if months { "audit partitions: made ahead" } else { "audit partitions: the next month is missing" };
            (schema == Standing::Current && months, format!("database: reachable\n{schema_line}\n{months_line}\n"))
        }
    }
}

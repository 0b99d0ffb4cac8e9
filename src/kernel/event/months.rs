//! The months that events lie in, a partition each, and the floor below which none are shown.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::sql;
use diesel::sql_types::{Date, Timestamptz};

use crate::kernel::base::error::Result;
use crate::kernel::base::query::prelude::*;

/// Every month's partition, by its name.
pub const MONTHS: &str = "SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month FROM pg_inherits i \
    JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit.events'::regclass";

/// The oldest instant that is still shown.
pub fn get_floor(conn: &mut PgConnection) -> Result<DateTime<Utc>> {
    // A function of the owner's, which diesel has no name for.
    Ok(diesel::select(sql::<Timestamptz>("audit.floor()")).get_result(conn)?)
}

/// The first days of the months that are here.
pub fn list_months(conn: &mut PgConnection) -> Result<Vec<NaiveDate>> {
    #[derive(QueryableByName)]
    struct Month {
        #[diesel(sql_type = Date)]
        month: NaiveDate,
    }
    // sql_query: the catalog is no table of ours.
    let months: Vec<Month> =
        diesel::sql_query(format!("SELECT month FROM ({MONTHS}) m ORDER BY month")).load(conn)?;
    Ok(months.into_iter().map(|row| row.month).collect())
}

//! Whether what the log hangs on is what this version makes: functions by their source, triggers, tables and
//! columns by the catalogs' fields, defaults and bounds by what they give. An event that is written well says
//! little where a function beside it was replaced.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{Datelike, Months, NaiveDate, NaiveTime};
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Nullable, Oid, Text};

use crate::audit::proof::verify::{Fault, Wrong};
use crate::kernel::base::query::prelude::*;

/// What this version makes, in the form that the query gives. A test writes it anew from a fresh database.
const EXPECTED: &str = include_str!("definitions.txt");

#[derive(QueryableByName)]
struct Definition {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    says: String,
}

/// What stands in the database, a line each.
pub fn list(conn: &mut PgConnection) -> QueryResult<BTreeMap<String, String>> {
    // sql_query: the catalogs are no tables of ours.
    let found: Vec<Definition> = diesel::sql_query(include_str!("definitions.sql")).load(conn)?;
    Ok(found.into_iter().map(|definition| (definition.name, definition.says)).collect())
}

/// As a file keeps it.
pub fn written(definitions: &BTreeMap<String, String>) -> String {
    definitions.iter().map(|(name, says)| format!("{name}: {says}\n")).collect()
}

/// What is not as this version makes it, but for `replaced`, which whoever asks has replaced.
pub fn faults(conn: &mut PgConnection, replaced: &[&str]) -> QueryResult<Vec<Fault>> {
    let found = list(conn)?;
    let expected: BTreeMap<&str, &str> = EXPECTED.lines().filter_map(|line| line.split_once(": ")).collect();
    let mut faults = Vec::new();
    for (name, says) in &expected {
        if replaced.contains(name) {
            continue;
        }
        match found.get(*name) {
            Some(here) if here == says => {}
            Some(here) => faults.push(changed(name, says, here)),
            None => faults.push(format!("The {name} is gone.")),
        }
    }
    let foreign = |name: &&String| {
        (name.starts_with("function audit.") || (name.starts_with("trigger ") && name.contains(" on audit.")))
            && !expected.contains_key(name.as_str())
    };
    faults.extend(found.keys().filter(foreign).map(|name| {
        format!("The {name} is none of Tyrian's: whoever made it can let the log's own do something else.")
    }));
    faults.extend(settings(conn)?);
    if !replaced.contains(&"function audit.now()") && !gives_the_time(conn)? {
        faults.push("The default of an event's time was changed: it does not give the log's time.".into());
    }
    Ok(faults.into_iter().map(|sentence| Fault::new(Wrong::Definition, sentence)).collect())
}

/// The fields of a definition by name.
fn fields(says: &str) -> BTreeMap<&str, &str> {
    says.split(' ').filter_map(|field| field.split_once('=')).collect()
}

fn changed(name: &str, says: &str, here: &str) -> String {
    let (says, here) = (fields(says), fields(here));
    let names: BTreeSet<_> = says.keys().chain(here.keys()).collect();
    let other: Vec<&str> = names.into_iter().filter(|n| says.get(*n) != here.get(*n)).copied().collect();
    if other == ["enabled"] && here.get("enabled") == Some(&"D") {
        return format!("The {name} was switched off.");
    }
    if other == ["row-security"] {
        return format!("The {name} was given row security: it can hide rows from whoever reads them.");
    }
    if other == ["computed"] || (other.contains(&"computed") && name.starts_with("column search ")) {
        return "The search column was changed: the database no longer computes it from the events.".into();
    }
    format!(
        "The {name} was replaced or changed (its {}): it is not the one that this version of Tyrian makes.",
        other.join(", ").replace('-', " ")
    )
}

/// Settings that roles of the log were given and that let names or triggers do something else.
fn settings(conn: &mut PgConnection) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Nullable<Text>)]
        role: Option<String>,
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        value: String,
    }
    // sql_query: the catalogs are no tables of ours. Roles that write events, and what goes for all.
    let given: Vec<Setting> = diesel::sql_query(
        "SELECT r.rolname::text AS role, lower(split_part(given, '=', 1)) AS name,
             substr(given, strpos(given, '=') + 1) AS value
         FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) given
         WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
             AND (s.setrole = 0 OR NOT r.rolsuper AND has_any_column_privilege(r.oid, 'audit.events', \
             'INSERT'))
         UNION ALL SELECT NULL, 'session_replication_role', current_setting('session_replication_role')
         ORDER BY 1, 2",
    )
    .load(conn)?;
    let usual = ["$user", "public", "pg_catalog", "audit", "pg_temp", ""];
    let acts = |setting: &&Setting| match setting.name.as_str() {
        "session_replication_role" => setting.value != "origin",
        "search_path" => {
            let names: Vec<&str> =
                setting.value.split(',').map(|name| name.trim().trim_matches('"')).collect();
            names.iter().any(|name| !usual.contains(name))
                || names.iter().position(|name| *name == "pg_catalog").is_some_and(|place| place > 0)
        }
        _ => false,
    };
    Ok(given
        .iter()
        .filter(acts)
        .map(|setting| {
            let whom = setting.role.as_ref().map_or("The database".into(), |role| format!("The role {role}"));
            let what = if setting.name == "search_path" {
                "names in the log's functions may mean something else"
            } else {
                "the triggers that ask for events do not run"
            };
            format!("{whom} was given {} = {}: {what}.", setting.name, setting.value)
        })
        .collect())
}

/// Whether the default of an event's time gives the log's time: evaluated, since its text says nothing.
fn gives_the_time(conn: &mut PgConnection) -> QueryResult<bool> {
    let default: Option<String> = diesel::select(sql::<Nullable<Text>>(
        "(SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = \
            d.adrelid \
            AND a.attnum = d.adnum
          WHERE d.adrelid = 'audit.events'::regclass AND a.attname = 'at')",
    ))
    .get_result(conn)?;
    let Some(default) = default else { return Ok(true) };
    let same = format!("abs(extract(epoch FROM ({default}) - audit.now())) < 5");
    diesel::select(sql::<Bool>(&same)).get_result(conn)
}

/// A partition of the events or of their numbers.
#[derive(QueryableByName)]
struct Partition {
    #[diesel(sql_type = Oid)]
    oid: u32,
    #[diesel(sql_type = Text)]
    of: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    bounds: String,
    #[diesel(sql_type = Bool)]
    computed: bool,
}

/// The partitions of the events, by the id that each row tells: name, and the month that the name says.
pub type Partitions = HashMap<u32, (String, Option<NaiveDate>)>;

fn month_of(name: &str, of: &str) -> Option<NaiveDate> {
    let (year, month) = name.strip_prefix(of)?.strip_prefix('_')?.split_once('_')?;
    (year.len() == 4 && month.len() == 2)
        .then(|| NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1))
        .flatten()
}

/// The partitions, and what is wrong with their names and bounds. Bounds are tried, on both sides of each
/// end.
pub fn partitions(conn: &mut PgConnection) -> QueryResult<(Partitions, Vec<Fault>)> {
    // sql_query: the catalogs are no tables of ours.
    let found: Vec<Partition> = diesel::sql_query(
        "SELECT c.oid, p.relname::text AS of, c.relname::text AS name,
             coalesce(pg_get_partition_constraintdef(c.oid), 'true') AS bounds,
             p.relname <> 'events' OR EXISTS (SELECT FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attname = 'search' AND a.attgenerated = 's') AS computed
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
         WHERE i.inhparent IN ('audit.events'::regclass, 'audit.sealed'::regclass) ORDER BY 2, 3",
    )
    .load(conn)?;
    let mut faults = Vec::new();
    let mut months = HashMap::new();
    let mut named: BTreeSet<(&str, NaiveDate)> = BTreeSet::new();
    for partition in &found {
        let month = month_of(&partition.name, &partition.of);
        match month {
            None => faults.push(format!(
                "A partition of audit.{} is called {}: it was renamed, or is none of Tyrian's.",
                partition.of, partition.name
            )),
            Some(month) => {
                named.insert((&partition.of, month));
                if !holds(conn, &partition.bounds, month)? {
                    faults.push(format!(
                        "The partition {} takes other times than those of {}: it was renamed, or its bounds \
                            changed.",
                        partition.name,
                        month.format("%B %Y")
                    ));
                }
            }
        }
        if !partition.computed {
            faults.push(
                "The search column was changed: the database no longer computes it from the events.".into(),
            );
        }
        if partition.of == "events" {
            months.insert(partition.oid, (partition.name.clone(), month));
        }
    }
    for (of, month) in &named {
        let other = if *of == "events" { "sealed" } else { "events" };
        if !named.contains(&(other, *month)) {
            let month = month.format("%Y_%m");
            faults.push(format!(
                "The partition {other}_{month} is gone from the log, though {of}_{month} is here."
            ));
        }
    }
    Ok((months, faults.into_iter().map(|sentence| Fault::new(Wrong::Definition, sentence)).collect()))
}

/// Whether these bounds take exactly the times of a month.
fn holds(conn: &mut PgConnection, bounds: &str, month: NaiveDate) -> QueryResult<bool> {
    let start = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().to_rfc3339();
    let (from, to) = (start(month), start(month + Months::new(1)));
    let tried = format!(
        "(SELECT bool_and(({bounds}) = inside) FROM (VALUES
            (timestamptz '{from}', true), (timestamptz '{to}' - interval '1 microsecond', true),
            (timestamptz '{from}' - interval '1 microsecond', false), (timestamptz '{to}', false)) tried \
            (at, inside))"
    );
    diesel::select(sql::<Bool>(&tried)).get_result(conn)
}

/// Whether an instant lies in a month.
pub fn is_within(at: chrono::DateTime<chrono::Utc>, month: NaiveDate) -> bool {
    (at.year(), at.month()) == (month.year(), month.month())
}

//! Whether what the log hangs on is what this version makes: functions by their source, triggers, tables,
//! columns, constraints and indexes by the catalogs' fields, bounds by what they give. An event that is
//! written well says little where a function beside it was replaced.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{Datelike, Months, NaiveDate, NaiveTime};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Oid, Text};

use crate::audit::proof::verify::{Fault, Wrong};
use crate::kernel::base::query::prelude::*;

/// What this version makes, in the form that the query gives. A test writes it anew from a fresh database.
const EXPECTED: &str = include_str!("definitions.txt");

/// What stands in the database.
#[derive(QueryableByName)]
pub struct Definition {
    #[diesel(sql_type = Text)]
    name: String,
    /// The name with the month of a partition left out: every month is made alike.
    #[diesel(sql_type = Text)]
    pattern: String,
    #[diesel(sql_type = Text)]
    says: String,
}

/// What stands in the database, a row for each thing.
pub fn list(conn: &mut PgConnection) -> QueryResult<Vec<Definition>> {
    let path: String = diesel::select(sql::<Text>("current_setting('search_path')")).get_result(conn)?;
    // Expressions name what is not PostgreSQL's own in full, and quote what has to be quoted.
    conn.batch_execute("SET search_path = pg_catalog, pg_temp; SET quote_all_identifiers = off")?;
    // sql_query: the catalogs are no tables of ours.
    let found = diesel::sql_query(include_str!("definitions.sql")).load(conn)?;
    diesel::select(sql::<Text>("set_config('search_path', ").bind::<Text, _>(path).sql(", false)"))
        .get_result::<String>(conn)?;
    Ok(found)
}

/// As a file keeps it.
pub fn written(definitions: &[Definition]) -> String {
    let lines: BTreeMap<&str, &str> =
        definitions.iter().map(|one| (one.pattern.as_str(), one.says.as_str())).collect();
    lines.iter().map(|(pattern, says)| format!("{pattern}: {says}\n")).collect()
}

/// How a pattern ends that goes for every month.
const MONTH: &str = "_MONTH";

/// What is not as this version makes it, but for `replaced`, which whoever asks has replaced.
pub fn faults(conn: &mut PgConnection, replaced: &[&str]) -> QueryResult<Vec<Fault>> {
    let listed = list(conn)?;
    let found: BTreeMap<&str, &str> =
        listed.iter().map(|one| (one.name.as_str(), one.says.as_str())).collect();
    let expected = expected(&listed);
    let mut faults = Vec::new();
    for (name, says) in &expected {
        if replaced.contains(&name.as_str()) {
            continue;
        }
        match found.get(name.as_str()) {
            Some(here) if here == says => {}
            Some(here) => faults.push(changed(name, says, here)),
            // Another version of PostgreSQL may do without it.
            None if name.contains(" pg_catalog.") => {}
            None => faults.push(format!("The {name} is gone.")),
        }
    }
    let foreign = found.iter().filter(|(name, _)| !expected.contains_key(**name));
    faults.extend(foreign.filter(|(name, says)| can_act(name, says, &expected)).map(|(name, _)| {
        format!("The {name} is none of Tyrian's: whoever made it can let the log's own do something else.")
    }));
    Ok(faults.into_iter().map(|sentence| Fault::new(Wrong::Definition, sentence)).collect())
}

/// What this version makes, with what is made for every month for each that is here.
fn expected(listed: &[Definition]) -> BTreeMap<String, &'static str> {
    let months: Vec<(&str, &str)> = listed
        .iter()
        .filter_map(|one| {
            Some((one.pattern.strip_prefix("partition ")?, one.name.strip_prefix("partition ")?))
        })
        .collect();
    let mut expected = BTreeMap::new();
    for (pattern, says) in EXPECTED.lines().filter_map(|line| line.split_once(": ")) {
        if !pattern.ends_with(MONTH) {
            expected.insert(pattern.to_owned(), says);
            continue;
        }
        let place = pattern.rsplit(' ').next().unwrap_or_default();
        let what = pattern.trim_end_matches(place);
        let here = months.iter().filter(|(of, _)| *of == place);
        expected.extend(here.map(|(_, partition)| (format!("{what}{partition}"), says)));
    }
    expected
}

/// Whether something that this version does not make can change what the log is, or what is asked of it.
fn can_act(name: &str, says: &str, expected: &BTreeMap<String, &str>) -> bool {
    let (kind, _) = name.split_once(' ').unwrap_or((name, ""));
    let place = name.rsplit(' ').next().unwrap_or_default();
    match kind {
        "function" => {
            name.starts_with("function audit.") || {
                let fields = fields(says);
                // A later version of PostgreSQL has more functions of its own.
                name.starts_with("function pg_catalog.")
                    && (fields.get("made") == Some(&"later") || fields.get("language") != Some(&"internal"))
            }
        }
        // On the log's own tables, and on those that ask for events.
        "trigger" => {
            let watched = format!("trigger audited on {place}");
            !place.starts_with("public.") || expected.contains_key(&watched)
        }
        "column" | "constraint" => true,
        "index" => fields(says).get("calls") == Some(&"some"),
        _ => false,
    }
}

/// The fields of a definition by name.
fn fields(says: &str) -> BTreeMap<&str, &str> {
    says.split(' ').filter_map(|field| field.split_once('=')).collect()
}

fn changed(name: &str, says: &str, here: &str) -> String {
    let (says, here) = (fields(says), fields(here));
    let names: BTreeSet<_> = says.keys().chain(here.keys()).collect();
    let other: Vec<&str> = names.into_iter().filter(|n| says.get(*n) != here.get(*n)).copied().collect();
    if name.contains(" pg_catalog.") {
        return format!("The {name} is no longer PostgreSQL's own: what asks the log hangs on it.");
    }
    match other[..] {
        ["enabled"] if here.get("enabled") == Some(&"D") => return format!("The {name} was switched off."),
        ["row-security"] => {
            return format!("The {name} was given row security: it can hide rows from whoever reads them.");
        }
        ["persistence"] => return format!("The {name} was made unlogged: a crash empties it."),
        ["children"] => {
            let children = here.get("children").unwrap_or(&"none");
            return format!(
                "The {name} was given heirs ({children}): their rows count as its own, and no trigger of its \
                    own looks at them."
            );
        }
        ["triggers-act"] => return format!("The {name} is said to have no triggers: none of them runs."),
        _ => {}
    }
    if name.starts_with("column search ") && !here.contains_key("expression") {
        return "The search column was changed: the database no longer computes it from the events.".into();
    }
    if name == "column at of audit.events" && other == ["default"] {
        return "The default of an event's time was changed: it does not give the log's time.".into();
    }
    format!(
        "The {name} was replaced or changed (its {}): it is not the one that this version of Tyrian makes.",
        other.join(", ").replace('-', " ")
    )
}

/// A partition of the events or of their numbers.
#[derive(QueryableByName)]
struct Partition {
    #[diesel(sql_type = Oid)]
    oid: u32,
    #[diesel(sql_type = Text)]
    of: String,
    #[diesel(sql_type = Text)]
    schema: String,
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
        "SELECT c.oid, p.relname::text AS of, n.nspname::text AS schema, \
             c.relname::text AS name,
             coalesce(pg_get_partition_constraintdef(c.oid), 'true') AS bounds,
             p.relname <> 'events' OR EXISTS (SELECT FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attname = 'search' AND a.attgenerated = 's') AS computed
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
             JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE i.inhparent IN ('audit.events'::regclass, 'audit.sealed'::regclass) ORDER BY 2, 4",
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
        if partition.schema != "audit" {
            faults.push(format!(
                "The partition {} was moved: it lies in the schema {}, and not in the log's own.",
                partition.name, partition.schema
            ));
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
    faults.extend(detached(conn)?);
    Ok((months, faults.into_iter().map(|sentence| Fault::new(Wrong::Definition, sentence)).collect()))
}

/// Months that lie beside the log and are no longer part of it.
fn detached(conn: &mut PgConnection) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Beside {
        #[diesel(sql_type = Text)]
        name: String,
    }
    // sql_query: the catalogs are no tables of ours.
    let beside: Vec<Beside> = diesel::sql_query(
        "SELECT c.relname::text AS name FROM pg_class c
         WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'p', 'f')
             AND c.relname ~ '^(events|sealed)_[0-9]{4}_[0-9]{2}$'
             AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
         ORDER BY 1",
    )
    .load(conn)?;
    let sentence = |Beside { name }: Beside| {
        format!("The table audit.{name} is no partition of the log: it was detached.")
    };
    Ok(beside.into_iter().map(sentence).collect())
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

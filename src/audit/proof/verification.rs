//! The verification that the server makes by itself each night: the one of `tyrian audit verify`. What it
//! found is kept for its page; a fault is an event of the log, and a notice to everybody who may read all of
//! it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::accounts::store::notices::{self, NewNotice};
use crate::audit::proof::seal::{KeyFiles, Seal};
use crate::audit::proof::store::seal::{get_end, get_progress, may_seal};
use crate::audit::proof::store::verification::{self as store, Verification};
use crate::audit::proof::store::verify::{Against, verify_until};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::show;
use crate::kernel::db::WriteTx;
use crate::kernel::db::claim::Claim;
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::job::{Done, Reach, next_of};

pub const JOB: &str = "audit-verify";
/// Name of the claim under which one process at a time verifies.
pub const WORK: &str = "tyrian.audit.verify";
/// When it runs, in UTC.
pub const SCHEDULE: &str = "20 2 * * *";
/// The page that shows what it found.
pub const PAGE: &str = "/admin/audit-log/proof";

/// After how many events it keeps how far it came.
const STRETCH: u64 = 200_000;
/// The most sentences that are kept.
const LINES: usize = 50;
/// How old the last result may be while somebody else verifies.
const OVERDUE: TimeDelta = TimeDelta::days(2);
/// For how long a log without any seal is one that has just begun.
const BEGINNING: TimeDelta = TimeDelta::minutes(1);

/// The job `audit-verify`. Any number of processes may run it: one at a time verifies, and by the schedule it
/// is verified once.
///
/// # Errors
/// When it cannot be told whether the log holds.
pub fn nightly(reach: &Reach, now: DateTime<Utc>) -> Result<Done> {
    let says = |said: String| Ok(Done { said, ..Done::default() });
    let last = reach.db.read_blocking(move |conn| store::find_last_decided(conn, now))?;
    let Some(_claim) = Claim::take(reach.db.connect()?, WORK)? else {
        // Whoever holds the claim and verifies nothing would keep this job on time for ever.
        if last.is_some_and(|last| now - last.started_at > OVERDUE) {
            let why =
                "another connection claims to verify the audit log, and nothing came of it for two days";
            return Err(Error::Unavailable(why.into()));
        }
        return says("Another process is verifying the audit log.".to_owned());
    };
    if let Some(last) = &last
        && !reach.asked
        && next_of(SCHEDULE, last.started_at).is_some_and(|due| due > now)
    {
        return says("The audit log was verified already.".to_owned());
    }
    let files = KeyFiles::of(&reach.config);
    if has_just_begun(reach, &files)? {
        return says("Nothing is sealed yet.".to_owned());
    }
    let mut one = Verification::begun(reach.db.clock().now());
    reach.db.write_unaudited_blocking("audit verification", |conn| store::insert(conn, &one))?;
    let mut found = look(reach, &files, &one);
    // What is written at this moment in two places may be read between the two: a fault is looked at twice
    // before anybody is alarmed.
    if found.as_ref().is_ok_and(|found| !found.faults.is_empty()) && !reach.stopping.is_told() {
        found = look(reach, &files, &one);
    }
    one.finished_at = Some(reach.db.clock().now());
    match found {
        Ok(found) => {
            fill(&mut one, &found);
            if reach.db.read_blocking(|conn| Ok(may_seal(conn)?))? {
                one.notes.push_str(SEALED_BY_APP);
            }
            if found.faults.is_empty() {
                holds(reach, &one, last.as_ref())
            } else {
                does_not_hold(reach, &one, last.as_ref())
            }
        }
        Err(cause) => {
            let why = if reach.stopping.is_told() {
                Error::Unavailable("the server was stopping".into())
            } else {
                Error::Internal(cause.context("the audit log could not be verified"))
            };
            one.obstacle = Some(match &why {
                Error::Internal(cause) => format!("{cause:#}."),
                _ => "It was stopped before its end, because the server was stopping.".to_owned(),
            });
            reach.db.write_unaudited_blocking("audit verification", |conn| store::save(conn, &one))?;
            Err(why)
        }
    }
}

const SEALED_BY_APP: &str = "The app's own role seals, archives and drops; TYRIAN_SEALER_DATABASE_URL gives \
    that to another.\n";

/// A log in its first moments: no seal was made yet, here or elsewhere, and there is no key to make one with
/// or nothing waits for long.
fn has_just_begun(reach: &Reach, files: &KeyFiles) -> Result<bool> {
    let kept = files.kept();
    if kept.seal().is_some() {
        return Ok(false);
    }
    let has_keys = !files.trusted().map_err(Error::Internal)?.is_empty();
    reach.db.read_blocking(|conn| {
        if get_end(conn, kept.seal())?.sound.is_some() {
            return Ok(false);
        }
        if !has_keys {
            return Ok(true);
        }
        let progress = get_progress(conn)?;
        Ok(progress.waiting_since.is_none_or(|since| progress.now - since < BEGINNING))
    })
}

/// What a look at the whole log found.
#[derive(Default)]
struct Found {
    events: i64,
    seals: i64,
    unsealed: i64,
    newest: Option<Seal>,
    /// Sentences: what does not hold, and what its reader should know.
    faults: Vec<String>,
    notes: Vec<String>,
}

/// The verification of `tyrian audit verify`, against the keys and the seal that lie beside the signing key.
fn look(reach: &Reach, files: &KeyFiles, one: &Verification) -> anyhow::Result<Found> {
    // A clock that somebody has set is a test's, which moves the log's own with it.
    let replaced: &[&str] = if reach.db.clock().is_machine() { &[] } else { &["function audit.now()"] };
    let against = Against { replaced, ..Against::of(files, &reach.archives)? };
    anyhow::ensure!(!against.trusted.is_empty(), "there is no list of trusted keys");
    let mut tell = |events: u64| {
        if events.is_multiple_of(STRETCH) {
            let told = reach.db.write_unaudited_blocking("audit verification", |conn| {
                store::save_progress(conn, one.id, i64::try_from(events).unwrap_or(i64::MAX))
            });
            if let Err(cause) = told {
                tracing::debug!(%cause, "how far the verification came is not kept");
            }
        }
    };
    let stop = || reach.stopping.is_told();
    // Connections of their own: the pools stay for requests.
    let report = verify_until(reach.db.connect()?, reach.db.connect()?, &against, &mut tell, &stop)?;
    Ok(Found {
        events: report.verified.events,
        seals: report.verified.seals,
        unsealed: report.verified.unsealed,
        newest: report.newest,
        faults: report.faults.into_iter().map(|fault| fault.sentence).collect(),
        notes: report.notes,
    })
}

fn fill(one: &mut Verification, found: &Found) {
    one.events = found.events;
    one.seals = found.seals;
    one.unsealed = found.unsealed;
    one.last_seal = found.newest.as_ref().map(|seal| seal.number);
    one.last_digest = found.newest.as_ref().map(|seal| seal.digest().to_vec());
    one.fault = (!found.faults.is_empty()).then(|| lines(&found.faults).trim_end().to_owned());
    one.notes = lines(&found.notes);
}

/// A line for each sentence, as many as anybody reads.
fn lines(sentences: &[String]) -> String {
    let mut lines: String = sentences.iter().take(LINES).map(|one| one.replace('\n', " ") + "\n").collect();
    if sentences.len() > LINES {
        let more = sentences.len() - LINES;
        lines.push_str(&format!("And {more} more; `tyrian audit verify` names them all.\n"));
    }
    lines
}

/// Everything holds. After a fault that is news.
fn holds(reach: &Reach, one: &Verification, last: Option<&Verification>) -> Result<Done> {
    let what = format!(
        "{} in {}",
        show::counted(usize::try_from(one.events).unwrap_or_default(), "event", "events"),
        show::counted(usize::try_from(one.seals).unwrap_or_default(), "seal", "seals"),
    );
    if last.is_some_and(|last| last.fault.is_some()) {
        reach.db.write_blocking(&reach.actor(), |tx| {
            store::save(tx.conn, one)?;
            notices::overtake(tx, PAGE)?;
            let event =
                Event::new(Kind::LogVerified, format!("Verified the audit log, which holds again: {what}"))
                    .detail(json!({ "events": one.events, "seals": one.seals, "last_seal": one.last_seal }));
            tx.audited((), event)
        })?;
    } else {
        reach.db.write_unaudited_blocking("audit verification", |conn| store::save(conn, one))?;
    }
    let took = one.finished_at.map_or(TimeDelta::zero(), |end| end - one.started_at);
    let said = format!("Everything holds: {what}, verified in {}.", show::took(took));
    Ok(Done { said, ..Done::default() })
}

/// A fault is an event each time it is found. People hear of it once, and again when it is another one.
fn does_not_hold(reach: &Reach, one: &Verification, last: Option<&Verification>) -> Result<Done> {
    let faults = one.fault.as_deref().unwrap_or_default();
    let is_news = last.and_then(|last| last.fault.as_deref()) != Some(faults);
    let first = faults.lines().next().unwrap_or_default();
    let told = match faults.lines().count() {
        0 | 1 => first.to_owned(),
        all => format!("{first} And {} more.", all - 1),
    };
    reach.db.write_blocking(&reach.actor(), |tx| {
        store::save(tx.conn, one)?;
        if is_news {
            give_notice(tx, &told)?;
        }
        let sentence = format!("Found a fault in the audit log: {}", told.trim_end_matches('.'));
        let faults: Vec<&str> = faults.lines().collect();
        tx.audited((), Event::new(Kind::LogFaultFound, sentence).detail(json!({ "faults": faults })))
    })?;
    Ok(Done { wrong: Some(format!("The audit log does not hold. {told}")), ..Done::default() })
}

fn give_notice(tx: &mut WriteTx<'_>, fault: &str) -> Result<()> {
    notices::overtake(tx, PAGE)?;
    let told = store::list_readers(tx.conn)?.into_iter().map(|person| NewNotice {
        person,
        client: None,
        text: format!("The audit log does not hold. {fault}"),
        href: PAGE.to_owned(),
    });
    notices::give(tx, told.collect())
}

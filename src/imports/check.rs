//! The check of an uploaded file: read, compare, keep the preview. Any process may do it; whoever takes a
//! row says how far it is, and a check that falls silent is taken over. Also the sweep of what nobody came
//! back to.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::domain::ImportError;
use super::preview::{Change, Verdict};
use super::source::{Content, read};
use super::store::engine::preview;
use super::store::runs::{Claimed, Found, claim, discard_old, finish, list_open, report};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::ImportId;
use crate::kernel::db::Db;
use crate::kernel::job::Done;

/// How long an import may lie open, in days.
const OPEN_DAYS: i64 = 7;
/// How old a file without a row must be, in hours: no upload takes that long.
const STAGED_HOURS: i64 = 24;

/// Where uploaded files lie until they are applied or discarded. `attachments` is the directory of the
/// attachments, which all processes share.
fn folder(attachments: &Path) -> PathBuf {
    attachments.join("imports")
}

/// The same within the storage.
pub fn place(id: ImportId) -> object_store::path::Path {
    object_store::path::Path::from(format!("imports/{id}"))
}

/// Checks one import after another until none waits.
///
/// # Errors
/// When the database is away.
pub fn check_waiting(db: &Db, attachments: &Path, now: DateTime<Utc>) -> Result<Done> {
    let mut done = Done::default();
    while let Some(claimed) = claim(db, now)? {
        let found = match check(db, attachments, &claimed) {
            Ok(found) => found,
            // Left as it is: who comes next takes it over.
            Err(away @ Error::Unavailable(_)) => return Err(away),
            Err(Error::Refused(sentence) | Error::Conflict(sentence)) => Found::Faults(vec![
                Change::new(Verdict::Fault, "", claimed.file_name.clone()).saying(sentence),
            ]),
            Err(cause) => {
                tracing::error!(import = %claimed.id, cause = %cause, "a check failed");
                let sentence = "Something went wrong on our side while it was checked. Upload it again.";
                Found::Faults(vec![
                    Change::new(Verdict::Fault, "", claimed.file_name.clone()).saying(sentence),
                ])
            }
        };
        finish(db, &claimed, &found)?;
        done.moved += 1;
    }
    Ok(done)
}

fn check(db: &Db, attachments: &Path, claimed: &Claimed) -> Result<Found> {
    report(db, claimed, 5, "Reading the file")?;
    let content = match content(attachments, claimed.id, &claimed.file_name) {
        Ok(content) => content,
        Err(faults) => {
            return Ok(Found::Faults(
                faults.iter().map(|fault| Change::placed(Verdict::Fault, fault)).collect(),
            ));
        }
    };
    report(db, claimed, 60, "Comparing it with the library")?;
    let (target, compared) = (claimed.target(), &content);
    let preview = db.read_blocking(move |conn| preview(conn, compared, target))?;
    report(db, claimed, 90, "Writing down what would change")?;
    let version = match &content {
        Content::Attack(attack) => Some(attack.release.version.clone()),
        _ => None,
    };
    Ok(Found::Preview { kind: content.kind(), version, preview })
}

/// Reads an uploaded file anew.
///
/// # Errors
/// Everything that is wrong with it.
pub fn content(attachments: &Path, id: ImportId, name: &str) -> Result<Content, Vec<ImportError>> {
    let bytes = fs::read(folder(attachments).join(id.to_string())).map_err(|fault| {
        tracing::warn!(import = %id, cause = %fault, "an uploaded file cannot be read");
        vec![ImportError::file(name, "it is not in the storage any more; upload it again")]
    })?;
    read(name, bytes).map_err(|faults| faults.0)
}

/// Deletes an uploaded file that is of no more use. One that is left is swept.
pub fn forget(attachments: &Path, id: ImportId) {
    if let Err(fault) = fs::remove_file(folder(attachments).join(id.to_string()))
        && fault.kind() != ErrorKind::NotFound
    {
        tracing::warn!(import = %id, cause = %fault, "an uploaded file is left to the sweep");
    }
}

/// Discards imports that lay open for a week, and deletes files that no open import needs.
///
/// # Errors
/// When the directory cannot be read or the database is away.
pub fn sweep(db: &Db, attachments: &Path, now: DateTime<Utc>) -> Result<Done> {
    let mut done = Done { moved: discard_old(db, now - TimeDelta::days(OPEN_DAYS), now)?, ..Done::default() };
    let folder = folder(attachments);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(done),
        Err(fault) => {
            let context = format!("reading {}", folder.display());
            return Err(Error::Internal(anyhow::Error::new(fault).context(context)));
        }
    };
    let before = now - TimeDelta::hours(STAGED_HOURS);
    let files: Vec<(Option<Uuid>, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let modified = fs::metadata(path).ok().and_then(|found| found.modified().ok());
            modified.is_some_and(|at| DateTime::<Utc>::from(at) < before)
        })
        .map(|path| (path.file_name().and_then(|name| name.to_str()?.parse().ok()), path))
        .collect();
    let ids: Vec<Uuid> = files.iter().filter_map(|(id, _)| *id).collect();
    let open = db.read_blocking(|conn| list_open(conn, &ids))?;
    for (_, path) in files.iter().filter(|(id, _)| id.is_none_or(|id| !open.contains(&id))) {
        match fs::remove_file(path) {
            Ok(()) => done.moved += 1,
            Err(fault) => {
                done.skipped += 1;
                let path = path.display();
                tracing::warn!(%path, cause = %fault, "a file that the sweep could not delete");
            }
        }
    }
    Ok(done)
}

//! The job `attachment-sweep`: deletes what uploads left behind and what nobody can reach any more.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::store::attachments::list_unneeded;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::db::Db;
use crate::kernel::job::Done;

/// How old a staged file, or a file without a row, must be, in hours: no upload takes that long.
const STAGED_HOURS: i64 = 24;
/// How long the file of a removed attachment is kept, in days.
const REMOVED_DAYS: i64 = 30;
/// How many files one statement asks for.
const BATCH: usize = 1000;

/// Deletes staged files older than a day, files whose row was never committed, and those of attachments
/// removed 30 days ago. `directory` holds the attachments. It may run at any time and twice.
///
/// # Errors
/// When the directory cannot be read or the database is away.
pub fn sweep(db: &Db, directory: &Path, now: DateTime<Utc>) -> Result<Done> {
    let before = now - TimeDelta::hours(STAGED_HOURS);
    let mut done = Done::default();
    for path in older(&directory.join("tmp"), before)? {
        delete(&path, &mut done);
    }
    let named = |path: PathBuf| Some((path.file_name()?.to_str()?.parse::<Uuid>().ok()?, path));
    let kept: Vec<(Uuid, PathBuf)> = older(directory, before)?.into_iter().filter_map(named).collect();
    for batch in kept.chunks(BATCH) {
        let ids: Vec<Uuid> = batch.iter().map(|(id, _)| *id).collect();
        let unneeded =
            db.read_blocking(|conn| list_unneeded(conn, &ids, now - TimeDelta::days(REMOVED_DAYS)))?;
        for (_, path) in batch.iter().filter(|(id, _)| unneeded.contains(id)) {
            delete(path, &mut done);
        }
    }
    Ok(done)
}

fn older(directory: &Path, before: DateTime<Utc>) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => {
            return Err(Error::Internal(
                anyhow::Error::new(e).context(format!("reading {}", directory.display())),
            ));
        }
    };
    let old = |path: &PathBuf| {
        let modified = fs::metadata(path).ok().filter(fs::Metadata::is_file).and_then(|m| m.modified().ok());
        modified.is_some_and(|at| DateTime::<Utc>::from(at) < before)
    };
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).filter(old).collect())
}

fn delete(path: &Path, done: &mut Done) {
    match fs::remove_file(path) {
        Ok(()) => done.moved += 1,
        Err(fault) => {
            done.skipped += 1;
            tracing::warn!(path = %path.display(), cause = %fault, "a file that the sweep could not delete");
        }
    }
}

//! `/admin/audit-log/proof`: how the log stands, what the last verification found, and how to check it
//! oneself.

use std::path::PathBuf;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use crate::audit::proof::seal::KeyFiles;
use crate::audit::proof::store::{standing, verification};
use crate::audit::proof::verification::{JOB, WORK};
use crate::audit::proof::views::{ArchiveRow, KeyRow, Newest, Proof};
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::db::claim::Claim;
use crate::kernel::job::next_run;
use crate::kernel::web::Section;
use crate::kernel::web::permit::{Permit, ReadProof};

/// How many verifications the page lists, the newest among them.
const LISTED: i64 = 8;

/// What the page reads of the file system: the list of trusted keys, and the size of each archive that is
/// there.
struct OnDisk {
    trusted: Result<Vec<[u8; 32]>, String>,
    archives: Vec<Option<u64>>,
}

impl OnDisk {
    fn read(files: &KeyFiles, archives: &[PathBuf]) -> Self {
        let size =
            |path: &PathBuf| std::fs::metadata(path).ok().filter(|file| file.is_file()).map(|f| f.len());
        Self {
            trusted: files.trusted().map_err(|cause| format!("{cause:#}.")),
            archives: archives.iter().map(size).collect(),
        }
    }
}

pub async fn show(permit: Permit<ReadProof>) -> Result<HttpResponse> {
    let now = permit.app.clock.now();
    let ((newest, waiting), verifications, keys, archives) = permit
        .read(move |conn| {
            let verifications = verification::list_last(conn, now, LISTED)?;
            let unfinished = verifications.first().is_some_and(|newest| newest.finished_at.is_none());
            let running = unfinished && Claim::is_taken(conn, WORK)?;
            Ok((
                standing::get_newest(conn)?,
                (verifications, running),
                standing::list_keys(conn)?,
                standing::list_archives(conn)?,
            ))
        })
        .await?;
    let files = KeyFiles::of(&permit.app.config);
    let directory = permit.app.config.audit_archives();
    let paths: Vec<PathBuf> = archives.iter().map(|archive| directory.join(&archive.file_name)).collect();
    let on_disk = actix_web::web::block(move || OnDisk::read(&files, &paths)).await;
    let on_disk = on_disk.map_err(|panicked| Error::Internal(panicked.into()))?;
    let now = permit.app.clock.now();
    let (verifications, running) = verifications;
    let page = Proof {
        frame: permit
            .frame(Section::Admin, "Proof of the audit log")
            .crumb("Administration", "/admin")
            .crumb("Audit log", "/admin/audit-log"),
        newest: newest.as_ref().map(|seal| Newest::of(seal, on_disk.trusted.as_deref().ok())),
        keys: KeyRow::list(newest.as_ref(), keys, on_disk.trusted.as_deref().unwrap_or_default()),
        keys_unreadable: on_disk.trusted.err(),
        waiting,
        archives: archives.into_iter().zip(on_disk.archives).map(ArchiveRow::of).collect(),
        verifications,
        running,
        next: permit.app.jobs.find(JOB).ok().and_then(|job| next_run(job, now)),
        may_run: permit.may(P::JobRun),
        address: permit.app.config.address(),
        now,
        zone: permit.viewer().organisation.zone(),
    };
    if permit.partial {
        permit.html(StatusCode::OK, page.as_verification().render()?)
    } else {
        permit.page(&page)
    }
}

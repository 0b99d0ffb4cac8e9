//! SQL of attachments. The files themselves are blobs under the attachments' ids; their content never enters
//! the audit log.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::sql_types::{BigInt, Bool, Uuid as SqlUuid};
use uuid::Uuid;

use super::logs::{may_write, named};
use super::work::Work;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::harmless::harmless;
use crate::kernel::base::hex::hex;
use crate::kernel::base::ids::{AttachmentId, ClientId, EngagementId, PersonId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{attachments, engagements, people, procedures};
use crate::kernel::event::domain::{Event, Kind};
use crate::procedures::entries::{SHOWN, SHOWN_BYTES};
use crate::procedures::evidence::{ATTACHMENTS, AttachmentText};

#[derive(Debug, Clone, Queryable)]
pub struct Attachment {
    /// Its id; also the blob's key.
    pub id: AttachmentId,
    /// Whose data it is.
    pub client_id: ClientId,
    pub engagement_id: EngagementId,
    pub procedure_id: Option<ProcedureId>,
    pub position: Option<i32>,
    pub procedure: Option<String>,
    pub team: Option<Team>,
    pub title: String,
    pub description: String,
    pub file_name: String,
    /// As found out by the server.
    pub media_type: String,
    /// In bytes.
    pub size: i64,
    pub sha256: Vec<u8>,
    /// Whether the finding shows it.
    pub in_finding: bool,
    pub uploaded_by: PersonId,
    pub uploader: String,
    pub uploaded_at: DateTime<Utc>,
    /// Rises with every change.
    pub version: i32,
}

impl Attachment {
    /// The digest as hexadecimal digits.
    pub fn digest(&self) -> String {
        hex(&self.sha256)
    }
}

/// A file that has arrived whole and waits for its row.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The id that the attachment will have.
    pub id: AttachmentId,
    /// The file's name, as it came wherever a file can have it.
    pub file_name: String,
    /// The name it came with, where no file can have it.
    pub came_as: Option<String>,
    /// As found out by the server.
    pub media_type: &'static str,
    /// In bytes.
    pub size: i64,
    pub sha256: [u8; 32],
}

enum Of {
    /// The newest of a procedure, or those before one, as many as a page shows.
    Newest(ProcedureId, Option<AttachmentId>),
    One(EngagementId, AttachmentId),
}

/// As many attachments as a page shows, oldest first, and how many there are of each team.
#[derive(Debug, Clone, Default)]
pub struct FilePage {
    /// Oldest first.
    pub files: Vec<Attachment>,
    /// All attachments of red.
    pub red: i64,
    /// All attachments of blue.
    pub blue: i64,
    /// Of both teams and of none, on this page or not.
    pub total: i64,
    /// Those older than the ones shown.
    pub older: i64,
}

impl FilePage {
    /// Those newer than the ones shown.
    pub fn newer(&self) -> i64 {
        self.total - self.older - self.files.len() as i64
    }
}

type Counts = (i64, i64, i64, i64);

fn load(conn: &mut PgConnection, of: Of) -> Result<Vec<(Attachment, Counts)>> {
    let count = |which: &str| {
        let all = "SELECT count(*) FROM attachments t WHERE t.procedure_id = attachments.procedure_id \
            AND t.removed_at IS NULL";
        sql::<BigInt>(&format!("({all}{which})"))
    };
    let counts = (
        count(""),
        count(" AND t.team = 'red'"),
        count(" AND t.team = 'blue'"),
        count(" AND (t.uploaded_at, t.id) < (attachments.uploaded_at, attachments.id)"),
    );
    let query = attachments::table
        .inner_join(people::table.on(people::id.eq(attachments::uploaded_by)))
        .left_join(procedures::table.on(procedures::id.nullable().eq(attachments::procedure_id)))
        .filter(attachments::removed_at.is_null())
        .order((attachments::uploaded_at.desc(), attachments::id.desc()))
        .select((
            (
                attachments::id,
                attachments::client_id,
                attachments::engagement_id,
                attachments::procedure_id,
                procedures::position.nullable(),
                procedures::name.nullable(),
                attachments::team,
                attachments::title,
                attachments::description,
                attachments::file_name,
                attachments::media_type,
                attachments::size,
                attachments::sha256,
                attachments::in_finding,
                attachments::uploaded_by,
                people::name,
                attachments::uploaded_at,
                attachments::version,
            ),
            counts,
        ))
        .into_boxed();
    let mut found: Vec<(Attachment, Counts)> = match of {
        Of::Newest(procedure, before) => {
            let of = query.filter(attachments::procedure_id.eq(procedure)).limit(SHOWN);
            match before {
                Some(before) => {
                    let earlier = sql::<Bool>(
                        "(attachments.uploaded_at, attachments.id) < (SELECT uploaded_at, id \
                            FROM attachments WHERE id = ",
                    );
                    of.filter(earlier.bind::<SqlUuid, _>(before).sql(")")).load(conn)?
                }
                None => of.load(conn)?,
            }
        }
        Of::One(engagement, id) => {
            query.filter(attachments::engagement_id.eq(engagement).and(attachments::id.eq(id))).load(conn)?
        }
    };
    found.reverse();
    Ok(found)
}

/// The newest attachments of both teams on a procedure, or those before one, by upload. The caller has found
/// the procedure.
pub fn list_for_procedure(
    conn: &mut PgConnection,
    procedure: ProcedureId,
    before: Option<AttachmentId>,
) -> Result<FilePage> {
    let mut rows = load(conn, Of::Newest(procedure, before))?;
    // As many of the newest as their descriptions leave room for, one at least.
    let mut bytes = 0;
    let room = rows.iter().rev().take_while(|(file, _)| {
        bytes += file.description.len() as i64;
        bytes <= SHOWN_BYTES
    });
    let shown = room.count().max(1).min(rows.len());
    rows.drain(..rows.len() - shown);
    let (total, red, blue, older) = rows.first().map_or((0, 0, 0, 0), |(_, counts)| *counts);
    Ok(FilePage { files: rows.into_iter().map(|(file, _)| file).collect(), red, blue, total, older })
}

/// One attachment of an engagement of a client among `visible`.
///
/// # Errors
/// [`Error::NotFound`] for any other, and when it was removed.
pub fn get(
    conn: &mut PgConnection,
    engagement: EngagementId,
    id: AttachmentId,
    visible: &Visible,
) -> Result<Attachment> {
    engagements::table
        .find(engagement)
        .filter(engagements::client_id.eq_any(visible.ids()).and(engagements::deleted_at.is_null()))
        .select(engagements::id)
        .first::<Uuid>(conn)?;
    load(conn, Of::One(engagement, id))?.pop().map(|(file, _)| file).ok_or(Error::NotFound)
}

/// Inserts the rows of files that have arrived.
///
/// # Errors
/// [`Error::Forbidden`] for who does not write that side.
pub fn insert(
    tx: &mut WriteTx<'_>,
    work: &mut Work,
    team: Team,
    files: &[Arrived],
    text: &AttachmentText,
) -> Result<()> {
    may_write(work, team)?;
    let there: i64 = attachments::table
        .filter(attachments::procedure_id.eq(work.procedure).and(attachments::removed_at.is_null()))
        .count()
        .get_result(tx.conn)?;
    if there + files.len() as i64 > ATTACHMENTS {
        return Err(Error::field(
            "file",
            format!(
                "A procedure holds {ATTACHMENTS} attachments, and this one has {there}. Remove some, or \
                    attach an archive."
            ),
        ));
    }
    let by = tx.actor().id.ok_or(Error::Unauthenticated)?;
    let rows: Vec<_> = files
        .iter()
        .map(|file| {
            (
                attachments::id.eq(file.id),
                attachments::client_id.eq(work.client),
                attachments::engagement_id.eq(work.engagement),
                attachments::procedure_id.eq(work.procedure),
                attachments::team.eq(team),
                attachments::title.eq(if text.title.is_empty() { &file.file_name } else { &text.title }),
                attachments::description.eq(&text.description),
                attachments::file_name.eq(&file.file_name),
                attachments::media_type.eq(file.media_type),
                attachments::size.eq(file.size),
                attachments::sha256.eq(&file.sha256[..]),
                attachments::in_finding.eq(text.in_finding),
                attachments::uploaded_by.eq(by),
                attachments::uploaded_at.eq(tx.now()),
            )
        })
        .collect();
    diesel::insert_into(attachments::table).values(&rows).execute_anew(tx.conn)?;
    for file in files {
        let sentence =
            format!("Attached “{}” to the {} side of {}", file.file_name, team.as_str(), named(work));
        let mut detail = serde_json::json!({
            "attachment": file.id,
            "team": team,
            "size": file.size,
            "sha256": hex(&file.sha256),
        });
        if let Some(name) = &file.came_as {
            detail["came_as"] = harmless(name).into();
        }
        work.record(work.event(Kind::AttachmentAdded, sentence).detail(detail));
    }
    Ok(())
}

/// Writes the rows of files that belong to an engagement and to no procedure or team, such as those of a
/// request.
///
/// # Errors
/// When the database refuses.
pub fn insert_of_engagement(
    tx: &mut WriteTx<'_>,
    client: ClientId,
    engagement: EngagementId,
    files: &[Arrived],
) -> Result<Vec<Event>> {
    let by = tx.actor().id.ok_or(Error::Unauthenticated)?;
    let row = |file: &Arrived| {
        (
            attachments::id.eq(file.id),
            attachments::client_id.eq(client),
            attachments::engagement_id.eq(engagement),
            attachments::title.eq(file.file_name.clone()),
            attachments::file_name.eq(file.file_name.clone()),
            attachments::media_type.eq(file.media_type),
            attachments::size.eq(file.size),
            attachments::sha256.eq(file.sha256.to_vec()),
            attachments::uploaded_by.eq(by),
            attachments::uploaded_at.eq(tx.now()),
        )
    };
    let rows: Vec<_> = files.iter().map(row).collect();
    diesel::insert_into(attachments::table).values(&rows).execute_anew(tx.conn)?;
    let event = |file: &Arrived| {
        Event::new(Kind::AttachmentAdded, format!("Attached “{}” to the engagement", file.file_name))
            .subject("attachment", file.id.0, &file.file_name)
            .engagement(client, engagement)
            .detail(
                serde_json::json!({ "attachment": file.id, "size": file.size, "sha256": hex(&file.sha256) }),
            )
    };
    Ok(files.iter().map(event).collect())
}

/// Saves what is said about an attachment; nothing changed is no save.
///
/// # Errors
/// [`Error::Forbidden`] for who does not write its side, [`Error::Conflict`] when somebody saved since
/// `version`.
pub fn save(
    tx: &mut WriteTx<'_>,
    work: &mut Work,
    id: AttachmentId,
    text: &AttachmentText,
    version: i32,
) -> Result<()> {
    let before = of_work(tx, work, id)?;
    may_write_any(work, before.team)?;
    if !work.sides.shared && tx.actor().id != Some(before.uploaded_by) {
        return Err(Error::Forbidden(
            "Whoever attached this file, or works the engagement, changes what is said about it.".into(),
        ));
    }
    let title = if text.title.is_empty() { before.file_name.as_str() } else { text.title.as_str() };
    if before.title == title && before.description == text.description && before.in_finding == text.in_finding
    {
        return Ok(());
    }
    let saved = diesel::update(attachments::table.find(id).filter(attachments::version.eq(version)))
        .set((
            attachments::title.eq(title),
            attachments::description.eq(&text.description),
            attachments::in_finding.eq(text.in_finding),
            attachments::version.eq(attachments::version + 1),
        ))
        .execute(tx.conn)?;
    if saved == 0 {
        return Err(Error::Conflict(
            "Somebody saved this attachment since you opened it. What you typed is still here.".into(),
        ));
    }
    let yes = |ticked: bool| if ticked { "yes" } else { "no" };
    let changes = [
        ("title", before.title.as_str(), title, false),
        ("description", before.description.as_str(), text.description.as_str(), true),
        ("in_finding", yes(before.in_finding), yes(text.in_finding), false),
    ];
    let event = work
        .event(
            Kind::AttachmentUpdated,
            format!("Changed the attachment “{}” of {}", before.file_name, named(work)),
        )
        .detail(serde_json::json!({ "attachment": id }))
        .telling(changes.into_iter().filter(|c| c.1 != c.2));
    work.record(event);
    Ok(())
}

/// Removes an attachment from the pages; its row and digest stay, the sweep deletes the file later.
///
/// # Errors
/// [`Error::Forbidden`] unless who attached it or a lead asks.
pub fn remove(tx: &mut WriteTx<'_>, work: &mut Work, id: AttachmentId) -> Result<()> {
    let before = of_work(tx, work, id)?;
    if !work.lead && tx.actor().id != Some(before.uploaded_by) {
        return Err(Error::Forbidden(format!(
            "{} attached this file. They or a team lead can remove it.",
            before.uploader
        )));
    }
    may_write_any(work, before.team)?;
    diesel::update(attachments::table.find(id))
        .set((attachments::removed_at.eq(tx.now()), attachments::version.eq(attachments::version + 1)))
        .execute(tx.conn)?;
    let event = work
        .event(
            Kind::AttachmentRemoved,
            format!("Removed the attachment “{}” from {}", before.file_name, named(work)),
        )
        .detail(serde_json::json!({ "attachment": id, "sha256": before.digest() }));
    work.record(event);
    Ok(())
}

/// Whether any attachment is recorded whose file should be there.
pub fn has_attachments(conn: &mut PgConnection) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(attachments::table.filter(attachments::removed_at.is_null())))
        .get_result(conn)?)
}

/// Whether a report shows an attachment: a finding of it as it stands, what Submit froze, or what was
/// published.
const IN_A_REPORT: &str = "(EXISTS (SELECT FROM finding_attachments f WHERE f.attachment_id = attachments.id)
    OR EXISTS (SELECT FROM reports r JOIN report_revisions v ON v.report_id = r.id
        WHERE r.engagement_id = attachments.engagement_id AND r.deleted_at IS NULL
            AND v.body @> jsonb_build_object('procedures', jsonb_build_array(jsonb_build_object('attachments',
                jsonb_build_array(jsonb_build_object('id', attachments.id))))))
    OR EXISTS (SELECT FROM reports r JOIN report_publications v ON v.report_id = r.id
        WHERE r.engagement_id = attachments.engagement_id AND r.deleted_at IS NULL
            AND (v.body @> jsonb_build_object('procedures', jsonb_build_array(
                jsonb_build_object('attachments', jsonb_build_array(
                    jsonb_build_object('id', attachments.id)))))
            OR v.content @> jsonb_build_object('findings', jsonb_build_array(jsonb_build_object('evidence',
                jsonb_build_array(jsonb_build_object('id', attachments.id))))))))";

/// Which of these blobs may go: those without a row, and those whose row was removed before `since` and that
/// no report shows.
pub fn list_unneeded(conn: &mut PgConnection, blobs: &[Uuid], since: DateTime<Utc>) -> Result<Vec<Uuid>> {
    let needed: Vec<Uuid> = attachments::table
        .filter(attachments::id.eq_any(blobs))
        .filter(
            attachments::removed_at
                .is_null()
                .or(attachments::removed_at.ge(since))
                .or(sql::<Bool>(IN_A_REPORT)),
        )
        .select(attachments::id)
        .load(conn)?;
    let needed: std::collections::HashSet<Uuid> = needed.into_iter().collect();
    Ok(blobs.iter().copied().filter(|id| !needed.contains(id)).collect())
}

/// The procedure's row is locked, so the attachment cannot change under us.
fn of_work(tx: &mut WriteTx<'_>, work: &Work, id: AttachmentId) -> Result<Attachment> {
    let found =
        load(tx.conn, Of::One(work.engagement, id))?.pop().map(|(file, _)| file).ok_or(Error::NotFound)?;
    if found.procedure_id == Some(work.procedure) { Ok(found) } else { Err(Error::NotFound) }
}

/// What belongs to no team, such as the files of a request, whoever writes may change.
fn may_write_any(work: &Work, team: Option<Team>) -> Result<()> {
    team.map_or(Ok(()), |team| may_write(work, team))
}

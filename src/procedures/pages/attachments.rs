//! Handlers of attachments.

use actix_multipart::Multipart;
use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, CacheControl, CacheDirective, Charset, ContentDisposition, ContentEncoding, DispositionParam,
    DispositionType, ETag, EntityTag, ExtendedValue,
};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use futures_util::StreamExt;
use object_store::ObjectStoreExt;
use serde::Deserialize;

use super::place::{self, Ids};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{AttachmentId, EngagementId, ProcedureId};
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::db::WriteTx;
use crate::kernel::web::ctx::Ctx;
use crate::kernel::web::permit::{Action, Permit, ReadEngagement, WriteProcedure};
use crate::kernel::web::{Form, Query, redirect, redirect_with};
use crate::procedures::evidence::{TypedAttachment, is_image};
use crate::procedures::store::attachments::{self, Arrived, Attachment};
use crate::procedures::store::place::Head;
use crate::procedures::store::work;
use crate::procedures::upload::{self, Wanted};
use crate::procedures::views::attachments::{Attachments, EditAttachment, NewAttachment, facts};
use crate::procedures::views::logs::Removal;

type FileIds = web::Path<(EngagementId, AttachmentId)>;

/// A file that people uploaded acts nowhere: no script, no frame, no other source, even when opened by
/// itself.
const POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// `GET …/procedures/{procedure}/attachments`: the section, for htmx; everybody else goes to the procedure's
/// page.
pub async fn list(
    permit: Permit<ReadEngagement>,
    path: Ids,
    Query(page): Query<PageOf>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    if !permit.partial {
        return Ok(redirect(&back(engagement, procedure)));
    }
    let view = section(&permit, engagement, procedure, page.before).await?;
    permit.page(&view)
}

/// Which of the attachments.
#[derive(Deserialize)]
pub struct PageOf {
    /// The attachment before which the others are asked for.
    before: Option<AttachmentId>,
}

async fn section<A: Action>(
    permit: &Permit<A>,
    engagement: EngagementId,
    procedure: ProcedureId,
    before: Option<AttachmentId>,
) -> Result<Attachments> {
    let read = move |conn: &mut diesel::PgConnection, head: &Head| {
        attachments::list_for_procedure(conn, head.procedure, before)
    };
    let (head, files) = place::read(permit, engagement, procedure, read).await?;
    Ok(Attachments::new(&place::of(permit, &head), files, true))
}

fn back(engagement: EngagementId, procedure: ProcedureId) -> String {
    format!("/engagements/{engagement}/procedures/{procedure}#attachments")
}

/// Whose evidence a new file is.
#[derive(Deserialize)]
pub struct Whose {
    #[serde(default)]
    team: String,
}

pub async fn new(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Query(whose): Query<Whose>,
) -> Result<HttpResponse> {
    let (head, team) = writable(&permit, path.into_inner(), &whose).await?;
    permit.page(&new_page(&permit, &head, team, TypedAttachment::default(), FieldErrors::default()))
}

async fn writable(
    permit: &Permit<WriteProcedure>,
    (engagement, procedure): (EngagementId, ProcedureId),
    whose: &Whose,
) -> Result<(Head, Team)> {
    let team: Team = whose.team.parse().map_err(|_| Error::NotFound)?;
    let (head, ()) = place::read(permit, engagement, procedure, |_, _| Ok(())).await?;
    if let Some(closed) = &head.closed {
        return Err(Error::Refused(closed.clone()));
    }
    if !head.sides.may_write_team(team) {
        return Err(Error::Forbidden(format!(
            "You do not write the {} side of this procedure.",
            team.as_str()
        )));
    }
    Ok((head, team))
}

fn new_page(
    permit: &Permit<WriteProcedure>,
    head: &Head,
    team: Team,
    typed: TypedAttachment,
    errors: FieldErrors,
) -> NewAttachment {
    NewAttachment {
        frame: place::frame(permit, head, "Attach files"),
        url: place::of(permit, head).url(),
        procedure: place::named(head),
        team,
        limit: show::size(permit.viewer().organisation.attachment_bytes),
        typed,
        errors,
    }
}

/// `POST …/attachments?team=`: who may not, or where it is closed, is told before a byte of the file is read.
pub async fn create(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Query(whose): Query<Whose>,
    form: Multipart,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let (head, team) = writable(&permit, (engagement, procedure), &whose).await?;
    let wanted = Wanted {
        fields: &["title", "description", "in_finding"],
        some_file: true,
        limit: permit.viewer().organisation.attachment_bytes,
    };
    let (typed, received) = upload::receive(&permit.app, form, wanted, permit.viewer().id).await;
    let typed = TypedAttachment::of(&typed);
    let stored = match received {
        Ok(received) => {
            let told = received.told();
            store(&permit, &head, team, &typed, received.files).await.map(|()| told)
        }
        Err(error) => Err(error),
    };
    match stored {
        Ok(told) if permit.partial => {
            let view = section(&permit, engagement, procedure, None).await?.saved("Attached");
            permit.page(&if told.is_empty() { view } else { view.problem(told) })
        }
        Ok(told) => {
            Ok(redirect_with(&back(engagement, procedure), ["Attached.", &told].join(" ").trim_end()))
        }
        Err(error) => refused(&permit, &head, team, typed, error).await,
    }
}

async fn store(
    permit: &Permit<WriteProcedure>,
    head: &Head,
    team: Team,
    typed: &TypedAttachment,
    files: Vec<Arrived>,
) -> Result<()> {
    let text = match typed.check() {
        Ok(text) => text,
        Err(error) => {
            upload::discard(&permit.app, &files).await;
            return Err(error);
        }
    };
    upload::keep(&permit.app, &files).await?;
    let (held, rows, engagement, procedure) =
        (permit.clone(), files.clone(), head.engagement, head.procedure);
    let write = move |tx: &mut WriteTx<'_>| {
        let mut work = work::begin(tx, &held, engagement, procedure)?;
        attachments::insert(tx, &mut work, team, &rows, &text)?;
        work.finish(tx, ())
    };
    let written = permit.write(write).await;
    // Where the database went away nobody knows whether it had committed: then the sweep asks it later.
    if let Err(
        Error::NotFound | Error::Forbidden(_) | Error::Refused(_) | Error::Invalid(_) | Error::Conflict(_),
    ) = &written
    {
        upload::discard(&permit.app, &files).await;
    }
    written
}

/// The page or the section again, with the sentence and what was typed beside the files.
async fn refused(
    permit: &Permit<WriteProcedure>,
    head: &Head,
    team: Team,
    typed: TypedAttachment,
    error: Error,
) -> Result<HttpResponse> {
    let status = error.status();
    let errors = match error {
        Error::Invalid(errors) => errors,
        Error::TooLarge(sentence) | Error::Refused(sentence) => FieldErrors::one("file", sentence),
        other => return Err(other),
    };
    if permit.partial {
        let sentence = errors.0.values().next().cloned().unwrap_or_default();
        let view = section(permit, head.engagement, head.procedure, None).await?.problem(sentence);
        return permit.html(status, view.render()?);
    }
    permit.html(status, new_page(permit, head, team, typed, errors).render()?)
}

async fn get<A: Action>(
    permit: &Permit<A>,
    engagement: EngagementId,
    id: AttachmentId,
) -> Result<Attachment> {
    let visible = permit.visible();
    let found = permit.read(move |conn| attachments::get(conn, engagement, id, &visible)).await?;
    permit.check(found.client_id)?;
    Ok(found)
}

/// `GET /engagements/{engagement}/attachments/{attachment}`: the file.
pub async fn file(permit: Permit<ReadEngagement>, path: FileIds, req: HttpRequest) -> Result<HttpResponse> {
    let (engagement, id) = path.into_inner();
    let attachment = get(&permit, engagement, id).await?;
    serve(&permit, &attachment.into(), &req).await
}

/// A file as it is served, wherever the right to it comes from.
#[derive(Debug, Clone)]
pub struct Served {
    pub id: AttachmentId,
    pub file_name: String,
    pub media_type: String,
    /// SHA-256, in hexadecimal digits.
    pub digest: String,
}

impl From<Attachment> for Served {
    fn from(attachment: Attachment) -> Self {
        let digest = attachment.digest();
        let Attachment { id, file_name, media_type, .. } = attachment;
        Self { id, file_name, media_type, digest }
    }
}

/// The bytes of an attachment: a download or, of a picture, shown in place.
///
/// # Errors
/// [`Error::Gone`] when the row is there and the file is not.
pub async fn serve(ctx: &Ctx, attachment: &Served, req: &HttpRequest) -> Result<HttpResponse> {
    let tag = EntityTag::new_strong(attachment.digest.clone());
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header(ETag(tag.clone()))
        // Evidence is a client's: it stays in no cache, the browser's own included (ASVS 5.0, 14.3.2).
        .insert_header(CacheControl(vec![CacheDirective::NoStore]))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    let known = req
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|v| v.to_str().ok())
        .any(|v| v.contains(tag.tag()));
    if known {
        return Ok(answer.status(StatusCode::NOT_MODIFIED).finish());
    }
    let blob = ctx.app.blobs.get(&upload::kept(attachment.id)).await.map_err(|fault| match fault {
        object_store::Error::NotFound { .. } => Error::Gone(format!(
            "The file of “{}” is missing on this server. An administrator restores “{}” in the folder \
                “attachments” of the data directory from a backup.",
            attachment.file_name, attachment.id
        )),
        other => upload::storage(other),
    })?;
    let size = blob.meta.size;
    let content = blob.into_stream().map(|chunk| chunk.map_err(|fault| upload::storage(fault).into()));
    Ok(answer
        .content_type(attachment.media_type.as_str())
        .insert_header(disposition(attachment))
        // Evidence is mostly compressed already, and its length shall be known.
        .insert_header(ContentEncoding::Identity)
        .body(SizedStream::new(
            size,
            Box::pin(content.map(|chunk: std::result::Result<_, actix_web::Error>| chunk)),
        )))
}

fn disposition(attachment: &Served) -> ContentDisposition {
    let plain: String = attachment
        .file_name
        .chars()
        .map(|c| if c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ' { c } else { '_' })
        .collect();
    ContentDisposition {
        disposition: if is_image(&attachment.media_type) {
            DispositionType::Inline
        } else {
            DispositionType::Attachment
        },
        parameters: vec![
            DispositionParam::Filename(plain),
            DispositionParam::FilenameExt(ExtendedValue {
                charset: Charset::Ext("UTF-8".to_owned()),
                language_tag: None,
                value: attachment.file_name.clone().into_bytes(),
            }),
        ],
    }
}

/// The attachment and its procedure, where something may be written.
async fn editable(
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    id: AttachmentId,
) -> Result<(Head, Attachment)> {
    let attachment = get(permit, engagement, id).await?;
    let procedure = attachment.procedure_id.ok_or(Error::NotFound)?;
    let (head, ()) = place::read(permit, engagement, procedure, |_, _| Ok(())).await?;
    match &head.closed {
        Some(closed) => Err(Error::Refused(closed.clone())),
        None => Ok((head, attachment)),
    }
}

pub async fn edit(permit: Permit<WriteProcedure>, path: FileIds) -> Result<HttpResponse> {
    let (engagement, id) = path.into_inner();
    let (head, attachment) = editable(&permit, engagement, id).await?;
    permit.page(&edit_page(&permit, &head, &attachment, stored_text(&attachment)))
}

fn stored_text(attachment: &Attachment) -> TypedAttachment {
    TypedAttachment {
        title: attachment.title.clone(),
        description: attachment.description.clone(),
        in_finding: attachment.in_finding.then(|| "1".to_owned()),
        version: attachment.version,
    }
}

fn edit_page(
    permit: &Permit<WriteProcedure>,
    head: &Head,
    attachment: &Attachment,
    typed: TypedAttachment,
) -> EditAttachment {
    EditAttachment {
        frame: place::frame(permit, head, "Edit attachment"),
        href: format!("/engagements/{}/attachments/{}", head.engagement, attachment.id),
        back: place::of(permit, head).url(),
        file_name: attachment.file_name.clone(),
        facts: facts(attachment, head.zone),
        digest: attachment.digest(),
        image: is_image(&attachment.media_type),
        typed,
        errors: FieldErrors::default(),
        problem: None,
        theirs: None,
    }
}

pub async fn update(
    permit: Permit<WriteProcedure>,
    path: FileIds,
    Form(typed): Form<TypedAttachment>,
) -> Result<HttpResponse> {
    let (engagement, id) = path.into_inner();
    let (head, attachment) = editable(&permit, engagement, id).await?;
    let (procedure, version) = (head.procedure, typed.version);
    let saved = match typed.check() {
        Ok(text) => {
            let held = permit.clone();
            let write = move |tx: &mut WriteTx<'_>| {
                let mut work = work::begin(tx, &held, engagement, procedure)?;
                attachments::save(tx, &mut work, id, &text, version)?;
                work.finish(tx, ())
            };
            permit.write(write).await
        }
        Err(error) => Err(error),
    };
    let Err(error) = saved else {
        return Ok(redirect_with(&back(engagement, procedure), "Attachment saved."));
    };
    let status = error.status();
    let mut page = edit_page(&permit, &head, &attachment, typed);
    match error {
        Error::Invalid(errors) => page.errors = errors,
        Error::Conflict(sentence) => {
            page.problem = Some(sentence);
            // The form goes on from the stored version: saving again is then a decision, with both in sight.
            page.typed.version = attachment.version;
            page.theirs = Some(stored_text(&attachment));
        }
        other => return Err(other),
    }
    permit.html(status, page.render()?)
}

pub async fn removal(permit: Permit<WriteProcedure>, path: FileIds) -> Result<HttpResponse> {
    let (engagement, id) = path.into_inner();
    let (head, attachment) = editable(&permit, engagement, id).await?;
    if !place::of(&permit, &head).owns(attachment.uploaded_by, attachment.team) {
        return Err(Error::Forbidden(format!(
            "{} attached this file. They or a team lead can remove it.",
            attachment.uploader
        )));
    }
    permit.page(&Removal {
        frame: place::frame(&permit, &head, "Remove attachment"),
        heading: format!("Remove “{}”?", attachment.title),
        shown: format!("{} · {}", attachment.file_name, facts(&attachment, head.zone)),
        sentence: "It disappears from the procedure and the report, and the file is deleted after 30 days. \
            The audit log keeps its digest.",
        action: format!("/engagements/{engagement}/attachments/{id}/removal"),
        cancel: back(engagement, head.procedure),
        button: "Remove attachment",
    })
}

pub async fn remove(permit: Permit<WriteProcedure>, path: FileIds) -> Result<HttpResponse> {
    let (engagement, id) = path.into_inner();
    let (head, _) = editable(&permit, engagement, id).await?;
    let (held, procedure) = (permit.clone(), head.procedure);
    let write = move |tx: &mut WriteTx<'_>| {
        let mut work = work::begin(tx, &held, engagement, procedure)?;
        attachments::remove(tx, &mut work, id)?;
        work.finish(tx, ())
    };
    permit.write(write).await?;
    Ok(redirect_with(&back(engagement, procedure), "Attachment removed."))
}

//! Submitting, and reading reports.

pub mod across;
pub mod edit;
pub mod findings;
pub mod moves;
pub mod printed;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use diesel::pg::PgConnection;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::content::{Content, Cover};
use super::domain::Runbook;
use super::figures::{Figures, glance};
use super::store::{self, Head, Live, ReportRow, Submission, Workflow};
use super::views::{List, Opened, Part, Show, Submit, Waiting};
use super::workflow::{check_editing, steps};
use crate::engagements::views::glance::GlanceView;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{AttachmentId, ClientId, EngagementId, ReportId};
use crate::kernel::base::keyset::{At, LOADED, Page, ROWS};
use crate::kernel::base::show;
use crate::kernel::event::about::{About, list_about};
use crate::kernel::event::views::Activity;
use crate::kernel::web::margins::Margins;
use crate::kernel::web::permit::{Action, Permit, ReadReport, SubmitEngagement};
use crate::kernel::web::turns::aside;
use crate::kernel::web::{Form, Query, Section, redirect, redirect_with};
use crate::lifecycle::domain::ReportStatus;
use crate::procedures::domain::working_allowed;
use crate::procedures::pages::attachments::{Served, serve};

/// How far they are counted.
const COUNTED: i64 = 1_001;

/// Filter of the list.
#[derive(Deserialize, Clone)]
pub struct Filter {
    #[serde(default)]
    q: String,
    #[serde(default)]
    client: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    after: String,
}

impl Filter {
    fn query(&self) -> String {
        let part = |name: &str, value: &str| {
            (!value.is_empty()).then(|| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        };
        let parts = [part("q", &self.q), part("client", &self.client), part("status", &self.status)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("&")
    }
}

pub async fn list(permit: Permit<ReadReport>, Query(typed): Query<Filter>) -> Result<HttpResponse> {
    let mut filter = store::Filter::of(&permit);
    filter.q = typed.q.chars().take(200).collect();
    filter.client = typed.client.parse::<ClientId>().ok();
    filter.status = typed.status.parse::<ReportStatus>().ok();
    filter.after = typed.after.parse().ok();
    let chosen = filter.clone();
    let readable = permit.clients();
    let (reports, count, clients) = permit
        .read(move |conn| {
            let page = store::list_reports(conn, &filter, LOADED)?;
            Ok((
                page,
                store::count_reports(conn, &filter, COUNTED)?,
                store::list_client_names(conn, &readable)?,
            ))
        })
        .await?;
    let reports = Page::cut(reports, &At::from(chosen.after), ROWS);
    let newest = typed.query();
    let (_, older) = reports.links(ReportRow::cursor, |at| format!("{newest}&after={}", at.written().0));
    let page = List {
        frame: permit.frame(Section::Reports, "Reports"),
        older,
        later: reports.earlier,
        newest,
        reports: reports.rows,
        count: counted(count),
        q: typed.q,
        client: chosen.client,
        status: chosen.status,
        clients,
        zone: permit.viewer().organisation.zone(),
    };
    if permit.partial { permit.html(StatusCode::OK, page.as_results().render()?) } else { permit.page(&page) }
}

fn counted(count: i64) -> String {
    show::counted_to(count, COUNTED, "report", "reports")
}

/// The head of a report that this person may read.
pub(super) async fn get_head_of<A: Action>(permit: &Permit<A>, id: ReportId) -> Result<Head> {
    let reader = permit.clone();
    permit.read(move |conn| store::get_head(conn, id, &reader)).await
}

/// Events that Activity shows.
const EVENTS: i64 = 20;

/// Query of a report's page.
#[derive(Deserialize)]
pub struct Wanted {
    /// `all` draws what is closed otherwise.
    #[serde(default)]
    open: String,
}

pub async fn show(
    permit: Permit<ReadReport>,
    path: web::Path<ReportId>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let mut page = match load(&permit, path.into_inner()).await? {
        Reading::Written(page) => page,
        Reading::Waiting(head) => {
            let submission = waiting(&permit, &head).await?;
            let may_submit = may_submit(&permit, &submission);
            let frame = permit.frame(Section::Reports, &head.narrative.title).crumb("Reports", "/reports");
            return permit.page(&Waiting { frame, head: *head, submission, may_submit });
        }
    };
    page.open = wanted.open == "all";
    let (engagement, client) = (page.head.engagement, page.head.client);
    if page.linked && permit.may_at(P::ReportRead, client) {
        let rows = permit.read(move |conn| list_about(conn, About::Report(engagement), EVENTS)).await?;
        let reads_log =
            permit.viewer().rights.may(P::AuditLogRead) || permit.may_at(P::AuditLogReadClient, client);
        page.activity = Some(Activity {
            rows,
            reads_log,
            zone: permit.viewer().organisation.zone(),
            ..Activity::default()
        });
    }
    // As long as its runbook, and every text of it rendered.
    let html = aside(permit.viewer().id.0, move || Ok(page.render()?)).await?;
    permit.html(StatusCode::OK, html)
}

/// `GET /reports/{report}/attachments/{attachment}`: a file that the report shows, for who may read
/// the report, whatever became of its engagement.
pub async fn evidence(
    permit: Permit<ReadReport>,
    path: web::Path<(ReportId, AttachmentId)>,
    req: HttpRequest,
) -> Result<HttpResponse> {
    let ((id, attachment), reader) = (path.into_inner(), permit.clone());
    let file = permit
        .read(move |conn| {
            let head = store::get_head(conn, id, &reader)?;
            store::get_evidence(conn, &head, attachment, reader.may_at(P::ReportRead, head.client))
        })
        .await?;
    let served = Served {
        id: attachment,
        file_name: file.file_name,
        media_type: file.media_type,
        digest: file.sha256,
    };
    serve(&permit, &served, &req).await
}

/// `GET /reports/{report}/margins.css`: the lines of its printed pages.
pub async fn margins(permit: Permit<ReadReport>, path: web::Path<ReportId>) -> Result<HttpResponse> {
    let (id, reader) = (path.into_inner(), permit.clone());
    let (head, cover) = permit
        .read(move |conn| {
            let head = store::get_head(conn, id, &reader)?;
            let cover = store::get_cover(conn, &head)?;
            Ok((head, cover))
        })
        .await?;
    let margins = Margins {
        title: head.narrative.title,
        sender: cover.organisation,
        client: head.client_name,
        classification: cover.classification,
    };
    Ok(margins.respond())
}

/// `GET /reports/{report}/sections/{part}`: the section alone; asked for as a page, the page with all open.
pub async fn section(
    permit: Permit<ReadReport>,
    path: web::Path<(ReportId, String)>,
) -> Result<HttpResponse> {
    let (id, name) = path.into_inner();
    let (part, anchor) = match name.as_str() {
        "outcomes" => (Part::Outcomes, "every-outcome"),
        "timeline" => (Part::Timeline, "entries"),
        "procedures" => (Part::Procedures, "procedures"),
        _ => return Err(Error::NotFound),
    };
    let Reading::Written(page) = load(&permit, id).await? else { return Err(Error::NotFound) };
    opened(&permit, *page, part, anchor).await
}

/// `GET /reports/{report}/procedures/{n}`: what the procedure at that place holds; asked for as a page, the
/// page with all open.
pub async fn procedure(permit: Permit<ReadReport>, path: web::Path<(ReportId, i32)>) -> Result<HttpResponse> {
    let (id, position) = path.into_inner();
    let Reading::Written(mut page) = load(&permit, id).await? else { return Err(Error::NotFound) };
    page.book.procedures.retain(|one| one.position == position);
    if page.book.procedures.is_empty() {
        return Err(Error::NotFound);
    }
    opened(&permit, *page, Part::Procedure, &format!("p{position}")).await
}

async fn opened(permit: &Permit<ReadReport>, page: Show, part: Part, anchor: &str) -> Result<HttpResponse> {
    if !permit.partial {
        return Ok(redirect(&format!("/reports/{}?open=all#{anchor}", page.head.id)));
    }
    let html = aside(permit.viewer().id.0, move || Ok(Opened { page, part }.render()?)).await?;
    permit.html(StatusCode::OK, html)
}

/// A report as its readers find it.
enum Reading {
    /// Its engagement is not submitted yet.
    Waiting(Box<Head>),
    Written(Box<Show>),
}

async fn load(permit: &Permit<ReadReport>, id: ReportId) -> Result<Reading> {
    let reader = permit.clone();
    let (head, written) = permit
        .read(move |conn| {
            let head = store::get_head(conn, id, &reader)?;
            let written = if head.waits() { None } else { Some(written(conn, &head)?) };
            Ok((head, written))
        })
        .await?;
    Ok(match written {
        None => Reading::Waiting(Box::new(head)),
        Some((book, content, live, workflow)) => {
            Reading::Written(Box::new(shown(permit, head, book, content, live, workflow)))
        }
    })
}

/// A report's runbook, what it says beside it, its findings as they stand, and how it came where it stands.
fn written(conn: &mut PgConnection, head: &Head) -> Result<(Runbook, Content, Vec<Live>, Workflow)> {
    let (live, workflow) = (store::list_findings(conn, head.id)?, store::get_workflow(conn, head.id)?);
    if head.status == ReportStatus::Published {
        let (book, content) = store::get_published(conn, head.id, None)?;
        return Ok((book, content, live, workflow));
    }
    let book = match store::find_frozen(conn, head.id)? {
        Some(book) => book,
        None => store::collect_empty(conn, head.engagement, &Visible::found(head.client))?,
    };
    let content = store::content(&head.narrative, live.clone(), workflow.clone());
    Ok((book, content, live, workflow))
}

/// The page of a report that says something.
fn shown(
    permit: &Permit<ReadReport>,
    head: Head,
    book: Runbook,
    mut content: Content,
    live: Vec<Live>,
    workflow: Workflow,
) -> Show {
    if content.cover == Cover::default() {
        content.cover.clone_from(&workflow.house);
    }
    let may = |right| permit.may_at(right, head.client);
    let (inside, deleted) = (may(P::ReportRead), head.engagement_deleted_at.is_some());
    let book = content.corrected(book);
    let zone = book.time_zone.tz();
    Show {
        open: false,
        frame: permit.frame(Section::Reports, &content.title).crumb("Reports", "/reports"),
        figures: Figures::of(&book),
        glance: GlanceView { glance: glance(&book), times: false, base: String::new() },
        steps: steps(head.status).filter(|step| inside && !deleted && may(step.needs)).collect(),
        may_edit: may(P::ReportEdit)
            && !deleted
            && check_editing(head.status, head.submitted_at.is_some(), head.has_procedures).is_ok(),
        may_remediate: may(P::FindingRemediate),
        linked: head.engagement_deleted_at.is_none() && may(P::EngagementRead),
        remediations: store::remediations(&live),
        activity: None,
        whole: false,
        files: format!("/reports/{}", head.id),
        approval: workflow.approval().cloned(),
        published: workflow.published().cloned(),
        workflow: if inside { workflow } else { Workflow::default() },
        today: permit.app.clock.now().with_timezone(&zone).date_naive(),
        revision: None,
        book,
        content,
        zone,
        head,
    }
}

async fn waiting(permit: &Permit<ReadReport>, head: &Head) -> Result<Submission> {
    let (engagement, visible, now) = (head.engagement, permit.visible(), permit.app.clock.now());
    permit.read(move |conn| store::get_submission(conn, engagement, &visible, now)).await
}

fn may_submit(permit: &Permit<ReadReport>, submission: &Submission) -> bool {
    permit.may_at(P::EngagementSubmit, submission.client)
        && working_allowed(submission.status, submission.submitted).is_ok()
}

pub async fn confirm(
    permit: Permit<SubmitEngagement>,
    path: web::Path<EngagementId>,
) -> Result<HttpResponse> {
    let submission = submission(&permit, path.into_inner()).await?;
    if let Some(report) = submission.report.filter(|_| submission.submitted) {
        return Ok(redirect(&format!("/reports/{report}")));
    }
    working_allowed(submission.status, submission.submitted).map_err(|refusal| Error::Refused(refusal.0))?;
    permit.page(&confirmation(&permit, submission, false, FieldErrors::default()))
}

async fn submission(permit: &Permit<SubmitEngagement>, id: EngagementId) -> Result<Submission> {
    let (visible, now) = (permit.visible(), permit.app.clock.now());
    let submission = permit.read(move |conn| store::get_submission(conn, id, &visible, now)).await?;
    permit.check(submission.client)?;
    Ok(submission)
}

fn confirmation(
    permit: &Permit<SubmitEngagement>,
    submission: Submission,
    accepted: bool,
    errors: FieldErrors,
) -> Submit {
    let frame = permit
        .frame(Section::Engagements, format!("Submit {}", submission.title))
        .crumb("Engagements", "/engagements")
        .crumb(&submission.title, format!("/engagements/{}", submission.id));
    Submit { frame, submission, accepted, errors }
}

/// The confirmation's one field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    #[serde(default)]
    incomplete: String,
}

pub async fn submit(
    permit: Permit<SubmitEngagement>,
    path: web::Path<EngagementId>,
    Form(typed): Form<Confirmed>,
) -> Result<HttpResponse> {
    let (id, held, accepted) = (path.into_inner(), permit.clone(), !typed.incomplete.is_empty());
    match permit.write(move |tx| store::submit(tx, &held, id, accepted)).await {
        Ok(done) => {
            let message = if done.now {
                "Engagement submitted. This is its report."
            } else {
                "It was submitted already. This is its report."
            };
            Ok(redirect_with(&format!("/reports/{}", done.report), message))
        }
        Err(Error::Invalid(errors)) => {
            let page = confirmation(&permit, submission(&permit, id).await?, accepted, errors);
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}

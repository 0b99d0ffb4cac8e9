//! The engagement's page, its sections and the inline edits of its table.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde::Deserialize;

use crate::engagements::store::sections::{self, FilesPage, TimelinePage};
use crate::engagements::store::show as store;
use crate::engagements::views::sections::Files;
use crate::engagements::views::sections::{OwnDates, Part};
use crate::engagements::views::show::{Around, Loaded, May, Show, Toggle, body};
use crate::engagements::views::table::Meter;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::Visible;
use crate::kernel::authz::WriteRule;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{EngagementId, LogEntryId, PersonId};
use crate::kernel::base::team::Team;
use crate::kernel::event::about::{About, list_about};
use crate::kernel::merge::set::SetChange;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{Permit, ReadEngagement};
use crate::kernel::web::{Form, Query, Section, beside, redirect};
use crate::library::store::terms::list_own_tactics_among;
use crate::procedures::domain::{Sides, planning_allowed, sides, working_allowed};
use crate::procedures::inputs::Values;
use crate::procedures::queue::{Queue, Writer};
use crate::procedures::store::runbook;
use crate::procedures::store::work::{rights, rule};
use crate::settings::store::list_outcomes;

/// Events that Activity shows.
const EVENTS: i64 = 50;

/// What the page shows open, and which procedures.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    open: String,
    show: String,
    /// The log entry before which the timeline goes on.
    before: Option<LogEntryId>,
    /// How many attachments lie before those of the list.
    skip: i64,
}

/// Which rows of the long lists are shown.
#[derive(Debug, Clone, Copy)]
struct Pages {
    timeline: TimelinePage,
    files: FilesPage,
}

impl Pages {
    fn first() -> Self {
        Self { timeline: TimelinePage::shown(None), files: FilesPage::shown(0) }
    }
}

impl Wanted {
    fn pages(&self) -> Pages {
        match self.open.as_str() {
            "all" => Pages { timeline: TimelinePage::PRINTED, files: FilesPage::PRINTED },
            _ => Pages { timeline: TimelinePage::shown(self.before), files: FilesPage::shown(self.skip) },
        }
    }

    fn queue(&self) -> Option<Queue> {
        self.show.parse().ok()
    }

    fn open(&self) -> Vec<Part> {
        if self.open == "all" { Part::ALL.to_vec() } else { self.open.parse().into_iter().collect() }
    }
}

pub async fn show(
    permit: Permit<ReadEngagement>,
    path: web::Path<EngagementId>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let loaded = load(&permit, path.into_inner(), wanted.open(), wanted.pages()).await?;
    prepare(texts(&loaded), permit.viewer().id.0).await?;
    let page = page(&permit, &loaded, wanted.open(), wanted.queue(), None)?;
    permit.page(&page)
}

/// The texts that the page renders.
fn texts(loaded: &Loaded) -> impl Iterator<Item = &str> {
    let own = &loaded.head.own;
    let overview =
        [&own.description, &own.objective, &own.scope, &own.access_info, &own.special_instructions];
    overview.into_iter().map(String::as_str)
}

/// The page again, with what was typed and what is wrong with it.
pub(super) async fn refused_inputs(
    permit: &Permit<ReadEngagement>,
    id: EngagementId,
    typed: Values,
    errors: FieldErrors,
    why: Option<String>,
) -> Result<HttpResponse> {
    let open = vec![Part::Inputs];
    let loaded = load(permit, id, open.clone(), Pages::first()).await?;
    let mut around = around(permit, &loaded, None);
    (around.typed, around.errors) = (typed, errors);
    let problem =
        Some(why.unwrap_or_else(|| "The inputs are not saved. Look at the marked ones.".to_owned()));
    let page = Show::new(frame(permit, &loaded), &loaded, &around, &open, problem)?;
    permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
}

/// The page again, with the operators as ticked and why they are not saved.
pub(super) async fn refused_operators(
    permit: &Permit<ReadEngagement>,
    id: EngagementId,
    ticked: SetChange<(PersonId, Team)>,
    dates: OwnDates,
    errors: FieldErrors,
) -> Result<HttpResponse> {
    let problem = errors
        .get("operators")
        .unwrap_or("The operators are not saved. Look at the marked dates.")
        .to_owned();
    let open = vec![Part::Operators];
    let loaded = load(permit, id, open.clone(), Pages::first()).await?;
    let mut around = around(permit, &loaded, None);
    (around.ticked, around.dates, around.errors) = (Some(ticked), dates, errors);
    let page = Show::new(frame(permit, &loaded), &loaded, &around, &open, Some(problem))?;
    permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
}

fn page(
    permit: &Permit<ReadEngagement>,
    loaded: &Loaded,
    open: Vec<Part>,
    show: Option<Queue>,
    problem: Option<String>,
) -> Result<Show> {
    Ok(Show::new(frame(permit, loaded), loaded, &around(permit, loaded, show), &open, problem)?)
}

fn frame(permit: &Permit<ReadEngagement>, loaded: &Loaded) -> crate::kernel::web::Frame {
    let own = &loaded.head.own;
    permit
        .frame(Section::Engagements, &own.title)
        .crumb("Engagements", "/engagements")
        .crumb(&loaded.head.client_name, format!("/engagements?client={}", own.client_id))
}

/// Who looks, what they may do and write, and what the time is.
pub(super) fn around(
    permit: &Permit<ReadEngagement>,
    loaded: &Loaded,
    show: Option<Queue>,
) -> Around<impl Fn(bool, bool) -> Sides + use<>> {
    let own = &loaded.head.own;
    let submitted = own.submitted_at.is_some();
    let open = working_allowed(own.status, submitted).is_ok();
    let (rights, rule): (_, WriteRule) =
        (rights(permit, own.client_id), rule(permit, own.write_rule.as_deref()));
    let holds = |right| permit.may_at(right, own.client_id);
    use crate::lifecycle::domain::EngagementStatus as S;
    let may = May {
        plan: holds(P::EngagementPlan) && planning_allowed(own.status, submitted).is_ok(),
        bookings: holds(P::EngagementPlan),
        start: holds(P::EngagementApprove),
        approve: holds(P::EngagementApprove) && own.status == S::Pending,
        cancel: holds(P::EngagementCancel) && !matches!(own.status, S::Complete | S::Canceled),
        delete: holds(P::EngagementDelete),
        keep_plan: permit.may(P::TestPlanEdit) && holds(P::EngagementRead),
        submit: holds(P::EngagementSubmit) && open,
        log: permit.viewer().rights.may(P::AuditLogRead) || holds(P::AuditLogReadClient),
        report: holds(P::ReportRead)
            || (holds(P::ReportReadPublished)
                && loaded
                    .head
                    .report
                    .as_ref()
                    .is_some_and(|r| r.status == crate::lifecycle::domain::ReportStatus::Published)),
    };
    let sides = move |red, blue| if open { sides(rights, red, blue, rule) } else { Sides::default() };
    Around {
        writer: Writer { sides, person: permit.viewer().id },
        may,
        now: permit.app.clock.now(),
        zone: permit.viewer().organisation.zone(),
        show,
        typed: Values::new(),
        errors: FieldErrors::default(),
        ticked: None,
        dates: Vec::new(),
    }
}

async fn load(
    permit: &Permit<ReadEngagement>,
    id: EngagementId,
    open: Vec<Part>,
    pages: Pages,
) -> Result<Loaded> {
    let (visible, inside, person) = (permit.visible(), inside(permit), permit.viewer().id);
    let now = permit.app.clock.now();
    let loaded = permit
        .read(move |conn| everything(conn, id, (&visible, &inside), person, (&open, pages), now))
        .await?;
    permit.check(loaded.head.own.client_id)?;
    Ok(loaded)
}

/// Where somebody may read reports before they are published; what is done to them concerns nobody else.
fn inside(permit: &Permit<ReadEngagement>) -> Visible {
    permit.viewer().rights.clients_with(P::ReportRead)
}

fn everything(
    conn: &mut PgConnection,
    id: EngagementId,
    (visible, inside): (&Visible, &Visible),
    person: PersonId,
    (open, pages): (&[Part], Pages),
    now: DateTime<Utc>,
) -> Result<Loaded> {
    let head = store::get_head(conn, id, visible)?.as_of(now);
    let inside = inside.contains(&head.own.client_id);
    let digests = store::get_digests(conn, id, person, inside)?;
    let mut loaded = Loaded {
        outcomes: list_outcomes(conn)?,
        procedures: procedures_of(conn, &head, visible, now)?,
        operators: runbook::list_operators(conn, id, None, visible)?,
        inputs: store::list_inputs(conn, id, &digests.inputs)?,
        corrections: corrections(conn, &head, inside)?,
        digests,
        ..Loaded::of(head)
    };
    for part in open {
        bring(conn, &mut loaded, (*part, pages), visible, inside)?;
    }
    Ok(loaded)
}

/// The procedures of an engagement at `now`; nothing waits on anybody where no work is allowed, and nothing
/// is made ready where nothing can be planned.
pub(super) fn procedures_of(
    conn: &mut PgConnection,
    head: &store::Head,
    visible: &Visible,
    now: DateTime<Utc>,
) -> Result<Vec<runbook::ProcedureRow>> {
    let mut rows = runbook::list_procedures(conn, head.own.id, visible, now)?;
    let (status, submitted) = (head.own.status, head.own.submitted_at.is_some());
    if working_allowed(status, submitted).is_err() {
        runbook::pause_turns(&mut rows);
    }
    if planning_allowed(status, submitted).is_err() {
        rows.iter_mut().for_each(|row| row.ready = false);
    }
    Ok(rows)
}

/// What the report puts right; before the runbook is submitted there is nothing to.
fn corrections(conn: &mut PgConnection, head: &store::Head, inside: bool) -> Result<runbook::Corrections> {
    match head.own.submitted_at {
        Some(_) => runbook::list_corrections(conn, head.own.id, inside),
        None => Ok(runbook::Corrections::default()),
    }
}

/// Loads what one section needs beyond what the page has anyway.
fn bring(
    conn: &mut PgConnection,
    loaded: &mut Loaded,
    (part, pages): (Part, Pages),
    visible: &Visible,
    inside: bool,
) -> Result<()> {
    let own = &loaded.head.own;
    match part {
        Part::Operators => {
            let dates = (own.start_date, own.end_date);
            loaded.candidates =
                sections::list_candidates(conn, own.client_id, Some(own.id), dates, (visible, true))?;
        }
        Part::Assets => loaded.assets = sections::list_assets(conn, own.id)?,
        Part::Outcomes => {
            loaded.answers = sections::list_answers(conn, own.id, &loaded.outcomes, visible)?;
            let tactics = crate::library::store::list_tactics(conn, &own.attack_version)?;
            loaded.tactics = tactics.into_iter().map(|t| (t.short_name, t.name)).collect();
            // Then those of one's own that its procedures stand under.
            let keys: BTreeSet<&String> = loaded.answers.iter().flat_map(|answer| &answer.tactics).collect();
            let is_known = |key: &&&String| loaded.tactics.iter().any(|(known, _)| known == **key);
            let others: Vec<String> =
                keys.iter().filter(|key| !is_known(key)).map(|key| (*key).clone()).collect();
            loaded.tactics.extend(list_own_tactics_among(conn, &others)?);
        }
        Part::Timeline => {
            (loaded.entries, loaded.older_entries) = sections::list_timeline(conn, own.id, pages.timeline)?;
            loaded.paged = pages.timeline.before.is_some();
        }
        Part::Attachments => {
            let (files, total) = sections::list_attachments(conn, own.id, pages.files)?;
            loaded.files = Files { files, skipped: pages.files.skip, total };
        }
        Part::Activity => loaded.events = list_about(conn, About::Engagement(own.id, inside), EVENTS)?,
        Part::Overview | Part::Procedures | Part::Inputs | Part::Report => {}
    }
    Ok(())
}

/// `GET /engagements/{id}/sections/{section}`: the body alone; asked for as a page, the page with it open.
pub async fn section(
    permit: Permit<ReadEngagement>,
    path: web::Path<(EngagementId, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let (id, name) = path.into_inner();
    let part: Part = name.parse().map_err(|_| Error::NotFound)?;
    if !permit.partial {
        return Ok(redirect(&format!("/engagements/{id}?open={name}#{name}")));
    }
    let (visible, inside, person) = (permit.visible(), inside(&permit), permit.viewer().id);
    let (now, pages) = (permit.app.clock.now(), wanted.pages());
    let loaded =
        permit.read(move |conn| one(conn, id, (&visible, &inside), person, (part, pages), now)).await?;
    permit.check(loaded.head.own.client_id)?;
    prepare(texts(&loaded), permit.viewer().id.0).await?;
    let mut html = body(part, &loaded, &around(&permit, &loaded, wanted.queue()))?;
    if part == Part::Procedures {
        // The table is asked for again when somebody saved: the bar above it then moves too.
        let meter = Meter::new(&loaded.procedures, loaded.head.own.submitted_at.is_some()).render()?;
        html.push_str(&beside("meter", &meter)?);
    }
    permit.html(StatusCode::OK, html)
}

/// Loads what one section needs, and no more.
fn one(
    conn: &mut PgConnection,
    id: EngagementId,
    (visible, inside): (&Visible, &Visible),
    person: PersonId,
    (part, pages): (Part, Pages),
    now: DateTime<Utc>,
) -> Result<Loaded> {
    let mut loaded = Loaded::of(store::get_head(conn, id, visible)?.as_of(now));
    let inside = inside.contains(&loaded.head.own.client_id);
    match part {
        Part::Procedures => {
            loaded.outcomes = list_outcomes(conn)?;
            loaded.procedures = procedures_of(conn, &loaded.head, visible, now)?;
            loaded.operators = runbook::list_operators(conn, id, None, visible)?;
            loaded.corrections = corrections(conn, &loaded.head, inside)?;
        }
        Part::Outcomes => loaded.outcomes = list_outcomes(conn)?,
        Part::Operators => loaded.operators = runbook::list_operators(conn, id, None, visible)?,
        Part::Inputs => {
            loaded.digests = store::get_digests(conn, id, person, inside)?;
            loaded.inputs = store::list_inputs(conn, id, &loaded.digests.inputs)?;
        }
        Part::Activity => loaded.digests = store::get_digests(conn, id, person, inside)?,
        _ => {}
    }
    bring(conn, &mut loaded, (part, pages), visible, inside)?;
    Ok(loaded)
}

/// `POST /engagements/{id}/sections`: `{section}=open|closed`, or `all=`.
pub async fn remember(
    permit: Permit<ReadEngagement>,
    path: web::Path<EngagementId>,
    Form(posted): Form<Pairs>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let (name, word) = posted.iter().next().ok_or(Error::NotFound)?;
    posted.only(|other| other == name)?;
    let parts: Vec<Part> =
        if name == "all" { Part::ALL.to_vec() } else { vec![name.parse().map_err(|_| Error::NotFound)?] };
    let open = word == "open";
    let (visible, person) = (permit.visible(), permit.viewer().id);
    let keys: Vec<&'static str> = parts.iter().map(|part| part.as_str()).collect();
    let client = permit.read(move |conn| Ok(store::get_head(conn, id, &visible)?.own.client_id)).await?;
    permit.check(client)?;
    permit
        .app
        .db
        .write_unaudited("section state", move |conn| store::save_sections(conn, id, person, &keys, open))
        .await?;
    let url = format!("/engagements/{id}");
    match parts.as_slice() {
        [one] if permit.partial => {
            let toggle = Toggle { url, key: one.as_str(), next: if open { "closed" } else { "open" } };
            permit.html(StatusCode::OK, toggle.render()?)
        }
        _ if open => Ok(redirect(&format!("{url}?open=all"))),
        _ => Ok(redirect(&url)),
    }
}

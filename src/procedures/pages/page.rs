//! The procedure page: show, save, and what is stored at once.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use chrono_tz::Tz;
use serde::Deserialize;

use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{AttachmentId, EngagementId, LogEntryId, ProcedureId};
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::base::times;
use crate::kernel::merge::Conflict;
use crate::kernel::merge::form::{is_ours, is_version, typed};
use crate::kernel::merge::record::{Saved, Typed};
use crate::kernel::web::form::Pairs;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{Action, Permit, ReadEngagement, TickStep, WriteProcedure, WriteRed};
use crate::kernel::web::{Form, Query, Section, beside, redirect, redirect_with, refusal_noted};
use crate::procedures::domain::{Field, Sides, planning_allowed, sides, working_allowed};
use crate::procedures::inputs::{Values, as_typed, changed, is_input};
use crate::procedures::pages::queue::find_place;
use crate::procedures::queue::{InQueue, Queue};
use crate::procedures::store::page::{self, Draft, InputValues, Shown, Technique, Tick};
use crate::procedures::store::runbook::{
    Assignments, Corrections, list_corrections, list_operators, list_procedures,
};
use crate::procedures::store::save::save_fields;
use crate::procedures::store::{parts, work};
use crate::procedures::views::page::{DraftBanner, Jump, Last, Overlay, Show, url, url_in};
use crate::procedures::views::parts::Parts;
use crate::procedures::views::steps::RefusedInputs;
use crate::procedures::views::{Fresh, FreshPage};
use crate::settings::domain::Outcome;
use crate::settings::store::list_outcomes;

type Ids = web::Path<(EngagementId, ProcedureId)>;

/// Everything the page reads, one statement for each part.
struct Loaded {
    shown: Shown,
    operators: Assignments,
    outcomes: Vec<Outcome>,
    ticks: Vec<Tick>,
    inputs: InputValues,
    techniques: Vec<Technique>,
    drafts: Vec<Draft>,
    /// What the report puts right of a submitted runbook.
    corrections: Corrections,
}

async fn load<A: Action>(
    permit: &Permit<A>,
    engagement: EngagementId,
    procedure: ProcedureId,
) -> Result<Loaded> {
    let (visible, person) = (permit.visible(), permit.viewer().id);
    let inside = permit.viewer().rights.clients_with(P::ReportRead);
    let loaded = permit
        .read(move |conn| {
            let shown = page::get(conn, engagement, procedure, &visible)?;
            Ok(Loaded {
                operators: list_operators(conn, engagement, Some(procedure), &visible)?,
                outcomes: list_outcomes(conn)?,
                ticks: page::list_ticks(conn, procedure)?,
                inputs: page::get_inputs(conn, engagement, procedure)?,
                techniques: page::list_techniques(
                    conn,
                    &shown.engagement.attack_version,
                    &shown.procedure.technique_ids,
                )?,
                drafts: page::list_drafts(conn, person, procedure)?,
                corrections: if shown.engagement.submitted_at.is_some() {
                    list_corrections(conn, engagement, inside.contains(&shown.engagement.client_id))?
                } else {
                    Corrections::default()
                },
                shown,
            })
        })
        .await?;
    permit.check(loaded.shown.engagement.client_id)?;
    let body = &loaded.shown.body;
    let texts = [&body.description].into_iter().chain(body.steps.iter().map(|step| &step.description));
    prepare(texts.map(String::as_str), person.0).await?;
    Ok(loaded)
}

impl Loaded {
    /// Why the work is closed, judged with what is due and not with what is stored.
    fn closed<A: Action>(&self, permit: &Permit<A>) -> Option<String> {
        let e = &self.shown.engagement;
        working_allowed(e.status.as_of(e.starts_at, permit.app.clock.now()), e.submitted_at.is_some())
            .err()
            .map(|refusal| refusal.0 + &self.corrected())
    }

    /// What the report says instead of what was frozen here.
    fn corrected(&self) -> String {
        let id = self.shown.procedure.id;
        let told = |team: &Team| {
            let label = self.corrections.get(&(id, *team))?;
            Some(format!(" The {} outcome was corrected in the report: {label}.", team.as_str()))
        };
        Team::ALL.iter().filter_map(told).collect()
    }

    fn sides<A: Action>(&self, permit: &Permit<A>) -> Sides {
        let me = permit.viewer().id;
        let id = self.shown.procedure.id;
        let assigned = |team| self.operators.is_assigned(id, team, me);
        let e = &self.shown.engagement;
        sides(
            work::rights(permit, e.client_id),
            assigned(Team::Red),
            assigned(Team::Blue),
            work::rule(permit, e.write_rule.as_deref()),
        )
    }

    /// The same, and nobody's where the work is closed.
    fn open_sides<A: Action>(&self, permit: &Permit<A>) -> Sides {
        if self.closed(permit).is_none() { self.sides(permit) } else { Sides::default() }
    }

    /// Whether the permit's person may tick prerequisites.
    fn prepares<A: Action>(&self, permit: &Permit<A>) -> bool {
        let e = &self.shown.engagement;
        let status = e.status.as_of(e.starts_at, permit.app.clock.now());
        planning_allowed(status, e.submitted_at.is_some()).is_ok()
            && (self.sides(permit).red || permit.may_at(P::EngagementPlan, e.client_id))
    }

    fn parts<'a, A: Action>(
        &'a self,
        permit: &'a Permit<A>,
        sides: Sides,
        closed: Option<String>,
    ) -> Parts<'a> {
        Parts {
            shown: &self.shown,
            outcomes: &self.outcomes,
            operators: &self.operators,
            ticks: &self.ticks,
            inputs: &self.inputs,
            techniques: &self.techniques,
            sides,
            prepares: self.prepares(permit),
            plans: permit.may_at(P::EngagementPlan, self.shown.engagement.client_id)
                && self.shown.engagement.submitted_at.is_none(),
            closed,
            now: permit.app.clock.now(),
            viewer: permit.viewer(),
        }
    }

    /// The drafts that say something else than what is saved, the newest first, with what differs.
    fn drafts_of_note(&self) -> impl Iterator<Item = (&Draft, Vec<&'static str>)> {
        let zone = self.shown.engagement.time_zone.tz();
        self.drafts.iter().filter_map(move |draft| {
            let typed_in = draft.fields.get("zone").and_then(|zone| zone.parse().ok()).unwrap_or(zone);
            let saved = |field| self.shown.procedure.fields.shown(field, typed_in);
            let differs = |(name, value): (&String, &String)| {
                let field = name.parse::<Field>().ok()?;
                (saved(field).trim() != value.replace("\r\n", "\n").trim()).then_some(field)
            };
            let fields = draft.fields.iter().filter_map(differs).map(Field::label);
            let mut labels: Vec<&'static str> = fields.collect();
            let stored = |name: &str| self.inputs.procedure.get(name).map_or("", String::as_str);
            if inputs_of(&draft.fields).iter().any(|(name, value)| stored(name) != value) {
                labels.push("Inputs");
            }
            (!labels.is_empty()).then_some((draft, labels))
        })
    }

    /// What the page says of the newest of them.
    fn draft_banner(&self) -> Option<DraftBanner> {
        let zone = self.shown.engagement.time_zone.tz();
        let mut drafts = self.drafts_of_note();
        let (draft, fields) = drafts.next()?;
        Some(DraftBanner {
            at: show::time(draft.at, zone),
            tab: draft.tab.clone(),
            fields: fields.join(", "),
            older: drafts.count(),
        })
    }
}

/// Query of the page.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    draft: String,
    /// The queue that the page was opened from.
    #[serde(default)]
    queue: String,
    /// The log entry and the attachment before which the lists go on.
    logs: Option<LogEntryId>,
    files: Option<AttachmentId>,
}

pub async fn show(
    permit: Permit<ReadEngagement>,
    path: Ids,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let loaded = load(&permit, engagement, procedure).await?;
    // Restored, the page goes on as the tab whose draft it was.
    let restored = loaded.drafts_of_note().next().filter(|_| wanted.draft == "restore");
    let offers_draft = restored.is_none();
    let (overlay, tab, note, inputs) = restored.map_or_else(Default::default, |(draft, _)| {
        let note = draft.fields.get("hand_over_note").cloned().unwrap_or_default();
        let typed = inputs_of(&draft.fields);
        let inputs = (!typed.is_empty()).then(|| RefusedInputs { typed, ..RefusedInputs::default() });
        (overlay_of(&draft.fields), draft.tab.clone(), note, inputs)
    });
    let older = super::Older { logs: wanted.logs, files: wanted.files };
    let queue = wanted.queue.parse().ok();
    let answer = State { overlay, offers_draft, tab, note, inputs, older, queue, ..State::default() };
    answer.whole_page(&permit, loaded).await
}

/// How the page is answered: with what was typed, what is wrong, what conflicts.
#[derive(Default)]
struct State {
    status: StatusCode,
    overlay: Overlay,
    errors: FieldErrors,
    conflicts: Vec<Conflict<Field>>,
    problem: Option<String>,
    saved: Option<String>,
    offers_draft: bool,
    tab: String,
    note: String,
    inputs: Option<RefusedInputs>,
    older: super::Older,
    /// The queue that the page was opened from.
    queue: Option<Queue>,
}

impl State {
    async fn answer<A: Action>(
        self,
        permit: &Permit<A>,
        engagement: EngagementId,
        procedure: ProcedureId,
    ) -> Result<HttpResponse> {
        let loaded = load(permit, engagement, procedure).await?;
        if !permit.partial {
            return self.whole_page(permit, loaded).await;
        }
        let sides = loaded.sides(permit);
        let parts = loaded.parts(permit, sides, None);
        let mut form = parts.form(&self.overlay, &self.errors, &self.conflicts, self.problem, self.queue);
        (form.tab, form.hand_over.note) = (self.tab, self.note);
        if let Some(refused) = &self.inputs {
            form.steps = parts.steps(Some(refused));
        }
        let place = place_in(permit, &loaded, self.queue).await?;
        let bar = parts.bar(self.saved, place.as_ref());
        let last = Last { last: &parts.aside().last }.render()?;
        let body = [form.render()?, beside("bar", &bar.render()?)?, beside("last", &last)?].concat();
        permit.html(self.status, body)
    }

    async fn whole_page<A: Action>(self, permit: &Permit<A>, loaded: Loaded) -> Result<HttpResponse> {
        let closed = loaded.closed(permit);
        // With something typed the form stays writable even where the work has been closed meanwhile: the
        // words must not go.
        let open = closed.is_none() || !self.overlay.unsaved.is_empty() || self.inputs.is_some();
        let sides = if open { loaded.sides(permit) } else { Sides::default() };
        let parts = loaded.parts(permit, sides, closed.clone());
        let title = format!("{} {}", loaded.shown.procedure.position, loaded.shown.procedure.name);
        let pieces = super::pieces(
            permit,
            (&loaded.shown, &loaded.outcomes),
            if closed.is_none() { sides } else { Sides::default() },
            self.older,
        )
        .await?;
        let place = place_in(permit, &loaded, self.queue).await?;
        let offered = loaded.draft_banner().filter(|_| self.offers_draft && closed.is_none());
        let mut form = parts.form(&self.overlay, &self.errors, &self.conflicts, self.problem, self.queue);
        (form.tab, form.hand_over.note) = (self.tab, self.note);
        if let Some(refused) = &self.inputs {
            form.steps = parts.steps(Some(refused));
        }
        let prepares = form.steps.steps.iter().any(|step| step.ticks);
        let page = Show {
            frame: permit.frame(Section::Engagements, title),
            bar: parts.bar(self.saved, place.as_ref()),
            form,
            aside: parts.aside(),
            logs: pieces.logs,
            attachments: pieces.attachments,
            assets: pieces.assets,
            draft: offered,
            closed: closed
                .map(|why| if prepares { why + " Prerequisites can be ticked already." } else { why }),
            events: format!(
                "/engagements/{}/events?procedure={}",
                loaded.shown.engagement.id, loaded.shown.procedure.id
            ),
        };
        permit.html(self.status, page.render()?)
    }
}

/// Where the procedure stands in the queue that its page was opened from.
async fn place_in<A: Action>(
    permit: &Permit<A>,
    loaded: &Loaded,
    queue: Option<Queue>,
) -> Result<Option<InQueue>> {
    let Some(queue) = queue else { return Ok(None) };
    let procedure = &loaded.shown.procedure;
    find_place(permit, &loaded.shown.engagement, queue, (procedure.id, procedure.position)).await.map(Some)
}

/// A posted form, taken apart.
#[derive(Default)]
struct Posted {
    /// The procedure's fields, each with the version that its shown value came from.
    typed: Vec<Typed<Field>>,
    /// The zone in which the page showed its times; another one may be the engagement's since.
    zone: Option<Tz>,
    then: String,
    now: Option<Field>,
    tab: String,
    /// The queue that the page was opened from; it comes with the address.
    queue: Option<Queue>,
    /// What red is told when the procedure is handed over.
    note: String,
    /// Inputs of the commands, as `value.{name}` and `had.{name}`.
    inputs: Pairs,
}

impl Posted {
    /// # Errors
    /// [`Error::Refused`] for a field that does not belong to the form, or one that came twice.
    fn read(pairs: Pairs) -> Result<Self> {
        let strange = || {
            Error::Refused(
                "This form has a field that does not belong to it. Reload the page and try again.".into(),
            )
        };
        let mut posted = Self { typed: typed(&pairs, Field::ALL), ..Self::default() };
        let mut seen = BTreeSet::new();
        for (name, value) in pairs {
            if !seen.insert(name.clone()) {
                return Err(strange());
            }
            match name.as_str() {
                "zone" => posted.zone = Some(value.parse().map_err(|_| strange())?),
                "then" => posted.then = value,
                "now" => {
                    posted.now = Some(
                        value
                            .parse::<Field>()
                            .map_err(|_| strange())
                            .and_then(|f| if f.is_time() { Ok(f) } else { Err(strange()) })?,
                    )
                }
                "tab" => posted.tab = value.chars().take(64).collect(),
                "hand_over_note" => posted.note = value,
                _ if is_input(&name) => posted.inputs.push(name, value),
                _ if is_version(&name) && value.parse::<i32>().is_err() => return Err(strange()),
                _ if is_ours::<Field>(&name) => {}
                _ => return Err(strange()),
            }
        }
        Ok(posted)
    }

    fn overlay(&self) -> Overlay {
        Overlay { unsaved: self.typed.clone(), zone: self.zone }
    }
}

fn overlay_of(fields: &Values) -> Overlay {
    let pairs = fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Posted::read(pairs).map(|posted| posted.overlay()).unwrap_or_default()
}

/// The inputs of the commands in a draft, by name.
fn inputs_of(fields: &Values) -> Values {
    let pairs = fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    as_typed(&pairs)
}

/// The queue that a page was opened from, as its address tells.
#[derive(Deserialize)]
pub struct Within {
    #[serde(default)]
    queue: String,
}

/// `POST /engagements/{id}/procedures/{pid}`: every button of the page posts here.
pub async fn save(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Query(within): Query<Within>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let posted = Posted { queue: within.queue.parse().ok(), ..Posted::read(pairs)? };
    let (typed, then, now, zone, write) =
        (posted.typed.clone(), posted.then.clone(), posted.now, posted.zone, permit.clone());
    let (tab, note) = (posted.tab.clone(), posted.note.clone());
    let (changed, wrong) = changed(&posted.inputs);
    if !wrong.is_empty() {
        return refused_fields(&posted, wrong).answer(&permit, engagement, procedure).await;
    }
    let saving = permit.write(move |tx| {
        let mut work = work::begin(tx, &write, engagement, procedure)?;
        let mut typed = typed;
        if let Some(field) = now {
            let raw = times::instant(tx.now());
            typed.iter_mut().filter(|t| t.field == field).for_each(|t| t.raw.clone_from(&raw));
        }
        let zone = zone.unwrap_or(work.zone);
        let sides = work.sides;
        let saved = save_fields(tx, &mut work, sides, &typed, zone)?;
        if !changed.is_empty() {
            parts::save_inputs(tx, &mut work, &changed)?;
        }
        match then.split_once('/') {
            Some(("tick", step)) => parts::tick(tx, &mut work, step, true)?,
            Some(("untick", step)) => parts::tick(tx, &mut work, step, false)?,
            None if then == "start" => drop(parts::start(tx, &mut work)?),
            None if then == "hand-over" => parts::hand_over(tx, &mut work, &note)?,
            None if then == "look-again" => parts::look_again(tx, &mut work)?,
            _ => {}
        }
        if saved.conflicts.is_empty() {
            page::delete_draft(tx.conn, write.viewer().id, procedure, &tab)?;
        }
        work.finish(tx, saved)
    });
    match saving.await {
        Ok(saved) if saved.conflicts.is_empty() => after(&permit, engagement, procedure, &posted).await,
        Ok(saved) => conflicting(&posted, saved).answer(&permit, engagement, procedure).await,
        Err(Error::Invalid(errors)) => {
            refused_fields(&posted, errors).answer(&permit, engagement, procedure).await
        }
        Err(Error::Refused(why)) => {
            refused(&posted, StatusCode::UNPROCESSABLE_ENTITY, why)
                .answer(&permit, engagement, procedure)
                .await
        }
        // With scripts the page keeps what was typed by itself, and shows the sentence above it.
        Err(Error::Forbidden(why)) if !permit.partial => {
            let answer = refused(&posted, StatusCode::FORBIDDEN, why.clone())
                .answer(&permit, engagement, procedure)
                .await?;
            Ok(refusal_noted(answer, "no_right", why))
        }
        Err(Error::Conflict(why)) => {
            refused(&posted, StatusCode::CONFLICT, why).answer(&permit, engagement, procedure).await
        }
        Err(other) => Err(other),
    }
}

/// Nothing is saved, for one reason; what was typed stays.
fn refused(posted: &Posted, status: StatusCode, why: String) -> State {
    State { status, problem: Some(why), ..refused_fields(posted, FieldErrors::default()) }
}

/// Nothing is saved until the marked fields are mended; what was typed stays.
fn refused_fields(posted: &Posted, errors: FieldErrors) -> State {
    let typed = as_typed(&posted.inputs);
    let inputs = (!typed.is_empty()).then(|| RefusedInputs { typed, errors: errors.clone(), problem: None });
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    State {
        status,
        overlay: posted.overlay(),
        tab: posted.tab.clone(),
        note: posted.note.clone(),
        errors,
        inputs,
        ..State::default()
    }
}

fn conflicting(posted: &Posted, saved: Saved<Field>) -> State {
    let mut overlay = posted.overlay();
    overlay.unsaved.retain(|typed| saved.conflicts.iter().any(|conflict| conflict.field == typed.field));
    State {
        status: StatusCode::CONFLICT,
        overlay,
        conflicts: saved.conflicts,
        tab: posted.tab.clone(),
        queue: posted.queue,
        ..State::default()
    }
}

async fn after(
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    procedure: ProcedureId,
    posted: &Posted,
) -> Result<HttpResponse> {
    let here = url(engagement, procedure);
    let target = if posted.then == "next" {
        let loaded = load(permit, engagement, procedure).await?;
        let saved = &loaded.shown.procedure;
        let message = format!("Saved: {} “{}”", saved.position, saved.name);
        let place = place_in(permit, &loaded, posted.queue).await?;
        Some((loaded.parts(permit, Sides::default(), None).next_url(place.as_ref()), message))
    } else {
        super::follow(&posted.then).map(|part| (format!("{here}/{part}"), "Saved.".to_owned()))
    };
    match target {
        Some((target, message)) => Ok(permit.go_with(&target, &message)),
        None if permit.partial => {
            let saved =
                format!("Saved {}", show::time(permit.app.clock.now(), permit.viewer().organisation.zone()));
            State { saved: Some(saved), tab: posted.tab.clone(), queue: posted.queue, ..State::default() }
                .answer(permit, engagement, procedure)
                .await
        }
        None => Ok(redirect_with(&url_in(engagement, procedure, posted.queue), "Saved.")),
    }
}

/// `POST …/start`: with scripts, Start stores its two fields at once and leaves what is typed alone.
pub async fn start(permit: Permit<WriteRed>, path: Ids, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    let permit = Permit::<WriteProcedure>::of(&permit)?;
    let (engagement, procedure) = path.into_inner();
    let posted = Posted::read(pairs)?;
    let write = permit.clone();
    permit
        .write(move |tx| {
            let mut work = work::begin(tx, &write, engagement, procedure)?;
            let saved = parts::start(tx, &mut work)?;
            work.finish(tx, saved)
        })
        .await?;
    if !permit.partial {
        return Ok(redirect_with(&url(engagement, procedure), "Started."));
    }
    let loaded = load(&permit, engagement, procedure).await?;
    permit.page(&fresh_page(&permit, &loaded, posted.zone, loaded.sides(&permit)).await?)
}

pub async fn tick(
    permit: Permit<TickStep>,
    path: web::Path<(EngagementId, ProcedureId, String, String)>,
) -> Result<HttpResponse> {
    let (engagement, procedure, step, word) = path.into_inner();
    let done = match word.as_str() {
        "tick" => true,
        "untick" => false,
        _ => return Err(Error::NotFound),
    };
    let write = permit.clone();
    permit
        .write(move |tx| {
            let mut work = work::begin_tick(tx, &write, engagement, procedure)?;
            parts::tick(tx, &mut work, &step, done)?;
            work.finish(tx, ())
        })
        .await?;
    steps_or_page(&permit, engagement, procedure, "Saved.").await
}

async fn steps_or_page<A: Action>(
    permit: &Permit<A>,
    engagement: EngagementId,
    procedure: ProcedureId,
    message: &str,
) -> Result<HttpResponse> {
    if !permit.partial {
        return Ok(redirect_with(&format!("{}#steps", url(engagement, procedure)), message));
    }
    let loaded = load(permit, engagement, procedure).await?;
    let sides = loaded.open_sides(permit);
    permit.page(&loaded.parts(permit, sides, None).steps(None))
}

/// `POST …/inputs`: the procedure's own input values, as `value.{name}` and `had.{name}`. Its button stands
/// inside the procedure's form, whose other fields come along and are left alone.
pub async fn inputs(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let posted = Posted::read(pairs)?.inputs;
    let (changed, errors) = changed(&posted);
    let saved = if errors.is_empty() {
        let held = permit.clone();
        let write = move |tx: &mut crate::kernel::db::WriteTx<'_>| {
            let mut work = work::begin(tx, &held, engagement, procedure)?;
            parts::save_inputs(tx, &mut work, &changed)?;
            work.finish(tx, ())
        };
        permit.write(write).await
    } else {
        Err(Error::Invalid(errors))
    };
    let (errors, problem) = match saved {
        Ok(()) => return steps_or_page(&permit, engagement, procedure, "Inputs set.").await,
        Err(Error::Invalid(errors)) => (errors, None),
        Err(Error::Refused(why)) => (FieldErrors::default(), Some(why)),
        Err(other) => return Err(other),
    };
    let loaded = load(&permit, engagement, procedure).await?;
    let refused = RefusedInputs { typed: as_typed(&posted), errors, problem };
    if permit.partial {
        let steps = loaded.parts(&permit, loaded.sides(&permit), None).steps(Some(&refused));
        return permit.html(StatusCode::UNPROCESSABLE_ENTITY, steps.render()?);
    }
    State { status: StatusCode::UNPROCESSABLE_ENTITY, inputs: Some(refused), ..State::default() }
        .whole_page(&permit, loaded)
        .await
}

/// `GET …/fresh`: every field as it stands, for an open page to take what it may.
pub async fn fresh(
    permit: Permit<ReadEngagement>,
    path: Ids,
    Query(asked): Query<Asked>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let loaded = load(&permit, engagement, procedure).await?;
    let held = Sides::of_words(&asked.sides);
    permit.page(&fresh_page(&permit, &loaded, asked.zone.parse().ok(), held).await?)
}

/// `GET …/jump`: the engagement's procedures, for the menu in the bar; asked for as a page, their table.
pub async fn jump(permit: Permit<ReadEngagement>, path: Ids) -> Result<HttpResponse> {
    let (engagement, current) = path.into_inner();
    if !permit.partial {
        return Ok(redirect(&format!("/engagements/{engagement}#procedures")));
    }
    let (visible, now) = (permit.visible(), permit.app.clock.now());
    let (client, procedures) = permit
        .read(move |conn| {
            let client = page::check_visible(conn, engagement, Some(current), &visible)?;
            Ok((client, list_procedures(conn, engagement, &visible, now)?))
        })
        .await?;
    permit.check(client)?;
    permit.page(&Jump { engagement, current, procedures })
}

/// What an open page tells of itself.
#[derive(Deserialize)]
pub struct Asked {
    /// The zone in which it shows its times.
    #[serde(default)]
    zone: String,
    /// Sides that it shows as controls: words may stand in them, whatever its person may write by now.
    #[serde(default)]
    sides: String,
}

async fn fresh_page<A: Action>(
    permit: &Permit<A>,
    loaded: &Loaded,
    shown_in: Option<Tz>,
    held: Sides,
) -> Result<FreshPage> {
    let own = loaded.shown.engagement.time_zone.tz();
    let zone = shown_in.unwrap_or(own);
    let procedure = loaded.shown.procedure.id;
    let authors = permit.read(move |conn| page::list_authors(conn, procedure)).await?;
    let fields = Field::ALL
        .iter()
        .map(|field| {
            let author = authors.iter().find(|a| a.field == field.name());
            Fresh {
                name: field.name(),
                value: loaded.shown.procedure.fields.shown(*field, zone),
                by: author.map(|a| a.by.clone()).unwrap_or_default(),
                at: author.map(|a| show::time(a.at, zone)).unwrap_or_default(),
            }
        })
        .collect();
    let sides = loaded.open_sides(permit);
    let pieces =
        super::pieces(permit, (&loaded.shown, &loaded.outcomes), sides, super::Older::default()).await?;
    let form =
        loaded.parts(permit, sides, None).form(&Overlay::default(), &FieldErrors::default(), &[], None, None);
    let mut parts = form.unwritable(held)?;
    let stored = [
        ("#steps", form.steps.render()?),
        ("#logs", pieces.logs),
        ("#attachments", pieces.attachments),
        ("#assets", pieces.assets),
    ];
    parts.extend(stored.map(|(target, html)| (target.to_owned(), html)));
    Ok(FreshPage { version: loaded.shown.procedure.version, fields, parts })
}

/// `POST …/draft`: what is typed and not saved, kept on the server. Answers in words.
pub async fn keep_draft(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let fields: Values = pairs
        .iter()
        .filter(|(name, _)| !["tab", "then"].contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let posted = Posted::read(pairs)?;
    let size: usize = fields.values().map(String::len).sum();
    if size > 512 * 1024 {
        return Err(Error::TooLarge("This draft is larger than 512 KiB. Shorten what you typed.".into()));
    }
    if fields.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(Error::Refused(
            "This draft holds a null character and is not kept. Take the character out.".into(),
        ));
    }
    let (visible, person, now, tab) =
        (permit.visible(), permit.viewer().id, permit.app.clock.now(), posted.tab);
    let client =
        permit.read(move |conn| page::check_visible(conn, engagement, Some(procedure), &visible)).await?;
    permit.check(client)?;
    let elsewhere = permit
        .app
        .db
        .write_unaudited("draft", move |conn| page::save_draft(conn, person, procedure, &fields, &tab, now))
        .await?;
    let kept = now.with_timezone(&permit.viewer().organisation.zone()).format("%H:%M");
    let words = if elsewhere {
        format!("draft kept {kept} · this page is open in another tab too")
    } else {
        format!("draft kept {kept}")
    };
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(words))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discarded {
    #[serde(default)]
    tab: String,
}

pub async fn discard_draft(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Form(discarded): Form<Discarded>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let (visible, person) = (permit.visible(), permit.viewer().id);
    let client =
        permit.read(move |conn| page::check_visible(conn, engagement, Some(procedure), &visible)).await?;
    permit.check(client)?;
    permit
        .app
        .db
        .write_unaudited("draft", move |conn| page::delete_draft(conn, person, procedure, &discarded.tab))
        .await?;
    Ok(redirect_with(&url(engagement, procedure), "Draft discarded."))
}

//! The engagements of the content, told act by act: created or requested, worked on, submitted, their reports
//! written, reviewed and published.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use super::content::{Attachment, Content, Engagement, Log, Person, Work as Told};
use super::people;
use super::stage::{Blob, Stage, unknown};
use super::store::{get_plan, list_procedures};
use crate::engagements::domain::{Details, NewEngagement as Typed};
use crate::engagements::store::approval::request;
use crate::engagements::store::create::{Chosen, NewEngagement, create};
use crate::engagements::store::lifecycle::cancel;
use crate::kernel::app::App;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{AttachmentId, EngagementId, TestPlanId};
use crate::kernel::base::team::Team;
use crate::kernel::base::times::instant;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::kernel::merge::record::{NEWEST, Typed as TypedField};
use crate::kernel::web::permit::{
    CancelEngagement, EditReport, Permit, PlanEngagement, RemediateFinding, RequestEngagement,
    SubmitEngagement, WorkReport, WriteProcedure,
};
use crate::lifecycle::domain::{EngagementStatus, ReportStatus, starts_at};
use crate::lifecycle::store::move_batch;
use crate::procedures::domain::{Field, Side};
use crate::procedures::entries::EntryText;
use crate::procedures::evidence::{AttachmentText, MAGIC_BYTES, media_type};
use crate::procedures::store::attachments::{self, Arrived};
use crate::procedures::store::save::save_fields;
use crate::procedures::store::work::{self, Work};
use crate::procedures::store::{assets, logs, parts};
use crate::procedures::upload;
use crate::reports::content::{FindingField, NarrativeField};
use crate::reports::store as reports;

/// Tells all of it in the transaction; the present is its time.
///
/// # Errors
/// When the database refuses, or the content names what it does not have.
pub fn tell(tx: &mut WriteTx<'_>, app: &App, content: &Content, hash: &str) -> Result<Audited<()>> {
    let mut stage = Stage::new(app, content, hash, tx.now());
    people::plan(&mut stage)?;
    let library = list_procedures(tx.conn)?;
    for told in content.engagements.iter().rev() {
        let (plan, keys) = match &told.plan {
            Some(key) => {
                let (id, keys) = get_plan(tx.conn, key)?;
                (Some(id), keys)
            }
            None => (None, told.procedures.clone()),
        };
        let id = |key: &String| library.get(key).map(|id| Chosen::Library(*id)).ok_or_else(|| unknown(key));
        let chosen = keys.iter().map(id).collect::<Result<Vec<_>>>()?;
        engagement(&mut stage, told, plan, keys, chosen)?;
    }
    stage.play(tx)?;
    store(app, std::mem::take(&mut stage.blobs))?;
    let sentence = format!(
        "Seeded the demo data: {} clients, {} people, {} engagements",
        content.clients.len(),
        content.people.len(),
        content.engagements.len()
    );
    tx.audited((), Event::new(Kind::DemoSeeded, sentence))
}

/// Before the rows are committed: a row without its file would be a hole in the evidence.
fn store(app: &App, blobs: Vec<Blob>) -> Result<()> {
    use object_store::{ObjectStoreExt, PutPayload};
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(|e| Error::Internal(e.into()))?;
    runtime.block_on(async {
        for blob in blobs {
            let payload = PutPayload::from(blob.bytes);
            app.blobs.put(&upload::kept(blob.key), payload).await.map_err(upload::storage)?;
        }
        Ok(())
    })
}

/// An engagement's days, and who leads it.
struct Plan<'a> {
    id: EngagementId,
    told: &'a Engagement,
    zone: Tz,
    start: NaiveDate,
    end: NaiveDate,
    lead: &'a str,
}

impl Plan<'_> {
    /// A time of day in the engagement's zone.
    fn at(&self, date: NaiveDate, hour: u32, minute: u32) -> DateTime<Utc> {
        let time = NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default();
        let local = self.zone.from_local_datetime(&date.and_time(time)).earliest();
        local.map_or_else(|| date.and_time(time).and_utc(), |at| at.to_utc())
    }

    /// What the form of a new engagement says.
    fn details(&self) -> Result<Details> {
        let told = self.told;
        let typed = Typed {
            title: told.title.clone(),
            description: told.description.clone(),
            tags: told.tags.join(", "),
            start_date: self.start.to_string(),
            end_date: self.end.to_string(),
            time_zone: told.time_zone.clone(),
            objective: told.objective.clone(),
            scope: told.scope.clone(),
            access_info: told.access_info.clone(),
            special_instructions: told.special_instructions.clone(),
            observation_window: String::new(),
        };
        typed.check().map_err(|faults| Error::Internal(anyhow::anyhow!("{}: {faults:?}", told.title)))
    }
}

/// Puts an engagement on the agenda, from its booking to its published report.
fn engagement<'a>(
    stage: &mut Stage<'a>,
    told: &'a Engagement,
    test_plan: Option<TestPlanId>,
    keys: Vec<String>,
    chosen: Vec<Chosen>,
) -> Result<()> {
    let zone: Tz = told.time_zone.parse().map_err(|_| unknown(&told.time_zone))?;
    let today = stage.end.with_timezone(&zone).date_naive();
    let day = |offset: i64| {
        let days = Days::new(offset.unsigned_abs());
        if offset < 0 { today - days } else { today + days }
    };
    let leads = |person: &&Person| person.roles.iter().any(|role| role == "team_lead");
    let lead = stage.told.people.iter().find(leads).ok_or_else(|| unknown("team_lead"))?;
    let plan = Plan {
        id: EngagementId::new(),
        told,
        zone,
        start: day(told.start_offset_days),
        end: day(told.end_offset_days),
        lead: &lead.key,
    };
    let booked = plan.at(plan.start - Days::new(8), 10, 10).min(stage.end - TimeDelta::days(2));
    let details = plan.details()?;
    let new = move |stage: &Stage<'_>, procedures: Vec<Chosen>| -> Result<NewEngagement> {
        let mut operators = Vec::new();
        for (team, keys) in [(Team::Red, &told.operators.red), (Team::Blue, &told.operators.blue)] {
            for key in keys {
                operators.push((stage.person_id(key)?, team));
            }
        }
        Ok(NewEngagement {
            id: plan.id,
            client: stage.client(&told.client)?,
            details,
            plan: test_plan,
            earlier: None,
            operators,
            inputs: told.inputs.clone(),
            procedures,
        })
    };
    if told.status == EngagementStatus::Pending {
        let by = told.requested_by.as_deref().unwrap_or(plan.lead);
        stage.at(booked, move |stage, tx| {
            let new = new(stage, Vec::new())?;
            stage.act(tx, by, |permit: &Permit<RequestEngagement>, tx| request(tx, permit, &new, &[]))
        });
        return Ok(());
    }
    let (id, lead) = (plan.id, plan.lead);
    stage.at(booked, move |stage, tx| {
        let new = new(stage, chosen)?;
        let made = stage.act(tx, lead, |permit: &Permit<PlanEngagement>, tx| {
            let (made, audited) = create(tx, &permit.clients(), permit.shelf(), &new)?;
            Ok(audited.with(made))
        })?;
        stage.reports.insert(id, made.report);
        stage.procedures.extend(keys.into_iter().map(|key| (id, key)).zip(made.procedures));
        Ok(())
    });
    if let Some(reason) = &told.cancel_reason {
        stage.at(plan.at(plan.start - Days::new(1), 15, 40), move |stage, tx| {
            stage.act(tx, lead, |permit: &Permit<CancelEngagement>, tx| cancel(tx, permit, id, reason))
        });
        return Ok(());
    }
    let started = starts_at(plan.start, zone);
    if started <= stage.end {
        // The hourly job.
        stage.at(started, |stage, tx| {
            let now = stage.now();
            tx.part(&Actor::system(), now, |tx| move_batch(tx, now, &[], 500)).map(drop)
        });
    }
    for work in &told.work {
        procedure(stage, &plan, work)?;
    }
    if told.submitted {
        report(stage, &plan)?;
    }
    Ok(())
}

/// When an act on a procedure is told: so many minutes after it was run.
fn after(began: DateTime<Utc>, minutes: i64) -> DateTime<Utc> {
    began + TimeDelta::minutes(minutes)
}

/// What was done on a procedure: its assets, ticks, log entries and files, then red's save and blue's.
fn procedure<'a>(stage: &mut Stage<'a>, plan: &Plan<'a>, told: &'a Told) -> Result<()> {
    let id = plan.id;
    let began = after(plan.at(plan.start, 9, 0), told.executed_after_minutes.unwrap_or(0));
    let by = |team: Team| -> Result<&'a str> {
        let operators = if team == Team::Red { &plan.told.operators.red } else { &plan.told.operators.blue };
        let author = told.logs.iter().find(|log| log.team == team).map(|log| &log.by);
        author.or(operators.first()).map(String::as_str).ok_or_else(|| unknown(&told.procedure))
    };
    let (red, blue) = (by(Team::Red)?, by(Team::Blue)?);
    if !told.assets.is_empty() {
        stage.at(after(began, -4), move |stage, tx| {
            let asset = |key: &String| stage.assets.get(key.as_str()).copied().ok_or_else(|| unknown(key));
            let wanted = told.assets.iter().map(asset).collect::<Result<Vec<_>>>()?;
            on(stage, tx, red, (id, told), |tx, work| assets::add(tx, work, &wanted))
        });
    }
    for (place, step) in (0i64..).zip(&told.ticked_steps) {
        stage.at(after(began, place * 3), move |stage, tx| {
            on(stage, tx, red, (id, told), |tx, work| parts::tick(tx, work, step, true))
        });
    }
    for log in &told.logs {
        note(stage, (id, told), began, log);
    }
    for file in &told.attachments {
        stage.at(after(began, 40), move |stage, tx| attach(stage, tx, (id, told), file));
    }
    let (of_red, of_blue) =
        fields(told, began).into_iter().partition(|(field, _)| field.side() != Side::Blue);
    save(stage, (id, told), red, after(began, 25), of_red);
    save(stage, (id, told), blue, after(began, 95), of_blue);
    if let (Some(severity), Some(theirs)) = (&told.severity, &told.disputed_severity) {
        // Chosen while red had the page open. Red's save keeps the rest and shows both; red then decides.
        let chosen = |value: &String| vec![(Field::Severity, value.clone())];
        save(stage, (id, told), blue, after(began, 22), chosen(theirs));
        save(stage, (id, told), red, after(began, 27), chosen(severity));
    }
    Ok(())
}

/// Works on a procedure as one of its people.
fn on<'a, T>(
    stage: &mut Stage<'a>,
    tx: &mut WriteTx<'_>,
    who: &'a str,
    (engagement, told): (EngagementId, &'a Told),
    f: impl FnOnce(&mut WriteTx<'_>, &mut Work) -> Result<T>,
) -> Result<T> {
    let procedure = stage.procedure(engagement, &told.procedure)?;
    stage.act(tx, who, |permit: &Permit<WriteProcedure>, tx| {
        let mut work = work::begin(tx, permit, engagement, procedure)?;
        let value = f(tx, &mut work)?;
        work.finish(tx, value)
    })
}

fn note<'a>(stage: &mut Stage<'a>, of: (EngagementId, &'a Told), began: DateTime<Utc>, log: &'a Log) {
    let starts_at = after(began, log.offset_minutes);
    let ends_at = log.duration_minutes.map(|minutes| after(starts_at, minutes));
    stage.at(ends_at.unwrap_or(starts_at), move |stage, tx| {
        let entry = EntryText { text: log.text.clone(), starts_at, ends_at };
        on(stage, tx, &log.by, of, |tx, work| logs::insert(tx, work, log.team, &entry)).map(drop)
    });
}

fn attach<'a>(
    stage: &mut Stage<'a>,
    tx: &mut WriteTx<'_>,
    of: (EngagementId, &'a Told),
    file: &'a Attachment,
) -> Result<()> {
    let bytes = file.bytes().ok_or_else(|| unknown(&file.file_name))?;
    let arrived = Arrived {
        id: AttachmentId::new(),
        file_name: file.file_name.clone(),
        came_as: None,
        media_type: media_type(&bytes[..bytes.len().min(MAGIC_BYTES)], &file.file_name),
        size: bytes.len() as i64,
        sha256: Sha256::digest(&bytes).into(),
    };
    let text = AttachmentText {
        title: file.title.clone(),
        description: file.description.clone(),
        in_finding: file.in_finding,
    };
    stage.blobs.push(Blob { key: arrived.id, bytes });
    on(stage, tx, &file.by, of, |tx, work| attachments::insert(tx, work, file.team, &[arrived], &text))
}

/// What stands in a procedure's fields at the end.
fn fields(told: &Told, began: DateTime<Utc>) -> Vec<(Field, String)> {
    let executed = told.executed_after_minutes.map(|_| began);
    let later = |at: Option<DateTime<Utc>>, seconds: Option<i64>| {
        at.zip(seconds).map(|(at, seconds)| at + TimeDelta::seconds(seconds))
    };
    let detected = later(executed, told.detected_after_seconds);
    let responded = later(detected, told.responded_after_seconds);
    let time = |at: Option<DateTime<Utc>>| at.map(instant).unwrap_or_default();
    let word = |value: &Option<String>| value.clone().unwrap_or_default();
    let all = [
        (Field::Status, told.status.clone()),
        (Field::NotApplicableReason, told.not_applicable_reason.clone()),
        (Field::Severity, word(&told.severity)),
        (Field::Recommendation, told.recommendation.clone()),
        (Field::AttackSource, told.attack_source.clone()),
        (Field::RedOutcome, word(&told.red_outcome)),
        (Field::RedNotes, told.red_notes.clone()),
        (Field::ExecutedAt, time(executed)),
        (Field::BlueOutcome, word(&told.blue_outcome)),
        (Field::BlueNotes, told.blue_notes.clone()),
        (Field::DetectedAt, time(detected)),
        (Field::DetectedBy, told.detected_by.clone()),
        (Field::AlertReference, told.alert_reference.clone()),
        (Field::RespondedAt, time(responded)),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// Saves fields. A severity that is in dispute was typed on a page without one; everything else on what
/// stands there.
fn save<'a>(
    stage: &mut Stage<'a>,
    of: (EngagementId, &'a Told),
    who: &'a str,
    at: DateTime<Utc>,
    fields: Vec<(Field, String)>,
) {
    if fields.is_empty() {
        return;
    }
    let disputed = of.1.disputed_severity.is_some() && fields.len() > 1;
    stage.at(at, move |stage, tx| {
        let base = |field| if disputed && field == Field::Severity { 0 } else { NEWEST };
        let typed = |(field, raw)| TypedField { field, raw, base: base(field) };
        let typed: Vec<_> = fields.into_iter().map(typed).collect();
        on(stage, tx, who, of, |tx, work| {
            let (sides, zone) = (work.sides, work.zone);
            save_fields(tx, work, sides, &typed, zone)
        })
        .map(drop)
    });
}

/// Submits an engagement on its last afternoon, and moves its report on as far as its status says.
fn report<'a>(stage: &mut Stage<'a>, plan: &Plan<'a>) -> Result<()> {
    let (id, told, lead) = (plan.id, plan.told, plan.lead);
    let writer = told.operators.red.first().ok_or_else(|| unknown(&told.title))?.as_str();
    let submitted = plan.at(plan.end, 16, 30);
    stage.at(submitted, move |stage, tx| {
        let permitted =
            |permit: &Permit<SubmitEngagement>, tx: &mut WriteTx<'_>| reports::submit(tx, permit, id, true);
        stage.act(tx, lead, permitted).map(drop)
    });
    if !told.narrative.is_empty() {
        stage.at(submitted + TimeDelta::minutes(17 * 60), move |stage, tx| {
            let typed = |(name, text): (&String, &String)| {
                let field: NarrativeField = name.parse().map_err(|_| unknown(name))?;
                Ok(TypedField { field, raw: text.clone(), base: NEWEST })
            };
            let typed = told.narrative.iter().map(typed).collect::<Result<Vec<_>>>()?;
            let report = stage.reports[&id];
            let permitted = |permit: &Permit<EditReport>, tx: &mut WriteTx<'_>| {
                reports::save_narrative(tx, permit, report, &typed)
            };
            stage.act(tx, writer, permitted).map(drop)
        });
    }
    let reached = match told.status {
        EngagementStatus::InReview => ReportStatus::InReview,
        EngagementStatus::Complete => ReportStatus::Published,
        _ => ReportStatus::Draft,
    };
    let mut at = submitted;
    let steps = ReportStatus::ALL.iter().zip(&ReportStatus::ALL[1..]);
    for (from, to) in steps.filter(|(_, to)| **to <= reached) {
        at += TimeDelta::hours(22);
        let who = if *from == ReportStatus::Draft { writer } else { lead };
        stage.at(at, move |stage, tx| {
            let report = stage.reports[&id];
            let asked =
                reports::Asked { from: *from, to: *to, comment: String::new(), reviewers: Vec::new() };
            let permitted = |permit: &Permit<WorkReport>, tx: &mut WriteTx<'_>| {
                reports::move_report(tx, permit, report, &asked)
            };
            stage.act(tx, who, permitted).map(drop)
        });
    }
    remediate(stage, plan, at);
    Ok(())
}

/// The client's people keep what became of the findings, a week apart.
fn remediate<'a>(stage: &mut Stage<'a>, plan: &Plan<'a>, published: DateTime<Utc>) {
    let (id, told) = (plan.id, plan.told);
    let of_client = |person: &&Person| person.access.get(&told.client).is_some_and(|role| role == "analyst");
    let keeper = stage.told.people.iter().find(of_client).map_or(plan.lead, |person| person.key.as_str());
    let today = stage.end.date_naive();
    for (place, remediation) in told.remediation.iter().enumerate() {
        let at = published + TimeDelta::days(7 * (place as i64 + 1));
        stage.at(at, move |stage, tx| {
            let due = remediation.due_offset_days.map(|days| (today + TimeDelta::days(days)).to_string());
            let typed = [
                (FindingField::State, remediation.state.clone()),
                (FindingField::Owner, remediation.owner.clone()),
                (FindingField::DueOn, due.unwrap_or_default()),
            ];
            let typed = typed.map(|(field, raw)| TypedField { field, raw, base: NEWEST });
            let report = stage.reports[&id];
            let found = reports::list_findings(tx.conn, report)?;
            let Some(finding) = found.get(place).map(|live| live.finding.id) else { return Ok(()) };
            let permitted = |permit: &Permit<RemediateFinding>, tx: &mut WriteTx<'_>| {
                reports::save_remediation(tx, permit, report, finding, &typed)
            };
            stage.act(tx, keeper, permitted).map(drop)
        });
    }
}

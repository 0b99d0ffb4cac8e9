//! Turns the content into rows and events, as if people had done it on the days it tells of.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use diesel::Insertable;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::content::{Content, Engagement, Work};
use super::store::{self, Copied};
use crate::accounts::store::notices;
use crate::accounts::store::notices::NewNotice;
use crate::accounts::store::{NewPerson, give_access, insert_person};
use crate::engagements::domain::DetailField;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{
    AssetId, AttachmentId, ClientId, EngagementId, LogEntryId, PersonId, ReportId, TestPlanId,
};
use crate::kernel::base::team::Team;
use crate::kernel::base::times;
use crate::kernel::db::schema::{attachments, field_history, log_entries, procedure_assets, step_ticks};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Actor, ActorKind, Event, Kind};
use crate::lifecycle::domain::{Command, EngagementStatus, ReportStatus, starts_at};
use crate::lifecycle::store::{apply, lock_engagement, touch};
use crate::procedures::domain::{Field, Side};
use crate::reports::store::{keep_published, note_move};

/// A file to be stored.
pub struct Blob {
    pub key: AttachmentId,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// An engagement about to be made.
#[expect(missing_docs, reason = "each field is the engagement's column of that name")]
pub struct Planned<'a> {
    pub id: EngagementId,
    pub client: ClientId,
    pub told: &'a Engagement,
    pub status: EngagementStatus,
    pub start_date: NaiveDate,
    pub end_date: NaiveDate,
    pub starts_at: DateTime<Utc>,
    pub zone: Tz,
    pub attack_version: String,
    pub plan: Option<(TestPlanId, String)>,
    pub keys: Vec<String>,
    pub operators: Vec<(PersonId, Team)>,
    pub report: Option<ReportId>,
    pub created_at: DateTime<Utc>,
    pub lead: Actor,
    pub requested_by: Option<PersonId>,
}

#[derive(Insertable)]
#[diesel(table_name = step_ticks)]
pub struct TickRow {
    procedure_id: Uuid,
    step_id: String,
    person_id: Uuid,
    at: DateTime<Utc>,
}

/// An asset of a procedure.
#[derive(Insertable)]
#[diesel(table_name = procedure_assets)]
pub struct AssetRow {
    procedure_id: Uuid,
    asset_id: Uuid,
    client_id: Uuid,
}

#[derive(Insertable)]
#[diesel(table_name = log_entries)]
pub struct LogRow<'a> {
    id: Uuid,
    engagement_id: Uuid,
    procedure_id: Uuid,
    team: Team,
    text: &'a str,
    starts_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    author_id: Uuid,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Insertable)]
#[diesel(table_name = attachments)]
pub struct AttachmentRow<'a> {
    id: Uuid,
    client_id: Uuid,
    engagement_id: Uuid,
    procedure_id: Uuid,
    team: Team,
    title: &'a str,
    description: &'a str,
    file_name: &'a str,
    media_type: &'a str,
    size: i64,
    sha256: Vec<u8>,
    in_finding: bool,
    uploaded_by: Uuid,
    uploaded_at: DateTime<Utc>,
}

/// A field's value at a version.
#[derive(Insertable)]
#[diesel(table_name = field_history)]
pub struct HistoryRow<'a> {
    subject_type: &'a str,
    subject_id: Uuid,
    field: &'a str,
    version: i32,
    value: String,
    person_id: Option<Uuid>,
    person_name: String,
    at: DateTime<Utc>,
}

/// Whom and what the content's keys stand for.
struct Cast {
    people: HashMap<String, Actor>,
    clients: HashMap<String, ClientId>,
    assets: HashMap<String, AssetId>,
    lead: Actor,
    attack_version: String,
}

impl Cast {
    fn person(&self, key: &str) -> Result<&Actor> {
        self.people.get(key).ok_or_else(|| unknown(key))
    }
    fn person_id(&self, key: &str) -> Result<PersonId> {
        self.person(key)?.id.ok_or_else(|| unknown(key))
    }
}

fn unknown(key: &str) -> Error {
    Error::Internal(anyhow::anyhow!("the demo's content names the unknown “{key}”"))
}

/// Writes all of it and returns the files that belong to it.
///
/// # Errors
/// When the database refuses, or the content names what it does not have.
pub fn tell(tx: &mut WriteTx<'_>, content: &Content, password_hash: &str) -> Result<Audited<Vec<Blob>>> {
    let cast = cast(tx, content, password_hash)?;
    let mut blobs = Vec::new();
    for told in content.engagements.iter().rev() {
        engagement(tx, &cast, told, &mut blobs)?;
    }
    let sentence = format!(
        "Seeded the demo data: {} clients, {} people, {} engagements",
        content.clients.len(),
        content.people.len(),
        content.engagements.len()
    );
    tx.audited(blobs, Event::new(Kind::DemoSeeded, sentence))
}

fn cast(tx: &mut WriteTx<'_>, content: &Content, password_hash: &str) -> Result<Cast> {
    let (mut people, mut events) = (HashMap::new(), Vec::new());
    let mut lead = None;
    for person in &content.people {
        let roles: Vec<&str> = person.roles.iter().map(String::as_str).collect();
        let new = NewPerson {
            name: &person.name,
            email: &person.email,
            password_hash: Some(password_hash),
            roles: &roles,
        };
        let (id, event) = insert_person(tx, &new, None)?;
        events.push((tx.actor().clone(), event));
        let actor = Actor {
            kind: ActorKind::Person,
            id: Some(id),
            name: person.name.clone(),
            email: Some(person.email.clone()),
            ..Actor::anonymous()
        };
        if roles.contains(&"team_lead") {
            lead = Some(actor.clone());
        }
        people.insert(person.key.clone(), actor);
    }
    let lead = lead.ok_or_else(|| unknown("team_lead"))?;
    let (mut clients, mut assets) = (HashMap::new(), HashMap::new());
    for client in &content.clients {
        let id = store::insert_client(tx, client, lead.id.ok_or_else(|| unknown("team_lead"))?)?;
        let of_client: Vec<_> = client.assets.iter().map(|asset| (AssetId::new(), asset)).collect();
        store::insert_assets(tx, id, &of_client)?;
        let created = Event::new(Kind::ClientCreated, format!("Created the client “{}”", client.name));
        events.push((lead.clone(), created.subject("client", id.0, &client.name).client(id)));
        events.extend(of_client.iter().map(|(asset, told)| {
            let created = Event::new(
                Kind::AssetCreated,
                format!("Created the asset “{}” of {}", told.name, client.name),
            );
            (lead.clone(), created.subject("asset", asset.0, &told.name).client(id))
        }));
        assets.extend(of_client.into_iter().map(|(id, asset)| (asset.key.clone(), id)));
        for person in &content.people {
            let Some(role) = person.access.get(&client.key) else { continue };
            let Some(who) = people.get(&person.key).and_then(|actor| actor.id) else { continue };
            events.push((lead.clone(), give_access(tx, id, &client.name, who, &person.name, role, lead.id)?));
        }
        clients.insert(client.key.clone(), id);
    }
    store::insert_events(tx, &events)?;
    let attack_version = crate::library::store::highest_version(tx.conn)?;
    Ok(Cast { people, clients, assets, lead, attack_version })
}

fn engagement(tx: &mut WriteTx<'_>, cast: &Cast, told: &Engagement, blobs: &mut Vec<Blob>) -> Result<()> {
    let planned = plan(tx, cast, told)?;
    store::insert_engagement(tx, &planned)?;
    if told.status == EngagementStatus::Pending {
        return request(tx, cast, &planned);
    }
    let copied = store::copy_procedures(tx, &planned)?;
    if copied.len() != planned.keys.len() {
        return Err(unknown(&planned.keys.join(", ")));
    }
    let mut pages = Pages::begin(&planned, &copied);
    for work in &told.work {
        let of = copied.iter().find(|c| c.key == work.procedure).ok_or_else(|| unknown(&work.procedure))?;
        pages.work(cast, &planned, of, work, blobs)?;
    }
    pages.write(tx)?;
    if told.submitted { submit(tx, &planned) } else { Ok(()) }
}

/// Tells of a request: its procedures come with the approval.
fn request(tx: &mut WriteTx<'_>, cast: &Cast, planned: &Planned<'_>) -> Result<()> {
    let by = match &planned.told.requested_by {
        Some(key) => cast.person(key)?.clone(),
        None => planned.lead.clone(),
    };
    let title = &planned.told.title;
    let requested = Event::new(Kind::EngagementRequested, format!("Requested the engagement “{title}”"))
        .subject("engagement", planned.id.0, title)
        .engagement(planned.client, planned.id);
    let lead = planned.lead.id.ok_or_else(|| unknown("team_lead"))?;
    let notice = NewNotice {
        person: lead,
        client: planned.client,
        text: format!("{} requests “{title}”.", by.name),
        href: format!("/engagements/{}", planned.id),
    };
    notices::give(tx, vec![notice])?;
    store::insert_events(tx, &[(by, requested)])
}

/// Submits it on its last afternoon and moves the report on as far as the engagement's status says.
fn submit(tx: &mut WriteTx<'_>, planned: &Planned<'_>) -> Result<()> {
    let afternoon = NaiveTime::from_hms_opt(16, 30, 0).unwrap_or_default();
    let at = planned.zone.from_local_datetime(&planned.end_date.and_time(afternoon)).earliest();
    let at = at.map_or(tx.now(), |at| at.to_utc()).min(tx.now());
    let (mut locked, _) = lock_engagement(tx, planned.id, &[planned.client])?;
    let (report, _, events) = crate::reports::store::freeze(tx, &locked, at, &planned.lead)?;
    let mut told: Vec<(Actor, Event)> =
        events.into_iter().map(|event| (planned.lead.clone(), event)).collect();
    let reached = match planned.told.status {
        EngagementStatus::InReview => ReportStatus::InReview,
        EngagementStatus::Complete => ReportStatus::Published,
        _ => ReportStatus::Draft,
    };
    locked.facts.submitted = true;
    store::write_report(tx, report, planned.told, at)?;
    let mut moved_at = at;
    for (from, to) in ReportStatus::ALL.iter().zip(&ReportStatus::ALL[1..]).filter(|(_, to)| **to <= reached)
    {
        locked.facts.report = Some(*from);
        moved_at = (moved_at + TimeDelta::hours(22)).min(tx.now());
        note_move(tx, report, (*from, *to), "", moved_at, &planned.lead)?;
        if *to == ReportStatus::Published {
            keep_published(tx, report, planned.id, moved_at, &planned.lead.name)?;
        }
        let sentence = format!("Moved the report of “{}” from {from} to {to}", locked.title);
        let event = Event::new(Kind::ReportMoved, sentence).subject("report", report.0, &locked.title);
        told.push((planned.lead.clone(), event.engagement(planned.client, planned.id)));
        let followed = apply(tx, &mut locked, &Command::ReportMoved(*to), &planned.lead)?;
        told.extend(followed.map(|event| (planned.lead.clone(), event)));
    }
    store::move_report(tx, report, reached, moved_at)?;
    touch(tx.conn, planned.id, at, &planned.lead.name)?;
    store::insert_events(tx, &told)
}

fn plan<'a>(tx: &mut WriteTx<'_>, cast: &Cast, told: &'a Engagement) -> Result<Planned<'a>> {
    let zone: Tz = told.time_zone.parse().map_err(|_| unknown(&told.time_zone))?;
    let today = tx.now().with_timezone(&zone).date_naive();
    let day = |offset: i64| -> NaiveDate {
        let days = Days::new(offset.unsigned_abs());
        if offset < 0 { today - days } else { today + days }
    };
    let (plan, keys) = match &told.plan {
        Some(key) => {
            let (id, title, keys) = store::get_plan(tx.conn, key)?;
            (Some((id, title)), keys)
        }
        None => (None, told.procedures.clone()),
    };
    let mut operators = Vec::new();
    for (team, keys) in [(Team::Red, &told.operators.red), (Team::Blue, &told.operators.blue)] {
        for key in keys {
            operators.push((cast.person_id(key)?, team));
        }
    }
    let starts_at = starts_at(day(told.start_offset_days), zone);
    let has_report = !matches!(told.status, EngagementStatus::Pending | EngagementStatus::Canceled);
    Ok(Planned {
        id: EngagementId::new(),
        client: *cast.clients.get(&told.client).ok_or_else(|| unknown(&told.client))?,
        told,
        // Submitting and what follows come after the work, by the product's own code.
        status: if told.submitted { EngagementStatus::InProgress } else { told.status },
        start_date: day(told.start_offset_days),
        end_date: day(told.end_offset_days),
        starts_at,
        zone,
        attack_version: cast.attack_version.clone(),
        plan,
        keys,
        operators,
        report: has_report.then(ReportId::new),
        created_at: (starts_at - TimeDelta::days(8)).min(tx.now() - TimeDelta::days(2)),
        lead: cast.lead.clone(),
        requested_by: told.requested_by.as_ref().map(|key| cast.person_id(key)).transpose()?,
    })
}

/// Everything that is written on an engagement's pages, gathered for one batch a table.
struct Pages<'a> {
    fields: Vec<Value>,
    ticks: Vec<TickRow>,
    assets: Vec<AssetRow>,
    logs: Vec<LogRow<'a>>,
    files: Vec<AttachmentRow<'a>>,
    history: Vec<HistoryRow<'a>>,
    events: Vec<(DateTime<Utc>, Actor, Event)>,
    engagement: EngagementId,
}

impl<'a> Pages<'a> {
    fn begin(planned: &Planned<'a>, copied: &[Copied]) -> Self {
        let told = planned.told;
        let mut pages = Self {
            fields: Vec::new(),
            ticks: Vec::new(),
            assets: Vec::new(),
            logs: Vec::new(),
            files: Vec::new(),
            history: Vec::new(),
            events: Vec::new(),
            engagement: planned.id,
        };
        let details = [
            (DetailField::Title, told.title.clone()),
            (DetailField::Description, told.description.clone()),
            (DetailField::Tags, told.tags.join(", ")),
            (DetailField::StartDate, planned.start_date.to_string()),
            (DetailField::EndDate, planned.end_date.to_string()),
            (DetailField::TimeZone, told.time_zone.clone()),
            (DetailField::Objective, told.objective.clone()),
            (DetailField::Scope, told.scope.clone()),
            (DetailField::AccessInfo, told.access_info.clone()),
            (DetailField::SpecialInstructions, told.special_instructions.clone()),
        ];
        for (field, value) in details {
            pages.remember(
                "engagement",
                planned.id.0,
                field.as_str(),
                1,
                value,
                (&planned.lead, planned.created_at),
            );
        }
        for procedure in copied {
            let value = procedure.recommendation.clone();
            pages.remember(
                "procedure",
                procedure.id.0,
                Field::Recommendation.name(),
                1,
                value,
                (&planned.lead, planned.created_at),
            );
        }
        let created = Event::new(
            Kind::EngagementCreated,
            format!("Created the engagement “{}” with {} procedures", told.title, copied.len()),
        );
        pages.happened(
            planned.created_at,
            &planned.lead,
            created.subject("engagement", planned.id.0, &told.title),
            planned.client,
        );
        if let Some(report) = planned.report {
            let made = Event::new(Kind::ReportCreated, format!("Created the report of “{}”", told.title));
            pages.happened(
                planned.created_at,
                &planned.lead,
                made.subject("report", report.0, &told.title),
                planned.client,
            );
        }
        if let Some(reason) = &told.cancel_reason {
            let canceled =
                Event::new(Kind::EngagementCanceled, format!("Canceled “{}”: {reason}", told.title));
            pages.happened(
                planned.starts_at,
                &planned.lead,
                canceled.subject("engagement", planned.id.0, &told.title),
                planned.client,
            );
        }
        pages
    }

    fn remember(
        &mut self,
        subject: &'a str,
        id: Uuid,
        field: &'a str,
        version: i32,
        value: String,
        by: (&Actor, DateTime<Utc>),
    ) {
        if !value.is_empty() {
            self.history.push(HistoryRow {
                subject_type: subject,
                subject_id: id,
                field,
                version,
                value,
                person_id: by.0.id.map(|id| id.0),
                person_name: by.0.name.clone(),
                at: by.1,
            });
        }
    }

    fn happened(&mut self, at: DateTime<Utc>, by: &Actor, event: Event, client: ClientId) {
        self.events.push((at, by.clone(), event.engagement(client, self.engagement)));
    }

    fn work(
        &mut self,
        cast: &Cast,
        planned: &Planned<'a>,
        of: &Copied,
        work: &'a Work,
        blobs: &mut Vec<Blob>,
    ) -> Result<()> {
        let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default();
        let morning = planned.zone.from_local_datetime(&planned.start_date.and_time(nine)).earliest();
        let began = morning.map_or(planned.starts_at, |at| at.to_utc())
            + TimeDelta::minutes(work.executed_after_minutes.unwrap_or(0));
        let by = |team: Team| -> Result<&Actor> {
            let keys =
                if team == Team::Red { &planned.told.operators.red } else { &planned.told.operators.blue };
            let author = work.logs.iter().find(|log| log.team == team).map(|log| &log.by);
            cast.person(author.or(keys.first()).map_or("", String::as_str))
        };
        let (red, blue) = (by(Team::Red)?, by(Team::Blue)?);
        self.save(planned, of, work, began, red, blue);
        for (place, step) in (0i64..).zip(&work.ticked_steps) {
            let at = began + TimeDelta::minutes(place * 3);
            self.ticks.push(TickRow {
                procedure_id: of.id.0,
                step_id: step.clone(),
                person_id: id_of(red)?,
                at,
            });
        }
        for key in &work.assets {
            let asset = cast.assets.get(key).ok_or_else(|| unknown(key))?;
            self.assets.push(AssetRow {
                procedure_id: of.id.0,
                asset_id: asset.0,
                client_id: planned.client.0,
            });
        }
        self.logs_and_files(cast, planned, of, work, began, blobs)
    }

    fn save(
        &mut self,
        planned: &Planned<'a>,
        of: &Copied,
        work: &Work,
        began: DateTime<Utc>,
        red: &Actor,
        blue: &Actor,
    ) {
        let executed = work.executed_after_minutes.map(|_| began);
        let detected =
            executed.zip(work.detected_after_seconds).map(|(at, after)| at + TimeDelta::seconds(after));
        let responded =
            detected.zip(work.responded_after_seconds).map(|(at, after)| at + TimeDelta::seconds(after));
        let time = |at: Option<DateTime<Utc>>| at.map(times::instant).unwrap_or_default();
        let word = |value: &Option<String>| value.clone().unwrap_or_default();
        let values = [
            (Field::Status, work.status.clone()),
            (Field::NotApplicableReason, work.not_applicable_reason.clone()),
            (Field::Severity, word(&work.severity)),
            (Field::Recommendation, work.recommendation.clone()),
            (Field::AttackSource, work.attack_source.clone()),
            (Field::RedOutcome, word(&work.red_outcome)),
            (Field::RedNotes, work.red_notes.clone()),
            (Field::ExecutedAt, time(executed)),
            (Field::BlueOutcome, word(&work.blue_outcome)),
            (Field::BlueNotes, work.blue_notes.clone()),
            (Field::DetectedAt, time(detected)),
            (Field::DetectedBy, work.detected_by.clone()),
            (Field::AlertReference, work.alert_reference.clone()),
            (Field::RespondedAt, time(responded)),
        ];
        // Red saved first, blue after it: one version each.
        let (mut of_red, mut of_blue) = (Vec::new(), Vec::new());
        for (field, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
            if field.side() == Side::Blue { &mut of_blue } else { &mut of_red }.push((field, value));
        }
        let saves = [
            (2, red, began + TimeDelta::minutes(25), of_red),
            (3, blue, began + TimeDelta::minutes(95), of_blue),
        ];
        let mut last = (1, red.id, began);
        for (version, by, at, fields) in saves.into_iter().filter(|save| !save.3.is_empty()) {
            last = (version, by.id, at);
            let names: Vec<String> = fields.iter().map(|(field, _)| field.label().to_lowercase()).collect();
            let sentence = format!("Saved procedure {} “{}”: {}", of.position, of.name, names.join(", "));
            let changes =
                fields.iter().map(|(field, value)| (field.name(), "", value.as_str(), field.is_long()));
            let saved = Event::new(Kind::ProcedureSaved, sentence)
                .subject("procedure", of.id.0, &of.name)
                .changes(changes);
            self.happened(at, by, saved, planned.client);
            for (field, value) in fields {
                self.remember("procedure", of.id.0, field.name(), version, value, (by, at));
            }
        }
        let recommendation =
            if work.recommendation.is_empty() { &of.recommendation } else { &work.recommendation };
        self.fields.push(json!({
            "id": of.id, "status": work.status, "not_applicable_reason": work.not_applicable_reason, "severity": work.severity,
            "recommendation": recommendation, "attack_source": work.attack_source, "red_outcome": work.red_outcome,
            "red_notes": work.red_notes, "executed_at": executed, "blue_outcome": work.blue_outcome, "blue_notes": work.blue_notes,
            "detected_at": detected, "detected_by": work.detected_by, "alert_reference": work.alert_reference,
            "responded_at": responded, "version": last.0, "updated_by": last.1, "updated_at": last.2,
        }));
    }

    fn logs_and_files(
        &mut self,
        cast: &Cast,
        planned: &Planned<'a>,
        of: &Copied,
        work: &'a Work,
        began: DateTime<Utc>,
        blobs: &mut Vec<Blob>,
    ) -> Result<()> {
        for log in &work.logs {
            let by = cast.person(&log.by)?;
            let starts = began + TimeDelta::minutes(log.offset_minutes);
            let ends = log.duration_minutes.map(|minutes| starts + TimeDelta::minutes(minutes));
            let id = LogEntryId::new();
            self.logs.push(LogRow {
                id: id.0,
                engagement_id: planned.id.0,
                procedure_id: of.id.0,
                team: log.team,
                text: &log.text,
                starts_at: starts,
                ends_at: ends,
                author_id: id_of(by)?,
                created_at: ends.unwrap_or(starts),
                updated_at: ends.unwrap_or(starts),
            });
            let sentence = format!(
                "Added a {} log entry to procedure {} “{}”",
                log.team.label().to_lowercase(),
                of.position,
                of.name
            );
            let added = Event::new(Kind::LogEntryAdded, sentence).subject("log_entry", id.0, &of.name);
            self.happened(ends.unwrap_or(starts), by, added, planned.client);
        }
        for file in &work.attachments {
            let by = cast.person(&file.by)?;
            let at = began + TimeDelta::minutes(40);
            let blob = Blob { key: AttachmentId::new(), bytes: file.bytes() };
            self.files.push(AttachmentRow {
                id: blob.key.0,
                client_id: planned.client.0,
                engagement_id: planned.id.0,
                procedure_id: of.id.0,
                team: file.team,
                title: &file.title,
                description: &file.description,
                file_name: &file.file_name,
                media_type: &file.media_type,
                size: blob.bytes.len() as i64,
                sha256: Sha256::digest(&blob.bytes).to_vec(),
                in_finding: file.in_finding,
                uploaded_by: id_of(by)?,
                uploaded_at: at,
            });
            let sentence = format!("Attached “{}” to procedure {} “{}”", file.title, of.position, of.name);
            let added =
                Event::new(Kind::AttachmentAdded, sentence).subject("attachment", blob.key.0, &file.title);
            self.happened(at, by, added, planned.client);
            blobs.push(blob);
        }
        Ok(())
    }

    fn write(mut self, tx: &mut WriteTx<'_>) -> Result<()> {
        store::save_work(tx, &Value::Array(self.fields))?;
        store::insert_rows(tx, &self.ticks, &self.assets, &self.logs, &self.files, &self.history)?;
        self.events.sort_by_key(|event| event.0);
        if let Some((at, by, _)) = self.events.last() {
            touch(tx.conn, self.engagement, (*at).min(tx.now()), &by.name)?;
        }
        let told: Vec<(Actor, Event)> = self.events.into_iter().map(|(_, by, event)| (by, event)).collect();
        store::insert_events(tx, &told)
    }
}

fn id_of(actor: &Actor) -> Result<Uuid> {
    actor.id.map(|id| id.0).ok_or_else(|| unknown(&actor.name))
}

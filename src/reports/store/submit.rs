//! Submit: freezes the runbook and fills the one report, under the engagement's lock.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::collect::collect;
use crate::engagements::glance::Doubt;
use crate::engagements::store::sections::list_answers;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId, FindingId, ProcedureId, ReportId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::zone::Zone;
use crate::kernel::db::schema::{
    clients, drafts, engagements, finding_assets, finding_attachments, findings, procedures,
    report_revisions, reports, step_ticks,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::drafts::DraftSubject;
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::kernel::web::permit::{Permit, SubmitEngagement};
use crate::library::domain::{ProcedureBody, StepKind};
use crate::lifecycle::domain::EngagementStatus;
use crate::lifecycle::store::{Locked, lock_engagement, touch};
use crate::procedures::domain::{Progress, Warning, working_allowed};
use crate::procedures::store::runbook::{ProcedureRow, procedures_of};
use crate::reports::domain::{self, NewFinding, Pending};
use crate::settings::store::list_outcomes;

/// What the confirmation page tells.
#[derive(Debug, Clone)]
pub struct Submission {
    pub id: EngagementId,
    pub client: ClientId,
    pub client_name: String,
    pub title: String,
    pub status: EngagementStatus,
    /// Whether it was submitted already.
    pub submitted: bool,
    pub report: Option<ReportId>,
    pub zone: Tz,
    pub procedures: Vec<Pending>,
}

impl Submission {
    /// How much is done.
    pub fn progress(&self) -> Progress {
        Progress::of(self.procedures.iter().map(|procedure| procedure.status))
    }
}

/// Reads what the confirmation page tells.
///
/// # Errors
/// [`Error::NotFound`] when it is not there or belongs to none of `visible`.
pub fn get_submission(
    conn: &mut PgConnection,
    id: EngagementId,
    visible: &Visible,
    now: DateTime<Utc>,
) -> Result<Submission> {
    type Head = (
        ClientId,
        String,
        String,
        EngagementStatus,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
        Zone,
        Option<Uuid>,
    );
    let (client, client_name, title, status, starts_at, submitted_at, zone, report): Head =
        engagements::table
            .inner_join(clients::table)
            .left_join(
                reports::table
                    .on(reports::engagement_id.eq(engagements::id).and(reports::deleted_at.is_null())),
            )
            .filter(engagements::id.eq(id).and(engagements::deleted_at.is_null()))
            .filter(engagements::client_id.eq_any(visible.ids()))
            .select((
                engagements::client_id,
                clients::name,
                engagements::title,
                engagements::status,
                engagements::starts_at,
                engagements::submitted_at,
                engagements::time_zone,
                reports::id.nullable(),
            ))
            .first(conn)?;
    let rows: Vec<(ProcedureRow, serde_json::Value)> =
        procedures_of(id, visible).select((ProcedureRow::as_select(), procedures::body)).load(conn)?;
    let ticked: HashSet<(ProcedureId, String)> = step_ticks::table
        .inner_join(procedures::table)
        .filter(procedures::engagement_id.eq(id))
        .select((step_ticks::procedure_id, step_ticks::step_id))
        .load(conn)?
        .into_iter()
        .collect();
    let outcomes = list_outcomes(conn)?;
    let answers = list_answers(conn, id, &outcomes, visible)?;
    let mut doubts: HashMap<ProcedureId, Vec<Warning>> =
        Doubt::list(&answers).into_iter().map(|doubt| (doubt.id, doubt.warnings)).collect();
    let label = |key: Option<&str>| {
        outcomes.iter().find(|outcome| Some(outcome.key.as_str()) == key).map(|o| o.label.clone())
    };
    let mut pending = Vec::with_capacity(rows.len());
    for (row, body) in rows {
        let body: ProcedureBody = serde_json::from_value(body)?;
        let cleanup = body.steps.into_iter().filter(|step| step.kind == StepKind::Cleanup);
        pending.push(Pending {
            id: row.id,
            position: row.position,
            name: row.name,
            status: row.status,
            red: label(row.red_outcome.as_deref()),
            blue: label(row.blue_outcome.as_deref()),
            contradictions: doubts.remove(&row.id).unwrap_or_default(),
            look_again: row.look_again,
            cleanup_left: cleanup.filter(|step| !ticked.contains(&(row.id, step.id.clone()))).count(),
        });
    }
    let report = report.map(ReportId);
    let status = status.as_of(starts_at, now);
    Ok(Submission {
        id,
        client,
        client_name,
        title,
        status,
        submitted: submitted_at.is_some(),
        report,
        zone: zone.tz(),
        procedures: pending,
    })
}

/// What a submit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    pub report: ReportId,
    /// Whether it was filled just now, or by an earlier submit.
    pub now: bool,
}

/// Submits an engagement. A second submit finds the same report and changes nothing.
///
/// # Errors
/// [`Error::Refused`] when its status does not allow it; [`Error::Invalid`] at `incomplete` when it is not
/// complete and that was not `accepted`.
pub fn submit(
    tx: &mut WriteTx<'_>,
    permit: &Permit<SubmitEngagement>,
    id: EngagementId,
    accepted: bool,
) -> Result<Audited<Submitted>> {
    let (locked, due) = lock_engagement(tx, id, &permit.visible())?;
    permit.check(locked.client)?;
    if locked.facts.submitted {
        let report =
            reports::table.filter(reports::engagement_id.eq(id)).select(reports::id).first(tx.conn)?;
        let before = Submitted { report, now: false };
        let due: Vec<Event> = due.into_iter().collect();
        return if due.is_empty() { Ok(tx.unchanged(before)) } else { tx.audited_all(before, &due) };
    }
    working_allowed(locked.status, false).map_err(|refusal| Error::Refused(refusal.0))?;
    let (at, by) = (tx.now(), tx.actor().clone());
    let (report, complete, mut events) = freeze(tx, &locked, at, &by)?;
    if !complete && !accepted {
        return Err(Error::field(
            "incomplete",
            "Not every procedure is complete. Tick this to submit all the same.",
        ));
    }
    events.extend(due);
    tx.audited_all(Submitted { report, now: true }, &events)
}

/// Freezes a locked engagement that may be submitted: revision 1 of its report, its findings, no drafts, no
/// way back. Returns the report, whether every procedure was complete, and the events to be written.
///
/// # Errors
/// When the database refuses.
pub fn freeze(
    tx: &mut WriteTx<'_>,
    locked: &Locked,
    at: DateTime<Utc>,
    by: &Actor,
) -> Result<(ReportId, bool, Vec<Event>)> {
    let runbook = collect(tx.conn, locked.id, &Visible::found(locked.client), (&by.name, at))?;
    let report = fill(tx, locked, at)?;
    diesel::insert_into(report_revisions::table)
        .values((
            report_revisions::report_id.eq(report),
            report_revisions::n.eq(1),
            report_revisions::body.eq(serde_json::to_value(&runbook)?),
            report_revisions::frozen_at.eq(at),
            report_revisions::frozen_by.eq(by.id),
        ))
        .execute(tx.conn)?;
    let found = domain::findings(&runbook);
    insert_findings(tx, report, &found)?;
    diesel::update(engagements::table.find(locked.id))
        .set((
            engagements::submitted_at.eq(at),
            engagements::submitted_by.eq(by.id),
            engagements::version.eq(engagements::version + 1),
        ))
        .execute(tx.conn)?;
    let own = procedures::table.filter(procedures::engagement_id.eq(locked.id)).select(procedures::id);
    diesel::delete(
        drafts::table
            .filter(drafts::subject_type.eq(DraftSubject::Procedure).and(drafts::subject_id.eq_any(own))),
    )
    .execute(tx.conn)?;
    touch(tx.conn, locked.id, at, &by.name)?;
    let progress = runbook.progress();
    let count = match found.len() {
        0 => "no finding".to_owned(),
        1 => "1 finding".to_owned(),
        more => format!("{more} findings"),
    };
    let submitted = Event::new(
        Kind::EngagementSubmitted,
        format!("Submitted “{}”: {} complete", locked.title, progress.label()),
    )
    .subject("engagement", locked.id.0, &locked.title);
    let filled =
        Event::new(Kind::ReportFilled, format!("Filled the report of “{}” with {count}", locked.title))
            .subject("report", report.0, &locked.title)
            .detail(serde_json::json!({ "procedures": runbook.procedures.len(), "findings": found.len() }));
    let events = [submitted, filled].map(|event| event.engagement(locked.client, locked.id));
    Ok((report, progress.complete(), events.to_vec()))
}

/// The report that Create made; made here where Create's is missing.
fn fill(tx: &mut WriteTx<'_>, locked: &Locked, at: DateTime<Utc>) -> Result<ReportId> {
    Ok(diesel::insert_into(reports::table)
        .values((
            reports::id.eq(ReportId::new()),
            reports::engagement_id.eq(locked.id),
            reports::client_id.eq(locked.client),
            reports::title.eq(&locked.title),
            reports::created_at.eq(at),
            reports::updated_at.eq(at),
        ))
        .on_conflict(reports::engagement_id)
        .do_update()
        .set((
            reports::updated_at.eq(at),
            reports::deleted_at.eq(None::<DateTime<Utc>>),
            reports::version.eq(reports::version + 1),
        ))
        .returning(reports::id)
        .get_result(tx.conn)?)
}

fn insert_findings(tx: &mut WriteTx<'_>, report: ReportId, found: &[NewFinding<'_>]) -> Result<()> {
    let ids: HashMap<ProcedureId, FindingId> =
        found.iter().map(|finding| (finding.procedure.id, FindingId::new())).collect();
    // Findings that were written before the runbook was submitted stay in front.
    let last: Option<i32> = findings::table
        .filter(findings::report_id.eq(report))
        .select(diesel::dsl::max(findings::position))
        .first(tx.conn)?;
    let (mut rows, mut of_assets, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for finding in found {
        let procedure = finding.procedure;
        let id = ids[&procedure.id].0;
        rows.push((
            findings::id.eq(id),
            findings::report_id.eq(report),
            findings::procedure_id.eq(procedure.id),
            findings::position.eq(last.unwrap_or(0) + finding.position),
            findings::title.eq(&procedure.name),
            findings::severity.eq(finding.severity),
            findings::recommendation.eq(&procedure.recommendation),
        ));
        let assets = procedure.assets.iter().filter(|asset| asset.in_finding);
        of_assets.extend(
            assets.map(|asset| (finding_assets::finding_id.eq(id), finding_assets::asset_id.eq(asset.id))),
        );
        let attached = procedure.attachments.iter().filter(|file| file.in_finding);
        files.extend(attached.map(|file| {
            (finding_attachments::finding_id.eq(id), finding_attachments::attachment_id.eq(file.id))
        }));
    }
    diesel::insert_into(findings::table).values(rows).execute_anew(tx.conn)?;
    diesel::insert_into(finding_assets::table).values(of_assets).execute_anew(tx.conn)?;
    diesel::insert_into(finding_attachments::table).values(files).execute_anew(tx.conn)?;
    Ok(())
}

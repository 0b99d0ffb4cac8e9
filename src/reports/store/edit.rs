//! Writing in a Draft: the narrative, findings, corrections of outcomes; and remediation, which goes on after
//! publishing.

use serde_json::json;
use uuid::Uuid;

use super::content::{Live, Narrative, get_workflow, list_findings};
use super::list::visible_to;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId, FindingId, ProcedureId, ReportId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::base::text::split_tags;
use crate::kernel::db::schema::{
    assets, attachments, engagements, field_history, finding_assets, finding_attachments, findings,
    outcome_corrections, procedures, report_revisions, reports,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::history::{self, Subject, SubjectKind};
use crate::kernel::merge::record::{Columns, Record, Saved, Typed, checked, save};
use crate::kernel::merge::{Change, MergeField, Version, set};
use crate::kernel::web::permit::{Action, EditReport, Permit, RemediateFinding};
use crate::lifecycle::domain::{ReportStatus, check_reason};
use crate::lifecycle::store::touch;
use crate::reports::content::{FindingField, NarrativeField};
use crate::reports::domain::{FrozenOutcome, Runbook};
use crate::reports::workflow::check_editing;
use crate::settings::store::list_choices;

/// A report's row, locked.
#[derive(Debug, Clone)]
pub struct Locked {
    pub id: ReportId,
    pub client: ClientId,
    pub engagement: EngagementId,
    pub status: ReportStatus,
    pub version: i32,
    pub narrative: Narrative,
    /// Whether its runbook was submitted.
    pub submitted: bool,
    /// Whether its engagement was deleted: the report then stays as it is.
    pub deleted: bool,
    /// Whether the runbook holds a procedure.
    pub has_procedures: bool,
}

impl Locked {
    /// An event about this report.
    pub fn event(&self, kind: Kind, sentence: impl Into<String>) -> Event {
        Event::new(kind, sentence)
            .subject("report", self.id.0, &self.narrative.title)
            .engagement(self.client, self.engagement)
    }
}

/// Locks a report at a client that the person sees.
///
/// # Errors
/// [`Error::NotFound`] when it is not there or another client's, [`Error::Forbidden`] without the right at
/// its client.
pub fn lock_report<A: Action>(tx: &mut WriteTx<'_>, permit: &Permit<A>, id: ReportId) -> Result<Locked> {
    use diesel::dsl::exists;
    let visible: Vec<Uuid> = permit.visible().iter().map(|client| client.0).collect();
    let own = || {
        reports::table
            .find(id.0)
            .filter(reports::deleted_at.is_null().and(reports::client_id.eq_any(visible.clone())))
    };
    // Locks are taken in one order: the engagement, shared, before its report.
    let engagement: Uuid = own().select(reports::engagement_id).first(tx.conn)?;
    let (submitted, deleted): (bool, bool) = engagements::table
        .find(engagement)
        .select((engagements::submitted_at.is_not_null(), engagements::deleted_at.is_not_null()))
        .for_share()
        .first(tx.conn)?;
    let (client, engagement, status, version, narrative): (
        ClientId,
        EngagementId,
        ReportStatus,
        i32,
        Narrative,
    ) = own()
        .select((
            reports::client_id,
            reports::engagement_id,
            reports::status,
            reports::version,
            Narrative::as_select(),
        ))
        .for_update()
        .first(tx.conn)?;
    visible_to(permit, status, client)?;
    let has_procedures: bool =
        diesel::select(exists(procedures::table.filter(procedures::engagement_id.eq(engagement.0))))
            .get_result(tx.conn)?;
    Ok(Locked { id, client, engagement, status, version, narrative, submitted, deleted, has_procedures })
}

/// The sentence for a report whose engagement was deleted.
pub(super) const DELETED: &str = "The engagement of this report was deleted, so the report stays as it is.";

/// Locks a report that may be written in.
fn open(tx: &mut WriteTx<'_>, permit: &Permit<EditReport>, id: ReportId) -> Result<Locked> {
    let locked = lock_report(tx, permit, id)?;
    if locked.deleted {
        return Err(Error::Conflict(DELETED.into()));
    }
    check_editing(locked.status, locked.submitted, locked.has_procedures)
        .map_err(|refusal| Error::Conflict(refusal.0))?;
    Ok(locked)
}

/// The report's row changed.
fn changed(tx: &mut WriteTx<'_>, locked: &Locked) -> Result<()> {
    diesel::update(reports::table.find(locked.id.0))
        .set((reports::updated_at.eq(tx.now()), reports::version.eq(locked.version + 1)))
        .execute(tx.conn)?;
    let by = tx.actor().name.clone();
    touch(tx.conn, locked.engagement, tx.now(), &by)
}

/// The narrative is the report's own record.
impl Columns for Locked {
    type Field = NarrativeField;

    fn get(&self, field: NarrativeField) -> String {
        self.narrative.get(field)
    }

    fn set(&mut self, field: NarrativeField, value: &str) -> Result<()> {
        self.narrative.set(field, value)
    }
}

impl Record for Locked {
    fn subject(&self) -> Subject {
        Subject(SubjectKind::Report, self.id.0)
    }

    fn version(&self) -> Version {
        self.version
    }

    fn check(&self, field: NarrativeField, raw: &str) -> Result<String, String> {
        field.check(raw)
    }

    fn store(
        &mut self,
        tx: &mut WriteTx<'_>,
        _version: Version,
        _changes: &[Change<NarrativeField>],
    ) -> Result<()> {
        diesel::update(reports::table.find(self.id.0)).set(&self.narrative).execute(tx.conn)?;
        changed(tx, self)
    }
}

/// Saves the narrative field by field. What conflicts is not stored and comes back with both values.
///
/// # Errors
/// [`Error::Invalid`] with a sentence for each field that does not hold (nothing is stored);
/// [`Error::Conflict`] when the report left Draft meanwhile.
pub fn save_narrative(
    tx: &mut WriteTx<'_>,
    permit: &Permit<EditReport>,
    id: ReportId,
    typed: &[Typed<NarrativeField>],
) -> Result<Audited<Saved<NarrativeField>>> {
    let mut locked = open(tx, permit, id)?;
    let saved = save(tx, &mut locked, typed, |_| Ok(()))?;
    if !saved.changes() {
        return Ok(tx.unchanged(saved));
    }
    let sentence = format!("Wrote in the report “{}”", locked.narrative.title);
    let event =
        locked.event(Kind::ReportUpdated, sentence).telling(saved.accepted.iter().map(Change::detail));
    tx.audited(saved, event)
}

/// A finding of a locked report.
struct HeldFinding<'l> {
    locked: &'l Locked,
    live: Live,
}

impl Columns for HeldFinding<'_> {
    type Field = FindingField;

    fn get(&self, field: FindingField) -> String {
        self.live.get(field)
    }

    fn set(&mut self, field: FindingField, value: &str) -> Result<()> {
        self.live.set(field, value)
    }
}

impl Record for HeldFinding<'_> {
    fn subject(&self) -> Subject {
        Subject(SubjectKind::Finding, self.live.finding.id.0)
    }

    fn version(&self) -> Version {
        self.live.version
    }

    fn check(&self, field: FindingField, raw: &str) -> Result<String, String> {
        field.check(raw)
    }

    fn store(
        &mut self,
        tx: &mut WriteTx<'_>,
        version: Version,
        changes: &[Change<FindingField>],
    ) -> Result<()> {
        let Live { finding, remediation, .. } = &self.live;
        diesel::update(findings::table.find(finding.id.0))
            .set((
                findings::title.eq(&finding.title),
                findings::severity.eq(finding.severity),
                findings::description.eq(&finding.description),
                findings::recommendation.eq(&finding.recommendation),
                findings::tags.eq(&finding.tags),
                findings::state.eq(remediation.state),
                findings::owner.eq(&remediation.owner),
                findings::due_on.eq(remediation.due_on),
                findings::version.eq(version),
            ))
            .execute(tx.conn)?;
        for change in changes.iter().filter(|change| change.field.is_set()) {
            link(tx, self.locked, finding.id, change.field, &change.new)?;
        }
        Ok(())
    }
}

/// The sentence for a form that added its finding already and was then typed over.
const ADDED_ALREADY: &str =
    "This form added its finding already. Add what you typed now as another one, or edit the first.";

/// Adds a finding behind the last one; a second post of the same form finds the first one's.
///
/// # Errors
/// As [`save_narrative`].
pub fn add_finding(
    tx: &mut WriteTx<'_>,
    permit: &Permit<EditReport>,
    report: ReportId,
    id: FindingId,
    typed: &[Typed<FindingField>],
) -> Result<Audited<()>> {
    let locked = open(tx, permit, report)?;
    let new = HeldFinding { locked: &locked, live: Live::blank(id) };
    let posted = checked(&new, typed)?;
    if let Some(live) = list_findings(tx.conn, report)?.into_iter().find(|live| live.finding.id == id) {
        let same = FindingField::of_report()
            .iter()
            .all(|field| posted.iter().any(|p| p.field == *field && p.value == live.get(*field)));
        return if same { Ok(tx.unchanged(())) } else { Err(Error::Conflict(ADDED_ALREADY.into())) };
    }
    let known = field_history::table
        .filter(field_history::subject_type.eq(SubjectKind::Finding).and(field_history::subject_id.eq(id.0)));
    if diesel::select(diesel::dsl::exists(known)).get_result(tx.conn)? {
        return Err(Error::Conflict(ADDED_ALREADY.into()));
    }
    let last: Option<i32> = findings::table
        .filter(findings::report_id.eq(report.0))
        .select(diesel::dsl::max(findings::position))
        .first(tx.conn)?;
    let value =
        |field: FindingField| posted.iter().find(|p| p.field == field).map_or("", |p| p.value.as_str());
    diesel::insert_into(findings::table)
        .values((
            findings::id.eq(id.0),
            findings::report_id.eq(report.0),
            findings::position.eq(last.unwrap_or(0) + 1),
            findings::title.eq(value(FindingField::Title)),
            findings::severity.eq(value(FindingField::Severity)),
            findings::description.eq(value(FindingField::Description)),
            findings::recommendation.eq(value(FindingField::Recommendation)),
            findings::tags.eq(split_tags(value(FindingField::Tags)).collect::<Vec<_>>()),
        ))
        .execute(tx.conn)
        .map_err(|e| match Error::constraint(&e) {
            Some("findings_pkey") => Error::NotFound,
            _ => e.into(),
        })?;
    link(tx, &locked, id, FindingField::Assets, value(FindingField::Assets))?;
    link(tx, &locked, id, FindingField::Evidence, value(FindingField::Evidence))?;
    let first: Vec<_> =
        posted.iter().filter(|p| !p.value.is_empty()).map(|p| (p.field, 1, p.value.as_str())).collect();
    history::note(tx, new.subject(), &first)?;
    changed(tx, &locked)?;
    let title = value(FindingField::Title).to_owned();
    let sentence = format!("Added the finding “{title}” to the report “{}”", locked.narrative.title);
    let event = locked.event(Kind::FindingCreated, sentence).subject("finding", id.0, title);
    tx.audited((), event.detail(json!({ "severity": value(FindingField::Severity) })))
}

/// Saves a finding of a Draft field by field.
///
/// # Errors
/// As [`save_narrative`]; [`Error::NotFound`] when the finding is not one of the report's.
pub fn save_finding(
    tx: &mut WriteTx<'_>,
    permit: &Permit<EditReport>,
    report: ReportId,
    id: FindingId,
    typed: &[Typed<FindingField>],
) -> Result<Audited<Saved<FindingField>>> {
    let locked = open(tx, permit, report)?;
    store_finding(tx, &locked, id, typed, Kind::FindingUpdated)
}

/// Saves the remediation of a finding: in Draft and after publishing, also by the client's people.
///
/// # Errors
/// As [`save_finding`]; [`Error::NotFound`] for who reads only published reports while this one is not.
pub fn save_remediation(
    tx: &mut WriteTx<'_>,
    permit: &Permit<RemediateFinding>,
    report: ReportId,
    id: FindingId,
    typed: &[Typed<FindingField>],
) -> Result<Audited<Saved<FindingField>>> {
    let locked = lock_report(tx, permit, report)?;
    store_finding(tx, &locked, id, typed, Kind::FindingRemediated)
}

fn store_finding(
    tx: &mut WriteTx<'_>,
    locked: &Locked,
    id: FindingId,
    typed: &[Typed<FindingField>],
    kind: Kind,
) -> Result<Audited<Saved<FindingField>>> {
    let live = list_findings(tx.conn, locked.id)?
        .into_iter()
        .find(|live| live.finding.id == id)
        .ok_or(Error::NotFound)?;
    let mut held = HeldFinding { locked, live };
    let saved = save(tx, &mut held, typed, |_| Ok(()))?;
    if !saved.changes() {
        return Ok(tx.unchanged(saved));
    }
    if kind == Kind::FindingUpdated {
        changed(tx, locked)?;
    }
    let title = &held.live.finding.title;
    let event = locked
        .event(kind, format!("Changed the finding “{title}”"))
        .subject("finding", id.0, title)
        .telling(saved.accepted.iter().map(Change::detail));
    tx.audited(saved, event)
}

/// Sets a finding's assets or evidence; both must be the report's own: of its client, of its engagement.
fn link(
    tx: &mut WriteTx<'_>,
    locked: &Locked,
    id: FindingId,
    field: FindingField,
    value: &str,
) -> Result<()> {
    let wanted: Vec<Uuid> = set::keys(value).filter_map(|id| id.parse().ok()).collect();
    let stranger = |known: usize| {
        if known == wanted.len() {
            return Ok(());
        }
        Err(Error::field(
            field.as_str(),
            "One of the chosen is no longer there. Reload the page and choose again.",
        ))
    };
    if field == FindingField::Assets {
        let own = assets::table.filter(assets::id.eq_any(&wanted).and(assets::client_id.eq(locked.client.0)));
        stranger(own.count().get_result::<i64>(tx.conn)? as usize)?;
        diesel::delete(finding_assets::table.filter(finding_assets::finding_id.eq(id.0))).execute(tx.conn)?;
        let rows: Vec<_> = wanted
            .iter()
            .map(|asset| (finding_assets::finding_id.eq(id.0), finding_assets::asset_id.eq(*asset)))
            .collect();
        diesel::insert_into(finding_assets::table).values(rows).execute_anew(tx.conn)?;
    } else {
        let own = attachments::table
            .filter(attachments::id.eq_any(&wanted).and(attachments::engagement_id.eq(locked.engagement.0)));
        stranger(own.count().get_result::<i64>(tx.conn)? as usize)?;
        diesel::delete(finding_attachments::table.filter(finding_attachments::finding_id.eq(id.0)))
            .execute(tx.conn)?;
        let rows: Vec<_> = wanted
            .iter()
            .map(|file| {
                (finding_attachments::finding_id.eq(id.0), finding_attachments::attachment_id.eq(*file))
            })
            .collect();
        diesel::insert_into(finding_attachments::table).values(rows).execute_anew(tx.conn)?;
    }
    Ok(())
}

/// Takes a finding out of a Draft. Its procedure keeps its severity.
///
/// # Errors
/// As [`save_finding`].
pub fn remove_finding(
    tx: &mut WriteTx<'_>,
    permit: &Permit<EditReport>,
    report: ReportId,
    id: FindingId,
) -> Result<Audited<String>> {
    let locked = open(tx, permit, report)?;
    let title: String = findings::table
        .find(id.0)
        .filter(findings::report_id.eq(report.0))
        .select(findings::title)
        .first(tx.conn)?;
    diesel::delete(findings::table.find(id.0)).execute(tx.conn)?;
    changed(tx, &locked)?;
    let sentence = format!("Removed the finding “{title}” from the report “{}”", locked.narrative.title);
    let event = locked.event(Kind::FindingRemoved, sentence).subject("finding", id.0, &title);
    tx.audited(title, event)
}

/// Moves a finding one place up or down.
///
/// # Errors
/// As [`save_finding`].
pub fn shift_finding(
    tx: &mut WriteTx<'_>,
    permit: &Permit<EditReport>,
    report: ReportId,
    id: FindingId,
    up: bool,
) -> Result<Audited<()>> {
    let locked = open(tx, permit, report)?;
    let mut order: Vec<Uuid> = findings::table
        .filter(findings::report_id.eq(report.0))
        .order((findings::position, findings::id))
        .select(findings::id)
        .load(tx.conn)?;
    let from = order.iter().position(|other| *other == id.0).ok_or(Error::NotFound)?;
    let to = if up { from.checked_sub(1) } else { Some(from + 1).filter(|to| *to < order.len()) };
    let Some(to) = to else { return Ok(tx.unchanged(())) };
    order.swap(from, to);
    // sql_query: every place in one statement.
    diesel::sql_query(
        "UPDATE findings f SET position = o.place \
        FROM unnest($1::uuid[]) WITH ORDINALITY AS o(id, place) WHERE f.id = o.id",
    )
    .bind::<diesel::sql_types::Array<diesel::sql_types::Uuid>, _>(order)
    .execute(tx.conn)?;
    changed(tx, &locked)?;
    let event = locked.event(
        Kind::FindingsReordered,
        format!("Changed the order of the findings of “{}”", locked.narrative.title),
    );
    tx.audited((), event)
}

/// A correction as it was typed.
#[derive(Debug, Clone)]
pub struct TypedCorrection {
    pub procedure: ProcedureId,
    pub team: Team,
    /// Key of the outcome that counts; empty for unanswered.
    pub outcome: String,
    pub reason: String,
    /// The correction that the page showed; none for the frozen value.
    pub seen: Option<Uuid>,
}

/// Puts a frozen outcome right in the report. The frozen value stays in the runbook and visible.
///
/// # Errors
/// [`Error::Invalid`] without a reason or for an outcome that is not the team's; [`Error::Conflict`] when
/// somebody put it right meanwhile or the report left Draft.
pub fn correct_outcome(
    tx: &mut WriteTx<'_>,
    permit: &Permit<EditReport>,
    id: ReportId,
    typed: &TypedCorrection,
) -> Result<Audited<i32>> {
    let locked = open(tx, permit, id)?;
    let reason = check_reason(&typed.reason).map_err(|sentence| Error::field("reason", sentence))?;
    let body: serde_json::Value = report_revisions::table
        .filter(report_revisions::report_id.eq(id.0))
        .order(report_revisions::n.desc())
        .select(report_revisions::body)
        .first(tx.conn)?;
    let book: Runbook = serde_json::from_value(body)?;
    let procedure = book.procedures.into_iter().find(|p| p.id == typed.procedure).ok_or(Error::NotFound)?;
    let known = get_workflow(tx.conn, id)?.corrections;
    let last = known.iter().rev().find(|c| c.procedure_id == typed.procedure && c.team == typed.team);
    if last.map(|c| c.id) != typed.seen {
        return Err(Error::Conflict(
            "Somebody put this outcome right since you opened the page. Look at it again.".into(),
        ));
    }
    let frozen = if typed.team == Team::Red { procedure.red_outcome } else { procedure.blue_outcome };
    let counts = last.map_or_else(|| frozen.clone(), |c| c.after.clone());
    let after = find_outcome(tx.conn, typed.team, &typed.outcome, [frozen.as_ref(), counts.as_ref()])?;
    let label = |outcome: &Option<FrozenOutcome>| {
        outcome.as_ref().map_or("Unanswered".to_owned(), |o| o.label.clone())
    };
    if after == counts {
        return Err(Error::field(
            "outcome",
            format!("It is {} already. Choose the outcome that counts.", label(&counts)),
        ));
    }
    let correction = Uuid::now_v7();
    diesel::insert_into(outcome_corrections::table)
        .values((
            outcome_corrections::id.eq(correction),
            outcome_corrections::report_id.eq(id.0),
            outcome_corrections::procedure_id.eq(typed.procedure.0),
            outcome_corrections::team.eq(typed.team),
            outcome_corrections::before.eq(frozen.as_ref().map(serde_json::to_value).transpose()?),
            outcome_corrections::after.eq(after.as_ref().map(serde_json::to_value).transpose()?),
            outcome_corrections::reason.eq(&reason),
            outcome_corrections::person_id.eq(tx.actor().id.map(|id| id.0)),
            outcome_corrections::person_name.eq(&tx.actor().name),
            outcome_corrections::at.eq(tx.now()),
        ))
        .execute(tx.conn)?;
    changed(tx, &locked)?;
    let side = typed.team.label().to_lowercase();
    let (from, to) = (label(&counts), label(&after));
    let sentence = format!(
        "Corrected the {side} outcome of procedure {} “{}” from {from} to {to}",
        procedure.position, procedure.name
    );
    let event = locked
        .event(Kind::OutcomeCorrected, sentence)
        .subject("procedure", typed.procedure.0, &procedure.name)
        .changes([(
            if typed.team == Team::Red { "red_outcome" } else { "blue_outcome" },
            from.as_str(),
            to.as_str(),
            false,
        )]);
    tx.audited(procedure.position, event)
}

/// An outcome by its key, as it means today; one that the runbook holds as it meant then.
fn find_outcome(
    conn: &mut PgConnection,
    team: Team,
    key: &str,
    held: [Option<&FrozenOutcome>; 2],
) -> Result<Option<FrozenOutcome>> {
    if key.is_empty() {
        return Ok(None);
    }
    if let Some(held) = held.into_iter().flatten().find(|held| held.key == key) {
        return Ok(Some(held.clone()));
    }
    let chosen = list_choices(conn, team, None)?.into_iter().find(|outcome| outcome.key == key);
    match chosen {
        Some(outcome) => Ok(Some(outcome.into())),
        None => Err(Error::field("outcome", "Choose one of the outcomes.")),
    }
}

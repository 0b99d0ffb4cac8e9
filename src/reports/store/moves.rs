//! The report's steps. Each moves the engagement's status in the same transaction, under the engagement's
//! lock.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::collect::collect;
use super::content::{get_content, get_workflow};
use super::edit::{DELETED, Locked, lock_report};
use super::list::{find_frozen, visible_to};
use crate::accounts::domain::AccountStatus;
use crate::accounts::store::notices;
use crate::accounts::store::notices::NewNotice;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId, ReportId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{
    client_access, engagement_operators, field_history, findings, outcome_corrections, people,
    procedure_operators, procedures, report_moves, report_publications, report_reviewers, report_revisions,
    reports, role_permissions, settings,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::kernel::web::permit::{Permit, WorkReport};
use crate::lifecycle::domain::{Command, EngagementStatus, ReportStatus, check_reason};
use crate::lifecycle::store::{apply, lock_engagement};
use crate::reports::content::FindingField;
use crate::reports::workflow::{Step, check_author, find_step};
use crate::settings::domain::ApprovalRule;

/// A step as somebody asked for it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The status that their page showed.
    pub from: ReportStatus,
    /// The status they want.
    pub to: ReportStatus,
    /// What they say to it.
    pub comment: String,
    /// Who shall review, when it is sent for review.
    pub reviewers: Vec<PersonId>,
}

/// What a step led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The report's status now.
    pub report: ReportStatus,
    pub engagement: EngagementStatus,
}

/// Moves a report one step, and its engagement with it.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] without the step's right; [`Error::Conflict`] when the report is
/// no longer where the page showed it; [`Error::Refused`] with the lifecycle's sentence; [`Error::Invalid`]
/// without a wanted comment.
pub fn move_report(
    tx: &mut WriteTx<'_>,
    permit: &Permit<WorkReport>,
    id: ReportId,
    asked: &Asked,
) -> Result<Audited<Moved>> {
    let visible = permit.visible();
    let (engagement, client, status): (EngagementId, ClientId, ReportStatus) = reports::table
        .find(id)
        .filter(reports::deleted_at.is_null().and(reports::client_id.eq_any(visible.ids())))
        .select((reports::engagement_id, reports::client_id, reports::status))
        .first(tx.conn)?;
    visible_to(permit, status, client)?;
    let (mut held, due) = lock_engagement(tx, engagement, &visible).map_err(|error| match error {
        Error::NotFound => Error::Refused(DELETED.into()),
        other => other,
    })?;
    let locked = lock_report(tx, permit, id)?;
    if locked.status != asked.from {
        return Err(Error::Conflict(format!(
            "Somebody moved this report to {} meanwhile. Look at it again.",
            locked.status
        )));
    }
    let step = find_step(asked.from, asked.to).map_err(|refusal| Error::Refused(refusal.0))?;
    if !permit.may_at(step.needs, locked.client) {
        return Err(Error::Forbidden(format!(
            "You may not do this with the reports of this client: {}.",
            step.label
        )));
    }
    let comment = comment(step, &asked.comment)?;
    let rule: String = settings::table.select(settings::approval_rule).first(tx.conn)?;
    let rule: ApprovalRule =
        rule.parse().map_err(|e: crate::kernel::base::text_enum::UnknownValue| Error::Internal(e.into()))?;
    let author = tx.actor().id.map(|person| is_author(tx.conn, id, person)).transpose()?.unwrap_or(false);
    check_author(rule, step, author).map_err(|refusal| Error::Refused(refusal.0))?;
    let command = if step.from == ReportStatus::Published {
        Command::ReportTakenBack
    } else {
        Command::ReportMoved(step.to)
    };
    let mut events: Vec<Event> = due.into_iter().collect();
    let actor = tx.actor();
    events.extend(apply(tx, &mut held, &command, actor)?);
    match step.to {
        ReportStatus::Published => {
            let (at, by) = (tx.now(), tx.actor().name.clone());
            keep_published(tx, &locked, at, &by)?;
        }
        ReportStatus::ReadyForReview => events.extend(ask(tx, &locked, &asked.reviewers)?),
        _ => {}
    }
    store(tx, &locked, step, &comment)?;
    tell(tx, &locked, step, &comment)?;
    let kind = if step.from == ReportStatus::Published { Kind::ReportTakenBack } else { Kind::ReportMoved };
    let event = locked
        .event(kind, format!("Moved the report of “{}” from {} to {}", held.title, step.from, step.to))
        .detail(
            serde_json::json!({ "from": step.from, "to": step.to, "comment_chars": comment.chars().count() }),
        );
    events.insert(0, event);
    tx.audited_all(Moved { report: step.to, engagement: held.status }, &events)
}

fn comment(step: &Step, raw: &str) -> Result<String> {
    if raw.trim().is_empty() && !step.wants_comment {
        return Ok(String::new());
    }
    check_reason(raw).map_err(|sentence| {
        let sentence = if raw.trim().is_empty() {
            "Say what has to be mended: whoever wrote the report reads it.".to_owned()
        } else {
            sentence
        };
        Error::field("comment", sentence)
    })
}

fn store(tx: &mut WriteTx<'_>, locked: &Locked, step: &Step, comment: &str) -> Result<()> {
    let (at, by) = (tx.now(), tx.actor().clone());
    diesel::update(reports::table.find(locked.id))
        .set((
            reports::status.eq(step.to),
            reports::updated_at.eq(at),
            reports::version.eq(locked.version + 1),
        ))
        .execute(tx.conn)?;
    note_move(tx, locked.id, (step.from, step.to), comment, at, &by)
}

/// Notes a step in the report's history.
///
/// # Errors
/// When the database refuses.
fn note_move(
    tx: &mut WriteTx<'_>,
    report: ReportId,
    (from, to): (ReportStatus, ReportStatus),
    comment: &str,
    at: DateTime<Utc>,
    by: &Actor,
) -> Result<()> {
    diesel::insert_into(report_moves::table)
        .values((
            report_moves::id.eq(Uuid::now_v7()),
            report_moves::report_id.eq(report),
            report_moves::from_status.eq(from.as_str()),
            report_moves::to_status.eq(to.as_str()),
            report_moves::comment.eq(comment),
            report_moves::person_id.eq(by.id),
            report_moves::person_name.eq(&by.name),
            report_moves::at.eq(at),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Whether somebody wrote in a report: submitted its runbook, saved narrative or findings, corrected an
/// outcome.
pub fn is_author(conn: &mut PgConnection, report: ReportId, person: PersonId) -> Result<bool> {
    use diesel::dsl::exists;
    let of_findings = findings::table.filter(findings::report_id.eq(report)).select(findings::id);
    // Whoever keeps the remediation writes nothing of the report.
    let text_of_findings: Vec<&str> = FindingField::of_report().iter().map(|field| field.as_str()).collect();
    let wrote = field_history::table.filter(field_history::person_id.eq(person)).filter(
        field_history::subject_type.eq("report").and(field_history::subject_id.eq(report)).or(
            field_history::subject_type
                .eq("finding")
                .and(field_history::subject_id.eq_any(of_findings))
                .and(field_history::field.eq_any(text_of_findings)),
        ),
    );
    let corrected = outcome_corrections::table
        .filter(outcome_corrections::report_id.eq(report).and(outcome_corrections::person_id.eq(person)));
    let submitted = report_revisions::table
        .filter(report_revisions::report_id.eq(report).and(report_revisions::frozen_by.eq(person)));
    Ok(diesel::select(exists(wrote).or(exists(corrected)).or(exists(submitted))).get_result(conn)?)
}

/// Keeps what is published, whole: the runbook that Submit froze, or the engagement as it is where there was
/// none to submit, and everything that the report says beside it.
///
/// # Errors
/// When the database refuses.
fn keep_published(tx: &mut WriteTx<'_>, locked: &Locked, at: DateTime<Utc>, by: &str) -> Result<()> {
    let report = locked.id;
    let content = serde_json::to_value(get_content(tx.conn, report)?)?;
    let book = match find_frozen(tx.conn, report)? {
        Some(book) => book,
        None => collect(tx.conn, locked.engagement, &Visible::found(locked.client), ("", at))?,
    };
    let last: Option<i32> = report_publications::table
        .filter(report_publications::report_id.eq(report))
        .select(diesel::dsl::max(report_publications::n))
        .first(tx.conn)?;
    diesel::insert_into(report_publications::table)
        .values((
            report_publications::report_id.eq(report),
            report_publications::n.eq(last.unwrap_or(0) + 1),
            report_publications::body.eq(serde_json::to_value(book)?),
            report_publications::content.eq(content),
            report_publications::published_at.eq(at),
            report_publications::published_by.eq(by),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Sets who is asked to review; the event tells their names.
fn ask(tx: &mut WriteTx<'_>, locked: &Locked, reviewers: &[PersonId]) -> Result<Option<Event>> {
    let may = list_reviewers(tx.conn, locked.client)?;
    if reviewers.iter().any(|person| may.iter().all(|(known, _)| known != person)) {
        return Err(Error::field(
            "reviewers",
            "One of the reviewers may not review the reports of this client. Take them out.",
        ));
    }
    diesel::delete(report_reviewers::table.filter(report_reviewers::report_id.eq(locked.id)))
        .execute(tx.conn)?;
    let rows: Vec<_> = reviewers
        .iter()
        .map(|person| (report_reviewers::report_id.eq(locked.id), report_reviewers::person_id.eq(person)))
        .collect();
    diesel::insert_into(report_reviewers::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute_anew(tx.conn)?;
    let names: Vec<&str> =
        may.iter().filter(|(person, _)| reviewers.contains(person)).map(|(_, name)| name.as_str()).collect();
    let sentence = format!("Asked {} to review the report “{}”", names.join(", "), locked.narrative.title);
    Ok((!names.is_empty()).then(|| {
        locked.event(Kind::ReviewersChanged, sentence).detail(serde_json::json!({ "reviewers": names }))
    }))
}

/// Who may review the reports of a client, by name.
pub fn list_reviewers(conn: &mut PgConnection, client: ClientId) -> Result<Vec<(PersonId, String)>> {
    Ok(client_access::table
        .inner_join(people::table.on(people::id.eq(client_access::person_id)))
        .inner_join(role_permissions::table.on(role_permissions::role_id.eq(client_access::role_id)))
        .filter(
            client_access::client_id
                .eq(client)
                .and(role_permissions::permission.eq(P::ReportReview.as_str())),
        )
        .filter(people::deleted_at.is_null().and(people::status.ne(AccountStatus::Disabled)))
        .order((people::name, people::id))
        .select((people::id, people::name))
        .load(conn)?)
}

/// Reviewers learn that a report waits for them, everybody who may review where nobody was asked; whoever
/// sent it learns what became of it.
fn tell(tx: &mut WriteTx<'_>, locked: &Locked, step: &Step, comment: &str) -> Result<()> {
    let title = &locked.narrative.title;
    let (to, text): (Vec<PersonId>, String) = match step.to {
        ReportStatus::ReadyForReview => {
            let mut asked: Vec<PersonId> =
                get_workflow(tx.conn, locked.id)?.reviewers.into_iter().map(|r| r.id).collect();
            if asked.is_empty() {
                asked =
                    list_reviewers(tx.conn, locked.client)?.into_iter().map(|(person, _)| person).collect();
            }
            (asked, format!("The report “{title}” waits for your review."))
        }
        ReportStatus::InReview => return Ok(()),
        ReportStatus::Published => {
            let mut readers = senders(tx.conn, locked.id)?;
            readers.extend(list_concerned(tx.conn, locked.engagement, locked.client)?);
            (readers, format!("The report “{title}” is Published."))
        }
        status if comment.is_empty() => {
            (senders(tx.conn, locked.id)?, format!("The report “{title}” is {status}."))
        }
        status => (senders(tx.conn, locked.id)?, format!("The report “{title}” is {status}: {comment}")),
    };
    notices::overtake(tx, &format!("/reports/{}", locked.id))?;
    let notices = to
        .into_iter()
        .map(|person| NewNotice {
            person,
            client: Some(locked.client),
            text: text.clone(),
            href: format!("/reports/{}", locked.id),
        })
        .collect();
    notices::give(tx, notices)
}

/// Whom a published report concerns: the operators of its engagement, and the client's people who read only
/// what is published.
fn list_concerned(
    conn: &mut PgConnection,
    engagement: EngagementId,
    client: ClientId,
) -> Result<Vec<PersonId>> {
    let mut concerned: Vec<PersonId> = engagement_operators::table
        .filter(engagement_operators::engagement_id.eq(engagement))
        .select(engagement_operators::person_id)
        .load(conn)?;
    let of_procedures: Vec<PersonId> = procedure_operators::table
        .inner_join(procedures::table.on(procedures::id.eq(procedure_operators::procedure_id)))
        .filter(procedures::engagement_id.eq(engagement))
        .select(procedure_operators::person_id)
        .load(conn)?;
    let readers: Vec<PersonId> = client_access::table
        .inner_join(role_permissions::table.on(role_permissions::role_id.eq(client_access::role_id)))
        .filter(client_access::client_id.eq(client))
        .filter(role_permissions::permission.eq(P::ReportReadPublished.as_str()))
        .select(client_access::person_id)
        .load(conn)?;
    concerned.extend(of_procedures.into_iter().chain(readers));
    Ok(concerned)
}

/// Who sent it for review the last time.
fn senders(conn: &mut PgConnection, report: ReportId) -> Result<Vec<PersonId>> {
    let sent: Option<Option<PersonId>> = report_moves::table
        .filter(
            report_moves::report_id
                .eq(report)
                .and(report_moves::to_status.eq(ReportStatus::ReadyForReview.as_str())),
        )
        .order(report_moves::at.desc())
        .select(report_moves::person_id)
        .first(conn)
        .optional()?;
    Ok(sent.flatten().into_iter().collect())
}

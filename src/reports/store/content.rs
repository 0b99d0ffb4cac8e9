//! What a report says now: narrative, findings, corrections; and how it came where it stands.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Jsonb, Uuid as SqlUuid};
use serde::Deserialize;
use uuid::Uuid;

use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{FindingId, PersonId, ReportId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{report_publications, reports};
use crate::kernel::merge::record::Columns;
use crate::kernel::merge::value::Value;
use crate::lifecycle::domain::ReportStatus;
use crate::procedures::domain::Severity;
use crate::reports::content::{
    Content, Correction, Cover, Finding, FindingField, FindingState, NarrativeField, Remediation,
};
use crate::reports::domain::Runbook;

/// The narrative's columns, in the order of [`NarrativeField`].
#[derive(Debug, Clone, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = reports, check_for_backend(diesel::pg::Pg))]
pub struct Narrative {
    pub title: String,
    pub classification: String,
    pub tags: Vec<String>,
    pub executive_summary: String,
    pub approach: String,
    pub observations: String,
    pub conclusion: String,
}

crate::merge_columns! {
    Narrative: NarrativeField {
        Title => title;
        Classification => classification;
        Tags => tags;
        ExecutiveSummary => executive_summary;
        Approach => approach;
        Observations => observations;
        Conclusion => conclusion;
    }
}

impl Narrative {
    /// Chapters that are written.
    pub fn chapters(&self) -> Vec<(String, String)> {
        let all = NarrativeField::chapters().iter().map(|field| (field.label().to_owned(), self.get(*field)));
        all.filter(|(_, text)| !text.is_empty()).collect()
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Jsonb)]
    row: serde_json::Value,
}

#[derive(Deserialize)]
struct FindingRow {
    #[serde(flatten)]
    finding: Finding,
    #[serde(flatten)]
    remediation: Remediation,
    version: i32,
}

/// A finding as it stands, for pages that edit it.
#[derive(Debug, Clone)]
pub struct Live {
    /// What the report says.
    pub finding: Finding,
    /// Where its remediation stands.
    pub remediation: Remediation,
    pub version: i32,
}

/// A report's findings with their assets and evidence, in order.
pub fn list_findings(conn: &mut PgConnection, report: ReportId) -> Result<Vec<Live>> {
    // sql_query: assets and evidence of all findings in the one statement, as the shapes that Publish keeps.
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT jsonb_build_object('id', f.id, 'procedure_id', f.procedure_id, 'title', f.title, \
            'severity', f.severity,
            'description', f.description, 'recommendation', f.recommendation, 'tags', f.tags, \
            'state', f.state, 'owner', \
            f.owner, 'due_on', f.due_on,
            'version', f.version,
            'assets', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name, 'kind', \
            a.kind, 'criticality', a.criticality,
                'address', a.address) ORDER BY a.name), '[]') FROM finding_assets fa \
                JOIN assets a ON a.id = fa.asset_id WHERE fa.finding_id = f.id),
            'evidence', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'team', t.team, 'title', \
            t.title, 'description', t.description,
                'file_name', t.file_name, 'media_type', t.media_type, 'size', t.size, 'sha256', \
                encode(t.sha256, 'hex'), 'in_finding', true,
                'uploaded_by', p.name, 'uploaded_at', t.uploaded_at) ORDER BY t.uploaded_at, t.id), '[]')
                FROM finding_attachments ft JOIN attachments t ON t.id = ft.attachment_id \
                JOIN people p ON p.id = t.uploaded_by
                WHERE ft.finding_id = f.id)) AS row
         FROM findings f WHERE f.report_id = $1 ORDER BY f.position, f.id",
    )
    .bind::<SqlUuid, _>(report)
    .load(conn)?;
    rows.into_iter()
        .map(|row| {
            let row: FindingRow = serde_json::from_value(row.row)?;
            Ok(Live { finding: row.finding, remediation: row.remediation, version: row.version })
        })
        .collect()
}

/// A step that the report took.
#[derive(Debug, Clone, Deserialize)]
pub struct Move {
    pub from: ReportStatus,
    pub to: ReportStatus,
    /// What was said to it.
    pub comment: String,
    pub by: String,
    pub at: DateTime<Utc>,
}

/// A revision that was published.
#[derive(Debug, Clone, Deserialize)]
pub struct Revision {
    pub n: i32,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    pub published_by: String,
    /// When it was taken back.
    pub taken_back_at: Option<DateTime<Utc>>,
    pub taken_back_by: Option<String>,
    pub taken_back_reason: Option<String>,
}

/// Somebody who was asked to review.
#[derive(Debug, Clone, Deserialize)]
pub struct Reviewer {
    pub id: PersonId,
    pub name: String,
}

/// How a report came where it stands.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Workflow {
    pub corrections: Vec<Correction>,
    pub moves: Vec<Move>,
    /// Published revisions, the oldest first.
    pub revisions: Vec<Revision>,
    /// Who was asked to review.
    pub reviewers: Vec<Reviewer>,
    /// The organisation as the settings name it, with its classification of reports.
    pub house: Cover,
}

impl Workflow {
    /// The step by which what stands now was approved.
    pub fn approval(&self) -> Option<&Move> {
        let stands = self.moves.last().is_some_and(|last| last.to >= ReportStatus::Approved);
        self.moves.iter().rev().find(|step| stands && step.to == ReportStatus::Approved)
    }

    /// The step by which a revision was approved.
    pub fn approval_before(&self, revision: &Revision) -> Option<&Move> {
        let approved = |step: &&Move| step.to == ReportStatus::Approved && step.at <= revision.published_at;
        self.moves.iter().rev().find(approved)
    }

    /// The revision that is published now.
    pub fn published(&self) -> Option<&Revision> {
        let stands = self.moves.last().is_some_and(|last| last.to == ReportStatus::Published);
        self.revisions.last().filter(|_| stands)
    }
}

/// Reads a report's corrections, steps, revisions and reviewers.
pub fn get_workflow(conn: &mut PgConnection, report: ReportId) -> Result<Workflow> {
    // sql_query: four short lists in one statement.
    let row: Row = diesel::sql_query(
        "SELECT jsonb_build_object(
            'corrections', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'procedure_id', \
            procedure_id, 'team', team, 'before', before,
                'after', after, 'reason', reason, 'by', person_name, 'at', at) ORDER BY at, id), '[]') \
                FROM outcome_corrections WHERE report_id = $1),
            'moves', (SELECT coalesce(jsonb_agg(jsonb_build_object('from', from_status, 'to', to_status, \
            'comment', comment,
                'by', person_name, 'at', at) ORDER BY at, id), '[]') FROM report_moves WHERE report_id = $1),
            'revisions', (SELECT coalesce(jsonb_agg(jsonb_build_object('n', p.n, 'published_at', \
            p.published_at, 'published_by', p.published_by,
                'taken_back_at', t.at, 'taken_back_by', t.person_name, 'taken_back_reason', t.comment) \
                ORDER BY p.n), '[]')
                FROM report_publications p LEFT JOIN (SELECT row_number() OVER (ORDER BY at, id) AS n, at, \
                person_name, comment
                    FROM report_moves WHERE report_id = $1 AND from_status = 'published') t ON t.n = p.n
                WHERE p.report_id = $1),
            'reviewers', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) \
            ORDER BY p.name), '[]')
                FROM report_reviewers r JOIN people p ON p.id = r.person_id WHERE r.report_id = $1),
            'house', (SELECT jsonb_build_object('organisation', organisation_name, \
            'classification', classification) FROM settings)) AS row",
    )
    .bind::<SqlUuid, _>(report)
    .get_result(conn)?;
    Ok(serde_json::from_value(row.row)?)
}

/// What a report says now.
pub fn get_content(conn: &mut PgConnection, report: ReportId) -> Result<Content> {
    let narrative: Narrative = reports::table.find(report).select(Narrative::as_select()).first(conn)?;
    let findings = list_findings(conn, report)?;
    Ok(content(&narrative, findings, get_workflow(conn, report)?))
}

/// Puts together what a report says.
pub fn content(narrative: &Narrative, findings: Vec<Live>, workflow: Workflow) -> Content {
    let mut cover = workflow.house;
    if !narrative.classification.is_empty() {
        cover.classification.clone_from(&narrative.classification);
    }
    Content {
        cover,
        title: narrative.title.clone(),
        narrative: narrative.chapters(),
        findings: findings.into_iter().map(|live| live.finding).collect(),
        corrections: workflow.corrections,
    }
}

/// A revision as it was published: its runbook and what the report said; the newest one without a number.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`] when it was not published.
pub fn get_published(
    conn: &mut PgConnection,
    report: ReportId,
    n: Option<i32>,
) -> Result<(Runbook, Content)> {
    let mut query = report_publications::table.filter(report_publications::report_id.eq(report)).into_boxed();
    if let Some(n) = n {
        query = query.filter(report_publications::n.eq(n));
    }
    let (body, content): (serde_json::Value, serde_json::Value) = query
        .order(report_publications::n.desc())
        .select((report_publications::body, report_publications::content))
        .first(conn)?;
    Ok((serde_json::from_value(body)?, serde_json::from_value(content)?))
}

/// Where the remediation of each finding stands.
pub fn remediations(findings: &[Live]) -> std::collections::HashMap<FindingId, Remediation> {
    findings.iter().map(|live| (live.finding.id, live.remediation.clone())).collect()
}

impl Columns for Live {
    type Field = FindingField;

    fn get(&self, field: FindingField) -> String {
        let keys = |mut ids: Vec<Uuid>| {
            ids.sort_unstable();
            ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",")
        };
        match field {
            FindingField::Title => self.finding.title.clone(),
            FindingField::Severity => self.finding.severity.to_text(),
            FindingField::Description => self.finding.description.clone(),
            FindingField::Recommendation => self.finding.recommendation.clone(),
            FindingField::Tags => self.finding.tags.to_text(),
            FindingField::Assets => keys(self.finding.assets.iter().map(|asset| asset.id).collect()),
            FindingField::Evidence => keys(self.finding.evidence.iter().map(|file| file.id).collect()),
            FindingField::State => self.remediation.state.to_text(),
            FindingField::Owner => self.remediation.owner.clone(),
            FindingField::DueOn => self.remediation.due_on.to_text(),
        }
    }

    fn set(&mut self, field: FindingField, value: &str) -> Result<()> {
        let invalid = |sentence| Error::field(field.as_str(), sentence);
        match field {
            FindingField::Title => self.finding.title = value.to_owned(),
            FindingField::Severity => self.finding.severity = Value::of_text(value).map_err(invalid)?,
            FindingField::Description => self.finding.description = value.to_owned(),
            FindingField::Recommendation => self.finding.recommendation = value.to_owned(),
            FindingField::Tags => self.finding.tags = Value::of_text(value).map_err(invalid)?,
            FindingField::State => self.remediation.state = Value::of_text(value).map_err(invalid)?,
            FindingField::Owner => self.remediation.owner = value.to_owned(),
            FindingField::DueOn => self.remediation.due_on = Value::of_text(value).map_err(invalid)?,
            // Rows of their own, which the finding's save links.
            FindingField::Assets | FindingField::Evidence => {}
        }
        Ok(())
    }
}

impl Live {
    /// A new finding, before anything is typed.
    pub fn blank(id: FindingId) -> Self {
        let finding = Finding {
            id,
            procedure_id: None,
            title: String::new(),
            severity: Severity::Medium,
            description: String::new(),
            recommendation: String::new(),
            tags: Vec::new(),
            assets: Vec::new(),
            evidence: Vec::new(),
        };
        Self {
            finding,
            remediation: Remediation { state: FindingState::Open, owner: String::new(), due_on: None },
            version: 0,
        }
    }
}

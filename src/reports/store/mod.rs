//! SQL of submitting and of reports.

mod across;
mod choices;
mod collect;
mod content;
mod edit;
mod list;
mod moves;
mod submit;

pub use across::{FindingFilter, FindingRow, count_across, list_across};
pub use choices::{list_assets, list_evidence};
pub use collect::{collect, collect_empty};
pub use content::{
    Live, Move, Narrative, Reviewer, Revision, Workflow, content, get_content, get_published, get_workflow,
    list_findings, remediations,
};
pub use edit::{
    Locked, TypedCorrection, add_finding, correct_outcome, lock_report, remove_finding, save_finding,
    save_narrative, save_remediation, shift_finding,
};
pub use list::{
    Filter, Head, ReportRow, count_reports, find_frozen, get_cover, get_evidence, get_head, get_head_of,
    list_client_names, list_reports,
};
pub use moves::{Asked, Moved, is_author, list_reviewers, move_report};
pub use submit::{Submission, Submitted, freeze, get_submission, submit};

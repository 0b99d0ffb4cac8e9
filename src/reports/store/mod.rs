//! SQL of submitting and of reports.

mod collect;
mod list;
mod submit;

pub use collect::collect;
pub use list::{Filter, FindingRow, Head, ReportRow, count_reports, find_frozen, get_head, list_client_names, list_findings, list_reports};
pub use submit::{Submission, Submitted, freeze, get_submission, submit};

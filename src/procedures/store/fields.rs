//! The fields of a procedure that people edit.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::kernel::base::query::prelude::*;
use crate::kernel::base::times;
use crate::kernel::db::schema::procedures;
use crate::kernel::merge::record::Columns;
use crate::procedures::domain::{Field, ProcedureStatus, Severity, WaitingOn};

/// As the row holds them.
#[derive(Debug, Clone, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = procedures, treat_none_as_null = true, check_for_backend(diesel::pg::Pg))]
pub struct Fields {
    pub status: ProcedureStatus,
    /// Whether somebody chose the status; it follows the work otherwise.
    pub status_by_hand: bool,
    pub not_applicable_reason: String,
    pub severity: Option<Severity>,
    pub waiting_on: Option<WaitingOn>,
    pub recommendation: String,
    pub attack_source: String,
    pub red_outcome: Option<String>,
    pub red_notes: String,
    pub executed_at: Option<DateTime<Utc>>,
    pub blue_outcome: Option<String>,
    pub blue_notes: String,
    pub detected_at: Option<DateTime<Utc>>,
    pub detected_by: String,
    pub alert_reference: String,
    pub responded_at: Option<DateTime<Utc>>,
    /// When blue's outcome was recorded, or looked at again.
    pub blue_answered_at: Option<DateTime<Utc>>,
}

crate::merge_columns! {
    Fields: Field {
        Status => status;
        NotApplicableReason => not_applicable_reason;
        Severity => severity;
        WaitingOn => waiting_on;
        Recommendation => recommendation;
        AttackSource => attack_source;
        RedOutcome => red_outcome;
        RedNotes => red_notes;
        ExecutedAt => executed_at;
        BlueOutcome => blue_outcome;
        BlueNotes => blue_notes;
        DetectedAt => detected_at;
        DetectedBy => detected_by;
        AlertReference => alert_reference;
        RespondedAt => responded_at;
    }
}

impl Fields {
    /// What a form shows of a field, times in `zone`.
    pub fn shown(&self, field: Field, zone: Tz) -> String {
        match self.time(field) {
            Some(at) => times::for_input(at, zone),
            None => self.get(field),
        }
    }

    /// The instant of a time field that has one.
    pub(super) fn time(&self, field: Field) -> Option<DateTime<Utc>> {
        match field {
            Field::ExecutedAt => self.executed_at,
            Field::DetectedAt => self.detected_at,
            Field::RespondedAt => self.responded_at,
            _ => None,
        }
    }
}

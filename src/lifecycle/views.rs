//! How a status looks.

use super::domain::{EngagementStatus, ReportStatus};

impl EngagementStatus {
    /// The CSS class of its pill.
    pub fn class(&self) -> &'static str {
        match self {
            EngagementStatus::Pending => "pending",
            EngagementStatus::Scheduled => "scheduled",
            EngagementStatus::InProgress => "progress",
            EngagementStatus::InReview => "review",
            EngagementStatus::Complete => "complete",
            EngagementStatus::Canceled => "canceled",
        }
    }
}

impl ReportStatus {
    /// The CSS class of its pill.
    pub fn class(&self) -> &'static str {
        match self {
            ReportStatus::Draft => "draft",
            ReportStatus::ReadyForReview => "ready",
            ReportStatus::InReview => "review",
            ReportStatus::Approved => "approved",
            ReportStatus::Published => "published",
        }
    }
}

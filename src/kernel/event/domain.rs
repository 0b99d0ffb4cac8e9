//! Events: kinds, categories and the English sentence that is written with each.

use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kernel::base::ids::{ClientId, EngagementId, PersonId};
use crate::kernel::base::show;

crate::text_enum! {
    /// The categories of the audit log's filter.
    pub enum Category {
        SignIn => "sign_in", "Sign-in";
        Password => "password", "Password";
        TwoFactor => "two_factor", "Two-factor";
        Users => "users", "Users";
        Access => "access", "Access";
        Clients => "clients", "Clients";
        Engagements => "engagements", "Engagements";
        Procedures => "procedures", "Procedures";
        Reports => "reports", "Reports";
        Library => "library", "Library";
        Settings => "settings", "Settings";
        Export => "export", "Export";
        Refused => "refused", "Refused";
        System => "system", "System";
    }
}

macro_rules! kinds {
    ($($variant:ident => $name:literal, $category:ident;)+) => {
        /// Every kind of event, named `noun.past_tense`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $(#[doc = $name] $variant,)+ }
        impl Kind {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $name,)+ } }
            /// The category it is filed under.
            pub fn category(self) -> Category { match self { $(Self::$variant => Category::$category,)+ } }
        }
    };
}

kinds! {
    SessionStarted => "session.started", SignIn;
    SessionRefused => "session.refused", SignIn;
    SessionLockedOut => "session.locked_out", SignIn;
    SessionUnlocked => "session.unlocked", SignIn;
    SessionEnded => "session.ended", SignIn;
    SessionExpired => "session.expired", SignIn;
    SessionEndedByOther => "session.ended_elsewhere", SignIn;
    SessionProved => "session.proved", SignIn;
    PasswordChanged => "password.changed", Password;
    // No change of a password: whoever asks for those asks for the category.
    PasswordChosen => "password.chosen", Users;
    PasswordReset => "password.reset", Password;
    PasswordLinkMade => "password.link_made", Password;
    TwoFactorEnrolled => "two_factor.enrolled", TwoFactor;
    TwoFactorRemoved => "two_factor.removed", TwoFactor;
    TwoFactorReset => "two_factor.reset", TwoFactor;
    RecoveryCodesMade => "recovery_codes.made", TwoFactor;
    UserCreated => "user.created", Users;
    UserInvited => "user.invited", Users;
    UserUpdated => "user.updated", Users;
    UserDisabled => "user.disabled", Users;
    UserEnabled => "user.enabled", Users;
    UserDeleted => "user.deleted", Users;
    RoleCreated => "role.created", Access;
    RoleUpdated => "role.updated", Access;
    RoleDeleted => "role.deleted", Access;
    RoleAssigned => "role.assigned", Access;
    RoleRemoved => "role.removed", Access;
    AccessGiven => "access.given", Access;
    AccessChanged => "access.changed", Access;
    AccessRemoved => "access.removed", Access;
    ClientCreated => "client.created", Clients;
    ClientUpdated => "client.updated", Clients;
    ClientDeleted => "client.deleted", Clients;
    AssetCreated => "asset.created", Clients;
    AssetUpdated => "asset.updated", Clients;
    AssetDeleted => "asset.deleted", Clients;
    EngagementCreated => "engagement.created", Engagements;
    EngagementRequested => "engagement.requested", Engagements;
    EngagementUpdated => "engagement.updated", Engagements;
    EngagementMoved => "engagement.moved", Engagements;
    EngagementCanceled => "engagement.canceled", Engagements;
    EngagementSubmitted => "engagement.submitted", Engagements;
    EngagementDeleted => "engagement.deleted", Engagements;
    OperatorsChanged => "operators.changed", Engagements;
    InputsChanged => "inputs.changed", Engagements;
    ProceduresAdded => "procedures.added", Procedures;
    ProcedureRemoved => "procedure.removed", Procedures;
    ProceduresReordered => "procedures.reordered", Procedures;
    ProcedureStarted => "procedure.started", Procedures;
    ProcedureSaved => "procedure.saved", Procedures;
    StepTicked => "step.ticked", Procedures;
    StepUnticked => "step.unticked", Procedures;
    LogEntryAdded => "log_entry.added", Procedures;
    LogEntryUpdated => "log_entry.updated", Procedures;
    LogEntryRemoved => "log_entry.removed", Procedures;
    AttachmentAdded => "attachment.added", Procedures;
    AttachmentUpdated => "attachment.updated", Procedures;
    AttachmentRemoved => "attachment.removed", Procedures;
    AssetsChanged => "procedure_assets.changed", Procedures;
    ReportCreated => "report.created", Reports;
    ReportFilled => "report.filled", Reports;
    ReportUpdated => "report.updated", Reports;
    ReportMoved => "report.moved", Reports;
    ReportTakenBack => "report.taken_back", Reports;
    ReviewersChanged => "reviewers.changed", Reports;
    OutcomeCorrected => "outcome.corrected", Reports;
    FindingCreated => "finding.created", Reports;
    FindingUpdated => "finding.updated", Reports;
    FindingRemediated => "finding.remediated", Reports;
    FindingRemoved => "finding.removed", Reports;
    FindingsReordered => "findings.reordered", Reports;
    LibraryImported => "library.imported", Library;
    ImportUploaded => "import.uploaded", Library;
    ImportDiscarded => "import.discarded", Library;
    ImportUndone => "import.undone", Library;
    ProceduresRetagged => "library_procedures.retagged", Library;
    OriginTakenOver => "library_procedure.taken_over", Library;
    RepositoryCreated => "repository.created", Library;
    RepositoryUpdated => "repository.updated", Library;
    RepositoryDeleted => "repository.deleted", Library;
    LibraryProcedureCreated => "library_procedure.created", Library;
    LibraryProcedureUpdated => "library_procedure.updated", Library;
    LibraryProcedureTagged => "library_procedure.tagged", Library;
    LibraryProcedureCopied => "library_procedure.copied", Library;
    LibraryProcedureMoved => "library_procedure.moved", Library;
    LibraryProcedureRetired => "library_procedure.retired", Library;
    LibraryProcedureReinstated => "library_procedure.reinstated", Library;
    TermCreated => "term.created", Library;
    TermUpdated => "term.updated", Library;
    TermDeleted => "term.deleted", Library;
    TestPlanCreated => "test_plan.created", Library;
    TestPlanUpdated => "test_plan.updated", Library;
    TestPlanDeleted => "test_plan.deleted", Library;
    SettingsChanged => "settings.changed", Settings;
    OutcomesChanged => "outcomes.changed", Settings;
    TagRenamed => "tag.renamed", Settings;
    TagMerged => "tag.merged", Settings;
    UsersExported => "users.exported", Export;
    AccessExported => "access.exported", Export;
    LogExported => "audit_log.exported", Export;
    TestPlanExported => "test_plan.exported", Export;
    LayerExported => "layer.exported", Export;
    RepositoryExported => "repository.exported", Export;
    AttemptsRefused => "attempts.refused", Refused;
    LinkRefused => "link.refused", Refused;
    CookieRefused => "cookie.refused", Refused;
    RefusalsCounted => "refusals.counted", Refused;
    AccessRefused => "access.refused", Refused;
    OriginRefused => "origin.refused", Refused;
    DemoSeeded => "demo.seeded", System;
    JobRun => "job.run", System;
    SecretKeyAdopted => "secret_key.adopted", System;
    LogRestored => "audit_log.restored", System;
    LogFaultFound => "audit_log.fault_found", System;
    LogVerified => "audit_log.verified", System;
    LogSetAside => "audit_log.set_aside", System;
    HeadTakenOver => "audit_log.taken_over", System;
    KeyTrusted => "audit_key.trusted", System;
    SealRefused => "audit_seal.refused", System;
    ClockSetBack => "audit_clock.set_back", System;
    MonthArchived => "audit_month.archived", System;
    MonthDropped => "audit_month.dropped", System;
}

crate::text_enum! {
    /// What kind of actor did it.
    pub enum ActorKind {
        Person => "person", "Person";
        System => "system", "System";
        /// Somebody at the command line of the server.
        Command => "command", "Command line";
        Anonymous => "anonymous", "No account";
    }
}

crate::text_enum! {
    /// Whether it was done or refused.
    pub enum EventOutcome {
        Success => "success", "Succeeded";
        Failure => "failure", "Refused";
    }
}

/// Who did it, and from where.
#[derive(Debug, Clone)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// The person, where there is one.
    pub id: Option<PersonId>,
    /// The name at that time.
    pub name: String,
    /// The e-mail address at that time.
    pub email: Option<String>,
    /// For whom it is done, where that is not the actor: who told a job to run.
    pub on_behalf_of: Option<PersonId>,
    /// The session it is done in: a write asks whether that still stands.
    pub session: Option<Uuid>,
    /// The client's network address.
    pub address: Option<String>,
    /// What the browser says of itself.
    pub user_agent: Option<String>,
    /// The id under which the request is in the server's log.
    pub request_id: Option<Uuid>,
}

impl Actor {
    fn of(kind: ActorKind, name: &str) -> Self {
        Self {
            kind,
            id: None,
            name: name.to_owned(),
            email: None,
            on_behalf_of: None,
            session: None,
            address: None,
            user_agent: None,
            request_id: None,
        }
    }
    /// A job of this server.
    pub fn system() -> Self {
        Self::of(ActorKind::System, "System")
    }
    pub fn command() -> Self {
        Self::of(ActorKind::Command, "Command line")
    }
    /// A visitor without an account or session.
    pub fn anonymous() -> Self {
        Self::of(ActorKind::Anonymous, "(no account)")
    }
}

/// What an event is about.
#[derive(Debug, Clone)]
pub struct Subject {
    /// `engagement`, `procedure`, `client`…
    pub kind: &'static str,
    pub id: Uuid,
    /// Its name at that time.
    pub label: String,
}

/// An event about to be written. Never put secrets, note texts or evidence into one.
#[derive(Debug, Clone)]
pub struct Event {
    pub kind: Kind,
    pub outcome: EventOutcome,
    /// Reason code of a failure.
    pub reason: Option<&'static str>,
    /// What it is about.
    pub subject: Option<Subject>,
    /// The person it is about, where it is not the actor alone.
    pub about_person: Option<PersonId>,
    /// The client it belongs to; who may see the event follows from it.
    pub client: Option<ClientId>,
    /// The engagement it belongs to.
    pub engagement: Option<EngagementId>,
    /// What the log shows and searches.
    pub sentence: String,
    /// Changed fields before and after, and whatever else belongs to the kind.
    pub detail: Value,
    /// Short values that the search shall find beside the sentence.
    pub search_values: String,
}

/// Values of more characters are not in a sentence, and none is in one that is longer than this already.
const TOLD_CHARS: usize = 40;
const TOLD_ALL: usize = 300;

/// A value as a sentence tells it: times as people read them.
fn told(value: &str) -> String {
    match DateTime::parse_from_rfc3339(value) {
        Ok(at) => format!("{} UTC", show::seconds(at.to_utc(), chrono_tz::UTC)),
        Err(_) => value.to_owned(),
    }
}

impl Event {
    /// An event that something was done.
    pub fn new(kind: Kind, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            outcome: EventOutcome::Success,
            reason: None,
            subject: None,
            about_person: None,
            client: None,
            engagement: None,
            sentence: sentence.into(),
            detail: json!({}),
            search_values: String::new(),
        }
    }
    /// An event that something was refused or failed.
    pub fn failed(kind: Kind, reason: &'static str, sentence: impl Into<String>) -> Self {
        Self { outcome: EventOutcome::Failure, reason: Some(reason), ..Self::new(kind, sentence) }
    }
    /// Sets what it is about.
    pub fn subject(mut self, kind: &'static str, id: Uuid, label: impl Into<String>) -> Self {
        self.subject = Some(Subject { kind, id, label: label.into() });
        self
    }
    pub fn client(mut self, client: ClientId) -> Self {
        self.client = Some(client);
        self
    }
    /// Sets client and engagement.
    pub fn engagement(mut self, client: ClientId, engagement: EngagementId) -> Self {
        self.client = Some(client);
        self.engagement = Some(engagement);
        self
    }
    /// Sets the person it is about.
    pub fn about(mut self, person: PersonId) -> Self {
        self.about_person = Some(person);
        self
    }
    /// Sets the typed detail.
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }
    /// As [`Event::changes`]; the sentence names the fields too, with their values where those are short.
    pub fn telling<'a>(
        mut self,
        changes: impl IntoIterator<Item = (&'a str, &'a str, &'a str, bool)>,
    ) -> Self {
        let changes: Vec<_> = changes.into_iter().collect();
        let is_short = |text: &str| text.chars().count() <= TOLD_CHARS && !text.contains(char::is_control);
        let mut words = String::new();
        for (name, before, after, long) in &changes {
            let name = name.replace('_', " ");
            let values = if !long && is_short(before) && is_short(after) && words.chars().count() < TOLD_ALL {
                match (told(before).as_str(), told(after).as_str()) {
                    ("", after) => format!(" {after}"),
                    (before, "") => format!(" {before} → empty"),
                    (before, after) => format!(" {before} → {after}"),
                }
            } else {
                String::new()
            };
            words.push_str(if words.is_empty() { ": " } else { ", " });
            words.push_str(&name);
            words.push_str(&values);
        }
        self.sentence.push_str(&words);
        self.changes(changes)
    }
    /// Adds changed fields: name, before, after. Long texts tell only that they changed, and their lengths.
    pub fn changes<'a>(
        mut self,
        changes: impl IntoIterator<Item = (&'a str, &'a str, &'a str, bool)>,
    ) -> Self {
        let mut fields = serde_json::Map::new();
        for (name, before, after, long) in changes {
            let entry = if long {
                json!({ "before_chars": before.chars().count(), "after_chars": after.chars().count() })
            } else {
                self.search_values.push_str(after);
                self.search_values.push(' ');
                json!({ "before": before, "after": after })
            };
            fields.insert(name.to_owned(), entry);
        }
        self.detail["fields"] = Value::Object(fields);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_once_and_in_the_past() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|k| k.as_str()).collect();
        assert!(names.iter().all(|n| n.split('.').count() == 2));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn long_texts_tell_only_their_lengths() {
        let event = Event::new(Kind::ProcedureSaved, "Saved")
            .changes([("red_notes", "", "hunter2", true), ("attack_source", "", "HL-WS-014", false)]);
        assert!(!event.detail.to_string().contains("hunter2") && !event.search_values.contains("hunter2"));
        assert!(event.search_values.contains("HL-WS-014"));
    }

    #[test]
    fn short_values_stand_in_the_sentence() {
        let event = Event::new(Kind::ProcedureSaved, "Saved procedure 6").telling([
            ("status", "Not Started", "In Progress", false),
            ("attack_source", "", "HL-WS-014", false),
            ("red_notes", "", "hunter2", true),
            ("executed_as", "", &"x".repeat(41), false),
            ("ended_at", "2026-11-21T14:15:04Z", "", false),
        ]);
        assert_eq!(
            event.sentence,
            "Saved procedure 6: status Not Started → In Progress, attack source HL-WS-014, red notes, \
            executed as, ended at 21 Nov 2026, 14:15:04 UTC → empty"
        );
        assert!(Event::new(Kind::UserUpdated, "Changed").telling([]).sentence == "Changed");
    }
}

//! The database, `schema.rs` and the enums say the same.

use std::collections::{BTreeMap, BTreeSet};

use tyrian::accounts::domain::{AccountStatus, LinkPurpose};
use tyrian::audit::proof::set_aside::AsideKind;
use tyrian::clients::domain::{AssetKind, Criticality};
use tyrian::engagements::domain::Reveal;
use tyrian::imports::preview::{ImportState, Verdict};
use tyrian::imports::source::ImportKind;
use tyrian::kernel::authz::WriteRule;
use tyrian::kernel::base::team::Team;
use tyrian::kernel::drafts::DraftSubject;
use tyrian::kernel::event::domain::{ActorKind, EventOutcome};
use tyrian::kernel::job::Trigger;
use tyrian::kernel::merge::history::SubjectKind;
use tyrian::kernel::web::Theme;
use tyrian::library::domain::{RepositoryType, TechniqueStatus};
use tyrian::library::terms::TermKind;
use tyrian::lifecycle::domain::{EngagementStatus, ReportStatus};
use tyrian::procedures::domain::{ObservationWindow, ProcedureStatus, Severity, WaitingOn};
use tyrian::reports::content::FindingState;
use tyrian::settings::domain::{ApprovalRule, TwoFactorRule};

use crate::harness::TestApp;

fn values<T: Copy>(all: &[T], stored: impl Fn(T) -> &'static str) -> BTreeSet<String> {
    all.iter().map(|value| stored(*value).to_owned()).collect()
}

/// Every column whose CHECK lists words → the enum's words.
fn expected() -> BTreeMap<&'static str, BTreeSet<String>> {
    let team = || values(Team::ALL, Team::as_str);
    let severity = || values(Severity::ALL, Severity::as_str);
    let rule = || values(WriteRule::ALL, WriteRule::as_str);
    BTreeMap::from([
        ("assets.criticality", values(Criticality::ALL, Criticality::as_str)),
        ("assets.kind", values(AssetKind::ALL, AssetKind::as_str)),
        ("attachments.team", team()),
        ("drafts.subject_type", values(DraftSubject::ALL, DraftSubject::as_str)),
        ("engagement_operators.team", team()),
        ("engagements.observation_window", values(ObservationWindow::ALL, ObservationWindow::as_str)),
        ("engagements.reveal", values(Reveal::ALL, Reveal::as_str)),
        ("engagements.status", values(EngagementStatus::ALL, EngagementStatus::as_str)),
        ("engagements.write_rule", rule()),
        ("events.actor_kind", values(ActorKind::ALL, ActorKind::as_str)),
        ("events.outcome", values(EventOutcome::ALL, EventOutcome::as_str)),
        ("field_history.subject_type", values(SubjectKind::ALL, SubjectKind::as_str)),
        ("findings.severity", severity()),
        ("findings.state", values(FindingState::ALL, FindingState::as_str)),
        ("library_import_changes.verdict", values(Verdict::ALL, Verdict::as_str)),
        ("library_imports.kind", values(ImportKind::ALL, ImportKind::as_str)),
        ("library_imports.state", values(ImportState::ALL, ImportState::as_str)),
        ("job_runs.trigger", values(Trigger::ALL, Trigger::as_str)),
        ("log_entries.team", team()),
        ("one_time_links.purpose", values(LinkPurpose::ALL, LinkPurpose::as_str)),
        ("outcome_corrections.team", team()),
        ("outcomes.team", team()),
        ("people.status", values(AccountStatus::ALL, AccountStatus::as_str)),
        ("people.theme", values(Theme::ALL, Theme::as_str)),
        ("procedure_operators.team", team()),
        ("procedures.severity", severity()),
        ("procedures.status", values(ProcedureStatus::ALL, ProcedureStatus::as_str)),
        ("procedures.waiting_on", values(WaitingOn::ALL, WaitingOn::as_str)),
        ("report_moves.from_status", values(ReportStatus::ALL, ReportStatus::as_str)),
        ("report_moves.to_status", values(ReportStatus::ALL, ReportStatus::as_str)),
        ("reports.status", values(ReportStatus::ALL, ReportStatus::as_str)),
        ("repositories.type", values(RepositoryType::ALL, RepositoryType::as_str)),
        ("set_aside.kind", values(AsideKind::ALL, AsideKind::as_str)),
        ("settings.approval_rule", values(ApprovalRule::ALL, ApprovalRule::as_str)),
        ("settings.two_factor_rule", values(TwoFactorRule::ALL, TwoFactorRule::as_str)),
        ("settings.write_rule", rule()),
        ("terms.kind", values(TermKind::ALL, TermKind::as_str)),
        ("techniques.status", values(TechniqueStatus::ALL, TechniqueStatus::as_str)),
    ])
}

#[test]
fn every_check_lists_its_enums_words() {
    let app = TestApp::spawn_empty();
    let rows = app.texts(
        "SELECT DISTINCT c.relname || '.' || a.attname || ' ' || pg_get_constraintdef(k.oid)
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
         WHERE k.contype = 'c' AND cardinality(k.conkey) = 1 AND NOT c.relispartition \
         AND pg_get_constraintdef(k.oid) LIKE '%ARRAY[%'
         ORDER BY 1",
    );
    let found: BTreeMap<String, BTreeSet<String>> = rows
        .iter()
        .map(|row| {
            let (column, definition) = row.split_once(' ').unwrap();
            (column.to_owned(), definition.split('\'').skip(1).step_by(2).map(str::to_owned).collect())
        })
        .collect();
    let expected: BTreeMap<String, BTreeSet<String>> =
        expected().into_iter().map(|(column, words)| (column.to_owned(), words)).collect();
    assert_eq!(found, expected);
}

#[test]
fn permissions_of_the_seeded_roles_are_those_of_the_policy() {
    use tyrian::kernel::authz::policy::ROLES;
    let app = TestApp::spawn_empty();
    for role in ROLES {
        let held: BTreeSet<String> = app
            .texts(&format!(
                "SELECT permission FROM role_permissions JOIN roles ON id = role_id WHERE key = '{}'",
                role.key
            ))
            .into_iter()
            .collect();
        assert_eq!(held, values(role.permissions, |p| p.as_str()), "{}", role.key);
    }
}

/// diesel's name of a PostgreSQL type.
fn diesel_type(data_type: &str, element: &str, nullable: bool) -> String {
    let one = |name: &str| match name {
        "uuid" => "Uuid",
        "text" => "Text",
        "bytea" => "Bytea",
        "timestamp with time zone" | "timestamptz" => "Timestamptz",
        "date" => "Date",
        "integer" | "int4" => "Int4",
        "bigint" | "int8" => "Int8",
        "boolean" | "bool" => "Bool",
        "jsonb" => "Jsonb",
        other => panic!("no diesel type is known for {other}"),
    };
    let base =
        if data_type == "ARRAY" { format!("Array<{}>", one(element)) } else { one(data_type).to_owned() };
    if nullable { format!("Nullable<{base}>") } else { base }
}

#[test]
fn schema_rs_agrees_with_the_database() {
    let app = TestApp::spawn_empty();
    let rows = app.texts(
        "SELECT table_name || '|' || column_name || '|' || data_type || '|' || trim(leading '_' \
            FROM udt_name) || '|' || is_nullable
         FROM information_schema.columns WHERE table_schema = 'public' \
         AND table_name <> '__diesel_schema_migrations'
         ORDER BY table_name, ordinal_position",
    );
    let mut database: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let parts: Vec<&str> = row.split('|').collect();
        let line = format!("{} -> {}", parts[1], diesel_type(parts[2], parts[3], parts[4] == "YES"));
        database.entry(parts[0].to_owned()).or_default().push(line);
    }
    let source = include_str!("../../../src/kernel/db/schema.rs");
    let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in source.split("diesel::table! {").skip(1) {
        let mut renamed: Option<String> = None;
        let mut table = String::new();
        for line in part.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("#[sql_name = \"").and_then(|rest| rest.strip_suffix("\"]"))
            {
                renamed = Some(name.to_owned());
            } else if table.is_empty() && line.ends_with('{') && line.contains('(') {
                table = line.split(" (").next().unwrap().to_owned();
            } else if line == "}" && !table.is_empty() {
                break;
            } else if let Some((column, kind)) = line.trim_end_matches(',').split_once(" -> ") {
                let column = renamed.take().unwrap_or_else(|| column.to_owned());
                let kind = kind.replace("Array<Nullable<Text>>", "Array<Text>");
                written.entry(table.clone()).or_default().push(format!("{column} -> {kind}"));
            }
        }
    }
    for (table, columns) in &database {
        assert_eq!(written.get(table), Some(columns), "{table}");
    }
    assert_eq!(written.keys().collect::<Vec<_>>(), database.keys().collect::<Vec<_>>());
}

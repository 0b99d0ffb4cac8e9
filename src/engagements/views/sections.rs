//! The sections of the engagement's page: each body is a fragment of its own.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

pub use crate::engagements::periods::OwnDates;
use crate::engagements::store::sections::{Candidate, Entry, File, UsedAsset};
use crate::engagements::store::show::Head;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{EngagementId, LogEntryId, PersonId};
use crate::kernel::base::show;
use crate::kernel::base::show::{When, counted, dates, size};
use crate::kernel::base::team::Team;
use crate::kernel::web::filters;
use crate::kernel::web::markdown;
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::domain::ObservationWindow;
use crate::procedures::inputs::{InputRow, Values};

crate::text_enum! {
    /// The sections, in the page's order.
    pub enum Part {
        Overview => "overview", "Overview";
        Procedures => "procedures", "Procedures";
        Operators => "operators", "Operators";
        Inputs => "inputs", "Inputs";
        Assets => "assets", "Assets";
        Outcomes => "outcomes", "Outcomes at a glance";
        Timeline => "timeline", "Timeline";
        Attachments => "attachments", "Attachments";
        Report => "report", "Report";
        Activity => "activity", "Activity";
    }
}

/// A page of the attachments.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// In the order of the procedures, then of time.
    pub files: Vec<File>,
    /// How many lie before them.
    pub skipped: i64,
    /// How many there are.
    pub total: i64,
}

#[derive(Template)]
#[template(path = "engagements/_overview.html")]
pub struct Overview {
    /// Heading and rendered Markdown.
    pub texts: Vec<(&'static str, String)>,
    /// Dates, or that there are none.
    pub dates: String,
    /// Name of the zone.
    pub zone: String,
    pub tags: Vec<String>,
    pub attack: String,
    pub plan: String,
    /// The version of the plan that it was made from.
    pub plan_version: Option<i32>,
    /// Where the library versions of its procedures are told.
    pub origins: String,
    /// The engagement it was made from.
    pub earlier: Option<EngagementId>,
    /// Its observation window, where it has one.
    pub window: Option<&'static str>,
    /// Link of Edit, where the person may.
    pub edit: Option<String>,
}

impl Overview {
    pub fn new(head: &Head, may_edit: bool) -> Self {
        let own = &head.own;
        let texts = [
            ("Description", &own.description),
            ("Objective", &own.objective),
            ("Scope", &own.scope),
            ("Access info", &own.access_info),
            ("Special instructions", &own.special_instructions),
        ];
        let period = dates(own.start_date, own.end_date);
        Self {
            texts: texts
                .iter()
                .filter(|(_, text)| !text.is_empty())
                .map(|(label, text)| (*label, markdown::render(text)))
                .collect(),
            window: (own.observation_window != ObservationWindow::Closed)
                .then(|| own.observation_window.label()),
            dates: if period.is_empty() { "No dates".into() } else { period },
            zone: own.time_zone.to_string(),
            tags: own.tags.clone(),
            attack: own.attack_version.clone(),
            plan: own.test_plan_title.clone(),
            plan_version: own.test_plan_version,
            origins: format!("/engagements/{}/origins", own.id),
            earlier: own.earlier_engagement_id,
            edit: may_edit.then(|| format!("/engagements/{}/edit", own.id)),
        }
    }
}

/// One person who can be an operator.
pub struct Choosable {
    pub id: String,
    pub name: String,
    /// Role at the client.
    pub role: String,
    /// Whether they have access to the client.
    pub has_access: bool,
    pub red: bool,
    pub blue: bool,
    pub had_red: bool,
    pub had_blue: bool,
    /// Own first and last day within the engagement's, "2026-11-21" or nothing; none where they cannot be
    /// set.
    pub dates: Option<(String, String)>,
    /// The same as they are stored.
    pub had_dates: (String, String),
    /// What is wrong with them.
    pub fault: Option<String>,
    /// Other bookings in the engagement's dates.
    pub bookings: Vec<String>,
    /// Whether it has dates.
    pub dated: bool,
}

impl Choosable {
    /// Candidates with the saved operators' ticks, or those `ticked` in a refused save. Somebody ticked who
    /// is no candidate any more cannot be shown: the sentence above the table tells of them.
    pub fn list(
        candidates: &[Candidate],
        saved: &[(PersonId, Team)],
        ticked: Option<&[(PersonId, Team)]>,
    ) -> Vec<Self> {
        let shown = ticked.unwrap_or(saved);
        candidates
            .iter()
            .map(|c| Self {
                id: c.id.to_string(),
                name: c.name.clone(),
                role: c.role.clone(),
                has_access: c.has_access,
                red: shown.contains(&(c.id, Team::Red)),
                blue: shown.contains(&(c.id, Team::Blue)),
                had_red: saved.contains(&(c.id, Team::Red)),
                had_blue: saved.contains(&(c.id, Team::Blue)),
                dates: None,
                had_dates: Default::default(),
                fault: None,
                bookings: c.bookings.clone(),
                dated: c.dated,
            })
            .collect()
    }

    /// The same with own dates to be set: as saved, or as typed (person → first and last day) after a refused
    /// save.
    pub fn with_dates(
        people: Vec<Self>,
        candidates: &[Candidate],
        typed: &OwnDates,
        errors: &FieldErrors,
    ) -> Vec<Self> {
        let day = |date: Option<chrono::NaiveDate>| date.map(|date| date.to_string()).unwrap_or_default();
        let dated = |mut person: Self| {
            let saved =
                candidates.iter().find(|c| c.id.to_string() == person.id).map(|c| (day(c.from), day(c.to)));
            let typed = typed
                .iter()
                .find(|(id, ..)| id.to_string() == person.id)
                .map(|(_, from, to)| (from.clone(), to.clone()));
            person.fault = errors.get(&format!("from.{}", person.id)).map(str::to_owned);
            person.had_dates = saved.clone().unwrap_or_default();
            person.dates = Some(typed.or(saved).unwrap_or_default());
            person
        };
        people.into_iter().map(dated).collect()
    }

    /// "17 – 19 Nov 2026", or nothing.
    fn own_period(&self) -> String {
        let day = |text: &str| text.parse().ok();
        self.dates.as_ref().map(|(from, to)| dates(day(from), day(to))).unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "engagements/_operators_section.html")]
pub struct Operators {
    pub url: String,
    pub people: Vec<Choosable>,
    /// Whether they can be changed.
    pub plans: bool,
    /// Whether they see what else operators are booked for.
    pub bookings: bool,
}

impl Operators {
    /// Those who are operators, where nothing can be changed.
    fn chosen(&self) -> Vec<&Choosable> {
        self.people.iter().filter(|p| p.red || p.blue).collect()
    }
}

/// A row of the inputs.
pub struct InputLine {
    pub name: String,
    /// The engagement's value, or what was typed.
    pub value: String,
    pub had: String,
    /// Positions of the procedures that use it.
    pub used: String,
    /// "10.0.0.5 (2)"
    pub defaults: Vec<String>,
    /// Whether a command has no value for it.
    pub unfilled: bool,
    /// What is wrong with what was typed.
    pub error: Option<String>,
}

#[derive(Template)]
#[template(path = "engagements/_inputs.html")]
pub struct Inputs {
    pub url: String,
    pub rows: Vec<InputLine>,
    /// Whether they can be changed.
    pub plans: bool,
}

impl Inputs {
    /// Rows with what was typed in their place, after a refused save.
    pub fn new(
        id: EngagementId,
        rows: &[InputRow],
        plans: bool,
        typed: &Values,
        errors: &FieldErrors,
    ) -> Self {
        let rows = rows
            .iter()
            .map(|row| {
                let had = row.engagement_value.clone().unwrap_or_default();
                let positions: Vec<String> = row.used_by.iter().map(i32::to_string).collect();
                InputLine {
                    name: row.name.clone(),
                    value: typed.get(&row.name).unwrap_or(&had).clone(),
                    had,
                    used: positions.join(", "),
                    defaults: row.shown_defaults(),
                    unfilled: row.unfilled,
                    error: errors.get(&row.name).map(str::to_owned),
                }
            })
            .collect();
        Self { url: format!("/engagements/{id}"), rows, plans }
    }
}

#[derive(Template)]
#[template(path = "engagements/_assets.html")]
pub struct Assets {
    pub url: String,
    /// Link of the client's page.
    pub client: String,
    /// Rows: name, kind, criticality, address, procedures.
    pub rows: Vec<AssetLine>,
}

/// A row of the assets.
pub struct AssetLine {
    pub name: String,
    pub kind: String,
    pub criticality: String,
    pub address: String,
    /// Links of the procedures that use it.
    pub used: Vec<(i32, String)>,
}

/// A stored word as people read it: `network_device` → Network Device.
pub fn words(stored: &str) -> String {
    stored
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect::<String>())
                .unwrap_or_default()
        })
        .collect::<Vec<_>>()
        .join(" ")
}

impl Assets {
    /// From the used ones.
    pub fn new(head: &Head, used: &[UsedAsset]) -> Self {
        let url = format!("/engagements/{}", head.own.id);
        let rows = used
            .iter()
            .map(|asset| AssetLine {
                name: asset.name.clone(),
                kind: words(&asset.kind),
                criticality: words(&asset.criticality),
                address: asset.address.clone(),
                used: asset
                    .positions
                    .iter()
                    .zip(&asset.procedures)
                    .map(|(n, id)| (*n, format!("{url}/procedures/{id}")))
                    .collect(),
            })
            .collect();
        Self { url, client: format!("/clients/{}", head.own.client_id), rows }
    }
}

/// An entry of the timeline.
pub struct Moment {
    pub team: &'static str,
    pub iso: String,
    /// "14:12:06"
    pub time: String,
    /// "until 14:15"
    pub until: Option<String>,
    pub author: String,
    /// Link and name of the procedure.
    pub procedure: (String, String),
    pub text: String,
}

#[derive(Template)]
#[template(path = "engagements/_timeline.html")]
pub struct Timeline {
    /// Days with their entries, in order.
    pub days: Vec<(String, Vec<Moment>)>,
    /// Name of the zone.
    pub zone: &'static str,
    pub url: String,
    /// How many are older than those shown.
    pub older: i64,
    /// The oldest that is shown.
    pub oldest: Option<LogEntryId>,
    /// Whether newer ones are left out.
    pub paged: bool,
}

impl Timeline {
    pub fn new(id: EngagementId, entries: &[Entry], older: i64, paged: bool, zone: Tz) -> Self {
        let mut days: Vec<(String, Vec<Moment>)> = Vec::new();
        for entry in entries {
            let local = entry.starts_at.with_timezone(&zone);
            let day = show::date(local.date_naive());
            let until = entry.ends_at.map(|end| {
                let end = end.with_timezone(&zone);
                let same = end.date_naive() == local.date_naive();
                if same {
                    end.format("until %H:%M").to_string()
                } else {
                    format!("until {}", show::time(end.to_utc(), zone))
                }
            });
            let moment = Moment {
                team: entry.team.as_str(),
                iso: entry.starts_at.to_rfc3339(),
                time: local.format("%H:%M:%S").to_string(),
                until,
                author: entry.author.clone(),
                procedure: (
                    format!("/engagements/{id}/procedures/{}#logs", entry.procedure),
                    format!("{} {}", entry.position, entry.procedure_name),
                ),
                text: entry.text.clone(),
            };
            match days.last_mut().filter(|(last, _)| *last == day) {
                Some((_, moments)) => moments.push(moment),
                None => days.push((day, vec![moment])),
            }
        }
        Self {
            days,
            zone: zone.name(),
            url: format!("/engagements/{id}"),
            older,
            oldest: entries.first().map(|entry| entry.id),
            paged,
        }
    }
}

/// A file of the attachments.
pub struct FileLine {
    /// red, blue or nothing.
    pub team: &'static str,
    pub team_label: &'static str,
    pub href: String,
    /// Whether it is an image that browsers show.
    pub image: bool,
    pub title: String,
    pub description: String,
    pub size: String,
    pub by: String,
    pub at: When,
    /// Link and place of its procedure.
    pub procedure: Option<(String, i32)>,
}

#[derive(Template)]
#[template(path = "engagements/_attachments.html")]
pub struct Attachments {
    pub files: Vec<FileLine>,
    pub url: String,
    /// How many lie before them.
    pub skipped: i64,
    /// How many lie after them.
    pub left: i64,
    /// How many lie before the next page, for its address.
    pub next: i64,
}

impl Attachments {
    pub fn new(id: EngagementId, page: &Files, zone: Tz) -> Self {
        let next = page.skipped + page.files.len() as i64;
        let files = page
            .files
            .iter()
            .map(|file| FileLine {
                team: file.team.map(Team::as_str).unwrap_or_default(),
                team_label: file.team.map(Team::label).unwrap_or_default(),
                href: format!("/engagements/{id}/attachments/{}", file.id),
                image: ["image/png", "image/jpeg", "image/gif", "image/webp"]
                    .contains(&file.media_type.as_str()),
                title: file.title.clone(),
                description: file.description.clone(),
                size: size(file.size),
                by: file.by.clone(),
                at: When::exact(file.at, zone),
                procedure: file
                    .procedure
                    .zip(file.position)
                    .map(|(p, n)| (format!("/engagements/{id}/procedures/{p}#attachments"), n)),
            })
            .collect();
        Self {
            files,
            url: format!("/engagements/{id}"),
            skipped: page.skipped,
            left: page.total - next,
            next,
        }
    }
}

#[derive(Template)]
#[template(path = "engagements/_report.html")]
pub struct Report {
    /// Link, label and class of the status, last change; none without a report.
    pub report: Option<(String, &'static str, &'static str, When)>,
    /// Whether the runbook is submitted.
    pub submitted: bool,
    /// Whether the person may read it.
    pub readable: bool,
    /// Why there is none.
    pub missing: &'static str,
    /// Link to submit, where the person may.
    pub submit: Option<String>,
}

impl Report {
    pub fn new(head: &Head, readable: bool, may_submit: bool, now: DateTime<Utc>, zone: Tz) -> Self {
        Self {
            report: head.report.as_ref().map(|r| {
                (
                    format!("/reports/{}", r.id),
                    r.status.label(),
                    r.status.class(),
                    When::ago(r.updated_at, now, zone),
                )
            }),
            submitted: head.own.submitted_at.is_some(),
            readable,
            missing: if head.own.status == EngagementStatus::Canceled {
                "It was canceled before it was submitted: there is no report."
            } else {
                "A request has no report until it is approved."
            },
            submit: may_submit.then(|| format!("/engagements/{}/submit", head.own.id)),
        }
    }
}

/// What a closed section says about assets: "2 workstations · 2 servers".
pub fn asset_digest(kinds: &serde_json::Value) -> (u64, String) {
    let mut counts: Vec<(String, u64)> = kinds
        .as_object()
        .into_iter()
        .flatten()
        .map(|(kind, n)| (kind.replace('_', " "), n.as_u64().unwrap_or(0)))
        .collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let plural = |kind: &str| match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind == "general" => "general".to_owned(),
        None => format!("{kind}s"),
    };
    let words: Vec<String> =
        counts.iter().map(|(kind, n)| counted(*n as usize, kind, &plural(kind))).collect();
    (counts.iter().map(|(_, n)| n).sum(), words.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_assets_are_words() {
        let kinds = serde_json::json!({ "workstation": 2, "identity": 2, "network_device": 1 });
        let (n, text) = asset_digest(&kinds);
        assert_eq!((n, text.as_str()), (5, "2 identities · 2 workstations · 1 network device"));
        assert_eq!(words("network_device"), "Network Device");
    }
}

//! The sections of the engagement's page: each body is a fragment of its own.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::marks::{When, counted, dates, outcome_tone, report_class, size};
use crate::audit::store::Activity;
use crate::engagements::domain::RunbookState;
use crate::engagements::store::sections::{Candidate, Entry, File, TIMELINE, UsedAsset};
use crate::engagements::store::show::{Head, Operator, Outcome, ProcedureRow, operators_of, short_key};
use crate::error::FieldErrors;
use crate::ids::{EngagementId, PersonId};
use crate::procedures::domain::{Field, Sides, Team, WaitingOn};
use crate::procedures::inputs::InputRow;
use crate::procedures::times;
use crate::procedures::views::page::state_class;
use crate::web::frame::initials;
use crate::web::markdown;

crate::text_enum! {
    /// The sections, in the page's order.
    pub enum Part {
        Overview => "overview", "Overview";
        Procedures => "procedures", "Procedures";
        Operators => "operators", "Operators";
        Inputs => "inputs", "Inputs";
        Assets => "assets", "Assets";
        Timeline => "timeline", "Timeline";
        Attachments => "attachments", "Attachments";
        Report => "report", "Report";
        Activity => "activity", "Activity";
    }
}

/// Overview.
#[derive(Template)]
#[template(path = "engagements/_overview.html")]
pub struct Overview {
    /// Heading and rendered Markdown.
    pub texts: Vec<(&'static str, String)>,
    /// Dates, or that there are none.
    pub dates: String,
    /// Name of the zone.
    pub zone: String,
    /// Tags.
    pub tags: Vec<String>,
    /// ATT&CK release.
    pub attack: String,
    /// Test plan's title.
    pub plan: String,
    /// The engagement it was made from.
    pub earlier: Option<EngagementId>,
    /// Link of Edit, where the person may.
    pub edit: Option<String>,
}

impl Overview {
    /// From the head.
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
            texts: texts.iter().filter(|(_, text)| !text.is_empty()).map(|(label, text)| (*label, markdown::render(text))).collect(),
            dates: if period.is_empty() { "No dates".into() } else { period },
            zone: own.time_zone.clone(),
            tags: own.tags.clone(),
            attack: own.attack_version.clone(),
            plan: own.test_plan_title.clone(),
            earlier: own.earlier_engagement_id,
            edit: may_edit.then(|| format!("/engagements/{}/edit", own.id)),
        }
    }
}

/// A value of a procedure as its cell shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// `state`, `sev` or `outcome`.
    pub kind: &'static str,
    /// Class, level or tone.
    pub tone: &'static str,
    /// What people read.
    pub label: String,
}

/// The four fields that are edited in the table.
pub const INLINE: [Field; 4] = [Field::Status, Field::RedOutcome, Field::BlueOutcome, Field::Severity];

impl Mark {
    /// The mark of one of [`INLINE`].
    pub fn of(row: &ProcedureRow, field: Field, outcomes: &[Outcome]) -> Self {
        let answer = |key: &Option<String>| match key {
            None => Self { kind: "outcome", tone: "unanswered", label: "Unanswered".into() },
            Some(key) => match outcomes.iter().find(|o| o.key == *key) {
                Some(outcome) => Self { kind: "outcome", tone: outcome_tone(outcome), label: outcome.label.clone() },
                None => Self { kind: "outcome", tone: "none", label: key.clone() },
            },
        };
        match field {
            Field::RedOutcome => answer(&row.red_outcome),
            Field::BlueOutcome => answer(&row.blue_outcome),
            Field::Severity => match row.severity {
                Some(severity) => Self { kind: "sev", tone: severity.as_str(), label: severity.label().into() },
                None => Self { kind: "sev", tone: "", label: "No finding".into() },
            },
            _ => Self { kind: "state", tone: state_class(row.status), label: row.status.label().into() },
        }
    }
}

/// A cell of the table.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Form name of the field.
    pub field: &'static str,
    /// Heading in card form, where the mark does not speak for itself.
    pub label: &'static str,
    /// Its value.
    pub mark: Mark,
    /// Whether it is a button.
    pub editable: bool,
}

/// A row of the table.
pub struct Line {
    /// Short key.
    pub key: String,
    /// Place.
    pub position: i32,
    /// First ATT&CK id.
    pub technique: String,
    /// How many more.
    pub more: usize,
    /// Link, relative to the engagements' list: the table carries it twice in each row.
    pub href: String,
    /// Name.
    pub name: String,
    /// Status, outcomes, severity.
    pub cells: Vec<Cell>,
    /// Operators: team, initials, name.
    pub people: Vec<(&'static str, String, String)>,
    /// How many more.
    pub people_more: usize,
    /// Whose turn it is; empty for nobody's.
    pub turn: &'static str,
}

/// Avatars in one row.
const AVATARS: usize = 4;

/// "Red", "Blue" or nothing.
pub fn turn_word(turn: WaitingOn) -> &'static str {
    match turn {
        WaitingOn::Red => "Red",
        WaitingOn::Blue => "Blue",
        WaitingOn::Nobody => "",
    }
}

/// What a person may edit in the table, and who they are.
#[derive(Debug, Clone, Copy)]
pub struct Writer<F> {
    /// Sides on a procedure, given whether the person is assigned to red and to blue; none when it is closed.
    pub sides: F,
    /// Who.
    pub person: PersonId,
}

impl<F: Fn(bool, bool) -> Sides> Writer<F> {
    /// The person's sides on a procedure.
    pub fn sides_of(&self, row: &ProcedureRow, operators: &[Operator]) -> Sides {
        let on = |team| operators_of(operators, row.id, team).any(|o| o.person_id == self.person);
        (self.sides)(on(Team::Red), on(Team::Blue))
    }
    /// Whether the procedure waits on this person: an operator of the side whose turn it is, or with nobody assigned
    /// whoever may write that side.
    pub fn is_turn_of(&self, row: &ProcedureRow, operators: &[Operator]) -> bool {
        let team = match row.turn() {
            WaitingOn::Red => Team::Red,
            WaitingOn::Blue => Team::Blue,
            WaitingOn::Nobody => return false,
        };
        let mut assigned = operators_of(operators, row.id, team).peekable();
        if assigned.peek().is_none() {
            return self.sides_of(row, operators).may_write_team(team);
        }
        assigned.any(|o| o.person_id == self.person)
    }
}

impl Line {
    /// A row as the table shows it.
    pub fn new(row: &ProcedureRow, engagement: EngagementId, outcomes: &[Outcome], operators: &[Operator], sides: Sides) -> Self {
        let cells = INLINE
            .iter()
            .map(|field| Cell {
                field: field.name(),
                label: match field {
                    Field::RedOutcome => "Red",
                    Field::BlueOutcome => "Blue",
                    _ => "",
                },
                mark: Mark::of(row, *field, outcomes),
                editable: sides.may_write(*field),
            })
            .collect();
        let mut people: Vec<_> = Team::ALL
            .iter()
            .flat_map(|team| operators_of(operators, row.id, *team))
            .map(|o| (o.team.as_str(), initials(&o.name), o.name.clone()))
            .collect();
        let people_more = people.len().saturating_sub(AVATARS);
        people.truncate(AVATARS);
        Self {
            key: short_key(row.id.0),
            position: row.position,
            technique: row.technique_ids.first().cloned().unwrap_or_default(),
            more: row.technique_ids.len().saturating_sub(1),
            href: format!("{engagement}/procedures/{}", row.id),
            name: row.name.clone(),
            cells,
            people,
            people_more,
            turn: turn_word(row.turn()),
        }
    }
}

/// Procedures.
#[derive(Template)]
#[template(path = "engagements/_procedures.html")]
pub struct Procedures {
    /// `/engagements/{id}`
    pub url: String,
    /// Filter links: value, label, how many.
    pub chips: Vec<(&'static str, &'static str, usize)>,
    /// The chosen one.
    pub show: String,
    /// Rows.
    pub rows: Vec<Line>,
    /// How many there are without the filter.
    pub total: usize,
    /// Whether procedures can be added, removed and ordered.
    pub plans: bool,
}

/// One cell after a save, and whatever else of its row and the head changed with it.
#[derive(Template)]
#[template(path = "engagements/_cell.html")]
pub struct CellShown {
    /// The row's key.
    pub key: String,
    /// The cell.
    pub cell: Cell,
    /// Whether it was saved just now.
    pub saved: bool,
    /// Whose turn it is now.
    pub turn: &'static str,
    /// The head's progress, where it may have changed.
    pub progress: Option<Meter>,
}

/// Progress in the head.
#[derive(Debug, Clone, Template)]
#[template(path = "engagements/_meter.html")]
pub struct Meter {
    /// Done.
    pub done: u32,
    /// All.
    pub total: u32,
    /// Percent; none without procedures.
    pub percent: Option<u32>,
    /// Words beside it.
    pub words: String,
    /// Submitted.
    pub submitted: bool,
    /// At 100 % and not submitted.
    pub unsubmitted: bool,
}

impl Meter {
    /// From the rows.
    pub fn new(rows: &[ProcedureRow], submitted: bool) -> Self {
        let progress = crate::procedures::domain::Progress::of(rows.iter().map(|row| row.status));
        let state = RunbookState::of(progress, submitted);
        let waiting = |on: WaitingOn| rows.iter().filter(|row| row.turn() == on).count();
        let mut words = progress.label();
        if progress.total > 0 {
            words.push_str(" procedures completed");
        }
        for (n, side) in [(waiting(WaitingOn::Red), "red"), (waiting(WaitingOn::Blue), "blue")] {
            if n > 0 && !submitted {
                words.push_str(&format!(" · {n} waiting on {side}"));
            }
        }
        Self {
            done: progress.done,
            total: progress.total,
            percent: progress.percent(),
            words,
            submitted: state == RunbookState::Submitted,
            unsubmitted: state == RunbookState::NotSubmitted,
        }
    }
}

/// An option of an inline editor.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Posted value.
    pub value: String,
    /// Label.
    pub label: String,
    /// One-line definition.
    pub title: String,
}

/// The control that replaces a value.
#[derive(Template)]
#[template(path = "engagements/_editor.html")]
pub struct Editor {
    /// `/engagements/{id}/procedures/{pid}/cell/{field}`
    pub url: String,
    /// "Red outcome of 4 Read LSASS memory"
    pub label: String,
    /// Options.
    pub choices: Vec<Choice>,
    /// The chosen one.
    pub value: String,
    /// The saved one, where another is shown.
    pub saved: Option<String>,
    /// The version that the shown value came from.
    pub base: i32,
    /// Reason of Not Applicable, where it is asked for.
    pub reason: Option<String>,
    /// Why it is not saved.
    pub error: Option<String>,
}

/// One person who can be an operator.
pub struct Choosable {
    /// Who.
    pub id: String,
    /// Name.
    pub name: String,
    /// Role at the client.
    pub role: String,
    /// Whether they have access to the client.
    pub has_access: bool,
    /// Ticked for red.
    pub red: bool,
    /// Ticked for blue.
    pub blue: bool,
    /// Other bookings in the engagement's dates.
    pub bookings: Vec<String>,
}

impl Choosable {
    /// Candidates with the ticks of these operators.
    pub fn list(candidates: &[Candidate], chosen: &[(PersonId, Team)]) -> Vec<Self> {
        candidates
            .iter()
            .map(|c| Self {
                id: c.id.to_string(),
                name: c.name.clone(),
                role: c.role.clone(),
                has_access: c.has_access,
                red: chosen.contains(&(c.id, Team::Red)),
                blue: chosen.contains(&(c.id, Team::Blue)),
                bookings: c.bookings.clone(),
            })
            .collect()
    }
}

/// Operators.
#[derive(Template)]
#[template(path = "engagements/_operators_section.html")]
pub struct Operators {
    /// `/engagements/{id}`
    pub url: String,
    /// People.
    pub people: Vec<Choosable>,
    /// Whether they can be changed.
    pub plans: bool,
}

impl Operators {
    /// Those who are operators, where nothing can be changed.
    fn chosen(&self) -> Vec<&Choosable> {
        self.people.iter().filter(|p| p.red || p.blue).collect()
    }
}

/// A row of the inputs.
pub struct InputLine {
    /// Placeholder.
    pub name: String,
    /// The engagement's value, or what was typed.
    pub value: String,
    /// The saved value.
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

/// Inputs.
#[derive(Template)]
#[template(path = "engagements/_inputs.html")]
pub struct Inputs {
    /// `/engagements/{id}`
    pub url: String,
    /// Rows.
    pub rows: Vec<InputLine>,
    /// Whether they can be changed.
    pub plans: bool,
}

impl Inputs {
    /// Rows with what was typed in their place, after a refused save.
    pub fn new(id: EngagementId, rows: &[InputRow], plans: bool, typed: &[(String, String)], errors: &FieldErrors) -> Self {
        let rows = rows
            .iter()
            .map(|row| {
                let had = row.engagement_value.clone().unwrap_or_default();
                let positions: Vec<String> = row.used_by.iter().map(i32::to_string).collect();
                InputLine {
                    name: row.name.clone(),
                    value: typed.iter().find(|(name, _)| *name == row.name).map_or_else(|| had.clone(), |(_, value)| value.clone()),
                    had,
                    used: positions.join(", "),
                    defaults: row
                        .defaults
                        .iter()
                        .map(|(value, n)| if *n > 1 { format!("{value} ({n} procedures)") } else { value.clone() })
                        .collect(),
                    unfilled: row.unfilled,
                    error: errors.get(&row.name).map(str::to_owned),
                }
            })
            .collect();
        Self { url: format!("/engagements/{id}"), rows, plans }
    }
}

/// Assets.
#[derive(Template)]
#[template(path = "engagements/_assets.html")]
pub struct Assets {
    /// `/engagements/{id}`
    pub url: String,
    /// Link of the client's page.
    pub client: String,
    /// Rows: name, kind, criticality, address, procedures.
    pub rows: Vec<AssetLine>,
}

/// A row of the assets.
pub struct AssetLine {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Criticality.
    pub criticality: String,
    /// Address.
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
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
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
                used: asset.positions.iter().zip(&asset.procedures).map(|(n, id)| (*n, format!("{url}/procedures/{id}"))).collect(),
            })
            .collect();
        Self { url, client: format!("/clients/{}", head.own.client_id), rows }
    }
}

/// An entry of the timeline.
pub struct Moment {
    /// red or blue.
    pub team: &'static str,
    /// For the attribute.
    pub iso: String,
    /// "14:12:06"
    pub time: String,
    /// "until 14:15"
    pub until: Option<String>,
    /// Author.
    pub author: String,
    /// Link and name of the procedure.
    pub procedure: (String, String),
    /// Rendered Markdown.
    pub text: String,
}

/// Timeline.
#[derive(Template)]
#[template(path = "engagements/_timeline.html")]
pub struct Timeline {
    /// Days with their entries, in order.
    pub days: Vec<(String, Vec<Moment>)>,
    /// Name of the zone.
    pub zone: &'static str,
    /// Whether older ones are left out.
    pub cut: bool,
    /// The most it shows.
    pub most: i64,
}

impl Timeline {
    /// From the log.
    pub fn new(id: EngagementId, entries: &[Entry], zone: Tz) -> Self {
        let mut days: Vec<(String, Vec<Moment>)> = Vec::new();
        for entry in entries {
            let local = entry.starts_at.with_timezone(&zone);
            let day = times::display_date(local.date_naive());
            let until = entry.ends_at.map(|end| {
                let end = end.with_timezone(&zone);
                let same = end.date_naive() == local.date_naive();
                if same { end.format("until %H:%M").to_string() } else { format!("until {}", times::display(end.to_utc(), zone)) }
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
                text: markdown::render(&entry.text),
            };
            match days.last_mut().filter(|(last, _)| *last == day) {
                Some((_, moments)) => moments.push(moment),
                None => days.push((day, vec![moment])),
            }
        }
        Self { cut: entries.len() as i64 >= TIMELINE, days, zone: zone.name(), most: TIMELINE }
    }
}

/// A file of the attachments.
pub struct FileLine {
    /// red, blue or nothing.
    pub team: &'static str,
    /// Team's label.
    pub team_label: &'static str,
    /// Link.
    pub href: String,
    /// Whether it is an image that browsers show.
    pub image: bool,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Size.
    pub size: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: When,
    /// Link and place of its procedure.
    pub procedure: Option<(String, i32)>,
}

/// Attachments.
#[derive(Template)]
#[template(path = "engagements/_attachments.html")]
pub struct Attachments {
    /// Files.
    pub files: Vec<FileLine>,
}

impl Attachments {
    /// From the list.
    pub fn new(id: EngagementId, files: &[File], zone: Tz) -> Self {
        let files = files
            .iter()
            .map(|file| FileLine {
                team: file.team.map(Team::as_str).unwrap_or_default(),
                team_label: file.team.map(Team::label).unwrap_or_default(),
                href: format!("/engagements/{id}/attachments/{}", file.id),
                image: ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&file.media_type.as_str()),
                title: file.title.clone(),
                description: file.description.clone(),
                size: size(file.size),
                by: file.by.clone(),
                at: When::exact(file.at, zone),
                procedure: file.procedure.zip(file.position).map(|(p, n)| (format!("/engagements/{id}/procedures/{p}#attachments"), n)),
            })
            .collect();
        Self { files }
    }
}

/// Report.
#[derive(Template)]
#[template(path = "engagements/_report.html")]
pub struct Report {
    /// Link, label and class of the status, last change; none without a report.
    pub report: Option<(String, &'static str, &'static str, When)>,
    /// Whether the runbook is submitted.
    pub submitted: bool,
    /// Whether the person may read it.
    pub readable: bool,
    /// Link to submit, where the person may.
    pub submit: Option<String>,
}

impl Report {
    /// From the head.
    pub fn new(head: &Head, readable: bool, may_submit: bool, now: DateTime<Utc>, zone: Tz) -> Self {
        Self {
            report: head
                .report
                .as_ref()
                .map(|r| (format!("/reports/{}", r.id), r.status.label(), report_class(r.status), When::ago(r.updated_at, now, zone))),
            submitted: head.own.submitted_at.is_some(),
            readable,
            submit: may_submit.then(|| format!("/engagements/{}/submit", head.own.id)),
        }
    }
}

/// Activity.
#[derive(Template)]
#[template(path = "engagements/_activity.html")]
pub struct ActivityList {
    /// Time, who, what.
    pub rows: Vec<(When, String, String)>,
    /// How many there are: "1,000+" beyond that.
    pub total: String,
    /// Whether older ones were archived.
    pub archived: bool,
    /// Name of the zone.
    pub zone: &'static str,
}

impl ActivityList {
    /// The newest events.
    pub fn new(events: &[Activity], total: i64, archived: bool, now: DateTime<Utc>, zone: Tz) -> Self {
        let rows = events.iter().map(|e| (When::ago(e.at, now, zone), e.actor_name.clone(), e.sentence.clone())).collect();
        let total = if total > 1_000 { "1,000+".to_owned() } else { total.to_string() };
        Self { rows, total, archived, zone: zone.name() }
    }
}

/// What a closed section says about assets: "2 workstations · 2 servers".
pub fn asset_digest(kinds: &serde_json::Value) -> (u64, String) {
    let counts: Vec<(String, u64)> =
        kinds.as_object().into_iter().flatten().map(|(kind, n)| (kind.replace('_', " "), n.as_u64().unwrap_or(0))).collect();
    let plural = |kind: &str| match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind == "general" => "general".to_owned(),
        None => format!("{kind}s"),
    };
    let words: Vec<String> = counts.iter().map(|(kind, n)| counted(*n as usize, kind, &plural(kind))).collect();
    (counts.iter().map(|(_, n)| n).sum(), words.join(" · "))
}

/// Samples of this file's views: the bodies that are fragments.
pub fn samples() -> Vec<(&'static str, String)> {
    super::show::section_samples()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_assets_are_words() {
        let kinds = serde_json::json!({ "workstation": 2, "identity": 2, "network_device": 1 });
        let (n, text) = asset_digest(&kinds);
        assert_eq!((n, text.as_str()), (5, "2 identities · 1 network device · 2 workstations"));
        assert_eq!(words("network_device"), "Network Device");
    }
}

//! The engagement's page: the head that stays in sight, and its sections.

use askama::Template;
use chrono::{DateTime, Utc};

use super::glance::GlanceView;
use super::sections::{
    Assets, Attachments, Choosable, Files, Inputs, Operators, Overview, OwnDates, Part, Report, Timeline,
    asset_digest,
};
use super::table::{Line, Meter, Now, Procedures};
use crate::engagements::glance::{Answered, Glance};
use crate::engagements::store::sections::{Candidate, Entry, UsedAsset};
use crate::engagements::store::show::{Digests, Head};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::show;
use crate::kernel::base::show::{dates, size};
use crate::kernel::base::team::Team;
use crate::kernel::event::record::Record;
use crate::kernel::event::views::Activity;
use crate::kernel::merge::set::SetChange;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::domain::{ProcedureStatus, Sides, working_allowed};
use crate::procedures::inputs::{InputRow, Values};
use crate::procedures::queue::{Queue, Writer};
use crate::procedures::store::runbook::{Assignments, Corrections, ProcedureRow};
use crate::procedures::views::page::url_in;
use crate::settings::domain::Outcome;

/// Everything the page is made of; what was not asked for is empty.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub head: Head,
    /// Outcomes of both teams.
    pub outcomes: Vec<Outcome>,
    pub procedures: Vec<ProcedureRow>,
    pub operators: Assignments,
    /// Counts of the sections.
    pub digests: Digests,
    pub inputs: Vec<InputRow>,
    /// People who can be operators.
    pub candidates: Vec<Candidate>,
    pub assets: Vec<UsedAsset>,
    pub answers: Vec<Answered>,
    /// What the report puts right of a submitted runbook.
    pub corrections: Corrections,
    /// Keys and names of the release's tactics.
    pub tactics: Vec<(String, String)>,
    pub entries: Vec<Entry>,
    /// How many entries of the timeline are older than those.
    pub older_entries: i64,
    /// Whether newer ones are left out.
    pub paged: bool,
    pub files: Files,
    pub events: Vec<Record>,
}

impl Loaded {
    /// Whether the runbook is being worked on.
    pub fn is_open(&self) -> bool {
        working_allowed(self.head.own.status, self.head.own.submitted_at.is_some()).is_ok()
    }

    pub fn of(head: Head) -> Self {
        Self {
            head,
            outcomes: Vec::new(),
            procedures: Vec::new(),
            operators: Assignments::default(),
            digests: Digests::default(),
            inputs: Vec::new(),
            candidates: Vec::new(),
            assets: Vec::new(),
            answers: Vec::new(),
            corrections: Corrections::default(),
            tactics: Vec::new(),
            entries: Vec::new(),
            older_entries: 0,
            paged: false,
            files: Files::default(),
            events: Vec::new(),
        }
    }
}

/// What the person may do here.
#[derive(Debug, Clone, Copy, Default)]
pub struct May {
    /// Change details, procedures, operators and inputs: the right, and the editing rule.
    pub plan: bool,
    /// See what else operators are booked for: other clients' names and dates.
    pub bookings: bool,
    /// Start before the date.
    pub start: bool,
    /// Approve or decline: the right, while it is a request.
    pub approve: bool,
    pub cancel: bool,
    pub delete: bool,
    /// Make a test plan of it.
    pub keep_plan: bool,
    /// Submit: the right, and the editing rule.
    pub submit: bool,
    pub report: bool,
    /// Read the audit log.
    pub log: bool,
}

/// What is needed beside the rows to show them.
pub struct Around<F> {
    /// Who looks, and what they write.
    pub writer: Writer<F>,
    /// What they may do.
    pub may: May,
    pub now: DateTime<Utc>,
    /// The organisation's zone, for times that are not the engagement's.
    pub zone: chrono_tz::Tz,
    /// Filter of the procedures.
    pub show: Option<Queue>,
    /// Inputs as typed, after a refused save.
    pub typed: Values,
    /// What is wrong with them.
    pub errors: FieldErrors,
    /// What was changed of the operators, after a refused save.
    pub ticked: Option<SetChange<(PersonId, Team)>>,
    /// Own dates as typed, after a refused save.
    pub dates: OwnDates,
}

pub struct Section {
    pub key: &'static str,
    pub title: &'static str,
    pub count: String,
    /// What is inside, in one line.
    pub digest: String,
    /// Whether it is open.
    pub open: bool,
    /// Its body, where it comes with the page.
    pub body: Option<String>,
    /// Whether the body reaches the edges.
    pub flush: bool,
}

impl Section {
    /// What the next click on its summary makes of it.
    fn next(&self) -> &'static str {
        if self.open { "closed" } else { "open" }
    }
}

/// What remembers a section after a click on its summary.
#[derive(Template)]
#[template(path = "engagements/_toggle.html")]
pub struct Toggle {
    pub url: String,
    pub key: &'static str,
    /// What the next click makes of it.
    pub next: &'static str,
}

#[derive(Template)]
#[template(path = "engagements/show.html")]
pub struct Show {
    pub frame: Frame,
    pub url: String,
    pub title: String,
    /// Label of the status.
    pub status: &'static str,
    pub class: &'static str,
    pub client: String,
    pub client_href: String,
    /// "16 – 27 Nov 2026"
    pub dates: String,
    pub plan: String,
    pub meter: Meter,
    /// Link and label of Continue.
    pub next: Option<(String, String)>,
    /// What the person may do.
    pub may: May,
    /// Link of the report, once the runbook was submitted into it.
    pub report: Option<String>,
    /// Whether Submit is the loud action.
    pub full: bool,
    /// Whether Start now makes sense.
    pub startable: bool,
    /// Whether it has a page for paper; a request has none yet.
    pub printable: bool,
    /// Why nothing can be changed, where that is so.
    pub notice: Option<String>,
    /// What went wrong with the last form.
    pub problem: Option<String>,
    pub sections: Vec<Section>,
}

/// Longest name on the Continue button, in characters.
const CONTINUE_CHARS: usize = 26;

fn short(name: &str) -> String {
    if name.chars().count() <= CONTINUE_CHARS {
        name.to_owned()
    } else {
        format!("{}…", name.chars().take(CONTINUE_CHARS).collect::<String>().trim_end())
    }
}

/// The body of a section.
pub fn body<F: Fn(bool, bool) -> Sides>(
    part: Part,
    loaded: &Loaded,
    around: &Around<F>,
) -> Result<String, askama::Error> {
    let head = &loaded.head;
    let (id, zone) = (head.own.id, head.own.zone());
    let url = format!("/engagements/{id}");
    match part {
        Part::Overview => Overview::new(head, around.may.plan).render(),
        Part::Procedures => procedures(loaded, around).render(),
        Part::Operators => {
            let chosen: Vec<(PersonId, Team)> = loaded
                .operators
                .iter()
                .filter(|o| o.procedure_id.is_none())
                .map(|o| (o.person_id, o.team))
                .collect();
            // On what is stored now: somebody else's tick from meanwhile stays one.
            let ticked: Option<Vec<_>> =
                around.ticked.as_ref().map(|change| change.on(chosen.iter().copied()).into_iter().collect());
            let people = Choosable::list(&loaded.candidates, &chosen, ticked.as_deref());
            let people = Choosable::with_dates(people, &loaded.candidates, &around.dates, &around.errors);
            Operators { url, people, plans: around.may.plan, bookings: around.may.bookings }.render()
        }
        Part::Inputs => {
            // What was typed must not go, even where it can no longer be saved.
            let plans = around.may.plan || !around.typed.is_empty();
            Inputs::new(id, &loaded.inputs, plans, &around.typed, &around.errors)
        }
        .render(),
        Part::Assets => Assets::new(head, &loaded.assets).render(),
        Part::Outcomes => {
            let tactics = loaded.tactics.iter().map(|(key, name)| (key.as_str(), name.as_str()));
            let glance = Glance::of(tactics, &loaded.answers);
            GlanceView { glance, times: true, base: url }.render()
        }
        Part::Timeline => {
            Timeline::new(id, &loaded.entries, loaded.older_entries, loaded.paged, zone).render()
        }
        Part::Attachments => Attachments::new(id, &loaded.files, zone).render(),
        Part::Report => {
            Report::new(head, around.may.report, around.may.submit, around.now, around.zone).render()
        }
        Part::Activity => {
            let total = loaded.digests.events;
            let total = if total > 1_000 { "1,000+".to_owned() } else { total.to_string() };
            let (archived, reads_log) = (loaded.digests.archived, around.may.log);
            Activity {
                rows: loaded.events.clone(),
                total: Some(total),
                archived,
                reads_log,
                log: None,
                zone: around.zone,
            }
            .render()
        }
    }
}

fn procedures<F: Fn(bool, bool) -> Sides>(loaded: &Loaded, around: &Around<F>) -> Procedures {
    let (all, operators) = (&loaded.procedures, &loaded.operators);
    let fits = |row: &ProcedureRow, show: Option<Queue>| {
        show.is_none_or(|queue| around.writer.fits(queue, row, operators))
    };
    let count = |show: Option<Queue>| all.iter().filter(|row| fits(row, show)).count();
    let chips = [
        (None, "All"),
        (Some(Queue::Mine), "Waiting on me"),
        (Some(Queue::Red), "Waiting on red"),
        (Some(Queue::Blue), "Waiting on blue"),
        (Some(Queue::Unanswered), "Unanswered"),
    ]
    .into_iter()
    // Where no work is allowed nothing waits, and no chip says that it does.
    .filter(|(show, _)| {
        loaded.is_open() || *show == around.show || matches!(show, None | Some(Queue::Unanswered))
    })
    .map(|(show, label)| (show.map_or("", Queue::as_str), label, count(show)))
    .collect();
    let now = Now { at: around.now, zone: loaded.head.own.zone() };
    let rows = all
        .iter()
        .filter(|row| fits(row, around.show))
        .map(|row| {
            let sides = around.writer.sides_of(row, operators);
            let on = (sides, around.show);
            let mut line = Line::new(row, loaded.head.own.id, &loaded.outcomes, operators, on, now);
            line.correct(row.id, &loaded.corrections);
            line
        })
        .collect();
    let url = format!("/engagements/{}", loaded.head.own.id);
    let show = around.show.map_or("", Queue::as_str);
    Procedures { url, chips, show, rows, total: all.len(), plans: around.may.plan }
}

impl Show {
    /// The page, with the bodies of the sections in `open` that come with it.
    ///
    /// # Errors
    /// When a body cannot be rendered.
    pub fn new<F: Fn(bool, bool) -> Sides>(
        frame: Frame,
        loaded: &Loaded,
        around: &Around<F>,
        open: &[Part],
        problem: Option<String>,
    ) -> Result<Self, askama::Error> {
        let own = &loaded.head.own;
        let url = format!("/engagements/{}", own.id);
        let meter = Meter::new(&loaded.procedures, own.submitted_at.is_some());
        let report = loaded.head.report.as_ref().filter(|_| around.may.report && own.submitted_at.is_some());
        let next = loaded
            .procedures
            .iter()
            .find(|row| {
                around.writer.sides_of(row, &loaded.operators).any()
                    && around.writer.is_turn_of(row, &loaded.operators)
            })
            .map(|row| {
                let href = url_in(own.id, row.id, Some(Queue::Mine));
                (href, format!("{} {}", row.position, short(&row.name)))
            });
        let sections =
            Part::ALL.iter().map(|part| section(*part, loaded, around, open)).collect::<Result<_, _>>()?;
        Ok(Self {
            frame,
            title: own.title.clone(),
            status: own.status.label(),
            class: own.status.class(),
            client: loaded.head.client_name.clone(),
            client_href: format!("/clients/{}", own.client_id),
            dates: dates(own.start_date, own.end_date),
            plan: own.test_plan_title.clone(),
            report: report.map(|report| format!("/reports/{}", report.id)),
            full: meter.unsubmitted,
            meter,
            next,
            may: around.may,
            startable: own.status == EngagementStatus::Scheduled,
            printable: own.status != EngagementStatus::Pending,
            notice: notice(&loaded.head, around.now),
            problem,
            sections,
            url,
        })
    }
}

/// Why the runbook is closed.
fn notice(head: &Head, now: DateTime<Utc>) -> Option<String> {
    match (head.own.status, head.own.submitted_at, &head.own.cancel_reason) {
        (EngagementStatus::Canceled, _, Some(reason)) => Some(format!("Canceled: {reason}")),
        (_, Some(at), _) => Some(format!(
            "Submitted {}. The runbook can no longer be edited; outcomes are corrected in the report.",
            show::time(at, head.own.zone())
        )),
        (EngagementStatus::Scheduled, ..) => {
            let start = head.own.start_date.map(show::date).unwrap_or_default();
            Some(format!(
                "Starts {start}. Until then it can be planned; outcomes are recorded once it has started."
            ))
        }
        (EngagementStatus::Pending, ..) => {
            let on = head
                .own
                .requested_at
                .map(|at| format!(" {}", show::time(at, head.own.zone())))
                .unwrap_or_default();
            let passed = head.own.starts_at.is_some_and(|start| start <= now);
            let passed = if passed { " Its start date passed." } else { "" };
            Some(format!("Requested{on}, not approved yet.{passed} It can be planned meanwhile."))
        }
        _ => None,
    }
}

fn section<F: Fn(bool, bool) -> Sides>(
    part: Part,
    loaded: &Loaded,
    around: &Around<F>,
    open: &[Part],
) -> Result<Section, askama::Error> {
    let (count, digest) = digest(part, loaded, around);
    let remembered = loaded.digests.sections.get(part.as_str()).and_then(serde_json::Value::as_bool);
    let asked = open.contains(&part);
    let comes = asked || matches!(part, Part::Overview | Part::Procedures);
    Ok(Section {
        key: part.as_str(),
        title: part.label(),
        count,
        digest,
        open: asked || remembered.unwrap_or(part == Part::Procedures),
        body: if comes { Some(body(part, loaded, around)?) } else { None },
        flush: matches!(
            part,
            Part::Procedures | Part::Operators | Part::Inputs | Part::Assets | Part::Activity
        ),
    })
}

fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .map(|line| line.trim_start_matches(['#', '-', '*', '>', ' ']))
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    line.replace("**", "").replace('`', "")
}

fn digest<F>(part: Part, loaded: &Loaded, around: &Around<F>) -> (String, String) {
    let (own, d, zone) = (&loaded.head.own, &loaded.digests, loaded.head.own.zone());
    match part {
        Part::Overview => {
            let line = [&own.objective, &own.description, &own.scope]
                .into_iter()
                .map(|text| first_line(text))
                .find(|line| !line.is_empty());
            (String::new(), line.unwrap_or_else(|| "Nothing written down yet".into()))
        }
        Part::Procedures => {
            let tactics: std::collections::BTreeSet<&str> =
                loaded.procedures.iter().flat_map(|row| &row.tactics).map(String::as_str).collect();
            let done = Meter::new(&loaded.procedures, true);
            let tactics = crate::kernel::base::show::counted(tactics.len(), "tactic", "tactics");
            let words = if done.total == 0 {
                done.words
            } else {
                format!("{tactics} · {}", done.words.replace(" procedures", ""))
            };
            (loaded.procedures.len().to_string(), words)
        }
        Part::Operators => {
            let of = |team| -> Vec<&str> {
                loaded
                    .operators
                    .iter()
                    .filter(|o| o.procedure_id.is_none() && o.team == team)
                    .map(|o| o.name.as_str())
                    .collect()
            };
            let (red, blue) = (of(Team::Red), of(Team::Blue));
            let mut people: Vec<_> = red.iter().chain(&blue).collect();
            people.sort_unstable();
            people.dedup();
            let said = [("Red", &red), ("Blue", &blue)]
                .iter()
                .map(|(team, names)| {
                    format!("{team}: {}", if names.is_empty() { "nobody".into() } else { names.join(", ") })
                })
                .collect::<Vec<_>>()
                .join(" · ");
            (people.len().to_string(), said)
        }
        Part::Inputs => {
            let missing: Vec<&str> =
                loaded.inputs.iter().filter(|row| row.unfilled).map(|row| row.name.as_str()).collect();
            let words = match (loaded.inputs.len(), missing.len()) {
                (0, _) => "No command asks for one".into(),
                (_, 0) => "All filled in".into(),
                (_, n) => format!("{n} not filled in: {}", missing.join(", ")),
            };
            (loaded.inputs.len().to_string(), words)
        }
        Part::Assets => {
            let (n, words) = asset_digest(&d.assets);
            (n.to_string(), if n == 0 { "None named on a procedure yet".into() } else { words })
        }
        Part::Outcomes => {
            let applicable =
                || loaded.procedures.iter().filter(|row| row.status != ProcedureStatus::NotApplicable);
            let not_attempted =
                |key: &str| loaded.outcomes.iter().any(|o| o.key == key && !o.meaning.attempted);
            let asked = || applicable().filter(|row| !row.red_outcome.as_deref().is_some_and(not_attempted));
            let red = applicable().filter(|row| row.red_outcome.is_some()).count();
            let blue = asked().filter(|row| row.blue_outcome.is_some()).count();
            (
                String::new(),
                format!(
                    "Red answered {red} of {} · blue answered {blue} of {}",
                    applicable().count(),
                    asked().count()
                ),
            )
        }
        Part::Timeline => {
            let last = d
                .last_entry
                .zip(d.last_author.as_ref())
                .map(|(at, by)| format!("Last entry {}, {by}", show::time(at, zone)));
            (d.entries.to_string(), last.unwrap_or_else(|| "No log entries yet".into()))
        }
        Part::Attachments => {
            let words = if d.files == 0 {
                "Nothing attached yet".into()
            } else {
                format!("{} red · {} blue · {}", d.red_files, d.blue_files, size(d.bytes))
            };
            (d.files.to_string(), words)
        }
        Part::Report => (
            String::new(),
            loaded.head.report.as_ref().map(|r| format!("Report: {}", r.status.label())).unwrap_or_default(),
        ),
        Part::Activity => {
            let count = if d.events > 1_000 { "1,000+".to_owned() } else { d.events.to_string() };
            let ago = d
                .last_event_at
                .map(|at| show::relative(at, around.now).unwrap_or_else(|| show::time(at, around.zone)));
            (count, d.last_event.iter().cloned().chain(ago).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::super::table::{INLINE, Mark};
    use super::*;
    use crate::engagements::store::show::Own;
    use crate::kernel::base::ids::{ClientId, EngagementId, ProcedureId};
    use crate::procedures::domain::{ProcedureStatus, Severity, Turn};
    use crate::procedures::store::runbook::Operator;

    /// An engagement with two procedures, one answered, and somebody who works on both sides.
    fn engagement() -> (Loaded, Around<impl Fn(bool, bool) -> Sides>) {
        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let person = PersonId::new();
        let own = Own {
            id: EngagementId::new(),
            client_id: ClientId::new(),
            title: "Autumn purple team".into(),
            description: String::new(),
            objective: String::new(),
            scope: String::new(),
            access_info: String::new(),
            special_instructions: String::new(),
            tags: Vec::new(),
            status: EngagementStatus::InProgress,
            start_date: None,
            end_date: None,
            time_zone: crate::kernel::base::zone::Zone::default(),
            observation_window: crate::procedures::domain::ObservationWindow::default(),
            starts_at: None,
            attack_version: "19.1".into(),
            test_plan_title: String::new(),
            test_plan_id: None,
            test_plan_version: None,
            earlier_engagement_id: None,
            write_rule: None,
            cancel_reason: None,
            requested_at: None,
            submitted_at: None,
            version: 1,
        };
        let row = |position, status, outcome: Option<&str>| ProcedureRow {
            id: ProcedureId::new(),
            position,
            name: "Read memory".into(),
            technique_ids: vec!["T1003.001".into(), "T1021".into()],
            tactics: vec!["credential-access".into()],
            status,
            severity: outcome.map(|_| Severity::High),
            waiting_on: None,
            look_again: None,
            ready: false,
            turn: if outcome.is_some() { Turn::Nobody } else { Turn::Red },
            red_outcome: outcome.map(|_| "success".into()),
            blue_outcome: outcome.map(str::to_owned),
            version: 1,
        };
        let outcome = |key: &str, team, score| Outcome {
            key: key.into(),
            team,
            label: key.into(),
            definition: String::new(),
            meaning: crate::settings::domain::Meaning { score, ..Default::default() },
            retired_at: None,
        };
        let operator = |team| Operator {
            procedure_id: None,
            person_id: person,
            name: "Mika Kuusi".into(),
            team,
            has_access: true,
        };
        let head = Head {
            own,
            client_name: "Harbour Lights Ferries".into(),
            updated: now,
            updated_by: "Mika Kuusi".into(),
            report: None,
        };
        let mut loaded = Loaded::of(head);
        loaded.outcomes = vec![outcome("success", Team::Red, None), outcome("logged", Team::Blue, Some(30))];
        loaded.procedures = vec![
            row(1, ProcedureStatus::Completed, Some("logged")),
            row(2, ProcedureStatus::NotStarted, None),
        ];
        loaded.operators = vec![operator(Team::Red), operator(Team::Blue)].into();
        let around = Around {
            writer: Writer { sides: |_, _| Sides::ALL, person },
            may: May::default(),
            now,
            zone: chrono_tz::UTC,
            show: None,
            typed: Values::new(),
            errors: FieldErrors::default(),
            ticked: None,
            dates: OwnDates::new(),
        };
        (loaded, around)
    }

    fn frame() -> Frame {
        Frame::new(None, crate::kernel::web::Section::Engagements, "Engagement".into(), None, None)
    }

    #[test]
    fn the_page_stays_small_with_two_hundred_procedures() {
        let (mut loaded, around) = engagement();
        let name = "Read LSASS memory with a signed tool".to_owned();
        loaded.procedures = (1..=200)
            .map(|position| ProcedureRow {
                id: ProcedureId::new(),
                position,
                name: name.clone(),
                ..loaded.procedures[1].clone()
            })
            .collect();
        let other = |n: &str, team| Operator {
            name: n.into(),
            person_id: PersonId::new(),
            team,
            ..loaded.operators[0].clone()
        };
        loaded.operators = vec![
            other("Mika Kuusi", Team::Red),
            other("Tor Vale", Team::Red),
            other("Ines Otero", Team::Blue),
            other("Sam Adeyemi", Team::Blue),
        ]
        .into();
        let page =
            Show::new(frame(), &loaded, &around, &[], None).and_then(|page| page.render()).expect("renders");
        let mut sent = ZipWriter::new(Cursor::new(Vec::new()));
        sent.start_file("", SimpleFileOptions::default()).expect("a file");
        sent.write_all(page.as_bytes()).expect("written");
        let sent = sent.finish().expect("finished").into_inner().len();
        assert!(sent <= 22 * 1024, "{sent} bytes of {} are sent", page.len());
    }

    #[test]
    fn inline_fields_are_the_four_of_the_table() {
        let (loaded, _) = engagement();
        let kinds: Vec<_> = INLINE
            .iter()
            .map(|field| Mark::of(&loaded.procedures[0], *field, &loaded.outcomes).kind)
            .collect();
        assert_eq!(kinds, ["state", "outcome", "outcome", "sev"]);
    }

    #[test]
    fn continue_leads_to_what_waits_on_me() {
        let (loaded, around) = engagement();
        let page = Show::new(frame(), &loaded, &around, &[], None).expect("renders");
        assert!(page.next.expect("waits on red, and I am red").1.starts_with("2 "));
        let stranger = stranger(&around);
        assert!(Show::new(frame(), &loaded, &stranger, &[], None).expect("renders").next.is_none());
    }

    fn stranger<F>(around: &Around<F>) -> Around<impl Fn(bool, bool) -> Sides + use<F>> {
        Around {
            writer: Writer { sides: |_, _| Sides::default(), person: PersonId::new() },
            may: around.may,
            now: around.now,
            zone: around.zone,
            show: None,
            typed: Values::new(),
            errors: FieldErrors::default(),
            ticked: None,
            dates: OwnDates::new(),
        }
    }

    #[test]
    fn digests_take_the_first_words() {
        assert_eq!(first_line("\n## Can they see it?\nMore"), "Can they see it?");
        assert_eq!(first_line("Seen **before** `net.exe` *ends*"), "Seen before net.exe *ends*");
        assert_eq!(short(&"x".repeat(60)).chars().count(), CONTINUE_CHARS + 1);
    }
}

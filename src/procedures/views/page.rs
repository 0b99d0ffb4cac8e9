//! The procedure page: its bar, its form, its steps and what stands beside them.

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::parts::Parts;
use super::steps::Steps;
use crate::kernel::authz::Permission;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{EngagementId, ProcedureId};
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::base::times;
use crate::kernel::merge::Conflict;
use crate::kernel::merge::form::ConflictView;
use crate::kernel::merge::record::{Columns, Typed};
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::kernel::web::frame::initials;
use crate::procedures::domain::{
    Field, Observed, ProcedureStatus, Severity, Sides, Turn, WaitingOn, warnings, working_allowed,
};
use crate::procedures::queue::{InQueue, Queue};
use crate::procedures::store::done::Answered;
use crate::procedures::store::page::Neighbours;
use crate::procedures::store::runbook::{Operator, ProcedureRow, meanings};
use crate::settings::domain::Meaning;

/// What stands in the form instead of the saved values: after a 422, a conflict, or a restored draft.
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    /// What was typed and is not saved.
    pub unsaved: Vec<Typed<Field>>,
    /// The zone in which times were typed; none for the engagement's.
    pub zone: Option<Tz>,
}

impl Overlay {
    fn typed(&self, field: Field) -> Option<&Typed<Field>> {
        self.unsaved.iter().find(|typed| typed.field == field)
    }

    /// What was typed into a field, a time told in `zone`.
    fn value(&self, field: Field, zone: Tz) -> Option<String> {
        let raw = &self.typed(field)?.raw;
        let told = self
            .zone
            .filter(|own| *own != zone && field.is_time())
            .and_then(|own| times::parse(raw, own).ok());
        Some(told.map_or_else(|| raw.clone(), |at| times::for_input(at, zone)))
    }
}

/// One choice of a select.
#[derive(Debug, Clone)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub title: String,
    pub selected: bool,
}

/// Which control a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    Select,
    Line,
    Text,
    /// A point in time.
    Time,
}

/// A field of the form.
#[derive(Debug, Clone)]
pub struct FieldView {
    pub name: &'static str,
    pub label: String,
    pub control: Control,
    /// The value in the control.
    pub value: String,
    /// The value as people read it, where it cannot be written.
    pub words: String,
    /// The saved value, where the control shows another.
    pub initial: Option<String>,
    /// The version that the shown value came from, where it is not the form's.
    pub base: Option<i32>,
    /// Choices of a select.
    pub choices: Vec<Choice>,
    /// Whether the person may write it.
    pub writable: bool,
    /// What is wrong with it.
    pub error: Option<String>,
    /// What does not fit.
    pub warning: Option<String>,
    pub conflict: Option<ConflictView>,
    /// Name of a list of suggestions.
    pub list: Option<&'static str>,
    /// Limit, for the browser.
    pub max: usize,
}

/// The list of an engagement's procedures, to go to any of them.
#[derive(Template)]
#[template(path = "procedures/jump.html")]
pub struct Jump {
    pub engagement: EngagementId,
    /// The one that is open.
    pub current: ProcedureId,
    pub procedures: Vec<ProcedureRow>,
}

impl FieldView {
    /// Whether a field of dates and times can show the value; what else was typed is shown as text.
    fn is_wall_time(&self) -> bool {
        let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
        let reads = |format| NaiveDateTime::parse_from_str(&self.value, format).is_ok();
        self.value.is_empty() || formats.into_iter().any(reads)
    }
}

impl Jump {
    fn href(&self, procedure: &ProcedureRow) -> String {
        url(self.engagement, procedure.id)
    }
    fn class(&self, procedure: &ProcedureRow) -> &'static str {
        state_class(procedure.status)
    }
    fn is_current(&self, procedure: &ProcedureRow) -> bool {
        procedure.id == self.current
    }
}

#[derive(Template)]
#[template(path = "procedures/_bar.html")]
pub struct Bar {
    /// Address of the engagement.
    pub engagement: String,
    /// Where Close leads: the table, with the filter that the page was opened from.
    pub close: String,
    /// "2 of 5 waiting on you"; empty outside a queue.
    pub queue: String,
    pub engagement_title: String,
    pub name: String,
    /// "4 of 13"
    pub place: String,
    pub previous: Option<String>,
    pub next: Option<String>,
    /// Where the list of all procedures is.
    pub jump: String,
    /// Whether there is anything to save.
    pub writable: bool,
    /// What was just done.
    pub saved: Option<String>,
}

impl HtmlSafe for Bar {}

/// A person on a side.
#[derive(Debug, Clone)]
pub struct Face {
    pub name: String,
    /// Two letters.
    pub initials: String,
}

#[derive(Template)]
#[template(path = "procedures/_form.html", blocks = ["start", "figures", "again", "standing"])]
pub struct SaveForm {
    /// Where it posts to.
    pub url: String,
    /// The query by which a save stays inside a queue; empty outside one.
    pub queue: String,
    pub zone: String,
    /// The version that the shown values came from.
    pub version: i32,
    /// The tab whose restored draft it goes on with; the script fills in its own otherwise.
    pub tab: String,
    /// Why it cannot be saved now.
    pub problem: Option<String>,
    /// How many fields conflict.
    pub conflicts: usize,
    /// Fields of the strip.
    pub strip: Vec<FieldView>,
    /// Why it is not applicable.
    pub reason: FieldView,
    /// Whose turn it is, and what keeps it from being completed; empty for nothing.
    pub standing: String,
    /// Whether the person writes blue and not red: blue comes first then, on narrow screens.
    pub blue_only: bool,
    /// What red did, in a line, for who only writes blue.
    pub red_line: String,
    pub red: Vec<FieldView>,
    pub blue: Vec<FieldView>,
    pub red_people: Vec<Face>,
    pub blue_people: Vec<Face>,
    /// Whether Start is offered.
    pub starts: bool,
    /// "Time to detect 58 s"
    pub figures: String,
    /// What is said of a provisional answer.
    pub again: Option<Again>,
    /// Suggestions for detected by.
    pub detectors: Vec<String>,
    /// Whether there is anything to save.
    pub writable: bool,
    /// The sides whose controls the page shows, as [`Sides::words`].
    pub held: String,
    /// How blue hands over to red, where the turn is not chosen from a list.
    pub hand_over: HandOver,
    pub steps: Steps,
    pub description: String,
}

impl HtmlSafe for SaveForm {}

/// A provisional answer of blue's.
#[derive(Debug, Clone)]
pub struct Again {
    pub answer: String,
    /// "1 hour", the engagement's observation window.
    pub window: &'static str,
    /// When blue looks again.
    pub at: String,
    /// Whether that time has come.
    pub due: bool,
    /// Whether the person may say that the answer stands.
    pub writable: bool,
}

/// The note with which blue hands over to red.
#[derive(Debug, Clone, Default)]
pub struct HandOver {
    /// Whether the form has it.
    pub offered: bool,
    pub note: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

impl SaveForm {
    /// Where the draft is brought back.
    pub fn restore(&self) -> String {
        let within = self.queue.replace('?', "&");
        format!("{}?draft=restore{within}", self.url)
    }

    /// The pieces that an open page takes over as they are, because nobody types into them: what others
    /// write, whose turn it is, Start, the figures. Each with where it goes. Sides in `held` stand on the
    /// page as controls and are left alone.
    ///
    /// # Errors
    /// When a piece cannot be rendered.
    pub fn unwritable(&self, held: Sides) -> askama::Result<Vec<(String, String)>> {
        let shown = |field: &&FieldView| {
            !field.writable && !field.name.parse::<Field>().is_ok_and(|name| held.may_write(name))
        };
        let fields = self.strip.iter().chain([&self.reason]).chain(&self.red).chain(&self.blue).filter(shown);
        let mut pieces: Vec<(String, String)> = fields
            .map(|field| Ok((format!("#f-{}", field.name), FreshField { field }.render()?)))
            .collect::<askama::Result<_>>()?;
        pieces.push(("#standing".into(), self.as_standing().render()?));
        pieces.push(("#start".into(), self.as_start().render()?));
        pieces.push(("#figures".into(), self.as_figures().render()?));
        pieces.push(("#again".into(), self.as_again().render()?));
        Ok(pieces)
    }
}

#[derive(Template)]
#[template(path = "procedures/_fresh_field.html")]
struct FreshField<'a> {
    field: &'a FieldView,
}

/// When the procedure was last saved, and by whom.
#[derive(Template)]
#[template(path = "procedures/_last.html")]
pub struct Last<'a> {
    pub last: &'a str,
}

/// What stands beside the form.
#[derive(Template)]
#[template(path = "procedures/_aside.html")]
pub struct Aside {
    /// Techniques: id, name, tactics.
    pub techniques: Vec<(String, String, String)>,
    pub attack_version: String,
    pub red: String,
    pub blue: String,
    /// Whether a team's operators are the procedure's own.
    pub own: bool,
    /// Address of Manage operators.
    pub manage: Option<String>,
    /// Where it is saved in the library, for whoever may.
    pub library: Option<String>,
    /// Who saved last, and when.
    pub last: String,
}

impl HtmlSafe for Aside {}

/// A draft that differs from what is saved.
pub struct DraftBanner {
    /// When it was kept.
    pub at: String,
    pub tab: String,
    /// The fields that differ.
    pub fields: String,
    /// How many older ones are offered after it.
    pub older: usize,
}

#[derive(Template)]
#[template(path = "procedures/show.html")]
pub struct Show {
    pub frame: Frame,
    pub bar: Bar,
    pub form: SaveForm,
    /// What stands beside it.
    pub aside: Aside,
    /// The logs, as HTML.
    pub logs: String,
    /// The attachments, as HTML.
    pub attachments: String,
    /// The assets, as HTML.
    pub assets: String,
    /// Why nothing can be written.
    pub closed: Option<String>,
    /// What was typed and not saved.
    pub draft: Option<DraftBanner>,
    /// Address of live updates.
    pub events: String,
}

/// Address of a procedure's page.
pub fn url(engagement: EngagementId, procedure: ProcedureId) -> String {
    format!("/engagements/{engagement}/procedures/{procedure}")
}

/// The same, inside the queue that it was opened from.
pub fn url_in(engagement: EngagementId, procedure: ProcedureId, queue: Option<Queue>) -> String {
    let own = url(engagement, procedure);
    queue.map_or(own.clone(), |queue| format!("{own}?queue={}", queue.as_str()))
}

/// CSS class of a procedure status.
pub fn state_class(status: ProcedureStatus) -> &'static str {
    match status {
        ProcedureStatus::NotStarted => "",
        ProcedureStatus::InProgress => "doing",
        ProcedureStatus::Completed => "done",
        ProcedureStatus::NotApplicable => "na",
    }
}

impl Parts<'_> {
    pub(super) fn zone(&self) -> Tz {
        self.shown.engagement.time_zone.tz()
    }

    pub(super) fn url(&self) -> String {
        url(self.shown.engagement.id, self.shown.procedure.id)
    }

    /// Where Save and next leads: the next procedure, or after the last one the engagement. In a queue, the
    /// next that waits, or the page that says what waits elsewhere.
    pub fn next_url(&self, place: Option<&InQueue>) -> String {
        let engagement = self.shown.engagement.id;
        match (place, self.shown.neighbours.next) {
            (Some(place), _) => match place.next {
                Some(next) => url_in(engagement, next, Some(place.queue)),
                None => format!("/engagements/{engagement}/queue?queue={}", place.queue.as_str()),
            },
            (None, Some(next)) => url(engagement, next),
            (None, None) => format!("/engagements/{engagement}"),
        }
    }

    pub fn bar(&self, saved: Option<String>, place: Option<&InQueue>) -> Bar {
        let queue = place.map(|place| place.queue);
        let link =
            |procedure: Option<ProcedureId>| procedure.map(|id| url_in(self.shown.engagement.id, id, queue));
        let Neighbours { nth, of, .. } = self.shown.neighbours;
        let (previous, next) = match place {
            Some(place) => (place.previous, place.next),
            None => (self.shown.neighbours.previous, self.shown.neighbours.next),
        };
        let engagement = format!("/engagements/{}", self.shown.engagement.id);
        let filter = queue.map(|queue| format!("?show={}", queue.as_str())).unwrap_or_default();
        Bar {
            close: format!("{engagement}{filter}#procedures"),
            queue: place.map(InQueue::words).unwrap_or_default(),
            engagement,
            engagement_title: self.shown.engagement.title.clone(),
            name: self.shown.procedure.name.clone(),
            place: format!("{nth} of {of}"),
            previous: link(previous),
            next: link(next),
            jump: format!("{}/jump", self.url()),
            writable: self.sides.any(),
            saved,
        }
    }

    /// The form, with what was typed over what is saved.
    pub fn form(
        &self,
        overlay: &Overlay,
        errors: &FieldErrors,
        conflicts: &[Conflict<Field>],
        problem: Option<String>,
        queue: Option<Queue>,
    ) -> SaveForm {
        let row = &self.shown.procedure.fields;
        let view = |field: Field| self.field(field, overlay, errors, conflicts);
        let id = self.shown.procedure.id;
        let faces = |team| {
            self.operators
                .of(id, team)
                .map(|o| Face { name: o.name.clone(), initials: initials(&o.name) })
                .collect()
        };
        let (detect, respond) = self.observed().spans();
        let figure = |word: &str, time: Option<_>| time.map(|t| format!("{word} {}", show::duration(t)));
        let figures: Vec<String> = [figure("Time to detect", detect), figure("time to respond", respond)]
            .into_iter()
            .flatten()
            .collect();
        SaveForm {
            url: self.url(),
            queue: queue.map(|queue| format!("?queue={}", queue.as_str())).unwrap_or_default(),
            zone: self.shown.engagement.time_zone.to_string(),
            version: self.shown.procedure.version,
            tab: String::new(),
            problem,
            conflicts: conflicts.len(),
            strip: [Field::Status, Field::Severity, Field::WaitingOn, Field::Recommendation].map(view).into(),
            reason: view(Field::NotApplicableReason),
            standing: self.standing(),
            blue_only: self.is_blue_only(),
            red_line: self.red_line(),
            red: [Field::RedOutcome, Field::ExecutedAt, Field::AttackSource, Field::RedNotes]
                .map(view)
                .into(),
            blue: [
                Field::BlueOutcome,
                Field::DetectedAt,
                Field::RespondedAt,
                Field::DetectedBy,
                Field::AlertReference,
                Field::BlueNotes,
            ]
            .map(view)
            .into(),
            red_people: faces(Team::Red),
            blue_people: faces(Team::Blue),
            starts: self.sides.red
                && row.executed_at.is_none()
                && row.status != ProcedureStatus::NotApplicable,
            figures: figures.join(" · "),
            again: self.look_again().map(|at| Again {
                answer: self.read(Field::BlueOutcome, row.blue_outcome.as_deref().unwrap_or_default()),
                window: self.shown.engagement.observation_window.label(),
                at: show::soon(at, self.now, self.zone()),
                due: at <= self.now,
                writable: self.sides.blue,
            }),
            detectors: self.shown.detectors.clone(),
            writable: self.sides.any(),
            held: self.sides.words(),
            hand_over: HandOver {
                offered: self.sides.blue && !self.sides.shared,
                note: String::new(),
                error: errors.get("hand_over_note").map(str::to_owned),
            },
            steps: self.steps(None),
            description: self.description(),
        }
    }

    fn field(
        &self,
        field: Field,
        overlay: &Overlay,
        errors: &FieldErrors,
        conflicts: &[Conflict<Field>],
    ) -> FieldView {
        let (name, zone) = (field.name(), self.zone());
        let saved = self.shown.procedure.fields.shown(field, zone);
        let value = overlay.value(field, zone).unwrap_or_else(|| saved.clone());
        let differs = value != saved;
        let choices = self.choices(field, &value);
        let words = choices
            .iter()
            .find(|c| c.selected)
            .map_or_else(|| self.words(field, &value), |c| c.label.clone());
        let control = match field {
            Field::RedNotes | Field::BlueNotes | Field::Recommendation => Control::Text,
            f if f.is_choice() => Control::Select,
            f if f.is_time() => Control::Time,
            _ => Control::Line,
        };
        let label = match field {
            Field::RedOutcome | Field::BlueOutcome => "Outcome".into(),
            Field::RedNotes | Field::BlueNotes => "Notes".into(),
            Field::Severity => "Finding severity".into(),
            f if f.is_time() => format!("{} ({zone})", f.label()),
            f => f.label().to_owned(),
        };
        let conflict = conflicts
            .iter()
            .find(|conflict| conflict.field == field)
            .map(|conflict| ConflictView::new(conflict, &label, zone, |value| self.read(field, value)));
        FieldView {
            name,
            label,
            control,
            words,
            initial: differs.then_some(saved),
            base: overlay.typed(field).map(|typed| typed.base).filter(|_| differs || conflict.is_some()),
            choices,
            writable: self.sides.may_write(field),
            error: errors.get(name).map(str::to_owned),
            warning: self.warning(field),
            conflict,
            list: (field == Field::DetectedBy).then_some("detectors"),
            max: field.max_bytes(),
            value,
        }
    }

    fn words(&self, field: Field, value: &str) -> String {
        if field.is_time() && !value.is_empty() {
            return times::parse(value, self.zone())
                .map(|at| show::seconds(at, self.zone()))
                .unwrap_or_else(|_| value.to_owned());
        }
        value.to_owned()
    }

    fn choices(&self, field: Field, value: &str) -> Vec<Choice> {
        let choice = |key: &str, label: &str, title: &str| Choice {
            value: key.to_owned(),
            label: label.to_owned(),
            title: title.to_owned(),
            selected: key == value,
        };
        match field {
            Field::Status => ProcedureStatus::ALL.iter().map(|s| choice(s.as_str(), s.label(), "")).collect(),
            Field::Severity => std::iter::once(choice("", "No finding", ""))
                .chain(Severity::ALL.iter().rev().map(|s| choice(s.as_str(), s.label(), "")))
                .collect(),
            // Beside a list the turn stands in words of its own, which an open page draws anew.
            Field::WaitingOn if self.sides.may_write(field) => std::iter::once(choice("", "Auto", ""))
                .chain(WaitingOn::ALL.iter().map(|w| choice(w.as_str(), w.label(), "")))
                .collect(),
            Field::WaitingOn => std::iter::once(choice("", &format!("Auto: {}", self.derived_turn()), ""))
                .chain(WaitingOn::ALL.iter().map(|w| choice(w.as_str(), w.label(), "")))
                .collect(),
            Field::RedOutcome | Field::BlueOutcome => {
                let team = if field == Field::RedOutcome { Team::Red } else { Team::Blue };
                let held = self.shown.procedure.fields.get(field);
                std::iter::once(choice("", "Unanswered", ""))
                    .chain(
                        self.outcomes
                            .iter()
                            .filter(|o| o.team == team && (o.retired_at.is_none() || o.key == held))
                            .map(|o| choice(&o.key, &o.label, &o.definition)),
                    )
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn is_blue_only(&self) -> bool {
        self.sides.blue && !self.sides.red
    }

    /// "Red: Success · 04:19:54 · powershell.exe on HL-WS-014", as far as red has said it.
    fn red_line(&self) -> String {
        let row = &self.shown.procedure.fields;
        let held = row.red_outcome.as_ref();
        let outcome = self.outcomes.iter().find(|o| o.team == Team::Red && Some(&o.key) == held);
        let told: Vec<String> = [
            outcome.map(|outcome| outcome.label.clone()),
            row.executed_at.map(|at| show::seconds(at, self.zone())),
            Some(row.attack_source.clone()).filter(|source| !source.is_empty()),
        ]
        .into_iter()
        .flatten()
        .collect();
        if told.is_empty() {
            "Red has not run this yet.".into()
        } else {
            format!("Red: {}", told.join(" · "))
        }
    }

    fn answered(&self) -> Answered {
        self.shown.procedure.fields.answered(self.outcomes, self.shown.engagement.observation_window)
    }

    fn may_be_worked_on(&self) -> bool {
        let e = &self.shown.engagement;
        working_allowed(e.status.as_of(e.starts_at, self.now), e.submitted_at.is_some()).is_ok()
    }

    /// When blue looks again, while it can.
    fn look_again(&self) -> Option<DateTime<Utc>> {
        self.shown.procedure.fields.look_again(self.answered()).filter(|_| self.may_be_worked_on())
    }

    /// Whose turn it is, and what keeps an answered procedure from being completed.
    fn standing(&self) -> String {
        let procedure = &self.shown.procedure;
        let done = procedure.fields.done(procedure.ticked, self.answered());
        if !self.may_be_worked_on() || procedure.fields.status.is_done() {
            return String::new();
        }
        let turn = self.derived_turn();
        let is_open = procedure.fields.waiting_on.is_none() && turn != Turn::Nobody.label().to_lowercase();
        let mut said = Vec::new();
        if is_open {
            said.push(format!("Waiting on {turn}."));
        }
        if done.not_attempted {
            said.push(
                "Not Attempted asks nothing of blue and does not complete: set Not Applicable with a reason, \
                    or try it later."
                    .to_owned(),
            );
        } else if done.red_answered && done.blue_answered && done.cleanup_left {
            said.push("Cleanup is not ticked yet: it completes once that is.".to_owned());
        }
        said.join(" ")
    }

    /// Whose turn it is without a choice by hand: "blue team", "blue team from 10:14".
    fn derived_turn(&self) -> String {
        let procedure = &self.shown.procedure;
        let done = procedure.fields.done(procedure.ticked, self.answered());
        let turn = done.turn(procedure.fields.status, None, self.now);
        match done.look_again.filter(|at| *at > self.now) {
            Some(at) => {
                let from = format!("blue team from {}", show::soon(at, self.now, self.zone()));
                if turn == Turn::Nobody { from } else { format!("{}, {from}", turn.label().to_lowercase()) }
            }
            None => turn.label().to_lowercase(),
        }
    }

    /// A stored value as people read it.
    fn read(&self, field: Field, value: &str) -> String {
        let chosen = self.choices(field, value).into_iter().find(|c| c.selected).map(|c| c.label);
        chosen.unwrap_or_else(|| self.words(field, value))
    }

    fn meaning(&self, key: &Option<String>) -> Option<Meaning> {
        let found = key.as_ref().and_then(|key| self.outcomes.iter().find(|outcome| &outcome.key == key));
        found.map(|outcome| outcome.meaning)
    }

    fn observed(&self) -> Observed {
        let row = &self.shown.procedure.fields;
        Observed {
            executed: row.executed_at,
            detected: row.detected_at,
            responded: row.responded_at,
            blue: self.meaning(&row.blue_outcome),
        }
    }

    fn warning(&self, field: Field) -> Option<String> {
        let red = self.meaning(&self.shown.procedure.fields.red_outcome);
        let assets = meanings(&self.shown.asset_answers, self.outcomes);
        let found: Vec<&str> = warnings(self.observed(), red, &assets)
            .into_iter()
            .filter(|w| w.field() == field)
            .map(|w| w.sentence())
            .collect();
        (!found.is_empty()).then(|| found.join(" "))
    }

    /// What stands beside the form.
    pub fn aside(&self) -> Aside {
        let names = |team| {
            let on = self.operators.of(self.shown.procedure.id, team);
            let names: Vec<&str> = on.map(|o| o.name.as_str()).collect();
            if names.is_empty() { "Nobody assigned".to_owned() } else { names.join(", ") }
        };
        let updated = show::relative(self.shown.procedure.updated_at, self.now)
            .unwrap_or_else(|| show::time(self.shown.procedure.updated_at, self.viewer.organisation.zone()));
        let known = |id: &String| self.techniques.iter().find(|t| &t.external_id == id);
        Aside {
            techniques: self
                .shown
                .procedure
                .technique_ids
                .iter()
                .map(|id| match known(id) {
                    Some(t) => (id.clone(), t.name.clone(), t.tactics.join(", ")),
                    None => (id.clone(), "not in this release of ATT&CK".into(), String::new()),
                })
                .collect(),
            attack_version: self.shown.engagement.attack_version.clone(),
            red: names(Team::Red),
            blue: names(Team::Blue),
            own: self.operators.iter().any(Operator::is_own),
            manage: self.plans.then(|| format!("{}/operators", self.url())),
            library: (self.viewer.rights.may(Permission::LibraryEdit)
                && self.viewer.rights.may_at(Permission::EngagementRead, self.shown.engagement.client_id))
            .then(|| format!("{}/library", self.url())),
            last: match &self.shown.updated_by {
                Some(by) if self.shown.procedure.version > 1 => format!("Saved {updated} by {by}"),
                _ => "Nothing saved yet".into(),
            },
        }
    }
}

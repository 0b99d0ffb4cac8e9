//! The wizard's four steps, and the library pane that adding procedures shares with it.

use askama::Template;

use super::sections::Choosable;
use crate::engagements::domain::NewEngagement;
use crate::engagements::store::wizard::Picked;
use crate::engagements::wizard::{Chosen, Source};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::kernel::web::link;
use crate::library::store::Hit;
use crate::library::views::revisions::SinceUse;

use crate::procedures::domain::ObservationWindow;
/// Names of the steps.
pub const STEPS: [&str; 4] = ["Client", "Engagement Details", "Select Procedures", "Finalize"];

/// What every step has.
pub struct Around {
    pub url: String,
    /// Name of the chosen client, once that step lies behind.
    pub client: String,
    /// Counted from 1 to 4.
    pub step: u8,
    /// Whether Enter stays at the step: it filters the test plans there.
    pub stays: bool,
    pub errors: FieldErrors,
}

impl Around {
    /// Name, number, whether it lies behind, whether it is this one.
    pub fn steps(&self) -> Vec<(&'static str, u8, bool, bool)> {
        STEPS.into_iter().zip(1u8..).map(|(name, n)| (name, n, n < self.step, n == self.step)).collect()
    }
    /// This step, for what asks the server while it is filled in.
    pub fn here(&self) -> String {
        format!("{}?step={}", self.url, self.step)
    }
    /// The sentence of a field.
    pub fn error(&self, field: &str) -> Option<&str> {
        self.errors.get(field)
    }
}

/// A choice in a list of radios.
pub struct Option_ {
    pub id: String,
    pub title: String,
    /// One line below it.
    pub about: String,
    /// Whether it is the one.
    pub chosen: bool,
}

#[derive(Template)]
#[template(path = "engagements/wizard_client.html", blocks = ["step"])]
pub struct ClientStep {
    pub frame: Frame,
    /// What every step has.
    pub around: Around,
    pub clients: Vec<Option_>,
    /// What it starts from.
    pub source: Source,
    /// Test plans that fit the filter.
    pub plans: Vec<Option_>,
    pub plan_q: String,
    pub plan_tactic: String,
    /// Tactics to filter by.
    pub tactics: Vec<String>,
    /// Earlier engagements of the client.
    pub earlier: Vec<Option_>,
    /// Link and time of an unfinished wizard.
    pub unfinished: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "engagements/wizard_details.html", blocks = ["step"])]
pub struct DetailsStep {
    pub frame: Frame,
    /// What every step has.
    pub around: Around,
    pub details: NewEngagement,
    /// People with access to the client.
    pub people: Vec<Choosable>,
    pub missing: Missing,
}

/// Who is not among the people to choose from, for whoever may change that.
#[derive(Default)]
pub struct Missing {
    pub names: Vec<String>,
    /// Where access is given; empty for whoever gives none.
    pub href: String,
}

impl Missing {
    /// "Mika, Tor and 3 more"
    fn told(&self) -> String {
        let first: Vec<&str> = self.names.iter().take(NAMED).map(String::as_str).collect();
        match self.names.len().saturating_sub(NAMED) {
            0 => first.join(", "),
            more => format!("{} and {more} more", first.join(", ")),
        }
    }
}

/// How many of them are named.
const NAMED: usize = 8;

impl DetailsStep {
    /// Whether one of the folded fields holds something or is wrong.
    fn unfolded(&self) -> bool {
        let d = &self.details;
        [&d.objective, &d.scope, &d.access_info, &d.special_instructions].iter().any(|text| !text.is_empty())
            || ["objective", "scope", "access_info", "special_instructions"]
                .iter()
                .any(|field| self.around.error(field).is_some())
    }
}

/// A procedure of the library in a list to choose from.
pub struct HitLine {
    pub value: String,
    pub href: String,
    pub name: String,
    pub techniques: Vec<String>,
    pub about: String,
    /// Whether it is in already.
    pub taken: bool,
}

/// The library with its filters.
#[derive(Default)]
pub struct LibraryPane {
    /// Where the filters lead.
    pub action: String,
    /// Hidden fields that keep the page's place.
    pub keep: Vec<(&'static str, String)>,
    pub q: String,
    pub tactic: String,
    pub technique: String,
    pub platform: String,
    /// Key of a methodology.
    pub methodology: String,
    pub repository: String,
    /// Methodologies: key and name.
    pub methodologies: Vec<(String, String)>,
    /// Tactics: short name and name.
    pub tactics: Vec<(String, String)>,
    pub platforms: Vec<String>,
    /// Repositories: id and name.
    pub repositories: Vec<(String, String)>,
    pub hits: Vec<HitLine>,
    /// Hits ticked so far, on this page or another.
    pub ticked: Vec<String>,
    pub more: Option<String>,
}

impl LibraryPane {
    /// The filters as parameters, for links that keep them.
    pub fn params(&self) -> Vec<(&str, &str)> {
        let mut params: Vec<(&str, &str)> =
            self.keep.iter().map(|(name, value)| (*name, value.as_str())).collect();
        params.extend([
            ("q", self.q.as_str()),
            ("tactic", self.tactic.as_str()),
            ("technique", self.technique.as_str()),
            ("platform", self.platform.as_str()),
            ("methodology", self.methodology.as_str()),
            ("repository", self.repository.as_str()),
        ]);
        params
    }
    /// This page with its filters.
    pub fn here(&self) -> String {
        link(&self.action, &self.params())
    }
}

impl HitLine {
    /// A hit of the search.
    pub fn new(hit: &Hit, taken: bool) -> Self {
        let about = [
            hit.tactics.join(", "),
            crate::library::views::words::platforms(&hit.platforms),
            hit.repository.clone(),
        ];
        Self {
            value: Chosen::Library(hit.id).to_string(),
            href: format!("/library/procedures/{}", hit.id),
            name: hit.name.clone(),
            techniques: hit.technique_ids.clone(),
            about: about.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "),
            taken,
        }
    }
}

pub struct PickedLine {
    pub value: String,
    pub name: String,
    pub technique: String,
}

impl PickedLine {
    /// A selection in its order.
    pub fn list(picked: &[Picked], chosen: &[Chosen]) -> Vec<Self> {
        let line = |p: &Picked| {
            let one = chosen.get(usize::try_from(p.place).ok()?)?;
            Some(Self {
                value: one.to_string(),
                name: p.name.clone(),
                technique: p.technique_ids.first().cloned().unwrap_or_default(),
            })
        };
        picked.iter().filter_map(line).collect()
    }
}

#[derive(Template)]
#[template(path = "engagements/wizard_procedures.html", blocks = ["step"])]
pub struct ProceduresStep {
    pub frame: Frame,
    /// What every step has.
    pub around: Around,
    pub library: LibraryPane,
    pub picked: Vec<PickedLine>,
}

/// Coverage of a selection under one tactic.
pub struct TacticLine {
    pub name: String,
    pub procedures: usize,
    /// Techniques and how many procedures each.
    pub techniques: Vec<(String, usize)>,
}

#[derive(Template)]
#[template(path = "engagements/wizard_finalize.html", blocks = ["step"])]
pub struct FinalizeStep {
    pub frame: Frame,
    /// What every step has.
    pub around: Around,
    pub client: String,
    /// "From the test plan Ransomware crew", or nothing.
    pub source: String,
    pub details: NewEngagement,
    /// "16 – 27 Nov 2026", or that there are none.
    pub dates: String,
    /// Status it will have, with its class.
    pub status: (&'static str, &'static str),
    pub red: String,
    pub blue: String,
    /// Other bookings of its operators in these dates.
    pub clashes: Vec<String>,
    pub picked: Vec<PickedLine>,
    /// Tactics in matrix order, those without a procedure left out.
    pub tactics: Vec<TacticLine>,
    /// How many tactics there are.
    pub all_tactics: usize,
    /// How many inputs come along.
    pub inputs: usize,
    /// What changed since the plan was last used.
    pub since: Option<SinceUse>,
}

impl FinalizeStep {
    /// The observation window, where one is set.
    fn window(&self) -> Option<&'static str> {
        let window: ObservationWindow = self.details.observation_window.parse().ok()?;
        (window != ObservationWindow::Closed).then(|| window.label())
    }
}

/// Coverage of a selection: tactics that have procedures, in matrix order, each with those techniques that
/// stand under it; what has no tactic comes last.
pub fn coverage(picked: &[Picked], tactics: &[(String, String)]) -> Vec<TacticLine> {
    let line = |name: &str, rows: Vec<Vec<&str>>| {
        let mut techniques: Vec<(String, usize)> = Vec::new();
        for id in rows.iter().flatten() {
            match techniques.iter_mut().find(|(known, _)| known == id) {
                Some((_, n)) => *n += 1,
                None => techniques.push(((*id).to_owned(), 1)),
            }
        }
        techniques.sort();
        TacticLine { name: name.to_owned(), procedures: rows.len(), techniques }
    };
    let under = |row: &'_ Picked, key: &str| -> Vec<String> {
        row.under
            .iter()
            .filter_map(|pair| pair.split_once(' '))
            .filter(|(tactic, _)| *tactic == key)
            .map(|(_, id)| id.to_owned())
            .collect()
    };
    let mut lines: Vec<TacticLine> = Vec::new();
    for (key, name) in tactics {
        let rows: Vec<Vec<String>> =
            picked.iter().map(|row| under(row, key)).filter(|ids| !ids.is_empty()).collect();
        lines.push(line(name, rows.iter().map(|ids| ids.iter().map(String::as_str).collect()).collect()));
    }
    let none = picked
        .iter()
        .filter(|row| row.under.is_empty())
        .map(|row| row.technique_ids.iter().map(String::as_str).collect())
        .collect();
    lines.push(line("No tactic", none));
    lines.retain(|line| line.procedures > 0);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_follows_the_matrix_and_keeps_what_has_no_tactic() {
        let texts = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect();
        let row = |place, techniques: &[&str], under: &[&str]| Picked {
            place,
            name: String::new(),
            technique_ids: texts(techniques),
            under: texts(under),
        };
        let tactics =
            [("execution".to_owned(), "Execution".to_owned()), ("impact".to_owned(), "Impact".to_owned())];
        let picked = [
            row(0, &["T1486"], &["impact T1486"]),
            row(1, &["T9"], &[]),
            row(2, &["T1486", "T1059"], &["impact T1486", "execution T1059"]),
        ];
        let lines = coverage(&picked, &tactics);
        let told: Vec<_> = lines.iter().map(|l| (l.name.as_str(), l.procedures)).collect();
        assert_eq!(told, [("Execution", 1), ("Impact", 2), ("No tactic", 1)]);
        assert_eq!(lines[0].techniques, [("T1059".to_owned(), 1)]);
        assert_eq!(lines[1].techniques, [("T1486".to_owned(), 2)]);
    }
}

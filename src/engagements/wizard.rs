//! What the wizard remembers between its steps. Pure: the pages move it, the store keeps it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::domain::NewEngagement;
use crate::kernel::base::ids::{
    ClientId, EngagementId, LibraryProcedureId, PersonId, ProcedureId, TestPlanId,
};
use crate::kernel::base::team::Team;
use crate::procedures::inputs::Values;

/// The most procedures of one engagement that the wizard takes.
pub const PROCEDURES: usize = 1_000;

/// A procedure to be copied into an engagement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// The newest version of a procedure of the library.
    Library(LibraryProcedureId),
    /// A procedure of an earlier engagement of the same client, without its results.
    Earlier(ProcedureId),
}

impl std::fmt::Display for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Library(id) => write!(f, "library-{id}"),
            Self::Earlier(id) => write!(f, "earlier-{id}"),
        }
    }
}

impl std::str::FromStr for Chosen {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, id) = text.split_once('-').ok_or(())?;
        match kind {
            "library" => id.parse().map(Self::Library).map_err(drop),
            "earlier" => id.parse().map(Self::Earlier).map_err(drop),
            _ => Err(()),
        }
    }
}

crate::text_enum! {
    /// What an engagement starts from.
    #[derive(Default)]
    pub enum Source {
        #[default]
        New => "new", "New";
        Plan => "plan", "From a test plan";
        Earlier => "earlier", "From an earlier engagement";
    }
}

/// What a test plan or an earlier engagement gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Given {
    /// Which one, so that it is given once.
    pub key: String,
    /// Texts for the details; an empty one gives nothing.
    pub details: NewEngagement,
    pub operators: Vec<(PersonId, Team)>,
    pub inputs: Values,
    pub chosen: Vec<Chosen>,
}

/// The wizard's state, kept as a draft on the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wizard {
    pub client: Option<ClientId>,
    /// What it starts from.
    pub source: Source,
    /// The plan picked, also while another source is chosen.
    pub plan: Option<TestPlanId>,
    /// The earlier engagement picked.
    pub earlier: Option<EngagementId>,
    /// Filter of the plans by title.
    pub plan_q: String,
    /// Filter of the plans by tactic.
    pub plan_tactic: String,
    /// Engagement Details as typed.
    pub details: NewEngagement,
    pub operators: Vec<(PersonId, Team)>,
    /// Values of inputs, from an earlier engagement.
    pub inputs: Values,
    /// Selected procedures, in order.
    pub chosen: Vec<Chosen>,
    /// What the source gave last.
    pub given: Given,
}

impl Wizard {
    /// Names the source, so that a change of it shows.
    pub fn source_key(&self) -> String {
        match (self.source, self.plan, self.earlier) {
            (Source::Plan, Some(plan), _) => format!("plan-{plan}"),
            (Source::Earlier, _, Some(earlier)) => format!("earlier-{earlier}"),
            _ => String::new(),
        }
    }

    /// Takes what a source gives. Whatever the person changed since the last source stays; the rest is
    /// replaced, so that going back and choosing another plan never leaves half of the first one behind.
    pub fn take(&mut self, given: Given) {
        let texts = |details: &NewEngagement| {
            [details.title.clone(), details.description.clone(), details.tags.clone()]
        };
        let (old, new) = (texts(&self.given.details), texts(&given.details));
        let fields = [&mut self.details.title, &mut self.details.description, &mut self.details.tags];
        for ((field, old), new) in fields.into_iter().zip(old).zip(new) {
            if field.is_empty() || *field == old {
                *field = new;
            }
        }
        for (field, old, new) in [
            (&mut self.details.objective, &self.given.details.objective, &given.details.objective),
            (&mut self.details.scope, &self.given.details.scope, &given.details.scope),
            (&mut self.details.access_info, &self.given.details.access_info, &given.details.access_info),
            (
                &mut self.details.observation_window,
                &self.given.details.observation_window,
                &given.details.observation_window,
            ),
            (
                &mut self.details.special_instructions,
                &self.given.details.special_instructions,
                &given.details.special_instructions,
            ),
        ] {
            if field.is_empty() || field == old {
                field.clone_from(new);
            }
        }
        if self.operators == self.given.operators || self.operators.is_empty() {
            self.operators.clone_from(&given.operators);
        }
        self.inputs.clone_from(&given.inputs);
        if self.chosen == self.given.chosen {
            self.chosen.clone_from(&given.chosen);
        } else {
            let there: HashSet<&Chosen> = self.chosen.iter().collect();
            let missing: Vec<Chosen> = given.chosen.iter().filter(|c| !there.contains(c)).copied().collect();
            self.chosen.extend(missing);
        }
        self.given = given;
    }

    /// Chooses the client. Another one has other people and other earlier engagements: what belongs to the
    /// first goes.
    pub fn choose_client(&mut self, client: Option<ClientId>) {
        if self.client == client {
            return;
        }
        if self.client.is_some() {
            self.operators.clear();
            self.inputs.clear();
            self.earlier = None;
            self.chosen.retain(|c| matches!(c, Chosen::Library(_)));
            if self.source == Source::Earlier {
                // With it go the texts that the first client's engagement gave: another client must not read
                // them.
                self.take(Given::default());
            }
        }
        self.client = client;
    }

    /// Adds a procedure behind the others, unless it is among them or there are too many.
    pub fn add(&mut self, one: Chosen) {
        if !self.chosen.contains(&one) && self.chosen.len() < PROCEDURES {
            self.chosen.push(one);
        }
    }

    /// Puts the selection into this order; what it does not name goes, what was not selected does not come.
    pub fn order(&mut self, order: &[Chosen]) {
        let mut before: HashSet<Chosen> = std::mem::take(&mut self.chosen).into_iter().collect();
        self.chosen = order.iter().filter(|one| before.remove(one)).copied().collect();
    }

    /// Moves one a place up or down.
    pub fn shift(&mut self, one: Chosen, down: bool) {
        shift(&mut self.chosen, &one, down);
    }

    /// The last step that can be shown: later ones need a client first.
    pub fn furthest(&self) -> u8 {
        if self.client.is_none() { 1 } else { 4 }
    }
}

/// Moves an element a place up or down; at the end it stays.
pub fn shift<T: PartialEq>(list: &mut [T], one: &T, down: bool) {
    let Some(at) = list.iter().position(|other| other == one) else { return };
    let to = if down { at + 1 } else { at.wrapping_sub(1) };
    if to < list.len() {
        list.swap(at, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> Chosen {
        Chosen::Library(LibraryProcedureId::new())
    }

    fn given(title: &str, chosen: &[Chosen]) -> Given {
        let details = NewEngagement { title: title.into(), ..NewEngagement::default() };
        Given { key: title.into(), details, chosen: chosen.to_vec(), ..Given::default() }
    }

    #[test]
    fn another_source_replaces_what_the_first_one_gave() {
        let (a, b) = (library(), library());
        let mut wizard = Wizard::default();
        wizard.take(given("Ransomware crew", &[a]));
        wizard.take(given("Insider", &[b]));
        assert_eq!(wizard.details.title, "Insider");
        assert_eq!(wizard.chosen, [b]);
    }

    #[test]
    fn what_the_person_changed_stays() {
        let (a, b, own) = (library(), library(), library());
        let mut wizard = Wizard::default();
        wizard.take(given("Ransomware crew", &[a]));
        wizard.details.title = "Harbour drill".into();
        wizard.add(own);
        wizard.take(given("Insider", &[b, a]));
        assert_eq!(wizard.details.title, "Harbour drill");
        assert_eq!(wizard.chosen, [a, own, b]);
    }

    #[test]
    fn another_client_takes_its_people_and_procedures_along() {
        let mut wizard = Wizard::default();
        wizard.choose_client(Some(ClientId::new()));
        wizard.chosen = vec![library(), Chosen::Earlier(ProcedureId::new())];
        wizard.operators = vec![(PersonId::new(), Team::Red)];
        wizard.choose_client(Some(ClientId::new()));
        assert!(wizard.operators.is_empty() && wizard.chosen.len() == 1);
    }

    #[test]
    fn order_neither_adds_nor_doubles() {
        let (a, b, foreign) = (library(), library(), library());
        let mut wizard = Wizard { chosen: vec![a, b], ..Wizard::default() };
        wizard.order(&[b, foreign, a, b]);
        assert_eq!(wizard.chosen, [b, a]);
        wizard.shift(b, false);
        wizard.shift(a, true);
        assert_eq!(wizard.chosen, [b, a]);
        wizard.shift(b, true);
        assert_eq!(wizard.chosen, [a, b]);
    }

    #[test]
    fn chosen_survives_its_form() {
        for one in [library(), Chosen::Earlier(ProcedureId::new())] {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        assert!("other-1".parse::<Chosen>().is_err());
    }

    #[test]
    fn a_draft_of_an_older_version_still_opens() {
        assert_eq!(serde_json::from_str::<Wizard>(r#"{"plan_q":"x","gone":1}"#).unwrap().plan_q, "x");
    }
}

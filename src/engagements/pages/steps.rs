//! The wizard's steps as pages.

use askama::Template;

use super::library::{Filters, holds};
use crate::accounts::access::store::list_people_without;
use crate::engagements::domain::{NewEngagement, status_on_create};
use crate::engagements::store::sections::{clashes, list_candidates};
use crate::engagements::store::wizard::{self as store, Earlier};
use crate::engagements::views::sections::Choosable;
use crate::engagements::views::wizard::{
    Around, ClientStep, DetailsStep, FinalizeStep, Missing, Option_, PickedLine, ProceduresStep, coverage,
};
use crate::engagements::wizard::{Source, Wizard};
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{FieldErrors, Result};
use crate::kernel::base::ids::DraftId;
use crate::kernel::base::show;
use crate::kernel::base::show::{counted, dates};
use crate::kernel::base::team::Team;
use crate::kernel::base::times;
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::kernel::web::{Frame, Section};
use crate::library::store::revisions::find_since_use;
use crate::library::store::terms::list_named;
use crate::library::store::{PlanRow, highest_version, list_plan_procedures, list_plans, list_tactics};
use crate::library::terms::TermKind;
use crate::library::views::revisions::SinceUse;

/// Test plans, and earlier engagements, that step 1 offers at once.
const CHOICES: i64 = 100;

/// A step, as a page or as its block.
pub enum Rendered {
    Client(ClientStep),
    Details(DetailsStep),
    Procedures(ProceduresStep),
    Finalize(Box<FinalizeStep>),
}

impl Rendered {
    pub fn page(&self) -> Result<String> {
        Ok(match self {
            Self::Client(step) => step.render()?,
            Self::Details(step) => step.render()?,
            Self::Procedures(step) => step.render()?,
            Self::Finalize(step) => step.render()?,
        })
    }
    /// The part that changes.
    pub fn block(&self) -> Result<String> {
        Ok(match self {
            Self::Client(step) => step.as_step().render()?,
            Self::Details(step) => step.as_step().render()?,
            Self::Procedures(step) => step.as_step().render()?,
            Self::Finalize(step) => step.as_step().render()?,
        })
    }
}

type Plan = Permit<PlanEngagement>;

fn frame(permit: &Plan) -> Frame {
    permit.frame(Section::Engagements, "Start New Engagement")
}

/// Makes a step's page.
pub async fn render(
    permit: &Plan,
    draft: DraftId,
    wizard: &Wizard,
    step: u8,
    filters: Filters,
    errors: FieldErrors,
) -> Result<Rendered> {
    let of = permit.visible().only(wizard.client.filter(|_| step > 1));
    let client_name = if of.is_empty() {
        String::new()
    } else {
        let clients = permit.read(move |conn| store::list_clients(conn, &of)).await?;
        clients.into_iter().next().map(|(_, name)| name).unwrap_or_default()
    };
    let around = Around {
        url: format!("/engagements/new/{draft}"),
        client: client_name,
        step,
        stays: step == 1 && wizard.source == Source::Plan,
        errors,
    };
    Ok(match step {
        1 => Rendered::Client(client(permit, draft, wizard, around).await?),
        2 => Rendered::Details(details(permit, wizard, around).await?),
        3 => Rendered::Procedures(procedures(permit, wizard, around, filters).await?),
        _ => Rendered::Finalize(Box::new(finalize(permit, wizard, around).await?)),
    })
}

async fn client(permit: &Plan, draft: DraftId, wizard: &Wizard, around: Around) -> Result<ClientStep> {
    let (at, person, source, q) =
        (permit.clients(), permit.viewer().id, wizard.source, wizard.plan_q.clone());
    let (of, shelf) = (at.only(wizard.client), permit.shelf());
    let (clients, plans, earlier, tactics, unfinished) = permit
        .read(move |conn| {
            let plans =
                if source == Source::Plan { list_plans(conn, shelf, &q, CHOICES)? } else { Vec::new() };
            let earlier =
                if source == Source::Earlier { store::list_earlier(conn, &of, CHOICES)? } else { Vec::new() };
            let tactics = if source == Source::Plan {
                let version = highest_version(conn)?;
                let own = list_named(conn, TermKind::Tactic)?.into_iter().map(|own| own.name);
                list_tactics(conn, &version)?.into_iter().map(|tactic| tactic.name).chain(own).collect()
            } else {
                Vec::new()
            };
            Ok((
                store::list_clients(conn, &at)?,
                plans,
                earlier,
                tactics,
                store::find_newest_draft(conn, person)?,
            ))
        })
        .await?;
    let zone = permit.viewer().organisation.zone();
    let fits = |plan: &&PlanRow| wizard.plan_tactic.is_empty() || plan.tactics.contains(&wizard.plan_tactic);
    Ok(ClientStep {
        frame: frame(permit),
        around,
        clients: clients
            .into_iter()
            .map(|(id, title)| Option_ {
                chosen: wizard.client == Some(id),
                id: id.to_string(),
                title,
                about: String::new(),
            })
            .collect(),
        source: wizard.source,
        plans: plans.iter().filter(fits).map(|plan| plan_option(plan, wizard)).collect(),
        plan_q: wizard.plan_q.clone(),
        plan_tactic: wizard.plan_tactic.clone(),
        tactics,
        earlier: earlier.iter().map(|one| earlier_option(one, wizard, zone)).collect(),
        unfinished: unfinished
            .filter(|(other, _)| *other != draft)
            .map(|(other, at)| (format!("/engagements/new/{other}"), show::time(at, zone))),
    })
}

fn plan_option(plan: &PlanRow, wizard: &Wizard) -> Option_ {
    let about = [
        counted(plan.procedures.unsigned_abs() as usize, "procedure", "procedures"),
        plan.tactics.join(", "),
    ];
    Option_ {
        id: plan.id.to_string(),
        title: plan.title.clone(),
        about: about.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "),
        chosen: wizard.plan == Some(plan.id),
    }
}

fn earlier_option(one: &Earlier, wizard: &Wizard, zone: chrono_tz::Tz) -> Option_ {
    let when = one
        .start
        .map_or_else(|| format!("made {}", show::time(one.created, zone)), |start| dates(Some(start), None));
    Option_ {
        id: one.id.to_string(),
        title: one.title.clone(),
        about: format!("{} · {when}", one.client_name),
        chosen: wizard.earlier == Some(one.id),
    }
}

async fn details(permit: &Plan, wizard: &Wizard, around: Around) -> Result<DetailsStep> {
    let visible = permit.visible();
    let client = wizard.client;
    let day = |raw: &str| times::parse_date(raw).ok().flatten();
    let period = (day(&wizard.details.start_date), day(&wizard.details.end_date));
    // Who else has an account is told to those who may give them access.
    let gives_here = client.is_some_and(|client| permit.may_at(P::AccessGive, client));
    let gives = gives_here || permit.may(P::AccessManage);
    let (candidates, others) = permit
        .read(move |conn| match client.filter(|client| visible.contains(client)) {
            Some(client) => Ok((
                list_candidates(conn, client, None, period, (&visible, true))?,
                if gives { list_people_without(conn, client)? } else { Vec::new() },
            )),
            None => Ok(Default::default()),
        })
        .await?;
    let people = Choosable::list(&candidates, &wizard.operators, None);
    let missing = Missing {
        names: others.into_iter().map(|(_, name)| name).collect(),
        href: match client {
            Some(client) if gives_here => format!("/clients/{client}/access"),
            Some(client) if gives => format!("/admin/access?client={client}"),
            _ => String::new(),
        },
    };
    Ok(DetailsStep { frame: frame(permit), around, details: wizard.details.clone(), people, missing })
}

async fn procedures(
    permit: &Plan,
    wizard: &Wizard,
    around: Around,
    filters: Filters,
) -> Result<ProceduresStep> {
    let (asked, chosen, client) = (filters.clone(), wizard.chosen.clone(), wizard.client);
    let shelf = permit.shelf();
    let (found, picked) = permit
        .read(move |conn| Ok((asked.find(conn, shelf)?, store::list_picked(conn, shelf, &chosen, client)?)))
        .await?;
    let filters = filters.at_step(3);
    let library = filters.pane(around.url.clone(), found, |id| holds(&wizard.chosen, id));
    Ok(ProceduresStep {
        frame: frame(permit),
        around,
        library,
        picked: PickedLine::list(&picked, &wizard.chosen),
    })
}

async fn finalize(permit: &Plan, wizard: &Wizard, around: Around) -> Result<FinalizeStep> {
    let (chosen, client, visible) = (wizard.chosen.clone(), wizard.client, permit.visible());
    let shelf = permit.shelf();
    let day = |raw: &str| times::parse_date(raw).ok().flatten();
    let period = (day(&wizard.details.start_date), day(&wizard.details.end_date));
    let plan = wizard.plan.filter(|_| wizard.source == Source::Plan);
    let used_at = permit.viewer().rights.clients_with(P::EngagementRead);
    let (picked, tactics, clients, people, since) = permit
        .read(move |conn| {
            let version = highest_version(conn)?;
            let since = match plan {
                Some(plan) => {
                    let hits = list_plan_procedures(conn, shelf, plan)?;
                    find_since_use(conn, shelf, plan, &hits, &used_at)?
                }
                None => None,
            };
            let of = visible.only(client);
            let people = match of.first() {
                Some(client) => list_candidates(conn, *client, None, period, (&visible, true))?,
                None => Vec::new(),
            };
            Ok((
                store::list_picked(conn, shelf, &chosen, client)?,
                (list_tactics(conn, &version)?, list_named(conn, TermKind::Tactic)?),
                store::list_clients(conn, &of)?,
                people,
                since,
            ))
        })
        .await?;
    let names = |team: Team| {
        let on = people
            .iter()
            .filter(|p| wizard.operators.contains(&(p.id, team)))
            .map(|p| p.name.as_str())
            .collect::<Vec<_>>();
        if on.is_empty() { "nobody yet".to_owned() } else { on.join(", ") }
    };
    let clashes = clashes(&people, |person| wizard.operators.iter().any(|(other, _)| *other == person));
    let (start, end) = period;
    let status = status_on_create(
        start,
        times::zone(&wizard.details.time_zone).unwrap_or(chrono_tz::UTC),
        permit.app.clock.now(),
    );
    let period = dates(start, end);
    let (attacks, own) = tactics;
    // Those of ATT&CK all count as what could be covered, one's own where something stands under them.
    let all_tactics = attacks.len();
    let named: Vec<(String, String)> = attacks
        .into_iter()
        .map(|tactic| (tactic.short_name, tactic.name))
        .chain(own.into_iter().map(|tactic| (tactic.short_name, tactic.name)))
        .collect();
    Ok(FinalizeStep {
        frame: frame(permit),
        around,
        client: clients.into_iter().next().map(|(_, name)| name).unwrap_or_default(),
        source: match wizard.source {
            Source::New => String::new(),
            Source::Plan => format!("the test plan {}", wizard.given.details.title),
            Source::Earlier => format!("the earlier engagement {}", wizard.given.details.title),
        },
        details: match wizard.details.check() {
            Ok(checked) => NewEngagement {
                tags: checked.tags.join(", "),
                title: checked.title,
                ..wizard.details.clone()
            },
            Err(_) => wizard.details.clone(),
        },
        dates: if period.is_empty() { "No dates".into() } else { period },
        status: (status.label(), status.class()),
        clashes,
        red: names(Team::Red),
        blue: names(Team::Blue),
        picked: PickedLine::list(&picked, &wizard.chosen),
        tactics: coverage(&picked, &named),
        all_tactics,
        inputs: wizard.inputs.len(),
        since: since.map(|(last, changed)| SinceUse {
            last,
            changed,
            zone: permit.viewer().organisation.zone(),
        }),
    })
}

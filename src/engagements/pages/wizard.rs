//! Start New Engagement: four steps of plain forms over a draft on the server. Every button saves the fields
//! first.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::library::Filters;
use super::steps::{self, Rendered};
use crate::engagements::domain::DetailField;
use crate::engagements::store::create::{NewEngagement, create};
use crate::engagements::store::wizard as store;
use crate::engagements::wizard::{Chosen, Given, Source, Wizard};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{DraftId, EngagementId, PersonId, TestPlanId};
use crate::kernel::base::team::Team;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::kernel::web::{Form, Query, redirect, redirect_with};

const NO_PLAN: &str = "You do not plan engagements for this client. Choose another.";

/// What the first page is opened with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct From {
    plan: String,
}

/// `GET /engagements/new`: a new draft's page. Nothing is kept until the first button.
pub async fn new(permit: Permit<PlanEngagement>, Query(from): Query<From>) -> Result<HttpResponse> {
    permit.anywhere()?;
    let plan: Option<TestPlanId> = from.plan.parse().ok();
    let query = plan.map(|plan| format!("?plan={plan}")).unwrap_or_default();
    Ok(redirect(&format!("/engagements/new/{}{query}", DraftId::new())))
}

/// Where in the wizard.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct At {
    plan: String,
    #[serde(flatten)]
    filters: Filters,
}

impl At {
    fn step(&self) -> u8 {
        self.filters.step.parse().ok().filter(|n| (1..=4).contains(n)).unwrap_or(1)
    }
}

fn url(draft: DraftId, step: u8) -> String {
    format!("/engagements/new/{draft}?step={step}")
}

/// The draft as it was kept, or a new one.
async fn open(permit: &Permit<PlanEngagement>, draft: DraftId, plan: &str) -> Result<(Wizard, bool)> {
    let person = permit.viewer().id;
    if let Some(mut kept) = permit.read(move |conn| store::find_draft(conn, person, draft)).await? {
        // Access may have ended since.
        if kept.client.is_some_and(|client| !permit.covers(client)) {
            kept.choose_client(None);
        }
        return Ok((kept, true));
    }
    let mut wizard = Wizard::default();
    wizard.details.time_zone = permit.viewer().organisation.zone().name().to_owned();
    if let [only] = permit.clients().ids() {
        wizard.client = Some(*only);
    }
    if let Ok(plan) = plan.parse() {
        (wizard.source, wizard.plan) = (Source::Plan, Some(plan));
    }
    Ok((wizard, false))
}

/// Where the engagement is that this draft became, if it did.
async fn made(permit: &Permit<PlanEngagement>, draft: DraftId) -> Result<Option<String>> {
    let visible = permit.visible();
    let id = EngagementId(draft.0);
    let made = permit.read(move |conn| store::is_made(conn, id, &visible)).await?;
    Ok(made.then(|| format!("/engagements/{id}")))
}

pub async fn show(
    permit: Permit<PlanEngagement>,
    path: web::Path<DraftId>,
    Query(at): Query<At>,
) -> Result<HttpResponse> {
    permit.anywhere()?;
    let draft = path.into_inner();
    let (wizard, kept) = open(&permit, draft, &at.plan).await?;
    if !kept && let Some(engagement) = made(&permit, draft).await? {
        return Ok(redirect(&engagement));
    }
    let step = at.step();
    if step > wizard.furthest() {
        return Ok(redirect(&url(draft, wizard.furthest())));
    }
    answer(
        &permit,
        StatusCode::OK,
        steps::render(&permit, draft, &wizard, step, at.filters, FieldErrors::default()).await?,
    )
}

fn answer(permit: &Permit<PlanEngagement>, status: StatusCode, rendered: Rendered) -> Result<HttpResponse> {
    permit.html(status, if permit.partial { rendered.block()? } else { rendered.page()? })
}

/// What a button asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Stay,
    Next,
    Back,
    Step(u8),
    Create,
    Discard,
}

fn asked(pairs: &Pairs) -> Do {
    match pairs.last("do") {
        Some("next") => Do::Next,
        Some("back") => Do::Back,
        Some("create") => Do::Create,
        Some("discard") => Do::Discard,
        Some(other) => other
            .strip_prefix("step-")
            .and_then(|n| n.parse().ok())
            .filter(|n| (1..=4).contains(n))
            .map_or(Do::Stay, Do::Step),
        None => Do::Stay,
    }
}

/// Whether a name is one that a step of the wizard posts.
fn is_wizard(name: &str) -> bool {
    let own = ["do", "client", "source", "plan", "earlier", "plan_q", "plan_tactic", "red", "blue", "order"];
    let filters = ["q", "tactic", "technique", "platform", "methodology", "repository"];
    own.contains(&name) || filters.contains(&name) || name.parse::<DetailField>().is_ok()
}

pub async fn post(
    permit: Permit<PlanEngagement>,
    path: web::Path<DraftId>,
    Query(at): Query<At>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    permit.anywhere()?;
    pairs.only(is_wizard)?;
    let draft = path.into_inner();
    let (step, wants, person) = (at.step(), asked(&pairs), permit.viewer().id);
    let (mut wizard, kept) = open(&permit, draft, "").await?;
    if !kept && let Some(engagement) = made(&permit, draft).await? {
        return Ok(redirect_with(&engagement, "This engagement was created already."));
    }
    if wants == Do::Discard {
        permit
            .app
            .db
            .write_unaudited("wizard draft", move |conn| store::delete_draft(conn, person, draft))
            .await?;
        return Ok(redirect_with("/engagements", "Draft discarded."));
    }
    if wants == Do::Create {
        return finish(&permit, draft, wizard, at.filters).await;
    }
    read(&mut wizard, step, &pairs);
    // JSON in the database takes no null character: what holds one is judged at once, and given back without
    // being kept.
    let unkeepable = pairs.iter().any(|(_, value)| value.contains('\0'));
    let mut errors =
        if wants == Do::Next || unkeepable { faults(&permit, &wizard, step) } else { FieldErrors::default() };
    if wizard.client.is_some_and(|client| !permit.covers(client)) {
        wizard.choose_client(None);
        errors.add("client", NO_PLAN);
    }
    if step == 1 && wants != Do::Stay && errors.is_empty() {
        give(&permit, &mut wizard, &mut errors).await?;
    }
    if !unkeepable || errors.is_empty() {
        let (now, keeping) = (permit.app.clock.now(), wizard.clone());
        permit
            .app
            .db
            .write_unaudited("wizard draft", move |conn| {
                store::save_draft(conn, person, draft, &keeping, now)
            })
            .await?;
    }
    if !errors.is_empty() {
        let rendered = steps::render(&permit, draft, &wizard, step, at.filters, errors).await?;
        return answer(&permit, StatusCode::UNPROCESSABLE_ENTITY, rendered);
    }
    Ok(redirect(&match wants {
        Do::Next => url(draft, step + 1),
        Do::Back => url(draft, step.max(2) - 1),
        Do::Step(to) => url(draft, to.min(wizard.furthest())),
        _ if step == 3 => at.filters.pane_url(&format!("/engagements/new/{draft}")),
        _ => url(draft, step),
    }))
}

/// Takes a step's fields over. What a form does not hold stays: each step has its own.
fn read(wizard: &mut Wizard, step: u8, pairs: &Pairs) {
    let find = |name: &str| pairs.get(name);
    match step {
        1 => {
            wizard.choose_client(find("client").and_then(|value| value.parse().ok()));
            wizard.source = find("source").and_then(|value| value.parse().ok()).unwrap_or(wizard.source);
            wizard.plan = find("plan").and_then(|value| value.parse().ok()).or(wizard.plan);
            wizard.earlier = find("earlier").and_then(|value| value.parse().ok()).or(wizard.earlier);
            wizard.plan_q = find("plan_q").map_or_else(|| wizard.plan_q.clone(), without_nulls);
            wizard.plan_tactic =
                find("plan_tactic").map_or_else(|| wizard.plan_tactic.clone(), without_nulls);
        }
        2 => {
            for field in DetailField::ALL {
                if let Some(value) = find(field.as_str()) {
                    wizard.details.set(*field, value.to_owned());
                }
            }
            let of = |team: Team| {
                pairs
                    .all(team.as_str())
                    .filter_map(move |value| Some((value.parse::<PersonId>().ok()?, team)))
            };
            wizard.operators = of(Team::Red).chain(of(Team::Blue)).collect();
        }
        3 => select(wizard, pairs, find("do").unwrap_or_default()),
        _ => {}
    }
}

/// A search, as the database can take it.
fn without_nulls(typed: &str) -> String {
    typed.replace('\0', "")
}

fn select(wizard: &mut Wizard, pairs: &Pairs, wants: &str) {
    let order: Vec<Chosen> = pairs.all("order").filter_map(|value| value.parse().ok()).collect();
    if !order.is_empty() {
        wizard.order(&order);
    }
    let Some((verb, one)) = wants.split_once('-') else { return };
    let Ok(one) = one.parse::<Chosen>() else { return };
    match verb {
        // Procedures of earlier engagements come with step 1 only, which asks whose they are.
        "add" if matches!(one, Chosen::Library(_)) => wizard.add(one),
        "remove" => wizard.chosen.retain(|other| *other != one),
        "up" => wizard.shift(one, false),
        "down" => wizard.shift(one, true),
        _ => {}
    }
}

/// What is wrong with a step that the person wants to leave forwards.
fn faults(permit: &Permit<PlanEngagement>, wizard: &Wizard, step: u8) -> FieldErrors {
    let mut errors = FieldErrors::default();
    match step {
        1 => {
            match wizard.client {
                None => errors.add("client", "Choose the client."),
                Some(client) if !permit.covers(client) => errors.add("client", NO_PLAN),
                Some(_) => {}
            }
            match wizard.source {
                Source::Plan if wizard.plan.is_none() => {
                    errors.add("plan", "Choose a test plan, or start new.")
                }
                Source::Earlier if wizard.earlier.is_none() => {
                    errors.add("earlier", "Choose an earlier engagement, or start new.")
                }
                _ => {}
            }
        }
        2 => {
            for (field, sentence) in wizard.details.check().err().unwrap_or_default() {
                errors.add(field.as_str(), sentence);
            }
        }
        _ => {}
    }
    errors
}

/// Prefills from the source, once for each choice of one.
async fn give(permit: &Permit<PlanEngagement>, wizard: &mut Wizard, errors: &mut FieldErrors) -> Result<()> {
    let key = wizard.source_key();
    let Some(client) = wizard.client.filter(|_| key != wizard.given.key) else { return Ok(()) };
    let (source, plan, earlier) = (wizard.source, wizard.plan, wizard.earlier);
    let shelf = permit.shelf();
    let given = permit
        .read(move |conn| match (source, plan, earlier) {
            (Source::Plan, Some(plan), _) => store::get_from_plan(conn, shelf, plan),
            (Source::Earlier, _, Some(earlier)) => store::get_from_earlier(conn, earlier, client),
            _ => Ok(Given::default()),
        })
        .await;
    match given {
        Ok(given) => wizard.take(Given { key, ..given }),
        Err(Error::NotFound) if source == Source::Plan => {
            errors.add("plan", "This test plan is no longer there. Choose another.")
        }
        Err(Error::NotFound) => {
            errors.add("earlier", "This engagement is not one of the client’s. Choose another.")
        }
        Err(other) => return Err(other),
    }
    Ok(())
}

/// Create Engagement: the draft goes in the same transaction, so that of two clicks one makes it and the
/// other finds it.
async fn finish(
    permit: &Permit<PlanEngagement>,
    draft: DraftId,
    wizard: Wizard,
    filters: Filters,
) -> Result<HttpResponse> {
    for step in [1, 2] {
        let errors = faults(permit, &wizard, step);
        if !errors.is_empty() {
            let rendered = steps::render(permit, draft, &wizard, step, filters, errors).await?;
            return answer(permit, StatusCode::UNPROCESSABLE_ENTITY, rendered);
        }
    }
    let (Some(client), Ok(details)) = (wizard.client, wizard.details.check()) else {
        return Err(Error::NotFound);
    };
    let new = NewEngagement {
        id: EngagementId(draft.0),
        client,
        details,
        plan: wizard.plan.filter(|_| wizard.source == Source::Plan),
        earlier: wizard.earlier.filter(|_| wizard.source == Source::Earlier),
        operators: wizard.operators.clone(),
        inputs: wizard.inputs.clone(),
        procedures: wizard.chosen.clone(),
    };
    let (clients, shelf, person) = (permit.clients(), permit.shelf(), permit.viewer().id);
    let done = permit
        .write(move |tx| {
            if !store::delete_draft(tx.conn, person, draft)? {
                return Ok(tx.unchanged(None));
            }
            let (created, audited) = create(tx, &clients, shelf, &new)?;
            Ok(audited.with(Some(created)))
        })
        .await;
    match done {
        Ok(Some(created)) => Ok(redirect_with(
            &format!("/engagements/{}", created.id),
            &format!("Created. It is {}.", created.status.label()),
        )),
        Ok(None) | Err(Error::Conflict(_)) => match made(permit, draft).await? {
            Some(engagement) => Ok(redirect_with(&engagement, "This engagement was created already.")),
            None => Err(Error::Conflict("This draft is gone. Start the engagement anew.".into())),
        },
        Err(Error::Invalid(errors)) => answer(
            permit,
            StatusCode::UNPROCESSABLE_ENTITY,
            steps::render(permit, draft, &wizard, 4, filters, errors).await?,
        ),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::base::ids::LibraryProcedureId;

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        list.iter().copied().collect()
    }

    #[test]
    fn buttons_say_what_they_want() {
        assert_eq!(asked(&pairs(&[("do", "step-2")])), Do::Step(2));
        assert_eq!(asked(&pairs(&[("do", "step-9")])), Do::Stay);
        assert_eq!(asked(&pairs(&[("title", "x")])), Do::Stay);
        assert_eq!(asked(&pairs(&[("do", "create")])), Do::Create);
    }

    #[test]
    fn a_step_takes_its_own_fields_and_no_others() {
        let mut wizard = Wizard::default();
        let person = PersonId::new();
        let id = person.to_string();
        read(&mut wizard, 2, &pairs(&[("title", "A"), ("red", &id), ("blue", &id), ("client", "x")]));
        assert_eq!(wizard.details.title, "A");
        assert_eq!(wizard.operators, [(person, Team::Red), (person, Team::Blue)]);
        read(&mut wizard, 1, &pairs(&[("source", "plan"), ("title", "B")]));
        assert_eq!((wizard.details.title.as_str(), wizard.source), ("A", Source::Plan));
    }

    #[test]
    fn selecting_keeps_the_posted_order() {
        let ids: Vec<Chosen> = (0..3).map(|_| Chosen::Library(LibraryProcedureId::new())).collect();
        let mut wizard = Wizard { chosen: ids.clone(), ..Wizard::default() };
        let word = |one: &Chosen| one.to_string();
        let (a, b, c) = (word(&ids[0]), word(&ids[1]), word(&ids[2]));
        let up = format!("up-{a}");
        read(&mut wizard, 3, &pairs(&[("order", &c), ("order", &b), ("order", &a), ("do", &up)]));
        assert_eq!(wizard.chosen, [ids[2], ids[0], ids[1]]);
        let remove = format!("remove-{c}");
        read(&mut wizard, 3, &pairs(&[("do", &remove)]));
        assert_eq!(wizard.chosen, [ids[0], ids[1]]);
        read(&mut wizard, 3, &pairs(&[("do", "add-earlier-00000000-0000-0000-0000-000000000000")]));
        assert_eq!(wizard.chosen.len(), 2);
    }
}

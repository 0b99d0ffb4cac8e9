//! `/engagements/{id}/procedures/{pid}/library` saves a worked procedure in the library,
//! `/engagements/{id}/test-plan` an engagement as a test plan, `/library/procedures/{shelved}/uses` shows
//! where a library procedure was used and how it ended there.

use std::collections::{HashMap, HashSet};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::domain::{Found, found, generalised, with_replaced};
use super::store;
use super::views::{FoundLine, Origin, PlanLine, SavePlan, SaveProcedure, UsesPage};
use crate::kernel::authz::Permission;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{EngagementId, LibraryProcedureId, ProcedureId, RepositoryId};
use crate::kernel::base::text::{check_title, parse_tags};
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{Action, EditLibrary, EditTestPlan, Permit, ReadLibrary};
use crate::kernel::web::{Form, Section, redirect_with};
use crate::library::domain::ProcedureBody;
use crate::library::store::list_hits;
use crate::library::store::plans::{PlanContent, insert_plan};
use crate::library::store::procedures::{Procedure, get_procedure};
use crate::library::store::shelf::{list_writable, may_write_procedure};
use crate::library::store::writing::{add_version, insert_copy};
use crate::library::writing::differences::differences;
use crate::library::writing::form::check_name;
use crate::procedures::store::page;
use crate::procedures::store::runbook::list_uses;
use crate::settings::store::list_outcomes;

/// Uses that the page shows.
const USES: i64 = 200;

type Ids = web::Path<(EngagementId, ProcedureId)>;

/// A worked procedure, without what its inputs were filled with.
struct Worked {
    title: String,
    position: i32,
    /// What the engagement calls it.
    name: String,
    body: ProcedureBody,
    names: Vec<super::domain::Name>,
    found: Vec<Found>,
    origin: Option<(Procedure, bool)>,
    copied: Option<(LibraryProcedureId, i32)>,
    targets: Vec<(RepositoryId, String)>,
    /// Names of the inputs whose values became names again.
    inputs: Vec<String>,
}

/// Reading the client's engagements is another right than writing in the library.
fn check_reads<A: Action>(permit: &Permit<A>, client: crate::kernel::base::ids::ClientId) -> Result<()> {
    if permit.may_at(Permission::EngagementRead, client) {
        Ok(())
    } else {
        Err(Error::Forbidden(String::new()))
    }
}

async fn worked(
    permit: &Permit<EditLibrary>,
    engagement: EngagementId,
    procedure: ProcedureId,
) -> Result<Worked> {
    let (held, shelf) = (permit.clone(), permit.shelf());
    permit
        .read(move |conn| {
            let shown = page::get(conn, engagement, procedure, &held.visible())?;
            let client = shown.engagement.client_id;
            check_reads(&held, client)?;
            let names = store::list_names(conn, client, engagement)?;
            let values = store::list_values(conn, engagement, procedure)?;
            let copied = store::find_origin(conn, procedure)?;
            let origin = match copied {
                Some((id, _)) => match get_procedure(conn, shelf, id, None) {
                    Ok(origin) => Some((origin, may_write_procedure(conn, shelf, id)?)),
                    Err(Error::NotFound) => None,
                    Err(other) => return Err(other),
                },
                None => None,
            };
            let mut body = shown.body.clone();
            // The recommendation was written for the finding here; what happened stays with the client.
            body.recommendation.clone_from(&shown.procedure.fields.recommendation);
            let general = generalised(&body, &values);
            let known = origin.as_ref().map(|(origin, _)| &origin.body);
            let changed = general != body;
            let inputs = values.iter().map(|(name, _)| name.clone()).filter(|_| changed);
            Ok(Worked {
                title: shown.engagement.title,
                position: shown.procedure.position,
                name: shown.body.name.clone(),
                found: found(&general, &names, known),
                inputs: inputs.collect::<HashSet<_>>().into_iter().collect(),
                body: general,
                names,
                copied: origin.as_ref().and(copied),
                origin,
                targets: list_writable(conn, shelf)?,
            })
        })
        .await
}

impl Worked {
    /// Under another name, which is looked through like every other text.
    fn called(mut self, name: &str) -> Self {
        name.clone_into(&mut self.body.name);
        self.found = found(&self.body, &self.names, self.origin.as_ref().map(|(origin, _)| &origin.body));
        self
    }
}

/// What was decided about each name, by its term.
#[derive(Default)]
struct Decided {
    stays: HashSet<String>,
    by: HashMap<String, String>,
}

impl Decided {
    fn read(pairs: &Pairs) -> Self {
        Self {
            stays: pairs.all("stays").map(str::to_owned).collect(),
            by: pairs
                .under("by.")
                .filter(|(_, by)| !by.trim().is_empty())
                .map(|(term, by)| (term.to_owned(), by.trim().to_owned()))
                .collect(),
        }
    }

    fn lines(&self, found: Vec<Found>) -> Vec<FoundLine> {
        let line = |found: Found| FoundLine {
            stays: self.stays.contains(&found.term),
            by: self.by.get(&found.term).cloned().unwrap_or_default(),
            found,
        };
        found.into_iter().map(line).collect()
    }

    fn replacements(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> =
            self.by.iter().map(|(term, by)| (term.clone(), by.clone())).collect();
        // A name may hold another.
        all.sort_by_key(|(term, _)| (std::cmp::Reverse(term.len()), term.clone()));
        all
    }

    /// `Ok` where every name is either replaced or may go along.
    fn check(&self, found: &[Found], errors: &mut FieldErrors) {
        let open =
            found.iter().any(|one| !self.stays.contains(&one.term) && !self.by.contains_key(&one.term));
        if open {
            errors.add(
                "found",
                "Say of each of these what becomes of it: other words, or that it may go along.",
            );
        }
    }
}

fn is_field(name: &str) -> bool {
    matches!(name, "as" | "repository" | "name" | "stays" | "title" | "description" | "tags")
        || name.starts_with("by.")
}

pub async fn procedure(permit: Permit<EditLibrary>, path: Ids) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let worked = worked(&permit, engagement, procedure).await?;
    let name = worked.body.name.clone();
    let page = procedure_page(
        &permit,
        (engagement, procedure),
        worked,
        (&Decided::default(), String::new(), name, None),
        FieldErrors::default(),
    );
    permit.page(&page)
}

fn procedure_page(
    permit: &Permit<EditLibrary>,
    (engagement, procedure): (EngagementId, ProcedureId),
    worked: Worked,
    (decided, repository, name, version): (&Decided, String, String, Option<bool>),
    errors: FieldErrors,
) -> SaveProcedure {
    let back = format!("/engagements/{engagement}/procedures/{procedure}");
    let body = with_replaced(&ProcedureBody { name: name.clone(), ..worked.body }, &decided.replacements());
    let origin = worked.origin.map(|(origin, may_write)| Origin {
        id: origin.id,
        differences: differences(&origin.body, &body),
        shown_id: origin.shown_id,
        name: origin.body.name,
        version: origin.version,
        may_write,
    });
    let mut inputs = worked.inputs;
    inputs.sort();
    let problem = (!errors.is_empty()).then(|| "Nothing is saved yet. Look at the marked fields.".to_owned());
    let mut page = SaveProcedure {
        frame: permit
            .frame(Section::Engagements, "Save as library procedure")
            .crumb("Engagements", "/engagements")
            .crumb(&worked.title, format!("/engagements/{engagement}"))
            .crumb(format!("{} {}", worked.position, worked.name), back.clone()),
        action: format!("{back}/library"),
        back,
        name,
        origin,
        is_version: version.unwrap_or(false),
        targets: worked.targets,
        repository,
        found: decided.lines(worked.found),
        inputs,
        errors,
        problem,
    };
    if version.is_none() {
        page.is_version = page.may_version();
    }
    page
}

pub async fn save_procedure(
    permit: Permit<EditLibrary>,
    path: Ids,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let worked = worked(&permit, engagement, procedure).await?;
    pairs.only(is_field)?;
    let decided = Decided::read(&pairs);
    let of = |name: &str| pairs.get(name).unwrap_or_default().trim().to_owned();
    let (name, repository) = (of("name"), of("repository"));
    let worked = worked.called(&name);
    let is_version = of("as") == "version";
    let mut errors = FieldErrors::default();
    let name = match check_name(&name) {
        Ok(name) => name,
        Err(sentence) => {
            errors.add("name", sentence);
            name
        }
    };
    decided.check(&worked.found, &mut errors);
    let target = repository.parse::<RepositoryId>().ok();
    if is_version && worked.origin.is_none() {
        errors.add("as", "It has no library procedure that you know of. Save it as a new one.");
    } else if !is_version && target.is_none() {
        errors.add("repository", "Choose the repository in which it is to stand.");
    }
    if !errors.is_empty() {
        let chosen = (&decided, repository, name, Some(is_version));
        let page = procedure_page(&permit, (engagement, procedure), worked, chosen, errors);
        return permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?);
    }
    let body = with_replaced(&ProcedureBody { name, ..worked.body }, &decided.replacements());
    let (shelf, copied) = (permit.shelf(), worked.copied);
    match (is_version, worked.origin, target) {
        (true, Some((origin, _)), _) => {
            let (id, seen) = (origin.id, origin.version);
            permit
                .write(move |tx| {
                    add_version(tx, shelf, id, seen, &body, ", by what became of it in an engagement")
                })
                .await?;
            let message = format!("{} has a new version.", origin.shown_id);
            Ok(redirect_with(&format!("/library/procedures/{id}"), &message))
        }
        (_, _, Some(target)) => {
            let (id, shown) = permit.write(move |tx| insert_copy(tx, shelf, target, body, copied)).await?;
            Ok(redirect_with(&format!("/library/procedures/{id}"), &format!("{shown} created.")))
        }
        _ => Err(Error::NotFound),
    }
}

/// An engagement that becomes a test plan.
struct Run {
    title: String,
    lines: Vec<PlanLine>,
    names: Vec<super::domain::Name>,
    /// What the plan is called, described and tagged with, as it was typed or as the engagement has it.
    typed: [String; 3],
}

async fn run(permit: &Permit<EditTestPlan>, engagement: EngagementId) -> Result<Run> {
    let (held, shelf) = (permit.clone(), permit.shelf());
    permit
        .read(move |conn| {
            let part = page::get_engagement(conn, engagement, &held.visible())?;
            check_reads(&held, part.client_id)?;
            let rows = store::list_origins(conn, engagement)?;
            let ids: Vec<LibraryProcedureId> = rows.iter().filter_map(|(.., origin)| *origin).collect();
            let hits = list_hits(conn, shelf, &ids)?;
            let line =
                |(procedure, position, name, origin): (ProcedureId, i32, String, Option<_>)| PlanLine {
                    procedure,
                    position,
                    name,
                    origin: hits
                        .iter()
                        .find(|hit| Some(hit.id) == origin)
                        .map(|hit| (hit.id, format!("{} {}", hit.shown_id, hit.name))),
                };
            Ok(Run {
                lines: rows.into_iter().map(line).collect(),
                names: store::list_names(conn, part.client_id, engagement)?,
                title: part.title,
                typed: store::get_texts(conn, engagement)?,
            })
        })
        .await
}

impl Run {
    /// The plan's texts as a body, so that one look finds what is the client's.
    fn found(&self) -> Vec<Found> {
        let [title, description, tags] = &self.typed;
        let body = ProcedureBody {
            name: title.clone(),
            description: description.clone(),
            tags: vec![tags.clone()],
            ..ProcedureBody::default()
        };
        found(&body, &self.names, None)
    }
}

pub async fn plan(permit: Permit<EditTestPlan>, path: web::Path<EngagementId>) -> Result<HttpResponse> {
    let engagement = path.into_inner();
    let run = run(&permit, engagement).await?;
    permit.page(&plan_page(&permit, engagement, run, &Decided::default(), FieldErrors::default()))
}

fn plan_page(
    permit: &Permit<EditTestPlan>,
    engagement: EngagementId,
    run: Run,
    decided: &Decided,
    errors: FieldErrors,
) -> SavePlan {
    let back = format!("/engagements/{engagement}");
    let found = decided.lines(run.found());
    let [title, description, tags] = run.typed;
    SavePlan {
        frame: permit
            .frame(Section::Engagements, "Save as test plan")
            .crumb("Engagements", "/engagements")
            .crumb(&run.title, back.clone()),
        engagement: back.clone(),
        back,
        title,
        description,
        tags,
        lines: run.lines,
        found,
        problem: (!errors.is_empty()).then(|| "Nothing is saved yet. Look at the marked fields.".to_owned()),
        errors,
    }
}

pub async fn save_plan(
    permit: Permit<EditTestPlan>,
    path: web::Path<EngagementId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let engagement = path.into_inner();
    let mut run = run(&permit, engagement).await?;
    pairs.only(is_field)?;
    let of = |name: &str| pairs.get(name).unwrap_or_default().to_owned();
    run.typed = [of("title"), of("description"), of("tags")];
    let decided = Decided::read(&pairs);
    let mut errors = FieldErrors::default();
    decided.check(&run.found(), &mut errors);
    let [title, description, tags] = &run.typed;
    let texts = ProcedureBody {
        name: title.clone(),
        description: description.clone(),
        tags: vec![tags.clone()],
        ..ProcedureBody::default()
    };
    let texts = with_replaced(&texts, &decided.replacements());
    let title = check_title("test plan", &texts.name).unwrap_or_else(|sentence| {
        errors.add("title", sentence);
        String::new()
    });
    let tags = parse_tags(&texts.tags.join(", ")).unwrap_or_else(|sentence| {
        errors.add("tags", sentence);
        Vec::new()
    });
    let mut procedures: Vec<LibraryProcedureId> = Vec::new();
    for (id, _) in run.lines.iter().filter_map(|line| line.origin.as_ref()) {
        if !procedures.contains(id) {
            procedures.push(*id);
        }
    }
    if procedures.is_empty() {
        errors.add("procedures", "None of its procedures is in the library. Save one there first.");
    }
    let saved = if errors.is_empty() {
        let content = PlanContent { title, description: texts.description, tags, procedures };
        let shelf = permit.shelf();
        permit.write(move |tx| insert_plan(tx, shelf, &content)).await
    } else {
        Err(Error::Invalid(errors))
    };
    match saved {
        Ok(id) => Ok(redirect_with(&format!("/test-plans/{id}"), "Test plan created.")),
        Err(Error::Invalid(errors)) => {
            let page = plan_page(&permit, engagement, run, &decided, errors);
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}

pub async fn uses(permit: Permit<ReadLibrary>, path: web::Path<LibraryProcedureId>) -> Result<HttpResponse> {
    let (id, shelf) = (path.into_inner(), permit.shelf());
    let clients = permit.viewer().rights.clients_with(Permission::EngagementRead);
    let (procedure, mut uses, outcomes) = permit
        .read(move |conn| {
            let procedure = get_procedure(conn, shelf, id, None)?;
            Ok((procedure, list_uses(conn, id, &clients, USES + 1)?, list_outcomes(conn)?))
        })
        .await?;
    let is_cut = uses.len() as i64 > USES;
    uses.truncate(USES as usize);
    permit.page(&UsesPage {
        frame: permit
            .frame(Section::Library, "Where it was used")
            .crumb("Library", "/library/procedures")
            .crumb(&procedure.repository_name, format!("/library/repositories/{}", procedure.repository))
            .crumb(&procedure.body.name, format!("/library/procedures/{id}")),
        shown_id: procedure.shown_id,
        name: procedure.body.name,
        procedure: id,
        uses,
        outcomes,
        is_cut,
        zone: permit.viewer().organisation.zone(),
    })
}

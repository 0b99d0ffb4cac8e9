//! `/library/procedures/new` and `/library/procedures/{shelved}/edit`: the editor of a library procedure.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId};
use crate::kernel::merge::Conflict;
use crate::kernel::merge::form::ConflictView;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{EditLibrary, Permit};
use crate::kernel::web::{Form, Query, Section, redirect_with};
use crate::library::domain::TechniqueStatus;
use crate::library::store::attack::{
    TechniqueRow, TechniqueSearch, list_groups, list_named, search_techniques,
};
use crate::library::store::highest_version;
use crate::library::store::procedures::get_procedure;
use crate::library::store::shelf::{list_writable, may_write_procedure};
use crate::library::store::terms::search_own_techniques;
use crate::library::store::writing::{insert_procedure, save_procedure};
use crate::library::views::writing::{Around, ProcedureEditor, step_views};
use crate::library::writing::form::{Command, Posted, ProcedureForm, no_repository};
use crate::library::writing::merge::{Saved, label};

/// Techniques that a search in the form shows.
const FOUND: i64 = 8;

/// Where a new procedure is to stand.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    repository: String,
}

/// A step's id that no other step has, short because each of its fields names it.
fn fresh() -> String {
    format!("n{}", &Uuid::new_v4().simple().to_string()[..10])
}

/// The form while somebody works on it.
#[derive(Default)]
struct Work {
    form: ProcedureForm,
    procedure: Option<LibraryProcedureId>,
    /// Whether the form is to show what is stored.
    as_stored: bool,
    errors: FieldErrors,
    conflicts: Vec<ConflictView>,
    notes: Vec<String>,
    problem: Option<String>,
    preview: bool,
    /// The button that was pressed: the focus follows what it moved.
    command: Option<Command>,
}

pub async fn new(permit: Permit<EditLibrary>, Query(wanted): Query<Wanted>) -> Result<HttpResponse> {
    let mut form = ProcedureForm::new(fresh());
    form.repository = wanted.repository.parse().ok();
    answer(&permit, Work { form, ..Work::default() }, StatusCode::OK).await
}

pub async fn edit(permit: Permit<EditLibrary>, id: web::Path<LibraryProcedureId>) -> Result<HttpResponse> {
    let procedure = Some(id.into_inner());
    answer(&permit, Work { procedure, as_stored: true, ..Work::default() }, StatusCode::OK).await
}

/// The form of a procedure that the person may change, as it is stored.
async fn stored(permit: &Permit<EditLibrary>, id: LibraryProcedureId) -> Result<ProcedureForm> {
    let shelf = permit.shelf();
    permit
        .read(move |conn| {
            let procedure = get_procedure(conn, shelf, id, None)?;
            if !may_write_procedure(conn, shelf, id)? {
                return Err(Error::Forbidden(String::new()));
            }
            Ok(ProcedureForm::of(&procedure.body, procedure.current))
        })
        .await
}

pub async fn create(permit: Permit<EditLibrary>, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    work(permit, None, pairs).await
}

pub async fn update(
    permit: Permit<EditLibrary>,
    id: web::Path<LibraryProcedureId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    work(permit, Some(id.into_inner()), pairs).await
}

async fn work(
    permit: Permit<EditLibrary>,
    procedure: Option<LibraryProcedureId>,
    pairs: Pairs,
) -> Result<HttpResponse> {
    let (mut form, command) = ProcedureForm::read(&pairs)?;
    if command != Command::Save {
        // Whoever types the whole id wants that technique.
        let exact = form.technique_q.trim().to_uppercase();
        let is_exact = command == Command::FindTechnique && is_technique(&permit, &exact).await?;
        let command = if is_exact { Command::AddTechnique(exact) } else { command };
        form.apply(&command, fresh());
        let preview = command == Command::Preview;
        let work = Work { form, procedure, preview, command: Some(command), ..Work::default() };
        return answer(&permit, work, StatusCode::OK).await;
    }
    let body = match form.check() {
        Ok(body) => body,
        Err(errors) => return refused(&permit, form, procedure, errors).await,
    };
    let (shelf, repository, bases) = (permit.shelf(), form.repository, form.bases.clone());
    let Some(id) = procedure else {
        let Some(repository) = repository else {
            let Error::Invalid(errors) = no_repository() else { return Err(Error::NotFound) };
            return refused(&permit, form, None, errors).await;
        };
        let inserted = permit.write(move |tx| insert_procedure(tx, shelf, repository, body)).await;
        return match inserted {
            Ok((id, shown)) => {
                Ok(redirect_with(&format!("/library/procedures/{id}"), &format!("{shown} created.")))
            }
            // Deleted, or taken from this person, while they wrote.
            Err(Error::NotFound | Error::Forbidden(_)) => {
                let sentence = "You cannot write in this repository any more. Choose another.";
                refused(&permit, form, None, FieldErrors::one("repository", sentence)).await
            }
            Err(other) => Err(other),
        };
    };
    let posted = Posted { body, bases };
    let mine = posted.clone();
    let saved = permit.write(move |tx| save_procedure(tx, shelf, id, &posted)).await?;
    if saved.conflicts.is_empty() && saved.notes.is_empty() {
        let message = if saved.changed {
            format!("Saved as version {}.", saved.version)
        } else {
            "Nothing was changed.".to_owned()
        };
        return Ok(redirect_with(&format!("/library/procedures/{id}"), &message));
    }
    conflicting(&permit, id, &mine, form, saved).await
}

async fn is_technique(permit: &Permit<EditLibrary>, id: &str) -> Result<bool> {
    let ids = vec![id.to_owned()];
    let named = permit.read(move |conn| list_named(conn, &ids)).await?;
    Ok(named.iter().any(|technique| technique.name.is_some()))
}

async fn refused(
    permit: &Permit<EditLibrary>,
    form: ProcedureForm,
    procedure: Option<LibraryProcedureId>,
    errors: FieldErrors,
) -> Result<HttpResponse> {
    let problem = Some("Nothing is saved yet. Look at the marked fields.".to_owned());
    let work = Work { form, procedure, errors, problem, ..Work::default() };
    answer(permit, work, StatusCode::UNPROCESSABLE_ENTITY).await
}

/// What both sides changed comes back as it was typed, over what is stored now.
async fn conflicting(
    permit: &Permit<EditLibrary>,
    id: LibraryProcedureId,
    mine: &Posted,
    typed: ProcedureForm,
    saved: Saved,
) -> Result<HttpResponse> {
    let mut form = stored(permit, id).await?;
    for conflict in &saved.conflicts {
        form.take_back(&conflict.field, &typed, conflict.base_version);
    }
    let zone = permit.viewer().organisation.zone();
    let view = |conflict: &Conflict<String>| ConflictView {
        field: conflict.field.clone().into(),
        label: part_label(&conflict.field, mine),
        by: conflict.theirs_by.clone().unwrap_or_else(|| "Somebody".into()),
        at: conflict.theirs_at.map(|at| crate::kernel::base::show::time(at, zone)).unwrap_or_default(),
        theirs: told(&conflict.field, &conflict.theirs, mine),
        mine: told(&conflict.field, &conflict.mine, mine),
        version: conflict.theirs_version,
    };
    let conflicts: Vec<ConflictView> = saved.conflicts.iter().map(view).collect();
    let status = if conflicts.is_empty() { StatusCode::OK } else { StatusCode::CONFLICT };
    let work = Work { form, procedure: Some(id), conflicts, notes: saved.notes, ..Work::default() };
    answer(permit, work, status).await
}

/// What people call a part.
fn part_label(part: &str, mine: &Posted) -> String {
    if let Some((id, field)) = part.strip_prefix("step.").and_then(|rest| rest.rsplit_once('.')) {
        let step = mine.body.steps.iter().find(|step| step.id == id).map(label).unwrap_or_default();
        return format!("The {} of “{step}”", field.replace('_', " "));
    }
    if let Some((name, field)) = part.strip_prefix("input.").and_then(|rest| rest.rsplit_once('.')) {
        return format!("The {field} of the input {name}");
    }
    match part {
        "order" => "The order of the steps".to_owned(),
        "minutes" | "sentence" | "prevented" | "alerted" | "logged" => format!("Expected from blue: {part}"),
        other => format!("The {other}"),
    }
}

fn told(part: &str, value: &str, mine: &Posted) -> String {
    let told = match part {
        "order" => {
            let name = |id: &str| {
                let step = mine.body.steps.iter().find(|step| step.id == id);
                step.map_or_else(|| "another step".to_owned(), label)
            };
            value.lines().map(name).collect::<Vec<_>>().join("\n")
        }
        _ => value.replace('\t', " "),
    };
    if told.is_empty() { "(empty)".to_owned() } else { told }
}

async fn answer(permit: &Permit<EditLibrary>, work: Work, status: StatusCode) -> Result<HttpResponse> {
    let Work { mut form, procedure, as_stored, errors, conflicts, notes, problem, preview, command } = work;
    let (shelf, q, ids) = (permit.shelf(), form.technique_q.trim().to_owned(), form.techniques.clone());
    let (targets, found, named, groups, stored) = permit
        .read(move |conn| {
            let version = highest_version(conn)?;
            let search = TechniqueSearch {
                version: version.clone(),
                q: q.clone(),
                status: Some(TechniqueStatus::Live),
                ..TechniqueSearch::default()
            };
            // One's own come first: they are few, and whoever made one looks for it.
            let mut found: Vec<TechniqueRow> = Vec::new();
            if !q.is_empty() {
                found = search_own_techniques(conn, shelf, None, &search, FOUND)?;
                found.extend(search_techniques(conn, shelf, &search, FOUND)?);
            }
            let stored = match procedure {
                Some(id) => {
                    let stored = get_procedure(conn, shelf, id, None)?;
                    if !may_write_procedure(conn, shelf, id)? {
                        return Err(Error::Forbidden(String::new()));
                    }
                    Some(stored)
                }
                None => None,
            };
            let targets: Vec<(RepositoryId, String)> =
                if procedure.is_none() { list_writable(conn, shelf)? } else { Vec::new() };
            let named = match &stored {
                Some(stored) if as_stored => list_named(conn, &stored.body.technique_ids)?,
                _ => list_named(conn, &ids)?,
            };
            Ok((targets, found, named, list_groups(conn, &version)?, stored))
        })
        .await?;
    if preview {
        let texts = [form.description.as_str(), form.recommendation.as_str()].into_iter();
        let texts = texts.chain(form.steps.iter().map(|step| step.description.as_str()));
        prepare(texts, permit.viewer().id.0).await?;
    }
    let begun = match &stored {
        Some(stored) => ProcedureForm::of(&stored.body, stored.current),
        None => ProcedureForm::default(),
    };
    if as_stored {
        form = begun.clone();
    }
    let title =
        stored.as_ref().map_or("New procedure".to_owned(), |stored| format!("Edit {}", stored.shown_id));
    let mut frame = permit.frame(Section::Library, title).crumb("Library", "/library/procedures");
    let mut around = Around {
        action: "/library/procedures/new".to_owned(),
        back: "/library/procedures".to_owned(),
        targets,
        groups,
    };
    if let Some(stored) = &stored {
        around.action = format!("/library/procedures/{}/edit", stored.id);
        around.back = format!("/library/procedures/{}", stored.id);
        frame = frame.crumb(&stored.body.name, around.back.clone());
    }
    let view = ProcedureEditor {
        steps: step_views(&form, &begun, command.as_ref()),
        frame,
        around,
        is_new: stored.is_none(),
        preview,
        found: found.into_iter().filter(|row| !form.techniques.contains(&row.external_id)).collect(),
        named,
        begun,
        errors,
        conflicts,
        notes,
        problem,
        form,
    };
    // Each button of the page swaps what it changes.
    let html = match command {
        Some(command) if permit.partial && status == StatusCode::OK => match command {
            Command::Look | Command::RemoveInput(_) => view.as_placeholders().render()?,
            Command::Preview => view.as_previews().render()?,
            Command::FindTechnique | Command::AddTechnique(_) | Command::RemoveTechnique(_) => {
                view.as_techniques().render()?
            }
            Command::AddReference => view.as_references().render()?,
            _ => view.as_work().render()?,
        },
        _ => view.render()?,
    };
    permit.html(status, html)
}

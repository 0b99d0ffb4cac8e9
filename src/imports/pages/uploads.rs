//! `/library/import` and `/library/imports/{import}`: a file comes, is checked, shown, applied or discarded,
//! and taken back.

use std::sync::LazyLock;
use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use futures_util::stream::unfold;

use crate::accounts::store::still_may_own;
use crate::imports::check;
use crate::imports::forms::{ApplyForm, CheckForm, HistoryPage, Shown};
use crate::imports::preview::{ImportState, Verdict};
use crate::imports::store::copies::list_behind;
use crate::imports::store::runs::{self, Import, ImportCursor, Tally, Uploaded};
use crate::imports::store::undo;
use crate::imports::upload;
use crate::imports::views::uploads::{List, Part, Show, Undo};
use crate::kernel::app::App;
use crate::kernel::authz::Permission;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::ImportId;
use crate::kernel::base::keyset::{At, LOADED, Page, ROWS};
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{ImportLibrary, Permit};
use crate::kernel::web::turns::Turns;
use crate::kernel::web::{Form, Query, Section, redirect, redirect_with};
use crate::library::changes::withdraws_much;
use crate::library::forms::url;

/// Files that are read at once: each takes its own size several times over.
static READING: LazyLock<Turns> = LazyLock::new(|| Turns::new("imports", 2, 1));

/// How long an upload waits for its check: most are done by then, and the preview is the next page.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Rows of each kind on the page of an import, and on a page of one kind alone.
const FEW: i64 = 20;
const MANY: i64 = 200;

/// How many copies are counted whose original has changed.
const COPIES: i64 = 1_000;

pub async fn list(permit: Permit<ImportLibrary>, Query(page): Query<HistoryPage>) -> Result<HttpResponse> {
    let view = list_view(&permit, &page, &Pairs::default()).await?;
    permit.page(&view)
}

async fn list_view(permit: &Permit<ImportLibrary>, asked: &HistoryPage, typed: &Pairs) -> Result<List> {
    let shelf = permit.shelf();
    let at: At<ImportCursor> = At::read(&asked.after, &asked.before);
    let read_at = at.clone();
    let (goals, rows) = permit
        .read(move |conn| {
            Ok((runs::list_goals(conn, shelf)?, runs::list_imports(conn, shelf, &read_at, LOADED)?))
        })
        .await?;
    let page = Page::cut(rows, &at, ROWS);
    let (earlier, later) = page.links(Import::cursor, |at: &At<ImportCursor>| {
        let (after, before) = at.written();
        url("/library/import", &HistoryPage { after, before })
    });
    Ok(List {
        frame: permit.frame(Section::Library, "Import"),
        goals,
        chosen: typed.get("repository").unwrap_or_default().to_owned(),
        withdraws: typed.get("withdraw").is_some(),
        imports: page.rows,
        earlier,
        later,
        errors: FieldErrors::default(),
        problem: None,
        zone: permit.viewer().organisation.zone(),
    })
}

/// `POST /library/import`: the file goes to storage, its check begins, and the next page shows it.
pub async fn receive(permit: Permit<ImportLibrary>, form: Multipart) -> Result<HttpResponse> {
    let (typed, received) = upload::receive(&permit.app, form, permit.viewer().id).await;
    let kept = match received {
        Ok(arrived) => keep(&permit, &typed, arrived).await,
        Err(error) => Err(error),
    };
    match kept {
        Ok(id) => {
            start(&permit.app).await;
            Ok(redirect(&format!("/library/imports/{id}")))
        }
        Err(error) => {
            let status: StatusCode = error.status();
            let (errors, problem) = match error {
                Error::Invalid(errors) => (errors, None),
                Error::Refused(why) | Error::TooLarge(why) => (FieldErrors::default(), Some(why)),
                other => return Err(other),
            };
            let view = list_view(&permit, &HistoryPage::default(), &typed).await?;
            permit.html(status, List { errors, problem, ..view }.render()?)
        }
    }
}

async fn keep(permit: &Permit<ImportLibrary>, typed: &Pairs, arrived: upload::Arrived) -> Result<ImportId> {
    let id = arrived.id;
    let repository = match typed.get("repository").unwrap_or_default() {
        "" => Ok(None),
        chosen => chosen.parse().map(Some).map_err(|_| Error::field("repository", "Choose a repository.")),
    };
    let (shelf, withdraw) = (permit.shelf(), typed.get("withdraw").is_some());
    let kept = match repository {
        Ok(repository) => {
            let file =
                Uploaded { id, file_name: arrived.file_name, size: arrived.size, repository, withdraw };
            permit.write(move |tx| runs::insert_upload(tx, shelf, &file)).await
        }
        Err(error) => Err(error),
    };
    if kept.is_err() {
        check::forget(&permit.app.config.attachments(), id);
    }
    kept.map(|()| id)
}

/// Begins the check of whatever waits, and waits a moment for it. A process that ends leaves it to the next.
async fn start(app: &App) {
    let (db, attachments, clock) = (app.db.clone(), app.config.attachments(), app.clock.clone());
    let going = actix_web::rt::spawn(async move {
        let Ok(_turn) = READING.take(uuid::Uuid::nil()).await else { return };
        let done = web::block(move || check::check_waiting(&db, &attachments, clock.now())).await;
        if let Ok(Err(away)) = done {
            tracing::warn!(cause = %away, "a check is left to the job");
        }
    });
    let _ = tokio::time::timeout(PATIENCE, going).await;
}

pub async fn show(
    permit: Permit<ImportLibrary>,
    path: web::Path<ImportId>,
    Query(shown): Query<Shown>,
) -> Result<HttpResponse> {
    let view = view(&permit, path.into_inner(), &shown).await?;
    if permit.partial { permit.page(&view.as_checked()) } else { permit.page(&view) }
}

async fn view(permit: &Permit<ImportLibrary>, id: ImportId, shown: &Shown) -> Result<Show> {
    let (shelf, only) = (permit.shelf(), shown.only());
    let (import, parts, behind) = permit
        .read(move |conn| {
            let import = runs::get_import(conn, shelf, id)?;
            let mut parts: Vec<Part> = Vec::new();
            if !import.state.is_under_way() {
                let counts = runs::count_changes(conn, id)?;
                let limit = if only.is_some() { MANY } else { FEW };
                let mut rows = runs::list_changes(conn, id, only, limit)?;
                if only.is_none() {
                    // Conflicts are the form itself: all of them, as far as a page can hold them.
                    rows.retain(|row| row.verdict != Verdict::Conflict);
                    rows.extend(runs::list_changes(conn, id, Some((Verdict::Conflict, -1)), MANY)?);
                }
                for verdict in Verdict::ALL {
                    let rows: Vec<_> = rows.extract_if(.., |row| row.verdict == *verdict).collect();
                    let total = counts.iter().find(|(of, _)| of == verdict).map_or(0, |(_, n)| *n);
                    if !rows.is_empty() && *verdict != Verdict::Noted {
                        parts.push(Part { verdict: *verdict, total, rows });
                    }
                }
            }
            let applied = import.state == ImportState::Applied && import.attack_version.is_none();
            let behind = if applied { list_behind(conn, shelf, COPIES)?.len() } else { 0 };
            Ok((import, parts, behind))
        })
        .await?;
    let frame = permit
        .frame(Section::Library, &import.file_name)
        .crumb("Library", "/library/procedures")
        .crumb("Import", "/library/import");
    Ok(Show {
        frame,
        import,
        parts,
        only: only.map(|(verdict, _)| verdict),
        behind,
        typed: ApplyForm::default(),
        problem: None,
        zone: permit.viewer().organisation.zone(),
    })
}

/// How often the stream looks, and how long it lives at most; the browser comes back by itself.
const LOOKS: Duration = Duration::from_millis(400);
const LIFE: Duration = Duration::from_secs(120);

/// `GET …/events`: says `checked` whenever the check is further, until it is over.
pub async fn events(permit: Permit<ImportLibrary>, path: web::Path<ImportId>) -> Result<HttpResponse> {
    let (id, shelf) = (path.into_inner(), permit.shelf());
    let import = permit.read(move |conn| runs::get_import(conn, shelf, id)).await?;
    if permit.head {
        return Ok(HttpResponse::Ok().content_type("text/event-stream").finish());
    }
    let (app, session) = (permit.app.clone(), permit.viewer().session);
    let end = tokio::time::Instant::now() + LIFE;
    let first = (import.state, import.progress);
    let stream = unfold(Some((app, first)), move |going| async move {
        let (app, last) = going?;
        loop {
            if tokio::time::Instant::now() >= end {
                return None;
            }
            tokio::time::sleep(LOOKS).await;
            let now = app.clock.now();
            let looked = app.db.read(move |conn| {
                let may = still_may_own(conn, session, Permission::LibraryImport, now)?;
                if may { runs::get_import(conn, shelf, id).map(Some) } else { Ok(None) }
            });
            // Nobody's any more; a database that is away is asked again by who comes back.
            let Ok(Some(import)) = looked.await else { return None };
            let told = (import.state, import.progress);
            if told != last || !import.state.is_under_way() {
                let next = import.state.is_under_way().then_some((app, told));
                let text = web::Bytes::from_static(b"event: checked\ndata: -\n\n");
                return Some((Ok::<_, actix_web::Error>(text), next));
            }
        }
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Content-Encoding", "identity"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream))
}

/// `POST …/check`: again, now with or without withdrawing what the file does not hold.
pub async fn check_again(
    permit: Permit<ImportLibrary>,
    path: web::Path<ImportId>,
    Form(form): Form<CheckForm>,
) -> Result<HttpResponse> {
    let (id, shelf) = (path.into_inner(), permit.shelf());
    permit.read(move |conn| runs::get_own_import(conn, shelf, id)).await?;
    again(&permit, id, form.withdraw.is_some()).await?;
    Ok(redirect(&format!("/library/imports/{id}")))
}

async fn again(permit: &Permit<ImportLibrary>, id: ImportId, withdraw: bool) -> Result<()> {
    let db = &permit.app.db;
    db.write_unaudited("import bookkeeping", move |conn| runs::check_again(conn, id, withdraw)).await?;
    start(&permit.app).await;
    Ok(())
}

pub async fn apply(
    permit: Permit<ImportLibrary>,
    path: web::Path<ImportId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (id, shelf) = (path.into_inner(), permit.shelf());
    let form = ApplyForm::read(&pairs)?;
    let import = permit.read(move |conn| runs::get_own_import(conn, shelf, id)).await?;
    let place = format!("/library/imports/{id}");
    match written(&permit, &import, &form).await {
        Ok(counts) => {
            check::forget(&permit.app.config.attachments(), id);
            Ok(redirect_with(&place, &format!("Imported: {counts}.")))
        }
        Err(Error::Conflict(why)) => {
            again(&permit, id, import.withdraw).await?;
            Ok(redirect_with(&place, &why))
        }
        Err(Error::Refused(why)) => {
            let view = view(&permit, id, &Shown::default()).await?;
            let view = Show { typed: form, problem: Some(why), ..view };
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, view.render()?)
        }
        Err(other) => Err(other),
    }
}

async fn written(
    permit: &Permit<ImportLibrary>,
    import: &Import,
    form: &ApplyForm,
) -> Result<crate::library::changes::Counts> {
    if import.state != ImportState::Ready {
        return Err(Error::Refused(format!(
            "This import is not ready to be applied: it is {}.",
            import.state.label().to_lowercase()
        )));
    }
    let Tally { counts, stored } = import.tally();
    if withdraws_much(counts.withdrawn, stored) && !form.withdraws_much {
        return Err(Error::Refused(format!(
            "This import withdraws {} of {stored}. Tick that you want it, or keep them. Nothing was written.",
            counts.withdrawn
        )));
    }
    let turn = READING.take(permit.viewer().id.0).await?;
    let (id, name, attachments) = (import.id, import.file_name.clone(), permit.app.config.attachments());
    let content = web::block(move || {
        let _turn = turn;
        check::content(&attachments, id, &name)
    });
    let content = content.await.map_err(|panicked| Error::Internal(panicked.into()))?;
    let content = content.map_err(|faults| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Error::Refused(told.join(" "))
    })?;
    let (shelf, takes) = (permit.shelf(), form.takes.clone());
    permit.write(move |tx| runs::apply_import(tx, shelf, id, &content, &takes)).await
}

pub async fn discard(permit: Permit<ImportLibrary>, path: web::Path<ImportId>) -> Result<HttpResponse> {
    let (id, shelf) = (path.into_inner(), permit.shelf());
    permit.write(move |tx| runs::discard(tx, shelf, id)).await?;
    check::forget(&permit.app.config.attachments(), id);
    Ok(redirect_with("/library/import", "Import discarded. Nothing of it was written."))
}

pub async fn undo_form(permit: Permit<ImportLibrary>, path: web::Path<ImportId>) -> Result<HttpResponse> {
    let (id, shelf) = (path.into_inner(), permit.shelf());
    let (import, obstacles) = permit
        .read(move |conn| {
            let import = runs::get_own_import(conn, shelf, id)?;
            let obstacles = undo::list_obstacles(conn, &import)?;
            Ok((import, obstacles))
        })
        .await?;
    let frame = permit
        .frame(Section::Library, "Undo import")
        .crumb("Library", "/library/procedures")
        .crumb("Import", "/library/import")
        .crumb(&import.file_name, format!("/library/imports/{id}"));
    permit.page(&Undo { frame, import, obstacles })
}

pub async fn undo(permit: Permit<ImportLibrary>, path: web::Path<ImportId>) -> Result<HttpResponse> {
    let (id, shelf) = (path.into_inner(), permit.shelf());
    permit.write(move |tx| undo::undo(tx, shelf, id)).await?;
    Ok(redirect_with(&format!("/library/imports/{id}"), "Import undone. The library is as it was before it."))
}

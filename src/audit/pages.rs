//! `/admin/audit-log`: the list, its filters, and what came since it was opened.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use askama::Template;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;

use super::export::{self, Format, Wanted};
use super::query::{Asked, Filter, Page, Part, Place};
use super::seal::Seal;
use super::seal_store;
use super::search_store::{self as store, Found, Scope};
use super::views::{AuditLog, Hint, News, Outcome};
use crate::authz::Permission as P;
use crate::authz::permit::{Permit, ReadAuditLog};
use crate::error::{Error, Result};
use crate::ids::{ClientId, PersonId};
use crate::web::{Query, Section};

/// The clients whose events a person sees; none means everything.
fn clients(permit: &Permit<ReadAuditLog>) -> Option<Vec<ClientId>> {
    (!permit.may(P::AuditLogRead)).then(|| permit.viewer().rights.clients_with(P::AuditLogReadClient))
}

/// What a filter covers for this person; what lies below the floor is no longer shown.
fn scope(permit: &Permit<ReadAuditLog>, filter: &Filter, floor: DateTime<Utc>) -> Scope {
    let (from, to) = filter.instants(permit.viewer().organisation.zone());
    Scope { clients: clients(permit), from: Some(from.map_or(floor, |from| from.max(floor))), to }
}

struct Loaded {
    floor: DateTime<Utc>,
    page: Option<Found>,
    hints: Vec<Hint>,
    people: Vec<(PersonId, String)>,
    sealed: Option<(i64, Seal)>,
}

/// `GET /admin/audit-log`
pub async fn show(permit: Permit<ReadAuditLog>, Query(asked): Query<Asked>) -> Result<HttpResponse> {
    let (filter, errors) = asked.read();
    let zone = permit.viewer().organisation.zone();
    let today = permit.app.clock.now().with_timezone(&zone).date_naive();
    let (reader, shown) = (permit.clone(), filter.clone());
    let loaded = permit.app.db.read(move |conn| load(conn, &reader, &shown)).await?;
    let first = loaded.floor.with_timezone(&zone).date_naive();
    let page = AuditLog {
        frame: permit.frame(Section::Admin, "Audit log").crumb("Administration", "/admin"),
        outcome: loaded.page.map_or(Outcome::TooBroad, |page| Outcome::Found { page, hints: loaded.hints }),
        people: loaded.people,
        sealed: loaded.sealed,
        whole: permit.may(P::AuditLogRead),
        first: filter.from.map_or(first, |from| from.max(first)),
        last: filter.to.map_or(today, |to| to.min(today)),
        filter,
        errors,
        today,
        zone,
    };
    if permit.partial { permit.html(StatusCode::OK, page.as_log().render()?) } else { permit.page(&page) }
}

fn load(conn: &mut PgConnection, permit: &Permit<ReadAuditLog>, filter: &Filter) -> Result<Loaded> {
    let floor = store::get_floor(conn)?;
    let people = store::list_people(conn, clients(permit).as_deref())?;
    let zone = permit.viewer().organisation.zone();
    let (wide, filter) = (scope(permit, filter, floor), Filter { page: filter.page_in(zone), ..filter.clone() });
    let mut page = store::find_page(conn, &wide, &filter)?;
    // The address of an open row still shows it when newer events have pushed it off the first page.
    if let (Some(open), Some(found)) = (filter.open, &page)
        && !found.rows.iter().any(|row| row.place() == open)
    {
        let at = Filter { page: Page::Before(Place { id: open.id.saturating_add(1), ..open }), ..filter.clone() };
        let other = store::find_page(conn, &wide, &at)?;
        page = other.filter(|found| found.rows.first().is_some_and(|row| row.place() == open)).or(page);
    }
    let nothing = page.as_ref().is_some_and(|page| page.rows.is_empty());
    let hints = if nothing && filter.narrows() { hints(conn, permit, &filter, floor)? } else { Vec::new() };
    let shown = filter.open.filter(|open| page.as_ref().is_some_and(|page| page.rows.iter().any(|row| row.place() == *open)));
    let sealed = shown.map(|open| seal_store::find_number(conn, open)).transpose()?.flatten();
    Ok(Loaded { floor, page, hints, people, sealed })
}

/// Which filter to loosen: what each would show if it were left out.
fn hints(conn: &mut PgConnection, permit: &Permit<ReadAuditLog>, filter: &Filter, floor: DateTime<Utc>) -> Result<Vec<Hint>> {
    let all = filter.anew();
    let mut ways: Vec<(&'static str, Filter)> = Vec::new();
    if !filter.terms.is_empty() {
        ways.push(("Without the search", Filter { q: String::new(), terms: Vec::new(), ..all.clone() }));
    }
    if !filter.categories.is_empty() {
        ways.push(("In every category", Filter { categories: Vec::new(), ..all.clone() }));
    }
    if filter.user.is_some() {
        if filter.part != Part::Either {
            ways.push(("By or about the user", Filter { part: Part::Either, ..all.clone() }));
        }
        ways.push(("Of every user", Filter { user: None, part: Part::Either, ..all.clone() }));
    }
    if filter.from.is_some() || filter.to.is_some() {
        ways.push(("Over all dates", Filter { from: None, to: None, ..all.clone() }));
    }
    let filters: Vec<_> = ways.iter().map(|(_, filter)| (scope(permit, filter, floor), filter.clone())).collect();
    let counts = store::count_each(conn, &filters)?;
    let hint = |((words, filter), count): ((&'static str, Filter), Option<i64>)| {
        let count = count.filter(|n| *n > 0)?;
        Some(Hint { words, count, href: filter.url() })
    };
    Ok(ways.into_iter().zip(counts).filter_map(hint).collect())
}

/// `GET /admin/audit-log/fresh`: how many events of the filter came since the page was drawn.
pub async fn fresh(permit: Permit<ReadAuditLog>, Query(asked): Query<Asked>) -> Result<HttpResponse> {
    let (filter, _) = asked.read();
    let Page::After(place) = filter.page else { return permit.html(StatusCode::OK, String::new()) };
    let (reader, wanted) = (permit.clone(), filter.anew());
    let count = permit
        .app
        .db
        .read(move |conn| {
            let floor = store::get_floor(conn)?;
            store::count_after(conn, &scope(&reader, &wanted, floor), &wanted, place)
        })
        .await?;
    let news = News { count: count.unwrap_or_default(), href: filter.anew().url() };
    permit.html(StatusCode::OK, news.render()?)
}

/// How long an export waits for a reader that takes nothing.
const STALLED: Duration = Duration::from_secs(60);

/// `GET /admin/audit-log.csv`
pub async fn csv(permit: Permit<ReadAuditLog>, Query(asked): Query<Asked>) -> Result<HttpResponse> {
    export(permit, &asked, Format::Csv).await
}

/// `GET /admin/audit-log.jsonl`
pub async fn jsonl(permit: Permit<ReadAuditLog>, Query(asked): Query<Asked>) -> Result<HttpResponse> {
    export(permit, &asked, Format::Jsonl).await
}

/// Exports what the page shows, and not only its newest rows. The event is committed before the first byte leaves.
async fn export(permit: Permit<ReadAuditLog>, asked: &Asked, format: Format) -> Result<HttpResponse> {
    let (filter, _) = asked.read();
    let event = if asked.event.is_empty() { None } else { Some(asked.event.parse().map_err(|()| Error::NotFound)?) };
    let floor = permit.app.db.read(store::get_floor).await?;
    let zone = permit.viewer().organisation.zone();
    let wanted = Wanted { scope: scope(&permit, &filter, floor), filter: filter.anew(), event, proof: asked.proof == "1", format, zone };
    let turn = permit.app.db.long_turn().await?;
    let told = export::event(&wanted);
    permit.app.db.write(permit.actor(), move |tx| tx.audited((), told)).await?;
    let (sender, chunks) = tokio::sync::mpsc::channel::<Bytes>(2);
    let (db, runtime) = (permit.app.db.clone(), tokio::runtime::Handle::current());
    let connected = actix_web::web::block(move || db.connect()).await;
    let mut conn = connected.map_err(|panicked| Error::Internal(panicked.into()))??;
    let name = format!("audit-log-{}.{}", permit.app.clock.now().with_timezone(&zone).format("%Y-%m-%d"), format.ending());
    // Not awaited: the answer begins now and goes on as chunks come.
    drop(actix_web::web::block(move || {
        let _turn = turn;
        export::write(&mut conn, &wanted, &mut |chunk| {
            matches!(runtime.block_on(tokio::time::timeout(STALLED, sender.send(chunk.into()))), Ok(Ok(())))
        });
    }));
    let chunks = futures_util::stream::unfold(chunks, |mut chunks| async move { Some((Ok::<_, Error>(chunks.recv().await?), chunks)) });
    Ok(HttpResponse::Ok()
        .content_type(format.media_type())
        // Compressing would hold chunks back, and the processor with them.
        .insert_header(actix_web::http::header::ContentEncoding::Identity)
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{name}\"")))
        .streaming(chunks))
}

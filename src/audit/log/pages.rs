//! `/admin/audit-log`: the list, its filters, what came since it was opened, and exports.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::audit::log::export;
use crate::audit::log::query::{Asked, Page};
use crate::audit::log::request::{self, ExportRequest, Format};
use crate::audit::log::search::{Reach, search};
use crate::audit::log::store::search as store;
use crate::audit::log::views::{AuditLog, News, Outcome};
use crate::audit::proof::seal::KeyFiles;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::event::months::get_floor;
use crate::kernel::web::Section;
use crate::kernel::web::permit::{Permit, ReadAuditLog};
use crate::kernel::web::turns::EXPORTS;

/// The clients whose events a person sees; none means everything.
fn clients(permit: &Permit<ReadAuditLog>) -> Option<Visible> {
    (!permit.may(P::AuditLogRead)).then(|| permit.viewer().rights.clients_with(P::AuditLogReadClient))
}

/// Whose events this person sees, and in which zone a filter's days are meant.
fn reach(permit: &Permit<ReadAuditLog>) -> Reach {
    Reach { clients: clients(permit), zone: permit.viewer().organisation.zone(), now: permit.app.clock.now() }
}

pub async fn show(permit: Permit<ReadAuditLog>, req: HttpRequest) -> Result<HttpResponse> {
    let asked = Asked::of(req.query_string());
    let (filter, errors) = asked.read();
    let zone = permit.viewer().organisation.zone();
    let today = permit.app.clock.now().with_timezone(&zone).date_naive();
    let reach = reach(&permit);
    let (within, shown) = (reach.clone(), filter.clone());
    let loaded = permit.read(move |conn| search(conn, &within, &shown)).await?;
    let covered = reach.scope(&filter, loaded.floor).from.unwrap_or(loaded.floor);
    let page = AuditLog {
        frame: permit.frame(Section::Admin, "Audit log").crumb("Administration", "/admin"),
        outcome: loaded.page.map_or(Outcome::TooBroad, |page| Outcome::Found { page, hints: loaded.hints }),
        people: loaded.people,
        sealed: loaded.sealed,
        whole: permit.may(P::AuditLogRead),
        first: covered.with_timezone(&zone).date_naive(),
        last: filter.to.map_or(today, |to| to.min(today)),
        filter,
        errors,
        today,
        zone,
    };
    if !permit.partial {
        return permit.page(&page);
    }
    let mut answer = permit.html(StatusCode::OK, page.as_log().render()?)?;
    // A form sends its empty fields too: the address keeps what narrows the log. Typing, which the form
    // itself sends, goes on in the address that it was in.
    if let Some(query) = without_empty(req.query_string()) {
        let typed =
            req.headers().get("HX-Source").is_some_and(|source| source.as_bytes().starts_with(b"form"));
        let name = HeaderName::from_static(if typed { "hx-replace-url" } else { "hx-push-url" });
        let url = if query.is_empty() { req.path().to_owned() } else { format!("{}?{query}", req.path()) };
        let url = HeaderValue::from_str(&url).map_err(|fault| Error::Internal(fault.into()))?;
        answer.headers_mut().insert(name, url);
    }
    Ok(answer)
}

/// A query without its empty parameters; none where it has no such.
fn without_empty(query: &str) -> Option<String> {
    let pairs: Vec<&str> = query.split('&').collect();
    let given: Vec<&str> = pairs.iter().copied().filter(|pair| !pair.ends_with('=')).collect();
    (given.len() < pairs.len()).then(|| given.join("&"))
}

/// `GET /admin/audit-log/audit.pub`: the public keys whose seals count, as `tyrian audit verify` takes them.
pub async fn keys(permit: Permit<ReadAuditLog>) -> Result<HttpResponse> {
    let files = KeyFiles::of(&permit.app.config);
    let trusted = actix_web::web::block(move || files.trusted_text()).await;
    let text = trusted.map_err(|panicked| Error::Internal(panicked.into()))??;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header(("Content-Disposition", "attachment; filename=\"audit.pub\""))
        .body(text))
}

/// `GET /admin/audit-log/fresh`: how many events of the filter came since the page was drawn.
pub async fn fresh(permit: Permit<ReadAuditLog>, req: HttpRequest) -> Result<HttpResponse> {
    let asked = Asked::of(req.query_string());
    let (filter, _) = asked.read();
    let Page::After(place) = filter.page else { return permit.html(StatusCode::OK, String::new()) };
    let (reach, wanted) = (reach(&permit), filter.anew());
    let count = permit
        .read(move |conn| {
            let floor = get_floor(conn)?;
            store::count_after(conn, &reach.scope(&wanted, floor), &wanted, place)
        })
        .await?;
    let news = News { count: count.unwrap_or_default(), href: filter.anew().url() };
    permit.html(StatusCode::OK, news.render()?)
}

/// How long an export waits for a reader that takes nothing.
const STALLED: Duration = Duration::from_secs(60);

/// How long an export may take: it keeps months of the log from being dropped.
const LONGEST: chrono::TimeDelta = chrono::TimeDelta::minutes(30);

pub async fn csv(permit: Permit<ReadAuditLog>, req: HttpRequest) -> Result<HttpResponse> {
    export(permit, &Asked::of(req.query_string()), Format::Csv).await
}

pub async fn jsonl(permit: Permit<ReadAuditLog>, req: HttpRequest) -> Result<HttpResponse> {
    export(permit, &Asked::of(req.query_string()), Format::Jsonl).await
}

/// Exports what the page shows, and not only its newest rows. The event is committed before the first byte
/// leaves.
async fn export(permit: Permit<ReadAuditLog>, asked: &Asked, format: Format) -> Result<HttpResponse> {
    let (filter, errors) = asked.read();
    // A page shows what holds of its filter beside what does not; a file could not.
    errors.done()?;
    let event =
        if asked.event.is_empty() { None } else { Some(asked.event.parse().map_err(|()| Error::NotFound)?) };
    let floor = permit.read(get_floor).await?;
    let zone = permit.viewer().organisation.zone();
    let wanted = ExportRequest {
        scope: reach(&permit).scope(&filter, floor),
        filter: filter.anew(),
        event,
        proof: asked.proof == "1",
        format,
        zone,
    };
    let name = format!(
        "audit-{}{}-{}.{}",
        if wanted.event.is_some() { "event" } else { "log" },
        if wanted.proof { "-with-proof" } else { "" },
        permit.app.clock.now().with_timezone(&zone).format("%Y-%m-%d"),
        format.ending()
    );
    let mut answer = HttpResponse::Ok();
    answer
        .content_type(format.media_type())
        // Compressing would hold chunks back, and the processor with them.
        .insert_header(actix_web::http::header::ContentEncoding::Identity)
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{name}\"")));
    if permit.head {
        return Ok(answer.finish());
    }
    let turn = EXPORTS.take(permit.viewer().id.0).await?;
    let told = request::event(&wanted);
    permit.write(move |tx| tx.audited((), told)).await?;
    // The end is told: a file that stops without it breaks off, and does not look whole.
    let (sender, chunks) = tokio::sync::mpsc::channel::<Option<Bytes>>(2);
    let (clock, until) = (permit.app.clock.clone(), permit.app.clock.now() + LONGEST);
    let (db, runtime) = (permit.app.db.clone(), tokio::runtime::Handle::current());
    let connected = actix_web::web::block(move || db.connect()).await;
    let mut conn = connected.map_err(|panicked| Error::Internal(panicked.into()))??;
    // Not awaited: the answer begins now and goes on as chunks come.
    drop(actix_web::web::block(move || {
        let _turn = turn;
        let send =
            |chunk| matches!(runtime.block_on(tokio::time::timeout(STALLED, sender.send(chunk))), Ok(Ok(())));
        let ended =
            export::write(&mut conn, &wanted, &mut |chunk| clock.now() < until && send(Some(chunk.into())));
        if ended.cut.is_none() {
            send(None);
        }
    }));
    let chunks = futures_util::stream::unfold(Some(chunks), |chunks| async move {
        let mut chunks = chunks?;
        match chunks.recv().await {
            Some(Some(chunk)) => Some((Ok(chunk), Some(chunks))),
            Some(None) => None,
            None => Some((Err(Error::Unavailable("the export was cut short".into())), None)),
        }
    });
    Ok(answer.streaming(chunks))
}

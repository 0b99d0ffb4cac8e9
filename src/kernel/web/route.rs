//! Rows of the route table: an address, its handler, the most that its form may hold, and who may ask, which
//! the handler's first argument says.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpMessage, Route, guard, web};

use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::Error;
use crate::kernel::web::Ctx;
use crate::kernel::web::form::FormLimit;
use crate::kernel::web::owner::{Owner, Subject};
use crate::kernel::web::permit::{Action, Permit, SignedIn};

/// Who may ask for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Other programs: answered without a session, and so without the database where the handler needs none.
    Machine,
    Public,
    /// Anybody who is signed in.
    SignedIn,
    /// Whoever holds this right without a client.
    Own(P),
    /// Whoever holds this right at the client of what is asked for; judged there, so that 404 and 403 can be
    /// told apart.
    AtClient(P),
    /// Whoever holds one of the two.
    Either(P, P),
}

/// A handler's first argument, as far as it says who may ask.
pub trait Asks {
    const ACCESS: Access;
}

impl<A: Action> Asks for Permit<A> {
    const ACCESS: Access = match A::OR {
        Some(other) => Access::Either(A::NEEDS, other),
        None if A::NEEDS.is_own() => Access::Own(A::NEEDS),
        None => Access::AtClient(A::NEEDS),
    };
}

impl Asks for SignedIn {
    const ACCESS: Access = Access::SignedIn;
}

/// A handler whose first argument [`Asks`].
pub trait Guarded<Arguments> {
    const ACCESS: Access;
}

macro_rules! guarded {
    ($($rest:ident)*) => {
        impl<Handler, First, $($rest,)* Answer> Guarded<(First, $($rest,)*)> for Handler
        where
            Handler: Fn(First, $($rest,)*) -> Answer,
            First: Asks,
        {
            const ACCESS: Access = First::ACCESS;
        }
    };
}
guarded!();
guarded!(Second);
guarded!(Second Third);
guarded!(Second Third Fourth);

/// Who may ask a handler.
pub const fn access_of<Arguments, Handler: Guarded<Arguments>>(_: &Handler) -> Access {
    Handler::ACCESS
}

/// One row of the table.
pub struct Row {
    /// `get`, which answers HEAD too, or `post`.
    pub method: &'static str,
    /// The path, with actix's placeholders.
    pub path: &'static str,
    pub access: Access,
    /// The most that its form may hold.
    pub limit: FormLimit,
    pub route: fn() -> Route,
}

/// A table: `rows! { get "/path" => handler; post "/path", TEXTS => handler; }`. Rows that nobody's rights
/// are asked for are marked: `rows! { public: … }` and `rows! { machine: … }`.
macro_rules! rows {
    (public: $($rest:tt)*) => { rows!(@word Public $($rest)*) };
    (machine: $($rest:tt)*) => { rows!(@word Machine $($rest)*) };
    (@word $word:ident $($method:ident $path:literal $(, $limit:ident)? => $handler:path;)*) => {
        &[$(rows!(@row $method $path $crate::kernel::web::route::Access::$word, $($limit)? => $handler),)*]
    };
    (@row $method:ident $path:literal $access:expr, $($limit:ident)? => $handler:path) => {
        $crate::kernel::web::route::Row {
            method: stringify!($method),
            path: $path,
            access: $access,
            limit: rows!(@limit $($limit)?),
            route: || $crate::kernel::web::route::method(stringify!($method)).to($handler),
        }
    };
    (@limit) => { $crate::kernel::web::form::FormLimit::WORDS };
    (@limit $limit:ident) => { $crate::kernel::web::form::FormLimit::$limit };
    ($($method:ident $path:literal $(, $limit:ident)? => $handler:path;)*) => {
        &[$(rows!(
            @row $method $path $crate::kernel::web::route::access_of(&$handler), $($limit)? => $handler
        ),)*]
    };
}
pub(crate) use rows;

/// A route of this method; GET answers HEAD too.
pub fn method(name: &str) -> Route {
    match name {
        "get" => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => web::post(),
    }
}

pub fn register(config: &mut web::ServiceConfig, rows: impl IntoIterator<Item = &'static Row>) {
    let rows: Vec<&'static Row> = rows.into_iter().collect();
    for row in &rows {
        let row: &'static Row = row;
        let guarded = (row.route)().wrap(from_fn(move |req, next| guard(row, req, next)));
        config.route(row.path, guarded);
    }
    // Behind all of them: what a path is asked for by a method that it does not know.
    let methods =
        |path: &str| rows.iter().filter(|row| row.path == path).map(|row| row.method).collect::<Vec<_>>();
    for path in rows.iter().map(|row| row.path).collect::<std::collections::BTreeSet<_>>() {
        let known = methods(path);
        if !known.contains(&"get") {
            // A refused form leaves its address in the browser's bar: there it leads to the form's page.
            let parents = path.match_indices('/').map(|(at, _)| &path[..at]).rev();
            let page =
                parents.filter(|parent| methods(parent).contains(&"get")).map(segments).next().unwrap_or(0);
            let to_page = move |req: actix_web::HttpRequest| async move {
                let kept: Vec<&str> = req.path().split('/').take(page + 1).collect();
                let kept = kept.join("/");
                crate::kernel::web::redirect(if kept.is_empty() { "/" } else { &kept })
            };
            config.route(path, method("get").to(to_page));
        }
        let allowed = if known.contains(&"get") && known.contains(&"post") {
            "GET, HEAD, POST"
        } else if known.contains(&"get") {
            "GET, HEAD"
        } else {
            "POST"
        };
        config.route(
            path,
            web::route().to(move || async move {
                actix_web::HttpResponse::MethodNotAllowed()
                    .insert_header((header::ALLOW, allowed))
                    .content_type("text/plain; charset=utf-8")
                    .body(format!("This address answers {allowed}.\n"))
            }),
        );
    }
}

fn segments(path: &str) -> usize {
    path.matches('/').count()
}

async fn guard(
    row: &Row,
    req: actix_web::dev::ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    req.extensions_mut().insert(row.limit);
    // An error returned from here would reach the edge without its request: it becomes an answer at once.
    if let Err(refused) = judge(row, req.request()).await {
        return Ok(req.error_response(refused));
    }
    let answer = next.call(req).await?;
    Ok(if answer.request().method() == Method::HEAD { without_body(answer) } else { answer })
}

/// The head alone, with the length that the body would have had.
fn without_body(answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let length = match answer.response().body().size() {
        BodySize::Sized(length) => Some(length),
        BodySize::None | BodySize::Stream => None,
    };
    let mut answer = answer.map_body(|_, _| BoxBody::new(()));
    if let Some(length) = length {
        answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    answer
}

/// Everything that can be told from the head of a request, before a byte of its body is read.
async fn judge(row: &Row, req: &actix_web::HttpRequest) -> Result<(), Error> {
    if matches!(row.access, Access::Public | Access::Machine) {
        return Ok(());
    }
    let ctx = Ctx::of(req)?;
    let viewer = ctx.viewer.clone().ok_or(Error::Unauthenticated)?;
    // The way out of the duty, and out of the app, stays open.
    let open = [
        "/account/two-factor",
        "/account/proof",
        "/account/idle",
        "/account/stay",
        "/account/theme",
        "/sign-out",
    ];
    if viewer.two_factor_due && !open.contains(&req.path()) {
        return Err(Error::SecondFactorDue);
    }
    match row.access {
        Access::Own(permission) if !viewer.rights.may(permission) => Err(Error::Forbidden(String::new())),
        Access::Either(own, other) if own.is_own() => {
            let may = viewer.rights.may(own) || viewer.rights.may_anywhere(other);
            if may { Ok(()) } else { Err(Error::Forbidden(String::new())) }
        }
        // What is asked for without a form is judged where it is read, in the statements that read it.
        Access::AtClient(permission) if row.method == "post" => {
            let value = |name: &str| req.match_info().get(name).and_then(|value| value.parse().ok());
            let Some(subject) = Subject::of(row.path, value) else {
                return if viewer.rights.may_anywhere(permission) {
                    Ok(())
                } else {
                    Err(Error::Forbidden(String::new()))
                };
            };
            let Owner { client, unpublished } =
                ctx.read(move |conn| Ok(subject.find_owner(conn)?)).await?.ok_or(Error::NotFound)?;
            let may = |right| viewer.rights.may_at(right, client);
            let hidden = unpublished && may(P::ReportReadPublished) && !may(P::ReportRead);
            let sees = viewer.rights.clients.contains_key(&client) && !hidden;
            match may(permission) {
                true if sees => Ok(()),
                false if sees => Err(Error::Forbidden(String::new())),
                _ => Err(Error::NotFound),
            }
        }
        _ => Ok(()),
    }
}

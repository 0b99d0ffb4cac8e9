//! Sign-in with its second factor, sign-out, one-time links.

use std::sync::LazyLock;

use actix_session::Session;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::accounts::domain::{
    AccountStatus, LinkPurpose, PASSWORD_MAX, check_password, check_person, hash_password, is_outdated,
    verify_password,
};
use crate::accounts::store::factors::{self, Proof};
use crate::accounts::store::sessions::{ADDRESS, AGENT, PENDING, PERSON, PROVED};
use crate::accounts::store::sign_in::{self, Entry, Verdict};
use crate::accounts::store::{self, attempts};
use crate::accounts::views::{CodeForm, Link, SignIn};
use crate::kernel::app::App;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::hex::{hex, random_hex};
use crate::kernel::base::ids::PersonId;
use crate::kernel::db::WriteTx;
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::kernel::refusals as flood;
use crate::kernel::web::permit::SignedIn;
use crate::kernel::web::{Ctx, Form, Frame, Query, Section, redirect, redirect_with, refusal_noted};

/// Said where a network has used up its attempts; it tells nothing of an account.
const CROWDED: &str = "Too many attempts came from your network. Wait a quarter of an hour, then try again.";
const WRONG_CODE: &str =
    "This is not the code of now, or it was used already, or the account is locked for a while.";

/// One sentence for every reason, so that nobody learns which accounts exist.
const WRONG: &str = "Wrong e-mail or password, or the account is locked for a while.";

/// Hashing takes 19 MiB and a core for some 20 ms: a burst of sign-ins waits here, on half of the cores,
/// instead of starving everyone else.
static HASHING: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)))
});

/// How far a hashing thread steps back behind the threads that answer pages: steps of Unix's niceness.
#[cfg(target_os = "linux")]
const STEPS_BACK: i32 = 10;

/// Runs the work on a thread of its own, whose low priority ends with it.
pub(super) async fn hashed<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let turn = HASHING.acquire().await.map_err(|e| Error::Internal(e.into()))?;
    let (answer, answered) = tokio::sync::oneshot::channel();
    let (end, ended) = tokio::sync::oneshot::channel();
    let run = move || {
        // On Linux niceness is the thread's own, elsewhere the process's. Without it hashing is as right,
        // only less polite.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::nice(STEPS_BACK);
        let begun = std::time::Instant::now();
        let _ = answer.send(work());
        let _ = end.send(begun.elapsed());
    };
    std::thread::Builder::new().name("hashing".into()).spawn(run).map_err(|e| Error::Internal(e.into()))?;
    // The next in the queue waits as long again, so that a burst leaves pauses to the pages; also where the
    // browser has gone meanwhile: leaving must not buy more hashing at once.
    actix_web::rt::spawn(async move {
        tokio::time::sleep(ended.await.unwrap_or_default()).await;
        drop(turn);
    });
    answered.await.map_err(|e| Error::Internal(e.into()))
}

/// The frame of a page outside: it says whose installation this is, as far as the database can be asked.
async fn gate(ctx: &Ctx, title: &str) -> Frame {
    let name = ctx.read(store::get_organisation_name).await.unwrap_or_default();
    ctx.frame(Section::Gate, title).of_organisation(name)
}

/// Query of the sign-in page.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
}

pub async fn sign_in_form(ctx: Ctx, Query(wanted): Query<Wanted>) -> Result<HttpResponse> {
    if ctx.viewer.is_some() {
        return Ok(redirect(&own_path(&wanted.next)));
    }
    ctx.page(&SignIn {
        frame: gate(&ctx, "Sign in").await,
        email: String::new(),
        next: wanted.next,
        fault: None,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// A sign-in whose password was right and whose second factor is still to come.
#[derive(Serialize, Deserialize)]
struct Pending {
    person: PersonId,
    since: DateTime<Utc>,
    next: String,
    /// Keyed hash of the password's hash: another password since then ends the wait.
    password: String,
    /// The password's hash under today's parameters, where the stored one is older.
    rehash: Option<String>,
}

fn password_mark(ctx: &Ctx, account: &store::Account) -> String {
    hex(&ctx.app.keys.hash(account.password_hash.as_deref().unwrap_or_default()))
}

fn wait_for_code(
    ctx: &Ctx,
    session: &Session,
    account: &store::Account,
    rehash: Option<String>,
    next: String,
) -> Result<HttpResponse> {
    session.clear();
    session.renew();
    let (since, password) = (ctx.app.clock.now(), password_mark(ctx, account));
    keep(session, PENDING, &Pending { person: account.id, since, next, password, rehash })?;
    Ok(redirect("/sign-in/code"))
}

/// How long a sign-in waits for its second factor.
const PENDING_LASTS: TimeDelta = TimeDelta::minutes(5);

pub async fn sign_in(
    ctx: Ctx,
    req: HttpRequest,
    session: Session,
    Form(typed): Form<Credentials>,
) -> Result<HttpResponse> {
    let device = known_device(&ctx, &req);
    let (app, email, address, now) =
        (ctx.app.clone(), typed.email.clone(), ctx.address().map(str::to_owned), ctx.app.clock.now());
    let claim = move |conn: &mut diesel::PgConnection| {
        sign_in::claim(conn, &app.keys, &email, device.as_ref(), address.as_deref(), now)
    };
    let attempt = ctx.app.db.write_unaudited("sign-in attempt", claim).await?;
    if attempt.verdict == Verdict::NetworkFull {
        ctx.write(move |tx| sign_in::record_refused(tx, &attempt)).await.map_err(unrecorded)?;
        return refused(&ctx, StatusCode::TOO_MANY_REQUESTS, typed, CROWDED).await;
    }
    // Whoever is locked out, unknown or not in use: a dummy is verified, so that the answer takes as long.
    let usable = attempt
        .account
        .clone()
        .filter(|account| attempt.verdict == Verdict::Try && account.status == AccountStatus::Active);
    let hash = usable.as_ref().and_then(|account| account.password_hash.clone());
    let password: String = typed.password.chars().take(PASSWORD_MAX + 1).collect();
    let (right, rehash) = hashed(move || {
        let right = verify_password(&password, hash.as_deref());
        let outdated = right && hash.as_deref().is_some_and(is_outdated);
        (right, outdated.then(|| hash_password(&password).ok()).flatten())
    })
    .await?;
    let Some(account) = usable.filter(|_| right) else {
        ctx.write(move |tx| sign_in::record_refused(tx, &attempt)).await.map_err(unrecorded)?;
        return refused(&ctx, StatusCode::UNPROCESSABLE_ENTITY, typed, WRONG).await;
    };
    if account.totp_secret.is_some() {
        let of = account.clone();
        let settle = move |conn: &mut diesel::PgConnection| {
            sign_in::check_unchanged(conn, &of)?;
            sign_in::settle(conn, &attempt)
        };
        ctx.app.db.write_unaudited("sign-in attempt", settle).await?;
        return wait_for_code(&ctx, &session, &account, rehash, typed.next);
    }
    let entry = Entry { how: "password", attempt: Some(attempt), rehash };
    enter(&ctx, &req, &session, account, entry, &own_path(&typed.next), None).await
}

/// A failure that cannot be recorded is not answered as one: the attempt stays counted, and whoever tries
/// comes back later.
fn unrecorded(error: Error) -> Error {
    match error {
        Error::Internal(cause) => {
            Error::Unavailable(format!("a failed sign-in cannot be recorded: {cause:#}"))
        }
        other => other,
    }
}

async fn refused(ctx: &Ctx, status: StatusCode, typed: Credentials, why: &str) -> Result<HttpResponse> {
    let page = SignIn {
        frame: gate(ctx, "Sign in").await,
        email: typed.email,
        next: typed.next,
        fault: Some(why.into()),
    };
    ctx.html(status, page.render()?)
}

/// Lets somebody in: event, new session, known device.
async fn enter(
    ctx: &Ctx,
    req: &HttpRequest,
    session: &Session,
    account: store::Account,
    entry: Entry,
    next: &str,
    message: Option<&str>,
) -> Result<HttpResponse> {
    let token = req
        .cookie(device_cookie(ctx))
        .map(|c| c.value().to_owned())
        .filter(|t| t.len() == 64)
        .unwrap_or_else(|| random_hex(32));
    let (actor, id, digest) = (acting(ctx, &account), account.id, ctx.app.keys.hash(&token));
    let write = move |tx: &mut WriteTx<'_>| sign_in::record_sign_in(tx, &account, &entry, &digest);
    ctx.app.db.write(actor, write).await?;
    begin(ctx, session, id)?;
    let mut answer = message.map_or_else(|| redirect(next), |message| redirect_with(next, message));
    let cookie = Cookie::build(device_cookie(ctx).to_owned(), token)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(ctx.app.config.is_https())
        .max_age(actix_web::cookie::time::Duration::days(400))
        .finish();
    answer.add_cookie(&cookie).map_err(|e| Error::Internal(e.into()))?;
    Ok(answer)
}

fn device_cookie(ctx: &Ctx) -> &str {
    &ctx.app.keys.cookies.device
}

fn known_device(ctx: &Ctx, req: &HttpRequest) -> Option<[u8; 32]> {
    req.cookie(device_cookie(ctx)).map(|cookie| ctx.app.keys.hash(cookie.value()))
}

fn keep<T: Serialize>(session: &Session, key: &str, value: &T) -> Result<()> {
    session.insert(key, value).map_err(|e| Error::Internal(e.into()))
}

fn pending(ctx: &Ctx, session: &Session) -> Option<Pending> {
    let pending = session.get::<Pending>(PENDING).ok().flatten()?;
    (pending.since + PENDING_LASTS >= ctx.app.clock.now()).then_some(pending)
}

pub async fn code_form(ctx: Ctx, session: Session) -> Result<HttpResponse> {
    match pending(&ctx, &session) {
        Some(_) => ctx.page(&CodeForm { frame: gate(&ctx, "Second factor").await, fault: None }),
        None => Ok(redirect("/sign-in")),
    }
}

/// The form of the second factor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeTyped {
    code: String,
}

pub async fn code(
    ctx: Ctx,
    req: HttpRequest,
    session: Session,
    Form(typed): Form<CodeTyped>,
) -> Result<HttpResponse> {
    let Some(pending) = pending(&ctx, &session) else { return Ok(redirect("/sign-in")) };
    let (app, now, person) = (ctx.app.clone(), ctx.app.clock.now(), pending.person);
    let judge = move |conn: &mut diesel::PgConnection| {
        let account = store::get_account(conn, person)?;
        let subject = factors::code_subject(person);
        let claimed = attempts::claim(conn, &subject, attempts::FAILURES, now)?;
        let proof = if claimed { factors::take(conn, &app.keys, &account, &typed.code, now)? } else { None };
        if proof.is_some() {
            attempts::forget(conn, std::slice::from_ref(&subject))?;
        }
        Ok((account, subject, claimed, proof))
    };
    let (account, subject, claimed, proof) = ctx.app.db.write_unaudited("sign-in attempt", judge).await?;
    let unchanged =
        account.status == AccountStatus::Active && password_mark(&ctx, &account) == pending.password;
    let Some(proof) = proof.filter(|_| unchanged) else {
        let actor = ctx.actor();
        ctx.app
            .db
            .write(actor, move |tx| sign_in::record_wrong(tx, &account, &subject, claimed, "wrong_code"))
            .await
            .map_err(unrecorded)?;
        let page = CodeForm { frame: gate(&ctx, "Second factor").await, fault: Some(WRONG_CODE.into()) };
        return ctx.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?);
    };
    let (how, message) = match proof {
        Proof::Totp => ("password and code", None),
        Proof::Recovery(left) => {
            ("password and recovery code", Some(format!("A recovery code was used up; {left} are left.")))
        }
    };
    let entry = Entry { how, rehash: pending.rehash, ..Entry::default() };
    enter(&ctx, &req, &session, account, entry, &own_path(&pending.next), message.as_deref()).await
}

pub(super) fn acting(ctx: &Ctx, account: &store::Account) -> Actor {
    Actor {
        kind: crate::kernel::event::domain::ActorKind::Person,
        id: Some(account.id),
        name: account.name.clone(),
        email: Some(account.email.clone()),
        ..ctx.actor()
    }
}

/// A new session id at every sign-in, so that one planted beforehand opens nothing.
pub(super) fn begin(ctx: &Ctx, session: &Session, id: PersonId) -> Result<()> {
    session.clear();
    session.renew();
    keep(session, PERSON, &id)?;
    keep(session, PROVED, &ctx.app.clock.now())?;
    keep(session, ADDRESS, &ctx.address().unwrap_or_default())?;
    keep(session, AGENT, &ctx.user_agent().unwrap_or_default())
}

/// Only paths of this app: a full URL, or `//host`, would make the sign-in page a springboard.
pub fn own_path(next: &str) -> String {
    let own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.contains(char::is_control);
    if own { next.to_owned() } else { "/".to_owned() }
}

pub async fn sign_out(ctx: SignedIn, session: Session) -> Result<HttpResponse> {
    let (id, name) = (ctx.viewer().id, ctx.viewer().name.clone());
    ctx.write(move |tx| sign_in::record_sign_out(tx, id, &name)).await?;
    session.purge();
    Ok(redirect_with("/sign-in", "You are signed out."))
}

pub async fn link_form(ctx: Ctx, token: web::Path<String>) -> Result<HttpResponse> {
    let (purpose, person) = find_link(&ctx, &token).await?;
    let page = link_page(&ctx, purpose, person, &LinkForm::default(), FieldErrors::default()).await?;
    ctx.page(&page)
}

async fn find_link(ctx: &Ctx, token: &str) -> Result<(LinkPurpose, Option<PersonId>)> {
    let digest = ctx.app.keys.hash(token);
    let now = ctx.app.clock.now();
    let found = ctx.read(move |conn| store::find_link(conn, &digest, now)).await?;
    if found.is_none() {
        let event = Event::failed(
            Kind::LinkRefused,
            "not_valid",
            "Refused a one-time link that was used, has expired or never was",
        );
        ctx.write(|tx| flood::record(tx, (), &[event])).await?;
    }
    found.ok_or_else(|| {
        Error::Refused(
            "This link was used already or has expired. Ask an administrator for a new one.".into(),
        )
    })
}

async fn link_page(
    ctx: &Ctx,
    purpose: LinkPurpose,
    person: Option<PersonId>,
    typed: &LinkForm,
    errors: FieldErrors,
) -> Result<Link> {
    let known = match person {
        Some(id) => Some(ctx.read(move |conn| store::get_account(conn, id)).await?),
        None => None,
    };
    let (heading, lead, action) = match purpose {
        LinkPurpose::FirstAdministrator => {
            ("Set up Tyrian", "This makes the first administrator. The link works once.", "Create account")
        }
        LinkPurpose::Invitation => {
            ("Welcome to Tyrian", "Choose a password to start. The link works once.", "Set password")
        }
        LinkPurpose::Reset => (
            "Choose a new password",
            "The link works once. Every open session of yours ends.",
            "Set password",
        ),
    };
    Ok(Link {
        frame: gate(ctx, heading).await,
        known: known.map(|account| (account.name, account.email)),
        heading,
        lead: lead.into(),
        action,
        asks_name: purpose == LinkPurpose::FirstAdministrator,
        name: typed.name.clone(),
        email: typed.email.clone(),
        errors,
    })
}

/// The form behind a one-time link.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields)]
pub struct LinkForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

pub async fn use_link(
    ctx: Ctx,
    req: HttpRequest,
    session: Session,
    token: web::Path<String>,
    Form(typed): Form<LinkForm>,
) -> Result<HttpResponse> {
    let (purpose, person) = find_link(&ctx, &token).await?;
    match accept_link(&ctx, &token, purpose, person, &typed).await {
        Ok(account) if account.totp_secret.is_some() => {
            wait_for_code(&ctx, &session, &account, None, "/".into())
        }
        Ok(account) => {
            let entry = Entry { how: "one-time link", ..Entry::default() };
            enter(&ctx, &req, &session, account, entry, "/", Some("You are signed in.")).await
        }
        Err(Error::Invalid(errors)) => {
            let why = errors.get("password").unwrap_or("A field does not hold.").to_owned();
            let page = link_page(&ctx, purpose, person, &typed, errors).await?;
            Ok(refusal_noted(
                ctx.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)?,
                "refused_password",
                why,
            ))
        }
        Err(other) => Err(other),
    }
}

async fn accept_link(
    ctx: &Ctx,
    token: &str,
    purpose: LinkPurpose,
    person: Option<PersonId>,
    typed: &LinkForm,
) -> Result<store::Account> {
    let known = match person {
        Some(id) => Some(ctx.read(move |conn| store::get_account(conn, id)).await?),
        None => None,
    };
    let (name, email) = known
        .as_ref()
        .map_or((typed.name.clone(), typed.email.clone()), |a| (a.name.clone(), a.email.clone()));
    let organisation = ctx.read(store::get_organisation_name).await?;
    let mut errors = FieldErrors::default();
    check_person(&name, &email, &mut errors);
    if let Err(sentence) = check_password(&typed.password, &name, &email, &organisation) {
        errors.add("password", sentence);
    }
    errors.done()?;
    let password = typed.password.clone();
    let hash = hashed(move || hash_password(&password)).await??;
    let digest = ctx.app.keys.hash(token);
    let actor = known.as_ref().map_or_else(|| ctx.actor(), |account| acting(ctx, account));
    let write = move |tx: &mut WriteTx<'_>| {
        store::use_link(tx.conn, &digest, tx.now())?;
        let made = match person {
            Some(id) => store::set_password(tx, id, &hash, purpose == LinkPurpose::Reset)?.with(id),
            None => store::insert_first_administrator(tx, &name, &email, &hash)?,
        };
        Ok(made)
    };
    let id = ctx.app.db.write(actor, write).await?;
    ctx.read(move |conn| store::get_account(conn, id)).await
}

/// Makes a one-time link and returns its address.
///
/// # Errors
/// When the database is away.
pub fn make_link(app: &App, purpose: LinkPurpose, person: Option<PersonId>, hours: i64) -> Result<String> {
    let base = app.config.address();
    app.db.write_unaudited_blocking("one-time link", |conn| {
        make_link_in(conn, (app, &base), purpose, person, hours)
    })
}

/// As [`make_link`], in a transaction that is going on, with the address that the link shall begin with.
///
/// # Errors
/// When the database refuses.
pub fn make_link_in(
    conn: &mut diesel::PgConnection,
    (app, base): (&App, &str),
    purpose: LinkPurpose,
    person: Option<PersonId>,
    hours: i64,
) -> Result<String> {
    let token = random_hex(24);
    store::insert_link(conn, &app.keys.hash(&token), purpose, person, app.clock.now(), hours)?;
    Ok(format!("{base}/link/{token}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_own_paths_are_followed() {
        for bad in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "",
            "javascript:alert(1)",
            "/a\r\nb",
        ] {
            assert_eq!(super::own_path(bad), "/", "{bad}");
        }
        assert_eq!(super::own_path("/engagements?q=a"), "/engagements?q=a");
    }
}

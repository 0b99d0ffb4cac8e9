//! Sign-in, sign-out, one-time links, the account page.

use actix_session::Session;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::domain::{LinkPurpose, check_password, check_person, hash_password, verify_password};
use super::session::PERSON;
use super::store;
use super::views::{AccountPage, Link, SignIn};
use crate::app::App;
use crate::audit::domain::{Actor, Event, Kind};
use crate::authz::permit::SignedIn;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::PersonId;
use crate::web::{Ctx, Form, Query, Section, redirect, redirect_with};

/// One sentence for every reason, so that nobody learns which accounts exist.
const WRONG: &str = "Wrong e-mail or password, or the account is locked for a while.";

/// Hashing takes 19 MiB and a core for some 20 ms: a burst of sign-ins waits here instead of starving everyone else.
static HASHING: Semaphore = Semaphore::const_new(2);

async fn hashed<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _turn = HASHING.acquire().await.map_err(|e| Error::Internal(e.into()))?;
    web::block(work).await.map_err(|e| Error::Internal(e.into()))
}

/// Query of the sign-in page.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
pub async fn sign_in_form(ctx: Ctx, Query(wanted): Query<Wanted>) -> Result<HttpResponse> {
    if ctx.viewer.is_some() {
        return Ok(redirect(&own_path(&wanted.next)));
    }
    ctx.page(&SignIn { frame: ctx.frame(Section::Gate, "Sign in"), email: String::new(), next: wanted.next, fault: None })
}

/// The sign-in form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`
pub async fn sign_in(ctx: Ctx, session: Session, Form(typed): Form<Credentials>) -> Result<HttpResponse> {
    let email = typed.email.clone();
    let account = ctx.app.db.read(move |conn| store::find_account(conn, &email)).await?;
    let usable = account.clone().filter(|a| a.status == "active");
    let hash = usable.as_ref().and_then(|a| a.password_hash.clone());
    let password: String = typed.password.chars().take(super::domain::PASSWORD_MAX + 1).collect();
    let right = hashed(move || verify_password(&password, hash.as_deref())).await?;
    match usable.filter(|_| right) {
        Some(account) => {
            let actor = acting(&ctx, &account);
            let id = account.id;
            ctx.app.db.write(actor, move |tx| store::record_sign_in(tx, &account)).await?;
            begin(&session, id)?;
            Ok(redirect(&own_path(&typed.next)))
        }
        None => {
            ctx.app.db.write(ctx.actor(), move |tx| store::record_refused_sign_in(tx, account.as_ref())).await?;
            let page =
                SignIn { frame: ctx.frame(Section::Gate, "Sign in"), email: typed.email, next: typed.next, fault: Some(WRONG.into()) };
            ctx.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
    }
}

fn acting(ctx: &Ctx, account: &store::Account) -> Actor {
    Actor {
        kind: crate::audit::domain::ActorKind::Person,
        id: Some(account.id),
        name: account.name.clone(),
        email: Some(account.email.clone()),
        ..ctx.actor()
    }
}

/// A new session id at every sign-in, so that one planted beforehand opens nothing.
fn begin(session: &Session, id: PersonId) -> Result<()> {
    session.clear();
    session.renew();
    session.insert(PERSON, id).map_err(|e| Error::Internal(e.into()))
}

/// Only paths of this app: a full URL, or `//host`, would make the sign-in page a springboard.
fn own_path(next: &str) -> String {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.contains(char::is_control);
    if own { next.to_owned() } else { "/".to_owned() }
}

/// `POST /sign-out`
pub async fn sign_out(ctx: SignedIn, session: Session) -> Result<HttpResponse> {
    let (id, name) = (ctx.viewer().id, ctx.viewer().name.clone());
    let event = Event::new(Kind::SessionEnded, "Signed out").subject("person", id.0, name).about(id);
    ctx.app.db.write(ctx.actor(), |tx| tx.audited((), event)).await?;
    session.purge();
    Ok(redirect_with("/sign-in", "You are signed out."))
}

/// `GET /link/{token}`
pub async fn link_form(ctx: Ctx, token: web::Path<String>) -> Result<HttpResponse> {
    let (purpose, _) = find_link(&ctx, &token).await?;
    ctx.page(&link_page(&ctx, purpose, &LinkForm::default(), FieldErrors::default()))
}

async fn find_link(ctx: &Ctx, token: &str) -> Result<(LinkPurpose, Option<PersonId>)> {
    let digest = ctx.app.keys.hash(token);
    let now = ctx.app.clock.now();
    let found = ctx.app.db.read(move |conn| store::find_link(conn, &digest, now)).await?;
    found.ok_or_else(|| Error::Refused("This link was used already or has expired. Ask an administrator for a new one.".into()))
}

fn link_page(ctx: &Ctx, purpose: LinkPurpose, typed: &LinkForm, errors: FieldErrors) -> Link {
    let (heading, lead, action) = match purpose {
        LinkPurpose::FirstAdministrator => ("Set up Tyrian", "This makes the first administrator. The link works once.", "Create account"),
        LinkPurpose::Invitation => ("Welcome to Tyrian", "Choose a password to start. The link works once.", "Set password"),
        LinkPurpose::Reset => ("Choose a new password", "The link works once. Every open session of yours ends.", "Set password"),
    };
    Link {
        frame: ctx.frame(Section::Gate, heading),
        heading,
        lead: lead.into(),
        action,
        asks_name: purpose == LinkPurpose::FirstAdministrator,
        name: typed.name.clone(),
        email: typed.email.clone(),
        errors,
    }
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

/// `POST /link/{token}`
pub async fn use_link(ctx: Ctx, session: Session, token: web::Path<String>, Form(typed): Form<LinkForm>) -> Result<HttpResponse> {
    let (purpose, person) = find_link(&ctx, &token).await?;
    match accept_link(&ctx, &token, person, &typed).await {
        Ok(id) => {
            begin(&session, id)?;
            Ok(redirect_with("/", "You are signed in."))
        }
        Err(Error::Invalid(errors)) => {
            let page = link_page(&ctx, purpose, &typed, errors);
            ctx.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}

async fn accept_link(ctx: &Ctx, token: &str, person: Option<PersonId>, typed: &LinkForm) -> Result<PersonId> {
    let known = match person {
        Some(id) => Some(ctx.app.db.read(move |conn| store::get_account(conn, id)).await?),
        None => None,
    };
    let (name, email) = known.as_ref().map_or((typed.name.clone(), typed.email.clone()), |a| (a.name.clone(), a.email.clone()));
    let mut errors = FieldErrors::default();
    check_person(&name, &email, &mut errors);
    if let Err(sentence) = check_password(&typed.password, &name, &email) {
        errors.add("password", sentence);
    }
    errors.done()?;
    let password = typed.password.clone();
    let hash = hashed(move || hash_password(&password)).await??;
    let digest = ctx.app.keys.hash(token);
    let actor = known.as_ref().map_or_else(|| ctx.actor(), |account| acting(ctx, account));
    let write = move |tx: &mut crate::db::WriteTx<'_>| {
        store::use_link(tx.conn, &digest, tx.now())?;
        match person {
            Some(id) => Ok(store::set_password(tx, id, &hash, true, None)?.with(id)),
            None => {
                let new = store::NewPerson { name: &name, email: &email, password_hash: Some(&hash), roles: &["administrator"] };
                let (id, event) = store::insert_person(tx, &new, None)?;
                tx.audited(id, event)
            }
        }
    };
    ctx.app.db.write(actor, write).await
}

/// `GET /account`
pub async fn account(ctx: SignedIn) -> Result<HttpResponse> {
    ctx.page(&account_page(&ctx, FieldErrors::default()))
}

fn account_page(ctx: &SignedIn, errors: FieldErrors) -> AccountPage {
    let viewer = ctx.viewer();
    AccountPage {
        frame: ctx.frame(Section::Account, "Account"),
        name: viewer.name.clone(),
        email: viewer.email.clone(),
        role: viewer.role.clone(),
        clients: viewer.rights.clients.len(),
        errors,
    }
}

/// The change-password form. `username` is there for password managers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordForm {
    #[serde(default, rename = "username")]
    _username: String,
    current: String,
    password: String,
}

/// `POST /account/password`
pub async fn change_password(ctx: SignedIn, session: Session, Form(typed): Form<PasswordForm>) -> Result<HttpResponse> {
    match save_password(&ctx, typed).await {
        Ok(()) => {
            // Every session ended with the change, this one too: it goes on under a new id.
            begin(&session, ctx.viewer().id)?;
            Ok(redirect_with("/account", "Your password is changed. Your other sessions are ended."))
        }
        Err(Error::Invalid(errors)) => ctx.html(StatusCode::UNPROCESSABLE_ENTITY, account_page(&ctx, errors).render()?),
        Err(other) => Err(other),
    }
}

async fn save_password(ctx: &SignedIn, typed: PasswordForm) -> Result<()> {
    let id = ctx.viewer().id;
    check_password(&typed.password, &ctx.viewer().name, &ctx.viewer().email).map_err(|s| Error::field("password", s))?;
    let account = ctx.app.db.read(move |conn| store::get_account(conn, id)).await?;
    let hash = hashed(move || {
        let right = verify_password(&typed.current, account.password_hash.as_deref());
        right.then(|| hash_password(&typed.password))
    })
    .await?
    .ok_or_else(|| Error::field("current", "This is not your current password."))??;
    ctx.app.db.write(ctx.actor(), move |tx| store::set_password(tx, id, &hash, true, None)).await
}

/// A choice of theme.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThemeForm {
    theme: String,
}

/// `POST /account/theme`: back to the page it was chosen on.
pub async fn theme(ctx: SignedIn, req: actix_web::HttpRequest, Form(typed): Form<ThemeForm>) -> Result<HttpResponse> {
    if !["auto", "light", "dark"].contains(&typed.theme.as_str()) {
        return Err(Error::Refused("A theme is auto, light or dark.".into()));
    }
    let id = ctx.viewer().id;
    ctx.app.db.write_unaudited("theme", move |conn| store::save_theme(conn, id, &typed.theme)).await?;
    Ok(redirect(&back(&req)))
}

/// Whether single-letter shortcuts are on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortcutsForm {
    shortcuts: bool,
}

/// `POST /account/shortcuts`
pub async fn shortcuts(ctx: SignedIn, Form(typed): Form<ShortcutsForm>) -> Result<HttpResponse> {
    let id = ctx.viewer().id;
    ctx.app.db.write_unaudited("shortcuts", move |conn| store::save_shortcuts(conn, id, typed.shortcuts)).await?;
    Ok(redirect("/account"))
}

fn back(req: &actix_web::HttpRequest) -> String {
    let referer = req.headers().get(actix_web::http::header::REFERER).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let path = referer.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()));
    own_path(&path.unwrap_or_else(|| "/account".into()))
}

/// Makes a one-time link and returns its address.
///
/// # Errors
/// When the database is away.
pub fn make_link(app: &App, purpose: LinkPurpose, person: Option<PersonId>, hours: i64) -> Result<String> {
    let token = super::domain::random_hex(24);
    let digest = app.keys.hash(&token);
    let now = app.clock.now();
    app.db.write_unaudited_blocking("one-time link", |conn| store::insert_link(conn, &digest, purpose, person, now, hours))?;
    let base = app.config.base_url.clone().unwrap_or_else(|| format!("http://{}", app.config.listen));
    Ok(format!("{}/link/{token}", base.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_own_paths_are_followed() {
        for bad in ["https://evil.example/", "//evil.example", "/\\evil.example", "", "javascript:alert(1)", "/a\r\nb"] {
            assert_eq!(super::own_path(bad), "/", "{bad}");
        }
        assert_eq!(super::own_path("/engagements?q=a"), "/engagements?q=a");
    }
}

//! One's own account: password, second factor, sessions, proof of who one is, theme and shortcuts.

use actix_session::Session;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::sign_in::{begin, hashed, own_path};
use crate::accounts::domain::{PASSWORD_MAX, check_password, hash_password, verify_password};
use crate::accounts::session::renew_secret;
use crate::accounts::store::factors;
use crate::accounts::store::sessions::PROVED;
use crate::accounts::store::{self, attempts, sign_in};
use crate::accounts::two_factor::{TotpSecret, qr_path};
use crate::accounts::views::{AccountPage, Codes, Enrol, Proof, RemoveFactor, SessionLine};
use crate::kernel::authz::Permission;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::show;
use crate::kernel::db::WriteTx;
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::web::permit::SignedIn;
use crate::kernel::web::places;
use crate::kernel::web::{Form, Query, Section, Theme, redirect, redirect_with, refusal_noted};

pub async fn account(ctx: SignedIn) -> Result<HttpResponse> {
    let page = account_page(&ctx, FieldErrors::default()).await?;
    ctx.page(&page)
}

async fn account_page(ctx: &SignedIn, errors: FieldErrors) -> Result<AccountPage> {
    let viewer = ctx.viewer();
    let (id, now) = (viewer.id, ctx.app.clock.now());
    let read = move |conn: &mut diesel::PgConnection| {
        Ok((store::list_sessions(conn, id, now)?, factors::count_codes(conn, id)?))
    };
    let (sessions, codes_left) = ctx.read(read).await?;
    let zone = viewer.organisation.zone();
    let sessions = sessions
        .into_iter()
        .map(|session| SessionLine {
            id: session.id.to_string(),
            device: crate::accounts::domain::device(session.user_agent.as_deref().unwrap_or_default()),
            address: session.address.unwrap_or_else(|| "unknown".into()),
            since: show::time(session.created_at, zone),
            used: show::relative(session.last_used_at, now)
                .unwrap_or_else(|| show::time(session.last_used_at, zone)),
            own: session.id == viewer.session,
        })
        .collect();
    Ok(AccountPage {
        frame: ctx.frame(Section::Account, "Account"),
        name: viewer.name.clone(),
        email: viewer.email.clone(),
        role: viewer.role.clone(),
        clients: viewer.rights.clients.len(),
        two_factor: viewer.two_factor,
        codes_left,
        sessions,
        zone,
        errors,
    })
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

pub async fn change_password(
    ctx: SignedIn,
    session: Session,
    Form(typed): Form<PasswordForm>,
) -> Result<HttpResponse> {
    match save_password(&ctx, typed).await {
        Ok(()) => {
            // Every session ended with the change, this one too: it goes on under a new id.
            begin(&ctx, &session, ctx.viewer().id)?;
            Ok(redirect_with("/account", "Your password is changed. Your other sessions are ended."))
        }
        Err(Error::Invalid(errors)) => {
            let why = errors.get("password").map(str::to_owned);
            let page = account_page(&ctx, errors).await?;
            let answer = ctx.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)?;
            // A wrong current password has its event already.
            Ok(match why {
                Some(why) => refusal_noted(answer, "refused_password", why),
                None => answer,
            })
        }
        Err(other) => Err(other),
    }
}

async fn save_password(ctx: &SignedIn, typed: PasswordForm) -> Result<()> {
    let (id, viewer) = (ctx.viewer().id, ctx.viewer());
    check_password(&typed.password, &viewer.name, &viewer.email, &viewer.organisation.name)
        .map_err(|s| Error::field("password", s))?;
    if !is_own_password(ctx, typed.current).await? {
        return Err(Error::field(
            "current",
            "This is not your current password, or it was tried too often. Wait a while.",
        ));
    }
    let hash = hashed(move || hash_password(&typed.password)).await??;
    ctx.write(move |tx| store::set_password(tx, id, &hash, false)).await
}

/// Whether this is the signed-in person's password; a wrong one counts, and is recorded.
async fn is_own_password(ctx: &SignedIn, typed: String) -> Result<bool> {
    let (id, now) = (ctx.viewer().id, ctx.app.clock.now());
    let subject = format!("proof:{id}");
    let own = subject.clone();
    let claim = move |conn: &mut diesel::PgConnection| {
        Ok((store::get_account(conn, id)?, attempts::claim(conn, &own, attempts::FAILURES, now)?))
    };
    let (account, claimed) = ctx.app.db.write_unaudited("sign-in attempt", claim).await?;
    let hash = account.password_hash.clone().filter(|_| claimed);
    let password: String = typed.chars().take(PASSWORD_MAX + 1).collect();
    if hashed(move || verify_password(&password, hash.as_deref())).await? {
        ctx.app.db.write_unaudited("sign-in attempt", move |conn| attempts::forget(conn, &[subject])).await?;
        return Ok(true);
    }
    ctx.write(move |tx| sign_in::record_wrong(tx, &account, &subject, claimed, "wrong_password")).await?;
    Ok(false)
}

/// Where to go after a proof.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
}

pub async fn proof_form(ctx: SignedIn, Query(wanted): Query<Wanted>) -> Result<HttpResponse> {
    let page = proof_page(&ctx, own_path(&wanted.next), None).await;
    ctx.page(&page)
}

/// The password, asked again, and a code where there is a second factor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofTyped {
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
    #[serde(default, rename = "username")]
    _username: String,
}

pub async fn prove(ctx: SignedIn, session: Session, Form(typed): Form<ProofTyped>) -> Result<HttpResponse> {
    let next = own_path(&typed.next);
    // One sentence for both, so that nobody learns which of them was right.
    if !is_own_password(&ctx, typed.password).await?
        || (ctx.viewer().two_factor && !is_own_code(&ctx, typed.code).await?)
    {
        let fault = Some(format!(
            "{} not yours, or tried too often. Wait a while.",
            if ctx.viewer().two_factor { "One of these is" } else { "This password is" }
        ));
        let page = proof_page(&ctx, next, fault).await;
        return ctx.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?);
    }
    let id = ctx.viewer().id;
    let write = move |tx: &mut WriteTx<'_>| {
        let account = store::get_account(tx.conn, id)?;
        let event = Event::new(Kind::SessionProved, "Gave the password again for a sensitive act");
        let events =
            store::with_others_ended(tx, &account, event.subject("person", id.0, &account.name).about(id))?;
        tx.audited_all((), &events)
    };
    ctx.write(write).await?;
    session.insert(PROVED, ctx.app.clock.now()).map_err(|e| Error::Internal(e.into()))?;
    // Whoever copied the cookie before does not come along.
    renew_secret(&session, ctx.app.clock.now());
    Ok(redirect(&next))
}

async fn proof_page(ctx: &SignedIn, next: String, fault: Option<String>) -> Proof {
    Proof {
        frame: ctx.frame(Section::Account, "Your password again"),
        what: what_waits(ctx, &next).await,
        next,
        fault,
        asks_code: ctx.viewer().two_factor,
    }
}

/// What a proof is asked for: "deleting a user, Bo Blue".
async fn what_waits(ctx: &SignedIn, next: &str) -> String {
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let place = places::place(path).unwrap_or_default().to_owned();
    let user = path.strip_prefix("/admin/users/").and_then(|rest| rest.split('/').next()?.parse().ok());
    let Some(id) = user.filter(|_| ctx.viewer().rights.may(Permission::UserRead)) else { return place };
    match ctx.read(move |conn| store::get_account(conn, id)).await {
        Ok(account) => format!("{place}, {}", account.name),
        Err(_) => place,
    }
}

/// Whether this is a code of the signed-in person's second factor; a wrong one counts, and is recorded.
async fn is_own_code(ctx: &SignedIn, code: String) -> Result<bool> {
    let (app, id, now) = (ctx.app.clone(), ctx.viewer().id, ctx.app.clock.now());
    let subject = factors::code_subject(id);
    let own = subject.clone();
    let judge = move |conn: &mut diesel::PgConnection| {
        let account = store::get_account(conn, id)?;
        let claimed = attempts::claim(conn, &own, attempts::FAILURES, now)?;
        let right = claimed && factors::take(conn, &app.keys, &account, &code, now)?.is_some();
        if right {
            attempts::forget(conn, &[own])?;
        }
        Ok((account, claimed, right))
    };
    let (account, claimed, right) = ctx.app.db.write_unaudited("sign-in attempt", judge).await?;
    if !right {
        ctx.write(move |tx| sign_in::record_wrong(tx, &account, &subject, claimed, "wrong_code")).await?;
    }
    Ok(right)
}

pub async fn two_factor(ctx: SignedIn, Query(wanted): Query<Wanted>) -> Result<HttpResponse> {
    ctx.proved()?;
    if ctx.viewer().two_factor {
        return Ok(redirect("/account#two-factor"));
    }
    let page = enrol_page(&ctx, TotpSecret::generate(), &wanted.next, FieldErrors::default())?;
    ctx.page(&page)
}

fn enrol_page(ctx: &SignedIn, secret: TotpSecret, next: &str, errors: FieldErrors) -> Result<Enrol> {
    let viewer = ctx.viewer();
    let (side, path) = qr_path(&secret.address(&viewer.organisation.name, &viewer.email))?;
    Ok(Enrol {
        frame: ctx.frame(Section::Account, "Set up a second factor").crumb("Account", "/account"),
        due: viewer.two_factor_due,
        side,
        path,
        words: secret.words(),
        sealed: factors::sealed_text(&secret, &ctx.app.keys, viewer.id)?,
        next: own_path(next),
        errors,
    })
}

/// The first code, beside the secret it belongs to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolTyped {
    sealed: String,
    code: String,
    #[serde(default)]
    next: String,
}

pub async fn enrol(ctx: SignedIn, session: Session, Form(typed): Form<EnrolTyped>) -> Result<HttpResponse> {
    ctx.proved()?;
    let (id, keys) = (ctx.viewer().id, ctx.app.keys.clone());
    let secret = factors::from_sealed_text(&typed.sealed, &keys, id)
        .ok_or_else(|| Error::Refused("This form was changed on its way. Open the page again.".into()))?;
    let own = secret.clone();
    let code = typed.code.clone();
    match ctx.write(move |tx| factors::enrol(tx, &keys, id, &own, &code)).await {
        Ok(codes) => {
            renew_secret(&session, ctx.app.clock.now());
            codes_page(&ctx, codes, own_path(&typed.next))
        }
        Err(Error::Invalid(errors)) => {
            let page = enrol_page(&ctx, secret, &typed.next, errors)?;
            Ok(refusal_noted(
                ctx.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)?,
                "wrong_code",
                "Wrong code for a new second factor",
            ))
        }
        Err(other) => Err(other),
    }
}

fn codes_page(ctx: &SignedIn, codes: Vec<String>, next: String) -> Result<HttpResponse> {
    let next = if next == "/" { "/account".to_owned() } else { next };
    ctx.page(&Codes {
        frame: ctx.frame(Section::Account, "Recovery codes").crumb("Account", "/account"),
        codes,
        next,
    })
}

pub async fn new_codes(ctx: SignedIn, session: Session) -> Result<HttpResponse> {
    ctx.proved()?;
    let (id, keys) = (ctx.viewer().id, ctx.app.keys.clone());
    let codes = ctx.write(move |tx| factors::renew_codes(tx, &keys, id)).await?;
    renew_secret(&session, ctx.app.clock.now());
    codes_page(&ctx, codes, "/account".into())
}

pub async fn removal(ctx: SignedIn) -> Result<HttpResponse> {
    ctx.proved()?;
    ctx.page(&removal_page(&ctx, None))
}

fn removal_page(ctx: &SignedIn, fault: Option<String>) -> RemoveFactor {
    RemoveFactor {
        frame: ctx.frame(Section::Account, "Remove the second factor").crumb("Account", "/account"),
        fault,
    }
}

/// A code of the factor that is about to go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovalTyped {
    #[serde(default)]
    code: String,
}

pub async fn remove(
    ctx: SignedIn,
    session: Session,
    Form(typed): Form<RemovalTyped>,
) -> Result<HttpResponse> {
    ctx.proved()?;
    let id = ctx.viewer().id;
    if ctx.viewer().two_factor && !is_own_code(&ctx, typed.code).await? {
        let page = removal_page(
            &ctx,
            Some("This is not the code of now, or it was used already, or tried too often.".into()),
        );
        return ctx.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?);
    }
    ctx.write(move |tx| factors::remove(tx, id, true)).await?;
    renew_secret(&session, ctx.app.clock.now());
    Ok(redirect_with("/account", "Your second factor is removed. Your other sessions are ended."))
}

pub async fn end_session(ctx: SignedIn, path: web::Path<Uuid>) -> Result<HttpResponse> {
    ctx.proved()?;
    let (id, session) = (ctx.viewer().id, path.into_inner());
    let ended = ctx.write(move |tx| store::end_sessions(tx, id, Some(session), None)).await?;
    let message = if ended == 0 { "That session has ended already." } else { "That session is ended." };
    Ok(redirect_with("/account#sessions", message))
}

/// `POST /account/sessions/end`: all but this one.
pub async fn end_others(ctx: SignedIn) -> Result<HttpResponse> {
    ctx.proved()?;
    let (id, own) = (ctx.viewer().id, ctx.viewer().session);
    let ended = ctx.write(move |tx| store::end_sessions(tx, id, None, Some(own))).await?;
    let message = match ended {
        0 => "There was no other session.".to_owned(),
        1 => "The other session is ended.".to_owned(),
        n => format!("{n} other sessions are ended."),
    };
    Ok(redirect_with("/account#sessions", &message))
}

/// `GET /account/idle`: seconds until the session ends when nothing happens. Asking keeps nothing alive.
pub async fn idle(ctx: SignedIn) -> Result<HttpResponse> {
    let (session, minutes, now) =
        (ctx.viewer().session, ctx.viewer().organisation.idle_minutes, ctx.app.clock.now());
    let left = ctx.read(move |conn| store::seconds_left(conn, session, minutes, now)).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "left": left })))
}

/// `POST /account/stay`: somebody is there.
pub async fn stay(ctx: SignedIn, req: actix_web::HttpRequest) -> Result<HttpResponse> {
    let (session, now) = (ctx.viewer().session, ctx.app.clock.now());
    ctx.app
        .db
        .write_unaudited("session in use", move |conn| store::touch_session(conn, session, now))
        .await?;
    Ok(redirect(&back(&req)))
}

/// A choice of theme.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThemeForm {
    theme: String,
}

/// `POST /account/theme`: back to the page it was chosen on.
pub async fn theme(
    ctx: SignedIn,
    req: actix_web::HttpRequest,
    Form(typed): Form<ThemeForm>,
) -> Result<HttpResponse> {
    let unknown = |_| Error::Refused("A theme is auto, light or dark.".into());
    let theme: Theme = typed.theme.parse().map_err(unknown)?;
    let id = ctx.viewer().id;
    ctx.app.db.write_unaudited("theme", move |conn| store::save_theme(conn, id, theme)).await?;
    Ok(redirect(&back(&req)))
}

/// Whether single-letter shortcuts are on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortcutsForm {
    shortcuts: bool,
}

pub async fn shortcuts(ctx: SignedIn, Form(typed): Form<ShortcutsForm>) -> Result<HttpResponse> {
    let id = ctx.viewer().id;
    ctx.app
        .db
        .write_unaudited("shortcuts", move |conn| store::save_shortcuts(conn, id, typed.shortcuts))
        .await?;
    Ok(redirect("/account"))
}

fn back(req: &actix_web::HttpRequest) -> String {
    let referer =
        req.headers().get(actix_web::http::header::REFERER).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let path = referer.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()));
    own_path(&path.unwrap_or_else(|| "/account".into()))
}

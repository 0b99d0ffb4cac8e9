//! Users: list, export, invitation, and everything that is done with one.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::{Deserialize, Serialize};

use super::store::{self, Filter, User, UserRow};
use super::views::{ConfirmUser, MadeLink, NewUser, ShowUser, Users, sum};
use crate::accounts::access::store as access;
use crate::accounts::domain::{AccountStatus, LinkPurpose, check_person};
use crate::accounts::pages::sign_in::make_link_in;
use crate::accounts::store::factors;
use crate::accounts::store::{self as accounts, NewPerson};
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::policy::PermissionSet;
use crate::kernel::base::csv;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{ClientId, PersonId, RoleId};
use crate::kernel::base::keyset::{At, LOADED, Page, ROWS};
use crate::kernel::base::show;
use crate::kernel::event::about::{About, list_about};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::event::views::Activity;
use crate::kernel::merge::set::SetChange;
use crate::kernel::merge::shown::{Shown, WholeForm, brought_up};
use crate::kernel::web::permit::{ManageRole, ManageUser, Permit, ReadUser};
use crate::kernel::web::turns::EXPORTS;
use crate::kernel::web::{Form, Query, Section, redirect_with, refusal_noted};

/// Rows of a page.
/// Events that a user's page shows.
const EVENTS: i64 = 30;
/// Hours for which an invitation works.
const INVITATION_HOURS: i64 = 72;
/// Hours for which a link for a new password works.
const RESET_HOURS: i64 = 24;

/// The list's filter, as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    q: String,
    role: String,
    client: String,
    status: String,
    two_factor: String,
    after: String,
}

impl Typed {
    fn filter(&self, reads_access: bool) -> Filter {
        Filter {
            q: self.q.chars().take(200).collect(),
            role: self.role.parse().ok(),
            client: self.client.parse::<ClientId>().ok().filter(|_| reads_access),
            status: self.status.parse().ok(),
            locked: self.status == store::LOCKED,
            two_factor: self.two_factor.clone(),
            after: self.after.parse().ok(),
        }
    }

    fn query(&self) -> String {
        let pairs = [
            ("q", &self.q),
            ("role", &self.role),
            ("client", &self.client),
            ("status", &self.status),
            ("two_factor", &self.two_factor),
        ];
        serde_html_form::to_string(
            pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>(),
        )
        .unwrap_or_default()
    }
}

pub async fn list(permit: Permit<ReadUser>, Query(typed): Query<Typed>) -> Result<HttpResponse> {
    let reads_access = permit.viewer().rights.may(P::AccessRead);
    let filter = typed.filter(reads_access);
    let (asked, app, now) = (filter.clone(), permit.app.clone(), permit.app.clock.now());
    let (rows, roles, clients) = permit
        .read(move |conn| {
            let clients = if reads_access { store::list_clients(conn)? } else { Vec::new() };
            let rows = store::list(conn, &app.keys, &asked, LOADED, now)?;
            Ok((rows, store::list_roles(conn)?, clients))
        })
        .await?;
    let rows = Page::cut(rows, &At::from(filter.after.clone()), ROWS);
    let query = typed.query();
    let (_, later) = rows.links(UserRow::cursor, |at| {
        let after = serde_html_form::to_string([("after", at.written().0)]).unwrap_or_default();
        format!("/admin/users?{query}{}{after}", if query.is_empty() { "" } else { "&" })
    });
    let page = Users {
        frame: permit.frame(Section::Admin, "Users").crumb("Administration", "/admin"),
        earlier: rows.earlier,
        manages: permit.viewer().rights.may(P::UserManage),
        zone: permit.viewer().organisation.zone(),
        filter,
        rows: rows.rows,
        roles,
        clients,
        query,
        later,
    };
    if permit.partial { permit.html(StatusCode::OK, page.as_results().render()?) } else { permit.page(&page) }
}

/// `GET /admin/users.csv`: the same filter, without a limit.
pub async fn export(permit: Permit<ReadUser>, Query(typed): Query<Typed>) -> Result<HttpResponse> {
    if permit.head {
        return Ok(csv_file("users.csv", String::new()));
    }
    let _turn = EXPORTS.take(permit.viewer().id.0).await?;
    let filter = Filter { after: None, ..typed.filter(permit.viewer().rights.may(P::AccessRead)) };
    let (app, now) = (permit.app.clone(), permit.app.clock.now());
    let rows = permit.read(move |conn| store::list(conn, &app.keys, &filter, 100_000, now)).await?;
    let event = Event::new(
        Kind::UsersExported,
        format!("Exported {} as CSV", show::counted(rows.len(), "user", "users")),
    )
    .detail(serde_json::json!({ "filter": typed.query(), "rows": rows.len() }));
    permit.write(|tx| tx.audited((), event)).await?;
    let mut body = format!(
        "{}{}",
        csv::MARK,
        csv::line(["Name", "E-mail", "Roles", "Clients", "Status", "Last sign-in (UTC)", "Second factor"])
    );
    for row in rows {
        let (roles, clients) = (row.roles.join("; "), row.clients.to_string());
        let last =
            row.last_sign_in_at.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
        let factor = if row.two_factor { "yes" } else { "no" };
        let status = match row.locked_until {
            Some(until) => format!("Locked until {} UTC", until.format("%Y-%m-%d %H:%M")),
            None => row.status.label().to_owned(),
        };
        body.push_str(&csv::line([row.name.as_str(), &row.email, &roles, &clients, &status, &last, factor]));
    }
    Ok(csv_file("users.csv", body))
}

/// An answer that the browser saves as a file.
pub fn csv_file(name: &str, body: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{name}\"")))
        .body(body)
}

async fn new_page(permit: &Permit<ManageUser>, typed: &Made, errors: FieldErrors) -> Result<NewUser> {
    let gives = permit.viewer().rights.may(P::AccessManage);
    let read = move |conn: &mut diesel::PgConnection| {
        let clients = if gives { store::list_clients(conn)? } else { Vec::new() };
        Ok((store::list_held_roles(conn, PersonId(uuid::Uuid::nil()))?, clients))
    };
    let (roles, clients) = permit.read(read).await?;
    Ok(NewUser {
        client: typed.client.clone(),
        client_role: typed.client_role.clone(),
        clients,
        frame: permit
            .frame(Section::Admin, "New user")
            .crumb("Administration", "/admin")
            .crumb("Users", "/admin/users"),
        name: typed.name.clone(),
        email: typed.email.clone(),
        roles: roles
            .into_iter()
            .map(|r| (r.role, r.name, r.description, typed.role.contains(&r.role)))
            .collect(),
        assigns: permit.viewer().rights.may(P::RoleManage),
        errors,
    })
}

/// What a link to the form already knows.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Known {
    client: String,
}

pub async fn new(permit: Permit<ManageUser>, Query(known): Query<Known>) -> Result<HttpResponse> {
    permit.proved()?;
    let typed = Made { client: known.client, ..Made::default() };
    let page = new_page(&permit, &typed, FieldErrors::default()).await?;
    permit.page(&page)
}

/// A new user as typed.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    name: String,
    email: String,
    #[serde(default)]
    role: Vec<RoleId>,
    #[serde(default)]
    client: String,
    #[serde(default)]
    client_role: String,
}

impl Made {
    /// The first client they see, and as what; nothing chosen is none.
    fn access(&self) -> Result<Option<(ClientId, RoleId)>, Error> {
        if self.client.is_empty() && self.client_role.is_empty() {
            return Ok(None);
        }
        match (self.client.parse(), self.client_role.parse()) {
            (Ok(client), Ok(role)) => Ok(Some((client, role))),
            _ => Err(Error::field("client", "Choose both the client and the role there, or neither.")),
        }
    }
}

/// `POST /admin/users/new`: makes the account, its roles, its first client and its invitation together.
pub async fn create(permit: Permit<ManageUser>, Form(typed): Form<Made>) -> Result<HttpResponse> {
    permit.proved()?;
    let mut errors = FieldErrors::default();
    check_person(&typed.name, &typed.email, &mut errors);
    if !typed.role.is_empty() && !permit.viewer().rights.may(P::RoleManage) {
        return Err(Error::Forbidden("You do not assign roles. Leave them to somebody who does.".into()));
    }
    let access = typed.access();
    if matches!(access, Ok(Some(_))) && !permit.viewer().rights.may(P::AccessManage) {
        return Err(Error::Forbidden(
            "You do not give access to clients. Leave it to somebody who does.".into(),
        ));
    }
    let made = match access {
        Ok(access) if errors.is_empty() => insert(&permit, &typed, access).await,
        Ok(_) => Err(Error::Invalid(errors)),
        Err(error) => Err(error),
    };
    match made {
        Ok((id, link)) => link_page(&permit, &typed.name, true, link, INVITATION_HOURS, id),
        Err(Error::Invalid(errors)) => {
            let page = new_page(&permit, &typed, errors).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(Error::Forbidden(why)) => {
            let page = new_page(&permit, &typed, FieldErrors::one("role", why.clone())).await?;
            Ok(refusal_noted(permit.html(StatusCode::FORBIDDEN, page.render()?)?, "no_right", why))
        }
        Err(other) => Err(other),
    }
}

async fn insert(
    permit: &Permit<ManageUser>,
    typed: &Made,
    first: Option<(ClientId, RoleId)>,
) -> Result<(PersonId, String)> {
    let (name, email, roles, own) =
        (typed.name.trim().to_owned(), typed.email.trim().to_owned(), typed.role.clone(), own_rights(permit));
    let (app, by, here) = (permit.app.clone(), permit.viewer().id, permit.here());
    let write = move |tx: &mut crate::kernel::db::WriteTx<'_>| {
        let new = NewPerson { name: &name, email: &email, password_hash: None, roles: &[] };
        let (id, event) = accounts::insert_person(tx, &new, Some(by))?;
        store::save_roles(tx, own, id, &roles, &[])?;
        if let Some((client, role)) = first {
            access::give(tx, id, client, role)?;
        }
        // Last: a link ends when the rights of its person grow.
        let link = make_link_in(tx.conn, (&app, &here), LinkPurpose::Invitation, Some(id), INVITATION_HOURS)?;
        let invited = Event::new(Kind::UserInvited, format!("Made an invitation link for {name}"))
            .subject("person", id.0, &name)
            .about(id);
        tx.audited_all((id, link), &[event, invited])
    };
    permit.write(write).await
}

fn own_rights(permit: &Permit<ManageUser>) -> PermissionSet {
    permit.viewer().rights.own
}

fn link_page(
    permit: &Permit<ManageUser>,
    name: &str,
    invites: bool,
    link: String,
    hours: i64,
    id: PersonId,
) -> Result<HttpResponse> {
    permit.page(&MadeLink {
        frame: permit
            .frame(Section::Admin, name)
            .crumb("Administration", "/admin")
            .crumb("Users", "/admin/users"),
        name: name.to_owned(),
        invites,
        link,
        hours,
        back: format!("/admin/users/{id}"),
    })
}

pub async fn show(permit: Permit<ReadUser>, path: web::Path<PersonId>) -> Result<HttpResponse> {
    let page = show_page(&permit, path.into_inner(), None, FieldErrors::default(), None).await?;
    permit.page(&page)
}

async fn show_page(
    permit: &Permit<ReadUser>,
    id: PersonId,
    typed: Option<(String, String)>,
    errors: FieldErrors,
    problem: Option<String>,
) -> Result<ShowUser> {
    let rights = &permit.viewer().rights;
    let (reads_roles, reads_access, gives) =
        (rights.may(P::RoleRead), rights.may(P::AccessRead), rights.may(P::AccessManage));
    let reads_log = rights.may(P::AuditLogRead);
    let (app, now) = (permit.app.clone(), permit.app.clock.now());
    let read = move |conn: &mut diesel::PgConnection| {
        let user = store::get(conn, id)?;
        let locked = store::locked_until(conn, &app.keys, &user, now)?;
        let sessions = accounts::list_sessions(conn, id, now)?.len();
        let roles = store::list_held_roles(conn, id)?;
        let mut sources = if reads_roles { store::list_sources(conn, id)? } else { Vec::new() };
        sources.retain(|source| reads_access || source.client.is_none());
        let held = access::Filter { person: Some(id), ..access::Filter::default() };
        let access = if reads_access { access::list(conn, &held, 1_000)? } else { Vec::new() };
        let clients = if gives { store::list_clients(conn)? } else { Vec::new() };
        let activity = if reads_log { list_about(conn, About::Person(id), EVENTS)? } else { Vec::new() };
        Ok((user, locked, sessions, roles, sources, access, clients, activity))
    };
    let (user, locked, sessions, roles, sources, access, clients, activity) = permit.read(read).await?;
    let zone = permit.viewer().organisation.zone();
    let (name, email) = typed.unwrap_or_else(|| (user.name.clone(), user.email.clone()));
    Ok(ShowUser {
        frame: permit
            .frame(Section::Admin, &user.name)
            .crumb("Administration", "/admin")
            .crumb("Users", "/admin/users"),
        access_roles: roles.iter().map(|role| (role.role, role.name.clone())).collect(),
        clients: clients
            .into_iter()
            .filter(|(client, _)| !access.iter().any(|row| row.client == *client))
            .collect(),
        modules: sum(&sources),
        shown: Shown::of(&Details::of(&user))?.text(),
        locked: locked.map(|until| show::time(until, zone)),
        activity: Activity {
            rows: activity,
            reads_log,
            log: Some(format!("/admin/audit-log?user={id}")),
            zone,
            ..Activity::default()
        },
        reads_log,
        manages: rights.may(P::UserManage),
        assigns: rights.may(P::RoleManage),
        name,
        email,
        user,
        roles,
        access,
        sessions,
        gives,
        zone,
        errors,
        problem,
    })
}

/// Name and address as typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    name: String,
    email: String,
    version: i32,
    #[serde(default, skip_serializing)]
    shown: String,
}

impl Details {
    fn of(person: &User) -> Self {
        Self {
            name: person.name.clone(),
            email: person.email.clone(),
            version: person.version,
            shown: String::new(),
        }
    }
}

impl WholeForm for Details {
    const SETS: &'static [&'static str] = &[];

    fn version(&self) -> i32 {
        self.version
    }

    fn shown(&self) -> &str {
        &self.shown
    }
}

pub async fn save(
    permit: Permit<ManageUser>,
    reading: Permit<ReadUser>,
    path: web::Path<PersonId>,
    Form(typed): Form<Details>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let (id, own) = (path.into_inner(), own_rights(&permit));
    let mut errors = FieldErrors::default();
    let user = permit.read(move |conn| store::get(conn, id)).await?;
    let label = |field: &str| if field == "email" { "E-mail" } else { "Name" }.to_owned();
    let (typed, asked) = brought_up(typed, &Details::of(&user), label)?;
    check_person(&typed.name, &typed.email, &mut errors);
    let (name, email, version) = (typed.name.trim().to_owned(), typed.email.trim().to_owned(), typed.version);
    let saved = match errors.done() {
        Ok(()) if let Some(asked) = asked => Err(asked),
        Ok(()) => permit.write(move |tx| store::save(tx, own, id, &name, &email, version)).await,
        Err(error) => Err(error),
    };
    let (status, errors, problem) = match saved {
        Ok(()) => return Ok(redirect_with(&format!("/admin/users/{id}"), "User saved.")),
        Err(Error::Invalid(errors)) => (StatusCode::UNPROCESSABLE_ENTITY, errors, None),
        Err(Error::Conflict(why)) => (StatusCode::CONFLICT, FieldErrors::default(), Some(why)),
        Err(other) => return Err(other),
    };
    let page = show_page(&reading, id, Some((typed.name, typed.email)), errors, problem).await?;
    permit.html(status, page.render()?)
}

/// Roles as ticked, and as they were shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    #[serde(default)]
    role: Vec<RoleId>,
    #[serde(default)]
    had: Vec<RoleId>,
}

pub async fn save_roles(
    permit: Permit<ManageRole>,
    path: web::Path<PersonId>,
    Form(typed): Form<Roles>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let (id, own) = (path.into_inner(), permit.viewer().rights.own);
    let SetChange { added, removed } = SetChange::between(typed.had, typed.role);
    let saved = permit.write(move |tx| store::save_roles(tx, own, id, &added, &removed)).await?;
    let message =
        if saved.changes == 0 { "Nothing changed." } else { "Roles saved. They act on the next click." };
    Ok(redirect_with(
        &format!("/admin/users/{id}#roles"),
        &format!("{message}{}", links_ended(saved.links_ended)),
    ))
}

/// Said where somebody's unused link ended because their rights grew.
pub fn links_ended(links: usize) -> &'static str {
    if links == 0 { "" } else { " The link that was made for them has ended with it: make a new one." }
}

/// `GET /admin/users/{user}/{act}`: asks before an account loses something.
pub async fn confirm(
    permit: Permit<ManageUser>,
    path: web::Path<(PersonId, String)>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let (id, act) = path.into_inner();
    let user = permit.read(move |conn| store::get(conn, id)).await?;
    let (heading, lead, button) = match act.as_str() {
        "delete" => (
            format!("Delete {}?", user.name),
            "The account, its roles and its access to clients go. The name stays readable on what this \
                person did.",
            "Delete user",
        ),
        "two-factor" => (
            format!("Reset the second factor of {}?", user.name),
            "Authenticator and recovery codes stop working. The password alone opens the account until a \
                new one is set up.",
            "Reset second factor",
        ),
        _ => return Err(Error::NotFound),
    };
    let frame = permit
        .frame(Section::Admin, &heading)
        .crumb("Administration", "/admin")
        .crumb("Users", "/admin/users");
    let back = format!("/admin/users/{id}");
    permit.page(&ConfirmUser {
        frame: frame.crumb(&user.name, back.clone()),
        heading,
        lead: lead.to_owned(),
        action: format!("{back}/{act}"),
        button,
        back,
    })
}

pub async fn act(permit: Permit<ManageUser>, path: web::Path<(PersonId, String)>) -> Result<HttpResponse> {
    permit.proved()?;
    let (id, act) = path.into_inner();
    let (own, app, db) = (own_rights(&permit), permit.app.clone(), &permit.app.db);
    let actor = permit.actor();
    let back = format!("/admin/users/{id}");
    let message = match act.as_str() {
        "disable" => {
            db.write(actor, move |tx| store::disable(tx, own, id)).await?;
            "User disabled. Their sessions are ended.".to_owned()
        }
        "enable" => {
            db.write(actor, move |tx| store::enable(tx, own, id)).await?;
            "User enabled.".to_owned()
        }
        "unlock" => {
            let was = db.write(actor, move |tx| store::unlock(tx, &app.keys, id)).await?;
            if was { "Account unlocked.".to_owned() } else { "The account was not locked.".to_owned() }
        }
        "sessions" => {
            db.write(actor, move |tx| {
                store::check_rank(tx.conn, own, id)?;
                accounts::end_sessions(tx, id, None, None)
            })
            .await?;
            "Their sessions are ended.".to_owned()
        }
        "two-factor" => {
            db.write(actor, move |tx| {
                store::check_rank(tx.conn, own, id)?;
                factors::remove(tx, id, false)
            })
            .await?;
            "The second factor is reset.".to_owned()
        }
        "delete" => {
            let name = db.write(actor, move |tx| store::delete(tx, own, id)).await?;
            return Ok(redirect_with("/admin/users", &format!("“{name}” is deleted.")));
        }
        "link" => {
            let here = permit.here();
            let write = move |tx: &mut crate::kernel::db::WriteTx<'_>| {
                let user = store::record_link(tx, own, id)?;
                let invites = store::get(tx.conn, id)?.status == AccountStatus::Invited;
                let (purpose, hours) = if invites {
                    (LinkPurpose::Invitation, INVITATION_HOURS)
                } else {
                    (LinkPurpose::Reset, RESET_HOURS)
                };
                let link = make_link_in(tx.conn, (&app, &here), purpose, Some(id), hours)?;
                Ok(user.with((invites, link, hours)))
            };
            let (invites, link, hours) = db.write(actor, write).await?;
            let user = db.read(move |conn| store::get(conn, id)).await?;
            return link_page(&permit, &user.name, invites, link, hours, id);
        }
        _ => return Err(Error::NotFound),
    };
    Ok(redirect_with(&back, &message))
}

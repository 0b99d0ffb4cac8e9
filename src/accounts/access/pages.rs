//! Client access: the list, and giving and taking it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::store::{self, Filter};
use super::views::{Access, GiveAtClient, Removal};
use crate::accounts::pages::sign_in::own_path;
use crate::accounts::users::pages::csv_file;
use crate::accounts::users::pages::links_ended;
use crate::accounts::users::store::{list_clients, list_roles};
use crate::kernel::authz::Permission as P;
use crate::kernel::base::csv;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{ClientId, PersonId, RoleId};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::web::permit::{GiveAccess, ManageAccess, Permit, ReadAccess};
use crate::kernel::web::turns::EXPORTS;
use crate::kernel::web::{Form, Query, Section, redirect_with};

/// Rows that the page shows; filters and export reach the others.
const SHOWN: i64 = 500;

/// The filter, as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    q: String,
    client: String,
    role: String,
    person: String,
}

impl Typed {
    fn filter(&self) -> Filter {
        Filter {
            q: self.q.chars().take(200).collect(),
            person: self.person.parse().ok(),
            client: self.client.parse().ok(),
            role: self.role.parse().ok(),
        }
    }

    fn query(&self) -> String {
        let pairs =
            [("q", &self.q), ("client", &self.client), ("role", &self.role), ("person", &self.person)];
        serde_html_form::to_string(
            pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>(),
        )
        .unwrap_or_default()
    }
}

pub async fn list(permit: Permit<ReadAccess>, Query(typed): Query<Typed>) -> Result<HttpResponse> {
    let page = page(&permit, typed, None).await?;
    if permit.partial { permit.html(StatusCode::OK, page.as_results().render()?) } else { permit.page(&page) }
}

async fn page(permit: &Permit<ReadAccess>, typed: Typed, problem: Option<String>) -> Result<Access> {
    let (filter, manages) = (typed.filter(), permit.viewer().rights.may(P::AccessManage));
    let asked = filter.clone();
    let (mut rows, clients, roles, people) = permit
        .read(move |conn| {
            let people = if manages { store::list_people(conn)? } else { Vec::new() };
            Ok((store::list(conn, &asked, SHOWN + 1)?, list_clients(conn)?, list_roles(conn)?, people))
        })
        .await?;
    let more = rows.len() as i64 > SHOWN;
    rows.truncate(SHOWN as usize);
    let frame = permit.frame(Section::Admin, "Client access").crumb("Administration", "/admin");
    let zone = permit.viewer().organisation.zone();
    Ok(Access {
        frame,
        filter,
        rows,
        more,
        clients,
        roles,
        people,
        query: typed.query(),
        manages,
        creates: permit.viewer().rights.may(P::ClientCreate),
        problem,
        zone,
    })
}

pub async fn export(permit: Permit<ReadAccess>, Query(typed): Query<Typed>) -> Result<HttpResponse> {
    if permit.head {
        return Ok(csv_file("access.csv", String::new()));
    }
    let _turn = EXPORTS.take(permit.viewer().id.0).await?;
    let filter = typed.filter();
    let rows = permit.read(move |conn| store::list(conn, &filter, 1_000_000)).await?;
    let event =
        Event::new(Kind::AccessExported, format!("Exported {} rows of client access as CSV", rows.len()))
            .detail(serde_json::json!({ "filter": typed.query(), "rows": rows.len() }));
    permit.write(|tx| tx.audited((), event)).await?;
    let mut body = format!(
        "{}{}",
        csv::MARK,
        csv::line(["Client", "Person", "E-mail", "Role", "Given by", "Given (UTC)"])
    );
    for row in rows {
        let at = row.given_at.format("%Y-%m-%d %H:%M:%S").to_string();
        let by = row.given_by.unwrap_or_else(|| "System".into());
        body.push_str(&csv::line([
            row.client_name.as_str(),
            &row.name,
            &row.email,
            &row.role_name,
            &by,
            &at,
        ]));
    }
    Ok(csv_file("access.csv", body))
}

/// Who gets access to what, as which, and where the form stood.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    #[serde(default)]
    person: String,
    #[serde(default)]
    client: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    back: String,
}

pub async fn give(
    permit: Permit<ManageAccess>,
    reading: Permit<ReadAccess>,
    Form(typed): Form<Given>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let back = match typed.back.as_str() {
        "" => "/admin/access".to_owned(),
        path => own_path(path),
    };
    let ids: (Option<PersonId>, Option<ClientId>, Option<RoleId>) =
        (typed.person.parse().ok(), typed.client.parse().ok(), typed.role.parse().ok());
    let given = match ids {
        (Some(person), Some(client), Some(role)) => {
            permit.write(move |tx| store::give(tx, person, client, role)).await
        }
        _ => Err(Error::field("person", "Choose a person, a client and a role.")),
    };
    match given {
        Ok(ended) => Ok(redirect_with(
            &back,
            &format!("Access saved. It acts on the next click.{}", links_ended(ended)),
        )),
        Err(Error::Invalid(errors)) => {
            let problem = errors.0.into_values().next();
            let page = page(&reading, Typed::default(), problem).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}

/// Who gets access to one client, and as what.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenAtClient {
    #[serde(default)]
    person: String,
    #[serde(default)]
    role: String,
}

/// `GET /clients/{client}/access`: for who staffs their own client.
pub async fn offer(permit: Permit<GiveAccess>, path: web::Path<ClientId>) -> Result<HttpResponse> {
    let client = path.into_inner();
    permit.check(client)?;
    permit.proved()?;
    let page = offer_page(&permit, client, GivenAtClient::default(), FieldErrors::default()).await?;
    permit.page(&page)
}

async fn offer_page(
    permit: &Permit<GiveAccess>,
    client: ClientId,
    typed: GivenAtClient,
    errors: FieldErrors,
) -> Result<GiveAtClient> {
    let own = permit.viewer().rights.at(client);
    let (name, people, roles) = permit
        .read(move |conn| {
            let roles = store::list_roles_within(conn, own)?;
            Ok((store::get_client_name(conn, client)?, store::list_people_without(conn, client)?, roles))
        })
        .await?;
    Ok(GiveAtClient {
        frame: permit
            .frame(Section::Clients, "Give access")
            .crumb("Clients", "/clients")
            .crumb(&name, format!("/clients/{client}")),
        client,
        client_name: name,
        people,
        roles,
        person: typed.person,
        role: typed.role,
        invites: permit.may(P::UserManage),
        errors,
    })
}

pub async fn give_at_client(
    permit: Permit<GiveAccess>,
    path: web::Path<ClientId>,
    Form(typed): Form<GivenAtClient>,
) -> Result<HttpResponse> {
    let client = path.into_inner();
    permit.check(client)?;
    permit.proved()?;
    let own = permit.viewer().rights.at(client);
    let given = match (typed.person.parse().ok(), typed.role.parse().ok()) {
        (Some(person), Some(role)) => {
            permit.write(move |tx| store::give_within(tx, own, person, client, role)).await
        }
        (None, _) => Err(Error::field("person", "Choose a person.")),
        (_, None) => Err(Error::field("role", "Choose a role.")),
    };
    match given {
        Ok(ended) => Ok(redirect_with(
            &format!("/clients/{client}#members"),
            &format!("Access given. It acts on their next click.{}", links_ended(ended)),
        )),
        Err(Error::Invalid(errors)) => {
            let page = offer_page(&permit, client, typed, errors).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}

/// Where to go on.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Back {
    back: String,
}

pub async fn removal(
    permit: Permit<ManageAccess>,
    path: web::Path<(PersonId, ClientId)>,
    Query(back): Query<Back>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let (person, client) = path.into_inner();
    let filter = Filter { person: Some(person), client: Some(client), ..Filter::default() };
    let row = permit.read(move |conn| store::list(conn, &filter, 1)).await?.pop().ok_or(Error::NotFound)?;
    let back = if back.back.is_empty() { "/admin/access".to_owned() } else { own_path(&back.back) };
    let frame = permit
        .frame(Section::Admin, "Take access")
        .crumb("Administration", "/admin")
        .crumb("Client access", "/admin/access");
    permit.page(&Removal { frame, row, back })
}

pub async fn take(
    permit: Permit<ManageAccess>,
    path: web::Path<(PersonId, ClientId)>,
    Form(back): Form<Back>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let (person, client) = path.into_inner();
    let message = permit.write(move |tx| store::take(tx, person, client)).await?;
    // The page it stood on may be one that the person themselves no longer sees.
    let back = if back.back.is_empty() || person == permit.viewer().id {
        "/admin/access".to_owned()
    } else {
        own_path(&back.back)
    };
    Ok(redirect_with(&back, &message))
}

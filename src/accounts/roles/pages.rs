//! Roles: list, one, copy, change, delete.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::{Deserialize, Serialize};

use super::store::{self, Role, RoleText};
use super::views::{Roles, ShowRole};
use crate::accounts::users::views::ConfirmUser;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::policy::PermissionSet;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::RoleId;
use crate::kernel::base::text::{check_text, check_visible};
use crate::kernel::merge::shown::{Shown, WholeForm, brought_up};
use crate::kernel::web::permit::{ManageRole, Permit, ReadRole};
use crate::kernel::web::{Form, Frame, Query, Section, redirect_with, refusal_noted};

pub async fn list(permit: Permit<ReadRole>) -> Result<HttpResponse> {
    let roles = permit.read(store::list).await?;
    let manages = permit.viewer().rights.may(P::RoleManage);
    permit.page(&Roles {
        frame: permit.frame(Section::Admin, "Roles").crumb("Administration", "/admin"),
        roles,
        manages,
    })
}

pub async fn show(permit: Permit<ReadRole>, path: web::Path<RoleId>) -> Result<HttpResponse> {
    let id = path.into_inner();
    let (role, permissions) = permit.read(move |conn| store::get(conn, id)).await?;
    permit.page(&ShowRole {
        frame: frame(permit.frame(Section::Admin, &role.name)),
        action: format!("/admin/roles/{id}"),
        name: role.name.clone(),
        description: role.description.clone(),
        permissions,
        requires_two_factor: role.requires_two_factor,
        version: role.version,
        shown: Shown::of(&Typed::of(&role, permissions))?.text(),
        manages: permit.viewer().rights.may(P::RoleManage),
        role: Some(role),
        errors: FieldErrors::default(),
        problem: None,
    })
}

fn frame(frame: Frame) -> Frame {
    frame.crumb("Administration", "/admin").crumb("Roles", "/admin/roles")
}

/// What a new role starts from.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct Source {
    copy: String,
}

pub async fn new(permit: Permit<ManageRole>, Query(source): Query<Source>) -> Result<HttpResponse> {
    permit.proved()?;
    let mut page = empty(&permit);
    if let Ok(id) = source.copy.parse::<RoleId>() {
        let (role, permissions) = permit.read(move |conn| store::get(conn, id)).await?;
        page.name = format!("Copy of {}", role.name);
        page.description = role.description;
        page.permissions = permissions;
    }
    permit.page(&page)
}

fn empty(permit: &Permit<ManageRole>) -> ShowRole {
    ShowRole {
        frame: frame(permit.frame(Section::Admin, "New role")),
        role: None,
        action: "/admin/roles/new".into(),
        name: String::new(),
        description: String::new(),
        permissions: PermissionSet::default(),
        requires_two_factor: false,
        version: 0,
        shown: String::new(),
        manages: true,
        errors: FieldErrors::default(),
        problem: None,
    }
}

/// A role as typed.
#[derive(Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    permission: Vec<String>,
    #[serde(default)]
    requires_two_factor: Option<String>,
    #[serde(default)]
    version: i32,
    #[serde(default, skip_serializing)]
    shown: String,
}

impl WholeForm for Typed {
    const SETS: &'static [&'static str] = &["permission"];

    fn version(&self) -> i32 {
        self.version
    }

    fn shown(&self) -> &str {
        &self.shown
    }
}

impl Typed {
    /// The form of a stored role. A built-in one's has its one choice only.
    fn of(role: &Role, permissions: PermissionSet) -> Self {
        let requires_two_factor = role.requires_two_factor.then(|| "1".to_owned());
        let one_choice = Self { requires_two_factor, version: role.version, ..Self::default() };
        if role.built_in {
            return one_choice;
        }
        Self {
            name: role.name.clone(),
            description: role.description.clone(),
            permission: permissions.iter().map(|right| right.as_str().to_owned()).collect(),
            ..one_choice
        }
    }
    fn check(&self) -> Result<RoleText> {
        let mut errors = FieldErrors::default();
        let mut text = |label: &str, field: &str, raw: &str| {
            check_text(label, false, raw, 200, false).unwrap_or_else(|sentence| {
                errors.add(field, sentence);
                String::new()
            })
        };
        let (name, description) =
            (text("The name", "name", &self.name), text("The description", "description", &self.description));
        if name.is_empty() {
            errors.add("name", "Give the role a name.");
        } else if let Err(sentence) = check_visible(&name) {
            errors.add("name", sentence);
        }
        let known: Vec<P> = self.permission.iter().filter_map(|name| name.parse().ok()).collect();
        if known.len() != self.permission.len() {
            errors.add("permissions", "One of these rights is not known. Reload the page.");
        }
        errors.done()?;
        let permissions = known.into_iter().collect();
        Ok(RoleText {
            name,
            description,
            permissions,
            requires_two_factor: self.requires_two_factor.is_some(),
        })
    }
}

pub async fn create(permit: Permit<ManageRole>, Form(typed): Form<Typed>) -> Result<HttpResponse> {
    permit.proved()?;
    let own = permit.viewer().rights.own;
    let made = match typed.check() {
        Ok(text) => permit.write(move |tx| store::create(tx, own, &text)).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(id) => Ok(redirect_with(&format!("/admin/roles/{id}"), "Role created.")),
        Err(error) => again(&permit, empty(&permit), typed, error),
    }
}

fn again(permit: &Permit<ManageRole>, page: ShowRole, typed: Typed, error: Error) -> Result<HttpResponse> {
    let status = error.status();
    // A name that is taken, or somebody else's save, is no right that was missing.
    let is_refused = matches!(error, Error::Refused(_));
    let (errors, problem) = match error {
        Error::Invalid(errors) => (errors, None),
        Error::Refused(why) | Error::Conflict(why) => (FieldErrors::default(), Some(why)),
        other => return Err(other),
    };
    // A built-in role's form has its one choice only.
    let fixed = page.role.as_ref().is_some_and(|role| role.built_in);
    let why = errors.0.values().next().cloned().or_else(|| problem.clone()).unwrap_or_default();
    let page = ShowRole {
        name: if fixed { page.name } else { typed.name },
        description: if fixed { page.description } else { typed.description },
        permissions: if fixed {
            page.permissions
        } else {
            typed.permission.iter().filter_map(|name| name.parse::<P>().ok()).collect()
        },
        requires_two_factor: typed.requires_two_factor.is_some(),
        errors,
        problem,
        ..page
    };
    let answer = permit.html(status, page.render()?)?;
    Ok(if is_refused { refusal_noted(answer, "refused_role", why) } else { answer })
}

/// What people call a field of the form.
fn label(field: &str) -> String {
    match field {
        "requires_two_factor" => "Requires a second factor".to_owned(),
        "description" => "Description".to_owned(),
        _ => "Name".to_owned(),
    }
}

pub async fn save(
    permit: Permit<ManageRole>,
    path: web::Path<RoleId>,
    Form(typed): Form<Typed>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let (id, own) = (path.into_inner(), permit.viewer().rights.own);
    let (role, held) = permit.read(move |conn| store::get(conn, id)).await?;
    let (typed, asked) = brought_up(typed, &Typed::of(&role, held), label)?;
    // A built-in role's form posts its one choice only.
    let built_in = role.built_in;
    let checked = match asked {
        Some(asked) => Err(asked),
        None if built_in => Ok(None),
        None => typed.check().map(Some),
    };
    let version = typed.version;
    let requires = typed.requires_two_factor.is_some();
    let saved = match checked {
        Ok(text) => {
            let write = move |tx: &mut crate::kernel::db::WriteTx<'_>| {
                let text = match text {
                    Some(text) => text,
                    None => {
                        let (role, permissions) = store::get(tx.conn, id)?;
                        RoleText {
                            name: role.name,
                            description: role.description,
                            permissions,
                            requires_two_factor: requires,
                        }
                    }
                };
                store::save(tx, own, id, &text, version)
            };
            permit.write(write).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(redirect_with(&format!("/admin/roles/{id}"), "Role saved. It acts on the next click.")),
        Err(error) => {
            let page = ShowRole {
                action: format!("/admin/roles/{id}"),
                name: role.name.clone(),
                description: role.description.clone(),
                permissions: held,
                version: role.version,
                shown: Shown::of(&Typed::of(&role, held))?.text(),
                role: Some(role),
                ..empty(&permit)
            };
            again(&permit, page, typed, error)
        }
    }
}

pub async fn delete_form(permit: Permit<ManageRole>, path: web::Path<RoleId>) -> Result<HttpResponse> {
    permit.proved()?;
    let id = path.into_inner();
    let (role, _) = permit.read(move |conn| store::get(conn, id)).await?;
    let back = format!("/admin/roles/{id}");
    permit.page(&ConfirmUser {
        frame: frame(permit.frame(Section::Admin, "Delete role")).crumb(&role.name, back.clone()),
        heading: format!("Delete the role {}?", role.name),
        lead: "Only a role that nobody holds can be deleted.".into(),
        action: format!("{back}/delete"),
        button: "Delete role",
        back,
    })
}

pub async fn delete(permit: Permit<ManageRole>, path: web::Path<RoleId>) -> Result<HttpResponse> {
    permit.proved()?;
    let (id, own) = (path.into_inner(), permit.viewer().rights.own);
    let name = permit.write(move |tx| store::delete(tx, own, id)).await?;
    Ok(redirect_with("/admin/roles", &format!("“{name}” is deleted.")))
}

//! Pages of clients and their assets.

use askama::Template;
use chrono_tz::Tz;

use super::assets::lines::Line;
use super::assets::store::Asset;
use super::domain::{AssetField, ClientField, TypedAsset, TypedClient};
use super::store::{Client, ClientEngagement, Listed, Member};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::show;
use crate::kernel::event::views::Activity;
use crate::kernel::merge::form::Editing;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

#[derive(Template)]
#[template(path = "clients/list.html", blocks = ["results"])]
pub struct List {
    pub frame: Frame,
    pub clients: Vec<Listed>,
    /// The words searched for.
    pub q: String,
    /// The tag filtered by.
    pub tag: String,
    /// Whether the person may create clients.
    pub may_create: bool,
    pub zone: Tz,
}

impl List {
    fn filtered(&self) -> bool {
        !self.q.trim().is_empty() || !self.tag.trim().is_empty()
    }
    fn count(&self) -> String {
        match self.clients.len() {
            1 => "1 client".into(),
            n if n as i64 >= super::store::LISTED => {
                format!("The first {n} clients by name; search for the others")
            }
            n => format!("{n} clients"),
        }
    }
}

#[derive(Template)]
#[template(path = "clients/form.html")]
pub struct ClientForm {
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    pub cancel: String,
    /// Word on the button.
    pub button: &'static str,
    /// What was typed, or what is stored.
    pub typed: TypedClient,
    /// The rest of the form; its version is 0 on creation.
    pub editing: Editing<ClientField>,
}

/// A member of a client, for its page.
pub struct ShownMember {
    member: Member,
    given_at: String,
    machine: String,
}

/// Members with the time of their access in the organisation's zone.
pub fn show_members(members: Vec<Member>, zone: Tz) -> Vec<ShownMember> {
    members
        .into_iter()
        .map(|member| ShownMember {
            given_at: show::time(member.given_at, zone),
            machine: member.given_at.to_rfc3339(),
            member,
        })
        .collect()
}

#[derive(Template)]
#[template(path = "clients/show.html")]
pub struct Show {
    pub frame: Frame,
    pub client: Client,
    pub assets: Vec<Asset>,
    pub members: Vec<ShownMember>,
    pub engagements: Vec<ClientEngagement>,
    /// Its newest events, for those who may read them in the log.
    pub activity: Option<Activity>,
    /// Whether the person may read engagements here.
    pub reads_engagements: bool,
    /// Whether the person may change the client.
    pub may_edit: bool,
    /// Whether the person may change its assets.
    pub may_edit_assets: bool,
    /// Whether the person gives and takes access.
    pub may_give_access: bool,
    /// Whether the person gives access to this client alone.
    pub may_give_here: bool,
    /// Whether the person may start an engagement here.
    pub may_plan: bool,
    pub zone: Tz,
}

impl Show {}

#[derive(Template)]
#[template(path = "clients/asset.html")]
pub struct AssetForm {
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    pub cancel: String,
    /// The confirmation page of its deletion.
    pub delete: Option<String>,
    /// Word on the button.
    pub button: &'static str,
    /// What was typed, or what is stored.
    pub typed: TypedAsset,
    pub errors: FieldErrors,
    /// The rest of the form; its version is 0 on creation.
    pub editing: Editing<AssetField>,
}

/// Many assets at once, as lines.
#[derive(Template)]
#[template(path = "clients/asset_lines.html")]
pub struct AssetLines {
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    pub cancel: String,
    /// What is still in the field.
    pub pasted: String,
    /// What became of each line; empty before the first try.
    pub read: Vec<Line>,
    /// How many were created of them.
    pub created: usize,
    /// What is wrong with all of them together.
    pub fault: Option<&'static str>,
}

impl AssetLines {
    fn faults(&self) -> usize {
        self.read.iter().filter(|line| line.read.is_err()).count()
    }
    fn fine(&self) -> usize {
        self.read.len() - self.faults()
    }
    /// Whether anything was tried and is not done.
    fn tried(&self) -> bool {
        !self.read.is_empty()
    }
}

/// The page before a client or an asset is deleted.
#[derive(Template)]
#[template(path = "clients/delete.html")]
pub struct Delete {
    pub frame: Frame,
    pub heading: String,
    pub goes: String,
    /// Why it cannot be.
    pub hanging: Option<String>,
    /// Where the form goes.
    pub action: String,
    pub cancel: String,
    /// Word on the button.
    pub button: &'static str,
}

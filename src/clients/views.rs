//! Pages of clients and their assets.

use askama::Template;
use chrono_tz::Tz;

use super::assets::store::Asset;
use super::domain::{AssetKind, Criticality, TypedAsset, TypedClient};
use super::store::{Client, ClientEngagement, Listed, Member};
use crate::audit::views::Activity;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::times;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::lifecycle::domain::EngagementStatus;

/// `/clients`
#[derive(Template)]
#[template(path = "clients/list.html", blocks = ["results"])]
pub struct List {
    /// The frame.
    pub frame: Frame,
    /// What was found.
    pub clients: Vec<Listed>,
    /// The words searched for.
    pub q: String,
    /// The tag filtered by.
    pub tag: String,
    /// Whether the person may create clients.
    pub may_create: bool,
    /// The organisation's zone.
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

/// A value that somebody else saved meanwhile, shown beside the form that keeps one's own.
pub struct Difference {
    /// The field's label.
    pub label: &'static str,
    /// What is stored now.
    pub stored: String,
}

/// Why an edit was not saved.
pub struct Conflict {
    /// What happened.
    pub sentence: String,
    /// Where the stored row differs from what was typed.
    pub theirs: Vec<Difference>,
}

/// Where a stored client differs from what was typed.
pub fn client_differences(stored: &Client, typed: &TypedClient) -> Vec<Difference> {
    let tags = stored.tags().collect::<Vec<_>>().join(", ");
    differences([
        ("Name", &stored.name, &typed.name),
        ("Description", &stored.description, &typed.description),
        ("Contacts", &stored.contacts, &typed.contacts),
        ("Tags", &tags, &typed.tags),
    ])
}

/// Where a stored asset differs from what was typed.
pub fn asset_differences(stored: &Asset, typed: &TypedAsset) -> Vec<Difference> {
    let label_of_kind = typed.kind.parse::<AssetKind>().map_or(String::new(), |k| k.label().into());
    let label_of_criticality =
        typed.criticality.parse::<Criticality>().map_or(String::new(), |c| c.label().into());
    differences([
        ("Name", &stored.name, &typed.name),
        ("Kind", &stored.kind.label().into(), &label_of_kind),
        ("Criticality", &stored.criticality.label().into(), &label_of_criticality),
        ("Address", &stored.address, &typed.address),
        ("Description", &stored.description, &typed.description),
    ])
}

fn differences<const N: usize>(fields: [(&'static str, &String, &String); N]) -> Vec<Difference> {
    let same = |a: &str, b: &str| a.trim() == b.replace("\r\n", "\n").trim();
    fields
        .into_iter()
        .filter(|(_, stored, typed)| !same(stored, typed))
        .map(|(label, stored, _)| Difference { label, stored: stored.clone() })
        .collect()
}

/// `/clients/new` and `/clients/{client}/edit`
#[derive(Template)]
#[template(path = "clients/form.html")]
pub struct ClientForm {
    /// The frame.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// Where Cancel leads.
    pub cancel: String,
    /// Word on the button.
    pub button: &'static str,
    /// What was typed, or what is stored.
    pub typed: TypedClient,
    /// What is wrong.
    pub errors: FieldErrors,
    /// What somebody else saved meanwhile.
    pub conflict: Option<Conflict>,
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
            given_at: times::display(member.given_at, zone),
            machine: member.given_at.to_rfc3339(),
            member,
        })
        .collect()
}

/// `/clients/{client}`
#[derive(Template)]
#[template(path = "clients/show.html")]
pub struct Show {
    /// The frame.
    pub frame: Frame,
    /// The client.
    pub client: Client,
    /// Its assets.
    pub assets: Vec<Asset>,
    /// Who has access.
    pub members: Vec<ShownMember>,
    /// Its newest engagements.
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
    /// Whether the person may start an engagement here.
    pub may_plan: bool,
    /// The organisation's zone.
    pub zone: Tz,
}

impl Show {
    fn dates(engagement: &ClientEngagement) -> String {
        match (engagement.start_date, engagement.end_date) {
            (Some(start), Some(end)) if start != end => {
                format!("{} – {}", times::display_date(start), times::display_date(end))
            }
            (Some(day), _) => times::display_date(day),
            (None, Some(end)) => format!("until {}", times::display_date(end)),
            (None, None) => String::new(),
        }
    }
    fn tone(status: EngagementStatus) -> &'static str {
        match status {
            EngagementStatus::Pending => "pending",
            EngagementStatus::Scheduled => "scheduled",
            EngagementStatus::InProgress => "progress",
            EngagementStatus::InReview => "review",
            EngagementStatus::Complete => "complete",
            EngagementStatus::Canceled => "canceled",
        }
    }
}

/// `/clients/{client}/assets/new` and `/clients/{client}/assets/{asset}`
#[derive(Template)]
#[template(path = "clients/asset.html")]
pub struct AssetForm {
    /// The frame.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// Where Cancel leads.
    pub cancel: String,
    /// The confirmation page of its deletion.
    pub delete: Option<String>,
    /// Word on the button.
    pub button: &'static str,
    /// What was typed, or what is stored.
    pub typed: TypedAsset,
    /// What is wrong.
    pub errors: FieldErrors,
    /// What somebody else saved meanwhile.
    pub conflict: Option<Conflict>,
}

/// The page before a client or an asset is deleted.
#[derive(Template)]
#[template(path = "clients/delete.html")]
pub struct Delete {
    /// The frame.
    pub frame: Frame,
    /// The question.
    pub heading: String,
    /// What goes.
    pub goes: String,
    /// Why it cannot be.
    pub hanging: Option<String>,
    /// Where the form goes.
    pub action: String,
    /// The way back.
    pub cancel: String,
    /// Word on the button.
    pub button: &'static str,
}

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    use crate::kernel::base::ids::{AssetId, ClientId, EngagementId};
    use chrono::DateTime;
    let hostile = "<script>alert(1)</script>";
    let frame = |title: &str| Frame::sample(title).crumb("Clients", "/clients");
    let id = ClientId::new();
    let at = DateTime::UNIX_EPOCH;
    let client = Client {
        id,
        name: hostile.into(),
        description: format!("A chain of **cold stores**. {hostile}"),
        contacts: "Ola Brandt, ola@northquay.example".into(),
        tags: vec!["logistics".into(), hostile.into()],
        version: 3,
    };
    let asset = Asset {
        id: AssetId::new(),
        client_id: id,
        name: "NQ-DC-01".into(),
        kind: AssetKind::Server,
        criticality: Criticality::Critical,
        address: hostile.into(),
        description: String::new(),
        version: 1,
    };
    let listed = Listed {
        id,
        name: hostile.into(),
        tags: client.tags.clone(),
        assets: Some(4),
        engagements: Some(1),
        updated_at: at,
    };
    let list = |clients: Vec<Listed>, q: &str| List {
        frame: Frame::sample("Clients"),
        clients,
        q: q.into(),
        tag: String::new(),
        may_create: true,
        zone: Tz::UTC,
    };
    let found = list(vec![listed], hostile);
    let typed =
        TypedClient { name: hostile.into(), tags: "logistics".into(), version: 3, ..TypedClient::default() };
    let conflict =
        || Conflict { sentence: "Somebody saved this.".into(), theirs: client_differences(&client, &typed) };
    let form = ClientForm {
        frame: frame("Edit client"),
        action: "/clients/new".into(),
        cancel: "/clients".into(),
        button: "Save",
        errors: FieldErrors::one("name", "Give the client a name."),
        conflict: Some(conflict()),
        typed: typed.clone(),
    };
    let member = Member {
        name: "Noor Haddad".into(),
        email: "noor@tyrian.example".into(),
        status: "disabled".into(),
        role: "Team Lead".into(),
        given_by: Some(hostile.into()),
        given_at: at,
    };
    let engagement = ClientEngagement {
        id: EngagementId::new(),
        title: hostile.into(),
        status: EngagementStatus::InProgress,
        start_date: Some(at.date_naive()),
        end_date: None,
        last_activity: Some(at),
    };
    let show = Show {
        frame: frame("Client"),
        client: client.clone(),
        assets: vec![asset],
        members: show_members(vec![member], Tz::UTC),
        engagements: vec![engagement],
        reads_engagements: true,
        activity: Some(Activity::default()),
        may_edit: true,
        may_edit_assets: true,
        may_give_access: true,
        may_plan: true,
        zone: Tz::UTC,
    };
    let asset_form = AssetForm {
        frame: frame("New asset"),
        action: "/clients/x/assets/new".into(),
        cancel: "/clients/x".into(),
        delete: Some("/clients/x/assets/y/delete".into()),
        button: "Create asset",
        typed: TypedAsset { name: hostile.into(), ..TypedAsset::default() },
        errors: FieldErrors::one("name", "Give the asset a name."),
        conflict: None,
    };
    let delete = Delete {
        frame: frame("Delete client"),
        heading: format!("Delete {hostile}?"),
        goes: "The client goes.".into(),
        hanging: None,
        action: "/clients/x/delete".into(),
        cancel: "/clients/x".into(),
        button: "Delete client",
    };
    crate::kernel::web::rendered([
        ("clients", found.render()),
        ("clients#results", found.as_results().render()),
        ("clients_empty", list(Vec::new(), "").render()),
        ("client_form", form.render()),
        ("client", show.render()),
        ("asset_form", asset_form.render()),
        ("client_delete", delete.render()),
    ])
}

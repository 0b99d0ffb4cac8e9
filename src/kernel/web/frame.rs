//! The frame of every page: title, breadcrumb, rail, person's menu, theme, the message carried over a
//! redirect.

use std::sync::LazyLock;

use uuid::Uuid;

use crate::kernel::authz::policy::Permission as P;
use crate::kernel::web::permit::Viewer;
use crate::kernel::web::{Theme, assets};

/// Which entry of the rail a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Dashboard,
    Engagements,
    TestPlans,
    Schedule,
    Reports,
    Library,
    Clients,
    Admin,
    Account,
    /// Pages outside the frame: sign-in, first start.
    Gate,
}

/// One step of the breadcrumb.
#[derive(Debug, Clone)]
pub struct Crumb {
    pub label: String,
    pub href: String,
}

/// One entry of the rail.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Heading above it, where a group starts.
    pub group: Option<&'static str>,
    pub href: &'static str,
    pub icon: &'static str,
    pub label: &'static str,
    /// Whether the page belongs to it.
    pub current: bool,
    /// What waits behind it; nothing shows none.
    pub count: i64,
}

#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    /// Two letters.
    pub initials: String,
    /// The role shown below the name.
    pub role: String,
    pub theme: Theme,
}

/// Everything the layout template needs.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Title of the page.
    pub title: String,
    /// The breadcrumb above it.
    pub crumbs: Vec<Crumb>,
    pub entries: Vec<Entry>,
    /// Who is signed in.
    pub person: Option<Person>,
    /// Whether single-letter shortcuts are on.
    pub shortcuts: bool,
    /// Message of the action before.
    pub message: Option<String>,
    /// Minutes without use after which the session ends.
    pub idle_minutes: i32,
    /// Id of the request, shown where something went wrong.
    pub request_id: String,
    /// Whether the person may look into the audit log.
    pub reads_log: bool,
    /// Whether the person has access to any client; lists that are empty because of it say so.
    pub sees_clients: bool,
    /// Whether they may create one.
    pub creates_clients: bool,
    /// Whether they may give themselves access to one.
    pub gives_access: bool,
    /// Whether they may import into the library.
    pub imports: bool,
    /// Whether they may change it.
    pub edits_library: bool,
    /// Name of the organisation, where one is known.
    pub organisation: String,
    /// IANA name of its time zone, for whoever is signed in: scripts tell times in it as the server does.
    pub zone: String,
    /// URL of the style sheet.
    pub css: &'static str,
    /// URLs of the script modules, to be fetched ahead.
    pub modules: &'static [String],
    /// URL of the module that imports the others.
    pub entry_module: &'static str,
    /// URLs of the scripts that are not ours, in order.
    pub scripts: &'static [String],
}

static CSS: LazyLock<String> = LazyLock::new(|| assets::url("app.css"));
static MODULES: LazyLock<Vec<String>> = LazyLock::new(assets::module_urls);
static ENTRY_MODULE: LazyLock<String> = LazyLock::new(|| {
    let entry = MODULES.iter().find(|url| url.ends_with("/main.js"));
    entry.cloned().unwrap_or_default()
});
static SCRIPTS: LazyLock<Vec<String>> =
    LazyLock::new(|| ["vendor/htmx.min.js", "vendor/hx-sse.min.js"].map(assets::url).to_vec());

impl Frame {
    pub(crate) fn new(
        viewer: Option<&Viewer>,
        section: Section,
        title: String,
        message: Option<String>,
        request_id: Option<Uuid>,
    ) -> Self {
        Self {
            title,
            crumbs: Vec::new(),
            entries: viewer.map(|v| entries(v, section)).unwrap_or_default(),
            person: viewer.map(|v| Person {
                name: v.name.clone(),
                initials: initials(&v.name),
                role: v.role.clone(),
                theme: v.theme,
            }),
            shortcuts: viewer.is_none_or(|v| v.shortcuts),
            message,
            idle_minutes: viewer.map(|v| v.organisation.idle_minutes).unwrap_or_default(),
            request_id: request_id.map(|id| id.to_string()).unwrap_or_default(),
            reads_log: viewer.is_some_and(|v| {
                v.rights.may(P::AuditLogRead) || v.rights.may_anywhere(P::AuditLogReadClient)
            }),
            sees_clients: viewer.is_some_and(|v| !v.rights.clients.is_empty()),
            creates_clients: viewer.is_some_and(|v| v.rights.may(P::ClientCreate)),
            gives_access: viewer.is_some_and(|v| v.rights.may(P::AccessManage)),
            imports: viewer.is_some_and(|v| v.rights.may(P::LibraryImport)),
            edits_library: viewer.is_some_and(|v| v.rights.may(P::LibraryEdit)),
            organisation: viewer.map(|v| v.organisation.name.clone()).unwrap_or_default(),
            zone: viewer.map(|v| v.organisation.time_zone.clone()).unwrap_or_default(),
            css: &CSS,
            modules: &MODULES,
            entry_module: &ENTRY_MODULE,
            scripts: &SCRIPTS,
        }
    }

    /// Adds a step to the breadcrumb.
    pub fn crumb(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.crumbs.push(Crumb { label: label.into(), href: href.into() });
        self
    }

    /// Names the organisation on a page whose reader is not signed in yet.
    pub fn of_organisation(mut self, name: String) -> Self {
        self.organisation = name;
        self
    }

    /// The organisation, where it has a name of its own: a new installation has the product's.
    pub fn organisation(&self) -> Option<&str> {
        Some(self.organisation.trim()).filter(|name| !name.is_empty() && *name != "Tyrian")
    }

    /// What a person can choose from.
    pub fn themes(&self) -> &'static [Theme] {
        Theme::ALL
    }

    /// The theme to force, where the person chose one.
    pub fn theme(&self) -> Option<Theme> {
        self.person.as_ref().map(|p| p.theme).filter(|theme| *theme != Theme::Auto)
    }
}

/// Two letters that stand for a name.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next().and_then(|w| w.chars().next());
    let last = words.next_back().and_then(|w| w.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

fn entries(viewer: &Viewer, section: Section) -> Vec<Entry> {
    let rights = &viewer.rights;
    let mut entries = Vec::new();
    let mut add = |shown: bool, group, entry: Section, href, icon, label| {
        if shown {
            entries.push(Entry { group, href, icon, label, current: section == entry, count: 0 });
        }
    };
    // Also for whom a role of their own promises it: what the product has does not appear with the first
    // client.
    let reads = rights.may_anywhere(P::EngagementRead) || rights.promises(P::EngagementRead);
    add(true, None, Section::Dashboard, "/", "dashboard", "Dashboard");
    add(reads, Some("Runbooks"), Section::Engagements, "/engagements", "engagements", "Engagements");
    add(
        rights.may(P::TestPlanRead),
        (!reads).then_some("Runbooks"),
        Section::TestPlans,
        "/test-plans",
        "plan",
        "Test Plans",
    );
    add(reads, Some("Engage"), Section::Schedule, "/schedule", "schedule", "Schedule");
    add(true, (!reads).then_some("Engage"), Section::Reports, "/reports", "reports", "Reports");
    add(rights.may(P::LibraryRead), None, Section::Library, "/library/procedures", "library", "Library");
    add(true, None, Section::Clients, "/clients", "clients", "Clients");
    let own = [
        P::JobRun,
        P::UserRead,
        P::AuditLogRead,
        P::AuditLogReadClient,
        P::SettingManage,
        P::RoleRead,
        P::AccessRead,
    ];
    let administers = own.into_iter().any(|right| rights.may_anywhere(right));
    add(administers, Some("Installation"), Section::Admin, "/admin", "admin", "Administration");
    entries[0].count = viewer.notices;
    entries
}

#[cfg(test)]
mod tests {
    #[test]
    fn initials_are_two_letters() {
        assert_eq!(super::initials("Noor Haddad"), "NH");
        assert_eq!(super::initials("ines"), "I");
        assert_eq!(super::initials("Ana de la Cruz"), "AC");
    }
}

//! The one table of who may do what: the permission table as data, and the pure questions asked of
//! it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shelf::Shelf;
use super::visible::Visible;
use crate::kernel::base::ids::{ClientId, PersonId};

crate::text_enum! {
    /// One right. The label says what it lets a person do.
    pub enum Permission {
        UserManage => "user.manage", "Create, change, disable and delete users";
        RoleManage => "role.manage", "Create, change, delete and assign roles";
        AccessManage => "access.manage", "Give and take access to clients";
        SettingManage => "setting.manage", "Change the organisation's settings and outcome lists";
        JobRun => "job.run", "See and run jobs";
        UserRead => "user.read", "See users";
        RoleRead => "role.read", "See roles";
        AccessRead => "access.read", "See who has access to which client";
        AuditLogRead => "audit_log.read", "Read the whole audit log";
        ClientCreate => "client.create", "Create clients";
        LibraryEdit => "library.edit", "Change the library";
        LibraryImport => "library.import", "Import into the library";
        TestPlanEdit => "test_plan.edit", "Create and change test plans";
        LibraryRead => "library.read", "Read the library";
        TestPlanRead => "test_plan.read", "Read test plans";
        AccessGive => "access.give", "Give access to this client to people who have an account, in roles \
            that may do no more here";
        AuditLogReadClient => "audit_log.read_client", "Read the audit events of this client";
        ClientRead => "client.read", "See the client and its assets";
        EngagementRead => "engagement.read", "Read the client's engagements";
        ReportRead => "report.read", "Read the client's reports";
        ReportReadPublished => "report.read_published", "Read the client's published reports";
        ClientEdit => "client.edit", "Change the client";
        AssetEdit => "asset.edit", "Create and change the client's assets";
        EngagementRequest => "engagement.request", "Request engagements";
        EngagementPlan => "engagement.plan", "Create engagements, change their details, procedures, \
            operators and inputs";
        EngagementApprove => "engagement.approve", "Approve, start and decline engagements";
        EngagementCancel => "engagement.cancel", "Cancel engagements";
        EngagementDelete => "engagement.delete", "Delete engagements";
        EngagementSubmit => "engagement.submit", "Submit engagements";
        ProcedureWriteRed => "procedure.write_red", "Write the red team's side of procedures";
        ProcedureWriteBlue => "procedure.write_blue", "Write the blue team's side of procedures";
        ProcedureWriteBlueAssigned => "procedure.write_blue_assigned", "Write the blue team's side where \
            assigned to it";
        ReportEdit => "report.edit", "Edit reports";
        ReportReview => "report.review", "Review and approve reports";
        ReportPublish => "report.publish", "Publish reports";
        FindingRemediate => "finding.remediate", "Keep the remediation state of findings";
    }
}

impl Permission {
    /// Whether the right comes from a person's own roles. The others come only from the role of a client
    /// access.
    pub const fn is_own(self) -> bool {
        self as u8 <= Self::TestPlanRead as u8
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// Whether `permission` is in the set.
    pub fn has(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u64) != 0
    }
    /// Whether every right at a client that `other` holds is in the set too.
    pub fn covers_at_client(self, other: Self) -> bool {
        other.iter().filter(|permission| !permission.is_own()).all(|permission| self.has(permission))
    }
    /// The permissions of the set, in the enum's order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| self.has(*p))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, p| bits | 1 << p as u64))
    }
}

impl Serialize for PermissionSet {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        // A name that this version does not know gives no right.
        Ok(Vec::<String>::deserialize(d)?.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

/// A role that comes with the product.
pub struct SeededRole {
    pub key: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    /// Built-in roles cannot be edited; the ready-made custom ones can.
    pub built_in: bool,
    /// What it carries, for a person's own roles and for client access alike.
    pub permissions: &'static [Permission],
}

use Permission as P;

/// The roles that come with the product, column by column.
pub const ROLES: &[SeededRole] = &[
    SeededRole {
        key: "administrator",
        name: "Administrator",
        description: "Runs the installation: users, roles, access, settings. Sees a client only with access \
            to it.",
        built_in: true,
        permissions: Permission::ALL,
    },
    SeededRole {
        key: "standard_user",
        name: "Standard User",
        description: "An operator: plans, works and submits engagements, keeps the library and test plans.",
        built_in: true,
        permissions: &[
            P::LibraryEdit,
            P::LibraryImport,
            P::TestPlanEdit,
            P::LibraryRead,
            P::TestPlanRead,
            P::ClientRead,
            P::EngagementRead,
            P::ReportRead,
            P::ReportReadPublished,
            P::AssetEdit,
            P::EngagementRequest,
            P::EngagementPlan,
            P::EngagementSubmit,
            P::ProcedureWriteRed,
            P::ProcedureWriteBlue,
            P::ProcedureWriteBlueAssigned,
            P::ReportEdit,
            P::FindingRemediate,
        ],
    },
    SeededRole {
        key: "analyst",
        name: "Analyst",
        description: "Belongs to a client: reads its engagements and published reports, writes the blue \
            side where assigned.",
        built_in: true,
        permissions: &[
            P::ClientRead,
            P::EngagementRead,
            P::ReportReadPublished,
            P::EngagementRequest,
            P::ProcedureWriteBlueAssigned,
            P::FindingRemediate,
        ],
    },
    SeededRole {
        key: "team_lead",
        name: "Team Lead",
        description: "Books engagements, assigns operators, reviews and publishes reports.",
        built_in: false,
        permissions: &[
            P::UserRead,
            P::RoleRead,
            P::AccessRead,
            P::ClientCreate,
            P::LibraryEdit,
            P::LibraryImport,
            P::TestPlanEdit,
            P::LibraryRead,
            P::TestPlanRead,
            P::AccessGive,
            P::AuditLogReadClient,
            P::ClientRead,
            P::EngagementRead,
            P::ReportRead,
            P::ReportReadPublished,
            P::ClientEdit,
            P::AssetEdit,
            P::EngagementRequest,
            P::EngagementPlan,
            P::EngagementApprove,
            P::EngagementCancel,
            P::EngagementDelete,
            P::EngagementSubmit,
            P::ProcedureWriteRed,
            P::ProcedureWriteBlue,
            P::ProcedureWriteBlueAssigned,
            P::ReportEdit,
            P::ReportReview,
            P::ReportPublish,
            P::FindingRemediate,
        ],
    },
    SeededRole {
        key: "auditor",
        name: "Auditor",
        description: "Reads the audit log and who holds which access. Sees no client's data.",
        built_in: false,
        permissions: &[
            P::UserRead,
            P::RoleRead,
            P::AccessRead,
            P::AuditLogRead,
            P::LibraryRead,
            P::TestPlanRead,
        ],
    },
];

/// What one person may do: their own rights, and those at each client they have access to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// From the person's own roles.
    pub own: PermissionSet,
    /// From the roles of their client access; a client that is not here does not exist for them.
    pub clients: BTreeMap<ClientId, PermissionSet>,
}

impl Rights {
    /// Whether a right without a client is held.
    pub fn may(&self, permission: Permission) -> bool {
        permission.is_own() && self.own.has(permission)
    }
    /// Whether a right is held at this client.
    pub fn may_at(&self, permission: Permission, client: ClientId) -> bool {
        !permission.is_own() && self.clients.get(&client).is_some_and(|set| set.has(permission))
    }
    /// What is held at this client; nothing without access to it.
    pub fn at(&self, client: ClientId) -> PermissionSet {
        self.clients.get(&client).copied().unwrap_or_default()
    }
    /// Whether a right is held at one client or more, or without a client.
    pub fn may_anywhere(&self, permission: Permission) -> bool {
        self.may(permission) || !permission.is_own() && self.clients.values().any(|set| set.has(permission))
    }
    /// Whether a role of the person's own names a right at clients: they will hold it where they are given
    /// access in that role, and nowhere yet.
    pub fn promises(&self, permission: Permission) -> bool {
        !permission.is_own() && self.own.has(permission)
    }
    /// Every client the person has access to, whatever the role.
    pub fn visible(&self) -> Visible {
        Visible::new(self.clients.keys().copied().collect())
    }
    /// The library as this person has it.
    pub fn shelf(&self, person: PersonId) -> Shelf {
        Shelf::of(person, self.may(Permission::LibraryEdit))
    }
    /// The clients at which a right is held.
    pub fn clients_with(&self, permission: Permission) -> Visible {
        self.clients_with_any(&[permission])
    }
    /// The clients at which one of these rights is held.
    pub fn clients_with_any(&self, permissions: &[Permission]) -> Visible {
        let any = |set: &PermissionSet| permissions.iter().any(|permission| set.has(*permission));
        Visible::new(self.clients.iter().filter(|(_, set)| any(set)).map(|(id, _)| *id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(key: &str) -> PermissionSet {
        ROLES.iter().find(|r| r.key == key).unwrap().permissions.iter().copied().collect()
    }

    #[test]
    fn own_rights_open_no_client() {
        let rights = Rights { own: role("administrator"), clients: BTreeMap::new() };
        assert!(rights.may(P::UserManage));
        assert!(!rights.may(P::EngagementRead));
        assert!(!rights.may_anywhere(P::EngagementRead));
    }

    #[test]
    fn client_rights_stay_at_their_client() {
        let (a, b) = (ClientId::new(), ClientId::new());
        let rights = Rights {
            own: PermissionSet::default(),
            clients: [(a, role("team_lead")), (b, role("analyst"))].into(),
        };
        assert!(rights.may_at(P::EngagementPlan, a));
        assert!(!rights.may_at(P::EngagementPlan, b));
        assert!(!rights.may(P::LibraryEdit), "a client access gives no right without a client");
        assert_eq!(rights.clients_with(P::EngagementPlan).ids(), [a]);
    }

    #[test]
    fn an_analyst_never_holds_a_red_right() {
        let analyst = role("analyst");
        assert!(
            !analyst.has(P::ProcedureWriteRed)
                && !analyst.has(P::ProcedureWriteBlue)
                && !analyst.has(P::ReportRead)
        );
    }

    #[test]
    fn a_set_survives_json_and_unknown_names_give_nothing() {
        let set = role("auditor");
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<PermissionSet>(&json).unwrap(), set);
        assert_eq!(
            serde_json::from_str::<PermissionSet>(r#"["rule.all"]"#).unwrap(),
            PermissionSet::default()
        );
    }
}

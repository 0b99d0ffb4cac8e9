//! Permission as a value. A [`Permit`] can only be had from a request whose person holds the right; store
//! functions demand one and filter by its clients, so that a foreign id is simply not found.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::kernel::authz::policy::{Permission, Rights};
use crate::kernel::authz::{Shelf, Visible, WriteRule};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, PersonId};
use crate::kernel::web::{Ctx, Theme};

/// The person who is signed in, with everything they may do.
#[derive(Debug, Clone, Deserialize)]
pub struct Viewer {
    pub id: PersonId,
    pub name: String,
    pub email: String,
    pub theme: Theme,
    /// Whether single-letter shortcuts are on.
    pub shortcuts: bool,
    /// Name of their first role.
    pub role: String,
    /// The session's public id.
    pub session: uuid::Uuid,
    /// When they last proved who they are.
    #[serde(default)]
    pub proved_at: Option<DateTime<Utc>>,
    /// Whether they have a second factor.
    pub two_factor: bool,
    /// Whether they have to set one up before anything else.
    pub two_factor_due: bool,
    /// Unread notices, counted up to 100.
    #[serde(default)]
    pub notices: i64,
    /// What they may do, where.
    pub rights: Rights,
    /// The organisation's settings, loaded with the session.
    pub organisation: Organisation,
}

/// What pages need of the organisation's settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Organisation {
    pub name: String,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// Who may write which side, unless an engagement overrides it.
    pub write_rule: WriteRule,
    /// Largest attachment, in bytes.
    pub attachment_bytes: i64,
    /// Minutes without a request after which a session ends.
    pub idle_minutes: i32,
}

impl Organisation {
    /// The time zone; UTC where the stored name is not known to this build.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.time_zone.parse().unwrap_or(chrono_tz::UTC)
    }
}

/// What a permit is for.
pub trait Action: Send + Sync + 'static {
    /// The right it needs.
    const NEEDS: Permission;
    /// The right it needs and which other will do, such as reading reports or only the published ones.
    const OR: Option<Permission> = None;
}

/// Proof that the signed-in person holds `A`'s right: without a client for rights of their own, otherwise at
/// the clients in [`Permit::clients`]. It also is the request's context.
pub struct Permit<A> {
    ctx: Ctx,
    viewer: Arc<Viewer>,
    action: PhantomData<A>,
}

impl<A> Clone for Permit<A> {
    fn clone(&self) -> Self {
        Self { ctx: self.ctx.clone(), viewer: self.viewer.clone(), action: PhantomData }
    }
}

impl<A> Deref for Permit<A> {
    type Target = Ctx;
    fn deref(&self) -> &Ctx {
        &self.ctx
    }
}

impl<A: Action> Permit<A> {
    /// The permit that a request of the same person would have.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] without a person, [`Error::Forbidden`] without the right.
    pub fn of(ctx: &Ctx) -> Result<Self> {
        permit(ctx.clone())
    }
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }
    /// Every client the person can see. Rows of other clients do not exist for them: filter by this.
    pub fn visible(&self) -> Visible {
        self.viewer.rights.visible()
    }
    /// The library as the person may see and change it.
    pub fn shelf(&self) -> Shelf {
        self.viewer.rights.shelf(self.viewer.id)
    }
    /// The clients at which the right is held.
    pub fn clients(&self) -> Visible {
        match A::OR {
            Some(other) => self.viewer.rights.clients_with_any(&[A::NEEDS, other]),
            None => self.viewer.rights.clients_with(A::NEEDS),
        }
    }
    /// `Ok` when the right is held at one client or more, for pages that belong to no client yet.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when it is held nowhere.
    pub fn anywhere(&self) -> Result<()> {
        if self.clients().is_empty() { Err(Error::Forbidden(String::new())) } else { Ok(()) }
    }
    /// As [`Permit::anywhere`], and `Ok` too for whom a role of their own promises the right: the page is
    /// empty until they have access to a client, and no refusal.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for anybody else.
    pub fn anywhere_or_promised(&self) -> Result<()> {
        if self.viewer.rights.promises(A::NEEDS) { Ok(()) } else { self.anywhere() }
    }
    /// Whether the right is held at this client.
    pub fn covers(&self, client: ClientId) -> bool {
        let rights = &self.viewer.rights;
        rights.may_at(A::NEEDS, client) || A::OR.is_some_and(|other| rights.may_at(other, client))
    }
    /// Whether another right is held at this client, for booleans in templates.
    pub fn may_at(&self, permission: Permission, client: ClientId) -> bool {
        self.viewer.rights.may_at(permission, client)
    }
    /// Whether another right is held without a client, for booleans in templates.
    pub fn may(&self, permission: Permission) -> bool {
        self.viewer.rights.may(permission)
    }
    /// `Ok` at a client where the right is held. Call it after the row was found among [`Permit::visible`].
    ///
    /// # Errors
    /// [`Error::NotFound`] without access to the client, [`Error::Forbidden`] with access but without the
    /// right.
    pub fn check(&self, client: ClientId) -> Result<()> {
        if !self.viewer.rights.clients.contains_key(&client) {
            return Err(Error::NotFound);
        }
        if self.covers(client) { Ok(()) } else { Err(Error::Forbidden(String::new())) }
    }
}

impl<A: Action> FromRequest for Permit<A> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let permit = Ctx::of(req).and_then(permit);
        Box::pin(async { permit })
    }
}

fn permit<A: Action>(ctx: Ctx) -> Result<Permit<A>> {
    let viewer = ctx.viewer.clone().ok_or(Error::Unauthenticated)?;
    // A right at clients is judged at the row's client: only there can 404 and 403 be told apart.
    if A::NEEDS.is_own()
        && !viewer.rights.may(A::NEEDS)
        && !A::OR.is_some_and(|other| viewer.rights.may_anywhere(other))
    {
        return Err(Error::Forbidden(String::new()));
    }
    Ok(Permit { ctx, viewer, action: PhantomData })
}

/// Declares the marker types of permits: `/// Doc. Name => Permission;`
macro_rules! actions {
    ($($(#[$meta:meta])* $name:ident => $needs:ident $(or $or:ident)?;)+) => {$(
        $(#[$meta])*
        pub struct $name;
        impl Action for $name {
            const NEEDS: Permission = Permission::$needs;
            $(const OR: Option<Permission> = Some(Permission::$or);)?
        }
    )+};
}

actions! {
    /// Read a client and its assets.
    ReadClient => ClientRead;
    CreateClient => ClientCreate;
    EditClient => ClientEdit;
    /// Change a client's assets.
    EditAsset => AssetEdit;
    ReadEngagement => EngagementRead;
    /// Create and plan engagements.
    PlanEngagement => EngagementPlan;
    /// Start engagements before their date.
    ApproveEngagement => EngagementApprove;
    CancelEngagement => EngagementCancel;
    DeleteEngagement => EngagementDelete;
    SubmitEngagement => EngagementSubmit;
    /// Read reports, or the published ones only: ask `may_at(ReportRead)`.
    ReadReport => ReportRead or ReportReadPublished;
    EditReport => ReportEdit;
    /// Move reports on or back: which step takes which right is `reports::workflow`.
    WorkReport => ReportRead;
    /// Keep the remediation of findings.
    RemediateFinding => FindingRemediate;
    RequestEngagement => EngagementRequest;
    ReadLibrary => LibraryRead;
    /// Change the library: which repositories is the affair of [`Permit::shelf`].
    EditLibrary => LibraryEdit;
    /// Import into the library: into which repositories is the affair of [`Permit::shelf`].
    ImportLibrary => LibraryImport;
    ReadTestPlan => TestPlanRead;
    EditTestPlan => TestPlanEdit;
    /// See and run jobs.
    RunJob => JobRun;
    ReadUser => UserRead;
    /// Create, change, disable and delete users.
    ManageUser => UserManage;
    ReadRole => RoleRead;
    /// Create, change, delete and assign roles.
    ManageRole => RoleManage;
    /// See who has access to which client.
    ReadAccess => AccessRead;
    /// Give and take access to clients.
    ManageAccess => AccessManage;
    /// Give people access to one's own client, in roles that may do no more there.
    GiveAccess => AccessGive;
    /// Change the organisation's settings.
    ManageSettings => SettingManage;
    /// Read the audit log, or one's own clients' events: ask `may(AuditLogRead)`.
    ReadAuditLog => AuditLogRead or AuditLogReadClient;
    /// See how the audit log proves itself; that concerns all of it.
    ReadProof => AuditLogRead;
    /// Write on procedures: at least the blue side where assigned. Which side is `procedures::domain::sides`.
    WriteProcedure => ProcedureWriteBlueAssigned;
    /// Do what only red does on procedures: start them.
    WriteRed => ProcedureWriteRed;
    /// Tick steps; who plans ticks prerequisites.
    TickStep => ProcedureWriteRed or EngagementPlan;
}

/// Proof that somebody is signed in, for pages about themselves.
pub struct SignedIn {
    ctx: Ctx,
    viewer: Arc<Viewer>,
}

impl SignedIn {
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }
}

impl Deref for SignedIn {
    type Target = Ctx;
    fn deref(&self) -> &Ctx {
        &self.ctx
    }
}

impl FromRequest for SignedIn {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Ctx::of(req).and_then(|ctx| {
            let viewer = ctx.viewer.clone().ok_or(Error::Unauthenticated)?;
            Ok(Self { ctx, viewer })
        }))
    }
}

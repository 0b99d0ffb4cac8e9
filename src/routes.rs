//! The route table: every address of the product, who may ask for it, and the handler. A path that is not
//! here does not exist; a row whose access is not `Public` answers nobody who is not signed in, whatever its
//! handler does. A test calls every row as every kind of person and compares with a checked-in matrix.

use actix_web::dev::ServiceResponse;
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpMessage, Route, web};

use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::Error;
use crate::kernel::web::Ctx;
use crate::kernel::web::form::FormLimit;
use crate::kernel::web::owner::{Owner, Subject};

/// Who may ask for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Public,
    /// Anybody who is signed in.
    SignedIn,
    /// Whoever holds this right without a client.
    Own(P),
    /// Whoever holds this right at the client of what is asked for; judged there, so that 404 and 403 can be
    /// told apart.
    AtClient(P),
}

/// One row of the table.
pub struct Row {
    pub method: &'static str,
    /// The path, with actix's placeholders.
    pub path: &'static str,
    pub access: Access,
    /// The most that its form may hold.
    pub limit: FormLimit,
    route: fn() -> Route,
}

macro_rules! table {
    ($($method:ident $path:literal $access:expr $(, $limit:ident)? => $handler:path;)*) => {
        &[$(Row {
            method: stringify!($method),
            path: $path,
            access: $access,
            limit: table!(@limit $($limit)?),
            route: || web::$method().to($handler),
        },)*]
    };
    (@limit) => { FormLimit::WORDS };
    (@limit $limit:ident) => { FormLimit::$limit };
}

use Access::{AtClient, Own, Public, SignedIn};

/// The tables of all slices.
pub const TABLE: &[&[Row]] = &[
    KERNEL,
    ACCOUNTS,
    CLIENTS,
    LIBRARY,
    ENGAGEMENTS,
    PROCEDURES,
    PROCEDURE_PARTS,
    SCHEDULE,
    REPORTS,
    ADMIN,
    DASHBOARD,
];

const KERNEL: &[Row] = table! {
    get "/healthz" Public => crate::health::healthz;
    get "/readyz" Public => crate::health::readyz;
    get "/assets/{path:.*}" Public => crate::kernel::web::assets::serve;
};

const ACCOUNTS: &[Row] = table! {
    get "/sign-in" Public => crate::accounts::pages::sign_in_form;
    post "/sign-in" Public => crate::accounts::pages::sign_in;
    get "/sign-in/code" Public => crate::accounts::pages::code_form;
    post "/sign-in/code" Public => crate::accounts::pages::code;
    post "/sign-out" SignedIn => crate::accounts::pages::sign_out;
    get "/link/{token}" Public => crate::accounts::pages::link_form;
    post "/link/{token}" Public => crate::accounts::pages::use_link;
    get "/account" SignedIn => crate::accounts::own_pages::account;
    post "/account/password" SignedIn => crate::accounts::own_pages::change_password;
    get "/account/proof" SignedIn => crate::accounts::own_pages::proof_form;
    post "/account/proof" SignedIn => crate::accounts::own_pages::prove;
    get "/account/two-factor" SignedIn => crate::accounts::own_pages::two_factor;
    post "/account/two-factor" SignedIn => crate::accounts::own_pages::enrol;
    post "/account/two-factor/codes" SignedIn => crate::accounts::own_pages::new_codes;
    get "/account/two-factor/removal" SignedIn => crate::accounts::own_pages::removal;
    post "/account/two-factor/removal" SignedIn => crate::accounts::own_pages::remove;
    post "/account/sessions/end" SignedIn => crate::accounts::own_pages::end_others;
    post "/account/sessions/{session}/end" SignedIn => crate::accounts::own_pages::end_session;
    get "/account/idle" SignedIn => crate::accounts::own_pages::idle;
    post "/account/stay" SignedIn => crate::accounts::own_pages::stay;
    post "/account/notices/read" SignedIn => crate::accounts::notice_pages::read;
    post "/account/theme" SignedIn => crate::accounts::own_pages::theme;
    post "/account/shortcuts" SignedIn => crate::accounts::own_pages::shortcuts;
};

const CLIENTS: &[Row] = table! {
    get "/clients" SignedIn => crate::clients::pages::list;
    get "/clients/new" Own(P::ClientCreate) => crate::clients::pages::new;
    post "/clients/new" Own(P::ClientCreate), TEXTS => crate::clients::pages::create;
    get "/clients/{client}" AtClient(P::ClientRead) => crate::clients::pages::show;
    get "/clients/{client}/edit" AtClient(P::ClientEdit) => crate::clients::pages::edit;
    post "/clients/{client}/edit" AtClient(P::ClientEdit), TEXTS => crate::clients::pages::update;
    get "/clients/{client}/delete" AtClient(P::ClientEdit) => crate::clients::pages::delete_page;
    post "/clients/{client}/delete" AtClient(P::ClientEdit) => crate::clients::pages::delete;
    get "/clients/{client}/assets/new" AtClient(P::AssetEdit) => crate::clients::assets::pages::new;
    post "/clients/{client}/assets/new" AtClient(P::AssetEdit), TEXTS => crate::clients::assets::pages::create;
    get "/clients/{client}/assets/{asset}" AtClient(P::AssetEdit) => crate::clients::assets::pages::edit;
    post "/clients/{client}/assets/{asset}" AtClient(P::AssetEdit), TEXTS => crate::clients::assets::pages::update;
    get "/clients/{client}/assets/{asset}/delete" AtClient(P::AssetEdit) => crate::clients::assets::pages::delete_page;
    post "/clients/{client}/assets/{asset}/delete" AtClient(P::AssetEdit) => crate::clients::assets::pages::delete;
};

const PROCEDURES: &[Row] = table! {
    get "/engagements/{id}/procedures/{pid}" AtClient(P::EngagementRead) => crate::procedures::pages::page::show;
    post "/engagements/{id}/procedures/{pid}" AtClient(P::ProcedureWriteBlueAssigned), TEXTS => crate::procedures::pages::page::save;
    post "/engagements/{id}/procedures/{pid}/start" AtClient(P::ProcedureWriteRed), TEXTS => crate::procedures::pages::page::start;
    post "/engagements/{id}/procedures/{pid}/steps/{step}/{word}" AtClient(P::ProcedureWriteRed) => crate::procedures::pages::page::tick;
    post "/engagements/{id}/procedures/{pid}/inputs" AtClient(P::ProcedureWriteBlueAssigned), TEXTS => crate::procedures::pages::page::inputs;
    get "/engagements/{id}/procedures/{pid}/fresh" AtClient(P::EngagementRead) => crate::procedures::pages::page::fresh;
    post "/engagements/{id}/procedures/{pid}/draft" AtClient(P::ProcedureWriteBlueAssigned), TEXTS => crate::procedures::pages::page::keep_draft;
    post "/engagements/{id}/procedures/{pid}/draft/discard" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::page::discard_draft;
    get "/engagements/{id}/procedures/{pid}/operators" AtClient(P::EngagementPlan) => crate::procedures::pages::operators::edit;
    post "/engagements/{id}/procedures/{pid}/operators" AtClient(P::EngagementPlan), LISTS => crate::procedures::pages::operators::update;
    get "/engagements/{id}/events" AtClient(P::EngagementRead) => crate::procedures::pages::events::events;
};

const LIBRARY: &[Row] = table! {
    get "/library/procedures" Own(P::LibraryRead) => crate::library::procedure_pages::list;
    get "/library/procedures/{id}" Own(P::LibraryRead) => crate::library::procedure_pages::one;
    get "/library/repositories" Own(P::LibraryRead) => crate::library::procedure_pages::repositories;
    get "/library/tactics" Own(P::LibraryRead) => crate::library::attack_pages::tactics;
    get "/library/techniques" Own(P::LibraryRead) => crate::library::attack_pages::techniques;
    get "/library/techniques/{id}" Own(P::LibraryRead) => crate::library::attack_pages::technique;
    get "/library/methodologies" Own(P::LibraryRead) => crate::library::attack_pages::methodologies;
    get "/test-plans" Own(P::TestPlanRead) => crate::library::plan_pages::list;
    get "/test-plans/new" Own(P::TestPlanEdit) => crate::library::plan_pages::new_form;
    post "/test-plans/new" Own(P::TestPlanEdit), LISTS => crate::library::plan_pages::create;
    get "/test-plans/{id}" Own(P::TestPlanRead) => crate::library::plan_pages::one;
    get "/test-plans/{id}/edit" Own(P::TestPlanEdit) => crate::library::plan_pages::edit_form;
    post "/test-plans/{id}/edit" Own(P::TestPlanEdit), LISTS => crate::library::plan_pages::edit;
    get "/test-plans/{id}/delete" Own(P::TestPlanEdit) => crate::library::plan_pages::delete_form;
    post "/test-plans/{id}/delete" Own(P::TestPlanEdit) => crate::library::plan_pages::delete;
};

const ENGAGEMENTS: &[Row] = table! {
    get "/engagements" AtClient(P::EngagementRead) => crate::engagements::pages::list::list;
    get "/engagements/new" AtClient(P::EngagementPlan) => crate::engagements::pages::wizard::new;
    get "/engagements/new/{draft}" AtClient(P::EngagementPlan) => crate::engagements::pages::wizard::show;
    post "/engagements/new/{draft}" AtClient(P::EngagementPlan), LISTS => crate::engagements::pages::wizard::post;
    get "/engagements/{id}" AtClient(P::EngagementRead) => crate::engagements::pages::show::show;
    get "/engagements/{id}/sections/{section}" AtClient(P::EngagementRead) => crate::engagements::pages::show::section;
    post "/engagements/{id}/sections" AtClient(P::EngagementRead) => crate::engagements::pages::show::remember;
    get "/engagements/{id}/cell" AtClient(P::EngagementRead) => crate::engagements::pages::cells::edit;
    get "/engagements/{id}/procedures/{pid}/cell/{field}" AtClient(P::EngagementRead) => crate::engagements::pages::cells::value_of;
    post "/engagements/{id}/procedures/{pid}/cell/{field}" AtClient(P::ProcedureWriteBlueAssigned), TEXTS => crate::engagements::pages::cells::save;
    get "/engagements/{id}/procedures/add" AtClient(P::EngagementPlan) => crate::engagements::pages::plan::add_form;
    post "/engagements/{id}/procedures/add" AtClient(P::EngagementPlan), LISTS => crate::engagements::pages::plan::add;
    get "/engagements/{id}/procedures/order" AtClient(P::EngagementPlan) => crate::engagements::pages::plan::order_form;
    post "/engagements/{id}/procedures/order" AtClient(P::EngagementPlan), LISTS => crate::engagements::pages::plan::order;
    get "/engagements/{id}/procedures/{pid}/removal" AtClient(P::EngagementPlan) => crate::engagements::pages::plan::removal;
    post "/engagements/{id}/procedures/{pid}/removal" AtClient(P::EngagementPlan) => crate::engagements::pages::plan::remove;
    post "/engagements/{id}/operators" AtClient(P::EngagementPlan), LISTS => crate::engagements::pages::plan::operators;
    post "/engagements/{id}/inputs" AtClient(P::EngagementPlan), LISTS => crate::engagements::pages::plan::inputs;
    get "/engagements/{id}/edit" AtClient(P::EngagementPlan) => crate::engagements::pages::details::edit;
    post "/engagements/{id}/edit" AtClient(P::EngagementPlan), TEXTS => crate::engagements::pages::details::save;
    post "/engagements/{id}/start" AtClient(P::EngagementApprove) => crate::engagements::pages::lifecycle::start;
    get "/engagements/{id}/cancellation" AtClient(P::EngagementCancel) => crate::engagements::pages::lifecycle::cancel_form;
    post "/engagements/{id}/cancellation" AtClient(P::EngagementCancel), TEXTS => crate::engagements::pages::lifecycle::cancel;
    get "/engagements/{id}/delete" AtClient(P::EngagementDelete) => crate::engagements::pages::lifecycle::delete_form;
    post "/engagements/{id}/delete" AtClient(P::EngagementDelete) => crate::engagements::pages::lifecycle::delete;
};

const PROCEDURE_PARTS: &[Row] = table! {
    get "/engagements/{id}/procedures/{pid}/logs" AtClient(P::EngagementRead) => crate::procedures::pages::logs::list;
    post "/engagements/{id}/procedures/{pid}/logs" AtClient(P::ProcedureWriteBlueAssigned), TEXTS => crate::procedures::pages::logs::create;
    get "/engagements/{id}/procedures/{pid}/logs/new" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::logs::new;
    get "/engagements/{id}/procedures/{pid}/logs/{entry}" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::logs::edit;
    post "/engagements/{id}/procedures/{pid}/logs/{entry}" AtClient(P::ProcedureWriteBlueAssigned), TEXTS => crate::procedures::pages::logs::update;
    get "/engagements/{id}/procedures/{pid}/logs/{entry}/removal" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::logs::removal;
    post "/engagements/{id}/procedures/{pid}/logs/{entry}/removal" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::logs::remove;
    get "/engagements/{id}/procedures/{pid}/attachments" AtClient(P::EngagementRead) => crate::procedures::pages::attachments::list;
    post "/engagements/{id}/procedures/{pid}/attachments" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::attachments::create;
    get "/engagements/{id}/procedures/{pid}/attachments/new" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::attachments::new;
    get "/engagements/{id}/attachments/{attachment}" AtClient(P::EngagementRead) => crate::procedures::pages::attachments::file;
    get "/engagements/{id}/attachments/{attachment}/edit" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::attachments::edit;
    post "/engagements/{id}/attachments/{attachment}/edit" AtClient(P::ProcedureWriteBlueAssigned), TEXTS => crate::procedures::pages::attachments::update;
    get "/engagements/{id}/attachments/{attachment}/removal" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::attachments::removal;
    post "/engagements/{id}/attachments/{attachment}/removal" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::attachments::remove;
    get "/engagements/{id}/procedures/{pid}/assets" AtClient(P::EngagementRead) => crate::procedures::pages::assets::list;
    post "/engagements/{id}/procedures/{pid}/assets" AtClient(P::ProcedureWriteBlueAssigned), LISTS => crate::procedures::pages::assets::add;
    get "/engagements/{id}/procedures/{pid}/assets/new" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::assets::new;
    post "/engagements/{id}/procedures/{pid}/assets/create" AtClient(P::ProcedureWriteBlueAssigned), TEXTS => crate::procedures::pages::assets::create;
    get "/engagements/{id}/procedures/{pid}/assets/{asset}" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::assets::edit;
    post "/engagements/{id}/procedures/{pid}/assets/{asset}" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::assets::update;
    post "/engagements/{id}/procedures/{pid}/assets/{asset}/removal" AtClient(P::ProcedureWriteBlueAssigned) => crate::procedures::pages::assets::remove;
};

const SCHEDULE: &[Row] = table! {
    get "/schedule" AtClient(P::EngagementRead) => crate::schedule::pages::show::show;
    get "/schedule/request" AtClient(P::EngagementRequest) => crate::schedule::pages::requests::new;
    post "/schedule/request" AtClient(P::EngagementRequest) => crate::schedule::pages::requests::create;
    get "/schedule/requests" AtClient(P::EngagementApprove) => crate::schedule::pages::requests::queue;
    get "/schedule/{id}" AtClient(P::EngagementRead) => crate::schedule::pages::show::drawer;
    get "/engagements/{id}/approval" AtClient(P::EngagementApprove) => crate::schedule::pages::approval::show;
    post "/engagements/{id}/approval" AtClient(P::EngagementApprove), LISTS => crate::schedule::pages::approval::post;
    get "/engagements/{id}/declination" AtClient(P::EngagementApprove) => crate::schedule::pages::requests::decline_form;
    post "/engagements/{id}/declination" AtClient(P::EngagementApprove), TEXTS => crate::schedule::pages::requests::decline;
};

const REPORTS: &[Row] = table! {
    get "/engagements/{engagement}/submit" AtClient(P::EngagementSubmit) => crate::reports::pages::confirm;
    post "/engagements/{engagement}/submit" AtClient(P::EngagementSubmit) => crate::reports::pages::submit;
    get "/reports" SignedIn => crate::reports::pages::list;
    get "/reports/{report}" AtClient(P::ReportReadPublished) => crate::reports::pages::show;
    get "/reports/{report}/edit" AtClient(P::ReportEdit) => crate::reports::pages::edit::narrative;
    post "/reports/{report}/edit" AtClient(P::ReportEdit), TEXTS => crate::reports::pages::edit::save_narrative;
    get "/reports/{report}/move" AtClient(P::ReportRead) => crate::reports::pages::moves::ask;
    post "/reports/{report}/move" AtClient(P::ReportRead), TEXTS => crate::reports::pages::moves::act;
    get "/reports/{report}/revisions/{n}" AtClient(P::ReportRead) => crate::reports::pages::moves::revision;
    get "/reports/{report}/findings/new" AtClient(P::ReportEdit) => crate::reports::pages::findings::new;
    get "/reports/{report}/findings/{finding}" AtClient(P::ReportEdit) => crate::reports::pages::findings::edit;
    post "/reports/{report}/findings/{finding}" AtClient(P::ReportEdit), TEXTS => crate::reports::pages::findings::save;
    post "/reports/{report}/findings/{finding}/place" AtClient(P::ReportEdit) => crate::reports::pages::findings::shift;
    get "/reports/{report}/findings/{finding}/removal" AtClient(P::ReportEdit) => crate::reports::pages::findings::removal;
    post "/reports/{report}/findings/{finding}/removal" AtClient(P::ReportEdit) => crate::reports::pages::findings::remove;
    get "/reports/{report}/findings/{finding}/remediation" AtClient(P::FindingRemediate) => crate::reports::pages::findings::remediation;
    post "/reports/{report}/findings/{finding}/remediation" AtClient(P::FindingRemediate), TEXTS => crate::reports::pages::findings::remediate;
    get "/reports/{report}/procedures/{pid}/correction" AtClient(P::ReportEdit) => crate::reports::pages::edit::correction;
    post "/reports/{report}/procedures/{pid}/correction" AtClient(P::ReportEdit), TEXTS => crate::reports::pages::edit::correct;
};

const ADMIN: &[Row] = table! {
    get "/admin" SignedIn => crate::admin::pages::index;
    get "/admin/jobs" Own(P::JobRun) => crate::admin::pages::jobs;
    post "/admin/jobs/{job}/run" Own(P::JobRun) => crate::admin::pages::run;
    get "/admin/settings" Own(P::SettingManage) => crate::admin::settings_pages::show;
    post "/admin/settings" Own(P::SettingManage) => crate::admin::settings_pages::save;
    post "/admin/settings/outcomes" Own(P::SettingManage) => crate::admin::settings_pages::add_outcome;
    post "/admin/settings/outcomes/{outcome}" Own(P::SettingManage) => crate::admin::settings_pages::save_outcome;
    get "/admin/audit-log" AtClient(P::AuditLogReadClient) => crate::audit::pages::show;
    get "/admin/audit-log.csv" AtClient(P::AuditLogReadClient) => crate::audit::pages::csv;
    get "/admin/audit-log.jsonl" AtClient(P::AuditLogReadClient) => crate::audit::pages::jsonl;
    get "/admin/audit-log/fresh" AtClient(P::AuditLogReadClient) => crate::audit::pages::fresh;
    get "/admin/users" Own(P::UserRead) => crate::accounts::users::pages::list;
    get "/admin/users.csv" Own(P::UserRead) => crate::accounts::users::pages::export;
    get "/admin/users/new" Own(P::UserManage) => crate::accounts::users::pages::new;
    post "/admin/users/new" Own(P::UserManage), LISTS => crate::accounts::users::pages::create;
    get "/admin/users/{user}" Own(P::UserRead) => crate::accounts::users::pages::show;
    post "/admin/users/{user}" Own(P::UserManage) => crate::accounts::users::pages::save;
    post "/admin/users/{user}/roles" Own(P::RoleManage), LISTS => crate::accounts::users::pages::save_roles;
    get "/admin/users/{user}/{act}" Own(P::UserManage) => crate::accounts::users::pages::confirm;
    post "/admin/users/{user}/{act}" Own(P::UserManage) => crate::accounts::users::pages::act;
    get "/admin/roles" Own(P::RoleRead) => crate::accounts::roles::pages::list;
    get "/admin/roles/new" Own(P::RoleManage) => crate::accounts::roles::pages::new;
    post "/admin/roles/new" Own(P::RoleManage), TEXTS => crate::accounts::roles::pages::create;
    get "/admin/roles/{role}" Own(P::RoleRead) => crate::accounts::roles::pages::show;
    post "/admin/roles/{role}" Own(P::RoleManage), TEXTS => crate::accounts::roles::pages::save;
    get "/admin/roles/{role}/delete" Own(P::RoleManage) => crate::accounts::roles::pages::delete_form;
    post "/admin/roles/{role}/delete" Own(P::RoleManage) => crate::accounts::roles::pages::delete;
    get "/admin/access" Own(P::AccessRead) => crate::accounts::access::pages::list;
    get "/admin/access.csv" Own(P::AccessRead) => crate::accounts::access::pages::export;
    post "/admin/access" Own(P::AccessManage) => crate::accounts::access::pages::give;
    get "/admin/access/{person}/{access}/removal" Own(P::AccessManage) => crate::accounts::access::pages::removal;
    post "/admin/access/{person}/{access}/removal" Own(P::AccessManage) => crate::accounts::access::pages::take;
};

const DASHBOARD: &[Row] = table! {
    get "/" SignedIn => crate::dashboard::pages::show;
};

/// Registers the table. Everything else is NotFound, rendered like any other.
pub fn configure(config: &mut web::ServiceConfig) {
    for row in TABLE.iter().copied().flatten() {
        let guarded = (row.route)().wrap(from_fn(move |req, next| guard(row, req, next)));
        config.route(row.path, guarded);
    }
    config.default_service(web::route().to(|| async { Err::<&str, _>(Error::NotFound) }));
}

async fn guard(
    row: &Row,
    req: actix_web::dev::ServiceRequest,
    next: Next<actix_web::body::BoxBody>,
) -> Result<ServiceResponse<actix_web::body::BoxBody>, actix_web::Error> {
    req.extensions_mut().insert(row.limit);
    // An error returned from here would reach the edge without its request: it becomes an answer at once.
    if let Err(refused) = judge(row, req.request()).await {
        return Ok(req.error_response(refused));
    }
    next.call(req).await
}

/// Everything that can be told from the head of a request, before a byte of its body is read.
async fn judge(row: &Row, req: &actix_web::HttpRequest) -> Result<(), Error> {
    if row.access == Public {
        return Ok(());
    }
    let ctx = Ctx::of(req)?;
    let viewer = ctx.viewer.clone().ok_or(Error::Unauthenticated)?;
    // The way out of the duty, and out of the app, stays open.
    let open = [
        "/account/two-factor",
        "/account/proof",
        "/account/idle",
        "/account/stay",
        "/account/theme",
        "/sign-out",
    ];
    if viewer.two_factor_due && !open.contains(&req.path()) {
        return Err(Error::SecondFactorDue);
    }
    match row.access {
        Access::Own(permission) if !viewer.rights.may(permission) => Err(Error::Forbidden(String::new())),
        // What is asked for without a form is judged where it is read, in the statements that read it.
        Access::AtClient(permission) if row.method == "post" => {
            let value = |name: &str| req.match_info().get(name).and_then(|value| value.parse().ok());
            let Some(subject) = Subject::of(row.path, value) else {
                return if viewer.rights.may_anywhere(permission) {
                    Ok(())
                } else {
                    Err(Error::Forbidden(String::new()))
                };
            };
            let Owner { client, unpublished } =
                ctx.app.db.read(move |conn| Ok(subject.find_owner(conn)?)).await?.ok_or(Error::NotFound)?;
            let may = |right| viewer.rights.may_at(right, client);
            let hidden = unpublished && may(P::ReportReadPublished) && !may(P::ReportRead);
            let sees = viewer.rights.clients.contains_key(&client) && !hidden;
            match may(permission) {
                true if sees => Ok(()),
                false if sees => Err(Error::Forbidden(String::new())),
                _ => Err(Error::NotFound),
            }
        }
        _ => Ok(()),
    }
}

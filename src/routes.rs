//! The route table: every address of the product and its handler. Who may ask stands in the handler's first
//! argument; a row that asks nobody is marked `public` or `machine`. A path that is not here does not exist,
//! and a row of neither kind answers nobody who is not signed in, whatever its handler does. A test calls
//! every row as every kind of person and compares with a checked-in matrix.

use actix_web::web;

use crate::kernel::base::error::Error;
use crate::kernel::web::assets;
use crate::kernel::web::route::{Row, register, rows};
use crate::{
    accounts, admin, audit, clients, coverage, dashboard, engagements, harvest, imports, library, procedures,
    reports, schedule, settings, tags,
};

/// The tables of all slices.
pub const TABLE: &[&[Row]] = &[
    WAYS_IN,
    ACCOUNTS,
    CLIENTS,
    EXPORTS,
    LIBRARY,
    IMPORTS,
    ENGAGEMENTS,
    PROCEDURES,
    PROCEDURE_PARTS,
    SCHEDULE,
    REPORTS,
    ADMIN,
    DASHBOARD,
];

/// What other programs ask for.
pub const MACHINE: &[Row] = rows! { machine:
    get "/assets/{path:.*}" => assets::serve;
};

const WAYS_IN: &[Row] = rows! { public:
    get "/sign-in" => accounts::pages::sign_in::sign_in_form;
    post "/sign-in" => accounts::pages::sign_in::sign_in;
    get "/sign-in/code" => accounts::pages::sign_in::code_form;
    post "/sign-in/code" => accounts::pages::sign_in::code;
    get "/link/{token}" => accounts::pages::sign_in::link_form;
    post "/link/{token}" => accounts::pages::sign_in::use_link;
};

const ACCOUNTS: &[Row] = rows! {
    post "/sign-out" => accounts::pages::sign_in::sign_out;
    get "/account" => accounts::pages::own::account;
    post "/account/password" => accounts::pages::own::change_password;
    get "/account/proof" => accounts::pages::own::proof_form;
    post "/account/proof" => accounts::pages::own::prove;
    get "/account/two-factor" => accounts::pages::own::two_factor;
    post "/account/two-factor" => accounts::pages::own::enrol;
    post "/account/two-factor/codes" => accounts::pages::own::new_codes;
    get "/account/two-factor/removal" => accounts::pages::own::removal;
    post "/account/two-factor/removal" => accounts::pages::own::remove;
    post "/account/sessions/end" => accounts::pages::own::end_others;
    post "/account/sessions/{session}/end" => accounts::pages::own::end_session;
    get "/account/idle" => accounts::pages::own::idle;
    post "/account/stay" => accounts::pages::own::stay;
    post "/account/notices/read" => accounts::pages::notices::read;
    get "/account/drafts" => accounts::pages::drafts::list;
    post "/account/drafts", TEXTS => accounts::pages::drafts::keep;
    post "/account/drafts/discard" => accounts::pages::drafts::discard;
    post "/account/theme" => accounts::pages::own::theme;
    post "/account/shortcuts" => accounts::pages::own::shortcuts;
};

const CLIENTS: &[Row] = rows! {
    get "/clients" => clients::pages::list;
    get "/clients/new" => clients::pages::new;
    post "/clients/new", TEXTS => clients::pages::create;
    get "/clients/{client}" => clients::pages::show;
    get "/clients/{client}/edit" => clients::pages::edit;
    post "/clients/{client}/edit", TEXTS => clients::pages::update;
    get "/clients/{client}/delete" => clients::pages::delete_page;
    post "/clients/{client}/delete" => clients::pages::delete;
    get "/clients/{client}/access" => accounts::access::pages::offer;
    post "/clients/{client}/access" => accounts::access::pages::give_at_client;
    get "/clients/{client}/assets/new" => clients::assets::pages::new;
    post "/clients/{client}/assets/new", TEXTS => clients::assets::pages::create;
    get "/clients/{client}/assets/lines" => clients::assets::pages::lines;
    post "/clients/{client}/assets/lines", TEXTS => clients::assets::pages::create_lines;
    get "/clients/{client}/assets/{asset}" => clients::assets::pages::edit;
    post "/clients/{client}/assets/{asset}", TEXTS => clients::assets::pages::update;
    get "/clients/{client}/assets/{asset}/delete" => clients::assets::pages::delete_page;
    post "/clients/{client}/assets/{asset}/delete" => clients::assets::pages::delete;
};

const PROCEDURES: &[Row] = rows! {
    get "/engagements/{id}/procedures/{pid}" => procedures::pages::page::show;
    post "/engagements/{id}/procedures/{pid}", TEXTS => procedures::pages::page::save;
    post "/engagements/{id}/procedures/{pid}/start", TEXTS => procedures::pages::page::start;
    post "/engagements/{id}/procedures/{pid}/steps/{step}/{word}" => procedures::pages::page::tick;
    post "/engagements/{id}/procedures/{pid}/inputs", TEXTS => procedures::pages::page::inputs;
    get "/engagements/{id}/procedures/{pid}/jump" => procedures::pages::page::jump;
    get "/engagements/{id}/procedures/{pid}/fresh" => procedures::pages::page::fresh;
    post "/engagements/{id}/procedures/{pid}/draft", TEXTS => procedures::pages::page::keep_draft;
    post "/engagements/{id}/procedures/{pid}/draft/discard" => procedures::pages::page::discard_draft;
    get "/engagements/{id}/procedures/{pid}/operators" => procedures::pages::operators::edit;
    post "/engagements/{id}/procedures/{pid}/operators", LISTS => procedures::pages::operators::update;
    get "/engagements/{id}/procedures/{pid}/library" => harvest::pages::procedure;
    post "/engagements/{id}/procedures/{pid}/library", TEXTS => harvest::pages::save_procedure;
    get "/engagements/{id}/test-plan" => harvest::pages::plan;
    post "/engagements/{id}/test-plan", TEXTS => harvest::pages::save_plan;
    get "/engagements/{id}/queue" => procedures::pages::queue::show;
    get "/engagements/{id}/events" => procedures::pages::events::events;
};

// Above the pages whose placeholders would match them too.
const EXPORTS: &[Row] = rows! {
    get "/test-plans/{id}.yaml" => imports::pages::exports::plan_yaml;
    get "/test-plans/{id}/layer.json" => imports::pages::exports::plan_layer;
    get "/library/layer.json" => imports::pages::exports::library_layer;
    get "/library/repositories/{shelf}/archive.zip" => imports::pages::exports::archive;
};

const LIBRARY: &[Row] = rows! {
    get "/library" => library::pages::procedures::home;
    get "/library/procedures" => library::pages::procedures::list;
    post "/library/procedures/ticked", LISTS => library::pages::procedures::act;
    get "/library/procedures/new" => library::pages::writing::new;
    post "/library/procedures/new", LISTS => library::pages::writing::create;
    get "/library/procedures/{shelved}" => library::pages::procedures::one;
    get "/library/procedures/{shelved}/edit" => library::pages::writing::edit;
    post "/library/procedures/{shelved}/edit", LISTS => library::pages::writing::update;
    get "/library/procedures/{shelved}/uses" => harvest::pages::uses;
    get "/library/procedures/{shelved}/versions" => library::pages::procedures::versions;
    post "/library/procedures/{shelved}/restoration" => library::pages::procedures::restore;
    get "/library/repositories" => library::pages::repositories::list;
    get "/library/repositories/new" => library::pages::repositories::new;
    post "/library/repositories/new", LISTS => library::pages::repositories::create;
    get "/library/repositories/{shelf}" => library::pages::repositories::show;
    get "/library/repositories/{shelf}/edit" => library::pages::repositories::edit;
    post "/library/repositories/{shelf}/edit", LISTS => library::pages::repositories::update;
    get "/library/repositories/{shelf}/copy" => library::pages::repositories::copy_form;
    post "/library/repositories/{shelf}/copy" => library::pages::repositories::copy;
    get "/library/repositories/{shelf}/delete" => library::pages::repositories::delete_form;
    post "/library/repositories/{shelf}/delete" => library::pages::repositories::delete;
    get "/library/tactics" => library::pages::attack::tactics;
    get "/library/tactics/new" => library::pages::terms::new_tactic;
    post "/library/tactics/new", LISTS => library::pages::terms::create_tactic;
    get "/library/techniques" => library::pages::attack::techniques;
    get "/library/techniques/matrix" => coverage::pages::show;
    get "/library/techniques/new" => library::pages::terms::new_technique;
    post "/library/techniques/new", LISTS => library::pages::terms::create_technique;
    get "/library/techniques/{id}" => library::pages::attack::technique;
    get "/library/methodologies" => library::pages::attack::methodologies;
    get "/library/methodologies/new" => library::pages::terms::new_methodology;
    post "/library/methodologies/new", LISTS => library::pages::terms::create_methodology;
    get "/library/methodologies/{methodology}" => library::pages::terms::methodology;
    get "/library/terms/{term}/edit" => library::pages::terms::edit;
    post "/library/terms/{term}/edit", LISTS => library::pages::terms::update;
    get "/library/terms/{term}/delete" => library::pages::terms::delete_form;
    post "/library/terms/{term}/delete" => library::pages::terms::delete;
    get "/test-plans" => library::pages::plans::list;
    get "/test-plans/new" => library::pages::plans::new_form;
    post "/test-plans/new", LISTS => library::pages::plans::create;
    get "/test-plans/{id}" => library::pages::plans::one;
    get "/test-plans/{id}/edit" => library::pages::plans::edit_form;
    post "/test-plans/{id}/edit", LISTS => library::pages::plans::edit;
    get "/test-plans/{id}/versions" => library::pages::revisions::list;
    get "/test-plans/{id}/versions/{n}" => library::pages::revisions::one;
    post "/test-plans/{id}/versions/{n}/restoration" => library::pages::revisions::restore;
    get "/test-plans/{id}/delete" => library::pages::plans::delete_form;
    post "/test-plans/{id}/delete" => library::pages::plans::delete;
};

const IMPORTS: &[Row] = rows! {
    get "/library/import" => imports::pages::uploads::list;
    post "/library/import" => imports::pages::uploads::receive;
    get "/library/imports/{import}" => imports::pages::uploads::show;
    get "/library/imports/{import}/events" => imports::pages::uploads::events;
    post "/library/imports/{import}/check", LISTS => imports::pages::uploads::check_again;
    post "/library/imports/{import}/apply", LISTS => imports::pages::uploads::apply;
    post "/library/imports/{import}/discard", LISTS => imports::pages::uploads::discard;
    get "/library/imports/{import}/undo" => imports::pages::uploads::undo_form;
    post "/library/imports/{import}/undo" => imports::pages::uploads::undo;
    get "/library/copies" => imports::pages::copies::list;
    get "/library/copies/{copy}" => imports::pages::copies::one;
    post "/library/copies/{copy}", LISTS => imports::pages::copies::take;
    get "/library/releases" => imports::pages::releases::show;
    post "/library/releases", LISTS => imports::pages::releases::update;
};

const ENGAGEMENTS: &[Row] = rows! {
    get "/engagements" => engagements::pages::list::list;
    get "/engagements/new" => engagements::pages::wizard::new;
    get "/engagements/new/{draft}" => engagements::pages::wizard::show;
    post "/engagements/new/{draft}", LISTS => engagements::pages::wizard::post;
    get "/engagements/{id}" => engagements::pages::show::show;
    get "/engagements/{id}/layer.json" => engagements::pages::layer::show;
    get "/engagements/{id}/sections/{section}" => engagements::pages::show::section;
    post "/engagements/{id}/sections" => engagements::pages::show::remember;
    get "/engagements/{id}/cell" => engagements::pages::cells::edit;
    get "/engagements/{id}/procedures/{pid}/cell/{field}" => engagements::pages::cells::value_of;
    post "/engagements/{id}/procedures/{pid}/cell/{field}", TEXTS => engagements::pages::cells::save;
    get "/engagements/{id}/procedures/add" => engagements::pages::plan::add_form;
    post "/engagements/{id}/procedures/add", LISTS => engagements::pages::plan::add;
    get "/engagements/{id}/procedures/order" => engagements::pages::plan::order_form;
    post "/engagements/{id}/procedures/order", LISTS => engagements::pages::plan::order;
    get "/engagements/{id}/procedures/{pid}/removal" => engagements::pages::plan::removal;
    post "/engagements/{id}/procedures/{pid}/removal" => engagements::pages::plan::remove;
    post "/engagements/{id}/operators", LISTS => engagements::pages::plan::operators;
    post "/engagements/{id}/inputs", LISTS => engagements::pages::plan::inputs;
    get "/engagements/{id}/origins" => engagements::pages::origins::show;
    get "/engagements/{id}/edit" => engagements::pages::details::edit;
    post "/engagements/{id}/edit", TEXTS => engagements::pages::details::save;
    post "/engagements/{id}/start" => engagements::pages::lifecycle::start;
    get "/engagements/{id}/cancellation" => engagements::pages::lifecycle::cancel_form;
    post "/engagements/{id}/cancellation", TEXTS => engagements::pages::lifecycle::cancel;
    get "/engagements/{id}/delete" => engagements::pages::lifecycle::delete_form;
    post "/engagements/{id}/delete" => engagements::pages::lifecycle::delete;
};

const PROCEDURE_PARTS: &[Row] = rows! {
    get "/engagements/{id}/procedures/{pid}/logs" => procedures::pages::logs::list;
    post "/engagements/{id}/procedures/{pid}/logs", TEXTS => procedures::pages::logs::create;
    get "/engagements/{id}/procedures/{pid}/logs/new" => procedures::pages::logs::new;
    get "/engagements/{id}/procedures/{pid}/logs/{entry}" => procedures::pages::logs::edit;
    post "/engagements/{id}/procedures/{pid}/logs/{entry}", TEXTS => procedures::pages::logs::update;
    get "/engagements/{id}/procedures/{pid}/logs/{entry}/removal" => procedures::pages::logs::removal;
    post "/engagements/{id}/procedures/{pid}/logs/{entry}/removal" => procedures::pages::logs::remove;
    get "/engagements/{id}/procedures/{pid}/attachments" => procedures::pages::attachments::list;
    post "/engagements/{id}/procedures/{pid}/attachments" => procedures::pages::attachments::create;
    get "/engagements/{id}/procedures/{pid}/attachments/new" => procedures::pages::attachments::new;
    get "/engagements/{id}/attachments/{attachment}" => procedures::pages::attachments::file;
    get "/engagements/{id}/attachments/{attachment}/edit" => procedures::pages::attachments::edit;
    post "/engagements/{id}/attachments/{attachment}/edit", TEXTS => procedures::pages::attachments::update;
    get "/engagements/{id}/attachments/{attachment}/removal" => procedures::pages::attachments::removal;
    post "/engagements/{id}/attachments/{attachment}/removal" => procedures::pages::attachments::remove;
    get "/engagements/{id}/procedures/{pid}/assets" => procedures::pages::assets::list;
    post "/engagements/{id}/procedures/{pid}/assets", LISTS => procedures::pages::assets::add;
    get "/engagements/{id}/procedures/{pid}/assets/new" => procedures::pages::assets::new;
    post "/engagements/{id}/procedures/{pid}/assets/create", TEXTS => procedures::pages::assets::create;
    get "/engagements/{id}/procedures/{pid}/assets/{asset}" => procedures::pages::assets::edit;
    post "/engagements/{id}/procedures/{pid}/assets/{asset}" => procedures::pages::assets::update;
    post "/engagements/{id}/procedures/{pid}/assets/{asset}/removal" => procedures::pages::assets::remove;
};

const SCHEDULE: &[Row] = rows! {
    get "/schedule" => schedule::pages::show::show;
    get "/schedule/request" => engagements::pages::requests::new;
    post "/schedule/request" => engagements::pages::requests::create;
    get "/schedule/requests" => engagements::pages::requests::queue;
    get "/schedule/{id}" => schedule::pages::show::drawer;
    get "/engagements/{id}/approval" => engagements::pages::approval::show;
    post "/engagements/{id}/approval", LISTS => engagements::pages::approval::post;
    get "/engagements/{id}/declination" => engagements::pages::requests::decline_form;
    post "/engagements/{id}/declination", TEXTS => engagements::pages::requests::decline;
};

const REPORTS: &[Row] = rows! {
    get "/engagements/{engagement}/submit" => reports::pages::confirm;
    post "/engagements/{engagement}/submit" => reports::pages::submit;
    get "/engagements/{engagement}/print" => reports::pages::printed::show;
    get "/engagements/{engagement}/margins.css" => reports::pages::printed::margins;
    get "/findings" => reports::pages::across::list;
    get "/reports" => reports::pages::list;
    get "/reports/{report}" => reports::pages::show;
    get "/reports/{report}/attachments/{attachment}" => reports::pages::evidence;
    get "/reports/{report}/margins.css" => reports::pages::margins;
    get "/reports/{report}/edit" => reports::pages::edit::narrative;
    post "/reports/{report}/edit", TEXTS => reports::pages::edit::save_narrative;
    get "/reports/{report}/move" => reports::pages::moves::ask;
    post "/reports/{report}/move", TEXTS => reports::pages::moves::act;
    get "/reports/{report}/revisions/{n}" => reports::pages::moves::revision;
    get "/reports/{report}/findings/new" => reports::pages::findings::new;
    get "/reports/{report}/findings/{finding}" => reports::pages::findings::edit;
    post "/reports/{report}/findings/{finding}", TEXTS => reports::pages::findings::save;
    post "/reports/{report}/findings/{finding}/place" => reports::pages::findings::shift;
    get "/reports/{report}/findings/{finding}/removal" => reports::pages::findings::removal;
    post "/reports/{report}/findings/{finding}/removal" => reports::pages::findings::remove;
    get "/reports/{report}/findings/{finding}/remediation" => reports::pages::findings::remediation;
    post "/reports/{report}/findings/{finding}/remediation", TEXTS => reports::pages::findings::remediate;
    get "/reports/{report}/sections/{part}" => reports::pages::section;
    get "/reports/{report}/procedures/{n}" => reports::pages::procedure;
    get "/reports/{report}/procedures/{pid}/correction" => reports::pages::edit::correction;
    post "/reports/{report}/procedures/{pid}/correction", TEXTS => reports::pages::edit::correct;
};

const ADMIN: &[Row] = rows! {
    get "/admin" => admin::pages::index;
    get "/admin/jobs" => admin::pages::jobs;
    post "/admin/jobs/{job}/run" => admin::pages::run;
    get "/admin/settings" => settings::pages::show;
    post "/admin/settings" => settings::pages::save;
    post "/admin/settings/lists", LISTS => settings::pages::save_lists;
    post "/admin/settings/outcomes" => settings::pages::add_outcome;
    post "/admin/settings/outcomes/{outcome}" => settings::pages::save_outcome;
    get "/admin/tags" => tags::pages::list;
    get "/admin/tags/rename" => tags::pages::rename_form;
    post "/admin/tags/rename" => tags::pages::rename;
    get "/admin/audit-log" => audit::log::pages::show;
    get "/admin/audit-log.csv" => audit::log::pages::csv;
    get "/admin/audit-log.jsonl" => audit::log::pages::jsonl;
    get "/admin/audit-log/audit.pub" => audit::log::pages::keys;
    get "/admin/audit-log/fresh" => audit::log::pages::fresh;
    get "/admin/audit-log/proof" => audit::proof::pages::show;
    get "/admin/users" => accounts::users::pages::list;
    get "/admin/users.csv" => accounts::users::pages::export;
    get "/admin/users/new" => accounts::users::pages::new;
    post "/admin/users/new", LISTS => accounts::users::pages::create;
    get "/admin/users/{user}" => accounts::users::pages::show;
    post "/admin/users/{user}" => accounts::users::pages::save;
    post "/admin/users/{user}/roles", LISTS => accounts::users::pages::save_roles;
    get "/admin/users/{user}/{act}" => accounts::users::pages::confirm;
    post "/admin/users/{user}/{act}" => accounts::users::pages::act;
    get "/admin/roles" => accounts::roles::pages::list;
    get "/admin/roles/new" => accounts::roles::pages::new;
    post "/admin/roles/new", TEXTS => accounts::roles::pages::create;
    get "/admin/roles/{role}" => accounts::roles::pages::show;
    post "/admin/roles/{role}", TEXTS => accounts::roles::pages::save;
    get "/admin/roles/{role}/delete" => accounts::roles::pages::delete_form;
    post "/admin/roles/{role}/delete" => accounts::roles::pages::delete;
    get "/admin/access" => accounts::access::pages::list;
    get "/admin/access.csv" => accounts::access::pages::export;
    post "/admin/access" => accounts::access::pages::give;
    get "/admin/access/{person}/{access}/removal" => accounts::access::pages::removal;
    post "/admin/access/{person}/{access}/removal" => accounts::access::pages::take;
};

const DASHBOARD: &[Row] = rows! {
    get "/" => dashboard::pages::show;
    get "/tags.json" => tags::pages::offered;
    post "/admin/first-hour/{noted}" => dashboard::pages::note_first_hour;
};

/// Registers the table. Everything else is NotFound, rendered like any other.
pub fn configure(config: &mut web::ServiceConfig) {
    register(config, TABLE.iter().copied().flatten());
    config.default_service(web::route().to(|| async { Err::<&str, _>(Error::NotFound) }));
}

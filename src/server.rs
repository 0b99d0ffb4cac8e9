//! Puts the app together: boot (database, schema, roles, starter library), the HTTP server with its layers,
//! the end.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_session::SessionMiddleware;
use actix_session::config::{BrowserSession, CookieContentSecurity};
use actix_web::cookie::SameSite;
use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App as Actix, HttpServer, web};
use anyhow::bail;
use chrono::{DateTime, Utc};
use object_store::local::LocalFileSystem;
use secrecy::ExposeSecret;

use crate::accounts::domain::LinkPurpose;
use crate::accounts::session::{self, Sessions};
use crate::accounts::store::secret_key::{self, KeyStanding};
use crate::accounts::store::sessions::ABSOLUTE_HOURS;
use crate::jobs::JOBS;
use crate::kernel::app::{App, Keys};
use crate::kernel::base::clock::Clock;
use crate::kernel::config::Config;
use crate::kernel::db::embedded::{APP, Cluster, Durability, OWNER, ROLES, SEALER};
use crate::kernel::db::migrate::{Standing, migrate, standing};
use crate::kernel::db::{Db, PoolSize};
use crate::kernel::event::domain::Actor;
use crate::kernel::job::Jobs;
use crate::kernel::live::Live;
use crate::kernel::web::route::{Row, register};

/// Name of the embedded cluster's database.
pub const DATABASE: &str = "tyrian";

/// A booted application and, where there is one, the database it brought along.
pub struct Booted {
    /// The application; its jobs do not run yet.
    pub app: App,
    pub cluster: Option<Cluster>,
}

/// A database that was reached and checked, and the application on it, before it has what every start puts
/// there.
struct Reached {
    app: App,
    cluster: Option<Cluster>,
    /// The owner's URL, where it is known.
    owner: Option<String>,
}

/// Reaches the database (starting and migrating the embedded one), checks the schema, makes roles and the
/// starter library.
///
/// # Errors
/// A sentence that says what to mend.
pub fn boot(config: Config, clock: Clock) -> anyhow::Result<Booted> {
    let Reached { app, cluster, .. } = reach(config, clock)?;
    check_key(&app)?;
    prepare(&app)?;
    Ok(Booted { app, cluster })
}

/// As [`boot`], also where the database was made with another secret key: for what does not need it, and for
/// going on with another one.
///
/// # Errors
/// As [`boot`].
pub fn boot_under_any_key(config: Config, clock: Clock) -> anyhow::Result<Booted> {
    let Reached { app, cluster, .. } = reach(config, clock)?;
    prepare(&app)?;
    Ok(Booted { app, cluster })
}

/// Stops a start with another secret key than the database was made with. A key that this start has just made
/// goes again, so that the one from a backup can be put in its place.
fn check_key(app: &App) -> anyhow::Result<()> {
    match app.db.read_blocking(|conn| secret_key::standing(conn, &app.keys))? {
        KeyStanding::Known => return Ok(()),
        KeyStanding::New => return Ok(secret_key::record(&app.db, &app.keys, app.clock.now())?),
        KeyStanding::Another => {}
    }
    let what = match &app.config.secret_made {
        Some(path) => {
            std::fs::remove_file(path)?;
            format!("the secret key is not there: {} is missing", path.display())
        }
        None => "this is not the secret key that the database was made with".to_owned(),
    };
    bail!(
        "{what}. Second factors and links that were handed out hang on it. Put the key from your backup in \
            its \
            place (secret.key, TYRIAN_SECRET_KEY or TYRIAN_SECRET_KEY_FILE). If it is gone for good, \
            `tyrian secret-key adopt` goes on with another one and says whose second factor has to be taken \
            off"
    )
}

/// As [`boot`], with demo data. In the demo's past the start's own events lie in the past, too: the log then
/// begins with them.
///
/// # Errors
/// As [`boot`], and what `seed` says.
pub fn boot_with_demo<T>(
    config: Config,
    clock: Clock,
    seed: impl FnOnce(&App, DateTime<Utc>) -> anyhow::Result<T>,
) -> anyhow::Result<(Booted, T)> {
    let Reached { app, cluster, owner } = reach(config, clock)?;
    check_key(&app)?;
    let past = crate::demo::past(&app, owner.as_deref())?;
    let told = past.as_ref().unwrap_or(&app);
    prepare(told)?;
    let seeded = seed(told, app.clock.now())?;
    Ok((Booted { app, cluster }, seeded))
}

fn reach(config: Config, clock: Clock) -> anyhow::Result<Reached> {
    crate::kernel::base::private::mend(&config.data_dir)?;
    let (url, sealing_url, owner, cluster) = match &config.database_url {
        Some(url) => {
            (url.clone(), config.sealer_database_url.clone(), config.owner_database_url.clone(), None)
        }
        None => {
            let cluster = Cluster::start(&config.data_dir, Durability::Durable)?;
            cluster.ensure_database(DATABASE)?;
            let owner = cluster.url(OWNER, DATABASE);
            migrate(&owner, ROLES)?;
            (cluster.url(APP, DATABASE), Some(cluster.url(SEALER, DATABASE)), Some(owner), Some(cluster))
        }
    };
    let db = Db::open(&url, PoolSize::default(), clock.clone())?;
    match db.read_blocking(|conn| Ok(standing(conn)?)) {
        Ok(Standing::Current) => {}
        Ok(Standing::Older(missing)) => {
            bail!(
                "the database lacks {missing} migrations of this version: run `tyrian migrate` with \
                    TYRIAN_OWNER_DATABASE_URL"
            )
        }
        Ok(Standing::Newer) => bail!(
            "the database was migrated by a newer version of Tyrian: start that one, or restore an older \
                backup"
        ),
        Err(away) => bail!("the database cannot be reached: {away}"),
    }
    let sealing = sealing_url.map(|url| Db::open(&url, PoolSize::SEALING, clock.clone())).transpose()?;
    let app = assemble(config, db, sealing, clock)?;
    if !app.sealing.read_blocking(|conn| Ok(crate::audit::proof::store::seal::may_seal(conn)?))? {
        bail!(
            "the audit log cannot be sealed: `tyrian migrate` gave that to a role of its own. Set \
                TYRIAN_SEALER_DATABASE_URL, or migrate again without it"
        )
    }
    Ok(Reached { app, cluster, owner })
}

/// The application's state on an open database. `sealing` is the same database as the role that seals;
/// without one the app's role does.
///
/// # Errors
/// When the attachment directory cannot be made.
pub fn assemble(config: Config, db: Db, sealing: Option<Db>, clock: Clock) -> anyhow::Result<App> {
    let attachments = config.attachments();
    crate::kernel::base::private::data_directory(&config.data_dir)?;
    crate::kernel::base::private::directory(&attachments)?;
    let keys = Arc::new(Keys::derive(config.secret.expose_secret().as_bytes(), config.is_https()));
    Ok(App {
        blobs: Arc::new(LocalFileSystem::new_with_prefix(&attachments)?.with_fsync(true)),
        live: Live::default(),
        jobs: Jobs::idle(JOBS),
        keys,
        config: Arc::new(config),
        clock,
        sealing: sealing.unwrap_or_else(|| db.clone()),
        db,
    })
}

/// What every database must hold before the first request: the roles and, on the first start, zone and
/// starter library.
///
/// # Errors
/// When the database refuses.
pub fn prepare(app: &App) -> anyhow::Result<()> {
    let system = Actor::system();
    app.db.write_blocking(&system, crate::accounts::store::seed_roles)?;
    let first = !app.db.read_blocking(crate::accounts::store::has_people)?;
    if first && app.config.time_zone != "UTC" {
        let zone = app.config.time_zone.clone();
        app.db.write_blocking(&system, |tx| crate::accounts::store::seed_time_zone(tx, &zone))?;
    }
    crate::library::store::seed_starter(&app.db)?;
    Ok(())
}

/// The link that makes the first administrator; none once somebody has an account.
///
/// # Errors
/// When the database refuses.
pub fn first_link(app: &App) -> anyhow::Result<Option<String>> {
    if app.db.read_blocking(crate::accounts::store::has_people)? {
        return Ok(None);
    }
    Ok(Some(crate::accounts::pages::sign_in::make_link(app, LinkPurpose::FirstAdministrator, None, 72)?))
}

/// Every row of the product.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    machine_rows().chain(crate::routes::TABLE.iter().copied().flatten())
}

fn machine_rows() -> impl Iterator<Item = &'static Row> {
    crate::health::ROWS.iter().chain(crate::routes::MACHINE)
}

/// The HTTP server on a bound listener.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(app: App, listener: TcpListener, workers: usize) -> std::io::Result<Server> {
    let state = web::Data::new(app);
    let server = HttpServer::new(move || {
        let app = state.as_ref();
        let https = app.config.is_https();
        let sessions = SessionMiddleware::builder(
            Sessions::new(app.db.clone(), app.keys.clone()),
            app.keys.cookie.clone(),
        )
        .cookie_name(app.keys.cookies.session.clone())
        .cookie_secure(https)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_path("/".to_owned())
        .cookie_content_security(CookieContentSecurity::Private)
        .session_lifecycle(
            BrowserSession::default().state_ttl(actix_web::cookie::time::Duration::hours(ABSOLUTE_HOURS)),
        )
        .build();
        let people = web::scope("")
            .wrap(from_fn(session::in_use))
            .wrap(from_fn(crate::kernel::web::kept::kept))
            .wrap(from_fn(crate::kernel::web::edge::same_origin))
            .wrap(from_fn(session::handed_over))
            .wrap(sessions)
            .wrap(from_fn(session::found))
            .configure(crate::routes::configure);
        Actix::new()
            .app_data(state.clone())
            .app_data(
                web::PathConfig::default()
                    .error_handler(|_, _| crate::kernel::base::error::Error::NotFound.into()),
            )
            .wrap(from_fn(crate::kernel::web::edge::edge))
            .wrap(Compress::default())
            .wrap(tracing_actix_web::TracingLogger::<crate::kernel::base::logging::RequestSpan>::new())
            .wrap(from_fn(crate::kernel::web::measure::measure))
            .configure(|config| register(config, machine_rows()))
            .service(people)
    });
    // Without it a page that leaves in two pieces waits 40 ms for the browser's delayed acknowledgement of
    // the first.
    Ok(server
        .tcp_nodelay(true)
        .workers(workers)
        // The command line listens to signals from its first moment on.
        .disable_signals()
        .shutdown_timeout(5)
        .keep_alive(Duration::from_secs(75))
        .listen(listener)?
        .run())
}

/// `/metrics`, on a port of its own.
///
/// # Errors
/// When the address cannot be bound.
pub fn serve_metrics(app: App, address: std::net::SocketAddr) -> std::io::Result<Server> {
    let state = web::Data::new(app);
    let server = HttpServer::new(move || {
        Actix::new().app_data(state.clone()).route("/metrics", web::get().to(crate::metrics::metrics))
    });
    Ok(server.workers(1).disable_signals().bind(address)?.run())
}

//! The command line: one binary, `tyrian`.

pub mod audit;
pub mod exchange;
pub mod export;
pub mod import;
pub mod secret_key;
pub mod signals;
pub mod user;

use std::net::TcpListener;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::audit::proof::seal::KeyFiles;
use crate::audit::proof::sealer::Sealer;
use crate::cli::signals::{Signals, Stop};
use crate::jobs;
use crate::kernel::base::clock::Clock;
use crate::kernel::config::{Config, Options};
use crate::kernel::db::embedded;
use crate::kernel::db::migrate::Roles;
use crate::kernel::job;
use crate::kernel::live::Live;
use crate::server::{self, Booted};

#[derive(Parser)]
#[command(
    name = "tyrian",
    version,
    about = "Purple-team engagements: runbooks, schedule, reports and an audit log that can be proved"
)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the web app
    Serve,
    /// Serve it on the embedded database with demo data, and print the sign-ins
    Dev,
    /// Bring the database's schema to this version, as its owner
    Migrate,
    /// Fill the library: MITRE ATT&CK, Atomic Red Team, test plans, layers, repositories. Retires nothing
    /// without
    /// --withdraw
    Import {
        #[command(subcommand)]
        command: Imports,
    },
    /// Write a test plan, a Navigator layer or a repository to files
    Export {
        #[command(subcommand)]
        command: export::ExportCommand,
    },
    /// Fill an empty installation
    Seed {
        #[command(subcommand)]
        command: SeedCommand,
    },
    /// Users: add, disable, make a link for a new password, take a second factor off
    User {
        #[command(subcommand)]
        command: user::UserCommand,
    },
    /// The secret key: go on with another one than the database was made with
    SecretKey {
        #[command(subcommand)]
        command: secret_key::SecretKeyCommand,
    },
    /// The audit log: verify it, export it
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Jobs: list them, run one now
    Jobs {
        #[command(subcommand)]
        command: JobsCommand,
    },
}

#[derive(Subcommand)]
enum Imports {
    #[command(flatten)]
    Sources(import::ImportCommand),
    #[command(flatten)]
    Exchange(exchange::ExchangeCommand),
}

#[derive(Subcommand)]
enum SeedCommand {
    /// Demo data: clients, people and engagements that are plainly invented; prints the sign-ins
    Demo,
}

#[derive(Subcommand)]
enum JobsCommand {
    /// List every job with its schedule
    List,
    /// Run a job once
    Run {
        /// Its name
        name: String,
        /// Judge what is due as of this time (RFC 3339); events keep the database's time
        #[arg(long)]
        at: Option<chrono::DateTime<chrono::Utc>>,
    },
}

/// Runs the command line.
pub fn main() -> ExitCode {
    crate::kernel::base::private::close_to_others();
    let cli = Cli::parse();
    crate::kernel::base::logging::start();
    let done = run(cli);
    signals::wait_while_ending();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("tyrian: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    // An export proves itself: no database, and no data directory either.
    if let Command::Audit { command: audit::AuditCommand::Verify(asked) } = &cli.command
        && let Some(file) = &asked.export
    {
        return audit::verify_export(&cli.options, asked, file);
    }
    let config = Config::check(&cli.options)?;
    let signals = Signals::take()?;
    match cli.command {
        Command::Serve => serve(config, &signals, false),
        Command::Dev => serve(config, &signals, true),
        Command::Migrate => migrate(&config),
        Command::Import { command: Imports::Sources(command) } => {
            let parsed = import::read(&command)?;
            with_app(config, |app| import::write(app, &command, &parsed))
        }
        Command::Import { command: Imports::Exchange(command) } => {
            let parsed = exchange::read(&command)?;
            with_app(config, |app| exchange::write(app, &command, &parsed))
        }
        Command::Export { command } => with_app(config, |app| export::run(app, &command)),
        Command::Seed { command: SeedCommand::Demo } => {
            let (booted, lines) =
                server::boot_with_demo(config, Clock::machine(), crate::demo::seed_by_hand)?;
            println!("{lines}");
            drop(booted);
            Ok(())
        }
        Command::User { command } => {
            let config = user::addressed(config);
            with_app(config, |app| user::run(app, command))
        }
        Command::SecretKey { command } => secret_key::run(config, &command),
        Command::Audit { command: audit::AuditCommand::SetAside(asked) } => {
            let Booted { app, cluster } = server::boot_under_any_key(config, Clock::machine())?;
            let own = cluster.as_ref().map(|cluster| cluster.url(embedded::OWNER, server::DATABASE));
            let owner = own.or_else(|| app.config.owner_database_url.clone()).context(
                "TYRIAN_OWNER_DATABASE_URL is required: only the database's owner can set something aside",
            )?;
            let done = audit::set_aside(&app, &owner, &asked);
            drop(app);
            drop(cluster);
            done
        }
        // The log proves itself without the secret key.
        Command::Audit { command } => {
            with_booted(server::boot_under_any_key, config, |app| audit::run(app, command))
        }
        Command::Jobs { command } => match command {
            JobsCommand::List => {
                for job in jobs::JOBS {
                    println!("{:<22} {:<14} {}", job.name, job.schedule, job.about);
                }
                Ok(())
            }
            JobsCommand::Run { name, at } => with_app(config, |app| {
                let job = jobs::find(&name).map_err(|_| {
                    anyhow::anyhow!("there is no job “{name}”; `tyrian jobs list` names them")
                })?;
                let done = job::run(&app.reach(), job, job::Trigger::Command, at)?;
                if let Some(wrong) = done.wrong {
                    anyhow::bail!("{wrong}");
                }
                if !done.said.is_empty() {
                    println!("{}", done.said);
                }
                println!("{} moved", done.moved);
                if done.skipped > 0 {
                    println!("{} skipped", done.skipped);
                }
                Ok(())
            }),
        },
    }
}

/// Boots, runs `f`, and stops what it started.
fn with_app(
    config: Config,
    f: impl FnOnce(&crate::kernel::app::App) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    with_booted(server::boot, config, f)
}

fn with_booted(
    boot: fn(Config, Clock) -> anyhow::Result<Booted>,
    config: Config,
    f: impl FnOnce(&crate::kernel::app::App) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Booted { app, cluster } = boot(config, Clock::machine())?;
    let done = f(&app);
    drop(app);
    drop(cluster);
    done
}

fn migrate(config: &Config) -> anyhow::Result<()> {
    let applied = match (&config.database_url, &config.owner_database_url) {
        (None, _) => {
            let cluster = embedded::Cluster::start(&config.data_dir, embedded::Durability::Durable)?;
            cluster.ensure_database(server::DATABASE)?;
            crate::kernel::db::migrate::migrate(
                &cluster.url(embedded::OWNER, server::DATABASE),
                embedded::ROLES,
            )?
        }
        (Some(app), Some(owner)) => {
            let app = role_of(app).context("DATABASE_URL")?;
            let sealer = config
                .sealer_database_url
                .as_deref()
                .map(role_of)
                .transpose()
                .context("TYRIAN_SEALER_DATABASE_URL")?;
            crate::kernel::db::migrate::migrate(
                owner,
                Roles { app: &app, sealer: sealer.as_deref().filter(|sealer| *sealer != app) },
            )?
        }
        (Some(_), None) => {
            anyhow::bail!(
                "TYRIAN_OWNER_DATABASE_URL is required beside DATABASE_URL: the app's own role may not \
                    change the schema"
            )
        }
    };
    println!("{applied} migrations applied");
    Ok(())
}

/// The role that a URL signs in as: what the grants are given to.
fn role_of(url: &str) -> anyhow::Result<String> {
    let after = url.split_once("://").map(|(_, rest)| rest).context("the URL has no scheme")?;
    let from_query = after
        .split_once('?')
        .and_then(|(_, query)| query.split('&').find_map(|pair| pair.strip_prefix("user=")));
    let from_authority = after.split_once('@').map(|(user, _)| user.split(':').next().unwrap_or(user));
    from_query.or(from_authority).map(str::to_owned).context("the URL names no user")
}

fn serve(mut config: Config, signals: &Signals, demo: bool) -> anyhow::Result<()> {
    let listener =
        TcpListener::bind(config.listen).with_context(|| format!("cannot listen on {}", config.listen))?;
    // Port 0 is any that is free.
    config.listen = listener.local_addr()?;
    let (metrics, address) = (config.metrics_listen, config.address());
    std::fs::write(config.address_file(), &address)
        .with_context(|| format!("{} cannot be written", config.address_file().display()))?;
    let (Booted { mut app, cluster }, sign_ins) = if demo {
        server::boot_with_demo(config, Clock::machine(), crate::demo::seed)?
    } else {
        (server::boot(config, Clock::machine())?, None)
    };
    let sealer = Sealer::new(app.sealing.clone(), KeyFiles::of(&app.config), !demo)?;
    let first = server::first_link(&app)?;
    println!("Tyrian is at {address}");
    if app.config.base_url.is_none() && app.config.listen.ip().is_unspecified() {
        println!(
            "Links lead there, which is right on this machine alone. Set TYRIAN_BASE_URL to the address that \
                people type."
        );
    }
    if app.config.base_url.is_none() {
        tracing::info!("names other than localhost are refused until TYRIAN_BASE_URL is set");
    }
    if let Some(link) = first {
        println!(
            "Nobody has an account yet. This link makes the first administrator; it works once, for three \
                days:\n  {link}"
        );
    }
    if let Some(lines) = sign_ins {
        println!("{lines}");
    }
    actix_web::rt::System::new().block_on(async {
        app.jobs = job::Jobs::start(jobs::JOBS, app.reach());
        app.live = Live::default();
        // The feed of settled events is for a collector; whoever tries the demo reads addresses on stdout.
        actix_web::rt::spawn(sealer.run());
        actix_web::rt::spawn(app.live.clone().poll(app.db.clone(), std::time::Duration::from_secs(1)));
        if let Some(address) = metrics {
            actix_web::rt::spawn(server::serve_metrics(app.clone(), address)?);
        }
        let jobs = app.jobs.clone();
        let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        let server = server::serve(app, listener, workers)?;
        let (handle, mut asked) = (server.handle(), signals.hand_over());
        actix_web::rt::spawn(async move {
            if let Ok(stop) = asked.wait_for(Option::is_some).await.map(|stop| *stop) {
                handle.stop(stop == Some(Stop::Graceful)).await;
            }
        });
        let served = server.await;
        jobs.stop().await;
        served
    })?;
    drop(cluster);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_role_is_read_from_either_form_of_url() {
        assert_eq!(super::role_of("postgres://app:secret@db/tyrian").unwrap(), "app");
        assert_eq!(super::role_of("postgresql:///tyrian?host=/run/x&user=tyrian_app").unwrap(), "tyrian_app");
        assert!(super::role_of("postgresql:///tyrian").is_err());
    }

    #[test]
    fn the_command_line_is_well_formed() {
        <super::Cli as clap::CommandFactory>::command().debug_assert();
    }
}

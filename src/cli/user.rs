//! `tyrian user`: for the day when nobody can sign in.

use clap::Subcommand;

use crate::accounts::domain::{LinkPurpose, check_person};
use crate::accounts::pages::sign_in;
use crate::accounts::store;
use crate::kernel::app::App;
use crate::kernel::authz::Permission;
use crate::kernel::authz::policy::PermissionSet;
use crate::kernel::base::error::{Error, FieldErrors};
use crate::kernel::base::network::origin;
use crate::kernel::config::Config;
use crate::kernel::event::domain::{Actor, Event, Kind};

/// What to do with users.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Make a user and print the link on which they choose their password
    Add {
        /// Their name
        #[arg(long)]
        name: String,
        /// Their e-mail address
        #[arg(long)]
        email: String,
        /// Their role: administrator, standard_user, analyst, team_lead or auditor
        #[arg(long, default_value = "standard_user")]
        role: String,
    },
    /// Print a link on which a user chooses a new password
    ResetLink {
        /// Their e-mail address
        email: String,
    },
    /// Take the second factor off an account whose owner cannot use it any more, and end their sessions
    ResetFactor {
        /// Their e-mail address
        email: String,
    },
    /// Disable a user and end their sessions
    Disable {
        /// Their e-mail address
        email: String,
    },
}

/// The configuration with the address that links shall begin with. A shell seldom has the service's settings:
/// the running server left its address in the data directory. Where even that is missing, it is said.
pub fn addressed(mut config: Config) -> Config {
    if config.base_url.is_none() {
        config.base_url =
            std::fs::read_to_string(config.address_file()).ok().and_then(|text| origin(&text).ok());
    }
    if config.base_url.is_none() {
        eprintln!(
            "tyrian: TYRIAN_BASE_URL is not set and no server has left its address here: in a link, replace \
                {} by the address that people type.",
            config.address()
        );
    }
    config
}

/// Runs the command.
///
/// # Errors
/// A sentence.
pub fn run(app: &App, command: UserCommand) -> anyhow::Result<()> {
    let command_line = Actor::command();
    match command {
        UserCommand::Add { name, email, role } => {
            let mut errors = FieldErrors::default();
            check_person(&name, &email, &mut errors);
            errors.done().map_err(told)?;
            let new =
                store::NewPerson { name: &name, email: &email, password_hash: None, roles: &[role.as_str()] };
            let made = app.db.write_blocking(&command_line, |tx| {
                let (id, event) = store::insert_person(tx, &new, None)?;
                tx.audited(id, event)
            });
            let id = made.map_err(|e| {
                if matches!(e, Error::NotFound) {
                    anyhow::anyhow!("there is no role “{role}”")
                } else {
                    told(e)
                }
            })?;
            println!("{}", sign_in::make_link(app, LinkPurpose::Invitation, Some(id), 72)?);
        }
        UserCommand::ResetLink { email } => {
            let account = account(app, &email)?;
            app.db.write_blocking(&command_line, |tx| {
                let event = Event::new(
                    Kind::PasswordLinkMade,
                    format!("Made a link for a new password of {}", account.name),
                )
                .subject("person", account.id.0, &account.name)
                .about(account.id);
                tx.audited((), event)
            })?;
            println!("{}", sign_in::make_link(app, LinkPurpose::Reset, Some(account.id), 24)?);
            if account.totp_secret.is_some() {
                eprintln!(
                    "The second factor is asked for as before; `tyrian user reset-factor {}` takes it off",
                    account.email
                );
            }
        }
        UserCommand::ResetFactor { email } => {
            let account = account(app, &email)?;
            app.db
                .write_blocking(&command_line, |tx| store::factors::remove(tx, account.id, false))
                .map_err(told)?;
            println!(
                "{} signs in with the password alone from now on; `tyrian user reset-link {}` makes a link \
                    for \
                    a new one",
                account.name, account.email
            );
        }
        UserCommand::Disable { email } => {
            let account = account(app, &email)?;
            app.db
                .write_blocking(&command_line, |tx| {
                    crate::accounts::users::store::disable(tx, everything(), account.id)
                })
                .map_err(told)?;
            println!("{} can no longer sign in", account.name);
        }
    }
    Ok(())
}

/// Whoever has the server's command line may do everything.
fn everything() -> PermissionSet {
    Permission::ALL.iter().copied().collect()
}

fn account(app: &App, email: &str) -> anyhow::Result<store::Account> {
    app.db
        .read_blocking(|conn| store::find_account(conn, email))?
        .ok_or_else(|| anyhow::anyhow!("no account has the e-mail address {email}"))
}

fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Invalid(errors) => anyhow::anyhow!(errors.0.into_values().collect::<Vec<_>>().join(" ")),
        Error::Refused(sentence) => anyhow::anyhow!(sentence),
        other => other.into(),
    }
}

//! `tyrian secret-key`: for the day when the key is lost.

use clap::Subcommand;

use super::with_booted;
use crate::accounts::store::secret_key;
use crate::kernel::config::Config;
use crate::kernel::event::domain::Actor;
use crate::server;

/// What to do with the secret key.
#[derive(Subcommand)]
pub enum SecretKeyCommand {
    /// Go on with the key that is given now (or a new secret.key), where the one that the database was made
    /// with is lost: sessions and links end, and second factors made with the lost key have to be taken off
    Adopt,
}

/// Runs the command.
///
/// # Errors
/// A sentence.
pub fn run(config: Config, command: &SecretKeyCommand) -> anyhow::Result<()> {
    let SecretKeyCommand::Adopt = command;
    with_booted(server::boot_under_any_key, config, |app| {
        let keys = &app.keys;
        let lost = app.db.write_blocking(&Actor::command(), |tx| secret_key::adopt(tx, keys))?;
        let Some(lost) = lost else {
            println!("This is the key that the database was made with: nothing to adopt");
            return Ok(());
        };
        println!("From now on the database goes with this secret key. Keep a copy of it with your backups");
        for email in &lost {
            println!(
                "The second factor of {email} was made with the lost key: `tyrian user reset-factor {email}` \
                    takes it off"
            );
        }
        Ok(())
    })
}

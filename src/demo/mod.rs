//! Demo data: two clients, six people, engagements in every state, for `tyrian dev` and for looking at the
//! product. It is told through the product's own functions, as its people would have worked. On a log that is
//! still empty, and with the owner's address, it is told in the past, over four months; otherwise in the
//! present, since a log that has begun takes nothing before its end.

pub mod content;
mod past;
mod people;
mod stage;
pub mod store;
mod story;

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};

use self::content::Content;
pub use self::past::past;
use crate::accounts::domain::hash_password;
use crate::accounts::store::has_people;
use crate::kernel::app::App;
use crate::kernel::base::error::Error;
use crate::kernel::base::hex::random_hex;
use crate::kernel::event::domain::Actor;

/// Seeds an empty installation with a story that ends at `end`, and returns the lines that tell how to sign
/// in. Where somebody has an account already, the lines of an earlier seeding, if there was one.
///
/// # Errors
/// When the database or the data directory refuses; nothing is then seeded.
pub fn seed(app: &App, end: DateTime<Utc>) -> anyhow::Result<Option<String>> {
    let kept = app.config.data_dir.join("demo-sign-ins.txt");
    if app.db.read_blocking(has_people)? {
        return match fs::read_to_string(&kept) {
            Ok(lines) => Ok(Some(lines)),
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(other) => Err(other).with_context(|| format!("cannot read {}", kept.display())),
        };
    }
    let content = Content::load().context("the demo's content")?;
    let password = random_hex(8);
    let lines = sign_ins(&content, &password);
    // Kept first: a password that nobody knows would be worth less than a file for accounts that were not
    // made.
    keep(&kept, &lines)?;
    let hash = hash_password(&password)?;
    app.clock.set(end);
    app.db
        .write_blocking(&Actor::command(), |tx| story::tell(tx, app, &content, &hash))
        .map_err(|error| match error {
            Error::Refused(sentence) => anyhow::anyhow!(sentence),
            Error::Invalid(errors) => anyhow::anyhow!("the demo's content: {:?}", errors.0),
            other => other.into(),
        })
        .inspect_err(|_| drop(fs::remove_file(&kept)))?;
    Ok(Some(lines))
}

/// `tyrian seed demo`: refuses where somebody has an account.
///
/// # Errors
/// As [`seed`], and when it is no empty installation.
pub fn seed_by_hand(app: &App, end: DateTime<Utc>) -> anyhow::Result<String> {
    if app.db.read_blocking(has_people)? {
        bail!("somebody has an account here already: demo data only goes into an empty installation");
    }
    seed(app, end)?.context("nothing was seeded")
}

fn sign_ins(content: &Content, password: &str) -> String {
    let mut lines = format!("Demo sign-ins; the password of all of them is {password}\n");
    for person in &content.people {
        let role = person.roles.first().map(|role| role.replace('_', " ")).unwrap_or_default();
        let clients: Vec<&str> = content
            .clients
            .iter()
            .filter(|client| person.access.contains_key(&client.key))
            .map(|client| client.name.as_str())
            .collect();
        lines.push_str(&format!(
            "  {:<24} {:<16} {role:<15} {}\n",
            person.email,
            person.name,
            clients.join(", ")
        ));
    }
    lines
}

fn keep(path: &Path, lines: &str) -> anyhow::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(lines.as_bytes())?;
    Ok(())
}

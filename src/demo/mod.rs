//! Demo data: two clients, six people, engagements in every state, for `tyrian dev` and for looking at the
//! product.

pub mod content;
pub mod picture;
pub mod store;
pub mod story;

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use object_store::{ObjectStoreExt, PutPayload};

use self::content::Content;
use self::story::Blob;
use crate::accounts::domain::hash_password;
use crate::accounts::store::has_people;
use crate::kernel::app::App;
use crate::kernel::base::error::Error;
use crate::kernel::base::hex::random_hex;
use crate::kernel::event::domain::Actor;

/// Seeds an empty installation and returns the lines that tell how to sign in. Where somebody has an account
/// already, the lines of an earlier seeding, if there was one.
///
/// # Errors
/// When the database or the data directory refuses; nothing is then seeded.
pub fn seed(app: &App) -> anyhow::Result<Option<String>> {
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
    let blobs = app
        .db
        .write_blocking(&Actor::command(), |tx| story::tell(tx, &content, &hash))
        .map_err(|error| match error {
            Error::Refused(sentence) => anyhow::anyhow!(sentence),
            other => other.into(),
        })
        .inspect_err(|_| drop(fs::remove_file(&kept)))?;
    put(app, blobs)?;
    Ok(Some(lines))
}

/// `tyrian seed demo`: refuses where somebody has an account.
///
/// # Errors
/// As [`seed`], and when it is no empty installation.
pub fn seed_by_hand(app: &App) -> anyhow::Result<String> {
    if app.db.read_blocking(has_people)? {
        bail!("somebody has an account here already: demo data only goes into an empty installation");
    }
    seed(app)?.context("nothing was seeded")
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

fn put(app: &App, blobs: Vec<Blob>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        for blob in blobs {
            app.blobs
                .put(&object_store::path::Path::from(blob.key.to_string()), PutPayload::from(blob.bytes))
                .await?;
        }
        Ok(())
    })
}

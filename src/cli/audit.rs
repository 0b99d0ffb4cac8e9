//! `tyrian audit`: verifies the log, and exports it.

use std::fs::File;
use std::io::{BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{NaiveDate, TimeDelta};
use clap::{Args, Subcommand};
use indicatif::{HumanCount, ProgressBar};
use serde_json::json;

use crate::audit::log::export;
use crate::audit::log::query::Filter;
use crate::audit::log::request::{self, ExportRequest, Format};
use crate::audit::log::store::matching::Scope;
use crate::audit::log::store::search::WALKED;
use crate::audit::proof::inclusion;
use crate::audit::proof::seal::{KeyFiles, Seal, read_keys};
use crate::audit::proof::set_aside::{AsideKind, Subject};
use crate::audit::proof::store;
use crate::audit::proof::store::seal::may_seal;
use crate::audit::proof::store::verify::Against;
use crate::audit::proof::verify::{Fault, Halt};
use crate::kernel::app::App;
use crate::kernel::base::error::Error;
use crate::kernel::base::hex::hex;
use crate::kernel::config::Options;
use crate::kernel::db::{Db, PoolSize};
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::kernel::event::months;

/// What to do with the audit log.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Recompute every event, number and seal, archives included, and name the first thing that does not hold
    Verify(Verify),
    /// Write events to stdout, newest first
    Export(Export),
    /// Lay aside what stands in the log and does not belong there, as the database's owner; an event says so
    SetAside(Aside),
}

/// What to lay aside. `verify` names it, as its command line.
#[derive(Args)]
pub struct Aside {
    /// seal, number, leaf or event
    kind: AsideKind,
    /// Its number; of a number or an event its place, such as 1795862400000000.17
    which: String,
    /// Why, in a sentence that `verify` repeats
    #[arg(long)]
    reason: String,
}

/// What to verify, and against what.
#[derive(Args)]
pub struct Verify {
    /// A seal that was kept elsewhere: it must still be in the log
    #[arg(long)]
    seal: Option<PathBuf>,
    /// An export with proofs, instead of the log; needs no database
    #[arg(long)]
    pub export: Option<PathBuf>,
    /// The keys whose seals count, one in each line; unset: audit.pub beside the newest seal
    #[arg(long)]
    keys: Option<PathBuf>,
    /// For a restored copy: do not ask for the newest seal beside the key
    #[arg(long)]
    no_head: bool,
}

/// What to export.
#[derive(Args)]
pub struct Export {
    /// First day, in the organisation's zone
    #[arg(long)]
    from: Option<NaiveDate>,
    /// Last day
    #[arg(long)]
    to: Option<NaiveDate>,
    /// csv or jsonl
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// Let each event carry its proof (jsonl)
    #[arg(long)]
    proof: bool,
}

/// Runs one of them on a booted application.
///
/// # Errors
/// A sentence: what does not hold, or what is in the way.
pub fn run(app: &App, command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify(asked) => verify(app, &asked),
        AuditCommand::Export(asked) => export(app, &asked),
        AuditCommand::SetAside(_) => bail!("only the database's owner can set something aside"),
    }
}

/// Lays something aside on the owner's address.
///
/// # Errors
/// A sentence: why it stays.
pub fn set_aside(app: &App, owner: &str, asked: &Aside) -> anyhow::Result<()> {
    let (kind, which, reason) = (asked.kind, &asked.which, asked.reason.trim());
    let Some(subject) = Subject::parse(kind, which) else {
        bail!("“{which}” names no {}: `tyrian audit verify` says what to type", kind.as_str())
    };
    if reason.is_empty() || reason.chars().count() > 500 || reason.contains(char::is_control) {
        bail!("--reason is to say why, in a line of at most 500 characters");
    }
    let files = KeyFiles::of(&app.config);
    let trusted = files.trusted()?;
    let key = files.signing_key()?;
    if !trusted.contains(&key.verifying_key().to_bytes()) {
        bail!("the key of the audit log is not here: run this where the server runs");
    }
    let db = Db::open(owner, PoolSize::SEALING, app.clock.clone())?;
    let made = db.write_blocking(&Actor::command(), |tx| {
        let made = store::set_aside::set_aside(tx.conn, &key, &trusted, subject, reason)?;
        let name = subject.name();
        let event = Event::new(
            Kind::LogSetAside,
            format!("Set aside in the audit log: {} {reason}", name.trim_end_matches(',').to_owned() + ":"),
        );
        let moved: Option<serde_json::Value> = made
            .moved
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|e| Error::Internal(e.into()))?;
        tx.audited(made, event.detail(json!({ "kind": kind.as_str(), "which": which, "moved": moved })))
    });
    match made {
        Ok(made) => println!("{}", made.note()),
        Err(Error::Refused(sentence)) => bail!(sentence),
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

fn progress(what: &'static str) -> impl FnMut(u64) {
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    move |events| bar.set_message(format!("{what} {} events", HumanCount(events)))
}

fn told<T>(done: Result<T, Halt>) -> anyhow::Result<T> {
    done.map_err(|halt| match halt {
        Halt::Fault(fault) => anyhow::anyhow!("the audit log does not hold. {}", fault.sentence),
        Halt::Error(error) => error.context("the audit log could not be verified"),
    })
}

fn keys(asked: &Verify, files: &KeyFiles) -> anyhow::Result<Vec<[u8; 32]>> {
    let Some(path) = asked.keys.as_deref() else {
        let trusted = files.trusted()?;
        if trusted.is_empty() {
            bail!("there is no list of trusted keys: give one with --keys");
        }
        return Ok(trusted);
    };
    if let Err(error) = std::fs::metadata(path) {
        bail!("{} cannot be read: {error}", path.display());
    }
    let trusted = read_keys(path)?;
    if trusted.is_empty() {
        bail!("{} holds no key: it is to hold one in each line, as audit.pub does", path.display());
    }
    Ok(trusted)
}

fn verify(app: &App, asked: &Verify) -> anyhow::Result<()> {
    let files = KeyFiles::of(&app.config);
    let trusted = keys(asked, &files)?;
    let archives = app.config.audit_archives();
    let mut against = Against { trusted, ..Against::of(&files, &archives)? };
    if asked.no_head {
        against.head = None;
    }
    if let Some(path) = &asked.seal {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let seal: Seal =
            serde_json::from_str(&text).with_context(|| format!("{} is no seal", path.display()))?;
        against.kept.push((format!("kept in {}", path.display()), seal));
    }
    let mut tell = progress("Verified");
    let outcome = store::verify::verify(app.db.connect()?, app.db.connect()?, &against, &mut tell)
        .context("the audit log could not be verified")?;
    if !outcome.holds() {
        outcome.notes.iter().for_each(|note| println!("Note: {note}"));
        bail!("the audit log does not hold. {}", found(&outcome.faults));
    }
    let done = &outcome.verified;
    println!(
        "Everything holds: {} events in {} seals.",
        HumanCount(done.events as u64),
        HumanCount(done.seals as u64)
    );
    if let Some(seal) = &outcome.newest {
        println!(
            "The newest is seal {} of {}, digest {}.",
            seal.number,
            seal.at.format("%Y-%m-%d %H:%M:%S UTC"),
            hex(&seal.digest())
        );
    }
    if let Some(since) = done.waiting_since {
        println!(
            "{} events are not sealed yet, the oldest since {}.",
            done.unsealed,
            since.format("%Y-%m-%d %H:%M:%S UTC")
        );
        if app.clock.now() - since > TimeDelta::minutes(1) {
            println!(
                "Warning: that is long. Until they are sealed, a change to them does not show: is a server \
                    running, or a transaction left open?"
            );
        }
    }
    if app.db.read_blocking(|conn| Ok(may_seal(conn)?))? {
        println!(
            "Note: the app's own role seals, archives and drops; TYRIAN_SEALER_DATABASE_URL gives that to \
                another."
        );
    }
    outcome.notes.iter().for_each(|note| println!("Note: {note}"));
    Ok(())
}

/// What is wrong, a line each, and what could be laid aside.
fn found(faults: &[Fault]) -> String {
    let mut lines: Vec<String> = faults.iter().map(|fault| fault.sentence.clone()).collect();
    for typed in faults.iter().filter_map(|fault| fault.set_aside.as_ref()) {
        lines.push(format!(
            "If nothing but this is odd about it: tyrian audit set-aside {typed} --reason '…' lays it \
                aside, as \
                the database's owner."
        ));
    }
    lines.join("\n  ")
}

/// Verifies an export with proofs. It needs the list of trusted keys and nothing else.
///
/// # Errors
/// The first thing that does not hold, or what is in the way.
pub fn verify_export(options: &Options, asked: &Verify, file: &Path) -> anyhow::Result<()> {
    let trusted = keys(
        asked,
        &KeyFiles::at(
            &options.data_dir,
            options.audit_key_file.as_deref(),
            options.audit_head_file.as_deref(),
        ),
    )?;
    let export = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let proved = told(inclusion::check(BufReader::new(export), &trusted, progress("Verified")))?;
    let (first, last) = proved.seals;
    println!("Everything holds: {} events lead to seals {first} to {last}.", HumanCount(proved.events));
    println!("The last one's digest is {}: compare it with a seal that you kept elsewhere.", proved.head);
    if !proved.complete {
        println!("Note: the export does not say that it is complete.");
    }
    Ok(())
}

fn export(app: &App, asked: &Export) -> anyhow::Result<()> {
    if asked.proof && asked.format == Format::Csv {
        bail!("only jsonl carries proofs");
    }
    if let (Some(from), Some(to)) = (asked.from, asked.to)
        && from > to
    {
        bail!("--from lies after --to");
    }
    let filter = Filter { from: asked.from, to: asked.to, ..Filter::default() };
    let (floor, zone) = app.db.read_blocking(|conn| {
        let zone = crate::settings::store::get(conn)?.time_zone.tz();
        Ok((months::get_floor(conn)?, zone))
    })?;
    let (from, to) = filter.instants(zone);
    let from = Some(from.map_or(floor, |from| from.max(floor)));
    let scope = Scope { clients: None, from, to, walked: WALKED };
    let wanted = ExportRequest { scope, filter, event: None, proof: asked.proof, format: asked.format, zone };
    app.db.write_blocking(&Actor::command(), |tx| tx.audited((), request::event(&wanted)))?;
    let mut out = std::io::stdout().lock();
    let ended = export::write(&mut app.db.connect()?, &wanted, &mut |chunk| out.write_all(&chunk).is_ok());
    let _ = out.flush();
    match ended.cut {
        None => Ok(()),
        Some(why) => bail!("the export was cut short after {} events: {why}", ended.events),
    }
}

//! `tyrian export`: test plans, layers and repositories as files.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::engagements::store::layer as engagement;
use crate::imports::{layers, plextrac, repository};
use crate::kernel::app::App;
use crate::kernel::authz::{Shelf, Visible};
use crate::kernel::base::error::Error;
use crate::kernel::base::ids::{EngagementId, TestPlanId};
use crate::kernel::base::show::counted;
use crate::kernel::event::domain::{Actor, Event};
use crate::library::store::exchange::find_by_prefix;

/// What to export. Each export is an event in the audit log.
#[derive(Subcommand)]
pub enum ExportCommand {
    /// A test plan as YAML that PlexTrac reads (version 2), to stdout
    TestPlan {
        /// Its id, as in the address of its page
        id: TestPlanId,
    },
    /// A layer of the ATT&CK Navigator (format 4.5), to stdout
    Layer(LayerOf),
    /// A repository as a folder of YAML that can be kept under version control
    ///
    /// The folder is made when it is not there. One that holds an archive of the same repository is brought
    /// up to date: files of procedures and test plans that are no longer there go. Any other folder has to be
    /// empty.
    Repository {
        /// Its prefix, such as HLF
        prefix: String,
        /// Where to write it
        directory: PathBuf,
    },
}

/// Of what to make a layer.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct LayerOf {
    /// An engagement, by blue's scores
    #[arg(long)]
    engagement: Option<EngagementId>,
    /// A test plan, by the techniques that it covers
    #[arg(long)]
    test_plan: Option<TestPlanId>,
    /// Everything in the library
    #[arg(long)]
    library: bool,
}

/// Writes what was asked for.
///
/// # Errors
/// A sentence.
pub fn run(app: &App, command: &ExportCommand) -> anyhow::Result<()> {
    match command {
        ExportCommand::TestPlan { id } => {
            let (plan, known) = app
                .db
                .read_blocking(|conn| plextrac::store::read_plan(conn, Shelf::whole(), *id))
                .map_err(|e| told(e, "there is no test plan with this id"))?;
            note(app, plextrac::store::export_event(&plan))?;
            print(&plextrac::write(&plextrac::convert::file_of(&plan, &known)))
        }
        ExportCommand::Layer(of) => layer(app, of),
        ExportCommand::Repository { prefix, directory } => {
            let (stored, archive) = app
                .db
                .read_blocking(|conn| {
                    let stored = find_by_prefix(conn, Shelf::whole(), prefix)?.ok_or(Error::NotFound)?;
                    let archive = repository::store::read_archive(conn, &stored)?;
                    Ok((stored, archive))
                })
                .map_err(|e| told(e, "there is no repository with this prefix"))?;
            let files = repository::files(&archive);
            let removed = write_folder(directory, &stored.prefix, &files)?;
            app.db
                .write_blocking(&Actor::command(), |tx| repository::store::note_export(tx, &stored, &archive))
                .map_err(|e| told(e, ""))?;
            println!(
                "Wrote {}: {}, {}",
                directory.display(),
                counted(archive.procedures.len(), "procedure", "procedures"),
                counted(archive.plans.len(), "test plan", "test plans")
            );
            if removed > 0 {
                println!(
                    "Removed {}, whose procedures or test plans are no longer there",
                    counted(removed, "file", "files")
                );
            }
            Ok(())
        }
    }
}

fn layer(app: &App, of: &LayerOf) -> anyhow::Result<()> {
    let (layer, event) = if let Some(id) = of.engagement {
        let found = app.db.read_blocking(|conn| {
            let client = engagement::client_of(conn, id)?;
            engagement::engagement_layer(conn, id, &Visible::found(client), app.clock.now())
        });
        let (head, layer) = found.map_err(|e| told(e, "there is no engagement with this id"))?;
        (layer, engagement::export_event(&head))
    } else if let Some(id) = of.test_plan {
        let (plan, layer) = app
            .db
            .read_blocking(|conn| layers::plan_layer(conn, Shelf::whole(), id))
            .map_err(|e| told(e, "there is no test plan with this id"))?;
        let event = layers::export_event(&format!("the test plan “{}”", plan.title));
        (layer, event.subject("test_plan", plan.id.0, plan.title))
    } else {
        let layer = app.db.read_blocking(|conn| {
            let organisation = crate::settings::store::get(conn)?.organisation_name;
            layers::library_layer(conn, Shelf::whole(), &organisation)
        });
        (layer.map_err(|e| told(e, ""))?, layers::export_event("the library"))
    };
    note(app, event)?;
    print(&layer.to_json()?)
}

/// An export whose event cannot be written does not happen.
fn note(app: &App, event: Event) -> anyhow::Result<()> {
    app.db.write_blocking(&Actor::command(), |tx| tx.audited((), event)).map_err(|e| told(e, ""))
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("the output could not be written")
}

fn told(error: Error, missing: &'static str) -> anyhow::Error {
    match error {
        Error::NotFound => anyhow::anyhow!(missing),
        Error::Refused(sentence) => anyhow::anyhow!(sentence),
        other => other.into(),
    }
}

/// Writes an archive's files, and removes those of an earlier export that it no longer has; how many it
/// removed.
fn write_folder(directory: &Path, prefix: &str, files: &[(String, String)]) -> anyhow::Result<usize> {
    let place = directory.display();
    let is_link = directory.is_symlink();
    if is_link || (directory.exists() && !directory.is_dir()) {
        bail!("{place} is no folder: name one that is empty, or the folder of an earlier export");
    }
    let is_filled = directory.is_dir()
        && fs::read_dir(directory)
            .with_context(|| format!("{place} cannot be read"))?
            .filter_map(Result::ok)
            .any(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    if is_filled {
        let head = fs::read_to_string(directory.join("repository.yaml")).unwrap_or_default();
        let is_same = head.lines().any(|line| line == format!("prefix: {prefix}"))
            || head.lines().any(|line| line == format!("prefix: \"{prefix}\""));
        if !is_same || !head.starts_with("format: ") {
            bail!("{place} is not empty and holds no archive of {prefix}: nothing was written");
        }
    }
    for folder in ["procedures", "test-plans"] {
        let folder = directory.join(folder);
        if folder.is_symlink() {
            bail!("{} is a symbolic link: nothing was written", folder.display());
        }
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let wanted: HashSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let mut removed = 0;
    for folder in ["procedures", "test-plans"] {
        for entry in
            fs::read_dir(directory.join(folder)).with_context(|| format!("{place} cannot be read"))?
        {
            let entry = entry?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let is_file = entry.file_type()?.is_file();
            if is_file && name.ends_with(".yaml") && !wanted.contains(name.as_str()) {
                fs::remove_file(entry.path()).with_context(|| format!("{name} cannot be removed"))?;
                removed += 1;
            }
        }
    }
    for (name, text) in files {
        let path = directory.join(name);
        if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) && !path.is_symlink() {
            continue;
        }
        // Written beside and renamed, so that a link in its place is replaced and not followed.
        let beside = path.with_extension("tyrian-tmp");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, &path))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(removed)
}

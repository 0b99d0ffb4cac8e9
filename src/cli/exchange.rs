//! `tyrian import test-plan`, `layer` and `repository`: what other installations and programs wrote.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::import::{NAMED, ask, list};
use crate::accounts;
use crate::imports::archive::{Source, file_name, read_file};
use crate::imports::domain::printable;
use crate::imports::layer::ImportedLayer;
use crate::imports::outcome::{How, Outcome};
use crate::imports::plextrac::store::ReadPlan;
use crate::imports::repository::ReadArchive;
use crate::imports::{layer, layers, plextrac, repository};
use crate::kernel::app::App;
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::Error;
use crate::kernel::base::show::counted;
use crate::kernel::event::domain::Actor;
use crate::library::changes::{Counts, Missing, withdraws_much};

/// What to import of other installations and programs.
#[derive(Subcommand)]
pub enum ExchangeCommand {
    /// A test plan of PlexTrac: YAML of version 2 or 1
    ///
    /// Its procedures go into the repository of the same prefix, into a new one, or into the one that is
    /// named. What the library has already is not doubled, and the same file again changes nothing.
    TestPlan {
        /// The YAML file that PlexTrac exported
        file: PathBuf,
        #[command(flatten)]
        goal: Goal,
    },
    /// A layer of the ATT&CK Navigator, as a test plan of the procedures that cover it
    Layer {
        /// The JSON file that the Navigator saved
        file: PathBuf,
        #[command(flatten)]
        goal: Goal,
    },
    /// A repository archive: the folder that `export repository` writes, or a zip of it
    ///
    /// What only the archive changed is taken, what only this library changed stays, and what both changed is
    /// told field by field: there this library's stands. What the archive does not hold stays as well; with
    /// --withdraw it is retired.
    Repository {
        /// The folder, or the zip of it
        source: PathBuf,
        #[command(flatten)]
        goal: Goal,
        /// Retire what the repository has and the archive does not hold; asks first when that is much
        #[arg(long)]
        withdraw: bool,
        /// Retire it without asking
        #[arg(long, requires = "withdraw")]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Goal {
    /// Say what the import would change, and write nothing of it
    #[arg(long)]
    dry_run: bool,
    /// Into the repository with this prefix, instead of the one that the source names
    #[arg(long, value_name = "PREFIX")]
    repository: Option<String>,
    /// Where both sides changed the same field, take what the source says; without it this library's stands
    #[arg(long)]
    theirs: bool,
    /// Who writes in a managed or private repository that the import makes: their e-mail address
    #[arg(long, value_name = "EMAIL")]
    editor: Option<String>,
}

/// A source that was read and checked; nothing is written yet.
pub enum Parsed {
    Plan(ReadPlan),
    Layer(ImportedLayer),
    Archive(Box<ReadArchive>),
}

/// Reads the source. It needs no database, so that one with a fault is refused before anything is started.
///
/// # Errors
/// Everything that is wrong, a line for each fault.
pub fn read(command: &ExchangeCommand) -> anyhow::Result<Parsed> {
    match command {
        ExchangeCommand::TestPlan { file, .. } => {
            let name = file_name(file);
            let read = plextrac::read(&name, &read_file(file)?)?;
            let (plan, more) = plextrac::convert::imported(&name, &read.file);
            let warnings = [read.warnings, more].concat();
            println!(
                "Read the test plan “{}”: {}",
                printable(&plan.title),
                procedures(plan.procedures.len())
            );
            Ok(Parsed::Plan(ReadPlan { file_name: name, plan, warnings }))
        }
        ExchangeCommand::Layer { file, .. } => {
            let read = layer::read(&file_name(file), &read_file(file)?)?;
            let count = counted(read.techniques.len(), "technique", "techniques");
            println!("Read the layer “{}”: {count}", printable(&read.name));
            Ok(Parsed::Layer(read))
        }
        ExchangeCommand::Repository { source, .. } => {
            let read = repository::read(&Source::open(source)?)?;
            println!(
                "Read the repository {}: {}, {}",
                read.archive.head.prefix,
                procedures(read.archive.procedures.len()),
                counted(read.archive.plans.len(), "test plan", "test plans")
            );
            Ok(Parsed::Archive(Box::new(read)))
        }
    }
}

fn procedures(count: usize) -> String {
    counted(count, "procedure", "procedures")
}

impl ExchangeCommand {
    fn goal(&self) -> &Goal {
        match self {
            Self::TestPlan { goal, .. } | Self::Layer { goal, .. } | Self::Repository { goal, .. } => goal,
        }
    }

    fn withdraws(&self) -> (bool, bool) {
        match self {
            Self::Repository { withdraw, yes, .. } => (*withdraw, *yes),
            _ => (false, false),
        }
    }
}

/// Writes what was read, or says what that would change; the counts are the last line.
///
/// # Errors
/// A sentence; nothing is then written.
pub fn write(app: &App, command: &ExchangeCommand, parsed: &Parsed) -> anyhow::Result<()> {
    let goal = command.goal();
    let (withdraws, yes) = command.withdraws();
    let editor = match &goal.editor {
        None => None,
        Some(email) => match app.db.read_blocking(|conn| accounts::store::find_account(conn, email))? {
            Some(account) => Some(account.id),
            None => bail!("no account has the e-mail address {email}"),
        },
    };
    let mut how = How {
        repository: goal.repository.clone(),
        missing: if withdraws { Missing::Withdraw } else { Missing::Keep },
        editor,
        ..How::default()
    };
    let shelf = Shelf::whole();
    let look = |how: &How| {
        let preview = app.db.read_blocking(|conn| match parsed {
            Parsed::Plan(plan) => plextrac::store::preview_plan(conn, shelf, plan, how),
            Parsed::Layer(layer) => layers::preview_layer(conn, shelf, layer),
            Parsed::Archive(read) => repository::store::preview_archive(conn, shelf, read, how),
        });
        preview.map_err(told)
    };
    let mut preview = look(&how)?;
    if goal.theirs {
        let fields = preview
            .conflicts
            .iter()
            .flat_map(|conflict| conflict.fields.iter().map(|field| (conflict.id, field.key.clone())));
        how.takes = fields.collect();
        preview = look(&how)?;
    }
    tell(&preview, goal.theirs);
    let counts = preview.counts();
    if goal.dry_run {
        let changes = &preview.changes;
        list("Would add", &changes.added, NAMED);
        list("Would change", &changes.changed, NAMED);
        list("Would withdraw", &changes.withdrawn, usize::MAX);
        list("Would keep", &changes.kept, NAMED);
        println!("Nothing was written: this was a dry run");
        println!("{counts}");
        return Ok(());
    }
    let Counts { withdrawn, unchanged, changed, kept, .. } = counts;
    let stored = withdrawn + unchanged + changed + kept;
    if withdraws_much(withdrawn, stored) && !yes {
        ask(&format!("This import retires {withdrawn} of the {stored} procedures of the repository."))?;
    }
    let done = app
        .db
        .write_blocking(&Actor::command(), |tx| match parsed {
            Parsed::Plan(plan) => plextrac::store::apply_plan(tx, shelf, plan, &how),
            Parsed::Layer(layer) => layers::apply_layer(tx, shelf, layer),
            Parsed::Archive(read) => repository::store::apply_archive(tx, shelf, read, &how),
        })
        .map_err(told)?;
    println!("{}", done.counts());
    Ok(())
}

/// What to know before anything is written.
fn tell(outcome: &Outcome, theirs: bool) {
    for refused in &outcome.refused {
        println!("Refused: {refused}");
    }
    for warning in outcome.warnings.iter().take(NAMED) {
        println!("Warning: {warning}");
    }
    if let Some(more) = outcome.warnings.len().checked_sub(NAMED).filter(|more| *more > 0) {
        println!("Warning: {more} more");
    }
    for note in &outcome.notes {
        println!("Note: {}", printable(note));
    }
    for conflict in &outcome.conflicts {
        for field in &conflict.fields {
            let (label, name) = (printable(&conflict.label), printable(&field.label()));
            let whose = if theirs { "theirs is taken" } else { "ours stands; --theirs takes theirs" };
            println!("Conflict: {label}, {name}: changed on both sides; {whose}");
        }
    }
}

fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(sentence) => anyhow::anyhow!(sentence),
        other => other.into(),
    }
}

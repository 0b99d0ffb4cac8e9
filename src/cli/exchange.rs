//! `tyrian import test-plan`, `layer` and `repository`: what other installations and programs wrote.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::import::{Order, told};
use crate::accounts;
use crate::imports::archive::{Source, file_name, read_file};
use crate::imports::domain::printable;
use crate::imports::layer;
use crate::imports::source::{self, Content};
use crate::imports::store::engine::Target;
use crate::imports::store::runs;
use crate::kernel::app::App;
use crate::kernel::authz::Shelf;
use crate::kernel::base::show::counted;
use crate::library::changes::Missing;

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
pub struct Parsed {
    content: Content,
    /// What the history of imports calls it.
    name: String,
}

/// Reads the source. It needs no database, so that one with a fault is refused before anything is started.
///
/// # Errors
/// Everything that is wrong, a line for each fault.
pub fn read(command: &ExchangeCommand) -> anyhow::Result<Parsed> {
    let (content, name) = match command {
        ExchangeCommand::TestPlan { file, .. } => {
            let name = file_name(file);
            (source::read_plan(&name, &read_file(file)?)?, name)
        }
        ExchangeCommand::Layer { file, .. } => {
            let name = file_name(file);
            (Content::Layer(layer::read(&name, &read_file(file)?)?), name)
        }
        ExchangeCommand::Repository { source, .. } => {
            (source::read_archive(&Source::open(source)?)?, file_name(source))
        }
    };
    match &content {
        Content::Plan(read) => println!(
            "Read the test plan “{}”: {}",
            printable(&read.plan.title),
            procedures(read.plan.procedures.len())
        ),
        Content::Layer(layer) => {
            let count = counted(layer.techniques.len(), "technique", "techniques");
            println!("Read the layer “{}”: {count}", printable(&layer.name));
        }
        Content::Archive(read) => println!(
            "Read the repository {}: {}, {}",
            read.archive.head.prefix,
            procedures(read.archive.procedures.len()),
            counted(read.archive.plans.len(), "test plan", "test plans")
        ),
        Content::Attack(_) | Content::Atomics(_) => {}
    }
    Ok(Parsed { content, name })
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
    let repository = match &goal.repository {
        None => None,
        Some(prefix) => {
            app.db.read_blocking(|conn| runs::find_goal(conn, Shelf::whole(), prefix)).map_err(told)?
        }
    };
    let missing = if withdraws { Missing::Withdraw } else { Missing::Keep };
    let order = Order {
        content: &parsed.content,
        name: &parsed.name,
        target: Target { repository, editor, ..Target::of_source(missing) },
        dry_run: goal.dry_run,
        yes,
        theirs: Some(goal.theirs),
        things: "procedures",
        place: "the repository",
    };
    order.carry_out(app)
}

//! `tyrian import`: reads a source, compares it with the library, writes what changed.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::imports::archive::{Source, file_name, read_file};
use crate::imports::domain::printable;
use crate::imports::outcome::Takes;
use crate::imports::preview::{Preview, Verdict};
use crate::imports::source::Content;
use crate::imports::store::engine::{self, Target};
use crate::imports::store::runs;
use crate::imports::{atomics, attack};
use crate::kernel::app::App;
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::Error;
use crate::kernel::event::domain::Actor;
use crate::library::changes::{Counts, Missing, withdraws_much};
use crate::library::domain::TechniqueStatus;

/// What to import. What the library has and the source does not hold stays, unless --withdraw retires it.
#[derive(Subcommand)]
pub enum ImportCommand {
    /// A release of MITRE ATT&CK: the STIX 2.1 bundle, such as enterprise-attack-18.1.json
    ///
    /// Other releases stay as they are. A tactic or technique that this release had and the bundle does not
    /// hold stays as well; with --withdraw its tactics go and its techniques are deprecated. Objects without
    /// a reference of MITRE are left out, each with a line. The same file again changes nothing.
    Attack {
        /// The bundle
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// The tests of Atomic Red Team: the repository, a folder, a zip of either, or a single technique file
    ///
    /// Technique files are T1003/T1003.yaml and any other YAML file with attack_technique and atomic_tests;
    /// other YAML files are named. A test that the library has and the source does not hold stays; with
    /// --withdraw it is retired: test plans and engagements keep it, the library no longer offers it, and an
    /// import that holds it brings it back. A test that is refused does not retire its earlier copy. The same
    /// source again changes nothing.
    Atomics {
        /// Folder, zip or YAML file
        source: PathBuf,
        /// Into the repository with this prefix, beside what it holds, instead of the one of Atomic Red Team
        ///
        /// What was changed there since an earlier import stays; where the source changed the same field, the
        /// repository's stands. The page of imports in the web lets one choose.
        #[arg(long, value_name = "PREFIX")]
        repository: Option<String>,
        #[command(flatten)]
        how: How,
    },
}

impl ImportCommand {
    fn how(&self) -> &How {
        match self {
            Self::Attack { how, .. } | Self::Atomics { how, .. } => how,
        }
    }
}

#[derive(Args)]
pub struct How {
    /// Say what the import would change, and write nothing of it
    #[arg(long)]
    dry_run: bool,
    /// Retire what the library has and the source does not hold; asks first when that is much
    #[arg(long)]
    withdraw: bool,
    /// Retire it without asking
    #[arg(long, requires = "withdraw")]
    yes: bool,
}

impl How {
    fn missing(&self) -> Missing {
        if self.withdraw { Missing::Withdraw } else { Missing::Keep }
    }
}

/// A source that was read and checked; nothing is written yet.
pub struct Parsed {
    content: Content,
    /// What the history of imports calls it.
    name: String,
}

impl Parsed {
    /// What is retired, and of what.
    fn nouns(&self) -> (&'static str, String) {
        match &self.content {
            Content::Attack(attack) => {
                ("tactics and techniques", format!("release {}", attack.release.version))
            }
            Content::Atomics(_) => ("tests", "the library".to_owned()),
            _ => ("procedures", "the repository".to_owned()),
        }
    }
}

/// Reads the source. It needs no database, so that one with a fault is refused before anything is started.
///
/// # Errors
/// A sentence that names the file, the object and the line.
pub fn read(command: &ImportCommand) -> anyhow::Result<Parsed> {
    match command {
        ImportCommand::Attack { file, .. } => {
            let progress = Progress::start(&format!("Reading {}", shown(file)));
            let attack = attack::parse(&file_name(file), &read_file(file)?)?;
            let release = &attack.release;
            let of =
                |status| release.techniques.iter().filter(|technique| technique.status == status).count();
            progress.done(&format!(
                "Read MITRE ATT&CK {}: {} tactics, {} techniques, {} revoked, {} deprecated",
                release.version,
                release.tactics.len(),
                of(TechniqueStatus::Live),
                of(TechniqueStatus::Revoked),
                of(TechniqueStatus::Deprecated),
            ));
            Ok(Parsed { content: Content::Attack(attack), name: file_name(file) })
        }
        ImportCommand::Atomics { source, .. } => {
            let progress = Progress::start(&format!("Reading {}", shown(source)));
            let atomics = atomics::parse(&Source::open(source)?)?;
            progress.done(&format!(
                "Read {} tests of Atomic Red Team",
                atomics.procedures.len() + atomics.refused_keys.len()
            ));
            if atomics.others > 0 {
                println!("Not looked at: {}, not YAML or hidden", counted(atomics.others, "other file"));
            }
            Ok(Parsed { content: Content::Atomics(atomics), name: file_name(source) })
        }
    }
}

/// Writes what was read, or says what that would change; prints what was left out and why, what the source
/// does not hold, and the counts as the last line.
///
/// # Errors
/// A sentence; nothing is then written.
pub fn write(app: &App, command: &ImportCommand, parsed: &Parsed) -> anyhow::Result<()> {
    let how = command.how();
    let (things, place) = parsed.nouns();
    let order = Order {
        content: &parsed.content,
        name: &parsed.name,
        target: target(app, command)?,
        dry_run: how.dry_run,
        yes: how.yes,
        theirs: None,
        things,
        place: &place,
    };
    order.carry_out(app)
}

/// Where it goes, and what becomes of what it does not hold.
fn target(app: &App, command: &ImportCommand) -> anyhow::Result<Target> {
    let repository = match command {
        ImportCommand::Atomics { repository: Some(prefix), .. } => {
            app.db.read_blocking(|conn| runs::find_goal(conn, Shelf::whole(), prefix)).map_err(told)?
        }
        _ => None,
    };
    Ok(Target { repository, ..Target::of_source(command.how().missing()) })
}

/// What is to be done with a source that was read.
pub(super) struct Order<'a> {
    pub content: &'a Content,
    /// What the history of imports calls it.
    pub name: &'a str,
    pub target: Target,
    pub dry_run: bool,
    pub yes: bool,
    /// Whether theirs is taken where both sides changed a field; none where that cannot be said.
    pub theirs: Option<bool>,
    /// What is retired, and of what.
    pub things: &'a str,
    pub place: &'a str,
}

impl Order<'_> {
    /// Tells what the import does, asks where that is much, and does it.
    ///
    /// # Errors
    /// A sentence; nothing is then written.
    pub fn carry_out(&self, app: &App) -> anyhow::Result<()> {
        let Self { content, target, things, place, .. } = *self;
        let withdraws = target.missing == Missing::Withdraw;
        let progress = Progress::start("Comparing with the library");
        let mut preview =
            app.db.read_blocking(|conn| engine::preview(conn, content, target)).map_err(told)?;
        progress.clear();
        if let Content::Atomics(atomics) = content {
            for skipped in &atomics.skipped {
                println!("Left out: {skipped}");
            }
        }
        self.warn(&preview);
        let kept = preview.counts.kept;
        if kept > 0 {
            let why = if withdraws {
                "they were refused, and their earlier copies stay"
            } else {
                "they stay; with --withdraw they are retired"
            };
            println!("{} {things} of {place} are not in this import: {why}", HumanCount(kept as u64));
        }
        let takes = if self.theirs == Some(true) { Takes::everywhere() } else { Takes::new() };
        if self.dry_run {
            // Nobody is asked here, so it is known how conflicts end.
            engine::settle(&mut preview, &takes);
            list("Would add", &preview.labels(Verdict::Added), NAMED);
            list("Would change", &preview.labels(Verdict::Changed), NAMED);
            list("Would withdraw", &preview.labels(Verdict::Withdrawn), usize::MAX);
            list("Would keep", &preview.labels(Verdict::Kept), NAMED);
            println!("Nothing was written: this was a dry run");
            println!("{}", preview.counts);
            return Ok(());
        }
        let Counts { withdrawn, unchanged, changed, .. } = preview.counts;
        let stored = withdrawn + unchanged + changed + kept;
        if withdraws_much(withdrawn, stored) && !self.yes {
            let (withdrawn, stored) = (HumanCount(withdrawn as u64), HumanCount(stored as u64));
            ask(&format!("This import retires {withdrawn} of the {stored} {things} of {place}."))?;
        }
        let progress = Progress::start("Writing");
        let counts = runs::import_now(&app.db, &Actor::command(), self.name, content, target, &takes);
        let counts = counts.map_err(told)?;
        progress.clear();
        println!("{counts}");
        Ok(())
    }

    /// Says what is refused, what to know of what is taken, the first of it, and which fields were changed
    /// here and in the source.
    fn warn(&self, preview: &Preview) {
        let of = |verdict: Verdict| preview.changes.iter().filter(move |change| change.verdict == verdict);
        for place in of(Verdict::Refused).filter_map(|change| change.detail.place.as_ref()) {
            println!("Refused: {place}");
        }
        for row in of(Verdict::Kept).filter(|row| !row.detail.sentence.is_empty()) {
            println!("Kept: {}: {}", printable(&row.label), printable(&row.detail.sentence));
        }
        // Files that were not looked into are told as left out.
        let leaves_out = matches!(self.content, Content::Atomics(_));
        let told: Vec<String> = of(Verdict::Warning)
            .filter_map(|change| match &change.detail.place {
                Some(place) => (place.object.is_some() || !leaves_out).then(|| place.to_string()),
                None => Some(format!("{}: {}", printable(&change.label), printable(&change.detail.sentence))),
            })
            .collect();
        for warning in told.iter().take(NAMED) {
            println!("Warning: {warning}");
        }
        if let Some(more) = told.len().checked_sub(NAMED).filter(|more| *more > 0) {
            println!("Warning: {} more", HumanCount(more as u64));
        }
        let whose = match self.theirs {
            None => "ours stands",
            Some(false) => "ours stands; --theirs takes theirs",
            Some(true) => "theirs is taken",
        };
        for change in of(Verdict::Conflict) {
            let fields = change.detail.fields.iter().filter(|field| field.is_conflict);
            let fields: Vec<&str> = fields.map(|field| field.label.as_str()).collect();
            let (label, fields) = (printable(&change.label), printable(&fields.join(", ")));
            println!("Conflict: {label}, {fields}: changed on both sides; {whose}");
        }
    }
}

/// Asks whether to go on; where nobody can answer, it does not.
fn ask(what: &str) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("{what} Nothing was written. --dry-run names them, and --yes retires them");
    }
    print!("{what} Type yes to go on: ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        bail!("nothing was written");
    }
    Ok(())
}

/// How many names a dry run prints of what is not lost.
const NAMED: usize = 50;

fn list(would: &str, names: &[String], most: usize) {
    for name in names.iter().take(most) {
        println!("{would}: {}", printable(name));
    }
    if let Some(more) = names.len().checked_sub(most).filter(|more| *more > 0) {
        println!("{would}: {} more", HumanCount(more as u64));
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", HumanCount(count as u64), if count == 1 { "" } else { "s" })
}

pub(super) fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(sentence) => anyhow::anyhow!(sentence),
        other => other.into(),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A spinner on a terminal; elsewhere one plain line for each thing done.
struct Progress(ProgressBar);

impl Progress {
    fn start(doing: &str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(doing.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }
    fn done(&self, what: &str) {
        self.clear();
        println!("{what}");
    }
    fn clear(&self) {
        self.0.finish_and_clear();
    }
}

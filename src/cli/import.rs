//! `tyrian import`: reads a source, compares it with the library, writes what changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use crate::imports::archive::{Source, file_name, read_file};
use crate::imports::atomics::{self, Atomics};
use crate::imports::attack;
use crate::imports::domain::Refused;
use crate::imports::store;
use crate::kernel::app::App;
use crate::kernel::base::error::Error;
use crate::kernel::event::domain::Actor;
use crate::library::changes::Counts;
use crate::library::domain::{AttackRelease, TechniqueStatus};

/// What to import.
#[derive(Subcommand)]
pub enum ImportCommand {
    /// A release of MITRE ATT&CK: the STIX 2.1 bundle, such as enterprise-attack-18.1.json
    Attack {
        /// The bundle
        file: PathBuf,
    },
    /// The tests of Atomic Red Team: the repository, its atomics folder, or a zip of either
    Atomics {
        /// Folder or zip
        source: PathBuf,
    },
}

/// A source that was read and checked; nothing is written yet.
pub enum Parsed {
    /// A release of ATT&CK.
    Attack(AttackRelease),
    /// Tests of Atomic Red Team.
    Atomics(Atomics),
}

/// Reads the source. It needs no database, so that one with a fault is refused before anything is started.
///
/// # Errors
/// A sentence that names the file, the object and the line.
pub fn read(command: &ImportCommand) -> anyhow::Result<Parsed> {
    match command {
        ImportCommand::Attack { file } => {
            let progress = Progress::start(&format!("Reading {}", shown(file)));
            let release = attack::parse(&file_name(file), &read_file(file)?)?;
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
            Ok(Parsed::Attack(release))
        }
        ImportCommand::Atomics { source } => {
            let progress = Progress::start(&format!("Reading {}", shown(source)));
            let atomics = atomics::parse(&Source::open(source)?)?;
            progress.done(&format!(
                "Read {} tests of Atomic Red Team",
                atomics.procedures.len() + atomics.refused.len()
            ));
            Ok(Parsed::Atomics(atomics))
        }
    }
}

/// Writes what was read, prints what was left out and why, and the counts as the last line.
///
/// # Errors
/// A sentence; nothing is then written.
pub fn write(app: &App, parsed: &Parsed) -> anyhow::Result<()> {
    let progress = Progress::start("Comparing with the library");
    let actor = Actor::command();
    let (counts, refused): (Counts, &[Refused]) = match parsed {
        Parsed::Attack(release) => (store::apply_attack(&app.db, &actor, release).map_err(told)?, &[]),
        Parsed::Atomics(atomics) => {
            (store::apply_atomics(&app.db, &actor, atomics).map_err(told)?, &atomics.refused)
        }
    };
    progress.clear();
    for left_out in refused {
        println!("Refused: {left_out}");
    }
    println!("{counts}");
    Ok(())
}

fn told(error: Error) -> anyhow::Error {
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

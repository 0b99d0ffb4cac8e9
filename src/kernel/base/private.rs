//! Files that nobody else on the machine can read: a client's evidence, keys, archives of the audit log.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};

/// A directory that others may pass through, as the account of the private PostgreSQL must, and not look
/// into.
const PASSAGE: u32 = 0o711;
/// A directory that is ours alone.
const OWN_DIRECTORY: u32 = 0o700;
/// A file that is ours alone.
const OWN_FILE: u32 = 0o600;

/// Directories in the data directory, and files: what earlier versions made readable for everybody.
const DIRECTORIES: [&str; 2] = ["attachments", "audit-archives"];
const FILES: [&str; 7] = [
    "audit.head",
    "audit.key",
    "audit.lost",
    "audit.pub",
    "demo-sign-ins.txt",
    "postgres.lock",
    "secret.key",
];

/// From here on this process, and whatever it starts, makes nothing that others can read. Called first of
/// all.
pub fn close_to_others() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Makes the data directory and what is missing on the way to it; one that is there is closed to others, but
/// for passing. A root's is opened for that, where it was closed: the private PostgreSQL runs as another
/// account.
///
/// # Errors
/// When it cannot be made, or when everybody may write to it: somebody else could then put files in our
/// place.
pub fn data_directory(path: &Path) -> anyhow::Result<()> {
    for missing in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
        if missing.as_os_str().is_empty() || missing.exists() {
            continue;
        }
        match DirBuilder::new().mode(PASSAGE).create(missing) {
            Ok(()) => set_mode(missing, PASSAGE)?,
            // Another process made it a moment ago.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| format!("{} cannot be made", missing.display())),
        }
    }
    let found = fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let own = found.uid() == rustix::process::getuid().as_raw();
    match found.mode() {
        mode if mode & 0o002 != 0 && (!own || mode & 0o1000 != 0) => {
            bail!("{} can be written by everybody: give the data a directory of its own", path.display())
        }
        mode if own && (mode & 0o777 & !PASSAGE != 0 || (found.uid() == 0 && mode & 0o777 != PASSAGE)) => {
            set_mode(path, PASSAGE)
        }
        _ => Ok(()),
    }
}

/// Makes a directory that is ours alone, or makes one that is there so.
///
/// # Errors
/// When it cannot be made or closed.
pub fn directory(path: &Path) -> anyhow::Result<()> {
    match DirBuilder::new().mode(OWN_DIRECTORY).create(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e).with_context(|| format!("{} cannot be made", path.display())),
    }?;
    if fs::metadata(path)?.mode() & 0o777 == OWN_DIRECTORY { Ok(()) } else { set_mode(path, OWN_DIRECTORY) }
}

/// Closes to others what earlier versions left open in the data directory. What lies in a directory that was
/// closed already cannot be reached and is left as it is.
///
/// # Errors
/// When a mode cannot be set.
pub fn mend(data: &Path) -> anyhow::Result<()> {
    for name in DIRECTORIES {
        let path = data.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir() && found.mode() & 0o077 != 0) {
            close_tree(&path)?;
        }
    }
    for name in FILES {
        let path = data.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.mode() & 0o077 != 0) {
            set_mode(&path, OWN_FILE)?;
        }
    }
    Ok(())
}

fn close_tree(directory: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => close_tree(&entry.path())?,
            kind if kind.is_file() => set_mode(&entry.path(), OWN_FILE)?,
            _ => {}
        }
    }
    // Last: a mending that was interrupted begins anew.
    set_mode(directory, OWN_DIRECTORY)
}

fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("{} belongs to somebody else", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_was_open_is_closed_and_what_is_everybodys_is_refused() {
        let place = std::env::temp_dir().join(format!("tyrian-private-{}", std::process::id()));
        let data = place.join("new").join("data");
        data_directory(&data).unwrap();
        assert_eq!((mode(&data), mode(&place.join("new"))), (0o711, 0o711));
        for (name, open) in [("attachments", 0o755), ("attachments/tmp", 0o755), ("audit-archives", 0o775)] {
            fs::create_dir(data.join(name)).unwrap();
            set_mode(&data.join(name), open).unwrap();
        }
        for name in
            ["attachments/a", "attachments/tmp/b", "audit-archives/c", "audit.head", "notes-of-somebody"]
        {
            fs::write(data.join(name), "x").unwrap();
            set_mode(&data.join(name), 0o644).unwrap();
        }
        set_mode(&data, 0o755).unwrap();
        data_directory(&data).unwrap();
        mend(&data).unwrap();
        assert_eq!(mode(&data), 0o711);
        for name in ["attachments", "attachments/tmp", "audit-archives"] {
            assert_eq!(mode(&data.join(name)), 0o700, "{name}");
        }
        for name in ["attachments/a", "attachments/tmp/b", "audit-archives/c", "audit.head"] {
            assert_eq!(mode(&data.join(name)), 0o600, "{name}");
        }
        assert_eq!(mode(&data.join("notes-of-somebody")), 0o644, "what is not ours is left alone");
        set_mode(&data, 0o1777).unwrap();
        assert!(data_directory(&data).unwrap_err().to_string().contains("can be written by everybody"));
        fs::remove_dir_all(&place).unwrap();
    }
}

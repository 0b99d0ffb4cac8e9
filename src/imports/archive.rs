//! Finds the technique files of Atomic Red Team in a folder or a zip. Nothing is ever unpacked to
//! disk, and no link is followed out of the folder.

use std::fs;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::domain::ImportError;

/// The largest file an import reads, in bytes; of a zip, its compressed size.
pub const FILE_MAX: u64 = 64 * MIB;
/// The largest technique file, in bytes. The largest real one has 80 KB.
const TECHNIQUE_FILE_MAX: u64 = 4 * MIB;
/// All technique files of one import together, in bytes.
const TEXT_TOTAL_MAX: u64 = 64 * MIB;
/// What a zip may say that it unpacks to, in bytes, whether or not it is read.
const UNPACKED_MAX: u64 = 512 * MIB;
const ENTRIES_MAX: usize = 50_000;
/// Deflate cannot do better than 1032:1, and text written by people stays far below this.
const RATIO_MAX: u64 = 200;
/// Small entries may be as regular as they like.
const RATIO_FROM: u64 = 256 * 1024;
const NAME_MAX: usize = 1024;

const MIB: u64 = 1024 * 1024;

/// Where a set of Atomic Red Team tests comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The repository, its `atomics` folder, or a folder laid out like it.
    Folder(PathBuf),
    Zip {
        name: String,
        bytes: Vec<u8>,
    },
}

impl Source {
    /// A folder stays a path; a file is read, up to [`FILE_MAX`], and taken for a zip.
    ///
    /// # Errors
    /// When the path cannot be read or the file is too large.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        Ok(Self::Zip { name: file_name(path), bytes: read_file(path)? })
    }
}

/// Reads a whole file, up to [`FILE_MAX`].
///
/// # Errors
/// When it cannot be read, is not an ordinary file or is too large.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ImportError> {
    read_ordinary(path, &path.display().to_string(), FILE_MAX)
}

/// The last part of a path, for messages.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// One technique file, in the order in which it is to be read.
#[derive(Debug)]
pub(super) struct TechniqueFile {
    /// `atomics/T1003.001/T1003.001.yaml`
    pub name: String,
    pub bytes: Vec<u8>,
}

/// All technique files of the source, sorted by name.
pub(super) fn technique_files(source: &Source) -> Result<Vec<TechniqueFile>, ImportError> {
    let (place, mut files) = match source {
        Source::Folder(root) => (root.display().to_string(), from_folder(root)?),
        Source::Zip { name, bytes } => (name.clone(), from_zip(name, bytes)?),
    };
    if files.is_empty() {
        return Err(ImportError::file(
            &place,
            "it holds no technique file; one is expected at atomics/T1003/T1003.yaml, say",
        ));
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// `T1003` and `T1003.001`
fn is_technique(name: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let Some(rest) = name.strip_prefix('T') else {
        return false;
    };
    match rest.split_once('.') {
        Some((parent, sub)) => digits(parent, 4) && digits(sub, 3),
        None => digits(rest, 4),
    }
}

fn is_technique_file(folder: &str, file: &str) -> bool {
    is_technique(folder) && file.strip_suffix(".yaml").is_some_and(is_technique)
}

fn link_refused(name: &str) -> ImportError {
    ImportError::file(name, "it is a symbolic link, and links are not followed")
}

fn io_error(name: &str, error: &io::Error) -> ImportError {
    ImportError::file(name, format!("it cannot be read ({error})"))
}

fn too_large(name: &str, limit: u64) -> ImportError {
    ImportError::file(name, format!("it is larger than {} MiB", limit / MIB))
}

/// Reads at most one byte more than the limit, whatever the size was said to be.
fn read_limited(reader: impl Read, name: &str, limit: u64) -> Result<Vec<u8>, ImportError> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes).map_err(|error| io_error(name, &error))?;
    if bytes.len() as u64 > limit {
        return Err(too_large(name, limit));
    }
    Ok(bytes)
}

fn read_ordinary(path: &Path, name: &str, limit: u64) -> Result<Vec<u8>, ImportError> {
    let found = fs::metadata(path).map_err(|error| io_error(name, &error))?;
    // A pipe or a device would never end.
    if !found.is_file() {
        return Err(ImportError::file(name, "it is not an ordinary file"));
    }
    let file = fs::File::open(path).map_err(|error| io_error(name, &error))?;
    read_limited(file, name, limit)
}

/// Adds up what is read and stops at [`TEXT_TOTAL_MAX`].
#[derive(Default)]
struct Files {
    list: Vec<TechniqueFile>,
    total: u64,
}

impl Files {
    fn push(&mut self, name: String, bytes: Vec<u8>) -> Result<(), ImportError> {
        self.total += bytes.len() as u64;
        if self.total > TEXT_TOTAL_MAX {
            return Err(ImportError::file(
                &name,
                format!("the technique files together are larger than {} MiB", TEXT_TOTAL_MAX / MIB),
            ));
        }
        self.list.push(TechniqueFile { name, bytes });
        Ok(())
    }
}

fn from_folder(root: &Path) -> Result<Vec<TechniqueFile>, ImportError> {
    let atomics = root.join("atomics");
    let (base, prefix) = match fs::symlink_metadata(&atomics) {
        Ok(found) if found.is_symlink() => return Err(link_refused("atomics")),
        Ok(found) if found.is_dir() => (atomics, "atomics/"),
        _ => (root.to_owned(), ""),
    };
    let mut files = Files::default();
    for folder in children(&base, &base.display().to_string())? {
        if !is_technique(&folder) {
            continue;
        }
        let place = format!("{prefix}{folder}");
        let path = base.join(&folder);
        let found = fs::symlink_metadata(&path).map_err(|error| io_error(&place, &error))?;
        if found.is_symlink() {
            return Err(link_refused(&place));
        }
        if !found.is_dir() {
            continue;
        }
        for file in children(&path, &place)? {
            if !is_technique_file(&folder, &file) {
                continue;
            }
            let name = format!("{place}/{file}");
            let path = path.join(&file);
            let found = fs::symlink_metadata(&path).map_err(|error| io_error(&name, &error))?;
            if found.is_symlink() {
                return Err(link_refused(&name));
            }
            let bytes = read_ordinary(&path, &name, TECHNIQUE_FILE_MAX)?;
            files.push(name, bytes)?;
        }
    }
    Ok(files.list)
}

/// Names in a folder, up to [`ENTRIES_MAX`]. One that is not UTF-8 cannot be a technique's.
fn children(folder: &Path, place: &str) -> Result<Vec<String>, ImportError> {
    let mut names = Vec::new();
    for (seen, entry) in fs::read_dir(folder).map_err(|error| io_error(place, &error))?.enumerate() {
        if seen == ENTRIES_MAX {
            return Err(too_many_entries(place));
        }
        let entry = entry.map_err(|error| io_error(place, &error))?;
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

fn too_many_entries(place: &str) -> ImportError {
    ImportError::file(place, format!("it has more than {ENTRIES_MAX} entries"))
}

fn from_zip(archive_name: &str, bytes: &[u8]) -> Result<Vec<TechniqueFile>, ImportError> {
    if bytes.len() as u64 > FILE_MAX {
        return Err(too_large(archive_name, FILE_MAX));
    }
    // The reader below keeps a record for each entry, so they are counted before it is asked.
    let headers = bytes.windows(4).filter(|window| window == b"PK\x01\x02");
    if headers.take(ENTRIES_MAX + 1).count() > ENTRIES_MAX {
        return Err(too_many_entries(archive_name));
    }
    let unreadable = |error: zip::result::ZipError| {
        ImportError::file(archive_name, format!("it is not a zip that can be read ({error})"))
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    if archive.has_duplicate_names() {
        return Err(ImportError::file(archive_name, "two of its entries have the same name"));
    }
    let mut wanted = Vec::new();
    let mut unpacked = 0u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(unreadable)?;
        let name = safe_name(archive_name, entry.name_raw())?;
        let refuse = |sentence: &str| Err(in_archive(archive_name, &name, sentence));
        if entry.is_symlink() {
            return refuse("it is a symbolic link, and links are not followed");
        }
        unpacked = unpacked.saturating_add(entry.size());
        if unpacked > UNPACKED_MAX {
            return Err(ImportError::file(
                archive_name,
                format!("it unpacks to more than {} MiB", UNPACKED_MAX / MIB),
            ));
        }
        if !entry.is_file() || !is_wanted(&name) {
            continue;
        }
        if entry.encrypted() {
            return refuse("it is encrypted");
        }
        wanted.push((index, name, entry.compressed_size()));
    }
    let mut files = Files::default();
    for (index, name, compressed) in wanted {
        let entry = archive
            .by_index(index)
            .map_err(|error| in_archive(archive_name, &name, &format!("it cannot be read ({error})")))?;
        // Sizes in a header may lie, so the limits hold for the bytes that come out.
        let bytes = read_limited(entry, &name, TECHNIQUE_FILE_MAX)?;
        let unpacked = bytes.len() as u64;
        if unpacked > RATIO_FROM && unpacked > compressed.saturating_mul(RATIO_MAX) {
            return Err(in_archive(
                archive_name,
                &name,
                &format!("it unpacks to more than {RATIO_MAX} times its size"),
            ));
        }
        files.push(name, bytes)?;
    }
    Ok(files.list)
}

fn in_archive(archive: &str, entry: &str, sentence: &str) -> ImportError {
    ImportError { object: Some(format!("entry {entry}")), ..ImportError::file(archive, sentence) }
}

/// The entry's name, refused when it would leave the folder it is unpacked to, on any system.
fn safe_name(archive: &str, raw: &[u8]) -> Result<String, ImportError> {
    let name = String::from_utf8_lossy(raw).into_owned();
    let refuse = |sentence: &str| Err(in_archive(archive, &name, sentence));
    if name.len() > NAME_MAX || name.is_empty() || name.chars().any(char::is_control) {
        return refuse("its name is empty, too long or holds control characters");
    }
    let drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    if name.starts_with(['/', '\\']) || drive {
        return refuse("its path is absolute");
    }
    if name.split(['/', '\\']).any(|part| part == "..") {
        return refuse("its path leads out of the archive");
    }
    Ok(name)
}

/// `T1003/T1003.yaml`, alone or below an `atomics` folder, which may lie in others.
fn is_wanted(name: &str) -> bool {
    let parts: Vec<_> = name.split('/').collect();
    match parts[..] {
        [folder, file] | [.., "atomics", folder, file] => is_technique_file(folder, file),
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    pub fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn names(bytes: &[u8]) -> Result<Vec<String>, String> {
        let source = Source::Zip { name: "tests.zip".to_owned(), bytes: bytes.to_vec() };
        technique_files(&source)
            .map(|files| files.into_iter().map(|file| file.name).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn technique_files_are_found_at_the_top_and_below_atomics() {
        let zip = zip_of(&[
            ("repo-master/atomics/T1003.001/T1003.001.yaml", b""),
            ("repo-master/atomics/T1003.001/src/T1003.yaml", b""),
            ("repo-master/atomics/Indexes/index.yaml", b""),
            ("atomics/T1003/T1003.md", b""),
            ("T1002/T1002.yaml", b""),
        ]);
        assert_eq!(
            names(&zip).unwrap(),
            ["T1002/T1002.yaml", "repo-master/atomics/T1003.001/T1003.001.yaml"]
        );
        assert!(names(&zip_of(&[("a.txt", b"")])).unwrap_err().contains("no technique file"));
    }

    #[test]
    fn paths_that_leave_the_archive_are_refused() {
        for name in ["../evil", "a/../../evil", "a\\..\\evil", "/etc/evil", "\\\\host\\evil", "C:\\evil"] {
            let error = names(&zip_of(&[(name, b"x")])).unwrap_err();
            assert!(error.contains("its path"), "{name}: {error}");
            assert!(error.starts_with("tests.zip, entry "), "{error}");
        }
    }

    #[test]
    fn a_link_in_a_zip_is_refused() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("atomics/T1003/T1003.yaml", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        let error = names(&zip.finish().unwrap().into_inner()).unwrap_err();
        assert!(error.contains("symbolic link"), "{error}");
    }

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![b' '; 3 * MIB as usize];
        let error = names(&zip_of(&[("T1003/T1003.yaml", &zeros)])).unwrap_err();
        assert!(error.contains("200 times"), "{error}");

        let mut lying = zip_of(&[("notes.txt", b"x"), ("T1003/T1003.yaml", b"x")]);
        let header = lying.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        lying[header + 24..header + 28].copy_from_slice(&(600u32 << 20).to_le_bytes());
        let error = names(&lying).unwrap_err();
        assert!(error.contains("more than 512 MiB"), "{error}");

        let many = b"PK\x01\x02".repeat(ENTRIES_MAX + 1);
        assert!(names(&many).unwrap_err().contains("50000 entries"));
        assert!(names(b"not a zip").unwrap_err().contains("not a zip"));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_folder_are_refused() {
        let root = std::env::temp_dir().join(format!("tyrian-atomics-{}", std::process::id()));
        let technique = root.join("atomics/T1003");
        fs::create_dir_all(&technique).unwrap();
        fs::write(root.join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("secret"), technique.join("T1003.yaml")).unwrap();
        let source = Source::open(&root).unwrap();
        let error = technique_files(&source).unwrap_err().to_string();
        fs::remove_file(technique.join("T1003.yaml")).unwrap();
        fs::write(technique.join("T1003.yaml"), "x").unwrap();
        let files = technique_files(&source).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert!(error.starts_with("atomics/T1003/T1003.yaml: it is a symbolic link"), "{error}");
        assert_eq!(files[0].name, "atomics/T1003/T1003.yaml");
    }
}

//! Rules of attachments: file names, media types, sizes. Pure. What an uploader claims about a file is never
//! believed.

use serde::Deserialize;

use crate::kernel::base::error::{Error, FieldErrors};
use crate::kernel::base::harmless::harmless;
use crate::kernel::base::pairs::Pairs;
use crate::kernel::base::show;
use crate::kernel::base::text::{LONG_TEXT_BYTES, SHORT_TEXT_BYTES, check_text, check_visible};

/// Attachments of one procedure, both teams' together.
pub const ATTACHMENTS: i64 = 200;

/// How many files one form may carry.
pub const FILES_AT_ONCE: usize = 20;

/// How many of a file's first bytes [`media_type`] wants to see.
pub const MAGIC_BYTES: usize = 16;

/// Longest file name, in bytes: what file systems take.
const NAME_BYTES: usize = 200;

/// The name under which a file is kept: the one it came with, dots, blanks and hidden characters included. Of
/// a path it is the last part. Only what no file may be called is changed: control characters would act in
/// terminals and headers, and "." and ".." are folders.
pub fn file_name(claimed: &str) -> FileName {
    // Browsers write these three so in a form's file names (WHATWG, multipart/form-data encoding).
    let claimed = claimed.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
    // Some send the whole path.
    let last = claimed.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    let name = match name.as_str() {
        "" | "." | ".." => "file".to_owned(),
        name if name.chars().all(char::is_whitespace) => "file".to_owned(),
        name => cut(name),
    };
    FileName { changed_from: (name != last && !last.is_empty()).then(|| last.to_owned()), name }
}

/// A file's name as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    pub name: String,
    /// The name it came with, where that is another.
    pub changed_from: Option<String>,
}

fn cut(name: &str) -> String {
    if name.len() <= NAME_BYTES {
        return name.to_owned();
    }
    // The extension says what the file is: it stays.
    let extension = name.rsplit_once('.').map(|(_, e)| e).filter(|e| e.len() <= 16).unwrap_or_default();
    let room = NAME_BYTES - extension.len() - 1;
    let end = (0..=room).rev().find(|i| name.is_char_boundary(*i)).unwrap_or_default();
    if extension.is_empty() { name[..end].to_owned() } else { format!("{}.{extension}", &name[..end]) }
}

/// The media type under which a file is served: images by their first bytes, text by a list of extensions,
/// else bytes.
pub fn media_type(first: &[u8], name: &str) -> &'static str {
    const TEXT: &[&str] = &[
        "txt", "log", "md", "csv", "json", "jsonl", "xml", "yaml", "yml", "ps1", "sh", "py", "bat", "ini",
        "conf", "kql", "spl", "yar",
    ];
    match first {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => {
            let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
            if TEXT.contains(&extension.as_str()) {
                "text/plain; charset=utf-8"
            } else {
                "application/octet-stream"
            }
        }
    }
}

/// Whether a media type is one that pages show as a picture.
pub fn is_image(media_type: &str) -> bool {
    matches!(media_type, "image/png" | "image/jpeg" | "image/gif" | "image/webp")
}

/// A file of a form that could not be taken, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    Empty(String),
    /// With the limit, in bytes.
    TooLarge(String, i64),
}

impl LeftOut {
    fn named(&self) -> String {
        match self {
            Self::Empty(name) => format!("“{}” (empty)", harmless(name)),
            Self::TooLarge(name, limit) => {
                format!("“{}” (larger than {}, the limit for one file)", harmless(name), show::size(*limit))
            }
        }
    }

    /// The refusal of a form of which nothing could be taken.
    pub fn all(files: &[Self]) -> Error {
        match files {
            [Self::Empty(name)] => Error::field(
                "file",
                format!("“{}” is empty. Nothing was stored. Choose a file with content.", harmless(name)),
            ),
            [Self::TooLarge(name, limit)] => Error::TooLarge(format!(
                "“{}” is larger than {}, the limit for one file. Nothing was stored. Compress it, or attach \
                    the part that matters.",
                harmless(name),
                show::size(*limit)
            )),
            several => Error::field("file", format!("Nothing was stored. {}", told(several))),
        }
    }
}

/// Which files of a form were not stored, and why; empty where all were.
pub fn told(left_out: &[LeftOut]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    format!("Not stored: {}.", left_out.iter().map(LeftOut::named).collect::<Vec<_>>().join(", "))
}

/// Which files are kept under another name than they came with; empty where none is.
pub fn renamed<'a>(names: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let each = |(from, to): (&str, &str)| format!("“{}” is kept as “{}”.", harmless(from), harmless(to));
    names.map(each).collect::<Vec<_>>().join(" ")
}

/// What is said about an attachment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedAttachment {
    /// One line; empty means the file's name.
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub description: String,
    /// Ticked when the finding shall show it.
    #[serde(default)]
    pub in_finding: Option<String>,
    /// The version that was shown; none for a new one.
    #[serde(default)]
    pub version: i32,
}

/// What is said about an attachment, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachmentText {
    /// One line; empty means the file's name.
    pub title: String,
    pub description: String,
    /// Whether the finding shows it.
    pub in_finding: bool,
}

impl TypedAttachment {
    /// From a form with files.
    pub fn of(pairs: &Pairs) -> Self {
        let find = |name: &str| pairs.last(name).map(str::to_owned);
        Self {
            title: find("title").unwrap_or_default(),
            description: find("description").unwrap_or_default(),
            in_finding: find("in_finding"),
            version: 0,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a sentence for each field.
    pub fn check(&self) -> Result<AttachmentText, Error> {
        let mut errors = FieldErrors::default();
        let mut kept = |field: &str, checked: Result<String, String>| {
            checked.unwrap_or_else(|sentence| {
                errors.add(field, sentence);
                String::new()
            })
        };
        let title = check_text("The title", false, &self.title, SHORT_TEXT_BYTES, false);
        let title = kept("title", title.and_then(|title| check_visible(&title).map(|()| title)));
        let description = kept(
            "description",
            check_text("The description", false, &self.description, LONG_TEXT_BYTES, true),
        );
        errors.done()?;
        Ok(AttachmentText { title, description, in_finding: self.in_finding.is_some() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_stay_as_they_came() {
        let kept = |claimed: &str| {
            let FileName { name, changed_from } = file_name(claimed);
            assert_eq!(changed_from, None, "{claimed}");
            name
        };
        for name in [
            "console.png",
            ".bash_history",
            ".env",
            ".ssh.tar",
            "...hidden",
            "report.pdf.",
            "trail. ",
            " lead",
            "\u{200b}.txt",
            "a\u{202e}gnp.exe",
            "検知.log",
            "a;b'c.txt",
        ] {
            assert_eq!(kept(name), name);
        }
        assert_eq!(kept("C:\\Users\\mk\\a b.txt"), "a b.txt");
        assert_eq!(kept("dropped %22x%22.txt"), "dropped \"x\".txt");
        assert_eq!(kept("../../etc/passwd"), "passwd");
    }

    #[test]
    fn a_name_that_no_file_may_have_is_changed_and_that_is_told() {
        let changed = |claimed: &str| {
            let FileName { name, changed_from } = file_name(claimed);
            assert!(changed_from.is_some(), "{claimed}");
            name
        };
        assert_eq!(changed("a\r\nSet-Cookie: x.exe"), "a__Set-Cookie: x.exe");
        assert_eq!(changed("a%0D%0Ab\u{1b}[2J.txt"), "a__b_[2J.txt");
        for nothing in ["..", ".", " ", "\u{a0} "] {
            assert_eq!(changed(nothing), "file");
        }
        assert_eq!(file_name("").name, "file");
        assert_eq!(file_name("a/").name, "file");
        let long = changed(&format!("{}.evtx", "ä".repeat(300)));
        assert!(long.len() <= NAME_BYTES && long.ends_with("ä.evtx"));
        assert!(changed(&"x".repeat(900)).len() <= NAME_BYTES);
    }

    #[test]
    fn only_known_images_are_images() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n....", "x.txt"), "image/png");
        assert_eq!(media_type(&[0xff, 0xd8, 0xff, 0xe0], "x"), "image/jpeg");
        assert_eq!(media_type(b"GIF89a..", "x"), "image/gif");
        assert_eq!(media_type(b"RIFF\x01\x02\x03\x04WEBPVP8 ", "x"), "image/webp");
        assert_eq!(media_type(b"<svg onload=alert(1)>", "logo.svg"), "application/octet-stream");
        assert_eq!(media_type(b"<html>", "page.html"), "application/octet-stream");
        assert_eq!(media_type(b"<html>", "page.png"), "application/octet-stream");
        assert_eq!(media_type(b"<html>", "page.LOG"), "text/plain; charset=utf-8");
        assert_eq!(media_type(b"", "x"), "application/octet-stream");
    }
}

//! Attachments: the section of the procedure page, the page that adds files, the page that changes what is
//! said of one.

use askama::Template;
use chrono_tz::Tz;

use super::place::Place;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::AttachmentId;
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::procedures::evidence::{TypedAttachment, is_image};
use crate::procedures::store::attachments::{Attachment, FilePage};

/// An attachment as shown.
pub struct ShownAttachment {
    pub href: String,
    /// The page that changes what is said of it.
    pub edit: Option<String>,
    /// The page before it is removed.
    pub removal: Option<String>,
    /// CSS class of its team.
    pub class: &'static str,
    pub team: &'static str,
    pub title: String,
    /// The file's name, where the title is another.
    pub file_name: Option<String>,
    pub description: Option<String>,
    /// "48 KiB".
    pub size: String,
    pub by: String,
    pub at: String,
    pub machine: String,
    /// Whether it can be previewed.
    pub image: bool,
    /// Whether the finding shows it.
    pub in_finding: bool,
}

impl ShownAttachment {
    /// An attachment at a place, with the links of who looks.
    pub fn new(place: &Place, attachment: &Attachment) -> Self {
        let href = format!("/engagements/{}/attachments/{}", place.engagement, attachment.id);
        let writes = attachment.team.map_or(place.sides.any(), |team| place.sides.may_write_team(team));
        Self {
            edit: writes.then(|| format!("{href}/edit")),
            removal: place.owns(attachment.uploaded_by, attachment.team).then(|| format!("{href}/removal")),
            class: attachment.team.map_or("", Team::as_str),
            team: attachment.team.map_or("Both teams", Team::label),
            title: attachment.title.clone(),
            file_name: (attachment.title != attachment.file_name).then(|| attachment.file_name.clone()),
            description: Some(attachment.description.clone()).filter(|text| !text.is_empty()),
            size: show::size(attachment.size),
            by: attachment.uploader.clone(),
            at: show::time(attachment.uploaded_at, place.zone),
            machine: attachment.uploaded_at.to_rfc3339(),
            image: is_image(&attachment.media_type),
            in_finding: attachment.in_finding,
            href,
        }
    }
}

/// The section of the procedure page.
#[derive(Template)]
#[template(path = "procedures/_attachments.html")]
pub struct Attachments {
    url: String,
    files: Vec<ShownAttachment>,
    total: i64,
    /// How many are older than those shown, and the oldest that is shown.
    older: i64,
    oldest: Option<AttachmentId>,
    /// How many are newer.
    newer: i64,
    teams: Vec<Team>,
    limit: String,
    digest: String,
    open: bool,
    saved: Option<&'static str>,
    /// Tells one flash from the one before, so that it shows again; what others change leaves it standing.
    moment: i64,
    problem: Option<String>,
}

impl Attachments {
    /// The section; `open` shows what is inside.
    pub fn new(place: &Place, page: FilePage, open: bool) -> Self {
        let digest = match (page.red, page.blue) {
            (0, 0) => String::new(),
            (red, blue) => format!("{red} red, {blue} blue"),
        };
        Self {
            url: place.url(),
            teams: place.teams(),
            files: page.files.iter().map(|a| ShownAttachment::new(place, a)).collect(),
            total: page.total,
            older: page.older,
            newer: page.newer(),
            oldest: page.files.first().map(|file| file.id),
            limit: show::size(place.attachment_bytes),
            digest,
            open,
            saved: None,
            moment: place.now.timestamp_millis(),
            problem: None,
        }
    }

    /// Says what has just happened.
    #[must_use]
    pub fn saved(self, word: &'static str) -> Self {
        Self { saved: Some(word), ..self }
    }

    /// Says what was not stored, and why.
    #[must_use]
    pub fn problem(self, sentence: String) -> Self {
        Self { problem: Some(sentence), ..self }
    }
}

/// The page that adds files to a procedure.
#[derive(Template)]
#[template(path = "procedures/attachment_new.html")]
pub struct NewAttachment {
    pub frame: Frame,
    pub url: String,
    /// The procedure, as "4 Read LSASS memory".
    pub procedure: String,
    pub team: Team,
    /// "50 MiB".
    pub limit: String,
    /// What was typed beside the files.
    pub typed: TypedAttachment,
    /// What is wrong with it.
    pub errors: FieldErrors,
}

/// The page that changes what is said of an attachment.
#[derive(Template)]
#[template(path = "procedures/attachment.html")]
pub struct EditAttachment {
    pub frame: Frame,
    pub href: String,
    pub back: String,
    pub file_name: String,
    /// "48 KiB · Red · Mika Kuusi, 21 Nov 2026, 14:12".
    pub facts: String,
    /// SHA-256, hexadecimal.
    pub digest: String,
    /// Whether it can be previewed.
    pub image: bool,
    /// What was typed, or what is stored.
    pub typed: TypedAttachment,
    /// What is wrong with it.
    pub errors: FieldErrors,
    /// Why it was not saved.
    pub problem: Option<String>,
    /// What somebody else saved meanwhile: title, description, whether the finding shows it.
    pub theirs: Option<TypedAttachment>,
}

/// The facts of an attachment in one line.
pub fn facts(attachment: &Attachment, zone: Tz) -> String {
    let team = attachment.team.map_or("Both teams", Team::label);
    format!(
        "{} · {team} · {}, {} ({zone})",
        show::size(attachment.size),
        attachment.uploader,
        show::time(attachment.uploaded_at, zone)
    )
}

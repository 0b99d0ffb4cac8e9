//! Pages of signing in and of one's own account.

use askama::Template;

use crate::kernel::base::error::FieldErrors;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

#[derive(Template)]
#[template(path = "accounts/sign_in.html")]
pub struct SignIn {
    pub frame: Frame,
    pub email: String,
    /// Where to go afterwards.
    pub next: String,
    pub fault: Option<String>,
}

/// A one-time link: first administrator, invitation, new password.
#[derive(Template)]
#[template(path = "accounts/link.html")]
pub struct Link {
    pub frame: Frame,
    pub heading: &'static str,
    /// One sentence below it.
    pub lead: String,
    /// Word on the button.
    pub action: &'static str,
    /// Name and e-mail of whom it is for, where they have an account.
    pub known: Option<(String, String)>,
    /// Whether name and e-mail are asked too.
    pub asks_name: bool,
    pub name: String,
    pub email: String,
    pub errors: FieldErrors,
}

#[derive(Template)]
#[template(path = "accounts/code.html")]
pub struct CodeForm {
    pub frame: Frame,
    pub fault: Option<String>,
}

/// A session in the list of one's own.
pub struct SessionLine {
    pub id: String,
    /// "Firefox on Linux"
    pub device: String,
    /// From where it began.
    pub address: String,
    pub since: String,
    /// When it was last used.
    pub used: String,
    /// Whether it is this one.
    pub own: bool,
}

#[derive(Template)]
#[template(path = "accounts/account.html")]
pub struct AccountPage {
    pub frame: Frame,
    pub name: String,
    pub email: String,
    pub role: String,
    /// How many clients are visible.
    pub clients: usize,
    /// Whether there is a second factor.
    pub two_factor: bool,
    /// How many recovery codes are left.
    pub codes_left: i64,
    /// Sessions, the last used one first.
    pub sessions: Vec<SessionLine>,
    pub zone: chrono_tz::Tz,
    /// What is wrong with the password form.
    pub errors: FieldErrors,
}

#[derive(Template)]
#[template(path = "accounts/proof.html")]
pub struct Proof {
    pub frame: Frame,
    /// Where to go afterwards.
    pub next: String,
    /// What waits there, in words; empty where it has none.
    pub what: String,
    pub fault: Option<String>,
    /// Whether a code of the second factor is asked for as well.
    pub asks_code: bool,
}

#[derive(Template)]
#[template(path = "accounts/two_factor.html")]
pub struct Enrol {
    pub frame: Frame,
    /// Whether nothing else works before it.
    pub due: bool,
    /// Length of the QR code's sides, in modules.
    pub side: usize,
    /// The QR code, as the path of an SVG.
    pub path: String,
    /// The secret for typing.
    pub words: String,
    /// The secret for the form.
    pub sealed: String,
    /// Where to go afterwards.
    pub next: String,
    pub errors: FieldErrors,
}

/// Recovery codes, shown once.
#[derive(Template)]
#[template(path = "accounts/codes.html")]
pub struct Codes {
    pub frame: Frame,
    pub codes: Vec<String>,
    /// Where to go on.
    pub next: String,
}

#[derive(Template)]
#[template(path = "accounts/remove_factor.html")]
pub struct RemoveFactor {
    pub frame: Frame,
    pub fault: Option<String>,
}

/// A draft of a form that is offered again.
#[derive(Debug, Clone)]
pub struct DraftOffer {
    /// Where the form posts to, and which it is.
    pub place: String,
    pub tab: String,
    pub at: String,
    /// The beginning of what was typed.
    pub words: String,
    pub fields: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "accounts/drafts.html")]
pub struct DraftOffers {
    pub offers: Vec<DraftOffer>,
}

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

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    let gate = Frame { person: None, ..Frame::sample("Sign in") };
    let sign_in = SignIn {
        frame: gate.clone(),
        email: "ines@tyrian.example".into(),
        next: "/".into(),
        fault: Some("No.".into()),
    };
    let link = Link {
        frame: gate,
        heading: "Set up Tyrian",
        lead: "This makes the first administrator.".into(),
        action: "Create account",
        asks_name: true,
        name: "<b>".into(),
        email: String::new(),
        errors: FieldErrors::one("password", "Use at least 12 characters."),
    };
    let account = AccountPage {
        frame: Frame::sample("Account"),
        name: "Noor Haddad".into(),
        email: "noor@tyrian.example".into(),
        role: "Team Lead".into(),
        clients: 2,
        two_factor: true,
        codes_left: 3,
        sessions: vec![SessionLine {
            id: "x".into(),
            device: "<b>".into(),
            address: "192.0.2.7".into(),
            since: "21 Nov 2026, 14:05".into(),
            used: "just now".into(),
            own: false,
        }],
        zone: chrono_tz::UTC,
        errors: FieldErrors::default(),
    };
    let code = CodeForm {
        frame: Frame { person: None, ..Frame::sample("Second factor") },
        fault: Some("No.".into()),
    };
    let proof = Proof {
        frame: Frame::sample("Your password again"),
        next: "/<b>".into(),
        fault: Some("No.".into()),
        asks_code: true,
    };
    let enrol = Enrol {
        frame: Frame::sample("Set up a second factor"),
        due: true,
        side: 41,
        path: "M4 4h1v1h-1z".into(),
        words: "ABCD EFGH".into(),
        sealed: "00".into(),
        next: "/".into(),
        errors: FieldErrors::one("code", "No."),
    };
    let codes = Codes {
        frame: Frame::sample("Recovery codes"),
        codes: vec!["4f2a-91c0-7be3".into()],
        next: "/account".into(),
    };
    let remove = RemoveFactor { frame: Frame::sample("Remove the second factor"), fault: Some("No.".into()) };
    crate::kernel::web::rendered([
        ("sign_in", sign_in.render()),
        ("link", link.render()),
        ("account", account.render()),
        ("code", code.render()),
        ("proof", proof.render()),
        ("two_factor", enrol.render()),
        ("codes", codes.render()),
        ("remove_factor", remove.render()),
    ])
}

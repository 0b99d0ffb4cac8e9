//! Pages of signing in and of one's own account.

use askama::Template;

use crate::error::FieldErrors;
use crate::web::Frame;

/// `/sign-in`
#[derive(Template)]
#[template(path = "accounts/sign_in.html")]
pub struct SignIn {
    /// The frame.
    pub frame: Frame,
    /// What was typed.
    pub email: String,
    /// Where to go afterwards.
    pub next: String,
    /// Why not.
    pub fault: Option<String>,
}

/// A one-time link: first administrator, invitation, new password.
#[derive(Template)]
#[template(path = "accounts/link.html")]
pub struct Link {
    /// The frame.
    pub frame: Frame,
    /// Heading.
    pub heading: &'static str,
    /// One sentence below it.
    pub lead: String,
    /// Word on the button.
    pub action: &'static str,
    /// Whether name and e-mail are asked too.
    pub asks_name: bool,
    /// What was typed.
    pub name: String,
    /// What was typed.
    pub email: String,
    /// What is wrong.
    pub errors: FieldErrors,
}

/// `/account`
#[derive(Template)]
#[template(path = "accounts/account.html")]
pub struct AccountPage {
    /// The frame.
    pub frame: Frame,
    /// Name.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// First role.
    pub role: String,
    /// How many clients are visible.
    pub clients: usize,
    /// What is wrong with the password form.
    pub errors: FieldErrors,
}

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    let gate = Frame { person: None, ..Frame::sample("Sign in") };
    let sign_in = SignIn { frame: gate.clone(), email: "ines@tyrian.example".into(), next: "/".into(), fault: Some("No.".into()) };
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
        errors: FieldErrors::default(),
    };
    [("sign_in", sign_in.render()), ("link", link.render()), ("account", account.render())]
        .into_iter()
        .map(|(name, html)| (name, html.unwrap_or_default()))
        .collect()
}

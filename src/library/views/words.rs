//! Texts of the library as pages show them: MITRE's Markdown, commands, and the words of sources in ours.

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::kernel::base::show;
use crate::kernel::web::filters;
use crate::kernel::web::markdown;
use crate::library::domain::{Piece, visible};
use crate::library::placeholders::Piece as Part;
use crate::library::placeholders::fill;

/// Commands longer than this are folded, in lines.
const SHOWN_LINES: usize = 16;

/// MITRE's text as safe HTML. It is Markdown with `<code>`, a few other marks of HTML, and "(Citation: …)",
/// whose sources only MITRE's own page lists: citations are left out, the HTML becomes Markdown.
pub fn attack_html(text: &str) -> String {
    markdown::render(&attack_markdown(text))
}

/// The first paragraph of MITRE's text without its marks, for one line of a list.
pub fn attack_digest(text: &str) -> String {
    let first = text.trim().split("\n").next().unwrap_or_default();
    without_citations(first).replace("<code>", "").replace("</code>", "").trim().to_owned()
}

fn attack_markdown(text: &str) -> String {
    let text = without_citations(text).replace("<br>", "\n").replace("<br/>", "\n").replace("<br />", "\n");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("<code>") {
        let Some((code, beyond)) = after.split_once("</code>") else { break };
        out.push_str(&decoded(before));
        out.push_str(&code_span(code));
        rest = beyond;
    }
    out.push_str(&decoded(rest));
    out
}

/// Text without HTML's names for its own marks: our Markdown takes `&` as it is.
fn decoded(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// A code span whose fence is longer than any run of backticks inside (CommonMark, section 6.1).
fn code_span(code: &str) -> String {
    let code = decoded(code);
    if code.trim().is_empty() {
        return code;
    }
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if code.starts_with('`') || code.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{code}{pad}{fence}")
}

fn without_citations(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("(Citation:") {
        let Some((_, beyond)) = after.split_once(')') else { break };
        out.push_str(before);
        rest = beyond;
    }
    out.push_str(rest);
    out
}

/// What is read of a command.
pub enum Shown {
    Text(String),
    /// A placeholder of this name.
    Input(String),
    /// `⟨U+202E⟩`
    Hidden(String),
}

/// A command ready for a page.
#[derive(Template)]
#[template(path = "library/_command.html")]
pub struct Command {
    pub shown: Vec<Shown>,
    /// What the button copies, where that is not the text of `shown`.
    pub exact: Option<String>,
    /// Lines, where they are too many to show at once.
    pub folded: Option<usize>,
}

/// Prepares a command of a library procedure. Nothing is filled in yet.
pub fn command(text: &str) -> Command {
    let mut shown = Vec::new();
    let mut hides = false;
    for part in fill(text, &|_| None) {
        match part {
            Part::Text(text) => {
                for piece in visible(&text) {
                    match piece {
                        Piece::Text(text) => shown.push(Shown::Text(text.to_owned())),
                        Piece::Hidden(code) => {
                            hides = true;
                            shown.push(Shown::Hidden(code));
                        }
                    }
                }
            }
            Part::Filled { name, .. } | Part::Missing { name } => shown.push(Shown::Input(name)),
        }
    }
    let exact = (hides || text.contains('\r')).then(|| text.to_owned());
    let lines = text.lines().count();
    Command { shown, exact, folded: (lines > SHOWN_LINES).then_some(lines) }
}

impl HtmlSafe for Command {}

/// The word people use for a platform that a source writes as `windows` or `iaas:aws`.
pub fn platform(key: &str) -> String {
    let known = match key {
        "windows" => "Windows",
        "macos" => "macOS",
        "linux" => "Linux",
        "office-365" => "Office 365",
        "azure-ad" => "Entra ID",
        "google-workspace" => "Google Workspace",
        "saas" => "SaaS",
        "iaas" => "IaaS",
        "iaas:aws" => "AWS",
        "iaas:azure" => "Azure",
        "iaas:gcp" => "Google Cloud",
        "containers" => "Containers",
        "esxi" => "ESXi",
        other => other,
    };
    known.to_owned()
}

/// Platforms in one line.
pub fn platforms(keys: &[String]) -> String {
    keys.iter().map(|key| platform(key)).collect::<Vec<_>>().join(", ")
}

/// The word people use for an executor.
pub fn executor(key: &str) -> &str {
    match key {
        "powershell" => "PowerShell",
        "command_prompt" => "Command prompt",
        "manual" => "By hand",
        other => other,
    }
}

/// A time in the organisation's zone: "21 Nov 2026, 14:05".
pub fn time(at: &DateTime<Utc>, zone: &Tz) -> String {
    show::time(*at, *zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mitres_code_becomes_markdown_and_citations_go() {
        let text = "Reads <code>lsass.exe</code>, <code>a`b</code> &amp; <code>&lt;x&gt;</code>.(Citation: \
            Some (Page) 2019) Then <code>open";
        assert_eq!(attack_markdown(text), "Reads `lsass.exe`, ``a`b`` & `<x>`. 2019) Then <code>open");
        let html = attack_html("Look at <code><script>alert(1)</script></code> <b onclick=x>b</b>");
        assert!(html.contains("<code>&lt;script&gt;alert(1)&lt;/script&gt;</code>"), "{html}");
        assert!(!html.contains("<b onclick"));
    }

    #[test]
    fn a_digest_is_the_first_paragraph() {
        assert_eq!(attack_digest("The <code>x</code> tries.(Citation: A)\n\nMore."), "The x tries.");
    }

    #[test]
    fn what_is_copied_stays_exact() {
        let plain = command("echo '#{name}' <x>");
        assert_eq!(plain.to_string(), "echo &#39;<mark>#{name}</mark>&#39; &#60;x&#62;");
        assert!(plain.exact.is_none() && plain.folded.is_none());
        let hidden = command("a\u{202E}b\r\nc");
        assert!(hidden.to_string().contains("U+202E"));
        assert_eq!(hidden.exact.as_deref(), Some("a\u{202E}b\r\nc"));
        assert_eq!(command(&"x\n".repeat(40)).folded, Some(40));
    }

    #[test]
    fn numbers_read_well() {}
}

//! What people call an address, for the log: who reads "Was refused Schedule" needs no table of addresses.

use actix_web::HttpRequest;

/// Beginnings of addresses and what stands there; the longest that fits counts, `*` is any one part.
const PLACES: &[(&str, &str)] = &[
    ("/account", "Account"),
    ("/account/proof", "the question for the password"),
    ("/account/two-factor", "the second factor"),
    ("/sign-in", "signing in"),
    ("/sign-out", "signing out"),
    ("/link", "a one-time link"),
    ("/clients", "Clients"),
    ("/clients/new", "New client"),
    ("/clients/*", "a client"),
    ("/clients/*/access", "who has access to a client"),
    ("/clients/*/assets", "a client's assets"),
    ("/clients/*/delete", "deleting a client"),
    ("/clients/*/edit", "a client's details"),
    ("/library", "Library"),
    ("/library/procedures/*", "a library procedure"),
    ("/library/procedures/*/edit", "writing a library procedure"),
    ("/library/procedures/new", "New library procedure"),
    ("/library/procedures/ticked", "ticked library procedures"),
    ("/library/repositories/*", "a repository"),
    ("/library/repositories/*/copy", "copying a repository"),
    ("/library/repositories/*/delete", "deleting a repository"),
    ("/library/repositories/*/edit", "changing a repository"),
    ("/library/repositories/new", "New repository"),
    ("/library/methodologies/new", "New methodology"),
    ("/library/tactics/new", "New tactic"),
    ("/library/techniques/new", "New technique"),
    ("/library/techniques/matrix", "the matrix"),
    ("/library/terms/*/delete", "deleting a methodology, tactic or technique"),
    ("/library/terms/*/edit", "a methodology, tactic or technique"),
    ("/test-plans", "Test Plans"),
    ("/test-plans/new", "New test plan"),
    ("/test-plans/*", "a test plan"),
    ("/test-plans/*/delete", "deleting a test plan"),
    ("/test-plans/*/versions", "the versions of a test plan"),
    ("/engagements", "Engagements"),
    ("/engagements/new", "Start New Engagement"),
    ("/engagements/*", "an engagement"),
    ("/engagements/*/approval", "approving an engagement"),
    ("/engagements/*/attachments", "an attachment"),
    ("/engagements/*/cancellation", "canceling an engagement"),
    ("/engagements/*/declination", "declining a request"),
    ("/engagements/*/delete", "deleting an engagement"),
    ("/engagements/*/edit", "an engagement's details"),
    ("/engagements/*/inputs", "an engagement's inputs"),
    ("/engagements/*/operators", "an engagement's operators"),
    ("/engagements/*/origins", "the library versions of an engagement"),
    ("/engagements/*/procedures", "an engagement's procedures"),
    ("/engagements/*/procedures/*", "a procedure"),
    ("/engagements/*/procedures/*/assets", "a procedure's assets"),
    ("/engagements/*/procedures/*/attachments", "a procedure's attachments"),
    ("/engagements/*/procedures/*/inputs", "a procedure's inputs"),
    ("/engagements/*/procedures/*/library", "saving a procedure in the library"),
    ("/engagements/*/procedures/*/logs", "a procedure's log"),
    ("/engagements/*/procedures/*/operators", "a procedure's operators"),
    ("/engagements/*/procedures/*/start", "starting a procedure"),
    ("/engagements/*/procedures/*/steps", "a procedure's steps"),
    ("/engagements/*/start", "starting an engagement"),
    ("/engagements/*/submit", "Submit Engagement"),
    ("/engagements/*/test-plan", "saving an engagement as a test plan"),
    ("/findings", "Findings"),
    ("/schedule", "Schedule"),
    ("/tags.json", "the tags in use"),
    ("/schedule/request", "requesting an engagement"),
    ("/schedule/requests", "Requests"),
    ("/reports", "Reports"),
    ("/reports/*", "a report"),
    ("/reports/*/edit", "a report's text"),
    ("/reports/*/findings", "a report's findings"),
    ("/reports/*/move", "moving a report on"),
    ("/reports/*/procedures/*/correction", "correcting an outcome"),
    ("/admin", "Administration"),
    ("/admin/access", "Client access"),
    ("/admin/access.csv", "exporting Client access"),
    ("/admin/audit-log", "Audit log"),
    ("/admin/audit-log.csv", "exporting the audit log"),
    ("/admin/audit-log.jsonl", "exporting the audit log"),
    ("/admin/audit-log/audit.pub", "the audit log's public keys"),
    ("/admin/first-hour", "the checklist of the first hour"),
    ("/admin/jobs", "Jobs"),
    ("/admin/roles", "Roles"),
    ("/admin/roles/new", "New role"),
    ("/admin/settings", "Settings"),
    ("/admin/tags", "Tags"),
    ("/admin/users", "Users"),
    ("/admin/users.csv", "exporting Users"),
    ("/admin/users/new", "New user"),
    ("/admin/users/*", "a user"),
    ("/admin/users/*/delete", "deleting a user"),
    ("/admin/users/*/disable", "disabling a user"),
    ("/admin/users/*/enable", "enabling a user"),
    ("/admin/users/*/link", "making a link for a user"),
    ("/admin/users/*/roles", "a user's roles"),
    ("/admin/users/*/sessions", "ending a user's sessions"),
    ("/admin/users/*/two-factor", "resetting a user's second factor"),
    ("/admin/users/*/unlock", "unlocking a user"),
];

/// What stands at a path.
pub fn place(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let fits = |pattern: &str| {
        let wanted: Vec<&str> = pattern.trim_matches('/').split('/').collect();
        let all = wanted.iter().zip(&parts).all(|(wanted, part)| *wanted == "*" || wanted == part);
        (wanted.len() <= parts.len() && all).then_some(wanted.len())
    };
    // Of two that are equally long the one with the word.
    let words = |pattern: &str| pattern.split('/').filter(|part| *part != "*").count();
    let all = PLACES.iter().filter_map(|(pattern, name)| Some((fits(pattern)?, words(pattern), *name)));
    all.max_by_key(|(length, words, _)| (*length, *words)).map(|(.., name)| name)
}

/// The sentence of a refused request.
pub fn refusal(request: &HttpRequest, reason: &str) -> String {
    let place = place(request.path()).unwrap_or("a page");
    match reason {
        "wrong_code" => "Typed a wrong code while setting up a second factor".to_owned(),
        "refused_password" => "Chose a password that is not accepted".to_owned(),
        "malformed" => format!("Sent a form that no page has: {place}"),
        _ => format!("Was refused {place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_longest_beginning_names_the_place() {
        let id = "01942f6e-0000-7000-8000-000000000000";
        assert_eq!(place("/schedule"), Some("Schedule"));
        assert_eq!(place(&format!("/engagements/{id}/approval")), Some("approving an engagement"));
        assert_eq!(place("/clients/new"), Some("New client"), "a word before any part");
        assert_eq!(place(&format!("/clients/{id}/assets/{id}/delete")), Some("a client's assets"));
        assert_eq!(place("/nothing"), None);
    }
}

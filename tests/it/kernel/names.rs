//! What people are called, and things: no template shows such a text without `|name`, which marks what hides
//! in it and keeps it from turning what stands beside it.

use super::sources::files;

/// Last parts of expressions that are names wherever they occur.
const NAMES: &[&str] = &[
    "author",
    "by",
    "client",
    "client_name",
    "engagement_title",
    "name",
    "owner",
    "plan",
    "plan_title",
    "procedure_name",
    "published_by",
    "repository",
    "repository_name",
    "role",
    "role_name",
    "submitted_by",
    "test_plan_title",
    "title",
    "updated_by",
    "uploaded_by",
    "uploader",
];

#[test]
fn names_stand_apart_in_every_template() {
    let mut bare = Vec::new();
    for (path, text) in files("templates", ".html") {
        bare.extend(shown(&text).into_iter().filter(|shown| is_name(shown)).map(|e| format!("{path}: {e}")));
    }
    assert!(bare.is_empty(), "write {{{{ …|name }}}} where a name is text:\n{}", bare.join("\n"));
}

fn is_name(expression: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
    expression == "crumb.label"
        || expression.chars().all(plain)
            && expression.rsplit('.').next().is_some_and(|last| NAMES.contains(&last))
}

/// The expressions that a template shows as text: neither in a tag, nor where elements are text themselves.
fn shown(template: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut in_tag, mut in_value, mut is_raw) = (false, false, false);
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let through = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
        if rest.starts_with("{{") {
            let end = through("}}");
            if !in_tag && !is_raw && !template[..template.len() - rest.len()].ends_with("<bdi>") {
                found.push(rest[2..end - 2].trim_matches(['-', ' ', '\n']));
            }
            rest = &rest[end..];
            continue;
        }
        if rest.starts_with("{%") || rest.starts_with("{#") {
            rest = &rest[through(if rest.starts_with("{%") { "%}" } else { "#}" })..];
            continue;
        }
        match c {
            '"' if in_tag => in_value = !in_value,
            '>' if in_tag && !in_value => in_tag = false,
            '<' if !in_tag && rest[1..].starts_with(|c: char| c == '/' || c.is_ascii_lowercase()) => {
                in_tag = true;
                let name = rest[1..].trim_start_matches('/');
                if ["title", "option", "textarea"].iter().any(|raw| name.starts_with(raw)) {
                    is_raw = !rest.starts_with("</");
                }
            }
            _ => {}
        }
        rest = &rest[c.len_utf8()..];
    }
    found
}

#[test]
fn expressions_in_tags_and_options_are_not_text() {
    let template = "<a title=\"{{ a.title }}\" href='x'>{{ a.name }}</a><option>{{ b.name }}</option>\n\
        {# {{ c.name }} #}{% if x > 1 %}<b>{{- d.name -}}</b>{% endif %}";
    assert_eq!(shown(template), ["a.name", "d.name"]);
}

//! Every view, rendered from its samples: nothing unescaped, unique ids, every control labelled, well-formed
//! HTML.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use scraper::{ElementRef, Html};

use crate::harness::browser::{labels, selector, visible_text};

type Samples = fn() -> Vec<(&'static str, String)>;

/// The slices that show something.
const SLICES: &[(&str, Samples)] = &[
    ("accounts", tyrian::accounts::views::samples),
    ("users", tyrian::accounts::users::views::samples),
    ("roles", tyrian::accounts::roles::views::samples),
    ("access", tyrian::accounts::access::views::samples),
    ("admin", tyrian::admin::views::samples),
    ("audit", tyrian::audit::log::views::samples),
    ("clients", tyrian::clients::views::samples),
    ("dashboard", tyrian::dashboard::views::samples),
    ("engagements", tyrian::engagements::views::samples),
    ("library", tyrian::library::views::samples),
    ("procedures", tyrian::procedures::views::samples),
    ("reports", tyrian::reports::views::samples),
    ("schedule", tyrian::schedule::views::samples),
];

fn each(check: impl Fn(&str, &Html, &str)) {
    for (slice, samples) in SLICES {
        for (name, html) in samples() {
            let document =
                if is_page(&html) { Html::parse_document(&html) } else { Html::parse_fragment(&html) };
            check(&format!("{slice}/{name}"), &document, &html);
        }
    }
}

fn is_page(html: &str) -> bool {
    html.trim_start().to_lowercase().starts_with("<!doctype")
}

#[test]
fn every_slice_with_views_is_sampled() {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let slice = entry.unwrap().path();
        for part in std::fs::read_dir(&slice)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|part| part.path().join("views.rs").exists())
        {
            // Slices inside a slice, as those of accounts; assets are sampled with their clients.
            let name = part.file_name().to_str().unwrap().to_owned();
            if name != "assets" {
                found.insert(name);
            }
        }
        if slice.join("views.rs").exists() || slice.join("views").exists() {
            found.insert(slice.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    let listed: BTreeSet<String> = SLICES.iter().map(|(slice, _)| (*slice).to_owned()).collect();
    assert_eq!(listed, found);
    for (slice, samples) in SLICES {
        assert!(!samples().is_empty(), "{slice} has no samples");
    }
}

#[test]
fn every_template_of_a_page_is_sampled() {
    each(|name, _, html| {
        assert!(!html.trim().is_empty(), "{name} renders nothing");
    });
}

#[test]
fn nothing_that_a_person_types_becomes_markup() {
    each(|name, document, html| {
        assert!(!html.contains("<script>"), "{name}: unescaped text");
        for element in document.select(&selector("*")) {
            for (attribute, value) in element.value().attrs() {
                let handler = attribute.starts_with("on") || attribute.starts_with("hx-on");
                assert!(
                    !handler && attribute != "style",
                    "{name}: {attribute} on <{}>",
                    element.value().name()
                );
                let script = value.trim_start().to_lowercase();
                assert!(
                    !script.starts_with("javascript:") && !script.starts_with("js:"),
                    "{name}: {attribute}=“{value}”"
                );
            }
        }
        for script in document.select(&selector("script")) {
            assert!(
                script.attr("src").is_some_and(|src| src.starts_with("/assets/")),
                "{name}: an inline script"
            );
        }
    });
}

#[test]
fn ids_are_unique_and_references_lead_somewhere() {
    each(|name, document, html| {
        let mut ids = BTreeSet::new();
        for element in document.select(&selector("[id]")) {
            let id = element.attr("id").unwrap();
            assert!(!id.is_empty() && !id.contains(' '), "{name}: id “{id}”");
            assert!(ids.insert(id.to_owned()), "{name}: the id {id} stands twice");
        }
        if !is_page(html) {
            return;
        }
        for attribute in ["aria-labelledby", "aria-describedby", "aria-controls", "popovertarget", "form"] {
            for element in document.select(&selector(&format!("[{attribute}]"))) {
                for id in element.attr(attribute).unwrap().split_whitespace() {
                    assert!(ids.contains(id), "{name}: {attribute} names {id}, which is not there");
                }
            }
        }
        for label in document.select(&selector("label[for]")) {
            let id = label.attr("for").unwrap();
            assert!(ids.contains(id), "{name}: a label for {id}, which is not there");
        }
    });
}

#[test]
fn every_control_has_a_name_that_can_be_read_aloud() {
    each(|name, document, _| {
        for control in document.select(&selector("input, select, textarea")) {
            let kind = control.attr("type").unwrap_or_default();
            if matches!(kind, "hidden" | "submit" | "button")
                || control.attr("hidden").is_some()
                || control.attr("aria-hidden").is_some()
            {
                continue;
            }
            assert!(!labels(document, control).is_empty(), "{name}: nothing labels {}", control.html());
        }
        for control in document.select(&selector("button, a[href], summary")) {
            // What readers and the keyboard pass over repeats a link beside it.
            if control.attr("aria-hidden") == Some("true") && control.attr("tabindex") == Some("-1") {
                continue;
            }
            let pictured = control
                .select(&selector("img[alt]"))
                .any(|image| !image.attr("alt").unwrap_or_default().trim().is_empty());
            let named = pictured
                || !visible_text(control).is_empty()
                || control.attr("aria-label").is_some_and(|l| !l.trim().is_empty());
            assert!(named, "{name}: nothing names {}", control.html());
        }
        for image in document.select(&selector("img")) {
            assert!(image.attr("alt").is_some(), "{name}: {} without alt", image.html());
        }
        for svg in document.select(&selector("svg")) {
            let said = svg.attr("aria-hidden") == Some("true")
                || svg.attr("aria-label").is_some()
                || svg.attr("role") == Some("img");
            assert!(said, "{name}: an image that is neither hidden from readers nor named");
        }
        for table in document.select(&selector("table")) {
            assert!(table.select(&selector("th")).next().is_some(), "{name}: a table without headings");
        }
    });
}

#[test]
fn the_html_is_well_formed() {
    each(|name, document, html| {
        let faults: Vec<_> =
            document.errors.iter().filter(|fault| !is_page(html) || !fault.contains("DOCTYPE")).collect();
        let tolerated = |fault: &str| !is_page(html) && fault.contains("Unexpected token");
        let faults: Vec<_> = faults.into_iter().filter(|fault| !tolerated(fault)).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
        let nested = document
            .select(&selector("form form, a a, a button, button a, button button, label label"))
            .next();
        assert!(
            nested.is_none(),
            "{name}: {} inside another one",
            nested.map(|inner| inner.html()).unwrap_or_default()
        );
        if is_page(html) {
            assert_eq!(document.select(&selector("h1")).count(), 1, "{name}: one h1 a page");
            assert_eq!(document.select(&selector("main")).count(), 1, "{name}");
            assert!(
                document.select(&selector("title")).next().is_some_and(|t| !t
                    .text()
                    .collect::<String>()
                    .trim()
                    .is_empty()),
                "{name}"
            );
        }
    });
}

#[test]
fn a_fragment_is_the_same_as_its_block_in_the_page() {
    // By convention `page#block` is the block of `page`: word for word, or, where it is drawn into another
    // page, with the same fields. `name#fragment` stands for itself.
    let squeeze = |html: &str| html.split_whitespace().collect::<Vec<_>>().join(" ");
    for (slice, samples) in SLICES {
        let all: BTreeMap<&str, String> = samples().into_iter().collect();
        for (name, fragment) in &all {
            let Some((page, block)) = name.split_once('#').filter(|(_, block)| *block != "fragment") else {
                continue;
            };
            let Some(page) = all.get(page) else { panic!("{slice}/{name} has no page {page}") };
            let root = selector(&format!("#{block}"));
            let drawn = Html::parse_fragment(fragment);
            let whole = Html::parse_document(page);
            let same = match (drawn.select(&root).next(), whole.select(&root).next()) {
                (Some(drawn), Some(whole)) => fields(whole) == fields(drawn),
                _ => fields(drawn.root_element()).is_subset(&fields(whole.root_element())),
            };
            assert!(
                squeeze(page).contains(&squeeze(fragment)) || same,
                "{slice}/{name} differs from its page"
            );
        }
    }
}

/// Names of the fields that people fill in.
fn fields(element: ElementRef<'_>) -> BTreeSet<String> {
    let all = selector("input:not([type=hidden]), select, textarea");
    element.select(&all).filter_map(|control| control.attr("name")).map(str::to_owned).collect()
}

#[test]
fn time_is_shown_with_a_machine_readable_value() {
    each(|name, document, _| {
        for time in document.select(&selector("time")) {
            let value = time.attr("datetime").unwrap_or_default();
            let date = chrono::NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok();
            assert!(
                date || chrono::DateTime::parse_from_rfc3339(value).is_ok(),
                "{name}: datetime=“{value}”"
            );
        }
    });
}

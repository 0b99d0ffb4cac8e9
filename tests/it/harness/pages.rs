//! What holds for every page and fragment that any test is shown: well-formed HTML, ids that are unique and
//! lead somewhere, controls that can be read aloud, no script or style in it, and nothing that a person typed
//! that became markup.

use std::collections::{BTreeMap, BTreeSet};

use ego_tree::NodeRef;
use html5ever::driver::{self, ParseOpts};
use html5ever::tendril::TendrilSink;
use html5ever::tokenizer::TokenizerOpts;
use html5ever::tree_builder::TreeBuilderOpts;
use scraper::{ElementRef, Html, HtmlTreeSink, Node};
use tyrian::kernel::base::harmless::marked;

/// The name that stands as a tag and as an attribute in what hostile fixtures type (see
/// [`hostile`](super::fixtures::hostile)). Where a page has either, something passed unescaped.
pub const MARK: &str = "x-typed";

/// Panics where an answer breaks one of the rules.
#[track_caller]
pub fn check(asked: &str, status: u16, html: &str) {
    let faults = faults(html);
    assert!(
        faults.is_empty(),
        "{asked} ({status}), the {}: {}\n{html}",
        if is_page(html) { "page" } else { "fragment" },
        faults.join("; ")
    );
}

/// Whether it is a whole page; a fragment goes into one.
pub fn is_page(html: &str) -> bool {
    html.trim_start().get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"))
}

/// What is wrong with a page or fragment.
pub fn faults(html: &str) -> Vec<String> {
    if html.trim().is_empty() {
        return vec!["it is empty".into()];
    }
    let document = parsed(html);
    let page = Page::new(&document, !is_page(html));
    // A character that no field takes stands in the field again, for the person to find it.
    let errors = document.errors.iter().filter(|error| !error.starts_with("Bad character"));
    let mut faults: Vec<String> = errors.map(|error| format!("not HTML: {error}")).collect();
    if html.contains(&format!("<{MARK}")) {
        faults.push(format!("<{MARK} stands unescaped"));
    }
    page.outline(&mut faults);
    page.ids(&mut faults);
    for element in &page.elements {
        attributes(*element, &mut faults);
        nesting(*element, &mut faults);
        page.name(*element, &mut faults);
        hidden_characters(*element, &mut faults);
        others(*element, &mut faults);
        filters(*element, &mut faults);
        drafts(*element, &mut faults);
    }
    faults
}

/// A form into which people type is one of which drafts are kept. Secrets are not, and an editor in a table's
/// cell is saved by leaving it.
fn drafts(element: ElementRef<'_>, faults: &mut Vec<String>) {
    if !is(element, &["form"]) || !element.attr("method").is_some_and(|m| m.eq_ignore_ascii_case("post")) {
        return;
    }
    let within: Vec<ElementRef<'_>> = element.descendants().filter_map(ElementRef::wrap).collect();
    let is_text = |field: &&ElementRef<'_>| {
        is(**field, &["textarea"])
            || is(**field, &["input"]) && matches!(field.attr("type"), None | Some("text"))
    };
    let is_secret = within.iter().any(|field| {
        field.attr("type") == Some("password") || field.attr("autocomplete") == Some("one-time-code")
    });
    let is_watched =
        ["data-guard", "data-loose", "data-inline"].iter().any(|word| element.attr(word).is_some());
    let texts = within.iter().filter(is_text).filter(|field| field.attr("disabled").is_none()).count();
    if texts > 0 && !is_secret && !is_watched {
        let action = element.attr("action").unwrap_or_default();
        faults.push(format!("the form {action} holds text of which no draft is kept"));
    }
}

/// Typing into a filter replaces the address, and picking makes a new one. A filter whose answers say which
/// of the two it is has the id `filters`, and one inside a form that is filled in step by step only replaces.
fn filters(element: ElementRef<'_>, faults: &mut Vec<String>) {
    let is_filter = is(element, &["form"]) && element.attr("role") == Some("search");
    if !is_filter || !has(element, "hx-push-url") {
        return;
    }
    let typed = element.descendants().filter_map(ElementRef::wrap);
    for field in typed.filter(|field| field.attr("type") == Some("search")) {
        if !has(field, "hx-replace-url") {
            let action = element.attr("action").unwrap_or_default();
            faults.push(format!(
                "each letter typed into the filter of {action} is a page of its own to go back to"
            ));
        }
    }
}

/// As a browser takes it; a fragment as htmx does, which puts it into a `template` and takes `hx-partial` for
/// one, so that a lone table row is one. What stands in `noscript` counts.
fn parsed(html: &str) -> Html {
    let html = html.replace("<noscript", "<no-script").replace("</noscript>", "</no-script>");
    let html = if is_page(&html) {
        html
    } else {
        let parts = html.replace("<hx-partial", "<template").replace("</hx-partial>", "</template>");
        format!("<!DOCTYPE html><title>Fragment</title><template>{parts}</template>")
    };
    let options = ParseOpts {
        tokenizer: TokenizerOpts { exact_errors: true, ..TokenizerOpts::default() },
        tree_builder: TreeBuilderOpts { exact_errors: true, ..TreeBuilderOpts::default() },
    };
    driver::parse_document(HtmlTreeSink::new(Html::new_document()), options).one(html)
}

struct Page<'a> {
    elements: Vec<ElementRef<'a>>,
    ids: BTreeMap<&'a str, ElementRef<'a>>,
    /// Ids that stand more than once.
    repeated: BTreeSet<&'a str>,
    /// What the labels say of a control, by its id.
    labels: BTreeMap<&'a str, String>,
    is_fragment: bool,
}

impl<'a> Page<'a> {
    fn new(document: &'a Html, is_fragment: bool) -> Self {
        let elements: Vec<ElementRef<'a>> =
            document.tree.root().descendants().filter_map(ElementRef::wrap).collect();
        let (mut ids, mut repeated, mut labels) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        for element in &elements {
            if let Some(id) = element.attr("id")
                && ids.insert(id, *element).is_some()
            {
                repeated.insert(id);
            }
            if let Some(id) = is(*element, &["label"]).then(|| element.attr("for")).flatten() {
                labels.insert(id, said(*element));
            }
        }
        Self { elements, ids, repeated, labels, is_fragment }
    }

    fn outline(&self, faults: &mut Vec<String>) {
        if self.is_fragment {
            return;
        }
        let all = |name: &'static str| self.elements.iter().filter(move |e| e.value().name() == name);
        for name in ["h1", "main"] {
            let n = all(name).count();
            if n != 1 {
                faults.push(format!("{n} <{name}> on the page"));
            }
        }
        if !all("title").any(|title| !title.text().collect::<String>().trim().is_empty()) {
            faults.push("no title".into());
        }
        if !all("html").any(|html| html.attr("lang").is_some_and(|lang| !lang.is_empty())) {
            faults.push("<html> does not say its language".into());
        }
    }

    fn ids(&self, faults: &mut Vec<String>) {
        for id in self.ids.keys().filter(|id| id.is_empty() || id.contains(char::is_whitespace)) {
            faults.push(format!("“{id}” is no id"));
        }
        faults.extend(self.repeated.iter().map(|id| format!("the id {id} stands twice")));
        // A fragment may name what stands around it.
        if self.is_fragment {
            return;
        }
        for element in &self.elements {
            let for_label = if is(*element, &["label", "output"]) { "for" } else { "form" };
            for attribute in
                ["aria-labelledby", "aria-describedby", "aria-controls", "popovertarget", "list", for_label]
            {
                let named = element.attr(attribute).unwrap_or_default();
                let missing = named.split_whitespace().filter(|id| !self.ids.contains_key(id));
                faults.extend(
                    missing
                        .map(|id| format!("{attribute} names {id}, which is not there: {}", tag(*element))),
                );
            }
        }
    }

    fn name(&self, element: ElementRef<'_>, faults: &mut Vec<String>) {
        let kind = element.attr("type").unwrap_or_default();
        let named = if is(element, &["input", "select", "textarea"]) && !matches!(kind, "submit" | "button") {
            kind == "hidden"
                || element.attr("hidden").is_some()
                || element.attr("aria-hidden") == Some("true")
                || self.is_labelled(element)
        } else if is(element, &["button", "summary", "input"]) || is_link(element) {
            // What readers and the keyboard pass over repeats a link beside it.
            let passed_over =
                element.attr("aria-hidden") == Some("true") && element.attr("tabindex") == Some("-1");
            passed_over
                || !said(element).is_empty()
                || has(element, "aria-label")
                || has(element, "value") && is(element, &["input"])
        } else {
            true
        };
        if !named {
            faults.push(format!("nothing names {}", tag(element)));
        }
    }

    fn is_labelled(&self, control: ElementRef<'_>) -> bool {
        let by_label = |id: &str| self.labels.get(id).is_some_and(|text| !text.is_empty());
        let by_other = |id: &str| match self.ids.get(id) {
            Some(other) => !said(*other).is_empty(),
            None => self.is_fragment,
        };
        let around = control.ancestors().filter_map(ElementRef::wrap).find(|e| is(*e, &["label"]));
        has(control, "aria-label")
            || control.attr("id").is_some_and(by_label)
            || around.is_some_and(|label| !said(label).is_empty())
            || control.attr("aria-labelledby").is_some_and(|ids| ids.split_whitespace().any(by_other))
    }
}

/// No handler, style or script in an attribute, and none that came out of what somebody typed.
fn attributes(element: ElementRef<'_>, faults: &mut Vec<String>) {
    if is(element, &["style", MARK]) {
        faults.push(format!("the element {}", tag(element)));
    }
    if is(element, &["script"]) && !element.attr("src").is_some_and(|src| src.starts_with("/assets/")) {
        faults.push(format!("an inline script: {}", element.html()));
    }
    for (name, value) in element.value().attrs() {
        let start: String = value.trim_start().chars().take(11).collect::<String>().to_lowercase();
        let runs = name.starts_with("on") || name.starts_with("hx-on");
        if runs || name == "style" || name.contains(MARK) {
            faults.push(format!("the attribute {name} in {}", tag(element)));
        }
        if start.starts_with("javascript:") || start.starts_with("js:") {
            faults.push(format!("{name}=“{value}” is a script"));
        }
    }
}

/// Elements in which only text and what stands within a line may be.
const LINES: &[&str] = &[
    "abbr", "b", "button", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "i", "kbd", "label", "legend",
    "mark", "p", "pre", "q", "s", "small", "span", "strong", "sub", "summary", "sup", "time",
];
/// Elements that never stand within a line.
const BLOCKS: &[&str] = &[
    "article",
    "aside",
    "blockquote",
    "details",
    "dialog",
    "div",
    "dl",
    "fieldset",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "search",
    "section",
    "table",
    "ul",
];
/// What a click means something on.
const CLICKED: &[&str] = &["a", "button", "input", "label", "select", "summary", "textarea"];

/// What the parser forgives and the standard does not: who may stand in whom.
fn nesting(element: ElementRef<'_>, faults: &mut Vec<String>) {
    let name = element.value().name();
    let parent = element.parent().and_then(ElementRef::wrap);
    let parent_name = parent.map(|parent| parent.value().name()).unwrap_or_default();
    let fits = match parent_name {
        "ul" | "ol" | "menu" => matches!(name, "li" | "template"),
        "dl" => matches!(name, "dt" | "dd" | "div" | "template"),
        "select" => matches!(name, "option" | "optgroup" | "hr" | "button"),
        _ => true,
    };
    // A heading is allowed in a legend or a summary.
    let heads = matches!(parent_name, "legend" | "summary") && name.len() == 2 && name.starts_with('h');
    let in_line = LINES.contains(&parent_name) && BLOCKS.contains(&name) && !heads;
    if !fits || in_line {
        faults.push(format!("{} in <{parent_name}>", tag(element)));
    }
    if name != "form" && !CLICKED.contains(&name) {
        return;
    }
    let around = element.ancestors().filter_map(ElementRef::wrap).map(|around| around.value().name());
    let clicked_inside =
        around.filter(|around| CLICKED.contains(around) || *around == "form").find(|around| {
            match *around {
                "form" => name == "form",
                // A label is clicked for the control in it.
                "label" => name == "label",
                "summary" => matches!(name, "summary" | "input" | "select" | "textarea"),
                _ => CLICKED.contains(&name) && element.attr("type") != Some("hidden"),
            }
        });
    if let Some(around) = clicked_inside {
        faults.push(format!("{} inside <{around}>", tag(element)));
    }
}

/// A character that nobody sees stands where somebody reads. What a form sends or a button copies is exact.
fn hidden_characters(element: ElementRef<'_>, faults: &mut Vec<String>) {
    let hides = |text: &str| matches!(marked(text), std::borrow::Cow::Owned(_));
    for (name, value) in element.value().attrs() {
        if hides(value) && !matches!(name, "value" | "data-initial" | "data-value") {
            faults.push(format!("a hidden character in {name} of {}", tag(element)));
        }
    }
    if is(element, &["textarea"]) || element.attr("data-exact").is_some() {
        return;
    }
    let texts = element.children().filter_map(|child| child.value().as_text());
    if texts.into_iter().any(|text| hides(text)) {
        faults.push(format!("a hidden character in the text of {}", tag(element)));
    }
}

fn others(element: ElementRef<'_>, faults: &mut Vec<String>) {
    match element.value().name() {
        "img" if element.attr("alt").is_none() => faults.push(format!("{} without alt", tag(element))),
        "svg" if element.attr("aria-hidden") != Some("true") && !has(element, "aria-label") => {
            faults.push("an image that is neither hidden from readers nor named".into());
        }
        "table" if !element.descendants().filter_map(ElementRef::wrap).any(|e| is(e, &["th"])) => {
            faults.push("a table without headings".into());
        }
        "time" => {
            let value = element.attr("datetime").unwrap_or_default();
            let date = chrono::NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok();
            if !date && chrono::DateTime::parse_from_rfc3339(value).is_err() {
                faults.push(format!("no time is datetime=“{value}”"));
            }
        }
        _ => {}
    }
}

fn is(element: ElementRef<'_>, names: &[&str]) -> bool {
    names.contains(&element.value().name())
}

fn is_link(element: ElementRef<'_>) -> bool {
    is(element, &["a"]) && element.attr("href").is_some()
}

fn has(element: ElementRef<'_>, attribute: &str) -> bool {
    element.attr(attribute).is_some_and(|value| !value.trim().is_empty())
}

/// What a reader says of an element: its text and images, without what is hidden and what controls hold.
fn said(element: ElementRef<'_>) -> String {
    fn gather(node: NodeRef<'_, Node>, out: &mut String) {
        match node.value() {
            Node::Text(text) => out.push_str(text),
            Node::Element(element) => {
                let silent = element.attr("hidden").is_some() || element.attr("aria-hidden") == Some("true");
                if silent || matches!(element.name(), "select" | "textarea" | "script" | "template") {
                    return;
                }
                out.push_str(element.attr("alt").or_else(|| element.attr("aria-label")).unwrap_or_default());
                node.children().for_each(|child| gather(child, out));
            }
            _ => node.children().for_each(|child| gather(child, out)),
        }
    }
    let mut out = String::new();
    element.children().for_each(|child| gather(child, &mut out));
    out.trim().to_owned()
}

/// An element's own tag, without what is in it.
fn tag(element: ElementRef<'_>) -> String {
    let html = element.html();
    html.split_inclusive('>').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::faults;

    const PAGE: &str = "<!DOCTYPE html><html lang=\"en\"><head><title>Page</title></head>\
        <body><main><h1>Page</h1>HERE</main></body></html>";

    /// A page and a fragment with this in it must both be refused, for this reason.
    #[track_caller]
    fn refused(html: &str, why: &str) {
        for html in [PAGE.replace("HERE", html), html.to_owned()] {
            let faults = faults(&html);
            assert!(faults.iter().any(|fault| fault.contains(why)), "{html}: {faults:?}");
        }
    }

    #[track_caller]
    fn page_refused(html: &str, why: &str) {
        let faults = faults(html);
        assert!(faults.iter().any(|fault| fault.contains(why)), "{html}: {faults:?}");
    }

    #[track_caller]
    fn accepted(html: &str) {
        assert_eq!(faults(html), Vec::<String>::new(), "{html}");
    }

    #[test]
    fn what_is_right_passes() {
        accepted(&PAGE.replace("HERE", ""));
        accepted("<p id=\"a\">One &amp; two</p>");
        accepted("<tr><td>A lone row</td></tr>");
        accepted("<td>A lone cell</td>");
        accepted("<option value=\"1\">A lone option</option>");
        accepted("<p>Body</p><hx-partial hx-target=\"#rows\"><tr><td>Row</td></tr></hx-partial>");
        accepted("<label for=\"a\">Name</label><input id=\"a\">");
        accepted("<label>Name <input></label>");
        accepted("<details><summary><h2>More</h2></summary><p>Text</p></details>");
    }

    #[test]
    fn html_that_is_not_well_formed_is_refused() {
        refused("<p>One</p></p>", "not HTML");
        refused("<div><span></div>", "not HTML");
        refused("<p class=\"a\" class=\"b\">Twice</p>", "not HTML");
        refused("<table><div>Out of place</div><tr><th></th></tr></table>", "not HTML");
        refused("<p><div>A block in a line</div></p>", "not HTML");
        refused("<div>", "not HTML");
        page_refused("<p>Body</p><hx-partial hx-target=\"#a\"><div></hx-partial>", "not HTML");
        page_refused(
            "<!DOCTYPE html><html lang=\"en\"><title>x</title><main><h1>x</h1></main></body>y",
            "not HTML",
        );
    }

    #[test]
    fn elements_out_of_place_are_refused() {
        refused("<ul><p>No entry</p></ul>", "<p> in <ul>");
        refused("<dl><p>No term</p></dl>", "<p> in <dl>");
        refused("<span><div>A block in a line</div></span>", "<div> in <span>");
        refused("<button>Go <a href=\"/\">there</a></button>", "inside <button>");
        refused("<a href=\"/\">Go <button>there</button></a>", "inside <a>");
        refused("<label>Name <input><span><label>Again</label></span></label>", "inside <label>");
        refused("<details><summary>More <input aria-label=\"x\"></summary></details>", "inside <summary>");
    }

    #[test]
    fn typed_text_that_became_markup_is_refused() {
        refused("<p><x-typed>Sam</x-typed></p>", "<x-typed");
        refused("<p title=\"Sam\" x-typed=\"\">Sam</p>", "the attribute x-typed");
        refused("<p title=Sam <x-typed>Sam</p>", "the attribute <x-typed");
        refused("<textarea aria-label=\"Text\"><x-typed></textarea>", "unescaped");
    }

    #[test]
    fn script_and_style_are_refused() {
        refused("<p onclick=\"x()\">Text</p>", "the attribute onclick");
        refused("<p hx-on:click=\"x()\">Text</p>", "the attribute hx-on:click");
        refused("<p style=\"color: red\">Text</p>", "the attribute style");
        refused("<div><style>p { color: red }</style></div>", "the element <style>");
        refused("<script>x()</script>", "an inline script");
        refused("<script src=\"https://elsewhere.example/x.js\"></script>", "an inline script");
        refused("<a href=\" JavaScript:x()\">Go</a>", "is a script");
        refused("<p hx-vals=\"js:{}\">Text</p>", "is a script");
    }

    #[test]
    fn ids_that_lead_nowhere_are_refused() {
        refused("<p id=\"a\">One</p><p id=\"a\">Two</p>", "the id a stands twice");
        refused("<p id=\"\">One</p>", "is no id");
        refused("<p id=\"a b\">One</p>", "is no id");
        page_refused(
            "<p id=\"a\">One</p><hx-partial><p id=\"a\">Two</p></hx-partial>",
            "the id a stands twice",
        );
        for html in [
            "<label for=\"x\">Name</label>",
            "<p aria-labelledby=\"x\">Text</p>",
            "<p aria-describedby=\"x\">Text</p>",
            "<p aria-controls=\"x\">Text</p>",
            "<button popovertarget=\"x\">Menu</button>",
            "<button form=\"x\">Save</button>",
        ] {
            page_refused(&PAGE.replace("HERE", html), "names x, which is not there");
            accepted(html);
        }
    }

    #[test]
    fn controls_without_a_name_are_refused() {
        refused("<input name=\"a\">", "nothing names <input");
        refused("<label for=\"a\"></label><input id=\"a\">", "nothing names <input");
        refused("<label><select><option>One</option></select></label>", "nothing names <select");
        refused("<textarea></textarea>", "nothing names <textarea");
        refused("<button><svg aria-hidden=\"true\"></svg></button>", "nothing names <button");
        refused("<a href=\"/\"></a>", "nothing names <a");
        refused("<a href=\"/\"><span hidden>Go</span></a>", "nothing names <a");
        refused("<p><img src=\"/a.png\"></p>", "without alt");
        refused("<p><svg></svg></p>", "neither hidden from readers nor named");
        refused("<table><tr><td>1</td></tr></table>", "a table without headings");
    }

    #[test]
    fn times_that_no_machine_reads_are_refused() {
        refused("<time datetime=\"yesterday\">yesterday</time>", "no time");
        refused("<time>yesterday</time>", "no time");
        accepted(
            "<time datetime=\"2026-11-20\">today</time><time datetime=\"2026-11-20T09:00:00Z\">now</time>",
        );
    }

    #[test]
    fn a_page_has_one_heading_and_says_its_language() {
        page_refused("<!DOCTYPE html><html><title>x</title><main><h1>x</h1></main></html>", "language");
        page_refused(
            "<!DOCTYPE html><html lang=\"en\"><title> </title><main><h1>x</h1></main></html>",
            "title",
        );
        page_refused("<!DOCTYPE html><html lang=\"en\"><title>x</title><h1>x</h1></html>", "0 <main>");
        page_refused(&PAGE.replace("HERE", "<h1>Two</h1>"), "2 <h1>");
    }

    #[test]
    fn an_empty_fragment_is_refused() {
        page_refused(" \n", "empty");
    }
}

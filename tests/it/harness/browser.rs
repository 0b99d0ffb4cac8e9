//! A browser that runs no scripts: it keeps cookies, follows links and redirects, fills in forms and sends
//! them as HTML says.

use std::collections::BTreeMap;

use scraper::{ElementRef, Html, Node, Selector};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

/// A plain HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// A header's value, empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
enum Typed {
    Text(String),
    Choices(Vec<String>),
    Checked(bool),
    Files(Vec<(String, String, Vec<u8>)>),
}

/// The browser, with the page it shows.
pub struct Browser {
    agent: Agent,
    base: String,
    cookies: BTreeMap<String, String>,
    path: String,
    status: u16,
    headers: HeaderMap,
    html: String,
    /// What was typed on the page that is shown: the control's place in the document → value.
    typed: BTreeMap<usize, Typed>,
    /// What it was shown, in order, where it keeps that: the request and the page or fragment.
    kept: Option<Vec<(String, String)>>,
}

impl Browser {
    /// A browser that shows nothing yet.
    pub fn new(base: &str) -> Self {
        let config = Agent::config_builder().max_redirects(0).http_status_as_error(false).build();
        Self {
            agent: Agent::new_with_config(config),
            base: base.to_owned(),
            cookies: BTreeMap::new(),
            path: String::new(),
            status: 0,
            headers: HeaderMap::new(),
            html: String::new(),
            typed: BTreeMap::new(),
            kept: None,
        }
    }

    /// Keeps every page and fragment from now on.
    pub fn keep(&mut self) {
        self.kept = Some(Vec::new());
    }
    /// What was kept: requests and what they showed.
    pub fn kept(self) -> Vec<(String, String)> {
        self.kept.unwrap_or_default()
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }
    /// The session's cookie, `name=value`: its name bears the installation's mark.
    pub fn session(&self) -> Option<String> {
        self.marked("")
    }
    /// The cookie of a known device, `name=value`.
    pub fn device(&self) -> Option<String> {
        self.marked("-device")
    }
    fn marked(&self, kind: &str) -> Option<String> {
        let is = |name: &str| {
            let mark = name.strip_prefix("tyrian-").and_then(|rest| rest.strip_suffix(kind));
            mark.is_some_and(|mark| mark.len() == 8 && !mark.contains('-'))
        };
        self.cookies.iter().find(|(name, _)| is(name)).map(|(name, value)| format!("{name}={value}"))
    }
    /// Keeps a cookie given as `name=value`.
    pub fn carry(&mut self, cookie: &str) {
        let (name, value) = cookie.split_once('=').unwrap();
        self.set_cookie(name, value);
    }
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    // Requests as they are.

    /// Sends a request and returns the answer as it is; no redirect is followed and the shown page stays.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let url = if path.starts_with("http://") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = Request::builder().method(method).uri(&url);
        if !self.cookies.is_empty() {
            let line: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", line.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answered = if matches!(method, "GET" | "HEAD") {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body).unwrap())
        };
        let mut answer = answered.unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        for line in answer.headers().get_all("set-cookie") {
            keep_cookie(&mut self.cookies, line.to_str().unwrap());
        }
        let body = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_vec()
            .unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        let answer = Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body };
        if method != "HEAD" && shows(path, &answer) {
            let (asked, html) = (format!("{method} {path}"), answer.text());
            super::pages::check(&asked, answer.status, &html);
            self.kept.iter_mut().for_each(|kept| kept.push((asked.clone(), html.clone())));
        }
        answer
    }

    /// Head of the answer to a GET whose body may never end.
    pub fn head_of(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method("GET").uri(format!("{}{path}", self.base));
        let line: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !line.is_empty() {
            request = request.header("cookie", line.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer =
            self.agent.run(request.body(()).unwrap()).unwrap_or_else(|e| panic!("GET {path}: {e}"));
        let endless = answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let body = if endless { Vec::new() } else { answer.body_mut().read_to_vec().unwrap() };
        let answer = Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body };
        if shows(path, &answer) {
            super::pages::check(&format!("GET {path}"), answer.status, &answer.text());
        }
        answer
    }

    /// GETs without following redirects.
    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// GETs a fragment, as htmx would.
    pub fn get_fragment(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[("HX-Request", "true"), ("HX-Request-Type", "partial")], b"")
    }

    /// POSTs form fields without following redirects.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[])
    }

    /// As [`Browser::post`], with headers.
    pub fn post_with(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let origin = self.base.clone();
        let mut all =
            vec![("content-type", "application/x-www-form-urlencoded"), ("origin", origin.as_str())];
        all.retain(|(name, _)| !headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
        all.extend_from_slice(headers);
        self.send("POST", path, &all, serde_html_form::to_string(fields).unwrap().as_bytes())
    }

    // The page that is shown.

    /// Opens a path and follows redirects.
    pub fn open(&mut self, path: &str) -> &mut Self {
        let answer = self.get(path);
        self.arrive(path, answer)
    }

    fn arrive(&mut self, path: &str, mut answer: Answer) -> &mut Self {
        let mut at = path.to_owned();
        for _ in 0..10 {
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                self.path = at.split('#').next().unwrap_or_default().to_owned();
                self.status = answer.status;
                self.html = unmarked(&answer.text());
                self.headers = answer.headers;
                self.typed.clear();
                return self;
            }
            at = self.resolve(&at, answer.header("location"));
            answer = self.get(&at.clone());
        }
        panic!("{path}: more than ten redirects");
    }

    /// Path of a reference on a page.
    fn resolve(&self, from: &str, reference: &str) -> String {
        let reference = reference.strip_prefix(&self.base).unwrap_or(reference);
        let bare = |path: &str| path.split(['?', '#']).next().unwrap_or_default().to_owned();
        match reference.chars().next() {
            Some('/') => reference.to_owned(),
            None | Some('#') => from.to_owned(),
            Some('?') => format!("{}{reference}", bare(from)),
            _ => {
                assert!(!reference.contains("://"), "{reference} leads out of the app");
                let parent = bare(from);
                let parent = parent.rsplit_once('/').map_or("", |(parent, _)| parent);
                format!("{parent}/{reference}")
            }
        }
    }

    /// Status of the page.
    pub fn status(&self) -> u16 {
        self.status
    }
    /// Path and query of the page.
    pub fn path(&self) -> &str {
        &self.path
    }
    /// Source of the page.
    pub fn html(&self) -> &str {
        &self.html
    }
    /// A header of the page.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
    /// What the page reads, without what is hidden, spaces run together.
    pub fn text(&self) -> String {
        visible_text(document(&self.html).root_element())
    }
    /// Texts of all elements that a selector finds.
    pub fn texts(&self, css: &str) -> Vec<String> {
        document(&self.html).select(&selector(css)).map(visible_text).collect()
    }
    /// Whether a selector finds something.
    pub fn has(&self, css: &str) -> bool {
        document(&self.html).select(&selector(css)).next().is_some()
    }
    /// An attribute of the first element that a selector finds.
    pub fn attribute(&self, css: &str, name: &str) -> Option<String> {
        document(&self.html).select(&selector(css)).next()?.attr(name).map(str::to_owned)
    }

    /// Panics unless the page answers with this status.
    #[track_caller]
    pub fn expect(&mut self, status: u16) -> &mut Self {
        assert_eq!(self.status, status, "{}: {}", self.path, self.text());
        self
    }
    /// Panics unless the page reads so.
    #[track_caller]
    pub fn see(&mut self, text: &str) -> &mut Self {
        assert!(
            self.text().contains(&unmarked(text)),
            "“{text}” is not on {} ({}): {}",
            self.path,
            self.status,
            self.text()
        );
        self
    }
    /// Panics when the page reads so.
    #[track_caller]
    pub fn see_not(&mut self, text: &str) -> &mut Self {
        assert!(!self.text().contains(&unmarked(text)), "“{text}” is on {}", self.path);
        self
    }

    /// Follows the first link that reads so (or whose label says so).
    #[track_caller]
    pub fn click(&mut self, text: &str) -> &mut Self {
        let document = document(&self.html);
        let links: Vec<ElementRef<'_>> =
            document.select(&selector("a[href]")).filter(|a| !is_hidden(*a)).collect();
        let found = links
            .iter()
            .find(|a| name_of(**a) == text)
            .or_else(|| links.iter().find(|a| name_of(**a).contains(text)));
        let Some(link) = found else {
            panic!(
                "no link “{text}” on {}: {:?}",
                self.path,
                links.iter().map(|a| name_of(*a)).collect::<Vec<_>>()
            )
        };
        let href = link.attr("href").unwrap_or_default().to_owned();
        let target = self.resolve(&self.path.clone(), &href);
        self.open(&target)
    }

    // Forms.

    /// Types into the control with this label or name.
    #[track_caller]
    pub fn fill(&mut self, field: &str, text: &str) -> &mut Self {
        self.set(field, Typed::Text(text.to_owned()))
    }
    /// Chooses an option by its text or value.
    #[track_caller]
    pub fn choose(&mut self, field: &str, option: &str) -> &mut Self {
        self.choose_all(field, &[option])
    }
    /// Chooses several options of a list.
    #[track_caller]
    pub fn choose_all(&mut self, field: &str, options: &[&str]) -> &mut Self {
        let document = document(&self.html);
        let control = self.control(&document, field);
        let values = options
            .iter()
            .map(|wanted| {
                let all: Vec<ElementRef<'_>> = control.element.select(&selector("option")).collect();
                let by_text = all.iter().find(|o| visible_text(**o) == *wanted);
                let by_value = || all.iter().find(|o| o.attr("value") == Some(wanted));
                let by_part = || all.iter().find(|o| visible_text(**o).contains(wanted));
                let found = by_text.or_else(by_value).or_else(by_part);
                option_value(*found.unwrap_or_else(|| {
                    panic!(
                        "“{field}” has no option “{wanted}”: {:?}",
                        all.iter().map(|o| visible_text(*o)).collect::<Vec<_>>()
                    )
                }))
            })
            .collect();
        let place = control.place;
        drop(document);
        self.typed.insert(place, Typed::Choices(values));
        self
    }
    /// Ticks a box or picks a radio button.
    #[track_caller]
    pub fn check(&mut self, field: &str) -> &mut Self {
        self.set(field, Typed::Checked(true))
    }
    #[track_caller]
    pub fn uncheck(&mut self, field: &str) -> &mut Self {
        self.set(field, Typed::Checked(false))
    }
    #[track_caller]
    pub fn attach(&mut self, field: &str, file_name: &str, media_type: &str, bytes: &[u8]) -> &mut Self {
        self.set(field, Typed::Files(vec![(file_name.to_owned(), media_type.to_owned(), bytes.to_vec())]))
    }
    /// Several files at once, by name.
    #[track_caller]
    pub fn attach_all(&mut self, field: &str, files: &[(&str, &[u8])]) -> &mut Self {
        let file =
            |(name, bytes): &(&str, &[u8])| ((*name).to_owned(), "text/plain".to_owned(), bytes.to_vec());
        self.set(field, Typed::Files(files.iter().map(file).collect()))
    }
    /// What a control holds, typed values included.
    #[track_caller]
    pub fn value(&self, field: &str) -> String {
        let document = document(&self.html);
        let control = self.control(&document, field);
        self.values(&control).into_iter().next().map(|(_, value)| value).unwrap_or_default()
    }

    #[track_caller]
    fn set(&mut self, field: &str, typed: Typed) -> &mut Self {
        let document = document(&self.html);
        let control = self.control(&document, field);
        assert!(control.element.attr("disabled").is_none(), "“{field}” on {} is disabled", self.path);
        let mut places = vec![control.place];
        // Picking a radio button lets go of the others.
        if control.kind() == "radio" {
            let others = controls(&document)
                .into_iter()
                .filter(|c| c.kind() == "radio" && c.name() == control.name() && c.form == control.form);
            places.extend(others.map(|c| c.place).filter(|p| *p != control.place));
        }
        drop(document);
        for (n, place) in places.into_iter().enumerate() {
            self.typed.insert(place, if n == 0 { typed.clone() } else { Typed::Checked(false) });
        }
        self
    }

    #[track_caller]
    fn control<'a>(&self, document: &'a Html, field: &str) -> Control<'a> {
        let all: Vec<Control<'a>> = controls(document)
            .into_iter()
            .filter(|c| c.kind() != "hidden" && c.element.value().name() != "button")
            .collect();
        let by_label = |exact: bool| {
            all.iter().position(|c| {
                labels(document, c.element)
                    .iter()
                    .any(|l| if exact { l == field } else { l.starts_with(field) })
            })
        };
        let found = all
            .iter()
            .position(|c| c.name() == field)
            .or_else(|| by_label(true))
            .or_else(|| by_label(false))
            .or_else(|| all.iter().position(|c| c.element.attr("id") == Some(field)));
        let Some(found) = found else {
            panic!(
                "no field “{field}” on {} ({}): {:?}",
                self.path,
                self.status,
                all.iter().map(|c| (c.name(), labels(document, c.element))).collect::<Vec<_>>()
            )
        };
        all.into_iter().nth(found).unwrap()
    }

    fn values(&self, control: &Control<'_>) -> Vec<(String, String)> {
        let name = control.name().to_owned();
        let pairs = |values: Vec<String>| values.into_iter().map(|value| (name.clone(), value)).collect();
        let typed = self.typed.get(&control.place);
        match (control.element.value().name(), control.kind()) {
            ("select", _) => match typed {
                Some(Typed::Choices(values)) => pairs(values.clone()),
                Some(Typed::Text(value)) => pairs(vec![value.clone()]),
                _ => pairs(selected(control.element)),
            },
            ("textarea", _) => match typed {
                Some(Typed::Text(text)) => pairs(vec![text.clone()]),
                _ => pairs(vec![control.element.text().collect()]),
            },
            (_, "checkbox" | "radio") => {
                let checked = match typed {
                    Some(Typed::Checked(checked)) => *checked,
                    _ => control.element.attr("checked").is_some(),
                };
                if checked {
                    pairs(vec![control.element.attr("value").unwrap_or("on").to_owned()])
                } else {
                    Vec::new()
                }
            }
            _ => match typed {
                Some(Typed::Text(text)) => pairs(vec![text.clone()]),
                _ => pairs(vec![control.element.attr("value").unwrap_or_default().to_owned()]),
            },
        }
    }

    /// Presses the first button that reads so (or whose label says so), and follows where its form leads.
    #[track_caller]
    pub fn press(&mut self, text: &str) -> &mut Self {
        self.press_in("html", text)
    }

    /// As [`Browser::press`], among the buttons inside the first element that a selector finds.
    #[track_caller]
    pub fn press_in(&mut self, css: &str, text: &str) -> &mut Self {
        let document = document(&self.html);
        let Some(scope) = document.select(&selector(css)).next() else {
            panic!("nothing matches {css} on {}", self.path)
        };
        let inside: Vec<_> = scope.descendants().map(|node| node.id()).collect();
        let all: Vec<Control<'_>> = controls(&document)
            .into_iter()
            .filter(|c| {
                c.is_submitter()
                    && inside.contains(&c.element.id())
                    && !is_hidden(c.element)
                    && c.element.attr("disabled").is_none()
            })
            .collect();
        let place = all
            .iter()
            .position(|c| name_of(c.element) == text)
            .or_else(|| all.iter().position(|c| name_of(c.element).starts_with(text)));
        let Some(place) = place else {
            panic!(
                "no button “{text}” in {css} on {} ({}): {:?}",
                self.path,
                self.status,
                all.iter().map(|c| name_of(c.element)).collect::<Vec<_>>()
            )
        };
        let button = &all[place];
        let Some(form) = button.form.and_then(|id| document.tree.get(id)).and_then(ElementRef::wrap) else {
            panic!("the button “{text}” on {} belongs to no form: it does nothing without scripts", self.path)
        };
        let (method, target, headers, body) = self.submission(&document, form, Some(button));
        drop(document);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.send(&method, &target, &headers, &body);
        self.arrive(&target, answer)
    }

    fn submission(
        &self,
        document: &Html,
        form: ElementRef<'_>,
        button: Option<&Control<'_>>,
    ) -> (String, String, Vec<(&'static str, String)>, Vec<u8>) {
        let said = |own: &str, forms: &str| {
            button
                .and_then(|b| b.element.attr(own))
                .or_else(|| form.attr(forms))
                .unwrap_or_default()
                .to_owned()
        };
        let (method, action, encoding) = (
            said("formmethod", "method").to_uppercase(),
            said("formaction", "action"),
            said("formenctype", "enctype"),
        );
        let mut parts: Vec<Part> = Vec::new();
        for control in controls(document)
            .iter()
            .filter(|c| c.form == Some(form.id()) && !c.name().is_empty() && !is_disabled(c.element))
        {
            if control.is_submitter() {
                if button.is_some_and(|b| b.place == control.place) {
                    parts.push(Part::text(control.name(), control.element.attr("value").unwrap_or_default()));
                }
            } else if control.kind() == "file" {
                match self.typed.get(&control.place) {
                    Some(Typed::Files(files)) => parts.extend(files.iter().map(|f| Part {
                        name: control.name().to_owned(),
                        value: f.2.clone(),
                        file: Some((f.0.clone(), f.1.clone())),
                    })),
                    _ => parts.push(Part {
                        name: control.name().to_owned(),
                        value: Vec::new(),
                        file: Some((String::new(), "application/octet-stream".into())),
                    }),
                }
            } else if control.kind() != "button" && control.kind() != "reset" {
                // Line breaks travel as CR LF, whatever the page had.
                let breaks = |value: String| value.replace("\r\n", "\n").replace('\n', "\r\n");
                parts.extend(
                    self.values(control).into_iter().map(|(name, value)| Part::text(&name, &breaks(value))),
                );
            }
        }
        let target = self.resolve(&self.path, &action);
        if method != "POST" {
            let bare = target.split(['?', '#']).next().unwrap_or_default().to_owned();
            return ("GET".into(), format!("{bare}?{}", Part::urlencoded(&parts)), Vec::new(), Vec::new());
        }
        let mut headers =
            vec![("origin", self.base.clone()), ("referer", format!("{}{}", self.base, self.path))];
        let body = if encoding == "multipart/form-data" {
            headers.push(("content-type", format!("multipart/form-data; boundary={BOUNDARY}")));
            Part::multipart(&parts)
        } else {
            headers.push(("content-type", "application/x-www-form-urlencoded".into()));
            Part::urlencoded(&parts).into_bytes()
        };
        (method, target, headers, body)
    }
}

/// Whether an answer is a page or a fragment: whatever a test is shown, it is checked.
fn shows(path: &str, answer: &Answer) -> bool {
    let redirects = matches!(answer.status, 301..=308);
    // What is closed asks for nothing in its place, and often nothing has come since.
    let empty = answer.body.is_empty() && (path.ends_with("part=none") || path.contains("audit-log/fresh"));
    let compressed = !answer.header("content-encoding").is_empty();
    !redirects && !empty && !compressed && answer.header("content-type").starts_with("text/html")
}

const BOUNDARY: &str = "----tyrian-test-boundary-7d1f0c";

struct Part {
    name: String,
    value: Vec<u8>,
    file: Option<(String, String)>,
}

impl Part {
    fn text(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.as_bytes().to_vec(), file: None }
    }

    fn urlencoded(parts: &[Self]) -> String {
        let pairs: Vec<(&str, String)> = parts
            .iter()
            .map(|part| match &part.file {
                Some((file_name, _)) => (part.name.as_str(), file_name.clone()),
                None => (part.name.as_str(), String::from_utf8_lossy(&part.value).into_owned()),
            })
            .collect();
        serde_html_form::to_string(pairs).unwrap()
    }

    fn multipart(parts: &[Self]) -> Vec<u8> {
        let quoted = |text: &str| text.replace('"', "%22").replace('\n', "%0A").replace('\r', "%0D");
        let mut body = Vec::new();
        for part in parts {
            body.extend(
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(&part.name))
                    .bytes(),
            );
            if let Some((file_name, media_type)) = &part.file {
                body.extend(
                    format!("; filename=\"{}\"\r\nContent-Type: {media_type}", quoted(file_name)).bytes(),
                );
            }
            body.extend(b"\r\n\r\n");
            body.extend(&part.value);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{BOUNDARY}--\r\n").bytes());
        body
    }
}

struct Control<'a> {
    element: ElementRef<'a>,
    form: Option<ego_tree::NodeId>,
    place: usize,
}

impl Control<'_> {
    fn name(&self) -> &str {
        self.element.attr("name").unwrap_or_default()
    }
    fn kind(&self) -> &str {
        match self.element.value().name() {
            "input" => self.element.attr("type").unwrap_or("text"),
            "button" => self.element.attr("type").unwrap_or("submit"),
            other => other,
        }
    }
    fn is_submitter(&self) -> bool {
        matches!(self.element.value().name(), "button" | "input") && matches!(self.kind(), "submit" | "image")
    }
}

/// Every control of a document with the form it belongs to.
fn controls(document: &Html) -> Vec<Control<'_>> {
    document
        .select(&selector("input, select, textarea, button"))
        .enumerate()
        .map(|(place, element)| {
            let form = match element.attr("form") {
                Some(id) => document.select(&selector("form")).find(|f| f.attr("id") == Some(id)),
                None => element.ancestors().filter_map(ElementRef::wrap).find(|e| e.value().name() == "form"),
            };
            Control { element, form: form.map(|f| f.id()), place }
        })
        .collect()
}

fn is_disabled(element: ElementRef<'_>) -> bool {
    element.attr("disabled").is_some()
        || element
            .ancestors()
            .filter_map(ElementRef::wrap)
            .any(|e| e.value().name() == "fieldset" && e.attr("disabled").is_some())
}

fn selected(select: ElementRef<'_>) -> Vec<String> {
    let options: Vec<ElementRef<'_>> = select.select(&selector("option")).collect();
    let chosen: Vec<String> =
        options.iter().filter(|o| o.attr("selected").is_some()).map(|o| option_value(*o)).collect();
    if chosen.is_empty() && select.attr("multiple").is_none() {
        return options
            .iter()
            .find(|o| o.attr("disabled").is_none())
            .map(|o| option_value(*o))
            .into_iter()
            .collect();
    }
    chosen
}

fn option_value(option: ElementRef<'_>) -> String {
    option.attr("value").map_or_else(|| visible_text(option), str::to_owned)
}

/// The texts that name a control: its labels, `aria-label`, `aria-labelledby`.
pub fn labels(document: &Html, element: ElementRef<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(id) = element.attr("id") {
        found.extend(
            document.select(&selector("label[for]")).filter(|l| l.attr("for") == Some(id)).map(visible_text),
        );
    }
    found.extend(
        element
            .ancestors()
            .filter_map(ElementRef::wrap)
            .filter(|e| e.value().name() == "label")
            .map(visible_text),
    );
    found.extend(element.attr("aria-label").map(str::to_owned));
    let referred = element.attr("aria-labelledby").unwrap_or_default();
    for id in referred.split_whitespace() {
        found.extend(
            document.select(&selector("[id]")).filter(|e| e.attr("id") == Some(id)).map(visible_text),
        );
    }
    found.retain(|text| !text.is_empty());
    found
}

/// What a link or button is called.
fn name_of(element: ElementRef<'_>) -> String {
    let label = element.attr("aria-label").map(str::to_owned);
    label.unwrap_or_else(|| {
        let text = visible_text(element);
        if text.is_empty() {
            element.attr("value").or_else(|| element.attr("title")).unwrap_or_default().to_owned()
        } else {
            text
        }
    })
}

fn is_hidden(element: ElementRef<'_>) -> bool {
    element.attr("hidden").is_some()
        || element.ancestors().filter_map(ElementRef::wrap).any(|e| e.attr("hidden").is_some())
}

/// A page as its texts were typed: fixtures hold a U+202E, which pages show marked. What an answer holds is
/// checked before (see [`pages`](super::pages)).
fn unmarked(html: &str) -> String {
    html.replace("⟨U+202E⟩", "\u{202E}")
}

/// The text of an element without hidden parts, spaces run together.
pub fn visible_text(element: ElementRef<'_>) -> String {
    fn gather(node: ego_tree::NodeRef<'_, Node>, out: &mut String) {
        match node.value() {
            Node::Text(text) => out.push_str(text),
            Node::Element(element) => {
                if element.attr("hidden").is_some()
                    || matches!(element.name(), "script" | "style" | "template" | "head")
                {
                    return;
                }
                // Words of two blocks never run into one.
                let inline = matches!(
                    element.name(),
                    "a" | "b"
                        | "code"
                        | "em"
                        | "i"
                        | "kbd"
                        | "mark"
                        | "small"
                        | "span"
                        | "strong"
                        | "sub"
                        | "sup"
                        | "time"
                        | "wbr"
                );
                if !inline {
                    out.push(' ');
                }
                node.children().for_each(|child| gather(child, out));
                if !inline {
                    out.push(' ');
                }
            }
            _ => node.children().for_each(|child| gather(child, out)),
        }
    }
    let mut out = String::new();
    element.children().for_each(|child| gather(child, &mut out));
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A page as a browser without scripts takes it: what stands in `noscript` counts.
fn document(html: &str) -> Html {
    Html::parse_document(&html.replace("<noscript", "<span").replace("</noscript>", "</span>"))
}

/// A CSS selector that is known to be well-formed.
#[track_caller]
pub fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap_or_else(|e| panic!("{css}: {e}"))
}

fn keep_cookie(cookies: &mut BTreeMap<String, String>, line: &str) {
    let mut parts = line.split(';').map(str::trim);
    let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
    let gone = parts.any(|part| part.to_lowercase() == "max-age=0");
    if gone {
        cookies.remove(name);
    } else {
        cookies.insert(name.to_owned(), value.to_owned());
    }
}

/// What a form of a page or fragment would post, buttons left out.
pub fn fields_of(html: &str, css: &str) -> BTreeMap<String, String> {
    let document = if html.trim_start().starts_with("<!") {
        Html::parse_document(html)
    } else {
        Html::parse_fragment(html)
    };
    let form = document.select(&selector(css)).next().unwrap_or_else(|| panic!("no {css} in {html}")).id();
    let mut fields = BTreeMap::new();
    for control in controls(&document).iter().filter(|c| c.form == Some(form) && !c.name().is_empty()) {
        let value = match (control.element.value().name(), control.kind()) {
            ("button", _) | (_, "submit" | "button" | "file") => continue,
            (_, "checkbox" | "radio") if control.element.attr("checked").is_none() => continue,
            ("select", _) => selected(control.element).into_iter().next().unwrap_or_default(),
            // The parser keeps the line break after the tag, which HTML leaves out.
            ("textarea", _) => control.element.text().collect::<String>(),
            _ => control.element.attr("value").unwrap_or_default().to_owned(),
        };
        fields.insert(control.name().to_owned(), value);
    }
    fields
}

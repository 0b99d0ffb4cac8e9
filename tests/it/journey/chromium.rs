//! A hand in headless Chromium, by way of chromedriver.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::{Element, ElementRef};
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Hand;
use crate::harness::TestApp;
use crate::harness::database::scratch;

/// How long anything may take to show, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// Milliseconds that every request of the browser waits, where this is set. A journey that reads something
/// before it has seen its act answered passes on a quick machine and fails on a slow one; so it always fails.
const LATENCY: &str = "TYRIAN_BROWSER_LATENCY";

/// A chromedriver on a port of its own.
pub struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Starts it and waits until it says where it listens.
    pub fn start() -> Self {
        let started = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn();
        let mut child = started.expect("chromedriver is not installed: bin/test installs it");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.rsplit_once("started successfully on port ")
                    .and_then(|(_, port)| port.trim_end_matches('.').parse().ok())
            })
            .expect("chromedriver said no port");
        Self { child, port }
    }

    /// A browser with a profile of its own, in which nobody is signed in.
    pub fn open(&self, app: &TestApp) -> Chromium {
        self.open_at(&app.base)
    }

    /// The same for a server at any address.
    pub fn open_at(&self, base: &str) -> Chromium {
        let profile = scratch().join(format!("chromium-{}", tyrian::kernel::base::hex::random_hex(6)));
        let binary = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(|name| {
            let paths = std::env::var_os("PATH")?;
            std::env::split_paths(&paths).map(|dir| dir.join(name)).find(|path| path.exists())
        });
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1440,900",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments, "binary": binary },
            "goog:loggingPrefs": { "browser": "ALL" },
            "unhandledPromptBehavior": "dismiss",
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime
            .block_on(
                ClientBuilder::new(HttpConnector::new())
                    .capabilities(capabilities.as_object().unwrap().clone())
                    .connect(&format!("http://127.0.0.1:{}", self.port)),
            )
            .unwrap_or_else(|e| panic!("Chromium does not start: {e}"));
        let browser = Chromium { runtime, client, base: base.to_owned(), driver: self.port, profile };
        if let Ok(latency) = std::env::var(LATENCY) {
            browser.slow_down(latency.parse().expect("milliseconds"));
        }
        browser
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Chromium {
    runtime: Runtime,
    client: Client,
    base: String,
    driver: u16,
    profile: PathBuf,
}

/// What every script here may use: elements by what people call them, and the text that the page reads.
const PAGE: &str = r"
const squeeze = (text) => (text ?? '').replace(/\s+/g, ' ').trim();
const inline = new Set('A B CODE EM I KBD MARK SMALL SPAN STRONG SUB SUP TIME WBR'.split(' '));
const silent = new Set('SCRIPT STYLE TEMPLATE NOSCRIPT HEAD'.split(' '));
const gather = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE || node.hidden || silent.has(node.tagName)) return '';
    const inner = [...node.childNodes].map(gather).join('');
    return inline.has(node.tagName) ? inner : ' ' + inner + ' ';
};
// Fixtures hold a U+202E, which pages show marked.
const typed = (text) => text.replaceAll('⟨U+202E⟩', '\u202e');
const text = (el) => typed(squeeze([...el.childNodes].map(gather).join('')));
const named = (el) => typed(el.getAttribute('aria-label') || text(el) || el.value || el.title || '');
const labels = (el) => [...(el.labels ?? [])].map(text).concat(typed(el.getAttribute('aria-label') ?? ''));
const folded = (el) => el.closest('details:not([open])');
const shown = (el) =>
    el.type === 'file' || el.checkVisibility({ visibilityProperty: true }) || folded(el) !== null;
const field = (wanted) => {
    const all = [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(shown);
    return all.find((el) => el.name === wanted) ?? all.find((el) => labels(el).includes(wanted))
        ?? all.find((el) => labels(el).some((label) => label.startsWith(wanted))) ?? null;
};
const reveal = (el) => {
    for (let at = folded(el); at; at = folded(at.parentElement)) at.querySelector('summary').click();
    el.scrollIntoView({ block: 'center' });
    return el;
};
const among = (css, wanted) => {
    const all = [...document.querySelectorAll(css)].filter((el) => shown(el) && !el.disabled);
    return all.find((el) => named(el) === wanted)
        ?? all.find((el) => named(el).startsWith(wanted))
        ?? all.find((el) => named(el).includes(wanted)) ?? null;
};
";

impl Chromium {
    /// Runs a script; none while a page is being left.
    fn ask(&self, script: &str, arguments: &[Value]) -> Option<Value> {
        self.runtime.block_on(self.client.execute(&format!("{PAGE}\n{script}"), arguments.to_vec())).ok()
    }

    /// Asks until the answer is true, or anything but null.
    #[track_caller]
    pub fn until(&self, what: &str, script: &str, arguments: &[Value]) -> Value {
        let patience = Instant::now() + PATIENCE;
        loop {
            match self.ask(script, arguments) {
                Some(Value::Null | Value::Bool(false)) | None if Instant::now() < patience => {
                    self.wait_for_a_frame();
                }
                Some(Value::Null | Value::Bool(false)) | None => {
                    let page = self
                        .ask("return location.href + ': ' + text(document.body);", &[])
                        .unwrap_or_default();
                    let picture = self.picture();
                    panic!("{what}: not within {PATIENCE:?}; the page is {page}; see {picture}");
                }
                Some(found) => return found,
            }
        }
    }

    /// As often as that anything on the page can change.
    fn wait_for_a_frame(&self) {
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(16)).await });
    }

    /// A picture of the page, so wide, once its fonts and what it fetches are there: from its top, or with
    /// `from` right below the bar, and down to just below `to`.
    pub fn taken(&self, width: u32, from: Option<&str>, to: &str) -> Vec<u8> {
        self.cut(width, 900);
        let measure =
            "if (document.fonts.status !== 'loaded' || document.querySelector('.htmx-request')) return null;
            const [from, to] = arguments;
            const edges = (css) => document.querySelector(css).getBoundingClientRect();
            document.activeElement.blur();
            scrollTo(0, 0);
            if (from) scrollTo(0, edges(from).top - edges('header.bar').height - 12);
            return Math.ceil(edges(to).bottom) + 8;";
        let bottom = self.until("a page at rest", measure, &[json!(from), json!(to)]);
        self.cut(width, bottom.as_u64().and_then(|pixels| u32::try_from(pixels).ok()).unwrap());
        self.runtime.block_on(self.client.screenshot()).unwrap()
    }

    /// Makes the window so large that the page has this size, without a bar to scroll.
    fn cut(&self, width: u32, height: u32) {
        let script = "document.documentElement.style.scrollbarWidth = 'none';
            return [outerWidth - innerWidth, outerHeight - innerHeight];";
        let frame = self.until("the window's frame", script, &[]);
        let more = |n: usize| frame[n].as_u64().and_then(|pixels| u32::try_from(pixels).ok()).unwrap();
        self.runtime.block_on(self.client.set_window_size(width + more(0), height + more(1))).unwrap();
        self.until(
            "the page at its size",
            "return innerWidth === arguments[0] && innerHeight === arguments[1];",
            &[json!(width), json!(height)],
        );
    }

    /// Keeps a picture of the page for whoever looks into a failure.
    fn picture(&self) -> String {
        let file = scratch().join("journey-failed.png");
        let taken = self.runtime.block_on(self.client.screenshot()).unwrap_or_default();
        let _ = std::fs::write(&file, taken);
        file.display().to_string()
    }

    #[track_caller]
    fn element(&self, what: &str, script: &str, arguments: &[Value]) -> Element {
        let found = self.until(what, script, arguments);
        let id = found
            .as_object()
            .and_then(|o| o.values().next())
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{what}: {found}"));
        Element::from_element_id(self.client.clone(), ElementRef::from(id.to_owned()))
    }

    #[track_caller]
    fn field(&self, name: &str) -> Element {
        self.element(
            &format!("the field “{name}”"),
            "const el = field(arguments[0]); return el && !el.disabled ? reveal(el) : null;",
            &[json!(name)],
        )
    }

    #[track_caller]
    fn hit(&self, what: &str, css: &str, text: &str) {
        let script = "const el = among(arguments[0], arguments[1]); return el ? reveal(el) : null;";
        let patience = Instant::now() + PATIENCE;
        loop {
            let element = self.element(what, script, &[json!(css), json!(text)]);
            match self.runtime.block_on(element.click()) {
                Ok(()) => return,
                // What was found was drawn anew, or something lay over it for a moment.
                Err(_) if Instant::now() < patience => {}
                Err(e) => panic!("{what}: {e}; see {}", self.picture()),
            }
        }
    }

    fn keys(&self, keys: &str) {
        self.runtime
            .block_on(async {
                let focused = self.client.active_element().await?;
                focused.send_keys(keys).await
            })
            .unwrap_or_else(|e| panic!("keys: {e}"));
    }

    /// The window comes to the front again, as after a while in another one.
    pub fn wake(&self) {
        self.ask(
            "document.dispatchEvent(new Event('visibilitychange', { bubbles: true })); return true;",
            &[],
        );
    }

    /// Sees the keyboard's focus on an element.
    #[track_caller]
    pub fn see_focus(&self, css: &str) {
        self.until(
            &format!("focus on {css}"),
            "const el = document.activeElement; return el.matches(arguments[0]) || null;",
            &[json!(css)],
        );
    }

    /// Makes the window as small as a phone.
    pub fn narrow(&self, width: u32, height: u32) {
        self.cut(width, height);
    }

    /// Sees this in the address.
    #[track_caller]
    pub fn see_address(&self, part: &str) {
        self.until(
            &format!("“{part}” in the address"),
            "return location.href.includes(arguments[0]);",
            &[json!(part)],
        );
    }

    /// Presses a key where the focus is.
    pub fn key(&self, key: Key) {
        self.keys(&char::from(key).to_string());
    }

    /// Types where the focus is.
    pub fn type_in(&self, text: &str) {
        self.keys(text);
    }

    /// The browser's own Back.
    pub fn back(&self) {
        self.runtime.block_on(self.client.back()).unwrap();
    }

    pub fn forward(&self) {
        self.runtime.block_on(self.client.forward()).unwrap();
    }

    /// Asks chromedriver for what WebDriver itself has no words for; none where it does not answer.
    fn drive(&self, command: &str, body: &Value) -> Option<Value> {
        let session = self.runtime.block_on(self.client.session_id()).ok().flatten()?;
        let url = format!("http://127.0.0.1:{}/session/{session}/{command}", self.driver);
        let mut answer = ureq::post(&url).content_type("application/json").send(body.to_string()).ok()?;
        serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
    }

    /// Holds every request back for so many milliseconds.
    fn slow_down(&self, latency: u32) {
        let unbounded = 1 << 30;
        let conditions = json!({
            "offline": false,
            "latency": latency,
            "download_throughput": unbounded,
            "upload_throughput": unbounded,
        });
        self.drive("chromium/network_conditions", &json!({ "network_conditions": conditions }))
            .expect("chromedriver slows no network down");
    }

    /// Faults that the browser itself reports: scripts that broke, content that the policy refused.
    fn complaints(&self) -> Vec<String> {
        let log = self.drive("se/log", &json!({ "type": "browser" })).unwrap_or_default();
        let entries = log["value"].as_array().cloned().unwrap_or_default();
        // A network that a test took away is told too.
        let is_ours = |e: &&Value| !e["message"].as_str().unwrap_or_default().contains("TypeError: away");
        let grave =
            entries.iter().filter(|e| e["level"] == "SEVERE" && e["source"] != "network").filter(is_ours);
        grave.map(|e| e["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let complaints = self.complaints();
        let _ = self.runtime.block_on(self.client.clone().close());
        let _ = std::fs::remove_dir_all(&self.profile);
        if !std::thread::panicking() {
            assert!(complaints.is_empty(), "the browser complains: {complaints:?}");
        }
    }
}

/// A modifier with a key, released again.
fn chord(modifier: Key, key: &str) -> String {
    format!("{}{key}{}", char::from(modifier), char::from(Key::Null))
}

impl Hand for Chromium {
    #[track_caller]
    fn open(&mut self, path: &str) {
        self.runtime
            .block_on(self.client.goto(&format!("{}{path}", self.base)))
            .unwrap_or_else(|e| panic!("{path}: {e}"));
    }
    #[track_caller]
    fn click(&mut self, text: &str) {
        self.hit(&format!("the link “{text}”"), "a[href]", text);
    }
    #[track_caller]
    fn press(&mut self, text: &str) {
        self.hit(&format!("the button “{text}”"), "button, input[type=submit]", text);
    }
    #[track_caller]
    fn fill(&mut self, field: &str, text: &str) {
        let element = self.field(field);
        let kind = self.runtime.block_on(element.prop("type")).ok().flatten().unwrap_or_default();
        if kind == "datetime-local" || kind == "date" {
            // What keys such a control takes depends on the machine's language.
            let script = "const el = field(arguments[0]); el.value = arguments[1];
                for (const type of ['input', 'change']) el.dispatchEvent(new Event(type, { bubbles: true \
                })); return el.value;";
            self.until(&format!("the time in “{field}”"), script, &[json!(field), json!(text)]);
            return;
        }
        let all = chord(Key::Control, "a");
        let typed = if text.is_empty() { char::from(Key::Delete).to_string() } else { text.to_owned() };
        let keys = format!("{all}{typed}");
        let mut sent = self.runtime.block_on(element.send_keys(&keys));
        // Drawn anew between the look and the first key: nothing is typed yet.
        if sent.as_ref().is_err_and(|e| e.to_string().contains("stale element")) {
            sent = self.runtime.block_on(self.field(field).send_keys(&keys));
        }
        sent.unwrap_or_else(|e| panic!("{field}: {e}"));
    }
    #[track_caller]
    fn choose(&mut self, field: &str, option: &str) {
        let script = "const all = [...(field(arguments[0])?.options ?? [])], wanted = arguments[1];
            const said = (o) => typed(squeeze(o.textContent));
            return (all.find((o) => said(o) === wanted) ?? all.find((o) => o.value === \
            wanted) ?? all.find((o) => said(o).includes(wanted)))?.value ?? null;";
        let value = self.until(
            &format!("the option “{option}” of “{field}”"),
            script,
            &[json!(field), json!(option)],
        );
        let element = self.field(field);
        self.runtime
            .block_on(element.select_by_value(value.as_str().unwrap()))
            .unwrap_or_else(|e| panic!("{field}: {e}"));
    }
    #[track_caller]
    fn check(&mut self, field: &str) {
        let element = self.field(field);
        if !self.runtime.block_on(element.is_selected()).unwrap() {
            self.runtime.block_on(element.click()).unwrap_or_else(|e| panic!("{field}: {e}"));
        }
    }
    fn save(&mut self) {
        self.keys(&chord(Key::Control, "s"));
    }
    fn save_and_next(&mut self) {
        self.keys(&chord(Key::Control, &char::from(Key::Enter).to_string()));
    }
    fn next(&mut self) {
        self.keys(&chord(Key::Alt, &char::from(Key::PageDown).to_string()));
    }
    #[track_caller]
    fn attach(&mut self, team: &str, name: &str, _: &str, bytes: &[u8]) {
        self.choose_file(&format!("{team}: paste, drop or choose files"), name, bytes);
    }
    #[track_caller]
    fn choose_file(&mut self, field: &str, name: &str, bytes: &[u8]) {
        let file = self.profile.join(name);
        std::fs::write(&file, bytes).unwrap();
        let input = self.field(field);
        self.runtime
            .block_on(input.send_keys(&file.display().to_string()))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    #[track_caller]
    fn see(&mut self, text: &str) {
        self.until(
            &format!("the text “{text}”"),
            "return text(document.body).includes(arguments[0]);",
            &[json!(text)],
        );
    }
    #[track_caller]
    fn see_not(&mut self, text: &str) {
        self.until(
            &format!("the absence of “{text}”"),
            "return !text(document.body).includes(arguments[0]);",
            &[json!(text)],
        );
    }
    #[track_caller]
    fn holds(&mut self, field: &str, value: &str) {
        let script = "const el = field(arguments[0]); const plain = (v) => \
                v.replace(/^(\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d):00(\\.0+)?$/, '$1');
            return el !== null && plain(el.value) === plain(arguments[1]);";
        self.until(&format!("“{value}” in “{field}”"), script, &[json!(field), json!(value)]);
    }
    #[track_caller]
    fn holds_something(&mut self, name: &str) {
        self.until(
            &format!("anything in “{name}”"),
            "return (field(arguments[0])?.value ?? '') !== '';",
            &[json!(name)],
        );
    }
    #[track_caller]
    fn stores(&mut self, app: &TestApp, sql: &str, expected: &[&str]) {
        let patience = Instant::now() + PATIENCE;
        while app.texts(sql) != expected {
            if Instant::now() > patience {
                assert_eq!(app.texts(sql), expected, "{sql}; see {}", self.picture());
            }
            self.wait_for_a_frame();
        }
    }
    fn apply(&mut self) {}
    #[track_caller]
    fn look_again(&mut self) {}
    #[track_caller]
    fn read(&mut self, css: &str) -> String {
        let found = self.until(
            css,
            "const el = document.querySelector(arguments[0]); return el ? el.textContent.trim() : null;",
            &[json!(css)],
        );
        found.as_str().unwrap_or_default().to_owned()
    }
    fn path(&mut self) -> String {
        self.ask("return location.pathname + location.search;", &[])
            .and_then(|p| p.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
    fn press_sign_out(&mut self) {
        self.hit("the person's menu", "button.who", "");
        self.press("Sign out");
        self.see("You are signed out.");
    }
}

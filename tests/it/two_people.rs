//! Two people on one procedure lose nothing: a thousand random interleaved saves through the real server, then the history
//! is asked whether anybody ever replaced a value that they had not been shown.

use std::collections::{BTreeMap, BTreeSet};

use scraper::Html;

use crate::harness::TestApp;
use crate::harness::browser::{Browser, selector};

const FIELDS: [&str; 6] = ["attack_source", "red_notes", "blue_notes", "detected_by", "alert_reference", "recommendation"];
const SAVES: usize = 1_000;

/// A small generator of our own: the seed is printed, and the same seed gives the same run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

/// An open page: what it shows, which versions that came from, and every value its person has ever been shown.
struct Tab {
    browser: Browser,
    path: String,
    version: String,
    typed: BTreeMap<&'static str, String>,
    bases: BTreeMap<&'static str, String>,
    theirs: BTreeMap<&'static str, String>,
    seen: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Tab {
    fn reload(&mut self) {
        let answer = self.browser.get_fragment(&format!("{}/fresh", self.path));
        assert_eq!(answer.status, 200);
        let html = String::from_utf8_lossy(&answer.body).replace("<template", "<div").replace("</template>", "</div>");
        let document = Html::parse_fragment(&html);
        let root = document.select(&selector("[data-version]")).next().expect("fresh values");
        self.version = root.value().attr("data-version").expect("a version").to_owned();
        self.bases.clear();
        self.theirs.clear();
        for field in FIELDS {
            let shown = document.select(&selector(&format!("[data-field={field}]"))).next().expect("every field");
            let value = shown.value().attr("data-value").unwrap_or_default().to_owned();
            self.seen.entry(field).or_default().insert(value.clone());
            self.typed.insert(field, value);
        }
    }

    /// Posts the page; true when everything was taken. A refusal must show both values of each field it refuses.
    fn save(&mut self, keep: Option<&'static str>) -> bool {
        let mut form: Vec<(String, String)> = vec![("version".into(), self.version.clone())];
        form.extend(self.typed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        form.extend(self.bases.iter().map(|(name, base)| (format!("base.{name}"), base.clone())));
        form.extend(self.theirs.iter().map(|(name, base)| (format!("theirs.{name}"), base.clone())));
        form.extend(keep.map(|field| ("keep".to_owned(), field.to_owned())));
        let pairs: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let answer = self.browser.post(&self.path, &pairs);
        match answer.status {
            303 => {
                self.reload();
                true
            }
            409 => {
                self.refused(&Html::parse_document(&String::from_utf8_lossy(&answer.body)));
                false
            }
            other => panic!("unexpected status {other}"),
        }
    }

    fn refused(&mut self, page: &Html) {
        let text = |css: &str| page.select(&selector(css)).next().map(|e| e.text().collect::<String>());
        let attribute = |css: &str| page.select(&selector(css)).next().and_then(|e| e.value().attr("value").map(str::to_owned));
        self.version = attribute("#procedure input[name=version]").expect("a version");
        let (mut bases, mut theirs, mut any) = (BTreeMap::new(), BTreeMap::new(), false);
        for field in FIELDS {
            let panel = format!("#conflict-{field}");
            let control = format!("#{field}");
            let shown = attribute(&control).or_else(|| text(&control)).unwrap_or_default().trim_start_matches('\n').to_owned();
            if let Some(said) = text(&panel) {
                any = true;
                let mine = &self.typed[field];
                assert_eq!(&shown, mine, "what was typed stays");
                assert!(mine.is_empty() || said.contains(mine.as_str()), "the refusal shows mine: {said}");
                let quotes: Vec<String> = page
                    .select(&selector(&format!("{panel} blockquote")))
                    .map(|quote| quote.children().filter_map(|c| c.value().as_text()).map(|t| t.to_string()).collect())
                    .collect();
                let other = if quotes[0] == "(empty)" { String::new() } else { quotes[0].clone() };
                self.seen.entry(field).or_default().insert(other);
                bases.insert(field, attribute(&format!("input[name='base.{field}']")).expect("the version it started from"));
                theirs.insert(field, attribute(&format!("input[name='theirs.{field}']")).expect("the version of theirs"));
            } else {
                self.seen.entry(field).or_default().insert(shown.clone());
                self.typed.insert(field, shown);
            }
        }
        assert!(any, "a refusal names at least one field");
        (self.bases, self.theirs) = (bases, theirs);
    }
}

#[test]
fn a_thousand_interleaved_saves_lose_no_accepted_value() {
    let seed = std::env::var("TYRIAN_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_121);
    println!("seed {seed}");
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let tab = |browser| Tab {
        browser,
        path: e.procedure_path(0),
        version: String::new(),
        typed: BTreeMap::new(),
        bases: BTreeMap::new(),
        theirs: BTreeMap::new(),
        seen: BTreeMap::new(),
    };
    let people = [&app.people.standard, &app.people.second];
    let mut tabs = people.map(|person| tab(app.browser(person)));
    tabs.iter_mut().for_each(Tab::reload);
    let mut dice = Dice(seed);
    let (mut saves, mut refusals, mut kept) = (0, 0, 0);
    while saves < SAVES {
        let tab = &mut tabs[dice.roll(2)];
        match dice.roll(10) {
            0 => tab.reload(),
            1 | 2 if !tab.theirs.is_empty() => {
                let fields: Vec<&'static str> = tab.theirs.keys().copied().collect();
                let field = fields[dice.roll(fields.len())];
                kept += usize::from(tab.save(Some(field)));
                saves += 1;
            }
            _ => {
                for _ in 0..=dice.roll(2) {
                    let field = FIELDS[dice.roll(FIELDS.len())];
                    tab.typed.insert(field, format!("{field} {saves} {}", dice.roll(1_000_000)));
                }
                refusals += usize::from(!tab.save(None));
                saves += 1;
            }
        }
    }
    println!("{saves} saves, {refusals} refused with both values, {kept} resolved");
    assert!(refusals > 50 && kept > 10, "the run must have met conflicts: {refusals}, {kept}");
    check_history(&app, &people.map(|p| p.name.clone()), &tabs);
}

/// Every row of the history replaced a value that its writer had been shown.
fn check_history(app: &TestApp, names: &[String; 2], tabs: &[Tab; 2]) {
    let rows = app.texts(
        "SELECT field || E'\\x1f' || person_name || E'\\x1f' || coalesce(lag(value) OVER (PARTITION BY field ORDER BY version), '')
         FROM field_history WHERE subject_type = 'procedure' AND field = ANY (ARRAY['attack_source', 'red_notes', 'blue_notes',
            'detected_by', 'alert_reference', 'recommendation']) AND version > 1 ORDER BY version",
    );
    assert!(rows.len() > 200, "{}", rows.len());
    let first: BTreeMap<&str, String> = FIELDS.iter().map(|f| (*f, tabs[0].seen[f].iter().next().cloned().unwrap_or_default())).collect();
    for row in rows {
        let parts: Vec<&str> = row.split('\u{1f}').collect();
        let (field, writer, replaced) = (parts[0], parts[1], parts[2]);
        let at = names.iter().position(|n| n == writer).expect("one of the two");
        let seen = &tabs[at].seen[field];
        let initial = replaced.is_empty() && first.contains_key(field);
        assert!(initial || seen.contains(replaced), "{writer} replaced “{replaced}” in {field} without having been shown it");
    }
    // The newest row of each field is what stands in the table: nothing was written past the history.
    for field in FIELDS {
        let both = app.texts(&format!(
            "SELECT (p.{field} = (SELECT value FROM field_history WHERE subject_id = p.id AND field = '{field}' ORDER BY version DESC LIMIT 1))::text FROM procedures p"
        ));
        assert_eq!(both, ["true"], "{field}");
    }
}

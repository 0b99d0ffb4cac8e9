//! Two people on one procedure page, every field of it: each answer is compared with what the history of both
//! alone says it must be. Whatever they save, in whatever order, no accepted value is lost, and every refusal
//! shows both values.

use std::collections::BTreeMap;

use scraper::Html;

use crate::harness::TestApp;
use crate::harness::browser::{Browser, fields_of, selector, visible_text};
use crate::harness::fixtures::Engagement;

/// A generator that gives the same numbers for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(n).unwrap()).unwrap()
    }
    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

const TEXTS: &[&str] =
    &["recommendation", "attack_source", "red_notes", "blue_notes", "detected_by", "alert_reference"];
const CHOICES: &[(&str, &[&str])] = &[
    ("status", &["not_started", "in_progress", "completed"]),
    ("severity", &["", "low", "medium", "critical"]),
    ("red_outcome", &["", "success", "failed", "blocked_by_control"]),
    ("blue_outcome", &["", "logged", "no_evidence", "alerted_not_prevented"]),
];
const TIMES: &[&str] = &["executed_at", "detected_at", "responded_at"];

/// A field's values with the versions at which they were written; the first is the one it began with.
type Truth = BTreeMap<String, Vec<(i32, String)>>;

fn at(truth: &Truth, field: &str, version: i32) -> String {
    truth[field]
        .iter()
        .rev()
        .find(|(written, _)| *written <= version)
        .map(|(_, value)| value.clone())
        .unwrap_or_default()
}

fn newest(truth: &Truth, field: &str) -> (i32, String) {
    truth[field].last().cloned().unwrap()
}

/// One of the two, with the form as their page shows it.
struct Person {
    name: &'static str,
    browser: Browser,
    path: String,
    form: BTreeMap<String, String>,
}

/// What became of a save.
#[derive(Default, Debug)]
struct Tally {
    saves: usize,
    accepted: usize,
    refused: usize,
}

impl Person {
    fn load(&mut self) {
        let answer = self.browser.get(&self.path);
        assert_eq!(answer.status, 200);
        self.form = fields_of(&answer.text(), "#procedure");
    }

    fn base(&self, field: &str) -> i32 {
        let own = self.form.get(&format!("base.{field}"));
        own.unwrap_or(&self.form["version"]).parse().unwrap()
    }

    /// Fields whose conflict stands open on the page.
    fn open_conflicts(&self) -> Vec<String> {
        self.form.keys().filter_map(|name| name.strip_prefix("theirs.")).map(str::to_owned).collect()
    }

    /// Posts the form as the page would; with `keep` or `take` for the button that was pressed.
    fn save(&mut self, button: Option<(&str, &str)>) -> (u16, String) {
        let mut fields: Vec<(&str, &str)> =
            self.form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.extend(button);
        let answer = self.browser.post_with(
            &self.path,
            &fields,
            &[("HX-Request", "true"), ("HX-Request-Type", "partial")],
        );
        let text = answer.text();
        assert!([200, 409].contains(&answer.status), "{} {}: {text}", self.name, answer.status);
        self.form = fields_of(&text, "#procedure");
        (answer.status, text)
    }
}

fn typed_value(dice: &mut Dice, n: usize) -> (String, String) {
    let all = TEXTS.len() + CHOICES.len() + TIMES.len();
    let which = dice.below(all);
    if which < TEXTS.len() {
        // Few values, so that two people sometimes type the same.
        return (
            TEXTS[which].to_owned(),
            if dice.below(8) == 0 { String::new() } else { format!("value{}", dice.below(40) + n % 3) },
        );
    }
    if which < TEXTS.len() + CHOICES.len() {
        let (field, values) = CHOICES[which - TEXTS.len()];
        return (field.to_owned(), (*dice.pick(values)).to_owned());
    }
    let field = TIMES[which - TEXTS.len() - CHOICES.len()];
    (
        field.to_owned(),
        format!(
            "2026-11-{:02}T{:02}:{:02}:{:02}",
            1 + dice.below(19),
            dice.below(24),
            dice.below(60),
            dice.below(60)
        ),
    )
}

/// What the answer says of each conflict: field → the two values side by side.
fn shown_conflicts(html: &str) -> BTreeMap<String, Vec<String>> {
    let document = Html::parse_fragment(html);
    let (conflict, side) = (selector(".conflict"), selector("blockquote"));
    document
        .select(&conflict)
        .map(|block| {
            let field =
                block.attr("id").and_then(|id| id.strip_prefix("conflict-")).unwrap_or_default().to_owned();
            (field, block.select(&side).map(visible_text).collect())
        })
        .collect()
}

fn stored(app: &TestApp, procedure: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for field in TEXTS.iter().chain(CHOICES.iter().map(|(field, _)| field)) {
        all.insert((*field).to_owned(), format!("coalesce({field}, '')"));
    }
    for field in TIMES {
        all.insert(
            (*field).to_owned(),
            format!("coalesce(to_char({field} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS'), '')"),
        );
    }
    let columns: Vec<&str> = all.values().map(String::as_str).collect();
    let row = app.texts(&format!(
        "SELECT unnest(ARRAY[{}]) FROM procedures WHERE id = '{procedure}'",
        columns.join(", ")
    ));
    all.keys().cloned().zip(row).collect()
}

/// What a save of this form must do, judged from the truth alone: (accepted, in conflict).
fn judge(
    truth: &Truth,
    person: &Person,
    button: Option<(&str, &str)>,
) -> (Vec<(String, String)>, Vec<String>) {
    let (mut accepted, mut conflicts) = (Vec::new(), Vec::new());
    for field in truth.keys() {
        if button == Some(("take", field)) {
            continue;
        }
        let mine = person.form[field].replace("\r\n", "\n");
        let base = match (button, person.form.get(&format!("theirs.{field}"))) {
            (Some(("keep", kept)), Some(shown)) if kept == field => shown.parse().unwrap(),
            _ => person.base(field),
        };
        let (version, current) = newest(truth, field);
        let changed_by_me = mine != at(truth, field, base);
        let changed_by_others = version > base && current != at(truth, field, base);
        match (changed_by_me && mine != current, changed_by_others) {
            (true, false) => accepted.push((field.clone(), mine)),
            (true, true) => conflicts.push(field.clone()),
            (false, _) => {}
        }
    }
    (accepted, conflicts)
}

fn two(app: &TestApp, engagement: &Engagement) -> [Person; 2] {
    [("red", &app.people.standard), ("blue", &app.people.second)].map(|(name, person)| {
        let mut person = Person {
            name,
            browser: app.browser(person),
            path: engagement.procedure_path(0),
            form: BTreeMap::new(),
        };
        person.load();
        person
    })
}

#[test]
fn a_thousand_interleaved_saves_lose_nothing() {
    let seed = std::env::var("TYRIAN_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_121);
    println!("seed {seed} (TYRIAN_SEED sets another)");
    let app = TestApp::spawn();
    let engagement = app.engagement(1);
    let procedure = engagement.procedures[0].to_string();
    let mut people = two(&app, &engagement);
    let mut truth: Truth =
        stored(&app, &procedure).into_iter().map(|(field, value)| (field, vec![(1, value)])).collect();
    let (mut dice, mut tally, mut followed) = (Dice(seed), Tally::default(), 0);
    while tally.saves < 1000 {
        let turn = dice.below(2);
        let person = &mut people[turn];
        if dice.below(12) == 0 {
            person.load();
            continue;
        }
        let conflicts = person.open_conflicts();
        // An open conflict is left alone, decided either way, or typed over.
        let button: Option<(&str, String)> = match dice.below(4) {
            0 if !conflicts.is_empty() => Some(("keep", dice.pick(&conflicts).clone())),
            1 if !conflicts.is_empty() => Some(("take", dice.pick(&conflicts).clone())),
            _ => None,
        };
        for _ in 0..=dice.below(3) {
            let (field, value) = typed_value(&mut dice, tally.saves);
            person.form.insert(field, value);
        }
        let button = button.as_ref().map(|(word, field)| (*word, field.as_str()));
        let (accepted, refused) = judge(&truth, person, button);
        let typed: BTreeMap<String, String> =
            refused.iter().map(|field| (field.clone(), person.form[field].clone())).collect();
        let bases: BTreeMap<String, i32> =
            refused.iter().map(|field| (field.clone(), person.base(field))).collect();
        let (status, html) = person.save(button);
        let what = format!("seed {seed}, save {}, {}", tally.saves, person.name);

        assert_eq!(
            status,
            if refused.is_empty() { 200 } else { 409 },
            "{what}, {button:?}: {refused:?} {:?}",
            shown_conflicts(&html)
        );
        let version: i32 = app.texts(&format!("SELECT version FROM procedures WHERE id = '{procedure}'"))[0]
            .parse()
            .unwrap();
        for (field, value) in &accepted {
            truth.get_mut(field).unwrap().push((version, value.clone()));
        }
        let now = stored(&app, &procedure);
        // A status that nobody chose in this save follows the work: it may change with what was done.
        let work = ["red_outcome", "blue_outcome", "executed_at"];
        let has = |field: &str| accepted.iter().any(|(accepted, _)| accepted == field);
        let follows = work.into_iter().any(has);
        if follows && !has("status") && now["status"] != newest(&truth, "status").1 {
            truth.get_mut("status").unwrap().push((version, now["status"].clone()));
            followed += 1;
        }
        for field in truth.keys() {
            assert_eq!(now[field], newest(&truth, field).1, "{what}: {field}");
        }
        let shown = shown_conflicts(&html);
        for field in &refused {
            let Some(both) = shown.get(field) else {
                panic!("{what}: the refusal of {field} is not shown: {shown:?}")
            };
            assert_eq!(both.len(), 2, "{what}: {field}");
            if TEXTS.contains(&field.as_str()) {
                assert!(both[0].contains(&newest(&truth, field).1), "{what}: theirs of {field} in {both:?}");
                assert!(both[1].contains(&typed[field]), "{what}: mine of {field} in {both:?}");
            }
            assert_eq!(person.form[field], typed[field], "{what}: what was typed stays");
            // Or the next click on Save would overwrite what was never chosen.
            let kept =
                if button == Some(("keep", field.as_str())) { person.base(field) } else { bases[field] };
            assert_eq!(person.base(field), kept, "{what}: the base of {field} moved on");
        }
        assert_eq!(shown.len(), refused.len(), "{what}: {shown:?}");
        tally.saves += 1;
        tally.accepted += accepted.len();
        tally.refused += refused.len();
    }
    println!("{tally:?}");
    assert!(tally.accepted > 500 && tally.refused > 100, "the dice made too few of either: {tally:?}");
    let written: i64 = app.count("SELECT count(*) FROM field_history WHERE version > 1");
    let stored = i64::try_from(tally.accepted + followed).unwrap();
    assert_eq!(written, stored, "every accepted value stands in the history, and every status that followed");
}

#[test]
fn saves_at_the_same_moment_lose_nothing() {
    let app = TestApp::spawn();
    let engagement = app.engagement(1);
    let people = two(&app, &engagement);
    // Each knows what they were told was saved: field → value with its version, as the page then showed it.
    let told: Vec<Vec<(String, String)>> = std::thread::scope(|scope| {
        let all: Vec<_> = people
            .into_iter()
            .enumerate()
            .map(|(n, mut person)| {
                scope.spawn(move || {
                    let mut dice = Dice(7 + u64::try_from(n).unwrap());
                    let mut told = Vec::new();
                    for save in 0..100 {
                        let field = (*dice.pick(TEXTS)).to_owned();
                        let value = format!("{}-{save}", person.name);
                        person.form.insert(field.clone(), value.clone());
                        match person.save(None).0 {
                            200 => told.push((field, value)),
                            _ => person.load(),
                        }
                    }
                    told
                })
            })
            .collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let history = app.texts("SELECT field || '=' || value FROM field_history");
    for (field, value) in told.iter().flatten() {
        assert!(history.contains(&format!("{field}={value}")), "{field}={value} was told to be saved");
    }
    assert!(told.iter().all(|own| own.len() > 20), "both got through");
    // The row holds the newest of each field's history, and versions never repeat.
    let procedure = engagement.procedures[0].to_string();
    let now = stored(&app, &procedure);
    for field in TEXTS {
        let newest = app.texts(&format!(
            "SELECT value FROM field_history WHERE field = '{field}' ORDER BY version DESC LIMIT 1"
        ));
        if let Some(newest) = newest.first() {
            assert_eq!(&now[*field], newest, "{field}");
        }
    }
}

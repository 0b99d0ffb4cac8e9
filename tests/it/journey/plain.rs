//! A hand without scripts.

use super::Hand;
use crate::harness::TestApp;
use crate::harness::browser::Browser;

pub struct Plain(Browser);

impl Plain {
    /// Nobody is signed in.
    pub fn new(app: &TestApp) -> Self {
        Self(app.visitor())
    }
}

impl Hand for Plain {
    #[track_caller]
    fn open(&mut self, path: &str) {
        self.0.open(path);
    }
    #[track_caller]
    fn click(&mut self, text: &str) {
        self.0.click(text);
    }
    #[track_caller]
    fn press(&mut self, text: &str) {
        self.0.press(text);
    }
    #[track_caller]
    fn fill(&mut self, field: &str, text: &str) {
        self.0.fill(field, text);
    }
    #[track_caller]
    fn choose(&mut self, field: &str, option: &str) {
        self.0.choose(field, option);
    }
    #[track_caller]
    fn check(&mut self, field: &str) {
        self.0.check(field);
    }
    #[track_caller]
    fn save(&mut self) {
        self.0.press("Save");
    }
    #[track_caller]
    fn save_and_next(&mut self) {
        self.0.press("Save and next");
    }
    #[track_caller]
    fn next(&mut self) {
        self.0.click("Next procedure");
    }
    #[track_caller]
    fn choose_file(&mut self, field: &str, name: &str, bytes: &[u8]) {
        self.0.attach(field, name, "application/octet-stream", bytes);
    }
    #[track_caller]
    fn attach(&mut self, team: &str, name: &str, media_type: &str, bytes: &[u8]) {
        let form = format!("form[data-drop={}]", team.to_lowercase());
        self.0.attach(&format!("{team}: paste, drop or choose files"), name, media_type, bytes);
        self.0.press_in(&form, &format!("Attach to {}", team.to_lowercase()));
    }
    #[track_caller]
    fn see(&mut self, text: &str) {
        self.0.see(text);
    }
    #[track_caller]
    fn see_not(&mut self, text: &str) {
        self.0.see_not(text);
    }
    #[track_caller]
    fn holds(&mut self, field: &str, value: &str) {
        assert_eq!(self.0.value(field), value, "{field}");
    }
    #[track_caller]
    fn holds_something(&mut self, field: &str) {
        assert_ne!(self.0.value(field), "", "{field}");
    }
    #[track_caller]
    fn stores(&mut self, app: &TestApp, sql: &str, expected: &[&str]) {
        assert_eq!(app.texts(sql), expected, "{sql}");
    }
    #[track_caller]
    fn apply(&mut self) {
        self.press("Filter");
    }
    fn look_again(&mut self) {
        let path = self.0.path().to_owned();
        self.0.open(&path);
    }
    fn read(&mut self, css: &str) -> String {
        self.0.texts(css).into_iter().next().unwrap_or_else(|| panic!("no {css}"))
    }
    fn path(&mut self) -> String {
        self.0.path().to_owned()
    }
    fn press_sign_out(&mut self) {
        self.0.press("Sign out");
        self.0.see("You are signed out.");
    }
}

//! The whole job, from signing in to the report, as people do it: once by a client that runs no scripts and
//! only follows links and forms, and once in headless Chromium with the keyboard. Both go the same way and
//! see the same.

mod additions;
pub mod chromium;
mod import;
mod log;
mod losses;
mod plain;
mod request;
mod sight;
mod ways_in;
mod whole_job;
mod written;

use crate::harness::TestApp;
use crate::harness::fixtures::{PASSWORD, Person};

/// What somebody can do with the product, by whatever means. Whoever has scripts waits until they see what
/// they should.
pub trait Hand {
    fn open(&mut self, path: &str);
    /// Follows a link by what it reads.
    fn click(&mut self, text: &str);
    /// Presses a button by what it reads.
    fn press(&mut self, text: &str);
    /// Types into a field by its label or name; what stood there goes.
    fn fill(&mut self, field: &str, text: &str);
    /// Chooses from a list.
    fn choose(&mut self, field: &str, option: &str);
    /// Ticks a box or picks a choice.
    fn check(&mut self, field: &str);
    /// Saves the page that is shown: Ctrl+S.
    fn save(&mut self);
    /// Saves and goes on to the next procedure: Ctrl+Enter.
    fn save_and_next(&mut self);
    /// Goes on to the next procedure without saving: Alt+PageDown.
    fn next(&mut self);
    /// Chooses a file in a field of a form.
    fn choose_file(&mut self, field: &str, name: &str, bytes: &[u8]);
    /// Adds a file to a side.
    fn attach(&mut self, team: &str, name: &str, media_type: &str, bytes: &[u8]);
    /// Sees this text on the page.
    fn see(&mut self, text: &str);
    /// Does not see this text on the page.
    fn see_not(&mut self, text: &str);
    /// A field holds this.
    fn holds(&mut self, field: &str, value: &str);
    /// A field holds anything at all.
    fn holds_something(&mut self, field: &str);
    /// Waits for what others saved; without scripts that takes a fresh page.
    fn look_again(&mut self);
    /// Path of the page.
    fn path(&mut self) -> String;
    /// What a query with one column finds in the database. Whoever has scripts does not know when a press of
    /// theirs is answered, so this waits until it is.
    fn stores(&mut self, app: &TestApp, sql: &str, expected: &[&str]);
    /// What an element reads.
    fn read(&mut self, css: &str) -> String;

    /// Lets the filters that are filled in apply; with scripts they do so by themselves.
    fn apply(&mut self);
    /// Signs out by the person's menu.
    fn press_sign_out(&mut self);

    /// Signs in by the form.
    fn sign_in(&mut self, person: &Person) {
        self.sign_in_as(&person.email, &person.name);
    }
    /// The same by e-mail address; the name then stands on the page.
    fn sign_in_as(&mut self, email: &str, name: &str) {
        self.open("/sign-in");
        self.enter(email, PASSWORD);
        self.see(name);
    }
    /// Fills in the sign-in form that is shown and sends it.
    fn enter(&mut self, email: &str, password: &str) {
        self.fill("E-mail", email);
        self.fill("Password", password);
        self.press("Sign in");
    }
}

#[test]
fn the_whole_job_without_scripts() {
    let app = TestApp::spawn();
    whole_job::the_whole_job(&app, || plain::Plain::new(&app));
}

#[test]
fn the_ways_in_without_scripts() {
    let app = TestApp::spawn();
    ways_in::the_ways_in(&app, || plain::Plain::new(&app));
}

#[test]
fn who_changed_a_password_without_scripts() {
    let app = TestApp::spawn();
    log::who_changed_a_password(&app, || plain::Plain::new(&app));
}

#[test]
fn a_procedure_is_written_planned_and_run_without_scripts() {
    let app = TestApp::spawn();
    written::a_procedure_is_written_planned_and_run(&app, &mut plain::Plain::new(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_procedure_is_written_planned_by_keyboard_and_run() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    written::a_procedure_is_written_planned_by_keyboard_and_run(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_who_changed_a_password_in_a_browser() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    log::who_changed_a_password(&app, || driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_back_in_the_log_is_where_one_was() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    log::back_is_where_one_was(&app, driver.open(&app));
}

#[test]
fn from_request_to_complete_without_scripts() {
    let app = TestApp::spawn();
    request::from_request_to_complete(&app, || plain::Plain::new(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_from_request_to_complete_in_a_browser() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    request::from_request_to_complete(&app, || driver.open(&app));
}

#[test]
fn a_broken_file_is_mended_without_scripts() {
    let app = TestApp::spawn();
    import::a_broken_file_is_mended(&app, &mut plain::Plain::new(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_broken_file_is_mended_in_a_browser() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    import::a_broken_file_is_mended(&app, &mut driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_the_ways_in_in_a_browser() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    ways_in::the_ways_in(&app, || driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_the_session_warns_before_it_ends() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    ways_in::the_session_warns(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_refused_save_leaves_what_was_typed() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    whole_job::a_refused_save_leaves_what_was_typed(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_the_whole_job_in_a_browser() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    whole_job::the_whole_job(&app, || driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_rows_are_dragged() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::rows_are_dragged(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_ticks_and_copies() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::ticks_and_copies(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_files_are_dropped_and_pasted() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::files_are_dropped_and_pasted(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_files_chosen_meanwhile_wait_their_turn() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::files_chosen_meanwhile_wait_their_turn(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_files_that_did_not_arrive_go_again() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::files_that_did_not_arrive_go_again(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_enter_in_a_search_stays_in_it() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::enter_in_a_search_stays_in_it(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_values_are_edited_in_their_cells() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::values_are_edited_in_their_cells(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_leaving_asks_first() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::leaving_asks_first(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_nothing_typed_is_lost() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::nothing_typed_is_lost(&app, driver.open(&app), driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_log_entry_by_keys() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    additions::a_log_entry_by_keys(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_session_that_ends_takes_nothing() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::a_session_that_ends_takes_nothing(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_form_outlives_its_session_and_a_proof() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::a_form_outlives_its_session_and_a_proof(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_network_that_goes_away_takes_nothing() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::a_network_that_goes_away_takes_nothing(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_what_goes_on_while_something_is_refused() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::what_goes_on_while_something_is_refused(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_red_by_keyboard() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::red_by_keyboard(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_what_stays_in_sight_hides_nothing() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    sight::what_stays_in_sight_hides_nothing(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_blue_on_a_phone() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::blue_on_a_phone(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_refused_form_stays_unsaved() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::a_refused_form_stays_unsaved(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_an_answer_for_another_form_takes_nothing() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::an_answer_for_another_form_takes_nothing(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_inputs_are_kept() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::inputs_are_kept(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_cell_outlives_its_session() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::a_cell_outlives_its_session(&app, driver.open(&app));
}

#[test]
#[ignore = "needs Chromium; bin/test runs it"]
fn journey_a_small_form_outlives_a_proof() {
    let app = TestApp::spawn();
    let driver = chromium::Driver::start();
    losses::a_small_form_outlives_a_proof(&app, driver.open(&app));
}

//! The pictures of the README, taken from the demo as `tyrian dev` tells it. `bin/pictures` takes them anew.

use std::fs;

use crate::demo::Place;
use crate::journey::Hand;
use crate::journey::chromium::{Chromium, Driver};
use crate::kernel::sources::root;

/// What the page shows without scrolling; the README shows a picture at about two thirds of its width.
const SIZE: (u32, u32) = (1280, 800);

fn theme(page: &mut Chromium, theme: &str) {
    let chosen =
        "const button = document.querySelector(`form[action='/account/theme'] [value=${arguments[0]}]`);
        if (button.ariaPressed === 'true') return true;
        button.click();
        return null;";
    page.until(theme, chosen, &[theme.into()]);
}

fn keep(page: &Chromium, name: &str) {
    let place = root().join("docs/pictures");
    fs::create_dir_all(&place).unwrap();
    let picture = page.taken(SIZE.0, SIZE.1);
    println!("docs/pictures/{name}.png: {} bytes", picture.len());
    fs::write(place.join(name).with_extension("png"), picture).unwrap();
}

#[test]
#[ignore = "writes docs/pictures; bin/pictures runs it"]
fn pictures_of_the_demo() {
    let place = Place::new("pictures");
    let server = place.start("dev", true);
    let driver = Driver::start();
    let mut page = driver.open_at(&server.base);
    page.open("/sign-in");
    page.enter("noor@tyrian.example", &server.password);
    page.see("Noor Haddad");

    theme(&mut page, "light");
    page.open("/engagements");
    page.click("Autumn ransomware rehearsal");
    page.see("Outcomes at a glance");
    keep(&page, "engagement");

    theme(&mut page, "dark");
    page.click("Run key that starts Notepad");
    page.see("Endpoint agent, rule Autostart entry by command line tool");
    keep(&page, "procedure");
}

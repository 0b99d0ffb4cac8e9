//! The pictures of the README, taken from the demo as `tyrian dev` tells it. `bin/pictures` takes them anew.

use std::fs;

use crate::demo::Place;
use crate::journey::Hand;
use crate::journey::chromium::{Chromium, Driver};
use crate::kernel::sources::root;

/// How wide the pages are on them.
const WIDTH: u32 = 1280;

fn theme(page: &mut Chromium, theme: &str) {
    let chosen =
        "const button = document.querySelector(`form[action='/account/theme'] [value=${arguments[0]}]`);
        if (button.ariaPressed === 'true') return true;
        button.click();
        return null;";
    page.until(theme, chosen, &[theme.into()]);
}

fn keep(name: &str, picture: &[u8]) {
    let place = root().join("docs/pictures");
    fs::create_dir_all(&place).unwrap();
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
    page.see("Marker attachment arrives by mail");
    keep("engagement", &page.taken(WIDTH, None, "#procedures tbody tr:nth-child(7)"));

    theme(&mut page, "dark");
    page.click("Run key that starts Notepad");
    page.holds("Attack source", "HL-WS-014 (10.20.4.14), session of ex-booking1");
    keep("procedure", &page.taken(WIDTH, Some(".halves"), ".halves"));
}

//! Style that can be counted: how wide lines are, and comments that say next to nothing. `cargo nextest run
//! --test it style --no-capture` prints the figures.

use super::sources::files;

/// Columns of a line of Rust. rustfmt breaks code; what it leaves alone (literals, macros) is broken by hand.
const WIDTH: usize = 110;

/// Comments of three words or fewer that may stand: an example, a unit, an order, the help of a command.
const SHORT_COMMENTS: usize = 100;

#[test]
fn lines_fit_the_width() {
    let (mut lines, mut longest) = (0, 0);
    let mut wide = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for (path, text) in files(folder, ".rs") {
            for (number, line) in text.lines().enumerate() {
                let columns = line.chars().count();
                lines += 1;
                longest = longest.max(columns);
                if columns > WIDTH {
                    wide.push((path.clone(), number + 1, columns));
                }
            }
        }
    }
    println!("lines of Rust: {lines}, over {WIDTH} columns: {}, the longest: {longest}", wide.len());
    assert_eq!(wide, Vec::new(), "longer than {WIDTH} columns");
}

#[test]
fn comments_say_something() {
    let (mut comments, mut short) = (0, Vec::new());
    for (path, text) in files("src", ".rs") {
        let mut said: Option<(usize, Vec<String>)> = None;
        for (number, line) in text.lines().chain([""]).enumerate() {
            if let Some(more) = line.trim_start().strip_prefix("///") {
                let (_, words) = said.get_or_insert_with(|| (number + 1, Vec::new()));
                words.extend(more.split_whitespace().map(str::to_owned));
            } else if let Some((start, words)) = said.take() {
                comments += 1;
                if words.len() <= 3 {
                    short.push(format!("{path}:{start}: {}", words.join(" ")));
                }
            }
        }
    }
    println!("doc comments: {comments}, of three words or fewer: {}", short.len());
    assert!(
        short.len() < SHORT_COMMENTS,
        "a comment says why, gives a unit or an example, or is not there:\n{}",
        short.join("\n")
    );
}

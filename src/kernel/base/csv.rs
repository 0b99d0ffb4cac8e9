//! CSV that a spreadsheet can open without running anything: RFC 4180, UTF-8 with a mark that says so, and a
//! quote before whatever a spreadsheet takes for a formula, in its full-width forms too.

/// The mark by which spreadsheets know UTF-8.
pub const MARK: &str = "\u{feff}";

/// One line, with its end.
pub fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = cells.into_iter().map(cell).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    let safe = if formula { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        assert_eq!(line(["a", "b,c", "d\"e", "f\ng"]), "a,\"b,c\",\"d\"\"e\",\"f\ng\"\r\n");
        for start in ["=", "+", "-", "@", "\t", "＝", "＋", "－", "＠"] {
            assert!(line([format!("{start}1").as_str()]).starts_with('\''), "{start}");
        }
        assert_eq!(line(["\r=1"]), "\"'\r=1\"\r\n");
    }
}

//! HTML of an editor as Markdown. It is read for its text and a few marks; scripts, styles and images go, and
//! what is left is Markdown that pages clean once more.

/// Markdown, and how many images were left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Converted {
    pub text: String,
    pub images: usize,
}

/// Whether a text is an editor's HTML: it begins with a tag of one.
pub fn is_html(text: &str) -> bool {
    let text = text.trim_start();
    let Some(rest) = text.strip_prefix('<') else { return false };
    let name: String =
        rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let is_closed = rest[name.len()..].starts_with(['>', ' ', '/']) && rest.contains('>');
    const BEGIN: &[&str] = &[
        "p",
        "div",
        "span",
        "ul",
        "ol",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "pre",
        "strong",
        "b",
        "em",
        "i",
        "br",
        "table",
        "blockquote",
        "figure",
        "img",
        "code",
        "a",
    ];
    is_closed && BEGIN.contains(&name.as_str())
}

/// Markdown of a text that is HTML; any other text as it is.
pub fn to_markdown(text: &str) -> Converted {
    if !is_html(text) {
        return Converted { text: text.to_owned(), images: 0 };
    }
    let mut writing = Writing::default();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some((tag, after)) = tag(rest) {
            rest = writing.tag(&tag, after);
            continue;
        }
        // At least one character, so that a lone < is text.
        let skip = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[skip..].find('<').map_or(rest.len(), |at| at + skip);
        writing.text(&unescaped(&rest[..end]));
        rest = &rest[end..];
    }
    writing.finish()
}

struct Tag {
    name: String,
    is_end: bool,
    href: Option<String>,
}

/// The tag or comment that the text begins with, and what follows it.
fn tag(text: &str) -> Option<(Tag, &str)> {
    if let Some(rest) = text.strip_prefix("<!") {
        let end = if rest.starts_with("--") {
            rest.find("-->").map(|at| at + 3)
        } else {
            rest.find('>').map(|at| at + 1)
        };
        let after = end.map_or("", |at| &rest[at..]);
        return Some((Tag { name: String::new(), is_end: false, href: None }, after));
    }
    let rest = text.strip_prefix('<')?;
    let (is_end, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
    if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut quote = None;
    let end = rest.char_indices().find_map(|(at, c)| match (quote, c) {
        (None, '>') => Some(at),
        (None, '"' | '\'') => {
            quote = Some(c);
            None
        }
        (Some(open), c) if open == c => {
            quote = None;
            None
        }
        _ => None,
    })?;
    let inside = &rest[..end];
    let name = inside.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_lowercase();
    let href = inside.find("href=").and_then(|at| {
        let value = &inside[at + 5..];
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value[1..].split(quote).next().map(unescaped)
    });
    Some((Tag { name, is_end, href }, &rest[end + 1..]))
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity =
            rest.find(';').filter(|end| *end <= 10).and_then(|end| Some((entity(&rest[1..end])?, end + 1)));
        match entity {
            Some((c, length)) => {
                out.push(c);
                rest = &rest[length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "bull" => '•',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| *c != '\0')?
        }
    })
}

#[derive(Default)]
struct Writing {
    out: String,
    images: usize,
    /// Open lists: none is a list of dots, a number the next of a numbered one.
    lists: Vec<Option<usize>>,
    /// Text between `<pre>` and its end is kept to the letter.
    pre: Option<String>,
    code: bool,
    /// Addresses of open links.
    links: Vec<Option<String>>,
}

impl Writing {
    /// Ends a paragraph, if one is open.
    fn paragraph(&mut self) {
        let trimmed = self.out.trim_end().len();
        self.out.truncate(trimmed);
        if !self.out.is_empty() {
            self.out.push_str("\n\n");
        }
    }

    fn line(&mut self) {
        let trimmed = self.out.trim_end_matches(' ').len();
        self.out.truncate(trimmed);
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(pre) = &mut self.pre {
            pre.push_str(text);
            return;
        }
        for c in text.chars() {
            if c.is_whitespace() {
                if !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
                    self.out.push(' ');
                }
            } else {
                self.out.push(c);
            }
        }
    }

    fn tag<'t>(&mut self, tag: &Tag, after: &'t str) -> &'t str {
        let name = tag.name.as_str();
        if self.pre.is_some() && name != "pre" {
            if name == "br" {
                self.text("\n");
            }
            return after;
        }
        match (name, tag.is_end) {
            ("script" | "style" | "head" | "template" | "iframe" | "object" | "svg", false) => {
                let end = format!("</{name}");
                let lower = after.to_ascii_lowercase();
                let rest = lower.find(&end).map_or("", |at| &after[at..]);
                return rest.find('>').map_or("", |at| &rest[at + 1..]);
            }
            ("img", _) => self.images += 1,
            ("br", _) => {
                self.line();
            }
            ("strong" | "b", _) => self.out.push_str("**"),
            ("em" | "i", _) => self.out.push('*'),
            ("code" | "kbd" | "samp", is_end) => {
                self.code = !is_end;
                self.out.push('`');
            }
            ("a", false) => {
                self.links.push(tag.href.clone());
                if tag.href.is_some() {
                    self.out.push('[');
                }
            }
            ("a", true) => {
                if let Some(Some(href)) = self.links.pop() {
                    self.out.push_str("](");
                    self.out.push_str(&href.replace(' ', "%20").replace(')', "%29"));
                    self.out.push(')');
                }
            }
            ("pre", false) => {
                self.paragraph();
                self.pre = Some(String::new());
            }
            ("pre", true) => {
                if let Some(text) = self.pre.take() {
                    self.out.push_str(&super::text::fenced("", text.strip_suffix('\n').unwrap_or(&text)));
                    self.out.push_str("\n\n");
                }
            }
            ("ul", false) => self.begin_list(None),
            ("ol", false) => self.begin_list(Some(1)),
            ("ul" | "ol", true) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.paragraph();
                }
            }
            ("li", false) => self.item(),
            ("h1" | "h2" | "h3" | "h4" | "h5" | "h6", false) => {
                self.paragraph();
                self.out.push_str("### ");
            }
            ("td" | "th", true) => self.out.push_str(" | "),
            ("tr", _) => self.line(),
            // Paragraphs of editors inside of list items do not end the item.
            (
                "p" | "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" | "blockquote" | "figure",
                _,
            ) if self.lists.is_empty() => self.paragraph(),
            _ => {}
        }
        after
    }

    fn begin_list(&mut self, number: Option<usize>) {
        if self.lists.is_empty() {
            self.paragraph();
        }
        self.lists.push(number);
    }

    fn item(&mut self) {
        self.line();
        let depth = self.lists.len().saturating_sub(1);
        self.out.push_str(&"   ".repeat(depth));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.out.push_str(&format!("{number}. "));
                *number += 1;
            }
            _ => self.out.push_str("- "),
        }
    }

    fn finish(mut self) -> Converted {
        if let Some(text) = self.pre.take() {
            self.out.push_str(&text);
        }
        Converted { text: self.out.trim().to_owned(), images: self.images }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(html: &str) -> String {
        to_markdown(html).text
    }

    #[test]
    fn an_editors_html_becomes_markdown() {
        assert_eq!(
            markdown("<p>One &amp; <strong>two</strong></p>\n<p>Three<br>four</p>"),
            "One & **two**\n\nThree\nfour"
        );
        assert_eq!(
            markdown("<p>Do:</p><ol><li><p>a</p></li><li>b<ul><li>c</li></ul></li></ol><p>End</p>"),
            "Do:\n\n1. a\n2. b\n   - c\n\nEnd"
        );
        assert_eq!(markdown("<pre><code>a &lt; b\n  c</code></pre>"), "```\na < b\n  c\n```");
        assert_eq!(
            markdown("<p><a href=\"https://a.example/x y\">here</a> and <code>id</code></p>"),
            "[here](https://a.example/x%20y) and `id`"
        );
        let converted = to_markdown("<p>See <img src=\"data:image/png;base64,AAAA\"> it</p>");
        assert_eq!((converted.text.as_str(), converted.images), ("See it", 1));
    }

    #[test]
    fn what_is_no_html_stays_and_scripts_go() {
        for text in ["a < b", "<none>", "#{x} <p>", "<", "plain\n\n  text "] {
            assert_eq!(markdown(text), text);
        }
        assert_eq!(markdown("<p>a<script>alert(1)</script>b</p>"), "ab");
        assert_eq!(markdown("<p>a<!-- <b> -->c"), "ac");
        assert_eq!(markdown("<p>a <b"), "a <b");
        assert_eq!(markdown("<p>&bogus; &#0; &#x41;</p>"), "&bogus; &#0; A");
    }
}

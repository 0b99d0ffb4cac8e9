//! Markdown that people typed, as HTML that is safe to put into a page: comrak writes it, ammonia keeps only
//! what an allow-list names. No raw HTML, images, ids, classes or attributes of htmx survive.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use ammonia::{Builder, UrlRelative};
use askama::Template;
use comrak::arena_tree::NodeEdge;
use comrak::nodes::NodeValue;
use comrak::{Arena, Options, format_html, parse_document};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::kernel::base::error::Result;
use crate::kernel::base::harmless::marked;
use crate::kernel::web::literal;
use crate::kernel::web::turns::aside;

/// Headings of a text start below the page's own.
const HEADING_SHIFT: u8 = 2;

/// Deepest nesting of quotes, lists and marks. An HTML parser's work grows with the square of it: 64 KiB of
/// ">" would take seconds.
const DEPTH: usize = 48;

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = Builder::empty();
    cleaner
        .tags(HashSet::from([
            "a",
            "blockquote",
            "br",
            "code",
            "del",
            "em",
            "h3",
            "h4",
            "h5",
            "h6",
            "hr",
            "li",
            "ol",
            "p",
            "pre",
            "strong",
            "table",
            "tbody",
            "td",
            "th",
            "thead",
            "tr",
            "ul",
        ]))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .generic_attributes(HashSet::new())
        .clean_content_tags(HashSet::from(["script", "style"]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        // A typed text must not point into the app: such a link would act with the reader's session.
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener nofollow"));
    cleaner
});

/// Changes with everything that changes what [`render`] gives for a text, the versions of its crates
/// included.
const RENDERER: &[u8] = b"3: comrak 0.59, ammonia 4.2";

/// HTML that is kept, in bytes.
const KEPT_BYTES: u64 = 16 << 20;

/// Texts that were rendered, by digest of text and renderer: what is shown again and again is rendered once.
/// One shard, or the longest texts would be larger than their share of it; half of it for what was asked for
/// once, so that a page's texts are still there when it is drawn.
static KEPT: LazyLock<Cache<[u8; 32], Arc<str>, Weight>> = LazyLock::new(|| {
    let options = OptionsBuilder::new()
        .shards(1)
        .estimated_items_capacity(4_096)
        .weight_capacity(KEPT_BYTES)
        .hot_allocation(0.5)
        .build();
    Cache::with_options(
        options.expect("every option is set"),
        Weight,
        DefaultHashBuilder::default(),
        DefaultLifecycle::default(),
    )
});

#[derive(Clone)]
struct Weight;

impl Weighter<[u8; 32], Arc<str>> for Weight {
    fn weight(&self, key: &[u8; 32], html: &Arc<str>) -> u64 {
        (key.len() + html.len()) as u64
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::new().chain_update(RENDERER).chain_update([0]).chain_update(text).finalize().into()
}

/// How much text is rendered at once on a thread that answers pages, in bytes: a few milliseconds, at worst.
const AT_ONCE: usize = 8 << 10;

/// Renders what is not kept yet of these texts, off the threads that answer pages where it is much;
/// [`render`] then finds it.
///
/// # Errors
/// [`Error::Busy`] where as much is being rendered as the server does at once.
pub async fn prepare(texts: impl IntoIterator<Item = &str>, who: Uuid) -> Result<()> {
    let missing: Vec<String> = texts
        .into_iter()
        .filter(|text| !text.is_empty() && KEPT.peek(&digest(text)).is_none())
        .map(str::to_owned)
        .collect();
    if missing.iter().map(String::len).sum::<usize>() <= AT_ONCE {
        return Ok(());
    }
    aside(who, move || {
        missing.iter().for_each(|text| drop(render(text)));
        Ok(())
    })
    .await
}

/// Renders prose that people typed: Markdown with tables, strikethrough and links, as safe HTML. HTML in the
/// text is shown as typed, an image becomes a link to it, hidden characters become visible, and a text nested
/// too deep is shown as typed. What looks like a path, a prompt, an address or a command stays as it is (see
/// [`literal`]).
pub fn render(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let key = digest(text);
    if let Some(html) = KEPT.get(&key) {
        return html.to_string();
    }
    let html = rendered(text);
    KEPT.insert(key, html.as_str().into());
    html
}

fn rendered(text: &str) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    // Single line breaks are meant.
    options.render.hardbreaks = true;
    options.render.escape = true;

    let arena = Arena::new();
    let root = parse_document(&arena, &literal::stand_in(&marked(text)), &options);
    let mut depth = 0;
    let mut guessed = Vec::new();
    let mut unfollowed = Vec::new();
    for edge in root.traverse() {
        let NodeEdge::Start(node) = edge else {
            depth -= 1;
            continue;
        };
        depth += 1;
        if depth > DEPTH {
            return as_typed(text);
        }
        let mut data = node.data_mut();
        match &mut data.value {
            NodeValue::Heading(heading) => heading.level = (heading.level + HEADING_SHIFT).min(6),
            NodeValue::Image(image) => {
                image.url = literal::restore_address(std::mem::take(&mut image.url));
                data.value = NodeValue::Link(std::mem::take(image));
            }
            NodeValue::Link(link) => {
                // Nobody made a link of “www.evil.example” or of an e-mail address.
                let made = ["http://", "mailto:"].iter().find_map(|start| link.url.strip_prefix(start));
                let says =
                    |child: &NodeValue| matches!(child, NodeValue::Text(text) if Some(&**text) == made);
                if node.first_child().is_some_and(|child| says(&child.data().value)) {
                    guessed.push(node);
                }
                link.url = literal::restore_address(std::mem::take(&mut link.url));
                // One that leads nowhere from here is no link: its address stays in sight.
                if !is_followed(&link.url) {
                    guessed.push(node);
                    unfollowed.push((node, marked(&link.url).into_owned()));
                }
            }
            _ => {}
        }
    }
    for (link, address) in unfollowed {
        link.append(arena.alloc(NodeValue::Text(format!(" ({address})").into()).into()));
    }
    for link in guessed {
        while let Some(child) = link.first_child() {
            link.insert_before(child);
        }
        link.detach();
    }
    let mut html = String::new();
    if format_html(root, &options, &mut html).is_err() {
        return as_typed(text);
    }
    literal::restore(CLEANER.clean(&html).to_string())
}

/// Whether a link to this address is kept: the allow-list has no other schemes.
fn is_followed(address: &str) -> bool {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| matches!(scheme.as_str(), "http" | "https" | "mailto"))
}

#[derive(Template)]
#[template(path = "components/as_typed.html")]
struct AsTyped {
    text: String,
}

/// The text itself, for what is not to be rendered.
fn as_typed(text: &str) -> String {
    AsTyped { text: marked(text).into_owned() }.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[actix_web::test]
    async fn what_was_rendered_is_kept_and_much_of_it_is_rendered_aside() {
        let text = format!("once {} & again", "&".repeat(AT_ONCE));
        prepare([text.as_str(), "", "short"], Uuid::nil()).await.unwrap();
        let html = KEPT.peek(&digest(&text)).expect("kept");
        assert_eq!(*html, *rendered(&text));
        assert_eq!(render(&text), *html);
        // As much as a page shows at once stays until it is drawn, however many cores share it.
        let page: Vec<_> = (0..16).map(|n| digest(&format!("long text {n}"))).collect();
        page.iter().for_each(|key| KEPT.insert(*key, "&amp;".repeat(64_000).into()));
        assert_eq!(page.iter().filter(|key| KEPT.peek(*key).is_none()).count(), 0);
        (0..200).for_each(|n| KEPT.insert(digest(&format!("more {n}")), "&amp;".repeat(20_000).into()));
        assert!(KEPT.weight() <= KEPT_BYTES, "and bounded: {}", KEPT.weight());
    }

    #[test]
    fn renders_what_people_write() {
        let html = render("**bold** ~~old~~ `code`\nnext\n\n- one\n- two\n\n3. three");
        assert_eq!(
            html,
            "<p><strong>bold</strong> <del>old</del> \
                <code>code</code><br>\nnext</p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n<ol \
                start=\"3\">\n<li>three</li>\n</ol>\n"
        );
        let table = render("|a|b|\n|:-:|-|\n|1|<b>|");
        assert!(table.contains("<td>1</td>"), "{table}");
        assert!(table.contains("<td>&lt;b&gt;</td>"), "{table}");
        assert_eq!(render("# Top\n\n###### Deep"), "<h3>Top</h3>\n<h6>Deep</h6>\n");
        assert_eq!(render("```powershell\n<x> & y\n```"), "<pre><code>&lt;x&gt; &amp; y\n</code></pre>\n");
        assert_eq!(render(""), "");
    }

    #[test]
    fn links_are_absolute_and_marked() {
        assert_eq!(
            render("https://attack.example/T1003"),
            "<p><a href=\"https://attack.example/T1003\" rel=\"noopener \
                nofollow\">https://attack.example/T1003</a></p>\n"
        );
        for text in [
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](data:text/html;base64,PHM+)",
            "[x](vbscript:x)",
            "[x](/sign-out)",
            "[x](//evil.example)",
            "[x](#top)",
            "<javascript:alert(1)>",
        ] {
            assert!(!render(text).contains("href"), "{text}: {}", render(text));
        }
    }

    #[test]
    fn html_is_shown_as_typed_and_never_acts() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "a <b hx-get=\"/x\" data-hx-post=\"/y\" id=\"save\" class=\"button\" style=\"color:red\" \
                onclick=\"x()\">b</b>",
            "<style>*{display:none}</style>",
            "<form action=/sign-out><button>go</button></form>",
            "<svg><script>alert(1)</script></svg>",
            "<!-- <a href=x> -->",
            "[x](https://a.example \"t\\\" hx-get=/x\")",
            "[x](https://a.example\"hx-get=\"/x)",
        ] {
            let html = render(text);
            check_tags(&html);
        }
        assert_eq!(render("<script>alert(1)</script>"), "&lt;script&gt;alert(1)&lt;/script&gt;\n");
    }

    #[test]
    fn images_become_links() {
        assert_eq!(
            render("![the alert](https://evil.example/pixel.png)"),
            "<p><a href=\"https://evil.example/pixel.png\" rel=\"noopener nofollow\">the alert</a></p>\n"
        );
    }

    #[test]
    fn bidirectional_controls_are_seen() {
        assert!(render("run \u{2066}x\u{2069}").contains("⟨U+2066⟩x⟨U+2069⟩"));
        assert_eq!(render("`a\u{1b}`"), "<p><code>a⟨U+001B⟩</code></p>\n");
    }

    #[test]
    fn what_a_terminal_shows_stays_as_it_is() {
        let one = |text: &str| {
            render(text).trim_end().trim_start_matches("<p>").trim_end_matches("</p>").to_owned()
        };
        for text in [
            r"\\HL-FS-01\C$\_out\*.dmp",
            r"CORP\_svc_sql C:\temp\[x]\!a\#1",
            r"exist at (PathToAtomicsFolder\..\ExternalPayloads\nanodump.x64.exe)",
            "# whoami",
            "__init__ and _svc_ and a_b_c",
            "1986. started",
            "/var/*/log/* and *.dmp, */5 and *.exe",
            "~/.ssh and a~b~c",
            "[+]: done",
            "www.evil.example and x@evil.example",
            r"a \*b\* c\",
            "[x]: C:/temp",
            "__.__:// and a://__b__",
        ] {
            assert_eq!(one(text), text, "{text}");
        }
        assert_eq!(one("&copy; &amp; a&b"), "&amp;copy; &amp;amp; a&amp;b");
        assert_eq!(one("1. one\n3. three"), "<ol>\n<li>one<br>\n3. three</li>\n</ol>");
        assert_eq!(one("`C:\\temp\\*` *pw*"), "<code>C:\\temp\\*</code> <em>pw</em>");
        assert_eq!(render("```\n\\_x_*&\n```"), "<pre><code>\\_x_*&amp;\n</code></pre>\n");
        assert!(render("http://a_b.c.example/_x_*~.?_").contains("href=\"http://a_b.c.example/_x_*~.?_\""));
        assert_eq!(
            one("https://a.example/_x_?a=1&b=2"),
            "<a href=\"https://a.example/_x_?a=1&amp;b=2\" rel=\"noopener \
                nofollow\">https://a.example/_x_?a=1&amp;b=2</a>"
        );
    }

    #[test]
    fn prose_is_still_markdown() {
        assert_eq!(
            render("# Scope\n\n**a/b** *c*"),
            "<h3>Scope</h3>\n<p><strong>a/b</strong> <em>c</em></p>\n"
        );
        assert_eq!(render("[admin](10.0.0.1)"), "<p>admin (10.0.0.1)</p>\n");
        assert_eq!(render("9. nine\n10. ten"), "<ol start=\"9\">\n<li>nine</li>\n<li>ten</li>\n</ol>\n");
        assert_eq!(
            render("1. a\n   1. b\n   2. c\n2. d"),
            "<ol>\n<li>a\n<ol>\n<li>b</li>\n<li>c</li>\n</ol>\n</li>\n<li>d</li>\n</ol>\n"
        );
    }

    #[test]
    fn deep_nesting_is_shown_as_typed() {
        for unit in ["> ", "- a\n", "[", "*", "![", "**a ", "*a _b ", "<b>", "|", "1. - "] {
            check_tags(&render(&unit.repeat(4_000)));
        }
        assert_eq!(render(&"> ".repeat(50)), ["<pre>\n", &"&#62; ".repeat(50), "</pre>"].concat());
        assert!(render(&format!("{}deep", "> ".repeat(20))).starts_with("<blockquote>"));
    }

    /// Every tag of the output is on the list and bears nothing but what the list allows.
    fn check_tags(html: &str) {
        let mut rest = html;
        while let Some(open) = rest.find('<') {
            rest = &rest[open + 1..];
            let close = rest.find('>').expect("a tag ends");
            let tag = rest[..close].trim_start_matches('/');
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            assert!(CLEANER.clone_tags().contains(name), "{name} in {html}");
            let fine = attributes.is_empty()
                || (name == "ol" && attributes.starts_with("start=\""))
                || (name == "a"
                    && (attributes == "rel=\"noopener nofollow\""
                        || (attributes.starts_with("href=\"")
                            && attributes.matches('"').count() == 4
                            && attributes.ends_with("\" rel=\"noopener nofollow\""))));
            assert!(fine, "{attributes} in {html}");
            rest = &rest[close + 1..];
        }
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        #[test]
        fn no_character_of_evidence_is_lost(text in "([a-c \\\\_/.:$]|https?://){0,40}") {
            let html = render(&text);
            let read: String =
                html.split('<').map(|part| part.rsplit('>').next().unwrap_or_default()).collect();
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(squeezed(&read), squeezed(&text));
        }

        #[test]
        fn only_listed_tags_come_out(
            text in "([<>\"'=/a\\[\\]()!`*#|:&; \n-]|javascript:|<script>|hx-get=\
                |https://a.b|<img src=x |&#60;){0,60}",
        ) {
            check_tags(&render(&text));
        }
    }
}

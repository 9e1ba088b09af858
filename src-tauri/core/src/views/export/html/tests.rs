//! Pages of hostile texts.

use super::*;
use crate::session::SessionState;
use proptest::prelude::*;

fn page_of(messages: &[ParsedMessage<'_>], title: &str) -> String {
    let mut page = Page::default();
    for message in messages {
        page.message(message, Some("desk<b>"));
    }
    let row = SessionRow {
        session: "s".into(),
        tool: "tool".into(),
        project: "p\"><script>".into(),
        title: title.into(),
        updated: "2026-11-29T10:00:00Z".into(),
        bytes: 0,
        devices: vec!["desk".into()],
        state: SessionState::default(),
        path: None,
        why: None,
    };
    page.finished(&row, "A tool", &row.project)
}

fn said<'a>(role: Role, pieces: Vec<Piece<'a>>) -> ParsedMessage<'a> {
    ParsedMessage {
        role,
        at: Some("2026-11-29T10:00:00Z\"><script>"),
        id: None,
        pieces,
        model: None,
        tokens: None,
    }
}

/// All tags of a page.
fn tags(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag ends");
        found.push(tag.to_owned());
    }
    found
}

const KNOWN: [&str; 24] = [
    "html", "head", "body", "header", "h1", "ul", "li", "nav", "details", "summary", "ol", "a",
    "main", "article", "h2", "span", "time", "div", "pre", "b", "i", "code", "p", "img",
];

fn assert_harmless(page: &str) {
    let body = page.split_once("</style>").expect("a style").1;
    for tag in tags(body) {
        let name = tag
            .trim_start_matches('/')
            .split([' ', '\n'])
            .next()
            .unwrap_or_default();
        assert!(KNOWN.contains(&name) || name == "footer", "<{tag}>");
        assert!(
            !tag.contains(" on") && !tag.contains("javascript:"),
            "<{tag}>"
        );
        if let Some((_, address)) = tag.split_once("href=\"") {
            assert!(address.starts_with("#m"), "<{tag}>");
        }
        if let Some((_, address)) = tag.split_once("src=\"") {
            assert!(address.starts_with("data:image/"), "<{tag}>");
        }
    }
    assert!(!page.chars().any(crate::session::harmless::is_hidden));
}

#[test]
fn nothing_of_a_session_is_markup_or_hidden() {
    let hostile = "</pre></details><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\x1b[2J\0&lt;";
    let picture = |media, data| Piece {
        media: Some(media),
        ..Piece::new("image", data)
    };
    let pieces = |role| {
        let call = Piece {
            name: Some("<i>Bash</i>"),
            target: Some("\"><script>".into()),
            ..Piece::new("tool_use", hostile)
        };
        let pieces = vec![
            Piece::new("text", hostile),
            Piece::new("text", "a\n```</pre>\n<script>\n```\nb\n~~~\nno end <b>"),
            Piece::new("thinking", hostile),
            call,
            Piece::new("tool_result", hostile),
            Piece::new("<kind>", hostile),
            Piece::new(
                "image",
                "https://elsewhere.example/x.png\" onerror=\"alert(1)",
            ),
            picture("image/png", "aGk=\"><script>"),
            picture("image/svg+xml", "PHN2Zz4="),
            picture("image/png", "aGk="),
        ];
        said(role, pieces)
    };
    let roles = [
        Role::User,
        Role::Assistant,
        Role::Tool,
        Role::System,
        Role::Steering,
    ];
    let page = page_of(
        &roles.map(pieces),
        "</title><script>alert(1)</script>\u{202e}",
    );
    assert_harmless(&page);
    // One picture of each message that shows pictures is right, and nothing is fetched.
    assert_eq!(page.matches("<img ").count(), 5);
    assert!(!page.contains("src=\"https:"));
    assert!(!page.contains("<script"));
}

#[test]
fn a_browser_is_told_to_run_and_to_load_nothing() {
    let page = page_of(&[said(Role::User, vec![Piece::new("text", "hi")])], "t");
    let style = page.split_once("<style>").expect("a style").1;
    let style = style.split_once("</style>").expect("it ends").0;
    let hash = BASE64.encode(&Sha256::digest(style));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; img-src data:;");
    assert!(page.contains(&policy));
    assert!(!page.contains("style=") && !page.contains("unsafe"));
}

#[test]
fn what_is_long_is_folded_and_whole() {
    let long = "word ".repeat(20_000);
    let one_line = "x".repeat(3 << 20);
    let page = page_of(
        &[said(
            Role::User,
            vec![
                Piece::new("text", long.as_str()),
                Piece::new("tool_result", one_line.as_str()),
            ],
        )],
        "t",
    );
    assert!(page.contains("<details class=\"long\">"));
    assert!(page.contains(long.trim_end()) && page.contains(&one_line));
    let summaries = page.split("<summary").skip(1);
    for summary in summaries {
        let end = summary.find("</summary>").expect("it ends");
        assert!(end < 600, "{end}");
    }
}

proptest! {
    #[test]
    fn no_text_becomes_markup(text in "(<|>|&|\"|'|```|~~~|\n|script|</pre>|\u{202e}|\x1b|a| ){0,24}") {
        let pieces = ["text", "thinking", "tool_result", "tool_use", "image", "other"]
            .map(|kind| Piece::new(kind, text.as_str()));
        assert_harmless(&page_of(&[said(Role::User, pieces.to_vec())], &text));
    }
}

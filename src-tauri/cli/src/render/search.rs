//! What was found: sessions, and the lines of their messages.

use super::tables::{short, short_enough, title};
use super::{View, cut, number, one_line, plural, project, wrap};
use crate::when::ago;
use session_roam_core::api::{Search, SearchHit, SearchSnippet};
use session_roam_core::session::Role;
use unicode_width::UnicodeWidthStr;

pub fn found(found: &Search, view: &View) -> String {
    let mut out = String::new();
    for notice in &found.notices {
        out.push_str(&wrap(notice, 0, view));
    }
    if let Some(indexing) = &found.indexing {
        let text = format!(
            "The index is being built: {} of {} are in it.",
            number(indexing.done),
            plural(indexing.total, "session")
        );
        out.push_str(&wrap(&text, 0, view));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    if found.hits.is_empty() {
        out.push_str("No session matches. `roam search --help` explains the search.\n");
        return out;
    }
    let ids: Vec<&str> = found.hits.iter().map(|hit| hit.session.as_str()).collect();
    let n_chars = short_enough(&ids);
    for one in &found.hits {
        out.push_str(&hit(one, n_chars, view));
        out.push('\n');
    }
    out.push_str(&summary(found, n_chars));
    out
}

fn hit(hit: &SearchHit, n_chars: usize, view: &View) -> String {
    let mut facts = vec![
        short(&hit.session, n_chars),
        hit.tool.clone(),
        project(&hit.project),
        ago(&hit.updated, view.now),
        hit.devices.join(", "),
    ];
    if hit.split {
        facts.push("two versions".into());
    }
    let mut out = format!("{}\n  {}\n", title(&hit.title), facts.join(" · "));
    let widest = |snippet: &SearchSnippet| place(snippet).width();
    let width = hit.snippets.iter().map(widest).max().unwrap_or(0);
    for snippet in &hit.snippets {
        let text: String = snippet.text.iter().map(|part| part.text.as_str()).collect();
        let line = format!(
            "  {:>width$}  {}: {}",
            place(snippet),
            speaker(snippet),
            one_line(&text)
        );
        let line = view
            .width
            .map_or(line.clone(), |columns| cut(&line, columns));
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The message's number, as `roam show --from` takes it.
fn place(snippet: &SearchSnippet) -> String {
    match snippet.other_version {
        true => "other version".into(),
        false => snippet.message.to_string(),
    }
}

fn speaker(snippet: &SearchSnippet) -> &'static str {
    match snippet.role {
        Role::User => "You",
        Role::Assistant => "Assistant",
        _ => "Tool",
    }
}

fn summary(found: &Search, n_chars: usize) -> String {
    let shown = found.hits.len() as u64;
    let mut out = match found.total {
        total if shown < total => format!("{} of {}", number(shown), plural(total, "session")),
        total => plural(total, "session"),
    };
    let first = found.hits.iter().find_map(|hit| {
        let mut snippets = hit.snippets.iter();
        let snippet = snippets.find(|snippet| !snippet.other_version)?;
        Some((hit, snippet))
    });
    if let Some((hit, snippet)) = first {
        out.push_str(&format!(
            "; read on with: roam show {} --from {}",
            short(&hit.session, n_chars),
            snippet.message
        ));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use session_roam_core::api::{Indexing, Marked};
    use session_roam_core::session::Millis;

    fn snippet(message: u64, other_version: bool, text: &str) -> SearchSnippet {
        SearchSnippet {
            message,
            other_version,
            role: Role::User,
            device: Some("desk".into()),
            at: None,
            text: vec![Marked {
                text: text.into(),
                hit: true,
            }],
        }
    }

    #[test]
    fn sessions_have_their_lines_below_them() {
        let view = View {
            width: Some(60),
            now: Millis::parse("2026-11-23T10:00:00Z").expect("a time"),
        };
        let hit = SearchHit {
            session: "0b7c1d2e-3f40-4a51-9b62-c7d8e9fa0b1c".into(),
            tool: "claude-code".into(),
            project: "git:git.example/acme/shop".into(),
            title: "Retry the payment".into(),
            marked_title: Vec::new(),
            updated: "2026-11-23T09:00:00Z".into(),
            devices: vec!["desk".into(), "lap".into()],
            split: false,
            snippets: vec![
                snippet(
                    12,
                    false,
                    "the gateway drops every second connection, why is that so",
                ),
                snippet(0, true, "a gateway"),
            ],
        };
        let mut answer = Search {
            hits: vec![hit],
            total: 3,
            notices: vec!["Nothing has “gatewy”; this is what has “gateway”.".into()],
            indexing: Some(Indexing { done: 2, total: 9 }),
        };
        let text = found(&answer, &view);
        assert_eq!(
            text,
            "Nothing has “gatewy”; this is what has “gateway”.\n\
             The index is being built: 2 of 9 sessions are in it.\n\
             \n\
             Retry the payment\n\
             \x20 0b7c1d2e · claude-code · acme/shop · 1 h ago · desk, lap\n\
             \x20            12  You: the gateway drops every second connec…\n\
             \x20 other version  You: a gateway\n\
             \n\
             1 of 3 sessions; read on with: roam show 0b7c1d2e --from 12\n"
        );
        answer.hits.clear();
        assert!(found(&answer, &view).contains("No session matches."));
    }
}

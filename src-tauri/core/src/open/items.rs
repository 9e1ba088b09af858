//! A message, as an adapter reads it, as items.

use super::{Content, Item, Output, Speaker, Thought};
use crate::merge::transcript::{ParsedMessage, Piece};
use crate::session::Role;
use std::collections::VecDeque;

/// The calls on the way to a message. A tool that gives its calls no ids gets them by order: the
/// oldest call without an answer is the one that is answered.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    unanswered: VecDeque<String>,
    n_made: u64,
}

impl Calls {
    /// The items of a message; the message's pieces stay in order.
    pub fn items(&mut self, message: &ParsedMessage<'_>) -> Vec<Item> {
        if message.role == Role::Steering {
            let text = message.text();
            return vec![Item::Change { text }];
        }
        let has_results = message
            .pieces
            .iter()
            .any(|piece| piece.kind == "tool_result");
        let mut items = Vec::new();
        for piece in &message.pieces {
            self.push(message.role, has_results, piece, &mut items);
        }
        items
    }

    fn push(&mut self, role: Role, has_results: bool, piece: &Piece<'_>, items: &mut Vec<Item>) {
        let text = piece.body.clone().into_owned();
        match (piece.kind, role) {
            ("tool_use", _) => items.push(Item::FunctionCall {
                call_id: self.call(piece.call_id),
                name: piece.name.unwrap_or("tool").to_owned(),
                arguments: text,
                target: piece.target.clone(),
            }),
            ("tool_result", _) => items.push(self.output(piece, text)),
            // A message of a tool without a result in it is the result.
            ("text", Role::Tool) if !has_results => items.push(self.output(piece, text)),
            ("text" | "image", _) => push_content(role, content(role, piece, text), items),
            ("thinking", _) => items.push(Item::Reasoning {
                summary: Vec::new(),
                content: vec![Thought::ReasoningText { text }],
            }),
            ("compaction", _) => items.push(Item::Compaction { text }),
            (kind, role) => items.push(Item::Part {
                role: match role {
                    Role::Tool => Speaker::Tool,
                    role => speaker(role),
                },
                kind: kind.to_owned(),
                text,
            }),
        }
    }

    fn output(&mut self, piece: &Piece<'_>, text: String) -> Item {
        Item::FunctionCallOutput {
            call_id: self.answered(piece.call_id),
            output: Output::Text(text),
            is_error: piece.is_error,
        }
    }

    fn call(&mut self, id: Option<&str>) -> String {
        let id = id.map_or_else(|| self.made(), str::to_owned);
        self.unanswered.push_back(id.clone());
        id
    }

    fn answered(&mut self, id: Option<&str>) -> String {
        match id {
            Some(id) => {
                self.unanswered.retain(|call| call != id);
                id.to_owned()
            }
            None => match self.unanswered.pop_front() {
                Some(id) => id,
                None => self.made(),
            },
        }
    }

    fn made(&mut self) -> String {
        self.n_made += 1;
        format!("call_{}", self.n_made)
    }
}

fn speaker(role: Role) -> Speaker {
    match role {
        // What stands beside the results of calls was said by the user.
        Role::User | Role::Tool => Speaker::User,
        Role::Assistant => Speaker::Assistant,
        Role::System | Role::Steering => Speaker::System,
    }
}

fn content(role: Role, piece: &Piece<'_>, text: String) -> Content {
    match (piece.kind, piece.media, role) {
        ("image", Some(media), _) => Content::InputImage {
            image_url: format!("data:{media};base64,{text}"),
        },
        ("image", None, _) => Content::InputImage { image_url: text },
        (_, _, Role::Assistant) => Content::OutputText { text },
        _ => Content::InputText { text },
    }
}

/// Adds to the message before it, or to the result: a picture behind a result belongs to it.
fn push_content(role: Role, content: Content, items: &mut Vec<Item>) {
    let is_picture = matches!(content, Content::InputImage { .. });
    match items.last_mut() {
        Some(Item::Message { content: all, .. }) => all.push(content),
        Some(Item::FunctionCallOutput { output, .. }) if is_picture => {
            let parts = match std::mem::replace(output, Output::Parts(Vec::new())) {
                Output::Text(text) => vec![Content::InputText { text }],
                Output::Parts(parts) => parts,
            };
            *output = Output::Parts(parts.into_iter().chain([content]).collect());
        }
        _ => items.push(Item::Message {
            role: speaker(role),
            content: vec![content],
        }),
    }
}

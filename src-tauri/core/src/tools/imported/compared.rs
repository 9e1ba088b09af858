//! Two contents of one imported conversation, from two exports or two devices: which of them has
//! all of the other, and one content with all of both. Knows no service.

use super::Conversation;
use super::members::{Members, value};
use crate::merge::snapshots::Judged;
use crate::session::Millis;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// The facts by which two exports of one conversation are compared.
pub(in crate::tools) struct Compared {
    /// The ids of a conversation's messages; `None` if it has no list of them.
    pub ids: fn(&Members) -> Option<BTreeSet<String>>,
    /// When it changed last.
    pub age: fn(&Members) -> Millis,
}

/// Adds to the later conversation what only the earlier one has: returns the members that change,
/// none if there is nothing to add.
pub(in crate::tools) type Add = fn(later: &Members, earlier: &Members) -> Option<Members>;

impl Compared {
    /// Which of two contents has all messages and all pictures of the other. Of two with the same
    /// messages, the later one has the name and the branch that count.
    pub fn judge(&self, first: &[u8], second: &[u8]) -> Judged {
        if first == second {
            return Judged::Same;
        }
        let both = Conversation::parse(first).zip(Conversation::parse(second));
        let Some((one, other)) = both else {
            return Judged::Both;
        };
        let messages = self.judge_messages(&one, &other);
        let (ours, theirs) = (&one.files, &other.files);
        match messages {
            Judged::First if has_all(ours, theirs) => Judged::First,
            Judged::Second if has_all(theirs, ours) => Judged::Second,
            Judged::Same => match (has_all(ours, theirs), has_all(theirs, ours)) {
                (true, true) => Judged::Same,
                (true, false) => Judged::First,
                (false, true) => Judged::Second,
                (false, false) => Judged::Both,
            },
            _ => Judged::Both,
        }
    }

    /// The ids of the messages in a content.
    pub fn ids_in(&self, content: &[u8]) -> Option<BTreeSet<String>> {
        let conversation = Conversation::parse(content)?.conversation;
        (self.ids)(&Members::of(&conversation)?)
    }

    fn judge_messages(&self, one: &Conversation, other: &Conversation) -> Judged {
        let members = Members::of(&one.conversation).zip(Members::of(&other.conversation));
        let ids = members.as_ref().and_then(|(one, other)| {
            let (ours, theirs) = ((self.ids)(one)?, (self.ids)(other)?);
            Some((ours.is_subset(&theirs), theirs.is_subset(&ours)))
        });
        match (members, ids) {
            (Some((ours, theirs)), Some((true, true))) => {
                Judged::greater(self.later((one, &ours), (other, &theirs)))
            }
            (_, Some((true, false))) => Judged::Second,
            (_, Some((false, true))) => Judged::First,
            (_, None) if value(&one.conversation) == value(&other.conversation) => Judged::Same,
            _ => Judged::Both,
        }
    }

    /// A content with all of both.
    pub fn joined(&self, first: &[u8], second: &[u8], add: Add) -> Option<Vec<u8>> {
        let (one, other) = (Conversation::parse(first)?, Conversation::parse(second)?);
        let (ours, theirs) = (
            Members::of(&one.conversation)?,
            Members::of(&other.conversation)?,
        );
        let is_second = self.later((&one, &ours), (&other, &theirs)) == Ordering::Less;
        let (later, mut members, earlier, known) = match is_second {
            true => (other, theirs, one, ours),
            false => (one, ours, other, theirs),
        };
        let new = add(&members, &known)?;
        // What has all of the other already stays as it is written.
        if new.is_empty() && has_all(&later.files, &earlier.files) {
            return Some(if is_second { second } else { first }.to_vec());
        }
        let conversation = match new.is_empty() {
            true => later.conversation,
            false => {
                members.extend(new);
                members.render()?
            }
        };
        let joined = Conversation {
            conversation,
            files: of_both(later.files, earlier.files),
        };
        Some(joined.render())
    }

    /// The order of two conversations: a conversation to which something was added is never before
    /// the one that it was added to.
    fn later(
        &self,
        (one, ours): (&Conversation, &Members),
        (other, theirs): (&Conversation, &Members),
    ) -> Ordering {
        let text = |conversation: &Conversation| value(&conversation.conversation).to_string();
        (self.age)(ours).cmp(&(self.age)(theirs)).then_with(|| {
            let (one, other) = (text(one), text(other));
            (one.len(), one).cmp(&(other.len(), other))
        })
    }
}

/// Pictures by their names, as [`Conversation::files`] has them.
type Files = BTreeMap<String, String>;

/// Whether the first ones have all of the second ones, as [`of_both`] unites them.
fn has_all(files: &Files, others: &Files) -> bool {
    let has = |(name, other)| files.get(name).is_some_and(|address| other <= address);
    others.iter().all(has)
}

/// The pictures of both. Of one name, the greater address: both devices get the same.
fn of_both(mut files: Files, others: Files) -> Files {
    for (name, address) in others {
        let known = files.entry(name).or_default();
        if *known < address {
            *known = address;
        }
    }
    files
}

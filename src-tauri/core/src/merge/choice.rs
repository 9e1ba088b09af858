//! The user's decisions about a split: journal entries that every device folds alike.

use crate::session::{ChainId, DocName, HistoryKind, Hlc, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The user's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Keep both branches, each as a session of its own.
    KeepBoth,
    KeepLeft,
    KeepRight,
    /// Append the turns of one branch to the other.
    Stitch,
    /// Keep both in one session, with one active.
    Branches,
    /// Undo an earlier decision.
    Undo,
}

impl Action {
    pub const CHOICES: [Self; 5] = [
        Self::KeepBoth,
        Self::KeepLeft,
        Self::KeepRight,
        Self::Stitch,
        Self::Branches,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeepBoth => "keep-both",
            Self::KeepLeft => "keep-left",
            Self::KeepRight => "keep-right",
            Self::Stitch => "stitch",
            Self::Branches => "branches",
            Self::Undo => "undo",
        }
    }
}

impl From<Action> for HistoryKind {
    fn from(action: Action) -> Self {
        match action {
            Action::KeepBoth => Self::KeepBoth,
            Action::KeepLeft => Self::KeepLeft,
            Action::KeepRight => Self::KeepRight,
            Action::Stitch => Self::Stitch,
            Action::Branches => Self::Branches,
            Action::Undo => Self::Undo,
        }
    }
}

/// Identifies a decision by time and device (short id). No two are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChoiceId {
    pub at: Hlc,
    pub device: String,
}

/// The state of a doc's branches from now on: complete, not only the changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub action: Action,
    /// The split doc.
    pub doc: DocName,
    /// The branch that keeps the session's id: its end as it was seen. It may have grown since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<ChainId>,
    /// Ends that stay in the vault, out of all stores. An end that gains messages is a branch
    /// again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<ChainId>,
    /// First lines of branches that the user knows of and keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<ChainId>,
    /// Lines written for this decision and those that it builds on; undone with the decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<Made>,
    /// Forks that this decision takes out of the stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forks: Vec<SessionId>,
    /// The ends of those forks' main docs, as known to the decision: messages after them stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<ChainId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<ChoiceId>,
    /// In the journal of a fork: the decision about its parent that this one carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<ChoiceId>,
}

impl Choice {
    /// A choice about `doc` with nothing decided yet.
    pub fn about(doc: DocName, action: Action) -> Self {
        Self {
            action,
            doc,
            trunk: None,
            away: Vec::new(),
            seen: Vec::new(),
            made: Vec::new(),
            forks: Vec::new(),
            ends: Vec::new(),
            undoes: None,
            follows: None,
        }
    }
}

/// Lines that a decision added after `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    pub from: ChainId,
    pub tip: ChainId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    pub id: ChoiceId,
    pub choice: Choice,
}

/// The result of all decisions about a doc.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decided<'a> {
    /// The decision that counts.
    pub now: Option<&'a Chosen>,
    /// Lines written for decisions that no longer count.
    pub undone_lines: Vec<Made>,
}

impl<'a> Decided<'a> {
    /// Folds decisions in any order: the last one counts until it is undone, then the one before.
    pub fn of(all: &'a [Chosen], doc: &DocName) -> Self {
        let now = Self::standing(all, doc).last().copied();
        let standing = |made: &Made| now.is_some_and(|now| now.choice.made.contains(made));
        let made = in_order(all, doc)
            .into_iter()
            .flat_map(|chosen| &chosen.choice.made)
            .copied();
        Self {
            now,
            undone_lines: made.filter(|made| !standing(made)).collect(),
        }
    }

    /// The decisions about a doc that were not undone, in order: the last one counts.
    pub fn standing(all: &'a [Chosen], doc: &DocName) -> Vec<&'a Chosen> {
        let mut ordered = in_order(all, doc);
        // Two undos of one decision on two devices count once. A decision from a clock that is days
        // ahead can be undone too.
        let undone: BTreeSet<&ChoiceId> = ordered
            .iter()
            .filter_map(|chosen| chosen.choice.undoes.as_ref())
            .collect();
        ordered.retain(|chosen| chosen.choice.undoes.is_none() && !undone.contains(&chosen.id));
        ordered
    }

    pub fn choice(&self) -> Option<&'a Choice> {
        self.now.map(|chosen| &chosen.choice)
    }
}

fn in_order<'a>(all: &'a [Chosen], doc: &DocName) -> Vec<&'a Chosen> {
    let about = |chosen: &&Chosen| chosen.choice.doc == *doc;
    let mut ordered: Vec<&Chosen> = all.iter().filter(about).collect();
    ordered.sort_by(|one, other| one.id.cmp(&other.id));
    ordered.dedup_by(|one, other| one.id == other.id);
    ordered
}

/// What follows from a decision about the versions of two devices, or of one.
pub fn consequence(action: Action, asked: bool, left: &str, right: &str) -> String {
    match action {
        _ if left == right => consequence_of_one(action).into(),
        Action::KeepBoth if asked => {
            format!("{left}'s version keeps the session; {right}'s becomes a session of its own.")
        }
        Action::KeepBoth => format!(
            "Both stay: the session as {left} continued it, and {right}'s as a session of its own."
        ),
        Action::KeepLeft => format!(
            "The session continues as on {left}. What {right} added leaves the tool and stays in the vault."
        ),
        Action::KeepRight => format!(
            "The session continues as on {right}. What {left} added leaves the tool and stays in the vault."
        ),
        Action::Stitch => format!(
            "{right}'s turns come after {left}'s in one session: the model sees both; neither knew of the other."
        ),
        _ => format!(
            "One session holds both and continues after {right}'s turns, or after {left}'s if you choose so. The tool shows one branch at a time."
        ),
    }
}

/// The same where both versions are of one device, whose name says nothing.
fn consequence_of_one(action: Action) -> &'static str {
    match action {
        Action::KeepBoth => {
            "Both stay: the first version has the session, the second one is a session of its own."
        }
        Action::KeepLeft => {
            "The session continues as the first version. What the second one added leaves the tool and stays in the vault."
        }
        Action::KeepRight => {
            "The session continues as the second version. What the first one added leaves the tool and stays in the vault."
        }
        Action::Stitch => {
            "The second version's turns come after the first one's in one session: the model sees both; neither knew of the other."
        }
        _ => {
            "One session holds both and continues after the second version's turns, or after the first one's if you choose so. The tool shows one branch at a time."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Millis;

    fn chosen(at: i64, device: &str, action: Action, undoes: Option<ChoiceId>) -> Chosen {
        let stitched = Made {
            from: ChainId::log_start(),
            tip: ChainId::snapshot_start(),
        };
        let made = if action == Action::Stitch {
            vec![stitched]
        } else {
            Vec::new()
        };
        let id = ChoiceId {
            at: Hlc {
                wall: Millis(at),
                count: 0,
            },
            device: device.into(),
        };
        let doc = DocName::new("doc");
        Chosen {
            id,
            choice: Choice {
                action,
                doc,
                trunk: None,
                away: vec![],
                seen: vec![],
                made,
                forks: vec![],
                ends: vec![],
                undoes,
                follows: None,
            },
        }
    }

    fn now(all: &[Chosen]) -> Option<Action> {
        Decided::of(all, &DocName::new("doc"))
            .choice()
            .map(|choice| choice.action)
    }

    #[test]
    fn the_last_decision_counts_until_it_is_undone_and_order_of_arrival_does_not_matter() {
        let first = chosen(1, "A", Action::KeepLeft, None);
        let second = chosen(2, "B", Action::Stitch, None);
        let undone = chosen(3, "A", Action::Undo, Some(second.id.clone()));
        let again = chosen(4, "B", Action::Undo, Some(second.id.clone()));
        assert_eq!(now(&[second.clone(), first.clone()]), Some(Action::Stitch));
        let all = [again, undone, second, first.clone()];
        assert_eq!(now(&all), Some(Action::KeepLeft));
        assert_eq!(
            Decided::of(&all, &DocName::new("doc")).undone_lines.len(),
            1
        );
        let none = chosen(5, "C", Action::Undo, Some(first.id.clone()));
        assert_eq!(now(&[first, none]), None);
    }

    #[test]
    fn a_decision_of_a_clock_that_is_days_ahead_can_be_taken_back() {
        let ahead = chosen(1000, "A", Action::KeepLeft, None);
        let undone = chosen(5, "B", Action::Undo, Some(ahead.id.clone()));
        assert_eq!(now(&[ahead, undone]), None);
    }
}

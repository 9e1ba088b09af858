//! How a session stands and what happened to it, as types: the state's columns, the answers and the window's types
//! have their words from here.

use serde::{Deserialize, Serialize};

/// An enum whose variants are known by one word each, the same in the state, in the answers and in the window.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$attribute:meta])* $variant:ident),* $(,)? }) => {
        $(#[$about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            strum::IntoStaticStr, strum::EnumString, strum::Display, strum::VariantArray, strum::EnumMessage,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        #[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
        pub enum $name { $($(#[$attribute])* $variant),* }

        impl $name {
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }
    };
}

pub(crate) use words;

words! {
    /// Where a session stands on this device.
    #[derive(Default)]
    SessionState {
        /// The tool's store holds what the journals hold.
        Here,
        /// The session will be written without the user, once the reason is gone.
        Waiting,
        /// The vault holds the session, the tool's store does not.
        #[default]
        Elsewhere,
        /// Two devices continued the session, and the user has not decided.
        Split,
        /// A guard stopped the session until the user decides.
        Held,
    }
}

words! {
    /// Why a session is not simply [`SessionState::Here`], or which part of it is not carried.
    Reason {
        /// The session is open in its tool.
        Live,
        /// The tool wrote the session a moment ago.
        JustWritten,
        /// The session's project has no directory on this device.
        NoPlace,
        /// The directory that another device names must not be used.
        PlaceRefused,
        /// The session continues another one that is not here yet.
        Parent,
        /// The tool's store cannot be written.
        Unwritable,
        /// The tool is switched off on this device.
        ToolOff,
        /// The project is excluded on this device.
        Excluded,
        /// Everything is paused.
        Paused,
        /// The tool's store has a shape that is not known.
        UnknownShape,
        /// Another device took back its own last lines, and that is being confirmed.
        TakenBack,
        /// The session is in a store that is switched off.
        StoreOff,
        /// The session is in a store whose directory is not there now.
        StoreGone,
        /// A record is too large to be carried, or what another device recorded must not be written here.
        LeftOut,
        /// Many sessions vanished from the tool's store at once.
        ToolEmptied,
        /// Another device rewrote or shortened what is here.
        Rewritten,
        /// Another device changed only what the tool may do.
        Steered,
        /// The user has to decide about a split.
        Split,
        /// The session was deleted from this device's store.
        DeletedHere,
        /// Parts of the session have not arrived yet.
        Arriving,
        /// The user decided for another branch.
        PutAway,
        /// The session is in its tool's store, and waits to be entered into the list of another program.
        Unlisted,
    }
}

impl Reason {
    /// Waits that somebody has to end; all others pass by themselves, or are what the user chose. The window's list is
    /// made from this one.
    pub const ENDED_BY_USER: [Self; 7] = [
        Self::NoPlace,
        Self::PlaceRefused,
        Self::Unwritable,
        Self::ToolOff,
        Self::StoreGone,
        Self::UnknownShape,
        Self::LeftOut,
    ];
    /// Waits that last as long as what the user chose: nothing passes, and nothing is wrong. The window's list is made
    /// from this one.
    pub const CHOSEN: [Self; 2] = [Self::Excluded, Self::StoreOff];

    pub fn is_ended_by_user(self) -> bool {
        Self::ENDED_BY_USER.contains(&self)
    }
}

words! {
    /// What happened to a session: a row of the history.
    #[derive(Default)]
    HistoryKind {
        #[default]
        /// New records of this device went into its journal.
        Recorded,
        /// Records of another device arrived.
        Arrived,
        /// A branch was written into the tool's store.
        CheckedOut,
        /// A branch became a session of its own.
        Forked,
        /// Branches were united.
        United,
        /// The session left the tool's store, because the user decided so.
        TakenOut,
        /// A device took back its own last lines.
        TakenBack,
        /// The session left a directory that is not its project's.
        Moved,
        /// The session turned out to belong to another project.
        Recognised,
        /// The user decided: both branches, each a session of its own.
        #[serde(rename = "keep-both")]
        #[strum(serialize = "keep-both")]
        KeepBoth,
        /// The user decided: the branch that has the id; the other stays in the vault.
        #[serde(rename = "keep-left")]
        #[strum(serialize = "keep-left")]
        KeepLeft,
        /// The user decided: the other branch, which gets the id; the first stays in the vault.
        #[serde(rename = "keep-right")]
        #[strum(serialize = "keep-right")]
        KeepRight,
        /// The user decided: the turns of one branch after those of the other.
        Stitch,
        /// The user decided: both branches in one session.
        Branches,
        /// A decision was taken back.
        Undo,
        /// The user gave the session a title, or took it back.
        Renamed,
        /// Another device's uncommitted changes were applied here.
        CodeApplied,
        /// They were taken back.
        CodeUndone,
        /// The user forgot a session.
        Forgotten,
        /// A forgotten session was removed from this device.
        Removed,
        /// The remote of an excluded project was changed: the project under its new name, which is
        /// in the place of a doc, was excluded along.
        Excluded,
    }
}

impl HistoryKind {
    /// Whether a row of this kind counts files in place of lines.
    pub fn counts_files(self) -> bool {
        matches!(self, Self::CodeApplied | Self::CodeUndone)
    }
}

words! {
    /// Who speaks in a message.
    Role {
        User,
        Assistant,
        /// A tool answers.
        Tool,
        System,
        /// No message: a record changed what the tool may do.
        Steering,
    }
}

words! {
    /// How a split can be handled.
    Tier {
        /// The branches can be united without a doubt.
        #[serde(rename = "A")]
        #[strum(serialize = "A")]
        A,
        /// The branches are sessions of their own already.
        #[serde(rename = "B")]
        #[strum(serialize = "B")]
        B,
        /// Nothing is written until the user chooses.
        #[serde(rename = "C")]
        #[strum(serialize = "C")]
        C,
    }
}

/// Whether a session has more than one live branch, as the state's column keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SplitState {
    #[default]
    None,
    Open(Tier),
    /// The user decided; the decision can be taken back.
    Decided,
}

impl SplitState {
    /// Nothing, the tier, or `-`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Open(tier) => tier.as_str(),
            Self::Decided => "-",
        }
    }

    /// The column's state; what no version wrote counts as decided, so that nothing is lost from the lists.
    pub fn parse(text: &str) -> Self {
        match text {
            "" => Self::None,
            text => text.parse().map_or(Self::Decided, Self::Open),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        fn check<T>()
        where
            T: VariantArray
                + Copy
                + PartialEq
                + std::fmt::Debug
                + std::str::FromStr
                + Into<&'static str>,
            T: Serialize + for<'de> Deserialize<'de>,
        {
            for word in T::VARIANTS {
                let text: &'static str = (*word).into();
                assert_eq!(text.parse::<T>().ok(), Some(*word), "{text}");
                assert_eq!(serde_json::to_value(word).expect("JSON"), text);
            }
        }
        check::<SessionState>();
        check::<Reason>();
        check::<HistoryKind>();
        check::<Role>();
        check::<Tier>();
        check::<crate::session::ProblemCode>();
        for tier in Tier::VARIANTS {
            assert_eq!(SplitState::parse(tier.as_str()), SplitState::Open(*tier));
        }
        assert_eq!(
            [SplitState::parse(""), SplitState::parse("-")],
            [SplitState::None, SplitState::Decided]
        );
    }
}

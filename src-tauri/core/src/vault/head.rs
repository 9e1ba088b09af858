//! What a frame says about itself: its head, its hash, and why it can be refused.

use crate::session::{DeviceId, Hlc, Lane, SessionId, ToolId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The format's version; a reader refuses and reports newer ones. Version 1 is read, never written.
pub const VERSION: u32 = 2;

/// The first line of each frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub v: u32,
    pub device: DeviceId,
    pub lane: Lane,
    pub tool: ToolId,
    pub session: SessionId,
    /// The frame's number in this journal, from 0.
    pub n: u64,
    /// The hash of the previous frame; for the first one, [`genesis`].
    pub prev: FrameHash,
    pub at: Hlc,
    /// The device's name when it wrote the frame; used in the title of a fork.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

/// The hash that the next frame names, in hexadecimal digits: BLAKE3 of a frame's header and its
/// stored bytes; in version 1, of its lines without the seal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameHash(pub String);

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("it is not a zstd frame of JSON lines")]
    Shape,
    #[error("its hash does not match its content")]
    Hash,
    #[error("it was written by a newer session-roam (format {0})")]
    Newer(u32),
    #[error("it is larger, or holds more, than any frame may")]
    TooLarge,
}

/// The kind of a line; for the first one, also its version.
#[derive(Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(borrow)]
    pub(super) k: Cow<'a, str>,
    #[serde(default)]
    pub(super) v: u32,
}

pub(super) fn kind(line: &[u8]) -> Result<Kind<'_>, FrameError> {
    serde_json::from_slice(line).map_err(|_| FrameError::Shape)
}

/// The first line of a frame, with its kind.
#[derive(Deserialize)]
struct HeadLine<'a> {
    #[serde(borrow)]
    k: Cow<'a, str>,
    v: u32,
    device: DeviceId,
    lane: Lane,
    tool: ToolId,
    session: SessionId,
    n: u64,
    prev: FrameHash,
    at: Hlc,
    #[serde(default)]
    by: String,
}

pub(super) fn parse_head(line: &[u8]) -> Result<Head, FrameError> {
    let Ok(head) = serde_json::from_slice::<HeadLine<'_>>(line) else {
        // A newer version may have other members.
        return match kind(line)?.v {
            newer if VERSION < newer => Err(FrameError::Newer(newer)),
            _ => Err(FrameError::Shape),
        };
    };
    if VERSION < head.v {
        return Err(FrameError::Newer(head.v));
    }
    if head.k != "head" {
        return Err(FrameError::Shape);
    }
    Ok(Head {
        v: head.v,
        device: head.device,
        lane: head.lane,
        tool: head.tool,
        session: head.session,
        n: head.n,
        prev: head.prev,
        at: head.at,
        by: head.by,
    })
}

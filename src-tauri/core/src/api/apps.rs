//! The answers about the store for apps, and to the apps themselves.

use crate::session::states::words;
use serde::{Deserialize, Serialize};

words! {
    /// What the user decided about an app.
    #[derive(Default)]
    AppState {
        Allowed,
        /// It waits for the user's decision.
        #[default]
        Asking,
        Denied,
    }
}

/// An app that keeps sessions here, or asks to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct AppRow {
    /// The name that it gives itself.
    pub app: String,
    pub state: AppState,
    /// When the user decided.
    pub since: Option<String>,
    /// Programs that ask under this name with a token that is not allowed.
    pub asking: u64,
    /// What it keeps on this device.
    pub sessions: u64,
    pub bytes: u64,
}

/// What became of the entries of an app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct AppAppended {
    pub added: u64,
    /// Entries whose `uuid` was there already.
    pub known: u64,
}

/// Entries of an app's session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct AppPage {
    /// Each as the app wrote it; none if there is no such session.
    pub entries: Option<Vec<String>>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// A session of an app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct AppSession {
    pub session: String,
    /// Its last change on this device, in milliseconds since 1970.
    pub mtime: i64,
}

/// Whether there was something to delete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct AppDeleted {
    pub deleted: bool,
}

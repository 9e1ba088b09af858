//! Sessions are forgotten while everything else happens. A session that a device has removed never
//! returns to it, in no list, no journal and no store; and in the end every device has removed it.

use super::play::Play;
use session_roam_core::api::{ForgottenRow, Request};
use session_roam_core::session::{SessionId, SessionKey};
use session_roam_core::settings;
use session_roam_core::tools::Which;
use std::collections::BTreeSet;

/// The grace period is short here, and the guard against many forgets has a story of its own.
pub fn settle_quickly(roam: &std::path::Path) {
    settings::change(roam, |document| {
        document["guard"]["forget_after"] = toml_edit::value(1);
        document["guard"]["max_forgotten"] = toml_edit::value(1000);
    })
    .expect("settings");
}

impl Play {
    pub fn forget(&mut self, device: usize, session: usize) {
        let Some((_, found)) = self.pick(device, session) else {
            return;
        };
        if !self.world.devices[device].is_running() {
            return;
        }
        // A branch of another session is refused, which changes nothing.
        let session = found.session.to_string();
        self.forgot |= self.world.devices[device]
            .try_ask(Request::Forget { session })
            .is_ok();
    }

    fn forgotten_on(&mut self, device: usize) -> Vec<ForgottenRow> {
        self.world.devices[device].ask(Request::Forgotten)
    }

    /// The keys of the sessions that a device reports as removed there.
    pub fn removed_on(&mut self, device: usize) -> BTreeSet<String> {
        let removed = |row: &ForgottenRow| {
            row.receipts
                .first()
                .is_some_and(|own| own.state.as_str() == "removed")
        };
        let rows = self.forgotten_on(device).into_iter().filter(removed);
        rows.map(|row| row.key).collect()
    }

    /// Checks that a session which a device reports as removed is not there, now and at any later
    /// time.
    pub fn nothing_forgotten_returns(&mut self) -> Result<(), String> {
        for device in 0..self.world.devices.len() {
            if !self.forgot || !self.world.devices[device].is_running() {
                continue;
            }
            let removed = self.removed_on(device);
            self.gone
                .extend(removed.into_iter().map(|key| (device, key)));
        }
        for (device, key) in &self.gone {
            let on = &self.world.devices[*device];
            let (tool, hash) = key.split_once('/').expect("a key");
            let session = SessionKey {
                tool: session_roam_core::session::ToolId::new(tool),
                hash: hash.into(),
            };
            if on.vault().holds(&session) {
                return Err(format!("the vault of {} holds {key} again", on.name));
            }
            if self.present_keys(*device).contains(&session) {
                return Err(format!("the store of {} holds {key} again", on.name));
            }
        }
        Ok(())
    }

    fn present_keys(&self, device: usize) -> BTreeSet<SessionKey> {
        let machine = self.world.devices[device].machine();
        let listed = self.tools.iter().flat_map(|(_, tool)| {
            let found = tool.sessions(&machine, Which::All).found.into_iter();
            found
                .map(|found| SessionKey::new(&tool.about().tool, &found.session))
                .collect::<Vec<_>>()
        });
        listed.collect()
    }

    /// Whether a session was forgotten in the end, under either tool's key.
    pub fn is_forgotten(&self, session: &str) -> bool {
        self.is_among(&self.forgotten, session)
    }

    /// Whether one of the keys is the session's, under either tool.
    pub fn is_among(&self, keys: &BTreeSet<String>, session: &str) -> bool {
        let session = SessionId::new(session);
        self.tools.iter().any(|(_, tool)| {
            keys.contains(&SessionKey::new(&tool.about().tool, &session).to_string())
        })
    }

    /// At rest: every device forgot the same sessions, has removed all of them and lists none of
    /// them.
    pub fn all_forgot_the_same(&mut self) -> Vec<String> {
        let mut wrongs = Vec::new();
        for device in 0..self.world.devices.len() {
            let rows = self.forgotten_on(device);
            let name = self.world.devices[device].name.clone();
            let keys: BTreeSet<String> = rows.iter().map(|row| row.key.clone()).collect();
            if device == 0 {
                self.forgotten = keys;
            } else if keys != self.forgotten {
                wrongs.push(format!(
                    "{name} forgot other sessions: {keys:?}, not {:?}",
                    self.forgotten
                ));
            }
            for row in rows {
                let left = row.receipts.iter().find(|receipt| {
                    !["removed", "cannot_be_told"].contains(&receipt.state.as_str())
                });
                wrongs.extend(left.map(|left| {
                    format!(
                        "{}: {} on {} according to {name}",
                        row.key, left.state, left.device
                    )
                }));
            }
            let listed = self.world.devices[device].sessions();
            let back = listed.iter().filter(|row| self.is_forgotten(&row.session));
            wrongs.extend(
                back.map(|row| format!("{} is forgotten and listed on {name}", row.session)),
            );
        }
        wrongs
    }
}

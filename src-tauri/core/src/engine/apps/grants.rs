//! Which apps the user allowed: `apps.json` in this home, for this user alone. It has hashes of the
//! apps' tokens, so whoever reads the file cannot speak for an app. It does not sync: an app is
//! allowed on each device by itself.

use crate::opener;
use crate::tools::apps::names::AppName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "apps.json";

/// The hash of a token. Hashes are compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenHash(blake3::Hash);

impl TokenHash {
    /// `None` unless the token is 64 hexadecimal digits that look random.
    pub fn of(token: &str) -> Option<Self> {
        let digits = token
            .bytes()
            .collect::<std::collections::BTreeSet<_>>()
            .len();
        let fits = token.len() == 64
            && token
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            && 8 <= digits;
        let key = "session-roam v1 app token";
        fits.then(|| Self(blake3::derive_key(key, token.as_bytes()).into()))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The hash of the token in hexadecimal digits; none for an app that was refused.
    token: Option<String>,
    /// When the user decided, in RFC 3339.
    pub since: String,
}

impl Grant {
    pub fn is_allowed(&self) -> bool {
        self.token.is_some()
    }

    pub fn fits(&self, token: &TokenHash) -> bool {
        let known = self
            .token
            .as_ref()
            .and_then(|hex| blake3::Hash::from_hex(hex).ok());
        known.is_some_and(|known| known == token.0)
    }
}

/// The user's decisions, by app.
#[derive(Debug, Default)]
pub struct Grants {
    path: PathBuf,
    apps: BTreeMap<AppName, Grant>,
}

impl Grants {
    /// Without a readable file no app is allowed.
    pub fn load(home: &Path) -> io::Result<Self> {
        let path = home.join(FILE);
        let apps = match opener::read(&path, opener::SMALL) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, apps })
    }

    pub fn get(&self, app: &AppName) -> Option<&Grant> {
        self.apps.get(app)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&AppName, &Grant)> {
        self.apps.iter()
    }

    /// Allows the app that has the token; without one, refuses the app.
    pub fn decide(
        &mut self,
        app: &AppName,
        token: Option<&TokenHash>,
        since: String,
    ) -> io::Result<()> {
        let grant = Grant {
            token: token.map(|token| token.0.to_hex().to_string()),
            since,
        };
        self.changed(|apps| drop(apps.insert(app.clone(), grant)))
    }

    pub fn remove(&mut self, app: &AppName) -> io::Result<bool> {
        let is_known = self.apps.contains_key(app);
        if is_known {
            self.changed(|apps| drop(apps.remove(app)))?;
        }
        Ok(is_known)
    }

    /// Counts only once it is saved.
    fn changed(&mut self, change: impl FnOnce(&mut BTreeMap<AppName, Grant>)) -> io::Result<()> {
        let mut apps = self.apps.clone();
        change(&mut apps);
        let dir = self.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        // `tempfile` creates with mode 0600; on Windows the user's profile directory keeps others out.
        let mut file = tempfile::Builder::new().prefix(".apps-").tempfile_in(dir)?;
        file.write_all(&serde_json::to_vec_pretty(&apps)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        self.apps = apps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_grant_is_for_one_token_and_the_file_does_not_tell_it() {
        let home = tempfile::tempdir().expect("home");
        let app = AppName::new("notes").expect("name");
        let (token, other) = (
            TokenHash::of(TOKEN),
            TokenHash::of(&TOKEN.replace('0', "1")),
        );
        let (token, other) = (token.expect("token"), other.expect("token"));
        let mut grants = Grants::load(home.path()).expect("grants");
        grants
            .decide(&app, Some(&token), "2026-11-29T00:00:00Z".into())
            .expect("saved");
        let grants = Grants::load(home.path()).expect("grants");
        let grant = grants.get(&app).expect("a grant");
        assert!(grant.is_allowed() && grant.fits(&token) && !grant.fits(&other));
        let text = std::fs::read_to_string(home.path().join(FILE)).expect("text");
        assert!(!text.contains(TOKEN), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(home.path().join(FILE))
                .expect("file")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_token_that_could_be_guessed_is_none() {
        for bad in [
            "",
            "0",
            &"0".repeat(64),
            &"01".repeat(32),
            &TOKEN.to_uppercase(),
            &TOKEN[1..],
        ] {
            assert_eq!(TokenHash::of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_damaged_file_allows_nobody() {
        let home = tempfile::tempdir().expect("home");
        std::fs::write(home.path().join(FILE), "{").expect("written");
        assert!(Grants::load(home.path()).is_err());
    }
}

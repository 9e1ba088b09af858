//! Matches the places of a store with the patterns of its layout, and fills patterns in.

use super::{DocFile, FileStore};
use crate::session::DocKind;

pub(super) const SESSION: &str = "{session}";
pub(super) const GROUP: &str = "{group}";
pub(super) const NAME: &str = "{name}";
pub(super) const REST: &str = "{rest}";
const SHORT: &str = "{short}";
const NUMBER: &str = "{number}";
/// The letters of an id for which `{short}` stands.
const N_SHORT: usize = 8;

/// Where a session lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionAt {
    pub session: String,
    /// Empty if the main doc's pattern has no group.
    pub group: String,
    /// The place of the main doc below the store's directory.
    pub place: String,
    /// What `{name}` or `{rest}` stands for in the place of one doc.
    pub name: String,
}

impl SessionAt {
    pub(super) fn new(session: &str, group: &str) -> Self {
        Self {
            session: session.to_owned(),
            group: group.to_owned(),
            ..Self::default()
        }
    }

    /// The pattern with what is known of the session; `{name}` and `{rest}` stay if no name is
    /// known.
    pub fn fill(&self, pattern: &str) -> String {
        let short = self.session.get(..N_SHORT).unwrap_or(&self.session);
        let name = Some(self.name.as_str()).filter(|name| !name.is_empty());
        let (mut filled, mut rest) = (String::new(), pattern);
        while let Some(at) = rest.find('{') {
            let (before, hole) = rest.split_at(at);
            let known = [
                (SESSION, self.session.as_str()),
                (GROUP, &self.group),
                (SHORT, short),
                (NAME, name.unwrap_or(NAME)),
                (REST, name.unwrap_or(REST)),
            ];
            let (hole_name, value) = known
                .into_iter()
                .find(|(name, _)| hole.starts_with(name))
                .unwrap_or(("{", "{"));
            filled.push_str(before);
            filled.push_str(value);
            rest = &hole[hole_name.len()..];
        }
        filled + rest
    }
}

impl DocFile<'_> {
    fn parts(&self) -> Vec<&str> {
        self.at.split('/').collect()
    }

    /// The names of the directories before the first placeholder.
    pub(super) fn fixed(&self) -> impl Iterator<Item = &str> {
        let dir = self.at.rsplit_once('/').map_or("", |(dir, _)| dir);
        let names = dir.split('/').filter(|name| !name.is_empty());
        names.take_while(|name| is_fixed(name))
    }

    /// The pattern of the doc's directory, as names; of a `{rest}` the top directory.
    pub(super) fn dir(&self) -> Vec<&str> {
        let mut parts = self.parts();
        parts.pop();
        parts
    }

    pub(super) fn last(&self) -> &str {
        self.at.rsplit('/').next().unwrap_or(self.at)
    }

    pub(super) fn kind_of(&self, place: &str) -> DocKind {
        match self.last() == REST && place.ends_with(".jsonl") {
            true => DocKind::Log,
            false => self.kind,
        }
    }
}

/// Whether a name of a pattern stands for itself alone.
pub(super) fn is_fixed(part: &str) -> bool {
    !part.contains(['{', '*'])
}

impl<'a> FileStore<'a> {
    /// The doc that lies at a place, and of which session.
    pub(super) fn doc_at(&self, names: &[&str]) -> Option<(&DocFile<'a>, SessionAt)> {
        self.docs.iter().find_map(|doc| {
            let at = self.match_names(&doc.parts(), names, &SessionAt::default())?;
            let place = match doc.name == self.docs[0].name {
                true => names.join("/"),
                false => String::new(),
            };
            Some((doc, SessionAt { place, ..at }))
        })
    }

    /// The session whose files lie below a directory on the way to a doc, empty above the
    /// sessions' own directories; and whether the names alone show that it is a directory.
    pub(super) fn above(&self, doc: &DocFile<'_>, names: &[&str]) -> Option<(SessionAt, bool)> {
        let dir = doc.dir();
        let none = SessionAt::default();
        if let Some(any) = dir
            .iter()
            .position(|part| *part == "**")
            .filter(|any| *any < names.len())
        {
            if names[any..].iter().any(|name| self.is_denied(name)) {
                return None;
            }
            let at = self.match_names(&dir[..any], &names[..any], &none)?;
            return Some((at, false));
        }
        let dir = dir.get(..names.len())?;
        self.match_names(dir, names, &none).map(|at| (at, true))
    }

    /// The place of a doc by its name.
    pub(super) fn place_named(&self, at: &SessionAt, name: &str) -> Option<String> {
        let names: Vec<&str> = name.split('/').collect();
        self.docs.iter().find_map(|doc| {
            let parts: Vec<&str> = doc.name.split('/').collect();
            let named = self.match_names(&parts, &names, at)?;
            Some(named.fill(doc.at))
        })
    }

    /// Matches names with a pattern, beginning with what is known.
    pub(super) fn match_names(
        &self,
        parts: &[&str],
        names: &[&str],
        known: &SessionAt,
    ) -> Option<SessionAt> {
        let Some((part, rest)) = parts.split_first() else {
            return names.is_empty().then(|| known.clone());
        };
        if *part == "**" {
            let is_denied = names.first().is_none_or(|name| self.is_denied(name));
            let deeper = || self.match_names(parts, names.get(1..)?, known);
            let here = self.match_names(rest, names, known);
            return here.or_else(|| if is_denied { None } else { deeper() });
        }
        if *part == REST {
            let is_denied = names.iter().any(|name| self.is_denied(name));
            return self
                .with(REST, &names.join("/"), known)
                .filter(|_| !is_denied);
        }
        let (name, others) = names.split_first()?;
        let known = self.match_name(part, name, known)?;
        self.match_names(rest, others, &known)
    }

    /// Matches one name of a path. A group is judged by the store's own rule alone.
    pub(super) fn match_name(
        &self,
        part: &str,
        name: &str,
        known: &SessionAt,
    ) -> Option<SessionAt> {
        // A name that was made of an id may be a path.
        if name.contains('/') {
            return None;
        }
        let known = self.match_text(part, name, known)?;
        (part == GROUP || !self.is_denied(name)).then_some(known)
    }

    fn match_text(&self, pattern: &str, name: &str, known: &SessionAt) -> Option<SessionAt> {
        let (text, rest) = pattern.split_at(pattern.find(['{', '*']).unwrap_or(pattern.len()));
        let name = name.strip_prefix(text)?;
        if rest.is_empty() {
            return name.is_empty().then(|| known.clone());
        }
        let holes = [SESSION, GROUP, NAME, NUMBER, SHORT, "*"];
        let Some(hole) = holes.into_iter().find(|hole| rest.starts_with(hole)) else {
            // A brace of the name.
            return self.match_text(&rest[1..], name.strip_prefix(&rest[..1])?, known);
        };
        let rest = &rest[hole.len()..];
        let fits = |at: usize| {
            let (start, end) = name.split_at(at);
            // What follows is compared first where that is cheap.
            if is_fixed(rest) && end != rest {
                return None;
            }
            self.match_text(rest, end, &self.with(hole, start, known)?)
        };
        let cuts = name.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        match hole {
            "*" => fits(0).or_else(|| cuts.into_iter().find_map(fits)),
            _ => cuts.into_iter().find_map(fits),
        }
    }

    /// What is known with a text that stands for a hole, if it can.
    fn with(&self, hole: &str, text: &str, known: &SessionAt) -> Option<SessionAt> {
        let is_right = match hole {
            SESSION if !known.session.is_empty() => known.session == text,
            SESSION => self.is_id(text),
            GROUP => (self.is_group)(text),
            NAME | REST => !text.is_empty() && (self.is_name)(text),
            NUMBER => text.bytes().all(|byte| byte.is_ascii_digit()),
            SHORT => text.chars().count() == N_SHORT,
            _ => true,
        };
        if !is_right {
            return None;
        }
        let mut known = known.clone();
        match hole {
            SESSION => known.session = text.to_owned(),
            GROUP => known.group = text.to_owned(),
            NAME | REST => known.name = text.to_owned(),
            _ => {}
        }
        Some(known)
    }
}

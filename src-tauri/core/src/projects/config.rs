//! Git's configuration as text: sections, names and values. Includes are left to the caller. Touches no disk.

/// One setting: `url.https://h/.insteadOf = h:` has section `url`, subsection `https://h/` and name `insteadof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// In small letters.
    pub section: String,
    pub subsection: Option<String>,
    /// In small letters.
    pub name: String,
    pub value: String,
}

impl Setting {
    /// Its subsection, if it is that setting.
    pub fn of(&self, section: &str, name: &str) -> Option<&str> {
        let is_it = self.section == section && self.name == name;
        self.subsection.as_deref().filter(|_| is_it)
    }
}

/// The settings of a file in their order; lines that are not understood are skipped.
pub fn parse(config: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut current: Option<(String, Option<String>)> = None;
    for line in config.lines().map(str::trim) {
        let mut rest = line;
        if let Some(inside) = line.strip_prefix('[') {
            let end = section_end(inside).unwrap_or(inside.len());
            current = section(&inside[..end]);
            rest = inside.get(end + 1..).unwrap_or("").trim();
        }
        let Some((section, subsection)) = &current else {
            continue;
        };
        let (name, value) = rest.split_once('=').unwrap_or((rest, "true"));
        let name = name.trim().to_ascii_lowercase();
        if !name.is_empty() && !name.starts_with(['#', ';']) {
            settings.push(Setting {
                section: section.clone(),
                subsection: subsection.clone(),
                name,
                value: config_value(value),
            });
        }
    }
    settings
}

/// Where the `]` of a section header is; one inside quotes does not count.
fn section_end(header: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    header.bytes().position(|byte| {
        let is_end = byte == b']' && !quoted;
        quoted ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    })
}

/// `remote "origin"` as section and subsection.
fn section(header: &str) -> Option<(String, Option<String>)> {
    match header.split_once('"') {
        None => Some((header.trim().to_ascii_lowercase(), None)),
        Some((section, name)) => {
            let name = name
                .strip_suffix('"')?
                .replace("\\\"", "\"")
                .replace("\\\\", "\\");
            Some((section.trim().to_ascii_lowercase(), Some(name)))
        }
    }
}

/// A value without quotes, escapes and the comment behind it.
fn config_value(raw: &str) -> String {
    let mut value = String::new();
    let mut quoted = false;
    let mut characters = raw.trim().chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => value.extend(characters.next()),
            '#' | ';' if !quoted => break,
            _ => value.push(c),
        }
    }
    value.trim_end().to_owned()
}

//! Git's configuration as text: sections, names, values. The caller follows includes; no disk
//! access.

/// A setting: `url.https://h/.insteadOf = h:` is section `url`, subsection `https://h/`, name
/// `insteadof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// In lower case.
    pub section: String,
    pub subsection: Option<String>,
    /// In lower case.
    pub name: String,
    pub value: String,
}

impl Setting {
    /// The subsection, if this is the given setting.
    pub fn of(&self, section: &str, name: &str) -> Option<&str> {
        let is_it = self.section == section && self.name == name;
        self.subsection.as_deref().filter(|_| is_it)
    }
}

/// The settings of a file in order; unknown lines and a byte order mark are skipped, as Git does.
pub fn parse(config: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut current: Option<(String, Option<String>)> = None;
    let config = config.strip_prefix('\u{feff}').unwrap_or(config);
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

/// The position of a section header's `]`; one inside quotes does not count.
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

/// Parses `remote "origin"` into section and subsection.
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

/// A value without quotes, escapes and trailing comment.
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

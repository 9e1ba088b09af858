//! Times in everyday form.

use session_roam_core::session::Millis;

/// The time since `at` (RFC 3339), or the date if it is long ago. An invalid time is kept.
pub fn ago(at: &str, now: Millis) -> String {
    let Some(then) = Millis::parse(at) else {
        return at.to_owned();
    };
    let seconds = (now.0 - then.0) / 1000;
    match seconds {
        ..2 => "just now".into(),
        2..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..172_800 => "1 day ago".into(),
        172_800..2_592_000 => format!("{} days ago", seconds / 86_400),
        _ => then.rfc3339()[..10].to_owned(),
    }
}

/// How long it is until `at` (RFC 3339): minutes to the nearest, hours and days rounded up. An invalid
/// time is kept.
pub fn left(at: &str, now: Millis) -> String {
    let Some(end) = Millis::parse(at) else {
        return at.to_owned();
    };
    match (end.0 - now.0 + 999) / 1000 {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", (seconds + 30) / 60),
        seconds @ 3600..86_400 => format!("{} h", (seconds + 3599) / 3600),
        seconds => format!("{} days", (seconds + 86_399) / 86_400),
    }
}

pub fn now() -> Millis {
    Millis::from_system(std::time::SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_age_has_its_unit() {
        let now = Millis::parse("2026-11-23T12:00:00Z").expect("a time");
        for (at, said) in [
            ("2026-11-23T12:00:30Z", "just now"),
            ("2026-11-23T11:59:48Z", "12 s ago"),
            ("2026-11-23T11:59:00Z", "1 min ago"),
            ("2026-11-23T11:00:01Z", "59 min ago"),
            ("2026-11-22T12:00:01Z", "23 h ago"),
            ("2026-11-22T11:00:00Z", "1 day ago"),
            ("2026-11-20T11:00:00+02:00", "3 days ago"),
            ("2025-01-02T03:04:05Z", "2025-01-02"),
            ("soon", "soon"),
        ] {
            assert_eq!(ago(at, now), said);
        }
        for (at, said) in [
            ("2026-11-23T12:00:01Z", "1 s"),
            ("2026-11-23T12:59:40Z", "60 min"),
            ("2026-11-23T12:10:05Z", "10 min"),
            ("2026-11-23T15:00:00+02:00", "1 h"),
            ("2026-11-25T12:00:00Z", "2 days"),
            ("soon", "soon"),
        ] {
            assert_eq!(left(at, now), said);
        }
    }
}

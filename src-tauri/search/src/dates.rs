//! Days as people write them in `after:` and `before:`.

use jiff::{Span, ToSpan, Zoned, civil};

/// The first second of what `text` names: a day (`2026-11-01`), a month (`2026-11`), a year, `today`,
/// `yesterday`, a weekday (the last one), or an age (`3h`, `3d`, `2w`, `6m`, `1y`).
pub fn parse(text: &str, now: &Zoned) -> Option<i64> {
    let text = text.to_ascii_lowercase();
    let begin = |day: civil::Date| Some(day.to_zoned(now.time_zone().clone()).ok()?.timestamp());
    let day = match text.as_str() {
        "now" => return Some(now.timestamp().as_second()),
        "today" => now.date(),
        "yesterday" => now.date().yesterday().ok()?,
        _ => match weekday(&text, now).or_else(|| civil_date(&text)) {
            Some(day) => day,
            None => return age(&text, now),
        },
    };
    begin(day).map(|at| at.as_second())
}

fn weekday(text: &str, now: &Zoned) -> Option<civil::Date> {
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let short_of = |day: &str| day == text || (text.len() == 3 && day.starts_with(text));
    let wanted = DAYS.iter().position(|day| short_of(day))? as i8;
    let today = now.date().weekday().to_monday_zero_offset();
    let ago = match (today - wanted).rem_euclid(7) {
        0 => 7,
        ago => ago,
    };
    now.date().checked_sub(i32::from(ago).days()).ok()
}

fn civil_date(text: &str) -> Option<civil::Date> {
    let mut numbers = text.split(['-', '/', '.']);
    let year = numbers.next().filter(|year| year.len() == 4)?;
    let mut next = || match numbers.next() {
        None => Some(1),
        Some(number) if number.len() <= 2 => number.parse::<i8>().ok(),
        Some(_) => None,
    };
    let (year, month, day) = (year.parse().ok()?, next()?, next()?);
    match numbers.next() {
        None => civil::Date::new(year, month, day).ok(),
        Some(_) => None,
    }
}

fn age(text: &str, now: &Zoned) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let span = match unit {
        'h' => Span::new().try_hours(number),
        'd' => Span::new().try_days(number),
        'w' => Span::new().try_weeks(number),
        'm' => Span::new().try_months(number),
        'y' => Span::new().try_years(number),
        _ => return None,
    };
    let then = now.checked_sub(span.ok().filter(|_| 0 <= number)?).ok()?;
    Some(then.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_months_ages_and_names_of_days_are_understood() {
        let now: Zoned = "2026-11-29T12:00:00+01:00[Europe/Berlin]"
            .parse()
            .expect("a time");
        let is = |text: &str, expected: &str| {
            let expected: Zoned = expected.parse().expect("a time");
            assert_eq!(
                parse(text, &now),
                Some(expected.timestamp().as_second()),
                "{text}"
            );
        };
        is("2026-11-01", "2026-11-01T00:00[Europe/Berlin]");
        is("2026-11", "2026-11-01T00:00[Europe/Berlin]");
        is("2026", "2026-01-01T00:00[Europe/Berlin]");
        is("2026/3/9", "2026-03-09T00:00[Europe/Berlin]");
        is("today", "2026-11-29T00:00[Europe/Berlin]");
        is("Yesterday", "2026-11-28T00:00[Europe/Berlin]");
        is("3d", "2026-11-26T12:00[Europe/Berlin]");
        is("2w", "2026-11-15T12:00[Europe/Berlin]");
        is("6m", "2026-05-29T12:00[Europe/Berlin]");
        is("friday", "2026-11-27T00:00[Europe/Berlin]");
        is("sun", "2026-11-22T00:00[Europe/Berlin]");
        for wrong in ["", "2026-13-01", "soon", "d", "-3d", "3x", "1-2-3-4", "é"] {
            assert_eq!(parse(wrong, &now), None, "{wrong}");
        }
    }
}

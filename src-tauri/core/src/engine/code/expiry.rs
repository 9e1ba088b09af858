//! How long applied code can be taken back. The record of an undo keeps the files of before in the user's
//! git directory, so it goes after some time, unless it is the one that the next undo of its session takes.

use super::event::{Applied, Expired, is_record_of};
use crate::session::{Millis, SessionKey};
use session_roam_code::{Checkout, Git, Undo, expire, undos};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A record is kept for so many days, and while at most so many of its checkout are newer.
pub const DAYS: u64 = 30;
pub const NEWER: usize = 20;
pub const AGE: Duration = Duration::from_secs(DAYS * 24 * 3600);

/// Which of the applied code can no longer be taken back; never what was applied last for a session.
pub fn expired(all: &[Applied], now: Millis) -> Vec<Applied> {
    let mut latest: BTreeMap<&SessionKey, &Applied> = BTreeMap::new();
    for applied in all {
        let last = latest.entry(&applied.key).or_insert(applied);
        if last.at < applied.at {
            *last = applied;
        }
    }
    let age = i64::try_from(AGE.as_millis()).unwrap_or(i64::MAX);
    let is_expired = |applied: &&Applied| {
        let newer = all.iter();
        let newer = newer.filter(|it| it.root == applied.root && applied.at < it.at);
        let is_old = age < now.0.saturating_sub(applied.at.wall.0);
        !latest[&applied.key].is(applied) && (is_old || NEWER < newer.count())
    };
    all.iter().filter(is_expired).cloned().collect()
}

/// What the user is told where nothing older of a session can be taken back.
pub fn older_are_gone() -> String {
    format!(
        "Code that was taken over for this session before can no longer be undone: that is possible for {DAYS} \
         days, and for the last {NEWER} times in a checkout."
    )
}

/// Notes at what was applied next that nothing older of the session can be taken back.
pub fn note_gone(all: &mut Vec<Applied>, gone: &[Applied]) {
    all.retain(|known| !gone.iter().any(|it| it.is(known)));
    for it in gone {
        let later = all.iter_mut();
        let later = later.filter(|known| known.key == it.key && it.at < known.at);
        if let Some(next) = later.min_by_key(|known| known.at) {
            next.is_first_kept = true;
        }
    }
}

/// Removes the records of `expired`, and old ones that nobody knows: of sessions that were forgotten, or of
/// a state that was lost. `all` is all that can be taken back, `roots` where records may be.
pub fn remove(all: &[Applied], expired: Vec<Applied>, roots: Vec<PathBuf>) -> Expired {
    let mut done = Expired::default();
    let Ok(git) = Git::find() else {
        done.roots = roots;
        return done;
    };
    for root in roots {
        // A disk that is away has its records still.
        let n_left = left_in(&git, &root, all, &expired);
        if n_left.is_some() {
            let of_root = expired.iter().filter(|it| it.root == root);
            done.gone.extend(of_root.cloned());
        }
        if n_left != Some(0) {
            done.roots.push(root);
        }
    }
    done
}

/// Removes the records in one checkout; the number of those that stay, or `None` if it could not be done.
fn left_in(git: &Git, root: &Path, all: &[Applied], expired: &[Applied]) -> Option<usize> {
    let checkout = Checkout::open(git, root).ok()?;
    if checkout.root() != root {
        return None;
    }
    let is_among = |list: &[Applied], undo: &Undo| {
        let mut list = list.iter().filter(|it| it.root == root);
        list.any(|it| is_record_of(undo, it))
    };
    let is_expired = |undo: &Undo, age: Duration| match is_among(all, undo) {
        true => is_among(expired, undo),
        false => AGE < age,
    };
    expire(&checkout, &is_expired).ok()?;
    Some(undos(&checkout).ok()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::code::event::tests::applied;

    const DAY: i64 = 24 * 3600 * 1000;

    fn numbers(expired: &[Applied]) -> Vec<u64> {
        expired.iter().map(|it| it.number).collect()
    }

    #[test]
    fn what_was_applied_last_for_a_session_is_never_among_the_expired() {
        let all = [
            applied("one", "/a", 1, 0),
            applied("one", "/a", 2, 40 * DAY),
            applied("two", "/a", 3, 0),
            applied("two", "/b", 1, DAY),
        ];
        let now = |days: i64| Millis(days * DAY);
        assert_eq!(expired(&all, now(30)), []);
        assert_eq!(expired(&all, now(300)), [all[0].clone(), all[2].clone()]);
    }

    #[test]
    fn of_very_many_in_one_checkout_the_oldest_expire() {
        let mut all: Vec<Applied> = (1..=25)
            .map(|n| applied("one", "/a", n, n as i64))
            .collect();
        all.insert(0, applied("two", "/a", 99, 0));
        all.insert(0, applied("two", "/b", 98, -1));
        assert_eq!(numbers(&expired(&all, Millis(30))), [1, 2, 3, 4]);
    }

    #[test]
    fn the_oldest_that_stays_says_that_older_ones_are_gone() {
        let mut all: Vec<Applied> = (1..=4).map(|n| applied("one", "/a", n, n as i64)).collect();
        all.push(applied("two", "/a", 5, 5));
        let gone = [all[0].clone(), all[1].clone()];
        note_gone(&mut all, &gone);
        assert_eq!(numbers(&all), [3, 4, 5]);
        let marks: Vec<bool> = all.iter().map(|it| it.is_first_kept).collect();
        assert_eq!(marks, [true, false, false]);
    }
}

//! What a search for checkouts enters, and where it stops.

use super::*;

#[test]
fn folders_called_build_dist_or_worktrees_are_not_lost() {
    let mut desk = Desk::new();
    let mut wanted = Vec::new();
    for name in [
        "build",
        "dist",
        "worktrees",
        "target",
        "my-build/dist/x",
        "vendor",
        "code/build",
    ] {
        let url = format!("https://h.example/acme/{}", name.replace('/', "-"));
        desk.repository(&format!("all/{name}"), &url);
        wanted.push(identify(
            desk.home(),
            &device(),
            &desk.home().join("all").join(name),
        ));
    }
    assert_eq!(desk.search(&["~/all"], &wanted), wanted.len());
}

#[test]
fn what_a_search_found_and_what_was_learnt_meanwhile_are_both_kept() {
    let mut desk = Desk::new();
    let (api, shop) = (
        desk.repository("a/api", "https://h.example/acme/api"),
        desk.repository("b/shop", SHOP_URL),
    );
    let wanted = project("git:h.example/acme/api");
    let before = desk.places.clone();
    assert_eq!(desk.search(&["~/a"], std::slice::from_ref(&wanted)), 1);
    let found = std::mem::replace(&mut desk.places, before.clone());
    let learnt = desk.learn(&shop);
    let again = desk.repository("b/api", "https://h.example/acme/api");
    desk.learn(&again);
    desk.places.adopt(&before, &found);
    assert_eq!(desk.find(&learnt), Some(shop));
    let mut places = desk.places.of(&wanted.key);
    places.sort();
    assert_eq!(places, [api, again]);
    // A place that the search dropped is removed, unless it was seen meanwhile.
    let (before, all) = (desk.places.clone(), desk.places.clone());
    desk.places.adopt(
        &before,
        &Places {
            learnt: [("git:h.example/acme/api".into(), Vec::new())].into(),
            ..all
        },
    );
    assert_eq!(desk.places.of(&wanted.key), Vec::<PathBuf>::new());
}

#[test]
fn a_checkout_that_appears_changes_what_a_search_sees_first() {
    use crate::projects::outline;
    let desk = Desk::new();
    let roots = [PathBuf::from("~/code")];
    desk.repository("code/acme/api", "https://h.example/acme/api");
    let before = outline(desk.home(), &roots, &[]);
    std::fs::create_dir_all(desk.home().join("code/acme/api/src/new")).unwrap();
    std::fs::write(desk.home().join("code/acme/notes.md"), "").unwrap();
    assert_eq!(outline(desk.home(), &roots, &[]), before);
    desk.repository("code/acme/shop", SHOP_URL);
    assert_ne!(outline(desk.home(), &roots, &[]), before);
    let wanted = [project("git:h.example/acme/api")];
    let before = outline(desk.home(), &roots, &wanted);
    desk.repository("api", "https://h.example/acme/api");
    assert_ne!(outline(desk.home(), &roots, &wanted), before);
}

#[test]
fn a_search_has_bounds() {
    let mut desk = Desk::new();
    let far = [
        "a/b/c/d/e/too-deep",
        ".hidden/x",
        "node_modules/x",
        "repo/target/x/y",
    ];
    desk.repository("repo", "https://h.example/acme/repo");
    for at in far {
        desk.repository(at, "https://h.example/acme/api");
    }
    let wanted = project("git:h.example/acme/api");
    assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 0);
    desk.repository("a/b/c/d/e", "https://h.example/acme/api");
    assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 1);
}

/// A link to a checkout is as good as the checkout. What lies behind other links may be anybody's,
/// and a link inside of a checkout may come from whoever commits to it.
#[cfg(unix)]
#[test]
fn a_search_follows_a_link_to_a_checkout_and_no_other() {
    use std::os::unix::fs::symlink;
    let (mut desk, outside) = (Desk::new(), tempfile::tempdir().unwrap());
    let real = outside.path().canonicalize().unwrap().join("data/x");
    repository(&real, Some("https://h.example/acme/api"));
    let wanted = project("git:h.example/acme/api");
    desk.repository("code/other", "https://h.example/acme/other");
    symlink(&real, desk.home().join("code/other/linked")).unwrap();
    assert_eq!(desk.search(&["~/code"], std::slice::from_ref(&wanted)), 0);
    symlink(&real, desk.home().join("code/linked")).unwrap();
    assert_eq!(desk.search(&["~/code"], std::slice::from_ref(&wanted)), 1);
    assert_eq!(desk.find(&wanted), Some(real));
}

#[cfg(unix)]
#[test]
fn a_search_follows_no_links() {
    let (mut desk, outside) = (Desk::new(), tempfile::tempdir().unwrap());
    repository(
        &outside.path().join("api"),
        Some("https://h.example/acme/api"),
    );
    std::os::unix::fs::symlink(outside.path(), desk.home().join("link")).unwrap();
    std::os::unix::fs::symlink(desk.home(), desk.home().join("loop")).unwrap();
    assert_eq!(desk.search(&["~"], &[project("git:h.example/acme/api")]), 0);
}

//! Tests of the module above.

mod searching;

use super::super::checkout::testing::*;
use super::super::identify;
use super::*;

const SHOP_URL: &str = "https://h.example/acme/shop";

struct Desk {
    dir: tempfile::TempDir,
    places: Places,
}

impl Desk {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            places: Places::default(),
        }
    }
    fn home(&self) -> &Path {
        self.dir.path()
    }
    fn repository(&self, at: &str, origin: &str) -> PathBuf {
        repository(&self.home().join(at), Some(origin))
    }
    fn learn(&mut self, dir: &Path) -> Project {
        let project = identify(self.home(), &device(), dir);
        let lesson = self.places.lesson(
            &Identifier::default(),
            (self.home(), &device()),
            project.clone(),
            dir,
        );
        self.places.learn(&lesson);
        project
    }
    fn find(&self, project: &Project) -> Option<PathBuf> {
        self.places.find(self.home(), &device(), project)
    }
    fn search(&mut self, roots: &[&str], wanted: &[Project]) -> usize {
        let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
        let home = self.home().to_owned();
        self.places.search(&home, &device(), &roots, wanted)
    }
}

fn device() -> DeviceId {
    crate::session::device_id::device_id_of_cert(b"desk")
}

fn project(key: &str) -> Project {
    Project::new(ProjectKey::new(key))
}

/// Where capitals make two directories, both were the author's, and the first one got everything.
#[cfg(target_os = "linux")]
#[test]
fn of_two_clones_that_differ_in_capitals_the_authors_name_is_taken() {
    let mut desk = Desk::new();
    let clones = ["Api", "api"]
        .map(|name| desk.repository(&format!("work/{name}"), "git@github.com:acme/api.git"));
    for clone in &clones {
        desk.learn(clone);
    }
    let at = |at: &str| Project {
        at: Some(at.into()),
        ..project("git:github.com/acme/api")
    };
    for (name, clone) in ["Api", "api"].into_iter().zip(&clones) {
        for above in ["work", "code"] {
            let wanted = at(&format!("{above}/{name}"));
            assert_eq!(desk.find(&wanted).as_ref(), Some(clone), "{above}/{name}");
        }
    }
    assert!(desk.find(&at("work/API")).is_some(), "either");
}

#[test]
fn a_session_of_another_device_finds_the_checkout_here() {
    let mut desk = Desk::new();
    let api = desk.repository("work/api", "git@github.com:acme/api.git");
    std::fs::create_dir(api.join("web")).unwrap();
    desk.learn(&api);
    assert_eq!(
        desk.find(&project("git:github.com/acme/api")),
        Some(api.clone())
    );
    assert_eq!(
        desk.find(&project("git:github.com/acme/api#web")),
        Some(api.join("web"))
    );
    assert_eq!(
        desk.find(&project("git:github.com/acme/api#ios")),
        Some(api.clone()),
        "as near as there is"
    );
    assert_eq!(desk.find(&project("git:github.com/acme-api/x")), None);
    let saved = serde_json::to_string(&desk.places).unwrap();
    assert_eq!(serde_json::from_str::<Places>(&saved).unwrap(), desk.places);
}

#[test]
fn similar_names_are_different_projects() {
    let mut desk = Desk::new();
    let one = desk.repository("one", "git@h.example:a/b-c.git");
    let two = desk.repository("two", "git@h.example:a-b/c.git");
    desk.learn(&one);
    desk.learn(&two);
    assert_eq!(desk.find(&project("git:h.example/a/b-c")), Some(one));
    assert_eq!(desk.find(&project("git:h.example/a-b/c")), Some(two));
}

#[test]
fn a_place_that_became_another_project_is_not_given_out() {
    let mut desk = Desk::new();
    let api = desk.repository("api", "https://h.example/acme/api");
    let was = desk.learn(&api);
    git(
        &api,
        &[
            "remote",
            "set-url",
            "origin",
            "https://h.example/acme/other",
        ],
    );
    assert_eq!(desk.find(&was), None);
    std::fs::remove_dir_all(api.join(".git")).unwrap();
    assert_eq!(desk.find(&was), None);
}

#[test]
fn of_several_places_the_choice_is_always_the_same() {
    let mut desk = Desk::new();
    let url = "https://h.example/acme/api";
    let long = desk.repository("code/acme/api", url);
    commit(&long, "first");
    let short = desk.repository("api", url);
    git(&long, &["worktree", "add", "-q", "../../../t"]);
    let tree = desk.home().join("t");
    let key = project("git:h.example/acme/api");
    desk.learn(&tree);
    assert_eq!(
        desk.find(&key),
        Some(tree.clone()),
        "a worktree, if there is nothing else"
    );
    desk.learn(&short);
    desk.learn(&long);
    desk.learn(&tree);
    assert_eq!(
        desk.find(&key),
        Some(long.clone()),
        "the main work tree a session was seen in last"
    );
    assert_eq!(
        desk.places.of(&key.key),
        [long, short.clone(), tree.clone()]
    );
    desk.learn(&short);
    assert_eq!(desk.find(&key), Some(short.clone()));
    let before = desk.places.clone();
    desk.learn(&short);
    assert_eq!(desk.places, before, "nothing new, nothing to save");
    desk.places.map(&key.key, tree.clone());
    assert_eq!(
        desk.find(&key),
        Some(tree),
        "what the user said comes first"
    );
    desk.places.unmap(&key.key);
    assert_eq!(desk.find(&key), Some(short));

    let mut searched = Desk::new();
    for at in ["code/b", "code/a", "code/long"] {
        searched.repository(at, url);
    }
    assert_eq!(searched.search(&["~/code"], std::slice::from_ref(&key)), 1);
    assert_eq!(searched.find(&key), Some(searched.home().join("code/a")));
}

/// Field 03: repositories made from one starter share their oldest commit.
#[test]
fn an_oldest_commit_recognises_nothing_that_has_another_remote() {
    let mut desk = Desk::new();
    let blog = desk.repository("blog", "https://h.example/acme/blog");
    let root = commit(&blog, "first");
    desk.learn(&blog);
    let shop = Project {
        root_commit: Some(root.clone()),
        ..project("git:h.example/acme/shop")
    };
    for wanted in [shop.clone(), project(&format!("root:{root}"))] {
        assert_eq!(desk.find(&wanted), None);
        assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 0);
        assert!(
            desk.places
                .is_misplaced(desk.home(), &device(), &wanted, &blog)
        );
    }
    git(&blog, &["remote", "remove", "origin"]);
    let mut searched = Desk {
        places: Places::default(),
        ..desk
    };
    assert_eq!(searched.search(&["~"], std::slice::from_ref(&shop)), 1);
    assert_eq!(
        searched.find(&shop),
        Some(blog.clone()),
        "nothing contradicts"
    );
    let own = searched.repository("shop", "https://h.example/acme/shop");
    searched.learn(&own);
    assert_eq!(searched.find(&shop), Some(own.clone()), "a remote is surer");
    let leaves = |dir: &Path| {
        searched
            .places
            .is_misplaced(searched.home(), &device(), &shop, dir)
    };
    assert_eq!((leaves(&blog), leaves(&own)), (true, false));
}

/// Field 03 with remotes that mean another thing on each device: they have no key, and counted as none.
#[test]
fn an_oldest_commit_recognises_nothing_whose_path_is_of_another_repository() {
    for url in [
        "/srv/git/blog.git",
        "file:///srv/git/blog.git",
        "http://localhost:3000/acme/blog",
        "gcrypt::git@h.example:acme/blog",
    ] {
        let mut desk = Desk::new();
        let blog = desk.repository("blog", url);
        let root = commit(&blog, "first");
        let learnt = desk.learn(&blog);
        assert_eq!(learnt.local_remote.as_deref(), Some("blog"), "{url}");
        let by_root = || project(&format!("root:{root}"));
        for wanted in [
            Project {
                local_remote: Some("shop".into()),
                ..by_root()
            },
            Project {
                at: Some("code/shop".into()),
                ..by_root()
            },
            by_root(),
            Project {
                root_commit: Some(root.clone()),
                ..project("git:h.example/acme/shop")
            },
        ] {
            let places = &desk.places;
            let found = places.find_for_other(desk.home(), &device(), &wanted);
            assert_eq!(found.ok(), None, "{url}: {wanted:?}");
            assert!(
                places.is_misplaced(desk.home(), &device(), &wanted, &blog),
                "{url}: {wanted:?}"
            );
        }
        let plain = project("home:blog");
        let found = desk.places.find_for_other(desk.home(), &device(), &plain);
        assert_eq!(found.ok(), None, "{url}: its author has no repository");
        let same = Project {
            local_remote: Some("blog".into()),
            ..by_root()
        };
        assert_eq!(desk.find(&same), Some(blog), "{url}");
    }
}

#[test]
fn a_fork_and_what_it_was_forked_from_are_one_where_their_author_has_both_remotes() {
    let mut desk = Desk::new();
    let api = desk.repository("api", "https://h.example/acme/api");
    desk.learn(&api);
    let both = ["h.example/me/api", "h.example/acme/api"]
        .map(str::to_owned)
        .to_vec();
    let fork = Project {
        remotes: both,
        ..project("git:h.example/me/api")
    };
    assert_eq!(desk.find(&fork), Some(api.clone()));
    // Another fork of the same repository does not count.
    git(
        &api,
        &["remote", "set-url", "origin", "https://h.example/other/api"],
    );
    git(
        &api,
        &["remote", "add", "upstream", "https://h.example/acme/api"],
    );
    assert_eq!(desk.find(&fork), None);
}

/// Field 03 again: what was made from a starter keeps it as a second remote.
#[test]
fn a_starter_and_its_children_are_never_one() {
    let mut desk = Desk::new();
    let upstream = |dir: &Path| {
        git(
            dir,
            &[
                "remote",
                "add",
                "upstream",
                "https://h.example/acme/starter",
            ],
        );
    };
    let starter = desk.repository("starter", "https://h.example/acme/starter");
    desk.learn(&starter);
    let shop = Project {
        remotes: ["h.example/acme/shop", "h.example/acme/starter"]
            .map(str::to_owned)
            .to_vec(),
        ..project("git:h.example/acme/shop")
    };
    assert_eq!(desk.find(&shop), None);
    std::fs::remove_dir_all(&starter).unwrap();
    let blog = desk.repository("code/starter", "https://h.example/acme/blog");
    upstream(&blog);
    desk.learn(&blog);
    let wanted = Project {
        at: Some("code/starter".into()),
        ..project("git:h.example/acme/starter")
    };
    assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 0);
    assert_eq!(desk.find(&wanted), None);
    // With its own checkout, whatever name that has.
    let own = desk.repository("x", "https://h.example/acme/starter");
    assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 1);
    assert_eq!(desk.find(&wanted), Some(own.clone()));
    let leaves = |dir: &Path| {
        desk.places
            .is_misplaced(desk.home(), &device(), &wanted, dir)
    };
    assert_eq!((leaves(&blog), leaves(&own)), (true, false));
}

/// The author renamed the remote, and the session left the store of every other device.
#[test]
fn a_former_remote_finds_the_repository_until_there_is_one_of_the_new_name() {
    let mut desk = Desk::new();
    let shop = desk.repository("code/shop", SHOP_URL);
    desk.learn(&shop);
    let renamed = |at: &str, remotes: &[&str]| Project {
        remotes: remotes.iter().map(|remote| (*remote).to_owned()).collect(),
        formerly: vec!["h.example/old/shop".into(), "h.example/acme/shop".into()],
        at: Some(at.into()),
        ..project("git:h.example/new/store")
    };
    let kept = ["h.example/new/store", "h.example/acme/shop"];
    let rows = [
        ("work/x", &[][..], true),
        // A fork under a new name, and what was made from a starter.
        ("work/shop", &kept[..], true),
        ("work/store", &kept[..], false),
    ];
    for (at, remotes, is_it) in rows {
        let wanted = renamed(at, remotes);
        assert_eq!(desk.find(&wanted), is_it.then(|| shop.clone()), "{at}");
        let places = &desk.places;
        let leaves = places.is_misplaced(desk.home(), &device(), &wanted, &shop);
        assert_eq!(leaves, !is_it, "{at}");
    }
    // What the user said of the former name still holds, if that is no other repository's now.
    let former = ProjectKey::new("git:h.example/acme/shop");
    let mapped = desk.home().join("mapped");
    std::fs::create_dir(&mapped).unwrap();
    desk.places.map(&former, mapped.clone());
    assert_eq!(desk.find(&renamed("work/x", &[])), Some(mapped));
    assert_eq!(desk.find(&renamed("work/store", &kept)), None);
    desk.places.unmap(&former);
    let wanted = renamed("work/shop", &kept);
    git(
        &shop,
        &["remote", "set-url", "origin", "https://h.example/acme/blog"],
    );
    assert_eq!(desk.find(&wanted), None, "another repository");
    git(&shop, &["remote", "set-url", "origin", SHOP_URL]);
    let store = desk.repository("code/store", "https://h.example/new/store");
    desk.learn(&store);
    assert_eq!(desk.find(&wanted), Some(store));
    let places = &desk.places;
    assert!(places.is_misplaced(desk.home(), &device(), &wanted, &shop));
}

/// A changed remote was never learnt on a file system without creation times.
#[test]
fn without_creation_times_the_oldest_commit_shows_that_a_remote_was_changed() {
    let mut desk = Desk::new();
    let api = desk.repository("api", SHOP_URL);
    commit(&api, "first");
    let key = desk.learn(&api).key;
    for place in desk.places.learnt.get_mut(key.as_str()).expect("learnt") {
        place.born = None;
    }
    let renamed = "https://h.example/acme/store";
    git(&api, &["remote", "set-url", "origin", renamed]);
    assert!(desk.places.was(key.as_str(), &api));
    std::fs::remove_dir_all(&api).unwrap();
    let api = desk.repository("api", renamed);
    commit(&api, "of another repository in the same place");
    assert!(!desk.places.was(key.as_str(), &api));
}

/// A device to which a store was copied knows only the path that its sessions name.
#[test]
fn a_path_of_another_device_takes_no_session_out_of_a_repository() {
    let mut desk = Desk::new();
    let api = desk.repository("code/api", "git@h.example:acme/api.git");
    desk.learn(&api);
    let leaves = |key: &str| {
        let places = &desk.places;
        places.is_misplaced(desk.home(), &device(), &project(key), &api)
    };
    assert!(!leaves("device:OTHER:/home/ada/code/api"));
    assert!(!leaves("home:code/api"));
    assert!(leaves("git:h.example/acme/blog"), "a repository's key does");
}

/// The user's settings lie around everything.
#[test]
fn a_home_that_is_a_repository_contradicts_no_path_below_it() {
    let mut desk = Desk::new();
    repository(desk.home(), Some("https://h.example/me/dotfiles"));
    let dir = desk.home().join("ideas/x");
    std::fs::create_dir_all(&dir).unwrap();
    let wanted = desk.learn(&dir);
    assert_eq!(wanted.key.as_str(), "home:ideas/x");
    let found = desk.places.find_for_other(desk.home(), &device(), &wanted);
    assert_eq!(found, Ok(dir.clone()));
    let places = &desk.places;
    assert!(!places.is_misplaced(desk.home(), &device(), &wanted, &dir));
}

/// What a search found as a starter's made an exclusion of the starter one of all its children, and
/// the child a successor of the starter that had lain in the same place.
#[test]
fn what_a_repository_was_made_from_is_no_other_name_of_it() {
    let mut desk = Desk::new();
    let starter = project("git:h.example/acme/starter");
    let dir = desk.repository("x", "https://h.example/acme/starter");
    desk.learn(&dir);
    std::fs::rename(&dir, desk.home().join("away")).unwrap();
    std::fs::remove_dir_all(desk.home().join("away")).unwrap();
    let shop = desk.repository("x", SHOP_URL);
    let upstream = "https://h.example/acme/starter";
    git(&shop, &["remote", "add", "upstream", upstream]);
    let fork = desk.repository("fork", "https://h.example/me/starter");
    git(&fork, &["remote", "add", "upstream", upstream]);
    desk.search(&["~"], &[project("git:h.example/acme/none")]);
    desk.learn(&shop);
    let known = |dir: &Path| {
        let keys = desk
            .places
            .known_as(&checkout::read_checkout(dir).unwrap(), "");
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    if checkout::read_checkout(&shop).unwrap().born.is_some() {
        assert_eq!(known(&shop), ["git:h.example/acme/shop"]);
        assert!(!desk.places.was(starter.key.as_str(), &shop));
        assert_eq!(
            desk.places
                .other_names(&project("git:h.example/acme/shop").key),
            []
        );
    }
    let both = ["git:h.example/acme/starter", "git:h.example/me/starter"];
    assert_eq!(known(&fork), both);
    assert_eq!(
        desk.places.other_names(&starter.key),
        [ProjectKey::new("git:h.example/me/starter")]
    );
    // In a checkout of the starter itself it was the starter's.
    git(
        &fork,
        &["remote", "set-url", "origin", "https://h.example/acme/blog"],
    );
    assert_eq!(known(&fork), both);
}

/// A fork's checkout is taken until there is one of the repository itself.
#[test]
fn a_first_remote_is_surer_than_a_second_one() {
    let mut desk = Desk::new();
    let fork = desk.repository("code/api", "https://h.example/me/api");
    git(
        &fork,
        &["remote", "add", "upstream", "https://h.example/acme/api"],
    );
    let wanted = Project {
        at: Some("code/api".into()),
        ..project("git:h.example/acme/api")
    };
    assert_eq!(desk.search(&["~/code"], std::slice::from_ref(&wanted)), 1);
    assert_eq!(desk.find(&wanted), Some(fork.clone()));
    let own = desk.repository("code/other", "https://h.example/acme/api");
    desk.learn(&own);
    assert_eq!(desk.find(&wanted), Some(own));
    assert!(
        desk.places
            .is_misplaced(desk.home(), &device(), &wanted, &fork)
    );
}

#[test]
fn changed_remotes_make_a_project_outdated_until_its_sessions_were_read_again() {
    let mut desk = Desk::new();
    let api = desk.repository("api", "https://h.example/acme/api");
    let wanted = desk.learn(&api);
    let outdated = |desk: &Desk| desk.places.outdated(desk.home()).contains(&wanted.key);
    assert!(!outdated(&desk));
    git(&api, &["remote", "add", "fork", "https://h.example/me/api"]);
    assert!(outdated(&desk));
    // Of itself, a search reads no session.
    desk.search(&["~"], &[project("git:h.example/acme/none")]);
    assert!(outdated(&desk));
    desk.learn(&api);
    assert!(!outdated(&desk));
}

/// The repository was there, and its sessions waited for somebody to clone it.
#[test]
fn a_checkout_is_found_where_its_author_has_it_and_where_people_keep_a_single_one() {
    let wanted = |at: &str| Project {
        at: Some(at.into()),
        ..project("git:h.example/acme/api")
    };
    let url = "https://h.example/acme/api";
    for (here, at) in [
        ("api", "code/api"),
        ("Projects/api", "code/api"),
        ("Documents/my-api", "x/my-api"),
        ("go/src/h.example/acme/api", "code/api"),
        (".dotfiles", ".dotfiles"),
        (".config/nvim", ".config/nvim"),
        (
            "deep/down/in/some/where/far/api",
            "deep/down/in/some/where/far/api",
        ),
    ] {
        let mut desk = Desk::new();
        let dir = desk.repository(here, url);
        let wanted = wanted(at);
        assert_eq!(desk.search(&[], std::slice::from_ref(&wanted)), 1, "{here}");
        assert_eq!(desk.find(&wanted), Some(dir), "{here}");
    }
    let outside = tempfile::tempdir().unwrap();
    let dir = repository(&outside.path().join("api"), Some(url));
    let mut desk = Desk::new();
    let away = wanted(&paths::portable(Style::HERE, &dir.to_string_lossy()));
    assert_eq!(desk.search(&[], std::slice::from_ref(&away)), 1);
    // Another device's word is not enough: the first remote has to be the project's.
    for (here, url) in [
        ("api", "https://h.example/acme/other"),
        (".dotfiles", "https://h.example/me/dotfiles"),
    ] {
        let mut desk = Desk::new();
        let dir = desk.repository(here, url);
        git(
            &dir,
            &["remote", "add", "second", "https://h.example/acme/api"],
        );
        let wanted = wanted(here);
        assert_eq!(desk.search(&[], std::slice::from_ref(&wanted)), 0, "{here}");
        assert_eq!(desk.find(&wanted), None, "{here}");
    }
    let desk = Desk::new();
    desk.repository("code/api", url);
    for at in [
        "../code/api",
        "code/../code/api",
        "",
        "//h.example/share/api",
        "/net/h/api",
    ] {
        let asked = crate::projects::likely::likely(&desk.home().join("x"), &wanted(at));
        let is_odd =
            |dir: &PathBuf| dir.starts_with("/net") || dir.to_string_lossy().contains("..");
        assert!(!asked.iter().any(is_odd), "{at}: {asked:?}");
        assert!(
            !asked.contains(&PathBuf::from("//h.example/share/api")),
            "{at}"
        );
    }
}

#[test]
fn worktrees_and_submodules_are_found_wherever_their_repository_names_them() {
    let mut desk = Desk::new();
    let library = desk.repository("library", "https://h.example/acme/library");
    commit(&library, "library");
    let api = desk.repository("code/api", "https://h.example/acme/api");
    commit(&api, "first");
    let add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q"];
    let from = library.to_string_lossy().into_owned();
    git(
        &api,
        &[&add[..], &[from.as_str(), "src/third/vendor/lib"]].concat(),
    );
    let lib = api.join("src/third/vendor/lib");
    let url = "https://h.example/acme/library";
    git(&lib, &["remote", "set-url", "origin", url]);
    for tree in ["../../trees/far/away/from/it/fix", "../../.cache/hidden"] {
        git(&api, &["worktree", "add", "-q", tree]);
    }
    std::fs::remove_dir_all(&library).unwrap();
    let wanted = project("git:h.example/acme/library");
    assert_eq!(desk.search(&["~/code"], std::slice::from_ref(&wanted)), 1);
    assert_eq!(desk.find(&wanted), Some(lib));
    let trees = desk.places.work_trees();
    assert!(
        trees.contains(&desk.home().join("trees/far/away/from/it/fix")),
        "{trees:?}"
    );
    assert!(
        !trees.contains(&desk.home().join(".cache/hidden")),
        "{trees:?}"
    );
}

#[test]
fn of_several_places_that_one_counts_which_is_most_like_its_authors() {
    let mut desk = Desk::new();
    let url = "https://h.example/acme/api";
    let [work, play, other] = ["work/api", "play/api", "api-2"].map(|at| desk.repository(at, url));
    commit(&other, "first");
    git(
        &other,
        &["worktree", "add", "-q", "-b", "fix", "../api-fix"],
    );
    let (fix, home) = (desk.home().join("api-fix"), desk.home().to_owned());
    for dir in [&work, &fix, &other, &play] {
        desk.learn(dir);
    }
    let from = |at: &str, branch: Option<&str>| {
        let (at, branch) = (Some(at.to_owned()), branch.map(str::to_owned));
        let found = desk.find(&Project {
            at,
            branch,
            ..project("git:h.example/acme/api")
        });
        found.and_then(|dir| {
            Some(
                dir.strip_prefix(&home)
                    .ok()?
                    .to_string_lossy()
                    .replace('\\', "/"),
            )
        })
    };
    for (at, branch, wanted) in [
        ("work/api", None, "work/api"),
        ("play/api", None, "play/api"),
        ("src/play/api", None, "play/api"),
        ("C:/Users/x/work/api", Some("fix"), "work/api"),
        ("api-fix", None, "api-fix"),
        ("elsewhere", Some("fix"), "api-fix"),
        ("elsewhere", None, "play/api"),
    ] {
        assert_eq!(from(at, branch).as_deref(), Some(wanted), "{at} {branch:?}");
    }
}

/// A session that was made in `acme/api.git` itself waited on other devices for a directory of that
/// name.
#[test]
fn a_bare_repository_is_its_remotes_project_and_no_place() {
    let mut desk = Desk::new();
    let source = desk.repository("source", "git@github.com:acme/api.git");
    commit(&source, "first");
    let bare = desk.home().join("work/api.git");
    git(
        desk.home(),
        &[
            "clone",
            "-q",
            "--bare",
            &source.to_string_lossy(),
            &bare.to_string_lossy(),
        ],
    );
    let url = "git@github.com:acme/other.git";
    git(&bare, &["remote", "set-url", "origin", url]);
    let key = |desk: &Desk, dir: &Path| identify(desk.home(), &device(), dir).key.to_string();
    assert_eq!(key(&desk, &bare), "git:github.com/acme/other");
    let tree = bare.join("main");
    let made = ["worktree", "add", "-q", &tree.to_string_lossy(), "main"];
    git(&bare, &made);
    assert_eq!(key(&desk, &tree), "git:github.com/acme/other");
    desk.learn(&bare);
    desk.learn(&tree);
    let other = project("git:github.com/acme/other");
    assert_eq!(desk.find(&other), Some(tree));
    // The inside of a work tree's own repository is part of that work tree, and so is whatever in it
    // has the form of a repository.
    let inside = source.join("fixtures/repo.git");
    let copied = [
        "clone",
        "-q",
        "--bare",
        &bare.to_string_lossy(),
        &inside.to_string_lossy(),
    ];
    git(desk.home(), &copied);
    for dir in [source.join(".git"), inside] {
        let key = key(&desk, &dir);
        assert!(key.starts_with("git:github.com/acme/api"), "{key}");
    }
}

#[test]
fn the_container_of_a_bare_repository_is_no_place() {
    let mut desk = Desk::new();
    let container = desk.home().join("api");
    let source = desk.repository("source", "https://h.example/acme/api");
    commit(&source, "first");
    std::fs::create_dir(&container).unwrap();
    git(
        &container,
        &["clone", "-q", "--bare", &source.to_string_lossy(), ".bare"],
    );
    std::fs::write(container.join(".git"), "gitdir: ./.bare\n").unwrap();
    git(
        &container,
        &["remote", "set-url", "origin", "https://h.example/acme/api"],
    );
    git(&container, &["worktree", "add", "-q", "work"]);
    std::fs::remove_dir_all(&source).unwrap();
    let wanted = project("git:h.example/acme/api");
    assert_eq!(
        desk.learn(&container).key,
        wanted.key,
        "a session may begin there all the same"
    );
    assert_eq!(desk.find(&wanted), None);
    assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 1);
    assert_eq!(desk.find(&wanted), Some(container.join("work")));
}

/// A sibling of field 03: another repository lies in the project's directory.
#[test]
fn a_repository_inside_another_one_is_not_entered() {
    let mut desk = Desk::new();
    let api = desk.repository("api", "https://h.example/acme/api");
    desk.repository("api/vendor/lib", "https://h.example/acme/lib");
    desk.learn(&api);
    assert_eq!(
        desk.find(&project("git:h.example/acme/api#vendor/lib/src")),
        Some(api.join("vendor"))
    );
}

#[test]
fn a_second_remote_is_enough_to_be_recognised() {
    let mut desk = Desk::new();
    let fork = desk.repository("api", "https://h.example/me/api");
    git(
        &fork,
        &["remote", "add", "upstream", "https://h.example/acme/api"],
    );
    let wanted = project("git:h.example/acme/api");
    assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 1);
    assert_eq!(desk.find(&wanted), Some(fork));
}

#[test]
fn a_project_without_remote_is_found_by_its_oldest_commit() {
    let mut desk = Desk::new();
    let repo = repository(&desk.home().join("x/notes"), None);
    let root = commit(&repo, "first");
    let wanted = project(&format!("root:{root}"));
    assert_eq!(desk.search(&["~"], std::slice::from_ref(&wanted)), 1);
    assert_eq!(desk.find(&wanted), Some(repo));
}

#[test]
fn a_renamed_or_moved_checkout_is_found_again() {
    let mut desk = Desk::new();
    let api = desk.repository("code/api", "https://h.example/acme/api");
    let wanted = desk.learn(&api);
    let renamed = desk.home().join("code/api-2026");
    std::fs::rename(&api, &renamed).unwrap();
    assert_eq!(desk.find(&wanted), None);
    assert_eq!(desk.search(&[], std::slice::from_ref(&wanted)), 1);
    assert_eq!(desk.find(&wanted), Some(renamed.clone()));
    let moved = desk.home().join("code/acme/api");
    std::fs::create_dir(desk.home().join("code/acme")).unwrap();
    std::fs::rename(&renamed, &moved).unwrap();
    assert_eq!(desk.search(&[], std::slice::from_ref(&wanted)), 1);
    assert_eq!(desk.find(&wanted), Some(moved));
    assert_eq!(
        desk.search(&[], std::slice::from_ref(&wanted)),
        0,
        "nothing is missing any more"
    );
}

#[test]
fn paths_below_home_are_there_if_they_exist_and_never_outside() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.home().join("notes/ideas")).unwrap();
    assert_eq!(
        desk.find(&project("home:notes/ideas")),
        Some(desk.home().join("notes/ideas"))
    );
    assert_eq!(desk.find(&project("home:")), Some(desk.home().to_owned()));
    for key in [
        "home:none",
        "home:../..",
        "home:/",
        "home:notes/../..",
        "git:x/..#..",
        "nonsense",
    ] {
        assert_eq!(desk.find(&project(key)), None, "{key}");
    }
    let here = identify(Path::new("/nobody"), &device(), desk.home());
    assert_eq!(desk.find(&here), Some(desk.home().to_owned()));
    let elsewhere = project(
        &here
            .key
            .as_str()
            .replace(&device().short(), "AAAAAAAAAAAAAA"),
    );
    assert_eq!(desk.find(&elsewhere), None);
}

#[test]
fn a_mapped_repository_maps_the_directories_inside() {
    let mut desk = Desk::new();
    let dir = desk.home().join("anywhere");
    std::fs::create_dir_all(dir.join("web")).unwrap();
    desk.places
        .map(&ProjectKey::new("git:h.example/acme/api"), dir.clone());
    assert_eq!(
        desk.find(&project("git:h.example/acme/api#web")),
        Some(dir.join("web"))
    );
    assert_eq!(desk.find(&project("git:h.example/acme/api#../x")), None);
}

/// F8: a peer's key named any directory below home, and any directory of the device that read it.
#[test]
fn another_devices_key_finds_what_is_known_and_nothing_else() {
    let mut desk = Desk::new();
    let api = desk.repository("code/api", "https://h.example/acme/api");
    for dir in [
        ".ssh",
        "private",
        "notes",
        "code/api/web",
        "code/api/.git/hooks",
        "code/api/.cache",
        "mapped",
    ] {
        std::fs::create_dir_all(desk.home().join(dir)).unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("/", api.join("root")).unwrap();
    desk.learn(&api);
    let plain = repository(&desk.home().join("plain"), None);
    commit(&plain, "first");
    std::fs::create_dir(plain.join("web")).unwrap();
    desk.learn(&plain);
    let lesson = {
        let dir = desk.home().join("notes");
        desk.places.lesson(
            &Identifier::default(),
            (desk.home(), &device()),
            project("home:notes"),
            &dir,
        )
    };
    desk.places.learn(&lesson);
    desk.places
        .map(&ProjectKey::new("home:mapped"), desk.home().join("mapped"));
    let find = |key: &str| {
        desk.places
            .find_for_other(desk.home(), &device(), &project(key))
    };
    let here = |at: &str| Ok(desk.home().join(at));
    let found = [
        ("home:notes", "notes"),
        ("home:mapped", "mapped"),
        ("home:plain", "plain"),
        ("home:plain/web", "plain/web"),
        ("git:h.example/acme/api", "code/api"),
        ("git:h.example/acme/api#web", "code/api/web"),
    ];
    for (key, at) in found {
        assert_eq!(find(key), here(at), "{key}");
    }
    let own = device().short();
    let refused = [
        "home:.ssh",
        "home:private",
        "home:code",
        "home:code/api",
        "home:code/api/.git",
        "home:code/api/.cache",
        "home:../x",
    ];
    for key in refused.map(str::to_owned).into_iter().chain([
        format!("device:{own}:/etc"),
        format!("device:{own}:"),
        "git:h.example/acme/api#.git/hooks".into(),
    ]) {
        assert_eq!(find(&key), Err(NoPlace::Refused), "{key}");
    }
    for key in [
        "home:none",
        "device:AAAAAAAAAAAAAA:/etc",
        "git:h.example/acme/none",
        "nonsense",
    ] {
        assert_eq!(find(key), Err(NoPlace::Missing), "{key}");
    }
    #[cfg(unix)]
    assert_eq!(
        find("git:h.example/acme/api#root/etc"),
        Err(NoPlace::Refused)
    );
}

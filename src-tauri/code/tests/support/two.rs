//! Two checkouts of one repository, and a state that goes from the first to the second.

use super::{Repo, assert_same, contents, everything, store};
use session_roam_code::{
    Comparison, Have, Limits, ObjectId, PackLimits, Packed, Plan, Reason, Received, Snapshot, Undo,
    apply, compare, pack, receive, record, undo,
};
use tempfile::TempDir;

pub const MOST: u64 = 1 << 30;

/// Two checkouts of one repository, each with a store.
pub struct Two {
    pub dir: TempDir,
    pub a: Repo,
    pub b: Repo,
}

impl Two {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let a = Repo::with_files(dir.path().join("a"), files);
        let b = a.cloned(dir.path().join("b"));
        Self { dir, a, b }
    }

    /// The same in directories of another name.
    pub fn in_places(a: impl AsRef<std::path::Path>, b: impl AsRef<std::path::Path>) -> Self {
        let Self { dir, .. } = Self::new(&[("a.txt", "one\n"), (".gitignore", "*.log\n")]);
        let moved = |name: &str, place: &std::path::Path| {
            let root = dir.path().join(place);
            std::fs::create_dir_all(root.parent().expect("a parent")).expect("makes");
            std::fs::rename(dir.path().join(name), &root).expect("renames");
            Repo { root }
        };
        let (a, b) = (moved("a", a.as_ref()), moved("b", b.as_ref()));
        Self { dir, a, b }
    }

    pub fn record(&self) -> Snapshot {
        let before = everything(&self.a.root);
        let store = store(self.dir.path(), "store-a");
        let snapshot = record(&self.a.checkout(), &store, &Limits::default()).expect("records");
        assert_same(
            &before,
            &everything(&self.a.root),
            "recording changed something",
        );
        snapshot
    }

    pub fn pack(&self, snapshot: &Snapshot, have: &Have) -> Packed {
        let before = everything(&self.a.root);
        let store = store(self.dir.path(), "store-a");
        let packed = pack(&self.a.checkout(), &store, &snapshot.id, have, MOST).expect("packs");
        assert_same(
            &before,
            &everything(&self.a.root),
            "packing changed something",
        );
        packed
    }

    pub fn receive(&self, packed: &Packed) -> Received {
        let before = everything(&self.b.root);
        let store = store(self.dir.path(), "store-b");
        let (checkout, limits) = (self.b.checkout(), PackLimits::default());
        let received = receive(&checkout, &store, &packed.manifest, packed.path(), &limits);
        let received = received.expect("is verified");
        assert_same(
            &before,
            &everything(&self.b.root),
            "receiving changed something",
        );
        received
    }

    pub fn compare(&self, snapshot: &ObjectId, known: &[ObjectId]) -> Comparison {
        let before = everything(&self.b.root);
        let store = store(self.dir.path(), "store-b");
        let limits = Limits::default();
        let found =
            compare(&self.b.checkout(), &store, snapshot, known, &limits).expect("compares");
        assert_same(
            &before,
            &everything(&self.b.root),
            "comparing changed something",
        );
        found
    }

    pub fn apply(&self, comparison: &Comparison) -> Undo {
        let store = store(self.dir.path(), "store-b");
        let done = apply(&self.b.checkout(), &store, comparison, &Limits::default());
        done.expect("applies").expect("something to do")
    }

    pub fn undo(&self, what: &Undo) {
        let store = store(self.dir.path(), "store-b");
        undo(&self.b.checkout(), &store, what, &Limits::default()).expect("undoes");
    }

    pub fn have_head(&self) -> Have {
        Have {
            commits: vec![ObjectId::parse(&self.b.head()).expect("an id")],
            snapshots: Vec::new(),
        }
    }

    /// Brings a snapshot of A to B, which has these commits.
    pub fn bring(&self, snapshot: &Snapshot, commits: Vec<ObjectId>) {
        let snapshots = Vec::new();
        let packed = self.pack(snapshot, &Have { commits, snapshots });
        assert!(matches!(self.receive(&packed), Received::Verified(_)));
    }

    /// The same, and applies it in place.
    pub fn bring_in_place(&self, snapshot: &Snapshot, commits: Vec<ObjectId>) {
        self.bring(snapshot, commits);
        let comparison = self.compare(&snapshot.id, &[]);
        assert_eq!(comparison.plan, Plan::InPlace);
        self.apply(&comparison);
    }

    /// Records on A, brings it to B, compares there.
    pub fn carry(&self) -> (Snapshot, Comparison) {
        let snapshot = self.record();
        self.bring(&snapshot, self.have_head().commits);
        let comparison = self.compare(&snapshot.id, &[]);
        (snapshot, comparison)
    }

    /// The way back: the two checkouts, with their stores, in each other's role.
    pub fn turned_round(self) -> Self {
        let store = |name: &str| self.dir.path().join(name);
        for (from, to) in [
            ("store-a", "store"),
            ("store-b", "store-a"),
            ("store", "store-b"),
        ] {
            std::fs::rename(store(from), store(to)).expect("renames");
        }
        let Self { dir, a, b } = self;
        Self { dir, a: b, b: a }
    }

    /// Records on A, which builds on a snapshot that B recorded, and compares on B, which is in that state.
    pub fn carry_back(&self, seen: &Snapshot) -> (Snapshot, Comparison) {
        let snapshot = self.record();
        self.bring(&snapshot, self.have_head().commits);
        let comparison = self.compare(&snapshot.id, std::slice::from_ref(&seen.id));
        (snapshot, comparison)
    }

    /// Carries, applies in place, compares to the byte, undoes, compares again.
    pub fn carry_in_place(&self) {
        let before = contents(&self.b.root);
        let (_, comparison) = self.carry();
        assert_eq!(comparison.plan, Plan::InPlace);
        let done = self.apply(&comparison);
        assert_eq!(self.a.seen(), self.b.seen());
        self.undo(&done);
        assert_same(&before, &contents(&self.b.root), "undo is not exact");
    }
}

pub fn left_out(snapshot: &Snapshot) -> Vec<(String, Reason)> {
    let left_out = snapshot.state.left_out.iter();
    left_out
        .map(|it| (it.path.to_string(), it.reason.clone()))
        .collect()
}

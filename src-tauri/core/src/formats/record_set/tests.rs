//! A store of rows, as a program writes it and as others leave it.

use super::*;
use crate::adapter::DocWrite;
use crate::formats::sqlite::held::hold;
use crate::session::Millis;
use std::fs;

const ID: &str = "talk-1";
const MADE: &str = "CREATE TABLE talks (id TEXT, title TEXT, body TEXT);";
const TALKS: Table<'_> = Table {
    name: "talks",
    columns: &["id", "title", "body"],
    more: Some(&["later"]),
};

fn stamp(database: &Database, words: &[String; 3]) -> rusqlite::Result<Stamp> {
    let sql = "SELECT coalesce(body, '') FROM talks WHERE id = ?1";
    let body = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let body = database.connection.query_row(sql, [&words[0]], body)?;
    let facts = format!("{words:?}{body}");
    Ok(Stamp::made(body.len() as u64, Millis(1), facts.as_bytes()))
}

struct Store {
    dir: tempfile::TempDir,
}

impl Store {
    fn with(sql: &str) -> Self {
        let this = Self {
            dir: tempfile::tempdir().expect("dir"),
        };
        this.sql(sql);
        this
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("talks.db")
    }

    fn set(&self) -> RecordSet<'static, 3> {
        self.set_of(&[TALKS])
    }

    fn set_of<'t>(&self, tables: &'t [Table<'t>]) -> RecordSet<'t, 3> {
        RecordSet {
            name: "Talker",
            databases: vec![self.path(), self.dir.path().join("b/talks.db")],
            tables,
            listed: ["id", "title", "later"],
            is_session: |id| id.starts_with("talk-") && id.len() < 20,
            stamp,
            doc: "talk.json",
            place: "talks",
        }
    }

    /// The program's own writes.
    fn sql(&self, sql: &str) {
        let connection = Connection::open(self.path()).expect("database");
        connection.execute_batch(sql).expect(sql);
    }

    fn list(&self) -> Listing {
        self.set().list(Which::All, &Kept::default(), &|_| None)
    }

    fn unknown(&self) -> String {
        let listing = self.list();
        listing.unknown.expect("not known")
    }

    fn stamp(&self) -> Stamp {
        self.list().found[0].docs[0].stamp
    }

    fn body(&self) -> Option<String> {
        let connection = Connection::open(self.path()).expect("database");
        let body = "SELECT max(body) FROM talks WHERE id = 'talk-1'";
        connection
            .query_row(body, [], |row| row.get(0))
            .expect(body)
    }

    /// Writes as an adapter does. `meanwhile` happens after the plan, `within` in the transaction.
    fn write(
        &self,
        change: Change<'_>,
        meanwhile: impl Fn(),
        within: impl Fn() -> Result<(), WriteError>,
    ) -> Result<Written, WriteError> {
        let (session, name) = (SessionId::new(ID), DocName::new("talk.json"));
        let checkout = checkout(&session, &name, "talks/talk-1/talk.json", change);
        let set = self.set();
        let planned = set.plan(&checkout)?;
        meanwhile();
        let path = planned.database.unwrap_or_else(|| self.path());
        let database = set.open_to_write(&path)?;
        let database = database.expect("a database");
        let rows = New {
            set: &set,
            database: &database,
            body: planned.content,
        };
        write((&database.connection, &path), &checkout, &rows, &within)
    }

    fn create(&self) -> Result<Written, WriteError> {
        self.write(Change::Create(&b"new".to_vec()), || {}, || Ok(()))
    }
}

fn checkout<'a>(
    session: &'a SessionId,
    name: &'a DocName,
    at: &'a str,
    change: Change<'a>,
) -> Checkout<'a> {
    Checkout {
        session,
        cwd: Path::new("/w"),
        updated: Millis(0),
        now: Millis(0),
        forgets: false,
        docs: vec![DocWrite {
            name,
            place: at,
            change,
        }],
    }
}

struct New<'a> {
    set: &'a RecordSet<'a, 3>,
    database: &'a Database,
    body: Option<Vec<u8>>,
}

impl NewRows for New<'_> {
    type Left = ();

    fn stamp(&self) -> Result<Option<Stamp>, WriteError> {
        let rows = self.set.rows_in(self.database, Some(&SessionId::new(ID)));
        let rows = rows.map_err(|error| self.database.error_of(error))?;
        Ok(rows.first().map(|row| row.stamp))
    }

    fn change(&self) -> Result<(), WriteError> {
        let connection = &self.database.connection;
        let run = || {
            connection.execute("DELETE FROM talks WHERE id = ?1", [ID])?;
            let Some(body) = &self.body else {
                return Ok(());
            };
            let body = String::from_utf8_lossy(body);
            let sql = "INSERT INTO talks (id, body) VALUES (?1, ?2)";
            connection.execute(sql, [ID, &body]).map(drop)
        };
        Ok(run().map_err(|error| self.database.error_of(error))?)
    }

    fn check_arrived(&self, (): ()) -> Result<(), WriteError> {
        match self.stamp()?.is_some() == self.body.is_some() {
            true => Ok(()),
            false => Err(WriteError::Changed(self.database.path.clone())),
        }
    }
}

#[test]
fn a_database_of_another_form_is_named_and_not_written() {
    let rows = [
        (
            "ALTER TABLE talks RENAME COLUMN body TO data",
            "has no column `body`",
        ),
        (
            "ALTER TABLE talks ADD COLUMN powers TEXT",
            "has a column `powers`",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON talks BEGIN SELECT 1; END",
            "it has a trigger on the table talks",
        ),
        (
            "ALTER TABLE talks ADD COLUMN later TEXT AS (title || body)",
            "it has a computed column in the table talks",
        ),
        (
            "DROP TABLE talks; CREATE VIEW talks AS SELECT 1 AS id",
            "it has something else for the table talks",
        ),
        ("ALTER TABLE talks RENAME TO chats", "has no column `id`"),
    ];
    let row = "INSERT INTO talks (id, body) VALUES ('talk-2', 'there');";
    for (at, (sql, words)) in rows.into_iter().enumerate() {
        let store = Store::with(&format!("{MADE}{row}{sql}"));
        assert!(store.unknown().ends_with(words), "{}", store.unknown());
        let is_read = (1..=3).contains(&at);
        assert_eq!(store.list().found.len(), usize::from(is_read), "{sql}");
        let refused = store.create();
        assert!(
            matches!(refused, Err(WriteError::Refused(_))),
            "{refused:?}"
        );
    }
    // A column that some versions have, and a table that is only read.
    let store = Store::with(&format!("{MADE}ALTER TABLE talks ADD COLUMN later TEXT"));
    assert_eq!(store.list().unknown, None);
    let triggered = Store::with(&format!("{MADE}{}", rows[2].0));
    triggered.sql("ALTER TABLE talks ADD COLUMN powers TEXT");
    let only_read = [Table {
        more: None,
        ..TALKS
    }];
    let set = triggered.set_of(&only_read);
    let listing = set.list(Which::All, &Kept::default(), &|_| None);
    assert_eq!(listing.unknown, None);
}

#[test]
fn a_database_that_is_being_made_has_no_sessions() {
    for sql in [
        "PRAGMA user_version = 1",
        "CREATE TABLE __migrations (id INTEGER PRIMARY KEY AUTOINCREMENT)",
    ] {
        let store = Store::with(sql);
        let listing = store.list();
        assert_eq!((listing.found.len(), listing.unknown), (0, None), "{sql}");
    }
    let missing = Store::with(MADE);
    fs::remove_file(missing.path()).expect("removed");
    assert_eq!(missing.list().unknown, None);
    assert!(!missing.path().exists(), "it is not made by listing");
    assert_eq!(missing.set().first(), None);
}

#[test]
fn rows_that_another_process_has_in_its_log_are_listed_and_written_beside() {
    let store = Store::with(&format!("PRAGMA journal_mode = WAL; {MADE}"));
    let log = "INSERT INTO talks (id, body) VALUES ('talk-1', 'in the log')";
    let holder = hold(&store.path(), log);
    let was = store.stamp();
    let (path, bytes) = (store.path(), b"new".to_vec());
    let replace = |was| Change::Replace {
        path: &path,
        was,
        bytes: &bytes,
    };
    store
        .write(replace(was), || {}, || Ok(()))
        .expect("written beside the other process");
    holder.end();
    assert_eq!(store.body().as_deref(), Some("new"));
}

#[test]
fn rows_that_changed_since_the_plan_stay_as_they_are() {
    let store = Store::with(MADE);
    let planted = "INSERT INTO talks (id, body) VALUES ('talk-1', 'theirs')";
    let create = Change::Create(&b"new"[..].to_vec() as &dyn crate::adapter::Bytes);
    let refused = store.write(create, || store.sql(planted), || Ok(()));
    assert!(
        matches!(refused, Err(WriteError::Changed(_))),
        "{refused:?}"
    );
    assert!(matches!(store.create(), Err(WriteError::Changed(_))));
    let (path, was, bytes) = (store.path(), store.stamp(), b"new".to_vec());
    for change in ["UPDATE talks SET body = 'more'", "DELETE FROM talks"] {
        let replace = Change::Replace {
            path: &path,
            was,
            bytes: &bytes,
        };
        let refused = store.write(replace, || store.sql(change), || Ok(()));
        assert!(matches!(refused, Err(WriteError::Changed(_))), "{change}");
    }
    assert_eq!(store.body(), None);
    let written = store.create().expect("written");
    assert_eq!(written.docs[0].2, store.stamp());
}

#[test]
fn a_write_that_may_not_go_on_leaves_nothing() {
    let store = Store::with(MADE);
    let open = || Err(WriteError::Open("Talker is running".into()));
    let refused = store.write(Change::Create(&b"new".to_vec()), || {}, open);
    assert!(matches!(refused, Err(WriteError::Open(_))), "{refused:?}");
    assert_eq!(store.body(), None);
    // Somebody else is in the middle of a write.
    let other = Connection::open(store.path()).expect("open");
    let lock = || other.execute_batch("BEGIN EXCLUSIVE").expect("lock");
    let refused = store.write(Change::Create(&b"new".to_vec()), lock, || Ok(()));
    assert!(matches!(refused, Err(WriteError::Open(_))), "{refused:?}");
    let busy = store.unknown();
    assert!(busy.ends_with("is in use by another program"), "{busy}");
    drop(other);
    assert_eq!(store.body(), None);
}

#[test]
fn a_database_that_is_torn_is_named_and_left_alone() {
    // The database of a program that was killed while it wrote: half new, with a journal of the old.
    let store = Store::with(MADE);
    let writer = Connection::open(store.path()).expect("open");
    let half = "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO talks (id, body) SELECT 'talk-' || i, hex(randomblob(200)) FROM n;";
    writer.execute_batch(half).expect("half a write");
    let killed = Store {
        dir: tempfile::tempdir().expect("dir"),
    };
    for end in ["", "-journal"] {
        let [from, to] = [store.path(), killed.path()].map(|path| sqlite::beside(&path, end));
        fs::copy(from, to).expect("copy");
    }
    drop(writer);
    let words = killed.unknown();
    assert!(words.contains("left in the middle of a write"), "{words}");
    // A file that was cut, and one that never was a database.
    let whole = Store::with(&format!("{MADE}{half}COMMIT;"));
    let bytes = fs::read(whole.path()).expect("read");
    fs::write(whole.path(), &bytes[..bytes.len() / 2]).expect("cut");
    assert!(whole.list().unknown.is_some());
    fs::write(whole.path(), "no database at all, ".repeat(100)).expect("write");
    assert!(whole.unknown().contains("cannot be read"));
    assert!(matches!(whole.create(), Err(WriteError::Refused(_))));
}

#[test]
fn values_that_nobody_expects_are_left_out_or_empty() {
    let store = Store::with(&format!(
        "{MADE}INSERT INTO talks VALUES ('talk-1', x'74ff', 'b'), ('--help', 't', 'b'), (NULL, 't', 'b'),
             (7, 't', 'b'), (x'74616c6b2d32', 't', 'b'), ('talk-2', CAST(x'74ff' AS TEXT), NULL),
             ('talk-' || hex(zeroblob(500)), 't', 'b');"
    ));
    let set = store.set();
    let rows = set.listed(&store.path(), None).expect("rows").rows;
    let words: Vec<[&str; 3]> = rows
        .iter()
        .map(|row| row.columns.each_ref().map(String::as_str))
        .collect();
    assert_eq!(
        words,
        [["talk-1", "", ""], ["talk-2", "t\u{fffd}", ""]],
        "the table has no column `later`"
    );
}

/// One such row hid every session of the store.
#[test]
fn a_session_whose_stamp_cannot_be_made_is_named_and_the_others_are_listed() {
    let rows = "INSERT INTO talks VALUES ('talk-1', 't', x'00'), ('talk-2', 't', 'b')";
    let store = Store::with(&format!("{MADE}{rows}"));
    let listing = store.list();
    let ids: Vec<&str> = listing
        .found
        .iter()
        .map(|found| found.session.as_str())
        .collect();
    assert_eq!(ids, ["talk-2"]);
    let unknown = listing.unknown.expect("nothing counts as gone");
    assert!(
        unknown.contains("the rows of talk-1 are not read"),
        "{unknown}"
    );
    assert!(
        store
            .set()
            .row(&store.path(), &SessionId::new("talk-1"))
            .is_err()
    );
    store.create().expect_err("it is not written over");
}

#[test]
fn what_is_no_write_of_a_session_is_refused_before_anything_is_opened() {
    let store = Store::with(MADE);
    let set = store.set();
    let good = ("talk-1", "talk.json", "talks/talk-1/talk.json");
    let plan = |(id, name, at): (&str, &str, &str), change| {
        let (session, name) = (SessionId::new(id), DocName::new(name));
        set.plan(&checkout(&session, &name, at, change))
    };
    let bytes = b"new".to_vec();
    let planned = plan(good, Change::Create(&bytes)).expect("planned");
    assert_eq!(
        (planned.database, planned.content),
        (None, Some(bytes.clone()))
    );
    for odd in [
        ("talk-1", "talk.json", "talks/talk-2/talk.json"),
        ("talk-1", "other.json", "talks/talk-1/other.json"),
        ("../x", "talk.json", "talks/../x/talk.json"),
    ] {
        let refused = plan(odd, Change::Create(&bytes));
        assert!(matches!(refused, Err(WriteError::Refused(_))), "{odd:?}");
    }
    let (was, elsewhere) = (Stamp::default(), store.dir.path().join("other.db"));
    let path = elsewhere.as_path();
    let refused = plan(good, Change::Remove { path, was });
    assert!(
        matches!(refused, Err(WriteError::Changed(_))),
        "{refused:?}"
    );
    let append = Change::Append {
        path: &store.path(),
        was,
        from: 0,
        bytes: &bytes,
    };
    assert!(matches!(plan(good, append), Err(WriteError::Refused(_))));
}

#[test]
fn the_databases_and_their_logs_are_looked_at_and_nothing_else() {
    let store = Store::with(MADE);
    let set = store.set();
    let roots: Vec<PathBuf> = set.roots().into_iter().map(|root| root.path).collect();
    assert_eq!(roots, [store.dir.path().into(), store.dir.path().join("b")]);
    let touched = |name: &str| set.touched(&store.dir.path().join(name));
    for name in ["", "talks.db", "talks.db-wal", "b", "b/talks.db"] {
        assert_eq!(touched(name), Touched::Everything, "{name}");
    }
    for name in ["talks.db-shm", "talks.db-wal-wal", "other.db", "c/talks.db"] {
        assert_eq!(touched(name), Touched::Nothing, "{name}");
    }
}

#[test]
fn of_a_session_in_two_databases_the_first_counts() {
    let store = Store::with(&format!(
        "{MADE}INSERT INTO talks VALUES ('talk-1', 'first', '');"
    ));
    let second = store.dir.path().join("b/talks.db");
    fs::create_dir(second.parent().expect("dir")).expect("dir");
    let rows = "INSERT INTO talks VALUES ('talk-1', 'second', ''), ('talk-2', 'two', '');";
    let made = Connection::open(&second).expect("database");
    made.execute_batch(&format!("{MADE}{rows}")).expect("rows");
    let open_in = |row: &Row<3>| Some(row.columns[1].clone());
    let listing = store.set().list(Which::All, &Kept::default(), &open_in);
    let found = listing.found.iter();
    let found: Vec<_> = found
        .map(|found| (found.open_in.as_deref(), found.docs[0].path.clone()))
        .collect();
    assert_eq!(
        found,
        [(Some("first"), store.path()), (Some("two"), second)]
    );
    let copies = store
        .set()
        .list(Which::ConflictCopies, &Kept::default(), &open_in);
    assert_eq!(copies.found.len(), 0);
}

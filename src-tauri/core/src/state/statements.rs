//! All SQL statements of the state. Each has a name, so that a test can ask SQLite for its query
//! plan. A statement that reads a whole table gives its reason; a new one without a reason must use
//! an index.

/// The columns of a row of `sessions` or `hidden`, in the order of `read_row`.
macro_rules! columns {
    () => {
        "key, tool, session, project, title, updated, bytes, state, code, why, hint, split, needs, devices, path"
    };
}

/// `NAME = "sql";`, or `NAME reads all because "reason" = "sql";`.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident $(reads all because $why:literal)? = $sql:expr;)*) => {
        $($(#[$doc])* pub const $name: &str = $sql;)*

        /// Name, text, and why the statement may read a whole table.
        #[cfg(test)]
        pub const ALL: &[(&str, &str, Option<&str>)] =
            &[$((stringify!($name), $sql, statements!(@why $($why)?))),*];
    };
    (@why $why:literal) => { Some($why) };
    (@why) => { None };
}

statements! {
    RECORD = "SELECT records.record FROM sessions JOIN records ON records.id = sessions.record WHERE key = ?1";
    RECORD_OF = "SELECT record FROM sessions WHERE key = ?1";
    /// Records lie in the order in which they came, and are no part of the rows that lists read.
    ADD_RECORD = "INSERT INTO records (record) VALUES (?1)";
    PUT_RECORD = "UPDATE records SET record = ?2 WHERE id = ?1 AND record <> ?2";
    /// An unchanged row is not written again: a restart reconciles every session.
    PUT = "INSERT INTO sessions (key, tool, session, project, title, updated, bytes, state, code, why, hint, split, needs,
               devices, path, record)
           VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)
           ON CONFLICT (key) DO UPDATE SET tool = excluded.tool, session = excluded.session, project = excluded.project,
               title = excluded.title, updated = excluded.updated, bytes = excluded.bytes, state = excluded.state,
               code = excluded.code, why = excluded.why, hint = excluded.hint, split = excluded.split,
               needs = excluded.needs, devices = excluded.devices, path = excluded.path, record = excluded.record
           WHERE (record, state, code, why, hint, split, needs, devices, path, title, updated, bytes, project, session, tool)
               IS NOT (excluded.record, excluded.state, excluded.code, excluded.why, excluded.hint, excluded.split,
                   excluded.needs, excluded.devices, excluded.path, excluded.title, excluded.updated, excluded.bytes,
                   excluded.project, excluded.session, excluded.tool)";
    NEEDED_BY = "SELECT session FROM needs WHERE key = ?1 ORDER BY session";
    FORGET_NEEDS = "DELETE FROM needs WHERE key = ?1";
    PUT_NEED = "INSERT OR IGNORE INTO needs (session, key) VALUES (?1, ?2)";
    REQUIRED_BY = "SELECT session FROM requires WHERE key = ?1 ORDER BY session";
    FORGET_REQUIRED = "DELETE FROM requires WHERE key = ?1";
    PUT_REQUIRED = "INSERT OR IGNORE INTO requires (session, key) VALUES (?1, ?2)";

    PART = "SELECT whole FROM parts WHERE key = ?1";
    PUT_PART = "INSERT OR REPLACE INTO parts (key, whole) VALUES (?1, ?2)";
    FORGET_PART = "DELETE FROM parts WHERE key = ?1";
    PARTS reads all because "few sessions are parts of others" =
        "SELECT parts.key, whole FROM parts CROSS JOIN sessions part ON part.key = parts.key
         CROSS JOIN sessions one ON one.key = whole WHERE one.project <> ''";
    PARTS_OF = concat!("SELECT ", columns!(),
        " FROM sessions WHERE key IN (SELECT key FROM parts WHERE whole = ?1) ORDER BY updated, key");

    HOLDERS reads all because "read once, at a start" = "SELECT tool, doc, key FROM holders";
    PUT_HOLDER = "INSERT INTO holders (tool, doc, key) VALUES (?1, ?2, ?3)
        ON CONFLICT (tool, doc) DO UPDATE SET key = excluded.key WHERE key <> excluded.key";
    FORGET_HOLDERS reads all because "a session is forgotten once, and few sessions have such docs" =
        "DELETE FROM holders WHERE key = ?1";

    ROWS reads all because "the whole list was asked for" =
        concat!("SELECT ", columns!(), " FROM sessions ORDER BY updated DESC, key");
    ROWS_OF_TOOL reads all because "most sessions are of one tool, and its whole list was asked for" =
        concat!("SELECT ", columns!(), " FROM sessions WHERE tool = ?1 ORDER BY updated DESC, key");
    /// The pattern has no wildcards of its own: `\\` is before them.
    TITLED reads all because "somebody typed a part of a title that is no ID" = concat!("SELECT ", columns!(),
        " FROM sessions WHERE title LIKE '%' || ?1 || '%' ESCAPE '\\' AND project <> ''
          AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.key = sessions.key) ORDER BY updated DESC, key LIMIT ?2");
    /// A page of the list: what comes after a session of that time and key.
    PAGE = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY newest WHERE updated <= ?1 AND (updated < ?1 OR key > ?2) ORDER BY updated DESC, key");
    ROW = concat!("SELECT ", columns!(), " FROM sessions WHERE key = ?1");
    /// The range ends at the prefix followed by a letter that sorts after all others.
    STARTING = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY by_session WHERE session >= ?1 AND session < ?2 ORDER BY updated DESC, key");
    /// Most sessions are here and wait for nothing; the index does not have them.
    WITH_STATE_AND_CODE = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY by_standing WHERE state = ?1 AND state <> 'here' AND code = ?2 ORDER BY updated DESC, key LIMIT ?3");
    /// From `waiting/` up to the character after the slash, for example.
    COUNTS_BY_STATE = "SELECT name, n FROM counts WHERE name >= ?1 AND name < ?2 AND n > 0 ORDER BY name";
    WITH_SPLIT = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY with_split WHERE split > '' ORDER BY updated DESC, key");
    OPEN_SPLITS = "SELECT count(*) FROM sessions INDEXED BY with_split WHERE split > '' AND split <> ?1";
    NEEDING = concat!("SELECT ", columns!(),
        " FROM sessions WHERE key IN (SELECT key FROM needs WHERE session = ?1) ORDER BY key");
    DEPENDING = concat!("SELECT ", columns!(),
        " FROM sessions WHERE key IN (SELECT key FROM requires WHERE session = ?1 UNION SELECT key FROM needs WHERE session = ?1) ORDER BY key");
    WITH_CODE = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY by_code WHERE code = ?1 ORDER BY updated DESC, key");
    /// Most sessions wait for nothing; the index does not have them.
    WITH_CODE_OF_TOOL = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY by_code_and_tool WHERE code = ?1 AND code > '' AND tool = ?2 ORDER BY key");
    NEXT_WITH_CODE_OF_TOOL = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY by_code_and_tool WHERE code = ?1 AND code > '' AND tool = ?2 AND key > ?3 ORDER BY key LIMIT 1");
    IN_PROJECT = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY by_code WHERE code = ?1 AND project = ?2 ORDER BY key");
    BELOW_PROJECT = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY by_code WHERE code = ?1 AND project >= ?2 AND project < ?3 ORDER BY key");
    NEXT_PROJECT = "SELECT project FROM sessions INDEXED BY by_code WHERE code = ?1 AND project > ?2 ORDER BY project LIMIT 1";
    NEXT_CODE = "SELECT code FROM sessions INDEXED BY by_code WHERE code > ?1 ORDER BY code LIMIT 1";
    ONE_OF_PROJECT = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY by_code WHERE code = ?1 AND project = ?2 LIMIT 1");
    NEXT_DEVICES = "SELECT devices FROM sessions INDEXED BY by_devices WHERE devices > ?1 ORDER BY devices LIMIT 1";
    NEWEST_OF_DEVICES = concat!("SELECT ", columns!(),
        " FROM sessions INDEXED BY by_devices WHERE devices = ?1
             AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.key = sessions.key) ORDER BY updated DESC, key LIMIT ?2");
    NAMELESS = "SELECT count(*) FROM sessions INDEXED BY by_code WHERE code = 'arriving' AND project = ''";
    COUNT = "SELECT n FROM counts WHERE name = 'sessions'";

    SEGMENTS reads all because "compared with the whole vault, at a start" = "SELECT path, bytes FROM segments";
    PUT_SEGMENT = "INSERT INTO segments VALUES (?1, ?2)
        ON CONFLICT (path) DO UPDATE SET bytes = excluded.bytes WHERE bytes <> excluded.bytes";
    NOTE = "SELECT value FROM notes WHERE name = ?1";
    STATED reads all because "read once, at a start" =
        "SELECT author, statement FROM stated ORDER BY author, frame, entry";
    ADD_STATED = "INSERT OR REPLACE INTO stated VALUES (?1, ?2, ?3, ?4)";
    FORGET_STATED = "DELETE FROM stated WHERE author = ?1";
    PUT_NOTE = "INSERT OR REPLACE INTO notes VALUES (?1, ?2)";

    ADD_HISTORY = "INSERT INTO history VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)";
    HAPPENINGS = "SELECT n FROM counts WHERE name = 'happenings'";
    /// Not less than the number of rows, and found without counting them.
    HISTORY_SPAN = "SELECT coalesce((SELECT max(rowid) FROM history) - (SELECT min(rowid) FROM history) + 1, 0)";
    NEWEST_HISTORY reads all because "it stops behind the newest" =
        "SELECT at FROM history INDEXED BY by_time ORDER BY at DESC LIMIT 1 OFFSET ?1";
    TRIM_HISTORY = "DELETE FROM history WHERE rowid IN
        (SELECT rowid FROM history INDEXED BY by_time WHERE at < ?1 ORDER BY at LIMIT ?2)";
    /// From the end of the index, up to the limit.
    HISTORY reads all because "it stops at its limit" =
        "SELECT at, device, what, key, session, tool, doc, bytes, lines,
             (SELECT title FROM sessions WHERE sessions.key = history.key) FROM history INDEXED BY by_time
         WHERE NOT EXISTS (SELECT 1 FROM hidden WHERE hidden.key = history.key) ORDER BY at DESC, rowid DESC LIMIT ?1";
    HISTORY_OF =
        "SELECT at, device, what, key, session, tool, doc, bytes, lines,
             (SELECT title FROM sessions WHERE sessions.key = history.key) FROM history INDEXED BY by_key
         WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM hidden WHERE hidden.key = history.key)
         ORDER BY at DESC, rowid DESC LIMIT ?2";

    HIDDEN = concat!("SELECT ", columns!(), " FROM hidden WHERE key = ?1");
    HIDDEN_RECORD = "SELECT records.record FROM hidden JOIN records ON records.id = hidden.record WHERE key = ?1";
    CLEAR_HIDDEN = "DELETE FROM hidden WHERE key = ?1 AND EXISTS (SELECT 1 FROM sessions WHERE key = ?1)";
    INTO_HIDDEN = "INSERT INTO hidden SELECT * FROM sessions WHERE key = ?1";
    CLEAR_SHOWN = "DELETE FROM sessions WHERE key = ?1 AND EXISTS (SELECT 1 FROM hidden WHERE key = ?1)";
    INTO_SHOWN = "INSERT INTO sessions SELECT * FROM hidden WHERE key = ?1";
    SEARCHED = "SELECT print FROM searched WHERE key = ?1";
    PUT_SEARCHED = "INSERT INTO searched (key, print) VALUES (?1, ?2)
        ON CONFLICT (key) DO UPDATE SET print = excluded.print";
    UNSEARCH = "DELETE FROM searched WHERE key = ?1";
    UNSEARCH_ALL = "DELETE FROM searched";
    UNSEARCHED reads all because "read once, at a start" =
        "SELECT key, tool FROM sessions WHERE key NOT IN (SELECT key FROM searched) ORDER BY updated DESC";
    KEYS reads all because "read once, at a start" = "SELECT key, tool FROM sessions";
    KEYS_BY_AGE reads all because "read once, for a new index" =
        "SELECT key, tool FROM sessions INDEXED BY newest ORDER BY updated, key DESC";
    /// Not a file that was never recorded: nothing of it vanishes.
    HERE reads all because "read once, at a start" =
        "SELECT key, tool FROM sessions WHERE path IS NOT NULL AND NOT (code = 'arriving' AND devices = '')";
    SEEN reads all because "read once, at a start" = "SELECT key, store, vault FROM seen";
    PUT_SEEN = "INSERT INTO seen (key, store, vault) VALUES (?1, ?2, ?3)
        ON CONFLICT (key) DO UPDATE SET store = excluded.store, vault = excluded.vault
        WHERE (store, vault) IS NOT (excluded.store, excluded.vault)";
    UNSEE = "DELETE FROM seen WHERE key = ?1";
    UNSEE_ALL = "DELETE FROM seen";
    ERASE_SESSION = "DELETE FROM sessions WHERE key = ?1";
    ERASE_HIDDEN = "DELETE FROM hidden WHERE key = ?1";
    ERASE_HISTORY = "DELETE FROM history WHERE key = ?1";
    ERASE_SEGMENTS reads all because "a session is forgotten once" = "DELETE FROM segments WHERE instr(path, ?1) > 0";
}

/// The query on an older file that fills the tables it lacked.
pub const ALL_NEEDS: &str = "SELECT key, needs FROM sessions WHERE needs <> '' UNION ALL SELECT key, needs FROM hidden WHERE needs <> ''";

/// The queries on an older file that find what sessions require in their records.
pub const ALL_RECORDS: &str =
    "SELECT key, records.record FROM sessions JOIN records ON records.id = sessions.record
    UNION ALL SELECT key, records.record FROM hidden JOIN records ON records.id = hidden.record";

/// The queries that move the sessions of an older file into the current tables.
pub const FORMER_SESSIONS: &str = concat!("SELECT ", columns!(), ", record FROM sessions");
pub const FORMER_HIDDEN: &str = concat!("SELECT ", columns!(), ", record FROM hidden");
pub const MOVE_SESSION: &str = concat!(
    "INSERT INTO sessions_now (",
    columns!(),
    ", record) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)"
);
pub const MOVE_HIDDEN: &str = concat!(
    "INSERT INTO hidden_now (",
    columns!(),
    ", record) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)"
);

macro_rules! sessions_table {
    ($name:literal) => {
        concat!(
            "CREATE TABLE IF NOT EXISTS ",
            $name,
            " (
        key TEXT PRIMARY KEY, tool TEXT NOT NULL, session TEXT NOT NULL, project TEXT NOT NULL, title TEXT NOT NULL,
        updated INTEGER NOT NULL, bytes INTEGER NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL, why TEXT NOT NULL,
        hint TEXT NOT NULL, split TEXT NOT NULL, needs TEXT NOT NULL, devices TEXT NOT NULL, path TEXT,
        record INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, record BLOB NOT NULL);
"
        )
    };
}

/// Version 1 lacks two columns.
pub const ADD_COLUMNS: &str = "ALTER TABLE sessions ADD COLUMN split TEXT NOT NULL DEFAULT '';
    ALTER TABLE sessions ADD COLUMN needs TEXT NOT NULL DEFAULT '';";
/// The tables that take the place of those of an older file, whose rows hold their records.
pub const BEGIN_MOVE: &str = concat!(
    sessions_table!("sessions_now"),
    "CREATE TABLE hidden_now AS SELECT * FROM sessions_now WHERE 0;
    CREATE TABLE IF NOT EXISTS hidden AS SELECT * FROM sessions WHERE 0;"
);
/// A table goes with its indexes and triggers; the current ones are made with [`TABLES`].
pub const END_MOVE: &str = "DROP TABLE sessions; ALTER TABLE sessions_now RENAME TO sessions;
    DROP TABLE hidden; ALTER TABLE hidden_now RENAME TO hidden;";

/// The current tables. `hidden` has the columns of `sessions` in the same order.
pub const TABLES: &str = concat!(
    sessions_table!("sessions"),
    "
    CREATE INDEX IF NOT EXISTS by_session ON sessions (session);
    CREATE INDEX IF NOT EXISTS by_code ON sessions (code, project);
    CREATE INDEX IF NOT EXISTS by_code_and_tool ON sessions (code, tool, key) WHERE code > '';
    CREATE INDEX IF NOT EXISTS by_standing ON sessions (state, code, updated DESC, key) WHERE state <> 'here';
    CREATE INDEX IF NOT EXISTS newest ON sessions (updated DESC, key);
    CREATE INDEX IF NOT EXISTS by_devices ON sessions (devices, updated);
    CREATE INDEX IF NOT EXISTS with_split ON sessions (split) WHERE split > '';
    CREATE TABLE IF NOT EXISTS needs (session TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (session, key)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS needs_of ON needs (key);
    CREATE TABLE IF NOT EXISTS parts (key TEXT PRIMARY KEY, whole TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS parts_of ON parts (whole);
    CREATE TABLE IF NOT EXISTS requires (session TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (session, key)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS requires_of ON requires (key);
    CREATE TABLE IF NOT EXISTS holders (doc TEXT NOT NULL, key TEXT NOT NULL, tool TEXT NOT NULL,
        PRIMARY KEY (tool, doc)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
    INSERT OR IGNORE INTO counts SELECT 'sessions', count(*) FROM sessions;
    CREATE TRIGGER IF NOT EXISTS one_more AFTER INSERT ON sessions
        BEGIN UPDATE counts SET n = n + 1 WHERE name = 'sessions'; END;
    CREATE TRIGGER IF NOT EXISTS one_less AFTER DELETE ON sessions
        BEGIN UPDATE counts SET n = n - 1 WHERE name = 'sessions'; END;
    CREATE TRIGGER IF NOT EXISTS counted_in AFTER INSERT ON sessions
        BEGIN INSERT INTO counts VALUES (new.state || '/' || new.code || '/' || new.tool, 1)
            ON CONFLICT (name) DO UPDATE SET n = n + 1; END;
    CREATE TRIGGER IF NOT EXISTS counted_out AFTER DELETE ON sessions
        BEGIN UPDATE counts SET n = n - 1 WHERE name = old.state || '/' || old.code || '/' || old.tool; END;
    CREATE TRIGGER IF NOT EXISTS counted_over AFTER UPDATE OF state, code ON sessions
        WHEN (old.state, old.code) IS NOT (new.state, new.code)
        BEGIN UPDATE counts SET n = n - 1 WHERE name = old.state || '/' || old.code || '/' || old.tool;
            INSERT INTO counts VALUES (new.state || '/' || new.code || '/' || new.tool, 1)
            ON CONFLICT (name) DO UPDATE SET n = n + 1; END;
    INSERT OR IGNORE INTO counts SELECT state || '/' || code || '/' || tool, count(*) FROM sessions
        WHERE NOT EXISTS (SELECT 1 FROM counts WHERE name = 'by state') GROUP BY 1;
    INSERT OR IGNORE INTO counts VALUES ('by state', 1);
    CREATE TABLE IF NOT EXISTS searched (key TEXT PRIMARY KEY, print TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, store INTEGER NOT NULL, vault INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS segments (path TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS stated (author TEXT NOT NULL, frame INTEGER NOT NULL, entry INTEGER NOT NULL,
        statement TEXT NOT NULL, PRIMARY KEY (author, frame, entry)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS history (
        at INTEGER NOT NULL, device TEXT NOT NULL, what TEXT NOT NULL, key TEXT NOT NULL, session TEXT NOT NULL,
        tool TEXT NOT NULL, doc TEXT NOT NULL, bytes INTEGER NOT NULL, lines INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS by_key ON history (key, at);
    CREATE INDEX IF NOT EXISTS by_time ON history (at);
    INSERT OR IGNORE INTO counts SELECT 'happenings', coalesce(max(rowid), 0) FROM history;
    CREATE TRIGGER IF NOT EXISTS happened AFTER INSERT ON history
        BEGIN UPDATE counts SET n = max(n + 1, new.rowid) WHERE name = 'happenings'; END;
    CREATE TABLE IF NOT EXISTS hidden AS SELECT * FROM sessions WHERE 0;
    CREATE INDEX IF NOT EXISTS hidden_by_key ON hidden (key);
    CREATE TRIGGER IF NOT EXISTS record_goes AFTER DELETE ON sessions
        WHEN NOT EXISTS (SELECT 1 FROM hidden WHERE key = old.key AND record = old.record)
        BEGIN DELETE FROM records WHERE id = old.record; END;
    CREATE TRIGGER IF NOT EXISTS hidden_record_goes AFTER DELETE ON hidden
        WHEN NOT EXISTS (SELECT 1 FROM sessions WHERE key = old.key AND record = old.record)
        BEGIN DELETE FROM records WHERE id = old.record; END;"
);

//! Brings the file of an older version up to date. Facts that cannot be rebuilt, such as deletions on
//! this device, are taken along.

use super::packed::{Packed, unpack};
use super::statements;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, params};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Up to version 3 a session's row held its record as text.
pub fn move_sessions(db: &Connection, version: i64) -> rusqlite::Result<()> {
    if version == 1 {
        db.execute_batch(statements::ADD_COLUMNS)?;
    }
    db.execute_batch(statements::BEGIN_MOVE)?;
    move_rows(db, statements::FORMER_SESSIONS, statements::MOVE_SESSION)?;
    move_rows(db, statements::FORMER_HIDDEN, statements::MOVE_HIDDEN)?;
    db.execute_batch(statements::END_MOVE)
}

fn move_rows(db: &Connection, from: &str, to: &str) -> rusqlite::Result<()> {
    let (mut query, mut put) = (db.prepare(from)?, db.prepare(to)?);
    let mut add = db.prepare(statements::ADD_RECORD)?;
    let last = query.column_count() - 1;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let record = Packed::of(row.get_ref(last)?.as_bytes()?);
        let id = add.insert([record.bytes()])?;
        for at in 0..last {
            put.raw_bind_parameter(at + 1, ToSqlOutput::Borrowed(row.get_ref(at)?))?;
        }
        put.raw_bind_parameter(last + 1, id)?;
        put.raw_execute()?;
    }
    Ok(())
}

/// Version 2 did not have which sessions hold the beginnings of others in a table.
pub fn find_needs(db: &Connection) -> rusqlite::Result<()> {
    let mut query = db.prepare(statements::ALL_NEEDS)?;
    let needs: Vec<(String, String)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (key, needed) in needs {
        for session in needed.lines().filter(|line| !line.is_empty()) {
            db.execute(statements::PUT_NEED, params![session, key])?;
        }
    }
    Ok(())
}

/// The part of a session's record that says which other sessions it requires.
#[derive(Deserialize)]
struct Requiring {
    cards: BTreeMap<String, DeviceCard>,
}

#[derive(Deserialize)]
struct DeviceCard {
    card: Card,
}

#[derive(Deserialize)]
struct Card {
    #[serde(default)]
    requires: Vec<String>,
}

/// Version 4 did not have which sessions require others in a table.
pub fn find_required(db: &Connection) -> rusqlite::Result<()> {
    let mut query = db.prepare(statements::ALL_RECORDS)?;
    let mut put = db.prepare(statements::PUT_REQUIRED)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        let record: Option<Requiring> = unpack(row.get_ref(1)?.as_blob()?);
        let cards = record.map(|record| record.cards).unwrap_or_default();
        for required in cards.values().flat_map(|said| &said.card.requires) {
            put.execute(params![required, key])?;
        }
    }
    Ok(())
}

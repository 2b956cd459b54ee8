//! Stores in temporary directories: how they are made, opened, refused, brought up to date and written.

mod acknowledged;
mod copies;
mod damage;
mod files;
mod maintenance;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

/// A file of notes, in one of its versions.
struct Notes<const VERSION: usize>;

type Old = Notes<1>;
type New = Notes<2>;
/// A second version that cannot be reached.
type Broken = Notes<3>;

const FIRST: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL,
    commit_number INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;";
const SECOND: &str = "ALTER TABLE notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 3;
    UPDATE notes SET commit_number = commit_number(), checksum = sealed(checksum, id, text, stars);";
const BROKEN: &str = "ALTER TABLE notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 3; DELETE FROM nowhere;";

/// A note with its text; without one, it is removed.
type Note = (i64, &'static str);

impl<const VERSION: usize> Schema for Notes<VERSION> {
    type Row = Note;

    const NAME: &'static str = "notes";
    const APPLICATION_ID: i32 = 7;
    const MIGRATIONS: &'static [&'static str] = match VERSION {
        1 => &[FIRST, LINEAGE],
        2 => &[FIRST, LINEAGE, SECOND],
        _ => &[FIRST, LINEAGE, BROKEN],
    };
    const TABLES: &'static [&'static str] = &["notes"];

    fn write(connection: &Connection, (id, text): &Note) -> rusqlite::Result<()> {
        if text.is_empty() {
            let sql = "DELETE FROM notes WHERE id = ?1 AND unsealed(checksum)";
            return connection.prepare_cached(sql)?.execute([id]).map(|_| ());
        }
        let (column, value) = if VERSION == 2 { (", stars", ", 3") } else { ("", "") };
        let sql = format!(
            "INSERT OR REPLACE INTO notes (id, text{column}, commit_number, checksum)
             VALUES (?1, ?2{value}, commit_number(),
             sealed((SELECT checksum FROM notes WHERE id = ?1), ?1, ?2{value}))"
        );
        connection.prepare_cached(&sql)?.execute((id, text)).map(|_| ())
    }

    fn read(reader: &Reader<'_>, visit: &mut dyn FnMut(Note) -> bool) -> Result<(), StoreError> {
        let sql = match VERSION {
            1 => "SELECT id, text FROM notes ORDER BY id",
            _ => "SELECT id, text, stars FROM notes ORDER BY id",
        };
        reader.read(sql, |row| Ok(visit((row.get(0)?, row.get::<_, String>(1)?.leak()))))
    }
}

fn directory() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

fn open<S: Schema>(directory: &TempDir) -> Store<S> {
    Store::open(directory.path(), Durability::Flush).expect("the store opens")
}

/// Why a store does not open.
fn refusal<S: Schema>(directory: &Path) -> StoreError {
    Store::<S>::open(directory, Durability::Flush).err().expect("the store does not open")
}

fn group(sequence: u64, rows: &[Note]) -> Group<Note> {
    Group { sequence, rows: rows.to_vec() }
}

fn notes<S: Schema>(store: &Store<S>) -> Vec<(i64, String)> {
    let mut notes = Vec::new();
    let read = store.reader().read("SELECT id, text FROM notes ORDER BY id", |row| {
        notes.push((row.get(0)?, row.get(1)?));
        Ok(true)
    });
    read.expect("the notes can be read");
    notes
}

/// Lets a group with the text `no` fail from now on.
fn refuse_no(store: &Store<Old>) {
    let trigger =
        "CREATE TRIGGER no BEFORE INSERT ON notes WHEN new.text = 'no' BEGIN SELECT RAISE(ABORT, 'no'); END";
    store.connection.execute_batch(trigger).expect("valid");
}

/// Changes the file without the store.
fn edit(directory: &TempDir, statements: &str) {
    let connection = Connection::open(directory.path().join("notes.db")).expect("SQLite opens it");
    connection.execute_batch(statements).expect("valid statements");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn what_is_made_is_for_this_user_alone() {
    let root = directory();
    let new = root.path().join("a/b");
    let mut store = Store::<Old>::open(&new, Durability::Flush).expect("directories are made");
    store.commit(&group(1, &[(1, "one")])).expect("committed");
    assert_eq!((mode(&root.path().join("a")), mode(&new)), (0o700, 0o700));
    for file in fs::read_dir(&new).expect("it is there") {
        let path = file.expect("it can be read").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_directory_that_is_there_keeps_its_mode() {
    let root = directory();
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).expect("it is ours");
    open::<Old>(&root);
    assert_eq!(mode(root.path()), 0o755);
}

#[test]
fn what_was_committed_is_there_again() {
    let root = directory();
    let mut store = open::<Old>(&root);
    store.commit(&group(1, &[(1, "one"), (2, "two")])).expect("committed");
    store.commit(&group(2, &[(2, "zwei"), (3, "drei"), (3, "three")])).expect("committed");
    drop(store);
    let expected = [(1, "one"), (2, "zwei"), (3, "three")].map(|(id, text)| (id, text.to_owned()));
    assert_eq!(notes(&open::<Old>(&root)), expected, "later rows replace earlier ones");
}

#[test]
fn each_commit_is_flushed_to_a_log_that_others_may_read_meanwhile() {
    let store = open::<Old>(&directory());
    let pragma = |name| store.connection.pragma_query_value(None, name, |row| row.get(0));
    assert_eq!(pragma("journal_mode"), Ok(rusqlite::types::Value::Text("wal".into())));
    let full = rusqlite::types::Value::Integer(2);
    assert_eq!(pragma("synchronous"), Ok(full));
}

#[test]
fn without_flushes_commits_outlast_the_store_all_the_same() {
    let root = directory();
    let open = || Store::<Old>::open(root.path(), Durability::NoFlush).expect("the store opens");
    let mut store = open();
    let synchronous = |connection: &Connection| {
        connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0)).expect("a number")
    };
    assert_eq!(synchronous(&store.connection), 0);
    assert_eq!(synchronous(&store.maintainer().expect("it connects").connection), 0);
    store.commit(&group(1, &[(1, "one")])).expect("committed");
    drop(store);
    assert_eq!(notes(&open()), [(1, "one".to_owned())]);
}

#[test]
fn groups_that_wait_are_joined_in_order() {
    let root = directory();
    let mut store = open::<Old>(&root);
    let mut joined = group(7, &[(1, "one"), (2, "two")]);
    assert!(Store::<Old>::join(&mut joined, group(8, &[(1, "uno")])).is_none());
    assert_eq!(store.run(joined).expect("committed").sequence, 8);
    assert_eq!(notes(&store), [(1, "uno".to_owned()), (2, "two".to_owned())], "the last change counts");
}

#[test]
fn a_group_is_reported_by_its_sequence_even_if_it_is_empty() {
    let root = directory();
    let mut store = open::<Old>(&root);
    assert_eq!(store.run(group(7, &[(1, "one")])).expect("committed").sequence, 7);
    assert_eq!(store.run(group(8, &[])).expect("committed").sequence, 8);
    assert_eq!(notes(&store).len(), 1);
}

#[test]
fn a_group_that_fails_is_not_stored_in_part() {
    let mut store = open::<Old>(&directory());
    store.connection.execute_batch("CREATE UNIQUE INDEX texts ON notes (text)").expect("valid");
    refuse_no(&store);
    assert!(store.commit(&group(1, &[(1, "one"), (2, "no")])).is_err());
    assert_eq!(notes(&store), []);
}

#[test]
fn nothing_is_stored_after_a_commit_that_failed() {
    let root = directory();
    let mut store = open::<Old>(&root);
    store.run(group(1, &[(1, "one")])).expect("committed");
    refuse_no(&store);
    let file = || fs::read(root.path().join("notes.db")).expect("it is there");
    let before = file();
    for number in 2..=3 {
        let text = if number == 2 { "no" } else { "three" };
        let error = store.run(group(number, &[(number.cast_signed(), text)])).expect_err("it failed");
        assert!(
            matches!(&error, StorageError::Commit { place, .. } if place.ends_with("notes.db")),
            "{error}"
        );
    }
    drop(store);
    assert_eq!(file(), before, "the log stays where it is when the file is closed");
    assert_eq!(notes(&open::<Old>(&root)), [(1, "one".to_owned())]);
}

#[test]
fn a_full_disk_is_an_error() {
    let mut store = open::<Old>(&directory());
    let pages: i64 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a count");
    store.connection.pragma_update(None, "max_page_count", pages).expect("valid");
    let long: &str = "x".repeat(100_000).leak();
    let error = store.commit(&group(1, &[(1, long)])).expect_err("there is no room");
    assert!(matches!(error, StoreError::Failed(..)) && error.to_string().contains("full"), "{error}");
    assert_eq!(notes(&store), []);
}

#[test]
fn a_store_is_open_once() {
    let root = directory();
    let store = open::<Old>(&root);
    let error = refusal::<Old>(root.path());
    assert!(matches!(&error, StoreError::InUse(path) if path.ends_with("notes.db")), "{error}");
    assert!(error.to_string().ends_with("notes.db is in use by another process"), "{error}");
    drop(store);
    open::<Old>(&root);
}

#[test]
fn a_newer_file_is_refused_and_left_as_it_was() {
    let root = directory();
    drop(open::<New>(&root));
    let error = refusal::<Old>(root.path());
    assert!(matches!(error, StoreError::Newer { found: 3, known: 2, .. }), "{error}");
    assert!(error.to_string().contains("has version 3"), "{error}");
    open::<New>(&root);

    edit(&root, "PRAGMA user_version = -1");
    let error = refusal::<New>(root.path());
    assert!(matches!(error, StoreError::Newer { .. }), "a version that never was: {error}");
}

#[test]
fn an_older_file_is_brought_up_to_date_with_what_it_holds() {
    let root = directory();
    open::<Old>(&root).commit(&group(1, &[(1, "one")])).expect("committed");
    let mut store = open::<New>(&root);
    store.commit(&group(1, &[(2, "two")])).expect("committed");
    assert_eq!(notes(&store), [(1, "one".to_owned()), (2, "two".to_owned())]);
    let stars: i64 =
        store.connection.query_row("SELECT sum(stars) FROM notes", [], |row| row.get(0)).expect("a sum");
    assert_eq!(stars, 6);
    drop(store);
    open::<New>(&root);
}

#[test]
fn a_step_that_fails_leaves_the_older_file() {
    let root = directory();
    open::<Old>(&root).commit(&group(1, &[(1, "one")])).expect("committed");
    let error = refusal::<Broken>(root.path());
    assert!(matches!(error, StoreError::Failed(..)), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
    let store = open::<Old>(&root);
    assert_eq!(notes(&store), [(1, "one".to_owned())]);
}

#[test]
fn rows_that_make_no_sense_are_damage() {
    let store = open::<Old>(&directory());
    store.connection.execute_batch("INSERT INTO notes VALUES (-1, 'x', 0, 0)").expect("valid");
    let query = "SELECT id, text FROM notes";
    let refused = store.reader().read(query, |_| Ok(false)).expect_err("it was refused");
    assert!(matches!(refused, StoreError::Damaged(..)), "{refused}");
    assert!(refused.to_string().contains("restore it from a backup"), "{refused}");
    let range =
        store.reader().read(query, |row| row.get::<_, u32>(0).map(|_| true)).expect_err("it is negative");
    assert!(matches!(range, StoreError::Damaged(..)), "{range}");
    let kind = store.reader().read(query, |row| row.get::<_, u32>(1).map(|_| true)).expect_err("it is text");
    assert!(matches!(kind, StoreError::Damaged(..)), "{kind}");
}

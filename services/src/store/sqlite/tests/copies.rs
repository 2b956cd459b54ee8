//! Backups and restores: what is copied, what is refused, and what is left of a restore that ends at any step.

use std::os::unix::fs::symlink;

use crate::store::sqlite::backup::backup;
use crate::store::sqlite::check::{check, check_load};
use crate::store::sqlite::copy::Kind;
use crate::store::sqlite::restore::{Target, find, renames, restore};

use super::*;

const KIND: Kind = Kind {
    name: Old::NAME,
    application_id: Old::APPLICATION_ID,
    check: check::<Old>,
    load: |file| check_load::<Old>(file, |(id, _)| u32::try_from(id).is_ok()),
};

const NOW: u64 = 1_000_000_000;
const STAMP: &str = "20010909T014640Z";

/// A folder as a service leaves it that is killed: these notes are in its log.
fn killed(notes: &[Note]) -> TempDir {
    let (root, left) = (directory(), directory());
    let mut store = open::<Old>(&root);
    store.commit(&group(1, notes)).expect("committed");
    for file in fs::read_dir(root.path()).expect("it is there") {
        let file = file.expect("it can be read");
        fs::copy(file.path(), left.path().join(file.file_name())).expect("it can be copied");
    }
    assert!(fs::metadata(left.path().join("notes.db-wal")).expect("it is there").len() > 0);
    left
}

/// A backup of these notes.
fn backup_of(notes: &[Note]) -> TempDir {
    let (root, destination) = (directory(), directory());
    open::<Old>(&root).commit(&group(1, notes)).expect("committed");
    backup(&[KIND], root.path(), destination.path()).expect("it can be copied");
    destination
}

fn restore_from(source: &Path, data: &Path) -> Result<Option<PathBuf>, StoreError> {
    restore(&[KIND], source, data, NOW).map(|mut restored| restored.pop().expect("one kind").kept)
}

/// What is said of a backup or a restore that is refused.
#[track_caller]
fn refused<T>(result: Result<T, StoreError>) -> String {
    result.err().expect("it is refused").to_string()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is there").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The texts in a file that no store has open.
fn texts(file: &Path) -> Vec<String> {
    let connection = Connection::open(file).expect("SQLite opens it");
    let mut statement = connection.prepare("SELECT text FROM notes ORDER BY id").expect("it has notes");
    let texts = statement.query_map([], |row| row.get(0)).expect("they can be read");
    texts.map(|text| text.expect("it is text")).collect()
}

#[test]
fn a_backup_has_all_that_is_committed_and_changes_nothing() {
    let root = directory();
    let mut store = open::<Old>(&root);
    store.commit(&group(1, &[(1, "one")])).expect("committed");
    let (files, destination) = (names(root.path()), root.path().join("deep/backup"));
    let copies = backup(&[KIND], root.path(), &destination).expect("it can be copied").copies;
    assert_eq!(names(&destination), ["notes.db"]);
    assert_eq!((mode(&destination), mode(&copies[0].path)), (0o700, 0o600));
    assert_eq!(copies[0].commits, Some(2), "the first one makes the file");
    assert_eq!(copies[0].bytes, fs::metadata(&copies[0].path).expect("it is there").len());
    store.commit(&group(2, &[(2, "two")])).expect("committed");
    assert_eq!(texts(&destination.join("notes.db")), ["one"]);
    fs::remove_dir_all(root.path().join("deep")).expect("it can be removed");
    assert_eq!(names(root.path()), files);
}

#[test]
fn the_log_of_a_service_that_was_killed_is_in_the_backup_and_stays_where_it_is() {
    let (left, destination) = (killed(&[(1, "one")]), directory());
    let before = names(left.path());
    let log = fs::read(left.path().join("notes.db-wal")).expect("it is there");
    backup(&[KIND], left.path(), destination.path()).expect("it can be copied");
    assert_eq!(texts(&destination.path().join("notes.db")), ["one"]);
    assert_eq!(names(left.path()), before);
    assert_eq!(fs::read(left.path().join("notes.db-wal")).expect("it is there"), log);
}

#[test]
fn a_database_that_is_not_open_is_left_as_it_is() {
    let (root, destination) = (directory(), directory());
    open::<Old>(&root).commit(&group(1, &[(1, "one")])).expect("committed");
    let (files, bytes) = (names(root.path()), fs::read(root.path().join("notes.db")).expect("it is there"));
    backup(&[KIND], root.path(), destination.path()).expect("it can be copied");
    assert_eq!(names(root.path()), files);
    assert!(fs::read(root.path().join("notes.db")).expect("it is there") == bytes);
}

#[test]
fn a_backup_is_not_written_over_another() {
    let (root, destination) = (directory(), backup_of(&[(1, "old")]));
    open::<Old>(&root).commit(&group(1, &[(1, "new")])).expect("committed");
    let message = refused(backup(&[KIND], root.path(), destination.path()));
    assert!(message.contains("name another folder"), "{message}");
    assert_eq!(texts(&destination.path().join("notes.db")), ["old"]);
    let message = refused(backup(&[KIND], root.path(), root.path()));
    assert!(message.contains("name another folder"), "{message}");
    let empty = directory();
    let message = refused(backup(&[KIND], empty.path(), &empty.path().join("backup")));
    assert!(message.ends_with("there is no notes.db in it"), "{message}");
    assert_eq!(names(empty.path()), Vec::<String>::new());
}

#[test]
fn nothing_is_left_of_a_backup_of_what_is_damaged_or_foreign() {
    for statements in [
        "INSERT INTO notes VALUES (-1, 'no note', 1, 1)",
        "PRAGMA application_id = 8",
        "PRAGMA user_version = 3",
    ] {
        let root = directory();
        open::<Old>(&root).commit(&group(1, &[(1, "one")])).expect("committed");
        edit(&root, statements);
        let destination = root.path().join("backup");
        let message = refused(backup(&[KIND], root.path(), &destination));
        assert!(message.contains("/notes.db ") && !message.contains("partial"), "{message}");
        assert!(!destination.exists(), "{statements}");
    }
}

#[test]
fn nothing_is_left_of_a_backup_that_lacks_what_was_acknowledged() {
    let data = killed(&[(1, "one")]);
    fs::write(data.path().join("notes.db-wal"), "").expect("it can be written");
    let destination = data.path().join("backup");
    let message = refused(backup(&[KIND], data.path(), &destination));
    assert!(message.contains("notes.db does not hold all that was acknowledged"), "{message}");
    assert!(!destination.exists());
}

#[test]
fn an_older_version_is_copied_as_it_is() {
    let (root, destination) = (directory(), directory());
    open::<Old>(&root).commit(&group(1, &[(1, "one")])).expect("committed");
    let new = Kind { check: check::<New>, load: |file| check_load::<New>(file, |_| true), ..KIND };
    backup(&[new], root.path(), destination.path()).expect("it can be copied");
    restore(&[new], destination.path(), root.path(), NOW).expect("it can be restored");
    assert_eq!(notes(&open::<Old>(&root)), [(1, "one".to_owned())]);
}

#[test]
fn a_restore_replaces_file_and_log_and_keeps_both() {
    let (data, source) = (killed(&[(1, "old"), (2, "old")]), backup_of(&[(1, "new")]));
    let kept = restore_from(source.path(), data.path()).expect("it can be restored").expect("there was one");
    assert!(kept.ends_with(format!("notes-replaced-{STAMP}.db")), "{}", kept.display());
    assert_eq!(texts(&kept), ["old", "old"]);
    assert_eq!(mode(&data.path().join("notes.db")), 0o600);
    assert_eq!(notes(&open::<Old>(&data)), [(1, "new".to_owned())]);

    let again = restore_from(source.path(), data.path()).expect("it can be restored").expect("there was one");
    assert!(again.ends_with(format!("notes-replaced-{STAMP}-2.db")), "{}", again.display());
    assert_eq!((texts(&kept).len(), texts(&again).len()), (2, 1));
}

#[test]
fn a_restore_makes_the_folder_that_is_missing() {
    let (root, source) = (directory(), backup_of(&[(1, "new")]));
    let data = root.path().join("data");
    assert_eq!(restore_from(&source.path().join("notes.db"), &data).expect("it can be restored"), None);
    assert_eq!((mode(&data), names(&data)), (0o700, vec!["notes.db".to_owned()]));
    assert_eq!(texts(&data.join("notes.db")), ["new"]);
}

#[test]
fn a_copy_that_another_tool_made_is_restored_whatever_it_is_called() {
    let (data, root) = (killed(&[(1, "old")]), directory());
    let mut store = open::<Old>(&root);
    store.commit(&group(1, &[(1, "new")])).expect("committed");
    let copy = directory();
    let vacuumed = copy.path().join("vacuumed");
    store.connection.execute("VACUUM INTO ?", [vacuumed.to_str()]).expect("it can be copied");
    restore_from(&vacuumed, data.path()).expect("it can be restored");
    assert_eq!(notes(&open::<Old>(&data)), [(1, "new".to_owned())]);
    let copied = copy.path().join("copied.sqlite");
    store.connection.backup("main", &copied, rusqlite::backup::NO_PROGRESS).expect("it can be copied");
    restore_from(&copied, data.path()).expect("it can be restored");
    assert_eq!(notes(&open::<Old>(&data)), [(1, "new".to_owned())]);
}

#[test]
fn what_a_restore_has_kept_can_be_restored() {
    let (data, source) = (killed(&[(1, "old"), (2, "old")]), backup_of(&[(1, "new")]));
    let kept = restore_from(source.path(), data.path()).expect("it can be restored").expect("there was one");
    assert!(kept.with_extension("db-wal").exists());
    restore_from(&kept, data.path()).expect("it can be restored");
    assert_eq!(notes(&open::<Old>(&data)).len(), 2);
    assert!(kept.with_extension("db-wal").exists(), "the source is left as it is");
}

#[test]
fn a_file_that_makes_no_sense_can_be_replaced() {
    let (root, source) = (directory(), backup_of(&[(1, "new")]));
    fs::write(root.path().join("notes.db"), "What is this?").expect("it can be written");
    let kept = restore_from(source.path(), root.path()).expect("it can be restored").expect("there was one");
    assert_eq!(fs::read(kept).expect("it is there"), b"What is this?");
    assert_eq!(notes(&open::<Old>(&root)).len(), 1);
}

#[test]
fn a_database_in_use_is_not_replaced() {
    let (root, source) = (directory(), backup_of(&[(1, "new")]));
    let store = open::<Old>(&root);
    let files = names(root.path());
    let message = refused(restore_from(source.path(), root.path()));
    assert!(message.contains("is in use by another process"), "{message}");
    assert_eq!(names(root.path()), files);
    drop(store);
    restore_from(source.path(), root.path()).expect("it can be restored");
}

#[test]
fn what_is_no_sound_backup_changes_nothing() {
    let data = killed(&[(1, "old")]);
    let files = names(data.path());
    let refused_with = |source: &Path, expected: &str| {
        let message = refused(restore_from(source, data.path()));
        assert!(message.contains(expected), "{message}");
        assert_eq!(names(data.path()), files);
    };
    let source = backup_of(&[(1, "new")]);
    let file = source.path().join("notes.db");
    let sound = fs::read(&file).expect("it is there");

    refused_with(&source.path().join("nowhere"), "nowhere cannot be used: No such file");
    refused_with(directory().path(), "there is no notes.db in it");
    refused_with(data.path(), "it is the database itself");
    let without_mark = killed(&[(1, "new")]);
    fs::remove_file(without_mark.path().join("notes.db-commits")).expect("it is there");
    refused_with(without_mark.path(), "a log beside it that may be another's");
    // A database that has lost its log.
    let commits = source.path().join("notes.db-commits");
    fs::copy(killed(&[(1, "new")]).path().join("notes.db-commits"), &commits).expect("it can be copied");
    refused_with(source.path(), "is not the database of which");
    fs::remove_file(source.path().join("notes.db-commits")).expect("it is there");
    fs::write(source.path().join("notes.db.partial"), "").expect("it can be written");
    refused_with(source.path(), "the backup is not whole");
    fs::remove_file(source.path().join("notes.db.partial")).expect("it is there");

    fs::write(&file, &sound[..4096]).expect("it can be written");
    refused_with(&file, "it is damaged (");
    let garbage: Vec<u8> =
        sound.iter().enumerate().map(|(at, byte)| if at < 4096 { *byte } else { 0x5a }).collect();
    fs::write(&file, garbage).expect("it can be written");
    refused_with(&file, "it is damaged (");
    fs::write(&file, "What is this?").expect("it can be written");
    refused_with(&file, "it is damaged (file is not a database");
    let other = source.path().join("other");
    fs::write(&other, "What is this?").expect("it can be written");
    refused_with(&other, "other is not a file of this database");
    fs::write(&file, &sound).expect("it can be written");
    edit(&source, "INSERT INTO notes VALUES (-1, 'no note', 1, 1)");
    refused_with(&file, "it is damaged (");
    fs::write(&file, &sound).expect("it can be written");
    edit(&source, "PRAGMA user_version = 3");
    refused_with(&file, "has version 3, and this program knows versions up to 2");
    assert_eq!(notes(&open::<Old>(&data)), [(1, "old".to_owned())]);
}

#[test]
fn a_link_is_followed_and_stays() {
    let (root, source) = (directory(), backup_of(&[(1, "new")]));
    let disk = killed(&[(1, "old")]);
    let link = root.path().join("notes.db");
    symlink(disk.path().join("notes.db"), &link).expect("it can be made");
    let kept = restore_from(source.path(), root.path()).expect("it can be restored").expect("there was one");
    assert_eq!(texts(&kept), ["old"]);
    assert!(link.is_symlink());
    assert_eq!(texts(&disk.path().join("notes.db")), ["new"]);
}

/// Whatever a restore has left when it ends, there is either the old database, or the new one, or none that a service
/// would start from; and the next restore ends well.
#[test]
fn a_restore_may_end_at_any_step() {
    let source = backup_of(&[(1, "new")]);
    let mut seen = Vec::new();
    for steps in 0.. {
        let data = killed(&[(1, "old"), (2, "old")]);
        let done = restore_in_part(source.path(), data.path(), steps);
        let before = Store::<Old>::open(data.path(), Durability::Flush).map(|store| notes(&store).len());
        seen.push(match &before {
            Ok(count) => count.to_string(),
            Err(error @ StoreError::Unfinished { .. }) => {
                assert!(error.to_string().ends_with("run `marketplace restore` again"), "{error}");
                "none".to_owned()
            }
            Err(error) => panic!("{error}"),
        });

        let kept =
            restore_from(source.path(), data.path()).expect("it can be restored").expect("there was one");
        assert_eq!(notes(&open::<Old>(&data)).len(), 1);
        let old = data.path().join(format!("notes-replaced-{STAMP}.db"));
        assert_eq!((texts(&old).len(), kept == old), (2, before.is_err() || steps == 0), "{steps} steps");
        assert!(
            names(data.path()).iter().all(|name| !name.contains("restoring")),
            "{:?}",
            names(data.path())
        );
        if done {
            break;
        }
    }
    seen.dedup();
    assert_eq!(seen, ["2", "none", "1"]);
}

/// Makes the copy and this many renames; returns whether that was all.
fn restore_in_part(source: &Path, data: &Path, steps: usize) -> bool {
    let (kind, file) = find(&[KIND], source, data).expect("it is there").pop().expect("one kind");
    let target = Target::take(&kind, data, STAMP).expect("nobody uses it");
    let (mut copy, _) = target.copy(&kind, &file).expect("it is sound");
    copy.keep();
    let mut renames = renames(&target.file, &target.named("-replaced-"));
    renames.push((copy.path().to_owned(), target.file.clone()));
    for (from, to) in renames.iter().take(steps) {
        fs::rename(from, to).expect("it can be renamed");
    }
    steps == renames.len()
}

#[test]
fn what_is_copied_in_part_only_is_no_obstacle() {
    let (data, source) = (killed(&[(1, "old")]), backup_of(&[(1, "new")]));
    for suffix in ["", "-wal"] {
        let left = data.path().join(format!("notes-restoring-2000.db{suffix}"));
        fs::write(left, "the beginning").expect("it can be written");
    }
    assert_eq!(notes(&open::<Old>(&data)), [(1, "old".to_owned())]);
    restore_from(source.path(), data.path()).expect("it can be restored");
    assert!(!names(data.path()).iter().any(|name| name.contains("2000")), "{:?}", names(data.path()));

    let (root, destination) = (directory(), directory());
    open::<Old>(&root).commit(&group(1, &[(1, "one")])).expect("committed");
    for suffix in ["", "-journal", "-wal"] {
        let left = destination.path().join(format!("notes.db.partial{suffix}"));
        fs::write(left, vec![1; 100_000]).expect("it can be written");
    }
    backup(&[KIND], root.path(), destination.path()).expect("it can be copied");
    assert_eq!(names(destination.path()), ["notes.db"]);
}

/// A restore that fails after one that did not end leaves what tells a service not to start.
#[test]
fn a_database_that_is_missing_stays_missing_until_a_restore_ends_well() {
    let (data, source) = (killed(&[(1, "old")]), backup_of(&[(1, "new")]));
    let all = (1..).find(|steps| restore_in_part_then_fails(source.path(), &data, *steps)).expect("it ends");
    assert!(all > 1);
}

fn restore_in_part_then_fails(source: &Path, data: &TempDir, steps: usize) -> bool {
    let folder = directory();
    for name in names(data.path()) {
        fs::copy(data.path().join(&name), folder.path().join(&name)).expect("it can be copied");
    }
    if restore_in_part(source, folder.path(), steps) {
        return true;
    }
    let bad = backup_of(&[(1, "bad")]);
    edit(&bad, "INSERT INTO notes VALUES (-1, 'no note', 1, 1)");
    refused(restore_from(bad.path(), folder.path()));
    refused(backup(&[KIND], folder.path(), &folder.path().join("backup")));
    assert!(matches!(refusal::<Old>(folder.path()), StoreError::Unfinished { .. }), "{steps}");
    restore_from(source, folder.path()).expect("it can be restored");
    assert_eq!(texts(&folder.path().join(format!("notes-replaced-{STAMP}.db"))), ["old"]);
    false
}

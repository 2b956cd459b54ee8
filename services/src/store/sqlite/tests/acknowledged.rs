//! A disk that lies: whatever of a database's files is changed, cut, lost or swapped after writes were acknowledged, the
//! next start either has all of them, or says what is wrong and leaves everything as it is.

use std::collections::BTreeMap;

use super::*;
use crate::store::sqlite::maintenance::Maintenance;

/// Files by name.
type Files = BTreeMap<String, Vec<u8>>;

/// What a start must come to.
#[derive(Debug, PartialEq)]
enum Start {
    /// It has so many notes.
    Notes(usize),
    /// It is refused, in words with these in them.
    Refused(&'static str),
}

use Start::{Notes as Has, Refused};

fn read(root: &TempDir) -> Files {
    let files = fs::read_dir(root.path()).expect("it is there").map(|file| file.expect("it is there"));
    let named = |file: fs::DirEntry| (file.file_name().into_string().expect("ASCII"), file.path());
    files.map(named).map(|(name, path)| (name, fs::read(path).expect("it can be read"))).collect()
}

fn lay_out(files: &Files) -> TempDir {
    let root = directory();
    for (name, bytes) in files {
        fs::write(root.path().join(name), bytes).expect("it can be written");
    }
    root
}

/// A database as a killed process leaves it, and as it was before: with 40 notes in the file, the last 30 of them in
/// the log as well, and then another 30 in the log only, one of which is removed again.
struct Killed {
    before: Files,
    files: Files,
}

fn killed(words: &str) -> Killed {
    let root = directory();
    let mut store = open::<Old>(&root);
    let text: &str = words.repeat(50).leak();
    let commit = |store: &mut Store<Old>, id: i64| {
        store.commit(&group(id as u64, &[(id, text)])).expect("committed");
    };
    (1..=10).for_each(|id| commit(&mut store, id));
    drop(store);
    let before = read(&root);
    let mut store = open::<Old>(&root);
    (11..=40).for_each(|id| commit(&mut store, id));
    store.maintainer().expect("it connects").run(Maintenance::Checkpoint).expect("done");
    (41..=70).for_each(|id| commit(&mut store, id));
    store.commit(&group(71, &[(70, "")])).expect("committed");
    Killed { before, files: read(&root) }
}

/// Starts on these files; checks that a start that is refused has changed none of them.
fn start(files: &Files) -> Result<usize, StoreError> {
    let root = lay_out(files);
    let started = Store::<Old>::open(root.path(), Durability::Flush).map(|store| notes(&store).len());
    if started.is_err() {
        let mut left = read(&root);
        // SQLite makes them if they are missing. The second is made anew at each start.
        left.retain(|name, bytes| files.contains_key(name) || !bytes.is_empty() && !name.ends_with("-shm"));
        let kept = |(name, bytes): (&String, &Vec<u8>)| name.ends_with("-shm") || files[name] == *bytes;
        assert!(left.iter().all(kept), "{:?} was changed", left.keys());
    }
    started
}

#[track_caller]
fn check(what: &str, files: &Files, expected: &Start) {
    let started = start(files);
    match (&started, expected) {
        (Ok(found), Has(notes)) => assert_eq!(found, notes, "{what}"),
        (Err(error), Refused(words)) => assert!(error.to_string().contains(words), "{what}: {error}"),
        _ => panic!("{what}: {started:?} in place of {expected:?}"),
    }
}

#[test]
fn a_start_has_all_that_was_acknowledged_or_is_refused() {
    let Killed { before, files } = killed("some words ");
    let other = killed("other words ").files;
    let (db, log, shared, commits) = ("notes.db", "notes.db-wal", "notes.db-shm", "notes.db-commits");
    let log_bytes = files[log].len();
    let db_bytes = files[db].len();
    let without = |name: &str| {
        let mut files = files.clone();
        files.remove(name);
        files
    };
    let with = |name: &str, bytes: &[u8]| {
        let mut files = files.clone();
        files.insert(name.into(), bytes.into());
        files
    };
    let flipped = |name: &str, at: usize| {
        let mut files = files.clone();
        files.get_mut(name).expect("it is there")[at] ^= 1;
        files
    };
    let only = |files: &Files, name: &str| Files::from([(name.to_owned(), files[name].clone())]);
    let mut backup = files.clone();
    backup.insert(db.into(), before[db].clone());
    let mut backup_alone = without(log);
    backup_alone.insert(db.into(), before[db].clone());
    let less = "does not hold all that was acknowledged (it has ";
    for (what, files, expected) in [
        ("as it is", files.clone(), Has(69)),
        ("the shared memory is deleted", without(shared), Has(69)),
        ("the log is deleted", without(log), Refused(less)),
        ("the log is emptied", with(log, b""), Refused(less)),
        ("the log is cut", with(log, &files[log][..log_bytes - 10_000]), Refused(less)),
        ("the log's header is changed", flipped(log, 9), Refused(less)),
        ("the log's first frame is changed", flipped(log, 32 + 100), Refused(less)),
        ("a frame in the middle of the log is changed", flipped(log, log_bytes / 2), Refused(less)),
        ("the last frame of the log is changed", flipped(log, log_bytes - 1), Refused(less)),
        ("the log is that of another database", with(log, &other[log]), Refused("")),
        ("the file is deleted", without(db), Refused("(it is not there)")),
        ("the file is emptied", with(db, b""), Refused("(it is empty)")),
        ("the file is cut in half", with(db, &files[db][..db_bytes / 2]), Refused("is damaged (")),
        ("the file and the log are deleted", only(&files, commits), Refused("(it is not there)")),
        ("only the log is left", only(&files, log), Refused("(it is not there)")),
        ("an older copy is put back", backup_alone, Refused("it has 11 commits of 72, 61 are missing")),
        ("an older copy is put back under the log", backup, Refused("is damaged (")),
        ("the file is another's", with(db, &other[db]), Refused("")),
        (
            "all but the mark is another's",
            {
                let mut theirs = other.clone();
                theirs.insert(commits.into(), files[commits].clone());
                theirs
            },
            Refused("it is not the database of which 72 commits were acknowledged here"),
        ),
        ("the mark is deleted", without(commits), Has(69)),
        ("the mark is emptied", with(commits, b""), Has(69)),
        ("the mark is cut", with(commits, &files[commits][..50]), Has(69)),
        ("the mark is changed", flipped(commits, 40), Has(69)),
        ("the mark is older", with(commits, &before[commits]), Has(69)),
    ] {
        check(what, &files, &expected);
    }
}

#[test]
fn no_single_byte_that_changes_costs_a_note_unnoticed() {
    let files = killed("some words ").files;
    let sound = notes(&open::<Old>(&lay_out(&files)));
    let mut rng = fastrand::Rng::with_seed(1);
    let mut refused = 0;
    for _ in 0..300 {
        let mut files = files.clone();
        let (name, bytes) = files.iter_mut().nth(rng.usize(..4)).expect("there are four");
        let at = rng.usize(..bytes.len());
        bytes[at] ^= 1 << rng.u8(..8);
        let what = format!("{name} at {at}");
        let started = Store::<Old>::open(lay_out(&files).path(), Durability::Flush);
        match started {
            Ok(store) => assert!(notes(&store) == sound, "{what}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn what_is_done_without_the_mark_is_another_lineage() {
    let Killed { before, files } = killed("some words ");
    // Somebody accepts that only ten notes are left, and goes on.
    let mut left = before.clone();
    left.remove("notes.db-commits");
    let root = lay_out(&left);
    let mut store = open::<Old>(&root);
    for id in 11..=200 {
        store.commit(&group(1, &[(id, "other")])).expect("committed");
    }
    drop(store);
    assert_eq!(notes(&open::<Old>(&root)).len(), 200);
    // Then all that was missing turns up.
    let mut both = files.clone();
    both.insert("notes.db-commits".into(), read(&root)["notes.db-commits"].clone());
    check("the lost files", &both, &Refused("it is not the database of which 202 commits"));
    check("the lost files with their mark", &files, &Has(69));
}

#[test]
fn a_process_that_ends_between_a_commit_and_its_mark_loses_nothing() {
    let root = directory();
    let mut store = open::<Old>(&root);
    store.commit(&group(1, &[(1, "one")])).expect("committed");
    let marked = fs::read(root.path().join("notes.db-commits")).expect("it is there");
    store.commit(&group(2, &[(2, "two")])).expect("committed");
    let mut files = read(&root);
    files.insert("notes.db-commits".into(), marked);
    check("a mark that is one behind", &files, &Has(2));
}

#[test]
fn a_file_whose_log_was_all_there_was_does_not_begin_anew_beside_what_is_left_of_its_mark() {
    let root = directory();
    let mut store = open::<Old>(&root);
    store.commit(&group(1, &[(1, "one")])).expect("committed");
    let mut files = read(&root);
    files.remove("notes.db-wal");
    check("the log is deleted", &files, &Refused("(it has no commits, and there were 2)"));
    files.get_mut("notes.db-commits").expect("it is there")[40] ^= 1;
    check("and the mark is changed", &files, &Refused("(it is empty)"));
    files.insert("notes.db-commits".into(), Vec::new());
    check("and the mark is emptied", &files, &Refused("(it is empty)"));
    files.remove("notes.db-commits");
    check("and nothing is left that could tell", &files, &Has(0));
}

#[test]
fn commits_that_change_nothing_or_only_remove_are_told_apart() {
    let root = directory();
    let mut store = open::<Old>(&root);
    let mut commits = |rows: &[Note]| {
        store.commit(&group(1, rows)).expect("committed");
        store.mark.state.commits
    };
    assert_eq!(commits(&[]), 1, "the file was made by the first");
    assert_eq!(commits(&[(1, "one"), (2, "two")]), 2);
    assert_eq!(commits(&[(3, "")]), 2, "there is no such note");
    assert_eq!(commits(&[(2, "")]), 3);
    assert_eq!(commits(&[(4, "four"), (4, "")]), 4, "nothing is left of what it wrote");
    let mark = store.mark;
    drop(store);
    assert_eq!(open::<Old>(&root).mark, mark);
}

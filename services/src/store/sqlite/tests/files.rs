//! Which file it is: whatever leads to it, it is the same one, it is open once, and it is missed when it is gone.

use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::mount::{UnmountFlags, mount_bind, unmount};

use super::*;
use crate::store::sqlite::maintenance::{EXTENSION_PAGES, Maintenance};

/// A directory with a database of one note in it.
fn with_a_note() -> TempDir {
    let root = directory();
    open::<Old>(&root).commit(&group(1, &[(1, "one")])).expect("committed");
    root
}

/// What is in a directory.
fn listed(directory: &Path) -> Vec<String> {
    let names =
        fs::read_dir(directory).expect("it is there").map(|file| file.expect("it is there").file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().expect("ASCII")).collect();
    names.sort_unstable();
    names
}

fn linked(root: &TempDir) -> TempDir {
    let linked = directory();
    symlink(root.path().join("notes.db"), linked.path().join("notes.db")).expect("it can be linked");
    linked
}

#[test]
fn a_symbolic_link_leads_to_the_file_its_lock_and_its_log() {
    let root = with_a_note();
    let linked = linked(&root);
    let mut store = open::<Old>(&linked);
    let mut maintainer = store.maintainer().expect("it connects");
    for number in 2..5 {
        store.commit(&group(number, &[(number as i64, "more")])).expect("committed");
        maintainer.run(Maintenance::Extend { pages: EXTENSION_PAGES }).expect("done");
        assert!(maintainer.idle().is_none());
    }
    assert_eq!(listed(linked.path()), ["notes.db"], "everything is beside the file itself");
    assert!(matches!(refusal::<Old>(root.path()), StoreError::InUse(_)));
    drop((store, maintainer));
    assert_eq!(notes(&open::<Old>(&root)).len(), 4);
}

#[test]
fn what_a_crash_leaves_beside_a_linked_file_is_found() {
    let root = with_a_note();
    let linked = linked(&root);
    let mut store = open::<Old>(&linked);
    store.commit(&group(2, &[(2, "two")])).expect("committed");
    let crashed = directory();
    for name in listed(root.path()) {
        fs::copy(root.path().join(&name), crashed.path().join(&name)).expect("it can be copied");
    }
    drop(store);
    fs::remove_file(linked.path().join("notes.db")).expect("it is there");
    symlink(crashed.path().join("notes.db"), linked.path().join("notes.db")).expect("it can be linked");
    assert_eq!(notes(&open::<Old>(&linked)).len(), 2);
}

#[test]
fn a_directory_by_another_name_is_the_same() {
    let root = with_a_note();
    let outside = directory();
    let other = outside.path().join("other");
    symlink(root.path(), &other).expect("it can be linked");
    let store = open::<Old>(&root);
    assert!(matches!(refusal::<Old>(&other), StoreError::InUse(_)));
    drop(store);
    Store::<Old>::open(&other, Durability::Flush).expect("it opens by either name");
}

#[test]
fn a_link_to_nothing_is_refused_and_nothing_made() {
    let root = directory();
    let target = root.path().join("away/notes.db");
    symlink(&target, root.path().join("notes.db")).expect("it can be linked");
    let message = refusal::<Old>(root.path()).to_string();
    assert!(message.contains("is a symbolic link to ") && message.contains("nothing is there"), "{message}");
    assert_eq!(listed(root.path()), ["notes.db"]);

    let outside = directory();
    symlink("nowhere", outside.path().join("data")).expect("it can be linked");
    let message = refusal::<Old>(&outside.path().join("data")).to_string();
    assert!(message.contains("data is a symbolic link, and nothing is there"), "{message}");

    let loops = directory();
    symlink("notes.db", loops.path().join("notes.db")).expect("it can be linked");
    assert!(matches!(refusal::<Old>(loops.path()), StoreError::Failed(..)));
}

#[test]
fn a_file_of_two_names_is_refused_by_either() {
    let root = with_a_note();
    let other = directory();
    fs::hard_link(root.path().join("notes.db"), other.path().join("notes.db")).expect("it can be linked");
    for directory in [&root, &other] {
        let message = refusal::<Old>(directory.path()).to_string();
        assert!(message.contains("it is one of 2 hard links"), "{message}");
    }
    fs::remove_file(other.path().join("notes.db")).expect("it is there");
    assert_eq!(notes(&open::<Old>(&root)).len(), 1);
}

#[test]
fn a_file_that_is_mounted_by_itself_is_refused() {
    let root = with_a_note();
    let other = directory();
    let there = other.path().join("notes.db");
    fs::write(&there, b"").expect("it can be made");
    // No test here starts a process: until it runs its program, it would hold the locks of all the others.
    if mount_bind(root.path().join("notes.db"), &there).is_err() {
        println!("skipped: this user cannot mount a file");
        return;
    }
    let message = refusal::<Old>(other.path()).to_string();
    unmount(&there, UnmountFlags::empty()).expect("it is mounted");
    assert!(message.contains("mount the folder that it is in"), "{message}");
}

#[test]
fn what_is_no_file_is_refused() {
    let root = directory();
    let pipe = root.path().join("notes.db");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).expect("it can be made");
    let message = refusal::<Old>(root.path()).to_string();
    assert!(message.ends_with("cannot be used: it is not a regular file"), "{message}");
}

#[test]
fn what_older_programs_lock_is_heeded_and_then_removed() {
    let root = with_a_note();
    let path = root.path().join("notes.lock");
    let lock = fs::File::create(&path).expect("it can be made");
    lock.try_lock().expect("nobody has it");
    assert!(matches!(refusal::<Old>(root.path()), StoreError::InUse(_)));
    drop(lock);
    open::<Old>(&root);
    assert!(!path.exists());
}

#[test]
fn nothing_is_committed_to_a_file_that_is_gone_or_elsewhere() {
    let remove = |path: &Path| fs::remove_file(path);
    let rename = |path: &Path| fs::rename(path, path.with_extension("elsewhere"));
    for gone in ["notes.db", "notes.db-wal", "notes.db-shm", "notes.db-commits"] {
        for take_away in [remove, rename] {
            let root = with_a_note();
            let path = root.path().canonicalize().expect("it is there").join(gone);
            let mut store = open::<Old>(&root);
            store.commit(&group(2, &[(2, "two")])).expect("committed");
            take_away(&path).expect("it is there");
            let error = store.commit(&group(3, &[(3, "three")])).expect_err("it is gone");
            assert!(matches!(&error, StoreError::Gone(at) if *at == path), "{error}");
        }
    }
}

#[test]
fn nothing_is_committed_to_a_file_that_another_has_replaced() {
    let root = with_a_note();
    let mut store = open::<Old>(&root);
    let path = root.path().join("notes.db");
    fs::copy(&path, root.path().join("copy")).expect("it can be copied");
    fs::rename(root.path().join("copy"), &path).expect("it can be replaced");
    let error = store.commit(&group(2, &[(2, "two")])).expect_err("it is another");
    assert!(error.to_string().ends_with("notes.db was deleted or replaced while it was in use"), "{error}");
}

#[test]
fn whatever_belongs_to_the_file_is_missed_when_it_is_gone_or_elsewhere() {
    for name in listed(with_a_note().path()).into_iter().chain(["notes.db-wal".into(), "notes.db-shm".into()])
    {
        let root = with_a_note();
        let store = open::<Old>(&root);
        let files = &store.connection.files;
        assert!(files.check_places().is_ok());
        let moved = directory();
        fs::rename(root.path().join(&name), moved.path().join(&name)).expect("it is there");
        let error = files.check_places().expect_err("it is elsewhere");
        assert!(matches!(&error, StoreError::Gone(path) if path.ends_with(&name)), "{name}: {error}");
        fs::rename(moved.path().join(&name), root.path().join(&name)).expect("it is there");
        assert!(files.check_places().is_ok());
    }
}

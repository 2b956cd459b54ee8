//! Files that are not what they should be, and places where none can be.

use super::*;

/// A store with some pages of notes, closed; returns its bytes.
fn written(root: &TempDir) -> Vec<u8> {
    let mut store = open::<Old>(root);
    let text: &str = "some words ".repeat(50).leak();
    let rows: Vec<Note> = (1..200).map(|id| (id, text)).collect();
    store.commit(&group(1, &rows)).expect("committed");
    drop(store);
    fs::read(root.path().join("notes.db")).expect("it is there")
}

fn overwrite(root: &TempDir, bytes: &[u8]) {
    fs::write(root.path().join("notes.db"), bytes).expect("it can be written");
}

/// Checks that a store with these bytes is damaged, and is left as it was; returns what is said of it.
fn damage(root: &TempDir, bytes: &[u8]) -> String {
    overwrite(root, bytes);
    let opened = Store::<Old>::open(root.path(), Durability::Flush);
    let read = opened.and_then(|store| store.reader().read("SELECT id, text FROM notes", |_| Ok(true)));
    let error = read.expect_err("damage is noticed");
    assert!(matches!(error, StoreError::Damaged(..)), "{error}");
    let left = fs::read(root.path().join("notes.db")).expect("it is still there");
    assert!(left == bytes, "the file is left as it was");
    error.to_string()
}

#[test]
fn a_file_of_something_else_is_refused_and_left_as_it_was() {
    for statements in
        ["CREATE TABLE theirs (x)", "PRAGMA application_id = 8", "PRAGMA user_version = 1", FIRST]
    {
        let root = directory();
        edit(&root, statements);
        let before = fs::read(root.path().join("notes.db")).expect("it is there");
        let error = refusal::<Old>(root.path());
        assert!(matches!(error, StoreError::Foreign(..)), "{statements}: {error}");
        assert!(error.to_string().ends_with("notes.db is not a file of this database"), "{error}");
        let after = fs::read(root.path().join("notes.db")).expect("it is there");
        assert!(after == before, "{statements}: the file is left as it was");
    }
}

#[test]
fn a_file_whose_beginning_is_garbage_is_damaged() {
    let root = directory();
    let mut bytes = written(&root);
    bytes[..100].fill(0x5a);
    let message = damage(&root, &bytes);
    assert!(message.contains("notes.db is damaged (file is not a database"), "{message}");
    let message = damage(&root, b"What is this?\n".repeat(100).as_slice());
    assert!(message.contains("restore it from a backup"), "{message}");
}

#[test]
fn a_file_with_garbage_in_the_middle_is_damaged() {
    let root = directory();
    let mut bytes = written(&root);
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    let message = damage(&root, &bytes);
    assert!(message.contains("malformed"), "{message}");
}

#[test]
fn a_file_that_was_cut_off_is_damaged() {
    let root = directory();
    let bytes = written(&root);
    for length in [bytes.len() / 2 / 4096 * 4096, bytes.len() - 4096, 4096] {
        let message = damage(&root, &bytes[..length]);
        assert!(message.contains("is damaged ("), "{message}");
    }
}

#[test]
fn a_place_where_no_file_can_be_is_named() {
    let root = directory();
    fs::write(root.path().join("file"), b"").expect("it can be written");
    let error = refusal::<Old>(&root.path().join("file"));
    assert!(matches!(&error, StoreError::Failed(path, _) if path.ends_with("file/notes.db")), "{error}");
    assert!(error.to_string().contains("cannot be used: "), "{error}");

    let error = refusal::<Old>(&root.path().join("file/below"));
    assert!(matches!(error, StoreError::Failed(..)), "{error}");

    fs::create_dir_all(root.path().join("taken/notes.db")).expect("it can be made");
    let error = refusal::<Old>(&root.path().join("taken"));
    assert!(matches!(error, StoreError::Failed(..)), "{error}");
}

/// Permission bits do not bind the superuser, but nobody makes files here.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_takes_no_files_is_named() {
    let error = refusal::<Old>(Path::new("/proc/self"));
    assert!(matches!(error, StoreError::Failed(..)), "{error}");
    assert!(error.to_string().starts_with("/proc/self/notes.db cannot be used: "), "{error}");
}

#[test]
fn a_page_that_is_in_use_and_counted_as_free_is_damage() {
    let root = directory();
    written(&root);
    let mut store = open::<Old>(&root);
    let rows: Vec<Note> = (100..200).map(|id| (id, "")).collect();
    store.commit(&group(2, &rows)).expect("committed");
    drop(store);
    let mut bytes = fs::read(root.path().join("notes.db")).expect("it is there");
    let number = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four"));
    let first = (number(&bytes, 32) as usize - 1) * 4096;
    assert!(number(&bytes, first + 4) > 0, "it lists more free pages");
    // The first of them becomes the root of the notes.
    bytes[first + 8..first + 12].copy_from_slice(&2_u32.to_be_bytes());
    let message = damage(&root, &bytes);
    assert!(message.contains("2nd reference to page 2"), "{message}");
}

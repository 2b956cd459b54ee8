//! [`Flusher`]: what the floor with the flush does on a thread of its own, as a database's store does: what came while a
//! group was written is the next group, and each group is flushed once. It keeps nothing that anybody could read again.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use net::{Conn, Work};

/// What a disk is given at a time.
const PAGE_BYTES: usize = 4096;
/// The length of the file, which is written again from its begin: one that became longer would cost more than the
/// database's log, which is made longer ahead of what is written.
const FILE_BYTES: usize = 4 << 20;

/// Replies that wait for what their requests change.
#[derive(Debug, Default)]
pub struct Group {
    /// For whom, and how long.
    pub(super) replies: Vec<(Conn, usize)>,
    /// What the requests were long.
    pub(super) bytes: usize,
}

/// Writes and flushes group by group.
#[derive(Debug)]
pub struct Flusher {
    file: File,
    place: u64,
    zeros: Vec<u8>,
}

impl Flusher {
    /// Writes into a new file, all of which is there before it is used.
    ///
    /// # Errors
    /// It cannot be made or written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        let zeros = vec![0; FILE_BYTES];
        file.write_all_at(&zeros, 0)?;
        file.sync_all()?;
        Ok(Self { file, place: 0, zeros })
    }

    /// Whole pages, because a disk has no smaller ones, and at least one.
    fn write(&mut self, bytes: usize) -> io::Result<()> {
        let bytes = bytes.max(1).next_multiple_of(PAGE_BYTES).min(FILE_BYTES);
        if self.place as usize + bytes > FILE_BYTES {
            self.place = 0;
        }
        self.file.write_all_at(&self.zeros[..bytes], self.place)?;
        self.place += bytes as u64;
        self.file.sync_data()
    }
}

impl Work for Flusher {
    type Job = Group;
    type Done = (Group, Result<(), ErrorKind>);

    /// Groups that wait share a flush.
    fn join(group: &mut Group, next: Group) -> Option<Group> {
        group.replies.extend(next.replies);
        group.bytes += next.bytes;
        None
    }

    fn run(&mut self, group: Group) -> Self::Done {
        let written = self.write(group.bytes).map_err(|error| error.kind());
        (group, written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_writes_whole_pages_and_the_file_keeps_its_length() {
        let dir = tempfile::tempdir().expect("the system has a folder to give");
        let path = dir.path().join("relay");
        let mut flusher = Flusher::create(&path).expect("it can be made");
        let length = || path.metadata().expect("it is there").len();
        assert_eq!(length(), FILE_BYTES as u64);
        for (bytes, place) in [(0, 1), (1, 2), (PAGE_BYTES, 3), (PAGE_BYTES + 1, 5)] {
            let (_, written) = flusher.run(Group { replies: Vec::new(), bytes });
            assert_eq!((written, flusher.place), (Ok(()), place * PAGE_BYTES as u64), "{bytes}");
        }
        for _ in 0..FILE_BYTES / PAGE_BYTES {
            flusher.write(1).expect("it goes on at the begin");
        }
        flusher.write(usize::MAX / 2).expect("more than fits is as much as fits");
        assert_eq!(length(), FILE_BYTES as u64);
        assert!(Flusher::create(&path).is_err(), "nothing that is there is written over");
        assert!(Flusher::create(&dir.path().join("gone/relay")).is_err());
    }

    #[test]
    fn groups_that_wait_become_one() {
        let group = |bytes| Group { replies: Vec::new(), bytes };
        let mut first = group(100);
        assert!(Flusher::join(&mut first, group(50)).is_none());
        assert_eq!(first.bytes, 150);
    }
}

//! [`OutputFile`]: a file that results will be written to. Whether that can be done is found out long before, without a
//! trace: until the results are there, whatever stands in the file stays.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// What a new file may be read and written by, but for the bits of the user's mask.
const NEW_FILE_MODE: u32 = 0o666;

/// A file that could be written when it was looked at.
pub(crate) struct OutputFile {
    /// As it was named, for messages.
    name: PathBuf,
    kind: Kind,
}

enum Kind {
    /// A device or a pipe, which takes what is written as it comes.
    Stream(File),
    /// A file at this path, which holds no links. Whoever reads it finds all of the old text or all of the new one.
    Whole(PathBuf),
    /// The same, in a folder that takes no other file: it is overwritten.
    InPlace(PathBuf),
}

impl OutputFile {
    /// Looks whether the file can be written. A pipe is opened and waits for its reader.
    ///
    /// # Errors
    /// It cannot; the message names it.
    pub(crate) fn probe(name: &Path) -> Result<Self, String> {
        let kind = Kind::probe(name).map_err(|error| cannot_write(name, &error))?;
        Ok(Self { name: name.to_owned(), kind })
    }

    /// Where it lies, if it keeps what is written.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Stream(_) => None,
            Kind::Whole(path) | Kind::InPlace(path) => Some(path),
        }
    }

    /// Writes all of its text.
    ///
    /// # Errors
    /// It cannot be written any more. One that is replaced as a whole is as it was.
    pub(crate) fn write(&mut self, text: &str) -> Result<(), String> {
        let written = match &mut self.kind {
            Kind::Stream(file) => ignore_broken_pipe(file.write_all(text.as_bytes())),
            Kind::Whole(path) => replace(path, text),
            Kind::InPlace(path) => fs::write(path, text),
        };
        written.map_err(|error| cannot_write(&self.name, &error))
    }
}

impl Kind {
    fn probe(name: &Path) -> io::Result<Self> {
        match fs::metadata(name) {
            Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Ok(found) if found.is_file() => {
                OpenOptions::new().write(true).open(name)?;
                let path = name.canonicalize()?;
                let replaceable = NamedTempFile::new_in(folder(&path)).is_ok();
                Ok(if replaceable { Self::Whole(path) } else { Self::InPlace(path) })
            }
            Ok(_) => OpenOptions::new().write(true).open(name).map(Self::Stream),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::probe_new(name),
            Err(error) => Err(error),
        }
    }

    /// Makes the file and removes it again: its name may be one that cannot be.
    fn probe_new(name: &Path) -> io::Result<Self> {
        let folder = folder(name).canonicalize();
        let folder = folder.map_err(|error| io::Error::new(error.kind(), "its folder does not exist"))?;
        let path = folder.join(name.file_name().ok_or(ErrorKind::InvalidFilename)?);
        OpenOptions::new().write(true).create_new(true).open(name)?;
        fs::remove_file(name)?;
        Ok(Self::Whole(path))
    }
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mode = fs::metadata(path).map(|old| old.permissions());
    let mut new =
        Builder::new().permissions(Permissions::from_mode(NEW_FILE_MODE)).tempfile_in(folder(path))?;
    new.write_all(text.as_bytes())?;
    if let Ok(mode) = mode {
        new.as_file().set_permissions(mode)?;
    }
    new.persist(path)?;
    Ok(())
}

/// Nobody who reads has gone away for want of results.
pub(crate) fn ignore_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn cannot_write(name: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", name.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The names of all files of a folder, in order.
    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn looking_leaves_no_trace_and_writing_replaces_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::write(&old, "before").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o640)).unwrap();
        let (mut old_file, mut new_file) =
            (OutputFile::probe(&old).unwrap(), OutputFile::probe(&new).unwrap());
        assert_eq!(names(dir.path()), ["old"]);
        assert_eq!(fs::read_to_string(&old).unwrap(), "before");
        old_file.write("after").unwrap();
        new_file.write("after").unwrap();
        assert_eq!(names(dir.path()), ["new", "old"]);
        assert_eq!(fs::read_to_string(&old).unwrap(), "after");
        assert_eq!(fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o640);
        // As the user's mask has it for any new file.
        let other = dir.path().join("other");
        fs::write(&other, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&new), mode(&other));
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "before").unwrap();
        symlink("file", &link).unwrap();
        OutputFile::probe(&link).unwrap().write("after").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "after");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_cannot_be_written_is_found_by_looking() {
        let dir = tempfile::tempdir().unwrap();
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let long = "x".repeat(256);
        for name in ["", ".", "missing/file", "file/within", "new/", "dangling", &long] {
            let error = OutputFile::probe(&dir.path().join(name)).err();
            let error = error.unwrap_or_else(|| panic!("{name:?} could be written"));
            assert!(error.starts_with("cannot write /"), "{error}");
        }
        assert_eq!(names(dir.path()), ["dangling", "file"]);
    }

    #[test]
    fn a_device_takes_what_is_written_as_it_comes() {
        OutputFile::probe(Path::new("/dev/null")).unwrap().write("text").unwrap();
        let mut full = OutputFile::probe(Path::new("/dev/full")).unwrap();
        assert!(full.path().is_none());
        let error = full.write("text").unwrap_err();
        assert!(error.starts_with("cannot write /dev/full: No space left"), "{error}");
    }
}

//! [`SecretFile`]: the file with the secret that frontends and databases share. Who sends it, and who demands it, is not
//! known here.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use getopts::Matches;
use services::Secrets;

use crate::command_line::given;
use crate::options::Options;

/// The option that names the file.
pub(crate) const OPTION: &str = "secret-file";

/// More than two of the longest secrets have.
const FILE_BYTES_MAX: u64 = 4096;
/// A shorter secret can be found out by trying, and is warned of.
const SECURE_BYTES_MIN: usize = 16;

/// A file that was read, and can be read again.
#[derive(Clone)]
pub(crate) struct SecretFile {
    path: PathBuf,
    pub(crate) secrets: Secrets,
}

/// Offers the option.
pub(crate) fn add_option(options: &mut Options) {
    let help = "a file with the secret of frontends and databases, in its first line (none)";
    options.value(OPTION, help, "FILE");
}

impl SecretFile {
    /// Reads the file that the command line names, if it does.
    ///
    /// # Errors
    /// It cannot be read, everybody may, or there is no secret in it.
    pub(crate) fn given(matches: &Matches) -> Result<Option<Self>, String> {
        let Some(path) = given(matches, OPTION).map(PathBuf::from) else { return Ok(None) };
        let secrets = read(&path).map_err(|error| format!("--{OPTION}: {error}"))?;
        Ok(Some(Self { path, secrets }))
    }

    /// Reads the file again. What is wrong with it now is logged, and the secrets stay as they are.
    pub(crate) fn reload(&self) {
        let path = self.path.display();
        match read(&self.path) {
            Ok(secrets) => {
                self.secrets.replace(secrets);
                log::info!("event=reloaded what=secret path={path}");
            }
            Err(error) => log::error!("event=reload_failed what=secret path={path} error=\"{error}\""),
        }
    }

    /// Warns of a secret that is not much of one.
    pub(crate) fn warn_if_weak(&self) {
        if self.secrets.shortest_bytes() < SECURE_BYTES_MIN {
            let path = self.path.display();
            log::warn!("event=weak_secret path={path} a secret should have {SECURE_BYTES_MIN} bytes or more");
        }
    }
}

/// What is in a file that not everybody may read, such as a password's.
///
/// # Errors
/// What is wrong with the file, which is named, for people. Nothing of what is in it.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let name = path.display();
    let failed = |error| format!("cannot read {name}: {error}");
    let file = File::open(path).map_err(failed)?;
    check_mode(&file.metadata().map_err(failed)?).map_err(|error| format!("{name} {error}"))?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{name} has more than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

fn read(path: &Path) -> Result<Secrets, String> {
    Secrets::parse(&read_text(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// # Errors
/// It is no file, or one that is not for its owner and group alone.
fn check_mode(metadata: &Metadata) -> Result<(), String> {
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_dir() {
        return Err("is a folder".to_owned());
    }
    if mode & 0o007 != 0 {
        return Err(format!("is open to all users (mode {mode:03o}): chmod o-rwx"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use tempfile::TempDir;

    use super::*;

    fn written(text: &str, mode: u32) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_that_is_not_for_all_is_read() {
        for mode in [0o400, 0o600, 0o640, 0o440] {
            let (_folder, path) = written("a secret\n", mode);
            assert_eq!(&*read(&path).unwrap().first_text(), "a secret");
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_what_is_in_it() {
        let error = |text: &str, mode| {
            let (folder, path) = written(text, mode);
            let error = read(&path).err().unwrap();
            assert!(!error.contains("hush"), "{error}");
            error.replace(folder.path().to_str().unwrap(), "…")
        };
        assert_eq!(error("hush", 0o644), "…/secret is open to all users (mode 644): chmod o-rwx");
        assert_eq!(error("", 0o600), "…/secret: there is no secret in it, or an empty line");
        assert_eq!(error("hush\nhush\nhush", 0o600), "…/secret: it has more than 2 lines");
        assert_eq!(error(&"hush".repeat(300), 0o600), "…/secret: a secret in it is longer than 1024 bytes");
        assert_eq!(error(&"hush".repeat(3000), 0o600), "…/secret has more than 4096 bytes");
        assert!(
            read(Path::new("/nowhere/secret")).is_err_and(|error| error.contains("cannot read /nowhere"))
        );
        assert!(read(Path::new("/")).is_err_and(|error| error == "/ is a folder"));
    }

    #[test]
    fn a_file_that_is_wrong_when_it_is_read_again_changes_nothing() {
        let (_folder, path) = written("old", 0o600);
        let file = SecretFile { secrets: read(&path).unwrap(), path };
        fs::write(&file.path, "").unwrap();
        file.reload();
        assert_eq!(&*file.secrets.first_text(), "old");
        fs::write(&file.path, "new\nold\n").unwrap();
        file.reload();
        assert_eq!(&*file.secrets.first_text(), "new");
    }
}

//! `--store`: the URL of an engine that keeps a database, and the password, which never stands on a command line.

use std::env;
use std::path::{Path, PathBuf};

use getopts::{Matches, Options};
use services::postgres::{Config, Password};

use crate::command_line::given;
use crate::secret_file;

const PASSWORD: &str = "MARKETPLACE_STORE_PASSWORD";
const PASSWORD_FILE: &str = "MARKETPLACE_STORE_PASSWORD_FILE";

/// Offers the option.
pub(crate) fn add_option(options: &mut Options) {
    let help = "postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?…]; the password is taken from the environment: \
        MARKETPLACE_STORE_PASSWORD, or the file that MARKETPLACE_STORE_PASSWORD_FILE names";
    options.optopt("", "store", help, "URL");
}

/// What the command line says, if it has the option.
///
/// # Errors
/// The URL or the password is of no use, and why; neither is quoted.
pub(crate) fn config(matches: &Matches) -> Result<Option<Config>, String> {
    let Some(url) = given(matches, "store") else { return Ok(None) };
    let config = Config::parse(&url, password()?).map_err(|error| format!("--store: {error}"))?;
    Ok(Some(config))
}

fn password() -> Result<Option<Password>, String> {
    let text = match (env::var_os(PASSWORD), env::var_os(PASSWORD_FILE).map(PathBuf::from)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(format!("{PASSWORD} and {PASSWORD_FILE} are both set: one is enough"));
        }
        (Some(text), None) => text.into_string().map_err(|_| format!("{PASSWORD} is no UTF-8"))?,
        (None, Some(file)) => first_line(&file).map_err(|error| format!("{PASSWORD_FILE}: {error}"))?,
    };
    Password::new(&text).map(Some).map_err(|error| format!("{PASSWORD} or its file: {error}"))
}

fn first_line(file: &Path) -> Result<String, String> {
    let text = secret_file::read_text(file)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

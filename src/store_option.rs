//! `--store`: the URL of an engine that keeps a database, and the password, which never stands on a command line.

use std::env;
use std::path::{Path, PathBuf};

use getopts::Matches;
use net::{ByteAddress, ClientTls, Target};
use services::postgres::{Config, Encryption, Host, Password};

use crate::command_line::given;
use crate::options::Options;
use crate::{secret_file, tls};

const PASSWORD: &str = "MARKETPLACE_STORE_PASSWORD";
const PASSWORD_FILE: &str = "MARKETPLACE_STORE_PASSWORD_FILE";

/// An engine, and how connections to its hosts are encrypted.
pub(crate) struct Engine {
    pub(crate) config: Config,
    unverified: ClientTls,
    trusted: Option<ClientTls>,
}

/// Offers the option.
pub(crate) fn add_option(options: &mut Options) {
    let help = "postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?…]; the password is taken from the environment: \
        MARKETPLACE_STORE_PASSWORD, or the file that MARKETPLACE_STORE_PASSWORD_FILE names";
    options.value("store", help, "URL");
}

/// Offers it to a command that does nothing but use the engine.
pub(crate) fn add_options(options: &mut Options) {
    add_option(options);
    let help = "take a server that acknowledges what it has not flushed; for tests and measurement only";
    options.flag("unsafe-no-flush", help);
}

impl Engine {
    /// What the command line says, which must have the option.
    ///
    /// # Errors
    /// It has not, or as those of [`given`](Self::given).
    pub(crate) fn needed(matches: &Matches) -> Result<Self, String> {
        Self::given(matches)?.ok_or_else(|| "--store is missing".to_owned())
    }

    /// What the command line says, if it has the option.
    ///
    /// # Errors
    /// The URL, the password or the authority's certificate is of no use, and why; neither of the first two is quoted.
    pub(crate) fn given(matches: &Matches) -> Result<Option<Self>, String> {
        let Some(url) = given(matches, "store") else { return Ok(None) };
        let mut config = Config::parse(&url, password()?).map_err(|error| format!("--store: {error}"))?;
        config.may_be_unflushed = matches.opt_present("unsafe-no-flush");
        let root = config.root_certificate.as_deref().map(Path::new);
        let trusted = root.map(tls::trusting).transpose();
        let trusted = trusted.map_err(|error| format!("--store: sslrootcert: {error}"))?;
        Ok(Some(Self { config, unverified: ClientTls::unverified(), trusted }))
    }

    /// Its connections, as a node is told of them: each to whichever of the hosts serves.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let addresses: Vec<_> = self
            .config
            .hosts
            .iter()
            .map(|host| ByteAddress { address: host.address(), tls: self.tls(host).cloned() })
            .collect();
        vec![Target::Bytes(addresses); self.config.connections]
    }

    /// How connections to a host are encrypted, if they are.
    pub(crate) fn tls(&self, host: &Host) -> Option<&ClientTls> {
        match host.encryption {
            Encryption::None => None,
            Encryption::Unverified => Some(&self.unverified),
            Encryption::Verified => self.trusted.as_ref(),
        }
    }
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

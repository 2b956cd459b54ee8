//! The files of certificates and keys, and the options that name them. How connections are encrypted is known to `net`
//! alone.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use getopts::Matches;
use net::{BadIdentity, ClientTls, Identity, ServerTls};

use crate::command_line::given;
use crate::options::Options;

/// All options that name files, whoever has them.
pub(crate) const FILE_OPTIONS: [&str; 4] = ["tls-cert", "tls-key", "tls-client-ca", "tls-ca"];

/// More than any chain of certificates has.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a service shows its clients, and whom it serves.
#[derive(Clone)]
pub(crate) struct ServerFiles {
    identity: IdentityFiles,
    client_ca: Option<PathBuf>,
    pub(crate) tls: ServerTls,
}

/// Whom a client trusts, and what it shows.
#[derive(Clone)]
pub(crate) struct ClientFiles {
    ca: PathBuf,
    identity: Option<IdentityFiles>,
    pub(crate) tls: ClientTls,
}

#[derive(Clone)]
struct IdentityFiles {
    certificates: PathBuf,
    key: PathBuf,
}

/// Offers the options of those who accept connections.
pub(crate) fn add_server_options(options: &mut Options) {
    let help = "a PEM file with the certificate, and those up to the authority: speak TLS, and nothing else";
    add_identity_options(options, help);
    let help = "a PEM file with an authority: serve only clients with a certificate of it";
    options.value("tls-client-ca", help, "FILE");
}

/// Offers the options of a certificate, with what it is for.
pub(crate) fn add_identity_options(options: &mut Options, help: &str) {
    options.value("tls-cert", help, "FILE");
    options.value("tls-key", "a PEM file with the key of the certificate", "FILE");
}

/// Offers the option of those who connect.
pub(crate) fn add_client_option(options: &mut Options) {
    let help = "a PEM file with an authority: connect over TLS, to who has a certificate of it";
    options.value("tls-ca", help, "FILE");
}

impl ServerFiles {
    /// Reads the files that the command line names, if it does.
    ///
    /// # Errors
    /// One is missing, cannot be read, or is of no use.
    pub(crate) fn given(matches: &Matches) -> Result<Option<Self>, String> {
        let client_ca = given(matches, "tls-client-ca").map(PathBuf::from);
        let Some(identity) = IdentityFiles::given(matches)? else {
            let missing = || Err("--tls-client-ca needs --tls-cert and --tls-key as well".to_owned());
            return client_ca.map_or(Ok(None), |_| missing());
        };
        let tls = server_tls(&identity, client_ca.as_deref())?;
        Ok(Some(Self { identity, client_ca, tls }))
    }

    /// Warns of a key that all users of the machine may read. It is served all the same, since volumes and tests have such.
    pub(crate) fn warn_if_open(&self) {
        let path = &self.identity.key;
        // One that cannot be looked at cannot be read either, which is said elsewhere.
        let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode() & 0o777);
        if mode & 0o007 != 0 {
            let path = path.display();
            log::warn!("event=open_key path={path} it is open to all users (mode {mode:03o}): chmod o-rwx");
        }
    }

    /// Reads the files again, for connections to come. What is wrong with them now is logged, and all stays as it is.
    pub(crate) fn reload(&self) {
        self.warn_if_open();
        let tls = server_tls(&self.identity, self.client_ca.as_deref());
        reloaded(&self.identity.certificates, tls.map(|tls| self.tls.replace(&tls)));
    }
}

impl ClientFiles {
    /// Reads the files that the command line names, if it does: the authority, and what is shown to those who ask for a
    /// certificate.
    ///
    /// # Errors
    /// One is missing, cannot be read, or is of no use.
    pub(crate) fn given(matches: &Matches) -> Result<Option<Self>, String> {
        let Some(ca) = given(matches, "tls-ca").map(PathBuf::from) else { return Ok(None) };
        let identity = IdentityFiles::given(matches)?;
        let tls = client_tls(&ca, identity.as_ref())?;
        Ok(Some(Self { ca, identity, tls }))
    }

    /// Reads the files again, for connections to come. What is wrong with them now is logged, and all stays as it is.
    pub(crate) fn reload(&self) {
        let tls = client_tls(&self.ca, self.identity.as_ref());
        reloaded(&self.ca, tls.map(|tls| self.tls.replace(&tls)));
    }
}

impl IdentityFiles {
    fn given(matches: &Matches) -> Result<Option<Self>, String> {
        let file = |option| matches.opt_defined(option).then(|| given(matches, option)).flatten();
        match (file("tls-cert"), file("tls-key")) {
            (Some(certificates), Some(key)) => {
                Ok(Some(Self { certificates: certificates.into(), key: key.into() }))
            }
            (None, None) => Ok(None),
            (Some(_), None) => Err("--tls-cert needs --tls-key as well".to_owned()),
            (None, Some(_)) => Err("--tls-key needs --tls-cert as well".to_owned()),
        }
    }

    fn read(&self) -> Result<[Vec<u8>; 2], String> {
        Ok([read(&self.certificates)?, read(&self.key)?])
    }

    /// What is wrong with them, or with the authority, and in which file.
    fn explained(&self, error: &BadIdentity, ca: Option<&Path>) -> String {
        let file = match (error, ca) {
            (BadIdentity::NoAuthority, Some(ca)) => ca,
            (BadIdentity::NoKey, _) => &self.key,
            _ => &self.certificates,
        };
        format!("{}: {error}", file.display())
    }
}

/// What connects to servers with a certificate of the authority in this file.
///
/// # Errors
/// It cannot be read, or is of no use.
pub(crate) fn trusting(ca: &Path) -> Result<ClientTls, String> {
    client_tls(ca, None)
}

fn server_tls(identity: &IdentityFiles, client_ca: Option<&Path>) -> Result<ServerTls, String> {
    let [certificates, key] = identity.read()?;
    let authority = client_ca.map(read).transpose()?;
    ServerTls::new(Identity { certificates: &certificates, key: &key }, authority.as_deref())
        .map_err(|error| identity.explained(&error, client_ca))
}

fn client_tls(ca: &Path, identity: Option<&IdentityFiles>) -> Result<ClientTls, String> {
    let authority = read(ca)?;
    let Some(identity) = identity else {
        return ClientTls::new(&authority, None).map_err(|error| format!("{}: {error}", ca.display()));
    };
    let [certificates, key] = identity.read()?;
    ClientTls::new(&authority, Some(Identity { certificates: &certificates, key: &key }))
        .map_err(|error| identity.explained(&error, Some(ca)))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error: std::io::Error| format!("cannot read {}: {error}", path.display()))
}

fn reloaded(path: &Path, result: Result<(), String>) {
    let path = path.display();
    match result {
        Ok(()) => log::info!("event=reloaded what=tls path={path}"),
        Err(error) => log::error!("event=reload_failed what=tls path={path} error=\"{error}\""),
    }
}

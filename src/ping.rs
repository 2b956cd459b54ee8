//! `marketplace ping`: asks a service whether it answers.

use std::process::ExitCode;
use std::time::Duration;

use getopts::Options;
use net::ClientTls;
use serde_json::value::RawValue;
use services::Secrets;

use crate::client::{CallError, Client, Data, check_address, raw};
use crate::command_line::{self, parse, print, report, usage_error};
use crate::secret_file::{self, SecretFile};
use crate::text;
use crate::tls::{self, ClientFiles};

const BRIEF: &str = "\
Usage: marketplace ping [OPTION]… HOST:PORT

Asks a service whether it answers, and prints what it says.
Exit status: 0 it answers, 1 it answers with an error, 2 usage, 3 no connection or no answer.";
const TIMEOUT_MS: u64 = 2000;
const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// Runs the subcommand.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let mut options = Options::new();
    secret_file::add_option(&mut options);
    tls::add_client_option(&mut options);
    tls::add_identity_options(&mut options, "a PEM file with the certificate to show, if one is asked for");
    options.optopt("", "timeout-ms", "how long to wait for the answer (2000)", "N");
    let matches = match parse(&mut options, BRIEF, args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let timeout_ms = match matches.opt_get_default("timeout-ms", TIMEOUT_MS) {
        Ok(timeout_ms @ 1..=TIMEOUT_MS_MAX) => timeout_ms,
        _ => return usage_error(&format!("--timeout-ms takes 1 to {TIMEOUT_MS_MAX}"), BRIEF),
    };
    let [server] = matches.free.as_slice() else {
        return usage_error("ping takes one HOST:PORT", BRIEF);
    };
    if let Err(message) = check_address(server) {
        return usage_error(&message, BRIEF);
    }
    let secrets = match SecretFile::given(&matches) {
        Ok(file) => file.map(|file| file.secrets),
        Err(message) => return usage_error(&message, BRIEF),
    };
    let tls = match ClientFiles::given(&matches) {
        Ok(files) => files.map(|files| files.tls),
        Err(message) => return usage_error(&message, BRIEF),
    };
    match probe(server, tls, secrets.as_ref(), Duration::from_millis(timeout_ms)) {
        Ok(data) => print(&text::json_line(data.get())),
        Err(error) => {
            report(&format!("error: {}", text::escape(&error.to_string())));
            let answered = matches!(error, CallError::Refused(_));
            ExitCode::from(if answered { command_line::FAILED } else { command_line::CANNOT_CONNECT })
        }
    }
}

/// Sends one `Ping` over a new connection, after a secret if there is one, and returns what the service says about itself.
pub(crate) fn probe(
    server: &str,
    tls: Option<ClientTls>,
    secrets: Option<&Secrets>,
    timeout: Duration,
) -> Result<Box<RawValue>, CallError> {
    let mut client = Client::new(server, tls, timeout);
    if let Some(secrets) = secrets {
        client.call("Authenticate", &Data::from([("secret", raw(&*secrets.first_text()))]), false)?;
    }
    client.call("Ping", &Data::new(), false)
}

//! `marketplace ping`: asks services whether they answer.

use std::process::ExitCode;
use std::time::Duration;

use net::ClientTls;
use serde_json::value::RawValue;
use services::Secrets;

use crate::client::{CallError, Client, Data, check_address, raw};
use crate::command_line::{CANNOT_CONNECT, FAILED, given, print, report, report_output_error, write_out};
use crate::options::Options;
use crate::secret_file::{self, SecretFile};
use crate::service::{Kind, Service};
use crate::subcommand::{Group, Subcommand};
use crate::text;
use crate::tls::{self, ClientFiles};
use crate::usage::Usage;

const BRIEF: &str = "\
Usage: marketplace ping [OPTION]… [HOST:PORT]

Asks a service whether it answers, and prints what it says. Without an address it asks all four of a host,
on the ports 6001 to 6004, and prints a line for each; a secret is sent to the databases alone.
Exit status: 0 it answers, or all do, 1 it answers with an error, 2 usage, 3 no connection or no answer.";
const TIMEOUT_MS: u64 = 2000;
const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// The subcommand.
pub(crate) fn subcommand() -> Subcommand {
    Subcommand::new(Group::Use, "ping", usage, run)
}

/// How services are asked.
struct Question {
    tls: Option<ClientTls>,
    secrets: Option<Secrets>,
    timeout: Duration,
}

fn usage() -> Usage {
    let mut options = Options::new();
    secret_file::add_option(&mut options);
    tls::add_client_option(&mut options);
    tls::add_identity_options(&mut options, "a PEM file with the certificate to show, if one is asked for");
    options.value("host", "whose four services to ask, without HOST:PORT (127.0.0.1)", "ADDR");
    options.value("timeout-ms", "how long to wait for an answer (2000)", "N");
    Usage::new("marketplace ping", "ask services whether they answer", BRIEF, options)
}

fn run(args: &[String]) -> ExitCode {
    let usage = usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let timeout_ms = match matches.opt_get_default("timeout-ms", TIMEOUT_MS) {
        Ok(timeout_ms @ 1..=TIMEOUT_MS_MAX) => timeout_ms,
        _ => return usage.error(&format!("--timeout-ms takes 1 to {TIMEOUT_MS_MAX}")),
    };
    let secrets = match SecretFile::given(&matches) {
        Ok(file) => file.map(|file| file.secrets),
        Err(message) => return usage.error(&message),
    };
    let tls = match ClientFiles::given(&matches) {
        Ok(files) => files.map(|files| files.tls),
        Err(message) => return usage.error(&message),
    };
    let question = Question { tls, secrets, timeout: Duration::from_millis(timeout_ms) };
    let host = given(&matches, "host");
    match matches.free.as_slice() {
        [] => ask_all(host.as_deref().unwrap_or("127.0.0.1"), &question),
        _ if host.is_some() => usage.error("--host and HOST:PORT exclude each other"),
        [server] => match check_address(server) {
            Ok(()) => ask(server, &question),
            Err(message) => usage.error(&message),
        },
        _ => usage.error("ping takes one HOST:PORT, or none"),
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

fn ask(server: &str, question: &Question) -> ExitCode {
    match probe(server, question.tls.clone(), question.secrets.as_ref(), question.timeout) {
        Ok(data) => print(&text::json_line(data.get())),
        Err(error) => {
            report(&format!("error: {}", text::escape(&error.to_string())));
            ExitCode::from(code(&error))
        }
    }
}

/// Asks the four services of a host, on their default ports. That one cannot be reached counts for more than that one is
/// in trouble.
fn ask_all(host: &str, question: &Question) -> ExitCode {
    let mut worst = 0;
    for service in Service::ALL {
        let server = service.address_at(host.trim_matches(['[', ']']));
        let secrets = question.secrets.as_ref().filter(|_| service.kind() == Kind::Database);
        let said = match probe(&server, question.tls.clone(), secrets, question.timeout) {
            Ok(data) => text::json_line(data.get()),
            Err(error) => {
                worst = worst.max(code(&error));
                format!("error: {}\n", text::escape(&error.to_string()))
            }
        };
        // Each at once: the next one may take its time.
        if let Err(error) = write_out(&format!("{service:14} {said}")) {
            report_output_error(&error);
            return ExitCode::from(FAILED);
        }
    }
    ExitCode::from(worst)
}

fn code(error: &CallError) -> u8 {
    if matches!(error, CallError::Refused(_)) { FAILED } else { CANNOT_CONNECT }
}

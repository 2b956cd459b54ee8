//! `marketplace up`: the four services as child processes on one machine.
//!
//! Databases are started before the frontends that call them, and stopped after them.

use std::env;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{START_MAX, STOP_MAX, this_program};
use crate::children::{Children, End, POLL};
use crate::combined_log::CombinedLog;
use crate::command_line::{FAILED, reject_arguments, report, write_out};
use crate::options::Options;
use crate::ping;
use crate::process::stop::StopSignals;
use crate::service::{Kind, Service};
use crate::shell::{BUYER, Role, SELLER};
use crate::subcommand::{Group, Subcommand};
use crate::usage::Usage;

const BRIEF: &str = "\
Usage: marketplace up [OPTION]…

Starts all four services on this machine, on the ports 6001 to 6004. Ctrl-C stops them in order;
another one, a second later or more, kills them. If one of them ends by itself, the others are stopped.";

const PROBE_MAX: Duration = Duration::from_secs(1);
/// From this length on, what a frontend frees goes back to the system, so that buffers of a burst do not stay: without it,
/// the C library keeps what lies below anything that is still in use. A database would pay for it with its speed.
const GIVEN_BACK_FROM: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "32768");

/// The subcommand.
pub(crate) fn subcommand() -> Subcommand {
    Subcommand::new(Group::Start, "up", usage, run)
}

fn usage() -> Usage {
    let mut options = Options::new();
    options.value("data", "where the databases keep their files (./data)", "DIR");
    options.value("host", "the address to listen on (127.0.0.1)", "ADDR");
    Usage::new("marketplace up", "all four services on this machine, until Ctrl-C", BRIEF, options)
}

fn run(args: &[String]) -> ExitCode {
    let usage = usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    if let Err(message) = reject_arguments(&matches) {
        return usage.error(&message);
    }
    let host = matches.opt_str("host").unwrap_or_else(|| "127.0.0.1".to_owned());
    let deployment = Deployment {
        host: host.trim_matches(['[', ']']).to_owned(),
        data: matches.opt_str("data").unwrap_or_else(|| "./data".to_owned()),
    };
    let log = match CombinedLog::start(io::stderr()) {
        Ok(log) => log,
        Err(error) => {
            report(&format!("error: cannot log: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let result = up(&deployment, &log);
    if let Err(message) = &result {
        log.line(&format!("error: {message}"));
    }
    log.finish();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Where the services run.
struct Deployment {
    /// A host name or address, without brackets.
    host: String,
    data: String,
}

impl Deployment {
    fn listen_address(&self, service: Service) -> String {
        service.address_at(&self.host)
    }

    /// The address to connect to. One that means all addresses of the machine is none of them.
    fn connect_address(&self, service: Service) -> String {
        let host = match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1",
            Ok(IpAddr::V6(ip)) if ip.is_unspecified() => "::1",
            _ => &self.host,
        };
        service.address_at(host)
    }

    /// The command line of a service, without the program.
    fn service_args(&self, service: Service) -> Vec<String> {
        let mut args = vec![service.name().to_owned(), "--listen".to_owned(), self.listen_address(service)];
        match service.kind() {
            Kind::Database => args.extend(["--data".to_owned(), self.data.clone()]),
            Kind::Frontend => {
                args.extend(["--customer".to_owned(), self.connect_address(Service::DbCustomer)]);
                args.extend(["--product".to_owned(), self.connect_address(Service::DbProduct)]);
            }
        }
        args
    }

    /// Fails if a port is taken.
    ///
    /// Otherwise a marketplace that runs already would answer in place of the one being started,
    /// and frontends that share their port would even take turns with it.
    fn check_ports(&self) -> Result<(), String> {
        for service in Service::ALL {
            if let Err(error) = TcpListener::bind((self.host.as_str(), service.default_port())) {
                let address = self.listen_address(service);
                return Err(format!("cannot listen on {address} for {service}: {error}"));
            }
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let mut text = String::from("\n");
        for service in Service::ALL {
            text.push_str(&format!("  {service:15} {}\n", self.listen_address(service)));
        }
        let shell = |role: &Role| match self.connect_address(role.service) {
            server if server == role.service.default_address() => format!("marketplace {}", role.name),
            server => format!("marketplace {} --server {server}", role.name),
        };
        text.push_str(&format!("\nThe data is in {}. Ctrl-C stops all four.\n", self.data));
        text.push_str("Next, each in a terminal of its own:\n\n");
        text.push_str(&format!("  {}\n  {}\n\n", shell(&SELLER), shell(&BUYER)));
        text
    }
}

fn is_frontend(name: &str) -> bool {
    Service::from_name(name).is_some_and(|service| service.kind() == Kind::Frontend)
}

fn up(deployment: &Deployment, log: &CombinedLog) -> Result<(), String> {
    let (stops_in, stops) = channel();
    // It fails when nobody waits for a stop any more.
    let caught =
        StopSignals::catch().and_then(|signals| signals.watch(move |stop, _| _ = stops_in.send(stop)));
    caught.map_err(|error| format!("cannot catch signals: {error}"))?;
    deployment.check_ports()?;
    let mut children = Children::new(STOP_MAX, &stops, log);
    let end = match start(deployment, &mut children) {
        Ok(()) => {
            // The services are there, whether or not anybody reads this.
            let _ = write_out(&deployment.summary());
            watch(&mut children)
        }
        Err(end) => end,
    };
    if let End::Failed(message) = &end {
        log.line(&format!("error: {message}"));
    }
    let frontends_stopped = children.stop(is_frontend);
    let databases_stopped = children.stop(|_| true);
    match end {
        End::Signalled if frontends_stopped && databases_stopped => Ok(()),
        End::Signalled => Err("not all services stopped by themselves".to_owned()),
        End::Failed(_) => Err("the marketplace is down".to_owned()),
    }
}

/// Starts the services one by one, each when those before it answer.
fn start(deployment: &Deployment, children: &mut Children<'_>) -> Result<(), End> {
    for service in Service::ALL {
        let mut command = this_program(deployment.service_args(service)).map_err(End::Failed)?;
        let (variable, bytes) = GIVEN_BACK_FROM;
        if service.kind() == Kind::Frontend && env::var_os(variable).is_none() {
            command.env(variable, bytes);
        }
        children.start(service.name(), command)?;
        let give_up_at = Instant::now() + START_MAX;
        while ping::probe(&deployment.connect_address(service), None, None, PROBE_MAX).is_err() {
            children.check()?;
            if Instant::now() > give_up_at {
                return Err(End::Failed(format!(
                    "{service} does not answer after {} s",
                    START_MAX.as_secs()
                )));
            }
            thread::sleep(POLL);
        }
    }
    Ok(())
}

fn watch(children: &mut Children<'_>) -> End {
    loop {
        if let Err(end) = children.check() {
            return end;
        }
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(host: &str) -> Deployment {
        Deployment { host: host.to_owned(), data: "d".to_owned() }
    }

    #[test]
    fn databases_get_the_data_and_frontends_the_databases() {
        assert_eq!(
            deployment("127.0.0.1").service_args(Service::DbProduct),
            ["db_product", "--listen", "127.0.0.1:6002", "--data", "d"]
        );
        assert_eq!(
            deployment("0.0.0.0").service_args(Service::ServerBuyer).join(" "),
            "server_buyer --listen 0.0.0.0:6003 --customer 127.0.0.1:6001 --product 127.0.0.1:6002"
        );
        assert_eq!(
            deployment("::").service_args(Service::ServerSeller).join(" "),
            "server_seller --listen [::]:6004 --customer [::1]:6001 --product [::1]:6002"
        );
    }

    #[test]
    fn the_hint_names_the_server_where_it_is_not_the_default() {
        assert!(deployment("0.0.0.0").summary().contains("  marketplace seller\n  marketplace buyer\n"));
        assert!(deployment("10.0.0.7").summary().contains("marketplace seller --server 10.0.0.7:6004\n"));
    }
}

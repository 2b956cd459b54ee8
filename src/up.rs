//! `marketplace up`: the four services as child processes on one machine.
//!
//! Databases are started before the frontends that call them, and stopped after them.

use std::env;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::process::{Command, ExitCode};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use getopts::Options;

use crate::children::{Children, End, POLL};
use crate::command_line::{FAILED, nothing_more, parse, report, usage_error, write_out};
use crate::log_lines::LogLines;
use crate::ping;
use crate::stop::StopSignals;

const BRIEF: &str = "\
Usage: marketplace up [OPTION]…

Starts all four services on this machine, on the ports 6001 to 6004. Ctrl-C stops them in order;
another one, a second later or more, kills them. If one of them ends by itself, the others are stopped.";

/// In the order in which they are started.
const SERVICES: [(&str, u16); 4] =
    [("db_customer", 6001), ("db_product", 6002), ("server_buyer", 6003), ("server_seller", 6004)];
/// How long a service may take until it answers.
const START_MAX: Duration = Duration::from_secs(60);
/// How long a service may take to stop. It gives itself five seconds.
const STOP_MAX: Duration = Duration::from_secs(6);
const PROBE_MAX: Duration = Duration::from_secs(1);
/// Tells a child which process started it.
pub(crate) const PARENT_VARIABLE: &str = "MARKETPLACE_UP_PID";

/// Runs the subcommand.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let mut options = Options::new();
    options.optopt("", "data", "where the databases keep their files (./data)", "DIR");
    options.optopt("", "host", "the address to listen on (127.0.0.1)", "ADDR");
    let matches = match parse(&mut options, BRIEF, args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    if let Err(message) = nothing_more(&matches) {
        return usage_error(&message, BRIEF);
    }
    let host = matches.opt_str("host").unwrap_or_else(|| "127.0.0.1".to_owned());
    let place = Place {
        host: host.trim_matches(['[', ']']).to_owned(),
        data: matches.opt_str("data").unwrap_or_else(|| "./data".to_owned()),
    };
    let log = match LogLines::start(io::stderr()) {
        Ok(log) => log,
        Err(error) => {
            report(&format!("error: cannot log: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let result = up(&place, &log);
    if let Err(message) = &result {
        log.say(&format!("error: {message}"));
    }
    log.finish();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Ends this service when the `up` that started it ends in whatever way, even by SIGKILL.
///
/// Each service calls this once, at its start. Does nothing if it was started in another way, or
/// on a system other than Linux.
#[cfg(target_os = "linux")]
pub(crate) fn end_with_parent() {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
    let Some(parent) = env::var(PARENT_VARIABLE).ok().and_then(|pid| pid.parse().ok()) else {
        return;
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        report(&format!("error: cannot follow the end of process {parent}: {error}"));
    }
    // It may have ended before we asked to be told.
    if getppid() != Pid::from_raw(parent) {
        std::process::exit(i32::from(FAILED));
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn end_with_parent() {}

/// Whether another process of the marketplace started this one, and ends it.
pub(crate) fn has_parent() -> bool {
    env::var_os(PARENT_VARIABLE).is_some()
}

/// Where the services run.
struct Place {
    /// A host name or address, without brackets.
    host: String,
    data: String,
}

impl Place {
    fn listen_address(&self, port: u16) -> String {
        address(&self.host, port)
    }

    /// The address to connect to. One that means all addresses of the machine is none of them.
    fn connect_address(&self, port: u16) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) if ip.is_unspecified() => address("127.0.0.1", port),
            Ok(IpAddr::V6(ip)) if ip.is_unspecified() => address("::1", port),
            _ => address(&self.host, port),
        }
    }

    fn service_args(&self, service: &str, port: u16) -> Vec<String> {
        let mut args = vec![service.to_owned(), "--listen".to_owned(), self.listen_address(port)];
        if is_frontend(service) {
            let [(_, customer), (_, product), ..] = SERVICES;
            args.extend(["--customer".to_owned(), self.connect_address(customer)]);
            args.extend(["--product".to_owned(), self.connect_address(product)]);
        } else {
            args.extend(["--data".to_owned(), self.data.clone()]);
        }
        args
    }

    /// Fails if a port is taken.
    ///
    /// Otherwise a marketplace that runs already would answer in place of the one being started,
    /// and frontends that share their port would even take turns with it.
    fn check_ports(&self) -> Result<(), String> {
        for (service, port) in SERVICES {
            if let Err(error) = TcpListener::bind((self.host.as_str(), port)) {
                return Err(format!("cannot listen on {} for {service}: {error}", self.listen_address(port)));
            }
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let mut text = String::from("\n");
        for (service, port) in SERVICES {
            text.push_str(&format!("  {service:15} {}\n", self.listen_address(port)));
        }
        let shell = |role: &str, port| match self.connect_address(port) {
            server if server == address("127.0.0.1", port) => format!("marketplace {role}"),
            server => format!("marketplace {role} --server {server}"),
        };
        let [.., (_, buyer), (_, seller)] = SERVICES;
        text.push_str(&format!("\nThe data is in {}. Ctrl-C stops all four.\n", self.data));
        text.push_str("Next, each in a terminal of its own:\n\n");
        text.push_str(&format!("  {}\n  {}\n\n", shell("seller", seller), shell("buyer", buyer)));
        text
    }
}

fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn is_frontend(service: &str) -> bool {
    service.starts_with("server_")
}

fn up(place: &Place, log: &LogLines) -> Result<(), String> {
    let (stops_in, stops) = channel();
    // It fails when nobody waits for a stop any more.
    let caught =
        StopSignals::catch().and_then(|signals| signals.watch(move |stop, _| _ = stops_in.send(stop)));
    caught.map_err(|error| format!("cannot catch signals: {error}"))?;
    place.check_ports()?;
    let mut children = Children::new(STOP_MAX, &stops, log);
    let end = match start(place, &mut children) {
        Ok(()) => {
            // The services are there, whether or not anybody reads this.
            let _ = write_out(&place.summary());
            watch(&mut children)
        }
        Err(end) => end,
    };
    if let End::Failed(message) = &end {
        log.say(&format!("error: {message}"));
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
fn start(place: &Place, children: &mut Children<'_>) -> Result<(), End> {
    let program =
        env::current_exe().map_err(|error| End::Failed(format!("cannot find this program: {error}")))?;
    for (service, port) in SERVICES {
        let mut command = Command::new(&program);
        command.args(place.service_args(service, port)).env(PARENT_VARIABLE, std::process::id().to_string());
        children.start(service, command)?;
        let give_up_at = Instant::now() + START_MAX;
        while ping::probe(&place.connect_address(port), PROBE_MAX).is_err() {
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

    fn place(host: &str) -> Place {
        Place { host: host.to_owned(), data: "d".to_owned() }
    }

    #[test]
    fn databases_get_the_data_and_frontends_the_databases() {
        assert_eq!(
            place("127.0.0.1").service_args("db_product", 6002),
            ["db_product", "--listen", "127.0.0.1:6002", "--data", "d"]
        );
        assert_eq!(
            place("0.0.0.0").service_args("server_buyer", 6003).join(" "),
            "server_buyer --listen 0.0.0.0:6003 --customer 127.0.0.1:6001 --product 127.0.0.1:6002"
        );
        assert_eq!(
            place("::").service_args("server_seller", 6004).join(" "),
            "server_seller --listen [::]:6004 --customer [::1]:6001 --product [::1]:6002"
        );
    }

    #[test]
    fn the_hint_names_the_server_where_it_is_not_the_default() {
        assert!(place("0.0.0.0").summary().contains("  marketplace seller\n  marketplace buyer\n"));
        assert!(place("10.0.0.7").summary().contains("marketplace seller --server 10.0.0.7:6004\n"));
    }
}

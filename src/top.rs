//! `marketplace top`: what services do now, in a terminal: what the page at `--admin` shows in a browser, from the same
//! metrics. Services keep nothing for it.

mod figures;
mod lookup;
mod reading;
mod scrape;
mod screen;
mod table;

use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use net::no_thread;

use crate::client::check_addresses;
use crate::command_line::{CANNOT_CONNECT, FAILED, columns, report, report_output_error, write_out};
use crate::options::Options;
use crate::service::Service;
use crate::subcommand::{Group, Subcommand};
use crate::text;
use crate::usage::Usage;
use figures::Shown;
use lookup::Lookup;
use reading::Reading;
use scrape::Missing;
use screen::Screen;

const BRIEF: &str = "\
Usage: marketplace top [OPTION]… [HOST:PORT …]

Shows each second what services do, asked at their --admin: requests and errors a second, and how long half of all requests
and 99 of 100 take at most. q or Ctrl-C ends. Without an address, those of this machine are asked at the ports 9101 to 9104.
Where the output is no terminal, it is as with --once.
Exit status: 0 all answered, 1 one answers something else, 2 usage, 3 one cannot be reached.";

/// How long it is from one question to the next.
const PAUSE: Duration = Duration::from_secs(1);
/// More than fit on a screen.
const SERVICES_MAX: usize = 64;

/// The subcommand.
pub(crate) fn subcommand() -> Subcommand {
    Subcommand::new(Group::Use, "top", usage, run)
}

fn usage() -> Usage {
    let mut options = Options::new();
    options.flag("once", "show one second, as values between tabs where the output is no terminal");
    Usage::new("marketplace top", "show what services do now", BRIEF, options)
}

fn run(args: &[String]) -> ExitCode {
    let usage = usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let mut services = match addresses(&matches.free) {
        Ok(addresses) => addresses.into_iter().map(Watched::new).collect::<Vec<_>>(),
        Err(message) => return usage.error(&message),
    };
    let done = match columns(&io::stdout()) {
        Some(_) if !matches.opt_present("once") => watch(&mut services).map(|never| match never {}),
        width => once(&mut services, width),
    };
    done.unwrap_or_else(|error| {
        report_output_error(&error);
        ExitCode::from(FAILED)
    })
}

/// A service that is asked again and again.
struct Watched {
    lookup: Lookup,
    /// What it said last, and when.
    last: Option<(Instant, Reading)>,
    shown: Result<Shown, Missing>,
}

impl Watched {
    fn new(address: String) -> Self {
        Self {
            lookup: Lookup::new(&address),
            last: None,
            shown: Err(Missing::NoAnswer("it was not asked yet".to_owned())),
        }
    }

    /// Asks it what it has counted.
    fn ask(&mut self) {
        let last = self.last.take();
        self.shown = scrape::metrics(&mut self.lookup).and_then(|text| {
            let (now, reading) = (Instant::now(), Reading::of(&text).map_err(Missing::NoMetrics)?);
            let before = last.as_ref().map(|(at, before)| (before, now.duration_since(*at)));
            let shown = Shown::of(before, &reading);
            self.last = Some((now, reading));
            Ok(shown)
        });
    }
}

/// Where to ask.
fn addresses(given: &[String]) -> Result<Vec<String>, String> {
    check_addresses(given, SERVICES_MAX)?;
    Ok(if given.is_empty() { Service::ALL.map(Service::default_admin).to_vec() } else { given.to_vec() })
}

/// Asks all of them at the same time, so that one that is slow delays none.
fn ask(services: &mut [Watched]) -> io::Result<()> {
    thread::scope(|scope| {
        for service in services {
            let thread = thread::Builder::new().name("ask".into());
            thread.spawn_scoped(scope, move || service.ask()).map_err(|error| no_thread("ask", &error))?;
        }
        Ok(())
    })
}

/// Shows what happens within a second.
fn once(services: &mut [Watched], width: Option<u16>) -> io::Result<ExitCode> {
    ask(services)?;
    thread::sleep(PAUSE);
    ask(services)?;
    let rows = rows(services);
    write_out(&match width {
        Some(width) => table::text(&rows, width.into(), usize::MAX).join("\n") + "\n",
        None => table::values(&rows),
    })?;
    let mut code = 0;
    for Watched { lookup, shown, .. } in services {
        if let Err(missing) = shown {
            let address = lookup.address();
            report(&format!("error: {address}: {}", text::escape(&missing.to_string())));
            let is_there = matches!(missing, Missing::NoMetrics(_));
            code = code.max(if is_there { FAILED } else { CANNOT_CONNECT });
        }
    }
    Ok(ExitCode::from(code))
}

/// Shows each second what happens, until somebody ends the process.
fn watch(services: &mut [Watched]) -> io::Result<std::convert::Infallible> {
    let screen = Screen::open()?;
    loop {
        let began = Instant::now();
        ask(services)?;
        screen.draw(|width, height| table::text(&rows(services), width, height))?;
        thread::sleep(PAUSE.saturating_sub(began.elapsed()));
    }
}

fn rows(services: &[Watched]) -> Vec<table::Section<'_>> {
    services.iter().map(|service| (service.lookup.address(), service.shown.as_ref())).collect()
}

#![forbid(unsafe_code)]
//! The marketplace's one binary: four services, a way to start them together, and the shells of
//! buyers and sellers.
//!
//! This file only chooses the subcommand. The services themselves live in the crate `services`.

mod backup;
mod bench;
mod child;
mod children;
mod client;
mod combined_log;
mod command_line;
mod copy;
mod migrate;
mod ping;
mod process;
mod secret_file;
mod serve;
mod service;
mod shell;
mod store_option;
mod store_session;
mod text;
mod tls;
mod top;
mod up;

use std::process::ExitCode;

use command_line::{print, usage_error};
use service::Service;

/// Above the list of services.
const USAGE_START: &str = "\
Usage: marketplace SUBCOMMAND [OPTION]…

Start the marketplace:
  up             all four services on this machine, until Ctrl-C
";

/// Below it.
const USAGE_END: &str = "
Use it:
  buyer          buyer's shell, or one command of it
  seller         seller's shell, or one command of it
  ping           ask a service whether it answers
  top            show what services do now

Look after its data:
  backup         copy the databases, also while they run
  restore        put a backup in their place
  migrate        make or update the tables of a store that is no file
  copy           copy the databases into these tables

Measure it:
  bench          the load generator

Options:
  -h, --help     print this help; works after each subcommand as well
  --version      print the version

Exit status: 0 done, 1 the service answered with an error, 2 usage, 3 cannot connect.
";

fn main() -> ExitCode {
    let mut args = Vec::new();
    for arg in std::env::args_os().skip(1) {
        match arg.into_string() {
            Ok(arg) => args.push(arg),
            Err(arg) => return usage_error(&format!("not UTF-8: {}", arg.display()), &usage()),
        }
    }
    let Some((subcommand, rest)) = args.split_first() else {
        return usage_error("a subcommand is missing", &usage());
    };
    let code = match subcommand.as_str() {
        "backup" => backup::backup(rest),
        "bench" => bench::run(rest),
        "up" => up::run(rest),
        "copy" => copy::run(rest),
        "buyer" => shell::run(&shell::BUYER, rest),
        "seller" => shell::run(&shell::SELLER, rest),
        "migrate" => migrate::run(rest),
        "ping" => ping::run(rest),
        "restore" => backup::restore(rest),
        "top" => top::run(rest),
        "-h" | "--help" | "help" => print(&usage()),
        "--version" => print(concat!("marketplace ", env!("CARGO_PKG_VERSION"), "\n")),
        name => match Service::from_name(name) {
            Some(service) => serve::run(service, rest),
            None => usage_error(&format!("no subcommand {name:?}"), &usage()),
        },
    };
    log::logger().flush();
    code
}

fn usage() -> String {
    let services = Service::ALL.map(|service| format!("  {service:14} {}\n", service.summary()));
    [USAGE_START, &services.concat(), USAGE_END].concat()
}

#![forbid(unsafe_code)]
//! The marketplace's one binary: four services, a way to start them together, and the shells of
//! buyers and sellers.
//!
//! This file only chooses the subcommand. The services themselves live in the crate `services`.

mod backup;
mod bench;
mod children;
mod client;
mod command_line;
mod descriptors;
mod log_lines;
mod logging;
mod ping;
mod serve;
mod shell;
mod status;
mod stop;
mod text;
mod up;

use std::process::ExitCode;

use command_line::{print, usage_error};

const USAGE: &str = "\
Usage: marketplace SUBCOMMAND [OPTION]…

Start the marketplace:
  up             all four services on this machine, until Ctrl-C
  db_customer    the database of accounts, sessions, carts and purchases
  db_product     the database of items, stock and feedback
  server_buyer   the service that buyers connect to
  server_seller  the service that sellers connect to

Use it:
  buyer          buyer's shell, or one command of it
  seller         seller's shell, or one command of it
  ping           ask a service whether it answers

Look after its data:
  backup         copy the databases, also while they run
  restore        put a backup in their place

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
            Err(arg) => return usage_error(&format!("not UTF-8: {}", arg.display()), USAGE),
        }
    }
    let Some((subcommand, rest)) = args.split_first() else {
        return usage_error("a subcommand is missing", USAGE);
    };
    match subcommand.as_str() {
        "backup" => backup::backup(rest),
        "bench" => bench::run(rest),
        "up" => up::run(rest),
        "db_customer" | "db_product" | "server_buyer" | "server_seller" => serve::run(subcommand, rest),
        "buyer" => shell::run(&shell::BUYER, rest),
        "seller" => shell::run(&shell::SELLER, rest),
        "ping" => ping::run(rest),
        "restore" => backup::restore(rest),
        "-h" | "--help" | "help" => print(USAGE),
        "--version" => print(concat!("marketplace ", env!("CARGO_PKG_VERSION"), "\n")),
        unknown => usage_error(&format!("no subcommand {unknown:?}"), USAGE),
    }
}

#![forbid(unsafe_code)]
//! The marketplace's one binary: four services, a way to start them together, and the shells of
//! buyers and sellers.
//!
//! This file only lists the subcommands and chooses one. The services themselves live in the crate `services`.

mod backup;
mod bench;
mod child;
mod children;
mod client;
mod colours;
mod combined_log;
mod command_line;
mod completions;
mod copy;
mod demo;
mod help;
mod manual;
mod migrate;
mod narrow;
mod options;
mod output_file;
mod ping;
mod process;
mod secret_file;
mod serve;
mod service;
mod shell;
mod store_option;
mod store_session;
mod subcommand;
mod suggestion;
mod text;
mod tls;
mod up;
mod usage;

use std::process::ExitCode;

use command_line::print;
use service::Service;
use subcommand::Subcommand;

fn main() -> ExitCode {
    let mut args = Vec::new();
    for arg in std::env::args_os().skip(1) {
        match arg.into_string() {
            Ok(arg) => args.push(arg),
            Err(arg) => return help::wrong(&format!("not UTF-8: {}", arg.display())),
        }
    }
    let Some((name, rest)) = args.split_first() else {
        return help::wrong("a subcommand is missing");
    };
    let code = match name.as_str() {
        "-h" | "--help" => help::run(subcommands, rest),
        "-V" | "--version" => print(concat!("marketplace ", env!("CARGO_PKG_VERSION"), "\n")),
        name => match subcommands().into_iter().find(|subcommand| subcommand.name == name) {
            Some(subcommand) => subcommand.run(rest),
            None => help::unknown(subcommands, name),
        },
    };
    log::logger().flush();
    code
}

/// All that may follow the program's name, in the order of its help.
fn subcommands() -> Vec<Subcommand> {
    let services = Service::ALL.map(serve::subcommand);
    let others = [
        shell::subcommand(&shell::BUYER),
        shell::subcommand(&shell::SELLER),
        demo::subcommand(),
        ping::subcommand(),
        backup::subcommand(),
        backup::restore_subcommand(),
        migrate::subcommand(),
        copy::subcommand(),
        bench::subcommand(),
        help::subcommand(subcommands),
        completions::subcommand(subcommands),
        manual::subcommand(subcommands),
    ];
    [up::subcommand()].into_iter().chain(services).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subcommand_has_a_name_of_its_own_and_explains_itself() {
        let all = subcommands();
        for subcommand in &all {
            let usage = subcommand.usage();
            assert_eq!(usage.path, format!("marketplace {}", subcommand.name));
            assert!(usage.brief.starts_with(&format!("Usage: {}", usage.path)), "{}", usage.brief);
            assert!(!usage.summary.is_empty() && !usage.summary.ends_with('.'), "{}", usage.path);
            assert_eq!(all.iter().filter(|other| other.name == subcommand.name).count(), 1);
            for command in &usage.commands {
                assert_eq!(command.path, format!("{} {}", usage.path, command.name()));
            }
        }
    }
}

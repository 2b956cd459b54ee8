//! `marketplace help`: all subcommands, or all about one of them.

use std::process::ExitCode;

use crate::command_line::usage_error;
use crate::narrow::print_help;
use crate::options::Options;
use crate::subcommand::{Group, List, Subcommand};
use crate::suggestion::did_you_mean;
use crate::usage::{Usage, Words, row};

/// How the program is called.
const USAGE: &str = "Usage: marketplace SUBCOMMAND [OPTION]…\n";

const OPTIONS: &str = "
Options:
  -h, --help      print this help; works after each subcommand as well
  -V, --version   print the version

Exit status: 0 done, 1 the service answered with an error, 2 usage, 3 cannot connect.
";

const BRIEF: &str = "\
Usage: marketplace help [SUBCOMMAND [COMMAND]…]

Explains a subcommand or one of its commands, as in `marketplace help buyer search`. Without one, lists all
subcommands.";

/// The subcommand, which explains those of the list.
pub(crate) fn subcommand(list: List) -> Subcommand {
    let usage = move || {
        let names = list().iter().map(|subcommand| subcommand.name.to_owned()).collect();
        Usage { operands: Words::OneOf(names), ..bare_usage() }
    };
    Subcommand::new(Group::Explain, "help", usage, move |args| run(list, args))
}

/// Explains what these words stand for; all, if there are none.
pub(crate) fn run(list: List, args: &[String]) -> ExitCode {
    let words = match bare_usage().parse(args) {
        Ok(matches) => matches.free,
        Err(code) => return code,
    };
    let Some((name, rest)) = words.split_first() else {
        return print_help(&overview(list()));
    };
    let Some(subcommand) = list().into_iter().find(|subcommand| subcommand.name == name) else {
        return unknown(list, name);
    };
    let mut usage = subcommand.usage();
    for word in rest {
        let position = usage.commands.iter().position(|command| command.name() == word);
        let Some(position) = position else {
            let names = usage.commands.iter().map(Usage::name);
            let meant = did_you_mean(word, names);
            return usage.error(&format!("{} has no command {word:?}{meant}", usage.path));
        };
        usage = usage.commands.swap_remove(position);
    }
    print_help(&usage.help())
}

/// Reports that there is no such subcommand, and which one may have been meant.
pub(crate) fn unknown(list: List, name: &str) -> ExitCode {
    let subcommands = list();
    let meant = did_you_mean(name, subcommands.iter().map(|subcommand| subcommand.name));
    wrong(&format!("no subcommand {name:?}{meant}"))
}

/// Reports a mistake in what is no subcommand's command line.
pub(crate) fn wrong(message: &str) -> ExitCode {
    usage_error(message, USAGE)
}

fn bare_usage() -> Usage {
    Usage::new("marketplace help", "explain a subcommand, or one of its commands", BRIEF, Options::new())
}

fn overview(subcommands: Vec<Subcommand>) -> String {
    let mut text = USAGE.to_owned();
    for group in Group::ALL {
        text += &format!("\n{}:\n", group.title());
        for subcommand in subcommands.iter().filter(|subcommand| subcommand.group == group) {
            text += &row(subcommand.name, &subcommand.usage().summary);
        }
    }
    text + OPTIONS
}

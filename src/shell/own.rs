//! The shell's own commands, which begin with a backslash: they are about how things are shown, and no service hears of
//! them. What they do is done elsewhere.

use std::time::Duration;

use super::screen::Expanded;
use crate::suggestion::did_you_mean;
use crate::usage;

/// What one of them asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Own {
    /// Show rows so, or in the other way if none is named.
    Expanded(Option<Expanded>),
    /// Say how long a service took, or not; the opposite of what is, if neither is named.
    Timing(Option<bool>),
    /// Repeat the command before it.
    Watch(Duration),
    Help,
}

/// Begins them.
const MARK: char = '\\';

/// One of them, for those who want to know what there is.
struct Described {
    name: &'static str,
    /// What may follow it, as help shows it.
    argument: &'static str,
    /// The words that may.
    choices: &'static [&'static str],
    summary: &'static str,
}

const COMMANDS: [Described; 4] = [
    Described {
        name: r"\x",
        argument: "[on|off|auto]",
        choices: &["on", "off", "auto"],
        summary: "show each row as lines; auto does so where a table has no room",
    },
    Described {
        name: r"\timing",
        argument: "[on|off]",
        choices: &["on", "off"],
        summary: "say how long the service took to answer",
    },
    Described {
        name: r"\watch",
        argument: "[SECONDS]",
        choices: &[],
        summary: "repeat the last command, each 2 seconds unless told otherwise, until Ctrl-C",
    },
    Described { name: r"\?", argument: "", choices: &[], summary: "this list" },
];

const SECONDS_DEFAULT: f64 = 2.0;
const SECONDS_MIN: f64 = 0.1;
const SECONDS_MAX: f64 = 86_400.0;

/// Whether a line is a command of the shell's own.
pub(crate) fn is_own(line: &str) -> bool {
    line.trim_start().starts_with(MARK)
}

/// What such a line asks for. An `Err` says what is wrong with it.
pub(crate) fn parse(line: &str) -> Result<Own, String> {
    let mut words = line.split_whitespace();
    let (name, argument) = (words.next().unwrap_or_default(), words.next());
    if let Some(word) = words.next() {
        return Err(format!("unexpected argument {word:?}"));
    }
    let wrong = |form: &str| Err(format!("{name} takes {form}, not {:?}", argument.unwrap_or_default()));
    match (name, argument) {
        (r"\x", None) => Ok(Own::Expanded(None)),
        (r"\x", Some("on")) => Ok(Own::Expanded(Some(Expanded::On))),
        (r"\x", Some("off")) => Ok(Own::Expanded(Some(Expanded::Off))),
        (r"\x", Some("auto")) => Ok(Own::Expanded(Some(Expanded::Auto))),
        (r"\x", _) => wrong("on, off or auto"),
        (r"\timing", None) => Ok(Own::Timing(None)),
        (r"\timing", Some("on")) => Ok(Own::Timing(Some(true))),
        (r"\timing", Some("off")) => Ok(Own::Timing(Some(false))),
        (r"\timing", _) => wrong("on or off"),
        (r"\watch", None) => Ok(Own::Watch(Duration::from_secs_f64(SECONDS_DEFAULT))),
        (r"\watch", Some(seconds)) => match seconds.parse() {
            Ok(seconds) if (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) => {
                Ok(Own::Watch(Duration::from_secs_f64(seconds)))
            }
            _ => wrong(&format!("seconds, a number from {SECONDS_MIN} to {SECONDS_MAX}")),
        },
        (r"\?", None) => Ok(Own::Help),
        (r"\?", Some(_)) => wrong("nothing"),
        (name, _) => {
            let shown: String = name.chars().take(40).collect();
            let meant = did_you_mean(&shown, COMMANDS.iter().map(|command| command.name));
            Err(format!("no command \"{shown}\"{meant}; `\\?` lists them all"))
        }
    }
}

/// The list of all of them.
pub(crate) fn overview() -> String {
    let called = |command: &Described| format!("{} {}", command.name, command.argument);
    COMMANDS.iter().map(|command| format!("  {:17} {}\n", called(command), command.summary)).collect()
}

/// Where that list is, for the list of all other commands.
pub(crate) fn row() -> String {
    usage::row(r"\?", "commands about how things are shown")
}

/// What may follow the words `before`, which are such a command, or nothing yet.
pub(crate) fn candidates(before: &str) -> Vec<&'static str> {
    match before.split_whitespace().next() {
        None => COMMANDS.iter().map(|command| command.name).collect(),
        Some(name) => {
            let command = COMMANDS.iter().find(|command| command.name == name);
            command.map(|command| command.choices.to_vec()).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_understood_or_explained() {
        let seconds = |seconds| Ok(Own::Watch(Duration::from_secs_f64(seconds)));
        for (line, meaning) in [
            (r"\x", Ok(Own::Expanded(None))),
            (r" \x  auto ", Ok(Own::Expanded(Some(Expanded::Auto)))),
            (r"\timing off", Ok(Own::Timing(Some(false)))),
            (r"\watch", seconds(2.0)),
            (r"\watch 0.5", seconds(0.5)),
            (r"\?", Ok(Own::Help)),
        ] {
            assert_eq!(parse(line), meaning, "{line}");
        }
        for (line, what) in [
            (r"\x maybe", "on, off or auto"),
            (r"\timing 3", "on or off"),
            (r"\watch 0", "from 0.1 to 86400"),
            (r"\watch -1", "from 0.1 to 86400"),
            (r"\watch inf", "from 0.1 to 86400"),
            (r"\watch NaN", "from 0.1 to 86400"),
            (r"\watch 2s", "not \"2s\""),
            (r"\x on off", "\"off\""),
            (r"\tming", "did you mean \"\\timing\"?"),
            (r"\", "lists them all"),
            (r"\q", "lists them all"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }

    #[test]
    fn all_are_listed_and_completed() {
        for name in candidates("") {
            assert!(overview().contains(&format!("  {name} ")), "{name}");
        }
        assert_eq!(candidates(r"\x "), ["on", "off", "auto"]);
        assert!(candidates(r"\watch ").is_empty());
    }
}

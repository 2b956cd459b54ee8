//! Turns the words of a command line into the `data` of a request.

use serde_json::value::RawValue;

use super::command::{Command, HELP_SUMMARY, Kind, Parameter, Role};
use crate::client::{Data, raw};
use crate::options::Options;
use crate::usage::{Usage, Words};

/// What a command's words ask for.
pub(crate) enum Arguments {
    Help,
    Call {
        /// All fields that were given. A password may be missing still.
        data: Data,
        /// Whether `--json` was among the words.
        json: bool,
        /// Whether `--header` was.
        header: bool,
    },
}

/// Stands before a negative number, so that it is not taken for an option. No value that is given
/// by position may hold a control character.
const NEGATIVE_MARK: char = '\u{1}';

/// Parses the `words` that follow the command's name. An `Err` says what is wrong with them.
pub(crate) fn parse(command: &Command, words: &[String]) -> Result<Arguments, String> {
    let words = mark_negative_numbers(command, words);
    let matches = options(command).parse(&words)?;
    if matches.opt_present("help") {
        return Ok(Arguments::Help);
    }
    let mut free =
        matches.free.iter().map(|word| word.strip_prefix(NEGATIVE_MARK).unwrap_or(word).to_owned());
    let mut data = Data::new();
    for parameter in command.parameters {
        let mut values = matches.opt_strs(parameter.flag);
        if parameter.positional && parameter.kind == Kind::TextList {
            values.extend(free.by_ref());
        } else if parameter.positional && values.is_empty() {
            values.extend(free.next());
        }
        let given = match parameter.kind {
            Kind::Flag => matches.opt_present(parameter.flag).then(|| raw(&true)),
            Kind::TextList => (!values.is_empty()).then(|| raw(&values)),
            _ => values.first().map(|value| scalar(parameter, value)).transpose()?,
        };
        match given {
            Some(value) => drop(data.insert(parameter.field, value)),
            None if parameter.required && !parameter.is_secret() => return Err(missing(parameter)),
            None => {}
        }
    }
    match free.next() {
        // The word may be a password.
        Some(_) if command.secrets().next().is_some() => {
            Err("unexpected argument; put quotation marks around a value with spaces".to_owned())
        }
        Some(word) => Err(format!("unexpected argument {word:?}")),
        None => {
            let (json, header) = (matches.opt_present("json"), matches.opt_present("header"));
            Ok(Arguments::Call { data, json, header })
        }
    }
}

/// What one command takes. `prefix` is what stands before its name, if anything does.
pub(crate) fn usage(command: &Command, prefix: &str) -> Usage {
    let brief = format!("Usage: {prefix}{}\n\n{}: {}.", command.usage_line(), command.name, command.summary);
    Usage::new(&format!("{prefix}{}", command.name), command.summary, &brief, options(command))
}

/// What `help` takes.
pub(crate) fn help_usage(role: &Role, prefix: &str) -> Usage {
    let path = format!("{prefix}help");
    let brief = format!("Usage: {path} [COMMAND]\n\nLists all commands, or explains the one named after it.");
    let names = role.commands.iter().map(|command| command.name.to_owned()).collect();
    Usage { operands: Words::OneOf(names), ..Usage::new(&path, HELP_SUMMARY, &brief, Options::new()) }
}

fn options(command: &Command) -> Options {
    let mut options = Options::new();
    for parameter in command.parameters {
        let (flag, help, hint) = (parameter.flag, parameter.help, parameter.placeholder());
        match parameter.kind {
            Kind::Flag => options.flag(flag, help),
            Kind::TextList => options.values(flag, help, &hint),
            _ => options.value(flag, help, &hint),
        }
    }
    options.flag("json", "print the reply's data as one line of JSON");
    options.flag("header", "begin tab-separated values with a line of their names");
    options
}

/// `units 1:42 -3` means minus three; only where an option takes a value is it that value.
fn mark_negative_numbers(command: &Command, words: &[String]) -> Vec<String> {
    let takes_value = |word: &String| {
        let flag = word.strip_prefix("--").unwrap_or_default();
        command.parameters.iter().any(|parameter| parameter.flag == flag && parameter.kind != Kind::Flag)
    };
    let mut marked = Vec::with_capacity(words.len());
    for (i, word) in words.iter().enumerate() {
        let negative =
            word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let is_option_value = i > 0 && takes_value(&words[i - 1]);
        marked.push(if negative && !is_option_value {
            format!("{NEGATIVE_MARK}{word}")
        } else {
            word.clone()
        });
    }
    marked
}

fn scalar(parameter: &Parameter, value: &str) -> Result<Box<RawValue>, String> {
    let wrong = |form: &str| format!("{} must be {form}, not {value:?}", parameter.placeholder());
    match parameter.kind {
        Kind::Integer => number(value)
            .filter(|number| !number.get().contains(['.', 'e', 'E']))
            .ok_or_else(|| wrong("a whole number")),
        Kind::Decimal => number(value).ok_or_else(|| wrong("a number such as 19.99")),
        _ => Ok(raw(value)),
    }
}

/// `text` as a JSON number of the same digits: a price never passes through binary floating point.
fn number(text: &str) -> Option<Box<RawValue>> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !digits.strip_prefix('-').unwrap_or(digits).starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    RawValue::from_string(digits.to_owned()).ok()
}

fn missing(parameter: &Parameter) -> String {
    if parameter.positional {
        format!("{} is missing", parameter.placeholder())
    } else {
        format!("--{} is missing", parameter.flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{BUYER, SELLER};

    /// The request's data that a line leads to, as JSON.
    fn data(line: &str) -> Result<String, String> {
        let words = shlex::split(line).unwrap();
        let command = SELLER.command(&words[0]).or_else(|| BUYER.command(&words[0])).unwrap();
        match parse(command, &words[1..])? {
            Arguments::Help => Ok("help".to_owned()),
            Arguments::Call { data, .. } => Ok(serde_json::to_string(&data).unwrap()),
        }
    }

    #[test]
    fn options_and_positions_mean_the_same() {
        let expected = r#"{"item_id":"1:42","price":9.99}"#;
        for line in ["price 1:42 9.99", "price --item 1:42 --price=9.99", "price --price 9.99 1:42"] {
            assert_eq!(data(line).unwrap(), expected, "{line}");
        }
        assert_eq!(
            data("register --name 'Intro to DS' --category 1 --keyword book --keyword cs --condition new --price 19.99 --quantity 5").unwrap(),
            r#"{"category":1,"condition":"new","keywords":["book","cs"],"name":"Intro to DS","price":19.99,"quantity":5}"#
        );
        assert_eq!(
            data("search book cs --category 1").unwrap(),
            r#"{"category":1,"keywords":["book","cs"]}"#
        );
        assert_eq!(data("search --keyword a b").unwrap(), r#"{"keywords":["a","b"]}"#);
        assert_eq!(data("search").unwrap(), "{}", "what is too little is the service's to say");
        assert_eq!(data("items --sold-out").unwrap(), r#"{"sold_out":true}"#);
        assert_eq!(data("login ann").unwrap(), r#"{"username":"ann"}"#);
        let expected = r#"{"password":"secret2","username":"ann"}"#;
        for line in ["login ann secret2", "login ann --password secret2", "login --user ann secret2"] {
            assert_eq!(data(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        for price in ["19.99", "19.990", "1000000000.00", "123456789012345678901234567890.10", "-1", "1e2"] {
            assert_eq!(
                data(&format!("price 1:42 {price}")).unwrap(),
                format!(r#"{{"item_id":"1:42","price":{price}}}"#)
            );
        }
        for price in ["", "x", ".5", "5.", "1,5", "0x10", "NaN", "--", "1 2", "007", "[1]", "null"] {
            assert!(data(&format!("price 1:42 --price '{price}'")).is_err(), "{price}");
        }
    }

    #[test]
    fn negative_numbers_are_no_options() {
        let expected = r#"{"item_id":"1:42","quantity_delta":-3}"#;
        for line in [
            "units 1:42 -3",
            "units 1:42 --delta -3",
            "units 1:42 --delta=-3",
            "units -- 1:42 -3",
            "units --item 1:42 -3",
        ] {
            assert_eq!(data(line).unwrap(), expected, "{line}");
        }
        assert_eq!(data("units 1:42 +3").unwrap(), r#"{"item_id":"1:42","quantity_delta":3}"#);
        assert_eq!(data("units -3 5").unwrap(), r#"{"item_id":"-3","quantity_delta":5}"#);
        assert!(data("units 1:42 -3.5").unwrap_err().contains("whole number"));
        assert!(data("units 1:42 -x").is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(data("price 1:42").unwrap_err().contains("PRICE"));
        assert!(data("register --name x").unwrap_err().contains("--category"));
        assert!(data("item 1:42 1:43").unwrap_err().contains("1:43"));
        assert!(data("item 1:42 --item 1:43").unwrap_err().contains("1:42"), "given in both ways");
        assert!(data("search --category one").unwrap_err().contains("CATEGORY"));
        assert!(data("search --categories 1").is_err());
        for line in ["login ann secret2 x", "create-account ann secret2"] {
            assert!(!data(line).unwrap_err().contains("secret2"), "a password must not be repeated: {line}");
        }
        assert!(data("search --limit 1 --limit 2").is_err());
    }

    #[test]
    fn every_command_explains_itself() {
        for role in [&BUYER, &SELLER] {
            for command in role.commands {
                assert!(
                    matches!(parse(command, &["-h".to_owned()]), Ok(Arguments::Help)),
                    "{}",
                    command.name
                );
                let help = usage(command, "").help();
                assert!(help.starts_with(&format!("Usage: {}", command.name)), "{help}");
                assert!(help.contains(command.summary), "{help}");
                for parameter in command.parameters {
                    assert!(help.contains(&format!("--{}", parameter.flag)), "{help}");
                }
                assert!(role.overview().contains(&format!("  {} ", command.name)));
            }
        }
    }
}

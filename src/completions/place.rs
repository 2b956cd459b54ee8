//! [`Place`]: a place in a command line, and what may stand there.

use crate::options::Described;
use crate::usage::{Usage, Words};

/// What may follow the words of a path.
pub(crate) struct Place {
    /// Such as `marketplace bench growth`.
    pub(crate) path: String,
    pub(crate) options: Vec<Choice>,
    /// The words that lead to another place.
    pub(crate) commands: Vec<Choice>,
    /// What completes any other word.
    pub(crate) operands: Words,
}

/// A word that can be chosen, and what it is for.
pub(crate) struct Choice {
    /// An option has its dashes.
    pub(crate) word: String,
    pub(crate) help: String,
    /// What follows it, if it is an option that takes a value.
    pub(crate) value: Option<Words>,
}

impl Place {
    /// The options that take a value, and what completes that.
    pub(crate) fn values(&self) -> impl Iterator<Item = (String, &Words)> {
        let values = self.options.iter().filter_map(|option| Some((option, option.value.as_ref()?)));
        values.map(|(option, value)| (format!("{} {}", self.path, option.word), value))
    }
}

/// All places, of which the first is where the program's name was typed.
pub(crate) fn all(subcommands: Vec<Usage>) -> Vec<Place> {
    let mut options = vec![flag("--help", "print all subcommands")];
    options.push(flag("--version", "print the version"));
    let commands = subcommands.iter().map(command).collect();
    let mut places =
        vec![Place { path: "marketplace".to_owned(), options, commands, operands: Words::Unknown }];
    subcommands.iter().for_each(|usage| add(usage, &mut places));
    places
}

fn add(usage: &Usage, places: &mut Vec<Place>) {
    let options = usage.options.all().iter().map(option).chain([flag("--help", "print this help")]);
    let commands = usage.commands.iter().map(command).collect();
    places.push(Place {
        path: usage.path.clone(),
        options: options.collect(),
        commands,
        operands: usage.operands.clone(),
    });
    usage.commands.iter().for_each(|usage| add(usage, places));
}

fn command(usage: &Usage) -> Choice {
    flag(usage.name(), &usage.summary)
}

fn option(option: &Described) -> Choice {
    let value = option.placeholder.as_deref().map(|placeholder| match placeholder {
        _ if !option.choices.is_empty() => {
            Words::OneOf(option.choices.iter().map(|&choice| choice.to_owned()).collect())
        }
        placeholder if placeholder.starts_with("FILE") => Words::Files,
        placeholder if placeholder.starts_with("DIR") => Words::Folders,
        _ => Words::Unknown,
    });
    Choice { word: format!("--{}", option.name), help: option.help.clone(), value }
}

/// The arms of a `case "$at $before"` that goes on to the next place, in bash as in zsh.
pub(crate) fn steps(places: &[Place]) -> String {
    let taking = patterns(places.iter().flat_map(Place::values).map(|(option, _)| option), " | ");
    let deeper = patterns(places[1..].iter().map(|place| place.path.clone()), " | ");
    format!(
        "            {taking}) ;;
            *)
                case \"$at $word\" in
                    {deeper}) at=\"$at $word\" ;;
                esac
                ;;
"
    )
}

/// Patterns of a `case`, each in quotation marks, for what the names of this program are made of.
pub(crate) fn patterns(words: impl Iterator<Item = String>, between: &str) -> String {
    words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(between)
}

fn flag(word: &str, help: &str) -> Choice {
    Choice { word: word.to_owned(), help: help.to_owned(), value: None }
}

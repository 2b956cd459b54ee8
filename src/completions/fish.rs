//! The script for fish.

use super::place::{Place, patterns};
use crate::usage::Words;

const START: &str = r#"# Completes the words after `marketplace` in fish. Printed by `marketplace completions fish`.

function __marketplace_at
    set -l at marketplace
    set -l before
    for word in (commandline -opc)[2..]
        switch "$at $before"
"#;

const LOOK: &str = "
        end
        set before $word
    end
    test \"$at\" = \"$argv\"
end

complete -c marketplace -f
";

/// The script for these places.
pub(super) fn script(places: &[Place]) -> String {
    let taking = patterns(places.iter().flat_map(Place::values).map(|(option, _)| option), " ");
    let deeper = patterns(places[1..].iter().map(|place| place.path.clone()), " ");
    let mut script = START.to_owned();
    script +=
        &format!("            case {taking}\n            case '*'\n                switch \"$at $word\"\n");
    script += &format!("                    case {deeper}\n                        set at \"$at $word\"\n");
    script += "                end";
    script += LOOK;
    for place in places {
        let start = format!("complete -c marketplace -n '__marketplace_at {}'", place.path);
        for command in &place.commands {
            script += &format!("{start} -a '{}' -d {}\n", command.word, quoted(&command.help));
        }
        for option in &place.options {
            let (name, help) = (option.word.trim_start_matches('-'), quoted(&option.help));
            let value = option
                .value
                .as_ref()
                .map_or("", |value| if matches!(value, Words::Files) { " -r" } else { " -x" });
            let words = option.value.as_ref().map_or_else(String::new, chosen);
            script += &format!("{start} -l {name}{value}{words} -d {help}\n");
        }
        if !matches!(place.operands, Words::Unknown) {
            script += &format!("{start}{}\n", chosen(&place.operands));
        }
    }
    script
}

/// What makes `complete` propose one of these words.
fn chosen(value: &Words) -> String {
    match value {
        Words::Unknown => String::new(),
        Words::Files => " -F".to_owned(),
        Words::Folders => " -a '(__fish_complete_directories)'".to_owned(),
        Words::OneOf(all) => format!(" -a '{}'", all.join(" ")),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

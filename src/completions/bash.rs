//! The script for bash.

use super::place::{Place, steps};
use crate::usage::Words;

const START: &str = r#"# Completes the words after `marketplace` in bash. Printed by `marketplace completions bash`.

_marketplace() {
    local current=${COMP_WORDS[COMP_CWORD]} at=marketplace before= options= words= word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # Here it is a word of its own.
        [[ $word == = ]] && continue
        case "$at $before" in
"#;

const COMPLETE: &str = r#"    if [[ $current == -* || -z $words ]]; then
        words=$options
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}

# Names of files may have spaces.
_marketplace_files() {
    local IFS=$'\n'
    compopt -o filenames 2> /dev/null
    COMPREPLY=($(compgen "$1" -- "$2"))
}

complete -F _marketplace marketplace
"#;

/// The script for these places.
pub(super) fn script(places: &[Place]) -> String {
    let values = || places.iter().flat_map(Place::values);
    let mut script = START.to_owned() + &steps(places);
    script += "        esac\n        before=$word\n    done\n";
    script += "    [[ $current == = ]] && current=\n    case \"$at $before\" in\n";
    for (option, value) in values() {
        script += &format!("        '{option}')\n{}            return\n            ;;\n", chosen(value));
    }
    script += "    esac\n    case $at in\n";
    for place in places {
        script += &format!("        '{}')\n", place.path);
        script += &format!("            options='{}'\n", words(place.options.iter().map(|it| &it.word)));
        let commands = words(place.commands.iter().map(|it| &it.word));
        script += &match &place.operands {
            Words::Unknown => format!("            words='{commands}'\n"),
            Words::OneOf(others) => format!("            words='{}'\n", words(others.iter())),
            operands => format!(
                "            if [[ $current != -* ]]; then\n    {}                return\n            fi\n",
                chosen(operands)
            ),
        };
        script += "            ;;\n";
    }
    script + "    esac\n" + COMPLETE
}

/// The lines that propose one of these words.
fn chosen(value: &Words) -> String {
    match value {
        Words::Unknown => String::new(),
        Words::Files => "            _marketplace_files -f \"$current\"\n".to_owned(),
        Words::Folders => "            _marketplace_files -d \"$current\"\n".to_owned(),
        Words::OneOf(all) => {
            format!("            COMPREPLY=($(compgen -W '{}' -- \"$current\"))\n", words(all.iter()))
        }
    }
}

fn words<'a>(words: impl Iterator<Item = &'a String>) -> String {
    words.map(String::as_str).collect::<Vec<_>>().join(" ")
}

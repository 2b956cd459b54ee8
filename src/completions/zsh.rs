//! The script for zsh.

use super::place::{Choice, Place, steps};
use crate::usage::Words;

const START: &str = r#"#compdef marketplace
# Completes the words after `marketplace` in zsh. Printed by `marketplace completions zsh`.

_marketplace() {
    local at=marketplace before= word
    local -a flags subcommands
    for word in "${(@)words[2,CURRENT-1]}"; do
        case "$at $before" in
"#;

const VALUES: &str = r#"        esac
        before=$word
    done
    if [[ $PREFIX == --*=* ]]; then
        before=${PREFIX%%=*}
        compset -P 1 '*='
    fi
    case "$at $before" in
"#;

const END: &str = r#"    esac
}

if [[ $funcstack[1] == _marketplace ]]; then
    _marketplace "$@"
else
    compdef _marketplace marketplace
fi
"#;

/// The script for these places.
pub(super) fn script(places: &[Place]) -> String {
    let values = || places.iter().flat_map(Place::values);
    let mut script = START.to_owned() + &steps(places);
    script += VALUES;
    for (option, value) in values() {
        script += &format!(
            "        '{option}')\n            {}\n            return\n            ;;\n",
            chosen(value)
        );
    }
    script += "    esac\n    case $at in\n";
    for place in places {
        script += &format!("        '{}')\n", place.path);
        script += &format!("            flags=({})\n", described(&place.options));
        script += &format!("            subcommands=({})\n            ;;\n", described(&place.commands));
    }
    script += "    esac\n";
    script += "    if [[ $PREFIX == -* ]]; then\n        _describe -o option flags\n        return\n    fi\n";
    script += "    (( $#subcommands )) && _describe command subcommands\n    case $at in\n";
    for place in places.iter().filter(|place| !matches!(place.operands, Words::Unknown)) {
        script += &format!("        '{}') {} ;;\n", place.path, chosen(&place.operands));
    }
    script + END
}

/// The line that proposes one of these words.
fn chosen(value: &Words) -> String {
    match value {
        Words::Unknown => "_message value".to_owned(),
        Words::Files => "_files".to_owned(),
        Words::Folders => "_files -/".to_owned(),
        Words::OneOf(all) => format!("compadd -- {}", all.join(" ")),
    }
}

/// Words, each with what it is for, as `_describe` takes them.
fn described(choices: &[Choice]) -> String {
    let quoted = choices.iter().map(|choice| {
        let help = choice.help.replace('\'', r"'\''");
        format!("'{}:{help}'", choice.word)
    });
    quoted.collect::<Vec<_>>().join(" ")
}

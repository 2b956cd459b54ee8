//! Text that came from a service, made safe to show.
//!
//! Names and messages are other users' words. On a terminal, a control character in them could
//! move the cursor or change what is on the screen, and a bidirectional control could reorder it.

use std::io::{self, IsTerminal};

/// `text` with each control character written as an escape, such as `\u{1b}` or `\n`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// `text` so that what is written from right to left in it leaves the order of what stands around it alone.
pub(crate) fn isolate(text: String) -> String {
    if text.chars().any(is_right_to_left) { format!("\u{2068}{text}\u{2069}") } else { text }
}

/// `json` as one line: as it was sent, or with what a terminal might act upon as JSON escapes.
pub(crate) fn json_line(json: &str) -> String {
    let mut line = if io::stdout().is_terminal() { escape_json(json) } else { json.to_owned() };
    line.push('\n');
    line
}

/// Escapes in a way that leaves the JSON's meaning as it is: JSON holds such characters only in
/// its strings, apart from white space between its values, which `\r` and tabs might be.
fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\r' | '\n' | '\t' => out.push(' '),
            c if is_unsafe(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether `c` stands in one of the blocks that Unicode sets aside for scripts written from right to left.
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(escape("a\x1b[2Jb\n\t\u{7f}\u{9b}"), "a\\u{1b}[2Jb\\n\\t\\u{7f}\\u{9b}");
        assert_eq!(escape("\u{202e}gnp.exe"), "\\u{202e}gnp.exe");
        assert_eq!(escape("Žluťoučký \\ 書"), "Žluťoučký \\ 書");
    }

    #[test]
    fn text_from_right_to_left_is_isolated() {
        assert_eq!(isolate("ספר 1".to_owned()), "\u{2068}ספר 1\u{2069}");
        assert_eq!(isolate("كتاب".to_owned()), "\u{2068}كتاب\u{2069}");
        assert_eq!(isolate("Žluťoučký 書 📚".to_owned()), "Žluťoučký 書 📚");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let json = "{\"name\":\r\"a\u{9b}\u{202e}\u{7f}\"}";
        let escaped = escape_json(json);
        assert!(!escaped.chars().any(is_unsafe));
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&escaped), value(json));
    }
}

//! Help on a narrow terminal: text that was written for a wide one, broken between words. What is wide enough stays as it is.

use std::io;
use std::process::ExitCode;

use crate::command_line::{columns, print};

/// On a terminal with fewer columns, a summary stands below what it explains rather than beside it.
const COLUMNS_FOR_TWO: usize = 60;
/// How far it is then moved in, and what it explains at most.
const INDENTS: (usize, usize) = (6, 2);

/// Prints help as wide as the terminal is, if it goes to one.
pub(crate) fn print_help(text: &str) -> ExitCode {
    print(&fit_terminal(text))
}

/// Help as wide as the terminal is, if standard output is one.
pub(crate) fn fit_terminal(text: &str) -> String {
    match columns(&io::stdout()) {
        Some(columns) => fit(text, columns.into()),
        None => text.to_owned(),
    }
}

/// A paragraph, or a row: what is explained, and beside or below it the explanation.
#[derive(Default)]
struct Block {
    indent: usize,
    head: String,
    /// Where the explanation begins, and what it is.
    body_indent: usize,
    body: String,
}

fn fit(text: &str, columns: usize) -> String {
    if text.lines().all(|line| line.chars().count() <= columns) {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut block: Option<Block> = None;
    for line in text.lines() {
        let words = line.trim_start();
        let indent = line.len() - words.len();
        match &mut block {
            _ if words.is_empty() => {
                flush(&mut out, block.take(), columns);
                out.push('\n');
            }
            // A title has its line for itself.
            Some(above) if indent == 0 && above.indent == 0 && !above.head.ends_with(':') => {
                above.head = format!("{} {words}", above.head);
            }
            Some(row) if row.indent > 0 && indent > row.indent => {
                row.body_indent = indent;
                row.body = format!("{} {words}", row.body);
            }
            _ => {
                flush(&mut out, block.take(), columns);
                block = Some(Block::begin(indent, words));
            }
        }
    }
    flush(&mut out, block, columns);
    out
}

impl Block {
    /// The block that a line begins.
    fn begin(indent: usize, words: &str) -> Block {
        match words.split_once("  ").filter(|_| indent > 0) {
            Some((head, body)) => {
                let body = body.trim_start();
                let body_indent = indent + words.chars().count() - body.chars().count();
                Block { indent, head: head.to_owned(), body_indent, body: body.to_owned() }
            }
            None => Block { indent, head: words.to_owned(), ..Block::default() },
        }
    }
}

fn flush(out: &mut String, block: Option<Block>, columns: usize) {
    let Some(Block { mut indent, head, mut body_indent, body }) = block else { return };
    if columns < COLUMNS_FOR_TWO {
        indent = indent.min(INDENTS.1);
        body_indent = INDENTS.0;
    }
    let below = if body.is_empty() { 2 * indent } else { indent };
    let head = broken(&head, columns, indent, below);
    let body = broken(&body, columns, body_indent, body_indent);
    let is_beside = columns >= COLUMNS_FOR_TWO && !body.is_empty() && head.chars().count() + 1 < body_indent;
    *out += &head;
    if is_beside {
        *out += &" ".repeat(body_indent - head.chars().count());
        *out += body.trim_start();
    } else if !body.is_empty() {
        *out += "\n";
        *out += &body;
    }
    *out += "\n";
}

/// The lines of a text, the first one moved in by `first` and the others by `others`. A word that is too long has a line for
/// itself.
fn broken(text: &str, columns: usize, first: usize, others: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        let (space, begins) = match column {
            0 => (" ".repeat(first), true),
            column if column + 1 + width > columns => ("\n".to_owned() + &" ".repeat(others), true),
            _ => (" ".to_owned(), false),
        };
        let indent = if out.is_empty() { first } else { others };
        column = if begins { indent + width } else { column + 1 + width };
        out += &space;
        out += word;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "\
Usage: marketplace shout [OPTION]… WORD…
       marketplace shout -h

Says all the words again, as loudly as it can, to whoever listens there.
It ends when everybody has heard.

Options:
        --times N       how often each of them is said, once if nothing else
                        is given
        --louder-than-all-others
                        what it says
    -h, --help          print this help
";

    #[test]
    fn on_a_narrow_terminal_explanations_stand_below_what_they_explain() {
        let expected = "\
Usage: marketplace shout
[OPTION]… WORD…
  marketplace shout -h

Says all the words again, as
loudly as it can, to whoever
listens there. It ends when
everybody has heard.

Options:
  --times N
      how often each of them
      is said, once if nothing
      else is given
  --louder-than-all-others
      what it says
  -h, --help
      print this help
";
        assert_eq!(fit(HELP, 30), expected);
    }

    #[test]
    fn on_a_wider_one_they_stand_beside_it() {
        let expected = "\
Options:
        --times N       how often each of them is said, once
                        if nothing else is given
        --louder-than-all-others
                        what it says
    -h, --help          print this help
";
        assert!(fit(HELP, 60).ends_with(expected), "{}", fit(HELP, 60));
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        assert_eq!(fit(HELP, 76), HELP);
    }
}

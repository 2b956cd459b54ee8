//! [`Output`]: how a shell shows what it was answered, as options and its user have asked for.

use std::io;

use super::pager;
use super::rows::Target;
use super::screen::{Expanded, Screen};
use crate::colours;
use crate::command_line::{columns, write_out};

/// How results are shown.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    /// As JSON.
    pub(crate) json: bool,
    /// Under titles, where the output is no terminal.
    pub(crate) header: bool,
    /// As lines, on a terminal.
    pub(crate) expanded: Expanded,
    /// Whether somebody is there who can leave a pager.
    pub(crate) is_paged: bool,
}

impl Output {
    /// The same, with what the options of one command ask for.
    pub(crate) fn with(self, json: bool, header: bool) -> Output {
        Output { json: self.json || json, header: self.header || header, ..self }
    }

    /// Where it is shown.
    pub(crate) fn target(&self) -> Target {
        let stdout = io::stdout();
        match columns(&stdout) {
            None => Target::Plain { header: self.header },
            Some(width) => {
                let is_coloured = colours::are_shown(&stdout);
                Target::Terminal(Screen { width, expanded: self.expanded, is_coloured })
            }
        }
    }

    /// Shows `text`, through a pager if it is taller than the terminal.
    pub(crate) fn show(&self, text: &str) -> io::Result<()> {
        if self.is_paged { pager::show(text) } else { write_out(text) }
    }
}

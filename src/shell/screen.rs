//! [`Screen`]: the terminal on which something is shown, as far as what is shown depends on it.

/// A terminal.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    /// In columns.
    pub(crate) width: u16,
    pub(crate) expanded: Expanded,
    pub(crate) is_coloured: bool,
}

/// Whether each row becomes a few lines, a column in each.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Expanded {
    /// Always.
    On,
    /// Never: a table has all of its columns, however wide it is.
    Off,
    /// Where a table has no room, even without the columns that matter less.
    Auto,
}

#[cfg(test)]
impl Screen {
    /// A terminal of so many columns, as it is unless somebody asks for something else.
    pub(crate) fn plain(width: u16) -> Screen {
        Screen { width, expanded: Expanded::Auto, is_coloured: false }
    }
}

//! [`Page`]: a page of the manual as text for `man`, in the macros that all of its kind know.

/// A page that is being written.
pub(super) struct Page(String);

impl Page {
    /// A page about a command, with its head.
    pub(super) fn new(name: &str, summary: &str) -> Page {
        let title = escape(&name.to_uppercase());
        let program = concat!("marketplace ", env!("CARGO_PKG_VERSION"));
        let head = format!(".TH \"{title}\" \"1\" \"\" \"{program}\" \"User Commands\"\n");
        Page(format!("{head}.SH NAME\n{} \\- {}\n", escape(name), escape(summary)))
    }

    pub(super) fn section(&mut self, title: &str) {
        self.0 += &format!(".SH {}\n", escape(title));
    }

    pub(super) fn subsection(&mut self, title: &str) {
        self.0 += &format!(".SS {}\n", escape(title));
    }

    /// Lines that are filled as the page's width demands.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.0 += ".PP\n";
        self.add_lines(text.lines());
    }

    /// Lines that stay as they are.
    pub(super) fn lines<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        self.0 += ".nf\n";
        self.add_lines(lines);
        self.0 += ".fi\n";
    }

    /// A word, with what stands for its value, and below it what it is for.
    pub(super) fn entry(&mut self, word: &str, placeholder: Option<&str>, help: &str) {
        let placeholder = placeholder.map(|placeholder| format!(" \\fI{}\\fR", escape(placeholder)));
        self.0 += &format!(".TP\n\\fB{}\\fR{}\n", escape(word), placeholder.unwrap_or_default());
        self.add_lines(help.lines());
    }

    /// All of it.
    pub(super) fn text(self) -> String {
        self.0
    }

    fn add_lines<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        for line in lines {
            // A line that begins so would be a macro.
            let guard = if line.starts_with('.') { "\\&" } else { "" };
            self.0 += &format!("{guard}{}\n", escape(line));
        }
    }
}

/// Text in which nothing means more than itself: not what is written with a backslash, nor what is drawn as another
/// character unless its name is given.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out += "\\e",
            '-' => out += "\\-",
            '\'' => out += "\\(aq",
            '"' => out += "\\(dq",
            '`' => out += "\\(ga",
            '^' => out += "\\(ha",
            '~' => out += "\\(ti",
            c if c.is_ascii() => out.push(c),
            c => out += &format!("\\[u{:04X}]", u32::from(c)),
        }
    }
    out
}

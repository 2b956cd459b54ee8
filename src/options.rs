//! [`Options`]: the options of a subcommand or of a shell's command, written down once for all who need them: the parser,
//! which is `getopts`, help, completion and the manual. What their values mean is not known here.

use getopts::{Fail, Matches, ParsingStyle};

use crate::suggestion::closest;

/// Options in the order in which help lists them. `-h` is the last of them, without being asked for.
pub(crate) struct Options {
    style: ParsingStyle,
    all: Vec<Described>,
}

/// An option, as it is described.
#[derive(Clone)]
pub(crate) struct Described {
    /// Without dashes.
    pub(crate) name: String,
    pub(crate) help: String,
    /// What stands for its value, such as `FILE`, if it takes one.
    pub(crate) placeholder: Option<String>,
    /// Values that completion proposes.
    pub(crate) choices: &'static [&'static str],
    is_repeatable: bool,
}

impl Options {
    /// None but `-h`.
    pub(crate) fn new() -> Options {
        Options { style: ParsingStyle::FloatingFrees, all: Vec::new() }
    }

    /// Leaves all words from the first on that is no option to somebody else.
    pub(crate) fn stop_at_first_word(&mut self) {
        self.style = ParsingStyle::StopAtFirstFree;
    }

    /// Offers an option without a value.
    pub(crate) fn flag(&mut self, name: &str, help: &str) {
        self.add(name, help, None);
    }

    /// Offers an option that takes a value, such as `--listen HOST:PORT`.
    pub(crate) fn value(&mut self, name: &str, help: &str, placeholder: &str) {
        self.add(name, help, Some(placeholder));
    }

    /// Offers one that may be given more than once.
    pub(crate) fn values(&mut self, name: &str, help: &str, placeholder: &str) {
        self.add(name, help, Some(placeholder)).is_repeatable = true;
    }

    /// Offers one whose values are known.
    pub(crate) fn choice(
        &mut self,
        name: &str,
        help: &str,
        placeholder: &str,
        choices: &'static [&'static str],
    ) {
        self.add(name, help, Some(placeholder)).choices = choices;
    }

    /// Offers what another subcommand offers, in other words.
    pub(crate) fn offer_as_well(&mut self, other: &Described, help: String) {
        self.all.push(Described { help, ..other.clone() });
    }

    /// The one of this name, if it is offered.
    pub(crate) fn named(&self, name: &str) -> Option<&Described> {
        self.all.iter().find(|option| option.name == name)
    }

    /// All of them, but for `-h`.
    pub(crate) fn all(&self) -> &[Described] {
        &self.all
    }

    /// Parses the words of a command line. An `Err` says what is wrong with them.
    pub(crate) fn parse(&self, words: &[String]) -> Result<Matches, String> {
        self.parser().parse(words).map_err(|error| self.explain(&error))
    }

    /// `brief`, and below it all options.
    pub(crate) fn help(&self, brief: &str) -> String {
        self.parser().usage(brief)
    }

    fn add(&mut self, name: &str, help: &str, placeholder: Option<&str>) -> &mut Described {
        self.all.push(Described {
            name: name.to_owned(),
            help: help.to_owned(),
            placeholder: placeholder.map(str::to_owned),
            choices: &[],
            is_repeatable: false,
        });
        self.all.last_mut().expect("one was just added")
    }

    fn parser(&self) -> getopts::Options {
        let mut parser = getopts::Options::new();
        parser.parsing_style(self.style);
        for Described { name, help, placeholder, is_repeatable, .. } in &self.all {
            match placeholder {
                None => parser.optflag("", name, help),
                Some(placeholder) if *is_repeatable => parser.optmulti("", name, help, placeholder),
                Some(placeholder) => parser.optopt("", name, help, placeholder),
            };
        }
        parser.optflag("h", "help", "print this help");
        parser
    }

    fn explain(&self, error: &Fail) -> String {
        let names = || self.all.iter().map(|option| option.name.as_str()).chain(["help"]);
        match error {
            Fail::UnrecognizedOption(name) => match closest(name, names()) {
                Some(meant) => format!("{error}; did you mean --{meant}?"),
                None => error.to_string(),
            },
            error => error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(word: &str) -> String {
        let mut options = Options::new();
        options.value("category", "", "N");
        options.flag("sold-out", "");
        options.parse(&[word.to_owned()]).unwrap_err()
    }

    #[test]
    fn an_option_that_was_mistyped_is_guessed() {
        assert!(error("--catgory").ends_with("'catgory'; did you mean --category?"));
        assert!(error("--sold_out=3").ends_with("did you mean --sold-out?"));
        assert!(error("--hepl").ends_with("did you mean --help?"));
        for word in ["--password=secret2", "-x"] {
            let error = error(word);
            assert!(!error.contains("did you mean") && !error.contains("secret2"), "{error}");
        }
    }
}

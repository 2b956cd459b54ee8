//! `marketplace man`: manual pages, made from what `main` lists and so from what the parser knows.

mod roff;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::command_line::{FAILED, given, print, report};
use crate::options::Options;
use crate::subcommand::{Group, List, Subcommand};
use crate::suggestion::did_you_mean;
use crate::usage::{Usage, Words};
use roff::Page;

/// The page about the program as a whole.
const PROGRAM: &str = "marketplace";

const BRIEF: &str = "\
Usage: marketplace man [OPTION]… [PAGE]

Prints a page of the manual, for `man -l -` to show: the one about the program, or the one about the subcommand PAGE.
With --dir it writes all pages into a folder, such as ~/.local/share/man/man1, where man finds them.";

/// The subcommand, whose pages are about those of the list.
pub(crate) fn subcommand(list: List) -> Subcommand {
    let with_pages = move || {
        let names = list().iter().map(|subcommand| subcommand.name.to_owned()).collect();
        Usage { operands: Words::OneOf(names), ..usage() }
    };
    Subcommand::new(Group::Explain, "man", with_pages, move |args| run(list, args))
}

fn usage() -> Usage {
    let mut options = Options::new();
    options.value("dir", "write all pages into this folder, as marketplace-….1", "DIR");
    Usage::new("marketplace man", "pages of the manual", BRIEF, options)
}

fn run(list: List, args: &[String]) -> ExitCode {
    let usage = usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let subcommands = list();
    match (given(&matches, "dir"), matches.free.as_slice()) {
        (Some(dir), []) => match write_all(Path::new(&dir), &subcommands) {
            Ok(names) => print(&names),
            Err(message) => {
                report(&format!("error: {message}"));
                ExitCode::from(FAILED)
            }
        },
        (None, []) => print(&program_page(&subcommands)),
        (None, [page]) if page == PROGRAM => print(&program_page(&subcommands)),
        (None, [page]) => {
            let name = page.strip_prefix("marketplace-").unwrap_or(page);
            match subcommands.iter().find(|subcommand| subcommand.name == name) {
                Some(subcommand) => print(&subcommand_page(&subcommand.usage())),
                None => {
                    let meant = did_you_mean(name, subcommands.iter().map(|subcommand| subcommand.name));
                    usage.error(&format!("no page {page:?}{meant}"))
                }
            }
        }
        (Some(_), _) => usage.error("--dir writes all pages: it takes no PAGE"),
        (None, _) => usage.error("man takes one PAGE, or none"),
    }
}

/// Writes all pages, and returns a line for each file.
fn write_all(dir: &Path, subcommands: &[Subcommand]) -> Result<String, String> {
    fs::create_dir_all(dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    let mut names = String::new();
    let mut write = |name: &str, text: String| {
        let path = dir.join(format!("{name}.1"));
        fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        names += &format!("{}\n", path.display());
        Ok::<_, String>(())
    };
    write(PROGRAM, program_page(subcommands))?;
    for subcommand in subcommands {
        write(&page_name(subcommand.name), subcommand_page(&subcommand.usage()))?;
    }
    Ok(names)
}

fn page_name(subcommand: &str) -> String {
    format!("{PROGRAM}-{subcommand}")
}

fn program_page(subcommands: &[Subcommand]) -> String {
    let mut page = Page::new(PROGRAM, env!("CARGO_PKG_DESCRIPTION"));
    page.section("SYNOPSIS");
    page.lines(["marketplace SUBCOMMAND [OPTION]…"]);
    page.section("DESCRIPTION");
    page.paragraph(
        "Four small services make a marketplace: two databases, which keep what was acknowledged, and two frontends, which \
         buyers and sellers talk to. All of them are in this program, with shells for both sides. Each subcommand has a page \
         of its own, such as marketplace-up(1).",
    );
    for group in Group::ALL {
        page.section(&group.title().to_uppercase());
        for subcommand in subcommands.iter().filter(|subcommand| subcommand.group == group) {
            page.entry(subcommand.name, None, &subcommand.usage().summary);
        }
    }
    page.section("OPTIONS");
    page.entry("-h, --help", None, "Print a list of all subcommands; after a subcommand, all about it.");
    page.entry("-V, --version", None, "Print the version.");
    page.section("EXIT STATUS");
    page.paragraph("0 done, 1 the service answered with an error, 2 usage, 3 cannot connect.");
    page.text()
}

fn subcommand_page(usage: &Usage) -> String {
    let mut page = Page::new(&page_name(usage.name()), &usage.summary);
    let (synopsis, about) = usage.brief.split_once("\n\n").unwrap_or((&usage.brief, ""));
    page.section("SYNOPSIS");
    page.lines(synopsis.lines().map(|line| line.trim_start_matches("Usage: ").trim_start()));
    let (exit_status, about): (Vec<&str>, Vec<&str>) =
        paragraphs(about).partition(|paragraph| paragraph.starts_with("Exit status:"));
    if !about.is_empty() {
        page.section("DESCRIPTION");
        about.into_iter().for_each(|paragraph| add_paragraph(&mut page, paragraph));
    }
    page.section("OPTIONS");
    add_options(&mut page, &usage.options);
    page.entry("-h, --help", None, "print help");
    if !usage.commands.is_empty() {
        page.section("COMMANDS");
        usage.commands.iter().for_each(|command| add_command(&mut page, command));
    }
    for paragraph in exit_status {
        page.section("EXIT STATUS");
        page.paragraph(paragraph.trim_start_matches("Exit status:").trim_start());
    }
    page.section("SEE ALSO");
    page.paragraph("marketplace(1)");
    page.text()
}

fn add_command(page: &mut Page, command: &Usage) {
    let (synopsis, about) = command.brief.split_once("\n\n").unwrap_or((&command.brief, ""));
    page.subsection(synopsis.trim_start_matches("Usage: marketplace "));
    paragraphs(about).for_each(|paragraph| add_paragraph(page, paragraph));
    add_options(page, &command.options);
}

fn add_options(page: &mut Page, options: &Options) {
    for option in options.all() {
        page.entry(&format!("--{}", option.name), option.placeholder.as_deref(), &option.help);
    }
}

/// A paragraph, or a list whose lines stay as they are.
fn add_paragraph(page: &mut Page, paragraph: &str) {
    if paragraph.starts_with(' ') { page.lines(paragraph.lines()) } else { page.paragraph(paragraph) }
}

/// What stands between empty lines. An exit status has a section of its own, and begins on a line of its own at least.
fn paragraphs(about: &str) -> impl Iterator<Item = &str> {
    let pieces = about.split("\n\n").flat_map(|paragraph| match paragraph.find("\nExit status:") {
        Some(at) => vec![&paragraph[..at], &paragraph[at + 1..]],
        None => vec![paragraph],
    });
    pieces.filter(|paragraph| !paragraph.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage() -> Usage {
        let mut options = Options::new();
        options.value("csv", "a 'file' \\ of figures", "FILE");
        let command = Usage::new(
            "marketplace bench growth",
            "growth",
            "Usage: marketplace bench growth [OPTION]…\n\nGrows.",
            Options::new(),
        );
        let brief = "Usage: marketplace bench [OPTION]…\n       marketplace bench growth\n\nMeasures.\n.So it\ndoes.\nExit status: 0 done,\n1 failure.";
        let usage = Usage::new("marketplace bench", "the load generator", brief, options);
        Usage { commands: vec![command], ..usage }
    }

    #[test]
    fn a_page_has_what_help_has() {
        let title = concat!(
            ".TH \"MARKETPLACE\\-BENCH\" \"1\" \"\" \"marketplace ",
            env!("CARGO_PKG_VERSION"),
            "\" \"User Commands\"\n"
        );
        let expected = title.to_owned()
            + r"
.SH NAME
marketplace\-bench \- the load generator
.SH SYNOPSIS
.nf
marketplace bench [OPTION]\[u2026]
marketplace bench growth
.fi
.SH DESCRIPTION
.PP
Measures.
\&.So it
does.
.SH OPTIONS
.TP
\fB\-\-csv\fR \fIFILE\fR
a \(aqfile\(aq \e of figures
.TP
\fB\-h, \-\-help\fR
print help
.SH COMMANDS
.SS bench growth [OPTION]\[u2026]
.PP
Grows.
.SH EXIT STATUS
.PP
0 done,
1 failure.
.SH SEE ALSO
.PP
marketplace(1)
"
            .trim_start();
        assert_eq!(subcommand_page(&usage()), expected);
    }
}

//! [`Outputs`]: where the results of a benchmark go. All of it is looked at before anything is measured, and written
//! each by itself afterwards: what fails costs nothing else.

use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use bench::show;
use getopts::Matches;

use crate::command_line::{columns, given, report, write_out};
use crate::output_file::{OutputFile, ignore_broken_pipe};

/// Results that can be shown and kept.
pub(super) trait Render {
    /// Whether there is nothing to show.
    fn is_empty(&self) -> bool;

    /// Why there is less than was asked for, if there is.
    fn incomplete(&self) -> Option<&str>;

    /// For a terminal of so many columns, if it is one.
    fn table(&self, columns: Option<u16>) -> String;

    fn json(&self) -> String;

    fn csv(&self) -> String;

    /// A page that needs no other file.
    fn html(&self) -> String;

    /// Pictures in SVG, in the order of [`show::picture_files`].
    fn pictures(&self) -> Vec<String>;

    /// A Markdown file's text with the results in a section, which name the way to the pictures. `None`: they are not
    /// good enough for a report.
    fn report(&self, text: &str, section: &str, pictures: Option<&str>) -> Option<Result<String, String>>;
}

/// What was asked for beside the table.
pub(super) struct OutputOptions {
    json: Option<PathBuf>,
    csv: Option<PathBuf>,
    html: Option<PathBuf>,
    svg: Option<PathBuf>,
    /// A file, and a section in it.
    report: Option<(PathBuf, String)>,
    standard_output: Content,
}

/// What standard output is for.
#[derive(Clone, Copy, PartialEq)]
enum Content {
    Table,
    Json,
    Csv,
}

/// What was asked for, all of which could be written.
pub(super) struct Outputs {
    json: Option<OutputFile>,
    csv: Option<OutputFile>,
    html: Option<OutputFile>,
    pictures: Option<Pictures>,
    report: Option<Report>,
    standard_output: Content,
}

struct Pictures {
    folder: PathBuf,
    files: Vec<OutputFile>,
}

struct Report {
    name: PathBuf,
    section: String,
    file: OutputFile,
}

impl OutputOptions {
    /// Reads the options that name outputs, as far as the subcommand has them. `section` is that of a report unless
    /// another one is named.
    ///
    /// # Errors
    /// They do not fit together.
    pub(super) fn read(matches: &Matches, section: &str) -> Result<Self, String> {
        let [json, csv, html, svg] = ["json", "csv", "html", "svg"].map(|option| given(matches, option));
        let standard_output = match [&json, &csv].map(|name| name.as_deref().is_some_and(is_standard_output))
        {
            [false, false] => Content::Table,
            [true, false] => Content::Json,
            [false, true] => Content::Csv,
            [true, true] => return Err("--json and --csv cannot both be standard output".into()),
        };
        let report = given(matches, "report").map(|report| {
            let (file, section) = report.rsplit_once('#').unwrap_or((&report, section));
            (file.to_owned(), section.to_owned())
        });
        let is_dash = |name: &Option<String>| name.as_deref() == Some("-");
        if is_dash(&html) || is_dash(&svg) || report.as_ref().is_some_and(|(file, _)| file == "-") {
            return Err("only --json and --csv can be standard output".into());
        }
        let file = |name: Option<String>| name.filter(|name| !is_standard_output(name)).map(PathBuf::from);
        let report = report.map(|(name, section)| (name.into(), section));
        Ok(Self {
            json: file(json),
            csv: file(csv),
            html: html.map(Into::into),
            svg: svg.map(Into::into),
            report,
            standard_output,
        })
    }

    /// Looks whether all of it can be written.
    ///
    /// # Errors
    /// All that cannot.
    pub(super) fn probe(self) -> Result<Outputs, Vec<String>> {
        let mut errors = Vec::new();
        let json = self.json.and_then(|name| collect(OutputFile::probe(&name), &mut errors));
        let csv = self.csv.and_then(|name| collect(OutputFile::probe(&name), &mut errors));
        let html = self.html.and_then(|name| collect(OutputFile::probe(&name), &mut errors));
        let report =
            self.report.and_then(|(name, section)| collect(Report::probe(name, section), &mut errors));
        // The last, because its folder is made.
        let svg = self.svg.filter(|_| errors.is_empty());
        let pictures = svg.and_then(|folder| collect(Pictures::probe(folder), &mut errors));
        let outputs = Outputs { json, csv, html, pictures, report, standard_output: self.standard_output };
        errors.extend(outputs.named_twice());
        if errors.is_empty() { Ok(outputs) } else { Err(errors) }
    }
}

impl Outputs {
    /// Writes all of it, files first. Returns what could not be written.
    pub(super) fn write(mut self, shown: &dyn Render) -> Vec<String> {
        let mut errors = Vec::new();
        if let Some(file) = &mut self.json {
            collect(file.write(&shown.json()), &mut errors);
        }
        if let Some(file) = &mut self.csv {
            collect(file.write(&shown.csv()), &mut errors);
        }
        if let Some(file) = &mut self.html {
            collect(file.write(&shown.html()), &mut errors);
        }
        if let Some(pictures) = &mut self.pictures {
            for (file, svg) in pictures.files.iter_mut().zip(shown.pictures()) {
                collect(file.write(&svg), &mut errors);
            }
        }
        if let Some(report) = &mut self.report {
            collect(report.write(shown, self.pictures.as_ref()), &mut errors);
        }
        let on_standard_output = match self.standard_output {
            Content::Table => print(&shown.table(columns(&io::stdout()))),
            Content::Json => print(&shown.json()),
            Content::Csv => print(&shown.csv()),
        };
        collect(on_standard_output, &mut errors);
        // The table is for people, and makes way where standard output is for programs.
        if self.standard_output != Content::Table {
            let table = shown.table(columns(&io::stderr()));
            let written = ignore_broken_pipe(io::stderr().lock().write_all(table.as_bytes()));
            collect(written.map_err(|error| format!("cannot write the table: {error}")), &mut errors);
        }
        errors
    }

    /// What would be written over what was written before.
    fn named_twice(&self) -> Vec<String> {
        let pictures = self.pictures.iter().flat_map(|pictures| &pictures.files);
        let report = self.report.iter().map(|report| &report.file);
        let files = self.json.iter().chain(&self.csv).chain(&self.html).chain(pictures).chain(report);
        let mut paths: Vec<_> = files.filter_map(OutputFile::path).collect();
        paths.sort_unstable();
        let twice = paths.windows(2).filter(|pair| pair[0] == pair[1]);
        twice.map(|pair| format!("cannot write {} twice", pair[0].display())).collect()
    }
}

impl Pictures {
    fn probe(folder: PathBuf) -> Result<Self, String> {
        let failed = |error: io::Error| format!("cannot draw into {}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let files = show::picture_files().map(|file| OutputFile::probe(&folder.join(file)));
        Ok(Self { files: files.collect::<Result<_, _>>()?, folder })
    }
}

impl Report {
    /// # Errors
    /// The file cannot be read or written, or does not have the section.
    fn probe(name: PathBuf, section: String) -> Result<Self, String> {
        let text = read(&name)?;
        show::check_report(&text, &section).map_err(|error| format!("{}: {error}", name.display()))?;
        Ok(Self { file: OutputFile::probe(&name)?, name, section })
    }

    /// Rewrites the section in the file as it is now.
    fn write(&mut self, shown: &dyn Render, pictures: Option<&Pictures>) -> Result<(), String> {
        let text = read(&self.name)?;
        let way = match (self.file.path().and_then(Path::parent), pictures) {
            (Some(from), Some(Pictures { folder, .. })) => {
                let way = relative(from, folder).map_err(|error| format!("{}: {error}", folder.display()));
                Some(way?)
            }
            _ => None,
        };
        match shown.report(&text, &self.section, way.as_deref()) {
            Some(Ok(text)) => self.file.write(&text),
            Some(Err(error)) => Err(format!("{}: {error}", self.name.display())),
            None => {
                report(&format!("{} stays as it is, because not every reply was right", self.name.display()));
                Ok(())
            }
        }
    }
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn is_standard_output(name: &str) -> bool {
    matches!(name, "-" | "/dev/stdout")
}

/// What was done, unless it failed.
fn collect<T>(done: Result<T, String>, errors: &mut Vec<String>) -> Option<T> {
    done.map_err(|error| errors.push(error)).ok()
}

/// Writes to standard output. A reader that has seen enough is no error.
///
/// # Errors
/// It cannot be written.
pub(super) fn print(text: &str) -> Result<(), String> {
    ignore_broken_pipe(write_out(text)).map_err(|error| format!("cannot write the output: {error}"))
}

/// The way from one folder, without links and `..`, to another.
fn relative(from: &Path, to: &Path) -> io::Result<String> {
    let to = to.canonicalize()?;
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    let way = if way.as_os_str().is_empty() { Path::new(".") } else { &way };
    Ok(way.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_pictures_may_lead_up() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (docs, pictures) = (root.join("docs/bench"), root.join("pictures"));
        fs::create_dir_all(&docs).unwrap();
        fs::create_dir_all(&pictures).unwrap();
        assert_eq!(relative(&docs, &pictures).unwrap(), "../../pictures");
        assert_eq!(relative(&docs, &docs).unwrap(), ".");
    }
}

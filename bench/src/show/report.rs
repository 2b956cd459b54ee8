//! [`report`]: the figures and pictures of a benchmark as a section of a Markdown file.

use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use tempfile::NamedTempFile;

use crate::results::{Measured, Results};

use super::figures::{Figures, figures, notes, services, targets};
use super::format::{NONE, host_line, mebibytes, number, options_line, ratio, spread, time};
use super::markers;
use super::pictures::PICTURES;

/// Writes the results into the section `name` of the file at `path`, between the lines `<!-- bench:NAME -->` and
/// `<!-- /bench:NAME -->`. What is outside of it stays as it is. `pictures`: the folder that they were drawn in.
///
/// # Errors
/// The file cannot be read or written, or does not have the section once; then it is left as it was.
pub fn report(path: &Path, name: &str, results: &Results, pictures: Option<&Path>) -> Result<(), String> {
    rewrite(path, name, |folder| {
        let pictures = pictures
            .map(|pictures| relative(folder, pictures).map_err(|e| format!("{}: {e}", pictures.display())));
        Ok(content(results, pictures.transpose()?.as_deref()))
    })
}

/// Whether [`report`] would find its section, so that nobody measures for minutes in vain.
///
/// # Errors
/// The file cannot be read, or does not have the section once.
pub fn check_report(path: &Path, name: &str) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string());
    let found = text.and_then(|text| markers::replace(&text, name, ""));
    found.map(drop).map_err(|e| format!("{}: {e}", path.display()))
}

/// Replaces a section of a file by what `content` makes, which is told the file's folder.
pub(super) fn rewrite(
    path: &Path,
    name: &str,
    content: impl FnOnce(&Path) -> Result<String, String>,
) -> Result<(), String> {
    let error = |e: io::Error| format!("{}: {e}", path.display());
    let text = fs::read_to_string(path).map_err(error)?;
    // The file itself is replaced, not a link to it.
    let path = path.canonicalize().map_err(error)?;
    let folder = path.parent().expect("a file is in a folder");
    let content = content(folder)?;
    let text = markers::replace(&text, name, &content).map_err(|e| format!("{}: {e}", path.display()))?;
    replace_file(&path, folder, &text).map_err(error)
}

/// Whoever reads the file finds all of the old text or all of the new one.
fn replace_file(path: &Path, folder: &Path, text: &str) -> io::Result<()> {
    let mut new = NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(fs::metadata(path)?.permissions())?;
    new.persist(path)?;
    Ok(())
}

/// The way from one folder, without links and `..`, to another.
fn relative(from: &Path, to: &Path) -> io::Result<String> {
    let to = to.canonicalize()?;
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    let way = if way.as_os_str().is_empty() { Path::new(".") } else { &way };
    Ok(way.to_string_lossy().replace('%', "%25").replace(' ', "%20").replace('(', "%28").replace(')', "%29"))
}

fn content(results: &Results, pictures: Option<&str>) -> String {
    let mut text = format!(
        "\n- {}\n- {}\n\n{}",
        escape(&host_line(&results.host)),
        escape(&options_line(&results.options)),
        calls(results)
    );
    let notes: Vec<_> = results
        .scenarios
        .iter()
        .flat_map(|measured| {
            let notes = notes(&results.options, measured).into_iter();
            notes.map(|note| format!("- {}, {}\n", measured.scenario, escape(&note)))
        })
        .collect();
    if !notes.is_empty() {
        text += &format!("\n{}", notes.concat());
    }
    text += &costs(results).map_or(String::new(), |costs| format!("\n{costs}"));
    if let Some(folder) = pictures {
        for (file, title) in PICTURES {
            text += &format!("\n![{title}]({folder}/{file})\n");
        }
    }
    text + "\n"
}

fn calls(results: &Results) -> String {
    let heads = ["clients", "calls", "calls/s", "avg", "p50", "p99", "p99.9", "max", "of floor"];
    let rows = results.scenarios.iter().flat_map(call_rows).collect();
    table(&heads, 2, rows)
}

/// The marketplace by API, then the floor by the same.
fn call_rows(measured: &Measured) -> Vec<Vec<String>> {
    let rows = targets(measured).flat_map(|(target, series)| {
        figures(series).into_iter().map(move |figures| call_row(measured, target, &figures))
    });
    rows.collect()
}

fn call_row(measured: &Measured, target: &str, figures: &Figures<'_>) -> Vec<String> {
    let is_total = target == "marketplace" && figures.api == "all";
    let of_floor = measured.of_floor().filter(|_| is_total);
    let times = figures.times;
    let mut row = vec![
        measured.scenario.clone(),
        if target == "floor" { format!("floor: {}", figures.api) } else { figures.api.to_owned() },
        figures.throughput.map_or(NONE.to_owned(), |throughput| spread(throughput, number)),
    ];
    row.extend([times.mean_us, times.p50_us, times.p99_us, times.p999_us, times.max_us].map(time));
    row.push(of_floor.map_or(String::new(), |of_floor| spread(of_floor, ratio)));
    row
}

/// What each service cost in each scenario. `None`: the benchmark started none.
fn costs(results: &Results) -> Option<String> {
    let heads = ["clients", "service", "CPU µs/call of all", "peak memory MiB", "commits/s"];
    let rows: Vec<_> = results
        .scenarios
        .iter()
        .flat_map(|measured| {
            services(&measured.marketplace).into_iter().map(|figures| {
                vec![
                    measured.scenario.clone(),
                    figures.service.to_owned(),
                    number(figures.cpu_us_per_call),
                    mebibytes(figures.memory_peak_bytes),
                    figures.commits_per_second.map_or(NONE.to_owned(), number),
                ]
            })
        })
        .collect();
    (!rows.is_empty()).then(|| table(&heads, 2, rows))
}

/// The first `labels` columns are text, and the others are numbers.
pub(super) fn table(heads: &[&str], labels: usize, rows: Vec<Vec<String>>) -> String {
    let rules = (0..heads.len()).map(|column| if column < labels { "---" } else { "---:" });
    let mut text = format!("| {} |\n| {} |\n", heads.join(" | "), rules.collect::<Vec<_>>().join(" | "));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// Without what ends a cell or begins a tag, such as a marker.
pub(super) fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    const OPEN: &str = "# Report\n\nProse.\n\n<!-- bench:default -->\n";
    const CLOSE: &str = "<!-- /bench:default -->\n\nMore prose.";

    #[test]
    fn a_report_is_rewritten_between_its_markers() {
        let dir = tempfile::tempdir().expect("there is a temporary folder");
        let path = dir.path().join("REPORT.md");
        let pictures = dir.path().join("docs/bench pictures");
        fs::create_dir_all(&pictures).expect("it can be made");
        fs::write(&path, format!("{OPEN}{CLOSE}")).expect("it can be written");
        let mut results = sample::results();
        results.options.services = "own <!-- /bench:default -->".to_owned();
        let mut written = String::new();
        // The second time finds what the first one left.
        for _ in 0..2 {
            report(&path, "default", &results, Some(&pictures)).expect("the markers are right");
            written = fs::read_to_string(&path).expect("it is there");
        }
        let section = written.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
        let section = section.unwrap_or_else(|| panic!("the prose was changed: {written}"));
        for part in ["| 1+1 | all |", "| 100+100 | floor: all |", "| 10+10 | db_product |", "AMD EPYC"] {
            assert_eq!(section.matches(part).count(), 1, "{part}: {section}");
        }
        assert_eq!(section.matches("](docs/bench%20pictures/").count(), PICTURES.len(), "{section}");
        let files = fs::read_dir(dir.path()).expect("it is a folder").count();
        assert_eq!(files, 2, "a temporary file was left");
    }

    #[test]
    fn a_file_without_the_markers_is_left_as_it_is() {
        let dir = tempfile::tempdir().expect("there is a temporary folder");
        let path = dir.path().join("REPORT.md");
        fs::write(&path, OPEN).expect("it can be written");
        let error = report(&path, "default", &sample::results(), None).expect_err("a marker is missing");
        assert_eq!(check_report(&path, "default").as_ref(), Err(&error));
        assert!(error.ends_with("REPORT.md: there is no line <!-- /bench:default -->"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), OPEN);
    }

    #[test]
    fn the_way_to_the_pictures_may_lead_up() {
        let dir = tempfile::tempdir().expect("there is a temporary folder");
        let root = dir.path().canonicalize().expect("it is there");
        let (docs, pictures) = (root.join("docs/bench"), root.join("pictures"));
        fs::create_dir_all(&docs).expect("it can be made");
        fs::create_dir_all(&pictures).expect("it can be made");
        assert_eq!(relative(&docs, &pictures).expect("both are there"), "../../pictures");
        assert_eq!(relative(&docs, &docs).expect("it is there"), ".");
    }
}

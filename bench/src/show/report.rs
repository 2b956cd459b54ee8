//! [`report`]: the figures and pictures of a benchmark as a section of a Markdown file.

use crate::results::Results;

use super::figures::{all_right, notes, remarks};
use super::format::{host_line, options_line};
use super::markers;
use super::pictures::PICTURES;
use super::sheet::{self, escape};

/// A Markdown file's `text` with the results in its section `name`, between the lines `<!-- bench:NAME -->` and
/// `<!-- /bench:NAME -->`. What is outside of it stays as it is. `pictures`: the way from the file's folder to the one
/// that they were drawn in.
///
/// # Errors
/// It does not have the section once.
pub fn report(text: &str, name: &str, results: &Results, pictures: Option<&str>) -> Result<String, String> {
    markers::replace(text, name, &content(results, pictures))
}

/// Whether [`report`] would find its section, so that nobody measures for minutes in vain.
///
/// # Errors
/// As there.
pub fn check_report(text: &str, name: &str) -> Result<(), String> {
    markers::replace(text, name, "").map(drop)
}

fn content(results: &Results, pictures: Option<&str>) -> String {
    let mut text = format!(
        "\n- {}\n- {}\n",
        escape(&host_line(&results.host)),
        escape(&options_line(&results.options)),
    );
    text.extend(remarks(results).iter().map(|remark| format!("- {}\n", escape(remark))));
    text += &format!("\n{}", sheet::calls(results).markdown());
    let notes: Vec<_> = results
        .scenarios
        .iter()
        .flat_map(|measured| {
            let notes = notes(&results.options, measured).into_iter();
            notes.map(|note| format!("- {}, {}\n", measured.scenario, escape(&note)))
        })
        .collect();
    text += &format!(
        "\n{}{}",
        all_right(results).map_or(String::new(), |said| format!("- {said}\n")),
        notes.concat()
    );
    text += &sheet::costs(results).map_or(String::new(), |costs| format!("\n{}", costs.markdown()));
    if let Some(folder) = pictures {
        for (file, title) in PICTURES {
            text += &format!("\n![{title}]({}/{file})\n", escape_link(folder));
        }
    }
    text + "\n"
}

/// Without what ends a link.
fn escape_link(way: &str) -> String {
    way.replace('%', "%25").replace(' ', "%20").replace('(', "%28").replace(')', "%29")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    const OPEN: &str = "# Report\n\nProse.\n\n<!-- bench:default -->\n";
    const CLOSE: &str = "<!-- /bench:default -->\n\nMore prose.";

    #[test]
    fn a_report_is_rewritten_between_its_markers() {
        let mut results = sample::results();
        results.options.services = "own <!-- /bench:default -->".to_owned();
        let mut written = format!("{OPEN}{CLOSE}");
        // The second time finds what the first one left.
        for _ in 0..2 {
            written = report(&written, "default", &results, Some("../bench pictures"))
                .expect("the markers are right");
        }
        let section = written.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
        let section = section.unwrap_or_else(|| panic!("the prose was changed: {written}"));
        for part in ["| 1+1 | all |", "| 100+100 | floor: all |", "| 10+10 | db_product |", "AMD EPYC"] {
            assert_eq!(section.matches(part).count(), 1, "{part}: {section}");
        }
        assert_eq!(section.matches("](../bench%20pictures/").count(), PICTURES.len(), "{section}");
    }

    #[test]
    fn service_times_stand_below_response_times() {
        let mut results = sample::results();
        sample::schedule(&mut results);
        let written =
            report(&format!("{OPEN}{CLOSE}"), "default", &results, None).expect("the markers are right");
        assert!(written.contains("| 1+1 | all, service time |  | 105 µs |"), "{written}");
        assert!(written.contains("| 1+1 | floor: ChangeItemPrice, service time |"), "{written}");
        assert!(written.contains("\n- 4,440,000 calls, 0 failed\n"), "{written}");
    }

    #[test]
    fn a_file_without_the_markers_is_refused() {
        let error = report(OPEN, "default", &sample::results(), None).expect_err("a marker is missing");
        assert_eq!(check_report(OPEN, "default").as_ref(), Err(&error));
        assert_eq!(error, "there is no line <!-- /bench:default -->");
    }

    #[test]
    fn results_that_are_not_all_there_are_marked() {
        let mut results = sample::results();
        results.incomplete = Some("interrupted after 7 of 30 runs".to_owned());
        let written =
            report(&format!("{OPEN}{CLOSE}"), "default", &results, None).expect("the markers are right");
        assert!(written.contains("\n- incomplete: interrupted after 7 of 30 runs\n\n|"), "{written}");
    }
}

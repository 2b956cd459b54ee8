//! [`html`]: all figures and pictures of a benchmark as one page, which needs no other file. It runs no script and loads
//! nothing, and a browser is told to allow neither.

use crate::results::Results;

use super::figures::{all_right, notes, remarks};
use super::format::{counted, integer, number};
use super::pictures::{PICTURES, draw};
use super::sheet::{self, Sheet};

/// What the browser may use beside the text: this style, by its digest, which a test holds to what it is.
const STYLE_DIGEST: &str = "sha256-mrK0kjrJo9eRMxLTM0ReJu6dQ+dxwsteG5pqQ+QgdyI=";
const STYLE: &str = include_str!("page.css");

/// The page, with the machine, the commit and the options that the figures belong to.
pub fn html(results: &Results) -> String {
    let title = format!("Benchmark of {}, commit {}", results.host.name, results.host.commit);
    let policy =
        format!("default-src 'none'; style-src '{STYLE_DIGEST}'; base-uri 'none'; form-action 'none'");
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
        title = escape(&title),
    );
    page.extend(
        remarks(results).iter().map(|remark| format!("<p class=\"warning\">{}</p>\n", escape(remark))),
    );
    page += &section("Machine", &facts(&machine(results)));
    page += &section("Options", &facts(&options(results)));
    page += &section("Calls", &(table(&sheet::calls(results)) + &said(results)));
    page += &sheet::costs(results)
        .map_or(String::new(), |costs| section("Services, median over the runs", &table(&costs)));
    let pictures = PICTURES.into_iter().zip(draw(results)).map(|((_, title), svg)| picture(title, &svg));
    page += &section("Pictures", &pictures.collect::<String>());
    page + "</body>\n</html>\n"
}

fn section(title: &str, content: &str) -> String {
    format!("<h2>{title}</h2>\n{content}")
}

fn machine(results: &Results) -> Vec<(&'static str, String)> {
    let host = &results.host;
    vec![
        ("name", host.name.clone()),
        ("processor", host.cpu.clone()),
        ("processors", integer(host.processors as f64)),
        ("kernel", host.kernel.clone()),
        ("commit", host.commit.clone()),
    ]
}

fn options(results: &Results) -> Vec<(&'static str, String)> {
    let options = &results.options;
    let length = match options.duration_s {
        Some(duration_s) => format!("{} s", number(duration_s)),
        None => format!("{} a client", counted(options.calls as f64, "call")),
    };
    let pace =
        options.rate.map_or("closed loop".to_owned(), |rate| format!("{} calls/s on schedule", number(rate)));
    let mut facts = vec![
        ("mix", options.mix.clone()),
        ("runs", integer(options.runs as f64)),
        ("length of a run", length),
        ("calls to warm up", integer(options.warmup as f64)),
        ("pace", pace),
        ("seed", options.seed.to_string()),
        ("services", options.services.clone()),
    ];
    facts.extend(options.items.map(|items| ("items", integer(items as f64))));
    facts.extend(options.data.clone().map(|folder| ("data in", folder)));
    facts.extend(options.against.clone().map(|program| ("other build", program)));
    facts
}

fn facts(facts: &[(&str, String)]) -> String {
    let row = |(name, value): &(&str, String)| {
        format!("<tr><th scope=\"row\">{name}</th><td>{}</td></tr>\n", escape(value))
    };
    format!("<table>\n{}</table>\n", facts.iter().map(row).collect::<String>())
}

/// What is to be said of all calls, and of those of each scenario.
fn said(results: &Results) -> String {
    let of_scenarios = results.scenarios.iter().flat_map(|measured| {
        let notes = notes(&results.options, measured).into_iter();
        notes.map(|note| format!("{}, {note}", measured.scenario))
    });
    let lines = all_right(results).into_iter().chain(of_scenarios);
    format!("<ul>\n{}</ul>\n", lines.map(|line| format!("<li>{}</li>\n", escape(&line))).collect::<String>())
}

/// A table that is moved by itself where there is no room for it.
fn table(sheet: &Sheet) -> String {
    let class = |column| if column < sheet.labels { "" } else { " class=\"number\"" };
    let cell = |(column, cell): (usize, &String)| format!("<td{}>{}</td>", class(column), escape(cell));
    let head = |(column, head): (usize, &String)| {
        format!("<th scope=\"col\"{}>{}</th>", class(column), escape(head))
    };
    let row =
        |row: &Vec<String>| format!("<tr>{}</tr>\n", row.iter().enumerate().map(cell).collect::<String>());
    let heads: String = sheet.heads.iter().enumerate().map(head).collect();
    let rows: String = sheet.rows.iter().map(row).collect();
    format!("<div class=\"wide\" tabindex=\"0\">\n<table>\n<tr>{heads}</tr>\n{rows}</table>\n</div>\n")
}

/// A picture under its title, for those too who do not see it.
fn picture(title: &str, svg: &str) -> String {
    let label = format!("<svg role=\"img\" aria-label=\"{}\" ", escape(title));
    format!("<figure>\n{}</figure>\n", svg.replacen("<svg ", &label, 1))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::show::sample;

    #[test]
    fn the_style_is_the_one_that_is_allowed() {
        let digest = STANDARD.encode(Sha256::digest(STYLE));
        assert_eq!(STYLE_DIGEST, format!("sha256-{digest}"));
        let page = html(&sample::results());
        assert!(page.contains(&format!("style-src 'sha256-{digest}'")), "{page}");
        assert_eq!(page.matches("<style").count(), 1);
    }

    #[test]
    fn the_page_names_machine_commit_and_options_and_has_all_figures() {
        let mut results = sample::results();
        results.options.against = Some("/tmp/before/marketplace".to_owned());
        let page = html(&results);
        for part in [
            "<title>Benchmark of vm-7, commit 0123abc</title>",
            "<td>AMD EPYC 7B13</td>",
            "<th scope=\"row\">processors</th><td>2</td>",
            "<td>Linux 6.1.0-18-amd64 x86_64</td>",
            "<td>1,000 calls a client</td>",
            "<td>closed loop</td>",
            "<td>/tmp/before/marketplace</td>",
            "<td>100+100</td><td>floor: all</td>",
            "<td>10+10</td><td>db_product</td>",
            "<li>4,440,000 calls, 0 failed</li>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        for (_, title) in PICTURES {
            assert!(page.contains(&format!("<svg role=\"img\" aria-label=\"{title}\" width=")), "{title}");
        }
        assert!(!page.contains("class=\"warning\""), "{page}");
    }

    #[test]
    fn nothing_is_loaded_or_run() {
        let page = html(&sample::results());
        let foreign = [
            "<script", "<link", "<img", "<iframe", "href=", "src=", "url(", "@import", " style=", " onload=",
        ];
        for foreign in foreign {
            assert!(!page.contains(foreign), "{foreign}: {page}");
        }
        let addresses = page.matches("http").count();
        assert_eq!(
            addresses,
            page.matches("http://www.w3.org/2000/svg").count() + page.matches("http-equiv").count()
        );
    }

    #[test]
    fn what_went_wrong_is_said_and_no_text_becomes_markup() {
        let mut results = sample::results();
        results.incomplete = Some("<b>interrupted</b> after 7 of 30 runs".to_owned());
        results.host.name = "\"><script>".to_owned();
        results.scenarios[0].marketplace.runs[0].errors.insert("<i>".to_owned(), 7);
        let page = html(&results);
        assert!(
            page.contains("<p class=\"warning\">incomplete: &lt;b&gt;interrupted&lt;/b&gt; after"),
            "{page}"
        );
        assert!(page.contains("<li>1+1, marketplace: failed calls: &lt;i&gt; 7</li>"), "{page}");
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("0 failed"), "{page}");
    }

    #[test]
    fn every_colour_of_a_picture_has_one_for_the_dark() {
        let mut results = sample::results();
        // As many scenarios as there are colours.
        let more = results.scenarios.clone();
        results.scenarios.extend(more);
        let page = html(&results);
        let body = &page[page.find("<body>").expect("there is one")..];
        let dark = &STYLE[STYLE.find("prefers-color-scheme: dark").expect("there is one")..];
        for kind in ["fill", "stroke"] {
            for part in body.split(&format!("{kind}=\"#")).skip(1) {
                let colour = &part[..6];
                assert!(dark.contains(&format!("[{kind}=\"#{colour}\"]")), "{kind} {colour}");
            }
        }
    }
}

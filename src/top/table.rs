//! What services do, as lines that fit a terminal, or as values between tabs. Nothing is measured and nothing written here.

use std::cmp::Reverse;

use super::figures::{Figures, Shown};
use super::scrape::Missing;
use crate::text::escape;

/// An address, and what is known of the service there.
pub(super) type Section<'a> = (&'a str, Result<&'a Shown, &'a Missing>);

/// A column of figures: its title on a screen and for programs, how it is written, and how many other columns come before it
/// where not all have room.
struct Column {
    title: &'static str,
    name: &'static str,
    is_time: bool,
    rank: usize,
}

/// In the order of [`Figures::values`].
const COLUMNS: [Column; 8] = [
    Column { title: "REQ/S", name: "requests_per_second", is_time: false, rank: 0 },
    Column { title: "ERR/S", name: "errors_per_second", is_time: false, rank: 2 },
    Column { title: "P50", name: "p50_ms", is_time: true, rank: 3 },
    Column { title: "P99", name: "p99_ms", is_time: true, rank: 1 },
    Column { title: "CONNS", name: "connections", is_time: false, rank: 4 },
    Column { title: "CALLS", name: "calls_in_flight", is_time: false, rank: 7 },
    Column { title: "COMM/S", name: "commits_per_second", is_time: false, rank: 5 },
    Column { title: "FLUSH", name: "flush_p99_ms", is_time: true, rank: 6 },
];
/// A figure, with a space before it.
const FIGURE_WIDTH: usize = 7;
/// The longest name of an API of the frontends, and the shortest that still tells which it may be.
const NAME_WIDTH: usize = 19;
const NAME_WIDTH_MIN: usize = 8;
/// What stands before an API, below its service.
const INDENT: &str = " ";
const NONE: &str = "-";

/// All services and their APIs in at most `height` lines of at most `width` characters, services first, then those APIs that
/// are called most.
pub(super) fn text(sections: &[Section<'_>], width: usize, height: usize) -> Vec<String> {
    let count = (width.saturating_sub(NAME_WIDTH) / FIGURE_WIDTH).clamp(1, COLUMNS.len());
    let name_width =
        width.saturating_sub(count * FIGURE_WIDTH).clamp(NAME_WIDTH_MIN, NAME_WIDTH + INDENT.len());
    let row = |name: &str, cells: [String; 8]| {
        let cells = cells.iter().zip(&COLUMNS).filter(|(_, column)| column.rank < count);
        let cells: String = cells.map(|(cell, _)| format!("{cell:>FIGURE_WIDTH$}")).collect();
        cut(&format!("{:name_width$}{cells}", cut(name, name_width)), width)
    };
    let figures = |figures: &Figures| {
        let mut cells =
            figures.values().into_iter().zip(&COLUMNS).map(|(value, column)| on_screen(value, column));
        std::array::from_fn(|_| cells.next().expect("there are as many columns"))
    };
    let least = least_called(sections, height.saturating_sub(sections.len() + 1));
    let mut lines = vec![row("", COLUMNS.map(|column| column.title.to_owned()))];
    for (place, (address, shown)) in sections.iter().enumerate() {
        match shown {
            Ok(shown) => {
                lines.push(row(&escape(&shown.service), figures(&shown.total)));
                let apis = shown
                    .apis
                    .iter()
                    .filter(|(name, api)| least.is_none_or(|least| rank(place, name, api) <= least));
                lines.extend(apis.map(|(name, api)| row(&format!("{INDENT}{}", escape(name)), figures(api))));
            }
            Err(missing) => {
                lines.push(cut(&format!("{address} away: {}", escape(&missing.to_string())), width))
            }
        }
    }
    lines.truncate(height);
    lines
}

/// A line for each service, and one for each of its APIs, under a line of titles. What is not known is empty.
pub(super) fn values(sections: &[Section<'_>]) -> String {
    let names = COLUMNS.iter().map(|column| column.name);
    let mut text =
        ["address", "service", "api"].into_iter().chain(names).collect::<Vec<_>>().join("\t") + "\n";
    for (address, shown) in sections {
        let Ok(shown) = shown else {
            continue;
        };
        let all = [("all".to_owned(), shown.total.clone())];
        for (api, figures) in all.iter().chain(&shown.apis) {
            text += &format!("{address}\t{}\t{}", escape(&shown.service), escape(api));
            for (value, column) in figures.values().into_iter().zip(&COLUMNS) {
                let value = value.map(|value| if column.is_time { value * 1e3 } else { value });
                text += &value.map_or("\t".to_owned(), |value| format!("\t{value:.3}"));
            }
            text.push('\n');
        }
    }
    text
}

/// Where an API stands among all of them: the one that is called most comes first. No two stand at the same place.
type Rank<'a> = (Reverse<u64>, usize, &'a str);

fn rank<'a>(section: usize, name: &'a str, figures: &Figures) -> Rank<'a> {
    let millis = figures.requests.map_or(0, |requests| (requests * 1e3) as u64);
    (Reverse(millis), section, name)
}

/// The last of so many APIs that are called most. `None`: all have room.
fn least_called<'a>(sections: &[Section<'a>], room: usize) -> Option<Rank<'a>> {
    let shown = sections.iter().enumerate().filter_map(|(place, (_, shown))| Some((place, shown.ok()?)));
    let mut ranks: Vec<_> = shown
        .flat_map(|(place, shown)| shown.apis.iter().map(move |(name, api)| rank(place, name, api)))
        .collect();
    ranks.sort();
    if ranks.len() <= room {
        None
    } else {
        Some(room.checked_sub(1).map_or((Reverse(u64::MAX), 0, ""), |last| ranks[last]))
    }
}

/// A figure in six characters at most.
fn on_screen(value: Option<f64>, column: &Column) -> String {
    match value {
        None => NONE.to_owned(),
        Some(value) if column.is_time => {
            let (value, unit) = match value {
                ..0.001 => (value * 1e6, "µs"),
                ..1.0 => (value * 1e3, "ms"),
                _ => (value, "s"),
            };
            format!("{}{unit}", short(value))
        }
        Some(value) if value >= 1e7 => format!("{:.0}M", value / 1e6),
        Some(value) if value >= 1e5 => format!("{:.0}k", value / 1e3),
        Some(value) => short(value),
    }
}

/// With a decimal where that says something.
fn short(value: f64) -> String {
    if value < 9.95 && value.fract() != 0.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// At most so many characters of it. All that is written here is as wide as it has characters.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(Some('…').filter(|_| width > 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        let api = |requests| Figures { requests: Some(requests), p99: Some(0.0123), ..Figures::default() };
        let total = Figures { errors: Some(0.5), connections: Some(16.0), ..api(1234.5) };
        let apis =
            [("RegisterItemForSale", 1.0), ("SearchItemsForSale", 1000.0), ("DisplayItemsForSale", 233.5)];
        let apis = apis.map(|(name, requests)| (name.to_owned(), api(requests))).to_vec();
        Shown { service: "server_seller".to_owned(), total, apis }
    }

    #[test]
    fn forty_columns_are_enough_for_names_and_what_matters() {
        let (shown, missing) = (shown(), Missing::NoAnswer("Connection refused (os error 111)".to_owned()));
        let lines = text(&[("a:1", Ok(&shown)), ("127.0.0.1:9102", Err(&missing))], 40, 100);
        assert_eq!(
            lines,
            [
                "                     REQ/S  ERR/S    P99",
                "server_seller         1234    0.5   12ms",
                " RegisterItemForSa…      1      -   12ms",
                " SearchItemsForSale   1000      -   12ms",
                " DisplayItemsForSa…    234      -   12ms",
                "127.0.0.1:9102 away: Connection refused…",
            ]
        );
    }

    #[test]
    fn no_line_is_wider_and_there_are_no_more_than_there_is_room_for() {
        let (shown, missing) = (shown(), Missing::NoMetrics("\x1b[2J".to_owned()));
        let sections = [("a:1", Ok(&shown)), ("b:2", Err(&missing)), ("c:3", Ok(&shown))];
        for width in 1..120 {
            for height in 1..12 {
                let lines = text(&sections, width, height);
                assert!(lines.len() <= height, "{lines:?}");
                let fits = |line: &String| line.chars().count() <= width && !line.contains('\x1b');
                assert!(lines.iter().all(fits), "{width}: {lines:?}");
                // APIs, which are moved in where that is seen, have the room that services leave.
                let services = lines.iter().skip(1).filter(|line| !line.starts_with(INDENT)).count();
                assert!(width == 1 || services == (height - 1).min(3), "{width}, {height}: {lines:?}");
            }
        }
    }

    #[test]
    fn where_there_is_little_room_the_apis_that_are_called_most_are_shown() {
        let shown = shown();
        let names = |height| {
            let lines = text(&[("a:1", Ok(&shown))], 80, height);
            lines
                .iter()
                .skip(1)
                .map(|line| line.split_whitespace().next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(2), ["server_seller"]);
        assert_eq!(names(3), ["server_seller", "SearchItemsForSale"]);
        assert_eq!(names(4), ["server_seller", "SearchItemsForSale", "DisplayItemsForSale"]);
        assert_eq!(names(5).len(), 4);
    }

    #[test]
    fn programs_get_values_between_tabs() {
        let shown = shown();
        let text = values(&[("a:1", Ok(&shown))]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        assert!(lines.iter().all(|line| line.len() == 11), "{text}");
        assert_eq!(
            lines[1],
            ["a:1", "server_seller", "all", "1234.500", "0.500", "", "12.300", "16.000", "", "", ""]
        );
        assert_eq!(lines[3][2..4], ["SearchItemsForSale", "1000.000"]);
    }

    #[test]
    fn figures_are_short() {
        let number = |value| on_screen(Some(value), &COLUMNS[0]);
        let numbers = [0.0, 0.04, 1.25, 9.96, 99_999.4, 100_000.0, 12_345_678.0].map(number);
        assert_eq!(numbers, ["0", "0.0", "1.2", "10", "99999", "100k", "12M"]);
        let time = |value| on_screen(Some(value), &COLUMNS[2]);
        assert_eq!(
            [0.000_05, 0.000_999_9, 0.0015, 0.25, 1.5, 10.0].map(time),
            ["50µs", "1000µs", "1.5ms", "250ms", "1.5s", "10s"]
        );
    }
}

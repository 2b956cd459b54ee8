//! What people see on terminals of any width.

use support::{Act, FakeService};

use super::User;
use super::terminal::{Terminal, buyer};

const PAGE: &str = r#"{"items":[{"item_id":"1:42","name":"Introduction to data structures","category":1,"keywords":["book","cs"],"condition":"new","price":19.9,"quantity":5,"seller_id":3,"feedback":{"up":0,"down":0}},{"item_id":"1:43","name":"ספר","category":1,"keywords":["書"],"condition":"used","price":7,"quantity":1,"seller_id":3,"feedback":{"up":0,"down":0}}],"total":2,"next_cursor":null}"#;
const ITEM: &str = r#"{"item":{"item_id":"1:9","name":"Intro to DS","price":17.5}}"#;

/// What a command shows on a terminal of so many columns.
fn shown(server: &FakeService, words: &[&str], columns: u16) -> String {
    let mut terminal = Terminal::start(buyer(&User::new(), server, words), columns);
    terminal.ends_with(0);
    terminal.shown().replace("\r\n", "\n")
}

#[test]
fn a_list_is_no_wider_than_the_terminal() {
    for columns in [20, 40, 60, 80, 100, 200, 0] {
        let server = FakeService::start(&[Act::Reply(PAGE)]);
        let shown = shown(&server, &["search", "book"], columns);
        let columns = if columns == 0 { 80 } else { usize::from(columns) };
        // Isolates take no room, and the wide character stands in a column that is wide enough.
        let width = |line: &str| line.chars().filter(|c| !('\u{2066}'..='\u{2069}').contains(c)).count();
        let too_wide = shown.lines().find(|line| width(line) > columns);
        assert_eq!(too_wide, None, "at {columns}: {shown}");
        for what in ["1:42", "19.90", "7.00", "\u{2068}ספר\u{2069}"] {
            assert!(shown.contains(what), "{what} at {columns}: {shown}");
        }
        assert!(shown.contains("structures"), "a word is not broken at {columns}: {shown}");
    }
}

#[test]
fn a_cart_shows_names_sums_and_their_total() {
    let server = FakeService::start(&[
        Act::Reply(r#"{"cart":{"1:10":1,"1:9":2}}"#),
        Act::Reply(ITEM),
        Act::Error("NOT_FOUND"),
    ]);
    assert_eq!(
        shown(&server, &["--session", "s", "cart"], 80),
        "┌──────┬─────────────┬───────┬──────────┬───────┐\n\
         │ Item ┆ Name        ┆ Price ┆ Quantity ┆   Sum │\n\
         ╞══════╪═════════════╪═══════╪══════════╪═══════╡\n\
         │ 1:9  ┆ Intro to DS ┆ 17.50 ┆        2 ┆ 35.00 │\n\
         │ 1:10 ┆ -           ┆     - ┆        1 ┆     - │\n\
         └──────┴─────────────┴───────┴──────────┴───────┘\n\
         The total is not known: the service said nothing about some of the items.\n"
    );
    let items: Vec<_> = server.requests()[1..].iter().map(|request| request["data"].to_string()).collect();
    assert_eq!(items, [r#"{"item_id":"1:9"}"#, r#"{"item_id":"1:10"}"#]);
}

#[test]
fn categories_are_listed_with_their_items() {
    let page = r#"{"categories":[{"category":1,"items":12},{"category":2147483647,"items":1}],"next_cursor":"2147483647"}"#;
    let server = FakeService::start(&[Act::Reply(page), Act::Reply(page)]);
    assert_eq!(
        shown(&server, &["browse", "--limit", "2"], 80),
        "┌────────────┬───────┐\n\
         │   Category ┆ Items │\n\
         ╞════════════╪═══════╡\n\
         │          1 ┆    12 │\n\
         │ 2147483647 ┆     1 │\n\
         └────────────┴───────┘\n\
         There is more: repeat the command with --cursor 2147483647\n"
    );
    assert_eq!(server.requests()[0]["data"].to_string(), r#"{"limit":2}"#);
    let output = User::new().buyer(&server, "browse");
    assert_eq!(support::stdout(&output), "1\t12\n2147483647\t1\n");
}

#[test]
fn a_cart_is_shown_even_if_its_items_are_not() {
    let server = FakeService::start(&[Act::Reply(r#"{"cart":{"1:9":2}}"#), Act::Close]);
    let shown = shown(&server, &["--session", "s", "cart"], 80);
    assert!(shown.contains("│ 1:9  ┆ -    ┆     - ┆        2 ┆   - │"), "{shown}");
}

#[test]
fn a_large_cart_is_shown_whole() {
    let lines: Vec<_> = (1..=300).map(|n| format!("\"1:{n}\":1")).collect();
    let cart = format!("{{\"cart\":{{{}}}}}", lines.join(","));
    let mut script = vec![Act::Reply(Box::leak(cart.into_boxed_str()))];
    script.resize(301, Act::Reply(ITEM));
    let server = FakeService::start(&script);
    assert!(shown(&server, &["--session", "s", "cart"], 80).ends_with("Total: 5250.00.\n"));
}

#[test]
fn a_benchmark_is_no_wider_than_the_terminal() {
    for columns in [20, 40, 80] {
        let words = ["bench", "--clients", "1+1", "--runs", "2", "--calls", "3", "--warmup", "0", "--floor"];
        let mut terminal = Terminal::start(User::new().command(&words), columns);
        terminal.ends_with(0);
        let shown = terminal.shown().replace("\r\n", "\n");
        // What shows how far it has come is gone by then.
        let lines = || shown.lines().filter_map(|line| line.rsplit(['\r', '\u{1b}']).next());
        let results = || lines().skip_while(|line| *line != "1+1 clients");
        assert!(results().count() > 10, "{shown}");
        let too_wide = results().find(|line| line.chars().count() > usize::from(columns));
        assert_eq!(too_wide, None, "at {columns}: {shown}");
        for what in ["SearchItemsForSale", "p99", "1+1", "load generator"] {
            assert!(shown.contains(what), "{what} at {columns}: {shown}");
        }
    }
}

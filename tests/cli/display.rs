//! How a shell shows things: as lines or as a table, in colours, through a pager, again and again.

use std::process::Command;

use support::{Act, FakeService, assert_code, stderr, stdout};

use super::User;
use super::terminal::{Terminal, buyer};

const PAGE: Act = Act::Reply(
    r#"{"items":[{"item_id":"1:42","name":"Introduction to data structures","category":1,"keywords":["book","cs"],"condition":"new","price":19.9,"quantity":5,"seller_id":3,"feedback":{"up":0,"down":0}}],"total":1,"next_cursor":null}"#,
);
const SAVED: Act = Act::Reply(r#"{"saved":true}"#);
const CTRL_C: &[u8] = b"\x03";
const CTRL_D: &[u8] = b"\x04";

/// A shell that waits at its prompt.
fn shell(server: &FakeService, columns: u16) -> Terminal {
    let mut terminal = Terminal::start(buyer(&User::new(), server, &["--session", "s"]), columns);
    terminal.wait_for("buyer> ");
    terminal
}

fn type_line(terminal: &mut Terminal, line: &str) {
    terminal.keys(format!("{line}\r").as_bytes());
}

#[test]
fn rows_are_shown_as_somebody_asks() {
    let server = FakeService::start(&[PAGE, PAGE, PAGE, PAGE]);
    let mut terminal = shell(&server, 80);
    type_line(&mut terminal, "search book");
    terminal.wait_for("Condition ┆ Price");
    type_line(&mut terminal, r"\x");
    terminal.wait_for("Each row is shown as lines.");
    type_line(&mut terminal, "search book");
    terminal.wait_for("Name: Introduction to data structures\r\n");
    terminal.wait_for("Price: 19.90\r\n");
    type_line(&mut terminal, r"\x maybe");
    terminal.wait_for("error: \\x takes on, off or auto, not \"maybe\"");
    type_line(&mut terminal, r"\x auto");
    type_line(&mut terminal, "search book");
    terminal.wait_for("Condition ┆ Price");
    type_line(&mut terminal, r"\?");
    terminal.wait_for(r"\watch [SECONDS]");
    terminal.keys(CTRL_D);
    terminal.ends_with(0);
    let mut narrow = shell(&server, 40);
    type_line(&mut narrow, r"\x off");
    type_line(&mut narrow, "search book");
    narrow.wait_for("Condition ┆ Price");
}

#[test]
fn times_are_shown_if_somebody_asks() {
    let server = FakeService::start(&[PAGE, PAGE, Act::Error("NOT_FOUND"), PAGE]);
    let mut terminal = shell(&server, 80);
    let lines = ["search book", r"\timing", "search book", "item 1:9", r"\timing off", "search book"];
    lines.into_iter().for_each(|line| type_line(&mut terminal, line));
    (0..3).for_each(|_| terminal.wait_for("1 found."));
    terminal.keys(CTRL_D);
    terminal.ends_with(0);
    let shown = terminal.shown();
    assert_eq!(shown.matches("Time: ").count(), 2, "{shown}");
}

#[test]
fn a_command_that_reads_is_repeated_until_ctrl_c() {
    for term in ["xterm", "dumb"] {
        let mut script = vec![SAVED];
        script.resize(1000, PAGE);
        let server = FakeService::start(&script);
        let mut command = buyer(&User::new(), &server, &["--session", "s"]);
        command.env("TERM", term);
        let mut terminal = Terminal::start(command, 80);
        type_line(&mut terminal, r"\watch");
        terminal.wait_for("error: \\watch repeats the command before it, and there is none");
        type_line(&mut terminal, "save");
        terminal.wait_for("Cart saved.");
        type_line(&mut terminal, r"\watch 0.1");
        terminal.wait_for("error: \\watch repeats what only reads, and save does not");
        type_line(&mut terminal, "search book");
        terminal.wait_for("1 found.");
        type_line(&mut terminal, r"\watch 0.1");
        for _ in 0..3 {
            terminal.wait_for(" UTC, every 0.1 s");
            terminal.wait_for("1 found.");
        }
        terminal.keys(CTRL_C);
        terminal.wait_for("buyer> ");
        terminal.keys(CTRL_D);
        terminal.ends_with(0);
        let apis = server.apis();
        assert_eq!(apis[0], "SaveCart");
        assert!(apis[1..].iter().all(|api| api == "SearchItemsForSale"), "{apis:?}");
    }
}

#[test]
fn a_command_that_fails_is_repeated_no_more() {
    let server = FakeService::start(&[PAGE, PAGE, Act::Error("NOT_FOUND"), PAGE]);
    let mut terminal = shell(&server, 80);
    type_line(&mut terminal, "search book");
    type_line(&mut terminal, r"\watch 0.1");
    terminal.wait_for("error: NOT_FOUND");
    terminal.wait_for("buyer> ");
    terminal.keys(CTRL_D);
    terminal.ends_with(0);
    assert_eq!(server.apis().len(), 3);
}

#[test]
fn a_script_sees_nothing_of_how_it_would_be_shown() {
    let server = FakeService::start(&[PAGE]);
    let output = User::new().script(&server, &[], "\\x on\n\\timing on\n\\?\nsearch book\n\\watch\nping\n");
    assert_code(&output, 2);
    assert!(stdout(&output).starts_with("1:42\tIntroduction to data structures\t1\t"), "{}", stdout(&output));
    assert!(stderr(&output).starts_with("Time: "), "{}", stderr(&output));
    assert!(stderr(&output).contains("\\watch needs a terminal"), "{}", stderr(&output));
    let output = User::new().script(&server, &[], "\\tming\n");
    assert_code(&output, 2);
    assert!(stderr(&output).contains("did you mean \"\\timing\"?"), "{}", stderr(&output));
}

#[test]
fn values_have_names_if_somebody_asks() {
    for words in ["--header search book", "search book --header"] {
        let server = FakeService::start(&[PAGE]);
        let output = User::new().buyer(&server, words);
        assert_code(&output, 0);
        let lines: Vec<_> = stdout(&output).lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("item_id\tname\tcategory\t"), "{lines:?}");
        assert_eq!(lines[0].split('\t').count(), lines[1].split('\t').count());
    }
}

/// A cart that is taller than the terminal.
fn tall() -> FakeService {
    let lines: Vec<_> = (1..=60).map(|n| format!("\"1:{n}\":1")).collect();
    let cart = format!("{{\"cart\":{{{}}}}}", lines.join(","));
    let mut script = vec![Act::Reply(Box::leak(cart.into_boxed_str()))];
    script.resize(61, Act::Reply(r#"{"item":{"item_id":"1:9","name":"Intro to DS","price":17.5}}"#));
    FakeService::start(&script)
}

/// One command, for a terminal with this pager.
fn paged(server: &FakeService, pager: Option<&str>, words: &[&str]) -> Command {
    let mut command = buyer(&User::new(), server, &[&["--session", "s"], words].concat());
    command.env_remove("PAGER").env("PATH", std::env::var_os("PATH").unwrap());
    command.envs(pager.map(|pager| ("PAGER", pager)));
    command
}

#[test]
fn what_is_taller_than_the_terminal_goes_through_the_pager() {
    for (pager, is_used) in [("sed s/^/page:/", true), ("", false), ("cat", false), ("no-such-pager", false)]
    {
        let server = tall();
        let mut terminal = Terminal::start(paged(&server, Some(pager), &["cart"]), 80);
        terminal.ends_with(0);
        let shown = terminal.shown();
        assert!(shown.contains("Total: 1050.00."), "{pager}: {shown}");
        assert_eq!(shown.contains("page:│ 1:60 ┆"), is_used, "{pager}: {shown}");
    }
    let server = FakeService::start(&[PAGE]);
    let mut terminal = Terminal::start(paged(&server, Some("sed s/^/page:/"), &["search", "book"]), 80);
    terminal.ends_with(0);
    assert!(!terminal.shown().contains("page:"), "{}", terminal.shown());
}

#[test]
fn a_pager_that_has_seen_enough_is_no_error() {
    let server = tall();
    let mut terminal = Terminal::start(paged(&server, Some("head -1"), &["cart"]), 80);
    terminal.ends_with(0);
    assert_eq!(terminal.shown().lines().count(), 1, "{}", terminal.shown());
}

#[test]
fn ctrl_c_is_the_pagers_while_it_is_there() {
    let pager = "trap 'echo interrupted; exit' INT; cat > /dev/null; echo waiting; while :; do sleep 1; done";
    let server = tall();
    let mut terminal = Terminal::start(paged(&server, Some(pager), &["cart"]), 80);
    terminal.wait_for("waiting");
    terminal.keys(CTRL_C);
    terminal.ends_with(0);
    assert!(terminal.shown().ends_with("interrupted\r\n"), "{}", terminal.shown());
}

#[test]
fn a_shell_goes_on_after_its_pager() {
    let server = tall();
    let mut terminal = Terminal::start(paged(&server, Some("sed s/^/page:/"), &[]), 80);
    terminal.wait_for("buyer> ");
    type_line(&mut terminal, "cart");
    terminal.wait_for("page:Total: 1050.00.");
    terminal.wait_for("buyer> ");
    terminal.keys(CTRL_D);
    terminal.ends_with(0);
}

#[test]
fn titles_errors_and_prompts_stand_out_where_they_may() {
    let start = |variables: &[(&str, &str)]| {
        let server = FakeService::start(&[PAGE]);
        let mut command = buyer(&User::new(), &server, &[]);
        command.env_remove("NO_COLOR").envs(variables.iter().copied());
        let mut terminal = Terminal::start(command, 80);
        type_line(&mut terminal, "search book");
        terminal.wait_for("1 found.");
        type_line(&mut terminal, "serach book");
        terminal.wait_for("did you mean");
        terminal.keys(CTRL_D);
        terminal.ends_with(0);
        terminal.shown()
    };
    let shown = start(&[]);
    for what in ["\x1b[1mbuyer> \x1b[0m", "\x1b[1m Item \x1b[0m", "\x1b[1;31merror:\x1b[0m no command"] {
        assert!(shown.contains(what), "{what:?} in {shown:?}");
    }
    for variables in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let shown = start(&variables);
        assert!(!shown.contains("\x1b[1m") && !shown.contains("\x1b[1;31m"), "{variables:?}: {shown:?}");
    }
    let server = FakeService::start(&[PAGE]);
    let output = User::new().buyer(&server, "search book");
    assert!(!stdout(&output).contains('\x1b'));
}

//! Passwords: they work however they are given, are not shown, and leave no trace.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::{Signal, kill_process};
use support::{Act, FakeService, assert_code, stderr, stdout};

use super::User;
use super::terminal::{Terminal, buyer};

const LOGGED_IN: Act = Act::Reply(r#"{"session_id":"secret-1","user_id":7,"role":"buyer"}"#);
const PONG: Act = Act::Reply(r#"{"service":"server_buyer"}"#);
const OPENED: Act = Act::Reply(r#"{"buyer_id":7}"#);
const CHANGED: Act = Act::Reply(r#"{"changed":true}"#);

/// The password of each request so far.
fn passwords(server: &FakeService) -> Vec<String> {
    let requests = server.requests();
    requests.iter().map(|request| request["data"]["password"].as_str().unwrap_or("-").to_owned()).collect()
}

#[test]
fn no_terminal_shows_a_password() {
    for term in ["xterm", "dumb", "emacs", "cons25", "EMACS"] {
        let server = FakeService::start(&[LOGGED_IN, LOGGED_IN]);
        let user = User::new();
        let mut command = buyer(&user, &server, &["login", "ann"]);
        command.env("TERM", term);
        let mut terminal = Terminal::start(command, 80);
        terminal.wait_for("Password: ");
        assert!(!terminal.echoes(), "{term}");
        terminal.keys(" open sesame\n".as_bytes());
        terminal.wait_for("Logged in");
        terminal.ends_with(0);
        let mut command = buyer(&user, &server, &[]);
        command.env("TERM", term);
        let mut shell = Terminal::start(command, 80);
        shell.wait_for("> ");
        shell.keys(b"login ann\r");
        shell.wait_for("Password: ");
        assert!(!shell.echoes(), "{term}");
        shell.keys(b" open sesame\r");
        shell.wait_for("Logged in");
        assert!(!(terminal.shown() + &shell.shown()).contains("sesame"), "{term}");
        assert_eq!(passwords(&server), [" open sesame"; 2]);
    }
}

#[test]
fn the_terminal_is_left_as_it_was_found() {
    let server = FakeService::start(&[]);
    let user = User::new();
    let ask = || {
        let mut terminal = Terminal::buyer(&user, &server, &["login", "ann"]);
        terminal.wait_for("Password: ");
        terminal
    };
    for (keys, signal) in [(b"ab\x03", 2), (b"ab\x1c", 3)] {
        let mut terminal = ask();
        terminal.keys(keys);
        terminal.wait_for_echo();
        assert_eq!(terminal.end().signal(), Some(signal));
    }
    let mut terminal = ask();
    terminal.keys(b"ab\x1a");
    terminal.wait_for_echo();
    terminal.wait_for_stop();
    kill_process(terminal.pid(), Signal::CONT).unwrap();
    terminal.wait_for("Password: ");
    assert!(!terminal.echoes());
    kill_process(terminal.pid(), Signal::TERM).unwrap();
    terminal.wait_for_echo();
    assert!(server.lines().is_empty());
}

#[test]
fn a_password_can_be_typed_ahead() {
    let server = FakeService::start(&[LOGGED_IN, PONG]);
    let user = User::new();
    let mut terminal = Terminal::buyer(&user, &server, &[]);
    terminal.wait_for("buyer> ");
    terminal.keys(b"login ann\ropen sesame\rping\r");
    terminal.wait_for("server_buyer answers.");
    terminal.keys(b"\x04");
    terminal.ends_with(0);
    assert_eq!(passwords(&server), ["open sesame", "-"]);
    assert!(!terminal.shown().contains("sesame"), "{}", terminal.shown());
    assert_eq!(history(&user), "#V2\nping\n");
}

#[test]
fn no_line_with_a_password_stays() {
    let server = FakeService::start(&[LOGGED_IN, LOGGED_IN, PONG]);
    let user = User::new();
    let state = user.home.path().join(".local/state/marketplace");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("history-buyer"), "#V2\ncart\nlogin ann secret2\n").unwrap();
    let mut terminal = Terminal::buyer(&user, &server, &[]);
    terminal.wait_for("buyer> ");
    terminal.keys(b"login ann secret2\rlogin ann --password=secret2\r");
    terminal.keys(b"logn ann secret2\rcreate-account ann secret2\rlogin ann 'secret2\rsecret2\rping\r");
    terminal.wait_for("server_buyer answers.");
    terminal.keys(b"\x04");
    terminal.ends_with(0);
    assert_eq!(passwords(&server), ["secret2", "secret2", "-"]);
    assert_eq!(history(&user), "#V2\ncart\nping\n");
}

#[test]
fn keys_of_the_editor_keep_no_password() {
    let server = FakeService::start(&[LOGGED_IN, PONG]);
    let user = User::new();
    let mut terminal = Terminal::buyer(&user, &server, &[]);
    terminal.wait_for("buyer> ");
    // An older line, a word erased, and the whole line erased; what was erased does not come back later.
    terminal.keys(b"login ann\r\x1b[Awrong\x17\x15sesame\r\x19ping\r");
    terminal.wait_for("server_buyer answers.");
    assert_eq!(passwords(&server), ["sesame", "-"]);
    assert!(!terminal.shown().contains("wrong"), "{}", terminal.shown());
}

#[test]
fn scripts_may_be_saved_on_any_system() {
    for script in ["create-account ann --password p\r\nping\r\n", "\u{feff}create-account ann\r\np\r\nping"] {
        let server = FakeService::start(&[OPENED, PONG]);
        let output = User::new().script(&server, &[], script);
        assert_code(&output, 0);
        assert_eq!(stdout(&output), "7\nserver_buyer\n");
        assert_eq!(passwords(&server), ["p", "-"]);
    }
    for password in ["\u{feff} p w \r\n", " p w \n", " p w "] {
        let server = FakeService::start(&[LOGGED_IN]);
        assert_code(&User::new().script(&server, &["login", "ann"], password), 0);
        assert_eq!(passwords(&server), [" p w "]);
    }
}

#[test]
fn the_environment_may_hold_the_password() {
    let server = FakeService::start(&[OPENED, LOGGED_IN, LOGGED_IN]);
    let user = User::new();
    for words in [&["create-account", "ann"][..], &["login", "ann"], &["login", "ann", "given"]] {
        let mut command = buyer(&user, &server, words);
        command.env("MARKETPLACE_PASSWORD", " p w").stdin(Stdio::null());
        assert_code(&command.output().unwrap(), 0);
    }
    assert_eq!(passwords(&server), [" p w", " p w", "given"]);
}

#[test]
fn a_new_password_is_asked_for_twice_after_the_old_one() {
    let server = FakeService::start(&[CHANGED]);
    let user = User::new();
    let ask = |new: &str, again: &str| {
        let mut terminal = Terminal::buyer(&user, &server, &["--session", "s", "password"]);
        for (question, answer) in
            [("Password: ", "open sesame"), ("New password: ", new), ("The same again: ", again)]
        {
            terminal.wait_for(question);
            assert!(!terminal.echoes(), "{question}");
            terminal.keys(format!("{answer}\n").as_bytes());
        }
        terminal
    };
    let mut differing = ask("open barley", "open barlei");
    differing.wait_for("the two passwords differ");
    differing.ends_with(2);
    assert!(server.lines().is_empty());
    let mut terminal = ask("open barley", "open barley");
    terminal.wait_for("Password changed.");
    terminal.ends_with(0);
    let request = &server.requests()[0];
    assert_eq!(request["api"], "ChangePassword");
    let expected = r#"{"new_password":"open barley","password":"open sesame","session_id":"s"}"#;
    assert_eq!(request["data"].to_string(), expected);
    let shown = differing.shown() + &terminal.shown();
    assert!(!shown.contains("sesame") && !shown.contains("barle"), "{shown}");
}

#[test]
fn scripts_change_passwords_by_lines_or_by_the_environment() {
    for role in ["buyer", "seller"] {
        let server = FakeService::start(&[CHANGED, CHANGED]);
        let user = User::new();
        let address = server.address.to_string();
        let command = |words: &[&str]| {
            let args: Vec<_> = [&[role, "--server", &address, "--session", "s"], words].concat();
            user.command(&args)
        };
        let mut given = command(&["password"]);
        given.env("MARKETPLACE_PASSWORD", "old").env("MARKETPLACE_NEW_PASSWORD", "new");
        let output = given.output().unwrap();
        assert_code(&output, 0);
        assert_eq!((stdout(&output), stderr(&output)), ("", ""));
        // Of two lines the first is the old one.
        let mut child = command(&["password"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"old\nnew\n").unwrap();
        assert_code(&child.wait_with_output().unwrap(), 0);
        for request in server.requests() {
            assert_eq!(
                request["data"].to_string(),
                r#"{"new_password":"new","password":"old","session_id":"s"}"#
            );
        }
        assert_eq!(server.requests().len(), 2);
    }
    // Neither stands in for the other.
    let server = FakeService::start(&[]);
    let mut command = buyer(&User::new(), &server, &["--session", "s", "password"]);
    command.env("MARKETPLACE_PASSWORD", "old").stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_code(&output, 2);
    assert!(stderr(&output).contains("no password was given"), "{}", stderr(&output));
}

#[test]
fn a_refused_word_is_not_repeated() {
    let server = FakeService::start(&[]);
    for words in ["create-account ann secret2", "login ann secret2 again"] {
        let output = User::new().buyer(&server, words);
        assert_code(&output, 2);
        assert!(!stderr(&output).contains("secret2"), "{}", stderr(&output));
    }
}

fn history(user: &User) -> String {
    fs::read_to_string(user.home.path().join(".local/state/marketplace/history-buyer")).unwrap()
}

//! What is typed and pasted into a shell, in whichever pieces it comes.

use support::{Act, FakeService};

use super::User;
use super::terminal::{Terminal, buyer};

const PONG: Act = Act::Reply(r#"{"service":"server_buyer"}"#);
const PONGS: [Act; 8] = [PONG; 8];
const ANSWER: &str = "server_buyer answers.";
/// Ends a shell.
const CTRL_D: &[u8] = b"\x04";
const CTRL_C: &[u8] = b"\x03";

/// A shell at a service that answers `Ping`, and waits at its prompt.
fn shell(server: &FakeService, term: &str) -> Terminal {
    let mut command = buyer(&User::new(), server, &["--session", "s"]);
    command.env("TERM", term);
    let mut terminal = Terminal::start(command, 80);
    terminal.wait_for("buyer> ");
    terminal
}

#[test]
fn commands_in_one_write_are_all_carried_out() {
    for term in ["xterm", "dumb"] {
        let server = FakeService::start(&PONGS);
        let mut terminal = shell(&server, term);
        terminal.keys(b"ping\rping\rping\r");
        (0..3).for_each(|_| terminal.wait_for(ANSWER));
        terminal.keys(CTRL_D);
        terminal.ends_with(0);
        assert_eq!(server.lines().len(), 3);
    }
}

#[test]
fn each_pasted_line_is_a_command_and_the_last_can_be_edited() {
    let server = FakeService::start(&PONGS);
    let mut terminal = shell(&server, "xterm");
    terminal.keys(b"\x1b[200~ping\r\nping\npi\x1b[201~");
    (0..2).for_each(|_| terminal.wait_for(ANSWER));
    assert_eq!(server.lines().len(), 2);
    terminal.keys(b"ng\r");
    terminal.wait_for(ANSWER);
    terminal.keys(CTRL_D);
    terminal.ends_with(0);
}

#[test]
fn what_is_typed_while_a_command_waits_comes_after_it() {
    let server = FakeService::start(&[Act::Ignore, PONG, PONG, PONG]);
    let mut terminal = shell(&server, "xterm");
    terminal.keys(b"save\r");
    let save = server.next_call();
    terminal.keys(b"ping\r\x1b[200~ping\nping\n\x1b[201~");
    save.answer(r#"{"saved":true}"#);
    terminal.wait_for("Cart saved.");
    (0..3).for_each(|_| terminal.wait_for(ANSWER));
    terminal.keys(CTRL_D);
    terminal.ends_with(0);
}

#[test]
fn ctrl_c_gives_a_command_up_and_keeps_the_shell() {
    for term in ["xterm", "dumb"] {
        let server = FakeService::start(&[Act::Ignore, Act::Ignore, PONG]);
        let mut terminal = shell(&server, term);
        for (command, requests) in [(b"save\r", 1), (b"cart\r", 2)] {
            terminal.keys(command);
            server.wait_for_requests(requests);
            terminal.keys(CTRL_C);
            terminal.wait_for("error: given up");
        }
        terminal.keys(b"ping\r");
        terminal.wait_for(ANSWER);
        terminal.keys(CTRL_D);
        terminal.ends_with(0);
        let shown = terminal.shown();
        assert_eq!(shown.matches("may have been carried out").count(), 1, "of the change: {shown}");
        assert_eq!(server.apis(), ["SaveCart", "DisplayCart", "Ping"], "nothing is sent again");
    }
}

#[test]
fn ctrl_c_at_the_prompt_drops_the_line_and_nothing_else() {
    let server = FakeService::start(&PONGS);
    let mut terminal = shell(&server, "xterm");
    terminal.keys(b"save\x03ping\r");
    terminal.wait_for(ANSWER);
    terminal.keys(CTRL_D);
    terminal.ends_with(0);
    assert_eq!(server.apis(), ["Ping"]);
    let mut terminal = shell(&server, "dumb");
    terminal.keys(b"save\x03");
    terminal.wait_for("buyer> ");
    terminal.keys(b"ping\r");
    terminal.wait_for(ANSWER);
    assert_eq!(server.apis(), ["Ping", "Ping"]);
}

#[test]
fn ctrl_c_ends_a_single_command() {
    let server = FakeService::start(&[Act::Ignore]);
    let mut terminal = Terminal::buyer(&User::new(), &server, &["search", "book"]);
    server.wait_for_requests(1);
    terminal.keys(CTRL_C);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&terminal.end()), Some(2));
}

#[test]
fn a_byte_that_is_no_text_does_not_end_the_shell() {
    for term in ["xterm", "dumb"] {
        let server = FakeService::start(&PONGS);
        let mut terminal = shell(&server, term);
        terminal.keys(b"search caf\xe9\r");
        terminal.wait_for("not UTF-8");
        terminal.wait_for("buyer> ");
        // A character may come in pieces.
        terminal.keys(b"ping --bogus \xc3");
        terminal.keys(b"\xa9\r");
        terminal.wait_for("error: ");
        terminal.keys(b"ping\r");
        terminal.wait_for(ANSWER);
        assert_eq!(server.apis(), ["Ping"]);
    }
}

#[test]
fn the_rest_of_a_paste_that_is_no_text_is_no_command() {
    let server = FakeService::start(&PONGS);
    let mut terminal = shell(&server, "xterm");
    terminal.keys(&[b"\x1b[200~ping\ncaf\xe9\n".as_slice(), &b"save\n".repeat(150), b"\x1b[201~"].concat());
    terminal.wait_for("not UTF-8");
    terminal.wait_for("buyer> ");
    terminal.keys(b"ping\r");
    terminal.wait_for(ANSWER);
    assert_eq!(server.apis(), ["Ping", "Ping"]);
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let server = FakeService::start(&PONGS);
    let mut terminal = shell(&server, "xterm");
    let pasted = ["\x1b[200~search ", &"x".repeat(5000), "\nping\n\x1b[201~"].concat();
    let mut keyboard = terminal.keyboard();
    let typist =
        std::thread::spawn(move || std::io::Write::write_all(&mut keyboard, pasted.as_bytes()).unwrap());
    terminal.wait_for("error: the line is longer than 4096 bytes");
    terminal.wait_for(ANSWER);
    typist.join().unwrap();
    assert_eq!(server.apis(), ["Ping"]);
    // Here the kernel cuts the line, and says nothing.
    let mut terminal = shell(&server, "dumb");
    (0..9).for_each(|_| {
        terminal.keys(&[b'x'; 500]);
        terminal.wait_for(&"x".repeat(400));
    });
    terminal.keys(b"\rping\r");
    terminal.wait_for("error: the line is longer than 4094 bytes");
    terminal.wait_for(ANSWER);
    assert_eq!(server.apis(), ["Ping", "Ping"]);
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    use rustix::process::{Signal, kill_process};
    let server = FakeService::start(&[Act::Ignore]);
    for command in [b"".as_slice(), b"save\r"] {
        let mut terminal = shell(&server, "xterm");
        assert!(!terminal.echoes(), "what is typed ahead would be shown twice");
        terminal.keys(command);
        if !command.is_empty() {
            server.wait_for_requests(1);
        }
        kill_process(terminal.pid(), Signal::TERM).unwrap();
        terminal.wait_for_echo();
    }
}

//! Help and usage errors.

use support::{assert_code, stderr, stdout};

use super::User;
use super::terminal::Terminal;

#[test]
fn help_works_everywhere() {
    let user = User::new();
    for args in [
        &["-h"][..],
        &["--help"],
        &["up", "-h"],
        &["ping", "--help"],
        &["backup", "-h"],
        &["restore", "-h"],
        &["migrate", "-h"],
        &["copy", "-h"],
        &["buyer", "-h"],
        &["seller", "-h"],
        &["seller", "price", "-h"],
        &["buyer", "help"],
        &["buyer", "help", "search"],
        &["buyer", "help", "help"],
        &["buyer", "search", "--help"],
        &["help"],
        &["help", "bench"],
        &["help", "bench", "growth"],
        &["help", "seller", "price"],
        &["help", "help"],
        &["--help", "up"],
        &["--version"],
        &["-V"],
    ] {
        let output = user.run(args);
        assert_code(&output, 0);
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
    assert!(
        stdout(&user.run(&["seller", "help", "units"]))
            .starts_with("Usage: marketplace seller units ITEM DELTA")
    );
}

#[test]
fn a_sellers_list_of_commands_has_those_for_whole_tables() {
    let user = User::new();
    for word in ["help", "-h"] {
        let output = user.run(&["seller", word]);
        let shown = stdout(&output);
        assert!(shown.contains("\n  import ") && shown.contains("\n  export "), "{word}: {shown}");
    }
    assert!(!stdout(&user.run(&["buyer", "help"])).contains("import"));
}

#[test]
fn help_is_no_wider_than_the_terminal() {
    for words in [
        &["help"][..],
        &["help", "up"],
        &["help", "server_buyer"],
        &["bench", "-h"],
        &["seller", "help"],
        &["seller", "import", "-h"],
        &["buyer", "help", "search"],
    ] {
        let user = User::new();
        let mut terminal = Terminal::start(user.command(words), 40);
        terminal.ends_with(0);
        let shown = terminal.shown();
        // A word that is longer than the terminal is wide cannot be broken.
        let is_too_wide = |line: &&str| line.chars().count() > 40 && line.trim().contains(' ');
        assert_eq!(shown.lines().find(is_too_wide), None, "{words:?}");
        let unbroken = user.run(words);
        let words_of = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words_of(&shown), words_of(stdout(&unbroken)), "{words:?}");
    }
}

#[test]
fn help_is_the_same_whichever_way_it_is_asked_for() {
    let user = User::new();
    for (a, b) in [
        (&["help"][..], &["-h"][..]),
        (&["help", "up"], &["up", "-h"]),
        (&["help", "buyer"], &["buyer", "--help"]),
        (&["help", "bench", "compare"], &["bench", "compare", "-h"]),
        (&["help", "buyer", "search"], &["buyer", "help", "search"]),
        (&["help", "buyer", "search"], &["buyer", "search", "--help"]),
        (&["-V"], &["--version"]),
    ] {
        assert_eq!(stdout(&user.run(a)), stdout(&user.run(b)), "{a:?}, {b:?}");
    }
    assert!(stdout(&user.run(&["help"])).contains("\n  migrate         make or update the tables"));
}

#[test]
fn what_was_mistyped_is_guessed() {
    let user = User::new();
    for (args, guess) in [
        (&["buyr"][..], "did you mean \"buyer\"?"),
        (&["help", "bacup"], "did you mean \"backup\"?"),
        (&["help", "bench", "grwth"], "did you mean \"growth\"?"),
        (&["help", "buyer", "serach"], "did you mean \"search\"?"),
        (&["db_product", "--lsten", "127.0.0.1:0"], "did you mean --listen?"),
        (&["bench", "--scenarios", "1+1"], "did you mean --scenario?"),
        (&["buyer", "--jsno", "cart"], "did you mean --json?"),
        (&["buyer", "serach", "book"], "did you mean \"search\"?"),
        (&["buyer", "help", "serach"], "did you mean \"search\"?"),
        (&["seller", "items", "--sold"], "did you mean --sold-out?"),
    ] {
        let output = user.run(args);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(guess), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn usage_errors_end_with_2() {
    let user = User::new();
    for args in [
        &[][..],
        &["sell"],
        &["up", "--port", "1"],
        &["up", "now"],
        &["ping", "127.0.0.1:1", "127.0.0.1:2"],
        &["help", "bogus"],
        &["help", "up", "bogus"],
        &["help", "--bogus"],
        &["backup"],
        &["backup", "--data", "d", "a", "b"],
        &["restore", "--data"],
        &["restore", "--force", "a"],
        &["copy"],
        &["ping", "localhost"],
        &["ping", "localhost:6001", "--timeout-ms", "soon"],
        &["buyer", "--bogus", "cart"],
        &["buyer", "--server", "localhost", "cart"],
        &["buyer", "bogus"],
        &["buyer", "help", "bogus"],
        &["buyer", "add", "1:42"],
        &["buyer", "add", "1:42", "two"],
        &["seller", "items", "--sold-out=yes"],
    ] {
        let output = user.run(args);
        assert_code(&output, 2);
        assert!(
            stderr(&output).starts_with("error: ") && output.stdout.is_empty(),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

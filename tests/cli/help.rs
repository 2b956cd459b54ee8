//! Help and usage errors.

use support::{assert_code, stderr, stdout};

use super::User;

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
        &["top", "-h"],
        &["buyer", "-h"],
        &["seller", "-h"],
        &["seller", "price", "-h"],
        &["buyer", "help"],
        &["buyer", "help", "search"],
        &["--version"],
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
fn usage_errors_end_with_2() {
    let user = User::new();
    for args in [
        &[][..],
        &["sell"],
        &["up", "--port", "1"],
        &["up", "now"],
        &["ping"],
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

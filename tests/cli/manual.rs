//! Pages of the manual, and whether programs that show such pages understand them.

use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};

use support::{assert_code, stderr, stdout};

use super::User;

/// Has a program read a page. `None`: it is not installed.
fn shown(command: &mut Command, page: &str) -> Option<Output> {
    let piped = Stdio::piped;
    let child = command.stdin(piped()).stdout(piped()).stderr(piped()).spawn();
    let mut child = match child {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        child => child.unwrap(),
    };
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

/// The pages in a folder, by their names.
fn pages(user: &User) -> Vec<(String, String)> {
    let folder = user.home.path().join("share/man/man1");
    let output = user.run(&["man", "--dir", folder.to_str().unwrap()]);
    assert_code(&output, 0);
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let page = |file: std::path::PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap().strip_suffix(".1").unwrap().to_owned();
        (name, std::fs::read_to_string(file).unwrap())
    };
    let pages: Vec<_> = files.map(page).collect();
    assert_eq!(stdout(&output).lines().count(), pages.len());
    pages
}

#[test]
fn each_subcommand_has_a_page_with_all_that_its_help_names() {
    let user = User::new();
    let pages = pages(&user);
    assert!(pages.len() >= 15, "{}", pages.len());
    for (name, page) in &pages {
        let words = name.strip_prefix("marketplace-");
        assert_eq!(stdout(&user.run(&[&["man"][..], words.as_slice()].concat())), page);
        let output = user.run(&[&["help"][..], words.as_slice()].concat());
        // What stands at the start of a line of help is an option, or the name of a command.
        for line in
            stdout(&output).lines().filter(|line| line.starts_with("  ") && !line.starts_with("         "))
        {
            let word = line.split_whitespace().find(|word| *word != "-h,").unwrap();
            if word.starts_with("--") || name == "marketplace" {
                let written = word.trim_end_matches(',').replace('-', "\\-");
                assert!(page.contains(&written), "{word} in {page}");
            }
        }
    }
}

#[test]
fn programs_understand_the_pages() {
    for (name, page) in pages(&User::new()) {
        if let Some(output) = shown(Command::new("groff").args(["-man", "-Tutf8", "-ww"]), &page) {
            assert_code(&output, 0);
            assert_eq!(stderr(&output), "", "{name}: {page}");
            assert!(
                stdout(&output).contains(&format!("{}(1)", name.to_uppercase())),
                "{name}: {}",
                stdout(&output)
            );
        }
        if let Some(output) = shown(Command::new("mandoc").args(["-Tlint", "-Werror"]), &page) {
            assert_code(&output, 0);
        }
    }
}

#[test]
fn man_shows_a_page() {
    let page = stdout(&User::new().run(&["man", "buyer"])).to_owned();
    let mut man = Command::new("man");
    let Some(output) = shown(man.args(["-l", "-"]).env("MANPAGER", "cat").env("LC_ALL", "C.UTF-8"), &page)
    else {
        return;
    };
    assert_code(&output, 0);
    // Some draw what is bold by striking it twice.
    let text: String = stdout(&output).replace('\u{8}', "");
    for what in ["marketplace-buyer - buyer's shell", "search [KEYWORD…] [OPTION]…", "SEE ALSO"] {
        assert!(text.contains(what), "{what:?} in {text}");
    }
}

#[test]
fn a_page_that_is_not_there_is_refused() {
    let user = User::new();
    for (args, what) in [
        (&["man", "bogus"][..], "no page \"bogus\""),
        (&["man", "marketplace-byer"], "did you mean \"buyer\"?"),
        (&["man", "buyer", "seller"], "one PAGE"),
        (&["man", "--dir", "d", "buyer"], "it takes no PAGE"),
    ] {
        let output = user.run(args);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(what), "{args:?}: {}", stderr(&output));
    }
    let output = user.run(&["man", "--dir", "/proc/nothing"]);
    assert_code(&output, 1);
    assert!(stderr(&output).contains("cannot make /proc/nothing"), "{}", stderr(&output));
}

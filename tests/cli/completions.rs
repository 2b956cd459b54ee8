//! Scripts that complete command lines, against the help of what they complete.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};

use support::{assert_code, stderr, stdout};

use super::User;

/// Asks the script before it what may follow some words, of which the last is not whole yet.
const ASK: &str = r#"
ask() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _marketplace
    printf '%s\n' "${COMPREPLY[*]}"
}
"#;

fn script(shell: &str) -> String {
    let output = User::new().run(&["completions", shell]);
    assert_code(&output, 0);
    stdout(&output).to_owned()
}

/// Has a shell read `input`. `None`: it is not installed.
fn run(shell: &str, args: &[&str], input: &str) -> Option<Output> {
    let piped = Stdio::piped;
    let child = Command::new(shell).args(args).stdin(piped()).stdout(piped()).stderr(piped()).spawn();
    let mut child = match child {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        child => child.unwrap(),
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

/// What bash proposes for each of these command lines, in whose words each is quoted where it must be.
fn completed(lines: &[String]) -> Vec<BTreeSet<String>> {
    let asked: String = lines.iter().map(|line| format!("ask {line}\n")).collect();
    let output = run("bash", &["--norc"], &format!("{}{ASK}{asked}", script("bash"))).expect("bash is there");
    assert_code(&output, 0);
    assert_eq!(stderr(&output), "");
    let answers: Vec<_> =
        stdout(&output).lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    assert_eq!(answers.len(), lines.len());
    answers
}

fn help(words: &[&str]) -> String {
    let output = User::new().run(&[words, &["-h"]].concat());
    assert_code(&output, 0);
    stdout(&output).to_owned()
}

/// The options that help lists.
fn options(help: &str) -> BTreeSet<String> {
    let (_, listed) = help.split_once("Options:\n").unwrap();
    let listed = listed.lines().filter(|line| line.len() - line.trim_start().len() <= 8);
    listed
        .flat_map(|line| line.split_whitespace().take(2))
        .filter(|word| word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// The names in the lists of subcommands or commands.
fn names(help: &str) -> BTreeSet<String> {
    let rows = help.lines().filter_map(|line| line.strip_prefix("  "));
    let rows = rows.filter(|row| row.starts_with(|c: char| c.is_ascii_lowercase()) && row.contains("  "));
    rows.map(|row| row.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn bash_proposes_what_help_lists() {
    let all = help(&[]);
    let mut paths: Vec<Vec<String>> = names(&all).into_iter().map(|name| vec![name]).collect();
    assert!(paths.len() >= 15 && paths.contains(&vec!["bench".to_owned()]), "{paths:?}");
    for parent in ["buyer", "seller", "bench"] {
        let commands = names(help(&[parent]).split("Commands:\n").nth(1).unwrap());
        assert!(commands.len() >= 2, "{commands:?}");
        paths.extend(commands.into_iter().map(|command| vec![parent.to_owned(), command]));
    }
    let lines: Vec<_> = paths.iter().map(|path| format!("marketplace {} --", path.join(" "))).collect();
    for (path, proposed) in paths.iter().zip(completed(&lines)) {
        let words: Vec<_> = path.iter().map(String::as_str).collect();
        assert_eq!(proposed, options(&help(&words)), "{path:?}");
    }
    let proposed = completed(&["marketplace ''".to_owned(), "marketplace buyer ''".to_owned()]);
    assert_eq!(proposed[0], names(&all));
    assert!(proposed[1].contains("search") && !proposed[1].contains("register"), "{:?}", proposed[1]);
}

#[test]
fn bash_completes_words_where_they_stand() {
    for (line, expected) in [
        ("marketplace sel", "seller"),
        ("marketplace bench g", "growth"),
        ("marketplace seller --server 127.0.0.1 : 6004 pr", "price"),
        ("marketplace seller --server = 127.0.0.1 : 6004 pr", "price"),
        ("marketplace seller price 1 : 42 --pr", "--price"),
        ("marketplace buyer --session search --js", "--json"),
        ("marketplace buyer --session search se", "search"),
        ("marketplace db_product --log d", "debug"),
        ("marketplace db_product --log = d", "debug"),
        ("marketplace db_product --log =", "debug error info warn"),
        ("marketplace bench --mix s", "shopping"),
        ("marketplace completions z", "zsh"),
        ("marketplace man res", "restore"),
        ("marketplace help buy", "buyer"),
        ("marketplace buyer help pur", "purchases"),
        ("marketplace --v", "--version"),
        ("marketplace bogus --lis", ""),
        ("marketplace up bogus", ""),
    ] {
        let proposed = completed(&[line.to_owned()]).remove(0);
        assert_eq!(proposed.into_iter().collect::<Vec<_>>().join(" "), expected, "{line}");
    }
}

#[test]
fn bash_completes_files_where_files_are_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("dump"), "").unwrap();
    let lines = ["--data", "--tls-ca"].map(|option| format!("marketplace server_buyer {option} {path}/d"));
    let folders = completed(&[lines[0].replace("server_buyer", "up"), lines[1].clone()]);
    let all = BTreeSet::from([format!("{path}/data"), format!("{path}/dump")]);
    assert_eq!(folders[0], BTreeSet::from([format!("{path}/data")]));
    assert_eq!(folders[1], all);
    assert_eq!(completed(&[format!("marketplace bench compare {path}/d")])[0], all);
}

#[test]
fn shells_understand_the_scripts() {
    for (shell, flags) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute", "/dev/stdin"])]
    {
        if let Some(output) = run(shell, flags, &script(shell)) {
            assert_code(&output, 0);
            assert_eq!(stderr(&output), "", "{shell}");
        }
    }
}

#[test]
fn fish_completes_words_where_they_stand() {
    let asked = r#"
        complete -C 'marketplace sel'
        complete -C 'marketplace seller --server 127.0.0.1:6004 pri'
        complete -C 'marketplace db_product --log d'
        complete -C 'marketplace buyer search --cat'
    "#;
    let Some(output) = run("fish", &["--no-config"], &(script("fish") + asked)) else { return };
    assert_code(&output, 0);
    let words: Vec<_> = stdout(&output).lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(words, ["seller", "price", "debug", "--category"], "{}", stderr(&output));
}

#[test]
fn a_shell_that_is_not_known_is_refused() {
    let user = User::new();
    for (args, what) in [
        (&["completions"][..], "bash, zsh or fish"),
        (&["completions", "csh"], "bash, zsh or fish, not \"csh\""),
        (&["completions", "fihs"], "did you mean \"fish\"?"),
        (&["completions", "bash", "zsh"], "one SHELL"),
    ] {
        let output = user.run(args);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(what), "{args:?}: {}", stderr(&output));
    }
}
